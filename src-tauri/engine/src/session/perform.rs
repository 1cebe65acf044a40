//! Side effects with intent and outcome. Each looks at the world first, so performing one again after a crash is safe.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::{
    AgentName, Ballot, Check, CheckResult, CommitHash, Input, Job, JobId, JobOutcome, LandMethod, ReviewId,
    State, Subject, WorkerId,
};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{Context, confine, redact, space, verify};
use crate::beneath::Beneath;
use crate::private;
use crate::process::{CommandEnd, CommandSpec};
use crate::trees::TreeError;

/// Most characters of a check's output that are kept.
const MOST_OUTPUT: usize = 4000;

/// Performs one job and reports its outcome.
pub(super) async fn job(context: Arc<Context>, seen: watch::Receiver<State>, job: JobId, what: Job) {
    debug!(%job, ?what, "job begins");
    let seat = match &what {
        Job::Verify { review, worker, .. } => {
            let state = seen.borrow();
            state.workers.get(worker).map(|state| (*review, state.assignment.agent.clone()))
        }
        Job::PrepareTree { .. }
        | Job::Snapshot { .. }
        | Job::Check { .. }
        | Job::Merge { .. }
        | Job::Land { .. } => None,
    };
    let outcome = loop {
        let outcome = once(&context, &seen, job, what.clone()).await;
        // A full disk is no outcome of the job: it looks at the world first, so it can be done again.
        if let JobOutcome::Failed { why } = &outcome
            && space::waited(&context, &seen, why).await
        {
            continue;
        }
        break outcome;
    };
    let settled = matches!(outcome, JobOutcome::Verified { ballot: Ballot::Cast { .. } });
    context.send(Input::Performed { job, outcome }).await;
    if let Some((review, reviewer)) = seat.filter(|_| settled) {
        clear_seat(&context, seen, job, review, reviewer).await;
    }
}

/// Performs a job one time.
async fn once(context: &Arc<Context>, seen: &watch::Receiver<State>, job: JobId, what: Job) -> JobOutcome {
    match what {
        Job::Check { subject, commit, checks } => check(context, job, &subject, &commit, checks, seen).await,
        Job::Verify { review, worker, answer } => {
            verify::answer(context, seen, job, review, worker, answer).await
        }
        Job::PrepareTree { task } => {
            blocking(context, move |context| Ok(context.trees.prepare_tree(&task)?.into())).await
        }
        Job::Snapshot { task, .. } => {
            blocking(context, move |context| Ok(context.trees.snapshot(&task, job.0)?.into())).await
        }
        Job::Merge { task, commit } => {
            blocking(context, move |context| Ok(context.trees.merge(&task, &commit)?.into())).await
        }
        Job::Land { method, message } => {
            blocking(context, move |context| land(context, method, &message)).await
        }
    }
}

/// Removes a reviewer's checkout, but only when its ballot is on disk: a crash before that has it verified again, and a
/// checkout that is gone would void the verdict.
async fn clear_seat(
    context: &Arc<Context>,
    mut seen: watch::Receiver<State>,
    job: JobId,
    review: ReviewId,
    reviewer: AgentName,
) {
    if seen.wait_for(|state| !state.jobs.contains_key(&job)).await.is_err() {
        return; // the session is closed; landing removes it
    }
    let context = Arc::clone(context);
    let removed = tokio::task::spawn_blocking(move || context.trees.remove_seat(review, &reviewer)).await;
    if !matches!(removed, Ok(Ok(_))) {
        warn!(%review, ?removed, "a reviewer's checkout stays; it costs only space");
    }
}

async fn blocking(
    context: &Arc<Context>,
    work: impl FnOnce(&Context) -> Result<JobOutcome, TreeError> + Send + 'static,
) -> JobOutcome {
    let context = Arc::clone(context);
    match tokio::task::spawn_blocking(move || work(&context)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(fault)) => JobOutcome::Failed { why: fault.to_string() },
        Err(fault) => JobOutcome::Failed { why: format!("an error in the program: {fault}") },
    }
}

