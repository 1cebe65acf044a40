//! All that a command would run: the syntax tree is walked, with what is known of variables, folder and pipes.

use std::collections::{BTreeMap, BTreeSet};

use super::invocation::Invocation;
use super::place::Place;
use super::table::Construct;
use super::value::{Flow, Source, Value};

/// Commands that are looked at in one text; a longer one is asked about.
const MOST_COMMANDS: usize = 4_000;
/// Texts in texts (`sh -c` in `sh -c`); deeper ones are asked about.
const MOST_LEVELS: usize = 12;
/// Open brackets; the parser needs stack for each.
const MOST_OPEN: usize = 24;
/// Words that open something that needs stack.
const MOST_OPENERS: usize = 80;

/// What was seen in a command.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) invocations: Vec<Invocation>,
    pub(super) constructs: Vec<(Construct, String)>,
}

impl Seen {
    pub(super) fn of(construct: Construct, part: &str) -> Self {
        Self { invocations: Vec::new(), constructs: vec![(construct, crate::head(part, 200))] }
    }
}

/// Walks a command from its first word.
pub(super) fn walk(command: &str, place: &Place) -> Seen {
    if super::MOST_BYTES < command.len() {
        return Seen::of(Construct::TooLong, command);
    }
    let mut walk = Walk {
        place,
        vars: BTreeMap::new(),
        cwd: Some(place.cwd.clone()),
        files: BTreeMap::new(),
        functions: BTreeSet::new(),
        seen: Seen::default(),
        level: 0,
        branch: 0,
        budget: MOST_COMMANDS,
    };
    walk.text(command);
    walk.seen
}

/// A walk through a command.
pub(super) struct Walk<'a> {
    pub(super) place: &'a Place,
    /// Variables that the command itself set.
    pub(super) vars: BTreeMap<String, Value>,
    /// Where the shell is; `None` when only running tells.
    pub(super) cwd: Option<String>,
    /// What the command itself wrote to files, by the name it gave them.
    pub(super) files: BTreeMap<String, Flow>,
    /// Functions that the command defined.
    pub(super) functions: BTreeSet<String>,
    pub(super) seen: Seen,
    /// How many texts deep.
    level: usize,
    /// How many branches, loops and subshells deep: what is set there may be set or not.
    branch: usize,
    budget: usize,
}

impl Walk<'_> {
    /// Notes a construct; `part`: where.
    pub(super) fn found(&mut self, construct: Construct, part: &str) {
        self.seen.constructs.push((construct, crate::head(part, 200)));
    }

    /// Walks a text as a shell would run it; gives what it writes to standard output.
    pub(super) fn text(&mut self, text: &str) -> Flow {
        if MOST_LEVELS <= self.level || too_nested(text) {
            self.found(Construct::TooDeep, text);
            return Flow::From(Source::Unknown);
        }
        self.level += 1;
        let flow = match super::read::parse(text) {
            Some(program) => self.program(&program),
            None => {
                self.found(Construct::Unreadable, text);
                Flow::From(Source::Unknown)
            }
        };
        self.level -= 1;
        flow
    }

    /// `$(…)`: what it becomes.
    pub(super) fn substitution(&mut self, text: &str) -> Value {
        let cwd = self.cwd.clone();
        let flow = self.aside(|walk| walk.text(text));
        self.cwd = cwd;
        Value::of(flow)
    }

    /// Walks what may happen or not, or happens in a shell of its own.
    pub(super) fn aside<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.branch += 1;
        let done = inner(self);
        self.branch -= 1;
        done
    }

    /// Walks what runs in a shell of its own: it comes back to where it was.
    pub(super) fn apart<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let cwd = self.cwd.clone();
        let done = self.aside(inner);
        self.cwd = cwd;
        done
    }

    /// Whether one more command may be looked at.
    pub(super) fn spend(&mut self, part: &str) -> bool {
        if self.budget == 0 {
            if !self.seen.constructs.iter().any(|(construct, _)| *construct == Construct::TooLong) {
                self.found(Construct::TooLong, part);
            }
            return false;
        }
        self.budget -= 1;
        true
    }

    /// Sets a variable. In a branch it may keep the value it had: then nobody knows it.
    pub(super) fn assign(&mut self, name: &str, value: Value) {
        let unsure = 0 < self.branch && self.vars.get(name).is_some_and(|had| *had != value);
        let value = if unsure { Value::unknown(value.source.unwrap_or(Source::Unknown)) } else { value };
        self.vars.insert(name.to_owned(), value);
    }

    /// Goes to a folder.
    pub(super) fn go_to(&mut self, folder: Option<&Value>) {
        let target = match folder {
            None => Some(self.place.home.clone()),
            Some(folder) if !folder.is_known() => None,
            Some(folder) if folder.text().starts_with('/') => Some(folder.text().to_owned()),
            Some(folder) => self.cwd.as_ref().map(|cwd| format!("{cwd}/{}", folder.text())),
        };
        self.cwd = target
            .map(|path| super::place::normal(&path))
            .filter(|_| folder.is_none_or(|it| it.text() != "-"));
    }

    /// Notes what a file is given.
    pub(super) fn wrote(&mut self, file: &Value, flow: &Flow) {
        if file.is_known() && self.files.len() < MOST_COMMANDS {
            let name = file.text().trim_start_matches("./").to_owned();
            let before = self.files.remove(&name).unwrap_or_default();
            self.files.insert(name, before.then(flow.clone()));
        }
    }

    /// What the command itself wrote to a file before.
    pub(super) fn written(&self, file: &Value) -> Option<&Flow> {
        self.files.get(file.text().trim_start_matches("./"))
    }
}

/// Whether the parser might need more stack than there is. Counted by the text alone, so some texts count that only
/// quote brackets; they are asked about.
fn too_nested(text: &str) -> bool {
    let (mut open, mut most) = (0_usize, 0);
    for letter in text.chars() {
        match letter {
            '(' | '{' => open += 1,
            ')' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    let openers = ["if", "while", "until", "for", "case", "select"];
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | '{'));
    MOST_OPEN < most || MOST_OPENERS < words.filter(|word| openers.contains(word)).count()
}
