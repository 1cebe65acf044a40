// Written by `cargo test -p domain --features ts`; do not edit.

/**
 * What a question is about.
 */
export type About = { "type": "plan", 
/**
 * Which version.
 */
version: number, } | { "type": "review", 
/**
 * Which.
 */
review: ReviewId, } | { "type": "worker", 
/**
 * Which.
 */
worker: WorkerId, 
/**
 * The call that waits for the answer.
 */
call: string, } | { "type": "failure", 
/**
 * Which.
 */
worker: WorkerId, } | { "type": "job", 
/**
 * Which.
 */
job: JobId, 
/**
 * What waits for it.
 */
subject: Subject | null, } | { "type": "safe_mode" } | { "type": "command", 
/**
 * Whose.
 */
worker: WorkerId, 
/**
 * The call that waits for the answer; none when the CLI has no hook that asks: then the worker is frozen.
 */
call: string | null, 
/**
 * What would run.
 */
command: string, 
/**
 * The rule that asks.
 */
rule: string, };

/**
 * What a person can do to a session.
 */
export type Act = { "type": "edit_plan", 
/**
 * The whole plan.
 */
plan: Plan, } | { "type": "pause" } | { "type": "unpause" } | { "type": "stop", 
/**
 * Without grace.
 */
now: boolean, } | { "type": "review", 
/**
 * One task; every task at work when absent.
 */
task: TaskId | null, } | { "type": "answer", 
/**
 * Which; the oldest open one when absent.
 */
question: QuestionId | null, 
/**
 * Which of its choices; the first that takes text when absent.
 */
choice: Choice | null, 
/**
 * In the user's words.
 */
text: string, } | { "type": "land", 
/**
 * How.
 */
method: LandMethod, 
/**
 * The message of a merge or squash commit; made from the goal when empty.
 */
message: string, };

/**
 * The four decisions (SPEC section 7), ordered from the mildest to the strictest.
 */
export type Action = "CONTINUE" | "LOG_WARNING" | "PAUSE_AND_CLARIFY" | "STOP_AND_ESCALATE";

/**
 * Who did something.
 */
export type Actor = "rule" | "person" | "setting" | "demo";

/**
 * An agent as discovery found it on this machine.
 */
export type AgentInfo = { 
/**
 * Its name in the settings.
 */
name: AgentName, 
/**
 * How it speaks.
 */
dialect: Dialect, 
/**
 * Absolute path of the program that is started, symlinks resolved.
 */
program: string, 
/**
 * Arguments before all others; the demo agents need them (`orchestrate demo-agent …`).
 */
leading_args: Array<string>, 
/**
 * What `--version` said, first line.
 */
version: string, 
/**
 * A scripted demo agent: no AI, no account, no network.
 */
demo: boolean, };

/**
 * An agent as the settings name it: `claude`, `codex`, `gemini`, or one added by configuration.
 */
export type AgentName = string;

/**
 * An answer.
 */
export type AnswerRow = { 
/**
 * Which choice.
 */
choice: Choice, 
/**
 * In the user's words.
 */
text: string, 
/**
 * Who.
 */
by: Actor, };

/**
 * What is done in a doubtful case of the gate. There is no value that lets it pass in silence.
 */
export type AtDoubt = "warn" | "pause";

/**
 * What became of one reviewer's seat.
 */
export type Ballot = { "type": "cast", 
/**
 * As given.
 */
verdict: Verdict, 
/**
 * At most 200 words.
 */
summary: string, 
/**
 * With evidence.
 */
findings: Array<CheckedFinding>, 
/**
 * As claimed.
 */
files_read: Array<string>, 
/**
 * The tree that the reviewer had in front of it.
 */
tree: TreeHash, 
/**
 * What it looked at; absent in journals of earlier versions.
 */
coverage?: Coverage, } | { "type": "void", 
/**
 * Why, in a sentence.
 */
why: string, };

/**
 * Files of a project by which a CLI runs programs or asks other machines. They are loaded only after the user approved
 * exactly this content.
 */
export type Brought = { 
/**
 * From the repository's top, sorted.
 */
files: Array<string>, 
/**
 * SHA-256 over names and contents, in hexadecimal digits.
 */
hash: string, 
/**
 * Whether the user approved this hash for this project.
 */
approved: boolean, 
/**
 * Why it cannot be approved, when it cannot.
 */
unfit: string | null, };

