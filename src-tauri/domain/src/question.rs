//! What only the user can answer, and what the desktop is told.

use serde::{Deserialize, Serialize};

use crate::{JobId, ReviewId, Subject, WorkerId};

/// A question to the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Asked {
    /// What is asked, with everything needed to answer.
    pub text: String,
    /// What it is about.
    pub about: About,
    /// What may be chosen, the safest first.
    pub choices: Vec<Choice>,
}

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum About {
    /// The plan waits for approval.
    Plan {
        /// Which version.
        version: u32,
    },
    /// A review paused or stopped the work.
    Review {
        /// Which.
        review: ReviewId,
    },
    /// A worker asked by `ask_user` and waits.
    Worker {
        /// Which.
        worker: WorkerId,
        /// The call that waits for the answer.
        call: String,
    },
    /// A worker failed and cannot be repaired by rules.
    Failure {
        /// Which.
        worker: WorkerId,
    },
    /// A side effect failed.
    Job {
        /// Which.
        job: JobId,
        /// What waits for it.
        subject: Option<Subject>,
    },
    /// The session crashed again and again; nothing runs until the user agrees.
    SafeMode,
    /// The guard rail asks whether a command may run; without an answer it is denied after a while.
    Command {
        /// Whose.
        worker: WorkerId,
        /// The call that waits for the answer; none when the CLI has no hook that asks: then the worker is frozen.
        call: Option<String>,
        /// What would run.
        command: String,
        /// The rule that asks.
        rule: String,
    },
}

/// What the user may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Agree to the plan.
    Approve,
    /// Another plan, with what the text says.
    Replan,
    /// Give the author the findings and the answer, and go on.
    Instruct,
    /// Go on in spite of it; the text is the reason, and must not be empty.
    Override,
    /// Try again.
    Retry,
    /// End the session; everything is kept.
    Abandon,
    /// Answer a worker's question with the text.
    Reply,
    /// Give the work to an agent of another vendor.
    HandOver,
    /// Have one more reviewer judge the same tree, of a vendor that has no seat yet and no hand in the work.
    ThirdOpinion,
    /// The command does not run.
    Deny,
    /// The command runs, this time.
    AllowOnce,
    /// The command runs, and whenever one of this session's workers wants exactly the same.
    AllowSession,
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// One line.
    pub title: String,
    /// At most 200 characters of plain text (THREATS T30).
    pub body: String,
}

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Only the user can go on from here.
    Blocker,
    /// A decision the user should know of.
    Decision,
    /// The session is over.
    Done,
}
