//! The guardian: one small process per worker that outlives the app by as long as it takes to clean up.
//!
//! No runtime, one thread. It may wait for any child (`waitpid(-1)`), which the app never does.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use domain::{Exit, ExitCause};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use super::order::{Order, Orders};
use super::table::{Process, descendants};
use super::{ExitRecord, clock, platform, unix};

/// How often orphans are reaped when nothing else happens.
const TICK: Duration = Duration::from_millis(250);
/// Without a descriptor for the worker's end, how often it is looked for.
const SHORT_TICK: Duration = Duration::from_millis(20);
/// How long killed processes may take to go away; the kernel takes a few milliseconds for any that are not stuck.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs as a guardian until the worker and all it started are gone, and leaves the exit record. Arguments:
/// `--record FILE [--stdin FILE] [--cwd DIR] [--wall-ms N] -- PROGRAM ARGUMENT…`; standard input is the control pipe,
/// standard output and error are the worker's and are never written to.
///
/// Gives the exit status: 0 when the record is written, 1 when not, 2 for wrong arguments.
#[must_use]
pub fn guardian_main(args: &[OsString]) -> u8 {
    std::panic::set_hook(Box::new(|_| {}));
    let Some(charge) = Charge::read(args) else { return 2 };
    let record = charge.run();
    u8::from(record.write(&charge.record).is_err())
}

/// What a guardian is there for.
#[derive(Debug, Default)]
struct Charge {
    record: PathBuf,
    stdin: Option<PathBuf>,
    cwd: Option<PathBuf>,
    wall: Option<Duration>,
    command: Vec<OsString>,
}

impl Charge {
    fn read(args: &[OsString]) -> Option<Self> {
        let mut charge = Self::default();
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let name = name.to_str()?;
            if name == "--" {
                charge.command = args.cloned().collect();
                return (!charge.command.is_empty() && charge.record.is_absolute()).then_some(charge);
            }
            let value = args.next()?;
            match name {
                "--record" => charge.record = value.into(),
                "--stdin" => charge.stdin = Some(value.into()),
                "--cwd" => charge.cwd = Some(value.into()),
                "--wall-ms" => charge.wall = Some(Duration::from_millis(value.to_str()?.parse().ok()?)),
                _ => return None,
            }
        }
        None
    }

    fn run(&self) -> ExitRecord {
        let began = clock::now();
        // Done already when the app started this; a person who starts it by hand gets the same.
        let _ = rustix::process::setsid();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        unix::outlive_signals();
        let adopts = platform::adopt_orphans();
        if app_is_gone() {
            // Killed between the spawn and now: nothing was tried, so nothing failed.
            let exit = Exit { code: None, signal: None, cause: ExitCause::Orphaned };
            return ExitRecord::without(exit, "the app was gone before it could be started".to_owned());
        }
        let worker = match self.start() {
            Ok(worker) => worker,
            Err(why) => {
                let exit = Exit { code: None, signal: None, cause: ExitCause::NotStarted };
                return ExitRecord::without(exit, why);
            }
        };
        let wall_at = self.wall.map(|wall| began + wall);
        let mut watch = Watch { worker, wall_at, kill_at: None, cause: None, status: None };
        watch.until_over();
        let (killed, left) = watch.clear();
        let (user, system, peak_rss_kib) = unix::usage_of_children();
        ExitRecord {
            exit: watch.exit(),
            why: adopts.err().map(|error| format!("orphans could not be adopted: {error}")),
            wall_ms: millis(clock::now().saturating_sub(began)),
            user_ms: millis(user),
            system_ms: millis(system),
            peak_rss_kib,
            output_bytes: output_bytes(),
            killed,
            left,
        }
    }

    fn start(&self) -> Result<Pid, String> {
        let program = self.command.first().map_or(OsStr::new(""), OsString::as_os_str);
        let cannot = |what: &OsStr, error: std::io::Error| format!("{}: {error}", what.display());
        let stdin = match &self.stdin {
            Some(path) => File::open(path).map_err(|error| cannot(path.as_os_str(), error))?.into(),
            None => Stdio::null(),
        };
        let mut command = Command::new(program);
        command.args(&self.command[1..]).stdin(stdin);
        if let Some(cwd) = &self.cwd {
            // A missing folder would be reported as a missing program.
            if !cwd.is_dir() {
                return Err(format!("{}: the folder to work in is not there", cwd.display()));
            }
            command.current_dir(cwd);
        }
        unix::prepare_worker(&mut command);
        let child = command.spawn().map_err(|error| cannot(program, error))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("no pid")?;
        // Lower than the app and the user's own work, and the first to go when memory is short.
        let _ = rustix::process::setpriority_process(Some(pid), 5);
        let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), "500");
        Ok(pid)
    }
}

/// A worker under watch.
struct Watch {
    worker: Pid,
    wall_at: Option<Duration>,
    kill_at: Option<Duration>,
    /// Why it is to go; the first reason counts.
    cause: Option<ExitCause>,
    status: Option<WaitStatus>,
}