/**
 * Something that can be checked by a machine.
 */
export type Check = { "type": "file", 
/**
 * Relative to the project's root.
 */
path: string, } | { "type": "command", 
/**
 * Run by `sh -c`.
 */
run: string, };

/**
 * How a check went.
 */
export type CheckResult = { 
/**
 * What was checked.
 */
check: Check, 
/**
 * Whether it holds.
 */
passed: boolean, 
/**
 * Exit status of a command; `None` for files, signals and time-outs.
 */
exit_code: number | null, 
/**
 * End of what a command printed, at most 4,000 characters; or why it could not run.
 */
output: string, };

/**
 * A finding with what became of its evidence.
 */
export type CheckedFinding = { 
/**
 * As the reviewer gave it.
 */
finding: Finding, 
/**
 * What the orchestrator found in the reviewed tree.
 */
evidence: Evidence, 
/**
 * The line on which the quote really begins, from 1.
 */
found_at: number | null, 
/**
 * The project's check command that the finding cites, run again in a clean checkout of the reviewed tree.
 */
rerun?: Rerun, };

/**
 * What the user may choose.
 */
export type Choice = "approve" | "replan" | "instruct" | "override" | "retry" | "abandon" | "reply" | "hand_over" | "third_opinion" | "deny" | "allow_once" | "allow_session";

/**
 * A git commit's object id, in hex.
 */
export type CommitHash = string;

/**
 * What a reviewer looked at, as its stream of events tells, against what changed.
 */
export type Coverage = { 
/**
 * Files that its tools read, relative to the project's root.
 */
read: Array<string>, 
/**
 * Changed files of which no tool call tells that it read them; the diff in its prompt shows them as well.
 */
unread: Array<string>, 
/**
 * Files that it says it read, and of which no tool call tells so.
 */
only_claimed: Array<string>, };

/**
 * A decision of the policy or of a person: `d2`.
 */
export type DecisionId = string;

/**
 * A decision.
 */
export type DecisionRow = { 
/**
 * Its name.
 */
id: DecisionId, 
/**
 * What.
 */
action: Action, 
/**
 * Why.
 */
rule: Rule, 
/**
 * How it came about.
 */
trace: Array<string>, 
/**
 * Who.
 */
by: Actor, 
/**
 * The review it follows from.
 */
review: ReviewId | null, 
/**
 * The task it is about.
 */
task: TaskId | null, 
/**
 * When.
 */
at: string, };

/**
 * How one CLI is launched and how its stream is read. Closed: matched exhaustively.
 */
export type Dialect = "claude" | "codex" | "gemini";

/**
 * Kinds of failure that a window or terminal treats differently.
 */
export type ErrorCode = "usage" | "preflight" | "busy" | "consent" | "internal";

/**
 * Whether a finding's quote stands in the reviewed tree.
 */
export type Evidence = "verified" | "not_found" | "not_checkable";

/**
 * A failure with words for people.
 */
export type Failed = { 
/**
 * Its class.
 */
failure: Failure, 
/**
 * What the CLI said, at most 1,000 characters.
 */
text: string, };

/**
 * The class of a failed run; repairs hang on it (SPEC section 8).
 */
export type Failure = { "class": "not_signed_in" } | { "class": "billing" } | { "class": "rate_limited", 
/**
 * When it ends, where the CLI says so.
 */
resets_at: string | null, } | { "class": "overloaded" } | { "class": "network" } | { "class": "permission", 
/**
 * The path, where one is named.
 */
path: string | null, } | { "class": "not_git_repository" } | { "class": "outside_workspace", 
/**
 * The path.
 */
path: string, } | { "class": "context_full" } | { "class": "truncated" } | { "class": "crashed" } | { "class": "hung" } | { "class": "model" } | { "class": "config" } | { "class": "refused" } | { "class": "cli_limit" } | { "class": "limit" } | { "class": "cancelled" };

/**
 * A changed file.
 */
export type FileChange = { 
/**
 * Relative to the root.
 */
path: string, 
/**
 * Lines added; `None` for binary files.
 */
added: number | null, 
/**
 * Lines removed; `None` for binary files.
 */
removed: number | null, };

/**
 * A judgement's single point, or something a worker came across.
 */
