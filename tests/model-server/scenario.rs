//! The format of a scenario file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::asked::Api;

/// A whole session as the models play it.
///
/// In every string of a turn `${NAME}` is replaced when the turn is served: by a field of the assignment header in
/// capitals (`${NONCE}`, `${TASK}`), by what `bind` caught, by `${CWD}` (the folder that the CLI says it works in), or by
/// one of `vars`. `{"$lines": ["a", "b"]}` stands for a text of these lines, each ended by a newline; `{"$number": "${RESET}"}`
/// in the body of an error for a number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What the scenario is for.
    pub about: String,
    /// Another scenario of the same folder: its conversations follow this one's, its `vars` hold where this has none.
    pub extends: Option<String>,
    /// Constants.
    pub vars: BTreeMap<String, Value>,
    /// Tried in order; the first whose `when` holds answers.
    pub conversations: Vec<Conversation>,
    /// Tried before the conversations.
    pub faults: Vec<Fault>,
    /// Answer to requests that offer no tools (titles, routers, probes). Absent: `ok`, or the smallest value that fits
    /// the schema the request asks for.
    pub side: Option<Turn>,
}

/// What one worker's model says from its assignment on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conversation {
    /// Shown in the request log.
    pub name: String,
    /// Whom it is for.
    pub when: When,
    /// Regexes on the prompt; the first group becomes `${NAME}`.
    pub bind: BTreeMap<String, String>,
    /// One per turn of the model since the assignment.
    pub turns: Vec<Turn>,
    /// When the turns ran out. Absent: the text `Done.`.
    pub after: Option<Turn>,
}

/// Conditions on a request; all that are given must hold. Fields of the header match one word or any of a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct When {
    /// Which API is spoken.
    pub api: Option<Api>,
    /// Whether there is an assignment header at all.
    pub header: Option<bool>,
    /// A regex on the prompt: the text from the last header on, or the last words of the user.
    pub prompt: Option<String>,
    /// A regex on the names of the tools that are offered.
    pub offers: Option<String>,
    /// A regex on the results of the tools that the model called last.
    pub result: Option<String>,
    /// Any field of the header: `role`, `task`, `round`, …
    #[serde(flatten)]
    pub fields: BTreeMap<String, Value>,
}

/// A turn that is served instead of the conversation's, a number of times.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    /// For which requests.
    pub when: When,
    /// At which turn of the conversation, from 0; any when absent.
    pub at: Option<usize>,
    /// How often in the life of the server; for ever when absent.
    pub times: Option<u32>,
    /// Seconds from its first serving in which it is served; `${RESET}` is their end, in seconds since 1970.
    pub lasts_s: Option<u64>,
    /// What is served.
    pub turn: Turn,
}

/// One answer of the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// Reasoning before the answer.
    pub thinking: Option<String>,
    /// Words.
    pub text: Option<String>,
    /// What the model does, in one turn; several are parallel calls.
    #[serde(rename = "do")]
    pub steps: Vec<Step>,
    /// Tokens it cost.
    pub usage: Usage,
    /// In place of the API's usual one.
    pub stop_reason: Option<String>,
    /// Additional headers of a good answer.
    pub headers: BTreeMap<String, String>,
    /// Milliseconds before the answer's first byte.
    pub delay_ms: u64,
    /// Milliseconds between two events of the stream.
    pub chunk_delay_ms: u64,
    /// An HTTP error in place of an answer.
    pub http: Option<HttpFault>,
    /// An error event inside a stream that began well: `{"type": …, "message": …}`.
    pub stream_error: Option<Value>,
    /// Cut the connection after so many events of the stream.
    pub drop_after: Option<usize>,
    /// Close the connection without a byte.
    pub refuse: bool,
    /// Send the first event, then stay silent until the client goes away.
    pub hang: bool,
}

