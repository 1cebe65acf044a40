//! Work that comes out of reviews, checks and people, and goes to an author.

use serde::{Deserialize, Serialize};

use crate::{AgentName, CheckResult, CheckedFinding, ReviewId};

/// One piece of work for an author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Note {
    /// Findings of a review.
    Findings {
        /// Which review.
        review: ReviewId,
        /// Who found them.
        reviewer: AgentName,
        /// What they say in a few words.
        summary: String,
        /// With evidence.
        findings: Vec<CheckedFinding>,
    },
    /// Checks that did not pass.
    Checks {
        /// Only the failed ones.
        failed: Vec<CheckResult>,
    },
    /// The session branch was merged into the tree and left conflicts.
    Conflict {
        /// Files with conflict markers.
        files: Vec<String>,
    },
    /// The turn ended well but changed nothing, although the task writes.
    NothingChanged,
    /// The turn ended well and its worker says that it changed something, but its tree is what it was before.
    SaidChanged {
        /// Files that it says it changed, where it named any.
        files: Vec<String>,
    },
    /// The user's words.
    Message {
        /// As typed.
        text: String,
    },
}