export type Finding = { 
/**
 * How bad it is.
 */
severity: Severity, 
/**
 * One line.
 */
title: string, 
/**
 * Path relative to the project's root.
 */
file: string | null, 
/**
 * Line or range in that file: `12` or `12-18`.
 */
lines: string | null, 
/**
 * The exact text that stands there.
 */
quote: string | null, 
/**
 * Why it is wrong.
 */
why: string, 
/**
 * What to do about it.
 */
recommendation: string, };

/**
 * An agent whose quota is used up: it is not asked before the time is over, and then by one worker alone.
 */
export type GateRow = { 
/**
 * Which.
 */
agent: AgentName, 
/**
 * Not before this time.
 */
until: string, 
/**
 * The worker that is finding out whether it is back.
 */
probe: WorkerId | null, };

/**
 * A side effect outside the journal, with intent and outcome: `j9`.
 */
export type JobId = string;

/**
 * How to land.
 */
export type LandMethod = "fast_forward" | "merge" | "squash" | "keep";

/**
 * What landing would do.
 */
export type LandingFacts = { 
/**
 * Where it would go; the folder for a target that is no repository.
 */
into: string, 
/**
 * Methods that would work now, the best first.
 */
methods: Array<LandMethod>, 
/**
 * Files in conflict with what happened in the target meanwhile.
 */
conflicts: Array<string>, 
/**
 * Uncommitted files of the user that landing would touch; landing refuses while there are any.
 */
in_the_way: Array<string>, 
/**
 * Commits that would come.
 */
commits: number, 
/**
 * Why nothing can be landed, when nothing can.
 */
refused: string | null, };

/**
 * How far a session's workers are confined (`docs/SANDBOX.md`). Each level holds what the one before it holds.
 */
export type Level = "L0" | "L1" | "L2" | "L3";

/**
 * How a session's run ended (SPEC section 14; exit codes are given by [`Outcome::exit_code`]).
 */
export type Outcome = "done" | "waiting" | "stopped" | "limited" | "failed";

/**
 * A blocker that a person overrode.
 */
export type Overridden = { 
/**
 * In which session.
 */
session: SessionId, 
/**
 * In which review.
 */
review: ReviewId, 
/**
 * Whose blocker.
 */
reviewer: AgentName, 
/**
 * What it was about.
 */
title: string, 
/**
 * The person's reason.
 */
reason: string, };

/**
 * How a session stands: a state of attention, derived, never stored.
 */
export type Phase = "planning" | "needs_you" | "working" | "paused" | "stopping" | "interrupted" | "ready_to_land" | "landed" | "stopped" | "limited" | "failed";

/**
 * The breakdown of the user's prompt.
 */
export type Plan = { 
/**
 * What will be done, in a few sentences.
 */
summary: string, 
/**
 * The tasks; order matters only where nothing depends on anything.
 */
tasks: Array<Task>, };

/**
 * The plan's newest version.
 */
export type PlanRow = { 
/**
 * From 1.
 */
version: number, 
/**
 * What is planned.
 */
plan: Plan, 
/**
 * Where it comes from.
 */
by: PlanSource, 
/**
 * Who agreed to it, once somebody did.
 */
approved: Actor | null, };

/**
 * Where a plan comes from.
 */
export type PlanSource = { "type": "lead", 
/**
 * Its worker.
 */
worker: WorkerId, } | { "type": "built_in", 
/**
 * Why not the lead's, in a sentence.
 */
why: string, } | { "type": "person" };

/**
 * One line of the doctor.
 */
export type Probe = { 
/**
 * What was looked at: `claude`, `git`, `disk`, …
 */
name: string, 
/**
 * How it stands.
 */
state: ProbeState, 
/**
 * What was found, in a sentence.
 */
text: string, 
/**
 * What to do; a command to copy where there is one. Empty when all is well.
 */
fix: string, };

/**
 * How a probe stands.
 */
export type ProbeState = "ok" | "warning" | "problem";

/**
 * A question to the user: `q1`.
 */
export type QuestionId = string;

/**
 * A question to the user.
 */
export type QuestionRow = { 
/**
 * Its name.
 */
id: QuestionId, 
/**
 * What is asked.
 */
text: string, 
/**
 * What it is about.
 */
about: About, 
/**
 * What may be chosen.
 */
choices: Array<Choice>, 
/**
 * Since when.
 */
since: string, 
/**
 * The answer, once given: choice, text, who.
 */
answer: AnswerRow | null, };

