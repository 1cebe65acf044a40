//! Processes on Linux, out of `/proc`.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::spec::COOKIE;
use super::table::{Process, descendants};

/// All processes there are.
pub(super) fn table() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(find).collect()
}

/// Everything below a process, children before grandchildren. Asks the kernel for children only, which costs little
/// however much else runs; one that is made meanwhile may be missing.
pub(super) fn tree(root: u32) -> Vec<Process> {
    // Kernels are built without these files now and then.
    static LISTS_CHILDREN: LazyLock<bool> =
        LazyLock::new(|| Path::new("/proc/thread-self/children").exists());
    if !*LISTS_CHILDREN {
        return descendants(table(), root);
    }
    let (mut found, mut seen, mut next) = (Vec::new(), HashSet::from([root]), 0);
    let mut parent = root;
    loop {
        let new = children(parent).into_iter().filter(|pid| seen.insert(*pid)).filter_map(find);
        found.extend(new);
        let Some(process): Option<&Process> = found.get(next) else { return found };
        (parent, next) = (process.pid, next + 1);
    }
}

/// Children belong to the thread that made them.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Memory that a process would give back, in bytes: its own, and its part of what it shares with others.
pub(super) fn memory(process: &Process) -> u64 {
    let Ok(rollup) = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)) else {
        // Gone, or somebody else's: then all that is resident.
        return if find(process.pid).is_some() { process.resident } else { 0 };
    };
    let kib = |word: &str| {
        let line = rollup.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0)
    };
    1024 * ["Pss_Anon:", "Pss_Shmem:", "SwapPss:"].into_iter().map(kib).sum::<u64>()
}

/// Threads of the whole system: cheap to ask, and a storm of forks shows in it.
pub(super) fn threads() -> u64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let threads = || load.split(' ').nth(3)?.split_once('/')?.1.parse().ok();
    threads().unwrap_or(0)
}

/// Where in the kernel a process waits that even SIGKILL does not end.
pub(super) fn waits_in(process: &Process) -> String {
    let place = fs::read_to_string(format!("/proc/{}/wchan", process.pid)).unwrap_or_default();
    if place.is_empty() || place == "0" { "the kernel".to_owned() } else { place }
}

/// One process.
pub(super) fn find(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, so fields count from its last parenthesis: state is field 3 of proc(5).
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 2..)?.split(' ').collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let ticks = [14, 15, 16, 17].into_iter().filter_map(number).sum::<u64>();
    Some(Process {
        pid,
        parent: u32::try_from(number(4)?).ok()?,
        started: number(22)?,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        stuck: *fields.first()? == "D",
        resident: number(24)? * rustix::param::page_size() as u64,
        cpu: Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second().max(1)),
    })
}

/// Sends a signal to exactly this process: never to another one that got its pid meanwhile.
pub(super) fn signal(process: &Process, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
    let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
    // Looked at again after the descriptor was opened: if it is still the same one, so is the descriptor's.
    if find(process.pid).is_none_or(|now| now.started != process.started) {
        return Err(gone());
    }
    Ok(rustix::process::pidfd_send_signal(&pidfd, signal)?)
}

/// Kills exactly this process.
pub(super) fn kill(process: &Process) -> io::Result<()> {
    signal(process, Signal::KILL)
}

/// Lets exactly this process run again.
pub(super) fn wake(process: &Process) -> io::Result<()> {
    signal(process, Signal::CONT)
}

/// A descriptor that becomes readable when a child ends; `None` on kernels before 5.3.
pub(super) fn end_of(pid: Pid) -> Option<rustix::fd::OwnedFd> {
    rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// The name of this boot.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The cookie that a process was started with, when its environment may be read.
pub(super) fn cookie(pid: u32) -> Option<String> {
    let environ = fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).ok()?;
    let mut variables = environ.split(|byte| *byte == 0);
    let value =
        variables.find_map(|variable| variable.strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"="))?;
    Some(std::ffi::OsStr::from_bytes(value).to_string_lossy().into_owned())
}

/// Orphans below this process become its children, rather than those of the system's first process.
pub(super) fn adopt_orphans() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}
