//! Side effects outside the journal, with intent and outcome.

use serde::{Deserialize, Serialize};

use crate::{Ballot, CheckResult, CommitHash, ReviewId, Subject, TaskId, TreeHash, WorkerId};

/// A side effect outside the journal. Each may be performed again after a crash: it looks at the world first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Job {
    /// Make a task's worktree from the session branch as it stands.
    PrepareTree {
        /// Which.
        task: TaskId,
    },
    /// Commit a task's tree as it stands to a private ref.
    Snapshot {
        /// Which.
        task: TaskId,
        /// After or while whose turn.
        worker: WorkerId,
        /// A milestone that the worker announced; `None` for the end of a turn.
        milestone: Option<String>,
        /// Why the snapshot is taken, when a review is to follow.
        trigger: Option<crate::Trigger>,
    },
    /// Run checks on a commit, in a worktree of its own or the task's.
    Check {
        /// What it is for.
        subject: Subject,
        /// The commit under check.
        commit: CommitHash,
        /// What to check.
        checks: Vec<crate::Check>,
    },
    /// Check a reviewer's evidence against the frozen tree, and that the tree is still what it was.
    Verify {
        /// Which review.
        review: ReviewId,
        /// Whose answer.
        worker: WorkerId,
        /// The answer.
        answer: crate::Answer,
    },
    /// Merge an accepted task into the session branch.
    Merge {
        /// Which.
        task: TaskId,
        /// Its last commit.
        commit: CommitHash,
    },
    /// Bring the session branch into the branch the user came from.
    Land {
        /// How.
        method: LandMethod,
        /// The message of a merge or squash commit.
        message: String,
    },
}

/// How to land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum LandMethod {
    /// Only when the user's branch did not move.
    FastForward,
    /// A merge commit.
    Merge,
    /// One commit.
    Squash,
    /// Leave the user's branch alone and keep the session branch.
    Keep,
}

/// What came of a side effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JobOutcome {
    /// A worktree is there.
    TreeReady {
        /// Absolute.
        path: String,
        /// The task's branch.
        branch: String,
        /// Where it begins.
        base: CommitHash,
    },
    /// A snapshot is there.
    Snapshot {
        /// The commit on the private ref and the task's branch.
        commit: CommitHash,
        /// Its tree.
        tree: TreeHash,
        /// Files that differ from the task's base, relative to the root.
        changed: Vec<String>,
        /// Files with conflict markers that are still there.
        conflicted: Vec<String>,
    },
    /// Checks have run.
    Checked {
        /// One for each.
        results: Vec<CheckResult>,
    },
    /// An answer's evidence has been looked at.
    Verified {
        /// What became of the seat.
        ballot: Ballot,
    },
    /// The task is in the session branch.
    Merged {
        /// The session branch now.
        commit: CommitHash,
        /// Its tree.
        tree: TreeHash,
    },
    /// It does not merge; the session branch has been merged into the task's tree, conflicts left in it for the author.
    Conflicted {
        /// Files in conflict.
        files: Vec<String>,
    },
    /// The user's branch has it.
    Landed {
        /// The user's branch now; the session branch for `Keep`.
        commit: CommitHash,
        /// Which branch.
        branch: String,
    },
    /// It could not be done.
    Failed {
        /// What is wrong and what to do.
        why: String,
    },
}
