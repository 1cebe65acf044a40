//! What becomes of a reviewer's answer in a real session: cited checks are run again, attempts to write void a verdict, and
//! what was read is held against what changed.

use domain::{Ballot, Evidence, Review, Rule, Verdict};
use serde_json::{Value, json};

use super::team::{Team, plan, task, work};

fn review(agent: &str, steps: Vec<Value>) -> Value {
    json!({ "when": { "agent": agent, "task": "t1", "purpose": "review" }, "steps": steps })
}

fn verdict(verdict: &str, findings: &Value) -> Value {
    json!({ "verdict": { "verdict": verdict, "summary": "So.", "findings": findings, "files_read": ["t1.txt"] } })
}

/// Plays one task with these reviewers until the first review is decided.
fn reviewed(codex: Vec<Value>, gemini: Vec<Value>) -> (Team, Review) {
    let also = json!({ "write": { "path": "also.txt", "text": "more\n" } });
    let team = Team::new(|_| {
        vec![
            plan(&[task("t1", "claude")]),
            work("t1", &[also]),
            review("codex", codex),
            review("gemini", gemini),
        ]
    });
    let mut running = team.begin();
    team.until("a review is decided", |state| !state.decisions.is_empty());
    running.signal("-INT");
    super::team::eventually("the session is stopped", || running.is_over());
    let review = team.state().reviews.values().next().unwrap().review.clone();
    (team, review)
}

fn ballot<'a>(review: &'a Review, of: &str) -> &'a Ballot {
    review.seats.iter().find(|seat| seat.reviewer.as_str() == of).unwrap().ballot.as_ref().unwrap()
}

#[test]
fn a_cited_check_is_run_again_and_what_was_read_is_told() {
    let cites =
        json!([{ "severity": "blocker", "title": "The checks fail", "why": "`sh check.sh` exits with 1" }]);
    let codex = vec![json!({ "read": "t1.txt" }), verdict("blocker", &cites)];
    let (team, review) = reviewed(codex, vec![verdict("approve", &json!([]))]);
    let cast = ballot(&review, "codex");
    let Ballot::Cast { findings, coverage: Some(coverage), .. } = cast else { panic!("{cast:?}") };
    let rerun = findings[0].rerun.clone().expect("the check was run again");
    assert_eq!((rerun.command.as_str(), rerun.passed, rerun.exit_code), ("sh check.sh", true, Some(0)));
    assert_eq!(findings[0].evidence, Evidence::NotCheckable);
    assert_eq!(cast.counted_as(), Some(Verdict::Concern), "a blocker that nothing bears out");
    assert_eq!(coverage.read, ["t1.txt"]);
    assert_eq!(coverage.unread, ["also.txt"]);
    assert!(coverage.only_claimed.is_empty());
    let Ballot::Cast { coverage: Some(coverage), .. } = ballot(&review, "gemini") else { panic!() };
    assert_eq!(coverage.only_claimed, ["t1.txt"], "it says that it read it, and no tool of it did");
    let decided = team.state().decisions.values().next().unwrap().decision.clone();
    assert_eq!(decided.rule, Rule::OneConcern, "{:?}", decided.trace);
}

#[test]
fn an_attempt_to_write_voids_a_verdict_also_when_nothing_is_left_of_it() {
    let writes = json!({ "write": { "path": "try.txt", "text": "x\n" } });
    let gone = json!({ "run": "rm try.txt" });
    let (team, review) =
        reviewed(vec![writes, gone, verdict("approve", &json!([]))], vec![verdict("approve", &json!([]))]);
    let voided = ballot(&review, "codex");
    let Ballot::Void { why } = voided else { panic!("{voided:?}") };
    assert!(why.contains("tried to write") && why.contains("try.txt"), "{why}");
    let decided = team.state().decisions.values().next().unwrap().decision.clone();
    assert_eq!(decided.rule, Rule::ReviewerMissing, "{:?}", decided.trace);
}
