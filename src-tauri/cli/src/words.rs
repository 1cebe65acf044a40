//! The product's vocabulary in the terminal's words. State is never shown by colour alone: each has a word, most a sign.

use domain::{
    About, Action, Actor, Choice, Evidence, Failure, GateRow, Outcome, Phase, ProbeState, Repair, Rule,
    Subject, TaskStage, TimelineKind, Trigger, Verdict, WorkerStage,
};

use jiff::Timestamp;

use crate::{args::CHOICES, text::between, view::View};

/// What a text means, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// At work.
    Work,
    /// Done, approved.
    Good,
    /// Needs attention.
    Warn,
    /// Failed, blocked.
    Bad,
    /// Of less weight.
    Dim,
    /// Of more weight.
    Strong,
}

/// Sign, word and tone of a worker's state.
pub(crate) fn worker(stage: WorkerStage) -> (&'static str, &'static str, Tone) {
    match stage {
        WorkerStage::Starting => ("○", "starting", Tone::Dim),
        WorkerStage::Working => ("●", "working", Tone::Work),
        WorkerStage::Asking => ("?", "asks you", Tone::Warn),
        WorkerStage::Frozen => ("‖", "paused", Tone::Warn),
        WorkerStage::Done => ("✓", "done", Tone::Good),
        WorkerStage::Failed => ("✗", "failed", Tone::Bad),
        WorkerStage::Stopped => ("■", "stopped", Tone::Dim),
        WorkerStage::Interrupted => ("!", "interrupted", Tone::Warn),
    }
}

/// Sign, word and tone of a task's state.
pub(crate) fn task(stage: TaskStage) -> (&'static str, &'static str, Tone) {
    match stage {
        TaskStage::Waiting => ("○", "waiting", Tone::Dim),
        TaskStage::Preparing => ("○", "preparing", Tone::Dim),
        TaskStage::Working => ("●", "working", Tone::Work),
        TaskStage::Checking => ("●", "checking", Tone::Work),
        TaskStage::Reviewing => ("●", "in review", Tone::Work),
        TaskStage::Mending => ("●", "mending", Tone::Work),
        TaskStage::Merging => ("●", "merging", Tone::Work),
        TaskStage::Accepted => ("✓", "accepted", Tone::Good),
        TaskStage::Blocked => ("!", "needs you", Tone::Warn),
    }
}

/// Sign, word and tone of a session's state.
pub(crate) fn phase(phase: Phase) -> (&'static str, &'static str, Tone) {
    match phase {
        Phase::Planning => ("●", "planning", Tone::Work),
        Phase::NeedsYou => ("!", "needs you", Tone::Warn),
        Phase::Working => ("●", "working", Tone::Work),
        Phase::Paused => ("‖", "paused", Tone::Warn),
        Phase::Stopping => ("■", "stopping", Tone::Warn),
        Phase::Interrupted => ("!", "interrupted", Tone::Warn),
        Phase::ReadyToLand => ("✓", "ready to land", Tone::Good),
        Phase::Landed => ("✓", "landed", Tone::Good),
        Phase::Stopped => ("■", "stopped", Tone::Dim),
        Phase::Limited => ("■", "limit reached", Tone::Warn),
        Phase::Failed => ("✗", "failed", Tone::Bad),
    }
}

/// Sign, word and tone of a probe.
pub(crate) fn probe(state: ProbeState) -> (&'static str, &'static str, Tone) {
    match state {
        ProbeState::Ok => ("✓", "ok", Tone::Good),
        ProbeState::Warning => ("!", "warning", Tone::Warn),
        ProbeState::Problem => ("✗", "problem", Tone::Bad),
    }
}

/// Sign, word and tone of a verdict.
pub(crate) fn verdict(verdict: Verdict) -> (&'static str, &'static str, Tone) {
    match verdict {
        Verdict::Approve => ("✓", "approve", Tone::Good),
        Verdict::Concern => ("!", "concern", Tone::Warn),
        Verdict::Blocker => ("✗", "blocker", Tone::Bad),
    }
}

