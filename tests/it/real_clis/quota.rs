//! The quota of the real claude is used up in mid-task: it waits and goes on by itself, or another vendor finishes
//! (issue 3, "Must show" 6); and while it is used up nobody asks claude for anything (RELIABILITY G13).

use std::path::PathBuf;

use acceptance::clis::{on_loopback, project};
use acceptance::model_server::{Record, Scenario};
use domain::Dialect::{self, Claude, Codex, Gemini};
use domain::{Failure, Repair, State, WorkerState};
use serde_json::json;

use super::job::Job;

/// How long the quota is used up. It must not be over before claude has ended and its end is known, on a slow machine too.
const LASTS_S: u64 = 15;

/// A session whose claude is signed in by a subscription and runs out of quota for so many seconds; `change` has the last
/// word on the scenario.
fn out_of_quota(
    bin: PathBuf,
    agents: &[Dialect],
    seconds: u64,
    settings: (&str, &str),
    change: impl FnOnce(&mut Scenario),
) -> Job {
    let job = Job::new(bin, "quota", "slugs", agents).in_git();
    let mut scenario = Scenario::load(&project().join("tests/fixtures/scenarios/quota.json")).unwrap();
    scenario.faults[0].lasts_s = Some(seconds);
    change(&mut scenario);
    job.kit.server.play("quota", scenario);
    let (first, last) = settings;
    let token = "CLAUDE_CODE_OAUTH_TOKEN = \"sk-ant-oat01-dummy\"";
    job.set(|settings| {
        format!("{first}{}\n{last}", settings.replace("ANTHROPIC_API_KEY = \"sk-dummy\"", token))
    });
    job
}

/// The workers of tasks, in order.
fn authors(state: &State) -> Vec<&WorkerState> {
    state.workers.values().filter(|worker| worker.task().is_some()).collect()
}

fn limited(asked: &[Record]) -> usize {
    asked.iter().filter(|it| it.served == "fault 0").count()
}

/// With `wait` the same conversation goes on when the quota is back.
fn waits(bin: PathBuf) {
    let settings = ("lead = \"codex\"\n", "[recovery]\nat_quota = \"wait\"\n");
    let job = out_of_quota(bin, &[Claude, Codex], LASTS_S, settings, |_| {});
    let ended = job.start();
    ended.expect(0, "done");
    let (state, asked) = (job.state(), job.asked());
    assert_eq!(limited(&asked), 1, "nobody asks in vain");
    let repairs: Vec<_> = state.recoveries.values().collect();
    let [repair] = repairs[..] else { panic!("{repairs:?}") };
    let Failure::RateLimited { resets_at: Some(until) } = repair.failed.failure else { panic!("{repair:?}") };
    assert_eq!((&repair.repair, repair.worked), (&Repair::Wait { until }, Some(true)));
    let [first, second] = authors(&state)[..] else { panic!("{:?}", state.workers) };
    assert!(until <= second.began, "it goes on when the quota is back: {until} {}", second.began);
    assert!(first.session.is_some());
    assert_eq!(second.assignment.resume, first.session, "the same conversation");
    let journal = job.journals();
    let resumed =
        |line: &str| line.contains("\"--resume\"") && line.contains(first.session.as_ref().unwrap());
    assert!(journal.lines().any(resumed), "claude itself is told to resume");
    let landed = job.run(&["land", &ended.session()]);
    assert_eq!(landed.code, Some(0), "{}", landed.stderr);
    assert_eq!(job.read("notes.txt"), "half of the work\n");
    assert!(job.read("slug.sh").contains("tr A-Z a-z"));
}