impl Watch {
    /// Returns when the worker has ended or is to be killed.
    fn until_over(&mut self) {
        let ended = platform::end_of(self.worker);
        let tick = if ended.is_some() { TICK } else { SHORT_TICK };
        let mut orders = Orders::default();
        loop {
            self.reap();
            let now = clock::now();
            if self.status.is_some() || self.kill_at.is_some_and(|at| at <= now) {
                return;
            }
            if self.wall_at.is_some_and(|at| at <= now) {
                return self.doomed(ExitCause::Limit, Some(now));
            }
            let next = [self.wall_at, self.kill_at].into_iter().flatten().min();
            let timeout = next.map_or(tick, |at| at.saturating_sub(now).min(tick));
            if wait(ended.as_ref(), timeout) && !self.listen(&mut orders) {
                // The pipe is closed: the app is gone.
                return self.doomed(ExitCause::Orphaned, Some(now));
            }
        }
    }

    /// Reads orders and follows them; false at the end of the pipe.
    fn listen(&mut self, orders: &mut Orders) -> bool {
        let mut bytes = [0; 4096];
        match rustix::io::read(rustix::stdio::stdin(), &mut bytes) {
            Ok(0) => return false,
            Ok(count) => orders.feed(&bytes[..count]).into_iter().for_each(|order| self.follow(order)),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => return false,
        }
        true
    }

    fn follow(&mut self, order: Order) {
        match order {
            Order::Stop { interrupt, grace_ms, cause } => {
                self.doomed(cause, Some(clock::now() + Duration::from_millis(grace_ms)));
                // What is frozen hears nothing.
                signal_all(&tree(), Signal::CONT);
                let signal = if interrupt { Signal::INT } else { Signal::TERM };
                // To the CLI alone: it decides what becomes of its children. It is not reaped yet, so the pid is its own.
                let _ = rustix::process::kill_process(self.worker, signal);
            }
            Order::Kill { cause } => self.doomed(cause, Some(clock::now())),
            Order::Freeze => freeze(),
            Order::Thaw => signal_all(&tree(), Signal::CONT),
        }
    }

    fn doomed(&mut self, cause: ExitCause, kill_at: Option<Duration>) {
        self.cause.get_or_insert(cause);
        self.kill_at = [self.kill_at, kill_at].into_iter().flatten().min();
    }

    /// Takes note of everything below that has ended.
    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == self.worker {
                self.status = Some(status);
            }
        }
    }

    /// Kills everything below until two looks in a row find nothing. Gives how many it were, and what would not go.
    fn clear(&mut self) -> (u32, Vec<u32>) {
        let (begin, mut killed, mut empty, mut rounds) = (clock::now(), HashSet::new(), 0, 0);
        while empty < 2 {
            self.reap();
            let tree = tree();
            if tree.is_empty() {
                empty += 1;
                continue;
            }
            (empty, rounds) = (0, rounds + 1);
            if PATIENCE < clock::now().saturating_sub(begin) {
                return (count(killed.len()), tree.iter().map(|process| process.pid).collect());
            }
            if 5 < rounds {
                // Something forks faster than it is killed.
                freeze();
            }
            signal_all(&tree, Signal::KILL);
            let alive = tree.into_iter().filter(|process| !process.zombie);
            killed.extend(alive.map(|process| (process.pid, process.started)));
            std::thread::sleep(Duration::from_millis(1));
        }
        (count(killed.len()), Vec::new())
    }

    fn exit(&self) -> Exit {
        Exit {
            code: self.status.and_then(WaitStatus::exit_status),
            signal: self.status.and_then(WaitStatus::terminating_signal),
            cause: self.cause.unwrap_or(ExitCause::Left),
        }
    }
}

/// Waits for the control pipe, the worker's end, a signal or the time-out; true when the pipe has something.
fn wait(ended: Option<&OwnedFd>, timeout: Duration) -> bool {
    let control = rustix::stdio::stdin();
    let mut fds = vec![PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN)];
    fds.extend(ended.map(|ended| PollFd::new(ended, PollFlags::IN)));
    let timeout = Timespec::try_from(timeout).ok();
    rustix::event::poll(&mut fds, timeout.as_ref()).is_ok() && !fds[0].revents().is_empty()
}

/// Whether the control pipe is at its end already.
fn app_is_gone() -> bool {
    wait(None, Duration::ZERO) && rustix::io::ioctl_fionread(rustix::stdio::stdin()) == Ok(0)
}

fn tree() -> Vec<Process> {
    descendants(platform::table(), std::process::id())
}

fn signal_all(tree: &[Process], signal: Signal) {
    for process in tree.iter().filter(|process| !process.zombie) {
        // One that has gone meanwhile needs no signal.
        let _ = platform::signal(process, signal);
    }
}

/// Stops the whole tree from running. What has the signal pending cannot fork any more, so it is enough to look until
/// nothing new is found, twice; how long each takes to stand still does not matter (one that waits in vfork never
/// shows as stopped).
fn freeze() {
    let (mut told, mut rounds_without_new) = (HashSet::new(), 0);
    while rounds_without_new < 2 && told.len() < 100_000 {
        let new: Vec<_> =
            tree().into_iter().filter(|process| told.insert((process.pid, process.started))).collect();
        rounds_without_new = if new.is_empty() { rounds_without_new + 1 } else { 0 };
        signal_all(&new, Signal::STOP);
    }
}

fn output_bytes() -> u64 {
    rustix::fs::fstat(rustix::stdio::stdout()).map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
