//! The whole conversation between a window or a terminal and the engine: one request, one response.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    About, Action, Actor, AgentInfo, AgentName, Ballot, CheckResult, Choice, CommitHash, DecisionId, Dialect,
    Failed, LandMethod, Outcome, Plan, PlanSource, QuestionId, RecoveryId, Repair, ReviewId, Role, Rule, Seq,
    SessionId, Subject, TaskId, TreeHash, Trees, Trigger, Usage, Verdict, WorkerId,
};

/// What may be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Request {
    /// What of the machine and the agents is in order. Answer: [`Response::Doctor`].
    Doctor,
    /// All sessions of the workspace, newest first. Answer: [`Response::Sessions`].
    Sessions,
    /// Facts about a project folder. Answer: [`Response::Target`].
    Inspect {
        /// The folder.
        target: String,
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
    /// A project folder.
    Target {
        /// Its facts.
        facts: TargetFacts,
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
    /// Whether a process holds it right now.
    pub held: bool,
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

/// One thing a window shows; the newest with a key replaces the one before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Row {
    /// The entry that last changed this row.
    pub seq: Seq,
    /// Unique in the session: `session`, `plan`, `t1`, `w3`, `r1`, `d1`, `q1`, `c1`, `warning-7`.
    pub key: String,
    /// What it shows.
    pub body: RowBody,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RowBody {
    /// The session as a whole.
    Session(Box<SessionRow>),
    /// The plan's newest version.
    Plan(PlanRow),
    /// A task.
    Task(TaskRow),
    /// A worker.
    Worker(Box<WorkerRow>),
    /// A review.
    Review(Box<ReviewRow>),
    /// A decision.
    Decision(DecisionRow),
    /// A question to the user.
    Question(QuestionRow),
    /// A repair.
    Recovery(RecoveryRow),
    /// A warning.
    Warning(WarningRow),
}

/// The session as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SessionRow {
    /// Its name.
    pub session: SessionId,
    /// The user's prompt.
    pub goal: String,
    /// The project folder.
    pub target: String,
    /// How it stands.
    pub phase: Phase,
    /// In a sentence: what goes on, or why nothing does.
    pub why: String,
    /// How its run ended, once it has.
    pub outcome: Option<Outcome>,
    /// How trees are kept.
    pub trees: Trees,
    /// Where it was landed.
    pub landed: Option<String>,
    /// Scripted agents.
    pub demo: bool,
    /// Agents run without a sandbox, with the user's consent.
    pub unsandboxed: bool,
    /// Agents that may work.
    pub agents: Vec<AgentInfo>,
    /// Check commands in force.
    pub checks: Vec<String>,
    /// When it began.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub began: Timestamp,
    /// What has been spent.
    pub spent: Spent,
}

/// The ledger: spent against capped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Spent {
    /// Tokens and money over all workers.
    pub usage: Usage,
    /// Cap on tokens.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub tokens_cap: u64,
    /// Cap on money, US dollars.
    pub cost_cap: f64,
    /// Whether some worker did not tell its money, so that the sum is too low.
    pub cost_incomplete: bool,
    /// Cap on minutes.
    pub minutes_cap: u32,
    /// Workers started.
    pub workers: u32,
    /// Reviews made.
    pub reviews: u32,
}

/// The plan's newest version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PlanRow {
    /// From 1.
    pub version: u32,
    /// What is planned.
    pub plan: Plan,
    /// Where it comes from.
    pub by: PlanSource,
    /// Who agreed to it, once somebody did.
    pub approved: Option<Actor>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TaskStage {
    /// Waits for the tasks it depends on, or for a free worker.
    Waiting,
    /// Its worktree is being made.
    Preparing,
    /// A worker is at it.
    Working,
    /// Its worker ended; snapshot and checks are running.
    Checking,
    /// Reviewers are at it.
    Reviewing,
    /// Findings go back to its author.
    Mending,
    /// Being merged.
    Merging,
    /// Accepted and merged.
    Accepted,
    /// Waits for the user.
    Blocked,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TaskRow {
    /// Its name.
    pub id: TaskId,
    /// One line.
    pub title: String,
    /// As what.
    pub role: Role,
    /// Who.
    pub agent: AgentName,
    /// Percent of the whole.
    pub weight: u32,
    /// What it waits for.
    pub depends_on: Vec<TaskId>,
    /// Where it stands.
    pub stage: TaskStage,
    /// 0 to 100: the worker's word, else milestones over planned, else todo items; 100 only when accepted.
    pub progress: u8,
    /// Rounds of review so far.
    pub round: u32,
    /// Workers so far.
    pub attempts: u32,
    /// The last snapshot's tree.
    pub tree: Option<TreeHash>,
    /// Files that differ from its base.
    pub changed: Vec<String>,
    /// The last run of its checks.
    pub checks: Vec<CheckResult>,
    /// Its worktree.
    pub path: Option<String>,
}

/// How a worker stands: derived from its events and its process, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum WorkerStage {
    /// Asked for, not yet a process.
    Starting,
    /// A live process at work.
    Working,
    /// A live process that waits for the user's answer.
    Asking,
    /// A frozen process.
    Frozen,
    /// Ended well.
    Done,
    /// Ended otherwise.
    Failed,
    /// Stopped by us or the user.
    Stopped,
}

