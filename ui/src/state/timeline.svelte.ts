import type { Seq, SessionId, TimelineItem, UserError } from "../generated/types";
import { ask, asUserError, type Host } from "../host/host";

/** Items asked for at once. */
const PAGE = 500;
/** Items kept at most: the backend has all of them. */
export const MOST = 4000;

/** A bounded part of a session's timeline: its end when it is followed, else what was scrolled to. */
export class Timeline {
  items = $state.raw<TimelineItem[]>([]);
  fault = $state<UserError | null>(null);
  /** Entries before the first item have not been loaded. */
  earlier = $state(false);
  /** There is more after the last item, and it is not loaded because the list is full. */
  full = $state(false);

  /** Loaded is what lies in (first, last]. */
  #first: Seq = 0;
  #last: Seq = 0;
  #started = false;
  #loading = false;
  #wanted: Seq = 0;

  constructor(
    private readonly host: Host,
    private readonly session: SessionId,
  ) {}

  /** Loads what came up to `seq`. While `following`, the oldest items make room; else a full list stays as it is. */
  async reach(seq: Seq, following: boolean) {
    this.#wanted = Math.max(this.#wanted, seq);
    if (this.#loading) return;
    if (!this.#started) {
      this.#started = true;
      this.#first = this.#last = Math.max(0, this.#wanted - MOST / 2);
      this.earlier = 0 < this.#first;
    }
    this.#loading = true;
    try {
      for (;;) {
        if (!following && MOST <= this.items.length) {
          this.full = true;
          return;
        }
        const before = this.#last;
        const page = await this.#page(before);
        this.#last = Math.max(before, page.seq);
        this.#keep([...this.items, ...page.items], "end");
        // Asked again for what came while the page was on its way, but never twice in vain.
        if (this.#last === before || (!page.more && this.#wanted <= this.#last)) break;
      }
      this.full = false;
      this.fault = null;
    } catch (thrown) {
      this.fault = asUserError(thrown);
    } finally {
      this.#loading = false;
    }
  }

  /** Loads the page before the first item. */
  async before() {
    if (this.#loading || this.#first === 0) return;
    this.#loading = true;
    const from = Math.max(0, this.#first - PAGE);
    try {
      const page = await this.#page(from);
      this.#keep([...page.items.filter((item) => item.seq <= this.#first), ...this.items], "begin");
      this.#first = from;
      this.earlier = 0 < from;
      this.fault = null;
    } catch (thrown) {
      this.fault = asUserError(thrown);
    } finally {
      this.#loading = false;
    }
  }

  /** Forgets what is loaded and begins at the end again. */
  async end(seq: Seq) {
    this.items = [];
    this.#started = false;
    this.full = false;
    await this.reach(seq, true);
  }

  #page(after: Seq) {
    return ask(this.host, { type: "timeline", session: this.session, after, limit: PAGE }, "timeline");
  }

  #keep(items: TimelineItem[], side: "begin" | "end") {
    if (items.length <= MOST) {
      this.items = items;
    } else if (side === "end") {
      this.items = items.slice(-MOST);
      this.#first = (this.items[0]?.seq ?? 1) - 1;
      this.earlier = true;
    } else {
      this.items = items.slice(0, MOST);
      this.#last = this.items.at(-1)?.seq ?? this.#last;
      this.full = true;
    }
  }
}
