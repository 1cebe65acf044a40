//! The rule as a table, printed by asking [`decide`] itself: what the documentation shows is what happens.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Facts, Ruling, decide};
use crate::timeline::serde_name;
use crate::{AtDoubt, Ballot, CheckedFinding, Evidence, Finding, Severity, TreeHash, Vendor, Verdict, Vote};

const VENDORS: [Vendor; 3] = [Vendor::Anthropic, Vendor::OpenAi, Vendor::Google];
const TREE: &str = "tree";

/// A kind of ballot, by how it comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// An approval without objections.
    Approve,
    /// A concern with verified evidence.
    Concern,
    /// A concern whose evidence cannot be verified: still a concern.
    LooseConcern,
    /// A blocker with verified evidence.
    Blocker,
    /// A blocker of which no evidence could be verified.
    LooseBlocker,
    /// An approval that lists a proven blocker.
    Contradicts,
    /// An approval of another tree.
    StaleApproval,
    /// A proven blocker on another tree.
    StaleBlocker,
    /// No verdict.
    Void,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Approve,
        Self::Concern,
        Self::LooseConcern,
        Self::Blocker,
        Self::LooseBlocker,
        Self::Contradicts,
        Self::StaleApproval,
        Self::StaleBlocker,
        Self::Void,
    ];

    /// The kinds of the short table: one for each thing that a seat can come to.
    const PLAIN: [Self; 4] = [Self::Approve, Self::Concern, Self::Blocker, Self::Void];

    fn words(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Concern => "concern",
            Self::LooseConcern => "concern, evidence not found",
            Self::Blocker => "blocker",
            Self::LooseBlocker => "blocker, evidence not found",
            Self::Contradicts => "approve that lists a proven blocker",
            Self::StaleApproval => "approve of an older tree",
            Self::StaleBlocker => "blocker on an older tree",
            Self::Void => "no verdict",
        }
    }

    pub(super) fn ballot(self) -> Ballot {
        use Evidence::{NotFound, Verified};
        let (verdict, severity, evidence, tree) = match self {
            Self::Approve => (Verdict::Approve, None, Verified, TREE),
            Self::Concern => (Verdict::Concern, Some(Severity::Concern), Verified, TREE),
            Self::LooseConcern => (Verdict::Concern, Some(Severity::Concern), NotFound, TREE),
            Self::Blocker => (Verdict::Blocker, Some(Severity::Blocker), Verified, TREE),
            Self::LooseBlocker => (Verdict::Blocker, Some(Severity::Blocker), NotFound, TREE),
            Self::Contradicts => (Verdict::Approve, Some(Severity::Blocker), Verified, TREE),
            Self::StaleApproval => (Verdict::Approve, None, Verified, "older"),
            Self::StaleBlocker => (Verdict::Blocker, Some(Severity::Blocker), Verified, "older"),
            Self::Void => return Ballot::Void { why: "it crashed".to_owned() },
        };
        let findings = severity.map(|severity| finding(severity, evidence)).into_iter().collect();
        Ballot::Cast {
            verdict,
            summary: String::new(),
            findings,
            files_read: Vec::new(),
            tree: TreeHash(tree.to_owned()),
            coverage: None,
        }
    }
}

fn finding(severity: Severity, evidence: Evidence) -> CheckedFinding {
    let text = |text: &str| Some(text.to_owned());
    let finding = Finding {
        severity,
        title: "t".to_owned(),
        file: text("f"),
        lines: None,
        quote: text("quote"),
        why: String::new(),
        recommendation: String::new(),
    };
    CheckedFinding { finding, evidence, found_at: None, rerun: None }
}

/// A vote of a vendor, by its place in [`VENDORS`].
pub(super) fn vote(vendor: usize, kind: Kind) -> Vote {
    let vendor = VENDORS[vendor % VENDORS.len()];
    Vote { reviewer: serde_name(&vendor).as_str().into(), vendor, ballot: kind.ballot() }
}

/// The facts of a first round with the default settings.
pub(super) fn facts(votes: Vec<Vote>) -> Facts {
    Facts {
        tree: TreeHash(TREE.to_owned()),
        votes,
        authors: BTreeSet::new(),
        required: 1,
        round: 1,
        max_rounds: 3,
        single_vendor: false,
        at_one_concern: AtDoubt::Warn,
        at_missing_reviewer: AtDoubt::Warn,
    }
}

/// All multisets of `size` of these, each in their order.
pub(super) fn multisets<T: Copy>(of: &[T], size: usize) -> Vec<Vec<T>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut found = Vec::new();
    for (at, first) in of.iter().enumerate() {
        for mut rest in multisets(&of[at..], size - 1) {
            rest.insert(0, *first);
            found.push(rest);
        }
    }
    found
}

