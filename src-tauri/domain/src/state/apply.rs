//! The one place where a state changes.

use super::{
    Course, Gate, PlanState, QuestionState, RecoveryState, ReviewState, Run, RunKey, Stage, State, TaskState,
    WorkerState,
};
use crate::{
    AnswerRow, Entry, Event, Failed, Failure, Job, Note, Repair, Seq, Subject, Task, TaskId, WorkerId,
};

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
            Event::SessionResumed { crashed, safe } => {
                self.ended = None;
                self.stopping = None;
                self.resuming = true;
                self.cut_off = *crashed;
                self.crashes.extend(crashed.then_some(at));
                self.safe_mode = *safe;
                // Tested anew in each run.
                self.sandbox = None;
                self.session_seq = seq;
            }
            Event::SessionReady => self.resuming = false,
            Event::Warned { text } => self.warnings.push((seq, at, text.clone())),
            Event::LimitsChanged { limits } => {
                if let Some(opened) = &mut self.opened {
                    opened.settings.limits = limits.clone();
                }
                self.limits_warned.clear();
                self.session_seq = seq;
            }
            Event::LimitWarned { limit } => self.limit_warned(limit),
            Event::WorkerLimitWarned { worker, limit } => {
                let known = crate::limits::WORKER_NAMES.iter().find(|name| *name == limit);
                self.edit_worker(*worker, seq, |state| state.limits_warned.extend(known.copied()));
            }
            Event::WorkerLimited { worker, text, .. } => {
                self.edit_worker(*worker, seq, |state| state.limited = Some(text.clone()));
            }
            Event::SandboxTested { report } => {
                self.sandbox = Some(report.clone());
                self.session_seq = seq;
            }
            Event::ClockMoved { by_ms, .. } => self.clock_moved(seq, *by_ms),
            Event::SeatGiven { review, from, seat } => {
                if let Some(state) = self.reviews.get_mut(review) {
                    state.seq = seq;
                    let mut seats = state.review.seats.iter_mut();
                    if let Some(found) = seats.find(|found| found.reviewer == *from) {
                        *found = seat.clone();
                    }
                }
            }
            Event::SeatAdded { review, seat } => {
                if let Some(state) = self.reviews.get_mut(review) {
                    state.seq = seq;
                    state.decision = None;
                    state.review.seats.push(seat.clone());
                }
            }
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
                let hook = matches!(what, crate::Call::Hooked | crate::Call::Permit { .. });
                self.edit_worker(*worker, seq, |state| {
                    state.calls = state.calls.max(*offset);
                    state.hooked |= hook;
                });
            }
            Event::CommandJudged { worker, command, reason, stopped, .. } => {
                self.edit_worker(*worker, seq, |state| {
                    if *stopped {
                        state.limited = Some(format!("it ran {command:?}, which is denied: {reason}"));
                    }
                });
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
                self.close_gate(seq, worker, &failed, &repair);
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
            Event::Paused => {
                self.pause(seq, true);
                self.paused_at = Some(at);
            }
            Event::Unpaused => {
                self.pause(seq, false);
                if let Some(since) = self.paused_at.take() {
                    self.shift_cards(seq, at.duration_since(since));
                }
            }
            Event::StopRequested { reason, text, .. } => {
                self.stopping = Some(*reason);
                self.stop_text.clone_from(text);
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

    /// A used-up quota is the agent's, not the worker's: all that would ask it wait.
    fn close_gate(&mut self, seq: Seq, worker: WorkerId, failed: &Failed, repair: &Repair) {
        let (Failure::RateLimited { resets_at }, Some(state)) = (&failed.failure, self.workers.get(&worker))
        else {
            return;
        };
        let agent = state.assignment.agent.clone();
        let until = if let Repair::Wait { until } = repair {
            Some(*until)
        } else {
            resets_at.or_else(|| self.last.checked_add(crate::recovery::UNKNOWN_LIMIT).ok())
        };
        if let Some(until) = until {
            self.gates.insert(agent, Gate { until, since: seq });
        }
    }

    /// Everything that is measured from a time in the past is measured from as much later. What has an end that others set
    /// (a quota's reset) keeps it.
    fn clock_moved(&mut self, seq: Seq, by_ms: i64) {
        let by = jiff::SignedDuration::from_millis(by_ms);
        let shift = |at: &mut jiff::Timestamp| *at = at.checked_add(by).unwrap_or(*at);
        shift(&mut self.began);
        self.last_review.iter_mut().for_each(shift);
        self.crashes.iter_mut().for_each(shift);
        for worker in self.workers.values_mut().filter(|worker| worker.end.is_none()) {
            shift(&mut worker.began);
            shift(&mut worker.last_event);
            worker.tool.iter_mut().for_each(|(_, _, since)| shift(since));
            worker.seq = seq;
        }
        let waits_for_a_reset = |recovery: &RecoveryState| {
            matches!(recovery.failed.failure, Failure::RateLimited { resets_at: Some(_) })
        };
        for run in self.runs.values_mut() {
            run.repairs.iter_mut().for_each(shift);
            let own = run.recovery.and_then(|id| self.recoveries.get(&id));
            if !own.is_some_and(waits_for_a_reset) {
                run.not_before.iter_mut().for_each(shift);
            }
        }
        self.recoveries.values_mut().for_each(|recovery| shift(&mut recovery.at));
        self.paused_at.iter_mut().for_each(shift);
        self.shift_cards(seq, by);
        self.session_seq = seq;
    }

    /// What waits for an answer with an end waits as much longer: neither a pause nor sleep counts.
    fn shift_cards(&mut self, seq: Seq, by: jiff::SignedDuration) {
        let waits = |question: &QuestionState| {
            question.answer.is_none() && matches!(question.asked.about, crate::About::Command { .. })
        };
        for question in self.questions.values_mut().filter(|question| waits(question)) {
            question.since = question.since.checked_add(by).unwrap_or(question.since);
            question.seq = seq;
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

    pub(super) fn touch_workers(&mut self, seq: Seq) {
        for worker in self.workers.values_mut().filter(|worker| worker.end.is_none()) {
            worker.seq = seq;
        }
    }

    /// What is known of launches for a purpose.
    pub(crate) fn run(&mut self, key: RunKey) -> &mut Run {
        self.runs.entry(key).or_default()
    }

    pub(super) fn edit_worker(&mut self, worker: WorkerId, seq: Seq, change: impl FnOnce(&mut WorkerState)) {
        if let Some(state) = self.workers.get_mut(&worker) {
            change(state);
            state.seq = seq;
        }
    }

    pub(super) fn edit_task(&mut self, task: &TaskId, seq: Seq, change: impl FnOnce(&mut TaskState)) {
        if let Some(state) = self.tasks.iter_mut().find(|state| state.task.id == *task) {
            change(state);
            state.seq = seq;
        }
    }

    pub(super) fn edit_course(&mut self, subject: &Subject, seq: Seq, change: impl FnOnce(&mut Course)) {
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

    pub(super) fn set_stage(&mut self, subject: &Subject, seq: Seq, stage: Stage) {
        self.edit_course(subject, seq, |course| course.stage = stage);
    }

    pub(super) fn touch(&mut self, subject: &Subject, seq: Seq) {
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
