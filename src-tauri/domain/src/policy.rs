//! The published rule: what verdicts lead to (SPEC section 7). A pure function with a trace that a person can read.

use std::collections::BTreeSet;

use crate::{Action, AtDoubt, Ballot, Rule, TreeHash, Vendor, Verdict, Vote};

mod table;
#[cfg(test)]
mod tests;

pub use table::truth_table;

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
    /// What a single concern does.
    pub at_one_concern: AtDoubt,
    /// What a seat without a valid verdict does where everybody else approves.
    pub at_missing_reviewer: AtDoubt,
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
/// 6. one concern → warning, findings go to the author; or pause and clarify, as set
/// 7. all valid verdicts approve, but a seat has none → warning; or pause and clarify, as set
/// 8. all approved → continue
///
/// So silencing a reviewer never turns anything into continue, not even one that would have objected.
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
    let missing = facts.votes.iter().filter(|vote| !counts(facts, vote)).count();
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
        match facts.at_one_concern {
            AtDoubt::Warn => (
                Action::LogWarning,
                Rule::OneConcern,
                "one concern goes back to the author as work",
                "a second concern would pause, none would continue",
            ),
            AtDoubt::Pause => (
                Action::PauseAndClarify,
                Rule::OneConcern,
                "one concern pauses the work, as the settings say",
                "none would continue",
            ),
        }
    } else if 0 < missing {
        let (action, why) = match facts.at_missing_reviewer {
            AtDoubt::Warn => (
                Action::LogWarning,
                "enough verdicts approve, but a reviewer who was asked gave none: that is kept as a warning",
            ),
            AtDoubt::Pause => (
                Action::PauseAndClarify,
                "a reviewer who was asked gave no verdict, which pauses the work, as the settings say",
            ),
        };
        (action, Rule::ReviewerMissing, why, "a valid verdict of every reviewer who was asked")
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

/// Whether a vote counts: cast, on this tree, by no author.
fn counts(facts: &Facts, vote: &Vote) -> bool {
    match &vote.ballot {
        Ballot::Void { .. } => false,
        Ballot::Cast { tree, .. } => *tree == facts.tree && !facts.authors.contains(&vote.vendor),
    }
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
