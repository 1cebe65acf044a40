/** Moments of the made-up session, each with all the rows that a window would have at that moment. */
import type {
  Ballot,
  CheckedFinding,
  DecisionRow,
  Phase,
  QuestionRow,
  ReviewRow,
  RowBody,
  TaskRow,
  TaskStage,
  Verdict,
  WorkerRow,
  WorkerStage,
} from "../../generated/types";
import { agents, findings, GOAL, plan, TARGET } from "./project";

export type Scene =
  | "planning"
  | "plan"
  | "working"
  | "question"
  | "mending"
  | "ready"
  | "landed"
  | "paused"
  | "stopped"
  | "quota"
  | "handover"
  | "limits"
  | "limited"
  | "failure"
  | "safe"
  | "interrupted"
  | "disk";
export type Rows = Record<string, RowBody>;
type Body<T extends RowBody["type"]> = Extract<RowBody, { type: T }>;

/** A moment that many seconds before `now`. */
export const before = (now: number, seconds: number) => new Date(now - seconds * 1000).toISOString();

const TREES = { design: "9c41d07ae1", first: "4be1a90c77", second: "a1b2c3d9f0", config: "77d02e5b14" };

const CAPS = { minutes: 30, tokens: 500_000, cost_usd: 5, turns: 400 };

export function head(
  now: number,
  phase: Phase,
  why: string,
  more: Partial<Body<"session">> = {},
): Body<"session"> {
  return {
    type: "session",
    session: "0199a2c4-7f31-7bd0-9c55-2f6f1c0a7e11",
    goal: GOAL,
    target: TARGET,
    phase,
    why,
    outcome: null,
    trees: { type: "repository", branch: "main", base: "5e1f0c2", session_branch: "orchestrate/k7f2" },
    landed: null,
    demo: false,
    unsandboxed: true,
    sandbox: null,
    agents,
    checks: ["cargo test", "cargo clippy -- -D warnings"],
    began: before(now, 24 * 60 + 8),
    spent: {
      usage: { input: 702_400, output: 109_800, cached: 2_120_000, cost_usd: 3.12 },
      tokens_cap: 2_000_000,
      cost_cap: 10,
      cost_incomplete: true,
      minutes_cap: 60,
      workers: 7,
      workers_cap: 200,
      reviews: 4,
    },
    worker_caps: CAPS,
    gates: [],
    review: {
      max_rounds: 3,
      every_minutes: 15,
      at_milestone: 1,
      at_end: 2,
      at_one_concern: "warn",
      at_missing_reviewer: "warn",
    },
    ...more,
  };
}

/** The ledger when nothing but the plan has been made. */
const little = {
  usage: { input: 38_200, output: 4_100, cached: 0, cost_usd: 0.21 },
  tokens_cap: 2_000_000,
  cost_cap: 10,
  cost_incomplete: false,
  minutes_cap: 60,
  workers: 1,
  workers_cap: 200,
  reviews: 0,
};

function worker(
  now: number,
  id: number,
  agent: string,
  role: WorkerRow["role"],
  stage: WorkerStage,
  ages: { began: number; last: number; ended?: number },
  more: Partial<WorkerRow> = {},
): Body<"worker"> {
  const live = ages.ended === undefined;
  return {
    type: "worker",
    id: `w${id}`,
    agent,
    dialect: agents.find((one) => one.name === agent)!.dialect,
    role,
    task: null,
    review: null,
    attempt: 1,
    stage,
    progress: null,
    last_text: "",
    tool: null,
    tool_since: null,
    began: before(now, ages.began),
    last_event: before(now, ages.last),
    ended: ages.ended === undefined ? null : before(now, ages.ended),
    failed: null,
    model: null,
    usage: { input: 24_000 * id, output: 4_000 * id, cached: 0, cost_usd: agent === "claude" ? 0.4 : null },
    cost_usd: agent === "codex" ? null : 0.4,
    turns: 11 * id,
    limited: null,
    events: 40 * id,
    pid: live ? 48_200 + id : null,
    ...more,
  };
}

