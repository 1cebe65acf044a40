//! What each process of a session needs inside of its sandbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agents::{Confined, Home};
use domain::{AgentInfo, Assignment, Purpose};

use super::Context;
use super::worker::Files;
use crate::process::{CommandEnd, CommandSpec, Spec};
use crate::sandbox::{Needs, Sandbox};
use crate::trees::Lent;

/// The login of the CLI whose home is the session's in any case.
const GEMINI_LOGIN: &str = "oauth_creds.json";

/// Wraps a worker; where the session has no sandbox it stays as it is. Why it cannot be wrapped, in words.
pub(super) async fn worker(
    context: &Arc<Context>,
    assignment: &Assignment,
    info: &AgentInfo,
    files: &Files,
    spec: Spec,
) -> Result<Spec, String> {
    let Some(sandbox) = &context.sandbox else { return Ok(spec) };
    let lent = lend(context, &spec.cwd).await?;
    let settings = context.agent_settings(&info.name);
    let env =
        spec.env.iter().filter_map(|(name, value)| Some((name.to_str()?.into(), value.to_str()?.into())));
    let home = Confined::of(info, &settings, &context.env, &context.folder);
    let mut needs = Needs {
        who: info.name.as_str(),
        worktree: lent.worktree.clone(),
        // Planners and reviewers change no file.
        writes: matches!(assignment.purpose, Purpose::Task { .. }),
        lent: Some(&lent),
        home: home.as_ref(),
        read: vec![files.private.clone(), files.answers.clone()],
        write: vec![files.calls.clone()],
        hosts: agents::hosts(info.dialect, &settings, &env.collect()),
    };
    // Folders that the user allowed; what lies in the project can only be read.
    let further = assignment.extra_dirs.iter().map(PathBuf::from);
    needs.write.extend(further.filter(|path| !path.starts_with(&context.opened.target)));
    if let Some(home) = Home::of(info, &settings, &context.env, &context.folder) {
        of_gemini(&home, sandbox, &mut needs);
    }
    sandbox.confine(spec, &needs).map_err(|fault| format!("its sandbox cannot be made: {fault}"))
}

/// A home whose entries are links to the user's: what they lead to is shown.
fn of_gemini(home: &Home, sandbox: &Sandbox, needs: &mut Needs<'_>) {
    needs.write.push(home.path().to_owned());
    // Mounted once more, so that no link can take its place: settings are written there from outside.
    needs.write.extend(home.settings().parent().map(Path::to_owned));
    for (theirs, _) in home.shared() {
        for entry in std::fs::read_dir(&theirs).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !home.shares(&theirs, &name.to_string_lossy()) {
                continue;
            }
            let login = name == GEMINI_LOGIN && sandbox.rules().refresh_logins;
            if login { &mut needs.write } else { &mut needs.read }.push(entry.path());
        }
    }
}

/// Runs a check command, in the sandbox where the session has one: it is code that agents wrote.
pub(super) async fn command(context: &Arc<Context>, spec: CommandSpec) -> Result<CommandEnd, String> {
    let Some(sandbox) = &context.sandbox else {
        return context.processes.run_command(spec).await.map_err(|fault| fault.to_string());
    };
    let lent = lend(context, &spec.cwd).await?;
    let needs = Needs {
        who: "checks",
        worktree: lent.worktree.clone(),
        writes: true,
        lent: Some(&lent),
        ..Needs::default()
    };
    let end = context.processes.run_confined(spec, Some((sandbox, &needs))).await;
    // Commits of a check are nobody's work.
    let _ = std::fs::remove_dir_all(&lent.folder);
    end.map_err(|fault| fault.to_string())
}

async fn lend(context: &Arc<Context>, cwd: &Path) -> Result<Lent, String> {
    let (context, cwd) = (Arc::clone(context), cwd.to_owned());
    let lent = tokio::task::spawn_blocking(move || context.trees.lend(&cwd)).await;
    let lent = lent.map_err(|fault| fault.to_string())?;
    lent.map_err(|fault| format!("its repository cannot be made: {fault}"))
}
