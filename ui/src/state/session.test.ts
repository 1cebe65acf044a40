import { expect, test } from "vitest";
import type { Request, Response, Row } from "../generated/types";
import type { Host } from "../host/host";
import { scenes } from "../host/demo/scenes";
import { Session } from "./session.svelte";

const warning = (seq: number, n: number, text: string): Row => ({
  seq,
  key: `warning-${n}`,
  body: { type: "warning", text, at: "2026-11-21T10:00:00Z" },
});
const update = (seq: number, ...rows: Row[]): Response => ({ type: "update", seq, rows });
const refusal = { code: "internal", message: "the disk is full", hint: "Make room." } as const;

/** A host that answers from a list; an error in it is thrown. */
function listed(answers: (Response | typeof refusal)[]): Host & { asked: Request[]; most: number } {
  let open = 0;
  const host = {
    asked: [] as Request[],
    most: 0,
    async request(call: Request): Promise<Response> {
      host.asked.push(call);
      host.most = Math.max(host.most, ++open);
      await Promise.resolve();
      open -= 1;
      const answer = answers.shift();
      if (!answer) return new Promise(() => {});
      if ("code" in answer) throw answer;
      return answer;
    },
    onChanged: () => () => {},
    pickFolder: () => Promise.resolve(null),
    openFolder: () => Promise.resolve(),
  };
  return host;
}
const sinces = (asked: Request[]) => asked.map((call) => (call.type === "watch" ? call.since : -1));

test("a newer row replaces the one with its key, and the cursor moves on", async () => {
  const host = listed([
    update(3, warning(3, 1, "hot")),
    update(5, warning(5, 1, "hotter"), warning(4, 2, "cold")),
  ]);
  const session = new Session(host, "s");
  expect(session.ready).toBe(false);
  await session.read();
  await session.read();
  expect(session.warnings.map((row) => row.text)).toEqual(["hotter", "cold"]);
  expect(session.seq).toBe(5);
  expect(sinces(host.asked)).toEqual([0, 3]);
});

test("rows come in the order of their numbers, not of their letters", async () => {
  const host = listed([update(9, warning(1, 10, "ten"), warning(2, 9, "nine"), warning(3, 2, "two"))]);
  const session = new Session(host, "s");
  await session.read();
  expect(session.warnings.map((row) => row.text)).toEqual(["two", "nine", "ten"]);
});

test("following asks one question at a time, and never twice for the same", async () => {
  const host = listed([update(1, warning(1, 1, "a")), update(2, warning(2, 2, "b"))]);
  const session = new Session(host, "s");
  let painted = 0;
  void session.follow(async () => void (painted += 1));
  await expect.poll(() => host.asked.length).toBe(3);
  expect(sinces(host.asked)).toEqual([0, 1, 2]);
  expect(host.most).toBe(1);
  expect(painted).toBe(2);
  session.stop();
});

test("a lost connection is told, tried again after longer and longer rests, and the cursor is kept", async () => {
  const host = listed([update(7, warning(7, 1, "a")), refusal, refusal, update(8, warning(8, 1, "b"))]);
  const session = new Session(host, "s");
  const rests: number[] = [];
  const told: (string | undefined)[] = [];
  void session.follow(
    () => Promise.resolve(),
    async (ms) => {
      rests.push(ms);
      told.push(session.lost?.message);
    },
  );
  await expect.poll(() => session.seq).toBe(8);
  expect(sinces(host.asked).slice(0, 4)).toEqual([0, 7, 7, 7]);
  expect(rests).toEqual([250, 500]);
  expect(told).toEqual([refusal.message, refusal.message]);
  await expect.poll(() => session.lost).toBeNull();
  session.stop();
});

test("what arrives after the end changes nothing", async () => {
  const host = listed([update(3, warning(3, 1, "late"))]);
  const session = new Session(host, "s");
  const reading = session.read();
  session.stop();
  await reading;
  expect(session.warnings).toEqual([]);
  expect(session.seq).toBe(0);
});

test("an answer of another kind is a failure with a sentence", async () => {
  const session = new Session(listed([{ type: "accepted" }]), "s");
  await expect(session.read()).rejects.toMatchObject({ message: expect.stringContaining('"accepted"') });
});

test("a task that is named like a worker takes nobody's place, and tasks stand in the plan's order", async () => {
  const { plan: row, design, limiter, w1 } = scenes.question(0);
  if (row?.type !== "plan" || design?.type !== "task" || limiter?.type !== "task" || !w1) throw new Error();
  const [first, second] = row.plan.tasks;
  const plan = {
    ...row.plan,
    tasks: [
      { ...first!, id: "w1" },
      { ...second!, id: "plan" },
    ],
  };
  const rows: Row[] = [
    { seq: 1, key: "mend-1", body: { ...limiter, id: "mend-1" } },
    { seq: 2, key: "plan", body: { ...limiter, id: "plan" } },
    { seq: 3, key: "w1", body: { ...design, id: "w1" } },
    { seq: 4, key: "w1", body: w1 },
    { seq: 5, key: "plan", body: { ...row, plan } },
  ];
  const session = new Session(listed([update(5, ...rows)]), "s");
  await session.read();
  expect(session.tasks.map((task) => task.id)).toEqual(["w1", "plan", "mend-1"]);
  expect(session.worker("w1")?.role).toBe("lead");
  expect(session.plan?.version).toBe(1);
});
