//! An answer before it has an API's words, and after.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::asked::{Api, Asked};
use super::scenario::{HttpFault, Turn};
use super::script::error_type;
use super::step::Call;
use super::{anthropic, gemini, openai};

/// What the model says in one turn.
#[derive(Clone, Debug)]
pub(super) struct Said {
    /// Reasoning.
    pub thinking: Option<String>,
    /// Words.
    pub text: Option<String>,
    /// Tool calls.
    pub calls: Vec<Call>,
    /// Its cost, pace and faults.
    pub turn: Turn,
}

/// An answer in an API's words.
#[derive(Debug)]
pub(super) enum Reply {
    /// The connection closes without a byte.
    Refused,
    /// One JSON body.
    Json {
        /// HTTP status.
        status: u16,
        /// Additional headers.
        headers: BTreeMap<String, String>,
        /// The body.
        body: Value,
    },
    /// A stream of server-sent events, each whole.
    Events {
        /// Additional headers.
        headers: BTreeMap<String, String>,
        /// In order.
        events: Vec<String>,
        /// Pace and faults.
        turn: Box<Turn>,
    },
}

impl Said {
    /// Puts the turn into the words of the API that asked.
    pub(super) fn reply(self, asked: &Asked) -> Reply {
        // An answer in one body cannot be cut after an event, only as a whole.
        if self.turn.refuse || (self.turn.drop_after.is_some() && !asked.stream) {
            return Reply::Refused;
        }
        if let Some(fault) = &self.turn.http {
            return http_fault(asked.api, fault);
        }
        match asked.api {
            Api::Anthropic => anthropic::reply(self, asked),
            Api::Openai => openai::reply(self, asked),
            Api::Gemini => gemini::reply(self, asked),
        }
    }

    /// The words in pieces of at most 4,000 characters, at least two when there is more than one character: CLIs must
    /// join what comes in parts.
    pub(super) fn chunks(&self) -> Vec<String> {
        let chars: Vec<char> = self.text.as_deref().unwrap_or_default().chars().collect();
        let size = chars.len().div_ceil(2).clamp(1, 4_000);
        chars.chunks(size).map(|piece| piece.iter().collect()).collect()
    }
}

impl Reply {
    /// A good answer in one body.
    pub(super) fn ok(headers: BTreeMap<String, String>, body: Value) -> Self {
        Self::Json { status: 200, headers, body }
    }
}

/// One server-sent event.
pub(super) fn event(name: Option<&str>, data: &Value) -> String {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {data}\n\n")
}

fn http_fault(api: Api, fault: &HttpFault) -> Reply {
    let mut error = fault.error.clone();
    let mut take = |field: &str, usual: String| error.remove(field).unwrap_or(Value::String(usual));
    let kind = take("type", error_type(api, fault.status).to_owned());
    let message = take("message", format!("scripted {}", fault.status));
    let mut body = match api {
        Api::Anthropic => {
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"})
        }
        Api::Openai => json!({"error": {"message": message, "type": kind, "param": null, "code": kind}}),
        Api::Gemini => json!({"error": {"code": fault.status, "message": message, "status": kind}}),
    };
    if let Some(object) = body["error"].as_object_mut() {
        object.extend(error);
    }
    let body = fault.body.clone().unwrap_or(body);
    Reply::Json { status: fault.status, headers: fault.headers.clone(), body }
}
