//! Everything known after some entry of the journal: one fold, and questions asked of it.

mod apply;
mod courses;
mod rows;
mod workers;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    Actor, AgentInfo, AgentName, AnswerRow, Asked, Assignment, Check, CheckResult, CommitHash, Decision,
    DecisionId, Exit, Failed, Job, JobId, Note, Opened, Outcome, Plan, PlanSource, ProcessIdentity, Purpose,
    QuestionId, RecoveryId, Repair, Review, ReviewId, Seq, StopReason, Subject, Task, TaskId, Told, TreeHash,
    Usage, Vendor, WorkerId,
};

/// The fold over a journal. Two states folded from the same entries are equal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The last entry applied.
    pub seq: Seq,
    /// When it was written.
    pub last: Timestamp,
    /// The first entry's content.
    pub opened: Option<Opened>,
    /// When the session began.
    pub began: Timestamp,
    /// The plan's newest version.
    pub plan: Option<PlanState>,
    /// Planner's answers that were refused.
    pub plan_refusals: u32,
    /// What the user said of refused plans.
    pub plan_comments: Vec<String>,
    /// The tasks of the approved plan and what came up on the way, in order.
    pub tasks: Vec<TaskState>,
    /// The way of the session as a whole, once every task is accepted.
    pub finale: Course,
    /// All workers ever asked for.
    pub workers: BTreeMap<WorkerId, WorkerState>,
    /// What is known of repeated launches for one purpose.
    pub runs: BTreeMap<RunKey, Run>,
    /// Side effects with an intent and no outcome.
    pub jobs: BTreeMap<JobId, Job>,
    /// Side effects so far.
    pub job_count: u32,
    /// All reviews.
    pub reviews: BTreeMap<ReviewId, ReviewState>,
    /// All decisions.
    pub decisions: BTreeMap<DecisionId, DecisionState>,
    /// All questions.
    pub questions: BTreeMap<QuestionId, QuestionState>,
    /// All repairs.
    pub recoveries: BTreeMap<RecoveryId, RecoveryState>,
    /// All warnings, with the entry that brought them.
    pub warnings: Vec<(Seq, Timestamp, String)>,
    /// The session branch as far as merged: commit and, once something was merged, tree.
    pub head: CommitHash,
    /// The session branch's tree, once known.
    pub head_tree: Option<TreeHash>,
    /// The user paused.
    pub paused: bool,
    /// A stop is under way.
    pub stopping: Option<StopReason>,
    /// Why it was asked for, in a sentence.
    pub stop_text: String,
    /// The run is over.
    pub ended: Option<(Outcome, String)>,
    /// Where it was landed: branch and commit.
    pub landed: Option<(String, CommitHash)>,
    /// A process took the session up and is still looking at what is left of its workers.
    pub resuming: bool,
    /// The run before this one was cut off: nobody can tell whether its last notification was seen.
    pub cut_off: bool,
    /// When the last review was asked for.
    pub last_review: Option<Timestamp>,
    /// The entry that last changed the session's own row.
    pub session_seq: Seq,
    /// Limits that were already warned of.
    pub limits_warned: BTreeSet<&'static str>,
    /// When it was taken up after a crash, since the user last agreed to go on.
    pub crashes: Vec<Timestamp>,
    /// Nothing is started before the user agrees.
    pub safe_mode: bool,
    /// How far this run's workers are confined; `None` when the sandbox was not tested, so not at all.
    pub sandbox: Option<crate::SandboxReport>,
    /// Agents whose quota is used up, until when.
    pub gates: BTreeMap<AgentName, Gate>,
    /// Commands that the user allowed for the session.
    pub allowed: BTreeSet<String>,
    /// Since when the user's pause holds.
    pub paused_at: Option<Timestamp>,
}

/// An agent whose quota or rate limit is used up: nobody asks it before the time is over, and then one worker alone, until
/// one has done its work (RELIABILITY G13: one probe per provider and window).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Not before this time.
    pub until: Timestamp,
    /// The entry that closed it: workers that were asked for later are probes.
    pub since: Seq,
}

