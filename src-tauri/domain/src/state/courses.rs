//! How jobs, decisions, questions and answers move what has to be judged along.

use jiff::Timestamp;

use super::*;
use crate::{About, Action, Ballot, Choice, JobOutcome, Rule};

impl State {
    pub(super) fn job_ended(&mut self, seq: Seq, job: crate::JobId, what: &Job, outcome: &JobOutcome) {
        match (what, outcome) {
            (Job::PrepareTree { task }, JobOutcome::TreeReady { path, branch, base }) => {
                self.edit_task(task, seq, |state| {
                    state.path = Some(path.clone());
                    state.branch = Some(branch.clone());
                    state.base = base.clone();
                    state.course.stage = Stage::Ready;
                });
            }
            (
                Job::Snapshot { task, worker, trigger, .. },
                JobOutcome::Snapshot { commit, tree, changed, conflicted },
            ) => {
                let turn = self.workers.get(worker).map(Turn::of).unwrap_or_default();
                self.edit_task(task, seq, |state| {
                    state.course.snapshot = Some((commit.clone(), tree.clone()));
                    state.changed.clone_from(changed);
                    if trigger.is_none() && state.course.stage == Stage::Settling(*worker) {
                        state.settle(conflicted, turn);
                    }
                });
            }
            (Job::Check { subject, .. }, JobOutcome::Checked { results }) => {
                self.checked(seq, job, subject, results)
            }
            (Job::Merge { task, .. }, JobOutcome::Merged { commit, tree }) => {
                self.head = commit.clone();
                self.head_tree = Some(tree.clone());
                self.touch(&Subject::Task { task: task.clone() }, seq);
            }
            (Job::Merge { task, .. }, JobOutcome::Conflicted { files }) => {
                self.edit_task(task, seq, |state| {
                    state.conflicts += 1;
                    state.course.notes.push(Note::Conflict { files: files.clone() });
                    state.course.stage = Stage::Ready;
                })
            }
            (Job::Land { .. }, JobOutcome::Landed { commit, branch }) => {
                self.landed = Some((branch.clone(), commit.clone()));
                self.session_seq = seq;
            }
            // Verified ballots are counted by an entry of their own; failures become questions.
            (
                Job::PrepareTree { .. }
                | Job::Snapshot { .. }
                | Job::Check { .. }
                | Job::Verify { .. }
                | Job::Merge { .. }
                | Job::Land { .. },
                _,
            ) => {}
        }
    }

    pub(super) fn checked(
        &mut self,
        seq: Seq,
        job: crate::JobId,
        subject: &Subject,
        results: &[crate::CheckResult],
    ) {
        let failed: Vec<_> = results.iter().filter(|result| !result.passed).cloned().collect();
        let mends = matches!(subject, Subject::Task { .. });
        self.edit_course(subject, seq, |course| {
            course.checks = results.to_vec();
            course.last_check = Some(job);
            if failed.is_empty() {
                course.stage = Stage::Checked;
                course.check_rounds = 0;
            } else {
                course.check_rounds += 1;
                course.notes.push(Note::Checks { failed: failed.clone() });
                course.stage = if mends { Stage::Ready } else { Stage::Waiting };
            }
        });
    }

    pub(super) fn decided(&mut self, seq: Seq, at: Timestamp, decision: &crate::Decision) {
        let id = decision.id;
        if let Some(review) = decision.review
            && let Some(state) = self.reviews.get_mut(&review)
        {
            state.decision = Some(id);
            state.seq = seq;
            let (subject, gate) = (state.review.subject.clone(), state.review.gate);
            let approved = (state.review.commit.clone(), state.review.tree.clone());
            let notes = self.findings_of(review);
            if decision.action == Action::Continue {
                self.approved(&subject, seq, approved);
            }
            self.edit_course(&subject, seq, |course| {
                // Findings on the way count as a round too: a worker that announces for ever does not go on for ever.
                if gate || decision.action == Action::LogWarning {
                    course.round += 1;
                }
                match decision.action {
                    Action::Continue if gate => course.stage = Stage::Approved,
                    Action::LogWarning if decision.rule == Rule::NoIndependentReviewer && gate => {
                        course.stage = Stage::Approved;
                    }
                    // All that judged approve. Work on the way goes on to a gating review, which asks everybody again.
                    Action::LogWarning if decision.rule == Rule::ReviewerMissing => {
                        if gate {
                            course.stage = Stage::Approved;
                        }
                    }
                    Action::LogWarning => {
                        course.notes.extend(notes);
                        if gate {
                            course.stage = if matches!(subject, Subject::Task { .. }) {
                                Stage::Ready
                            } else {
                                Stage::Waiting
                            };
                        }
                    }
                    // The question that follows blocks the course.
                    Action::PauseAndClarify | Action::StopAndEscalate => course.notes.extend(notes),
                    Action::Continue => {}
                }
            });
        }
        if let (None, Some(task), Action::Continue) = (decision.review, &decision.task, decision.action) {
            self.edit_task(task, seq, |state| {
                if state.course.stage == Stage::Checked {
                    state.course.stage = Stage::Approved;
                }
            });
        }
        self.decisions.insert(id, DecisionState { decision: decision.clone(), at, seq });
        self.session_seq = seq;
    }

