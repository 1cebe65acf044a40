//! What a request asks, in one shape for the three APIs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::assignment::{Assignment, TITLE};

/// Which vendor's API a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// Messages; spoken by claude.
    Anthropic,
    /// Responses; spoken by codex.
    Openai,
    /// `generateContent`; spoken by gemini.
    Gemini,
}

/// A tool that the CLI offers to its model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// OpenAI: the namespace it is offered in.
    pub namespace: Option<String>,
    /// OpenAI: takes free-form input in place of arguments.
    pub custom: bool,
}

/// What came of a tool call of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolResult {
    /// Whether the CLI calls it an error, where it tells.
    pub is_error: Option<bool>,
    /// Its words.
    pub text: String,
}

/// One item of the conversation so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Words of the user, or of the CLI in the user's name.
    User(String),
    /// Something the model said or did; a turn may have several in a row.
    Model,
    /// What came of a tool call.
    Result(ToolResult),
}

/// A request to a model.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// In whose words.
    pub api: Api,
    /// Which model.
    pub model: String,
    /// The system prompt.
    pub system: String,
    /// The conversation so far.
    pub parts: Vec<Part>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The schema that the answer has to fit.
    pub schema: Option<Value>,
}

impl Asked {
    /// Titles, routers and probes offer no tools; the work does.
    pub(super) fn is_side(&self) -> bool {
        self.tools.is_empty()
    }

    /// The part in which the last assignment stands, else the user's last words; 0 when there are none.
    fn prompt_at(&self) -> usize {
        let has = |part: &Part| matches!(part, Part::User(text) if text.contains(TITLE) && Assignment::last_in(text).is_some());
        let last_user = || self.parts.iter().rposition(|part| matches!(part, Part::User(_)));
        self.parts.iter().rposition(has).or_else(last_user).unwrap_or(0)
    }

    /// The words that started the current conversation.
    pub(super) fn prompt(&self) -> &str {
        match self.parts.get(self.prompt_at()) {
            Some(Part::User(text)) => text,
            Some(Part::Model | Part::Result(_)) | None => "",
        }
    }

    /// What the worker is there for.
    pub(super) fn assignment(&self) -> Option<Assignment> {
        Assignment::last_in(self.prompt())
    }

    /// How many turns the model has taken since the prompt.
    pub(super) fn turn(&self) -> usize {
        let since = self.parts.get(self.prompt_at()..).unwrap_or_default();
        let starts = |pair: &[Part]| pair[1] == Part::Model && pair[0] != Part::Model;
        since.windows(2).filter(|pair| starts(pair)).count()
    }

    /// Results of the tools that the model called last.
    pub(super) fn results(&self) -> Vec<&ToolResult> {
        let last_turn = self.parts.iter().rposition(|part| *part == Part::Model).map_or(0, |at| at + 1);
        let results = self.parts.get(last_turn..).unwrap_or_default().iter();
        results.filter_map(|part| if let Part::Result(it) = part { Some(it) } else { None }).collect()
    }

    /// The folder the CLI works in, as it tells the model: each vendor has its own words for it.
    pub(super) fn folder(&self) -> Option<String> {
        let users = self
            .parts
            .iter()
            .filter_map(|part| if let Part::User(it) = part { Some(it.as_str()) } else { None });
        let mut texts = std::iter::once(self.system.as_str()).chain(users);
        texts.find_map(|text| {
            let lines: Vec<&str> = text.lines().map(|line| line.trim().trim_start_matches("- ")).collect();
            lines.iter().enumerate().find_map(|(at, line)| folder_in(line, lines.get(at + 1).copied()))
        })
    }
}

/// The folder that a line tells, or the one after it.
fn folder_in(line: &str, next: Option<&str>) -> Option<String> {
    let found = line
        .strip_prefix("Primary working directory:")
        .or_else(|| line.strip_prefix("<cwd>")?.strip_suffix("</cwd>"))
        .or_else(|| next.filter(|_| line == "**Workspace Directories:**"))?;
    Some(found.trim().to_owned())
}

/// All words in a piece of content: a string, or a list of parts with `text` or `content`.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<String> = parts.iter().map(text_of).filter(|it| !it.is_empty()).collect();
            texts.join("\n")
        }
        Value::Object(part) => match (part.get("text"), part.get("content")) {
            (Some(Value::String(text)), _) => text.clone(),
            (_, Some(inner)) => text_of(inner),
            _ => String::new(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => String::new(),
    }
}

/// A string field, or nothing.
pub(super) fn str_of(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

/// A list field, or nothing.
pub(super) fn list_of<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map(Vec::as_slice).unwrap_or_default()
}