/// The plan's newest version.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanState {
    /// From 1.
    pub version: u32,
    /// What is planned.
    pub plan: Plan,
    /// Where it comes from.
    pub by: PlanSource,
    /// Who agreed, once somebody did.
    pub approved: Option<Actor>,
    /// The user wants another one.
    pub rejected: bool,
    /// The entry that last changed it.
    pub seq: Seq,
}

/// A task and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskState {
    /// As planned, or as it came up.
    pub task: Task,
    /// How far it is.
    pub course: Course,
    /// Its worktree.
    pub path: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// Where its branch began.
    pub base: CommitHash,
    /// Files that differ from its base, at the last snapshot.
    pub changed: Vec<String>,
    /// What was last approved: later diffs begin there.
    pub approved: Option<(CommitHash, TreeHash)>,
    /// Reviews asked for by the worker that have not been made yet: why, and what was said.
    pub waiting_triggers: Vec<(crate::Trigger, String)>,
    /// Milestones announced so far.
    pub milestones: u32,
    /// The last snapshot before the turn that is on, or was last.
    pub tree_before: Option<TreeHash>,
    /// Turns in a row that changed nothing, although something was to be changed or was said to be.
    pub idle_turns: u32,
    /// Conflicts so far.
    pub conflicts: u32,
    /// Workers so far.
    pub attempts: u32,
    /// Who did something on it so far, in order.
    pub authors: Vec<AgentName>,
    /// The entry that last changed it.
    pub seq: Seq,
}

/// How far something that has to be judged is: a task, a validation, or the session as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Where it stands.
    pub stage: Stage,
    /// Rounds of review that were decided.
    pub round: u32,
    /// Rounds before the user last gave an instruction: it gives the work a new beginning.
    pub rounds_before: u32,
    /// Work that waits for the author's next turn.
    pub notes: Vec<Note>,
    /// The last snapshot: commit and tree.
    pub snapshot: Option<(CommitHash, TreeHash)>,
    /// The last run of its checks.
    pub checks: Vec<CheckResult>,
    /// Rounds of failing checks since they last passed.
    pub check_rounds: u32,
    /// The last check that ran.
    pub last_check: Option<JobId>,
}

/// Where something stands on its way to acceptance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Waits for what it depends on.
    #[default]
    Waiting,
    /// A tree is there; a worker is wanted.
    Ready,
    /// A worker is at it.
    Working(WorkerId),
    /// The worker ended well; a snapshot is wanted.
    Settling(WorkerId),
    /// A snapshot is there; checks are wanted.
    Settled,
    /// The checks passed; a review is wanted.
    Checked,
    /// Reviewers are at it.
    Reviewing(ReviewId),
    /// Approved for exactly the last snapshot's tree; a merge is wanted.
    Approved,
    /// Accepted.
    Accepted,
    /// Waits for the user's answer.
    Blocked(QuestionId),
}

/// A worker.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerState {
    /// What it is for.
    pub assignment: Assignment,
    /// Its process, once there.
    pub process: Option<ProcessIdentity>,
    /// Its end.
    pub end: Option<(Exit, Option<Failed>)>,
    /// What its stream told, at its end.
    pub told: Option<Told>,
    /// The CLI session, as soon as told.
    pub session: Option<String>,
    /// The model, as soon as told.
    pub model: Option<String>,
    /// Where its read output ends, in bytes of the raw log.
    pub offset: u64,
    /// Where its taken calls end, in bytes of its file of calls.
    pub calls: u64,
    /// Its last words.
    pub last_text: String,
    /// Progress as reported.
    pub progress: Option<u8>,
    /// Its list of things to do: done, all.
    pub todo: Option<(u32, u32)>,
    /// The running tool: id, words, since.
    pub tool: Option<(String, String, Timestamp)>,
    /// Tokens and money so far.
    pub usage: Usage,
    /// Events so far.
    pub events: u64,
    /// When it was asked for.
    pub began: Timestamp,
    /// When it last said something.
    pub last_event: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// A reviewer's valid answer, given through the tools.
    pub answer: Option<crate::Answer>,
    /// Steps of its model so far: messages and tool calls.
    pub turns: u32,
    /// Limits of its own that were already warned of.
    pub limits_warned: BTreeSet<&'static str>,
    /// The limit that it crossed, in a sentence.
    pub limited: Option<String>,
    /// Its CLI asks before it runs a command.
    pub hooked: bool,
    /// The entry that asked for it.
    pub requested: Seq,
    /// The entry that last changed it.
    pub seq: Seq,
}

