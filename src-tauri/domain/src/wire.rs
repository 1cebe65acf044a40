//! The whole conversation between a window or a terminal and the engine: one request, one response.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    AgentInfo, Choice, LandMethod, Plan, QuestionId, Row, Seq, SessionId, TaskId, TimelineItem, WorkerId,
};

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// What of the machine and the agents is in order. Answer: [`Response::Doctor`].
    Doctor {
        /// The project folder to look at as well, when there is one.
        #[serde(default)]
        #[cfg_attr(feature = "ts", ts(optional))]
        target: Option<String>,
    },
    /// All sessions of the workspace, newest first. Answer: [`Response::Sessions`].
    Sessions,
    /// What each reviewer's verdicts were worth, over all sessions of the workspace. Answer: [`Response::Scoreboard`].
    Scoreboard,
    /// Facts about a project folder. Answer: [`Response::Target`].
    Inspect {
        /// The folder.
        target: String,
    },
    /// What configuration for agents a project brings along. Answer: [`Response::Brought`].
    Brought {
        /// The project folder.
        target: String,
    },
    /// Approve it, or take an approval back. Answer: [`Response::Accepted`].
    Trust {
        /// The project folder.
        target: String,
        /// The hash of what the user saw; `None` takes the approval back.
        hash: Option<String>,
    },
    /// Start a session. Answer: [`Response::Opened`].
    Open {
        /// The user's prompt.
        goal: String,
        /// The project folder.
        target: String,
        /// Approve the plan without asking.
        approve: bool,
        /// The user's typed consent to agents without a sandbox.
        unsandboxed: bool,
    },
    /// Start the demo session on a sample project made for it. Answer: [`Response::Opened`].
    Demo {
        /// Approve the plan without asking.
        approve: bool,
    },
    /// Take a session up again that nobody runs. Answer: [`Response::Opened`].
    Resume {
        /// Which.
        session: SessionId,
    },
    /// Rows newer than a cursor: answered as soon as there are any, or empty after 20 s. Answer: [`Response::Update`].
    Watch {
        /// Which session.
        session: SessionId,
        /// The cursor; 0 for everything.
        since: Seq,
    },
    /// A page of the timeline. Answer: [`Response::Timeline`].
    Timeline {
        /// Which session.
        session: SessionId,
        /// Entries after this one.
        after: Seq,
        /// At most this many, 1 to 1,000.
        limit: u32,
    },
    /// A page of a worker's raw output. Answer: [`Response::Log`].
    Log {
        /// Which session.
        session: SessionId,
        /// Which worker.
        worker: WorkerId,
        /// First byte.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        from: u64,
    },
    /// What a task, or the whole session, changes. Answer: [`Response::Diff`].
    Diff {
        /// Which session.
        session: SessionId,
        /// One task; the whole session branch when absent.
        task: Option<TaskId>,
    },
    /// What landing would do. Answer: [`Response::DryRun`].
    DryRun {
        /// Which session.
        session: SessionId,
    },
    /// Do something to a session. Answer: [`Response::Accepted`]; consequences arrive through `Watch`.
    Act {
        /// Which session.
        session: SessionId,
        /// What.
        act: Act,
    },
}

