//! The exit record: what a guardian leaves behind, also for an app that was not there when the worker ended.

use std::io;
use std::path::Path;

use domain::Exit;
use serde::{Deserialize, Serialize};

use crate::private;

/// What is left of a process and of all it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// How it ended.
    pub exit: Exit,
    /// Why it could not be started, or what else is odd; for people.
    pub why: Option<String>,
    /// From its start to the end of its tree, in milliseconds, suspends included.
    pub wall_ms: u64,
    /// Processor time of it and of all it started, in milliseconds, as far as somebody waited for them.
    pub user_ms: u64,
    /// The kernel's part of it, in milliseconds.
    pub system_ms: u64,
    /// The largest resident memory of a single process of the tree, in KiB.
    pub peak_rss_kib: u64,
    /// Size of the output file at the end, in bytes: where the stream ends.
    pub output_bytes: u64,
    /// Processes that were still there when the worker had ended, or that had to be killed with it.
    pub killed: u32,
    /// Processes that even SIGKILL did not end within three seconds: stuck in the kernel.
    pub left: Vec<u32>,
}

impl ExitRecord {
    /// The record of something that ended without leaving one.
    #[must_use]
    pub fn without(exit: Exit, why: String) -> Self {
        Self {
            exit,
            why: Some(why),
            wall_ms: 0,
            user_ms: 0,
            system_ms: 0,
            peak_rss_kib: 0,
            output_bytes: 0,
            killed: 0,
            left: Vec::new(),
        }
    }

    /// Reads a record; `None` when there is none, which means that the process runs or its guardian was killed.
    ///
    /// # Errors
    /// What the system refuses, or a file that is no record.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the record so that it is there whole or not at all, also after a power cut.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        private::replace(path, &serde_json::to_vec_pretty(self)?)
    }
}
