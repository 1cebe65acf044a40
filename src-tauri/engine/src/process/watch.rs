//! A guardian's watch over its worker: orders, limits, the end of it, and of all it started.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use domain::{Exit, ExitCause};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus};

use super::cgroup::Cgroup;
use super::meter::Meter;
use super::order::{self, Order, Said};
use super::table::Process;
use super::{Caps, Limited, TreeUsage, clock, inside, platform};

/// How often orphans are reaped when nothing else happens.
const TICK: Duration = Duration::from_millis(250);
/// Without a descriptor for the worker's end, how often it is looked for.
const SHORT_TICK: Duration = Duration::from_millis(20);
/// Two rounds further apart mean that nobody ran: such a gap is no running time of the worker.
const GAP: Duration = Duration::from_secs(3);
/// How long killed processes may take to go away; the kernel takes a few milliseconds for any that are not stuck.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same for those that wait in the kernel (SUPERVISION section 5, with room for a slow disk).
const STUCK: Duration = Duration::from_millis(500);
/// How soon after a round of killing it is looked what is left of it; later and later, up to ten times as late.
const AGAIN: Duration = Duration::from_millis(1);
/// How often the app is told what is used.
const REPORT: Duration = Duration::from_millis(900);

/// A worker under watch.
pub(super) struct Watch {
    worker: Pid,
    /// The worker is bubblewrap, with the real one inside.
    sandboxed: bool,
    group: Option<Cgroup>,
    meter: Meter,
    /// Frozen by the app.
    frozen: bool,
    /// When one that did not mind SIGINT gets SIGTERM.
    terminate_at: Option<Duration>,
    kill_at: Option<Duration>,
    /// Why it is to go; the first reason counts.
    pub(super) cause: Option<ExitCause>,
    /// Which limit, in words.
    pub(super) why: Option<String>,
    pub(super) status: Option<WaitStatus>,
    reported: (Duration, TreeUsage),
}

impl Watch {
    pub(super) fn new(worker: Pid, caps: Caps, group: Option<Cgroup>, sandboxed: bool) -> Self {
        let now = clock::awake();
        Self {
            worker,
            sandboxed,
            group,
            meter: Meter::new(caps, now),
            frozen: false,
            terminate_at: None,
            kill_at: None,
            cause: None,
            why: None,
            status: None,
            reported: (now, TreeUsage::default()),
        }
    }

    /// Returns when the worker has ended or is to be killed.
    pub(super) fn until_over(&mut self) {
        let ended = platform::end_of(self.worker);
        let tick = if ended.is_some() { TICK } else { SHORT_TICK };
        let mut orders = Said::default();
        loop {
            self.reap();
            let now = clock::awake();
            if self.status.is_some() || self.kill_at.is_some_and(|at| at <= now) {
                return;
            }
            if self.terminate_at.is_some_and(|at| at <= now) {
                self.terminate_at = None;
                self.ask(Signal::TERM);
            }
            self.limits(now);
            if self.kill_at.is_some_and(|at| at <= now) {
                return;
            }
            let next = [self.terminate_at, self.kill_at].into_iter().flatten().min();
            let pause = self.meter.pause(now, self.group.is_some()).min(tick);
            let timeout = next.map_or(pause, |at| at.saturating_sub(now).min(pause));
            if wait(ended.as_ref(), timeout) && !self.listen(&mut orders) {
                // The line is closed: the app is gone.
                return self.doomed(ExitCause::Orphaned, Some(now));
            }
        }
    }

    /// Which limit the kernel itself held it to, in words.
    pub(super) fn refused(&self) -> Option<String> {
        self.meter.refused(self.group.as_ref()?)
    }

