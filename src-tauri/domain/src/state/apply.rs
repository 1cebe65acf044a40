//! The one place where a state changes.

use super::{
    Course, DecisionState, PlanState, QuestionState, RecoveryState, ReviewState, Run, RunKey, Stage, State,
    TaskState, WorkerState,
};
use crate::{
    About, Action, AgentEvent, AnswerRow, Asked, Assignment, Ballot, Choice, Entry, Event, Exit, Failed, Job,
    JobOutcome, Note, Purpose, Repair, ReviewId, Rule, Seq, StatusKind, Subject, Task, TaskId, ToolOutcome,
    Trigger, WorkerId,
};
use jiff::Timestamp;

impl State {
    /// Folds one entry in; nothing else changes a state.
    pub fn apply(&mut self, entry: &Entry) {
        let (seq, at) = (entry.seq, entry.at);
        self.seq = seq;
        self.last = at;
        match &entry.event {
            Event::SessionOpened { opened } => {
                self.began = at;
                self.head = opened.trees.base().clone();
                self.opened = Some((**opened).clone());
                self.session_seq = seq;
            }
            Event::SessionResumed { .. } => {
                self.ended = None;
                self.stopping = None;
                self.resuming = true;
                self.session_seq = seq;
            }
            Event::SessionReady => self.resuming = false,
            Event::Warned { text } => self.warnings.push((seq, at, text.clone())),
            Event::LimitWarned { limit } => self.limit_warned(limit),
            Event::PlanProposed { version, plan, by } => {
                let (version, plan, by) = (*version, plan.clone(), by.clone());
                self.plan = Some(PlanState { version, plan, by, approved: None, rejected: false, seq });
                self.session_seq = seq;
            }
            Event::PlanRefused { fault, .. } => {
                self.plan_refusals += 1;
                self.run(RunKey::Plan).fault = Some(fault.clone());
            }
            Event::PlanApproved { by, .. } => self.plan_approved(seq, by),
            Event::PlanRejected { comment, .. } => {
                self.plan_comments.push(comment.clone());
                self.plan_refusals = 0;
                if let Some(plan) = &mut self.plan {
                    plan.rejected = true;
                    plan.seq = seq;
                }
            }
            Event::TaskAdded { task, notes, before } => self.task_added(seq, task, notes, before),
            Event::WorkerRequested { worker, assignment } => {
                self.worker_requested(seq, at, *worker, assignment)
            }
            Event::WorkerStarted { worker, process, .. } => self.edit_worker(*worker, seq, |state| {
                state.process = Some(process.clone());
                state.last_event = at;
            }),
            Event::WorkerSaid { worker, offset, said } => self.worker_said(seq, at, *worker, *offset, said),
            Event::WorkerCalled { worker, offset, what, .. } => {
                self.worker_said(seq, at, *worker, 0, &what.said());
                self.edit_worker(*worker, seq, |state| state.calls = state.calls.max(*offset));
            }
            Event::WorkerEnded { worker, exit, told, failed } => {
                self.worker_ended(seq, at, *worker, exit, told, failed.as_ref());
            }
            Event::JobRequested { job, what } => {
                self.job_count = self.job_count.max(job.0);
                self.jobs.insert(*job, what.clone());
                if let Job::Snapshot { task, trigger: Some(trigger), .. } = what {
                    self.edit_task(task, seq, |state| {
                        if let Some(at) = state.waiting_triggers.iter().position(|(of, _)| of == trigger) {
                            state.waiting_triggers.remove(at);
                        }
                    });
                }
                self.touch_job(what, seq);
            }
            Event::JobEnded { job, outcome } => {
                if let Some(what) = self.jobs.remove(job) {
                    self.job_ended(seq, *job, &what, outcome);
                    self.touch_job(&what, seq);
                }
            }
            Event::ReviewRequested { review } => {
                self.last_review = Some(at);
                if review.gate {
                    self.set_stage(&review.subject, seq, Stage::Reviewing(review.id));
                    if let Some(task) = review.subject.task() {
                        self.edit_task(task, seq, |state| state.waiting_triggers.clear());
                    }
                }
                self.touch(&review.subject, seq);
                self.reviews.insert(review.id, ReviewState { review: review.clone(), decision: None, seq });
            }
            Event::AnswerSubmitted { worker, answer, .. } => {
                self.edit_worker(*worker, seq, |state| state.answer = Some(answer.clone()));
            }
            Event::AnswerRefused { review, worker, fault } => {
                if let Some(agent) = self.workers.get(worker).map(|state| state.assignment.agent.clone()) {
                    self.run(RunKey::Seat(*review, agent)).fault = Some(fault.clone());
                }
            }
            Event::BallotCounted { review, reviewer, ballot } => {
                if let Some(state) = self.reviews.get_mut(review) {
                    state.seq = seq;
                    for seat in state.review.seats.iter_mut().filter(|seat| seat.reviewer == *reviewer) {
                        seat.ballot = Some(ballot.clone());
                    }
                }
            }
            Event::Decided { decision } => self.decided(seq, at, decision),
            Event::QuestionAsked { question, asked } => {
                self.asked(seq, *question, asked);
                let state = QuestionState { asked: asked.clone(), since: at, answer: None, seq };
                self.questions.insert(*question, state);
                self.session_seq = seq;
            }
            Event::QuestionAnswered { question, choice, text, by } => {
                let answer = AnswerRow { choice: *choice, text: text.clone(), by: by.clone() };
                if let Some(state) = self.questions.get_mut(question) {
                    state.answer = Some(answer);
                    state.seq = seq;
                    let asked = state.asked.clone();
                    self.answered(seq, *question, &asked, *choice, text);
                }
                self.session_seq = seq;
            }
            Event::RecoveryStarted { recovery, worker, failed, repair } => {
                let (worker, failed, repair) = (*worker, failed.clone(), repair.clone());
                if let Some(key) = self.workers.get(&worker).map(|state| Self::run_key(&state.assignment)) {
                    let run = self.run(key);
                    run.recovery = Some(*recovery);
                    run.repairs.push(at);
                    repaired(run, &repair);
                }
                self.recoveries
                    .insert(*recovery, RecoveryState { worker, failed, repair, worked: None, at, seq });
            }
            Event::RecoveryEnded { recovery, worked } => {
                if let Some(state) = self.recoveries.get_mut(recovery) {
                    state.worked = Some(*worked);
                    state.seq = seq;
                }
                for run in self.runs.values_mut().filter(|run| run.recovery == Some(*recovery)) {
                    run.recovery = None;
                }
            }
            Event::TaskAccepted { task, .. } => {
                self.edit_task(task, seq, |state| state.course.stage = Stage::Accepted);
                self.session_seq = seq;
            }
            Event::Paused => self.pause(seq, true),
            Event::Unpaused => self.pause(seq, false),
            Event::StopRequested { reason, .. } => {
                self.stopping = Some(*reason);
                self.session_seq = seq;
            }
            Event::Notified { .. } => {}
            Event::SessionEnded { outcome, why } => {
                self.ended = Some((*outcome, why.clone()));
                self.stopping = None;
                self.session_seq = seq;
            }
        }
    }

