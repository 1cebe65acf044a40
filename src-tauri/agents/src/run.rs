//! What the readers of all dialects keep about one run of a CLI.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use domain::{
    AgentError, AgentEvent, Blocker, BlockerKind, Milestone, Progress, Status, StatusKind, Todo, TodoList,
    Told, ToolCall, ToolOutcome, Usage,
};
use serde_json::Value;

use crate::failure::{Class, Fault};
use crate::report;

/// Bytes of a paragraph that is held back; what is longer goes out in parts.
const MOST_HELD: usize = 1 << 20;

/// Characters of a tool's output that an event keeps.
const OUTPUT: usize = 4000;

/// What a tool does to files, as far as the dialect's names tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reads,
    Writes,
    Runs,
    Other,
}

/// A tool call as it began.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) command: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) text: String,
    /// Tells calls with other arguments apart; see [`fingerprint`].
    pub(crate) args: u64,
}

/// A tool or path that the CLI refused.
#[derive(Clone, Debug)]
pub(crate) struct Denial {
    id: String,
    name: String,
    pub(crate) path: Option<String>,
    /// The refusal named directories, not a rule about the tool.
    pub(crate) outside: bool,
    writes: bool,
    /// The worker found another way afterwards.
    pub(crate) settled: bool,
    /// A hook refused it and told the model why: no failure of the run, unless the worker goes on asking for it.
    by_hook: bool,
    pub(crate) text: String,
    args: Option<u64>,
}

impl Denial {
    pub(crate) fn class(&self) -> Class {
        if self.outside { Class::OutsideWorkspace } else { Class::Permission }
    }
}

/// Tool calls that are known at once: many more than run at the same time, and a refusal follows soon.
const MOST_TOOLS: usize = 64;

/// One run of a CLI.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) told: Told,
    /// What earlier runs of the same CLI session spent, for the CLIs that add up over a session.
    pub(crate) before: Usage,
    pub(crate) fault: Option<Fault>,
    /// The error of a request that is being tried again; gone as soon as something else comes.
    pub(crate) retry: Option<Fault>,
    pub(crate) denials: Vec<Denial>,
    /// Whether the worker did anything but talk.
    pub(crate) used_tools: bool,
    pub(crate) todos: Vec<(String, Todo)>,
    /// The latest tool calls by their ids, oldest first.
    tools: VecDeque<(String, Tool)>,
    /// The unfinished line of a text that comes in pieces.
    held: String,
}

impl Run {
    /// Whole words of the worker, cleaned: the lines that are reports become what they report.
    pub(crate) fn words(&mut self, text: &str) -> Vec<AgentEvent> {
        let text = &crate::clean(text);
        let mut events = Vec::new();
        let mut plain = String::new();
        for line in text.split_inclusive('\n') {
            match report::of_line(line) {
                Some(event) => {
                    push_words(&mut events, &mut plain);
                    events.push(event);
                }
                None => plain.push_str(line),
            }
        }
        push_words(&mut events, &mut plain);
        events
    }

    /// A piece of the worker's words, cut anywhere: what is a whole line goes out, the rest is held back.
    pub(crate) fn piece(&mut self, text: &str) -> Vec<AgentEvent> {
        // Only the new piece is looked through: with all that is held, many small ones would take for ever.
        let Some(end) = text.rfind('\n') else {
            self.held.push_str(text);
            return if MOST_HELD < self.held.len() { self.rest() } else { Vec::new() };
        };
        let (whole, rest) = text.split_at(end + 1);
        self.held.push_str(whole);
        let whole = std::mem::replace(&mut self.held, rest.to_owned());
        self.words(&whole)
    }

