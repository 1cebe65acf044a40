//! The published rule: what verdicts lead to (SPEC section 7). A pure function with a trace that a person can read.

use std::collections::BTreeSet;

use crate::{Action, Ballot, Rule, TreeHash, Vendor, Verdict, Vote};

/// Everything the rule may look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The tree that is being judged, as it stands now.
    pub tree: TreeHash,
    /// One for each seat of the review.
    pub votes: Vec<Vote>,
    /// Vendors whose work is judged: their own votes never count.
    pub authors: BTreeSet<Vendor>,
    /// Valid verdicts needed.
    pub required: u32,
    /// Which round on this subject, from 1.
    pub round: u32,
    /// Rounds allowed.
    pub max_rounds: u32,
    /// Only one vendor takes part in this session, so nobody independent can review. Fixed when the session opens.
    pub single_vendor: bool,
}

/// What the rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// What is to happen.
    pub action: Action,
    /// The rule that fired.
    pub rule: Rule,
    /// Facts, then the rule, then what would change it.
    pub trace: Vec<String>,
}

/// Decides. The rules in their order; the first that fits fires:
///
/// 1. any blocker → stop and escalate
/// 2. two or more concerns → pause and clarify
/// 3. no approval after the last round → stop and escalate
/// 4. only one vendor in the session → warning, checks alone decide
/// 5. fewer valid verdicts than required → pause and clarify
/// 6. one concern → warning, findings go to the author
/// 7. all approved → continue
///
/// A vote counts when its ballot is cast, on exactly this tree, by a vendor that is no author, and is the strictest
/// of its vendor's.
#[must_use]
pub fn decide(facts: &Facts) -> Ruling {
    let mut trace = Vec::new();
    let counted = count(facts, &mut trace);
    let of = |wanted: Verdict| counted.iter().filter(|(_, verdict)| *verdict == wanted).count();
    let (blockers, concerns) = (of(Verdict::Blocker), of(Verdict::Concern));
    let (valid, required) = (counted.len(), facts.required.max(1) as usize);
    trace.push(format!(
        "{valid} of {required} required verdicts: {blockers} blocker, {concerns} concern, {} approve; round {} of {}",
        of(Verdict::Approve),
        facts.round,
        facts.max_rounds
    ));
    let (action, rule, why, change) = if 0 < blockers {
        (
            Action::StopAndEscalate,
            Rule::AnyBlocker,
            "any blocker stops the session",
            "an override with a reason, or an instruction to the author",
        )
    } else if 2 <= concerns {
        (
            Action::PauseAndClarify,
            Rule::TwoConcerns,
            "two or more concerns pause the work and ask the user",
            "one concern less would be a warning",
        )
    } else if facts.max_rounds <= facts.round && (0 < concerns || (valid < required && !facts.single_vendor))
    {
        (
            Action::StopAndEscalate,
            Rule::RoundsExhausted,
            "the last round ended without approval",
            "an approval in this round",
        )
    } else if facts.single_vendor && valid == 0 {
        (
            Action::LogWarning,
            Rule::NoIndependentReviewer,
            "only one vendor takes part: nobody independent can review, the checks alone decide",
            "a second vendor's agent",
        )
    } else if valid < required {
        (
            Action::PauseAndClarify,
            Rule::TooFewVerdicts,
            "fewer valid verdicts than required; a missing verdict is never an approval",
            "a valid verdict of another vendor on this tree",
        )
    } else if concerns == 1 {
        (
            Action::LogWarning,
            Rule::OneConcern,
            "one concern goes back to the author as work",
            "a second concern would pause, none would continue",
        )
    } else {
        (
            Action::Continue,
            Rule::AllApproved,
            "all valid verdicts approve exactly this tree",
            "any concern or blocker",
        )
    };
    trace.push(format!("rule: {why}"));
    trace.push(format!("what would change it: {change}"));
    Ruling { action, rule, trace }
}

