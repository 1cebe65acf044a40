//! What workers call on the orchestrator's own MCP server.

use serde::{Deserialize, Serialize};

use crate::AgentEvent;

impl Call {
    /// The call as an event of the common vocabulary.
    #[must_use]
    pub fn said(&self) -> AgentEvent {
        let note = |text: &str| {
            AgentEvent::Progress(crate::Progress { text: text.to_owned(), ..crate::Progress::default() })
        };
        match self {
            Self::Report { event } => event.clone(),
            Self::AskUser { question } => AgentEvent::Blocker(crate::Blocker {
                what: crate::BlockerKind::Question,
                text: question.clone(),
                resets_at: None,
                path: None,
            }),
            Self::RequestReview { what } => {
                AgentEvent::Review(crate::ReviewNote { text: what.clone(), requested: true })
            }
            Self::SubmitPlan { .. } => note("submits a plan"),
            Self::SubmitReview { .. } => note("submits its review"),
            // Its command is told of by its stream, and by what is decided about it.
            Self::Permit { .. } | Self::Hooked => AgentEvent::Status(crate::Status {
                what: crate::StatusKind::Heartbeat,
                text: String::new(),
                session: None,
                model: None,
                usage: None,
            }),
        }
    }
}

/// What a worker called on the orchestrator's own MCP server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "tool", rename_all = "snake_case")]
pub enum Call {
    /// `report`: an event in the common vocabulary.
    Report {
        /// The event.
        event: AgentEvent,
    },
    /// `ask_user`: the worker waits for an answer.
    AskUser {
        /// In the worker's words.
        question: String,
    },
    /// `request_review`.
    RequestReview {
        /// What should be looked at.
        what: String,
    },
    /// `submit_plan`: as JSON text, not yet validated.
    SubmitPlan {
        /// JSON.
        plan: String,
    },
    /// `submit_review`: as JSON text, not yet validated.
    SubmitReview {
        /// JSON.
        review: String,
    },
    /// No tool of the model's: a hook of its CLI asks whether a command may run, and the CLI waits.
    Permit {
        /// What would run.
        wanted: crate::guard::Wanted,
    },
    /// No tool of the model's: the CLI ran our hook at its start, so it will ask before commands.
    Hooked,
}
