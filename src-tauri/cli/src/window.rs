//! Opening the window on a session that this process runs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use domain::SessionId;

use crate::args::Common;

/// Starts the window beside us, showing a session; or says in a sentence why there is none.
pub(crate) fn open(session: &SessionId, workspace: &Path, common: &Common) -> Result<(), String> {
    if !display() {
        return Err("There is no display, so no window is opened.".to_owned());
    }
    let Some(program) = program() else {
        return Err(
            "The window's program `meta-orchestrator` is not beside this one, so none is opened.".to_owned()
        );
    };
    let mut command = Command::new(program);
    command.arg("--session").arg(session.as_str()).arg("--workspace").arg(workspace);
    if let Some(config) = &common.config {
        command.arg("--config").arg(config);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C in this terminal is for the session, not for the window.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    match command.spawn() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("The window could not be started: {error}.")),
    }
}

fn program() -> Option<PathBuf> {
    let name = format!("meta-orchestrator{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok()?.with_file_name(name);
    beside.is_file().then_some(beside)
}

fn display() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}
