/** Numbers and texts as they are shown. Nothing here decides anything. */

/** How long ago, in the largest unit that says enough: `4 s`, `3 m`, `2 h`, `5 d`. */
export function ago(from: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(from)) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** A length of time: `38 s`, `2 m 31 s`, `1 h 4 m`. */
export function duration(from: string, to: number): string {
  const seconds = Math.max(0, Math.floor((to - Date.parse(from)) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} m`;
}

/** How long until then; nothing once it has passed. */
export function left(until: string, now: number): string {
  return duration(new Date(now).toISOString(), Date.parse(until));
}

/** Local time of day to the minute; with the day, when it is another one. */
export function hour(at: string, now: number): string {
  const when = new Date(at);
  const of = { hour: "2-digit", minute: "2-digit" } as const;
  if (when.toDateString() === new Date(now).toDateString()) return when.toLocaleTimeString("en-GB", of);
  return when.toLocaleString("en-GB", { ...of, day: "numeric", month: "short" });
}

/** Time of day, to the second. */
export function time(at: string): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

/** Date and time in full, for titles. */
export function moment(at: string): string {
  return new Date(at).toLocaleString();
}

/** `812k`, `1.2M`. */
export function count(n: number): string {
  if (n < 1000) return String(n);
  if (n < 1_000_000) return `${Math.round(n / 1000)}k`;
  if (n < 10_000_000) return `${(n / 1_000_000).toFixed(1)}M`;
  return `${Math.round(n / 1_000_000)}M`;
}

/** The first seven characters of an object id. */
export function short(hash: string): string {
  return hash.slice(0, 7);
}

/** The last part of a path. */
export function base(path: string): string {
  return (
    path
      .replace(/[/\\]+$/, "")
      .split(/[/\\]/)
      .at(-1) || path
  );
}

/** The first line that says something. */
export function line(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}

/** `1 file`, `3 files`. */
export function many(n: number, one: string, more = `${one}s`): string {
  return `${n} ${n === 1 ? one : more}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function list(items: string[]): string {
  return items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
