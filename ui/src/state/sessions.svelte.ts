import type { AgentInfo, Probe, SessionSummary, UserError } from "../generated/types";
import { ask, asUserError, type Host } from "../host/host";

/** Lists are read again at most this often, in milliseconds. */
const AT_MOST_EVERY = 1000;

/** All sessions of the workspace, and what of the machine is in order. */
export class Sessions {
  list = $state.raw<SessionSummary[]>([]);
  probes = $state.raw<Probe[] | null>(null);
  agents = $state.raw<AgentInfo[]>([]);
  fault = $state<UserError | null>(null);
  ready = $state(false);

  #reading = false;
  #again = false;

  constructor(readonly host: Host) {}

  /** Reads now, and again after each change; gives the function that ends it. */
  follow(): () => void {
    void this.read();
    return this.host.onChanged(() => void this.read());
  }

  /** One reading at a time: changes meanwhile cause one more, a little later. */
  async read() {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    try {
      this.list = (await ask(this.host, { type: "sessions" }, "sessions")).sessions;
      this.fault = null;
      this.ready = true;
    } catch (thrown) {
      this.fault = asUserError(thrown);
    }
    setTimeout(() => {
      this.#reading = false;
      if (!this.#again) return;
      this.#again = false;
      void this.read();
    }, AT_MOST_EVERY);
  }

  async examine() {
    this.probes = null;
    try {
      const doctor = await ask(this.host, { type: "doctor" }, "doctor");
      this.probes = doctor.probes;
      this.agents = doctor.agents;
    } catch (thrown) {
      const fault = asUserError(thrown);
      this.probes = [{ name: "doctor", state: "problem", text: fault.message, fix: fault.hint }];
    }
  }
}
