//! What follows from a failure: a repair by rule, or a person (SPEC section 8).

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::{
    AgentName, AtQuota, ExitCause, Failed, Failure, Purpose, Repair, RunKey, State, Vendor, WorkerId,
};

/// Window of the rate of repairs of one task (SPEC section 8).
const TASK_WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// Window of the rate of repairs of a session (SPEC section 8).
const SESSION_WINDOW: SignedDuration = SignedDuration::from_hours(1);
/// Wait before the second try of a rate limit whose end is not known.
pub(crate) const UNKNOWN_LIMIT: SignedDuration = SignedDuration::from_secs(60);
/// Longest wait between two tries of something that is expected to pass (SUPERVISION section 8).
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_secs(60);

/// What follows from a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Do this, by rule.
    Repair(Repair),
    /// It was stopped by us: no failure, the work goes on when it may.
    GoOn,
    /// Only a person can go on; why, in a sentence.
    Person(String),
}

/// The table: class of failure, what was tried, what is allowed → what follows.
#[must_use]
pub fn next(state: &State, worker: WorkerId, failed: &Failed, now: Timestamp) -> Next {
    if failed.failure == Failure::Cancelled {
        return Next::GoOn;
    }
    let (Some(opened), Some(ended)) = (&state.opened, state.workers.get(&worker)) else {
        return Next::Person("the worker is unknown".to_owned());
    };
    // We died, not the worker. What bounds a crash loop of ours is the safe mode.
    if ended.end.as_ref().is_some_and(|(exit, _)| exit.cause == ExitCause::Orphaned) {
        return Next::GoOn;
    }
    let key = State::run_key(&ended.assignment);
    let run = state.runs.get(&key).cloned().unwrap_or_default();
    let rules = &opened.settings.recovery;
    let since = |at: &Timestamp, window| now.duration_since(*at) < window;
    let of_task = run.repairs.iter().filter(|at| since(at, TASK_WINDOW)).count();
    if rules.per_task as usize <= of_task {
        return Next::Person(format!("{of_task} repairs in ten minutes did not help"));
    }
    let of_session = state.recoveries.values().filter(|recovery| since(&recovery.at, SESSION_WINDOW)).count();
    if rules.per_session as usize <= of_session {
        return Next::Person(format!("{of_session} repairs in an hour are the most for one session"));
    }
    let tried = |class: &Failure| {
        let same = |recovery: &&crate::RecoveryState| {
            recovery.failed.failure == *class
                && state.workers.get(&recovery.worker).is_some_and(|w| State::run_key(&w.assignment) == key)
        };
        u32::try_from(state.recoveries.values().filter(same).count()).unwrap_or(u32::MAX)
    };
    let again = |limit: u32, why: &str, repair: Repair| {
        if tried(&failed.failure) < limit { Next::Repair(repair) } else { Next::Person(why.to_owned()) }
    };
    match &failed.failure {
        Failure::Cancelled => Next::GoOn,
        Failure::OutsideWorkspace { path } | Failure::Permission { path: Some(path) } => {
            match allowed_directory(state, path).filter(|directory| !run.extra_dirs.contains(directory)) {
                Some(path) => Next::Repair(Repair::AddDirectory { path }),
                None => Next::Person(format!("it needs {path}, which lies outside of what you allowed")),
            }
        }
        Failure::Permission { path: None } => Next::Person("a tool was refused".to_owned()),
        Failure::NotGitRepository if !run.skip_git_check => Next::Repair(Repair::SkipGitCheck),
        Failure::NotGitRepository => Next::Person("it still asks for a git repository".to_owned()),
        Failure::RateLimited { resets_at } => {
            let limits_before = limits_of(state, &key);
            let unknown = later(now, UNKNOWN_LIMIT * (1 << limits_before.min(6)));
            // A reset that has passed already is none: asking again at once would be a loop.
            let until = resets_at.filter(|at| now < *at).unwrap_or(unknown);
            match (rules.at_quota, successor(state, worker, now)) {
                (AtQuota::HandOver, Some(to)) => Next::Repair(Repair::HandOver { to }),
                (AtQuota::Ask, _) => Next::Person(format!("its quota is used up until {until:.0}")),
                (AtQuota::Wait | AtQuota::HandOver, _) => wait(until, rules.wait_minutes, now),
            }
        }
        Failure::Overloaded | Failure::Network => {
            let until = later(now, backoff(tried(&failed.failure), now));
            again(rules.per_task, "it could not be reached for several tries", Repair::Wait { until })
        }
        Failure::ContextFull => again(1, "its context is full again", Repair::Fresh),
        Failure::Truncated | Failure::Crashed | Failure::Hung => {
            let repair = if ended.session.is_some() { Repair::Resume } else { Repair::Fresh };
            again(1, "it failed again after it was resumed", repair)
        }
        Failure::Refused | Failure::CliLimit => again(1, "it gave no answer twice", Repair::Fresh),
        Failure::NotSignedIn => Next::Person("it is not signed in".to_owned()),
        Failure::Billing => match (rules.at_quota, successor(state, worker, now)) {
            (AtQuota::HandOver, Some(to)) => Next::Repair(Repair::HandOver { to }),
            (AtQuota::Wait | AtQuota::HandOver | AtQuota::Ask, _) => {
                Next::Person("it has no credit".to_owned())
            }
        },
        Failure::Model => Next::Person("its model is not to be had".to_owned()),
        // What it refused may be the session that it was to continue: a person could do nothing about that.
        Failure::Config if ended.assignment.resume.is_some() => {
            again(1, "it refused its flags or settings", Repair::Fresh)
        }
        Failure::Config => Next::Person("it refused its flags or settings".to_owned()),
        Failure::Limit => Next::Person("it crossed a limit".to_owned()),
    }
}

