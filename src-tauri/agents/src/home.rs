//! A home of its own for a CLI that takes its settings from nowhere else.
//!
//! gemini knows no flag for an MCP server, and reads the file that `GEMINI_CLI_SYSTEM_SETTINGS_PATH` names only when it and
//! every folder above belong to root (measured). So each session gives it a home (`GEMINI_CLI_HOME`) whose settings are the
//! user's with ours over them; everything else of the user's is linked, so that a refreshed token goes back to the user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::{AgentInfo, AgentSettings, Dialect};

/// The variable that moves gemini's home.
pub(crate) const GEMINI_HOME: &str = "GEMINI_CLI_HOME";
/// gemini's folder inside of its home.
const GEMINI: &str = ".gemini";
/// Its settings in there.
const SETTINGS: &str = "settings.json";

/// Entries of `.gemini` that each home has for itself: the settings, and what belongs to the CLI's sessions: chats, the
/// names of their folders, checkpoints.
const OWN: &[&str] = &[SETTINGS, "settings.json.orig", "tmp", "history", "projects.json"];
/// What else of a home gemini reads.
const BESIDE: &[&str] = &[".env", ".agents"];

/// A CLI's home for one session: one for all workers of an agent, because one worker resumes what another began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    own: PathBuf,
    user: Option<PathBuf>,
}

impl Home {
    /// The home of an agent in the session with this folder. `None` for a CLI that needs none of its own.
    ///
    /// The user's is the one that the CLI would have without us: set for this agent, else by the login shell. A demo agent
    /// shares nothing with the user's.
    #[must_use]
    pub fn of(
        agent: &AgentInfo,
        settings: &AgentSettings,
        env: &BTreeMap<String, String>,
        folder: &Path,
    ) -> Option<Self> {
        match agent.dialect {
            Dialect::Gemini => {}
            Dialect::Claude | Dialect::Codex => return None,
        }
        let set = |name: &str| {
            let own = settings.env.get(name).filter(|value| !value.is_empty());
            own.or_else(|| env.get(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let system = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
        let user = set(GEMINI_HOME).or_else(|| set(system)).filter(|home| !agent.demo && home.is_absolute());
        Some(Self { own: folder.join("homes").join(agent.name.as_str()), user })
    }

    /// What the CLI is told.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.own
    }

    /// The settings file of this home.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.own.join(GEMINI).join(SETTINGS)
    }

    /// The settings that the user has; to be given to [`crate::launch`].
    #[must_use]
    pub fn user_settings(&self) -> Option<PathBuf> {
        Some(self.user.as_ref()?.join(GEMINI).join(SETTINGS))
    }

    /// Which folders are shared, the user's and this home's: of what the first has, everything that
    /// [`Home::shares`] is to be linked in the second.
    #[must_use]
    pub fn shared(&self) -> Vec<(PathBuf, PathBuf)> {
        let inside = |home: &Path| home.join(GEMINI);
        let user = self.user.iter();
        user.flat_map(|user| [(user.clone(), self.own.clone()), (inside(user), inside(&self.own))]).collect()
    }

    /// Whether an entry of a shared folder (one of [`Home::shared`], the user's) is linked.
    #[must_use]
    pub fn shares(&self, folder: &Path, name: &str) -> bool {
        if self.user.as_deref() == Some(folder) {
            return BESIDE.contains(&name);
        }
        // Locks and half-written files are of one process.
        !OWN.contains(&name) && !name.ends_with(".lock") && !name.ends_with(".tmp")
    }
}
