import type { TimelineItem, TimelineKind } from "../../generated/types";
import { before, type Scene } from "./scenes";

type Line = [
  age: number,
  kind: TimelineKind,
  worker: string | null,
  task: string | null,
  text: string,
  detail?: string,
];

const agentOf: Record<string, string> = {
  w1: "claude",
  w2: "gemini",
  w3: "gemini",
  w4: "claude",
  w5: "codex",
  w6: "codex",
  w7: "gemini",
  w8: "gemini",
};

const planning: Line[] = [
  [
    1444,
    "session",
    null,
    null,
    "Session opened on main at 5e1f0c2, 3 agents, without a sandbox (your consent)",
  ],
  [1440, "status", "w1", null, "claude started as lead"],
  [1436, "progress", "w1", null, "Reading the routes and the configuration before I divide the work."],
  [1434, "tool", "w1", null, "rg -n 'Router::new' src", "src/routes.rs:36:    let public = Router::new()"],
  [1431, "tool", "w1", null, "Read src/routes.rs"],
  [1425, "tool", "w1", null, "Read shop.toml"],
  [1422, "tool", "w1", null, "Read Cargo.toml"],
  [1398, "session", null, null, "Plan proposed, version 1: 4 tasks"],
  [1397, "question", null, null, "The plan waits for your approval"],
];
const building: Line[] = [
  [1330, "question", null, null, "You approved the plan"],
  [1320, "status", "w2", "design", "gemini started as architect"],
  [
    1296,
    "error",
    "w2",
    "design",
    "Path must be within one of the workspace directories",
    `Error executing tool write_file: Path must be within one of the workspace directories: /home/ana/code/shop-api`,
  ],
  [
    1293,
    "recovery",
    null,
    "design",
    "gemini wanted a folder outside of its own: launched again with docs/ included",
  ],
  [1292, "status", "w3", "design", "gemini started as architect, attempt 2"],
  [1210, "tool", "w3", "design", "write_file docs/rate-limits.md"],
  [1112, "milestone", "w3", "design", "The specification is complete"],
  [1042, "review", null, "design", "codex: approve, at 9c41d07, 0 findings"],
  [
    1040,
    "decision",
    null,
    "design",
    "CONTINUE: all reviewers approved",
    "1 valid verdict on tree 9c41d07, 1 needed.\nThe author gemini is not among the reviewers.\nRule 4 of 4, all approved: CONTINUE.",
  ],
  [1020, "session", null, "design", "Accepted and merged at 9c41d07"],
  [1000, "status", "w4", "limiter", "claude started as implementer"],
  [996, "progress", "w4", "limiter", "I will build the bucket first, then put it in front of the routes."],
  [940, "tool", "w4", "limiter", "Edit src/limits.rs"],
  [910, "tool", "w4", "limiter", "Edit src/lib.rs"],
  [
    860,
    "tool",
    "w4",
    "limiter",
    "cargo test -p limits",
    "running 14 tests\n..............\ntest result: ok. 14 passed; 0 failed",
  ],
  [700, "status", "w5", "config", "codex started as implementer"],
  [660, "task", "w5", "config", "2 of 5 done: read the section, defaults"],
  [612, "milestone", "w4", "limiter", "Bucket with per-key state"],
  [
    503,
    "review",
    null,
    "limiter",
    "codex: concern, at 4be1a90, 1 of 1 quote verified",
    "Refill overflows after a long sleep (src/limits.rs:52)",
  ],
  [500, "decision", null, "limiter", "LOG_WARNING: one concern goes back to its author"],
  [
    470,
    "progress",
    "w4",
    "limiter",
    "The refill is computed in f64 seconds now and capped at the burst size. Next: the layer in front of the routes.",
  ],
  [300, "tool", "w5", "config", "apply_patch src/config.rs"],
  [
    240,
    "tool",
    "w5",
    "config",
    "cargo test -p config",
    "error[E0308]: mismatched types\n  --> src/config.rs:31:20",
  ],
  [200, "tool", "w5", "config", "apply_patch src/config.rs"],
  [172, "milestone", "w4", "limiter", "Limits apply to every public route"],
];
const pausing: Line[] = [
  [160, "review", null, "limiter", "Review r3 of a1b2c3d begins: codex and gemini, round 2"],
  [
    82,
    "review",
    null,
    "limiter",
    "gemini: concern, at a1b2c3d, 1 of 1 quote verified",
    "Retry-After is sent in milliseconds (src/limits.rs:88)",
  ],
  [
    64,
    "review",
    null,
    "limiter",
    "codex: concern, at a1b2c3d, 1 of 2 quotes verified",
    "The health route is limited too (src/routes.rs:41)\nTest clock could be shared (quote not found)",
  ],
  [62, "decision", null, "limiter", "PAUSE_AND_CLARIFY: two or more concerns pause the work"],
  [62, "question", null, "limiter", "You are asked about the concerns of codex and gemini"],
  [38, "tool", "w5", "config", "cargo test -p config --all-features"],
];
const limit: Line[] = [
  [31, "error", "w4", "limiter", "failed (rate limited): You've hit your limit · resets 14:05"],
];
const waiting: Line[] = [
  [29, "recovery", "w4", "limiter", "claude (w4): waits until 14:05 after rate limited"],
];
const handing: Line[] = [
  [29, "recovery", "w4", "limiter", "claude (w4): handed over to gemini after rate limited"],
  [27, "status", "w7", "limiter", "gemini works on limiter, turn 2"],
  [20, "recovery", "w6", null, "claude (w6): handed over to gemini after rate limited"],
  [19, "review", null, "config", "gemini takes the seat of claude in r3"],
];
const stopping: Line[] = [
  [540, "session", null, null, "The machine slept for 412 s"],
  [120, "session", null, null, "Warning: 84 % of the limit tokens are used"],
  [50, "error", "w5", "config", "stopped at its limit: 512k of 500k tokens"],
];
const crashing: Line[] = [
  [95, "session", null, null, "Session resumed after a crash"],
  [60, "session", null, null, "Session resumed after a crash"],
  [
    12,
    "session",
    null,
    null,
    "Session resumed after a crash, in safe mode: nothing is started before you agree",
  ],
];
const ending: Line[] = [
  [60, "question", null, "limiter", "You answered: No limit on /healthz at all. Seconds."],
  [38, "session", null, "limiter", "Accepted and merged at e4f5a6b"],
  [8, "review", null, null, "gemini and claude: approve the whole session"],
  [6, "decision", null, null, "CONTINUE: all reviewers approved"],
  [5, "session", null, null, "Done: everything is accepted, and can be landed"],
];

