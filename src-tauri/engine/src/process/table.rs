//! The system's processes as a tree.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// One process, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// Start time in clock ticks after boot: with the pid it names a process for ever. 0 where unknown.
    pub(super) started: u64,
    /// Ended, and waits for its parent to take note.
    pub(super) zombie: bool,
    /// Waits in the kernel for something that no signal interrupts.
    pub(super) stuck: bool,
    /// Memory of it that is there, shared or not, in bytes; 0 where unknown.
    pub(super) resident: u64,
    /// Processor time of it and of those children that it waited for.
    pub(super) cpu: Duration,
}

/// All descendants of a process, children before grandchildren, the process itself left out.
pub(super) fn descendants(all: Vec<Process>, root: u32) -> Vec<Process> {
    let mut children: HashMap<u32, Vec<Process>> = HashMap::new();
    for process in all {
        children.entry(process.parent).or_default().push(process);
    }
    let (mut found, mut seen, mut next) = (Vec::new(), HashSet::from([root]), 0);
    let mut parent = root;
    loop {
        let new = children.remove(&parent).unwrap_or_default();
        found.extend(new.into_iter().filter(|process| seen.insert(process.pid)));
        let Some(process) = found.get(next) else { return found };
        (parent, next) = (process.pid, next + 1);
    }
}

/// A process and its ancestors, nearest first.
pub(super) fn line_of(all: &[Process], pid: u32) -> Vec<u32> {
    let mut line = vec![pid];
    while let Some(process) = all.iter().find(|process| Some(&process.pid) == line.last())
        && process.parent != 0
        && !line.contains(&process.parent)
    {
        line.push(process.parent);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32) -> Process {
        Process { pid, parent, started: 1, zombie: false, stuck: false, resident: 0, cpu: Duration::ZERO }
    }

    #[test]
    fn a_tree_is_what_hangs_below() {
        let all: Vec<_> = [(1, 0), (7, 1), (9, 7), (8, 7), (10, 9), (11, 1), (12, 10)]
            .map(|(pid, parent)| process(pid, parent))
            .into();
        let pids =
            |root| descendants(all.clone(), root).into_iter().map(|process| process.pid).collect::<Vec<_>>();
        assert_eq!(pids(7), [9, 8, 10, 12]);
        assert_eq!(pids(12), [0; 0]);
        assert_eq!(pids(1), [7, 11, 9, 8, 10, 12]);
        assert_eq!(line_of(&all, 12), [12, 10, 9, 7, 1]);
        // Pids that were reused between two looks may even form a circle.
        assert_eq!(descendants(vec![process(2, 3), process(3, 2)], 2), [process(3, 2)]);
    }
}
