import type { SessionId, UserError, WorkerId } from "../generated/types";
import { ask, asUserError, type Host } from "../host/host";

/** Characters kept at most; the file has all of them. */
const MOST = 400_000;
/** How much of a log's end is read first, in bytes. */
const TAIL = 64 * 1024;

/** A bounded part of a worker's raw output. */
export class RawOutput {
  text = $state("");
  /** First byte that is shown, and the byte after the last. */
  from = $state(0);
  next = $state(0);
  size = $state(0);
  fault = $state<UserError | null>(null);
  #loading = false;

  constructor(
    private readonly host: Host,
    private readonly session: SessionId,
    private readonly worker: WorkerId,
  ) {}

  get more() {
    return this.next < this.size;
  }

  /** Shows the end of the log, or its beginning. */
  async open(at: "begin" | "end") {
    await this.#load(async () => {
      let page = await this.#page(0);
      let from = 0;
      if (at === "end" && page.next < page.size) {
        from = Math.max(page.next, page.size - TAIL);
        page = await this.#page(from);
      }
      this.text = page.text;
      this.from = from;
      this.next = page.next;
      this.size = page.size;
    });
  }

  /** Adds the next page; the oldest text makes room. */
  async forward() {
    await this.#load(async () => {
      const page = await this.#page(this.next);
      this.text = (this.text + page.text).slice(-MOST);
      this.next = page.next;
      this.size = page.size;
    });
  }

  #page(from: number) {
    return ask(this.host, { type: "log", session: this.session, worker: this.worker, from }, "log");
  }

  async #load(load: () => Promise<void>) {
    if (this.#loading) return;
    this.#loading = true;
    try {
      await load();
      this.fault = null;
    } catch (thrown) {
      this.fault = asUserError(thrown);
    } finally {
      this.#loading = false;
    }
  }
}