/// What several launches are for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunKey {
    /// The plan.
    Plan,
    /// A task.
    Task(TaskId),
    /// A seat of a review.
    Seat(ReviewId, AgentName),
}

/// What is known of repeated launches for one purpose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Launches so far.
    pub attempts: u32,
    /// The last one.
    pub last: Option<WorkerId>,
    /// The CLI session to continue.
    pub session: Option<String>,
    /// Directories added by recovery.
    pub extra_dirs: Vec<String>,
    /// codex: skip its check for a git repository.
    pub skip_git_check: bool,
    /// Not before this time.
    pub not_before: Option<Timestamp>,
    /// The agent that took over, when one did.
    pub agent: Option<AgentName>,
    /// The running repair.
    pub recovery: Option<RecoveryId>,
    /// When repairs began: for the rate.
    pub repairs: Vec<Timestamp>,
    /// What was wrong with the last answer; asked again once.
    pub fault: Option<String>,
    /// No more launches: the purpose was given up.
    pub given_up: bool,
}

/// A review and its decision.
#[derive(Clone, Debug, PartialEq)]
pub struct ReviewState {
    /// What was asked of whom, with what came of each seat.
    pub review: Review,
    /// The decision, once made.
    pub decision: Option<DecisionId>,
    /// The entry that last changed it.
    pub seq: Seq,
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionState {
    /// What, why, by whom.
    pub decision: Decision,
    /// When.
    pub at: Timestamp,
    /// The entry that brought it.
    pub seq: Seq,
}

/// A question to the user.
#[derive(Clone, Debug, PartialEq)]
pub struct QuestionState {
    /// What is asked.
    pub asked: Asked,
    /// Since when.
    pub since: Timestamp,
    /// The answer, once given.
    pub answer: Option<AnswerRow>,
    /// The entry that last changed it.
    pub seq: Seq,
}

/// A repair.
#[derive(Clone, Debug, PartialEq)]
pub struct RecoveryState {
    /// Whose failure.
    pub worker: WorkerId,
    /// What failed.
    pub failed: Failed,
    /// What is done about it.
    pub repair: Repair,
    /// Whether it worked, once known.
    pub worked: Option<bool>,
    /// When it began.
    pub at: Timestamp,
    /// The entry that last changed it.
    pub seq: Seq,
}

impl State {
    /// A task by its id.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<&TaskState> {
        self.tasks.iter().find(|task| task.task.id == *id)
    }

    /// An agent of this session.
    #[must_use]
    pub fn agent(&self, name: &AgentName) -> Option<&AgentInfo> {
        self.agents().iter().find(|agent| agent.name == *name)
    }

    /// Agents that may work in this session.
    #[must_use]
    pub fn agents(&self) -> &[AgentInfo] {
        self.opened.as_ref().map_or(&[], |opened| &opened.agents)
    }

    /// The vendor of an agent of this session.
    #[must_use]
    pub fn vendor(&self, name: &AgentName) -> Option<Vendor> {
        self.agent(name).map(|agent| agent.dialect.vendor())
    }

    /// Vendors of this session.
    #[must_use]
    pub fn vendors(&self) -> BTreeSet<Vendor> {
        self.agents().iter().map(|agent| agent.dialect.vendor()).collect()
    }

    /// Who does a task now: as planned, or who took it over.
    #[must_use]
    pub fn author(&self, task: &TaskState) -> AgentName {
        let run = self.runs.get(&RunKey::Task(task.task.id.clone()));
        run.and_then(|run| run.agent.clone()).unwrap_or_else(|| task.task.agent.clone())
    }

    /// Workers that are, or are about to be, a live process.
    pub fn live(&self) -> impl Iterator<Item = (WorkerId, &WorkerState)> {
        self.workers.iter().filter(|(_, worker)| worker.end.is_none()).map(|(id, worker)| (*id, worker))
    }

    /// Questions without an answer, oldest first.
    pub fn open_questions(&self) -> impl Iterator<Item = (QuestionId, &QuestionState)> {
        self.questions.iter().filter(|(_, question)| question.answer.is_none()).map(|(id, q)| (*id, q))
    }

