//! What a window shows: one row for each thing, with the entry that last changed it.

use super::{DecisionState, QuestionState, RecoveryState, ReviewState, Stage, State, TaskState, WorkerState};
use crate::{
    AgentName, DecisionRow, ExitCause, GateRow, Job, Outcome, Phase, PlanRow, Purpose, QuestionRow,
    RecoveryRow, Repair, ReviewRow, Row, RowBody, SeatRow, Seq, SessionRow, Spent, StopReason, Subject,
    TaskRow, TaskStage, WarningRow, WorkerCaps, WorkerId, WorkerRow, WorkerStage,
};

impl State {
    /// Rows changed after `since`, oldest change first: the whole of a window's synchronisation.
    #[must_use]
    pub fn rows(&self, since: Seq) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut push = |seq: Seq, key: String, body: RowBody| rows.push(Row { seq, key, body });
        // What closes a gate changes the session's row without being an entry of its own.
        let gated = self.gates.values().map(|gate| gate.since).max().unwrap_or_default();
        let session_seq = self.session_seq.max(gated);
        if since < session_seq
            && let Some(row) = self.session_row()
        {
            push(session_seq, "session".to_owned(), RowBody::Session(Box::new(row)));
        }
        if let Some(plan) = self.plan.as_ref().filter(|plan| since < plan.seq) {
            let (plan_, by, approved) = (plan.plan.clone(), plan.by.clone(), plan.approved.clone());
            let row = PlanRow { version: plan.version, plan: plan_, by, approved };
            push(plan.seq, "plan".to_owned(), RowBody::Plan(row));
        }
        for task in self.tasks.iter().filter(|task| since < task.seq) {
            push(task.seq, task.task.id.to_string(), RowBody::Task(self.task_row(task)));
        }
        for (id, worker) in self.workers.iter().filter(|(_, worker)| since < worker.seq) {
            push(worker.seq, id.to_string(), RowBody::Worker(Box::new(self.worker_row(*id, worker))));
        }
        for (id, review) in self.reviews.iter().filter(|(_, review)| since < review.seq) {
            push(review.seq, id.to_string(), RowBody::Review(Box::new(self.review_row(review))));
        }
        for (id, decision) in self.decisions.iter().filter(|(_, decision)| since < decision.seq) {
            push(decision.seq, id.to_string(), RowBody::Decision(decision_row(decision)));
        }
        for (id, question) in self.questions.iter().filter(|(_, question)| since < question.seq) {
            push(question.seq, id.to_string(), RowBody::Question(question_row(*id, question)));
        }
        for (id, recovery) in self.recoveries.iter().filter(|(_, recovery)| since < recovery.seq) {
            push(recovery.seq, id.to_string(), RowBody::Recovery(self.recovery_row(*id, recovery)));
        }
        for (seq, at, text) in self.warnings.iter().filter(|(seq, _, _)| since < *seq) {
            let row = WarningRow { text: text.clone(), at: *at };
            push(*seq, format!("warning-{}", seq.0), RowBody::Warning(row));
        }
        rows.sort_by_key(|row| row.seq);
        rows
    }

    /// How the session stands, as far as its journal tells: whether anybody runs it is for the engine to add.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match &self.ended {
            Some((Outcome::Done, _)) if self.landed.is_some() => Phase::Landed,
            Some((Outcome::Done, _)) => Phase::ReadyToLand,
            Some((Outcome::Waiting, _)) => Phase::NeedsYou,
            Some((Outcome::Stopped, _)) => Phase::Stopped,
            Some((Outcome::Limited, _)) => Phase::Limited,
            Some((Outcome::Failed, _)) => Phase::Failed,
            None if self.stopping.is_some() => Phase::Stopping,
            None if self.open_questions().next().is_some() => Phase::NeedsYou,
            None if self.paused => Phase::Paused,
            None if self.plan.as_ref().is_none_or(|plan| plan.approved.is_none()) => Phase::Planning,
            None => Phase::Working,
        }
    }

    /// What goes on, or why nothing does, in a sentence.
    #[must_use]
    pub fn why(&self) -> String {
        if let Some((_, why)) = &self.ended {
            return why.clone();
        }
        match self.stopping {
            Some(StopReason::Person) => return "Workers are being stopped, as you asked.".to_owned(),
            Some(StopReason::Limit) => return "A limit was reached; workers are being stopped.".to_owned(),
            Some(StopReason::Abandoned | StopReason::Closing) => {
                return "The session is being closed.".to_owned();
            }
            None => {}
        }
        if let Some((_, question)) = self.open_questions().next() {
            let first = question.asked.text.lines().next().unwrap_or_default();
            return format!("Waits for your answer: {first}");
        }
        if self.paused {
            return "Paused by you; workers are frozen and none is started.".to_owned();
        }
        if let Some(until) = self.parked_until() {
            return format!("Waits until {until:.0} before trying again.");
        }
        let mut busy: Vec<String> = self
            .live()
            .map(|(_, worker)| match &worker.assignment.purpose {
                Purpose::Plan => format!("{} plans", worker.assignment.agent),
                Purpose::Task { task } => format!("{} works on {task}", worker.assignment.agent),
                Purpose::Review { review } => format!("{} reviews ({review})", worker.assignment.agent),
            })
            .collect();
        if busy.is_empty() {
            busy = self.jobs.values().map(|job| job_words(job).to_owned()).collect();
            busy.dedup();
        }
        if busy.is_empty() { "Nothing is running.".to_owned() } else { format!("{}.", busy.join(", ")) }
    }

    /// The session's row, once it is opened.
    #[must_use]
    pub fn session_row(&self) -> Option<SessionRow> {
        let opened = self.opened.as_ref()?;
        let (usage, cost_incomplete) = self.spent();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let limits = &opened.settings.limits;
        Some(SessionRow {
            session: opened.session.clone(),
            goal: opened.goal.clone(),
            target: opened.target.clone(),
            phase: self.phase(),
            why: self.why(),
            outcome: self.ended.as_ref().map(|(outcome, _)| *outcome),
            trees: opened.trees.clone(),
            landed: self.landed.as_ref().map(|(branch, _)| branch.clone()),
            demo: opened.demo,
            unsandboxed: opened.unsandboxed,
            sandbox: self.sandbox.as_ref().map(|report| report.level),
            agents: opened.agents.clone(),
            checks: opened.checks.clone(),
            began: self.began,
            spent: Spent {
                usage,
                tokens_cap: limits.tokens,
                cost_cap: limits.cost_usd,
                cost_incomplete,
                minutes_cap: limits.session_minutes,
                workers: count(self.workers.len()),
                workers_cap: limits.workers,
                reviews: count(self.reviews.len()),
            },
            worker_caps: WorkerCaps {
                minutes: limits.worker_minutes,
                tokens: limits.worker_tokens,
                cost_usd: limits.worker_cost_usd,
                turns: limits.worker_turns,
            },
            gates: self.gates.keys().filter_map(|agent| self.gate_row(agent)).collect(),
            review: opened.settings.review.clone(),
        })
    }

    fn gate_row(&self, agent: &AgentName) -> Option<GateRow> {
        let gate = self.gates.get(agent)?;
        let probes =
            |worker: &WorkerState| worker.assignment.agent == *agent && gate.since < worker.requested;
        let probe = self.live().find(|(_, worker)| probes(worker)).map(|(id, _)| id);
        Some(GateRow { agent: agent.clone(), until: gate.until, probe })
    }

    fn task_row(&self, state: &TaskState) -> TaskRow {
        let task = &state.task;
        TaskRow {
            id: task.id.clone(),
            title: task.title.clone(),
            role: task.role,
            agent: self.author(state),
            weight: task.weight,
            depends_on: task.depends_on.clone(),
            stage: self.task_stage(state),
            progress: self.progress(state),
            round: state.course.round,
            attempts: state.attempts,
            tree: state.course.snapshot.as_ref().map(|(_, tree)| tree.clone()),
            changed: state.changed.clone(),
            checks: state.course.checks.clone(),
            path: state.path.clone(),
        }
    }

    pub(crate) fn task_stage(&self, state: &TaskState) -> TaskStage {
        match &state.course.stage {
            Stage::Waiting
                if self.pending(|job| matches!(job, Job::PrepareTree { task } if *task == state.task.id)) =>
            {
                TaskStage::Preparing
            }
            Stage::Waiting => TaskStage::Waiting,
            Stage::Ready if !state.course.notes.is_empty() => TaskStage::Mending,
            Stage::Ready => TaskStage::Waiting,
            Stage::Working(_) if 0 < state.course.round => TaskStage::Mending,
            Stage::Working(_) => TaskStage::Working,
            Stage::Settling(_) | Stage::Settled => TaskStage::Checking,
            Stage::Checked | Stage::Reviewing(_) => TaskStage::Reviewing,
            Stage::Approved => TaskStage::Merging,
            Stage::Accepted => TaskStage::Accepted,
            Stage::Blocked(_) => TaskStage::Blocked,
        }
    }

    /// 0 to 100: the worker's word, else milestones over planned, else todo items; 100 only when accepted.
    fn progress(&self, state: &TaskState) -> u8 {
        const MOST: u8 = 95; // what is not accepted is not done, whatever is said of it
        let worker = match &state.course.stage {
            Stage::Accepted => return 100,
            Stage::Waiting => return 0,
            Stage::Working(worker) => self.workers.get(worker),
            Stage::Ready
            | Stage::Settling(_)
            | Stage::Settled
            | Stage::Checked
            | Stage::Reviewing(_)
            | Stage::Approved
            | Stage::Blocked(_) => return if state.attempts == 0 { 0 } else { MOST },
        };
        let share = |done: u32, all: u32| u8::try_from(100 * done.min(all) / all.max(1)).unwrap_or(MOST);
        let planned = u32::try_from(state.task.milestones.len()).unwrap_or(u32::MAX);
        let said = worker.and_then(|worker| {
            let todo = worker.todo.map(|(done, all)| share(done, all));
            let milestones = (0 < planned).then(|| share(state.milestones, planned));
            worker.progress.or(milestones).or(todo)
        });
        said.unwrap_or(0).min(MOST)
    }

    fn worker_row(&self, id: WorkerId, worker: &WorkerState) -> WorkerRow {
        let assignment = &worker.assignment;
        let (task, review) = match &assignment.purpose {
            Purpose::Plan => (None, None),
            Purpose::Task { task } => (Some(task.clone()), None),
            Purpose::Review { review } => (None, Some(*review)),
        };
        let dialect = self.agent(&assignment.agent).map_or(crate::Dialect::Claude, |agent| agent.dialect);
        WorkerRow {
            id,
            agent: assignment.agent.clone(),
            dialect,
            role: assignment.role,
            task,
            review,
            attempt: assignment.attempt,
            stage: self.worker_stage(id, worker),
            progress: worker.progress,
            last_text: worker.last_text.clone(),
            tool: worker.tool.as_ref().map(|(_, words, _)| words.clone()),
            tool_since: worker.tool.as_ref().map(|(_, _, since)| *since),
            began: worker.began,
            last_event: worker.last_event,
            ended: worker.ended,
            failed: worker.end.as_ref().and_then(|(_, failed)| failed.clone()),
            model: worker.model.clone(),
            usage: worker.usage,
            cost_usd: self.cost_of(worker),
            turns: worker.turns,
            limited: worker.limited.as_deref().map(crate::limits::in_words),
            events: worker.events,
            pid: worker.process.as_ref().filter(|_| worker.end.is_none()).map(|process| process.pid),
        }
    }

    fn worker_stage(&self, id: WorkerId, worker: &WorkerState) -> WorkerStage {
        match &worker.end {
            Some((_, None)) => WorkerStage::Done,
            Some((exit, Some(_))) if matches!(exit.cause, ExitCause::Stopped | ExitCause::Orphaned) => {
                WorkerStage::Stopped
            }
            Some((_, Some(_))) => WorkerStage::Failed,
            None if self.frozen(id) => WorkerStage::Frozen,
            None if worker.process.is_none() => WorkerStage::Starting,
            None if self.asks(id) => WorkerStage::Asking,
            None => WorkerStage::Working,
        }
    }

    /// Whether a worker waits for an answer of the user.
    #[must_use]
    pub fn asks(&self, id: WorkerId) -> bool {
        self.open_questions().any(|(_, question)| {
            matches!(&question.asked.about,
                crate::About::Worker { worker, .. } | crate::About::Command { worker, .. } if *worker == id)
        })
    }

    fn review_row(&self, state: &ReviewState) -> ReviewRow {
        let review = &state.review;
        let seat = |seat: &crate::Seat| SeatRow {
            reviewer: seat.reviewer.clone(),
            instead_of: self.had_seat(review.id, &seat.reviewer),
            counted_as: seat.ballot.as_ref().and_then(crate::Ballot::counted_as),
            ballot: seat.ballot.clone(),
        };
        ReviewRow {
            id: review.id,
            subject: review.subject.clone(),
            trigger: review.trigger,
            round: review.round,
            tree: review.tree.clone(),
            commit: review.commit.clone(),
            authors: self.authors(&review.subject),
            required: review.required,
            seats: review.seats.iter().map(seat).collect(),
            decision: state.decision,
        }
    }

    /// Who had a reviewer's seat before it was given on.
    fn had_seat(&self, review: crate::ReviewId, reviewer: &AgentName) -> Option<AgentName> {
        let given = |recovery: &RecoveryState| {
            let had = &self.workers.get(&recovery.worker)?.assignment;
            let of_this = matches!(&had.purpose, Purpose::Review { review: seat } if *seat == review);
            let to_this = matches!(&recovery.repair, Repair::HandOver { to } if to == reviewer);
            (of_this && to_this).then(|| had.agent.clone())
        };
        self.recoveries.values().rev().find_map(given)
    }

    fn recovery_row(&self, id: crate::RecoveryId, state: &RecoveryState) -> RecoveryRow {
        let agent = self.workers.get(&state.worker).map(|worker| worker.assignment.agent.clone());
        RecoveryRow {
            id,
            worker: state.worker,
            agent: agent.unwrap_or_else(|| state.worker.to_string().as_str().into()),
            failed: state.failed.clone(),
            repair: state.repair.clone(),
            worked: state.worked,
            at: state.at,
        }
    }

    /// Who made what a review is about.
    #[must_use]
    pub fn authors(&self, subject: &Subject) -> Vec<crate::AgentName> {
        let of: Vec<&TaskState> = match subject {
            Subject::Task { task } => self.task(task).into_iter().collect(),
            Subject::Validation { .. } | Subject::Session => self.makers().collect(),
        };
        let all = |task: &TaskState| [&task.authors[..], &[self.author(task)]].concat();
        let mut authors: Vec<_> = of.into_iter().flat_map(all).collect();
        authors.sort();
        authors.dedup();
        authors
    }
}

fn decision_row(state: &DecisionState) -> DecisionRow {
    let decision = &state.decision;
    DecisionRow {
        id: decision.id,
        action: decision.action,
        rule: decision.rule,
        trace: decision.trace.clone(),
        by: decision.by.clone(),
        review: decision.review,
        task: decision.task.clone(),
        at: state.at,
    }
}

fn question_row(id: crate::QuestionId, state: &QuestionState) -> QuestionRow {
    QuestionRow {
        id,
        text: state.asked.text.clone(),
        about: state.asked.about.clone(),
        choices: state.asked.choices.clone(),
        since: state.since,
        answer: state.answer.clone(),
    }
}

fn job_words(job: &Job) -> &'static str {
    match job {
        Job::PrepareTree { .. } => "a worktree is being made",
        Job::Snapshot { .. } => "a snapshot is being taken",
        Job::Check { .. } => "checks are running",
        Job::Verify { .. } => "evidence is being checked",
        Job::Merge { .. } => "an accepted task is being merged",
        Job::Land { .. } => "the result is being landed",
    }
}
