//! After a crash: what is left of dead sessions is killed, and nothing else (SUPERVISION 3.4).
//!
//! Guardians do this by themselves when the app dies. The sweep is for what is left when a guardian was killed too.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use domain::ProcessIdentity;

use super::platform;
use super::table::{Process, descendants, line_of};

/// How long killed processes may take to go away.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a sweep did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Processes that were killed.
    pub killed: Vec<u32>,
    /// Processes that are still there: stuck in the kernel, or somebody else's.
    pub left: Vec<u32>,
}

/// Kills what is left of the processes with these identities (same pid, start time and boot) and of those that were
/// started with these cookies, with everything below them. Returns when they are gone, at the latest after three
/// seconds. Blocks; never kills this program or the ones it was started by.
#[must_use]
pub fn sweep(records: &[ProcessIdentity], cookies: &[String]) -> Swept {
    let (boot, begin) = (platform::boot(), Instant::now());
    let mut killed = HashSet::new();
    let mut empty = 0;
    loop {
        let found = condemned(records, cookies, &boot);
        if found.is_empty() {
            empty += 1;
        } else {
            empty = 0;
        }
        if empty == 2 || PATIENCE < begin.elapsed() {
            let mut killed: Vec<u32> = killed.into_iter().collect();
            killed.sort_unstable();
            super::cgroup::tidy();
            return Swept { killed, left: found.iter().map(|process| process.pid).collect() };
        }
        killed.extend(
            found.iter().filter(|process| platform::kill(process).is_ok()).map(|process| process.pid),
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn condemned(records: &[ProcessIdentity], cookies: &[String], boot: &str) -> Vec<Process> {
    let all = platform::table();
    let spared = line_of(&all, std::process::id());
    let is_recorded = |process: &Process| {
        let same = |record: &ProcessIdentity| {
            record.pid == process.pid && record.started == process.started && record.boot == boot
        };
        process.started != 0 && !boot.is_empty() && records.iter().any(same)
    };
    let is_marked = |process: &Process| {
        !cookies.is_empty() && platform::cookie(process.pid).is_some_and(|cookie| cookies.contains(&cookie))
    };
    let mut found: Vec<Process> = Vec::new();
    for root in all.iter().filter(|process| is_recorded(process) || is_marked(process)) {
        // What is below first: a guardian that goes first hands its orphans to the system.
        found.extend(descendants(all.clone(), root.pid).into_iter().rev());
        found.push(root.clone());
    }
    let mut seen: HashSet<u32> = spared.into_iter().collect();
    found.retain(|process| !process.zombie && seen.insert(process.pid));
    found
}
