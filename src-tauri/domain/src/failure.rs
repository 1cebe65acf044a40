//! How a worker's run ended, and what kind of failure it was.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{AgentName, Usage};

/// What is left of a process (SUPERVISION section 2: the guardian's exit record).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Exit {
    /// Exit status, when it left by itself.
    pub code: Option<i32>,
    /// Signal that ended it.
    pub signal: Option<i32>,
    /// Why it is gone.
    pub cause: ExitCause,
}

/// Why a process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ExitCause {
    /// It left by itself.
    Left,
    /// We stopped it, on somebody's request.
    Stopped,
    /// It was silent for too long, and was stopped.
    Silent,
    /// It crossed a limit, and was stopped.
    Limit,
    /// It gave its result but did not leave, and was stopped; the result counts.
    Lingered,
    /// It asked again and again for what was refused, and was stopped.
    Looped,
    /// The orchestrator died, and its guardian took it down.
    Orphaned,
    /// It could not be started.
    NotStarted,
}

/// What a run's stream told, over all its lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default)]
pub struct Told {
    /// The CLI's session id, for resuming.
    pub session: Option<String>,
    /// The model, where told.
    pub model: Option<String>,
    /// The CLI's version, where told.
    pub version: Option<String>,
    /// A terminal event came, and said that all is well (`true`) or not (`false`).
    pub terminal: Option<bool>,
    /// The final words of the worker.
    pub answer: String,
    /// The answer by schema, as JSON text, where the CLI gives one.
    pub structured: Option<String>,
    /// Tokens and money of this run.
    pub usage: Usage,
    /// Tools or paths that were refused, in words.
    pub denials: Vec<String>,
    /// Files that the worker read, as far as its tool calls say.
    pub files_read: Vec<String>,
    /// Files that the worker said it changed.
    pub files_changed: Vec<String>,
    /// When a limit ends, where told.
    #[cfg_attr(feature = "ts", ts(type = "string | null"))]
    pub resets_at: Option<Timestamp>,
    /// Lines read.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub lines: u64,
    /// Lines that were not understood, kept as error events.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub bad_lines: u64,
}

/// The class of a failed run; repairs hang on it (SPEC section 8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "class", rename_all = "snake_case")]
pub enum Failure {
    /// No login, or a login that is refused.
    NotSignedIn,
    /// No credit, or a plan that does not cover it.
    Billing,
    /// A rate or usage limit.
    RateLimited {
        /// When it ends, where the CLI says so.
        #[cfg_attr(feature = "ts", ts(type = "string | null"))]
        resets_at: Option<Timestamp>,
    },
    /// The model's servers are too busy.
    Overloaded,
    /// The servers cannot be reached, or the connection broke.
    Network,
    /// The CLI refused a tool or a path.
    Permission {
        /// The path, where one is named.
        path: Option<String>,
    },
    /// codex: not inside a trusted git repository.
    NotGitRepository,
    /// gemini, claude: a path outside of the directories it was given.
    OutsideWorkspace {
        /// The path.
        path: String,
    },
    /// The conversation does not fit the model any more.
    ContextFull,
    /// It ended without its terminal event although nothing else is wrong.
    Truncated,
    /// It left with an error or by a signal, and no better class fits.
    Crashed,
    /// It was silent for too long.
    Hung,
    /// The model is not to be had.
    Model,
    /// Flags, settings or the session to resume were refused.
    Config,
    /// The model gave no answer (blocked, empty, refused).
    Refused,
    /// A limit of the CLI itself (turns, budget).
    CliLimit,
    /// A limit of this session.
    Limit,
    /// It was stopped by us or by the user.
    Cancelled,
}

/// A failure with words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Failed {
    /// Its class.
    pub failure: Failure,
    /// What the CLI said, at most 1,000 characters.
    pub text: String,
}

/// A repair that the orchestrator makes by itself. None of them widens rights beyond what the user allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "repair", rename_all = "snake_case")]
pub enum Repair {
    /// Launch again with one more directory, which lies inside of what the user allowed.
    AddDirectory {
        /// Absolute.
        path: String,
    },
    /// Launch codex again with `--skip-git-repo-check`.
    SkipGitCheck,
    /// Launch again at a time.
    Wait {
        /// When.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        until: Timestamp,
    },
    /// Continue the CLI's session.
    Resume,
    /// Begin a new CLI session from the tree as it stands, with a summary.
    Fresh,
    /// Give the work to another agent, from the tree as it stands.
    HandOver {
        /// To whom.
        to: AgentName,
    },
}