/// What became of a finding's evidence.
pub(crate) fn evidence(evidence: Evidence) -> (&'static str, Tone) {
    match evidence {
        Evidence::Verified => ("verified", Tone::Good),
        Evidence::NotFound => ("not found", Tone::Warn),
        Evidence::NotCheckable => ("not checkable", Tone::Dim),
    }
}

/// A decision by its published name.
pub(crate) fn action(action: Action) -> (&'static str, Tone) {
    match action {
        Action::Continue => ("CONTINUE", Tone::Good),
        Action::LogWarning => ("LOG_WARNING", Tone::Warn),
        Action::PauseAndClarify => ("PAUSE_AND_CLARIFY", Tone::Warn),
        Action::StopAndEscalate => ("STOP_AND_ESCALATE", Tone::Bad),
    }
}

/// A rule by its published name, and what it says.
pub(crate) fn rule(rule: Rule) -> (&'static str, &'static str) {
    match rule {
        Rule::AnyBlocker => ("any_blocker", "a blocker stops the work"),
        Rule::TwoConcerns => ("two_concerns", "two or more concerns pause the work"),
        Rule::RoundsExhausted => ("rounds_exhausted", "the last round of review brought no approval"),
        Rule::OneConcern => ("one_concern", "one concern goes back to the author"),
        Rule::TooFewVerdicts => ("too_few_verdicts", "fewer valid verdicts than required pause the work"),
        Rule::NoIndependentReviewer => {
            ("no_independent_reviewer", "nobody of another vendor can review; checks alone decided")
        }
        Rule::ReviewerMissing => {
            ("reviewer_missing", "those that judged approve, but a reviewer gave no verdict")
        }
        Rule::AllApproved => ("all_approved", "all approved"),
        Rule::Unrepairable => ("unrepairable", "a failure that only you can resolve"),
        Rule::WorkerAsked => ("worker_asked", "a worker asked you"),
        Rule::Person => ("person", "a person decided"),
    }
}

/// Who did something.
pub(crate) fn actor(actor: &Actor) -> &'static str {
    match actor {
        Actor::Rule => "by the rule",
        Actor::Person => "by a person",
        Actor::Setting => "by a setting",
        Actor::Demo => "by the demo's script",
    }
}

/// Why a review is made.
pub(crate) fn trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Milestone => "milestone",
        Trigger::Blocker => "blocker reported",
        Trigger::Requested => "asked for by the worker",
        Trigger::Manual => "asked for by you",
        Trigger::Fallback => "none for too long",
        Trigger::Acceptance => "before acceptance",
        Trigger::Validation => "planned validation",
        Trigger::Final => "before the end",
    }
}

/// What a review is about.
pub(crate) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Task { task } => task.to_string(),
        Subject::Validation { task } => format!("{task} (validation)"),
        Subject::Session => "the whole session".to_owned(),
    }
}

/// What went wrong with a worker.
pub(crate) fn failure(failure: &Failure, view: &View) -> String {
    match failure {
        Failure::NotSignedIn => "not signed in".to_owned(),
        Failure::Billing => "no credit".to_owned(),
        Failure::RateLimited { resets_at: Some(at) } => format!("rate limit until {}", view.clock(*at)),
        Failure::RateLimited { resets_at: None } => "rate limit".to_owned(),
        Failure::Overloaded => "servers overloaded".to_owned(),
        Failure::Network => "network".to_owned(),
        Failure::Permission { path: Some(path) } => format!("refused: {path}"),
        Failure::Permission { path: None } => "refused by its permission rules".to_owned(),
        Failure::NotGitRepository => "not a trusted git repository".to_owned(),
        Failure::OutsideWorkspace { path } => format!("outside its workspace: {path}"),
        Failure::ContextFull => "context full".to_owned(),
        Failure::Truncated => "ended without its last word".to_owned(),
        Failure::Crashed => "crashed".to_owned(),
        Failure::Hung => "silent for too long".to_owned(),
        Failure::Model => "model not available".to_owned(),
        Failure::Config => "flags or settings refused".to_owned(),
        Failure::Refused => "gave no answer".to_owned(),
        Failure::CliLimit => "limit of the CLI".to_owned(),
        Failure::Limit => "limit reached".to_owned(),
        Failure::Cancelled => "stopped".to_owned(),
    }
}

