/** The made-up session that `?demo` and the tests show: its plan, its people, its diff. */
import type { AgentInfo, CheckedFinding, Plan, Probe } from "../../generated/types";

export const GOAL =
  "Add rate limiting to the public API: 100 requests a minute for each key, 429 with Retry-After beyond that.\n\nLimits come from the configuration. The health route must never be limited. Document it for our users.";
export const TARGET = "/home/ana/code/shop-api";

export const agents: AgentInfo[] = (
  [
    ["claude", "/home/ana/.local/bin/claude", "2.1.4 (Claude Code)"],
    ["codex", "/home/ana/.local/share/codex/codex", "codex-cli 0.131.0"],
    ["gemini", "/usr/local/bin/gemini", "0.52.1"],
  ] as const
).map(([name, program, version]) => ({
  name,
  dialect: name,
  program,
  leading_args: [],
  version,
  demo: false,
}));

export const probes: Probe[] = [
  { name: "claude", state: "ok", text: "2.1.4, signed in, structured output proven", fix: "" },
  { name: "codex", state: "ok", text: "0.131.0, signed in, structured output proven", fix: "" },
  {
    name: "gemini",
    state: "warning",
    text: "0.52.1, found in /usr/local/bin, but nobody is signed in",
    fix: "gemini, then choose “Login with Google”",
  },
  { name: "git", state: "ok", text: "2.47.1", fix: "" },
  { name: "disk", state: "ok", text: "41 GiB free where sessions are kept", fix: "" },
];

export const bareProbes: Probe[] = [
  ...agents.map(({ name }) => ({
    name,
    state: "problem" as const,
    text: "not found on the login shell's PATH or in the usual folders",
    fix: {
      claude: "npm install -g @anthropic-ai/claude-code",
      codex: "npm install -g @openai/codex",
      gemini: "npm install -g @google/gemini-cli",
    }[name]!,
  })),
  { name: "git", state: "ok", text: "2.47.1", fix: "" },
];

export const plan: Plan = {
  summary:
    "First the rules are written down so that everybody works from the same text. Then the limiter and its configuration are built side by side, and at the end an agent that wrote neither checks both against the specification.",
  tasks: [
    {
      id: "design",
      title: "Specify the rate limits",
      role: "architect",
      agent: "gemini",
      weight: 15,
      instructions:
        "Write docs/rate-limits.md: which routes are limited, what a key is, the algorithm (token bucket), what 429 answers carry, and what happens when the clock jumps. Name every open question.",
      depends_on: [],
      acceptance: [{ type: "file", path: "docs/rate-limits.md" }],
      milestones: ["the specification is complete"],
      writes: true,
    },
    {
      id: "limiter",
      title: "Token bucket on every public route",
      role: "implementer",
      agent: "claude",
      weight: 45,
      instructions:
        "Build src/limits.rs as specified, with state for each key and no global lock on the hot path. Put it in front of the public routes in src/routes.rs. Unit tests with a clock that the test moves.",
      depends_on: ["design"],
      acceptance: [
        { type: "command", run: "cargo test -p limits" },
        { type: "command", run: "cargo clippy -- -D warnings" },
      ],
      milestones: ["bucket with per-key state", "limits apply to every public route"],
      writes: true,
    },
    {
      id: "config",
      title: "Limits from the configuration",
      role: "implementer",
      agent: "codex",
      weight: 25,
      instructions:
        "Read [limits] from shop.toml with defaults, refuse nonsense with the line named, and describe each key in docs/configuration.md.",
      depends_on: ["design"],
      acceptance: [
        { type: "command", run: "cargo test -p config" },
        { type: "file", path: "docs/configuration.md" },
      ],
      milestones: [],
      writes: true,
    },
    {
      id: "validate",
      title: "Hold the result against the specification",
      role: "reviewer",
      agent: "gemini",
      weight: 15,
      instructions:
        "Check every sentence of docs/rate-limits.md against the merged code. Name what is missing.",
      depends_on: ["limiter", "config"],
      acceptance: [],
      milestones: [],
      writes: false,
    },
  ],
};