    /// Looks at what is used. One that is over a limit is frozen, measured exactly, and killed if it is so.
    fn limits(&mut self, now: Duration) {
        self.meter.ran(now, self.frozen, GAP);
        let storm = self.meter.signs(now, self.group.as_ref());
        if storm && !self.frozen {
            self.signal_own_group(Signal::STOP);
        }
        if storm || self.meter.is_due(now) {
            self.meter.measure(now, self.group.as_ref(), false);
            self.report(now);
        }
        let crossed = self.meter.crossed(self.group.as_ref()).filter(|_| self.why.is_none());
        let Some((what, _)) = crossed else {
            if storm && !self.frozen {
                self.signal_own_group(Signal::CONT);
            }
            return;
        };
        if !self.frozen {
            self.freeze();
        }
        self.meter.measure(now, self.group.as_ref(), what == Limited::Memory);
        if let Some((_, words)) = self.meter.crossed(self.group.as_ref()) {
            self.why = Some(words).filter(|_| self.cause.is_none());
            self.doomed(ExitCause::Limit, Some(now));
        } else if !self.frozen {
            self.thaw();
        }
    }

    /// Tells the app what is used, when that has changed. A line that nobody reads fills up and is left alone.
    fn report(&mut self, now: Duration) {
        let (at, told) = self.reported;
        let usage = *self.meter.usage();
        let news = TreeUsage { wall: told.wall, ..usage } != told || told.wall + 30 * REPORT < usage.wall;
        if at + REPORT <= now && news {
            self.reported = (now, usage);
            let _ = rustix::io::write(rustix::stdio::stdin(), &order::line(&usage));
        }
    }

