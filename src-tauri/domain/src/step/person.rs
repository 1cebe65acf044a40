//! What follows from what a person does, and why some of it is refused.

use super::{Effect, Next};
use crate::{
    About, Act, Action, Actor, Choice, Decision, ErrorCode, Event, Job, LandMethod, Outcome, PlanSource,
    QuestionId, Rule, StopReason, TaskId, Trigger, UserError, WorkerId,
};

impl Next<'_> {
    pub(super) fn act(&mut self, act: Act, by: Actor) {
        let done = match act {
            Act::EditPlan { plan } => self.edit_plan(plan),
            Act::Pause => self.pause(),
            Act::Unpause => self.unpause(),
            Act::Stop { now } => self.stop(now),
            Act::Review { task } => self.review_now(task),
            Act::Answer { question, choice, text } => self.answer(question, choice, text, by),
            Act::Land { method, message } => self.land(method, message),
        };
        self.step.refused = done.err();
    }

    fn running(&self) -> Result<(), UserError> {
        match &self.state.ended {
            None => Ok(()),
            Some((_, why)) => {
                Err(refuse(&format!("this session is over: {why}"), "Resume it, or start a new one."))
            }
        }
    }

    fn edit_plan(&mut self, plan: crate::Plan) -> Result<(), UserError> {
        self.running()?;
        if self.state.plan.as_ref().is_some_and(|plan| plan.approved.is_some()) {
            return Err(refuse("the plan is approved already", "Instruct the author of a task instead."));
        }
        plan.validate(self.state.agents())
            .map_err(|fault| refuse(&fault.to_string(), "Mend the plan and save it again."))?;
        self.propose(plan, PlanSource::Person);
        Ok(())
    }

    fn pause(&mut self) -> Result<(), UserError> {
        self.running()?;
        if self.state.paused {
            return Err(refuse("the session is paused already", "Let it go on with `resume`."));
        }
        self.emit(Event::Paused);
        let live: Vec<WorkerId> = self.state.live().map(|(id, _)| id).collect();
        self.step.effects.extend(live.into_iter().map(Effect::Freeze));
        Ok(())
    }

    fn unpause(&mut self) -> Result<(), UserError> {
        self.running()?;
        if !self.state.paused {
            return Err(refuse("the session is not paused", "Nothing needs to be done."));
        }
        self.emit(Event::Unpaused);
        self.thaw();
        Ok(())
    }

    fn thaw(&mut self) {
        let live: Vec<WorkerId> =
            self.state.live().map(|(id, _)| id).filter(|id| !self.state.frozen(*id)).collect();
        self.step.effects.extend(live.into_iter().map(Effect::Thaw));
    }

    fn stop(&mut self, now: bool) -> Result<(), UserError> {
        self.running()?;
        if self.state.stopping.is_none() {
            let text = "The user stopped the session.".to_owned();
            self.emit(Event::StopRequested { now, reason: StopReason::Person, text });
        }
        self.stop_workers(now);
        Ok(())
    }

    fn review_now(&mut self, task: Option<TaskId>) -> Result<(), UserError> {
        self.running()?;
        let at_work: Vec<(TaskId, WorkerId)> = self
            .state
            .live()
            .filter_map(|(id, worker)| worker.task().cloned().map(|task| (task, id)))
            .filter(|(of, _)| task.as_ref().is_none_or(|wanted| wanted == of))
            .collect();
        if at_work.is_empty() {
            return Err(refuse(
                "no task is at work that could be reviewed",
                "Each task is reviewed before it is accepted anyway.",
            ));
        }
        for (task, worker) in at_work {
            if !self.side_review(&task) {
                self.snapshot(&task, worker, Some(Trigger::Manual), None);
            }
        }
        Ok(())
    }

    fn answer(
        &mut self,
        question: Option<QuestionId>,
        choice: Option<Choice>,
        text: String,
        by: Actor,
    ) -> Result<(), UserError> {
        let reopened = matches!(self.state.ended, Some((Outcome::Waiting, _)));
        if !reopened {
            self.running()?;
        }
        let oldest = || self.state.open_questions().next().map(|(id, _)| id);
        let question = question
            .or_else(oldest)
            .ok_or_else(|| refuse("no question is open", "Nothing needs to be answered."))?;
        let asked = match self.state.questions.get(&question) {
            None => {
                return Err(refuse(
                    &format!("there is no question {question}"),
                    "Look at `status` for open ones.",
                ));
            }
            Some(state) if state.answer.is_some() => {
                return Err(refuse(
                    &format!("{question} is answered already, or its turn is over"),
                    "Nothing was done.",
                ));
            }
            Some(state) => state.asked.clone(),
        };
        let takes_text =
            |choice: &Choice| matches!(choice, Choice::Instruct | Choice::Reply | Choice::Replan);
        let by_text = || asked.choices.iter().copied().find(takes_text).filter(|_| !text.trim().is_empty());
        let choice = choice.or_else(by_text).or(asked.choices.first().copied()).unwrap_or(Choice::Reply);
        if !asked.choices.contains(&choice) {
            return Err(refuse(
                "this question has no such choice",
                &format!("Choose one of {:?}.", asked.choices).to_lowercase(),
            ));
        }
        if choice == Choice::HandOver && self.heir(&asked.about).is_none() {
            return Err(refuse(
                "no agent of another vendor can take this over now",
                "Choose another way, or wait until one is free.",
            ));
        }
        if choice == Choice::ThirdOpinion && self.third(&asked.about).is_none() {
            return Err(refuse(
                "nobody is left who could give one more opinion: every vendor has a seat or a hand in the work",
                "Choose another way.",
            ));
        }
        let needs_text = matches!(choice, Choice::Override | Choice::Reply)
            || (choice == Choice::Instruct && !matches!(asked.about, About::Review { .. }));
        if needs_text && text.trim().is_empty() {
            return Err(refuse(
                "this choice needs words: a reason, an instruction or an answer",
                "Say it in the text.",
            ));
        }
        self.emit(Event::QuestionAnswered { question, choice, text: text.clone(), by: by.clone() });
        self.follow(&asked.about, choice, text, by);
        self.thaw();
        Ok(())
    }

    /// Who would take a failed worker's place.
    fn heir(&self, about: &About) -> Option<(WorkerId, crate::AgentName)> {
        let About::Failure { worker } = about else { return None };
        let heir = crate::recovery::successor(self.state, *worker, self.now.at)?;
        Some((*worker, heir))
    }

    /// The seat of whoever could give one more opinion on what a review is about.
    fn third(&mut self, about: &About) -> Option<crate::Seat> {
        let About::Review { review } = about else { return None };
        let (reviewer, vendor, scope) = super::judge::another(self.state, *review)?;
        let nonce = self.nonce();
        Some(crate::Seat { reviewer, vendor, scope, nonce, workers: Vec::new(), ballot: None })
    }

    fn follow(&mut self, about: &About, choice: Choice, text: String, by: Actor) {
        if choice == Choice::Abandon {
            let said = "The user gave the session up.".to_owned();
            self.emit(Event::StopRequested { now: false, reason: StopReason::Abandoned, text: said });
            self.stop_workers(false);
            return;
        }
        match (about, choice) {
            (About::Plan { version }, Choice::Approve) => {
                self.emit(Event::PlanApproved { version: *version, by })
            }
            (About::Plan { version }, _) => {
                self.emit(Event::PlanRejected { version: *version, comment: text })
            }
            (About::Review { review }, Choice::Override) => {
                let task =
                    self.state.reviews.get(review).and_then(|state| state.review.subject.task().cloned());
                let decision = Decision {
                    id: self.next_decision(),
                    action: Action::Continue,
                    rule: Rule::Person,
                    trace: vec![format!("overridden by the user; reason: {}", text.trim())],
                    by,
                    review: Some(*review),
                    task,
                    worker: None,
                };
                self.emit(Event::Decided { decision });
            }
            (About::Review { review }, Choice::ThirdOpinion) => {
                if let Some(seat) = self.third(about) {
                    self.emit(Event::SeatAdded { review: *review, seat });
                }
            }
            (About::Worker { worker, call }, _) => {
                let (worker, call) = (*worker, call.clone());
                self.step.effects.push(Effect::Reply { worker, call, text, error: false });
            }
            (About::Failure { .. }, Choice::HandOver) => {
                let failed = self.heir(about).and_then(|(worker, to)| {
                    let (_, failed) = self.state.workers.get(&worker)?.end.clone()?;
                    Some((worker, to, failed?))
                });
                if let Some((worker, to, failed)) = failed {
                    self.repair(worker, failed, crate::Repair::HandOver { to });
                }
            }
            (About::SafeMode, _) => self.perform_pending(),
            (About::Command { worker, call, command, rule }, choice) => {
                let (worker, call) = (*worker, call.clone());
                let wanted = (command.clone(), rule.clone());
                self.answered_card(worker, call, choice, &text, wanted);
            }
            (About::Review { .. } | About::Failure { .. } | About::Job { .. }, _) => {}
        }
    }

    fn land(&mut self, method: LandMethod, message: String) -> Result<(), UserError> {
        if !matches!(self.state.ended, Some((Outcome::Done, _))) {
            return Err(refuse("only a finished session can be landed", "Let it go on until it is done."));
        }
        if self.state.landed.is_some() {
            return Err(refuse("this session is landed already", "Nothing was done."));
        }
        if self.state.pending(|job| matches!(job, Job::Land { .. })) {
            return Ok(()); // begun before, perhaps by a program that was killed: it is done once
        }
        let goal = self.state.opened.as_ref().map(|opened| opened.goal.clone()).unwrap_or_default();
        let first = goal.lines().next().unwrap_or_default();
        let message = if message.trim().is_empty() { crate::head(first, 72) } else { message };
        self.request_job(Job::Land { method, message });
        Ok(())
    }
}

fn refuse(message: &str, hint: &str) -> UserError {
    UserError { code: ErrorCode::Usage, message: message.to_owned(), hint: hint.to_owned() }
}
