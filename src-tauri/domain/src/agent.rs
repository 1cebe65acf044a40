//! Agents, and what a worker of any vendor can say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::AgentName;

/// How one CLI is launched and how its stream is read. Closed: matched exhaustively.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Claude Code, `claude`.
    Claude,
    /// OpenAI Codex, `codex`.
    Codex,
    /// Gemini CLI, `gemini`.
    Gemini,
}

/// Who makes the model behind an agent. One vendor counts once in a vote, and none reviews itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Vendor {
    /// Claude.
    Anthropic,
    /// Codex.
    OpenAi,
    /// Gemini.
    Google,
}

impl Dialect {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Claude, Self::Codex, Self::Gemini];

    /// Whose model stands behind this dialect.
    #[must_use]
    pub fn vendor(self) -> Vendor {
        match self {
            Self::Claude => Vendor::Anthropic,
            Self::Codex => Vendor::OpenAi,
            Self::Gemini => Vendor::Google,
        }
    }

    /// The command and the agent's default name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
        }
    }
}

/// What a worker is there for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Breaks the prompt down into a plan.
    Lead,
    /// Designs and writes the documents the implementer works from.
    Architect,
    /// Writes code and tests.
    Implementer,
    /// Judges; never writes.
    Reviewer,
}

impl Role {
    /// The word used in file names, prompts and windows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Architect => "architect",
            Self::Implementer => "implementer",
            Self::Reviewer => "reviewer",
        }
    }
}

/// An agent as discovery found it on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AgentInfo {
    /// Its name in the settings.
    pub name: AgentName,
    /// How it speaks.
    pub dialect: Dialect,
    /// Absolute path of the program that is started, symlinks resolved.
    pub program: String,
    /// Arguments before all others; the demo agents need them (`orchestrate demo-agent …`).
    pub leading_args: Vec<String>,
    /// What `--version` said, first line.
    pub version: String,
    /// A scripted demo agent: no AI, no account, no network.
    pub demo: bool,
}

/// What a worker reports, in the common vocabulary (SPEC section 5). Agent and time stand in the entry around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", content = "payload", rename_all = "snake_case")]
pub enum AgentEvent {
    /// The worker's own life: started, retrying, a heartbeat.
    Status(Status),
    /// Words and tool calls.
    Progress(Progress),
    /// Something a worker found, outside of a verdict.
    Finding(Finding),
    /// The worker's own list of things to do.
    Task(TodoList),
    /// What keeps the worker from going on.
    Blocker(Blocker),
    /// Something is finished and can be looked at.
    Milestone(Milestone),
    /// The worker asks for a review, or reports one of its own.
    Review(ReviewNote),
    /// Something went wrong, or a line that nobody could read; the raw line is kept.
    Error(AgentError),
}

/// The worker's own life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Status {
    /// Which kind of status.
    pub what: StatusKind,
    /// For people; may be empty.
    pub text: String,
    /// The CLI's own session id, when this line told it: what resuming needs.
    pub session: Option<String>,
    /// The model, when this line told it.
    pub model: Option<String>,
    /// Tokens and money of the run so far, when this line told them.
    pub usage: Option<Usage>,
}

/// Which kind of status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum StatusKind {
    /// The CLI is up and told its session.
    Started,
    /// A turn began.
    TurnStarted,
    /// A turn ended well, by the CLI's own word.
    TurnDone,
    /// The CLI tries a request again.
    Retrying,
    /// Close to a usage limit.
    LimitWarning,
    /// Still there.
    Heartbeat,
    /// Anything else worth a line, including types of event that are new to us.
    Note,
}

/// Words and tool calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Progress {
    /// The words, or what the tool does.
    pub text: String,
    /// 0 to 100, when the worker reported it.
    pub progress: Option<u8>,
    /// A file this is about, as the worker named it.
    pub file: Option<String>,
    /// The tool call this is about.
    pub tool: Option<ToolCall>,
    /// The model's reasoning rather than its answer.
    pub thinking: bool,
}

/// A tool call's life: reported when it starts and again when it ends, with the same id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ToolCall {
    /// The CLI's id of the call; unique within one run.
    pub id: String,
    /// The tool's name as the CLI says it (`Bash`, `command_execution`, `write_file`).
    pub name: String,
    /// The command line, for tools that run one.
    pub command: Option<String>,
    /// How it stands.
    pub outcome: ToolOutcome,
    /// Exit status of the command, where the CLI tells it.
    pub exit_code: Option<i32>,
    /// What came out, at most 4,000 characters of its end; the raw log has all of it.
    pub output: Option<String>,
}

/// How a tool call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ToolOutcome {
    /// Begun.
    Started,
    /// Ended well.
    Ok,
    /// Ended with an error.
    Failed,
    /// Refused by the CLI's permission rules.
    Denied,
}

/// A judgement's single point, or something a worker came across.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// Path relative to the project's root.
    #[serde(default)]
    pub file: Option<String>,
    /// Line or range in that file: `12` or `12-18`.
    #[serde(default)]
    pub lines: Option<String>,
    /// The exact text that stands there.
    #[serde(default)]
    pub quote: Option<String>,
    /// Why it is wrong.
    #[serde(default)]
    pub why: String,
    /// What to do about it.
    #[serde(default)]
    pub recommendation: String,
}

/// How bad a finding is; ordered, the last is the worst.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; changes nothing.
    Note,
    /// Should be mended.
    Concern,
    /// Must not go on like this.
    Blocker,
}

/// The worker's own list of things to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TodoList {
    /// In the worker's order; the newest list replaces the one before.
    pub items: Vec<Todo>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Todo {
    /// What.
    pub text: String,
    /// Whether it is done.
    pub done: bool,
}

/// What keeps the worker from going on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Blocker {
    /// Which kind.
    pub what: BlockerKind,
    /// For people.
    pub text: String,
    /// When it ends by itself, where the CLI says so.
    #[cfg_attr(feature = "ts", ts(type = "string | null"))]
    pub resets_at: Option<Timestamp>,
    /// The path it is about, for permissions.
    pub path: Option<String>,
}

/// Which kind of blocker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum BlockerKind {
    /// A tool was refused, or a path lies outside of what is allowed.
    Permission,
    /// Not signed in.
    Auth,
    /// A rate or usage limit.
    RateLimit,
    /// No credit.
    Billing,
    /// The folder is not trusted.
    Trust,
    /// The worker asks the user something.
    Question,
    /// The worker says so itself.
    Reported,
}

/// Something is finished and can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Milestone {
    /// What is finished.
    pub text: String,
    /// The file it is about, as the worker named it.
    pub file: Option<String>,
    /// A milestone the worker announced, which triggers a review; false for a mere file change.
    pub announced: bool,
}

/// The worker asks for a review, or reports one of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ReviewNote {
    /// What should be looked at, or what was found. Never a vote.
    pub text: String,
    /// True when the worker asks for a review.
    pub requested: bool,
}

/// Something went wrong in the worker, or a line nobody could read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AgentError {
    /// What, in a sentence.
    pub text: String,
    /// The line as it came, invalid UTF-8 replaced, at most 4,000 characters; the raw log has all of it.
    pub raw: Option<String>,
}

/// Tokens and money of one run of a CLI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Usage {
    /// Tokens read, without cached ones.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub input: u64,
    /// Tokens written.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub output: u64,
    /// Tokens read from a cache.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub cached: u64,
    /// US dollars; `None` when the CLI does not say.
    pub cost_usd: Option<f64>,
}