    pub(super) fn approved(
        &mut self,
        subject: &Subject,
        seq: Seq,
        approved: (crate::CommitHash, crate::TreeHash),
    ) {
        if let Subject::Task { task } = subject {
            self.edit_task(task, seq, |state| state.approved = Some(approved));
        }
    }

    /// The findings of a review as work for its author.
    pub(super) fn findings_of(&self, review: ReviewId) -> Vec<Note> {
        let seats = self.reviews.get(&review).map_or(&[][..], |state| &state.review.seats);
        let mut notes = Vec::new();
        for seat in seats {
            if let Some(Ballot::Cast { summary, findings, verdict, .. }) = &seat.ballot
                && (*verdict != crate::Verdict::Approve || !findings.is_empty())
            {
                let (reviewer, summary, findings) =
                    (seat.reviewer.clone(), summary.clone(), findings.clone());
                notes.push(Note::Findings { review, reviewer, summary, findings });
            }
        }
        notes
    }

    pub(super) fn asked(&mut self, seq: Seq, question: crate::QuestionId, asked: &Asked) {
        let blocked = Stage::Blocked(question);
        match &asked.about {
            About::Review { review } => {
                let found =
                    self.reviews.get(review).map(|state| (state.review.subject.clone(), state.review.gate));
                if let Some((subject, gate)) = found {
                    if gate {
                        self.set_stage(&subject, seq, blocked);
                    }
                    self.touch_workers(seq);
                }
            }
            About::Failure { worker } => {
                let purpose = self.workers.get(worker).map(|state| state.assignment.purpose.clone());
                match purpose {
                    Some(Purpose::Task { task }) => self.set_stage(&Subject::Task { task }, seq, blocked),
                    Some(Purpose::Plan | Purpose::Review { .. }) | None => {}
                }
            }
            About::Job { subject, .. } => {
                if let Some(subject) = subject {
                    self.set_stage(subject, seq, blocked);
                }
            }
            About::Worker { worker, .. } | About::Command { worker, .. } => {
                self.edit_worker(*worker, seq, |_| {});
            }
            About::Plan { .. } | About::SafeMode => {}
        }
    }

    pub(super) fn answered(
        &mut self,
        seq: Seq,
        question: crate::QuestionId,
        asked: &Asked,
        choice: Choice,
        text: &str,
    ) {
        let message = (!text.trim().is_empty()).then(|| Note::Message { text: text.to_owned() });
        let subject = match &asked.about {
            About::Review { review } => self.reviews.get(review).map(|state| state.review.subject.clone()),
            About::Failure { worker } => {
                let task = self.workers.get(worker).and_then(|state| state.task().cloned());
                if let Some(key) = self.workers.get(worker).map(|state| Self::run_key(&state.assignment)) {
                    let run = self.run(key);
                    run.given_up = false;
                    run.repairs.clear();
                }
                task.map(|task| Subject::Task { task })
            }
            About::Job { subject, .. } => subject.clone(),
            About::Worker { worker, .. } => {
                self.edit_worker(*worker, seq, |_| {});
                None
            }
            About::Command { worker, command, .. } => {
                if choice == Choice::AllowSession {
                    self.allowed.insert(command.clone());
                }
                self.edit_worker(*worker, seq, |_| {});
                None
            }
            About::Plan { .. } => None,
            About::SafeMode => {
                self.safe_mode = false;
                self.crashes.clear();
                None
            }
        };
        self.touch_workers(seq);
        let Some(subject) = subject else { return };
        if let (Choice::ThirdOpinion, About::Review { review }) = (choice, &asked.about) {
            self.reopened(seq, question, *review, &subject);
            return;
        }
        let makes = matches!(subject, Subject::Task { .. });
        self.edit_course(&subject, seq, |course| {
            if course.stage == Stage::Blocked(question) {
                course.stage = after_answer(choice, makes, course);
            }
            match choice {
                Choice::Instruct => {
                    course.rounds_before = course.round;
                    course.check_rounds = 0;
                    course.notes.extend(message);
                }
                Choice::Override | Choice::Retry => course.notes.clear(),
                Choice::Approve
                | Choice::Replan
                | Choice::Abandon
                | Choice::Reply
                | Choice::HandOver
                | Choice::ThirdOpinion
                | Choice::Deny
                | Choice::AllowOnce
                | Choice::AllowSession => {}
            }
        });
        if let Subject::Task { task } = &subject {
            self.edit_task(task, seq, |state| {
                state.idle_turns = 0;
                state.conflicts = 0;
            });
        }
    }
}

