//! Whether a worker is alive, and what it uses of its limits (SUPERVISION sections 7 and 9). Pure: it is told the time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::process::{Caps, Limited, TreeUsage};

/// How long a CLI may stay after its result (SUPERVISION section 4: claude-code #25629). claude waits for commands of
/// its own in the background, so a silent one is given this long, a talking one longer.
const LINGER: Duration = Duration::from_secs(10);
/// Two looks further apart than this mean that nobody ran meanwhile: the machine slept, or the program was stopped.
const GAP: Duration = Duration::from_secs(3);
/// How long nobody is called silent after such a gap: connections have to come back first (SUPERVISION section 7).
const AFTER_GAP: Duration = Duration::from_secs(30);
/// Processor time in [`WINDOW`] up to which a tree does nothing: timers of a runtime that idles.
const IDLE: Duration = Duration::from_millis(300);
/// Over how long that is looked at.
const WINDOW: Duration = Duration::from_secs(10);
/// Percent of a limit from which on the user is told (SPEC section 9).
const NOTICE: u64 = 80;

/// How long a worker may be silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until its first word.
    pub(super) start: Duration,
    /// Between two words, until the user is told. After half of it again it is stopped.
    pub(super) silent: Duration,
}

/// What is seen of a worker at a look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Processor time of its tree so far.
    pub(super) cpu: Duration,
    /// It is not allowed to run.
    pub(super) frozen: bool,
    /// It waits for an answer of the user.
    pub(super) asks: bool,
    /// Its result has come.
    pub(super) result: bool,
}

/// What follows from a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing.
    Well,
    /// It has been silent for so long that the user should know; when it will be stopped.
    Silent { since: Duration, stopped_in: Duration },
    /// It is to be stopped because of its silence.
    Hung,
    /// It is to be stopped because its result came and it does not leave.
    Lingers,
}

/// Watches one worker. Times are those of a clock that is never set; whether it goes on in sleep does not matter.
#[derive(Debug)]
pub(super) struct Watchdog {
    patience: Patience,
    /// Last sign of life.
    last: Duration,
    looked: Duration,
    /// Not before then is it called silent.
    mute_until: Duration,
    spoke: bool,
    told: bool,
    /// Processor time at the beginning of the window, and when that was.
    window: (Duration, Duration),
    noticed: BTreeSet<Limited>,
}

impl Watchdog {
    pub(super) fn new(patience: Patience, now: Duration) -> Self {
        let zero = Duration::ZERO;
        Self {
            patience,
            last: now,
            looked: now,
            mute_until: zero,
            spoke: false,
            told: false,
            window: (zero, now),
            noticed: BTreeSet::new(),
        }
    }

    /// It said something.
    pub(super) fn heard(&mut self, now: Duration) {
        (self.last, self.spoke, self.told) = (now, true, false);
    }

    /// To be called about once a second.
    pub(super) fn look(&mut self, now: Duration, seen: Seen) -> Finding {
        let passed = now.saturating_sub(self.looked);
        self.looked = now;
        if GAP < passed {
            // Nobody ran: that says nothing about the worker.
            self.last = now.min(self.last + passed);
            self.mute_until = now + AFTER_GAP;
        }
        if self.works(now, seen.cpu) || seen.frozen || seen.asks {
            (self.last, self.told) = (now, false);
        }
        let silent = now.saturating_sub(self.last);
        if now < self.mute_until {
            return Finding::Well;
        }
        if seen.result {
            return if LINGER < silent { Finding::Lingers } else { Finding::Well };
        }
        let (most, more) = match self.spoke {
            true => (self.patience.silent, self.patience.silent / 2),
            false => (self.patience.start, Duration::ZERO),
        };
        if most + more < silent {
            return Finding::Hung;
        }
        if self.spoke && most < silent && !self.told {
            self.told = true;
            return Finding::Silent { since: silent, stopped_in: more };
        }
        Finding::Well
    }

    /// Whether its tree used a processor in the window that ends now; false within one.
    fn works(&mut self, now: Duration, cpu: Duration) -> bool {
        let (before, since) = self.window;
        if now < since + WINDOW {
            return false;
        }
        self.window = (cpu, now);
        before + IDLE < cpu
    }

    /// Limits of which more than 80 % are used, each told once, in words.
    pub(super) fn notices(&mut self, caps: &Caps, usage: &TreeUsage) -> Vec<String> {
        let close = |what: &Limited| NOTICE <= caps.percent(usage, *what);
        // What domain warns of by itself is left to it.
        let ours = Limited::ALL.into_iter().filter(|what| *what != Limited::Wall);
        let new: Vec<Limited> = ours.filter(close).filter(|what| self.noticed.insert(*what)).collect();
        new.into_iter().map(|what| format!("Close to its limit: {}.", caps.words(usage, what))).collect()
    }
}

