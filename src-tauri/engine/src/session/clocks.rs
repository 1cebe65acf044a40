//! Whether the system's clock was set or the machine slept: entries are stamped with the wall clock, and what is measured
//! between them must not grow or shrink by that (RELIABILITY G13, SUPERVISION section 7).

use domain::Input;
use jiff::{SignedDuration, Timestamp};

use crate::process::clock;

/// What is smaller is noise, or the slow correction of a time server (SUPERVISION section 7: 3 s).
const NOTICED: SignedDuration = SignedDuration::from_secs(3);

/// The three clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// What people read.
    pub(super) wall: Timestamp,
    /// Goes on in sleep, is never set.
    pub(super) elapsed: SignedDuration,
    /// Stands still in sleep, is never set.
    pub(super) awake: SignedDuration,
}

impl Reading {
    pub(super) fn now() -> Self {
        let signed = |time| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        Self { wall: Timestamp::now(), elapsed: signed(clock::now()), awake: signed(clock::awake()) }
    }
}

/// Remembers where the clocks stood.
#[derive(Debug)]
pub(super) struct Clocks {
    last: Reading,
}

impl Clocks {
    pub(super) fn new(now: Reading) -> Self {
        Self { last: now }
    }

    /// What happened to the clocks since it was asked last.
    pub(super) fn moved_to(&mut self, now: Reading) -> Vec<Input> {
        let last = std::mem::replace(&mut self.last, now);
        let elapsed = now.elapsed - last.elapsed;
        let slept = elapsed - (now.awake - last.awake);
        let set = now.wall.duration_since(last.wall) - elapsed;
        [(slept, true), (set, false)]
            .into_iter()
            .filter(|(by, _)| NOTICED < by.abs())
            .map(|(by, slept)| {
                let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
                Input::ClockMoved { by_ms, slept }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_and_a_set_clock_are_told_apart() {
        // Seconds that pass on the wall, the clock that goes on in sleep, the one that does not; what is told of it.
        let check = |wall: i64, elapsed: i64, awake: i64, told: &[(i64, bool)]| {
            let at = |wall, elapsed, awake| Reading {
                wall: Timestamp::from_second(1_800_000_000 + wall).unwrap(),
                elapsed: SignedDuration::from_secs(5000 + elapsed),
                awake: SignedDuration::from_secs(4000 + awake),
            };
            let mut clocks = Clocks::new(at(0, 0, 0));
            let told: Vec<Input> = told
                .iter()
                .map(|(seconds, slept)| Input::ClockMoved { by_ms: seconds * 1000, slept: *slept })
                .collect();
            assert_eq!(clocks.moved_to(at(wall, elapsed, awake)), told, "{wall} {elapsed} {awake}");
            assert_eq!(clocks.moved_to(at(wall + 1, elapsed + 1, awake + 1)), [], "told once");
        };
        check(1, 1, 1, &[]);
        check(3, 1, 1, &[]);
        check(60, 60, 60, &[]);
        check(7201, 7201, 1, &[(7200, true)]);
        check(7201, 1, 1, &[(7200, false)]);
        check(-259_199, 1, 1, &[(-259_200, false)]);
        check(3601 + 7200, 3601, 1, &[(3600, true), (7200, false)]);
    }
}
