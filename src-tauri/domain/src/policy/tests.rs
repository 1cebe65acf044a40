//! The rule, over every multiset of ballots of up to four reviewers, against an account of it written a second time.

use std::collections::BTreeSet;

use super::table::{Kind, facts, multisets, vote};
use super::*;

/// A reviewer: its vendor's place, and what it said.
type Seat = (usize, Kind);

/// The vendor that is an author where one is.
const AUTHOR: usize = 2;

/// What may be set or be so, besides the votes.
#[derive(Clone, Copy, Debug)]
struct Around {
    required: u32,
    last_round: bool,
    author: bool,
    one_concern: AtDoubt,
    missing: AtDoubt,
}

const PLAIN: Around = Around {
    required: 1,
    last_round: false,
    author: false,
    one_concern: AtDoubt::Warn,
    missing: AtDoubt::Warn,
};

fn all_around() -> Vec<Around> {
    let mut all = Vec::new();
    for bits in 0..32_u32 {
        let bit = |at: u32| bits & (1 << at) != 0;
        let doubt = |at| if bit(at) { AtDoubt::Pause } else { AtDoubt::Warn };
        let required = if bit(0) { 2 } else { 1 };
        let (one_concern, missing) = (doubt(3), doubt(4));
        all.push(Around { required, last_round: bit(1), author: bit(2), one_concern, missing });
    }
    all
}

/// The four that matter most, for the larger spaces.
fn main_around() -> Vec<Around> {
    all_around()
        .into_iter()
        .filter(|around| !around.last_round)
        .filter(|around| around.one_concern == AtDoubt::Warn && around.missing == AtDoubt::Warn)
        .collect()
}

fn symbols() -> Vec<Seat> {
    (0..3).flat_map(|vendor| Kind::ALL.map(|kind| (vendor, kind))).collect()
}

fn up_to(size: usize) -> impl Iterator<Item = Vec<Seat>> {
    (0..=size).flat_map(|size| multisets(&symbols(), size))
}

fn the_facts(seats: &[Seat], around: Around) -> Facts {
    let author = super::table::vote(AUTHOR, Kind::Void).vendor;
    Facts {
        required: around.required,
        round: if around.last_round { 3 } else { 1 },
        authors: if around.author { [author].into() } else { BTreeSet::new() },
        at_one_concern: around.one_concern,
        at_missing_reviewer: around.missing,
        ..facts(seats.iter().map(|(vendor, kind)| vote(*vendor, *kind)).collect())
    }
}

fn ruled(seats: &[Seat], around: Around) -> (Action, Rule) {
    let ruling = decide(&the_facts(seats, around));
    (ruling.action, ruling.rule)
}

/// SPEC section 7 once more, by counting on fingers: 0 approve, 1 concern, 2 blocker for each vendor.
fn told_again(seats: &[Seat], around: Around) -> (Action, Rule) {
    let mut strictest: [Option<u8>; 3] = [None; 3];
    let mut silent = false;
    for (vendor, kind) in seats {
        let weight = match kind {
            _ if around.author && *vendor == AUTHOR => None,
            Kind::Approve => Some(0),
            Kind::Concern | Kind::LooseConcern | Kind::LooseBlocker => Some(1),
            Kind::Blocker | Kind::Contradicts => Some(2),
            Kind::StaleApproval | Kind::StaleBlocker | Kind::Void => None,
        };
        silent |= weight.is_none();
        strictest[*vendor] = strictest[*vendor].max(weight);
    }
    let said: Vec<u8> = strictest.into_iter().flatten().collect();
    let enough = around.required as usize <= said.len();
    let doubt = |at| match at {
        AtDoubt::Warn => Action::LogWarning,
        AtDoubt::Pause => Action::PauseAndClarify,
    };
    match (said.iter().filter(|it| **it == 2).count(), said.iter().filter(|it| **it == 1).count()) {
        (1.., _) => (Action::StopAndEscalate, Rule::AnyBlocker),
        (0, 2..) => (Action::PauseAndClarify, Rule::TwoConcerns),
        (0, 1) if around.last_round => (Action::StopAndEscalate, Rule::RoundsExhausted),
        (0, _) if around.last_round && !enough => (Action::StopAndEscalate, Rule::RoundsExhausted),
        (0, _) if !enough => (Action::PauseAndClarify, Rule::TooFewVerdicts),
        (0, 1) => (doubt(around.one_concern), Rule::OneConcern),
        (0, 0) if silent => (doubt(around.missing), Rule::ReviewerMissing),
        (0, 0) => (Action::Continue, Rule::AllApproved),
    }
}