    fn limit_warned(&mut self, limit: &str) {
        let known = crate::limits::NAMES.iter().find(|name| **name == limit);
        self.limits_warned.extend(known.copied());
    }

    fn pause(&mut self, seq: Seq, paused: bool) {
        self.paused = paused;
        self.session_seq = seq;
        for worker in self.workers.values_mut().filter(|worker| worker.end.is_none()) {
            worker.seq = seq;
        }
    }

    fn plan_approved(&mut self, seq: Seq, by: &crate::Actor) {
        let Some(plan) = &mut self.plan else { return };
        plan.approved = Some(by.clone());
        plan.seq = seq;
        self.tasks = plan.plan.tasks.iter().map(|task| TaskState::new(task.clone(), seq)).collect();
        self.session_seq = seq;
    }

    fn task_added(&mut self, seq: Seq, task: &Task, notes: &[Note], before: &[TaskId]) {
        let mut state = TaskState::new(task.clone(), seq);
        state.course.notes = notes.to_vec();
        for waiting in self.tasks.iter_mut().filter(|state| before.contains(&state.task.id)) {
            waiting.task.depends_on.push(task.id.clone());
            waiting.course.stage = Stage::Waiting;
            waiting.course.notes.clear();
            waiting.seq = seq;
        }
        self.tasks.push(state);
        self.finale.stage = Stage::Waiting;
        self.finale.notes.clear();
        self.session_seq = seq;
    }