/// The published rule as Markdown: every multiset of seats of up to three vendors, then the cases in which a ballot
/// counts as something else than it says, then what the settings change.
#[must_use]
pub fn truth_table() -> String {
    let mut text = String::from(
        "| seats of a review | 1 verdict required | 2 verdicts required | last round, 1 required |\n|---|---|---|---|\n",
    );
    for size in 0..=VENDORS.len() {
        for kinds in multisets(&Kind::PLAIN, size) {
            let votes = || kinds.iter().enumerate().map(|(at, kind)| vote(at, *kind)).collect();
            let one = decide(&facts(votes()));
            let two = decide(&Facts { required: 2, ..facts(votes()) });
            let last = decide(&Facts { round: 3, ..facts(votes()) });
            let _ =
                writeln!(text, "| {} | {} | {} | {} |", seats(&kinds), cell(&one), cell(&two), cell(&last));
        }
    }
    text + &fail_safes() + &bounds()
}

/// What a single odd ballot does, alone and beside an approval of another vendor.
fn fail_safes() -> String {
    let mut text =
        String::from("\n| a seat's ballot | counts as | alone | beside an approval |\n|---|---|---|---|\n");
    for kind in Kind::ALL {
        let counted = if matches!(kind, Kind::StaleApproval | Kind::StaleBlocker) {
            None
        } else {
            kind.ballot().counted_as()
        };
        let counted = counted.map_or("nothing".to_owned(), |verdict| serde_name(&verdict));
        let alone = decide(&facts(vec![vote(0, kind)]));
        let beside = decide(&facts(vec![vote(0, kind), vote(1, Kind::Approve)]));
        let _ = writeln!(text, "| {} | {counted} | {} | {} |", kind.words(), cell(&alone), cell(&beside));
    }
    let own =
        |kind| Facts { authors: [VENDORS[0]].into(), ..facts(vec![vote(0, kind), vote(1, Kind::Approve)]) };
    for (words, kind) in
        [("the author's own approve", Kind::Approve), ("the author's own blocker", Kind::Blocker)]
    {
        let alone = decide(&Facts { votes: vec![vote(0, kind)], ..own(kind) });
        let _ = writeln!(text, "| {words} | nothing | {} | {} |", cell(&alone), cell(&decide(&own(kind))));
    }
    let twice = |kind| decide(&facts(vec![vote(0, kind), vote(0, kind)]));
    let beside = |kind| decide(&facts(vec![vote(0, kind), vote(0, kind), vote(1, Kind::Approve)]));
    let (alone, with) = (twice(Kind::Concern), beside(Kind::Concern));
    let _ =
        writeln!(text, "| two concerns of one vendor | one concern | {} | {} |", cell(&alone), cell(&with));
    text
}

/// What the settings can change, and what they cannot.
fn bounds() -> String {
    let mut text = String::from("\n| setting | seats | `warn` | `pause` |\n|---|---|---|---|\n");
    let both = |kinds: &[Kind], set: fn(&mut Facts, AtDoubt)| {
        [AtDoubt::Warn, AtDoubt::Pause].map(|to| {
            let mut facts = facts(kinds.iter().enumerate().map(|(at, kind)| vote(at, *kind)).collect());
            set(&mut facts, to);
            cell(&decide(&facts))
        })
    };
    let one = [Kind::Approve, Kind::Concern];
    let [warn, pause] = both(&one, |facts, to| facts.at_one_concern = to);
    let _ = writeln!(text, "| `review.at_one_concern` | {} | {warn} | {pause} |", seats(&one));
    let gone = [Kind::Approve, Kind::Void];
    let [warn, pause] = both(&gone, |facts, to| facts.at_missing_reviewer = to);
    let _ = writeln!(text, "| `review.at_missing_reviewer` | {} | {warn} | {pause} |", seats(&gone));
    let alone = decide(&Facts { single_vendor: true, ..facts(Vec::new()) });
    let _ = writeln!(text, "| one vendor in the whole session | none | {0} | {0} |", cell(&alone));
    text
}

fn seats(kinds: &[Kind]) -> String {
    let mut parts = Vec::new();
    for kind in Kind::ALL {
        match kinds.iter().filter(|of| **of == kind).count() {
            0 => {}
            1 => parts.push(kind.words().to_owned()),
            many => parts.push(format!("{many} × {}", kind.words())),
        }
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(" + ") }
}

fn cell(ruling: &Ruling) -> String {
    format!("{} ({})", serde_name(&ruling.action), serde_name(&ruling.rule))
}
