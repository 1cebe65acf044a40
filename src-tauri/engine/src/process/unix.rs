//! What only the C library can do. The one place with unsafe code.

#![expect(
    unsafe_code,
    reason = "code between fork and exec, signal handlers and resource usage have no safe interface"
)]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit};

use super::Caps;

/// The app's end of the control line to a guardian.
#[derive(Debug)]
pub(super) struct Control(UnixStream);

impl Control {
    /// A new line; the first half becomes the guardian's standard input.
    pub(super) fn pair() -> io::Result<(Stdio, Self)> {
        let (guardian, app) = UnixStream::pair()?;
        // Neither side may ever wait for the other one to read.
        guardian.set_nonblocking(true)?;
        app.set_nonblocking(true)?;
        Ok((Stdio::from(OwnedFd::from(guardian)), Self(app)))
    }

    /// This end once more, as what is started next inherits it: for control runs.
    pub(super) fn inherited(&self) -> io::Result<OwnedFd> {
        Ok(rustix::io::dup(&self.0)?)
    }

    /// Says something.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// What the guardian has said since.
    pub(super) fn received(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // At the end of the line or with nothing more to read: both are all there is.
        let _ = self.0.read_to_end(&mut bytes);
        bytes
    }
}

/// Lets a guardian begin its own session: no terminal, so neither Ctrl-C nor a closed window reaches it. It gets no
/// descriptors but the first three, unless `closed` is false.
pub(super) fn detach(command: &mut Command, closed: bool) {
    let prepare = move || {
        rustix::process::setsid()?;
        if closed {
            close_others();
        }
        Ok(())
    };
    // SAFETY: `prepare` makes system calls only: it neither allocates nor takes locks.
    unsafe { command.pre_exec(prepare) };
}

/// Lets a worker lead its own session, and end should its guardian be killed; puts it into its control groups
/// (whose `doors` are files that take a pid) and under those limits that the kernel has for single processes. It inherits
/// what is `kept`.
pub(super) fn prepare_worker(command: &mut Command, doors: Vec<File>, caps: &Caps, kept: Vec<OwnedFd>) {
    let guardian = rustix::process::getpid();
    let (file, data) = (caps.file, caps.memory.map(|most| most.saturating_mul(2)));
    let prepare = move || {
        // A session of its own is scheduled as one: however many it starts, its guardian gets its turn.
        rustix::process::setsid()?;
        for door in &doors {
            // One that does not let it in is noticed afterwards.
            let _ = rustix::io::write(door.as_fd(), b"0");
        }
        // Behind the app and the user's own work; the guardian may stand before them.
        let _ = rustix::process::setpriority_process(None, 5);
        // A dump of a worker's memory would hold its keys (THREATS T9).
        limit(Resource::Core, Some(0));
        limit(Resource::Fsize, file);
        // Never the address space: V8 and wasm reserve far more than they use. Only a backstop: what the tree uses
        // together is measured, and a single process that gets here has twice of what is allowed.
        limit(Resource::Data, data);
        #[cfg(target_os = "linux")]
        {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            // The guardian may have been killed before it was set.
            if rustix::process::getppid() != Some(guardian) {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
            }
        }
        close_others();
        for file in &kept {
            rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    };
    let _ = guardian;
    // SAFETY: `prepare` makes system calls only: it neither allocates nor takes locks.
    unsafe { command.pre_exec(prepare) };
}

/// Both soft and hard; a higher one than is allowed already changes nothing.
fn limit(what: Resource, most: Option<u64>) {
    if most.is_some() {
        let _ = rustix::process::setrlimit(what, Rlimit { current: most, maximum: most });
    }
}

/// Marks every descriptor but the first three to be closed at exec: libraries open some without asking for that.
fn close_others() {
    #[cfg(target_os = "linux")]
    {
        let (first, last, close_on_exec) = (3_u32, u32::MAX, 4_u32);
        // SAFETY: only sets flags of descriptors. Kernels before 5.11 refuse, which changes nothing.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, close_on_exec) };
    }
}

/// Lets signals interrupt a wait, rather than end the guardian and leave its worker alone. Handlers, unlike ignored
/// signals, are not inherited by what it starts.
pub(super) fn outlive_signals() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler = nothing as extern "C" fn(libc::c_int);
    for signal in [
        libc::SIGCHLD,
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGQUIT,
        libc::SIGUSR1,
        libc::SIGUSR2,
    ] {
        // SAFETY: the handler does nothing, which is safe at any moment.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
}

/// User time, system time and peak memory in KiB of all children that were waited for.
pub(super) fn usage_of_children() -> (Duration, Duration, u64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the call fills the structure; all-zero is a valid one should it fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |time: libc::timeval| {
        let micros = Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0));
        Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0)) + micros
    };
    let unit = if cfg!(target_os = "macos") { 1024 } else { 1 };
    (time(usage.ru_utime), time(usage.ru_stime), u64::try_from(usage.ru_maxrss).unwrap_or(0) / unit)
}

/// Size of standard output, in bytes.
pub(super) fn size_of_output() -> u64 {
    size(&rustix::fs::fstat(rustix::stdio::stdout()))
}

/// Size of standard output and standard error together, in bytes.
pub(super) fn output_bytes() -> u64 {
    let (out, err) = (rustix::fs::fstat(rustix::stdio::stdout()), rustix::fs::fstat(rustix::stdio::stderr()));
    let same =
        matches!((&out, &err), (Ok(out), Ok(err)) if (out.st_dev, out.st_ino) == (err.st_dev, err.st_ino));
    size(&out) + if same { 0 } else { size(&err) }
}

fn size(stat: &rustix::io::Result<rustix::fs::Stat>) -> u64 {
    stat.as_ref().map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
}
