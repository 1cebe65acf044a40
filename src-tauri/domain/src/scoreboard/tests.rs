use super::*;
use crate::{CheckedFinding, DecisionId, Finding, Seat, Seq, Trigger};

fn checked(severity: Severity, evidence: Evidence) -> CheckedFinding {
    let finding = Finding {
        severity,
        title: "reads past the end".into(),
        file: Some("a".into()),
        lines: None,
        quote: Some("quote".into()),
        why: String::new(),
        recommendation: String::new(),
    };
    CheckedFinding { finding, evidence, found_at: None, rerun: None }
}

/// A journal from words: `r1 t1` a review of codex on tree 1; `b`, `u`, `c`, `a`, `v` its ballot; `stop`, `warn`, `go`,
/// `over` the decision.
fn board(words: &str) -> Score {
    let mut entries: Vec<Entry> = Vec::new();
    let mut id = 0;
    let mut push = |event| {
        let seq = Seq(entries.len() as u64 + 1);
        entries.push(Entry { seq, at: jiff::Timestamp::UNIX_EPOCH, event });
    };
    let decided = |id: u32, action, rule, by: Actor, trace: &str| Event::Decided {
        decision: Decision {
            id: DecisionId(id),
            action,
            rule,
            trace: vec![trace.into()],
            by,
            review: Some(ReviewId(id)),
            task: None,
            worker: None,
        },
    };
    for word in words.split_whitespace() {
        let cast = |verdict, findings| Event::BallotCounted {
            review: ReviewId(id),
            reviewer: "codex".into(),
            ballot: Ballot::Cast {
                verdict,
                summary: String::new(),
                findings,
                files_read: vec![],
                tree: "t".into(),
                coverage: None,
            },
        };
        let rule = |action, rule| decided(id, action, rule, Actor::Rule, "rule");
        let event = match word {
            "b" => cast(Verdict::Blocker, vec![checked(Severity::Blocker, Evidence::Verified)]),
            "u" => cast(Verdict::Blocker, vec![checked(Severity::Blocker, Evidence::NotFound)]),
            "c" => cast(Verdict::Concern, vec![checked(Severity::Concern, Evidence::Verified)]),
            "a" => cast(Verdict::Approve, vec![checked(Severity::Note, Evidence::NotCheckable)]),
            "v" => Event::BallotCounted {
                review: ReviewId(id),
                reviewer: "codex".into(),
                ballot: Ballot::Void { why: "it crashed".into() },
            },
            "stop" => rule(Action::StopAndEscalate, Rule::AnyBlocker),
            "warn" => rule(Action::LogWarning, Rule::OneConcern),
            "go" => rule(Action::Continue, Rule::AllApproved),
            "over" => decided(
                id,
                Action::Continue,
                Rule::Person,
                Actor::Person,
                "overridden by the user; reason: known",
            ),
            tree => {
                id += 1;
                let seat = Seat {
                    reviewer: "codex".into(),
                    vendor: Vendor::OpenAi,
                    scope: vec![],
                    nonce: "n".into(),
                    workers: vec![],
                    ballot: None,
                };
                Event::ReviewRequested {
                    review: Review {
                        id: ReviewId(id),
                        subject: Subject::Session,
                        trigger: Trigger::Final,
                        gate: true,
                        about: String::new(),
                        round: 1,
                        tree: tree.into(),
                        commit: "c".into(),
                        base: "b".into(),
                        required: 1,
                        seats: vec![seat],
                    },
                }
            }
        };
        push(event);
    }
    let board = Scoreboard::of(&entries);
    assert_eq!(board.overridden.len() as u32, board.reviewers[0].overridden);
    assert!(board.overridden.iter().all(|one| one.reason == "known"));
    board.reviewers[0].clone()
}

#[track_caller]
fn check(words: &str, expected: [u32; 7]) {
    let Score { seats, void, weakened, findings, verified, confirmed, overridden, .. } = board(words);
    assert_eq!([seats, void, weakened, findings, verified, confirmed, overridden], expected, "{words}");
}

#[test]
fn what_a_journal_says_of_a_reviewer() {
    check("t1 a go", [1, 0, 0, 0, 0, 0, 0]);
    check("t1 v stop", [1, 1, 0, 0, 0, 0, 0]);
    check("t1 u warn", [1, 0, 1, 1, 0, 0, 0]);
    check("t1 c warn t2 a go", [2, 0, 0, 1, 1, 1, 0]);
    // The same tree again is no fix, and saying it twice is one finding confirmed once.
    check("t1 c warn t1 a go", [2, 0, 0, 1, 1, 0, 0]);
    check("t1 c warn t2 c warn t3 a go", [3, 0, 0, 2, 2, 1, 0]);
    // What cannot be verified is not confirmed by whatever happens next.
    check("t1 u warn t2 a go", [2, 0, 1, 1, 0, 0, 0]);
    check("t1 b stop over", [1, 0, 0, 1, 1, 0, 1]);
    check("t1 b stop over t2 a go", [2, 0, 0, 1, 1, 0, 1]);
}
