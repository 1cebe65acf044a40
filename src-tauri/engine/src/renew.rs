//! What may have changed since a session was last run: this program, the CLIs, the places of its folders.
//!
//! A session is taken up from what its journal says and from nothing that a process remembered (FIELD 12), so what the
//! journal says of the world outside is looked at again.

use std::path::Path;
use std::thread;

use domain::{AgentInfo, ErrorCode, Opened, Outcome, Settings, State, UserError};

use crate::discover::{self, Environment};

/// A session's beginning as it is to be run now, and what is different from then, in sentences that were not said yet.
pub(crate) fn renewed(
    state: &State,
    opened: &Opened,
    settings: &Settings,
    env: &Environment,
    orchestrate: &Path,
) -> (Opened, Vec<String>) {
    let mut now = opened.clone();
    let mut news = Vec::new();
    if opened.version != env!("CARGO_PKG_VERSION") {
        let (then, this) = (&opened.version, env!("CARGO_PKG_VERSION"));
        news.push(format!(
            "this session was begun by version {then} of this program; {this} goes on with it"
        ));
    }
    let over = matches!(state.ended, Some((Outcome::Done, _)));
    if opened.demo {
        // Its agents are this very program, wherever that is now.
        let program = orchestrate.to_string_lossy();
        now.agents.iter_mut().for_each(|agent| agent.program = program.clone().into_owned());
    } else if !over {
        let target = Path::new(&opened.target);
        let looked: Vec<(AgentInfo, Option<String>)> = thread::scope(|scope| {
            let looking: Vec<_> = (opened.agents.iter())
                .map(|agent| scope.spawn(|| look_again(agent, opened, settings, env, target)))
                .collect();
            let found = looking.into_iter().zip(&opened.agents);
            found.map(|(looked, was)| looked.join().unwrap_or_else(|_| (was.clone(), None))).collect()
        });
        for (agent, (found, different)) in now.agents.iter_mut().zip(looked) {
            *agent = found;
            news.extend(different);
        }
    }
    news.retain(|text| !state.warnings.iter().any(|(_, _, said)| said == text));
    (now, news)
}

/// A CLI where it was, in its version of now; elsewhere when it is there no more (FIELD 34).
fn look_again(
    was: &AgentInfo,
    opened: &Opened,
    now: &Settings,
    env: &Environment,
    target: &Path,
) -> (AgentInfo, Option<String>) {
    let name = &was.name;
    let why = match discover::version_now(was, env, Some(target)) {
        Ok(version) if version == was.version => return (was.clone(), None),
        Ok(version) => {
            let text =
                format!("{name} was updated since this session began, from {} to {version}", was.version);
            return (AgentInfo { version, ..was.clone() }, Some(text));
        }
        Err(problem) => problem,
    };
    let mut settings = opened.settings.clone();
    settings.agents.retain(|known, _| known == name);
    // Where it is now may stand in the settings of now.
    let command = now.agents.get(name).map(|agent| agent.command.clone());
    for (agent, command) in settings.agents.values_mut().zip(command) {
        agent.command = command;
    }
    let found = discover::agents(&settings, env, Some(target)).into_iter().find_map(|found| found.agent.ok());
    match found {
        Some(found) => {
            let text =
                format!("{name} is not where it was ({why}); {} {} is used", found.program, found.version);
            (found, Some(text))
        }
        None => (was.clone(), Some(format!("{name} cannot be started any more: {why}"))),
    }
}

/// Whether a session's folders are where they were.
///
/// # Errors
/// [`ErrorCode::Preflight`], in a sentence that names the folder.
pub(crate) fn places(state: &State, opened: &Opened, folder: &Path) -> Result<(), UserError> {
    let refuse = |message: String, hint: String| Err(UserError { code: ErrorCode::Preflight, message, hint });
    let target = Path::new(&opened.target);
    if !target.is_dir() {
        return refuse(
            format!("the project folder {} of this session is not there any more", target.display()),
            "Put it back where it was, then resume the session; its own files are all kept.".to_owned(),
        );
    }
    let over = matches!(state.ended, Some((Outcome::Done, _)));
    let here = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    if !over && here != Path::new(&opened.folder) {
        return refuse(
            format!("this session's folder was moved from {} to {}", opened.folder, here.display()),
            format!(
                "Its worktrees belong to the old place. Move it back: mv {} {}",
                here.display(),
                opened.folder
            ),
        );
    }
    Ok(())
}
