//! Scripts: a list of entries, each with the assignments it is for and the steps it plays.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::assignment::Assignment;
use super::flags::Flags;

/// The script of the product's demo.
const DEMO: &str = include_str!("demo.json");

/// What agents do, by assignment.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct Script {
    entries: Vec<Entry>,
}

/// The first entry that fits an assignment is played.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Fields of the header and the regular expressions that must match all of their values; `prompt` is searched.
    when: BTreeMap<String, String>,
    /// How often this entry may be played in a session; without it, always.
    times: Option<u32>,
    steps: Vec<Value>,
}

/// One step of an agent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Words.
    Say(String),
    /// Reasoning.
    Think(String),
    /// The list of things to do: text and whether it is done.
    Todo(Vec<(String, bool)>),
    /// Reads a file.
    Read(String),
    /// Writes a file.
    Write { path: String, text: Text },
    /// Runs a command by `sh -c`.
    Run(String),
    /// Prints a JSON line of the common vocabulary.
    Report {
        #[serde(rename = "type")]
        kind: String,
        payload: Value,
    },
    /// Calls a tool of the orchestrator's MCP server.
    Call { tool: String, input: Value },
    /// Asks the user and waits for the answer.
    Ask(String),
    /// Waits.
    SleepMs(u64),
    /// The final answer: a plan.
    Plan(Value),
    /// The final answer: a verdict. The nonce is filled in.
    Verdict(Value),
    /// Fails as the real CLI does.
    Fail(Fault),
    /// What the run spent.
    Usage { input: u64, output: u64, cost_usd: f64 },
    /// Leaves at once with a status, without a result.
    Exit(i32),
    /// Leaves with 0, without a result.
    NoResult(bool),
    /// Says nothing more and never ends.
    Hang(bool),
    /// Gives its result and never leaves.
    Linger(bool),
    /// Ignores TERM and INT from here on.
    IgnoreTerm(bool),
    /// Starts so many processes that leave its session and outlive it.
    Daemonise(u32),
    /// Dies by a signal.
    Crash(bool),
    /// Prints a line as it is.
    Raw(String),
    /// Prints to standard error.
    Stderr(String),
    /// Prints so many events of so many characters, as fast as it can.
    Flood { lines: u64, characters: usize },
    /// Says so many things a second, `load <number> <nanoseconds since 1970>` each, for so many seconds, and reads a file
    /// each second.
    Load { per_second: u32, seconds: u32 },
    /// Prints so many bytes without a newline.
    Endless(u64),
}

/// A file's text: as it is, or its lines.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Whole(String),
    Lines(Vec<String>),
}

impl Text {
    pub(crate) fn whole(self) -> String {
        match self {
            Self::Whole(text) => text,
            Self::Lines(lines) => lines.into_iter().map(|line| line + "\n").collect(),
        }
    }
}

/// A way to fail.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Fault {
    Plain(FaultKind),
    Detailed {
        kind: FaultKind,
        path: Option<String>,
        /// Seconds from now until a limit ends.
        resets_in_s: Option<i64>,
    },
}

/// Ways to fail that the real CLIs have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// A path is refused; the turn itself goes on.
    OutsideWorkspace,
    NotSignedIn,
    Billing,
    RateLimited,
    Overloaded,
    Network,
    ContextFull,
    Model,
    Refused,
    /// codex only, and only without `--skip-git-repo-check`.
    NotGitRepository,
}

impl Script {
    /// Loads a script from a file, or the demo's.
    pub(crate) fn load(name: &str) -> Result<Self, String> {
        let text = if name == "demo" {
            DEMO.to_owned()
        } else {
            fs::read_to_string(name).map_err(|fault| format!("the script {name} cannot be read: {fault}"))?
        };
        serde_json::from_str(&text).map_err(|fault| format!("the script {name} is wrong: {fault}"))
    }

    /// The steps for an assignment; without a fitting entry, the least that the purpose asks for.
    pub(crate) fn steps(self, assignment: &Assignment, flags: &Flags) -> Result<Vec<Step>, String> {
        for (at, entry) in self.entries.into_iter().enumerate() {
            if fits(&entry.when, assignment)? && entry.times.is_none_or(|times| claim(flags, at, times)) {
                return entry.steps.into_iter().map(|step| read_step(step, assignment, flags)).collect();
            }
        }
        Ok(match assignment.field("purpose") {
            "review" => vec![Step::Verdict(serde_json::json!({
                "verdict": "approve", "summary": "Nothing to object to.", "findings": [], "files_read": [],
            }))],
            purpose => vec![
                Step::Stderr(format!("demo agent: the script has nothing for purpose {purpose:?}")),
                Step::Exit(1),
            ],
        })
    }
}

fn fits(when: &BTreeMap<String, String>, assignment: &Assignment) -> Result<bool, String> {
    for (name, looks) in when {
        let (looks, value) = if name == "prompt" {
            (looks.clone(), assignment.prompt.as_str())
        } else {
            (format!("^(?:{looks})$"), assignment.field(name))
        };
        let looks = Regex::new(&looks).map_err(|fault| format!("{name}: {fault}"))?;
        if !looks.is_match(value) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether this entry may be played once more: each play leaves a file in the session's folder, which only one process
/// can make.
fn claim(flags: &Flags, entry: usize, times: u32) -> bool {
    let folder = flags.state.clone().or_else(|| flags.directories.first().map(PathBuf::from));
    let folder = folder.unwrap_or_else(|| flags.cwd.clone()).join("demo-agent");
    // Without a folder nothing can be claimed.
    drop(fs::create_dir_all(&folder));
    (1..=times).any(|time| {
        let path = folder.join(format!("{entry}-{time}"));
        fs::OpenOptions::new().write(true).create_new(true).open(path).is_ok()
    })
}

fn read_step(mut step: Value, assignment: &Assignment, flags: &Flags) -> Result<Step, String> {
    let known = |name: &str| match name {
        "cwd" => Some(flags.cwd.to_string_lossy().into_owned()),
        "folder" => flags.directories.first().cloned(),
        "target" => flags.directories.get(1).cloned(),
        name => assignment.fields.get(name).cloned(),
    };
    fill(&mut step, &known);
    let shown = step.to_string();
    serde_json::from_value(step).map_err(|fault| format!("the step {shown} is wrong: {fault}"))
}

/// Puts `${cwd}`, `${folder}`, `${target}` and the header's fields into all texts; other `${…}` stay.
fn fill(value: &mut Value, known: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            let mut filled = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once("${") {
                filled += before;
                let found = after.split_once('}').and_then(|(name, after)| Some((known(name)?, after)));
                rest = if let Some((value, after)) = found {
                    filled += &value;
                    after
                } else {
                    filled += "${";
                    after
                };
            }
            *text = filled + rest;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, known)),
        Value::Object(members) => members.values_mut().for_each(|member| fill(member, known)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
