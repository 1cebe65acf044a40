//! What another process does to a session that runs, and signals.

use domain::{Event, Purpose, Trigger};
use serde_json::{Value, json};

use super::team::{Team, command_line, eventually, plan, state_of, task, wait, work};

/// Two tasks at work until their gates open; the first agent does not leave when asked to.
fn at_work() -> Team {
    Team::new(|gates| {
        vec![
            plan(&[task("t1", "claude"), task("t2", "codex")]),
            work("t1", &[json!({ "ignore_term": true }), json!({ "daemonise": 1 }), wait(gates, "g1")]),
            work("t2", &[wait(gates, "g2")]),
        ]
    })
}

/// The letters of what runs for the workers, their guardians left out.
/// Of each process of the workers, whether it stands still.
fn frozen(team: &Team) -> Vec<bool> {
    let pids = team.processes().into_iter().filter(|pid| !command_line(*pid).contains(" guardian"));
    pids.filter_map(|pid| Some(state_of(pid)? == 'T' || group_is_frozen(pid))).collect()
}

/// Whether a control group that it is in is frozen: then its state shows what it did before.
fn group_is_frozen(pid: u32) -> bool {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    groups.lines().filter_map(|line| line.rsplit(':').next()).any(|group| {
        let files = [
            format!("/sys/fs/cgroup/freezer{group}/freezer.state"),
            format!("/sys/fs/cgroup{group}/cgroup.events"),
            format!("/sys/fs/cgroup/unified{group}/cgroup.events"),
        ];
        let says = |path| std::fs::read_to_string(path).unwrap_or_default();
        files.iter().map(says).any(|text| text.contains("FROZEN") || text.contains("frozen 1"))
    })
}

fn open(team: &Team) {
    team.open("g1");
    team.open("g2");
}

#[test]
fn paused_workers_are_frozen_and_go_on() {
    let team = at_work();
    let running = team.begin();
    team.until_waiting(&["g1", "g2"]);
    team.run(&["pause"]).expect(0).says("is paused");
    assert!(team.state().paused, "it is journalled before it is said");
    eventually("all are frozen", || {
        let frozen = frozen(&team);
        4 <= frozen.len() && frozen.iter().all(|still| *still)
    });
    open(&team);
    team.run(&["status"]).expect(0).says("paused");
    let again = team.run(&["pause"]).expect(2);
    assert!(again.stderr.contains("paused already"), "{again:?}");
    team.run(&["resume"]).expect(0).says("goes on");
    team.done(running.end());
    let events = team.entries();
    let count = |is: fn(&Event) -> bool| events.iter().filter(|entry| is(&entry.event)).count();
    assert_eq!(count(|event| matches!(event, Event::Paused)), 1);
    assert_eq!(count(|event| matches!(event, Event::Unpaused)), 1);
}

#[test]
fn a_paused_session_is_stopped() {
    let team = at_work();
    let running = team.begin();
    team.until_waiting(&["g1", "g2"]);
    team.run(&["pause"]).expect(0);
    team.run(&["stop", "--now"]).expect(0).says("is stopped");
    running.end().expect(4);
    eventually("nothing is left", || team.processes().is_empty());
    open(&team);
    team.done(team.run(&["resume", "--no-dashboard"]));
}

#[test]
fn a_review_is_asked_for() {
    let team = at_work();
    let running = team.begin();
    team.until_waiting(&["g1", "g2"]);
    team.run(&["review", "--task", "t1"]).expect(0).says("will be reviewed");
    team.until("a verdict that was asked for", |state| {
        state.reviews.values().any(|review| {
            let manual = review.review.trigger == Trigger::Manual && review.decision.is_some();
            manual && review.review.subject.task().is_some_and(|task| task.as_str() == "t1")
        })
    });
    assert!(team.state().live().count() >= 2, "the work went on meanwhile");
    team.run(&["review", "--task", "t9"]).expect(2);
    open(&team);
    team.done(running.end());
}