/// Minutes and seconds, for people.
pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience { start: Duration::from_secs(60), silent: Duration::from_secs(600) };

    /// One thing that happens to a worker.
    #[derive(Clone, Copy)]
    enum Do {
        /// It says something.
        Speak,
        /// So many seconds pass with a look in each, in which its tree uses so many milliseconds of processor time.
        Pass(u64, u64),
        /// The same while it is frozen.
        Frozen(u64),
        /// The same while it waits for an answer.
        Asks(u64),
        /// The same after its result.
        Done(u64),
        /// So many seconds pass without a look: the machine slept, or all were stopped.
        Sleep(u64),
    }
    use Do::{Asks, Done, Frozen, Pass, Sleep, Speak};

    /// What was found in the course of these, with the second of each.
    fn check(course: &[Do], wanted: &[(u64, &str)]) {
        let (mut now, mut cpu, mut found) = (1000, 0, Vec::new());
        let at = Duration::from_secs;
        let mut dog = Watchdog::new(PATIENCE, at(now));
        for what in course {
            let (seconds, millis, seen) = match *what {
                Speak => {
                    dog.heard(at(now));
                    continue;
                }
                Sleep(seconds) => {
                    now += seconds;
                    continue;
                }
                Pass(seconds, millis) => (seconds, millis, Seen::default()),
                Frozen(seconds) => (seconds, 0, Seen { frozen: true, ..Seen::default() }),
                Asks(seconds) => (seconds, 0, Seen { asks: true, ..Seen::default() }),
                Done(seconds) => (seconds, 0, Seen { result: true, ..Seen::default() }),
            };
            for _ in 0..seconds {
                (now, cpu) = (now + 1, cpu + millis);
                match dog.look(at(now), Seen { cpu: Duration::from_millis(cpu), ..seen }) {
                    Finding::Well => {}
                    Finding::Silent { .. } => found.push((now - 1000, "silent")),
                    Finding::Hung => found.push((now - 1000, "hung")),
                    Finding::Lingers => found.push((now - 1000, "lingers")),
                }
            }
        }
        assert_eq!(found, wanted);
    }

    #[test]
    fn who_never_speaks_is_stopped_after_the_start() {
        check(&[Pass(60, 0)], &[]);
        check(&[Pass(61, 0)], &[(61, "hung")]);
        check(&[Pass(59, 0), Speak, Pass(600, 0)], &[]);
        check(&[Pass(50, 0), Pass(10, 250), Pass(60, 0)], &[]);
        check(&[Pass(50, 0), Pass(10, 250), Pass(61, 0)], &[(121, "hung")]);
    }

    #[test]
    fn who_is_silent_is_told_of_and_then_stopped() {
        check(&[Speak, Pass(600, 0)], &[]);
        check(&[Speak, Pass(900, 0)], &[(601, "silent")]);
        check(&[Speak, Pass(901, 0)], &[(601, "silent"), (901, "hung")]);
        check(&[Speak, Pass(700, 0), Speak, Pass(601, 0)], &[(601, "silent"), (1301, "silent")]);
    }

    #[test]
    fn work_a_pause_and_a_question_are_no_silence() {
        check(&[Speak, Pass(5000, 250)], &[]);
        // A runtime that only idles does not work, however long it does.
        check(&[Speak, Pass(601, 20)], &[(601, "silent")]);
        check(&[Speak, Frozen(5000), Pass(600, 0)], &[]);
        check(&[Speak, Asks(5000), Pass(600, 0)], &[]);
    }

    #[test]
    fn sleep_is_no_silence_and_is_given_time_to_recover() {
        check(&[Speak, Pass(590, 0), Sleep(7200), Pass(10, 0)], &[]);
        check(&[Speak, Pass(599, 0), Sleep(7200), Pass(31, 0)], &[(7830, "silent")]);
        // The look that wakes up counts for nothing.
        check(&[Sleep(7200), Pass(62, 0)], &[(7262, "hung")]);
        check(&[Speak, Sleep(20), Pass(300, 0), Sleep(20), Pass(250, 0)], &[]);
    }

    #[test]
    fn who_has_given_its_result_has_ten_seconds() {
        check(&[Speak, Done(10)], &[]);
        check(&[Speak, Done(11)], &[(11, "lingers")]);
    }

    #[test]
    fn each_limit_is_told_of_once_from_80_percent_on() {
        let caps = Caps { memory: Some(1 << 30), processes: Some(10), ..Caps::default() };
        let mut dog = Watchdog::new(PATIENCE, Duration::ZERO);
        let mut check = |memory_mib: u64, processes: u64, wanted: &[&str]| {
            let usage = TreeUsage { memory: memory_mib << 20, processes, ..TreeUsage::default() };
            assert_eq!(dog.notices(&caps, &usage), wanted);
        };
        check(819, 7, &[]);
        check(820, 7, &["Close to its limit: memory: 820 MiB of 1024 MiB."]);
        check(900, 8, &["Close to its limit: processes: 8 of 10."]);
        check(100, 1, &[]);
        check(1000, 10, &[]);
    }
}
