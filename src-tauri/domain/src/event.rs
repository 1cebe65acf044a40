//! The journal's vocabulary: facts, in the past tense. Format 1; removing or renaming a field is a new format.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Actor, AgentEvent, AgentInfo, AgentName, Asked, Ballot, Call, Choice, CommitHash, Decision, Exit, Failed,
    Job, JobId, JobOutcome, Note, Notice, Plan, QuestionId, RecoveryId, Repair, Review, ReviewId, Role, Seq,
    SessionId, Settings, TaskId, Told, TreeHash, WorkerId,
};

/// The format this program writes; files of a newer one are refused, of an older one read for ever.
pub const FORMAT: u32 = 1;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Entry {
    /// Where it stands.
    pub seq: Seq,
    /// When it was written.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Something that happened and stays true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The session exists; always the first entry.
    SessionOpened {
        /// Everything it starts from.
        opened: Box<Opened>,
    },
    /// A process took the session up again.
    SessionResumed {
        /// The last holder did not close it.
        crashed: bool,
        /// It was taken up after a crash too often in a short time: nothing is started before the user agrees.
        #[serde(default)]
        safe: bool,
    },
    /// What was left of the last run's workers has been read; work goes on.
    SessionReady,
    /// Something the user should know, that stops nothing.
    Warned {
        /// In a sentence.
        text: String,
    },
    /// 80 % of a limit are used; said once for each limit.
    LimitWarned {
        /// Which limit: `tokens`, `cost_usd`, `workers`, `session_minutes`.
        limit: String,
    },
    /// 80 % of a limit of one worker are used; said once for each.
    WorkerLimitWarned {
        /// Whose.
        worker: WorkerId,
        /// Which limit, by its name in the settings.
        limit: String,
    },
    /// A worker crossed a limit of its own, and is stopped.
    WorkerLimited {
        /// Whose.
        worker: WorkerId,
        /// Which limit, by its name in the settings.
        limit: String,
        /// What was used of what, in a sentence.
        text: String,
    },
    /// The system's clock was set, or the machine slept: what is measured from earlier times begins later by as much.
    ClockMoved {
        /// By how much the clock is ahead of the time that passed at work, in milliseconds; negative when it was set back.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        by_ms: i64,
        /// The machine slept, as opposed to the clock having been set.
        slept: bool,
    },
    /// The user's limits have changed since the session began; from now on these hold.
    LimitsChanged {
        /// All of them.
        limits: crate::Limits,
    },
    /// The sandbox was tested, before the first worker of this run: how far all of them are confined.
    SandboxTested {
        /// What it came to.
        report: crate::SandboxReport,
    },
    /// Another reviewer takes a seat whose reviewer cannot go on.
    SeatGiven {
        /// In which review.
        review: ReviewId,
        /// Who had it.
        from: AgentName,
        /// Who has it now, with a nonce of its own.
        seat: crate::Seat,
    },
    /// One more reviewer is asked in a review that was decided: its decision is made anew.
    SeatAdded {
        /// In which review.
        review: ReviewId,
        /// Who, with a nonce of its own.
        seat: crate::Seat,
    },
    /// A plan is there, not yet agreed to.
    PlanProposed {
        /// From 1.
        version: u32,
        /// What is planned.
        plan: Plan,
        /// Where it comes from.
        by: PlanSource,
    },
    /// A planner's answer was no plan.
    PlanRefused {
        /// Whose answer.
        worker: WorkerId,
        /// The fault, in a sentence.
        fault: String,
    },
    /// The plan is agreed to; work begins.
    PlanApproved {
        /// Which version.
        version: u32,
        /// Who agreed.
        by: Actor,
    },
    /// The user wants another plan.
    PlanRejected {
        /// Which version.
        version: u32,
        /// What should be different.
        comment: String,
    },
    /// A task came up on the way: findings on work that is already merged.
    TaskAdded {
        /// The task.
        task: crate::Task,
        /// What it has to mend.
        notes: Vec<Note>,
        /// Tasks that wait for it from now on.
        before: Vec<TaskId>,
    },
    /// The intent to run a worker; written before the process exists.
    WorkerRequested {
        /// Its name.
        worker: WorkerId,
        /// What it is for.
        assignment: Assignment,
    },
    /// The process exists.
    WorkerStarted {
        /// Which.
        worker: WorkerId,
        /// What identifies it, also after our own death.
        process: ProcessIdentity,
        /// The command line, without secrets.
        argv: Vec<String>,
    },
    /// The worker said something.
    WorkerSaid {
        /// Which.
        worker: WorkerId,
        /// Where the line ends in the raw log, in bytes.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        offset: u64,
        /// What.
        said: AgentEvent,
    },
    /// The worker called a tool of ours.
    WorkerCalled {
        /// Which.
        worker: WorkerId,
        /// Where the line ends in the file of calls, in bytes: where reading goes on after a crash.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        offset: u64,
        /// The call's name, for the answer.
        call: String,
        /// What.
        what: Call,
    },
    /// The guard rail judged a command of a worker without asking the user.
    CommandJudged {
        /// Whose.
        worker: WorkerId,
        /// What would run.
        command: String,
        /// What was said: denied; or allowed, because the user had allowed it for the session.
        clearance: crate::guard::Clearance,
        /// The rule that fits.
        rule: String,
        /// Its reason, in a sentence.
        reason: String,
        /// The worker is stopped, because its CLI has no hook and the command has begun.
        #[serde(default)]
        stopped: bool,
    },
    /// The process is gone, with all it started.
    WorkerEnded {
        /// Which.
        worker: WorkerId,
        /// How.
        exit: Exit,
        /// What its stream told.
        told: Box<Told>,
        /// Why it does not count as done; `None` when it does.
        failed: Option<Failed>,
    },
    /// The intent of a side effect; written before it.
    JobRequested {
        /// Its name.
        job: JobId,
        /// What is to be done.
        what: Job,
    },
    /// The outcome of a side effect.
    JobEnded {
        /// Its name.
        job: JobId,
        /// What came of it.
        outcome: JobOutcome,
    },
    /// A review begins.
    ReviewRequested {
        /// What is asked of whom.
        review: Review,
    },
    /// A reviewer's seat is settled.
    BallotCounted {
        /// Which review.
        review: ReviewId,
        /// Whose seat.
        reviewer: AgentName,
        /// What became of it.
        ballot: Ballot,
    },
    /// A reviewer submitted a valid answer through the tools; counted when its worker has ended.
    AnswerSubmitted {
        /// Which review.
        review: ReviewId,
        /// Whose answer.
        worker: WorkerId,
        /// The answer.
        answer: crate::Answer,
    },
    /// A reviewer's answer was no verdict; it is asked once more.
    AnswerRefused {
        /// Which review.
        review: ReviewId,
        /// Whose answer.
        worker: WorkerId,
        /// The fault, in a sentence.
        fault: String,
    },
    /// The policy or a person decided.
    Decided {
        /// What, why, by whom.
        decision: Decision,
    },
    /// Only the user can go on from here.
    QuestionAsked {
        /// Its name.
        question: QuestionId,
        /// What is asked, of what, with which choices.
        asked: Asked,
    },
    /// The user answered.
    QuestionAnswered {
        /// Its name.
        question: QuestionId,
        /// Which choice.
        choice: Choice,
        /// In the user's words; may be empty.
        text: String,
        /// Who answered.
        by: Actor,
    },
    /// A repair begins.
    RecoveryStarted {
        /// Its name.
        recovery: RecoveryId,
        /// Whose failure.
        worker: WorkerId,
        /// What failed.
        failed: Failed,
        /// What is done about it.
        repair: Repair,
    },
    /// A repair is over.
    RecoveryEnded {
        /// Its name.
        recovery: RecoveryId,
        /// Whether the worker after it did its work.
        worked: bool,
    },
    /// A task is done: checks passed, review approved for exactly this tree, merged.
    TaskAccepted {
        /// Which.
        task: TaskId,
        /// The tree that was accepted.
        tree: TreeHash,
    },
    /// The user paused the session.
    Paused,
    /// The user let it go on.
    Unpaused,
    /// The workers are to stop.
    StopRequested {
        /// Without grace.
        now: bool,
        /// What for: decides how the session ends.
        reason: StopReason,
        /// Why, in a sentence.
        text: String,
    },
    /// A notification was handed to the desktop; never sent again.
    Notified {
        /// What it says.
        notice: Notice,
    },
    /// The session's run is over. It can be taken up again unless it is `done`.
    SessionEnded {
        /// How.
        outcome: Outcome,
        /// Why, in a sentence.
        why: String,
    },
}