function task(id: string, stage: TaskStage, progress: number, more: Partial<TaskRow> = {}): Body<"task"> {
  const planned = plan.tasks.find((one) => one.id === id)!;
  const { title, role, agent, weight, depends_on } = planned;
  return {
    type: "task",
    id,
    title,
    role,
    agent,
    weight,
    depends_on,
    stage,
    progress,
    round: 0,
    attempts: stage === "waiting" ? 0 : 1,
    tree: null,
    changed: [],
    checks: [],
    path: stage === "waiting" ? null : `/home/ana/.local/share/meta-orchestrator/k7f2/trees/${id}`,
    ...more,
  };
}

function cast(verdict: Verdict, summary: string, found: CheckedFinding[], tree: string): Ballot {
  const files_read = ["docs/rate-limits.md", "src/limits.rs", "src/routes.rs", "Cargo.toml"];
  return { type: "cast", verdict, summary, findings: found, files_read, tree };
}

const review = (id: number, more: Omit<ReviewRow, "id" | "commit">): Body<"review"> => ({
  type: "review",
  id: `r${id}`,
  commit: `c0ffee${id}`,
  ...more,
});
const decision = (
  now: number,
  id: number,
  age: number,
  more: Omit<DecisionRow, "id" | "at" | "by">,
): Body<"decision"> => ({
  type: "decision",
  id: `d${id}`,
  at: before(now, age),
  by: "rule",
  ...more,
});
const question = (
  now: number,
  id: number,
  age: number,
  more: Omit<QuestionRow, "id" | "since" | "answer">,
): Body<"question"> => ({
  type: "question",
  id: `q${id}`,
  since: before(now, age),
  answer: null,
  ...more,
});

const planRow = (approved: boolean): Body<"plan"> => ({
  type: "plan",
  version: 1,
  plan,
  by: { type: "lead", worker: "w1" },
  approved: approved ? "person" : null,
});

/** What every scene after the approval begins with. */
function begun(now: number): Rows {
  return {
    plan: planRow(true),
    q1: {
      ...question(now, 1, 1380, {
        text: "",
        about: { type: "plan", version: 1 },
        choices: ["approve", "replan", "abandon"],
      }),
      answer: { choice: "approve", text: "", by: "person" },
    },
    w1: worker(now, 1, "claude", "lead", "done", { began: 1440, last: 1400, ended: 1398 }),
    w2: worker(
      now,
      2,
      "gemini",
      "architect",
      "failed",
      { began: 1320, last: 1296, ended: 1294 },
      {
        task: "design",
        failed: {
          failure: { class: "outside_workspace", path: `${TARGET}/docs` },
          text: "Path must be within one of the workspace directories",
        },
      },
    ),
    c1: {
      type: "recovery",
      id: "c1",
      worker: "w2",
      agent: "gemini",
      failed: { failure: { class: "outside_workspace", path: `${TARGET}/docs` }, text: "" },
      repair: { repair: "add_directory", path: `${TARGET}/docs` },
      worked: true,
      at: before(now, 1293),
    },
    w3: worker(
      now,
      3,
      "gemini",
      "architect",
      "done",
      { began: 1292, last: 1110, ended: 1108 },
      { task: "design", attempt: 2 },
    ),
    r1: review(1, {
      subject: { type: "task", task: "design" },
      trigger: "acceptance",
      round: 1,
      tree: TREES.design,
      authors: ["gemini"],
      required: 1,
      seats: [
        {
          reviewer: "codex",
          instead_of: null,
          ballot: cast(
            "approve",
            "Complete and testable. Every route is named, and the clock question is answered.",
            [],
            TREES.design,
          ),
          counted_as: "approve",
        },
      ],
      decision: "d1",
    }),
    d1: decision(now, 1, 1040, {
      action: "CONTINUE",
      rule: "all_approved",
      trace: [
        "1 valid verdict on tree 9c41d07, 1 needed.",
        "The author gemini is not among the reviewers.",
        "0 blockers, 0 concerns, 1 approval.",
        "Rule 4 of 4, all approved: CONTINUE.",
        "One concern instead would have been: LOG_WARNING.",
      ],
      review: "r1",
      task: "design",
    }),
    r2: review(2, {
      subject: { type: "task", task: "limiter" },
      trigger: "milestone",
      round: 1,
      tree: TREES.first,
      authors: ["claude"],
      required: 1,
      seats: [
        {
          reviewer: "codex",
          instead_of: null,
          ballot: cast(
            "concern",
            "The bucket is right but for one overflow in the refill.",
            [findings.jump],
            TREES.first,
          ),
          counted_as: "concern",
        },
      ],
      decision: "d2",
    }),
    d2: decision(now, 2, 500, {
      action: "LOG_WARNING",
      rule: "one_concern",
      trace: [
        "1 valid verdict on tree 4be1a90, 1 needed.",
        "0 blockers, 1 concern with a verified quote.",
        "Rule 3 of 4, one concern: LOG_WARNING. The finding goes to claude as work.",
        "A second concern would have been: PAUSE_AND_CLARIFY.",
      ],
      review: "r2",
      task: "limiter",
    }),
    "warning-61": {
      type: "warning",
      text: "codex has a concern about limiter: Refill overflows after a long sleep. It went to claude as work.",
      at: before(now, 500),
    },
  };
}

