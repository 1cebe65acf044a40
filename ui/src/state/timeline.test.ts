import { expect, test } from "vitest";
import type { Request, Response, TimelineItem } from "../generated/types";
import type { Host } from "../host/host";
import { MOST, Timeline } from "./timeline.svelte";

const item = (seq: number): TimelineItem => ({
  seq,
  at: "2026-11-21T10:00:00Z",
  kind: "progress",
  agent: null,
  worker: null,
  task: null,
  text: `e${seq}`,
  detail: "",
});

/** A session whose every entry is an item. */
function long(length: () => number): Host & { pages: number[] } {
  const pages: number[] = [];
  return {
    pages,
    request(call: Request): Promise<Response> {
      if (call.type !== "timeline") return Promise.reject(new Error(call.type));
      pages.push(call.after);
      const last = Math.min(length(), call.after + call.limit);
      const items = Array.from({ length: Math.max(0, last - call.after) }, (_, at) =>
        item(call.after + 1 + at),
      );
      return Promise.resolve({ type: "timeline", items, seq: last, more: last < length() });
    },
    onChanged: () => () => {},
    pickFolder: () => Promise.resolve(null),
    openFolder: () => Promise.resolve(),
  };
}
const span = (timeline: Timeline) => [timeline.items[0]?.seq, timeline.items.at(-1)?.seq];

test("a short session is loaded whole, and only what is new is asked for again", async () => {
  let length = 700;
  const host = long(() => length);
  const timeline = new Timeline(host, "s");
  await timeline.reach(700, true);
  expect(span(timeline)).toEqual([1, 700]);
  length = 703;
  await timeline.reach(703, true);
  expect(span(timeline)).toEqual([1, 703]);
  expect(host.pages).toEqual([0, 500, 700]);
  expect(timeline.earlier).toBe(false);
});

test("of a long session the end is loaded, and the rest on request", async () => {
  const timeline = new Timeline(
    long(() => 1_000_000),
    "s",
  );
  await timeline.reach(1_000_000, true);
  expect(span(timeline)).toEqual([1_000_000 - MOST / 2 + 1, 1_000_000]);
  expect(timeline.earlier).toBe(true);
  await timeline.before();
  expect(span(timeline)).toEqual([1_000_000 - MOST / 2 - 499, 1_000_000]);
});

test("the list stays bounded while it is followed, and stands still while it is read", async () => {
  let length = 3000;
  const timeline = new Timeline(
    long(() => length),
    "s",
  );
  await timeline.reach(length, true);
  length = 9000;
  await timeline.reach(length, true);
  expect(span(timeline)).toEqual([9000 - MOST + 1, 9000]);
  length = 9500;
  await timeline.reach(length, false);
  expect(span(timeline)).toEqual([9000 - MOST + 1, 9000]);
  expect(timeline.full).toBe(true);
  await timeline.end(length);
  expect(timeline.items.at(-1)?.seq).toBe(9500);
});

test("a failed page is told, and tried again with the next change", async () => {
  const host = long(() => 3);
  const request = host.request;
  host.request = () => Promise.reject({ code: "internal", message: "no", hint: "" });
  const timeline = new Timeline(host, "s");
  await timeline.reach(3, true);
  expect(timeline.fault?.message).toBe("no");
  host.request = request;
  await timeline.reach(3, true);
  expect(timeline.fault).toBeNull();
  expect(span(timeline)).toEqual([1, 3]);
});
