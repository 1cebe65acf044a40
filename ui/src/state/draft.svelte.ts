import type { Plan, PlanRow } from "../generated/types";

/** A plan under the user's pen, until it is saved as a new version. */
export class Draft {
  plan = $state<Plan | null>(null);
  /** The version it began with. */
  version = $state(0);
  #clean = $state("");

  readonly dirty = $derived(this.plan !== null && JSON.stringify(this.plan) !== this.#clean);

  /** Takes the newest version, unless there are changes that would be lost; gives whether it did. */
  take(row: PlanRow): boolean {
    if (row.version === this.version) return true;
    if (this.dirty && JSON.stringify(row.plan) !== JSON.stringify(this.plan)) return false;
    this.begin(row);
    return true;
  }

  /** Begins again with a version; changes are lost. */
  begin(row: PlanRow) {
    this.version = row.version;
    this.#clean = JSON.stringify(row.plan);
    this.plan = JSON.parse(this.#clean) as Plan;
  }

  /** A copy without the page's bookkeeping, to be sent. */
  copy(): Plan {
    return JSON.parse(JSON.stringify(this.plan)) as Plan;
  }
}