/**
 * A repair that the orchestrator makes by itself: `c1`.
 */
export type RecoveryId = string;

/**
 * A repair.
 */
export type RecoveryRow = { 
/**
 * Its name.
 */
id: RecoveryId, 
/**
 * Whose failure.
 */
worker: WorkerId, 
/**
 * That worker's agent.
 */
agent: AgentName, 
/**
 * What failed.
 */
failed: Failed, 
/**
 * What is done about it.
 */
repair: Repair, 
/**
 * Whether it worked, once known.
 */
worked: boolean | null, 
/**
 * When.
 */
at: string, };

/**
 * A repair that the orchestrator makes by itself. None of them widens rights beyond what the user allowed.
 */
export type Repair = { "repair": "add_directory", 
/**
 * Absolute.
 */
path: string, } | { "repair": "skip_git_check" } | { "repair": "wait", 
/**
 * When.
 */
until: string, } | { "repair": "resume" } | { "repair": "fresh" } | { "repair": "hand_over", 
/**
 * To whom.
 */
to: AgentName, };

/**
 * What may be asked.
 */
export type Request = { "type": "doctor", 
/**
 * The project folder to look at as well, when there is one.
 */
target?: string, } | { "type": "sessions" } | { "type": "scoreboard" } | { "type": "inspect", 
/**
 * The folder.
 */
target: string, } | { "type": "brought", 
/**
 * The project folder.
 */
target: string, } | { "type": "trust", 
/**
 * The project folder.
 */
target: string, 
/**
 * The hash of what the user saw; `None` takes the approval back.
 */
hash: string | null, } | { "type": "open", 
/**
 * The user's prompt.
 */
goal: string, 
/**
 * The project folder.
 */
target: string, 
/**
 * Approve the plan without asking.
 */
approve: boolean, 
/**
 * The user's typed consent to agents without a sandbox.
 */
unsandboxed: boolean, } | { "type": "demo", 
/**
 * Approve the plan without asking.
 */
approve: boolean, } | { "type": "resume", 
/**
 * Which.
 */
session: SessionId, } | { "type": "watch", 
/**
 * Which session.
 */
session: SessionId, 
/**
 * The cursor; 0 for everything.
 */
since: Seq, } | { "type": "timeline", 
/**
 * Which session.
 */
session: SessionId, 
/**
 * Entries after this one.
 */
after: Seq, 
/**
 * At most this many, 1 to 1,000.
 */
limit: number, } | { "type": "log", 
/**
 * Which session.
 */
session: SessionId, 
/**
 * Which worker.
 */
worker: WorkerId, 
/**
 * First byte.
 */
from: number, } | { "type": "diff", 
/**
 * Which session.
 */
session: SessionId, 
/**
 * One task; the whole session branch when absent.
 */
task: TaskId | null, } | { "type": "dry_run", 
/**
 * Which session.
 */
session: SessionId, } | { "type": "act", 
/**
 * Which session.
 */
session: SessionId, 
/**
 * What.
 */
act: Act, };

/**
 * A check command that a reviewer cites, run again by the orchestrator.
 */
export type Rerun = { 
/**
 * The command, as the project or the task has it.
 */
command: string, 
/**
 * Whether it exited with 0.
 */
passed: boolean, 
/**
 * Its exit code, when it ended by itself.
 */
exit_code: number | null, };

/**
 * What is answered.
 */
