//! Reviews: what is asked, what is answered, and what of an answer counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AgentName, Finding, Nonce, ReviewId, Severity, TaskId, TreeHash, Vendor, WorkerId};

/// What a reviewer says of the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Good as it is.
    Approve,
    /// Should be mended before it is accepted.
    Concern,
    /// Must not go on; a person has to decide.
    Blocker,
}

/// A reviewer's answer, by schema. Comes by the tool `submit_review`, by the CLI's schema flag, or as one fenced JSON block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The secret given in the request; without it the answer does not count.
    pub nonce: Nonce,
    /// The whole in a word.
    pub verdict: Verdict,
    /// At most 200 words.
    pub summary: String,
    /// Each with the file, lines and exact quote it is about.
    pub findings: Vec<Finding>,
    /// What the reviewer read, relative to the project's root.
    pub files_read: Vec<String>,
}

/// Why an answer is no verdict.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not JSON of the answer's shape.
    #[error("the review cannot be read: {0}")]
    Unreadable(String),
    /// Another review's secret, or none.
    #[error("the review does not carry this review's nonce")]
    Nonce,
    /// Too long to be a summary.
    #[error("the summary has {0} words; the most is 200")]
    TooLong(usize),
    /// A verdict other than approval without a finding that says why.
    #[error("the verdict is not approve, but no finding says why")]
    NoFinding,
}

/// Most words of a summary (SPEC section 7).
pub const MOST_WORDS: usize = 200;

impl Answer {
    /// The answer's JSON schema.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(Answer).to_value()
    }

    /// Reads a reviewer's answer: the JSON itself, or text with one fenced JSON block.
    ///
    /// # Errors
    /// [`AnswerError`], in its order.
    pub fn read(text: &str, nonce: &Nonce) -> Result<Self, AnswerError> {
        let json = crate::fenced_json(text)
            .ok_or_else(|| AnswerError::Unreadable("no JSON object in the answer".to_owned()))?;
        let answer: Self =
            serde_json::from_str(json).map_err(|fault| AnswerError::Unreadable(fault.to_string()))?;
        if answer.nonce != *nonce || nonce.0.is_empty() {
            return Err(AnswerError::Nonce);
        }
        let words = answer.summary.split_whitespace().count();
        if MOST_WORDS < words {
            return Err(AnswerError::TooLong(words));
        }
        if answer.verdict != Verdict::Approve && answer.findings.is_empty() {
            return Err(AnswerError::NoFinding);
        }
        Ok(answer)
    }
}

/// Whether a finding's quote stands in the reviewed tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// The quote was found in the file (white space apart).
    Verified,
    /// The file or the quote is not there.
    NotFound,
    /// No file or no quote was given.
    NotCheckable,
}

/// A finding with what became of its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CheckedFinding {
    /// As the reviewer gave it.
    pub finding: Finding,
    /// What the orchestrator found in the reviewed tree.
    pub evidence: Evidence,
    /// The line on which the quote really begins, from 1.
    pub found_at: Option<u32>,
    /// The project's check command that the finding cites, run again in a clean checkout of the reviewed tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub rerun: Option<Rerun>,
}

impl CheckedFinding {
    /// Whether something was found that bears the finding out: its quote, or a check that fails again.
    #[must_use]
    pub fn proven(&self) -> bool {
        self.evidence == Evidence::Verified || self.rerun.as_ref().is_some_and(|rerun| !rerun.passed)
    }
}

/// A check command that a reviewer cites, run again by the orchestrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Rerun {
    /// The command, as the project or the task has it.
    pub command: String,
    /// Whether it exited with 0.
    pub passed: bool,
    /// Its exit code, when it ended by itself.
    pub exit_code: Option<i32>,
}

/// What a reviewer looked at, as its stream of events tells, against what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Coverage {
    /// Files that its tools read, relative to the project's root.
    pub read: Vec<String>,
    /// Changed files of which no tool call tells that it read them; the diff in its prompt shows them as well.
    pub unread: Vec<String>,
    /// Files that it says it read, and of which no tool call tells so.
    pub only_claimed: Vec<String>,
}

