import { SvelteMap } from "svelte/reactivity";
import type { Act, Row, RowBody, Seq, SessionId, UserError } from "../generated/types";
import { ask, asUserError, type Host } from "../host/host";

type Kind = RowBody["type"];
type BodyOf<K extends Kind> = Extract<RowBody, { type: K }>;

/** Waits for the next frame, so that a flood of changes costs one paint each; also runs while the window is hidden. */
function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    if (document.hidden) setTimeout(resolve, 250);
    else requestAnimationFrame(() => resolve());
  });
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What this window knows of a session: rows by key, and how far it has read. */
export class Session {
  readonly rows = new SvelteMap<string, Row>();
  /** The cursor: everything up to here has been seen. */
  seq = $state<Seq>(0);
  /** Why nothing arrives, while nothing does. */
  lost = $state<UserError | null>(null);
  /** The first answer is there. */
  ready = $state(false);

  readonly head = $derived(this.#list("session")[0]);
  readonly plan = $derived(this.#list("plan")[0]);
  /** In the plan's order; what came up on the way stands behind it. */
  readonly tasks = $derived(this.#inPlan(this.#list("task")));
  readonly workers = $derived(this.#list("worker"));
  readonly reviews = $derived(this.#list("review"));
  readonly decisions = $derived(this.#list("decision"));
  readonly questions = $derived(this.#list("question"));
  readonly recoveries = $derived(this.#list("recovery"));
  readonly warnings = $derived(this.#list("warning"));
  /** When a worker last said something or ended. */
  readonly last = $derived(
    this.workers
      .map((worker) => worker.ended ?? worker.last_event)
      .sort()
      .at(-1),
  );
  /** Oldest first. */
  readonly open = $derived(this.questions.filter((question) => question.answer === null));

  #stopped = false;

  constructor(
    private readonly host: Host,
    readonly id: SessionId,
  ) {}

  /** Rows of a kind, in the order of the numbers in their keys. */
  #list<K extends Kind>(kind: K): BodyOf<K>[] {
    return [...this.rows.values()]
      .filter((row) => row.body.type === kind)
      .sort((a, b) => number(a.key) - number(b.key))
      .map((row) => row.body as BodyOf<K>);
  }

  #inPlan(tasks: BodyOf<"task">[]): BodyOf<"task">[] {
    const places = new Map(this.plan?.plan.tasks.map((task, at) => [task.id, at]));
    const at = (task: BodyOf<"task">) => places.get(task.id) ?? places.size;
    return tasks.sort((a, b) => at(a) - at(b));
  }

  /** Follows the session until `stop`: ask, upsert, paint, ask again. One question at a time; a failed one is asked again. */
  async follow(paint: () => Promise<unknown> = nextFrame, rest: (ms: number) => Promise<unknown> = sleep) {
    for (let failures = 0; !this.#stopped;) {
      try {
        await this.read();
        this.lost = null;
        failures = 0;
        await paint();
      } catch (thrown) {
        if (this.#stopped) return;
        this.lost = asUserError(thrown);
        await rest(Math.min(5000, 250 * 2 ** failures++));
      }
    }
  }

  async read() {
    const update = await ask(this.host, { type: "watch", session: this.id, since: this.seq }, "update");
    if (this.#stopped) return;
    for (const row of update.rows) this.rows.set(place(row.body.type, row.key), row);
    this.seq = update.seq;
    this.ready = true;
  }

  stop() {
    this.#stopped = true;
  }

  /** Does something to the session; rejects with a `UserError`. Consequences arrive as rows. */
  async act(act: Act) {
    await ask(this.host, { type: "act", session: this.id, act }, "accepted");
  }

  worker(id: string) {
    return this.#find("worker", id);
  }
  task(id: string) {
    return this.#find("task", id);
  }
  review(id: string) {
    return this.#find("review", id);
  }
  decision(id: string) {
    return this.#find("decision", id);
  }

  #find<K extends Kind>(kind: K, key: string): BodyOf<K> | undefined {
    const body = this.rows.get(place(kind, key))?.body;
    return body?.type === kind ? (body as BodyOf<K>) : undefined;
  }
}

/** A task may have any name, also one that looks like a worker's: a key is unique among its kind. */
function place(kind: Kind, key: string): string {
  return `${kind} ${key}`;
}

/** `w12` → 12, `warning-7` → 7; keys without a number (tasks may have any name) keep the order in which they came. */
function number(key: string): number {
  const digits = /^(?:[a-z]|warning-)(\d+)$/.exec(key);
  return digits ? Number(digits[1]) : 0;
}
