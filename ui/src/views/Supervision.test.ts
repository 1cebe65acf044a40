import { fireEvent, render, screen, within } from "@testing-library/svelte";
import { expect, test } from "vitest";
import type { RowBody } from "../generated/types";
import { scenes, type Scene } from "../host/demo/scenes";
import { Fake, OURS } from "../host/fake";
import Session from "./Session.svelte";

type Body<T extends RowBody["type"]> = Extract<RowBody, { type: T }>;

async function show(scene: Scene) {
  const fake = new Fake();
  fake.play(scene);
  render(Session, { host: fake, id: OURS, summary: undefined });
  await screen.findByTestId("phase");
  return fake;
}
/** A row of a scene, changed. */
function changed<T extends RowBody["type"]>(scene: Scene, key: string, change: Partial<Body<T>>) {
  return { [key]: { ...(scenes[scene](Date.now())[key] as Body<T>), ...change } } as Record<string, RowBody>;
}
const said = (element: HTMLElement) => element.textContent!.replace(/\s+/g, " ").trim();
const agent = (name: string) =>
  within(screen.getAllByTestId("agent-card").find((card) => card.dataset.agent === name)!);
const ledger = (limit: string) =>
  screen.getByTestId("ledger").querySelector<HTMLElement>(`[data-limit=${limit}]`)!;

test("each limit of the session is shown with its cap, and from 80 % on with a sign and the share", async () => {
  await show("limits");
  expect(said(ledger("tokens"))).toBe("Tokens 1.7M/ 2.0M tokens 84 %");
  expect(ledger("tokens").dataset.level).toBe("notice");
  expect(ledger("tokens").querySelector("svg")).toBeTruthy();
  expect(said(ledger("workers"))).toBe("Workers 7/ 200 workers");
  expect(ledger("workers").querySelector("svg")).toBeNull();
  expect(screen.queryByTestId("limit-notice")).toBeNull();
});

test("what workers have used since counts before the session's own row says so", async () => {
  const fake = await show("limits");
  const usage = { input: 1_990_000, output: 20_000, cached: 0, cost_usd: 3 };
  fake.put(changed<"worker">("limits", "w4", { usage, cost_usd: 3 }));
  await expect.poll(() => ledger("tokens").dataset.level).toBe("reached");
  expect(said(screen.getByTestId("limit-notice"))).toMatch(
    /^The token limit is reached: 2\.\dM of 2\.0M tokens\. The workers are being stopped\. Everything is kept\.$/,
  );
  expect(ledger("money").title).toContain("at least");
});

test("money that nobody can know is unknown, and no share is drawn for it", async () => {
  const fake = await show("planning");
  const { spent } = scenes.planning(Date.now()).session as Body<"session">;
  fake.put(
    changed<"session">("planning", "session", {
      spent: { ...spent, usage: { ...spent.usage, cost_usd: null } },
    }),
  );
  fake.put(changed<"worker">("planning", "w1", { cost_usd: null, model: "house-model" }));
  await expect.poll(() => said(ledger("money"))).toBe("Money unknown/ $10");
  expect(within(ledger("money")).queryByRole("progressbar")).toBeNull();
  expect(said(agent("claude").getByTestId("worker-use"))).toContain("No price is known for house-model.");
});

test("a session that ended at a limit says at which", async () => {
  await show("limited");
  expect(screen.getByTestId("phase").textContent).toBe("limit reached");
  expect(said(screen.getByTestId("limit-notice"))).toContain("The token limit is reached");
  expect(said(screen.getByTestId("limit-notice"))).toContain("The workers were stopped.");
  expect(said(screen.getByTestId("calm"))).not.toContain("Nothing needs you");
});

test("a worker is shown against its own limits, and what stopped it with how much", async () => {
  await show("limits");
  expect(said(agent("claude").getByTestId("worker-use"))).toMatch(
    /^28 min · 112k tokens · \$0\.40 · 212 turns/,
  );
  expect(said(agent("claude").getByTestId("worker-use"))).toContain("212 of 400 turns");
  expect(said(agent("claude").getByTestId("worker-notice"))).toBe("93 % of its time: 28 of 30 min");
  expect(agent("codex").getAllByTestId("worker-stage").map(said)).toContain("at its limit");
  expect(said(agent("codex").getByTestId("worker-why"))).toBe("512k of 500k tokens");
});

