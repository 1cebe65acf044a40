//! Processes on Linux, out of `/proc`.

use std::fs;
use std::io::{self, PipeReader};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};

use super::spec::COOKIE;
use super::table::Process;

/// A pipe whose end is never reached, as its reader could write to it as well.
pub(super) fn endless(pipe: &PipeReader) -> io::Result<fs::File> {
    fs::File::options().read(true).write(true).open(format!("/proc/self/fd/{}", pipe.as_raw_fd()))
}

/// All processes there are.
pub(super) fn table() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(find).collect()
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
