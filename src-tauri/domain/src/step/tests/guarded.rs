//! Commands of workers: answered at once, asked about, answered too late, and what has begun without a question.

use super::*;
use crate::guard::{Clearance, Place, Wanted};

/// A session whose lead, `w1`, is at work.
struct Guarded(World);

impl Guarded {
    fn new() -> Self {
        let mut world = World::default();
        world.send(Input::Open { opened: Box::new(opened(&ALL)), warnings: vec![] });
        world.queue.clear();
        Self(world)
    }

    /// One step at this second; the replay stays the live state.
    fn step(&mut self, second: i64, input: Input) -> Step {
        let world = &mut self.0;
        let step = world.state.step(Now { at: Timestamp::from_second(second).unwrap(), entropy: 7 }, input);
        for entry in &step.entries {
            let line = serde_json::to_string(entry).unwrap();
            world.replayed.apply(&serde_json::from_str(&line).unwrap());
        }
        assert_eq!(world.replayed, world.state);
        step
    }

    fn wants(&mut self, second: i64, command: &str) -> Step {
        self.calls(second, command, false)
    }

    fn calls(&mut self, second: i64, command: &str, prompted: bool) -> Step {
        let wanted =
            Wanted { tool: "Bash".into(), command: command.into(), prompted, place: Place::example() };
        let (worker, call) = (WorkerId(1), format!("c{second}"));
        self.step(second, Input::Called { worker, offset: 0, call, what: Call::Permit { wanted } })
    }

    fn begins(&mut self, second: i64, command: &str) -> Step {
        let tool = crate::ToolCall {
            id: "t".into(),
            name: "Bash".into(),
            command: Some(command.into()),
            outcome: crate::ToolOutcome::Started,
            exit_code: None,
            output: None,
        };
        let said = AgentEvent::Progress(crate::Progress { tool: Some(tool), ..crate::Progress::default() });
        self.step(second, Input::Said { worker: WorkerId(1), offset: 0, said })
    }

    fn answers(&mut self, second: i64, choice: Choice) -> Step {
        let act = crate::Act::Answer { question: None, choice: Some(choice), text: String::new() };
        self.step(second, Input::Act { act, by: Actor::Person })
    }
}

/// The effects in a word each.
fn effects(step: &Step) -> String {
    let word = |effect: &Effect| match effect {
        Effect::Reply { error: true, .. } => "denied",
        Effect::Reply { .. } => "allowed",
        Effect::Hold { .. } => "held",
        Effect::Freeze(_) => "frozen",
        Effect::Thaw(_) => "thawed",
        Effect::Stop { .. } => "stopped",
        Effect::Notify(_) => "notified",
        Effect::Spawn(_) | Effect::Perform(_) | Effect::AnswerDemo(_) => "more",
    };
    step.effects.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_is_clear_is_answered_at_once() {
    let mut session = Guarded::new();
    assert_eq!(effects(&session.wants(10, "cargo test")), "allowed");
    let step = session.wants(11, "rm -rf /");
    assert_eq!(effects(&step), "denied");
    let judged = |entry: &Entry| matches!(&entry.event, Event::CommandJudged { clearance: Clearance::Deny, rule, .. } if rule == "delete-system");
    assert!(step.entries.iter().any(judged), "{step:?}");
    assert!(session.0.state.open_questions().next().is_none());
}

#[test]
fn a_question_is_a_card_until_it_is_answered() {
    let mut session = Guarded::new();
    assert_eq!(effects(&session.wants(10, "git push")), "held notified");
    assert!(session.0.state.asks(WorkerId(1)) && !session.0.state.frozen(WorkerId(1)));
    assert!(!session.0.state.waiting(), "the session does not end for it: the card has an end of its own");
    let (_, question) = session.0.state.open_questions().next().unwrap();
    assert!(question.asked.text.contains("git push") && question.asked.choices[0] == Choice::Deny);
    assert_eq!(effects(&session.answers(20, Choice::AllowOnce)), "allowed thawed");
    assert_eq!(effects(&session.wants(30, "git push")), "held notified", "once is once");
    assert_eq!(effects(&session.answers(40, Choice::Deny)), "denied thawed");
    assert_eq!(effects(&session.wants(50, "git push")), "held notified");
    assert_eq!(effects(&session.answers(60, Choice::AllowSession)), "allowed thawed");
    assert_eq!(effects(&session.wants(70, "git push")), "allowed");
    assert_eq!(effects(&session.wants(80, "git push origin")), "held notified", "exactly the same only");
}

#[test]
fn without_an_answer_it_is_denied_and_a_pause_does_not_count() {
    let mut session = Guarded::new();
    session.wants(10, "git push");
    assert_eq!(effects(&session.step(609, Input::Tick)), "");
    assert_eq!(effects(&session.step(610, Input::Tick)), "denied");
    session.wants(1_000, "sudo ls");
    session.step(1_100, Input::Act { act: crate::Act::Pause, by: Actor::Person });
    assert_eq!(effects(&session.step(9_000, Input::Tick)), "");
    session.step(9_100, Input::Act { act: crate::Act::Unpause, by: Actor::Person });
    assert_eq!(effects(&session.step(9_599, Input::Tick)), "");
    assert_eq!(effects(&session.step(9_600, Input::Tick)), "denied");
}

#[test]
fn an_agents_own_prompt_comes_to_the_same_card() {
    let mut session = Guarded::new();
    assert_eq!(effects(&session.calls(10, "ls", true)), "held notified");
    assert_eq!(effects(&session.calls(11, "rm -rf /", true)), "denied");
}

#[test]
fn what_has_begun_without_a_question_stands_still() {
    let mut session = Guarded::new();
    assert_eq!(effects(&session.begins(10, "ls")), "");
    assert_eq!(effects(&session.begins(11, "git push")), "frozen notified");
    assert!(session.0.state.frozen(WorkerId(1)));
    assert_eq!(effects(&session.answers(12, Choice::AllowOnce)), "thawed thawed");
    assert!(!session.0.state.frozen(WorkerId(1)));
    assert_eq!(effects(&session.begins(13, "git push")), "frozen notified");
    assert_eq!(effects(&session.step(613, Input::Tick)), "stopped");
    assert!(session.0.state.workers[&WorkerId(1)].limited.as_ref().unwrap().contains("git push"));
    assert_eq!(effects(&Guarded::new().begins(10, "rm -rf /")), "stopped");
}

#[test]
fn a_cli_that_has_our_hooks_is_not_held_by_its_stream() {
    let mut session = Guarded::new();
    session.step(9, Input::Called { worker: WorkerId(1), offset: 0, call: "h".into(), what: Call::Hooked });
    assert_eq!(effects(&session.begins(10, "git push")), "");
}