export type Response = { "type": "accepted" } | { "type": "opened", 
/**
 * Its name.
 */
session: SessionId, } | { "type": "doctor", 
/**
 * In the order in which they are shown.
 */
probes: Array<Probe>, 
/**
 * Agents that can work.
 */
agents: Array<AgentInfo>, } | { "type": "sessions", 
/**
 * One row each.
 */
sessions: Array<SessionSummary>, } | { "type": "scoreboard", 
/**
 * As the journals have it now.
 */
board: Scoreboard, } | { "type": "target", 
/**
 * Its facts.
 */
facts: TargetFacts, } | { "type": "brought", 
/**
 * `None` when it is nothing.
 */
brought: Brought | null, } | { "type": "update", 
/**
 * The cursor for the next `Watch`.
 */
seq: Seq, 
/**
 * At most 1,000, oldest change first.
 */
rows: Array<Row>, } | { "type": "timeline", 
/**
 * In order.
 */
items: Array<TimelineItem>, 
/**
 * The last entry looked at: the next page's `after`.
 */
seq: Seq, 
/**
 * Whether there is more.
 */
more: boolean, } | { "type": "log", 
/**
 * Invalid UTF-8 replaced, control characters made visible.
 */
text: string, 
/**
 * Where the next page begins.
 */
next: number, 
/**
 * Size of the whole.
 */
size: number, } | { "type": "diff", 
/**
 * Unified, as git gives it; cut at 2 MiB.
 */
text: string, 
/**
 * Changed files.
 */
files: Array<FileChange>, } | { "type": "dry_run", 
/**
 * Its facts.
 */
facts: LandingFacts, };

/**
 * A review: `r1`.
 */
export type ReviewId = string;

/**
 * A review.
 */
export type ReviewRow = { 
/**
 * Its name.
 */
id: ReviewId, 
/**
 * What it is about.
 */
subject: Subject, 
/**
 * Why it was made.
 */
trigger: Trigger, 
/**
 * Which round.
 */
round: number, 
/**
 * The frozen tree.
 */
tree: TreeHash, 
/**
 * The commit that holds it.
 */
commit: CommitHash, 
/**
 * Authors of what is reviewed.
 */
authors: Array<AgentName>, 
/**
 * Valid verdicts needed.
 */
required: number, 
/**
 * One for each reviewer.
 */
seats: Array<SeatRow>, 
/**
 * What the policy made of it.
 */
decision: DecisionId | null, };

/**
 * The rules of reviewing, within bounds that keep the gate safe.
 */
export type ReviewRules = { 
/**
 * Rounds on one task before it escalates; 1 to 10 (SPEC section 7: 3).
 */
max_rounds: number, 
/**
 * Minutes without any review after which one is made.
 */
every_minutes: number, 
/**
 * Valid verdicts that a milestone needs; at least 1.
 */
at_milestone: number, 
/**
 * Valid verdicts that the end needs when three vendors are there; at least 1.
 */
at_end: number, 
/**
 * What a single concern does; never less than sending it back to the author.
 */
at_one_concern: AtDoubt, 
/**
 * What happens when all that judged approve, but a reviewer who was asked gave no valid verdict; never less than a
 * warning.
 */
at_missing_reviewer: AtDoubt, };

/**
 * What a worker is there for.
 */
export type Role = "lead" | "architect" | "implementer" | "reviewer";

/**
 * One thing a window shows; the newest with a key replaces the one before.
 */
export type Row = { 
/**
 * The entry that last changed this row.
 */
seq: Seq, 
/**
 * Unique in the session: `session`, `plan`, `t1`, `w3`, `r1`, `d1`, `q1`, `c1`, `warning-7`.
 */
key: string, 
/**
 * What it shows.
 */
body: RowBody, };

/**
 * What a row shows.
 */
export type RowBody = { "type": "session" } & SessionRow | { "type": "plan" } & PlanRow | { "type": "task" } & TaskRow | { "type": "worker" } & WorkerRow | { "type": "review" } & ReviewRow | { "type": "decision" } & DecisionRow | { "type": "question" } & QuestionRow | { "type": "recovery" } & RecoveryRow | { "type": "warning" } & WarningRow;

/**
 * The rule that fired. Their order is the order of [`crate::decide`].
 */
export type Rule = "any_blocker" | "two_concerns" | "rounds_exhausted" | "one_concern" | "too_few_verdicts" | "no_independent_reviewer" | "reviewer_missing" | "all_approved" | "unrepairable" | "worker_asked" | "person";

/**
 * One reviewer's record.
 */
