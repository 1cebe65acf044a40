//! What a guardian does differently when its worker is in a sandbox: bubblewrap stands between them.

use std::ffi::OsString;
use std::os::fd::OwnedFd;

use domain::Exit;
use rustix::process::{Pid, Signal};

use super::platform;

/// Signals that no program can catch, or that tell of its own fault. bubblewrap, like a shell, tells them as 128 and their
/// number; a program that caught another one may have left with that very status, so those stay what they are.
const FATAL: [Signal; 10] = [
    Signal::KILL,
    Signal::SEGV,
    Signal::ABORT,
    Signal::BUS,
    Signal::FPE,
    Signal::ILL,
    Signal::SYS,
    Signal::TRAP,
    Signal::XCPU,
    Signal::XFSZ,
];

/// The filters of system calls as files, and the arguments by which bubblewrap finds them.
#[derive(Debug, Default)]
pub(super) struct Filters {
    pub(super) files: Vec<OwnedFd>,
    pub(super) args: Vec<OsString>,
}

#[cfg(target_os = "linux")]
impl Filters {
    /// Opens the filters.
    ///
    /// # Errors
    /// A processor for which there are none, or what the system refuses; in words.
    pub(super) fn open() -> Result<Self, String> {
        use std::io::{Seek, Write};
        use std::os::fd::AsRawFd;

        use crate::sandbox::seccomp;

        let mut opened = Self::default();
        for filter in seccomp::filters().map_err(|fault| format!("seccomp: {fault}"))? {
            let file = rustix::fs::memfd_create("seccomp", rustix::fs::MemfdFlags::CLOEXEC);
            let mut file = std::fs::File::from(file.map_err(|fault| format!("seccomp: {fault}"))?);
            let written = file.write_all(&seccomp::bytes(&filter)).and_then(|()| file.rewind());
            written.map_err(|fault| format!("seccomp: {fault}"))?;
            opened.args.extend(["--add-seccomp-fd".into(), file.as_raw_fd().to_string().into()]);
            opened.files.push(file.into());
        }
        Ok(opened)
    }
}

#[cfg(not(target_os = "linux"))]
impl Filters {
    pub(super) fn open() -> Result<Self, String> {
        Err("there is no sandbox for this system yet".to_owned())
    }
}

/// Sends a signal to the worker inside; to bubblewrap, which would kill it at once, only while there is none yet.
pub(super) fn signal(bwrap: Pid, signal: Signal) {
    let tree = platform::tree(bwrap.as_raw_nonzero().get().unsigned_abs());
    // The first process of the namespace, then the first that it started: children are listed in the order of their birth.
    let worker = tree.first().and_then(|init| tree.iter().find(|process| process.parent == init.pid));
    match worker {
        Some(worker) => drop(platform::signal(worker, signal)),
        None => drop(rustix::process::kill_process(bwrap, signal)),
    }
}

/// How the worker ended, by how bubblewrap did.
pub(super) fn exit(exit: Exit) -> Exit {
    let by = |code: i32| FATAL.iter().map(|signal| signal.as_raw()).find(|signal| 128 + signal == code);
    match exit.code.and_then(by) {
        Some(signal) => Exit { code: None, signal: Some(signal), ..exit },
        None => exit,
    }
}

#[cfg(test)]
mod tests {
    use domain::ExitCause;

    use super::*;

    #[test]
    fn a_status_that_only_a_signal_leaves_is_one() {
        let check = |code: i32, wanted: (Option<i32>, Option<i32>)| {
            let told = exit(Exit { code: Some(code), signal: None, cause: ExitCause::Left });
            assert_eq!((told.code, told.signal), wanted, "{code}");
        };
        for code in [0, 1, 42, 127, 128, 129, 130, 143, 255] {
            check(code, (Some(code), None));
        }
        check(137, (None, Some(9)));
        check(139, (None, Some(11)));
        check(134, (None, Some(6)));
    }
}
