//! What a command runs on: the engine, the options that all commands take, and how the reader looks at it.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use domain::{ErrorCode, Outcome, SessionId, Summary, UserError};
use engine::{Engine, Options, journal::JournalError};
use jiff::Timestamp;

use crate::{
    args::{Common, usage},
    entries::broken,
    text::name,
    view::View,
};

/// What a command runs on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// The door to everything.
    pub engine: Engine,
    /// Options that all commands take.
    pub common: Common,
    /// Where sessions live.
    pub workspace: PathBuf,
    /// How standard output is looked at.
    pub view: View,
}

impl Machine {
    /// Opens the engine.
    ///
    /// # Errors
    /// What the engine says of workspace and settings.
    pub(crate) fn open(common: &Common) -> Result<Self, UserError> {
        let workspace = match &common.workspace {
            Some(workspace) => usable(workspace)?,
            None => engine::default_workspace()?,
        };
        let orchestrate = std::env::current_exe().map_err(|error| UserError {
            code: ErrorCode::Internal,
            message: format!("The program cannot find itself: {error}."),
            hint: "Start it by its full path.".to_owned(),
        })?;
        let options = Options { workspace: workspace.clone(), config: common.config.clone(), orchestrate };
        let engine = Engine::new(options)?;
        Ok(Self { engine, common: common.clone(), workspace, view: View::of(false) })
    }

    /// A session's folder.
    pub(crate) fn folder(&self, session: &SessionId) -> PathBuf {
        self.workspace.join(session.as_str())
    }

    /// A session as a command names it that is printed to be copied: with its workspace, unless that is the usual one.
    pub(crate) fn named(&self, session: &SessionId) -> String {
        let Some(workspace) = self.common.workspace.as_ref().map(|_| self.workspace.to_string_lossy()) else {
            return name(session).to_owned();
        };
        let plain = workspace.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
        let workspace =
            if plain { workspace.into_owned() } else { format!("'{}'", workspace.replace('\'', "'\\''")) };
        format!("{} --workspace {workspace}", name(session))
    }

    /// The summary of a session as its journal tells it, and when its last entry was written.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub(crate) fn summary(&self, session: &SessionId) -> Result<(Summary, Timestamp), UserError> {
        match self.readable(session)? {
            (summary, last, None) => Ok((summary, last)),
            (_, _, Some(damage)) => Err(broken(damage)),
        }
    }

    /// The same of a journal that may be damaged, with what is wrong after its readable part.
    ///
    /// # Errors
    /// When nothing can be read.
    pub(crate) fn readable(
        &self,
        session: &SessionId,
    ) -> Result<(Summary, Timestamp, Option<JournalError>), UserError> {
        let (state, damage) = self.engine.written(session).map_err(broken)?;
        Ok((domain::summary(&state), state.last, damage))
    }
}

/// The folder that was named, absolute; one that is not there yet will be made.
fn usable(workspace: &Path) -> Result<PathBuf, UserError> {
    let refuse = |why: &str| {
        let message = format!("The workspace {} cannot be used: {why}.", workspace.display());
        Err(usage(message, "Name a folder that you may write to with --workspace DIR."))
    };
    match std::fs::metadata(workspace) {
        Ok(there) if !there.is_dir() => return refuse("it is not a folder"),
        Err(error) if error.kind() != ErrorKind::NotFound => return refuse(&error.to_string()),
        Ok(_) | Err(_) => {}
    }
    std::path::absolute(workspace).or_else(|error| refuse(&error.to_string()))
}

/// An outcome by its name in a summary; `None` while the session runs.
pub(crate) fn outcome(summary: &Summary) -> Option<Outcome> {
    serde_json::from_value(serde_json::Value::String(summary.outcome.clone())).ok()
}
