//! Caps of a session: what is spent, what is left, what follows (SPEC section 9).

use jiff::Timestamp;

use crate::State;

/// The limits of a session, by the names they have in the settings.
pub const NAMES: [&str; 4] = ["tokens", "cost_usd", "workers", "session_minutes"];

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
    let minutes = now.duration_since(state.began).as_secs_f64() / 60.0;
    let share = |part: f64, cap: f64| if cap <= 0.0 { 0.0 } else { 100.0 * part / cap };
    #[expect(clippy::cast_precision_loss, reason = "a share in percent needs no more than 52 bits")]
    let tokens = share((spent.input + spent.output) as f64, caps.tokens as f64);
    let workers = u32::try_from(state.workers.len()).unwrap_or(u32::MAX);
    [
        ("tokens", tokens),
        ("cost_usd", share(spent.cost_usd.unwrap_or(0.0), caps.cost_usd)),
        ("workers", share(f64::from(workers), f64::from(caps.workers))),
        ("session_minutes", share(minutes, f64::from(caps.session_minutes))),
    ]
}