/// The strictest valid verdict of each vendor; says of each vote what it counts as.
fn count(facts: &Facts, trace: &mut Vec<String>) -> Vec<(Vendor, Verdict)> {
    let mut counted: Vec<(Vendor, Verdict)> = Vec::new();
    for Vote { reviewer, vendor, ballot } in &facts.votes {
        let line = match ballot {
            Ballot::Void { why } => format!("no verdict ({why})"),
            Ballot::Cast { .. } if facts.authors.contains(vendor) => {
                "does not count: no author reviews itself".to_owned()
            }
            Ballot::Cast { tree, .. } if *tree != facts.tree => {
                "does not count: it judged another tree".to_owned()
            }
            Ballot::Cast { verdict, findings, .. } => match ballot.counted_as() {
                None => "no verdict".to_owned(),
                Some(counts) => {
                    match counted.iter_mut().find(|(of, _)| of == vendor) {
                        Some((_, before)) => *before = (*before).max(counts),
                        None => counted.push((*vendor, counts)),
                    }
                    let said = word(*verdict);
                    if counts == *verdict {
                        format!("{said}, {} findings", findings.len())
                    } else {
                        format!("{said}, counts as {}: {}", word(counts), reason(*verdict, counts))
                    }
                }
            },
        };
        trace.push(format!("{reviewer}: {line}"));
    }
    counted
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approve",
        Verdict::Concern => "concern",
        Verdict::Blocker => "blocker",
    }
}

