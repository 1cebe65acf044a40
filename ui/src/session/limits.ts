/** What is used of which limit, as numbers and in words. What crosses a limit is stopped elsewhere; here it is only told. */
import type { SessionRow, WorkerCaps, WorkerRow } from "../generated/types";
import { count } from "../parts/format";

/** From this share on the user is told (SPEC section 9). */
const NOTICE = 0.8;

export interface Used {
  name: "tokens" | "money" | "time" | "workers" | "turns";
  /** Used and capped, ready to be read: `1.6M` of `2M tokens`. */
  used: string;
  cap: string;
  /** Used by capped; `null` without a limit, or when nobody knows what was used. */
  share: number | null;
}

const share = (used: number, cap: number) => (cap > 0 ? used / cap : null);
const money = (usd: number) => `$${usd.toFixed(2)}`;
const round = (usd: number) => `$${Number.isInteger(usd) ? usd : usd.toFixed(2)}`;
const minutes = (from: string, to: number) => Math.max(0, Math.floor((to - Date.parse(from)) / 60_000));
const tokensOf = ({ usage }: WorkerRow) => usage.input + usage.output;

/** `of 60 min`; a limit of 0 is none. */
const cap = (limit: number, text: string) => (limit > 0 ? text : "no limit");

/**
 * The ledger of a session until a moment in milliseconds. Its own row is as old as the last worker that began or ended;
 * the workers' rows say what has been used since.
 */
export function ofSession(head: SessionRow, workers: WorkerRow[], until: number): Used[] {
  const { spent } = head;
  const tokens = Math.max(
    spent.usage.input + spent.usage.output,
    workers.reduce((sum, worker) => sum + tokensOf(worker), 0),
  );
  const told = workers.flatMap((worker) => (worker.cost_usd === null ? [] : [worker.cost_usd]));
  const sums = [
    ...(spent.usage.cost_usd === null ? [] : [spent.usage.cost_usd]),
    ...(told.length > 0 ? [told.reduce((sum, cost) => sum + cost, 0)] : []),
  ];
  const cost = sums.length > 0 ? Math.max(...sums) : null;
  const incomplete =
    spent.cost_incomplete || workers.some((worker) => worker.cost_usd === null && tokensOf(worker) > 0);
  const time = minutes(head.began, until);
  return [
    {
      name: "tokens",
      used: count(tokens),
      cap: cap(spent.tokens_cap, `${count(spent.tokens_cap)} tokens`),
      share: share(tokens, spent.tokens_cap),
    },
    {
      name: "money",
      used: cost === null ? (tokens > 0 ? "unknown" : "$0") : `${incomplete ? "≥ " : ""}${money(cost)}`,
      cap: cap(spent.cost_cap, round(spent.cost_cap)),
      share: cost === null ? null : share(cost, spent.cost_cap),
    },
    {
      name: "time",
      used: String(time),
      cap: cap(spent.minutes_cap, `${spent.minutes_cap} min`),
      share: share(time, spent.minutes_cap),
    },
    {
      name: "workers",
      used: String(spent.workers),
      cap: cap(spent.workers_cap, `${spent.workers_cap} workers`),
      share: share(spent.workers, spent.workers_cap),
    },
  ];
}

/** What one worker has used until a moment in milliseconds. */
export function ofWorker(worker: WorkerRow, caps: WorkerCaps, until: number): Used[] {
  const time = minutes(worker.began, worker.ended === null ? until : Date.parse(worker.ended));
  const tokens = tokensOf(worker);
  const cost = worker.cost_usd;
  return [
    {
      name: "time",
      used: String(time),
      cap: cap(caps.minutes, `${caps.minutes} min`),
      share: share(time, caps.minutes),
    },
    {
      name: "tokens",
      used: count(tokens),
      cap: cap(caps.tokens, `${count(caps.tokens)} tokens`),
      share: share(tokens, caps.tokens),
    },
    {
      name: "money",
      used: cost !== null ? money(cost) : tokens > 0 ? "unknown" : "$0",
      cap: cap(caps.cost_usd, round(caps.cost_usd)),
      share: cost === null ? null : share(cost, caps.cost_usd),
    },
    {
      name: "turns",
      used: String(worker.turns),
      cap: cap(caps.turns, `${caps.turns} turns`),
      share: share(worker.turns, caps.turns),
    },
  ];
}

export const level = ({ share }: Used): "plain" | "notice" | "reached" =>
  share === null || share < NOTICE ? "plain" : share < 1 ? "notice" : "reached";

/** Never rounded up: what is not reached does not say 100 %. */
export const percent = ({ share }: Used): number => Math.floor((share ?? 0) * 100);