    /// What was held back.
    pub(crate) fn rest(&mut self) -> Vec<AgentEvent> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() { Vec::new() } else { self.words(&held) }
    }

    pub(crate) fn thought(&mut self, text: &str) -> Vec<AgentEvent> {
        if text.trim().is_empty() {
            return vec![heartbeat()];
        }
        vec![AgentEvent::Progress(Progress { text: text.to_owned(), thinking: true, ..Progress::default() })]
    }

    pub(crate) fn tool_starts(&mut self, id: &str, tool: Tool) -> AgentEvent {
        self.used_tools = true;
        let event = of_tool(id, &tool, ToolOutcome::Started, None, None);
        if self.tools.len() == MOST_TOOLS {
            self.tools.pop_front();
        }
        self.tools.push_back((id.to_owned(), tool));
        event
    }

    pub(crate) fn knows_tool(&self, id: &str) -> bool {
        self.tool(id).is_some()
    }

    fn tool(&self, id: &str) -> Option<&Tool> {
        self.tools.iter().rev().find(|(known, _)| known == id).map(|(_, tool)| tool)
    }

    pub(crate) fn tool_name(&self, id: &str) -> &str {
        self.tool(id).map_or("", |tool| &tool.name)
    }

    /// The end of a tool call; a file that it wrote is a milestone.
    pub(crate) fn tool_ends(
        &mut self,
        id: &str,
        outcome: ToolOutcome,
        exit_code: Option<i32>,
        output: &str,
    ) -> Vec<AgentEvent> {
        let unknown = || Tool {
            name: "a tool".to_owned(),
            kind: Kind::Other,
            command: None,
            file: None,
            text: String::new(),
            args: 0,
        };
        let tool = self.tool(id).cloned().unwrap_or_else(unknown);
        let output = (!output.is_empty()).then(|| domain::tail(output, OUTPUT));
        let mut events = vec![of_tool(id, &tool, outcome, exit_code, output)];
        if outcome != ToolOutcome::Ok {
            return events;
        }
        self.settle(&tool);
        // No refusal follows, so what it was is not needed any more; its name may be asked for.
        if let Some((_, known)) = self.tools.iter_mut().rev().find(|(known, _)| known == id) {
            (known.command, known.file, known.text) = (None, None, String::new());
        }
        match (tool.kind, &tool.file) {
            (Kind::Writes, Some(file)) => events.push(self.changed(file)),
            (Kind::Reads, Some(file)) => add(&mut self.told.files_read, file),
            (Kind::Reads | Kind::Writes | Kind::Runs | Kind::Other, _) => {}
        }
        events
    }

    pub(crate) fn changed(&mut self, file: &str) -> AgentEvent {
        add(&mut self.told.files_changed, file);
        let text = format!("{file} changed");
        AgentEvent::Milestone(Milestone { text, file: Some(file.to_owned()), announced: false })
    }

    /// Notes a refusal; gives the path it is about, where one is known.
    pub(crate) fn deny(
        &mut self,
        id: &str,
        name: Option<&str>,
        path: Option<&str>,
        outside: bool,
        text: &str,
    ) -> Option<String> {
        let tool = self.tool(id);
        let path = path.map(str::to_owned).or_else(|| tool?.file.clone());
        let name = name.map(str::to_owned).or_else(|| Some(tool?.name.clone())).unwrap_or_default();
        let writes = tool.is_some_and(|tool| tool.kind == Kind::Writes);
        let args = tool.map(|tool| tool.args);
        let text = domain::head(text, 1000);
        self.told.denials.push(text.clone());
        let id = id.to_owned();
        let (settled, by_hook) = (false, false);
        self.denials.push(Denial {
            id,
            name,
            path: path.clone(),
            outside,
            writes,
            settled,
            by_hook,
            text,
            args,
        });
        path
    }

    /// Notes what a hook refused.
    pub(crate) fn deny_by_hook(&mut self, id: &str, why: &str) {
        self.deny(id, None, None, false, why);
        if let Some(denial) = self.denials.last_mut() {
            denial.by_hook = true;
        }
    }

    /// The refusal that the worker was left with in the end, and that only a person or a repair can do something about.
    pub(crate) fn left_with(&self) -> Option<&Denial> {
        self.denials.iter().find(|denial| !denial.settled && !denial.by_hook)
    }

    /// The refusal of a call that had been refused before, with the same tool and arguments, and that nothing has settled:
    /// the worker would go on so (claude-code #37935: 37 minutes of identical retries).
    pub(crate) fn denied_again(&self) -> Option<&Denial> {
        let mut open = self.denials.iter().filter(|denial| !denial.settled && denial.args.is_some());
        let last = open.next_back()?;
        open.any(|denial| denial.name == last.name && denial.args == last.args).then_some(last)
    }

    pub(crate) fn was_denied(&self, id: &str) -> bool {
        self.denials.iter().any(|denial| denial.id == id)
    }

    /// A tool call that went well settles earlier refusals: of a write, when it wrote a file of that name; of anything
    /// else, always, since the worker went on without.
    fn settle(&mut self, tool: &Tool) {
        for denial in self.denials.iter_mut().filter(|denial| !denial.settled) {
            let name = denial.path.as_deref().map(base_name).filter(|name| !name.is_empty());
            denial.settled = match name {
                Some(name) if denial.writes => {
                    let wrote =
                        tool.kind == Kind::Writes && tool.file.as_deref().map(base_name) == Some(name);
                    wrote || tool.command.as_deref().is_some_and(|command| command.contains(name))
                }
                Some(_) => true,
                None => tool.name == denial.name,
            };
        }
    }

    pub(crate) fn todo(&mut self, id: &str, text: &str, done: bool) {
        let todo = Todo { text: text.to_owned(), done };
        match self.todos.iter_mut().find(|(known, _)| known == id) {
            Some((_, known)) => *known = todo,
            None => self.todos.push((id.to_owned(), todo)),
        }
    }

    pub(crate) fn todo_becomes(&mut self, id: &str, state: &str) {
        if state == "deleted" {
            self.todos.retain(|(known, _)| known != id);
        } else if let Some((_, todo)) = self.todos.iter_mut().find(|(known, _)| known == id) {
            todo.done = state == "completed";
        }
    }

    pub(crate) fn todo_list(&self) -> AgentEvent {
        AgentEvent::Task(TodoList { items: self.todos.iter().map(|(_, todo)| todo.clone()).collect() })
    }

    pub(crate) fn retrying(&mut self, class: Class, text: &str) {
        self.retry = Some(Fault { class, text: text.to_owned() });
    }

    pub(crate) fn alive(&mut self) {
        self.retry = None;
    }

    pub(crate) fn fault_class(&self) -> Option<Class> {
        self.fault.as_ref().map(|fault| fault.class)
    }

    /// Notes what ends the run, and says it: as a blocker where only a person or time can help.
    pub(crate) fn fails(&mut self, class: Class, text: &str) -> AgentEvent {
        self.fault = Some(Fault { class, text: text.to_owned() });
        let kinds = [
            (Class::NotSignedIn, BlockerKind::Auth),
            (Class::Billing, BlockerKind::Billing),
            (Class::RateLimited, BlockerKind::RateLimit),
            (Class::Untrusted, BlockerKind::Trust),
        ];
        let Some((_, what)) = kinds.into_iter().find(|(known, _)| *known == class) else {
            return AgentEvent::Error(AgentError { text: text.to_owned(), raw: None });
        };
        let resets_at = self.told.resets_at.filter(|_| what == BlockerKind::RateLimit);
        AgentEvent::Blocker(Blocker { what, text: text.to_owned(), resets_at, path: None })
    }
}

