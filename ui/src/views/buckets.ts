import type { Phase, SessionSummary } from "../generated/types";

export interface Bucket {
  name: string;
  attention: boolean;
  sessions: SessionSummary[];
}

const names = ["Needs you", "Working", "Ready to land", "Done"] as const;

/** States of attention, not of processes. */
const places: Record<Phase, (typeof names)[number]> = {
  needs_you: "Needs you",
  interrupted: "Needs you",
  planning: "Working",
  working: "Working",
  paused: "Working",
  stopping: "Working",
  ready_to_land: "Ready to land",
  landed: "Done",
  stopped: "Done",
  limited: "Done",
  failed: "Done",
};

/** Sessions in the order in which they want attention; empty buckets are left out. */
export function buckets(sessions: SessionSummary[]): Bucket[] {
  return names
    .map((name) => ({
      name,
      attention: name === "Needs you",
      sessions: sessions.filter((session) => places[session.phase] === name),
    }))
    .filter((bucket) => bucket.sessions.length > 0);
}

/** How many sessions wait for the user. */
export function waiting(sessions: SessionSummary[]): number {
  return sessions.filter((session) => places[session.phase] === "Needs you").length;
}