test("an agent out of quota says until when, and who finds out whether it is back", async () => {
  const fake = await show("quota");
  expect(said(agent("claude").getByTestId("agent-stage"))).toBe("out of quota");
  expect(said(agent("claude").getByTestId("gate"))).toMatch(
    /^Its quota is used up until .*\d\d:\d\d, in 12 m \d+ s\. One worker will try then\.$/,
  );
  expect(agent("codex").queryByTestId("gate")).toBeNull();
  const until = new Date(Date.now() - 1000).toISOString();
  fake.put(changed<"session">("quota", "session", { gates: [{ agent: "claude", until, probe: "w9" }] }));
  await expect
    .poll(() => said(agent("claude").getByTestId("gate")))
    .toContain("w9 is finding out whether it is back");
  fake.put(changed<"session">("quota", "session", { gates: [] }));
  await expect.poll(() => agent("claude").queryByTestId("gate")).toBeNull();
});

test("a repair says what failed, what is done about it, until when it waits, and whether it worked", async () => {
  const fake = await show("quota");
  const [waiting, done] = screen.getAllByTestId("repair");
  expect(said(waiting!)).toMatch(
    /claude waiting limiter: usage limit reached → try again at .*in 12 m \d+ s/,
  );
  expect(said(done!)).toContain("gemini worked design: wanted");
  fake.put(changed<"recovery">("quota", "c2", { worked: false }));
  await expect.poll(() => said(screen.getAllByTestId("repair-state")[0]!)).toBe("did not help");
  expect(screen.queryByTestId("countdown")).toBeNull();
});

test("a hand-over says from whom to whom, and a seat given on stands in its review", async () => {
  await show("handover");
  const all = screen.getAllByTestId("repair").map(said);
  expect(all[0]).toContain("claude hands over to Ggemini under way review r3: usage limit reached");
  expect(all[0]).toContain("gemini takes its seat");
  expect(all[1]).toContain("limiter: usage limit reached → gemini goes on from the files as they stand");
  await fireEvent.click(screen.getByTestId("tab-reviews"));
  expect(said((await screen.findAllByTestId("seat-given"))[0]!)).toBe(
    "Has the seat of claude, which could not go on.",
  );
});

test("a failure that another vendor could take over offers it", async () => {
  const fake = await show("failure");
  expect(screen.getByRole("heading", { name: "claude cannot go on with limiter" })).toBeTruthy();
  await fireEvent.click(screen.getByTestId("answer-hand_over"));
  expect(fake.acts()).toEqual([{ type: "answer", question: "q2", choice: "hand_over", text: "" }]);
});

test("safe mode asks before anything runs, in words of its own", async () => {
  const fake = await show("safe");
  const card = within(screen.getByTestId("question"));
  expect(card.getByRole("heading").textContent).toContain("Safe mode");
  expect(said(card.getByTestId("answer-retry"))).toContain("Let it go on");
  await fireEvent.click(card.getByTestId("answer-retry"));
  expect(fake.acts()).toEqual([{ type: "answer", question: "q2", choice: "retry", text: "" }]);
});

test("an interrupted session says why, shows nobody at work, and goes on with one click", async () => {
  const fake = await show("interrupted");
  expect(said(screen.getByTestId("interrupted-why"))).toContain("The machine was restarted");
  expect(screen.getAllByTestId("cut-worker")).toHaveLength(2);
  for (const name of ["claude", "codex"])
    expect(said(agent(name).getByTestId("agent-stage"))).toBe("not running");
  const stages = screen.getAllByTestId("task-stage").map(said);
  expect(stages).toEqual(["accepted", "was working", "was working", "waiting"]);
  expect(screen.queryByTestId("calm")).toBeNull();
  await fireEvent.click(screen.getByTestId("resume-here"));
  expect(fake.asked.filter((call) => call.type === "resume")).toEqual([{ type: "resume", session: OURS }]);
});

test("of a session that nobody runs no repair is under way, and no quota is waited for", async () => {
  const fake = await show("quota");
  fake.put(changed<"session">("quota", "session", { phase: "interrupted" }));
  await expect.poll(() => said(screen.getAllByTestId("repair-state")[0]!)).toBe("not finished");
  expect(agent("claude").queryByTestId("gate")).toBeNull();
});

test("while nothing can be written down nobody is shown at work, and it is not said that nothing is needed", async () => {
  const fake = await show("working");
  const why = "only 300 MiB are free on the disk of the sessions (work waits, nothing is lost)";
  fake.put(changed<"session">("working", "session", { phase: "needs_you", why }));
  expect(said(await screen.findByTestId("held"))).toContain("Work stands still only 300 MiB are free");
  expect(said(agent("codex").getByTestId("agent-stage"))).toBe("stands still");
  expect(screen.queryByTestId("calm")).toBeNull();
  fake.put(changed<"session">("working", "session", {}));
  await expect.poll(() => screen.queryByTestId("held")).toBeNull();
  expect(said(agent("codex").getByTestId("agent-stage"))).toBe("working");
});
