import { expect, test } from "vitest";
import type { TimelineItem } from "../generated/types";
import { plan } from "../host/demo/project";
import { scenes, type Scene } from "../host/demo/scenes";
import { timeline } from "../host/demo/timeline";
import { ago, base, count, duration, line, list, many } from "../parts/format";
import { buckets } from "../views/buckets";
import { patches } from "./diff";
import { filters, fold, sift } from "./fold";
import { pipeline, steps } from "./pipeline";

const NOW = Date.parse("2026-11-21T10:00:00Z");
const past = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

test.each([
  [ago(past(4), NOW), "4 s"],
  [ago(past(61), NOW), "1 m"],
  [ago(past(7200), NOW), "2 h"],
  [ago(past(260_000), NOW), "3 d"],
  [ago(past(-5), NOW), "0 s"],
  [duration(past(38), NOW), "38 s"],
  [duration(past(151), NOW), "2 m 31 s"],
  [duration(past(3840), NOW), "1 h 4 m"],
  [count(999), "999"],
  [count(812_200), "812k"],
  [count(1_240_000), "1.2M"],
  [count(52_000_000), "52M"],
  [base("/home/ana/code/shop-api/"), "shop-api"],
  [base("C:\\code\\shop"), "shop"],
  [base("/"), "/"],
  [line("  first\nsecond"), "first"],
  [list(["a", "b", "c"]), "a, b and c"],
  [many(1, "file"), "1 file"],
])("%s is shown as %s", (shown, wanted) => expect(shown).toBe(wanted));

function ticks(scene: Scene): string {
  const bodies = Object.values(scenes[scene](NOW));
  const of = <T extends string>(type: T) => bodies.filter((body) => body.type === type) as never[];
  const facts = { head: of("session")[0]!, plan: of("plan")[0], tasks: of("task"), reviews: of("review") };
  const open = bodies.filter((body) => body.type === "question" && body.answer === null) as never[];
  return pipeline({ ...facts, open })
    .map((step) => step.tick)
    .join(" ");
}

test.each<[Scene, string]>([
  ["planning", "now open open open open open"],
  ["plan", "needs open open open open open"],
  ["working", "done done now open open open"],
  ["question", "done done now open needs open"],
  ["ready", "done done done done done now"],
  ["landed", "done done done done done done"],
])("the pipeline of %s", (scene, wanted) => expect(ticks(scene)).toBe(wanted));

test("tasks that wait for the same stand side by side; a circle ends", () => {
  const ids = (rows: { id: string }[][]) => rows.map((row) => row.map((task) => task.id));
  expect(ids(steps(plan.tasks))).toEqual([["design"], ["limiter", "config"], ["validate"]]);
  const circle = [
    { id: "a", depends_on: ["b"] },
    { id: "b", depends_on: ["a", "gone"] },
  ];
  expect(steps(circle).flat()).toHaveLength(2);
});

test("a diff is read file by file, with the line numbers of both sides", () => {
  const text = [
    "diff --git a/a b.txt b/a b.txt",
    "index 1..2 100644",
    "--- a/a b.txt\t",
    "+++ b/a b.txt\t",
    "@@ -3,2 +3,3 @@ fn x()",
    " same",
    "--- a line that was removed",
    "+++ a line that was added",
    "+<img src=x>",
    "\\ No newline at end of file",
    "diff --git a/p.png b/p.png",
    "Binary files a/p.png and b/p.png differ",
    "",
  ].join("\n");
  const [file, picture, ...more] = patches(text);
  expect(more).toEqual([]);
  expect([file!.path, file!.added, file!.removed]).toEqual(["a b.txt", 2, 1]);
  expect(file!.lines.map(({ kind, old, new: now, text }) => [kind, old, now, text])).toEqual([
    ["hunk", null, null, "@@ -3,2 +3,3 @@ fn x()"],
    ["same", 3, 3, "same"],
    ["del", 4, null, "-- a line that was removed"],
    ["add", null, 4, "++ a line that was added"],
    ["add", null, 5, "<img src=x>"],
    ["meta", null, null, "No newline at end of file"],
  ]);
  expect([picture!.path, picture!.lines[0]!.kind]).toEqual(["p.png", "meta"]);
});

test("neighbouring tool calls of one worker fold, others do not", () => {
  const call = (seq: number, worker: string, kind: TimelineItem["kind"] = "tool") =>
    ({ seq, worker, kind, agent: null, task: null, at: past(0), text: "", detail: "" }) as TimelineItem;
  const items = [
    ...[1, 2, 3].map((seq) => call(seq, "w1")),
    ...[4, 5].map((seq) => call(seq, "w2")),
    call(6, "w2", "progress"),
  ];
  expect(fold(items).map((row) => row.items.map((one) => one.seq))).toEqual([[1, 2, 3], [4], [5], [6]]);
});

test("the filter keeps what matches all of it, and every kind belongs to one filter", () => {
  const items = timeline("question", NOW);
  const texts = (kinds: string[], agent: string, text: string) =>
    sift(items, { kinds: new Set(kinds), agent, text }).map((item) => item.text);
  expect(texts([], "", "")).toHaveLength(items.length);
  expect(texts(["decisions"], "", "pause_and")).toEqual([
    "PAUSE_AND_CLARIFY: two or more concerns pause the work",
  ]);
  expect(texts(["tools"], "gemini", "")).toEqual(["write_file docs/rate-limits.md"]);
  expect(texts([], "", "14 passed")).toEqual(["cargo test -p limits"]);
  const kinds = filters.flatMap((filter) => filter.kinds);
  expect(new Set(kinds).size).toBe(kinds.length);
});

test("sessions stand in buckets of attention", () => {
  const row = (session: string, phase: never) => ({ session, phase }) as never;
  const phases = ["working", "interrupted", "landed", "needs_you", "ready_to_land", "limited"];
  const grouped = buckets(phases.map((phase) => row(phase, phase as never)));
  expect(grouped.map((bucket) => [bucket.name, bucket.sessions.map((one) => one.session)])).toEqual([
    ["Needs you", ["interrupted", "needs_you"]],
    ["Working", ["working"]],
    ["Ready to land", ["ready_to_land"]],
    ["Done", ["landed", "limited"]],
  ]);
});