export type Score = { 
/**
 * Who.
 */
reviewer: AgentName, 
/**
 * Whose model.
 */
vendor: Vendor, 
/**
 * Seats it had.
 */
seats: number, 
/**
 * Seats that ended without a verdict.
 */
void: number, 
/**
 * Verdicts as given.
 */
approve: number, 
/**
 * Verdicts as given.
 */
concern: number, 
/**
 * Verdicts as given.
 */
blocker: number, 
/**
 * Blockers that counted as concerns, because no evidence of them could be verified.
 */
weakened: number, 
/**
 * Findings that are concerns or blockers.
 */
findings: number, 
/**
 * Of these: with a quote that was found, or a check that failed again.
 */
verified: number, 
/**
 * Of these: with a quote or file that is not there.
 */
not_found: number, 
/**
 * Of these: with nothing to check.
 */
not_checkable: number, 
/**
 * Of these: later confirmed by a fix.
 */
confirmed: number, 
/**
 * Blockers of it that a person overrode.
 */
overridden: number, };

/**
 * All reviewers of a workspace.
 */
export type Scoreboard = { 
/**
 * Sessions that were read.
 */
sessions: number, 
/**
 * How many of them are demonstrations, or were played by scripted agents that say so.
 */
demos: number, 
/**
 * Sessions of which only a part, or nothing, could be read.
 */
unreadable: Array<SessionId>, 
/**
 * One for each reviewer, by its agent's name.
 */
reviewers: Array<Score>, 
/**
 * Blockers that a person overrode, oldest first.
 */
overridden: Array<Overridden>, };

/**
 * A reviewer's seat.
 */
export type SeatRow = { 
/**
 * Who.
 */
reviewer: AgentName, 
/**
 * Who had the seat before, and could not go on.
 */
instead_of: AgentName | null, 
/**
 * What became of it; `None` while it is at work.
 */
ballot: Ballot | null, 
/**
 * What it counts as; `None` for void ones.
 */
counted_as: Verdict | null, };

/**
 * The place of an entry in its journal, from 1; also a window's cursor (0: nothing seen yet).
 */
export type Seq = number;

/**
 * A session: a UUID v7, so names sort by time.
 */
export type SessionId = string;

/**
 * The session as a whole.
 */
export type SessionRow = { 
/**
 * Its name.
 */
session: SessionId, 
/**
 * The user's prompt.
 */
goal: string, 
/**
 * The project folder.
 */
target: string, 
/**
 * How it stands.
 */
phase: Phase, 
/**
 * In a sentence: what goes on, or why nothing does.
 */
why: string, 
/**
 * How its run ended, once it has.
 */
outcome: Outcome | null, 
/**
 * How trees are kept.
 */
trees: Trees, 
/**
 * Where it was landed.
 */
landed: string | null, 
/**
 * Scripted agents.
 */
demo: boolean, 
/**
 * Agents run without a sandbox, with the user's consent.
 */
unsandboxed: boolean, 
/**
 * How far agents are confined; `None` for demonstrations and sessions that were not tested.
 */
sandbox: Level | null, 
/**
 * Agents that may work.
 */
agents: Array<AgentInfo>, 
/**
 * Check commands in force.
 */
checks: Array<string>, 
/**
 * When it began.
 */
began: string, 
/**
 * What has been spent.
 */
spent: Spent, 
/**
 * What one worker may use.
 */
worker_caps: WorkerCaps, 
/**
 * Agents whose quota is used up.
 */
gates: Array<GateRow>, 
/**
 * The rules of reviewing in force.
 */
review: ReviewRules, };

/**
 * A session in a list.
 */
export type SessionSummary = { 
/**
 * Its name.
 */
session: SessionId, 
/**
 * The user's prompt.
 */
goal: string, 
/**
 * The project folder.
 */
target: string, 
/**
 * How it stands.
 */
phase: Phase, 
/**
 * In a sentence: what goes on, or why nothing does.
 */
why: string, 
/**
 * Whether a process holds it right now.
 */
held: boolean, 
/**
 * Workers whose processes still live although nobody runs the session; `resume` takes them down.
 */
left: number, 
/**
 * When it began.
 */
began: string, 
/**
 * When its last entry was written.
 */
last: string, 
/**
 * Tasks accepted.
 */
accepted: number, 
/**
 * Tasks in all.
 */
tasks: number, 
/**
 * The journal is damaged: what is wrong. Everything else is then what could still be read.
 */
damage: string | null, 
/**
 * Scripted agents.
 */
demo: boolean, };

/**
 * How bad a finding is; ordered, the last is the worst.
 */
export type Severity = "note" | "concern" | "blocker";

/**
 * The ledger: spent against capped.
 */
