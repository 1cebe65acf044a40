import type { PlanRow, QuestionRow, ReviewRow, Role, SessionRow, TaskRow } from "../generated/types";

export type Tick = "done" | "now" | "needs" | "open" | "none";
export interface Step {
  name: string;
  tick: Tick;
}

export interface Facts {
  head: SessionRow;
  plan: PlanRow | undefined;
  tasks: TaskRow[];
  reviews: ReviewRow[];
  open: QuestionRow[];
}

/** Where a session is, as ticks: a way of showing its rows, never what anything hangs on. */
export function pipeline({ head, plan, tasks, reviews, open }: Facts): Step[] {
  const asked = (about: string) => open.some((question) => question.about.type === about);
  const approved = plan?.approved != null;
  const work = (role: Role): Tick => {
    const of = tasks.filter((task) => task.role === role);
    if (of.length === 0) return approved ? "none" : "open";
    if (of.every((task) => task.stage === "accepted")) return "done";
    return of.some((task) => task.stage !== "waiting" && task.stage !== "accepted") ? "now" : "open";
  };
  const reading = reviews.some((review) => review.seats.some((seat) => seat.ballot === null));
  const through = head.phase === "ready_to_land" || head.phase === "landed";
  const deciding = open.some((question) => question.about.type !== "plan");
  return [
    { name: "Plan", tick: approved ? "done" : asked("plan") ? "needs" : "now" },
    { name: "Architecture", tick: work("architect") },
    { name: "Implement", tick: work("implementer") },
    { name: "Review", tick: through ? "done" : reading ? "now" : "open" },
    { name: "Decide", tick: deciding ? "needs" : through ? "done" : "open" },
    { name: "Land", tick: head.landed !== null ? "done" : through ? "now" : "open" },
  ];
}

/** Tasks by how many others must be accepted before them: what stands together can run in parallel. */
export function steps<T extends { id: string; depends_on: string[] }>(tasks: T[]): T[][] {
  const levels = new Map<string, number>();
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const level = (task: T, above: ReadonlySet<string>): number => {
    const known = levels.get(task.id);
    if (known !== undefined) return known;
    // A circle is the program's to refuse; here it must only not be followed for ever.
    const path = new Set(above).add(task.id);
    const before = task.depends_on.flatMap((id) => (path.has(id) ? [] : (byId.get(id) ?? [])));
    const found = before.length === 0 ? 0 : 1 + Math.max(...before.map((other) => level(other, path)));
    levels.set(task.id, found);
    return found;
  };
  const rows: T[][] = [];
  for (const task of tasks) (rows[level(task, new Set())] ??= []).push(task);
  return [...rows].filter((row) => row !== undefined);
}
