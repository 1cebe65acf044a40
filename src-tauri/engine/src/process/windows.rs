//! Windows: not supported yet, and never run. A guardian would hold its worker in a job object that is killed with
//! its last handle (`JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`); until that is written and tried, no worker is started
//! here, rather than one that nobody could take down.

use std::ffi::OsString;
use std::io::{self, PipeWriter, Write};
use std::path::Path;
use std::process::Stdio;

use domain::{Exit, ExitCause};

use super::ExitRecord;
use super::table::Process;

/// The app's end of the control line to a guardian.
#[derive(Debug)]
pub(super) struct Control(PipeWriter);

impl Control {
    /// A new line; the first half becomes the guardian's standard input.
    pub(super) fn pair() -> io::Result<(Stdio, Self)> {
        let (guardian, app) = io::pipe()?;
        Ok((Stdio::from(guardian), Self(app)))
    }

    /// For control runs, which are made on Linux.
    pub(super) fn inherited(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Says something.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Nothing is said here.
    pub(super) fn received(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

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

/// None is looked at.
pub(super) fn tree(_: u32) -> Vec<Process> {
    Vec::new()
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