export type Spent = { 
/**
 * Tokens and money over all workers.
 */
usage: Usage, 
/**
 * Cap on tokens.
 */
tokens_cap: number, 
/**
 * Cap on money, US dollars.
 */
cost_cap: number, 
/**
 * Whether some worker did not tell its money, so that the sum is too low.
 */
cost_incomplete: boolean, 
/**
 * Cap on minutes.
 */
minutes_cap: number, 
/**
 * Workers started.
 */
workers: number, 
/**
 * Cap on workers started.
 */
workers_cap: number, 
/**
 * Reviews made.
 */
reviews: number, };

/**
 * What a review is about.
 */
export type Subject = { "type": "task", 
/**
 * Which.
 */
task: TaskId, } | { "type": "validation", 
/**
 * The reviewing task.
 */
task: TaskId, } | { "type": "session" };

/**
 * Facts about a project folder.
 */
export type TargetFacts = { 
/**
 * Canonical.
 */
path: string, 
/**
 * Whether it is inside a git repository with at least one commit.
 */
repository: boolean, 
/**
 * The branch, when it is on one.
 */
branch: string | null, 
/**
 * Files with uncommitted changes.
 */
dirty: number, 
/**
 * Check commands guessed from the project's files.
 */
checks: Array<string>, };

/**
 * One task of a plan.
 */
export type Task = { 
/**
 * Unique in the plan: lower-case letters, digits and `-`, at most 32.
 */
id: TaskId, 
/**
 * One line.
 */
title: string, 
/**
 * `architect` writes documents, `implementer` code and tests, `reviewer` judges what its dependencies made and writes nothing.
 */
role: Role, 
/**
 * Who does it.
 */
agent: AgentName, 
/**
 * Share of the whole work in percent; all weights add up to 100.
 */
weight: number, 
/**
 * What to do, complete enough for somebody who saw nothing else.
 */
instructions: string, 
/**
 * Tasks that must be accepted before this one starts.
 */
depends_on: Array<TaskId>, 
/**
 * What must hold before the task can be accepted.
 */
acceptance: Array<Check>, 
/**
 * What the worker announces on the way; each announcement triggers a review.
 */
milestones: Array<string>, 
/**
 * Whether it changes the project's files.
 */
writes: boolean, };

/**
 * A task of the plan, as the plan names it: lower-case letters, digits and `-`, at most 32 (`t1`, `auth-api`).
 */
export type TaskId = string;

/**
 * A task.
 */
export type TaskRow = { 
/**
 * Its name.
 */
id: TaskId, 
/**
 * One line.
 */
title: string, 
/**
 * As what.
 */
role: Role, 
/**
 * Who.
 */
agent: AgentName, 
/**
 * Percent of the whole.
 */
weight: number, 
/**
 * What it waits for.
 */
depends_on: Array<TaskId>, 
/**
 * Where it stands.
 */
stage: TaskStage, 
/**
 * 0 to 100: the worker's word, else milestones over planned, else todo items; 100 only when accepted.
 */
progress: number, 
/**
 * Rounds of review so far.
 */
round: number, 
/**
 * Workers so far.
 */
attempts: number, 
/**
 * The last snapshot's tree.
 */
tree: TreeHash | null, 
/**
 * Files that differ from its base.
 */
changed: Array<string>, 
/**
 * The last run of its checks.
 */
checks: Array<CheckResult>, 
/**
 * Its worktree.
 */
path: string | null, };

/**
 * Where a task stands.
 */
export type TaskStage = "waiting" | "preparing" | "working" | "checking" | "reviewing" | "mending" | "merging" | "accepted" | "blocked";

/**
 * One line of the timeline.
 */
export type TimelineItem = { 
/**
 * Which entry.
 */
seq: Seq, 
/**
 * When.
 */
at: string, 
/**
 * What kind, for icon and filter.
 */
kind: TimelineKind, 
/**
 * Whose, when it is a worker's.
 */
agent: AgentName | null, 
/**
 * Which worker.
 */
worker: WorkerId | null, 
/**
 * Which task.
 */
task: TaskId | null, 
/**
 * One line.
 */
text: string, 
/**
 * More, when there is more: output, trace, findings. May have several lines.
 */
detail: string, };

/**
 * What kind of thing happened. The first eight are the workers' events of SPEC section 5.
 */
