//! Level-triggered: looks at where everything stands and asks for what is missing. Nothing is remembered but the journal.

use super::Next;
use super::mend::failed_checks;
use crate::*;

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
        if self.state.escalated() || self.state.safe_mode {
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
        let lead = self.state.lead().cloned();
        let gated = lead.as_ref().is_some_and(|lead| self.state.gated(lead, self.now.at));
        if busy || gated || self.state.paused || self.parked(&RunKey::Plan) {
            return;
        }
        match lead {
            Some(_) if 2 <= self.state.plan_refusals => {
                self.propose_built_in("the lead's answer was no plan, twice".to_owned());
                self.drive_plan();
            }
            Some(agent) => self.request_worker(agent, Role::Lead, Purpose::Plan, Vec::new()),
            None => self.propose_built_in("no agent can plan".to_owned()),
        }
    }

    pub(super) fn propose_built_in(&mut self, why: String) {
        let Some(opened) = &self.state.opened else { return };
        let plan = Plan::built_in(&opened.goal, &opened.agents, &opened.checks);
        self.emit(Event::Warned { text: format!("the built-in plan is used: {why}") });
        self.propose(plan, PlanSource::BuiltIn { why });
    }

    /// Whether its next worker has to wait: for a time, or for the answer to what its last one asked.
    pub(super) fn parked(&self, key: &RunKey) -> bool {
        if self.state.owed_an_answer(key) {
            return true;
        }
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

    pub(super) fn ready_to_start(&self, task: &Task) -> bool {
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
        let gated = self.state.gated(&self.state.author(state), self.now.at);
        // What an author left is kept before another one goes on from it.
        let kept = !self.state.pending(|job| matches!(job, Job::Snapshot { task, .. } if task == id));
        if self.state.paused || gated || !kept || !self.slot() || self.parked(&RunKey::Task(id.clone())) {
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
        let said = |note: &Note| matches!(note, Note::SaidChanged { .. });
        if 2 <= state.idle_turns && state.course.notes.iter().any(said) {
            Some("its author said twice that it changed something, and nothing in its folder had changed")
        } else if 2 <= state.idle_turns {
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
