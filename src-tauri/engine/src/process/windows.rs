//! Windows: not supported yet, and never run. A guardian would hold its worker in a job object that is killed with
//! its last handle (`JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`); until that is written and tried, no worker is started
//! here, rather than one that nobody could take down.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use domain::{Exit, ExitCause};

use super::ExitRecord;
use super::table::Process;

/// Leaves a record that says why nothing was started. Gives 0 when it is written, 1 when not, 2 for wrong arguments.
#[must_use]
pub fn guardian_main(args: &[OsString]) -> u8 {
    let mut words = args.iter().skip_while(|word| *word != "--record");
    let (Some(_), Some(record)) = (words.next(), words.next()) else { return 2 };
    let exit = Exit { code: None, signal: None, cause: ExitCause::NotStarted };
    let why = "workers cannot be started on Windows yet; use Linux, or WSL".to_owned();
    u8::from(ExitRecord::without(exit, why).write(Path::new(record)).is_err())
}

/// None are looked at.
pub(super) fn table() -> Vec<Process> {
    Vec::new()
}

/// None is looked at.
pub(super) fn find(_: u32) -> Option<Process> {
    None
}

/// None is killed.
pub(super) fn kill(_: &Process) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// None is stopped.
pub(super) fn wake(_: &Process) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Unknown here.
pub(super) fn boot() -> String {
    String::new()
}

/// Unknown here.
pub(super) fn cookie(_: u32) -> Option<String> {
    None
}

/// For control runs of the chaos recipes, which are run on Linux.
pub(super) fn endless(_: &io::PipeReader) -> io::Result<std::fs::File> {
    Err(io::ErrorKind::Unsupported.into())
}
