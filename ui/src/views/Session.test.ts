import { fireEvent, render, screen, within } from "@testing-library/svelte";
import { expect, test } from "vitest";
import { plan } from "../host/demo/project";
import { scenes, type Scene } from "../host/demo/scenes";
import { Fake, OURS } from "../host/fake";
import Session from "./Session.svelte";

async function show(scene: Scene, prepare: (fake: Fake) => void = () => {}) {
  const fake = new Fake();
  prepare(fake);
  fake.play(scene);
  render(Session, { host: fake, id: OURS, summary: undefined });
  await screen.findByTestId("phase");
  return fake;
}
const click = async (testid: string) => fireEvent.click(await screen.findByTestId(testid));
const type = async (testid: string, value: string) =>
  fireEvent.input(await screen.findByTestId(testid), { target: { value } });
const late = {
  code: "usage",
  message: "Question q2 has been answered already.",
  hint: "Nothing was changed.",
} as const;

test("a plan that waits is shown as a document, and approving answers exactly its question", async () => {
  const fake = await show("plan");
  expect(screen.getAllByTestId("plan-task")).toHaveLength(4);
  expect(screen.getByText("Then, 2 at the same time")).toBeTruthy();
  await click("approve-plan");
  expect(fake.acts()).toEqual([{ type: "answer", question: "q1", choice: "approve", text: "" }]);
});

test("the project's folder is opened by the session's name, never by a path", async () => {
  const fake = await show("plan");
  await click("open-folder");
  expect(fake.shown).toEqual([OURS]);
});

test("another plan is asked for with the user's words", async () => {
  const fake = await show("plan");
  await type("answer-text", "  Leave the docs to me. ");
  await click("answer-replan");
  expect(fake.acts()).toEqual([
    { type: "answer", question: "q1", choice: "replan", text: "Leave the docs to me." },
  ]);
});

test("an edited plan is saved whole before it can be approved", async () => {
  const fake = await show("plan");
  await fireEvent.click(screen.getAllByRole("button", { name: "Edit" })[0]!);
  await type("edit-title", "Specify them well");
  expect((screen.getByTestId("approve-plan") as HTMLButtonElement).disabled).toBe(true);
  await click("save-plan");
  const wanted = structuredClone(plan);
  wanted.tasks[0]!.title = "Specify them well";
  expect(fake.acts()).toEqual([{ type: "edit_plan", plan: wanted }]);

  fake.put({ plan: { type: "plan", version: 2, plan: wanted, by: { type: "person" }, approved: null } });
  await expect.poll(() => screen.queryByTestId("unsaved")).toBeNull();
  expect((screen.getByTestId("approve-plan") as HTMLButtonElement).disabled).toBe(false);
  expect(screen.getByText(/version 2, edited by you/)).toBeTruthy();
});

test("a refused plan keeps the edit and says what is wrong", async () => {
  const fake = await show("plan", (fake) =>
    fake.refuse("act", { code: "usage", message: "the weights add up to 120", hint: "Make them 100." }),
  );
  await fireEvent.click(screen.getAllByRole("button", { name: "Edit" })[0]!);
  await type("edit-title", "Other");
  await click("save-plan");
  expect((await screen.findByTestId("problem")).textContent).toContain("the weights add up to 120");
  expect(screen.getByTestId("unsaved")).toBeTruthy();
  expect(fake.acts()).toHaveLength(1);
});

test("a question shows the verdicts with their evidence, and the answer goes to it", async () => {
  const fake = await show("question");
  const question = await screen.findByTestId("question");
  expect(
    within(question)
      .getAllByTestId("verdict")
      .map((one) => one.textContent),
  ).toEqual(["concern", "concern"]);
  expect(
    within(question)
      .getAllByTestId("evidence")
      .map((one) => one.textContent),
  ).toEqual(["quote verified", "quote not found", "quote verified"]);
  await type("answer-text", "No limit on /healthz. Seconds.");
  await click("answer-instruct");
  expect(fake.acts()).toEqual([
    { type: "answer", question: "q2", choice: "instruct", text: "No limit on /healthz. Seconds." },
  ]);
  fake.play("mending");
  await expect.poll(() => screen.queryByTestId("question")).toBeNull();
});

