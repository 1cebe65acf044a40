//! Reads what a worker prints, line by line. Reading never fails: what cannot be understood becomes an event.

use domain::{AgentError, AgentEvent, Dialect, Exit, Failed, Failure, Told, Usage};
use jiff::Zoned;
use serde_json::Value;

use crate::run::Run;
use crate::{claude, clean, codex, failure, gemini, json, reset, visible};

/// Bytes of a line that is still looked into; real ones were seen with 1,059,877 (codex, a command's whole output).
pub const MOST_LINE: usize = 8 << 20;

/// Characters of an unread line that its event keeps.
const RAW: usize = 4000;

/// The reader of one run of one CLI.
#[derive(Debug)]
pub struct Reader {
    dialect: Dialect,
    run: Run,
    /// A JSON document over several lines, as gemini's `json` format prints it, so far.
    document: String,
}

impl Reader {
    /// A reader for a run that begins.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, run: Run::default(), document: String::new() }
    }

    /// For a run that resumes a CLI session: what the earlier runs of that session spent, added up. codex counts tokens
    /// per session, and claude does so with money; with this, [`Told::usage`] is that of this run.
    #[must_use]
    pub fn after(mut self, before: Usage) -> Self {
        self.run.before = before;
        self
    }

    /// The events of one line of stdout, with or without its newline. Lines end at `\n` only: codex prints U+2028 raw.
    ///
    /// None for empty lines, for the echo of our own prompt, for parts of what comes whole later (claude's stream
    /// events, gemini's pieces of a paragraph, lines inside of a printed document); one or more for everything else.
    pub fn line(&mut self, raw: &[u8]) -> Vec<AgentEvent> {
        let raw = raw.strip_suffix(b"\n").unwrap_or(raw);
        if raw.iter().all(u8::is_ascii_whitespace) {
            return Vec::new();
        }
        self.run.told.lines += 1;
        if MOST_LINE < raw.len() {
            return vec![self.unread(raw, format!("a line of {} bytes is too long to be read", raw.len()))];
        }
        // Lines inside of a printed document may be JSON by themselves: strings in a list.
        let whole = self.document.is_empty() || raw.starts_with(b"{\"");
        if whole && let Ok(value) = json::of_slice(raw) {
            let mut events = self.document_broke_off();
            events.extend(self.value(value));
            return events;
        }
        let line = String::from_utf8_lossy(raw);
        if self.begins_document(&line) || !self.document.is_empty() {
            return self.document_line(&line, raw);
        }
        vec![self.unread(raw, "a line that is not JSON".to_owned())]
    }

    /// What was held back at the end of the stream: an unfinished paragraph, an unfinished document. To be asked once,
    /// before [`Reader::finish`].
    pub fn rest(&mut self) -> Vec<AgentEvent> {
        self.run.told.answer = clean(&self.run.told.answer);
        let mut events = self.run.rest();
        events.extend(self.document_broke_off());
        events
    }

    /// What the stream told so far.
    #[must_use]
    pub fn told(&self) -> &Told {
        &self.run.told
    }

    /// Whether the CLI said that its turn is over. claude may go on afterwards, when a command of it in the background
    /// ends: the end is the end of the process.
    #[must_use]
    pub fn terminal_seen(&self) -> bool {
        self.run.told.terminal.is_some()
    }

    /// What the worker tries again and again although it is refused, in words: it is to be stopped, with
    /// [`domain::ExitCause::Looped`] (FIELD 28).
    #[must_use]
    pub fn loops(&self) -> Option<&str> {
        self.run.denied_again().map(|denial| denial.text.as_str())
    }

    /// How the run ended; `None` is success. What the worker did to the tree is for the caller to check. `now`, in the zone
    /// of this machine, is for times that the CLIs tell by the clock.
    pub fn finish(&mut self, exit: &Exit, stderr: &str, now: &Zoned) -> Option<Failed> {
        if self.dialect == Dialect::Gemini && self.run.told.terminal.is_none() {
            // With `json` output gemini prints its error as a document on stderr, between other lines.
            if let Some(mut value) = documents(stderr).find(|value| value.get("error").is_some()) {
                scrub(&mut value);
                gemini::document(&mut self.run, &value);
            }
        }
        let mut failed = failure::of_run(self.dialect, &self.run, exit, stderr)?;
        if let Failure::RateLimited { resets_at: resets_at @ None } = &mut failed.failure {
            *resets_at = [failed.text.as_str(), stderr].iter().find_map(|text| reset::of_text(text, now));
            self.run.told.resets_at = *resets_at;
        }
        Some(failed)
    }

    fn value(&mut self, mut value: Value) -> Vec<AgentEvent> {
        if !(self.dialect == Dialect::Gemini && gemini::is_piece(&value)) {
            scrub(&mut value);
        }
        match &value {
            Value::Object(_) => match self.dialect {
                Dialect::Claude => claude::read(&mut self.run, &value),
                Dialect::Codex => codex::read(&mut self.run, &value),
                Dialect::Gemini => gemini::read(&mut self.run, &value),
            },
            // claude's `json` output with `--verbose`: all events in one array.
            Value::Array(items) if items.iter().any(Value::is_object) => {
                items.iter().flat_map(|item| self.value(item.clone())).collect()
            }
            Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                vec![self.unread(value.to_string().as_bytes(), "a line that is no event".to_owned())]
            }
        }
    }

    fn begins_document(&self, line: &str) -> bool {
        self.dialect == Dialect::Gemini && self.run.told.session.is_none() && line.trim_end() == "{"
    }

    fn document_line(&mut self, line: &str, raw: &[u8]) -> Vec<AgentEvent> {
        if MOST_LINE < self.document.len().saturating_add(raw.len()) {
            return self.document_broke_off();
        }
        self.document.push_str(line);
        self.document.push('\n');
        if line.trim_end() != "}" {
            return Vec::new();
        }
        match json::of_slice(self.document.as_bytes()) {
            Ok(value) => {
                self.document.clear();
                self.value(value)
            }
            Err(_) => self.document_broke_off(),
        }
    }

    fn document_broke_off(&mut self) -> Vec<AgentEvent> {
        if self.document.is_empty() {
            return Vec::new();
        }
        let document = std::mem::take(&mut self.document);
        vec![self.unread(document.as_bytes(), "the output breaks off in the middle".to_owned())]
    }

    fn unread(&mut self, raw: &[u8], text: String) -> AgentEvent {
        self.run.told.bad_lines += 1;
        // Four bytes a character at most, so this prefix holds what is kept.
        let start = String::from_utf8_lossy(&raw[..raw.len().min(4 * RAW)]);
        AgentEvent::Error(AgentError { text, raw: Some(domain::head(&visible(&start), RAW)) })
    }
}

/// Takes control sequences out of every text of a line; the raw log keeps them.
fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => {
            let cleaned = clean(text);
            if cleaned != *text {
                *text = cleaned;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::Object(members) => members.values_mut().for_each(scrub),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// JSON documents between other lines: each from a line `{` (or one that ends so) to a line `}`.
fn documents(text: &str) -> impl Iterator<Item = Value> {
    let mut open: Option<String> = None;
    text.lines().filter_map(move |line| {
        if line == "{" || line == "[ERROR] {" {
            open = Some("{\n".to_owned());
            return None;
        }
        let document = open.as_mut()?;
        document.push_str(line);
        document.push('\n');
        if line != "}" {
            return None;
        }
        json::of_slice(open.take()?.as_bytes()).ok()
    })
}
