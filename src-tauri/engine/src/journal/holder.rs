//! Who runs a session: a note beside the lock, for people. The lock alone decides.

use std::path::Path;

use domain::ProcessIdentity;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::is_held;
use crate::{private, process};

const NOTE: &str = "journal.holder";

/// The process that runs a session, or ran it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What identifies it, also after a reboot.
    pub process: ProcessIdentity,
    /// The program's file name.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Since when it runs the session.
    pub since: Timestamp,
}

/// Who runs a session right now; `None` when nobody does, or when it cannot be told who.
#[must_use]
pub fn holder(folder: &Path) -> Option<Holder> {
    // A process that has just taken the lock may not have left its note yet.
    last_holder(folder).filter(|found| is_held(folder) && process::is_alive(&found.process))
}

/// Who ran a session last, whether it still does or not.
#[must_use]
pub fn last_holder(folder: &Path) -> Option<Holder> {
    serde_json::from_slice(&std::fs::read(folder.join(NOTE)).ok()?).ok()
}

/// Leaves the note. A session without one runs as well.
pub(super) fn note(folder: &Path) {
    let program = std::env::current_exe().ok();
    let name =
        program.as_deref().and_then(Path::file_stem).unwrap_or_default().to_string_lossy().into_owned();
    let holder = Holder {
        process: process::own_identity(),
        program: name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: Timestamp::now(),
    };
    if let Ok(text) = serde_json::to_vec(&holder) {
        let _ = private::write(&folder.join(NOTE), &text);
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} with pid {}", self.program, self.version, self.process.pid)
    }
}
