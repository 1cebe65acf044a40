import type { TimelineItem, TimelineKind } from "../generated/types";

/** What the timeline shows in a row: one item, or a run of tool calls of one worker. */
export interface Fold {
  key: number;
  items: TimelineItem[];
}

/** Kinds behind each filter, in the order in which they are offered. */
export const filters: { id: string; name: string; kinds: TimelineKind[] }[] = [
  { id: "work", name: "work", kinds: ["status", "progress", "task", "milestone"] },
  { id: "tools", name: "tools", kinds: ["tool"] },
  { id: "reviews", name: "reviews", kinds: ["review", "finding"] },
  { id: "decisions", name: "decisions", kinds: ["decision", "question"] },
  { id: "problems", name: "problems", kinds: ["blocker", "error", "recovery"] },
  { id: "session", name: "session", kinds: ["session"] },
];

export interface Wanted {
  /** Ids of `filters`; none means all. */
  kinds: ReadonlySet<string>;
  agent: string;
  text: string;
}

export function sift(items: TimelineItem[], { kinds, agent, text }: Wanted): TimelineItem[] {
  const allowed = new Set(
    filters.filter((filter) => kinds.size === 0 || kinds.has(filter.id)).flatMap((filter) => filter.kinds),
  );
  const needle = text.trim().toLowerCase();
  return items.filter(
    (item) =>
      allowed.has(item.kind) &&
      (agent === "" || item.agent === agent) &&
      (needle === "" ||
        item.text.toLowerCase().includes(needle) ||
        item.detail.toLowerCase().includes(needle) ||
        (item.task ?? "").includes(needle)),
  );
}

/** Three or more neighbouring tool calls of one worker become one row. */
export function fold(items: TimelineItem[]): Fold[] {
  const rows: Fold[] = [];
  for (let at = 0; at < items.length;) {
    const first = items[at]!;
    let end = at + 1;
    if (first.kind === "tool")
      while (items[end]?.kind === "tool" && items[end]?.worker === first.worker) end += 1;
    const run = items.slice(at, end);
    if (run.length >= 3) rows.push({ key: first.seq, items: run });
    else rows.push(...run.map((item) => ({ key: item.seq, items: [item] })));
    at = end;
  }
  return rows;
}