#[test]
fn every_multiset_of_up_to_four_reviewers_is_ruled_as_published() {
    let mut seen = 0;
    for seats in up_to(3) {
        for around in all_around() {
            assert_eq!(ruled(&seats, around), told_again(&seats, around), "{seats:?} {around:?}");
            seen += 1;
        }
    }
    for seats in multisets(&symbols(), 4) {
        for around in main_around() {
            assert_eq!(ruled(&seats, around), told_again(&seats, around), "{seats:?} {around:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 4_060 * 32 + 27_405 * 4, "the whole space was looked at");
}

/// One that counts stops the session. One that does not count as a blocker (no evidence, an older tree, an author's own)
/// may give the one verdict that was missing, but never lets anything pass.
#[test]
fn a_further_blocker_never_makes_it_milder() {
    for seats in up_to(3) {
        for around in main_around() {
            let before = ruled(&seats, around).0;
            for (vendor, kind) in symbols() {
                let more = [&seats[..], &[(vendor, kind)]].concat();
                let after = || ruled(&more, around).0;
                match kind {
                    Kind::Blocker | Kind::Contradicts if !(around.author && vendor == AUTHOR) => {
                        assert_eq!(after(), Action::StopAndEscalate, "{more:?}");
                    }
                    Kind::Blocker | Kind::Contradicts | Kind::LooseBlocker | Kind::StaleBlocker => {
                        assert_ne!(after(), Action::Continue, "{more:?}");
                        assert!(before < Action::StopAndEscalate || before == after(), "{more:?}");
                    }
                    Kind::Approve | Kind::Concern | Kind::LooseConcern | Kind::StaleApproval | Kind::Void => {
                    }
                }
            }
        }
    }
}

#[test]
fn the_order_of_votes_does_not_matter() {
    for seats in up_to(4).filter(|seats| 2 <= seats.len()) {
        let expected = ruled(&seats, PLAIN);
        let turns: &[&[usize]] = match seats.len() {
            2 => &[&[1, 0]],
            3 => &[&[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]],
            // A swap of the first two and a turn of all make every order of four.
            _ => &[&[1, 0, 2, 3], &[1, 2, 3, 0]],
        };
        for turn in turns {
            let turned: Vec<Seat> = turn.iter().map(|at| seats[*at]).collect();
            assert_eq!(ruled(&turned, PLAIN), expected, "{turned:?}");
        }
    }
}

/// Whatever a reviewer would have said: without its verdict nothing is waved through.
#[test]
fn taking_a_reviewer_away_never_turns_anything_into_continue() {
    for seats in up_to(3) {
        for around in all_around() {
            for gone in 0..seats.len() {
                let mut fewer = seats.clone();
                fewer[gone].1 = Kind::Void;
                assert_ne!(ruled(&fewer, around).0, Action::Continue, "{fewer:?}");
            }
        }
    }
    assert_eq!(ruled(&[], PLAIN), (Action::PauseAndClarify, Rule::TooFewVerdicts));
}

#[test]
fn an_authors_own_vote_never_counts() {
    let around = Around { author: true, ..PLAIN };
    for others in up_to(2).filter(|seats| seats.iter().all(|(vendor, _)| *vendor != AUTHOR)) {
        let silent = [&others[..], &[(AUTHOR, Kind::Void)]].concat();
        for kind in Kind::ALL {
            let own = [&others[..], &[(AUTHOR, kind)]].concat();
            assert_eq!(ruled(&own, around), ruled(&silent, around), "{own:?}");
        }
    }
}

#[test]
fn a_stale_tree_never_counts() {
    for seats in up_to(3) {
        for around in main_around() {
            let fresh: Vec<Seat> = seats
                .iter()
                .map(|(vendor, kind)| {
                    let stale = matches!(kind, Kind::StaleApproval | Kind::StaleBlocker);
                    (*vendor, if stale { Kind::Void } else { *kind })
                })
                .collect();
            assert_eq!(ruled(&seats, around), ruled(&fresh, around), "{seats:?}");
        }
    }
}

/// The bounds of the settings: each of them makes the gate stricter or leaves it as it is.
#[test]
fn no_setting_makes_the_gate_milder_than_its_default() {
    for seats in up_to(3) {
        for author in [false, true] {
            let base = Around { author, ..PLAIN };
            let least = ruled(&seats, base).0;
            for around in all_around().into_iter().filter(|around| around.author == author) {
                let set = ruled(&seats, around).0;
                assert!(least <= set, "{seats:?} {around:?}: {least:?} became {set:?}");
            }
        }
    }
    // Zero verdicts cannot be asked for, whatever the facts say.
    let none = Facts { required: 0, ..facts(Vec::new()) };
    assert_eq!(decide(&none).rule, Rule::TooFewVerdicts);
}

#[test]
fn with_one_vendor_the_checks_decide_and_it_says_so() {
    let alone = decide(&Facts { single_vendor: true, round: 3, ..facts(Vec::new()) });
    assert_eq!((alone.action, alone.rule), (Action::LogWarning, Rule::NoIndependentReviewer));
    // A blocker of whoever was asked counts all the same.
    let blocked = decide(&Facts { single_vendor: true, ..facts(vec![vote(0, Kind::Blocker)]) });
    assert_eq!(blocked.rule, Rule::AnyBlocker);
}

#[test]
fn the_trace_reads_like_sentences() {
    let trace = decide(&facts(vec![vote(0, Kind::Approve), vote(1, Kind::LooseBlocker)])).trace;
    insta::assert_snapshot!(trace.join("\n"), @r"
    anthropic: approve, 0 findings
    open_ai: blocker, counts as concern: no evidence of it could be verified
    2 of 1 required verdicts: 0 blocker, 1 concern, 1 approve; round 1 of 3
    rule: one concern goes back to the author as work
    what would change it: a second concern would pause, none would continue
    ");
}

/// What people read is what the function says: `docs/GATE.md` holds its table, and a change to the rule changes both.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test that keeps a document current has to read and write it"
)]
fn the_documents_table_is_current() {
    const BEGIN: &str =
        "<!-- The tables are printed by domain::policy::truth_table; a test keeps them. -->\n";
    const END: &str = "<!-- End of the tables. -->\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/GATE.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/GATE.md has lost the mark before its tables");
    let (_, after) = rest.split_once(END).expect("docs/GATE.md has lost the mark after its tables");
    let wanted = format!("{before}{BEGIN}\n{}\n{END}{after}", truth_table());
    if text != wanted {
        std::fs::write(&path, wanted).unwrap();
        panic!("docs/GATE.md was stale; its tables have been printed again, so commit it");
    }
}
