//! A quota that is used up in mid-task: waiting for it, and handing the task over (SPEC section 8).

use std::fs;

use domain::{Failure, Repair};
use serde_json::json;

use super::team::{Team, plan, task, work};

/// claude writes half of its task and then is out of quota for so many seconds.
fn out_of_quota(seconds: u32) -> Team {
    let limited = json!({ "when": { "task": "t1", "purpose": "task", "agent": "claude" }, "times": 1, "steps": [
        { "write": { "path": "half.txt", "text": "half of the work\n" } },
        { "say": "Half of it is written." },
        { "fail": { "kind": "rate_limited", "resets_in_s": seconds } },
    ] });
    Team::new(|_| vec![plan(&[task("t1", "claude")]), limited, work("t1", &[])])
}

#[test]
fn waiting_goes_on_by_itself_in_the_same_conversation() {
    let team = out_of_quota(2);
    team.done(team.begin().end());
    let state = team.state();
    let repairs: Vec<_> = state.recoveries.values().collect();
    let [repair] = repairs[..] else { panic!("{repairs:?}") };
    let Failure::RateLimited { resets_at: Some(until) } = repair.failed.failure else { panic!("{repair:?}") };
    assert_eq!((&repair.repair, repair.worked), (&Repair::Wait { until }, Some(true)));
    let workers: Vec<_> = state.workers.values().filter(|worker| worker.task().is_some()).collect();
    let [first, second] = workers[..] else { panic!("{workers:?}") };
    assert!(until <= second.began, "nobody asks before the limit is over");
    assert!(first.session.is_some());
    assert_eq!(second.assignment.resume, first.session, "the same conversation");
}

#[test]
fn handing_over_goes_on_from_the_tree_and_its_authors_judge_nothing() {
    let team = out_of_quota(3600);
    team.set("[recovery]\nat_quota = \"hand_over\"\n");
    team.done(team.begin().end());
    let state = team.state();
    let repairs: Vec<_> = state.recoveries.values().map(|recovery| &recovery.repair).collect();
    assert_eq!(repairs, [&Repair::HandOver { to: "codex".into() }]);
    let (heir, worker) =
        state.workers.iter().rfind(|(_, worker)| worker.task().is_some()).expect("somebody took over");
    assert_eq!((worker.assignment.agent.as_str(), &worker.assignment.resume), ("codex", &None));
    let folder = team.session().unwrap().join("workers");
    let prompt = fs::read_to_string(folder.join(format!("{}-codex-implementer.prompt.md", heir.0))).unwrap();
    for part in ["claude (w2) worked on this task", "+half of the work", "Half of it is written.", "(yours)"]
    {
        assert!(prompt.contains(part), "no {part:?}: {prompt}");
    }
    let reviewers: Vec<&str> = (state.reviews.values())
        .flat_map(|review| &review.review.seats)
        .map(|seat| seat.reviewer.as_str())
        .collect();
    assert!(!reviewers.is_empty() && reviewers.iter().all(|reviewer| *reviewer == "gemini"), "{reviewers:?}");
    let files = team.git(&["ls-tree", "--name-only", &state.head.0]);
    assert!(files.contains("half.txt") && files.contains("t1.txt"), "{files}");
}

#[test]
fn with_two_vendors_it_waits_because_nobody_could_judge() {
    let team = out_of_quota(2);
    team.set("enabled = false\n[recovery]\nat_quota = \"hand_over\"\n"); // the settings end with gemini's
    team.done(team.begin().end());
    let state = team.state();
    assert!(state.recoveries.values().all(|recovery| matches!(recovery.repair, Repair::Wait { .. })));
}
