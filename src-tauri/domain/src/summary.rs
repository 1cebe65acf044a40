//! The summary: what was done, by whom, and what it took. Fields may be added, never renamed (SPEC section 14).

use serde::{Deserialize, Serialize};

use crate::timeline::serde_name;
use crate::{Ballot, Evidence, Outcome, Phase, State, Subject};

/// The last line of `--json`, `summary.json`, and `status --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Always `summary`.
    pub r#type: String,
    /// The session.
    pub session: String,
    /// `done`, `waiting`, `stopped`, `limited`, `failed`; while it runs: `waiting` or `running`.
    pub outcome: String,
    /// What the terminal exits with.
    pub exit_code: u8,
    /// The user's prompt.
    pub goal: String,
    /// The project folder.
    pub target: String,
    /// The session branch.
    pub branch: String,
    /// Where it was landed.
    pub landed: Option<String>,
    /// From the first entry to the last, in seconds.
    pub wall_s: f64,
    /// The plan's version; 0 without one.
    pub plan_version: u32,
    /// In the plan's order.
    pub tasks: Vec<TaskLine>,
    /// One for each seat of each review.
    pub reviews: Vec<ReviewLine>,
    /// In order.
    pub decisions: Vec<DecisionLine>,
    /// In order.
    pub recoveries: Vec<RecoveryLine>,
    /// Over all workers.
    pub tokens: Tokens,
    /// US dollars, as far as the CLIs told; `null` when none did.
    pub cost_usd: Option<f64>,
    /// Whether some worker did not tell its money.
    pub cost_incomplete: bool,
    /// Open questions.
    pub questions: Vec<QuestionLine>,
    /// Entries of the journal.
    pub events: u64,
    /// In order.
    pub warnings: Vec<String>,
    /// Scripted agents, no AI.
    pub demo: bool,
    /// The user agreed to agents without a sandbox.
    pub unsandboxed: bool,
    /// How far agents were confined: `L1` to `L3`; empty when not at all.
    #[serde(default)]
    pub sandbox: String,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the words of SPEC section 14")]
pub struct TaskLine {
    pub id: String,
    pub title: String,
    pub role: String,
    pub agent: String,
    pub state: String,
    pub attempts: u32,
    pub tree: Option<String>,
}

/// A seat of a review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the words of SPEC section 14")]
pub struct ReviewLine {
    pub id: String,
    pub task: Option<String>,
    pub subject: String,
    pub trigger: String,
    pub round: u32,
    pub author: String,
    pub reviewer: String,
    pub verdict: Option<String>,
    pub counted_as: Option<String>,
    pub tree: String,
    pub findings: usize,
    pub verified: usize,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the words of SPEC section 14")]
pub struct DecisionLine {
    pub id: String,
    pub action: String,
    pub rule: String,
    pub by: String,
    pub review: Option<String>,
    pub trace: Vec<String>,
}

/// A repair.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the words of SPEC section 14")]
pub struct RecoveryLine {
    pub id: String,
    pub worker: String,
    pub class: String,
    pub repair: String,
    pub outcome: String,
}

/// Tokens of all workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are the words of SPEC section 14")]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cached: u64,
}

/// An open question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields speak for themselves")]
pub struct QuestionLine {
    pub id: String,
    pub text: String,
    pub choices: Vec<String>,
}

