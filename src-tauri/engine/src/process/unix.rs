//! What only the C library can do. The one place with unsafe code.

#![expect(
    unsafe_code,
    reason = "code between fork and exec, signal handlers and resource usage have no safe interface"
)]

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// Lets a guardian begin its own session: no terminal, so neither Ctrl-C nor a closed window reaches it.
pub(super) fn detach(command: &mut Command) {
    let prepare = || {
        rustix::process::setsid()?;
        close_others();
        Ok(())
    };
    // SAFETY: `prepare` makes system calls only: it neither allocates nor takes locks.
    unsafe { command.pre_exec(prepare) };
}

/// Lets a worker lead its own process group, and end should its guardian be killed.
pub(super) fn prepare_worker(command: &mut Command) {
    command.process_group(0);
    let guardian = rustix::process::getpid();
    let prepare = move || {
        #[cfg(target_os = "linux")]
        {
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
            // The guardian may have been killed before it was set.
            if rustix::process::getppid() != Some(guardian) {
                return Err(std::io::Error::from_raw_os_error(libc::ESRCH));
            }
        }
        close_others();
        Ok(())
    };
    let _ = guardian;
    // SAFETY: `prepare` makes system calls only: it neither allocates nor takes locks.
    unsafe { command.pre_exec(prepare) };
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
