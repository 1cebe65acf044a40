//! What becomes of a reviewer's answer: whether it left the tree alone, what of its evidence holds, what it looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use agents::Secrets;
use domain::{
    AgentEvent, AgentName, Answer, Ballot, Check, CheckedFinding, Coverage, Event, JobId, JobOutcome,
    Progress, Rerun, Review, Seq, State, Told, ToolOutcome, WorkerId,
};
use tokio::sync::watch;
use tracing::warn;

use super::{Context, perform};
use crate::evidence;
use crate::journal;
use crate::trees::TreeError;

/// Entries of the journal that are searched for what a reviewer's tools did, from its request on.
const LOOKED_AT: usize = 20_000;
/// Most check commands that one answer can have run again.
const MOST_RERUNS: usize = 3;

/// What the state knows of a seat; taken from it, so that the looking needs no state.
struct Seat {
    reviewer: AgentName,
    review: Review,
    /// What the streams of the seat's workers told.
    told: Vec<Told>,
    /// Its workers, and the entry that asked for the first.
    workers: Vec<WorkerId>,
    since: Seq,
    /// The check commands of the project and of what is reviewed.
    checks: Vec<String>,
    /// Files that the reviewer is to judge; all that changed when empty.
    scope: Vec<String>,
}

/// Verifies an answer; looks at the world only, so it can be done again.
pub(super) async fn answer(
    context: &Arc<Context>,
    seen: &watch::Receiver<State>,
    job: JobId,
    review: domain::ReviewId,
    worker: WorkerId,
    answer: Answer,
) -> JobOutcome {
    let Some(seat) = Seat::of(&seen.borrow(), review, worker) else {
        return JobOutcome::Failed { why: "the review is unknown".to_owned() };
    };
    let commit = seat.review.commit.clone();
    let checks = seat.checks.clone();
    let looked = {
        let context = Arc::clone(context);
        tokio::task::spawn_blocking(move || seat.look(&context, answer)).await
    };
    let mut ballot = match looked {
        Ok(Ok(ballot)) => ballot,
        Ok(Err(fault)) => return JobOutcome::Failed { why: fault.to_string() },
        Err(fault) => return JobOutcome::Failed { why: format!("an error in the program: {fault}") },
    };
    if let Ballot::Cast { findings, .. } = &mut ballot {
        let mut known: Vec<Rerun> = Vec::new();
        for checked in findings.iter_mut() {
            let Some(cited) = evidence::cited(&checked.finding, &checks) else { continue };
            if let Some(rerun) = known.iter().find(|rerun| rerun.command == cited) {
                checked.rerun = Some(rerun.clone());
            } else if known.len() < MOST_RERUNS {
                let name = format!("{job}-{}", known.len());
                checked.rerun = rerun(context, &commit, cited, &name).await;
                known.extend(checked.rerun.clone());
            }
        }
    }
    JobOutcome::Verified { ballot }
}

/// A check command of the project, run again in a clean checkout of the reviewed commit. `None` when there is none to be
/// had: then nothing is known, and nothing is said.
async fn rerun(context: &Arc<Context>, commit: &domain::CommitHash, run: &str, name: &str) -> Option<Rerun> {
    let root = match perform::checkout(context, commit).await {
        Ok(root) => root,
        Err(why) => {
            warn!(%why, "a cited check was not run again");
            return None;
        }
    };
    let check = Check::Command { run: run.to_owned() };
    let result = perform::command(context, &root, run, name, check).await;
    Some(Rerun { command: run.to_owned(), passed: result.passed, exit_code: result.exit_code })
}

/// Changed files whose names look as if they held a secret: what the reviewer's words have by now, and what they are.
/// Else an author could keep findings on a file from being found by the file's name.
fn renamed(secrets: &Secrets, changed: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut renamed = BTreeMap::<String, Vec<String>>::new();
    for file in changed {
        let name = secrets.redact(file);
        if name != *file {
            renamed.entry(name.into_owned()).or_default().push(file.clone());
        }
    }
    renamed
}

impl Seat {
    fn of(state: &State, review: domain::ReviewId, worker: WorkerId) -> Option<Self> {
        let review = state.reviews.get(&review)?.review.clone();
        let reviewer = state.workers.get(&worker)?.assignment.agent.clone();
        let seat = review.seats.iter().find(|seat| seat.workers.contains(&worker))?;
        let own = || seat.workers.iter().filter_map(|id| state.workers.get(id));
        let told = own().filter_map(|worker| worker.told.clone()).collect();
        let since = own().map(|worker| worker.requested).min().unwrap_or_default();
        let project = state.opened.as_ref().map(|opened| opened.checks.clone()).unwrap_or_default();
        let subject = state.checks_of(&review.subject).into_iter().filter_map(|check| match check {
            Check::Command { run } => Some(run),
            Check::File { .. } => None,
        });
        let checks = project.into_iter().chain(subject).collect();
        let scope = match &review.subject {
            domain::Subject::Task { .. } => Vec::new(),
            domain::Subject::Validation { .. } | domain::Subject::Session => {
                let tasks = seat.scope.iter().filter_map(|id| state.task(id));
                tasks.flat_map(|task| task.changed.clone()).collect()
            }
        };
        let workers = seat.workers.clone();
        Some(Self { reviewer, review, told, workers, since, checks, scope })
    }