fn reason(said: Verdict, counts: Verdict) -> &'static str {
    if counts < said { "no evidence of it could be verified" } else { "a finding is worse than the verdict" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CheckedFinding, Evidence, Finding, Severity};
    use proptest::prelude::*;

    const VENDORS: [Vendor; 3] = [Vendor::Anthropic, Vendor::OpenAi, Vendor::Google];

    fn finding(severity: Severity, evidence: Evidence) -> CheckedFinding {
        let finding = Finding {
            severity,
            title: "t".into(),
            file: Some("a".into()),
            lines: None,
            quote: Some("q".into()),
            why: String::new(),
            recommendation: String::new(),
        };
        CheckedFinding { finding, evidence, found_at: None }
    }

    fn cast(verdict: Verdict, findings: Vec<CheckedFinding>, tree: &str) -> Ballot {
        Ballot::Cast { verdict, summary: String::new(), findings, files_read: vec![], tree: tree.into() }
    }

    /// One letter a vote: `a`pprove, `c`oncern, `b`locker with evidence, `u`nverified blocker, `s`tale approval,
    /// `v`oid, `x` an approval that lists a proven blocker; the vendor is the place in the word (a digit before it sets it).
    fn votes(word: &str) -> Vec<Vote> {
        let mut vendor = 0;
        let mut out = vec![];
        for letter in word.chars() {
            if let Some(place) = letter.to_digit(10) {
                vendor = place as usize;
                continue;
            }
            let ballot = match letter {
                'a' => cast(Verdict::Approve, vec![], "tree"),
                'c' => cast(Verdict::Concern, vec![finding(Severity::Concern, Evidence::Verified)], "tree"),
                'b' => cast(Verdict::Blocker, vec![finding(Severity::Blocker, Evidence::Verified)], "tree"),
                'u' => cast(Verdict::Blocker, vec![finding(Severity::Blocker, Evidence::NotFound)], "tree"),
                's' => cast(Verdict::Approve, vec![], "older"),
                'x' => cast(Verdict::Approve, vec![finding(Severity::Blocker, Evidence::Verified)], "tree"),
                'v' => Ballot::Void { why: "crashed".into() },
                other => panic!("{other}"),
            };
            out.push(Vote { reviewer: "r".into(), vendor: VENDORS[vendor % 3], ballot });
            vendor += 1;
        }
        out
    }

    fn facts(word: &str) -> Facts {
        Facts {
            tree: "tree".into(),
            votes: votes(word),
            authors: BTreeSet::new(),
            required: 1,
            round: 1,
            max_rounds: 3,
            single_vendor: false,
        }
    }

    fn check(word: &str) -> String {
        let ruling = decide(&facts(word));
        format!("{:?} {:?}", ruling.action, ruling.rule)
    }

    #[test]
    fn the_four_rules_and_their_fail_safes() {
        for (word, expected) in [
            ("a", "Continue AllApproved"),
            ("aa", "Continue AllApproved"),
            ("ac", "LogWarning OneConcern"),
            ("c", "LogWarning OneConcern"),
            ("cc", "PauseAndClarify TwoConcerns"),
            ("acc", "PauseAndClarify TwoConcerns"),
            ("b", "StopAndEscalate AnyBlocker"),
            ("aab", "StopAndEscalate AnyBlocker"),
            ("x", "StopAndEscalate AnyBlocker"),
            ("u", "LogWarning OneConcern"),
            ("uc", "PauseAndClarify TwoConcerns"),
            ("", "PauseAndClarify TooFewVerdicts"),
            ("v", "PauseAndClarify TooFewVerdicts"),
            ("s", "PauseAndClarify TooFewVerdicts"),
            ("sv", "PauseAndClarify TooFewVerdicts"),
            ("va", "Continue AllApproved"),
            ("0c0c", "LogWarning OneConcern"), // one vendor counts once
            ("0a0b", "StopAndEscalate AnyBlocker"),
        ] {
            assert_eq!(check(word), expected, "{word:?}");
        }
    }

    #[test]
    fn rounds_end_and_the_end_needs_two() {
        let last = |word: &str| decide(&Facts { round: 3, ..facts(word) });
        assert_eq!(last("c").rule, Rule::RoundsExhausted);
        assert_eq!(last("").rule, Rule::RoundsExhausted);
        assert_eq!(last("a").rule, Rule::AllApproved);
        let end = |word: &str| decide(&Facts { required: 2, ..facts(word) });
        assert_eq!(end("a").rule, Rule::TooFewVerdicts);
        assert_eq!(end("0a0a").rule, Rule::TooFewVerdicts);
        assert_eq!(end("aa").rule, Rule::AllApproved);
    }

    #[test]
    fn with_one_vendor_the_checks_decide_and_it_says_so() {
        let alone = decide(&Facts { single_vendor: true, round: 3, ..facts("") });
        assert_eq!((alone.action, alone.rule), (Action::LogWarning, Rule::NoIndependentReviewer));
    }

    #[test]
    fn the_trace_reads_like_sentences() {
        insta::assert_snapshot!(decide(&facts("au")).trace.join("\n"), @r"
        r: approve, 0 findings
        r: blocker, counts as concern: no evidence of it could be verified
        2 of 1 required verdicts: 0 blocker, 1 concern, 1 approve; round 1 of 3
        rule: one concern goes back to the author as work
        what would change it: a second concern would pause, none would continue
        ");
    }

    fn any_votes() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            (0..3u32, proptest::sample::select(vec!['a', 'c', 'b', 'u', 's', 'v', 'x'])),
            0..5,
        )
        .prop_map(|votes| votes.into_iter().map(|(vendor, letter)| format!("{vendor}{letter}")).collect())
    }

    proptest! {
        #[test]
        fn a_further_blocker_never_makes_it_milder(word in any_votes(), vendor in 0..3u32, round in 1..5u32) {
            let before = decide(&Facts { round, ..facts(&word) }).action;
            let after = decide(&Facts { round, ..facts(&format!("{word}{vendor}b")) }).action;
            prop_assert!(before <= after);
            prop_assert_eq!(after, Action::StopAndEscalate);
        }

        #[test]
        fn the_order_of_votes_does_not_matter(word in any_votes(), seed in 0..100usize) {
            let facts = facts(&word);
            let mut turned = facts.clone();
            let places = turned.votes.len().max(1);
            turned.votes.rotate_left(seed % places);
            turned.votes.reverse();
            prop_assert_eq!(decide(&facts).rule, decide(&turned).rule);
        }

        #[test]
        fn taking_a_reviewer_away_never_gives_continue_where_it_was_not_due_to_its_own_objection(word in any_votes()) {
            let whole = facts(&word);
            for gone in 0..whole.votes.len() {
                let mut fewer = whole.clone();
                fewer.votes[gone].ballot = Ballot::Void { why: "gone".into() };
                let objected = !matches!(whole.votes[gone].ballot.counted_as(), Some(Verdict::Approve) | None);
                if !objected && decide(&whole).action != Action::Continue {
                    prop_assert_ne!(decide(&fewer).action, Action::Continue);
                }
            }
            let mut none = whole.clone();
            none.votes.clear();
            prop_assert_ne!(decide(&none).action, Action::Continue);
        }

        #[test]
        fn an_authors_own_vote_never_counts(word in any_votes()) {
            let mut facts = facts(&word);
            facts.authors = VENDORS.into();
            prop_assert_ne!(decide(&facts).action, Action::Continue);
        }
    }
}
