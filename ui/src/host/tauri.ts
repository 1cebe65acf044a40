import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { Changed, Host } from "./host";

/** The program around this page. */
export const tauri: Host = {
  request: (call) => invoke("request", { call }),
  onChanged(callback) {
    const listening = listen<Changed>("changed", (event) => callback(event.payload));
    // Without the event, lists are only as fresh as their last reading; everything else still works.
    listening.catch((fault: unknown) => console.warn("no change events:", fault));
    return () => void listening.then((stop) => stop());
  },
  pickFolder: () => invoke("pick_folder"),
  openFolder: (session) => invoke("open_folder", { session }),
};