    /// The way of a subject.
    #[must_use]
    pub fn course(&self, subject: &Subject) -> Option<&Course> {
        match subject {
            Subject::Session => Some(&self.finale),
            Subject::Task { task } | Subject::Validation { task } => self.task(task).map(|task| &task.course),
        }
    }

    /// A review that escalated and has no answer yet holds the whole session.
    #[must_use]
    pub fn escalated(&self) -> bool {
        self.open_questions().any(|(_, question)| match &question.asked.about {
            crate::About::Review { review } => {
                self.reviews.get(review).and_then(|r| r.decision).is_some_and(|id| {
                    self.decisions
                        .get(&id)
                        .is_some_and(|d| d.decision.action == crate::Action::StopAndEscalate)
                })
            }
            crate::About::Plan { .. }
            | crate::About::Worker { .. }
            | crate::About::Failure { .. }
            | crate::About::SafeMode
            | crate::About::Command { .. }
            | crate::About::Job { .. } => false,
        })
    }

    /// Nothing runs, nothing can be started, and a question is open: only the user can go on from here.
    #[must_use]
    pub fn waiting(&self) -> bool {
        let asking = |worker: WorkerId| {
            self.open_questions().any(|(_, question)| {
                matches!(&question.asked.about, crate::About::Worker { worker: who, .. } if *who == worker)
            })
        };
        let all_wait = self.live().all(|(id, _)| asking(id) || self.frozen(id));
        self.ended.is_none()
            && self.open_questions().next().is_some()
            && all_wait
            && (self.jobs.is_empty() || self.safe_mode)
            && self.parked_until().is_none()
    }

    /// Whether the session is being left, or taken up again after a crash: what ends now goes on later.
    #[must_use]
    pub fn goes_on_later(&self) -> bool {
        self.resuming || self.stopping.is_some_and(|reason| reason != crate::StopReason::Abandoned)
    }

    /// Whether a worker of an earlier run asked something for this purpose that nobody has answered yet.
    #[must_use]
    pub fn owed_an_answer(&self, key: &RunKey) -> bool {
        self.open_questions().any(|(_, question)| match &question.asked.about {
            crate::About::Worker { worker, .. } => (self.workers.get(worker))
                .is_some_and(|state| state.end.is_some() && Self::run_key(&state.assignment) == *key),
            crate::About::Plan { .. }
            | crate::About::Review { .. }
            | crate::About::Failure { .. }
            | crate::About::SafeMode
            | crate::About::Command { .. }
            | crate::About::Job { .. } => false,
        })
    }

    /// The nearest time at which a parked launch may go on.
    #[must_use]
    pub fn parked_until(&self) -> Option<Timestamp> {
        let parked = self.runs.values().filter_map(|run| run.not_before);
        let gated = self.gates.iter().filter(|(agent, _)| self.is_wanted(agent)).map(|(_, gate)| gate.until);
        parked.chain(gated).filter(|at| self.last < *at).min()
    }

    /// Whether something waits for a worker of this agent.
    fn is_wanted(&self, agent: &AgentName) -> bool {
        let plans = self.plan.as_ref().is_none_or(|plan| plan.rejected) && self.lead() == Some(agent);
        let works = |task: &TaskState| task.course.stage == Stage::Ready && self.author(task) == *agent;
        let judges = |review: &ReviewState| {
            let mut seats = review.review.seats.iter();
            review.decision.is_none() && seats.any(|seat| seat.ballot.is_none() && seat.reviewer == *agent)
        };
        plans || self.tasks.iter().any(works) || self.reviews.values().any(judges)
    }

    /// Who plans: who took it over, else as set; when that one is not there, the first agent.
    #[must_use]
    pub fn lead(&self) -> Option<&AgentName> {
        let took_over = self.runs.get(&RunKey::Plan).and_then(|run| run.agent.as_ref());
        let wanted = took_over.or(self.opened.as_ref().map(|opened| &opened.settings.lead))?;
        let agents = self.agents();
        agents.iter().find(|agent| agent.name == *wanted).or(agents.first()).map(|agent| &agent.name)
    }

