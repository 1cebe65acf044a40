/** The word, icon and tone of everything that can be shown: one place, so that no state is told by colour alone. */
import Activity from "@lucide/svelte/icons/activity";
import Ban from "@lucide/svelte/icons/ban";
import BadgeQuestionMark from "@lucide/svelte/icons/badge-question-mark";
import Bot from "@lucide/svelte/icons/bot";
import Check from "@lucide/svelte/icons/check";
import CircleCheck from "@lucide/svelte/icons/circle-check";
import CircleDashed from "@lucide/svelte/icons/circle-dashed";
import CircleDot from "@lucide/svelte/icons/circle-dot";
import CirclePause from "@lucide/svelte/icons/circle-pause";
import CircleSlash from "@lucide/svelte/icons/circle-slash";
import CircleStop from "@lucide/svelte/icons/circle-stop";
import CircleX from "@lucide/svelte/icons/circle-x";
import Flag from "@lucide/svelte/icons/flag";
import Gavel from "@lucide/svelte/icons/gavel";
import GitMerge from "@lucide/svelte/icons/git-merge";
import Hourglass from "@lucide/svelte/icons/hourglass";
import LifeBuoy from "@lucide/svelte/icons/life-buoy";
import ListTodo from "@lucide/svelte/icons/list-todo";
import MessageCircleQuestionMark from "@lucide/svelte/icons/message-circle-question-mark";
import MessageSquareText from "@lucide/svelte/icons/message-square-text";
import OctagonAlert from "@lucide/svelte/icons/octagon-alert";
import PencilLine from "@lucide/svelte/icons/pencil-line";
import Scale from "@lucide/svelte/icons/scale";
import Search from "@lucide/svelte/icons/search";
import SearchX from "@lucide/svelte/icons/search-x";
import Terminal from "@lucide/svelte/icons/terminal";
import TriangleAlert from "@lucide/svelte/icons/triangle-alert";
import Wrench from "@lucide/svelte/icons/wrench";
import type { Component } from "svelte";
import type {
  Action,
  Actor,
  Choice,
  Dialect,
  Evidence,
  Failure,
  LandMethod,
  Phase,
  ProbeState,
  Repair,
  Role,
  Rule,
  Severity,
  Subject,
  TaskStage,
  TimelineKind,
  Trigger,
  Verdict,
  WorkerStage,
} from "../generated/types";

export type Tone = "working" | "needs" | "warn" | "done" | "quiet";
export interface Word {
  word: string;
  icon: Component;
  tone: Tone;
}

const say = (word: string, icon: Component, tone: Tone): Word => ({ word, icon, tone });

export const phases: Record<Phase, Word> = {
  planning: say("planning", ListTodo, "working"),
  needs_you: say("needs you", MessageCircleQuestionMark, "needs"),
  working: say("working", CircleDot, "working"),
  paused: say("paused", CirclePause, "warn"),
  stopping: say("stopping", CircleStop, "warn"),
  interrupted: say("interrupted", CircleSlash, "needs"),
  ready_to_land: say("ready to land", CircleCheck, "done"),
  landed: say("landed", GitMerge, "done"),
  stopped: say("stopped", CircleStop, "quiet"),
  limited: say("limit reached", TriangleAlert, "warn"),
  failed: say("failed", CircleX, "needs"),
};

export const taskStages: Record<TaskStage, Word> = {
  waiting: say("waiting", CircleDashed, "quiet"),
  preparing: say("preparing", CircleDot, "working"),
  working: say("working", CircleDot, "working"),
  checking: say("checking", Terminal, "working"),
  reviewing: say("in review", Search, "working"),
  mending: say("mending", PencilLine, "warn"),
  merging: say("merging", GitMerge, "working"),
  accepted: say("accepted", CircleCheck, "done"),
  blocked: say("waits for you", MessageCircleQuestionMark, "needs"),
};

export const workerStages: Record<WorkerStage, Word> = {
  starting: say("starting", CircleDashed, "working"),
  working: say("working", CircleDot, "working"),
  asking: say("asks you", MessageCircleQuestionMark, "needs"),
  frozen: say("paused", CirclePause, "warn"),
  done: say("done", CircleCheck, "done"),
  failed: say("failed", CircleX, "needs"),
  stopped: say("stopped", CircleStop, "quiet"),
  interrupted: say("not running", CircleSlash, "quiet"),
};