const testing = (now: number) =>
  worker(
    now,
    5,
    "codex",
    "implementer",
    "working",
    { began: 700, last: 4 },
    {
      task: "config",
      progress: 70,
      tool: "cargo test -p config --all-features",
      tool_since: before(now, 38),
      last_text: "Defaults are in place. Running the tests once more before I write the documentation.",
    },
  );

function working(now: number): Rows {
  return {
    ...begun(now),
    session: head(now, "working", "claude and codex are at work on limiter and config."),
    w4: worker(
      now,
      4,
      "claude",
      "implementer",
      "working",
      { began: 1000, last: 11 },
      {
        task: "limiter",
        progress: 48,
        tool: null,
        last_text:
          "The refill is computed in f64 seconds now and capped at the burst size. Next: the layer in front of the routes.",
      },
    ),
    w5: testing(now),
    design: task("design", "accepted", 100, {
      round: 1,
      tree: TREES.design,
      checks: [{ check: plan.tasks[0]!.acceptance[0]!, passed: true, exit_code: null, output: "" }],
    }),
    limiter: task("limiter", "working", 48, { round: 1, tree: TREES.first }),
    config: task("config", "working", 70, { tree: TREES.config }),
    validate: task("validate", "waiting", 0),
  };
}

function asking(now: number): Rows {
  return {
    ...working(now),
    session: head(
      now,
      "needs_you",
      "Two reviewers have concerns about limiter, so claude is paused until you answer. codex goes on with config.",
    ),
    w4: worker(
      now,
      4,
      "claude",
      "implementer",
      "frozen",
      { began: 1000, last: 64 },
      {
        task: "limiter",
        progress: 60,
        last_text: "Milestone: limits apply to every public route.",
      },
    ),
    w6: worker(now, 6, "codex", "reviewer", "done", { began: 160, last: 66, ended: 64 }, { review: "r3" }),
    w7: worker(now, 7, "gemini", "reviewer", "done", { began: 160, last: 84, ended: 82 }, { review: "r3" }),
    limiter: task("limiter", "blocked", 60, { round: 2, tree: TREES.second }),
    r3: review(3, {
      subject: { type: "task", task: "limiter" },
      trigger: "milestone",
      round: 2,
      tree: TREES.second,
      authors: ["claude"],
      required: 1,
      seats: [
        {
          reviewer: "codex",
          instead_of: null,
          ballot: cast(
            "concern",
            "The overflow is mended. The layer now covers a route that must stay free.",
            [findings.health, findings.clock],
            TREES.second,
          ),
          counted_as: "concern",
        },
        {
          reviewer: "gemini",
          instead_of: null,
          ballot: cast(
            "concern",
            "One header is in the wrong unit; the rest follows the specification.",
            [findings.seconds],
            TREES.second,
          ),
          counted_as: "concern",
        },
      ],
      decision: "d3",
    }),
    d3: decision(now, 3, 62, {
      action: "PAUSE_AND_CLARIFY",
      rule: "two_concerns",
      trace: [
        "2 valid verdicts on tree a1b2c3d, 1 needed.",
        "The author claude is not among the reviewers; two vendors voted.",
        "0 blockers, 2 concerns, each with a verified quote.",
        "Rule 2 of 4, two or more concerns: PAUSE_AND_CLARIFY.",
        "One approval instead would have been: LOG_WARNING.",
      ],
      review: "r3",
      task: "limiter",
    }),
    q2: question(now, 2, 62, {
      text: "How should the work on limiter go on? (review r3, round 2)\ncodex: The overflow is mended. The layer now covers a route that must stay free.\n  - The health route is limited too (src/routes.rs:41)",
      about: { type: "review", review: "r3" },
      choices: ["instruct", "override", "abandon"],
    }),
  };
}