/// Whether a tool, by the name its CLI gives it, writes files: also where the call itself was refused or failed.
#[must_use]
pub fn is_writing_tool(name: &str) -> bool {
    const CLAUDE: [&str; 4] = ["Write", "Edit", "MultiEdit", "NotebookEdit"];
    const CODEX: [&str; 1] = ["file_change"];
    const GEMINI: [&str; 3] = ["write_file", "replace", "edit"];
    CLAUDE.contains(&name) || CODEX.contains(&name) || GEMINI.contains(&name)
}

fn push_words(events: &mut Vec<AgentEvent>, plain: &mut String) {
    let text = std::mem::take(plain);
    if !text.trim().is_empty() {
        events.push(AgentEvent::Progress(Progress { text, ..Progress::default() }));
    }
}

fn of_tool(
    id: &str,
    tool: &Tool,
    outcome: ToolOutcome,
    exit_code: Option<i32>,
    output: Option<String>,
) -> AgentEvent {
    AgentEvent::Progress(Progress {
        text: tool.text.clone(),
        progress: None,
        file: tool.file.clone(),
        tool: Some(ToolCall {
            id: id.to_owned(),
            name: tool.name.clone(),
            command: tool.command.clone(),
            outcome,
            exit_code,
            output,
        }),
        thinking: false,
    })
}

fn add(list: &mut Vec<String>, file: &str) {
    if !list.iter().any(|known| known == file) {
        list.push(file.to_owned());
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

pub(crate) fn note(text: String) -> AgentEvent {
    AgentEvent::Status(Status { what: StatusKind::Note, text, session: None, model: None, usage: None })
}

pub(crate) fn heartbeat() -> AgentEvent {
    let text = String::new();
    AgentEvent::Status(Status { what: StatusKind::Heartbeat, text, session: None, model: None, usage: None })
}

/// Of a tool's arguments, within one run.
pub(crate) fn fingerprint(arguments: Option<&Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    arguments.map(Value::to_string).hash(&mut hasher);
    hasher.finish()
}

/// The text at a JSON pointer.
pub(crate) fn text_at<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path)?.as_str()
}

/// The first of these pointers at which a text stands; empty when at none.
pub(crate) fn first_of<'a>(value: &'a Value, paths: &[&str]) -> &'a str {
    paths.iter().find_map(|path| text_at(value, path)).unwrap_or_default()
}

/// The truth at a JSON pointer; false when there is none.
pub(crate) fn flag(value: &Value, path: &str) -> bool {
    value.pointer(path).and_then(Value::as_bool).unwrap_or_default()
}

/// The whole number at a JSON pointer; 0 when there is none.
pub(crate) fn number(value: &Value, path: &str) -> u64 {
    let value = value.pointer(path);
    // Older versions give some of them with a fraction.
    value
        .and_then(|value| value.as_u64().or_else(|| value.as_f64().map(|value| value as u64)))
        .unwrap_or_default()
}