    /// Whether an agent may not be asked now: its quota is used up, or one worker is finding out whether it is back.
    #[must_use]
    pub fn gated(&self, agent: &AgentName, now: Timestamp) -> bool {
        let Some(gate) = self.gates.get(agent) else { return false };
        let probes =
            self.live().any(|(_, worker)| worker.assignment.agent == *agent && gate.since < worker.requested);
        now < gate.until || probes
    }

    /// Vendors that did something on a task, and the one that has it now.
    #[must_use]
    pub fn vendors_of_task(&self, task: &TaskState) -> BTreeSet<Vendor> {
        let now = self.author(task);
        task.authors.iter().chain([&now]).filter_map(|agent| self.vendor(agent)).collect()
    }

    /// Whether a live worker is frozen: by the user's pause, or because a question about its task is open.
    #[must_use]
    pub fn frozen(&self, worker: WorkerId) -> bool {
        let Some(state) = self.workers.get(&worker).filter(|worker| worker.end.is_none()) else {
            return false;
        };
        let held = self.open_questions().any(|(_, question)| {
            matches!(&question.asked.about,
                crate::About::Command { worker: whose, call: None, .. } if *whose == worker)
        });
        let Purpose::Task { task } = &state.assignment.purpose else {
            return self.paused || held;
        };
        self.paused
            || held
            || self.open_questions().any(|(_, question)| match &question.asked.about {
                crate::About::Review { review } => {
                    self.reviews.get(review).is_some_and(|r| r.review.subject.task() == Some(task))
                }
                crate::About::Plan { .. }
                | crate::About::Worker { .. }
                | crate::About::Failure { .. }
                | crate::About::SafeMode
                | crate::About::Command { .. }
                | crate::About::Job { .. } => false,
            })
    }

    /// What a purpose's launches are kept under.
    #[must_use]
    pub fn run_key(assignment: &Assignment) -> RunKey {
        match &assignment.purpose {
            Purpose::Plan => RunKey::Plan,
            Purpose::Task { task } => RunKey::Task(task.clone()),
            Purpose::Review { review } => RunKey::Seat(*review, assignment.agent.clone()),
        }
    }

    /// The checks that hold for a subject: the task's own, or the project's.
    #[must_use]
    pub fn checks_of(&self, subject: &Subject) -> Vec<Check> {
        let project = || {
            let checks = self.opened.as_ref().map_or(&[][..], |opened| &opened.checks);
            checks.iter().map(|run| Check::Command { run: run.clone() }).collect::<Vec<_>>()
        };
        match subject {
            Subject::Session => project(),
            Subject::Validation { task } | Subject::Task { task } => {
                self.task(task).map(|task| task.task.acceptance.clone()).unwrap_or_default()
            }
        }
    }

    /// Tasks that made something and whose work is, or will be, part of the session branch.
    pub fn makers(&self) -> impl Iterator<Item = &TaskState> {
        self.tasks.iter().filter(|task| task.task.makes())
    }

    /// Whether a job for which `is` holds has an intent and no outcome.
    pub fn pending(&self, is: impl Fn(&Job) -> bool) -> bool {
        self.jobs.values().any(is)
    }

    /// What a worker has cost in US dollars: as its CLI says, else by the price of its model; `None` when neither tells.
    #[must_use]
    pub fn cost_of(&self, worker: &WorkerState) -> Option<f64> {
        let own = self.opened.as_ref().map(|opened| &opened.settings.prices);
        let price = || crate::prices::of(own?, worker.model.as_deref()?);
        worker.usage.cost_usd.or_else(|| Some(crate::prices::cost(price()?, &worker.usage)))
    }

    /// What all workers have spent.
    #[must_use]
    pub fn spent(&self) -> (Usage, bool) {
        let mut sum = Usage::default();
        let mut incomplete = false;
        for worker in self.workers.values() {
            sum.input += worker.usage.input;
            sum.output += worker.usage.output;
            sum.cached += worker.usage.cached;
            match self.cost_of(worker) {
                Some(cost) => sum.cost_usd = Some(sum.cost_usd.unwrap_or(0.0) + cost),
                None => incomplete |= 0 < worker.usage.output,
            }
        }
        (sum, incomplete)
    }
}
