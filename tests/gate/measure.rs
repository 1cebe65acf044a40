//! The figures: what each reviewer catches and makes up, and what the rule makes of it.

use std::collections::BTreeSet;

use domain::policy::{Facts, Ruling, decide};
use domain::{Action, AtDoubt, Ballot, CheckedFinding, Evidence, Rule, TreeHash, Vendor, Verdict, Vote};
use engine::evidence;

use crate::corpus::{Case, Diff, diffs};
use crate::reviewers::{Reviewer, Said};
use crate::{control, goal, say};

const TREE: &str = "tree";
/// Two seats, as a task of a third vendor has.
const VENDORS: [Vendor; 2] = [Vendor::OpenAi, Vendor::Google];
/// Panels that the rule is shown with.
const PANELS: [[Reviewer; 2]; 9] = [
    [Reviewer::Honest, Reviewer::HonestToo],
    [Reviewer::Honest, Reviewer::RubberStamp],
    [Reviewer::Honest, Reviewer::Hallucinates],
    [Reviewer::Honest, Reviewer::OldCode],
    [Reviewer::Honest, Reviewer::NoSuchFile],
    [Reviewer::Honest, Reviewer::Silent],
    [Reviewer::Hallucinates, Reviewer::OldCode],
    [Reviewer::RubberStamp, Reviewer::RubberStamp],
    [Reviewer::Silent, Reviewer::Silent],
];

/// What becomes of what a reviewer said, by the product's own evidence check.
pub(crate) fn ballot(said: Option<&Said>, diff: &Diff<'_>) -> Ballot {
    let Some(said) = said else { return Ballot::Void { why: "it said nothing".to_owned() } };
    let read = |name: &str| (name == diff.case.file).then(|| diff.after().as_bytes().to_vec());
    let findings = said
        .findings
        .iter()
        .map(|(finding, _)| evidence::check(finding.clone(), read, &agents::Secrets::default()))
        .collect();
    cast(said.verdict, findings)
}

fn cast(verdict: Verdict, findings: Vec<CheckedFinding>) -> Ballot {
    Ballot::Cast {
        verdict,
        summary: String::new(),
        findings,
        files_read: Vec::new(),
        tree: TreeHash(TREE.to_owned()),
        coverage: None,
    }
}

/// What the product's own policy makes of these ballots, in a first round with the default settings.
pub(crate) fn rule(ballots: Vec<Ballot>) -> Ruling {
    let votes = ballots.into_iter().zip(VENDORS);
    let votes = votes.map(|(ballot, vendor)| Vote { reviewer: "r".into(), vendor, ballot });
    decide(&Facts {
        tree: TreeHash(TREE.to_owned()),
        votes: votes.collect(),
        authors: BTreeSet::from([Vendor::Anthropic]),
        required: 1,
        round: 1,
        max_rounds: 3,
        single_vendor: false,
        at_one_concern: AtDoubt::Warn,
        at_missing_reviewer: AtDoubt::Warn,
    })
}

/// Whether a decision lets the work pass.
pub(crate) fn passes(action: Action, rule: Rule) -> bool {
    action == Action::Continue || (action == Action::LogWarning && rule == Rule::ReviewerMissing)
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    planted: usize,
    caught: usize,
    clean: usize,
    /// Good work that was stopped.
    stopped: usize,
    /// Good work that was sent back or paused, but not stopped.
    delayed: usize,
}

impl Tally {
    fn add(&mut self, planted: bool, passed: bool, stopped: bool) {
        if planted {
            self.planted += 1;
            self.caught += usize::from(!passed);
        } else {
            self.clean += 1;
            self.stopped += usize::from(stopped);
            self.delayed += usize::from(!passed && !stopped);
        }
    }

    fn row(&self, name: &str, more: &str) -> String {
        format!(
            "{name:<40} {:>5} of {:<3} {:>4} %   {:>5} of {:<3} {:>4} %   {:>5} of {:<3}{more}",
            self.caught,
            self.planted,
            percent(self.caught, self.planted),
            self.stopped,
            self.clean,
            percent(self.stopped, self.clean),
            self.delayed,
            self.clean,
        )
    }
}

pub(crate) fn percent(part: usize, whole: usize) -> usize {
    (100 * part + whole / 2).checked_div(whole).unwrap_or_default()
}

