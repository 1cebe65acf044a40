//! How sessions end that need their user, cross a limit, or have agents that fail: exit code, words, and the way on.

use domain::{Event, Failure, Repair};
use serde_json::{Value, json};

use super::team::{Ended, Team, plan, task, work};

/// One task, which these entries are about.
fn one_task(entries: &[Value]) -> Team {
    let mut script = vec![plan(&[task("t1", "claude")])];
    script.extend_from_slice(entries);
    Team::new(|_| script)
}

fn begin(team: &Team) -> Ended {
    team.begin().end()
}

/// A review of the first round that objects, with a quote that is there.
fn objection(agent: &str, severity: &str) -> Value {
    json!({ "when": { "purpose": "review", "task": "t1", "round": "1", "agent": agent }, "steps": [
        { "verdict": {
            "verdict": severity, "summary": "It says nothing.", "files_read": ["t1.txt"],
            "findings": [{
                "severity": severity, "title": "It says nothing", "file": "t1.txt", "lines": "1",
                "quote": "text of t1", "why": "Nobody can use it.", "recommendation": "Say something.",
            }],
        } },
    ] })
}

fn mended() -> Value {
    json!({ "when": { "task": "t1", "purpose": "task", "round": "[2-9]" }, "steps": [
        { "write": { "path": "t1.txt", "text": "something\n" } }, { "say": "It is mended." },
    ] })
}

/// The words of a command that was printed to be copied, with this text in its place.
#[track_caller]
fn printed(ended: &Ended, choice: &str, text: &str) -> Vec<String> {
    let command =
        ended.stdout.lines().map(str::trim).find(|line| {
            line.starts_with("orchestrate answer ") && line.contains(&format!("--choice {choice}"))
        });
    let command = command.unwrap_or_else(|| panic!("no command to answer with {choice}: {ended:?}"));
    let (command, _meaning) = command.split_once("    ").unwrap_or((command, ""));
    command.split(' ').skip(1).map(|word| if word == "\"…\"" { text } else { word }.to_owned()).collect()
}

#[track_caller]
fn answer(team: &Team, ended: &Ended, choice: &str, text: &str) -> Ended {
    let words = printed(ended, choice, text);
    assert!(words.contains(&"--workspace".to_owned()), "copied, it would look elsewhere: {words:?}");
    team.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_blocker_waits_for_its_answer() {
    let team = one_task(&[mended(), work("t1", &[]), objection(".*", "blocker")]);
    let ended =
        begin(&team).expect(3).says("It says nothing").says("rule any_blocker").says("waiting for you");
    // Without an answer it still waits.
    team.run(&["resume", "--no-dashboard"]).expect(3);
    let ended = answer(&team, &ended, "instruct", "Say something");
    team.done(ended);
}

#[test]
fn a_blocker_is_overridden() {
    let team = one_task(&[work("t1", &[]), objection(".*", "blocker")]);
    let ended = begin(&team).expect(3);
    let refused = team.run(&["answer", "--choice", "override"]);
    assert_eq!(refused.code, Some(2), "an override needs its reason: {refused:?}");
    let ended = answer(&team, &ended, "override", "A text may say nothing");
    team.done(ended);
    let decided =
        |event: &Event| matches!(event, Event::Decided { decision } if decision.rule == domain::Rule::Person);
    assert!(team.entries().iter().any(|entry| decided(&entry.event)));
}

#[test]
fn a_limit_ends_it() {
    let team = one_task(&[work("t1", &[])]);
    team.set("[limits]\nworkers = 2\n");
    begin(&team).expect(5).says("limit");
    team.run(&["status"]).expect(0).says("limit");
    team.run(&["replay"]).expect(0).says("limit");
    // Taken up again it is still there; raised, it lets the session go on.
    team.run(&["resume", "--no-dashboard"]).expect(5);
    let settings = std::fs::read_to_string(team.at("settings.toml")).unwrap();
    std::fs::write(team.at("settings.toml"), settings.replace("workers = 2", "workers = 20")).unwrap();
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

#[test]
fn an_agent_that_is_not_signed_in_asks() {
    let team = one_task(&[
        json!({ "when": { "task": "t1", "purpose": "task" }, "times": 1, "steps": [{ "fail": "not_signed_in" }] }),
        work("t1", &[]),
    ]);
    let ended = begin(&team).expect(3).says("claude auth login");
    let ended = answer(&team, &ended, "retry", "");
    team.done(ended);
}

/// Fails once, is repaired by rule, without a question.
#[track_caller]
fn repaired(step: &Value, failure: &Failure) {
    let team = one_task(&[
        json!({ "when": { "task": "t1", "purpose": "task" }, "times": 1, "steps": [{ "say": "Hm." }, step] }),
        work("t1", &[]),
    ]);
    let ended = begin(&team);
    team.done(ended);
    let state = team.state();
    let repairs: Vec<_> = state.recoveries.values().collect();
    assert_eq!(repairs.len(), 1, "{repairs:?}");
    assert_eq!((&repairs[0].failed.failure, &repairs[0].repair), (failure, &Repair::Resume));
    assert_eq!(repairs[0].worked, Some(true));
}

#[test]
fn an_end_without_a_result_is_resumed_once() {
    repaired(&json!({ "no_result": true }), &Failure::Truncated);
}

#[test]
fn a_crash_is_resumed_once() {
    repaired(&json!({ "crash": true }), &Failure::Crashed);
}

#[test]
fn a_second_crash_asks() {
    let crash = json!({ "when": { "task": "t1", "purpose": "task" }, "times": 2,
        "steps": [{ "say": "Hm." }, { "crash": true }] });
    let team = one_task(&[crash, work("t1", &[])]);
    let ended = begin(&team).expect(3).says("failed again after it was resumed");
    assert_eq!(team.state().recoveries.len(), 1);
    let ended = answer(&team, &ended, "retry", "");
    team.done(ended);
}

#[test]
fn a_reviewer_that_crashes_is_no_approval() {
    let crash = |agent: &str| json!({ "when": { "purpose": "review", "agent": agent }, "steps": [{ "say": "Hm." }, { "crash": true }] });
    let team = one_task(&[work("t1", &[]), crash("codex"), crash("gemini")]);
    begin(&team).expect(3);
    let merged = |event: &Event| matches!(event, Event::TaskAccepted { .. });
    assert!(
        !team.entries().iter().any(|entry| merged(&entry.event)),
        "nothing is accepted without a verdict"
    );
}