/// What a stop is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The user wants it.
    Person,
    /// A limit of the session was crossed.
    Limit,
    /// The user gave the session up.
    Abandoned,
    /// The program is being closed.
    Closing,
}

/// Everything a session starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Opened {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The session's name.
    pub session: SessionId,
    /// The user's prompt.
    pub goal: String,
    /// The user's project folder, canonical.
    pub target: String,
    /// This session's folder, canonical.
    pub folder: String,
    /// How the target's trees are kept.
    pub trees: Trees,
    /// The project's check commands in force.
    pub checks: Vec<String>,
    /// Agents that may work.
    pub agents: Vec<AgentInfo>,
    /// Settings in force.
    pub settings: Settings,
    /// The user agreed to agents without a sandbox, for this session.
    pub unsandboxed: bool,
    /// Whether everything in this session is a demonstration with scripted agents.
    pub demo: bool,
    /// The program's version.
    pub version: String,
    /// Configuration for agents that the project brings along, as it was at the beginning; `None` when there is none, and
    /// in journals from before it was looked for.
    #[serde(default)]
    pub brought: Option<crate::Brought>,
}

/// How the target's trees are kept (SPEC section 10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Trees {
    /// The target is inside a git repository: a session branch, and a worktree per task.
    Repository {
        /// The branch the user was on; `None` when detached.
        branch: Option<String>,
        /// Where the session branch begins.
        base: CommitHash,
        /// The session branch, `orchestrate/<short id>`.
        session_branch: String,
    },
    /// The target is no repository: a shadow repository in the session's folder.
    Shadow {
        /// The snapshot of the target at the beginning.
        base: CommitHash,
        /// The session branch in the shadow repository.
        session_branch: String,
    },
}

