//! Whether what was recorded of a process is still true.

use std::collections::BTreeSet;

use domain::ProcessIdentity;

use super::platform;

/// Whether exactly this process still lives: same pid, start time and boot. What is unknown counts as gone.
#[must_use]
pub fn is_alive(identity: &ProcessIdentity) -> bool {
    identity.started != 0
        && identity.boot == platform::boot()
        && platform::find(identity.pid)
            .is_some_and(|found| found.started == identity.started && !found.zombie)
}

/// What identifies this program itself.
#[must_use]
pub fn own_identity() -> ProcessIdentity {
    let pid = std::process::id();
    let started = platform::find(pid).map_or(0, |found| found.started);
    ProcessIdentity { pid, started, boot: platform::boot() }
}

/// Everything below a process that lives now.
#[cfg(target_os = "linux")]
pub(crate) fn tree_below(pid: u32) -> Vec<ProcessIdentity> {
    let identity = |process: super::table::Process| ProcessIdentity {
        pid: process.pid,
        started: process.started,
        boot: platform::boot(),
    };
    platform::tree(pid).into_iter().filter(|process| !process.zombie).map(identity).collect()
}

/// The name of this boot; empty where the system does not tell.
#[must_use]
pub fn boot() -> String {
    platform::boot()
}

/// The cookies of all workers that live on this machine, as far as their environments may be read.
#[must_use]
pub fn cookies() -> BTreeSet<String> {
    platform::table()
        .into_iter()
        .filter(|process| !process.zombie)
        .filter_map(|process| platform::cookie(process.pid))
        .collect()
}
