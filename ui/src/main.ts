import { mount } from "svelte";
import App from "./App.svelte";
import type { Host } from "./host/host";
import { tauri } from "./host/tauri";
import "./styles/tokens.css";
import "./styles/base.css";

/** `?demo` shows the window with made-up sessions, to look at its design without the program behind it. */
async function host(): Promise<Host> {
  const demo = new URLSearchParams(location.search).get("demo");
  return demo === null ? tauri : (await import("./host/fake")).scripted(demo);
}

const target = document.getElementById("app");
if (target) mount(App, { target, props: { host: await host() } });
