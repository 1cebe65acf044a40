//! What the policy makes of facts and verdicts.

use serde::{Deserialize, Serialize};

use crate::{DecisionId, ReviewId, TaskId, WorkerId};

/// The four decisions (SPEC section 7), ordered from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// The task is accepted, or work goes on.
    Continue,
    /// The warning is kept, the findings go to the author as work, work goes on.
    LogWarning,
    /// Affected workers pause, the user is asked.
    PauseAndClarify,
    /// The workers of the session stop, the user is notified and decides.
    StopAndEscalate,
}

/// The rule that fired. Their order is the order of [`crate::decide`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// Any blocker stops and escalates.
    AnyBlocker,
    /// Two or more concerns pause and ask.
    TwoConcerns,
    /// After the last round without approval it escalates.
    RoundsExhausted,
    /// One concern goes back to the author.
    OneConcern,
    /// Fewer valid verdicts than required pause.
    TooFewVerdicts,
    /// Only one vendor is there: nobody independent can review; checks alone decided, with a warning.
    NoIndependentReviewer,
    /// All valid verdicts approve, but a reviewer who was asked gave none: never a silent approval.
    ReviewerMissing,
    /// All approved.
    AllApproved,
    /// A failure that only the user can resolve.
    Unrepairable,
    /// The worker asked the user a question.
    WorkerAsked,
    /// A person decided.
    Person,
}

/// A decision with everything that led to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Decision {
    /// Its name.
    pub id: DecisionId,
    /// What is to happen.
    pub action: Action,
    /// The rule that fired.
    pub rule: Rule,
    /// Facts, then the rule, then the outcome and what would change it; each line a sentence.
    pub trace: Vec<String>,
    /// Who decided.
    pub by: Actor,
    /// The review it follows from.
    pub review: Option<ReviewId>,
    /// The task it is about.
    pub task: Option<TaskId>,
    /// The worker it is about, for decisions without a review.
    pub worker: Option<WorkerId>,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A published rule.
    Rule,
    /// The user.
    Person,
    /// A setting, or a flag such as `--yes`.
    Setting,
    /// The demo's script, which answers its own question.
    Demo,
}
