//! How much one process and all it started may use, and how much that is so far (SUPERVISION section 9).

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Most that a process and all it started may use; `None` is no limit. The guardian sees to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Caps {
    /// Memory that belongs to the tree alone, in bytes.
    pub memory: Option<u64>,
    /// Processes at the same time. Threads have four times as much room, where the kernel counts them.
    pub processes: Option<u64>,
    /// Processor time of the whole tree.
    pub cpu: Option<Duration>,
    /// Output and errors together, in bytes.
    pub output: Option<u64>,
    /// The largest file that it may write, in bytes: a backstop against a runaway log.
    pub file: Option<u64>,
    /// The longest it may run. Neither the sleep of the machine nor a time of being frozen counts.
    pub wall: Option<Duration>,
    /// Use the kernel's control groups where they can be had; without them the tree is looked at again and again.
    pub groups: bool,
}

impl Default for Caps {
    /// None.
    fn default() -> Self {
        Self { memory: None, processes: None, cpu: None, output: None, file: None, wall: None, groups: true }
    }
}

/// What a process and all it started use or have used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeUsage {
    /// Memory, in bytes.
    pub memory: u64,
    /// Processes there are now.
    pub processes: u64,
    /// Processor time.
    pub cpu: Duration,
    /// Bytes of output and errors.
    pub output: u64,
    /// Time that it ran.
    pub wall: Duration,
}

/// One of the things that are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limited {
    /// [`Caps::memory`].
    Memory,
    /// [`Caps::processes`].
    Processes,
    /// [`Caps::cpu`].
    Cpu,
    /// [`Caps::output`].
    Output,
    /// [`Caps::wall`].
    Wall,
}

impl Limited {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Memory, Self::Processes, Self::Cpu, Self::Output, Self::Wall];

    /// Its name, for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processes => "processes",
            Self::Cpu => "processor time",
            Self::Output => "output",
            Self::Wall => "running time",
        }
    }
}

impl Caps {
    /// Used and allowed, in bytes, processes or milliseconds; `None` where nothing is limited.
    fn figures(&self, usage: &TreeUsage, what: Limited) -> Option<(u64, u64)> {
        Some(match what {
            Limited::Memory => (usage.memory, self.memory?),
            Limited::Processes => (usage.processes, self.processes?),
            Limited::Cpu => (millis(usage.cpu), millis(self.cpu?)),
            Limited::Output => (usage.output, self.output?),
            Limited::Wall => (millis(usage.wall), millis(self.wall?)),
        })
    }

    /// How much of a limit is used, in percent.
    #[must_use]
    pub fn percent(&self, usage: &TreeUsage, what: Limited) -> u64 {
        let share = |(used, most): (u64, u64)| u128::from(used) * 100 / u128::from(most.max(1));
        self.figures(usage, what).map_or(0, |figures| u64::try_from(share(figures)).unwrap_or(u64::MAX))
    }

    /// The first limit that is crossed.
    #[must_use]
    pub fn crossed(&self, usage: &TreeUsage) -> Option<Limited> {
        let over = |what: &Limited| self.figures(usage, *what).is_some_and(|(used, most)| most < used);
        Limited::ALL.into_iter().find(over)
    }

    /// How a limit stands, for people: `memory: 812 MiB of 512 MiB`.
    #[must_use]
    pub fn words(&self, usage: &TreeUsage, what: Limited) -> String {
        let (used, most) = self.figures(usage, what).unwrap_or_default();
        let figure = |number: u64| match what {
            Limited::Memory | Limited::Output => bytes(number),
            Limited::Processes => number.to_string(),
            Limited::Cpu | Limited::Wall => time(number),
        };
        format!("{}: {} of {}", what.name(), figure(used), figure(most))
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// In the largest unit that leaves two digits.
fn bytes(number: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, bits)| 10 <= number >> bits);
    unit.map_or_else(|| format!("{number} bytes"), |(name, bits)| format!("{} {name}", number >> bits))
}

/// As `1:02:03`, or in seconds when it is short.
fn time(millis: u64) -> String {
    let seconds = millis / 1000;
    if seconds < 60 {
        return format!("{seconds}.{} s", millis % 1000 / 100);
    }
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_crossed_by_more_than_it_allows_and_says_so() {
        let caps = Caps {
            memory: Some(512 << 20),
            processes: Some(64),
            cpu: Some(Duration::from_secs(7200)),
            output: Some(2 << 30),
            wall: Some(Duration::from_secs(2)),
            ..Caps::default()
        };
        let full = TreeUsage {
            memory: 512 << 20,
            processes: 64,
            cpu: Duration::from_secs(7200),
            output: 2 << 30,
            wall: Duration::from_secs(2),
        };
        let check = |usage: TreeUsage, wanted: Option<&str>| {
            let said = caps.crossed(&usage).map(|what| caps.words(&usage, what));
            assert_eq!(said.as_deref(), wanted);
            assert_eq!(Caps::default().crossed(&usage), None, "no limit, nothing to cross");
        };
        check(TreeUsage::default(), None);
        check(full, None);
        check(TreeUsage { memory: 812 << 20, ..full }, Some("memory: 812 MiB of 512 MiB"));
        check(TreeUsage { processes: 65, ..full }, Some("processes: 65 of 64"));
        let cpu = full.cpu + Duration::from_secs(1);
        check(TreeUsage { cpu, ..full }, Some("processor time: 2:00:01 of 2:00:00"));
        check(TreeUsage { output: 11 << 30, ..full }, Some("output: 11 GiB of 2048 MiB"));
        let wall = Duration::from_millis(2150);
        check(TreeUsage { wall, ..full }, Some("running time: 2.1 s of 2.0 s"));
    }

    #[test]
    fn shares_are_in_percent() {
        let caps = Caps { memory: Some(1000), ..Caps::default() };
        let check = |memory: u64, wanted: u64| {
            let usage = TreeUsage { memory, ..TreeUsage::default() };
            assert_eq!(caps.percent(&usage, Limited::Memory), wanted);
            assert_eq!(caps.percent(&usage, Limited::Cpu), 0, "no limit, no share");
        };
        check(0, 0);
        check(799, 79);
        check(800, 80);
        check(u64::MAX, u64::MAX / 10);
        let none = Caps { memory: Some(0), ..Caps::default() };
        assert_eq!(none.percent(&TreeUsage { memory: 1, ..TreeUsage::default() }, Limited::Memory), 100);
    }
}