export const idle: Word = say("idle", CircleDashed, "quiet");

/** An agent that nobody may ask for a while. */
export const outOfQuota: Word = say("out of quota", Hourglass, "warn");

/** A worker that a limit of its own stopped. */
export const limitStop: Word = say("at its limit", TriangleAlert, "warn");

/** A worker that is held because nothing can be written down, or the disk is almost full. */
export const still: Word = say("stands still", CirclePause, "warn");

/** A worker that was at work when its session lost its process. */
export const gone: Word = say("not running", CircleSlash, "quiet");

export const verdicts: Record<Verdict, Word> = {
  approve: say("approve", CircleCheck, "done"),
  concern: say("concern", TriangleAlert, "warn"),
  blocker: say("blocker", OctagonAlert, "needs"),
};
export const voided: Word = say("no verdict", Ban, "quiet");
export const reading: Word = say("reading", Search, "working");

export const severities: Record<Severity, Word> = {
  note: say("note", MessageSquareText, "quiet"),
  concern: say("concern", TriangleAlert, "warn"),
  blocker: say("blocker", OctagonAlert, "needs"),
};

export const evidences: Record<Evidence, Word> = {
  verified: say("quote verified", Check, "done"),
  not_found: say("quote not found", SearchX, "warn"),
  not_checkable: say("not checkable", BadgeQuestionMark, "quiet"),
};

export const actions: Record<Action, Word> = {
  CONTINUE: say("Continue", CircleCheck, "done"),
  LOG_WARNING: say("Warn, and mend on the way", TriangleAlert, "warn"),
  PAUSE_AND_CLARIFY: say("Pause and clarify", CirclePause, "needs"),
  STOP_AND_ESCALATE: say("Stop and escalate", OctagonAlert, "needs"),
};

export const rules: Record<Rule, string> = {
  any_blocker: "a blocker stops the work",
  two_concerns: "two or more concerns pause the work",
  rounds_exhausted: "the last round of review ended without approval",
  one_concern: "one concern goes back to its author",
  too_few_verdicts: "fewer valid verdicts than needed",
  no_independent_reviewer: "only one vendor is there, so nobody independent could review",
  reviewer_missing: "those that judged approve, but a reviewer gave no verdict",
  all_approved: "all reviewers approved",
  unrepairable: "a failure that only you can resolve",
  worker_asked: "a worker asked you",
  person: "a person decided",
};

export const actors: Record<Actor, string> = {
  rule: "by rule",
  person: "by you",
  setting: "by setting",
  demo: "by the demo's script",
};

export const triggers: Record<Trigger, string> = {
  milestone: "a milestone was announced",
  blocker: "a blocker was reported",
  requested: "the worker asked for it",
  manual: "you asked for it",
  fallback: "too long without a review",
  acceptance: "before the task is accepted",
  validation: "a reviewing task of the plan",
  final: "before the session is done",
};

export const roles: Record<Role, string> = {
  lead: "lead",
  architect: "architect",
  implementer: "implementer",
  reviewer: "reviewer",
};

export const makers: Record<Dialect, string> = { claude: "Anthropic", codex: "OpenAI", gemini: "Google" };

/** What a choice is called, and what it leads to. */
export const choices: Record<Choice, { label: string; leads: string; text: string }> = {
  approve: { label: "Approve and start", leads: "Work begins with this plan.", text: "" },
  replan: {
    label: "Ask for a new plan",
    leads: "The lead plans again with what you write above.",
    text: "What should be different?",
  },
  instruct: {
    label: "Answer and send back",
    leads: "The author gets the findings with your words, and goes on.",
    text: "Your answer to the reviewers' points",
  },
  override: {
    label: "Go on anyway",
    leads: "The work counts as good in spite of this. Write the reason; it is kept.",
    text: "Why it is good enough",
  },
  hand_over: {
    label: "Hand over",
    leads: "An agent of another vendor goes on from the files as they stand.",
    text: "",
  },
  third_opinion: {
    label: "Third opinion",
    leads: "One more reviewer, of another vendor, judges the same files. Then it is decided anew.",
    text: "",
  },
  retry: { label: "Try again", leads: "The same step is done once more.", text: "" },
  abandon: { label: "End the session", leads: "Nothing more runs. Everything is kept.", text: "" },
  deny: { label: "Deny", leads: "The command does not run; the worker is told so.", text: "" },
  allow_once: { label: "Allow once", leads: "The command runs, this time.", text: "" },
  allow_session: {
    label: "Allow for this session",
    leads: "It runs, now and whenever a worker wants exactly the same.",
    text: "",
  },
  reply: { label: "Reply", leads: "The worker gets your words, and goes on.", text: "Your reply" },
};

