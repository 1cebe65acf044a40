import type { UserError } from "../generated/types";
import { asUserError } from "../host/host";

/** Something a person asked for: whether it is under way, and why it did not work. */
export class Attempt {
  busy = $state(false);
  fault = $state<UserError | null>(null);

  /** Gives whether it worked. A second one waits for nobody: it is refused while the first is under way. */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.fault = null;
    try {
      await work();
      return true;
    } catch (thrown) {
      this.fault = asUserError(thrown);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
