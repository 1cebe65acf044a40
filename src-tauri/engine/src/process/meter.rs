//! What a worker and all it started use, and when to look (SUPERVISION section 9).

use std::time::Duration;

use super::cgroup::{Cgroup, THREADS};
use super::table::Process;
use super::{Caps, Limited, TreeUsage, platform, unix};

/// How often a tree is looked at that is far from its limits.
const CALM: Duration = Duration::from_millis(500);
/// How often one is that is closer than [`CLOSE`] to one, or comes closer fast.
const HOT: Duration = Duration::from_millis(50);
/// How often the cheap signs are looked at: size of the output, threads of the system.
const SIGNS: Duration = Duration::from_millis(50);
/// How often the signs are where the kernel itself holds the limits of memory and processes.
const SIGNS_IN_GROUPS: Duration = Duration::from_millis(100);
/// Percent of a limit from which on it is looked at often.
const CLOSE: u64 = 60;
/// New threads in the whole system, per allowed process, that are a reason to look: an eighth of the limit.
const STORM: u64 = 8;

/// Measures one worker.
#[derive(Debug)]
pub(super) struct Meter {
    caps: Caps,
    usage: TreeUsage,
    /// Moments of the guardian's clock.
    measured: Option<Duration>,
    signs: Option<Duration>,
    hot: bool,
    threads: u64,
    /// The worker's own time was counted until then.
    ran_until: Duration,
}

impl Meter {
    pub(super) fn new(caps: Caps, now: Duration) -> Self {
        let usage = TreeUsage::default();
        Self { caps, usage, measured: None, signs: None, hot: false, threads: 0, ran_until: now }
    }

    /// What was measured last.
    pub(super) fn usage(&self) -> &TreeUsage {
        &self.usage
    }

    /// How long it may take until something must be looked at again.
    pub(super) fn pause(&self, now: Duration, groups: bool) -> Duration {
        let signs = if groups { SIGNS_IN_GROUPS } else { SIGNS };
        let wall = self.caps.wall.map(|wall| wall.saturating_sub(self.usage.wall) + Duration::from_millis(1));
        let signs = self.signs.map_or(Duration::ZERO, |at| (at + signs).saturating_sub(now));
        let measured = self.measured.map_or(Duration::ZERO, |at| (at + self.every()).saturating_sub(now));
        signs.min(measured).min(wall.unwrap_or(CALM))
    }

    /// Counts the time since the last call, unless it was frozen. A gap means that nobody ran: the machine slept, or
    /// all were stopped.
    pub(super) fn ran(&mut self, now: Duration, frozen: bool, longest: Duration) {
        let passed = now.saturating_sub(self.ran_until);
        self.ran_until = now;
        if !frozen && passed < longest {
            self.usage.wall += passed;
        }
    }

    /// Looks at what is due; true when the tree was measured.
    pub(super) fn look(&mut self, now: Duration, group: Option<&Cgroup>) -> bool {
        let before = self.usage.output;
        self.usage.output = unix::output_bytes();
        self.signs = Some(now);
        let storm = group.is_none_or(|group| group.tasks().is_none()) && self.storm();
        let due = self.measured.is_none_or(|at| at + self.every() <= now);
        if due || storm {
            self.measure(group, false);
            self.measured = Some(now);
        }
        let grew = self.usage.output - before.min(self.usage.output);
        let fast = self.caps.output.is_some_and(|most| most / 64 < grew);
        let close = |what| CLOSE <= self.caps.percent(&self.usage, what);
        self.hot =
            fast || storm || [Limited::Memory, Limited::Processes, Limited::Cpu].into_iter().any(close);
        due || storm
    }

    fn every(&self) -> Duration {
        if self.hot { HOT } else { CALM }
    }

    /// Whether the system has many more threads than a moment ago.
    fn storm(&mut self) -> bool {
        let Some(most) = self.caps.processes else { return false };
        let (before, now) = (self.threads, platform::threads());
        self.threads = now;
        before != 0 && before + most / STORM < now
    }

    /// Measures the tree: out of its groups where there are some, else process by process. `exact` counts memory that
    /// is shared between processes once, which costs more.
    pub(super) fn measure(&mut self, group: Option<&Cgroup>, exact: bool) {
        let (memory, tasks) = (group.and_then(Cgroup::memory), group.and_then(Cgroup::tasks));
        let cpu = group.and_then(Cgroup::cpu);
        // Threads are never fewer than processes: where they are few, so are those.
        let few = tasks.is_some_and(|tasks| self.caps.processes.is_none_or(|most| tasks <= most / 2));
        if let (Some(memory), Some(tasks), Some(cpu), true) = (memory, tasks, cpu, few) {
            (self.usage.memory, self.usage.processes, self.usage.cpu) = (memory, tasks, cpu);
            return;
        }
        let tree = platform::tree(std::process::id());
        let live = || tree.iter().filter(|process| !process.zombie);
        self.usage.processes = live().count() as u64;
        self.usage.cpu = cpu.unwrap_or_else(|| {
            let (user, system, _) = unix::usage_of_children();
            tree.iter().fold(user + system, |sum, process| sum + process.cpu)
        });
        self.usage.memory = memory.unwrap_or_else(|| {
            let resident = live().map(|process| process.resident).sum();
            let close = self.caps.memory.is_some_and(|most| most / 100 * CLOSE < resident);
            if exact || close { live().map(platform::memory).sum() } else { resident }
        });
    }

    /// The limit that is crossed, by what was measured last.
    pub(super) fn crossed(&self, group: Option<&Cgroup>) -> Option<(Limited, String)> {
        if let Some(what) = self.caps.crossed(&self.usage) {
            return Some((what, self.caps.words(&self.usage, what)));
        }
        let group = group?;
        if group.out_of_memory() {
            let most = self.caps.memory.unwrap_or_default();
            let usage = TreeUsage { memory: most, ..self.usage };
            let words = self.caps.words(&usage, Limited::Memory);
            return Some((Limited::Memory, format!("{words}, and more was asked for")));
        }
        if group.refused_tasks() {
            let most = self.caps.processes.unwrap_or_default();
            let words = format!("processes: their {} threads, of {most} processes", most * THREADS);
            return Some((Limited::Processes, format!("{words}, were not enough")));
        }
        None
    }
}

/// What is stuck in the kernel, for people.
pub(super) fn stuck(left: &[Process]) -> Option<String> {
    let one = |process: &Process| format!("{} in {}", process.pid, platform::waits_in(process));
    let all: Vec<String> = left.iter().take(5).map(one).collect();
    (!all.is_empty()).then(|| format!("processes that even SIGKILL does not end: {}", all.join(", ")))
}