#[test]
fn a_worker_gets_its_answer() {
    let team = Team::new(|gates| {
        vec![
            plan(&[task("t1", "claude"), task("t2", "codex")]),
            work("t1", &[json!({ "ask": "Which port?" })]),
            work("t2", &[wait(gates, "g2")]),
        ]
    });
    let running = team.begin();
    team.until_waiting(&["g2"]);
    team.until("the question", |state| state.open_questions().next().is_some());
    team.run(&["status"]).expect(0).says("Which port?");
    assert_eq!(team.run(&["answer", "--question", "q9", "8080"]).code, Some(2));
    team.run(&["answer", "Take 8080"]).expect(0).says("has its answer");
    team.until("the answer is used", |state| {
        state.task(&"t1".into()).is_some_and(|task| task.course.stage == domain::Stage::Accepted)
    });
    let (worker, _) = team
        .state()
        .workers
        .iter()
        .find(
            |(_, found)| matches!(&found.assignment.purpose, Purpose::Task { task } if task.as_str() == "t1"),
        )
        .map(|(id, found)| (*id, found.clone()))
        .unwrap();
    team.run(&["log", &worker.to_string()]).expect(0).says("Take 8080");
    team.open("g2");
    team.done(running.end());
}

/// Stopped in some way; the first process says how it stands, and it can be taken up again.
#[track_caller]
fn stops(stop: impl FnOnce(&Team, &super::team::Running)) {
    let team = at_work();
    let running = team.begin();
    team.until_waiting(&["g1", "g2"]);
    stop(&team, &running);
    let ended = running.end().expect(4).says("stopped").says("orchestrate resume");
    assert!(ended.stdout.contains("t1") && ended.stdout.contains("t2"), "the summary is there: {ended:?}");
    eventually("nothing is left", || team.processes().is_empty());
    let summary: Value = serde_json::from_str(&team.run(&["status", "--json"]).expect(0).stdout).unwrap();
    assert_eq!((&summary["outcome"], &summary["exit_code"]), (&"stopped".into(), &4.into()), "{summary}");
    let refused = team.run(&["stop"]).expect(2);
    assert!(refused.stderr.contains("Nobody runs"), "{refused:?}");
    open(&team);
    team.done(team.run(&["resume", "--no-dashboard"]));
}

#[test]
fn stop() {
    stops(|team, _| drop(team.run(&["stop"]).expect(0).says("is stopped")));
}

#[test]
fn stop_now() {
    stops(|team, _| {
        drop(team.run(&["stop", "--now"]).expect(0).says("is stopped"));
        let now = |event: &Event| matches!(event, Event::StopRequested { now: true, .. });
        team.until_event("at once", now);
    });
}

#[test]
fn a_signal() {
    stops(|_, running| running.signal("-INT"));
}

#[test]
fn a_second_signal() {
    stops(|team, running| {
        running.signal("-TERM");
        team.until_event("a stop", |event| matches!(event, Event::StopRequested { .. }));
        running.signal("-INT");
    });
}

/// `status --json` of a session is the fold of its journal, while it runs and when nobody runs it.
#[test]
fn status_is_the_fold() {
    let team = at_work();
    let running = team.begin();
    team.until_waiting(&["g1", "g2"]);
    team.run(&["pause"]).expect(0); // so that it stands still while it is looked at twice
    same(&team);
    team.run(&["resume"]).expect(0);
    let busy = team.run(&["resume", "--no-dashboard"]).expect(2);
    let holder = format!(
        "Another process is running this session: orchestrate {} with pid {}.\n",
        env!("CARGO_PKG_VERSION"),
        running.pid()
    );
    assert!(busy.stderr.contains(&holder), "{busy:?}");
    open(&team);
    team.done(running.end());
    same(&team);
}

#[track_caller]
fn same(team: &Team) {
    eventually("the status is the fold", || {
        let folded = serde_json::to_value(domain::summary(&team.state())).unwrap();
        let mut said: Value =
            serde_json::from_str(&team.run(&["status", "--json"]).expect(0).stdout).unwrap();
        // What is true at this moment is in no journal.
        for now in ["phase", "why", "held", "held_by", "workers_left", "damage"] {
            assert!(said.as_object_mut().unwrap().remove(now).is_some(), "no {now}: {said}");
        }
        // Equal unless something was written in between.
        folded == said
    });
}