/// With `hand_over` another vendor finishes from the tree as it stands, and the third one judges.
fn is_handed_over(bin: PathBuf) {
    let settings = ("", "[recovery]\nat_quota = \"hand_over\"\n");
    let job = out_of_quota(bin, &[Claude, Codex, Gemini], 3600, settings, |_| {});
    let ended = job.start();
    ended.expect(0, "done");
    let (state, asked) = (job.state(), job.asked());
    assert_eq!(limited(&asked), 1);
    let repairs: Vec<_> = state.recoveries.values().map(|recovery| &recovery.repair).collect();
    let [Repair::HandOver { to }] = repairs[..] else { panic!("{repairs:?}") };
    assert!(["codex", "gemini"].contains(&to.as_str()));
    let [first, heir] = authors(&state)[..] else { panic!("{:?}", state.workers) };
    assert_eq!((first.assignment.agent.as_str(), &heir.assignment.agent), ("claude", to));
    // What the heir's model was given.
    let given = |it: &&Record| it.assignment["agent"] == to.as_str() && it.assignment["purpose"] == "task";
    let prompt = &asked.iter().find(given).unwrap().prompt;
    let package = [
        "Write slug.sh, which prints the slug of its arguments.",
        "worked on this task and cannot go on",
        "+half of the work",
        "The notes are written.",
        "(yours)",
    ];
    for part in package {
        assert!(prompt.contains(part), "no {part:?}: {prompt}");
    }
    let third = if to.as_str() == "codex" { "gemini" } else { "codex" };
    let judges: Vec<&str> = (state.reviews.values())
        .flat_map(|review| &review.review.seats)
        .map(|seat| seat.reviewer.as_str())
        .collect();
    assert!(
        !judges.is_empty() && judges.iter().all(|judge| *judge == third),
        "{judges:?}, not by {third} alone"
    );
    let landed = job.run(&["land", &ended.session()]);
    assert_eq!(landed.code, Some(0), "{}", landed.stderr);
    assert_eq!(job.read("notes.txt"), "half of the work\n", "nothing of the first author is lost");
    assert!(job.read("slug.sh").contains("tr A-Z a-z"));
}

/// Two tasks of claude at the same time: as long as its quota is used up no worker of it is launched, and then one alone
/// finds out whether it is back.
fn one_probe(bin: PathBuf) {
    let settings = ("lead = \"codex\"\nparallel = 2\n", "");
    let job = out_of_quota(bin, &[Claude, Codex], LASTS_S, settings, |scenario| {
        // Whatever claude asks for a task is refused until the quota is back.
        scenario.faults[0].at = None;
        scenario.faults[0].when.fields.remove("attempt");
        scenario.conversations.retain(|it| it.name != "half");
        let mut said = serde_json::to_value(&scenario.conversations).unwrap();
        let lead = said.as_array_mut().unwrap().iter_mut().find(|it| it["name"] == "lead plans").unwrap();
        let tasks = lead.pointer_mut("/turns/0/do/0/structured/tasks").unwrap().as_array_mut().unwrap();
        tasks[0]["weight"] = json!(50);
        let mut other = tasks[0].clone();
        other["id"] = json!("t2");
        tasks.push(other);
        tasks.iter_mut().for_each(|task| {
            let path = format!("slug-{}.sh", task["id"].as_str().unwrap());
            task["acceptance"] = json!([{ "type": "file", "path": path }]);
        });
        let work = said.as_array_mut().unwrap().iter_mut().find(|it| it["name"] == "work").unwrap();
        work["turns"][0]["do"][0]["write"]["path"] = json!("slug-${TASK}.sh");
        scenario.conversations = serde_json::from_value(said).unwrap();
    });
    let ended = job.start();
    ended.expect(0, "done");
    let (state, asked) = (job.state(), job.asked());
    let reset = state.recoveries.values().find_map(|recovery| {
        if let Failure::RateLimited { resets_at } = recovery.failed.failure { resets_at } else { None }
    });
    let reset = reset.unwrap();
    let tries = limited(&asked);
    let authors = authors(&state);
    assert!(
        (1..=2).contains(&tries),
        "{tries} tries: only what was on its way when the first one was refused"
    );
    let (before, after): (Vec<&WorkerState>, Vec<&WorkerState>) =
        authors.into_iter().partition(|worker| worker.began < reset);
    assert_eq!(before.len(), tries, "nobody is launched before the quota is back");
    let [probe, next @ ..] = &after[..] else { panic!("{after:?}") };
    for worker in next {
        assert!(
            probe.ended.unwrap() <= worker.began,
            "the second one is launched when the first one is through"
        );
    }
}

macro_rules! on_loopback {
    ($name:ident, $body:expr) => {
        #[test]
        fn $name() {
            on_loopback(concat!("real_clis::quota::", stringify!($name)), $body);
        }
    };
}

on_loopback!(a_used_up_quota_of_claude_is_waited_for, waits);
on_loopback!(a_used_up_quota_of_claude_hands_its_task_over, is_handed_over);
on_loopback!(while_it_is_used_up_one_worker_probes, one_probe);