/// What a person can do to a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Act {
    /// A new version of the plan, before it is approved.
    EditPlan {
        /// The whole plan.
        plan: Plan,
    },
    /// Freeze workers, start none.
    Pause,
    /// Let a paused session go on.
    Unpause,
    /// Stop the workers; the session can be resumed.
    Stop {
        /// Without grace.
        now: bool,
    },
    /// Have the work as it stands reviewed.
    Review {
        /// One task; every task at work when absent.
        task: Option<TaskId>,
    },
    /// Answer a question.
    Answer {
        /// Which; the oldest open one when absent.
        question: Option<QuestionId>,
        /// Which of its choices; the first that takes text when absent.
        choice: Option<Choice>,
        /// In the user's words.
        text: String,
    },
    /// Bring the result home.
    Land {
        /// How.
        method: LandMethod,
        /// The message of a merge or squash commit; made from the goal when empty.
        message: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Response {
    /// Accepted; the consequences arrive through `Watch`.
    Accepted,
    /// The session runs.
    Opened {
        /// Its name.
        session: SessionId,
    },
    /// The machine and the agents.
    Doctor {
        /// In the order in which they are shown.
        probes: Vec<Probe>,
        /// Agents that can work.
        agents: Vec<AgentInfo>,
    },
    /// Sessions, newest first.
    Sessions {
        /// One row each.
        sessions: Vec<SessionSummary>,
    },
    /// The reviewers.
    Scoreboard {
        /// As the journals have it now.
        board: crate::scoreboard::Scoreboard,
    },
    /// A project folder.
    Target {
        /// Its facts.
        facts: TargetFacts,
    },
    /// What a project brings along.
    Brought {
        /// `None` when it is nothing.
        brought: Option<crate::Brought>,
    },
    /// Changed rows and the new cursor.
    Update {
        /// The cursor for the next `Watch`.
        seq: Seq,
        /// At most 1,000, oldest change first.
        rows: Vec<Row>,
    },
    /// A page of the timeline.
    Timeline {
        /// In order.
        items: Vec<TimelineItem>,
        /// The last entry looked at: the next page's `after`.
        seq: Seq,
        /// Whether there is more.
        more: bool,
    },
    /// A page of raw output.
    Log {
        /// Invalid UTF-8 replaced, control characters made visible.
        text: String,
        /// Where the next page begins.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        next: u64,
        /// Size of the whole.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        size: u64,
    },
    /// A diff.
    Diff {
        /// Unified, as git gives it; cut at 2 MiB.
        text: String,
        /// Changed files.
        files: Vec<FileChange>,
    },
    /// What landing would do.
    DryRun {
        /// Its facts.
        facts: LandingFacts,
    },
}

/// A failure a person can act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[error("{message}")]
pub struct UserError {
    /// A window or terminal branches on it.
    pub code: ErrorCode,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Kinds of failure that a window or terminal treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// What was asked makes no sense (exit code 2).
    Usage,
    /// Something the work needs is missing (exit code 6).
    Preflight,
    /// Another process runs the session.
    Busy,
    /// Consent to run without a sandbox is missing (exit code 6).
    Consent,
    /// An error of our own, of the disk or of git (exit code 1).
    Internal,
}

/// One line of the doctor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Probe {
    /// What was looked at: `claude`, `git`, `disk`, …
    pub name: String,
    /// How it stands.
    pub state: ProbeState,
    /// What was found, in a sentence.
    pub text: String,
    /// What to do; a command to copy where there is one. Empty when all is well.
    pub fix: String,
}

/// How a probe stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// In order.
    Ok,
    /// Works, but something is weaker.
    Warning,
    /// Not there or not in order.
    Problem,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SessionSummary {
    /// Its name.
    pub session: SessionId,
    /// The user's prompt.
    pub goal: String,
    /// The project folder.
    pub target: String,
    /// How it stands.
    pub phase: Phase,
    /// In a sentence: what goes on, or why nothing does.
    #[serde(default)]
    pub why: String,
    /// Whether a process holds it right now.
    pub held: bool,
    /// Workers whose processes still live although nobody runs the session; `resume` takes them down.
    #[serde(default)]
    pub left: u32,
    /// When it began.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub began: Timestamp,
    /// When its last entry was written.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub last: Timestamp,
    /// Tasks accepted.
    pub accepted: u32,
    /// Tasks in all.
    pub tasks: u32,
    /// The journal is damaged: what is wrong. Everything else is then what could still be read.
    pub damage: Option<String>,
    /// Scripted agents.
    pub demo: bool,
}

/// How a session stands: a state of attention, derived, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The lead is breaking the prompt down.
    Planning,
    /// Only the user can go on from here.
    NeedsYou,
    /// Workers, reviews or checks are running.
    Working,
    /// The user paused it.
    Paused,
    /// Workers are being stopped.
    Stopping,
    /// Nobody runs it although it is not over; `resume` takes it up.
    Interrupted,
    /// Everything is accepted, and can be landed.
    ReadyToLand,
    /// Landed.
    Landed,
    /// Stopped by the user.
    Stopped,
    /// A limit was reached.
    Limited,
    /// Abandoned or failed.
    Failed,
}

/// Facts about a project folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TargetFacts {
    /// Canonical.
    pub path: String,
    /// Whether it is inside a git repository with at least one commit.
    pub repository: bool,
    /// The branch, when it is on one.
    pub branch: Option<String>,
    /// Files with uncommitted changes.
    pub dirty: u32,
    /// Check commands guessed from the project's files.
    pub checks: Vec<String>,
}

/// What landing would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct LandingFacts {
    /// Where it would go; the folder for a target that is no repository.
    pub into: String,
    /// Methods that would work now, the best first.
    pub methods: Vec<LandMethod>,
    /// Files in conflict with what happened in the target meanwhile.
    pub conflicts: Vec<String>,
    /// Uncommitted files of the user that landing would touch; landing refuses while there are any.
    pub in_the_way: Vec<String>,
    /// Commits that would come.
    pub commits: u32,
    /// Why nothing can be landed, when nothing can.
    pub refused: Option<String>,
}

/// A changed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FileChange {
    /// Relative to the root.
    pub path: String,
    /// Lines added; `None` for binary files.
    pub added: Option<u32>,
    /// Lines removed; `None` for binary files.
    pub removed: Option<u32>,
}
