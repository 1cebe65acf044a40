//! A worker that swaps a folder and a link that leads outside, while we read and write beneath (THREATS T5).
#![cfg(target_os = "linux")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use rustix::fs::{CWD, RenameFlags, renameat_with, symlinkat};

use super::copy::{Item, put, remove};
use crate::{beneath::Beneath, git::Git, trees::inspect};

/// How often each of them looks or writes at least.
const TIMES: usize = 1_000;
/// How many of these times must have come after a further swap, so that both states are met whatever the scheduler does.
const AFTER_SWAP: usize = 100;
const CANARY: &[u8] = b"test: canary\n";

/// A project with `in/file` and `Makefile`, each in turn the project's own and a link to what lies outside.
struct Swapped {
    _root: tempfile::TempDir,
    project: PathBuf,
    outside: PathBuf,
}

impl Swapped {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (project, outside) = (root.path().join("project"), root.path().join("outside"));
        for folder in [project.join("in"), outside.clone()] {
            fs::create_dir_all(folder).unwrap();
        }
        // The folder stays: one that is empty goes with its last file.
        for file in [project.join("in/file"), project.join("in/other"), project.join("Makefile")] {
            fs::write(file, "own").unwrap();
        }
        for file in ["file", "Makefile"] {
            fs::write(outside.join(file), CANARY).unwrap();
        }
        symlinkat(&outside, CWD, project.join("swap")).unwrap();
        symlinkat(outside.join("Makefile"), CWD, project.join("swapped")).unwrap();
        Self { _root: root, project, outside }
    }

    /// Does something so many times while the swapping goes on; how many times it was what must not be.
    fn while_swapping(&self, mut once: impl FnMut(&Path) -> bool) -> usize {
        let (over, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for (one, other) in [("in", "swap"), ("Makefile", "swapped")] {
                        let (one, other) = (self.project.join(one), self.project.join(other));
                        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
                    }
                    swaps.fetch_add(1, Ordering::Relaxed);
                    std::thread::yield_now();
                }
            });
            let (mut times, mut after_swap, mut seen, mut wrong) = (0, 0, 0, 0);
            while times < TIMES || after_swap < AFTER_SWAP {
                wrong += usize::from(once(&self.project));
                let now = swaps.load(Ordering::Relaxed);
                after_swap += usize::from(now != seen);
                (times, seen) = (times + 1, now);
                std::thread::yield_now();
            }
            over.store(true, Ordering::Relaxed);
            wrong
        })
    }

    /// Files outside that are not what they were.
    fn changed(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.outside).unwrap().map(Result::unwrap);
        let changed = entries.filter(|entry| fs::read(entry.path()).unwrap() != CANARY);
        let mut changed: Vec<String> =
            changed.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        let gone = ["file", "Makefile"].into_iter().filter(|name| !self.outside.join(name).exists());
        changed.extend(gone.map(|name| format!("{name} is gone")));
        changed
    }
}

#[test]
fn symlink_race_reads_nothing_outside() {
    let swapped = Swapped::new();
    let check = |what: &str, leaks: bool, once: &mut dyn FnMut(&Path) -> bool| {
        let wrong = swapped.while_swapping(once);
        assert_eq!(0 < wrong, leaks, "{what}: {wrong} times");
    };
    check("plain read", true, &mut |project| fs::read(project.join("in/file")).is_ok_and(|it| it == CANARY));
    let beneath = Beneath::open(&swapped.project).unwrap();
    let is_canary = |read: std::io::Result<Vec<u8>>| read.is_ok_and(|it| it == CANARY);
    check("a file in a folder", false, &mut |_| is_canary(beneath.read("in/file", 100)));
    check("a file", false, &mut |_| is_canary(beneath.beginning("Makefile", 100)));
    check("facts", false, &mut |_| {
        beneath.facts("in/file").is_some_and(|facts| facts.len() == CANARY.len() as u64)
    });
    check("an existing file outside", false, &mut |_| beneath.is_file("in/Makefile"));
    // As the product does it: it looks for a check command. Each look starts git, so fewer of them.
    let git = Git::find().unwrap();
    let mut looks = 0;
    check("check commands", false, &mut |project| {
        looks += 1;
        looks % 100 == 0 && inspect(&git, project).is_ok_and(|facts| !facts.checks.is_empty())
    });
}

#[test]
fn symlink_race_writes_nothing_outside() {
    let item = Item { link: false, runs: false, id: String::new() };
    let check = |what: &str, leaks: bool, once: &dyn Fn(&Beneath, &Path)| {
        let swapped = Swapped::new();
        let beneath = Beneath::open(&swapped.project).unwrap();
        swapped.while_swapping(|project| {
            once(&beneath, project);
            false
        });
        let changed = swapped.changed();
        assert_eq!(!changed.is_empty(), leaks, "{what}: {changed:?}");
    };
    check("plain write", true, &|_, project| drop(fs::write(project.join("in/file"), "ours")));
    check("landing", false, &|beneath, _| drop(put(beneath.dir(), Path::new("in/file"), &item, b"ours")));
    check("landing a new file", false, &|beneath, _| {
        drop(put(beneath.dir(), Path::new("in/deep/new"), &item, b"ours"));
    });
    check("landing a removal", false, &|beneath, _| drop(remove(beneath.dir(), Path::new("in/file"))));
    check("replacing", false, &|beneath, _| drop(beneath.replace("in/file", b"ours")));
}
