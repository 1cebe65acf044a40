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

/// A limit of a session as people say it: `480 minutes`.
#[must_use]
pub fn whole(state: &State, limit: &str) -> String {
    let caps = state.opened.as_ref().map(|opened| opened.settings.limits.clone()).unwrap_or_default();
    match limit {
        "tokens" => format!("{} tokens", caps.tokens),
        "cost_usd" => format!("{} US dollars", caps.cost_usd),
        "workers" => format!("{} workers", caps.workers),
        _ => format!("{} minutes", caps.session_minutes),
    }
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

/// What a worker used of the limit that stopped it, for people; from the journal's words: `worker_tokens: 501200 of 500000`.
#[must_use]
pub fn in_words(text: &str) -> String {
    let parts = || {
        let (limit, amounts) = text.split_once(": ")?;
        let (used, cap) = amounts.split_once(" of ")?;
        Some(match limit {
            "worker_tokens" => format!("{} of {} tokens", large(used)?, large(cap)?),
            "worker_cost_usd" => format!("${used} of ${cap}"),
            "worker_turns" => format!("{used} of {cap} turns"),
            "worker_minutes" => format!("{used} of {cap} minutes"),
            _ => return None,
        })
    };
    parts().unwrap_or_else(|| text.to_owned())
}

/// `812k`, `1.2M`.
fn large(number: &str) -> Option<String> {
    let number: f64 = number.parse().ok()?;
    Some(match number {
        n if n < 1e3 => format!("{n:.0}"),
        n if n < 1e6 => format!("{:.0}k", n / 1e3),
        n => format!("{:.1}M", n / 1e6),
    })
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

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn a_crossed_limit_is_told_in_words() {
        let check = |text: &str, wanted: &str| assert_eq!(in_words(text), wanted);
        check("worker_tokens: 501200 of 500000", "501k of 500k tokens");
        check("worker_tokens: 20000001 of 20000000", "20.0M of 20.0M tokens");
        check("worker_cost_usd: 5.02 of 5", "$5.02 of $5");
        check("worker_turns: 400 of 400", "400 of 400 turns");
        check("worker_minutes: 120 of 120", "120 of 120 minutes");
        // What others say of other limits stays as it is.
        check("its memory: 9 GiB of 8 GiB", "its memory: 9 GiB of 8 GiB");
        check("killed", "killed");
    }
}