    fn worker_requested(&mut self, seq: Seq, at: Timestamp, worker: WorkerId, assignment: &Assignment) {
        let run = self.run(Self::run_key(assignment));
        run.attempts += 1;
        run.last = Some(worker);
        run.not_before = None;
        match &assignment.purpose {
            Purpose::Plan => {}
            Purpose::Task { task } => self.edit_task(task, seq, |state| {
                state.course.stage = Stage::Working(worker);
                state.course.notes.clear();
                state.attempts += 1;
            }),
            Purpose::Review { review } => {
                if let Some(state) = self.reviews.get_mut(review) {
                    state.seq = seq;
                    let mut seats = state.review.seats.iter_mut();
                    if let Some(seat) = seats.find(|seat| seat.reviewer == assignment.agent) {
                        seat.workers.push(worker);
                    }
                }
            }
        }
        self.workers.insert(worker, WorkerState::new(assignment.clone(), at, seq));
        self.session_seq = seq;
    }

    fn worker_said(&mut self, seq: Seq, at: Timestamp, worker: WorkerId, offset: u64, said: &AgentEvent) {
        self.edit_worker(worker, seq, |state| {
            state.said(at, offset, said);
        });
        let Some(state) = self.workers.get(&worker) else { return };
        let (key, session) = (Self::run_key(&state.assignment), state.session.clone());
        if session.is_some() {
            self.run(key).session = session;
        }
        let Some(task) = self.workers.get(&worker).and_then(|state| state.task().cloned()) else { return };
        self.edit_task(&task, seq, |state| {
            if let AgentEvent::Milestone(milestone) = said
                && milestone.announced
            {
                state.milestones += 1;
            }
        });
        if let Some(trigger) = asks_for_review(said) {
            self.edit_task(&task, seq, |state| state.waiting_triggers.push(trigger));
        }
    }

    fn worker_ended(
        &mut self,
        seq: Seq,
        at: Timestamp,
        worker: WorkerId,
        exit: &Exit,
        told: &crate::Told,
        failed: Option<&Failed>,
    ) {
        self.edit_worker(worker, seq, |state| {
            state.end = Some((exit.clone(), failed.cloned()));
            state.usage = told.usage;
            state.ended = Some(at);
            state.tool = None;
            state.session = told.session.clone().or(state.session.take());
            state.model = told.model.clone().or(state.model.take());
            state.told = Some(told.clone());
        });
        let Some(state) = self.workers.get(&worker) else { return };
        let (key, session, purpose) =
            (Self::run_key(&state.assignment), state.session.clone(), state.assignment.purpose.clone());
        let run = self.run(key);
        if session.is_some() {
            run.session = session;
        }
        if let Purpose::Task { task } = purpose {
            self.edit_task(&task, seq, |state| {
                if state.course.stage == Stage::Working(worker) {
                    // A failed turn waits for its repair; without one, the next launch goes on from the tree as it stands.
                    state.course.stage =
                        if failed.is_none() { Stage::Settling(worker) } else { Stage::Ready };
                }
            });
        }
        self.session_seq = seq;
    }