function ended(now: number): Rows {
  const rows = asking(now);
  const q2 = rows.q2 as Body<"question">;
  const approve = (reviewer: string, summary: string) => ({
    reviewer,
    instead_of: null,
    ballot: cast("approve", summary, [], TREES.second),
    counted_as: "approve" as const,
  });
  return {
    ...rows,
    q2: {
      ...q2,
      answer: { choice: "instruct", text: "No limit on /healthz at all. Seconds.", by: "person" },
    },
    w4: worker(
      now,
      4,
      "claude",
      "implementer",
      "done",
      { began: 1000, last: 40, ended: 38 },
      { task: "limiter" },
    ),
    w5: worker(
      now,
      5,
      "codex",
      "implementer",
      "done",
      { began: 700, last: 50, ended: 48 },
      { task: "config" },
    ),
    w8: worker(now, 8, "gemini", "reviewer", "done", { began: 36, last: 10, ended: 8 }, { task: "validate" }),
    limiter: task("limiter", "accepted", 100, { round: 3, tree: TREES.second }),
    config: task("config", "accepted", 100, { round: 1, tree: TREES.config }),
    validate: task("validate", "accepted", 100, { round: 1 }),
    r4: review(4, {
      subject: { type: "session" },
      trigger: "final",
      round: 1,
      tree: "e4f5a6b7c8",
      authors: ["gemini", "claude", "codex"],
      required: 2,
      seats: [
        approve("gemini", "Every sentence of the specification holds in the merged code."),
        approve("claude", "Configuration and documentation agree with the limiter."),
      ],
      decision: "d4",
    }),
    d4: decision(now, 4, 6, {
      action: "CONTINUE",
      rule: "all_approved",
      trace: [
        "2 valid verdicts on tree e4f5a6b, 2 needed.",
        "0 blockers, 0 concerns.",
        "Rule 4 of 4, all approved: CONTINUE.",
      ],
      review: "r4",
      task: null,
    }),
  };
}

/** The session once claude's quota is used up for a while; what comes of it is in `more`. */
function spent(now: number, why: string, more: Rows): Rows {
  const until = before(now, -750);
  const failed = {
    failure: { class: "rate_limited" as const, resets_at: until },
    text: "You've hit your limit · resets 14:05",
  };
  return {
    ...working(now),
    session: head(now, "working", why, { gates: [{ agent: "claude", until, probe: null }] }),
    w4: worker(
      now,
      4,
      "claude",
      "implementer",
      "failed",
      { began: 1000, last: 31, ended: 30 },
      { task: "limiter", failed },
    ),
    c2: {
      type: "recovery",
      id: "c2",
      worker: "w4",
      agent: "claude",
      failed,
      repair: { repair: "wait", until },
      worked: null,
      at: before(now, 29),
    },
    limiter: task("limiter", "waiting", 48, { round: 1, tree: TREES.first }),
    ...more,
  };
}