/// An agent whose quota is used up.
pub(crate) fn gate(gate: &GateRow, now: Timestamp, view: &View) -> String {
    let until = view.clock(gate.until);
    match gate.probe {
        Some(probe) => {
            format!("{}: quota was used up until {until}; {probe} tries whether it is back", gate.agent)
        }
        None if now < gate.until => format!(
            "{}: quota used up until {until} (in {}); one worker will try then",
            gate.agent,
            between(now, gate.until)
        ),
        None => format!("{}: quota was used up until {until}; one worker will try next", gate.agent),
    }
}

/// What is done about a failure.
pub(crate) fn repair(repair: &Repair, view: &View) -> String {
    match repair {
        Repair::AddDirectory { path } => format!("relaunched with {path} added"),
        Repair::SkipGitCheck => "relaunched without its check for a git repository".to_owned(),
        Repair::Wait { until } => format!("waits until {}, then again", view.clock(*until)),
        Repair::Resume => "its CLI session is continued".to_owned(),
        Repair::Fresh => "a new CLI session from the tree as it stands".to_owned(),
        Repair::HandOver { to } => format!("handed over to {to}"),
    }
}

/// How a run ended.
pub(crate) fn outcome(outcome: Outcome) -> (&'static str, &'static str, Tone) {
    match outcome {
        Outcome::Done => ("✓", "done", Tone::Good),
        Outcome::Waiting => ("!", "waiting for you", Tone::Warn),
        Outcome::Stopped => ("■", "stopped", Tone::Dim),
        Outcome::Limited => ("■", "limit reached", Tone::Warn),
        Outcome::Failed => ("✗", "failed", Tone::Bad),
    }
}

/// A choice as it is typed, and what it leads to.
pub(crate) fn choice(choice: Choice) -> (&'static str, &'static str) {
    let word = CHOICES.iter().find(|(_, known)| *known == choice).map_or("", |(word, _)| word);
    let meaning = match choice {
        Choice::Approve => "agree, and start",
        Choice::Replan => "ask for another plan, with what you write",
        Choice::Instruct => "give the author the findings and what you write",
        Choice::Override => "go on in spite of it; what you write is the reason",
        Choice::Retry => "try again",
        Choice::Abandon => "end the session; everything is kept",
        Choice::Reply => "answer the worker with what you write",
        Choice::Deny => "it does not run; what you write is told to the worker",
        Choice::AllowOnce => "it runs, this time",
        Choice::AllowSession => "it runs, now and whenever exactly the same is wanted in this session",
        Choice::HandOver => "give the work to an agent of another vendor, from the tree as it stands",
        Choice::ThirdOpinion => "have one more reviewer judge the same tree",
    };
    (word, meaning)
}

/// Whether a choice is nothing without words. Findings of a review speak for themselves.
pub(crate) fn needs_text(choice: Choice, about: &About) -> bool {
    match choice {
        Choice::Replan | Choice::Override | Choice::Reply => true,
        Choice::Instruct => !matches!(about, About::Review { .. }),
        Choice::Approve
        | Choice::Retry
        | Choice::Abandon
        | Choice::HandOver
        | Choice::ThirdOpinion
        | Choice::Deny
        | Choice::AllowOnce
        | Choice::AllowSession => false,
    }
}

/// What kind of thing a line of the timeline is about.
pub(crate) fn kind(kind: TimelineKind) -> (&'static str, Tone) {
    match kind {
        TimelineKind::Status => ("status", Tone::Dim),
        TimelineKind::Progress => ("progress", Tone::Dim),
        TimelineKind::Tool => ("tool", Tone::Dim),
        TimelineKind::Finding => ("finding", Tone::Warn),
        TimelineKind::Task => ("todo", Tone::Dim),
        TimelineKind::Blocker => ("blocker", Tone::Bad),
        TimelineKind::Milestone => ("milestone", Tone::Good),
        TimelineKind::Review => ("review", Tone::Work),
        TimelineKind::Error => ("error", Tone::Bad),
        TimelineKind::Session => ("session", Tone::Strong),
        TimelineKind::Decision => ("decision", Tone::Strong),
        TimelineKind::Recovery => ("recovery", Tone::Warn),
        TimelineKind::Question => ("question", Tone::Warn),
    }
}