/// The summary of a session as it stands.
#[must_use]
pub fn summary(state: &State) -> Summary {
    let opened = state.opened.clone();
    let (outcome, exit_code) = outcome(state);
    let (usage, cost_incomplete) = state.spent();
    let of = |get: fn(&crate::Opened) -> String| opened.as_ref().map(get).unwrap_or_default();
    let question = |(id, question): (crate::QuestionId, &crate::QuestionState)| QuestionLine {
        id: id.to_string(),
        text: question.asked.text.clone(),
        choices: question.asked.choices.iter().map(serde_name).collect(),
    };
    Summary {
        r#type: "summary".to_owned(),
        session: of(|opened| opened.session.to_string()),
        outcome,
        exit_code,
        goal: of(|opened| opened.goal.clone()),
        target: of(|opened| opened.target.clone()),
        branch: of(|opened| opened.trees.session_branch().to_owned()),
        landed: state.landed.as_ref().map(|(branch, _)| branch.clone()),
        wall_s: state.last.duration_since(state.began).as_secs_f64(),
        plan_version: state.plan.as_ref().map_or(0, |plan| plan.version),
        tasks: state.tasks.iter().map(|task| task_line(state, task)).collect(),
        reviews: state.reviews.values().flat_map(|review| review_lines(state, review)).collect(),
        decisions: state.decisions.values().map(decision_line).collect(),
        recoveries: state.recoveries.iter().map(|(id, recovery)| recovery_line(*id, recovery)).collect(),
        tokens: Tokens { input: usage.input, output: usage.output, cached: usage.cached },
        cost_usd: usage.cost_usd,
        cost_incomplete,
        questions: state.open_questions().map(question).collect(),
        events: state.seq.0,
        warnings: state.warnings.iter().map(|(_, _, text)| text.clone()).collect(),
        demo: opened.as_ref().is_some_and(|opened| opened.demo),
        unsandboxed: opened.as_ref().is_some_and(|opened| opened.unsandboxed),
        sandbox: state.sandbox.as_ref().map(|report| report.level.to_string()).unwrap_or_default(),
    }
}

fn outcome(state: &State) -> (String, u8) {
    match &state.ended {
        Some((outcome, _)) => (serde_name(outcome), outcome.exit_code()),
        None if state.phase() == Phase::NeedsYou => ("waiting".to_owned(), Outcome::Waiting.exit_code()),
        None => ("running".to_owned(), 0),
    }
}

fn task_line(state: &State, task: &crate::TaskState) -> TaskLine {
    TaskLine {
        id: task.task.id.to_string(),
        title: task.task.title.clone(),
        role: task.task.role.as_str().to_owned(),
        agent: state.author(task).to_string(),
        state: serde_name(&state.task_stage(task)),
        attempts: task.attempts,
        tree: task.course.snapshot.as_ref().map(|(_, tree)| tree.to_string()),
    }
}

fn review_lines(state: &State, review: &crate::ReviewState) -> Vec<ReviewLine> {
    let review = &review.review;
    let authors: Vec<String> = state.authors(&review.subject).iter().map(ToString::to_string).collect();
    let subject = match review.subject {
        Subject::Task { .. } => "task",
        Subject::Validation { .. } => "validation",
        Subject::Session => "session",
    };
    let line = |seat: &crate::Seat| {
        let (verdict, findings, verified) = match &seat.ballot {
            Some(Ballot::Cast { verdict, findings, .. }) => {
                let verified =
                    findings.iter().filter(|checked| checked.evidence == Evidence::Verified).count();
                (Some(serde_name(verdict)), findings.len(), verified)
            }
            Some(Ballot::Void { .. }) | None => (None, 0, 0),
        };
        ReviewLine {
            id: review.id.to_string(),
            task: review.subject.task().map(ToString::to_string),
            subject: subject.to_owned(),
            trigger: serde_name(&review.trigger),
            round: review.round,
            author: authors.join(", "),
            reviewer: seat.reviewer.to_string(),
            verdict,
            counted_as: seat.ballot.as_ref().and_then(Ballot::counted_as).map(|verdict| serde_name(&verdict)),
            tree: review.tree.to_string(),
            findings,
            verified,
        }
    };
    review.seats.iter().map(line).collect()
}

fn decision_line(state: &crate::DecisionState) -> DecisionLine {
    let decision = &state.decision;
    DecisionLine {
        id: decision.id.to_string(),
        action: serde_name(&decision.action),
        rule: serde_name(&decision.rule),
        by: serde_name(&decision.by),
        review: decision.review.map(|review| review.to_string()),
        trace: decision.trace.clone(),
    }
}

fn recovery_line(id: crate::RecoveryId, recovery: &crate::RecoveryState) -> RecoveryLine {
    let name = |value: serde_json::Value, key: &str| {
        value.get(key).and_then(|name| name.as_str()).unwrap_or_default().to_owned()
    };
    RecoveryLine {
        id: id.to_string(),
        worker: recovery.worker.to_string(),
        class: name(serde_json::to_value(&recovery.failed.failure).unwrap_or_default(), "class"),
        repair: name(serde_json::to_value(&recovery.repair).unwrap_or_default(), "repair"),
        outcome: match recovery.worked {
            Some(true) => "worked",
            Some(false) => "failed",
            None => "under way",
        }
        .to_owned(),
    }
}
