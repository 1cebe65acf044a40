//! Level-triggered: looks at where everything stands and asks for what is missing. Nothing is remembered but the journal.

use super::{Effect, Next};
use crate::{
    About, Action, Actor, Asked, Choice, Decision, Event, Job, JobId, Note, NoticeKind, Outcome, Plan,
    PlanSource, Purpose, Role, Rule, RunKey, Stage, StopReason, Subject, Task, TaskId, TaskState, Trigger,
    WorkerId, limits,
};

impl Next<'_> {
    /// Drives everything toward what it should be. Ends, because each turn needs an entry that makes the next one smaller.
    pub(super) fn drive(&mut self) {
        if self.state.opened.is_none() || self.state.resuming || self.state.ended.is_some() {
            return;
        }
        self.limits();
        if let Some(reason) = self.state.stopping {
            self.finish_stop(reason);
            return;
        }
        if self.state.escalated() {
            return;
        }
        if !self.drive_plan() {
            return;
        }
        loop {
            let before = self.state.seq;
            for task in self.state.tasks.iter().map(|task| task.task.id.clone()).collect::<Vec<_>>() {
                self.drive_task(&task);
            }
            self.drive_reviews();
            self.drive_finale();
            if self.state.seq == before
                || self.state.stopping.is_some()
                || self.state.escalated()
                || self.state.ended.is_some()
            {
                break;
            }
        }
    }

    fn limits(&mut self) {
        if self.state.stopping.is_some() {
            return;
        }
        for (limit, used) in limits::used(self.state, self.now.at) {
            if 100.0 <= used {
                let text = format!("The limit {limit} of this session is reached.");
                self.emit(Event::StopRequested { now: false, reason: StopReason::Limit, text: text.clone() });
                self.stop_workers(false);
                self.notify(NoticeKind::Blocker, "A limit is reached", &text);
                return;
            }
            if limits::NOTICE_PERCENT <= used && !self.state.limits_warned.contains(limit) {
                self.emit(Event::LimitWarned { limit: limit.to_owned() });
                self.emit(Event::Warned { text: format!("{used:.0} % of the limit {limit} are used") });
            }
        }
    }

    pub(super) fn stop_workers(&mut self, now: bool) {
        let live: Vec<WorkerId> = self.state.live().map(|(id, _)| id).collect();
        self.step.effects.extend(live.into_iter().map(|worker| Effect::Stop { worker, now }));
    }

    fn finish_stop(&mut self, reason: StopReason) {
        if self.state.live().next().is_some() || !self.state.jobs.is_empty() {
            return;
        }
        let (outcome, why) = match reason {
            StopReason::Person => (Outcome::Stopped, "Stopped by you; `resume` goes on where it was."),
            StopReason::Limit => (Outcome::Limited, "A limit was reached; everything is kept."),
            StopReason::Abandoned => (Outcome::Failed, "Given up by you; everything is kept."),
            StopReason::Closing if self.state.open_questions().next().is_some() => {
                (Outcome::Waiting, "Waits for your answer.")
            }
            StopReason::Closing => {
                (Outcome::Stopped, "The program was closed; `resume` goes on where it was.")
            }
        };
        self.end(outcome, why);
    }

    fn end(&mut self, outcome: Outcome, why: &str) {
        self.emit(Event::SessionEnded { outcome, why: why.to_owned() });
        if outcome != Outcome::Waiting {
            let goal =
                self.state.opened.as_ref().map(|opened| crate::head(&opened.goal, 80)).unwrap_or_default();
            let title = match outcome {
                Outcome::Done => "Done and checked",
                Outcome::Stopped => "Stopped",
                Outcome::Limited => "Ended at a limit",
                Outcome::Failed | Outcome::Waiting => "Ended",
            };
            self.notify(NoticeKind::Done, title, &format!("{goal}: {why}"));
        }
    }

    pub(super) fn close(&mut self, now: bool) {
        if self.state.ended.is_some() || self.state.opened.is_none() {
            return;
        }
        if self.state.stopping.is_none() {
            let text = "The program is being closed.".to_owned();
            self.emit(Event::StopRequested { now, reason: StopReason::Closing, text });
        }
        self.stop_workers(now);
    }

    /// Whether a plan is approved; asks for one, or for its approval, when not.
    fn drive_plan(&mut self) -> bool {
        let Some(plan) = self.state.plan.as_ref().filter(|plan| !plan.rejected) else {
            self.want_plan();
            return false;
        };
        if plan.approved.is_some() {
            return true;
        }
        let version = plan.version;
        if self.state.opened.as_ref().is_some_and(|opened| opened.settings.approve_plan) {
            self.emit(Event::PlanApproved { version, by: Actor::Setting });
            return true;
        }
        let asked_already = self
            .state
            .open_questions()
            .any(|(_, question)| matches!(question.asked.about, About::Plan { version: asked } if asked == version));
        if !asked_already {
            let text = format!("The plan (version {version}) waits for your approval.");
            let choices = vec![Choice::Approve, Choice::Replan, Choice::Abandon];
            self.ask(
                Asked { text, about: About::Plan { version }, choices },
                NoticeKind::Blocker,
                "The plan is ready",
            );
        }
        false
    }

    fn want_plan(&mut self) {
        let busy = self.state.live().any(|(_, worker)| worker.assignment.purpose == Purpose::Plan);
        if busy || self.state.paused || self.parked(&RunKey::Plan) {
            return;
        }
        match self.lead() {
            Some(_) if 2 <= self.state.plan_refusals => {
                self.propose_built_in("the lead's answer was no plan, twice".to_owned());
                self.drive_plan();
            }
            Some(agent) => self.request_worker(agent, Role::Lead, Purpose::Plan, Vec::new()),
            None => self.propose_built_in("no agent can plan".to_owned()),
        }
    }

    fn lead(&self) -> Option<crate::AgentName> {
        let wanted = self.state.opened.as_ref().map(|opened| &opened.settings.lead)?;
        let agents = self.state.agents();
        let lead = agents.iter().find(|agent| agent.name == *wanted).or(agents.first())?;
        Some(lead.name.clone())
    }

    pub(super) fn propose_built_in(&mut self, why: String) {
        let Some(opened) = &self.state.opened else { return };
        let plan = Plan::built_in(&opened.goal, &opened.agents, &opened.checks);
        self.emit(Event::Warned { text: format!("the built-in plan is used: {why}") });
        self.propose(plan, PlanSource::BuiltIn { why });
    }

    fn parked(&self, key: &RunKey) -> bool {
        let run = self.state.runs.get(key);
        run.and_then(|run| run.not_before).is_some_and(|at| self.now.at < at)
    }

    fn drive_task(&mut self, id: &TaskId) {
        let Some(state) = self.state.task(id) else { return };
        let makes = state.task.makes();
        self.drive_triggers(id);
        let Some(state) = self.state.task(id) else { return };
        let subject =
            if makes { Subject::Task { task: id.clone() } } else { Subject::Validation { task: id.clone() } };
        match state.course.stage.clone() {
            Stage::Waiting if makes => self.prepare(id),
            Stage::Waiting | Stage::Ready | Stage::Settled if !makes => self.judge_or_mend(&subject),
            Stage::Ready => self.work(id),
            Stage::Settling(worker) => self.snapshot(id, worker, None, None),
            Stage::Settled => {
                if self.side_review(id) {
                } else if state.course.notes.is_empty() {
                    let commit = state.course.snapshot.as_ref().map(|(commit, _)| commit.clone());
                    self.check(&subject, commit);
                } else {
                    self.work(id);
                }
            }
            Stage::Checked if makes => self.gate_task(id),
            Stage::Checked => self.gate_head(&subject, Trigger::Validation),
            Stage::Approved if makes => self.merge(id),
            Stage::Approved => {
                let tree = self.state.head_tree.clone().unwrap_or_default();
                self.emit(Event::TaskAccepted { task: id.clone(), tree });
            }
            Stage::Waiting
            | Stage::Working(_)
            | Stage::Reviewing(_)
            | Stage::Accepted
            | Stage::Blocked(_) => {}
        }
    }

    /// Reviews that the worker asked for while it goes on working: a snapshot first, the review follows from it.
    fn drive_triggers(&mut self, id: &TaskId) {
        let Some(state) = self.state.task(id) else { return };
        let Stage::Working(worker) = state.course.stage else { return };
        let Some((trigger, text)) = state.waiting_triggers.first().cloned() else { return };
        if !self.side_review(id) {
            self.snapshot(id, worker, Some(trigger), Some(text));
        }
    }

    /// Whether a review of this task is on that does not gate it, or a snapshot for one.
    pub(super) fn side_review(&self, id: &TaskId) -> bool {
        let open = |state: &crate::ReviewState| {
            state.decision.is_none() && !state.review.gate && state.review.subject.task() == Some(id)
        };
        self.state.reviews.values().any(open)
            || self
                .state
                .pending(|job| matches!(job, Job::Snapshot { task, trigger: Some(_), .. } if task == id))
    }

    pub(super) fn snapshot(
        &mut self,
        id: &TaskId,
        worker: WorkerId,
        trigger: Option<Trigger>,
        milestone: Option<String>,
    ) {
        let busy = self.state.pending(|job| matches!(job, Job::Snapshot { task, .. } if task == id));
        if !busy {
            self.request_job(Job::Snapshot { task: id.clone(), worker, milestone, trigger });
        }
    }

    fn ready_to_start(&self, task: &Task) -> bool {
        let accepted = |id: &TaskId| self.state.task(id).is_some_and(|on| on.course.stage == Stage::Accepted);
        task.depends_on.iter().all(accepted)
    }

    /// Whether one more task may be at work.
    fn slot(&self) -> bool {
        let parallel =
            self.state.opened.as_ref().map_or(1, |opened| opened.settings.parallel.max(1)) as usize;
        let preparing = self.state.jobs.values().filter(|job| matches!(job, Job::PrepareTree { .. })).count();
        let working = self.state.live().filter(|(_, worker)| worker.task().is_some()).count();
        preparing + working < parallel
    }

    fn prepare(&mut self, id: &TaskId) {
        let Some(state) = self.state.task(id) else { return };
        let pending = self.state.pending(|job| matches!(job, Job::PrepareTree { task } if task == id));
        if !pending && !self.state.paused && self.ready_to_start(&state.task) && self.slot() {
            self.request_job(Job::PrepareTree { task: id.clone() });
        }
    }

    /// A worker for a task whose tree is there, unless its turns lead nowhere.
    fn work(&mut self, id: &TaskId) {
        let Some(state) = self.state.task(id) else { return };
        if state.path.is_none() {
            self.prepare(id);
            return;
        }
        if self.state.paused || !self.slot() || self.parked(&RunKey::Task(id.clone())) {
            return;
        }
        if let Some(why) = self.leads_nowhere(state) {
            self.ask_about_turns(id, why);
            return;
        }
        let (agent, role, notes) = (self.state.author(state), state.task.role, state.course.notes.clone());
        self.request_worker(agent, role, Purpose::Task { task: id.clone() }, notes);
    }

    fn leads_nowhere(&self, state: &TaskState) -> Option<&'static str> {
        let most = self.state.opened.as_ref().map_or(3, |opened| opened.settings.review.max_rounds);
        if 2 <= state.idle_turns {
            Some("two turns in a row ended without changing any file")
        } else if 2 <= state.conflicts {
            Some(
                "the conflict with the session branch is still there after its author was asked to resolve it",
            )
        } else if most <= state.course.check_rounds {
            Some("its checks still fail after the last round")
        } else {
            None
        }
    }

    fn ask_about_turns(&mut self, id: &TaskId, why: &str) {
        let run = self.state.runs.get(&RunKey::Task(id.clone()));
        let Some(worker) = run.and_then(|run| run.last) else { return };
        let checks = self.state.task(id).map(|state| failed_checks(&state.course.notes)).unwrap_or_default();
        let text = format!("{id} does not get on: {why}.{checks}");
        let choices = vec![Choice::Instruct, Choice::Retry, Choice::Abandon];
        let title = format!("{id} needs you");
        self.ask(Asked { text, about: About::Failure { worker }, choices }, NoticeKind::Blocker, &title);
    }

    pub(super) fn check(&mut self, subject: &Subject, commit: Option<crate::CommitHash>) {
        let pending =
            self.state.pending(|job| matches!(job, Job::Check { subject: of, .. } if of == subject));
        let Some(commit) = commit.filter(|_| !pending) else { return };
        let checks = self.state.checks_of(subject);
        self.request_job(Job::Check { subject: subject.clone(), commit, checks });
    }

    /// A checked task: approved already for exactly this tree, or to be reviewed.
    fn gate_task(&mut self, id: &TaskId) {
        if self.side_review(id) {
            return;
        }
        let Some(state) = self.state.task(id) else { return };
        if !state.course.notes.is_empty() {
            self.work(id);
            return;
        }
        let Some((commit, tree)) = state.course.snapshot.clone() else { return };
        if let Some((_, approved)) = &state.approved
            && *approved == tree
        {
            let trace = vec![
                format!("tree {} was approved by an earlier review", crate::head(&tree.0, 12)),
                "rule: an approval holds for exactly its tree".to_owned(),
            ];
            let decision = Decision {
                id: self.next_decision(),
                action: Action::Continue,
                rule: Rule::AllApproved,
                trace,
                by: Actor::Rule,
                review: None,
                task: Some(id.clone()),
                worker: None,
            };
            self.emit(Event::Decided { decision });
            return;
        }
        let (trigger, about) =
            state.waiting_triggers.first().cloned().unwrap_or((Trigger::Acceptance, String::new()));
        self.request_review(Subject::Task { task: id.clone() }, trigger, true, commit, tree, about);
    }

    /// One merge at a time: each begins from the session branch that the one before left.
    fn merge(&mut self, id: &TaskId) {
        let busy = self.state.pending(|job| matches!(job, Job::Merge { .. }));
        let commit = self.state.task(id).and_then(|state| state.course.snapshot.clone());
        if let Some((commit, _)) = commit.filter(|_| !busy) {
            self.request_job(Job::Merge { task: id.clone(), commit });
        }
    }

    fn drive_finale(&mut self) {
        let accepted = |task: &TaskState| task.course.stage == Stage::Accepted;
        if self.state.tasks.is_empty() || !self.state.tasks.iter().all(accepted) {
            return;
        }
        match self.state.finale.stage {
            Stage::Waiting | Stage::Ready | Stage::Settled => self.judge_or_mend(&Subject::Session),
            Stage::Checked => self.gate_head(&Subject::Session, Trigger::Final),
            Stage::Approved => {
                self.end(Outcome::Done, "All tasks accepted, final review approved, checks passed.")
            }
            Stage::Working(_)
            | Stage::Settling(_)
            | Stage::Reviewing(_)
            | Stage::Accepted
            | Stage::Blocked(_) => {}
        }
    }

    /// What is merged gets checked and judged; what was found about it before is mended first, as a task of its own.
    fn judge_or_mend(&mut self, subject: &Subject) {
        let Some(course) = self.state.course(subject) else { return };
        if let Some(task) = subject.task()
            && self.state.task(task).is_some_and(|state| !self.ready_to_start(&state.task))
        {
            return;
        }
        if course.notes.is_empty() {
            let head = self.state.head.clone();
            self.check(subject, Some(head));
            return;
        }
        let most = self.state.opened.as_ref().map_or(3, |opened| opened.settings.review.max_rounds);
        if most <= course.check_rounds
            && let Some(job) = course.last_check
        {
            self.ask_about_checks(subject, job);
            return;
        }
        let (notes, before) = (course.notes.clone(), subject.task().cloned().into_iter().collect());
        if let Some(task) = self.mending_task(&notes) {
            self.emit(Event::TaskAdded { task, notes, before });
        }
    }

    fn ask_about_checks(&mut self, subject: &Subject, job: JobId) {
        let checks =
            self.state.course(subject).map(|course| failed_checks(&course.notes)).unwrap_or_default();
        let text = format!("The project's checks still fail after the last round.{checks}");
        let about = About::Job { job, subject: Some(subject.clone()) };
        let choices = vec![Choice::Instruct, Choice::Retry, Choice::Abandon];
        self.ask(Asked { text, about, choices }, NoticeKind::Blocker, "Checks fail");
    }

    /// A task for the author of what was found wrong; the last implementer's when no file tells.
    fn mending_task(&self, notes: &[Note]) -> Option<Task> {
        let author = self.author_of(notes)?;
        let count = self.state.tasks.iter().filter(|state| state.task.id.0.starts_with("mend-")).count();
        let checks = self.state.checks_of(&Subject::Session);
        Some(Task {
            id: TaskId(format!("mend-{}", count + 1)),
            title: "Mend what was found in the merged work".to_owned(),
            role: author.task.role,
            agent: self.state.author(author),
            weight: 0,
            instructions: "Mend what was found in the work that is already merged. Nothing else.".to_owned(),
            depends_on: Vec::new(),
            acceptance: checks,
            milestones: Vec::new(),
            writes: true,
        })
    }

    fn author_of(&self, notes: &[Note]) -> Option<&TaskState> {
        let files = notes.iter().flat_map(|note| match note {
            Note::Findings { findings, .. } => {
                findings.iter().filter_map(|checked| checked.finding.file.clone()).collect::<Vec<_>>()
            }
            Note::Checks { .. } | Note::Conflict { .. } | Note::NothingChanged | Note::Message { .. } => {
                Vec::new()
            }
        });
        let files: Vec<String> = files.collect();
        let touched = |state: &&TaskState| state.changed.iter().any(|file| files.contains(file));
        let makers: Vec<&TaskState> = self.state.makers().collect();
        let implementer = |state: &&&TaskState| state.task.role == Role::Implementer;
        makers
            .iter()
            .rev()
            .find(|state| touched(state))
            .or_else(|| makers.iter().rev().find(implementer))
            .or(makers.last())
            .copied()
    }

    pub(super) fn tick(&mut self) {
        let fallback = self.state.opened.as_ref().map_or(0, |opened| opened.settings.review.every_minutes);
        if fallback == 0 || self.state.ended.is_some() || self.state.paused {
            return;
        }
        let at_work: Vec<(TaskId, WorkerId)> = self
            .state
            .live()
            .filter_map(|(id, worker)| {
                let since = self.state.last_review.map_or(worker.began, |at| at.max(worker.began));
                let minutes = self.now.at.duration_since(since).as_mins();
                (i64::from(fallback) <= minutes).then(|| worker.task().cloned().map(|task| (task, id)))?
            })
            .collect();
        for (task, worker) in at_work {
            if !self.side_review(&task) {
                self.snapshot(&task, worker, Some(Trigger::Fallback), None);
            }
        }
    }
}

fn failed_checks(notes: &[Note]) -> String {
    let mut text = String::new();
    for note in notes {
        if let Note::Checks { failed } = note {
            for result in failed {
                let what = match &result.check {
                    crate::Check::File { path } => format!("file {path}"),
                    crate::Check::Command { run } => run.clone(),
                };
                text += &format!("\n{what}: {}", crate::tail(result.output.trim(), 300));
            }
        }
    }
    text
}
