import { fireEvent, render, screen } from "@testing-library/svelte";
import { beforeEach, expect, test } from "vitest";
import App from "../App.svelte";
import { TARGET } from "../host/demo/project";
import { Fake, OURS } from "../host/fake";

beforeEach(() => history.replaceState(null, "", location.pathname));

async function show(prepare: (fake: Fake) => void = () => {}) {
  const fake = new Fake();
  prepare(fake);
  render(App, { host: fake });
  await screen.findAllByTestId("probe");
  fake.asked.length = 0;
  return fake;
}
const click = (testid: string) => fireEvent.click(screen.getByTestId(testid));
const type = (testid: string, value: string) =>
  fireEvent.input(screen.getByTestId(testid), { target: { value } });
const missing = () => screen.getByTestId("missing").textContent;

test("from the folder to the consent to the session", async () => {
  const fake = await show();
  await click("pick-folder");
  expect((await screen.findByTestId("target-facts")).textContent).toMatch(/main.*3 files with uncommitted/s);
  expect((screen.getByTestId("target-path") as HTMLInputElement).value).toBe(TARGET);
  await type("goal", "Add rate limiting");
  await click("consent");
  await type("consent-word", "Unsandboxed ");
  await click("start");
  await screen.findByTestId("phase");
  expect(fake.asked.filter((call) => call.type === "open")).toEqual([
    { type: "open", goal: "Add rate limiting", target: TARGET, approve: false, unsandboxed: true },
  ]);
  expect(location.hash).toBe(`#${OURS}`);
});

test("what is missing is said, and nothing is sent", async () => {
  const fake = await show();
  await click("start");
  expect(missing()).toBe("Choose a project folder first.");
  await type("target-path", "/p");
  await click("start");
  expect(missing()).toBe("Write what should be done first.");
  await type("goal", "x");
  await click("start");
  expect(missing()).toContain("without a sandbox");
  await type("consent-word", "yes");
  await click("start");
  expect(missing()).toContain("without a sandbox");
  expect(fake.asked.filter((call) => call.type === "open")).toEqual([]);
});

test("configuration that a project brings is loaded only after a typed yes", async () => {
  const files = [".claude/settings.json", ".mcp.json"];
  await show((fake) => (fake.brought = { files, hash: "5ec7e7", approved: false, unfit: null }));
  await click("pick-folder");
  expect((await screen.findByTestId("brought")).textContent).toMatch(/2 files.*Not loaded.*5ec7e7/s);
  const approve = () => screen.getByTestId("trust") as HTMLButtonElement;
  expect(approve().disabled).toBe(true);
  await type("trust-word", "sure");
  expect(approve().disabled).toBe(true);
  await type("trust-word", "Yes ");
  await click("trust");
  await click((await screen.findByTestId("distrust")).dataset.testid ?? "");
  expect((await screen.findByTestId("trust-word")).closest("section")?.textContent).toContain("Not loaded");
});

test("where the sandbox holds nobody has to agree", async () => {
  const fake = await show((fake) =>
    fake.found.push({ name: "sandbox", state: "ok", text: "Level L3 by bubblewrap 0.8.0.", fix: "" }),
  );
  await type("target-path", "/p");
  await type("goal", "x");
  await click("start");
  await screen.findByTestId("phase");
  expect(fake.asked.filter((call) => call.type === "open")).toEqual([
    { type: "open", goal: "x", target: "/p", approve: false, unsandboxed: false },
  ]);
});

test("a folder that cannot be used says why", async () => {
  const fault = { code: "usage", message: "/p is not a folder.", hint: "Choose another." } as const;
  await show((fake) => fake.refuse("inspect", fault));
  await type("target-path", "/p");
  await fireEvent.change(screen.getByTestId("target-path"));
  expect((await screen.findByTestId("target-problem")).textContent).toContain(fault.message);
});

test("a picker that was closed changes nothing", async () => {
  const fake = await show((fake) => (fake.folder = null));
  await type("target-path", "/typed");
  await click("pick-folder");
  expect((screen.getByTestId("target-path") as HTMLInputElement).value).toBe("/typed");
  expect(fake.asked).toEqual([]);
});

test("without any agent the demo comes first, and needs no consent", async () => {
  const fake = await show((fake) => (fake.installed = false));
  const demo = screen.getByTestId("demo");
  expect(demo.classList).toContain("primary");
  expect(demo.compareDocumentPosition(screen.getByTestId("goal"))).toBe(Node.DOCUMENT_POSITION_FOLLOWING);
  await click("demo");
  await screen.findByTestId("phase");
  expect(fake.asked.find((call) => call.type === "demo")).toEqual({ type: "demo", approve: false });
});

test("a refused start is told, and the words are kept", async () => {
  const fault = { code: "preflight", message: "git is not installed.", hint: "apt install git" } as const;
  await show((fake) => fake.refuse("demo", fault));
  await type("goal", "keep me");
  await click("demo");
  expect((await screen.findByTestId("problem")).textContent).toContain("apt install git");
  expect((screen.getByTestId("goal") as HTMLTextAreaElement).value).toBe("keep me");
});

test("the title counts the sessions that wait", async () => {
  const fake = await show();
  fake.play("question");
  await expect.poll(() => document.title).toBe("(1) Meta-Orchestrator");
  expect((await screen.findByTestId("session-row")).textContent).toContain("needs you");
});