fn wait(until: Timestamp, most_minutes: u32, now: Timestamp) -> Next {
    if until.duration_since(now) <= SignedDuration::from_mins(i64::from(most_minutes)) {
        Next::Repair(Repair::Wait { until })
    } else {
        Next::Person(format!("its limit ends only at {until:.0}"))
    }
}

/// How often launches for a purpose ran into a limit whose end was not told, each time with another class value.
fn limits_of(state: &State, key: &RunKey) -> u32 {
    let same = |recovery: &&crate::RecoveryState| {
        matches!(recovery.failed.failure, Failure::RateLimited { .. })
            && state.workers.get(&recovery.worker).is_some_and(|w| State::run_key(&w.assignment) == *key)
    };
    u32::try_from(state.recoveries.values().filter(same).count()).unwrap_or(u32::MAX)
}

/// Who could take a worker's place: an agent of another vendor that is not out of quota itself. A task goes to nobody when
/// no vendor would be left that could judge it, a seat to nobody who made something of what is judged (SPEC section 7).
#[must_use]
pub fn successor(state: &State, worker: WorkerId, now: Timestamp) -> Option<AgentName> {
    let assignment = &state.workers.get(&worker)?.assignment;
    let own = state.vendor(&assignment.agent)?;
    let mut excluded: BTreeSet<Vendor> = [own].into();
    let mut involved = BTreeSet::new();
    match &assignment.purpose {
        Purpose::Plan => {}
        Purpose::Task { task } => involved = state.vendors_of_task(state.task(task)?),
        Purpose::Review { review } => {
            let review = &state.reviews.get(review)?.review;
            let seat = review.seats.iter().find(|seat| seat.reviewer == assignment.agent)?;
            let judged = seat.scope.iter().filter_map(|id| state.task(id));
            excluded.extend(judged.flat_map(|task| state.vendors_of_task(task)));
            excluded.extend(review.seats.iter().map(|seat| seat.vendor));
        }
    }
    let someone_can_judge = |vendor: Vendor| {
        let makes = matches!(assignment.purpose, Purpose::Task { .. });
        !makes || state.vendors().iter().any(|other| *other != vendor && !involved.contains(other))
    };
    let free = state.agents().iter().filter(|agent| {
        let vendor = agent.dialect.vendor();
        !excluded.contains(&vendor) && !state.gated(&agent.name, now) && someone_can_judge(vendor)
    });
    free.min_by_key(|agent| judges(state, &agent.name, &assignment.purpose)).map(|agent| agent.name.clone())
}

/// Whether an agent sits in an open review of this task: it had better stay its judge.
fn judges(state: &State, agent: &AgentName, purpose: &Purpose) -> bool {
    let Purpose::Task { task } = purpose else { return false };
    state.reviews.values().any(|review| {
        review.decision.is_none()
            && review.review.subject.task() == Some(task)
            && review.review.seats.iter().any(|seat| seat.reviewer == *agent)
    })
}

/// The folder that the user allowed and that holds `path`: the target, the session's own folder, or one of the settings.
fn allowed_directory(state: &State, path: &str) -> Option<String> {
    let opened = state.opened.as_ref()?;
    let clean = !path.split(['/', '\\']).any(|part| part == "..");
    let allowed = [&opened.target, &opened.folder].into_iter().chain(&opened.settings.directories);
    let inside = |root: &&String| {
        let root = root.trim_end_matches('/');
        clean && path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    allowed.filter(inside).max_by_key(|root| root.len()).cloned()
}

/// 1 s, 2 s, 4 s … up to a minute, of which a random half is left out (full jitter needs no more than the clock's own noise).
fn backoff(tries: u32, now: Timestamp) -> SignedDuration {
    let most = (SignedDuration::from_secs(1) * (1 << tries.min(10))).min(LONGEST_BACKOFF);
    let noise = now.subsec_nanosecond().unsigned_abs() % 1000;
    let part = most.as_millis() / 2 + most.as_millis() * i128::from(noise) / 2000;
    SignedDuration::from_millis(i64::try_from(part).unwrap_or(i64::MAX))
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(now)
}