/// What became of one reviewer's seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Ballot {
    /// A valid answer, bound to a tree.
    Cast {
        /// As given.
        verdict: Verdict,
        /// At most 200 words.
        summary: String,
        /// With evidence.
        findings: Vec<CheckedFinding>,
        /// As claimed.
        files_read: Vec<String>,
        /// The tree that the reviewer had in front of it.
        tree: TreeHash,
        /// What it looked at; absent in journals of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "ts", ts(optional))]
        coverage: Option<Coverage>,
    },
    /// No verdict: missing, crashed, timed out, nonsense twice, or void because it wrote to the tree. Never an approval.
    Void {
        /// Why, in a sentence.
        why: String,
    },
}

/// One vote as the policy sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Vote {
    /// Who.
    pub reviewer: AgentName,
    /// Whose model; one vendor counts once.
    pub vendor: Vendor,
    /// What became of the seat.
    pub ballot: Ballot,
}

/// What a review is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Subject {
    /// The work of one task, in its own tree.
    Task {
        /// Which.
        task: TaskId,
    },
    /// What has been merged so far, judged by a reviewing task of the plan.
    Validation {
        /// The reviewing task.
        task: TaskId,
    },
    /// The whole session, before it is done.
    Session,
}

impl Subject {
    /// The task it belongs to.
    #[must_use]
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::Task { task } | Self::Validation { task } => Some(task),
            Self::Session => None,
        }
    }
}

/// Why a review was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The worker announced a milestone.
    Milestone,
    /// The worker reported a blocker.
    Blocker,
    /// The worker asked for it.
    Requested,
    /// The user asked for it.
    Manual,
    /// Too long without any.
    Fallback,
    /// Before a task is accepted.
    Acceptance,
    /// A reviewing task of the plan.
    Validation,
    /// Before the session is done.
    Final,
}

/// One reviewer's place in a review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Seat {
    /// Who sits there.
    pub reviewer: AgentName,
    /// Whose model.
    pub vendor: Vendor,
    /// Tasks whose work this reviewer judges: never one of its own vendor.
    pub scope: Vec<TaskId>,
    /// The secret of the seat.
    pub nonce: Nonce,
    /// Its workers, first to last: a second one when the first answered badly.
    pub workers: Vec<WorkerId>,
    /// What became of it.
    pub ballot: Option<Ballot>,
}

/// A review from its request to its decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Review {
    /// Its name.
    pub id: ReviewId,
    /// What it is about.
    pub subject: Subject,
    /// Why it was made.
    pub trigger: Trigger,
    /// Whether the subject waits for it. Reviews on the way (a milestone while work goes on) do not gate.
    pub gate: bool,
    /// What was announced or asked, in the worker's words; may be empty. Never shown to reviewers.
    pub about: String,
    /// Which round on this subject, from 1.
    pub round: u32,
    /// The frozen tree.
    pub tree: TreeHash,
    /// The commit that holds the tree; what reviewers get to see.
    pub commit: crate::CommitHash,
    /// Where the diff begins.
    pub base: crate::CommitHash,
    /// Valid verdicts needed.
    pub required: u32,
    /// The reviewers.
    pub seats: Vec<Seat>,
}

impl Ballot {
    /// What a ballot counts as: an approval with a blocker finding is a blocker, a blocker (or concern) without
    /// verified evidence counts as a concern. `None` for void ones.
    #[must_use]
    pub fn counted_as(&self) -> Option<Verdict> {
        let Self::Cast { verdict, findings, .. } = self else {
            return None;
        };
        let worst = findings.iter().map(|checked| checked.finding.severity).max();
        let said = match worst {
            Some(Severity::Blocker) => Verdict::Blocker,
            Some(Severity::Concern) => (*verdict).max(Verdict::Concern),
            Some(Severity::Note) | None => *verdict,
        };
        let proven =
            findings.iter().any(|checked| checked.proven() && Severity::Concern <= checked.finding.severity);
        Some(if said == Verdict::Blocker && !proven { Verdict::Concern } else { said })
    }
}