async fn check(
    context: &Arc<Context>,
    job: JobId,
    subject: &Subject,
    commit: &CommitHash,
    checks: Vec<Check>,
    seen: &watch::Receiver<State>,
) -> JobOutcome {
    if checks.is_empty() {
        return JobOutcome::Checked { results: Vec::new() };
    }
    let own = match subject {
        Subject::Task { task } => {
            seen.borrow().task(task).and_then(|task| task.path.clone()).map(PathBuf::from)
        }
        Subject::Validation { .. } | Subject::Session => None,
    };
    let root = match own {
        Some(path) => path, // its worker has ended: nobody writes to it
        None => match checkout(context, commit).await {
            Ok(path) => path,
            Err(why) => return JobOutcome::Failed { why },
        },
    };
    let mut results = Vec::new();
    for (number, check) in checks.into_iter().enumerate() {
        results.push(match &check {
            Check::File { path } => file(&root, path, check.clone()),
            Check::Command { run } => {
                command(context, &root, run, &format!("{job}-{number}"), check.clone()).await
            }
        });
    }
    JobOutcome::Checked { results }
}

pub(super) async fn checkout(context: &Arc<Context>, commit: &CommitHash) -> Result<PathBuf, String> {
    let (context, commit) = (Arc::clone(context), commit.clone());
    let made = tokio::task::spawn_blocking(move || context.trees.check_tree(&commit));
    made.await.map_err(|fault| fault.to_string())?.map_err(|fault| fault.to_string())
}

fn file(root: &Path, path: &str, check: Check) -> CheckResult {
    let found = Beneath::open(root).ok().and_then(|root| root.facts(path));
    let found = found.filter(|found| found.is_file() && 0 < found.len());
    let output = if found.is_some() { String::new() } else { format!("{path} is missing or empty") };
    CheckResult { check, passed: found.is_some(), exit_code: None, output }
}

pub(super) async fn command(
    context: &Arc<Context>,
    root: &Path,
    run: &str,
    name: &str,
    check: Check,
) -> CheckResult {
    let minutes = context.opened.settings.limits.check_minutes;
    let logs = context.folder.join("checks");
    if let Err(fault) = private::folder(&logs) {
        return CheckResult { check, passed: false, exit_code: None, output: fault.to_string() };
    }
    let wanted = CommandSpec {
        command: run.to_owned(),
        cwd: root.to_owned(),
        env: agents::check_env(&context.env)
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        timeout: Duration::from_secs(60 * u64::from(minutes.max(1))),
        cap: 4 * MOST_OUTPUT,
        log: logs.join(format!("{name}.log")),
        cookie: format!("{}/{name}", context.opened.session),
    };
    let log = wanted.log.clone();
    let ended = confine::command(context, wanted).await;
    let of = Arc::clone(context);
    let _ = tokio::task::spawn_blocking(move || redact::check_log(&of.secrets, &log)).await;
    match ended {
        Ok(CommandEnd { exit_code, output, timed_out, .. }) => {
            let text = agents::clean(&output);
            let text = if timed_out { format!("{text}\nstopped after {minutes} minutes") } else { text };
            let passed = exit_code == Some(0) && !timed_out;
            CheckResult { check, passed, exit_code, output: domain::tail(&text, MOST_OUTPUT) }
        }
        Err(fault) => CheckResult { check, passed: false, exit_code: None, output: fault },
    }
}

/// Which worker a file of the session's folder belongs to.
pub(super) fn stem(worker: WorkerId, agent: &str, role: &str) -> String {
    format!("{}-{agent}-{role}", worker.0)
}

/// Lands, then removes the worktrees: their commits are on the branches and private refs that stay.
fn land(context: &Context, method: LandMethod, message: &str) -> Result<JobOutcome, TreeError> {
    let landed = context.trees.land(method, message)?;
    if let Err(fault) = context.trees.remove_worktrees() {
        warn!(%fault, "worktrees stay; they cost only space");
    }
    Ok(landed.into())
}