const handedOver = (now: number): Rows => {
  const rows = spent(now, "gemini works on limiter, codex waits for the review of config.", {});
  const c2 = rows.c2 as Body<"recovery">;
  return {
    ...rows,
    c2: { ...c2, repair: { repair: "hand_over", to: "gemini" } },
    c3: {
      ...c2,
      id: "c3",
      worker: "w6",
      repair: { repair: "hand_over", to: "gemini" },
      at: before(now, 20),
    },
    w5: worker(
      now,
      5,
      "codex",
      "implementer",
      "done",
      { began: 700, last: 50, ended: 48 },
      { task: "config" },
    ),
    w6: worker(
      now,
      6,
      "claude",
      "reviewer",
      "failed",
      { began: 40, last: 22, ended: 21 },
      { review: "r3", failed: c2.failed },
    ),
    w7: worker(
      now,
      7,
      "gemini",
      "implementer",
      "working",
      { began: 27, last: 3 },
      {
        task: "limiter",
        progress: 48,
        tool: "git diff 5e1f0c2",
        tool_since: before(now, 3),
        last_text: "Reading what claude left, before I go on with the layer in front of the routes.",
      },
    ),
    w8: worker(now, 8, "gemini", "reviewer", "working", { began: 18, last: 5 }, { review: "r3" }),
    limiter: task("limiter", "working", 48, { round: 1, tree: TREES.first, agent: "gemini", attempts: 2 }),
    config: task("config", "reviewing", 95, { tree: TREES.config }),
    r3: review(3, {
      subject: { type: "task", task: "config" },
      trigger: "acceptance",
      round: 1,
      tree: TREES.config,
      authors: ["codex"],
      required: 1,
      seats: [{ reviewer: "gemini", instead_of: "claude", ballot: null, counted_as: null }],
      decision: null,
    }),
  };
};

/** Limits of the session and of its workers that are nearly or wholly used. */
function nearLimits(now: number): Rows {
  const rows = working(now);
  const session = rows.session as Body<"session">;
  const limited = "512k of 500k tokens";
  return {
    ...rows,
    session: {
      ...session,
      began: before(now, 53 * 60 + 20),
      spent: {
        ...session.spent,
        usage: { input: 1_502_000, output: 178_000, cached: 0, cost_usd: null },
      },
    },
    w4: {
      ...(rows.w4 as Body<"worker">),
      began: before(now, 28 * 60 + 20),
      turns: 212,
    },
    w5: worker(
      now,
      5,
      "codex",
      "implementer",
      "failed",
      { began: 700, last: 51, ended: 50 },
      {
        task: "config",
        limited,
        failed: { failure: { class: "limit" }, text: "worker_tokens: 512000 of 500000" },
        usage: { input: 480_000, output: 32_000, cached: 0, cost_usd: null },
      },
    ),
    w6: {
      ...testing(now),
      id: "w6",
      attempt: 2,
      began: before(now, 45),
      model: "gpt-6-codex",
      turns: 12,
    },
  };
}