const lines: Record<Scene, Line[]> = {
  planning: planning.slice(0, 4),
  plan: planning,
  working: [...planning, ...building],
  paused: [...planning, ...building],
  stopped: [...planning, ...building],
  question: [...planning, ...building, ...pausing],
  mending: [...planning, ...building, ...pausing, ending[0]!],
  quota: [...planning, ...building, ...limit, ...waiting],
  handover: [...planning, ...building, ...limit, ...handing],
  limits: [...planning, ...building, ...stopping],
  limited: [
    ...planning,
    ...building,
    ...stopping,
    [6, "session", null, null, "The limit tokens of this session is reached."],
    [5, "session", null, null, "Session limited: A limit was reached; everything is kept."],
  ],
  failure: [
    ...planning,
    ...building,
    [64, "error", "w4", "limiter", "failed (not signed in): Please run /login"],
    [62, "question", "w4", "limiter", "q2: claude cannot go on with limiter: it is not signed in."],
  ],
  safe: [...planning, ...building, ...crashing],
  interrupted: [...planning, ...building],
  disk: [...planning, ...building],
  ready: [...planning, ...building, ...pausing, ...ending],
  landed: [...planning, ...building, ...pausing, ...ending],
};

export function timeline(scene: Scene, now: number): TimelineItem[] {
  // A scene's last line is a few seconds old, whatever comes after it in the whole story.
  const late = Math.min(...lines[scene].map(([age]) => age)) - 3;
  const ordered = [...lines[scene]].sort(([a], [b]) => b - a);
  return ordered.map(([age, kind, worker, task, text, detail], at) => ({
    seq: at + 1,
    at: before(now, age - late),
    kind,
    agent: worker ? agentOf[worker]! : null,
    worker,
    task,
    text,
    detail: detail ?? "",
  }));
}
