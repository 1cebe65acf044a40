//! What a prompt needs beyond the state: the diff, documents, the list of files. Read from commits, never from a
//! checkout that somebody may be writing to.

use std::path::PathBuf;

use domain::{CommitHash, Event, Material, Purpose, ReviewId, Role, Seq, State, Subject, TaskId, WorkerId};

use super::Context;
use crate::trees::TreeError;

/// Most documents handed to one worker.
const MOST_DOCUMENTS: usize = 12;
/// Most events told to somebody who goes on from another's work.
const MOST_EVENTS: usize = 20;
/// Entries that are searched for them, from the newest.
const LOOKED_AT: usize = 4000;

/// Why nothing can be launched yet.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoMaterial {
    /// What the trees say.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The task's tree was not what the last turn left, so its CLI session cannot be continued.
    #[error(
        "the worktree was made anew from its last snapshot, because it was not what the last turn left: {0}"
    )]
    TreeMadeAnew(String),
}

/// What has to be looked up for one worker; taken from the state, so that the looking up needs no state.
pub(super) enum Wanted {
    /// The lead: a checkout of the base, the list of its files.
    Plan { seat: domain::AgentName, base: CommitHash },
    /// An author: its worktree, the architects' documents.
    Task { task: TaskId, path: PathBuf, documents: Vec<String>, head: CommitHash, before: Option<Before> },
    /// A reviewer: a frozen checkout, the diff of what it may judge.
    Review {
        review: ReviewId,
        seat: domain::AgentName,
        base: CommitHash,
        commit: CommitHash,
        paths: Vec<String>,
    },
}

/// Work that an author goes on from without remembering it.
pub(super) struct Before {
    worker: WorkerId,
    /// The last entry known.
    seq: Seq,
    /// From the task's base to what was kept of it.
    kept: Option<(CommitHash, CommitHash)>,
}

/// What a worker's prompt needs. `None` when the state knows no such worker, or its task has no tree.
pub(super) fn wanted(state: &State, worker: WorkerId) -> Option<Wanted> {
    let assignment = &state.workers.get(&worker)?.assignment;
    match &assignment.purpose {
        Purpose::Plan => {
            let base = state.opened.as_ref()?.trees.base().clone();
            Some(Wanted::Plan { seat: assignment.agent.clone(), base })
        }
        Purpose::Task { task } => {
            let found = state.task(task)?;
            let path = PathBuf::from(found.path.as_ref()?);
            let documents = documents(state, task);
            let kept = found.course.snapshot.as_ref().map(|(commit, _)| (found.base.clone(), commit.clone()));
            let after = assignment.after.filter(|_| assignment.resume.is_none());
            let before = after.map(|worker| Before { worker, seq: state.seq, kept });
            Some(Wanted::Task { task: task.clone(), path, documents, head: state.head.clone(), before })
        }
        Purpose::Review { review } => {
            let review = &state.reviews.get(review)?.review;
            let seat = review.seats.iter().find(|seat| seat.reviewer == assignment.agent)?;
            let paths = match &review.subject {
                Subject::Task { .. } => Vec::new(),
                Subject::Validation { .. } | Subject::Session => {
                    let mut paths: Vec<String> = seat
                        .scope
                        .iter()
                        .filter_map(|id| state.task(id))
                        .flat_map(|task| task.changed.clone())
                        .collect();
                    paths.sort();
                    paths.dedup();
                    paths
                }
            };
            let (base, commit) = (review.base.clone(), review.commit.clone());
            Some(Wanted::Review { review: review.id, seat: seat.reviewer.clone(), base, commit, paths })
        }
    }
}

/// Documents of all architects before a task, as far as they are merged.
fn documents(state: &State, task: &TaskId) -> Vec<String> {
    let (mut open, mut seen, mut found) = (vec![task.clone()], Vec::new(), Vec::new());
    while let Some(id) = open.pop() {
        let Some(at) = state.task(&id).filter(|_| !seen.contains(&id)) else { continue };
        if at.task.role == Role::Architect && id != *task {
            found.extend(at.changed.iter().filter(|path| path.to_lowercase().ends_with(".md")).cloned());
        }
        open.extend(at.task.depends_on.iter().cloned());
        seen.push(id);
    }
    found.sort();
    found.dedup();
    found.truncate(MOST_DOCUMENTS);
    found
}

/// Looks it up. Waits for git: to be called where waiting is allowed.
pub(super) fn look_up(context: &Context, wanted: Wanted) -> Result<Material, NoMaterial> {
    let trees = &context.trees;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    match wanted {
        Wanted::Plan { seat, base } => {
            // The lead reads a checkout of its own: it must not be able to change the user's by accident.
            let cwd = text(trees.freeze_seat(PLAN_SEAT, &seat, &base)?);
            Ok(Material { cwd, files: trees.list(&base)?, ..Material::default() })
        }
        Wanted::Task { task, path, documents, head, before } => {
            if let Some(wrong) = trees.take_up(&task, &path)? {
                return Err(NoMaterial::TreeMadeAnew(wrong));
            }
            let mut read = Vec::new();
            for name in documents {
                if let Some(bytes) = trees.file_at(&head, &name)? {
                    read.push((name, String::from_utf8_lossy(&bytes).into_owned()));
                }
            }
            let events = before.as_ref().map(|before| last_events(context, before)).unwrap_or_default();
            let diff = match before.and_then(|before| before.kept) {
                Some((base, commit)) => trees.diff(&base, &commit, &[])?.text,
                None => String::new(),
            };
            Ok(Material { cwd: text(path), documents: read, diff, events, ..Material::default() })
        }
        Wanted::Review { review, seat, base, commit, paths } => {
            let cwd = text(trees.freeze_seat(review, &seat, &commit)?);
            let diff = trees.diff(&base, &commit, &paths)?.text;
            Ok(Material { cwd, diff, ..Material::default() })
        }
    }
}

/// What a worker did last, in words. Only for orientation: a journal that cannot be read now leaves it empty.
fn last_events(context: &Context, before: &Before) -> Vec<String> {
    let from = Seq(before.seq.0.saturating_sub(LOOKED_AT as u64));
    let entries = crate::journal::read_range(&context.folder, from, LOOKED_AT).unwrap_or_default();
    let nobody = State::default();
    let own = entries.iter().filter(|entry| {
        matches!(&entry.event, Event::WorkerSaid { worker, .. } | Event::WorkerCalled { worker, .. }
            if *worker == before.worker)
    });
    let mut lines: Vec<String> = own
        .filter_map(|entry| domain::timeline(&nobody, entry))
        .map(|item| domain::head(&item.text, 200))
        .collect();
    lines.drain(..lines.len().saturating_sub(MOST_EVENTS));
    lines
}

/// The lead's checkout is kept like a reviewer's; reviews count from 1.
const PLAN_SEAT: ReviewId = ReviewId(0);