    fn job_ended(&mut self, seq: Seq, job: crate::JobId, what: &Job, outcome: &JobOutcome) {
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
                self.edit_task(task, seq, |state| {
                    state.course.snapshot = Some((commit.clone(), tree.clone()));
                    state.changed.clone_from(changed);
                    if trigger.is_none() && state.course.stage == Stage::Settling(*worker) {
                        state.settle(conflicted);
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

    fn checked(&mut self, seq: Seq, job: crate::JobId, subject: &Subject, results: &[crate::CheckResult]) {
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

    fn decided(&mut self, seq: Seq, at: Timestamp, decision: &crate::Decision) {
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

    fn approved(&mut self, subject: &Subject, seq: Seq, approved: (crate::CommitHash, crate::TreeHash)) {
        if let Subject::Task { task } = subject {
            self.edit_task(task, seq, |state| state.approved = Some(approved));
        }
    }

    /// The findings of a review as work for its author.
    fn findings_of(&self, review: ReviewId) -> Vec<Note> {
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

    fn asked(&mut self, seq: Seq, question: crate::QuestionId, asked: &Asked) {
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
            About::Worker { worker, .. } => self.edit_worker(*worker, seq, |_| {}),
            About::Plan { .. } => {}
        }
    }

    fn answered(&mut self, seq: Seq, question: crate::QuestionId, asked: &Asked, choice: Choice, text: &str) {
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
            About::Plan { .. } => None,
        };
        self.touch_workers(seq);
        let Some(subject) = subject else { return };
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
                Choice::Approve | Choice::Replan | Choice::Abandon | Choice::Reply => {}
            }
        });
        if let Subject::Task { task } = &subject {
            self.edit_task(task, seq, |state| {
                state.idle_turns = 0;
                state.conflicts = 0;
            });
        }
    }

    fn touch_workers(&mut self, seq: Seq) {
        for worker in self.workers.values_mut().filter(|worker| worker.end.is_none()) {
            worker.seq = seq;
        }
    }

    /// What is known of launches for a purpose.
    pub(crate) fn run(&mut self, key: RunKey) -> &mut Run {
        self.runs.entry(key).or_default()
    }

    fn edit_worker(&mut self, worker: WorkerId, seq: Seq, change: impl FnOnce(&mut WorkerState)) {
        if let Some(state) = self.workers.get_mut(&worker) {
            change(state);
            state.seq = seq;
        }
    }

    fn edit_task(&mut self, task: &TaskId, seq: Seq, change: impl FnOnce(&mut TaskState)) {
        if let Some(state) = self.tasks.iter_mut().find(|state| state.task.id == *task) {
            change(state);
            state.seq = seq;
        }
    }

    fn edit_course(&mut self, subject: &Subject, seq: Seq, change: impl FnOnce(&mut Course)) {
        match subject {
            Subject::Session => {
                change(&mut self.finale);
                self.session_seq = seq;
            }
            Subject::Task { task } | Subject::Validation { task } => {
                self.edit_task(task, seq, |state| change(&mut state.course));
            }
        }
    }

    fn set_stage(&mut self, subject: &Subject, seq: Seq, stage: Stage) {
        self.edit_course(subject, seq, |course| course.stage = stage);
    }

    fn touch(&mut self, subject: &Subject, seq: Seq) {
        self.edit_course(subject, seq, |_| {});
    }

    fn touch_job(&mut self, job: &Job, seq: Seq) {
        match job {
            Job::PrepareTree { task } | Job::Snapshot { task, .. } | Job::Merge { task, .. } => {
                self.edit_task(task, seq, |_| {});
            }
            Job::Check { subject, .. } => self.touch(subject, seq),
            Job::Verify { .. } | Job::Land { .. } => self.session_seq = seq,
        }
    }
}

/// Where a blocked course goes on once the user has answered.
fn after_answer(choice: Choice, makes: bool, course: &Course) -> Stage {
    match choice {
        Choice::Override => Stage::Approved,
        // After a review that had too few verdicts the same snapshot is judged again; after a failed turn the author goes on.
        Choice::Retry if !makes => Stage::Waiting,
        Choice::Retry if course.snapshot.is_some() && course.notes.is_empty() => Stage::Settled,
        Choice::Retry | Choice::Instruct if makes => Stage::Ready,
        Choice::Instruct
        | Choice::Retry
        | Choice::Approve
        | Choice::Replan
        | Choice::Abandon
        | Choice::Reply => Stage::Waiting,
    }
}

/// A worker's event that asks for a review, and what it says of it.
fn asks_for_review(said: &AgentEvent) -> Option<(Trigger, String)> {
    match said {
        AgentEvent::Milestone(milestone) if milestone.announced => {
            Some((Trigger::Milestone, milestone.text.clone()))
        }
        AgentEvent::Blocker(blocker) if blocker.what == crate::BlockerKind::Reported => {
            Some((Trigger::Blocker, blocker.text.clone()))
        }
        AgentEvent::Review(note) if note.requested => Some((Trigger::Requested, note.text.clone())),
        AgentEvent::Milestone(_)
        | AgentEvent::Blocker(_)
        | AgentEvent::Review(_)
        | AgentEvent::Status(_)
        | AgentEvent::Progress(_)
        | AgentEvent::Finding(_)
        | AgentEvent::Task(_)
        | AgentEvent::Error(_) => None,
    }
}

/// What a repair changes for the next launch.
fn repaired(run: &mut Run, repair: &Repair) {
    match repair {
        Repair::AddDirectory { path } => run.extra_dirs.push(path.clone()),
        Repair::SkipGitCheck => run.skip_git_check = true,
        Repair::Wait { until } => run.not_before = Some(*until),
        Repair::Resume => {}
        Repair::Fresh => run.session = None,
        Repair::HandOver { to } => {
            run.agent = Some(to.clone());
            run.session = None;
        }
    }
}

impl TaskState {
    fn new(task: Task, seq: Seq) -> Self {
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
            idle_turns: 0,
            conflicts: 0,
            attempts: 0,
            seq,
        }
    }

    /// The end of a turn, once its tree is known: post-conditions before anything is checked.
    fn settle(&mut self, conflicted: &[String]) {
        if !conflicted.is_empty() {
            self.conflicts += 1;
            self.course.notes.push(Note::Conflict { files: conflicted.to_vec() });
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

impl WorkerState {
    fn new(assignment: Assignment, at: Timestamp, seq: Seq) -> Self {
        Self {
            session: assignment.resume.clone(),
            assignment,
            process: None,
            end: None,
            told: None,
            model: None,
            offset: 0,
            calls: 0,
            last_text: String::new(),
            progress: None,
            todo: None,
            tool: None,
            usage: crate::Usage::default(),
            events: 0,
            began: at,
            last_event: at,
            ended: None,
            answer: None,
            seq,
        }
    }

    /// The task it works on.
    #[must_use]
    pub fn task(&self) -> Option<&TaskId> {
        match &self.assignment.purpose {
            Purpose::Task { task } => Some(task),
            Purpose::Plan | Purpose::Review { .. } => None,
        }
    }

    fn said(&mut self, at: Timestamp, offset: u64, said: &AgentEvent) {
        self.offset = self.offset.max(offset);
        self.last_event = at;
        self.events += 1;
        match said {
            AgentEvent::Status(status) => {
                self.session = status.session.clone().or(self.session.take());
                self.model = status.model.clone().or(self.model.take());
                self.usage = status.usage.unwrap_or(self.usage);
                if status.what == StatusKind::TurnDone {
                    self.tool = None;
                }
            }
            AgentEvent::Progress(progress) => {
                self.progress = progress.progress.or(self.progress);
                match &progress.tool {
                    Some(tool) if tool.outcome == ToolOutcome::Started => {
                        let words = tool.command.clone().unwrap_or_else(|| tool.name.clone());
                        self.tool = Some((tool.id.clone(), crate::head(&words, 200), at));
                    }
                    Some(tool) => self.tool.take_if(|(id, _, _)| *id == tool.id).map_or((), drop),
                    None if !progress.text.is_empty() && !progress.thinking => {
                        self.last_text = crate::head(&progress.text, 500);
                    }
                    None => {}
                }
            }
            AgentEvent::Task(list) => {
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                self.todo = Some((
                    count(list.items.iter().filter(|todo| todo.done).count()),
                    count(list.items.len()),
                ));
            }
            AgentEvent::Milestone(milestone) if milestone.announced => {
                self.last_text = crate::head(&milestone.text, 500);
            }
            AgentEvent::Blocker(blocker) => self.last_text = crate::head(&blocker.text, 500),
            AgentEvent::Milestone(_)
            | AgentEvent::Finding(_)
            | AgentEvent::Review(_)
            | AgentEvent::Error(_) => {}
        }
    }
}