export type TimelineKind = "status" | "progress" | "tool" | "finding" | "task" | "blocker" | "milestone" | "review" | "error" | "session" | "decision" | "recovery" | "question";

/**
 * A git tree's object id, in hex: what a verdict is bound to.
 */
export type TreeHash = string;

/**
 * How the target's trees are kept (SPEC section 10).
 */
export type Trees = { "type": "repository", 
/**
 * The branch the user was on; `None` when detached.
 */
branch: string | null, 
/**
 * Where the session branch begins.
 */
base: CommitHash, 
/**
 * The session branch, `orchestrate/<short id>`.
 */
session_branch: string, } | { "type": "shadow", 
/**
 * The snapshot of the target at the beginning.
 */
base: CommitHash, 
/**
 * The session branch in the shadow repository.
 */
session_branch: string, };

/**
 * Why a review was made.
 */
export type Trigger = "milestone" | "blocker" | "requested" | "manual" | "fallback" | "acceptance" | "validation" | "final";

/**
 * Tokens and money of one run of a CLI.
 */
export type Usage = { 
/**
 * Tokens read, without cached ones.
 */
input: number, 
/**
 * Tokens written.
 */
output: number, 
/**
 * Tokens read from a cache.
 */
cached: number, 
/**
 * US dollars; `None` when the CLI does not say.
 */
cost_usd: number | null, };

/**
 * A failure a person can act on.
 */
export type UserError = { 
/**
 * A window or terminal branches on it.
 */
code: ErrorCode, 
/**
 * What is wrong, in a sentence.
 */
message: string, 
/**
 * What to do about it.
 */
hint: string, };

/**
 * Who makes the model behind an agent. One vendor counts once in a vote, and none reviews itself.
 */
export type Vendor = "anthropic" | "open_ai" | "google";

/**
 * What a reviewer says of the whole.
 */
export type Verdict = "approve" | "concern" | "blocker";

/**
 * A warning.
 */
export type WarningRow = { 
/**
 * In a sentence.
 */
text: string, 
/**
 * When.
 */
at: string, };

/**
 * What one worker may use; 0 is no limit.
 */
export type WorkerCaps = { 
/**
 * Minutes from its request to its end.
 */
minutes: number, 
/**
 * Tokens, input and output, cached ones not counted.
 */
tokens: number, 
/**
 * US dollars.
 */
cost_usd: number, 
/**
 * Steps of its model.
 */
turns: number, };

/**
 * One process of one agent in one role on one task, one attempt: `w3`.
 */
export type WorkerId = string;

/**
 * A worker.
 */
export type WorkerRow = { 
/**
 * Its name.
 */
id: WorkerId, 
/**
 * Who.
 */
agent: AgentName, 
/**
 * How it speaks.
 */
dialect: Dialect, 
/**
 * As what.
 */
role: Role, 
/**
 * On which task.
 */
task: TaskId | null, 
/**
 * For which review.
 */
review: ReviewId | null, 
/**
 * Which attempt.
 */
attempt: number, 
/**
 * How it stands.
 */
stage: WorkerStage, 
/**
 * 0 to 100, as far as known.
 */
progress: number | null, 
/**
 * Its last words.
 */
last_text: string, 
/**
 * The tool that is running, with its command.
 */
tool: string | null, 
/**
 * Since when that tool runs.
 */
tool_since: string | null, 
/**
 * When it was asked for.
 */
began: string, 
/**
 * When it last said something.
 */
last_event: string, 
/**
 * When it ended.
 */
ended: string | null, 
/**
 * Why it does not count as done.
 */
failed: Failed | null, 
/**
 * The model, where told.
 */
model: string | null, 
/**
 * Tokens and money.
 */
usage: Usage, 
/**
 * US dollars: as its CLI says, else by the price of its model; `None` when neither tells.
 */
cost_usd: number | null, 
/**
 * Steps of its model so far: messages and tool calls.
 */
turns: number, 
/**
 * What it used of the limit that stopped it, in words: `501k of 500k tokens`.
 */
limited: string | null, 
/**
 * Events so far.
 */
events: number, 
/**
 * Its pid, while it lives.
 */
pid: number | null, };

/**
 * How a worker stands: derived from its events and its process, never stored.
 */
export type WorkerStage = "starting" | "working" | "asking" | "frozen" | "done" | "failed" | "stopped" | "interrupted";
