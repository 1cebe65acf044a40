import type {
  Act,
  Brought,
  Probe,
  Request,
  Response,
  Row,
  SessionId,
  SessionSummary,
  TimelineItem,
  UserError,
} from "../generated/types";
import { agents, bareProbes, diff, GOAL, probes, rawLog, TARGET } from "./demo/project";
import { before, scenes, type Rows, type Scene } from "./demo/scenes";
import { timeline } from "./demo/timeline";
import type { Changed, Host } from "./host";

const OURS = "0199a2c4-7f31-7bd0-9c55-2f6f1c0a7e11";

/** A host without a program behind it: what it answers is made up, and what it is asked is kept. */
export class Fake implements Host {
  /** Everything that was asked, but for `watch` and lists. */
  readonly asked: Request[] = [];
  readonly watched: number[] = [];
  /** Sessions whose folder was to be opened. */
  readonly shown: SessionId[] = [];
  /** What the next requests of a type are refused with. */
  readonly refusals = new Map<Request["type"], UserError[]>();
  folder: string | null = TARGET;
  installed = true;
  /** Further lines of the doctor. */
  found: Probe[] = [];
  /** What the chosen project brings along. */
  brought: Brought | null = null;
  others: SessionSummary[] = [];
  /** What acts lead to; for the design page. */
  onAct: (act: Act) => void = () => {};

  #rows = new Map<string, Row>();
  #items: TimelineItem[] = [];
  #seq = 0;
  #watchers: (() => void)[] = [];
  #listeners = new Set<(changed: Changed) => void>();
  #open = false;

