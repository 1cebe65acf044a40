//! The prompt, the project folder and the workspace of a session; and whether the project's repository is sane.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use domain::{Probe, ProbeState, UserError};

use super::{
    Folders, machine, missing, probe,
    system::{self, Tried},
    usage,
};
use crate::{
    discover::Environment,
    folders,
    git::Git,
    trees::{self, TreeError},
};

/// Most bytes of a prompt (SPEC section 18).
pub const MOST_GOAL_BYTES: usize = 1 << 20;

/// Refuses a prompt that is empty or larger than 1 MiB.
///
/// # Errors
/// [`ErrorCode::Usage`].
pub fn check_goal(goal: &str) -> Result<(), UserError> {
    if goal.trim().is_empty() {
        return Err(usage("The prompt is empty.".to_owned(), "Say what should be done."));
    }
    if MOST_GOAL_BYTES < goal.len() {
        let message = format!("The prompt has {} bytes; the most is 1 MiB.", goal.len());
        return Err(usage(
            message,
            "Put long material into files of the project and name them in the prompt.",
        ));
    }
    if goal.contains('\0') {
        return Err(usage("The prompt holds a NUL character.".to_owned(), "Give plain text."));
    }
    Ok(())
}

/// Checks the project folder and the workspace against each other, and makes the workspace when it is not there.
///
/// The workspace may not lie inside the project, ignored by git or not: a project without git is worked on in place
/// with a snapshot of the whole folder, which would then hold every session inside of itself.
///
/// # Errors
/// [`ErrorCode::Usage`] for folders that make no sense, [`ErrorCode::Preflight`] for rights that are missing.
pub fn folders(target: &Path, workspace: &Path) -> Result<Folders, UserError> {
    let target = usable_target(target, std::env::home_dir().as_deref())?;
    if folders::is_inside(&target, workspace) {
        return Err(usage(
            format!("The project {} lies inside the workspace {}.", target.display(), workspace.display()),
            "Choose a project folder elsewhere, or another workspace with --workspace DIR.",
        ));
    }
    if folders::is_inside(workspace, &target) {
        return Err(usage(
            format!("The workspace {} lies inside the project {}.", workspace.display(), target.display()),
            "Choose a workspace outside of the project with --workspace DIR.",
        ));
    }
    Ok(Folders { workspace: usable_workspace(workspace)?, target })
}

pub(super) fn no_target(target: &Path, error: &io::Error) -> UserError {
    if error.kind() == io::ErrorKind::NotFound {
        return usage(
            format!("The project folder {} is not there.", target.display()),
            "Give a project folder that exists, with -C DIR or the folder button.",
        );
    }
    missing(
        format!("The project folder {} cannot be opened: {error}.", target.display()),
        "Give yourself the right to read and write it.".to_owned(),
    )
}

pub(super) fn usable_target(target: &Path, home: Option<&Path>) -> Result<PathBuf, UserError> {
    let path = target.canonicalize().map_err(|error| no_target(target, &error))?;
    let shown = path.display();
    let hint = "Choose the folder of one project.";
    if !path.is_dir() {
        return Err(usage(format!("The project {shown} is not a folder."), hint));
    }
    if path.to_str().is_none() {
        return Err(usage(format!("The path {shown} is not UTF-8."), "Rename the folder."));
    }
    if path.parent().is_none() {
        return Err(usage(format!("{shown} is the root folder, which is no project."), hint));
    }
    if home.is_some_and(|home| folders::resolved(home).starts_with(&path)) {
        return Err(usage(format!("{shown} is your home folder, or holds it; that is no project."), hint));
    }
    let fix = "Give yourself the right to read and write it.".to_owned();
    if let Err(error) = fs::read_dir(&path) {
        return Err(missing(format!("The project folder {shown} cannot be read: {error}."), fix));
    }
    if let Err(error) = system::may_write(&path) {
        return Err(missing(format!("The project folder {shown} cannot be written to: {error}."), fix));
    }
    Ok(path)
}

pub(super) fn usable_workspace(workspace: &Path) -> Result<PathBuf, UserError> {
    writable_workspace(workspace)?;
    let path = folders::resolved(workspace);
    if path.to_str().is_none() {
        return Err(usage(format!("The path {} is not UTF-8.", path.display()), "Choose another workspace."));
    }
    Ok(path)
}

/// Makes the workspace, readable by nobody else, and tries whether a file can be written, synced and locked there.
pub(super) fn writable_workspace(workspace: &Path) -> Result<Tried, UserError> {
    let tried = system::private_folder(workspace).and_then(|()| system::try_folder(workspace));
    tried.map_err(|error| {
        missing(
            format!("The workspace {} cannot be written to: {error}.", workspace.display()),
            "Make it writable, or choose another with --workspace DIR.".to_owned(),
        )
    })
}

/// What the project brings along for agents; `None` when that is nothing, or git is what is missing.
pub(super) fn agent_files(target: &Path, workspace: &Path, env: &Environment) -> Option<Probe> {
    let git = Git::find_in(&machine::search(env, Some(target))?).ok()?;
    crate::brought::probe(&git, target, &folders::resolved(workspace))
}

/// Whether the project's repository is one that work can begin in: not bare, accepted by git, with a commit, nothing
/// half-done in it. A folder without repository is fine. `None` when git is what is missing.
pub(super) fn repository(target: &Path, env: &Environment) -> Option<Probe> {
    let git = Git::find_in(&machine::search(env, Some(target))?).ok()?;
    let shown = target.display();
    let fault = match trees::sane(&git, target) {
        Ok(true) => {
            return Some(probe(
                "repository",
                ProbeState::Ok,
                format!("{shown} is a sane git repository."),
                "",
            ));
        }
        Ok(false) => {
            let text =
                format!("{shown} is no git repository; agents work on a copy, which landing brings back.");
            return Some(probe("repository", ProbeState::Ok, text, ""));
        }
        Err(fault) => fault,
    };
    let place = machine::quoted(target);
    let fix = match &fault {
        TreeError::NoCommits { .. } => format!("git -C {place} add -A && git -C {place} commit -m Begin"),
        TreeError::Busy { what, .. } => {
            format!("git -C {place} {what} --continue, or git -C {place} {what} --abort")
        }
        TreeError::Locked { path } => {
            format!("Wait until it is done. If no git runs any more: rm {}", machine::quoted(path))
        }
        TreeError::NoWorkTree { .. } => "Choose the folder with the project's files.".to_owned(),
        TreeError::Broken { .. } => "Mend or remove its .git.".to_owned(),
        TreeError::Git(fault) if fault.said().contains("dubious ownership") => {
            format!(
                "sudo chown -R \"$(id -un)\" {place}, or git config --global --add safe.directory {place}"
            )
        }
        TreeError::Git(_)
        | TreeError::Io { .. }
        | TreeError::BranchTaken { .. }
        | TreeError::BadName { .. }
        | TreeError::TooBig { .. }
        | TreeError::Nested { .. }
        | TreeError::NotOurs { .. }
        | TreeError::Missing { .. }
        | TreeError::Refused { .. }
        | TreeError::InTheWay { .. }
        | TreeError::Conflicts { .. } => format!("Look at what `git -C {place} status` says."),
    };
    let text = super::agents::sentence(&fault.to_string());
    Some(probe("repository", ProbeState::Problem, text, fix))
}