/// A worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WorkerRow {
    /// Its name.
    pub id: WorkerId,
    /// Who.
    pub agent: AgentName,
    /// How it speaks.
    pub dialect: Dialect,
    /// As what.
    pub role: Role,
    /// On which task.
    pub task: Option<TaskId>,
    /// For which review.
    pub review: Option<ReviewId>,
    /// Which attempt.
    pub attempt: u32,
    /// How it stands.
    pub stage: WorkerStage,
    /// 0 to 100, as far as known.
    pub progress: Option<u8>,
    /// Its last words.
    pub last_text: String,
    /// The tool that is running, with its command.
    pub tool: Option<String>,
    /// Since when that tool runs.
    #[cfg_attr(feature = "ts", ts(type = "string | null"))]
    pub tool_since: Option<Timestamp>,
    /// When it was asked for.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub began: Timestamp,
    /// When it last said something.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub last_event: Timestamp,
    /// When it ended.
    #[cfg_attr(feature = "ts", ts(type = "string | null"))]
    pub ended: Option<Timestamp>,
    /// Why it does not count as done.
    pub failed: Option<Failed>,
    /// The model, where told.
    pub model: Option<String>,
    /// Tokens and money.
    pub usage: Usage,
    /// Events so far.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub events: u64,
    /// Its pid, while it lives.
    pub pid: Option<u32>,
}

/// A review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ReviewRow {
    /// Its name.
    pub id: ReviewId,
    /// What it is about.
    pub subject: Subject,
    /// Why it was made.
    pub trigger: Trigger,
    /// Which round.
    pub round: u32,
    /// The frozen tree.
    pub tree: TreeHash,
    /// The commit that holds it.
    pub commit: CommitHash,
    /// Authors of what is reviewed.
    pub authors: Vec<AgentName>,
    /// Valid verdicts needed.
    pub required: u32,
    /// One for each reviewer.
    pub seats: Vec<SeatRow>,
    /// What the policy made of it.
    pub decision: Option<DecisionId>,
}

/// A reviewer's seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SeatRow {
    /// Who.
    pub reviewer: AgentName,
    /// What became of it; `None` while it is at work.
    pub ballot: Option<Ballot>,
    /// What it counts as; `None` for void ones.
    pub counted_as: Option<Verdict>,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DecisionRow {
    /// Its name.
    pub id: DecisionId,
    /// What.
    pub action: Action,
    /// Why.
    pub rule: Rule,
    /// How it came about.
    pub trace: Vec<String>,
    /// Who.
    pub by: Actor,
    /// The review it follows from.
    pub review: Option<ReviewId>,
    /// The task it is about.
    pub task: Option<TaskId>,
    /// When.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub at: Timestamp,
}

/// A question to the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct QuestionRow {
    /// Its name.
    pub id: QuestionId,
    /// What is asked.
    pub text: String,
    /// What it is about.
    pub about: About,
    /// What may be chosen.
    pub choices: Vec<Choice>,
    /// Since when.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub since: Timestamp,
    /// The answer, once given: choice, text, who.
    pub answer: Option<AnswerRow>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AnswerRow {
    /// Which choice.
    pub choice: Choice,
    /// In the user's words.
    pub text: String,
    /// Who.
    pub by: Actor,
}

/// A repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RecoveryRow {
    /// Its name.
    pub id: RecoveryId,
    /// Whose failure.
    pub worker: WorkerId,
    /// What failed.
    pub failed: Failed,
    /// What is done about it.
    pub repair: Repair,
    /// Whether it worked, once known.
    pub worked: Option<bool>,
    /// When.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub at: Timestamp,
}

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WarningRow {
    /// In a sentence.
    pub text: String,
    /// When.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub at: Timestamp,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TimelineItem {
    /// Which entry.
    pub seq: Seq,
    /// When.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub at: Timestamp,
    /// What kind, for icon and filter.
    pub kind: TimelineKind,
    /// Whose, when it is a worker's.
    pub agent: Option<AgentName>,
    /// Which worker.
    pub worker: Option<WorkerId>,
    /// Which task.
    pub task: Option<TaskId>,
    /// One line.
    pub text: String,
    /// More, when there is more: output, trace, findings. May have several lines.
    pub detail: String,
}

/// What kind of thing happened. The first eight are the workers' events of SPEC section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// A worker's life.
    Status,
    /// A worker's words.
    Progress,
    /// A tool call.
    Tool,
    /// Something found.
    Finding,
    /// A worker's list of things to do.
    Task,
    /// A blocker.
    Blocker,
    /// A milestone.
    Milestone,
    /// A review, a verdict.
    Review,
    /// An error.
    Error,
    /// The session, its plan, its trees.
    Session,
    /// A decision.
    Decision,
    /// A repair.
    Recovery,
    /// A question or an answer.
    Question,
}