    /// Evidence against the frozen tree, and whether the reviewer left that tree alone. Waits for git.
    fn look(&self, context: &Context, answer: Answer) -> Result<Ballot, TreeError> {
        let (trees, review) = (&context.trees, &self.review);
        if !trees.seat_untouched(review.id, &self.reviewer, &review.commit, &review.tree)? {
            let why = "it wrote to the tree it was to judge, which voids its verdict".to_owned();
            return Ok(Ballot::Void { why });
        }
        let root = trees.freeze_seat(review.id, &self.reviewer, &review.commit)?;
        let uses = self.tool_uses(context);
        if let Some(file) = self.write_attempts(&root, &uses).into_iter().next() {
            let file = domain::one_line(&file, 200);
            let why =
                format!("it tried to write to the tree it was to judge ({file}), which voids its verdict");
            return Ok(Ballot::Void { why });
        }
        let changed = trees.diff(&review.base, &review.commit, &self.scope)?.files;
        let changed: Vec<String> = changed.into_iter().map(|file| file.path).collect();
        let renamed = renamed(&context.secrets, &changed);
        let findings: Vec<CheckedFinding> =
            evidence::check_all(trees, &review.commit, answer.findings, &context.secrets, &renamed)?;
        // As the reviewer's words have them by now.
        let changed: Vec<String> =
            changed.iter().map(|file| context.secrets.redact(file).into_owned()).collect();
        let coverage = Some(self.coverage(&root, &uses, &changed, &answer.files_read));
        Ok(Ballot::Cast {
            verdict: answer.verdict,
            summary: agents::clean(&answer.summary),
            findings,
            files_read: answer.files_read,
            tree: review.tree.clone(),
            coverage,
        })
    }

    /// What the journal tells of the tools that the seat's workers used. A journal that cannot be read now tells nothing.
    fn tool_uses(&self, context: &Context) -> Vec<Progress> {
        let before = Seq(self.since.0.saturating_sub(1));
        let entries = journal::read_range(&context.folder, before, LOOKED_AT).unwrap_or_default();
        let own = entries.into_iter().filter_map(|entry| {
            let Event::WorkerSaid { worker, said: AgentEvent::Progress(progress), .. } = entry.event else {
                return None;
            };
            self.workers.contains(&worker).then_some(progress)
        });
        own.filter(|progress| progress.tool.is_some()).collect()
    }

    /// Files of the frozen tree that its writing tools named, whether they got through or not.
    fn write_attempts(&self, root: &Path, uses: &[Progress]) -> BTreeSet<String> {
        let writes =
            |use_: &&Progress| use_.tool.as_ref().is_some_and(|tool| agents::is_writing_tool(&tool.name));
        let tried = uses.iter().filter(writes).filter_map(|use_| use_.file.as_deref());
        let told = self.told.iter().flat_map(|told| told.files_changed.iter().map(String::as_str));
        tried.chain(told).filter_map(|file| evidence::inside(root, file)).collect()
    }

    fn coverage(&self, root: &Path, uses: &[Progress], changed: &[String], claimed: &[String]) -> Coverage {
        let told = self.told.iter().flat_map(|told| told.files_read.iter());
        let mut read: BTreeSet<String> = told.filter_map(|file| evidence::inside(root, file)).collect();
        let ran = uses.iter().filter_map(|use_| use_.tool.as_ref());
        let ran =
            ran.filter(|tool| tool.outcome == ToolOutcome::Ok).filter_map(|tool| tool.command.as_deref());
        let commands: Vec<&str> = ran.collect();
        let named = |file: &str| commands.iter().any(|command| evidence::names(command, file));
        let looked = changed.iter().chain(claimed).filter(|file| named(file));
        read.extend(looked.filter_map(|file| evidence::inside(root, file)));
        let unread = changed.iter().filter(|file| !read.contains(*file)).cloned().collect();
        let claims = claimed.iter().filter_map(|file| evidence::inside(root, file));
        let only_claimed = claims.filter(|file| !read.contains(file)).collect::<BTreeSet<_>>();
        Coverage {
            unread,
            only_claimed: only_claimed.into_iter().collect(),
            read: read.into_iter().collect(),
        }
    }
}
