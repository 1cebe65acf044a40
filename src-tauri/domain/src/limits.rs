//! Caps of a session and of each worker: what is spent, what is left, what follows (SPEC section 9).
//!
//! Memory, processor time and processes of a worker are its guardian's to watch; wall time, output and silence its driver's.

use jiff::Timestamp;

use crate::{State, WorkerState};

/// The limits of a session, by the names they have in the settings.
pub const NAMES: [&str; 4] = ["tokens", "cost_usd", "workers", "session_minutes"];

/// The limits of a worker that its stream tells of, by the names they have in the settings.
pub const WORKER_NAMES: [&str; 4] = ["worker_tokens", "worker_cost_usd", "worker_turns", "worker_minutes"];

/// Share of a limit at which the user is warned, in percent (SPEC section 9).
pub const NOTICE_PERCENT: f64 = 80.0;

/// How much of each limit is used, in percent. A limit of 0 is none.
#[must_use]
pub fn used(state: &State, now: Timestamp) -> [(&'static str, f64); 4] {
    let Some(opened) = &state.opened else {
        return NAMES.map(|name| (name, 0.0));
    };
    let caps = &opened.settings.limits;
    let (spent, _) = state.spent();
    let workers = u32::try_from(state.workers.len()).unwrap_or(u32::MAX);
    [
        ("tokens", share(count(spent.input + spent.output), count(caps.tokens))),
        ("cost_usd", share(spent.cost_usd.unwrap_or(0.0), caps.cost_usd)),
        ("workers", share(f64::from(workers), f64::from(caps.workers))),
        ("session_minutes", share(minutes(state.began, now), f64::from(caps.session_minutes))),
    ]
}

/// What a worker has used of one of its limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Used {
    /// The limit, by its name in the settings.
    pub limit: &'static str,
    /// What is used, in the limit's unit.
    pub used: f64,
    /// The limit.
    pub cap: f64,
}

impl Used {
    /// In percent of the limit.
    #[must_use]
    pub fn percent(&self) -> f64 {
        share(self.used, self.cap)
    }
}

/// How much of each of its own limits a worker has used. The guardian stops it at the wall time; here it is only warned of.
#[must_use]
pub fn used_by(state: &State, worker: &WorkerState, now: Timestamp) -> [Used; 4] {
    let Some(opened) = &state.opened else {
        return WORKER_NAMES.map(|limit| Used { limit, used: 0.0, cap: 0.0 });
    };
    let caps = &opened.settings.limits;
    let [tokens, cost, turns, wall] = WORKER_NAMES;
    [
        Used {
            limit: tokens,
            used: count(worker.usage.input + worker.usage.output),
            cap: count(caps.worker_tokens),
        },
        Used { limit: cost, used: state.cost_of(worker).unwrap_or(0.0), cap: caps.worker_cost_usd },
        Used { limit: turns, used: f64::from(worker.turns), cap: f64::from(caps.worker_turns) },
        Used { limit: wall, used: minutes(worker.began, now), cap: f64::from(caps.worker_minutes) },
    ]
}

fn share(part: f64, cap: f64) -> f64 {
    if cap <= 0.0 { 0.0 } else { 100.0 * part / cap }
}

/// From one time to another; nothing when the clock was set back in between.
fn minutes(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_secs_f64() / 60.0).max(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "a share in percent needs no more than 52 bits")]
fn count(tokens: u64) -> f64 {
    tokens as f64
}
