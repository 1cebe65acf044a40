//! What a window shows: one row for each thing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    About, Action, Actor, AgentInfo, AgentName, Ballot, CheckResult, Choice, CommitHash, DecisionId, Dialect,
    Failed, Outcome, Phase, Plan, PlanSource, QuestionId, RecoveryId, Repair, ReviewId, ReviewRules, Role,
    Rule, Seq, SessionId, Subject, TaskId, TreeHash, Trees, Trigger, Usage, Verdict, WorkerId,
};

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
    /// How far agents are confined; `None` for demonstrations and sessions that were not tested.
    pub sandbox: Option<crate::Level>,
    /// Agents that may work.
    pub agents: Vec<AgentInfo>,
    /// Check commands in force.
    pub checks: Vec<String>,
    /// When it began.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub began: Timestamp,
    /// What has been spent.
    pub spent: Spent,
    /// What one worker may use.
    pub worker_caps: WorkerCaps,
    /// Agents whose quota is used up.
    pub gates: Vec<GateRow>,
    /// The rules of reviewing in force.
    pub review: ReviewRules,
}

/// What one worker may use; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct WorkerCaps {
    /// Minutes from its request to its end.
    pub minutes: u32,
    /// Tokens, input and output, cached ones not counted.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub tokens: u64,
    /// US dollars.
    pub cost_usd: f64,
    /// Steps of its model.
    pub turns: u32,
}

/// An agent whose quota is used up: it is not asked before the time is over, and then by one worker alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct GateRow {
    /// Which.
    pub agent: AgentName,
    /// Not before this time.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub until: Timestamp,
    /// The worker that is finding out whether it is back.
    pub probe: Option<WorkerId>,
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
    /// Cap on workers started.
    pub workers_cap: u32,
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
    /// It was at work when the program that ran the session went away.
    Interrupted,
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
    /// US dollars: as its CLI says, else by the price of its model; `None` when neither tells.
    pub cost_usd: Option<f64>,
    /// Steps of its model so far: messages and tool calls.
    pub turns: u32,
    /// What it used of the limit that stopped it, in words: `501k of 500k tokens`.
    pub limited: Option<String>,
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
    /// Who had the seat before, and could not go on.
    pub instead_of: Option<AgentName>,
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
    /// That worker's agent.
    pub agent: AgentName,
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
