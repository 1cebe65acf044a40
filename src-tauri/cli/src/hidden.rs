//! Commands that programs start and people do not. Dispatched before anything else: a guardian has no runtime.

use std::{ffi::OsString, process::ExitCode};

/// Runs a hidden command, if the first word after the program's name is one.
pub(crate) fn run(name: &str, rest: Vec<OsString>) -> Option<ExitCode> {
    // One line per command; each gets the words after its own name.
    match name {
        "guardian" => Some(ExitCode::from(engine::process::guardian_main(&rest))),
        "confined" => Some(ExitCode::from(engine::sandbox::confined_main(&rest))),
        "hook" => Some(crate::hook::run(&rest)),
        "mcp" => Some(crate::mcp::run(rest)),
        "demo-agent" => Some(crate::demo_agent::run(rest)),
        _ => None,
    }
}