  /** Puts the session into a scene: only rows that differ are new. */
  play(scene: Scene, now = Date.now()) {
    this.#open = true;
    const told = new Set(this.#items.map((item) => item.text));
    const news = timeline(scene, now).filter((item) => !told.has(item.text));
    this.#items = [...this.#items, ...news.map((item) => ({ ...item, seq: ++this.#seq }))];
    this.put(scenes[scene](now));
  }

  put(rows: Rows) {
    for (const [key, body] of Object.entries(rows)) {
      const old = this.#rows.get(key);
      if (JSON.stringify(old?.body) !== JSON.stringify(body))
        this.#rows.set(key, { seq: ++this.#seq, key, body });
    }
    this.#watchers.splice(0).forEach((wake) => wake());
    this.#listeners.forEach((tell) => tell({ session: OURS, seq: this.#seq }));
  }

  refuse(type: Request["type"], error: UserError) {
    this.refusals.set(type, [...(this.refusals.get(type) ?? []), error]);
  }

  acts(): Act[] {
    return this.asked.flatMap((call) => (call.type === "act" ? [call.act] : []));
  }

  onChanged(callback: (changed: Changed) => void) {
    this.#listeners.add(callback);
    return () => void this.#listeners.delete(callback);
  }

  pickFolder() {
    return Promise.resolve(this.folder);
  }

  openFolder(session: SessionId) {
    this.shown.push(session);
    return Promise.resolve();
  }

  async request(call: Request): Promise<Response> {
    if (call.type === "watch") this.watched.push(call.since);
    else if (call.type !== "sessions") this.asked.push(call);
    const refusal = this.refusals.get(call.type)?.shift();
    if (refusal) throw refusal;
    switch (call.type) {
      case "doctor":
        return {
          type: "doctor",
          probes: [...(this.installed ? probes : bareProbes), ...this.found],
          agents: this.installed ? agents : [],
        };
      case "sessions":
        return { type: "sessions", sessions: this.#summaries() };
      case "scoreboard":
        return {
          type: "scoreboard",
          board: { sessions: 0, demos: 0, unreadable: [], reviewers: [], overridden: [] },
        };
      case "inspect":
        return {
          type: "target",
          facts: { path: call.target, repository: true, branch: "main", dirty: 3, checks: ["cargo test"] },
        };
      case "brought":
        return { type: "brought", brought: this.brought };
      case "trust":
        if (this.brought) this.brought = { ...this.brought, approved: call.hash === this.brought.hash };
        return { type: "accepted" };
      case "open":
      case "demo":
        this.play("planning");
        return { type: "opened", session: OURS };
      case "resume":
        return { type: "opened", session: call.session };
      case "watch":
        return this.#watch(call.since);
      case "timeline":
        return {
          type: "timeline",
          items: this.#items.filter((item) => call.after < item.seq).slice(0, call.limit),
          seq: Math.max(call.after, this.#seq),
          more: false,
        };
      case "log":
        return { type: "log", text: call.from === 0 ? rawLog : "", next: rawLog.length, size: rawLog.length };
      case "diff":
        return {
          type: "diff",
          text: diff,
          files: [
            { path: "src/limits.rs", added: 21, removed: 0 },
            { path: "src/routes.rs", added: 4, removed: 2 },
          ],
        };
      case "dry_run":
        return {
          type: "dry_run",
          facts: {
            into: "main",
            methods: ["fast_forward", "merge", "squash", "keep"],
            conflicts: [],
            in_the_way: [],
            commits: 4,
            refused: null,
          },
        };
      case "act":
        this.onAct(call.act);
        return { type: "accepted" };
    }
  }

  async #watch(since: number): Promise<Response> {
    const news = () => [...this.#rows.values()].filter((row) => since < row.seq);
    if (news().length === 0) await new Promise<void>((wake) => this.#watchers.push(wake));
    const rows = news().sort((a, b) => a.seq - b.seq);
    return { type: "update", seq: this.#seq, rows };
  }

  #summaries(): SessionSummary[] {
    const row = this.#rows.get("session");
    if (!this.#open || row?.body.type !== "session") return this.others;
    const { session, goal, target, phase, why, began, demo } = row.body;
    const tasks = [...this.#rows.values()].flatMap(({ body }) => (body.type === "task" ? [body] : []));
    const accepted = tasks.filter((task) => task.stage === "accepted").length;
    const last = this.#items.at(-1)?.at ?? began;
    return [
      {
        session,
        goal,
        target,
        phase,
        why,
        held: phase !== "interrupted",
        left: 0,
        began,
        last,
        accepted,
        tasks: tasks.length,
        damage: null,
        demo,
      },
      ...this.others,
    ];
  }
}

function other(
  id: number,
  goal: string,
  project: string,
  phase: SessionSummary["phase"],
  age: number,
): SessionSummary {
  const now = Date.now();
  return {
    session: `0199a2c4-0000-7000-8000-00000000000${id}` satisfies SessionId,
    goal,
    target: `/home/ana/code/${project}`,
    phase,
    why: phase === "interrupted" ? "Its program is gone; resume it to go on." : "",
    held: phase === "working",
    left: 0,
    began: before(now, age + 1800),
    last: before(now, age),
    accepted: 3,
    tasks: 4,
    damage: null,
    demo: false,
  };
}

/** The design page: `?demo` begins at the plan and answers to clicks; `?demo=question` begins at another scene. */
export function scripted(begin: string): Fake {
  const fake = new Fake();
  if (begin === "first") {
    fake.installed = false;
    return fake;
  }
  fake.others = [
    other(1, "Move the configuration to TOML", "billing", "interrupted", 720),
    other(2, "Dark mode for reports", "web", "working", 4),
    other(3, "Fix the flaky clock tests", "core", "ready_to_land", 3000),
    other(4, "Typed errors in the parser", "core", "landed", 90_000),
    other(5, "Upgrade to axum 0.8", "shop-api", "stopped", 300_000),
  ];
  const later = (scene: Scene, ms: number) => setTimeout(() => fake.play(scene), ms);
  fake.onAct = (act) => {
    if (act.type === "pause") fake.play("paused");
    if (act.type === "unpause") fake.play("working");
    if (act.type === "stop") fake.play("stopped");
    if (act.type === "land") fake.play("landed");
    if (act.type === "answer" && act.choice === "approve") {
      fake.play("working");
      later("question", 6000);
    }
    if (act.type === "answer" && act.choice === "retry") fake.play("working");
    if (act.type === "answer" && act.choice === "hand_over") fake.play("handover");
    if (act.type === "answer" && act.choice === "instruct") {
      fake.play("mending");
      later("ready", 6000);
    }
  };
  if (begin === "home") return fake;
  fake.play(begin in scenes ? (begin as Scene) : "plan");
  if (!location.hash) location.hash = OURS;
  return fake;
}

export { GOAL, OURS };
