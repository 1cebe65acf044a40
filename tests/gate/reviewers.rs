//! Scripted reviewers: what each says of a diff. Deterministic, so that a figure can be got again.

use domain::{Finding, Severity, Verdict};

use crate::corpus::Diff;

/// A way to review.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reviewer {
    /// Reads the diff; finds four defects of five, and now and then something that is none. Cites what stands there.
    Honest,
    /// Another one of that kind; half of what it overlooks the first one overlooks as well.
    HonestToo,
    /// Finds a blocker in everything, with code that it made up.
    Hallucinates,
    /// Approves everything.
    RubberStamp,
    /// Finds a blocker in everything, and quotes what the change took away.
    OldCode,
    /// Finds a blocker in everything, in files that do not exist.
    NoSuchFile,
    /// Never gives a verdict.
    Silent,
}

/// What a reviewer says.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    /// Each with whether its citation is made up.
    pub(crate) findings: Vec<(Finding, bool)>,
}

impl Reviewer {
    pub(crate) const ALL: [Self; 7] = [
        Self::Honest,
        Self::HonestToo,
        Self::Hallucinates,
        Self::RubberStamp,
        Self::OldCode,
        Self::NoSuchFile,
        Self::Silent,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::HonestToo => "honest, another",
            Self::Hallucinates => "hallucinates",
            Self::RubberStamp => "rubber-stamps",
            Self::OldCode => "quotes old code",
            Self::NoSuchFile => "cites no such file",
            Self::Silent => "silent",
        }
    }

    /// What it says of a diff; `None` when it says nothing.
    pub(crate) fn says(self, diff: &Diff<'_>) -> Option<Said> {
        match self {
            Self::Honest => Some(honest(diff, [3, 8])),
            Self::HonestToo => Some(honest(diff, [3, 6])),
            Self::Hallucinates => {
                let made_up = format!("if (cache_{}.poisoned) {{ return unsafe_default(); }}", diff.number);
                Some(blocker(finding(Severity::Blocker, &diff.case.file, &made_up, "It is poisoned."), true))
            }
            Self::RubberStamp => Some(Said { verdict: Verdict::Approve, findings: Vec::new() }),
            Self::OldCode => {
                let old = finding(Severity::Blocker, &diff.case.file, diff.removed(), "This is still wrong.");
                Some(blocker(old, true))
            }
            Self::NoSuchFile => {
                let file = format!("src/{}_helper_{}.x", diff.case.language, diff.number);
                let real_text = diff.some_line();
                Some(blocker(finding(Severity::Blocker, &file, real_text, "It breaks the helper."), true))
            }
            Self::Silent => None,
        }
    }
}

/// Overlooks one planted defect of five, objects to one good diff of ten, and takes one of thirty for a disaster.
fn honest(diff: &Diff<'_>, overlooks: [usize; 2]) -> Said {
    let number = diff.number;
    if diff.planted {
        if overlooks.contains(&(number % 10)) {
            return Said { verdict: Verdict::Approve, findings: Vec::new() };
        }
        let grave =
            ["injection", "race", "missing check", "broken contract"].contains(&diff.case.kind.as_str());
        let severity = if grave { Severity::Blocker } else { Severity::Concern };
        return objection(finding(severity, &diff.case.file, &diff.case.quote, &diff.case.why), false);
    }
    let severity = match number {
        n if n % 30 == overlooks[1] => Severity::Blocker,
        n if n % 10 == overlooks[1] - 2 => Severity::Concern,
        _ => return Said { verdict: Verdict::Approve, findings: Vec::new() },
    };
    objection(
        finding(severity, &diff.case.file, diff.some_line(), "It could be written more clearly."),
        false,
    )
}

fn blocker(finding: Finding, made_up: bool) -> Said {
    Said { verdict: Verdict::Blocker, findings: vec![(finding, made_up)] }
}

fn objection(finding: Finding, made_up: bool) -> Said {
    let verdict = if finding.severity == Severity::Blocker { Verdict::Blocker } else { Verdict::Concern };
    Said { verdict, findings: vec![(finding, made_up)] }
}

fn finding(severity: Severity, file: &str, quote: &str, why: &str) -> Finding {
    Finding {
        severity,
        title: why.to_owned(),
        file: Some(file.to_owned()),
        lines: Some("1".to_owned()), // off on purpose: the quote is looked for
        quote: Some(quote.to_owned()),
        why: why.to_owned(),
        recommendation: "Look at it again.".to_owned(),
    }
}