/// Something the model does, in words that hold for every vendor; how each CLI's tools are called for it is
/// [`super::step`]'s matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Write a whole file with the CLI's own tool.
    Write {
        /// Relative to the folder the CLI works in, or absolute.
        path: String,
        /// All of it.
        content: String,
    },
    /// Read a file with the CLI's own tool; claude insists on it before it overwrites one.
    Read(String),
    /// Run a shell command with the CLI's own tool.
    Run(String),
    /// Call a tool of the orchestrator's MCP server, through whatever name the CLI offers it under.
    Mcp {
        /// `report`, `submit_plan`, …
        tool: String,
        /// Its arguments.
        input: Value,
    },
    /// Give the final answer by the schema that the CLI was started with: claude's `StructuredOutput` tool, the words of
    /// the answer elsewhere.
    Structured(Value),
    /// Call a tool by name; `~regex` names the first offered one that matches.
    Tool {
        /// The name, or `~regex`.
        name: String,
        /// Arguments of a function.
        #[serde(default)]
        input: Value,
        /// Input of a free-form tool (codex `apply_patch`), in place of arguments.
        #[serde(default)]
        custom: Option<String>,
        /// Codex: the namespace the tool lives in.
        #[serde(default)]
        namespace: Option<String>,
    },
}

/// Tokens of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Usage {
    /// Read, without cached ones.
    pub input: u64,
    /// Written.
    pub output: u64,
    /// Read from a cache.
    pub cache_read: u64,
    /// Written to a cache.
    pub cache_write: u64,
    /// Of the written ones: reasoning.
    pub reasoning: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self { input: 100, output: 20, cache_read: 0, cache_write: 0, reasoning: 0 }
    }
}

/// An HTTP error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpFault {
    /// The status.
    pub status: u16,
    /// `retry-after` and the like.
    pub headers: BTreeMap<String, String>,
    /// `type` and `message` of the API's error object; the vendor's usual words when absent.
    pub error: BTreeMap<String, Value>,
    /// A whole body in place of the API's error object.
    pub body: Option<Value>,
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read the scenario {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not of the format.
    #[error("the scenario {path} is not valid: {source}")]
    Format {
        /// Which.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A regex that is none.
    #[error("the scenario {path} has a regex that is none: {source}")]
    Regex {
        /// Which.
        path: PathBuf,
        /// Why.
        source: regex::Error,
    },
    /// A chain of `extends` that never ends.
    #[error("the scenario {0} extends itself")]
    Circle(PathBuf),
}

impl Scenario {
    /// Reads a scenario file, with all that it extends.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        Self::load_below(path, 0)
    }

    fn load_below(path: &Path, depth: usize) -> Result<Self, ScenarioError> {
        if 8 < depth {
            return Err(ScenarioError::Circle(path.to_owned()));
        }
        let bytes =
            std::fs::read(path).map_err(|source| ScenarioError::File { path: path.to_owned(), source })?;
        let format = |source| ScenarioError::Format { path: path.to_owned(), source };
        let mut value: Value = serde_json::from_slice(&bytes).map_err(format)?;
        join_lines(&mut value);
        let mut scenario: Self = serde_json::from_value(value).map_err(format)?;
        scenario.check_regexes().map_err(|source| ScenarioError::Regex { path: path.to_owned(), source })?;
        if let Some(base) = scenario.extends.take() {
            let base = Self::load_below(&path.with_file_name(format!("{base}.json")), depth + 1)?;
            for (name, value) in base.vars {
                scenario.vars.entry(name).or_insert(value);
            }
            scenario.conversations.extend(base.conversations);
            scenario.faults.extend(base.faults);
            scenario.side = scenario.side.or(base.side);
        }
        Ok(scenario)
    }

    fn check_regexes(&self) -> Result<(), regex::Error> {
        let conditions =
            self.conversations.iter().map(|it| &it.when).chain(self.faults.iter().map(|it| &it.when));
        let patterns = conditions.flat_map(|when| [&when.prompt, &when.offers, &when.result]).flatten();
        for pattern in patterns.chain(self.conversations.iter().flat_map(|it| it.bind.values())) {
            regex::Regex::new(pattern)?;
        }
        Ok(())
    }
}

/// Replaces every `{"$lines": […]}` by its text.
fn join_lines(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let (1, Some(Value::Array(lines))) = (map.len(), map.get("$lines")) {
                let text = lines.iter().map(|it| format!("{}\n", it.as_str().unwrap_or_default()));
                *value = Value::String(text.collect());
                return;
            }
            map.values_mut().for_each(join_lines);
        }
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
