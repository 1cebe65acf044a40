//! What follows from workers: their calls, their ends, the outcomes of jobs.

use super::{Effect, Next};
use crate::recovery;
use crate::{
    About, Answer, Asked, Ballot, Call, Choice, Event, Exit, Failed, Failure, Job, JobId, JobOutcome,
    NoticeKind, Plan, PlanSource, Purpose, Repair, ReviewId, RunKey, State, Subject, Told, WorkerId,
};

impl Next<'_> {
    pub(super) fn called(&mut self, worker: WorkerId, offset: u64, call: String, what: Call) {
        self.emit(Event::WorkerCalled { worker, offset, call: call.clone(), what: what.clone() });
        match what {
            Call::Report { .. } | Call::RequestReview { .. } | Call::Hooked => {}
            Call::Permit { wanted } => self.wants(worker, call, wanted),
            Call::AskUser { question } => self.worker_asks(worker, call, question),
            Call::SubmitPlan { plan } => {
                let verdict = self.plan_submitted(worker, &plan);
                self.reply(
                    worker,
                    call,
                    verdict,
                    "The plan is accepted for approval. You are done: end your turn.",
                );
            }
            Call::SubmitReview { review } => {
                let verdict = self.review_submitted(worker, &review);
                self.reply(worker, call, verdict, "The review is recorded. You are done: end your turn.");
            }
        }
    }

    fn reply(&mut self, worker: WorkerId, call: String, verdict: Result<(), String>, good: &str) {
        let (text, error) = match verdict {
            Ok(()) => (good.to_owned(), false),
            Err(fault) => (format!("Refused: {fault}. Mend it and call the tool again."), true),
        };
        self.step.effects.push(Effect::Reply { worker, call, text, error });
    }

    fn worker_asks(&mut self, worker: WorkerId, call: String, question: String) {
        if self.state.workers.get(&worker).is_none_or(|state| state.end.is_some()) {
            return; // it is gone and cannot read an answer
        }
        let asked =
            Asked { text: question, about: About::Worker { worker, call }, choices: vec![Choice::Reply] };
        self.ask(asked, NoticeKind::Blocker, &format!("{worker} asks you"));
    }

    fn plan_submitted(&mut self, worker: WorkerId, text: &str) -> Result<(), String> {
        let plans =
            self.state.workers.get(&worker).is_some_and(|state| state.assignment.purpose == Purpose::Plan);
        if !plans {
            return Err("only the lead submits a plan".to_owned());
        }
        if self.state.plan.as_ref().is_some_and(|plan| plan.approved.is_some()) {
            return Err("a plan is already approved".to_owned());
        }
        let plan = Plan::read(text, self.state.agents()).map_err(|fault| fault.to_string())?;
        self.propose(plan, PlanSource::Lead { worker });
        Ok(())
    }

    pub(super) fn propose(&mut self, plan: Plan, by: PlanSource) {
        self.void_questions(|about| matches!(about, About::Plan { .. }));
        let version = self.state.plan.as_ref().map_or(1, |plan| plan.version + 1);
        self.emit(Event::PlanProposed { version, plan, by });
    }

    fn review_submitted(&mut self, worker: WorkerId, text: &str) -> Result<(), String> {
        let (review, nonce) = self.seat_nonce(worker).ok_or("only a reviewer submits a review")?;
        let answer = Answer::read(text, &nonce).map_err(|fault| fault.to_string())?;
        self.emit(Event::AnswerSubmitted { review, worker, answer });
        Ok(())
    }

    fn seat_nonce(&self, worker: WorkerId) -> Option<(ReviewId, crate::Nonce)> {
        let state = self.state.workers.get(&worker)?;
        let Purpose::Review { review } = state.assignment.purpose else { return None };
        let seats = &self.state.reviews.get(&review)?.review.seats;
        let seat = seats.iter().find(|seat| seat.workers.contains(&worker))?;
        Some((review, seat.nonce.clone()))
    }

    pub(super) fn ended(&mut self, worker: WorkerId, exit: Exit, told: Box<Told>, failed: Option<Failed>) {
        let Some(before) = self.state.workers.get(&worker) else { return };
        if before.end.is_some() {
            return; // an end is told once
        }
        let failed = match (&before.limited, failed) {
            (Some(text), Some(_)) => Some(Failed { failure: Failure::Limit, text: text.clone() }),
            (_, failed) => failed,
        };
        let (key, purpose) = (State::run_key(&before.assignment), before.assignment.purpose.clone());
        let told_answer = told.structured.clone().unwrap_or_else(|| told.answer.clone());
        self.emit(Event::WorkerEnded { worker, exit, told, failed: failed.clone() });
        // Taken down by us while it waited for the user (exit code 3, a crash): the question stays open, and the answer
        // stands in the prompt of the one that goes on. Otherwise it would be asked, and left alone, again and again.
        if !self.state.goes_on_later() {
            self.void_questions(|about| matches!(about, About::Worker { worker: who, .. } if *who == worker));
        }
        // A command that nobody runs any more needs no consent.
        self.void_questions(|about| matches!(about, About::Command { worker: who, .. } if *who == worker));
        if let Some(recovery) = self.state.runs.get(&key).and_then(|run| run.recovery) {
            self.emit(Event::RecoveryEnded { recovery, worked: failed.is_none() });
        }
        match (failed, purpose) {
            (None, Purpose::Plan) => self.lead_done(worker, &told_answer),
            (None, Purpose::Task { .. }) => {} // its tree decides: a snapshot follows
            (None, Purpose::Review { review }) => self.reviewer_done(review, worker, &told_answer),
            (Some(failed), _) => self.failed(worker, &failed),
        }
    }

    /// Questions that nobody needs an answer to any more; a late click is refused.
    pub(super) fn void_questions(&mut self, about: impl Fn(&About) -> bool) {
        let open: Vec<_> =
            self.state.open_questions().filter(|(_, q)| about(&q.asked.about)).map(|(id, _)| id).collect();
        for question in open {
            let text = "no longer needed".to_owned();
            let choice = if self.asks_about_command(question) { Choice::Deny } else { Choice::Reply };
            self.emit(Event::QuestionAnswered { question, choice, text, by: crate::Actor::Rule });
        }
    }

    fn lead_done(&mut self, worker: WorkerId, answer: &str) {
        let proposed = self.state.plan.as_ref().is_some_and(|plan| {
            plan.approved.is_some() || (plan.by == PlanSource::Lead { worker } && !plan.rejected)
        });
        if proposed {
            return;
        }
        match Plan::read(answer, self.state.agents()) {
            Ok(plan) => self.propose(plan, PlanSource::Lead { worker }),
            Err(fault) => self.emit(Event::PlanRefused { worker, fault: fault.to_string() }),
        }
    }

    fn reviewer_done(&mut self, review: ReviewId, worker: WorkerId, told: &str) {
        let Some((_, nonce)) = self.seat_nonce(worker) else { return };
        let submitted = self.state.workers.get(&worker).and_then(|state| state.answer.clone());
        match submitted.map_or_else(|| Answer::read(told, &nonce), Ok) {
            Ok(answer) => self.request_job(Job::Verify { review, worker, answer }),
            Err(fault) => {
                let agent = self.state.workers.get(&worker).map(|state| state.assignment.agent.clone());
                let asked_before = agent
                    .and_then(|agent| self.state.runs.get(&RunKey::Seat(review, agent)))
                    .is_some_and(|run| run.fault.is_some());
                self.emit(Event::AnswerRefused { review, worker, fault: fault.to_string() });
                if asked_before {
                    self.void_seat(
                        review,
                        worker,
                        &format!("two answers were no verdict; the last: {fault}"),
                    );
                }
            }
        }
    }

    fn void_seat(&mut self, review: ReviewId, worker: WorkerId, why: &str) {
        let Some(reviewer) = self.state.workers.get(&worker).map(|state| state.assignment.agent.clone())
        else {
            return;
        };
        self.emit(Event::BallotCounted { review, reviewer, ballot: Ballot::Void { why: why.to_owned() } });
    }

    /// A failure: a repair by rule, or what its purpose makes of it.
    fn failed(&mut self, worker: WorkerId, failed: &Failed) {
        let why = match recovery::next(self.state, worker, failed, self.now.at) {
            recovery::Next::GoOn => return,
            recovery::Next::Repair(repair) => {
                self.repair(worker, failed.clone(), repair);
                return;
            }
            recovery::Next::Person(why) => why,
        };
        let Some(state) = self.state.workers.get(&worker) else { return };
        let agent = state.assignment.agent.clone();
        match state.assignment.purpose.clone() {
            Purpose::Plan => {
                let why = format!("{agent} could not plan: {why} ({})", failed.text);
                self.propose_built_in(why);
            }
            Purpose::Review { review } => {
                self.emit(Event::Warned {
                    text: format!("{agent} could not review: {why} ({})", failed.text),
                });
                self.void_seat(review, worker, &format!("{why} ({})", crate::head(&failed.text, 200)));
            }
            Purpose::Task { task } => {
                let text = format!(
                    "{agent} cannot go on with {task}: {why}.\n{}{}",
                    failed.text,
                    self.remedy(&agent, &failed.failure)
                );
                let mut choices = vec![Choice::Retry, Choice::Abandon];
                if recovery::successor(self.state, worker, self.now.at).is_some() {
                    choices.insert(1, Choice::HandOver);
                }
                let title = format!("{agent} needs you on {task}");
                self.ask(
                    Asked { text, about: About::Failure { worker }, choices },
                    NoticeKind::Blocker,
                    &title,
                );
            }
        }
    }

    /// Begins a repair. One that leaves the CLI's memory behind begins with a snapshot: what the next worker goes on from.
    pub(super) fn repair(&mut self, worker: WorkerId, failed: Failed, repair: Repair) {
        let Some(purpose) = self.state.workers.get(&worker).map(|state| state.assignment.purpose.clone())
        else {
            return;
        };
        let recovery = self.next_recovery();
        self.emit(Event::RecoveryStarted { recovery, worker, failed, repair: repair.clone() });
        match (repair, purpose) {
            (Repair::HandOver { .. } | Repair::Fresh, Purpose::Task { task }) => {
                self.snapshot(&task, worker, None, None);
            }
            (Repair::HandOver { to }, Purpose::Review { review }) => self.give_seat(review, worker, &to),
            (
                Repair::HandOver { .. }
                | Repair::Fresh
                | Repair::AddDirectory { .. }
                | Repair::SkipGitCheck
                | Repair::Wait { .. }
                | Repair::Resume,
                _,
            ) => {}
        }
    }

    /// The seat of a reviewer that cannot go on, to another one: with a nonce of its own, so that a late word of the first
    /// one counts for nothing.
    fn give_seat(&mut self, review: ReviewId, worker: WorkerId, to: &crate::AgentName) {
        let seats = self.state.reviews.get(&review).map(|state| &state.review.seats[..]).unwrap_or_default();
        let had = seats.iter().find(|seat| seat.workers.contains(&worker)).cloned();
        if let (Some(had), Some(vendor)) = (had, self.state.vendor(to)) {
            let from = had.reviewer.clone();
            let (reviewer, nonce) = (to.clone(), self.nonce());
            let seat = crate::Seat { reviewer, vendor, nonce, workers: Vec::new(), ballot: None, ..had };
            self.emit(Event::SeatGiven { review, from, seat });
        }
    }

    /// What the user can do, as a sentence to append.
    fn remedy(&self, agent: &crate::AgentName, failure: &Failure) -> String {
        let dialect = self.state.agent(agent).map(|info| info.dialect);
        match failure {
            Failure::NotSignedIn => {
                let command = match dialect {
                    Some(crate::Dialect::Claude) => "claude auth login",
                    Some(crate::Dialect::Codex) => "codex login",
                    Some(crate::Dialect::Gemini) => {
                        "gemini (then choose a way to sign in), or set GEMINI_API_KEY"
                    }
                    None => "its login command",
                };
                format!("\nSign in with `{command}`, then choose retry.")
            }
            Failure::OutsideWorkspace { path } | Failure::Permission { path: Some(path) } => {
                format!(
                    "\nAdd the folder of {path} to `directories` in the settings if workers may have it, then start again."
                )
            }
            Failure::Billing
            | Failure::RateLimited { .. }
            | Failure::Overloaded
            | Failure::Network
            | Failure::Permission { path: None }
            | Failure::NotGitRepository
            | Failure::ContextFull
            | Failure::Truncated
            | Failure::Crashed
            | Failure::Hung
            | Failure::Model
            | Failure::Config
            | Failure::Refused
            | Failure::CliLimit
            | Failure::Limit
            | Failure::Cancelled => String::new(),
        }
    }

    /// Says once which files of a task's work programs obey by themselves: whoever lands it has them in force (THREATS T3).
    fn tell_of_obeyed(&mut self, task: &crate::TaskId, changed: &[String]) {
        const NAMED: usize = 8;
        let obeyed = || changed.iter().filter(|path| crate::guard::is_obeyed(path));
        let mut named: Vec<String> = obeyed().take(NAMED).map(|path| crate::one_line(path, 100)).collect();
        if named.is_empty() {
            return;
        }
        let more = obeyed().count() - named.len();
        if 0 < more {
            named.push(format!("{more} more"));
        }
        let text = format!(
            "task {task} changes files that programs obey by themselves; read them before you land it: {}",
            named.join(", ")
        );
        if !self.state.warnings.iter().any(|(_, _, said)| *said == text) {
            self.emit(Event::Warned { text });
        }
    }

    pub(super) fn performed(&mut self, job: JobId, outcome: JobOutcome) {
        let Some(what) = self.state.jobs.get(&job).cloned() else { return };
        self.emit(Event::JobEnded { job, outcome: outcome.clone() });
        if let (Job::Snapshot { task, .. }, JobOutcome::Snapshot { changed, .. }) = (&what, &outcome) {
            self.tell_of_obeyed(task, changed);
        }
        match (&what, outcome) {
            (Job::Verify { review, worker, .. }, JobOutcome::Verified { ballot }) => {
                let reviewer = self.state.workers.get(worker).map(|state| state.assignment.agent.clone());
                if let Some(reviewer) = reviewer {
                    self.emit(Event::BallotCounted { review: *review, reviewer, ballot });
                }
            }
            (Job::Verify { review, worker, .. }, JobOutcome::Failed { why }) => {
                self.void_seat(*review, *worker, &why)
            }
            (Job::Merge { task, .. }, JobOutcome::Merged { .. }) => {
                let tree = self.state.task(task).and_then(|state| state.course.snapshot.clone());
                if let Some((_, tree)) = tree {
                    self.emit(Event::TaskAccepted { task: task.clone(), tree });
                }
            }
            (
                Job::Snapshot { task, worker, milestone, trigger: Some(trigger) },
                JobOutcome::Snapshot { commit, tree, .. },
            ) => {
                let about = milestone.clone().unwrap_or_default();
                let _ = worker;
                self.request_review(
                    Subject::Task { task: task.clone() },
                    *trigger,
                    false,
                    commit,
                    tree,
                    about,
                );
            }
            (Job::Land { .. }, JobOutcome::Failed { why }) => {
                self.emit(Event::Warned { text: format!("landing failed: {why}") });
            }
            (Job::Snapshot { trigger: Some(_), .. }, JobOutcome::Failed { why }) => {
                self.emit(Event::Warned { text: format!("no review could be made: {why}") });
            }
            (_, JobOutcome::Failed { why }) => self.job_failed(job, &what, &why),
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

    fn job_failed(&mut self, job: JobId, what: &Job, why: &str) {
        let subject = match what {
            Job::PrepareTree { task } | Job::Snapshot { task, .. } | Job::Merge { task, .. } => {
                Some(Subject::Task { task: task.clone() })
            }
            Job::Check { subject, .. } => Some(subject.clone()),
            Job::Verify { .. } | Job::Land { .. } => None,
        };
        let asked = Asked {
            text: why.to_owned(),
            about: About::Job { job, subject },
            choices: vec![Choice::Retry, Choice::Abandon],
        };
        self.ask(asked, NoticeKind::Blocker, "Something on this machine is in the way");
    }
}
