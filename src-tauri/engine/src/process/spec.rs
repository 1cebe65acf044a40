//! What is to be started, and why it could not be.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Caps;

/// The variable that marks every process of a worker, for the sweep after a crash.
pub const COOKIE: &str = "AW_COOKIE";

/// A process to start. All paths are absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment; nothing is inherited.
    pub env: BTreeMap<OsString, OsString>,
    /// Its working directory.
    pub cwd: PathBuf,
    /// A file it reads from; nothing when `None`.
    pub stdin: Option<PathBuf>,
    /// The file its output is appended to; made when missing, readable by the user only.
    pub stdout: PathBuf,
    /// The same for its errors; may be the same file.
    pub stderr: PathBuf,
    /// Where the guardian writes the [`ExitRecord`](super::ExitRecord).
    pub record: PathBuf,
    /// Unique to this process among all that ever ran: the value of [`COOKIE`].
    pub cookie: String,
    /// What it and all it starts may use; crossing one ends it without grace, as [`Limit`](domain::ExitCause::Limit).
    pub caps: Caps,
    /// The program is bubblewrap: its guardian gives it the filters of system calls, and speaks to the worker inside.
    pub sandboxed: bool,
}

/// Why a process could not be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpawnError {
    /// A file it needs cannot be opened.
    #[error("cannot open {path}: {why}; check that its folder exists and is writable")]
    File {
        /// Which.
        path: String,
        /// The system's words.
        why: String,
    },
    /// The system refused a process.
    #[error("cannot start a guardian ({program}): {why}")]
    Guardian {
        /// The program.
        program: String,
        /// The system's words.
        why: String,
    },
    /// The system has no room for a process just now, and had none for several seconds.
    #[error(
        "the system has no room for one more process ({program}): {why}; close some programs, or run fewer workers"
    )]
    Busy {
        /// The program.
        program: String,
        /// The system's words.
        why: String,
    },
    /// The program is shutting down.
    #[error("no process can be started any more: the program is shutting down")]
    ShuttingDown,
}

impl SpawnError {
    pub(super) fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), why: error.to_string() }
    }
}