/** What lets a session go on that crashed again and again. */
export const letGoOn = {
  label: "Let it go on",
  leads: "What was under way begins again, from the files as they stand.",
  text: "",
};

/** The same choice, where no review is behind it. */
export const instructWorker = {
  label: "Instruct and go on",
  leads: "The worker gets your words, and goes on.",
  text: "What it should do",
};

export const methods: Record<LandMethod, { label: string; does: string }> = {
  fast_forward: { label: "Fast-forward", does: "Your branch moves to the session branch as it is." },
  merge: { label: "Merge", does: "One merge commit on your branch." },
  squash: { label: "Squash", does: "All of it as one commit on your branch." },
  keep: { label: "Keep the branch", does: "Your branch stays as it is; the session branch is kept." },
};

export const probes: Record<ProbeState, Word> = {
  ok: say("ok", CircleCheck, "done"),
  warning: say("weaker", TriangleAlert, "warn"),
  problem: say("missing", CircleX, "needs"),
};

export const kinds: Record<TimelineKind, Word> = {
  status: say("status", Activity, "quiet"),
  progress: say("words", MessageSquareText, "quiet"),
  tool: say("tool call", Terminal, "quiet"),
  finding: say("finding", Search, "warn"),
  task: say("to do", ListTodo, "quiet"),
  blocker: say("blocker", OctagonAlert, "needs"),
  milestone: say("milestone", Flag, "working"),
  review: say("review", Scale, "working"),
  error: say("error", CircleX, "needs"),
  session: say("session", Bot, "quiet"),
  decision: say("decision", Gavel, "quiet"),
  recovery: say("repair", LifeBuoy, "warn"),
  question: say("question", MessageCircleQuestionMark, "needs"),
};

/** How a repair stands. */
export const repairs = {
  waiting: say("waiting", Hourglass, "warn"),
  running: say("under way", Wrench, "working"),
  held: say("not finished", CircleSlash, "quiet"),
  worked: say("worked", CircleCheck, "done"),
  failed: say("did not help", CircleX, "needs"),
};

export function failure(of: Failure): string {
  switch (of.class) {
    case "not_signed_in":
      return "not signed in";
    case "billing":
      return "no credit";
    case "rate_limited":
      return "usage limit reached";
    case "overloaded":
      return "the model's servers are too busy";
    case "network":
      return "the servers cannot be reached";
    case "permission":
      return of.path ? `was refused access to ${of.path}` : "was refused a tool or a path";
    case "not_git_repository":
      return "not inside a trusted git repository";
    case "outside_workspace":
      return `wanted ${of.path}, outside of its folders`;
    case "context_full":
      return "the conversation got too long for the model";
    case "truncated":
      return "ended in the middle of its answer";
    case "crashed":
      return "crashed";
    case "hung":
      return "was silent for too long";
    case "model":
      return "the model is not to be had";
    case "config":
      return "its flags or settings were refused";
    case "refused":
      return "the model gave no answer";
    case "cli_limit":
      return "reached a limit of its own";
    case "limit":
      return "reached a limit";
    case "cancelled":
      return "was stopped";
  }
}

export function repair(of: Repair, clock: (at: string) => string): string {
  switch (of.repair) {
    case "add_directory":
      return `launch again with ${of.path}`;
    case "skip_git_check":
      return "launch again without its check for a git repository";
    case "wait":
      return `try again at ${clock(of.until)}`;
    case "resume":
      return "continue its conversation";
    case "fresh":
      return "begin a new conversation, from the files as they stand";
    case "hand_over":
      return `${of.to} goes on from the files as they stand`;
  }
}

export function subject(of: Subject): string {
  switch (of.type) {
    case "task":
      return `work on ${of.task}`;
    case "validation":
      return `what has been merged, for ${of.task}`;
    case "session":
      return "the whole session";
  }
}
