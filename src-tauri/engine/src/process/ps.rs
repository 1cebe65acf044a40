//! Processes on other Unix systems (macOS), out of `ps`. Never run: this system was not available to us.
//!
//! Nothing there adopts orphans, so a worker that daemonises leaves the tree: what is killed is the tree below the
//! guardian as far as `ps` shows it. Start times are not known, so the sweep after a crash finds nothing by pid.

use std::io;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::table::{Process, descendants};

/// All processes there are.
pub(super) fn table() -> Vec<Process> {
    let Ok(listed) = Command::new("/bin/ps").args(["-axo", "pid=,ppid=,state=,rss=,time="]).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&listed.stdout).lines().filter_map(read).collect()
}

/// Everything below a process.
pub(super) fn tree(root: u32) -> Vec<Process> {
    descendants(table(), root)
}

/// All of it that is there; what it shares with others is counted for each of them.
pub(super) fn memory(process: &Process) -> u64 {
    process.resident
}

/// Not cheap to ask here.
pub(super) fn threads() -> u64 {
    0
}

/// Unknown here.
pub(super) fn waits_in(_: &Process) -> String {
    "the kernel".to_owned()
}

/// One process.
pub(super) fn find(pid: u32) -> Option<Process> {
    table().into_iter().find(|process| process.pid == pid)
}

fn read(line: &str) -> Option<Process> {
    let mut words = line.split_whitespace();
    let (pid, parent, state) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
    Some(Process {
        pid,
        parent,
        started: 0,
        zombie: state.starts_with('Z'),
        stuck: state.starts_with(['D', 'U']),
        resident: words.next()?.parse::<u64>().ok()? * 1024,
        cpu: words.next().map_or(Duration::ZERO, time),
    })
}

/// `[hours:]minutes:seconds[.hundredths]`
fn time(text: &str) -> Duration {
    let seconds =
        text.split(':').filter_map(|part| part.parse::<f64>().ok()).fold(0.0, |sum, part| sum * 60.0 + part);
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// Sends a signal.
pub(super) fn signal(process: &Process, signal: Signal) -> io::Result<()> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// Kills a process.
pub(super) fn kill(process: &Process) -> io::Result<()> {
    signal(process, Signal::KILL)
}

/// Lets a process run again.
pub(super) fn wake(process: &Process) -> io::Result<()> {
    signal(process, Signal::CONT)
}

/// There is no such descriptor here; the guardian looks every few milliseconds.
pub(super) fn end_of(_: Pid) -> Option<rustix::fd::OwnedFd> {
    None
}

/// Unknown here.
pub(super) fn boot() -> String {
    String::new()
}

/// Other processes' environments are not to be had here.
pub(super) fn cookie(_: u32) -> Option<String> {
    None
}

/// Not to be had here.
pub(super) fn adopt_orphans() -> io::Result<()> {
    Ok(())
}
