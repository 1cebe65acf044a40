//! `kill -9` of the program at any moment: nothing of the session keeps running, nothing is lost, nothing is done twice.

use std::{fs, path::Path};

use domain::{Event, JobOutcome};
use engine::journal;
use serde_json::{Value, json};

use super::team::{Running, Team, command_line, eventually, plan, signal, task, wait, work};

/// Two tasks of two vendors; `steps` come before the first is written.
fn two_tasks(first: &[Value]) -> Vec<Value> {
    vec![plan(&[task("t1", "claude"), task("t2", "codex")]), work("t1", first), work("t2", &[])]
}

/// An agent at its worst: it does not leave when asked to, and starts processes that outlive it.
fn stubborn(gates: &Path, gate: &str) -> [Value; 3] {
    [json!({ "ignore_term": true }), json!({ "daemonise": 2 }), wait(gates, gate)]
}

/// Kills the program; all that it started goes down with it.
#[track_caller]
fn kill(team: &Team, running: Running) {
    running.signal("-KILL");
    assert_eq!(running.end().code, None);
    // The promise is 2 s (RELIABILITY G1); a loaded machine is given longer, because only "for ever" is a fault here.
    eventually("all processes are gone", || team.processes().is_empty());
    team.run(&["status"]).expect(0).says("interrupted");
}

#[test]
fn while_a_stubborn_worker_runs() {
    let team = Team::new(|gates| two_tasks(&stubborn(gates, "g")));
    let running = team.begin();
    team.until_waiting(&["g"]);
    let daemons = team.processes().into_iter().filter(|pid| command_line(*pid).contains("sleep 600")).count();
    assert_eq!(daemons, 2, "the daemons are there and found by their mark");
    kill(&team, running);
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

#[test]
fn during_a_review() {
    let team = Team::new(|gates| {
        let mut script = two_tasks(&[]);
        let review = [
            wait(gates, "g"),
            json!({ "verdict": {
            "verdict": "approve", "summary": "Good.", "findings": [], "files_read": ["t1.txt"],
        } }),
        ];
        script.push(json!({ "when": { "purpose": "review", "task": "t1" }, "steps": review }));
        script
    });
    let running = team.begin();
    team.until_waiting(&["g"]);
    kill(&team, running);
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

#[test]
fn during_a_check() {
    let team = Team::new(|_| two_tasks(&[]));
    let gate = wait(&team.at("gates"), "g")["run"].as_str().unwrap().to_owned();
    team.check(&gate);
    team.git(&["-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "-qam", "A slow check"]);
    let running = team.begin();
    eventually("a check runs", || {
        let checks = |pid: &u32| command_line(*pid).contains("check.sh");
        team.processes().iter().any(checks)
    });
    kill(&team, running);
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

#[test]
fn just_after_a_merge() {
    let team = Team::new(|gates| {
        vec![
            plan(&[task("t1", "claude"), task("t2", "codex")]),
            work("t1", &[]),
            work("t2", &[wait(gates, "g")]),
        ]
    });
    let running = team.begin();
    let merged = |event: &Event| matches!(event, Event::JobEnded { outcome: JobOutcome::Merged { .. }, .. });
    team.until_event("merged", merged);
    kill(&team, running);
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

/// The worst moment: the merge is on the branch, and what the journal said of it never reached the disk.
#[test]
fn between_a_merge_and_its_entry() {
    let team = Team::new(|gates| {
        vec![
            plan(&[task("t1", "claude"), task("t2", "codex")]),
            work("t1", &[]),
            work("t2", &[wait(gates, "g")]),
        ]
    });
    let running = team.begin();
    let merged = |event: &Event| matches!(event, Event::JobEnded { outcome: JobOutcome::Merged { .. }, .. });
    team.until_event("merged", merged);
    kill(&team, running);
    let entry = team.entries().into_iter().find(|entry| merged(&entry.event)).unwrap();
    let path = team.session().unwrap().join(journal::FILE);
    let text = fs::read_to_string(&path).unwrap();
    let said = serde_json::to_string(&entry).unwrap();
    let kept: String = text.split_inclusive('\n').take_while(|line| !line.contains(&said)).collect();
    assert!(kept.len() < text.len());
    fs::write(&path, kept).unwrap();
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

/// Killed again and again, each time a little later.
#[test]
fn several_times() {
    let team = Team::new(|_| two_tasks(&[]));
    let mut running = team.begin();
    for count in [4, 16, 32] {
        eventually("more entries, or the end", || {
            let state = team.state();
            count <= state.seq.0 || state.ended.is_some()
        });
        kill_if_running(&team, running);
        running = team.start(&["resume", "--no-dashboard"]);
    }
    team.done(running.end());
}

/// After three crashes in five minutes nothing is started before the user agrees.
#[test]
fn again_and_again_ends_in_safe_mode() {
    let team = Team::new(|gates| two_tasks(&[wait(gates, "g")]));
    let mut running = team.begin();
    for _ in 0..4 {
        team.until_waiting(&["g"]);
        kill(&team, running);
        running = team.start(&["resume", "--no-dashboard"]);
    }
    running.end().expect(3).says("taken up after a crash 3 times in five minutes");
    assert_eq!(team.processes(), [0; 0]);
    team.open("g");
    team.run(&["answer", "--choice", "retry"]).expect(0);
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

fn kill_if_running(team: &Team, running: Running) {
    running.signal("-KILL");
    running.end();
    eventually("all processes are gone", || team.processes().is_empty());
}

/// A session that was paused when it was killed goes on when it is taken up again.
#[test]
fn while_it_is_paused() {
    let team = Team::new(|gates| two_tasks(&stubborn(gates, "g")));
    let running = team.begin();
    team.until_waiting(&["g"]);
    team.run(&["pause"]).expect(0);
    kill(&team, running);
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

/// What the tests above look for is really found when it is there: without its guardian a daemon survives. The sweep of
/// the next start takes it down.
#[test]
fn without_a_guardian_a_daemon_survives_until_resume() {
    let team = Team::new(|gates| two_tasks(&stubborn(gates, "g")));
    let running = team.begin();
    team.until_waiting(&["g"]);
    running.signal("-STOP"); // so that it does not see its guardians die
    let guardians = || team.processes().into_iter().filter(|pid| command_line(*pid).contains(" guardian"));
    assert!(guardians().next().is_some(), "guardians are found");
    guardians().for_each(|pid| signal(pid, "-KILL"));
    running.signal("-KILL");
    assert_eq!(running.end().code, None);
    eventually("the guardians are gone", || guardians().next().is_none());
    let left = team.processes();
    assert!(left.iter().any(|pid| command_line(*pid).contains("sleep 600")), "a daemon survives: {left:?}");
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}