/// Measures the scripted reviewers; gives whether all is as it should be.
pub(crate) fn scripted(cases: &[Case]) -> bool {
    let diffs = diffs(cases);
    let planted = diffs.iter().filter(|diff| diff.planted).count();
    let of = |get: fn(&Case) -> &String| cases.iter().map(get).collect::<BTreeSet<_>>().len();
    say(&format!(
        "{} diffs, {planted} with a planted defect of {} kinds, {} without, in {} languages; scripted reviewers\n",
        diffs.len(),
        of(|case| &case.kind),
        diffs.len() - planted,
        of(|case| &case.language),
    ));
    let head = "caught of the planted    good work stopped      sent back";
    say(&format!(
        "{:<40} {head}    made-up citations caught   real ones refused",
        "one reviewer alone, at its word"
    ));
    let (mut made_up, mut made_up_caught, mut real, mut refused) = (0, 0, 0, 0);
    let mut alone = Vec::new();
    for reviewer in Reviewer::ALL {
        let (mut tally, mut own) = (Tally::default(), [0; 4]);
        for diff in &diffs {
            let said = reviewer.says(diff);
            // Nobody looks at evidence, and silence is no objection.
            let verdict = said.as_ref().map_or(Verdict::Approve, |said| said.verdict);
            tally.add(diff.planted, verdict == Verdict::Approve, verdict == Verdict::Blocker);
            let checked = ballot(said.as_ref(), diff);
            let Ballot::Cast { findings, .. } = &checked else { continue };
            let flags = said.iter().flat_map(|said| said.findings.iter().map(|(_, flag)| *flag));
            for (is_made_up, checked) in flags.zip(findings) {
                let verified = checked.evidence == Evidence::Verified;
                own[if is_made_up { 0 } else { 2 }] += 1;
                own[if is_made_up { 1 } else { 3 }] += usize::from(is_made_up != verified);
                if is_made_up == verified {
                    say(&format!("     wrong: {} on {}: {checked:?}", reviewer.name(), diff.case.name));
                }
            }
        }
        let [own_made_up, caught, own_real, held] = own;
        let more = format!("    {caught:>10} of {own_made_up:<14} {:>5} of {own_real}", own_real - held);
        say(&tally.row(reviewer.name(), &more));
        made_up += own_made_up;
        made_up_caught += caught;
        real += own_real;
        refused += own_real - held;
        alone.push((reviewer, tally));
    }
    say(&format!("\n{:<40} {head}", "two reviewers under the rule"));
    let mut panels = Vec::new();
    for panel in PANELS {
        let mut tally = Tally::default();
        for diff in &diffs {
            let ballots = panel.iter().map(|reviewer| ballot(reviewer.says(diff).as_ref(), diff)).collect();
            let ruling = rule(ballots);
            tally.add(
                diff.planted,
                passes(ruling.action, ruling.rule),
                ruling.action == Action::StopAndEscalate,
            );
        }
        say(&tally.row(&format!("{} + {}", panel[0].name(), panel[1].name()), ""));
        panels.push((panel, tally));
    }
    say("");
    let of = |wanted: Reviewer| {
        alone.iter().find(|(it, _)| *it == wanted).map(|(_, tally)| *tally).unwrap_or_default()
    };
    let (honest, rule_of_two) = (of(Reviewer::Honest), panels[0].1);
    let limited = |panel: &[Reviewer; 2]| panel[0] == Reviewer::Honest && panel[1] != Reviewer::HonestToo;
    let worst_stop = panels.iter().filter(|(panel, _)| limited(panel)).map(|(_, tally)| tally.stopped).max();
    let least_catch = panels.iter().filter(|(panel, _)| limited(panel)).map(|(_, tally)| tally.caught).min();
    let mut well = goal(
        "gate-made-up-citations-caught",
        &format!("{made_up_caught}/{made_up}"),
        "all",
        made_up_caught == made_up && 0 < made_up,
    );
    well &= goal("gate-real-citations-refused", &format!("{refused}/{real}"), "0", refused == 0 && 0 < real);
    well &= goal(
        "gate-catch-rate-of-two",
        &format!("{}%", percent(rule_of_two.caught, rule_of_two.planted)),
        &format!(">{}%-of-one-alone", percent(honest.caught, honest.planted)),
        honest.caught < rule_of_two.caught,
    );
    well &= goal(
        "gate-catch-rate-beside-a-bad-one",
        &format!("{}%", percent(least_catch.unwrap_or_default(), honest.planted)),
        &format!(">={}%-of-one-alone", percent(honest.caught, honest.planted)),
        honest.caught <= least_catch.unwrap_or_default(),
    );
    well &= goal(
        "gate-good-work-stopped-beside-a-bad-one",
        &format!("{}%", percent(worst_stop.unwrap_or_default(), honest.clean)),
        &format!("<={}%-of-one-alone", percent(honest.stopped, honest.clean)),
        worst_stop.unwrap_or(usize::MAX) <= honest.stopped,
    );
    let silent = panels[8].1;
    well &= goal(
        "gate-passed-without-a-verdict",
        &format!("{}", silent.planted - silent.caught + silent.clean - silent.delayed - silent.stopped),
        "0",
        silent.caught == silent.planted && silent.delayed + silent.stopped == silent.clean,
    );
    well & without_evidence(&diffs, honest)
}

/// The same rule without its evidence check: a reviewer that makes things up stops all good work.
fn without_evidence(diffs: &[Diff<'_>], honest: Tally) -> bool {
    let mut tally = Tally::default();
    for diff in diffs {
        let ballots = [Reviewer::Honest, Reviewer::Hallucinates].map(|reviewer| {
            let mut ballot = ballot(reviewer.says(diff).as_ref(), diff);
            if let Ballot::Cast { findings, .. } = &mut ballot {
                findings.iter_mut().for_each(|checked| checked.evidence = Evidence::Verified);
            }
            ballot
        });
        let ruling = rule(ballots.into());
        tally.add(diff.planted, passes(ruling.action, ruling.rule), ruling.action == Action::StopAndEscalate);
    }
    let what = format!("every-quote-believed:{}%-of-good-work-stopped", percent(tally.stopped, tally.clean));
    control("gate-good-work-stopped-beside-a-bad-one", &what, honest.stopped < tally.stopped)
}