    /// Reads orders and follows them; false at the end of the line.
    fn listen(&mut self, orders: &mut Said<Order>) -> bool {
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
                let (now, grace) = (clock::awake(), Duration::from_millis(grace_ms));
                self.doomed(cause, Some(now + grace));
                // What is frozen hears nothing.
                self.set_frozen(false);
                signal_all(&tree(), Signal::CONT);
                let signal = if interrupt { Signal::INT } else { Signal::TERM };
                self.terminate_at = interrupt.then_some(now + grace * 3 / 5);
                // To the CLI alone: it decides what becomes of its children. It is not reaped yet, so the pid is its own.
                self.ask(signal);
            }
            Order::Kill { cause } => self.doomed(cause, Some(clock::awake())),
            Order::Freeze => self.set_frozen(true),
            Order::Thaw => self.set_frozen(false),
        }
    }

    /// Tells the worker itself, and nothing that it started.
    fn ask(&self, signal: Signal) {
        if self.sandboxed {
            inside::signal(self.worker, signal);
        } else {
            let _ = rustix::process::kill_process(self.worker, signal);
        }
    }

    fn set_frozen(&mut self, frozen: bool) {
        self.meter.ran(clock::awake(), self.frozen, GAP);
        self.frozen = frozen;
        if frozen { self.freeze() } else { self.thaw() }
    }

    fn doomed(&mut self, cause: ExitCause, kill_at: Option<Duration>) {
        self.cause.get_or_insert(cause);
        self.kill_at = [self.kill_at, kill_at].into_iter().flatten().min();
    }

    /// Takes note of everything below that has ended, and how many it were; true when nothing is left below. The kernel
    /// knows that exactly: orphans are our children too.
    fn reap(&mut self) -> (bool, u32) {
        let mut count = 0;
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    count += 1;
                    if pid == self.worker {
                        self.status = Some(status);
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return (false, count),
                Err(_) => return (true, count),
            }
        }
    }

    /// Kills everything below until nothing is left. Gives how many it were, and what would not go.
    pub(super) fn clear(&mut self) -> (u32, Vec<Process>) {
        let (mut over, _) = self.reap();
        let (begin, mut killed, mut rounds) = (clock::awake(), 0, 0);
        // All at once first, without looking: looking takes longer than killing when there are many.
        let group = self.group.as_ref();
        if !over && !group.is_some_and(Cgroup::kill) {
            self.signal_own_group(Signal::KILL);
            let _ = group.map(|group| group.freeze(false));
        }
        while !over {
            let until = clock::awake() + AGAIN * rounds.clamp(1, 10);
            while !over && clock::awake() < until {
                std::thread::sleep(AGAIN);
                let (nothing, count) = self.reap();
                (over, killed) = (nothing, killed + count);
            }
            if over {
                break;
            }
            let mut left = tree();
            let passed = clock::awake().saturating_sub(begin);
            left.retain(|process| !process.zombie);
            let stuck = !left.is_empty() && left.iter().all(|process| process.stuck);
            if PATIENCE < passed || stuck && STUCK < passed {
                return (killed, left);
            }
            rounds += 1;
            self.kill(&left, rounds);
        }
        (killed, Vec::new())
    }

    /// One round of killing. What forks faster than it is killed is frozen first.
    fn kill(&self, tree: &[Process], rounds: u32) {
        let group = self.group.as_ref();
        if group.is_some_and(Cgroup::kill) {
            return;
        }
        self.signal_own_group(Signal::KILL);
        if 5 < rounds {
            self.freeze();
        }
        signal_all(tree, Signal::KILL);
        // Groups of version 1 hold even SIGKILL back as long as they are frozen.
        let _ = group.map(|group| group.freeze(false));
    }

    /// Stops the whole tree from running. Without a group by signals: what has the signal pending cannot fork any more,
    /// so it is enough to look until nothing new is found, twice; how long each takes to stand still does not matter
    /// (one that waits in vfork never shows as stopped).
    fn freeze(&self) {
        if self.group.as_ref().is_some_and(|group| group.freeze(true)) {
            return;
        }
        self.signal_own_group(Signal::STOP);
        let (mut told, mut rounds_without_new) = (HashSet::new(), 0);
        while rounds_without_new < 2 && told.len() < 100_000 {
            let new: Vec<_> =
                tree().into_iter().filter(|process| told.insert((process.pid, process.started))).collect();
            rounds_without_new = if new.is_empty() { rounds_without_new + 1 } else { 0 };
            signal_all(&new, Signal::STOP);
        }
    }

    fn thaw(&self) {
        if !self.group.as_ref().is_some_and(|group| group.freeze(false)) {
            signal_all(&tree(), Signal::CONT);
        }
    }

    /// Reaches all that stayed in the worker's process group at once, however fast they fork: a fork waits for signals.
    /// While the worker is not reaped the number is that of its group and of no other.
    fn signal_own_group(&self, signal: Signal) {
        if self.status.is_none() {
            let _ = rustix::process::kill_process_group(self.worker, signal);
        }
    }

    pub(super) fn exit(&self) -> Exit {
        let exit = Exit {
            code: self.status.and_then(WaitStatus::exit_status),
            signal: self.status.and_then(WaitStatus::terminating_signal),
            cause: self.cause.unwrap_or(ExitCause::Left),
        };
        if self.sandboxed { inside::exit(exit) } else { exit }
    }
}

/// Waits for the control line, the worker's end, a signal or the time-out; true when the line has something.
fn wait(ended: Option<&OwnedFd>, timeout: Duration) -> bool {
    let control = rustix::stdio::stdin();
    let mut fds = vec![PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN)];
    fds.extend(ended.map(|ended| PollFd::new(ended, PollFlags::IN)));
    let timeout = Timespec::try_from(timeout).ok();
    rustix::event::poll(&mut fds, timeout.as_ref()).is_ok() && !fds[0].revents().is_empty()
}

/// Whether the control line is at its end already.
pub(super) fn app_is_gone() -> bool {
    wait(None, Duration::ZERO) && rustix::io::ioctl_fionread(rustix::stdio::stdin()) == Ok(0)
}

fn tree() -> Vec<Process> {
    platform::tree(std::process::id())
}

fn signal_all(tree: &[Process], signal: Signal) {
    for process in tree.iter().filter(|process| !process.zombie) {
        // One that has gone meanwhile needs no signal.
        let _ = platform::signal(process, signal);
    }
}