test("a late click says why nothing happened, and keeps what was typed", async () => {
  await show("question", (fake) => fake.refuse("act", late));
  await type("answer-text", "my words");
  await click("answer-override");
  const alert = await screen.findByTestId("problem");
  expect(alert.textContent).toContain(late.message);
  expect(alert.textContent).toContain(late.hint);
  expect((screen.getByTestId("answer-text") as HTMLTextAreaElement).value).toBe("my words");
});

test("the latest decision stands there with its trace, and is spoken", async () => {
  await show("question");
  const decision = screen.getByTestId("decision");
  expect(decision.textContent).toContain("Pause and clarify");
  expect(within(decision).getAllByRole("listitem")).toHaveLength(5);
  const spoken = document.querySelector("[aria-live=polite]")!;
  expect(spoken.textContent).toContain("Decision: Pause and clarify");
});

test("each agent has one card, with what its workers do and how long ago they spoke", async () => {
  await show("question");
  const cards = screen.getAllByTestId("agent-card");
  expect(
    cards.map((card) => [card.dataset.agent, within(card).getByTestId("agent-stage").textContent]),
  ).toEqual([
    ["claude", "paused"],
    ["codex", "working"],
    ["gemini", "idle"],
  ]);
  expect(within(cards[1]!).getByTestId("truth").textContent).toMatch(
    /running\s+cargo test -p config --all-features\s+\d+ s · last event \d+ s ago · alive/,
  );
});

test("workers of a session that nobody runs are not called alive", async () => {
  const fake = await show("working");
  const head = scenes.working(Date.now()).session!;
  if (head.type !== "session") throw new Error();
  fake.put({ session: { ...head, phase: "interrupted", why: "Nobody runs it." } });
  await screen.findByTestId("resume");
  expect(screen.getAllByTestId("truth").map((line) => line.textContent)).toEqual([
    expect.stringMatching(/last event \d+ s ago · not running/),
    expect.stringMatching(/last event \d+ s ago · not running/),
  ]);
  await click("resume");
  expect(fake.asked.at(-1)).toEqual({ type: "resume", session: OURS });
});

test.each([
  ["working", "review-now", { type: "review", task: null }],
  ["working", "pause", { type: "pause" }],
  ["paused", "unpause", { type: "unpause" }],
  ["working", "stop", { type: "stop", now: false }],
] as const)("in %s, %s asks for the right thing", async (scene, testid, act) => {
  const fake = await show(scene);
  await click(testid);
  expect(fake.acts()).toEqual([act]);
});

test("landing is tried out once, offers what would work, and is done as chosen", async () => {
  const fake = await show("ready");
  await type("land-message", "Rate limits");
  await click("land-squash");
  expect(fake.acts()).toEqual([{ type: "land", method: "squash", message: "Rate limits" }]);
  expect(fake.asked.filter((call) => call.type === "dry_run")).toHaveLength(1);
  fake.play("landed");
  expect((await screen.findByTestId("landed")).textContent).toContain("main at f00dcafe");
  expect(screen.queryByTestId("land")).toBeNull();
});

test("words of agents are text, whatever they look like", async () => {
  const fake = await show("question");
  const evil = "<img src=x onerror=alert(1)><b>bold</b>";
  const rows = scenes.question(Date.now());
  const { w5, q2 } = rows;
  if (w5?.type !== "worker" || q2?.type !== "question") throw new Error();
  fake.put({ w5: { ...w5, last_text: evil }, q2: { ...q2, text: evil } });
  await expect.poll(() => screen.queryAllByText(evil).length).toBe(2);
  expect(document.querySelector("img")).toBeNull();
});

test("the tabs show reviews, changes and the raw log, and ask for each once", async () => {
  const fake = await show("question");
  await click("tab-reviews");
  expect(screen.getAllByTestId("review-card").map((card) => card.dataset.review)).toEqual(["r3", "r2", "r1"]);
  await click("tab-changes");
  expect(await screen.findAllByTestId("diff-file")).toHaveLength(2);
  await click("tab-log");
  expect(await screen.findByText(/"subtype":"init"/)).toBeTruthy();
  const asked = fake.asked.map((call) => call.type);
  expect(asked.filter((type) => type === "diff")).toHaveLength(1);
  expect(asked.filter((type) => type === "timeline").length).toBeLessThan(3);
});