impl Trees {
    /// Where the session branch begins.
    #[must_use]
    pub fn base(&self) -> &CommitHash {
        match self {
            Self::Repository { base, .. } | Self::Shadow { base, .. } => base,
        }
    }

    /// The session branch.
    #[must_use]
    pub fn session_branch(&self) -> &str {
        match self {
            Self::Repository { session_branch, .. } | Self::Shadow { session_branch, .. } => session_branch,
        }
    }
}

/// Where a plan comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PlanSource {
    /// The lead's answer.
    Lead {
        /// Its worker.
        worker: WorkerId,
    },
    /// The built-in plan.
    BuiltIn {
        /// Why not the lead's, in a sentence.
        why: String,
    },
    /// The user edited it.
    Person,
}

/// What a worker is for; with the state before it, everything its launch needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Assignment {
    /// Who.
    pub agent: AgentName,
    /// As what.
    pub role: Role,
    /// On what.
    pub purpose: Purpose,
    /// Which attempt at this purpose, from 1.
    pub attempt: u32,
    /// The CLI session to continue.
    pub resume: Option<String>,
    /// The worker that this one continues, for summaries.
    pub after: Option<WorkerId>,
    /// What was found about the work before; goes into the prompt.
    pub notes: Vec<Note>,
    /// Directories beyond the worktree and the session's folder, by recovery.
    pub extra_dirs: Vec<String>,
    /// codex: skip its check for a git repository, by recovery.
    pub skip_git_check: bool,
}

/// On what a worker works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Purpose {
    /// Breaking the prompt down.
    Plan,
    /// A task of the plan.
    Task {
        /// Which.
        task: TaskId,
    },
    /// A seat of a review.
    Review {
        /// Which.
        review: ReviewId,
    },
}

/// What identifies a process also after our own death and a reboot (THREATS T21).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ProcessIdentity {
    /// The guardian's pid.
    pub pid: u32,
    /// Its start time in clock ticks after boot (`/proc/<pid>/stat` field 22); 0 where unknown.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub started: u64,
    /// The boot it belongs to; empty where unknown.
    pub boot: String,
}

/// How a session's run ended (SPEC section 14; exit codes are given by [`Outcome::exit_code`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Definition of done reached.
    Done,
    /// Paused or escalated; the user has to answer.
    Waiting,
    /// Stopped by the user.
    Stopped,
    /// A limit was reached; everything is kept.
    Limited,
    /// Abandoned, or an error of our own.
    Failed,
}

impl Outcome {
    /// The terminal's exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Waiting => 3,
            Self::Stopped => 4,
            Self::Limited => 5,
        }
    }
}