export const findings: Record<"seconds" | "health" | "clock" | "jump", CheckedFinding> = {
  seconds: {
    finding: {
      severity: "concern",
      title: "Retry-After is sent in milliseconds",
      file: "src/limits.rs",
      lines: "88",
      quote: 'res.header("retry-after", wait.as_millis())',
      why: "RFC 9110 asks for whole seconds. Clients would wait a thousand times too long.",
      recommendation: "Use as_secs().max(1), and test the header.",
    },
    evidence: "verified",
    found_at: 88,
  },
  health: {
    finding: {
      severity: "concern",
      title: "The health route is limited too",
      file: "src/routes.rs",
      lines: "41-43",
      quote: '.route("/healthz", get(health))\n.layer(limit)',
      why: "The layer comes after all routes, so probes fail under load and the pod is restarted. The goal forbids it.",
      recommendation: "Apply the layer to the public router before /healthz is added.",
    },
    evidence: "verified",
    found_at: 41,
  },
  clock: {
    finding: {
      severity: "note",
      title: "Test clock could be shared",
      file: "src/limits.rs",
      lines: "140",
      quote: "struct ManualClock { now: Mutex<Instant> }",
      why: "config has the same one.",
      recommendation: "",
    },
    evidence: "not_found",
    found_at: null,
  },
  jump: {
    finding: {
      severity: "concern",
      title: "Refill overflows after a long sleep",
      file: "src/limits.rs",
      lines: "52",
      quote: "self.tokens += elapsed.as_nanos() as u32 * self.rate;",
      why: "The cast cuts off after 4.3 seconds of idle time.",
      recommendation: "Compute in u128 or with f64 seconds, and cap at the burst size.",
    },
    evidence: "verified",
    found_at: 52,
  },
};

export const diff = `diff --git a/src/limits.rs b/src/limits.rs
new file mode 100644
index 0000000..4be1a90
--- /dev/null
+++ b/src/limits.rs
@@ -0,0 +1,21 @@
+//! Token buckets, one for each key.
+
+use std::time::{Duration, Instant};
+
+pub struct Bucket {
+    tokens: f64,
+    burst: f64,
+    per_second: f64,
+    seen: Instant,
+}
+
+impl Bucket {
+    /// Takes one token, or says how long to wait for it.
+    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
+        let idle = now.duration_since(self.seen).as_secs_f64();
+        self.tokens = (self.tokens + idle * self.per_second).min(self.burst);
+        self.seen = now;
+        if self.tokens < 1.0 {
+            return Err(Duration::from_secs_f64((1.0 - self.tokens) / self.per_second));
+        }
+        self.tokens -= 1.0;
diff --git a/src/routes.rs b/src/routes.rs
index 9c41d07..a1b2c3d 100644
--- a/src/routes.rs
+++ b/src/routes.rs
@@ -36,11 +36,13 @@ pub fn router(state: App) -> Router {
     let public = Router::new()
         .route("/v1/orders", get(orders).post(order))
         .route("/v1/items", get(items));
-    Router::new()
-        .merge(public)
+    let limit = from_fn_with_state(state.limits.clone(), limits::check);
+    Router::new()
+        .merge(public)
         .route("/healthz", get(health))
+        .layer(limit)
         .with_state(state)
 }
 
 async fn health() -> &'static str {
     "ok"
`;

export const rawLog = [
  '{"type":"system","subtype":"init","session_id":"5b0e8c1c","model":"claude-opus-5","tools":["Bash","Edit","Read"]}',
  '{"type":"assistant","message":{"content":[{"type":"text","text":"I will build the bucket first, then put it in front of the routes."}]}}',
  '{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"cargo test -p limits"}}]}}',
  '{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t1","content":"test result: ok. 14 passed; 0 failed"}]}}',
]
  .join("\n")
  .concat("\n");
