//! What a worker and all it started use, and when to look (SUPERVISION section 9).

use std::time::Duration;

use super::cgroup::{Cgroup, THREADS};
use super::table::Process;
use super::{Caps, Limited, TreeUsage, platform, unix};

/// How often a tree is looked at that is far from its limits.
const CALM: Duration = Duration::from_millis(500);
/// How often one is that is closer than [`CLOSE`] to one, or comes closer fast.
const HOT: Duration = Duration::from_millis(50);
/// How often the cheap signs are looked at: size of the output, threads of the system. A storm of forks makes some
/// thousands in a second, so a low limit of processes needs more looks: one every 8 ms for 64 of them.
const SIGNS: Duration = Duration::from_millis(50);
const SOONEST: Duration = Duration::from_millis(5);
const PROCESSES_PER_MS: u64 = 8;
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
    /// The output grows fast.
    floods: bool,
    threads: u64,
    /// The worker's own time was counted until then.
    ran_until: Duration,
}

impl Meter {
    pub(super) fn new(caps: Caps, now: Duration) -> Self {
        let usage = TreeUsage::default();
        Self {
            caps,
            usage,
            measured: None,
            signs: None,
            hot: false,
            floods: false,
            threads: 0,
            ran_until: now,
        }
    }

    /// What was measured last.
    pub(super) fn usage(&self) -> &TreeUsage {
        &self.usage
    }

    /// How long it may take until something must be looked at again.
    pub(super) fn pause(&self, now: Duration, groups: bool) -> Duration {
        let by_limit = |most| Duration::from_millis(most / PROCESSES_PER_MS).clamp(SOONEST, SIGNS);
        let signs = if groups { SIGNS_IN_GROUPS } else { self.caps.processes.map_or(SIGNS, by_limit) };
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

    /// Looks at the cheap signs; true when processes are made so fast that the tree must be measured at once, and had
    /// better stand still meanwhile.
    pub(super) fn signs(&mut self, now: Duration, group: Option<&Cgroup>) -> bool {
        let before = self.usage.output;
        self.usage.output = unix::output_bytes();
        let grew = self.usage.output.saturating_sub(before);
        self.floods = self.caps.output.is_some_and(|most| most / 64 < grew);
        self.signs = Some(now);
        group.is_none_or(|group| group.tasks().is_none()) && self.storm()
    }

    /// Whether the tree is to be measured.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.measured.is_none_or(|at| at + self.every() <= now)
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
    pub(super) fn measure(&mut self, now: Duration, group: Option<&Cgroup>, exact: bool) {
        self.measured = Some(now);
        self.count(group, exact);
        let close = |what| CLOSE <= self.caps.percent(&self.usage, what);
        self.hot = self.floods || [Limited::Memory, Limited::Processes, Limited::Cpu].into_iter().any(close);
    }

    fn count(&mut self, group: Option<&Cgroup>, exact: bool) {
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
        let words = self.refused(group?)?;
        Some((
            if words.starts_with(Limited::Memory.name()) { Limited::Memory } else { Limited::Processes },
            words,
        ))
    }

    /// What the kernel refused because of its group's limits, in words.
    pub(super) fn refused(&self, group: &Cgroup) -> Option<String> {
        if group.out_of_memory() {
            let usage = TreeUsage { memory: self.caps.memory.unwrap_or_default(), ..self.usage };
            return Some(format!("{}, and more was asked for", self.caps.words(&usage, Limited::Memory)));
        }
        let most = self.caps.processes.filter(|_| group.refused_tasks())?;
        let threads = most.saturating_mul(THREADS);
        Some(format!("processes: more than {threads} threads, where {most} processes are allowed"))
    }
}

/// What is stuck in the kernel, for people.
pub(super) fn stuck(left: &[Process]) -> Option<String> {
    let one = |process: &Process| format!("{} in {}", process.pid, platform::waits_in(process));
    let all: Vec<String> = left.iter().take(5).map(one).collect();
    (!all.is_empty()).then(|| format!("processes that even SIGKILL does not end: {}", all.join(", ")))
}