export const scenes: Record<Scene, (now: number) => Rows> = {
  planning: (now) => ({
    session: head(now, "planning", "claude is breaking the goal down into tasks.", {
      began: before(now, 21),
    }),
    w1: worker(
      now,
      1,
      "claude",
      "lead",
      "working",
      { began: 20, last: 2 },
      {
        last_text: "Reading the routes and the configuration before I divide the work.",
        tool: "rg -n 'Router::new' src",
        tool_since: before(now, 1),
      },
    ),
  }),
  plan: (now) => ({
    session: head(now, "needs_you", "The plan waits for your approval.", {
      began: before(now, 64),
      spent: little,
    }),
    w1: worker(now, 1, "claude", "lead", "done", { began: 62, last: 12, ended: 10 }),
    plan: planRow(false),
    q1: question(now, 1, 10, {
      text: "Four tasks for three agents. Nothing is written before you agree.",
      about: { type: "plan", version: 1 },
      choices: ["approve", "replan", "abandon"],
    }),
  }),
  working,
  question: asking,
  paused: (now) => ({
    ...working(now),
    session: head(now, "paused", "You paused the session. Workers are frozen where they were."),
  }),
  stopped: (now) => ({
    ...working(now),
    session: head(now, "stopped", "You stopped it. Everything is kept; Resume goes on from here.", {
      outcome: "stopped",
    }),
    w4: worker(
      now,
      4,
      "claude",
      "implementer",
      "stopped",
      { began: 1000, last: 9, ended: 6 },
      { task: "limiter" },
    ),
    w5: worker(
      now,
      5,
      "codex",
      "implementer",
      "stopped",
      { began: 700, last: 9, ended: 6 },
      { task: "config" },
    ),
  }),
  mending: (now) => ({
    ...asking(now),
    session: head(now, "working", "claude mends the two findings; codex works on config."),
    q2: {
      ...(asking(now).q2 as Body<"question">),
      answer: { choice: "instruct", text: "No limit on /healthz at all. Seconds.", by: "person" },
    },
    w4: worker(
      now,
      4,
      "claude",
      "implementer",
      "working",
      { began: 1000, last: 3 },
      {
        task: "limiter",
        progress: 64,
        tool: "cargo test -p limits",
        tool_since: before(now, 12),
        last_text: "Retry-After is in whole seconds now, at least 1.",
      },
    ),
    limiter: task("limiter", "mending", 64, { round: 2, tree: TREES.second }),
  }),
  ready: (now) => ({
    ...ended(now),
    session: head(now, "ready_to_land", "All four tasks are accepted and the final review approved.", {
      outcome: "done",
    }),
  }),
  quota: (now) => spent(now, "codex works on config; limiter waits until claude's quota is back.", {}),
  handover: handedOver,
  limits: nearLimits,
  limited: (now) => {
    const rows = nearLimits(now);
    const session = rows.session as Body<"session">;
    return {
      ...rows,
      session: {
        ...session,
        phase: "limited",
        outcome: "limited",
        why: "A limit was reached; everything is kept.",
        spent: { ...session.spent, usage: { ...session.spent.usage, input: 1_830_000 } },
      },
      w4: worker(
        now,
        4,
        "claude",
        "implementer",
        "stopped",
        { began: 1000, last: 9, ended: 6 },
        { task: "limiter" },
      ),
      w6: {
        ...(rows.w6 as Body<"worker">),
        stage: "stopped",
        last_event: before(now, 7),
        ended: before(now, 6),
        pid: null,
      },
    };
  },
  failure: (now) => {
    const failed = { failure: { class: "not_signed_in" as const }, text: "Please run /login" };
    return {
      ...working(now),
      session: head(
        now,
        "needs_you",
        "Waits for your answer: claude cannot go on with limiter: it is not signed in.",
      ),
      w4: worker(
        now,
        4,
        "claude",
        "implementer",
        "failed",
        { began: 1000, last: 66, ended: 64 },
        { task: "limiter", failed },
      ),
      limiter: task("limiter", "blocked", 48, { round: 1, tree: TREES.first }),
      q2: question(now, 2, 62, {
        text: "claude cannot go on with limiter: it is not signed in.\nPlease run /login\nSign in with: claude auth login",
        about: { type: "failure", worker: "w4" },
        choices: ["retry", "hand_over", "abandon"],
      }),
    };
  },
  safe: (now) => {
    const rows = working(now);
    const cut = (row: RowBody | undefined): Body<"worker"> => ({
      ...(row as Body<"worker">),
      stage: "stopped",
      last_event: before(now, 95),
      ended: before(now, 90),
      tool: null,
      pid: null,
    });
    return {
      ...rows,
      session: head(now, "needs_you", "Waits for your answer: this session crashed again and again."),
      w4: cut(rows.w4),
      w5: cut(rows.w5),
      limiter: task("limiter", "waiting", 48, { round: 1, tree: TREES.first, attempts: 1 }),
      config: task("config", "waiting", 70, { tree: TREES.config, attempts: 1 }),
      q2: question(now, 2, 12, {
        text: "This session was taken up after a crash 3 times in five minutes, so nothing was started this time. Everything is kept. Look at the log for what happened; `retry` lets the session go on.",
        about: { type: "safe_mode" },
        choices: ["retry", "abandon"],
      }),
    };
  },
  disk: (now) => ({
    ...working(now),
    session: head(
      now,
      "needs_you",
      "only 312 MiB are free on the disk of the sessions, of at least 1024 that are to stay free; workers stand still and go on by themselves when there is room again: make some (work waits, nothing is lost)",
    ),
  }),
  interrupted: (now) => ({
    ...working(now),
    session: head(now, "interrupted", "The machine was restarted while two workers were at work."),
  }),
  landed: (now) => ({
    ...ended(now),
    session: head(now, "landed", "Landed in main.", { outcome: "done", landed: "main at f00dcafe" }),
  }),
};