impl State {
    /// A review whose decision is made anew, with one more seat: as if it had not been decided yet.
    fn reopened(
        &mut self,
        seq: Seq,
        question: crate::QuestionId,
        review: crate::ReviewId,
        subject: &Subject,
    ) {
        let Some(state) = self.reviews.get_mut(&review) else { return };
        state.decision = None;
        state.seq = seq;
        let gate = state.review.gate;
        let of_it = |note: &Note| matches!(note, Note::Findings { review: of, .. } if *of == review);
        self.edit_course(subject, seq, |course| {
            course.notes.retain(|note| !of_it(note));
            if gate {
                course.round = course.round.saturating_sub(1);
            }
            if course.stage == Stage::Blocked(question) {
                course.stage = Stage::Reviewing(review);
            }
        });
    }
}

/// Where a blocked course goes on once the user has answered.
fn after_answer(choice: Choice, makes: bool, course: &Course) -> Stage {
    match choice {
        Choice::Override => Stage::Approved,
        // After a review that had too few verdicts the same snapshot is judged again; after a failed turn the author goes on.
        Choice::Retry if !makes => Stage::Waiting,
        Choice::Retry if course.snapshot.is_some() && course.notes.is_empty() => Stage::Settled,
        Choice::Retry | Choice::Instruct | Choice::HandOver if makes => Stage::Ready,
        Choice::Instruct
        | Choice::HandOver
        | Choice::Retry
        | Choice::Approve
        | Choice::Replan
        | Choice::Abandon
        | Choice::ThirdOpinion
        | Choice::Reply
        | Choice::Deny
        | Choice::AllowOnce
        | Choice::AllowSession => Stage::Waiting,
    }
}

/// What a turn says of itself, to be held against its tree.
#[derive(Clone, Debug, Default)]
struct Turn {
    /// It says that it changed something.
    claims: bool,
    /// Files that it says it changed.
    files: Vec<String>,
    /// What it was to mend.
    work: Vec<Note>,
    /// It was to mend something.
    sent_back: bool,
}

/// Words with which a worker says that it changed something.
const CLAIMS: [&str; 14] = [
    "added",
    "adjusted",
    "changed",
    "corrected",
    "created",
    "fixed",
    "implemented",
    "mended",
    "removed",
    "renamed",
    "replaced",
    "updated",
    "written",
    "wrote",
];
/// Words that take it back: it disagrees, or nothing was to be done.
const DENIES: [&str; 6] = ["no change", "not change", "nothing", "unchanged", "disagree", "already"];

impl Turn {
    /// Its own tools tell of files that they wrote; else its words count, because reviewers cost more than being sent back
    /// once in vain.
    fn of(worker: &WorkerState) -> Self {
        let Some(told) = &worker.told else { return Self::default() };
        let answer = told.answer.to_lowercase();
        let has = |list: &[&str]| list.iter().any(|word| answer.contains(word));
        let work = worker.assignment.notes.iter().filter(|note| !matches!(note, Note::SaidChanged { .. }));
        Self {
            claims: !told.files_changed.is_empty() || (has(&CLAIMS) && !has(&DENIES)),
            files: told.files_changed.clone(),
            work: work.cloned().collect(),
            sent_back: !worker.assignment.notes.is_empty(),
        }
    }
}

impl TaskState {
    pub(super) fn new(task: Task, seq: Seq) -> Self {
        Self {
            task,
            course: Course::default(),
            path: None,
            branch: None,
            base: crate::CommitHash::default(),
            changed: Vec::new(),
            approved: None,
            waiting_triggers: Vec::new(),
            milestones: 0,
            tree_before: None,
            idle_turns: 0,
            conflicts: 0,
            attempts: 0,
            authors: Vec::new(),
            seq,
        }
    }

    /// Whoever did something on it is an author for good: it cannot judge it any more.
    pub(super) fn authored(&mut self, agent: Option<crate::AgentName>) {
        self.authors.extend(agent.filter(|agent| !self.authors.contains(agent)));
    }

    /// The end of a turn, once its tree is known: post-conditions before anything is checked.
    fn settle(&mut self, conflicted: &[String], turn: Turn) {
        // One that goes on from a snapshot may have nothing left to do; one that was sent back has.
        let as_before = self.course.snapshot.as_ref().map(|(_, tree)| tree) == self.tree_before.as_ref();
        let unchanged = self.changed.is_empty() || (as_before && turn.sent_back);
        if !conflicted.is_empty() {
            self.conflicts += 1;
            self.course.notes.push(Note::Conflict { files: conflicted.to_vec() });
            self.course.stage = Stage::Ready;
        } else if turn.claims && unchanged {
            self.idle_turns += 1;
            self.course.notes.extend(turn.work);
            self.course.notes.push(Note::SaidChanged { files: turn.files });
            self.course.stage = Stage::Ready;
        } else if self.changed.is_empty() {
            self.idle_turns += 1;
            self.course.notes.push(Note::NothingChanged);
            self.course.stage = Stage::Ready;
        } else {
            self.idle_turns = 0;
            self.course.stage = Stage::Settled;
        }
    }
}
