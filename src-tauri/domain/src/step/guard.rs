//! The guard rail: a worker's command is judged before it runs; what needs consent becomes a card that the worker waits for.

use jiff::SignedDuration;

use super::{Effect, Next};
use crate::guard::{Clearance, GuardRules, Judgement, Place, Wanted, judge, visible};
use crate::{About, Actor, AgentEvent, Asked, Choice, Event, NoticeKind, QuestionId, ToolOutcome, WorkerId};

impl Next<'_> {
    /// A hook asks; its CLI waits.
    pub(super) fn wants(&mut self, worker: WorkerId, call: String, wanted: Wanted) {
        let live = self.state.workers.get(&worker).is_some_and(|state| state.end.is_none());
        if !live || self.state.resuming {
            return; // it is gone and cannot read an answer
        }
        let judgement = self.judged(&wanted);
        match judgement.clearance {
            Clearance::Allow => self.answer_hook(worker, call, Ok(())),
            Clearance::Deny => {
                self.note(worker, &wanted.command, &judgement, false);
                self.answer_hook(worker, call, Err(denied(&judgement)));
            }
            Clearance::Ask if self.state.allowed.contains(&wanted.command) => {
                let judgement = Judgement { clearance: Clearance::Allow, ..judgement };
                self.note(worker, &wanted.command, &judgement, false);
                self.answer_hook(worker, call, Ok(()));
            }
            Clearance::Ask => {
                self.step.effects.push(Effect::Hold { worker, call: call.clone() });
                self.card(worker, Some(call), &wanted, &judgement);
            }
        }
    }

    /// The command that a worker has begun, when its CLI has not shown that it asks before.
    pub(super) fn unguarded(&self, worker: WorkerId, said: &AgentEvent) -> Option<Wanted> {
        let AgentEvent::Progress(progress) = said else { return None };
        let tool = progress.tool.as_ref().filter(|tool| tool.outcome == ToolOutcome::Started)?;
        let command = tool.command.clone()?;
        let state = self.state.workers.get(&worker).filter(|state| !state.hooked && state.end.is_none())?;
        let opened = self.state.opened.as_ref()?;
        if opened.demo || self.state.resuming {
            return None; // a script plays; or it is over
        }
        let folder = state.task().and_then(|task| self.state.task(task)?.path.clone());
        let project = folder.unwrap_or_else(|| opened.target.clone());
        // Whose home it is does not matter for what `~` means.
        let place =
            Place { cwd: project.clone(), project, home: "/home/worker".to_owned(), also: Vec::new() };
        Some(Wanted { tool: tool.name.clone(), command, prompted: false, place })
    }

    /// A command has begun without anybody having been asked: the worker stands still until the user has answered, or is
    /// stopped. What it did by then is done: only the sandbox prevents.
    pub(super) fn has_begun(&mut self, worker: WorkerId, wanted: Wanted) {
        let judgement = self.judged(&wanted);
        match judgement.clearance {
            Clearance::Allow => {}
            Clearance::Ask if self.state.allowed.contains(&wanted.command) => {}
            Clearance::Ask => {
                self.step.effects.push(Effect::Freeze(worker));
                self.card(worker, None, &wanted, &judgement);
            }
            Clearance::Deny => {
                self.note(worker, &wanted.command, &judgement, true);
                self.step.effects.push(Effect::Stop { worker, now: true });
            }
        }
    }

    fn judged(&self, wanted: &Wanted) -> Judgement {
        let none = GuardRules::default();
        let rules = self.state.opened.as_ref().map_or(&none, |opened| &opened.settings.guard);
        let judgement = judge(&wanted.command, &wanted.place, rules);
        if wanted.prompted && judgement.clearance == Clearance::Allow {
            // The agent's own rules want a person to look at it.
            let reason = "The agent itself asks for consent.".to_owned();
            return Judgement { clearance: Clearance::Ask, rule: "prompt".to_owned(), reason, ..judgement };
        }
        judgement
    }

    fn note(&mut self, worker: WorkerId, command: &str, judgement: &Judgement, stopped: bool) {
        self.emit(Event::CommandJudged {
            worker,
            command: command.to_owned(),
            clearance: judgement.clearance,
            rule: judgement.rule.clone(),
            reason: judgement.reason.clone(),
            stopped,
        });
    }

    fn card(&mut self, worker: WorkerId, call: Option<String>, wanted: &Wanted, judgement: &Judgement) {
        let agent = self.state.workers.get(&worker).map(|state| state.assignment.agent.clone());
        let who = agent.map_or_else(|| worker.to_string(), |agent| format!("{agent} ({worker})"));
        let (does, then) = match call {
            Some(_) => ("wants to run", "it is denied"),
            None => ("began and stands still at", "the worker is stopped"),
        };
        let part = visible(&judgement.part);
        let at = if part.is_empty() || part == visible(&wanted.command) {
            String::new()
        } else {
            format!("\nThe part that it is about: {part}")
        };
        let text = format!(
            "{who} {does} a command that needs your consent. {} (rule {})\n\n{}\n\nIn {}.{at}\nWithout an answer {then} \
             after {} minutes.",
            judgement.reason,
            judgement.rule,
            visible(&wanted.command),
            visible(&wanted.place.cwd),
            self.answer_minutes(),
        );
        let (command, rule) = (wanted.command.clone(), judgement.rule.clone());
        let about = About::Command { worker, call, command, rule };
        let choices = vec![Choice::Deny, Choice::AllowOnce, Choice::AllowSession];
        self.ask(Asked { text, about, choices }, NoticeKind::Blocker, "A command needs your consent");
    }

    fn answer_minutes(&self) -> u32 {
        self.state.opened.as_ref().map_or(10, |opened| opened.settings.guard.answer_minutes.max(1))
    }

    /// Cards that waited long enough: nobody said yes.
    pub(super) fn expire_cards(&mut self) {
        if self.state.paused || self.state.ended.is_some() || self.state.resuming {
            return;
        }
        let patience = SignedDuration::from_mins(self.answer_minutes().into());
        let over: Vec<QuestionId> = (self.state.open_questions())
            .filter(|(_, question)| matches!(question.asked.about, About::Command { .. }))
            .filter(|(_, question)| patience <= self.now.at.duration_since(question.since))
            .map(|(id, _)| id)
            .collect();
        for question in over {
            let Some(about) = self.state.questions.get(&question).map(|state| state.asked.about.clone())
            else {
                continue;
            };
            let text = format!("nobody answered within {} minutes", self.answer_minutes());
            let (choice, by) = (Choice::Deny, Actor::Rule);
            self.emit(Event::QuestionAnswered { question, choice, text: text.clone(), by });
            if let About::Command { worker, call, command, rule } = about {
                self.answered_card(worker, call, choice, &text, (command, rule));
            }
        }
    }

    /// What follows from the answer to a card; `wanted`: command and rule.
    pub(super) fn answered_card(
        &mut self,
        worker: WorkerId,
        call: Option<String>,
        choice: Choice,
        text: &str,
        (command, rule): (String, String),
    ) {
        let allowed = matches!(choice, Choice::AllowOnce | Choice::AllowSession);
        let why =
            if text.trim().is_empty() { "the user refused it".to_owned() } else { text.trim().to_owned() };
        match call {
            Some(call) if allowed => self.answer_hook(worker, call, Ok(())),
            Some(call) => {
                let text = format!(
                    "The guard rail asked the user about this command ({rule}), and it was denied: {why}. Do not try to \
                     reach the same in another way; go on without it, or ask the user with the tool `ask_user`."
                );
                self.answer_hook(worker, call, Err(text));
            }
            None if allowed => {
                if !self.state.frozen(worker) {
                    self.step.effects.push(Effect::Thaw(worker));
                }
            }
            None => {
                let judgement =
                    Judgement { clearance: Clearance::Deny, rule, reason: why, part: String::new() };
                self.note(worker, &command, &judgement, true);
                self.step.effects.push(Effect::Stop { worker, now: true });
            }
        }
    }

    fn answer_hook(&mut self, worker: WorkerId, call: String, verdict: Result<(), String>) {
        let error = verdict.is_err();
        let text = verdict.err().unwrap_or_default();
        self.step.effects.push(Effect::Reply { worker, call, text, error });
    }

    pub(super) fn asks_about_command(&self, question: QuestionId) -> bool {
        let question = self.state.questions.get(&question);
        question.is_some_and(|question| matches!(question.asked.about, About::Command { .. }))
    }
}

/// For the model.
fn denied(judgement: &Judgement) -> String {
    format!(
        "Denied by the guard rail, rule {}: {} Do not try to reach the same in another way; go on without it, or ask the \
         user with the tool `ask_user`.",
        judgement.rule, judgement.reason
    )
}
