//! The user's settings: one TOML file → [`Settings`], every fault with its place.
//!
//! Only the user's own file counts. What a project brings along is never read, because a hostile repository would
//! then choose which programs run (THREATS T1).

use std::{
    fmt, fs, io,
    ops::{Range, RangeInclusive},
    path::{Path, PathBuf},
};

use domain::{AgentName, AgentSettings, Dialect, ErrorCode, SandboxRules, Settings, UserError};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::{folders, sandbox};

/// The file's name inside the program's configuration folder.
pub const FILE_NAME: &str = "settings.toml";
/// Most bytes of a settings file; what is larger is no settings file.
pub const MOST_BYTES: u64 = 1 << 20;

/// Where settings came from, for the doctor and the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nothing was set: the defaults are in force. Names the file that would be read.
    Defaults(Option<PathBuf>),
    /// This file was read.
    File(PathBuf),
    /// This file was there and was deliberately not read.
    Ignored(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Defaults(Some(path)) => write!(f, "built-in settings; {} is not there", path.display()),
            Self::Defaults(None) => f.write_str("built-in settings"),
            Self::File(path) => write!(f, "settings from {}", path.display()),
            Self::Ignored(path) => {
                write!(
                    f,
                    "{} lies in the project and was not read: a project cannot set anything",
                    path.display()
                )
            }
        }
    }
}

/// Why settings are refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was asked for is not there.
    #[error("the settings file {} is not there", .0.display())]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("the settings file {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// More than [`MOST_BYTES`].
    #[error("the settings file {} is larger than 1 MiB", .0.display())]
    TooLarge(PathBuf),
    /// Something in it is wrong; line and column count from 1.
    #[error("{}:{line}:{column}: {what}", path.display())]
    Wrong {
        /// Which file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong, in a sentence.
        what: String,
    },
}

impl From<ConfigError> for UserError {
    fn from(error: ConfigError) -> Self {
        let hint = match &error {
            ConfigError::Missing(_) => "Give the path of a file that exists, or leave --config out.",
            ConfigError::Unreadable { .. } => "Make the file readable, or leave --config out.",
            ConfigError::TooLarge(_) => "Give a settings file; settings.example.toml shows one.",
            ConfigError::Wrong { .. } => {
                "Mend that line; settings.example.toml shows every setting with its default."
            }
        };
        Self { code: ErrorCode::Usage, message: error.to_string(), hint: hint.to_owned() }
    }
}

/// Reads the user's settings: `path` when given, else `settings.toml` in the program's configuration folder
/// ([`folders::config`]), else the defaults.
///
/// `target` is the project folder, when it is known: a default file that lies inside of it is not read (a project
/// could have moved `XDG_CONFIG_HOME`), and one that a project brings along is named among the sources as ignored.
///
/// # Errors
/// [`ConfigError`]: a named file that is missing, any file that cannot be read or that holds an unknown key, a wrong
/// type or a value out of bounds.
pub fn load(path: Option<&Path>, target: Option<&Path>) -> Result<(Settings, Vec<Source>), ConfigError> {
    let default = folders::config().map(|folder| folder.join(FILE_NAME));
    load_from(path, default, target)
}

fn load_from(
    named: Option<&Path>,
    default: Option<PathBuf>,
    target: Option<&Path>,
) -> Result<(Settings, Vec<Source>), ConfigError> {
    let mut sources = Vec::new();
    let settings = match (named, default) {
        (Some(path), _) => {
            let text = read(path)?.ok_or_else(|| ConfigError::Missing(path.to_owned()))?;
            sources.push(Source::File(path.to_owned()));
            parse(&text, path)?
        }
        (None, Some(path)) if target.is_some_and(|target| folders::is_inside(&path, target)) => {
            sources.push(Source::Ignored(path));
            sources.push(Source::Defaults(None));
            Settings::default()
        }
        (None, Some(path)) => match read(&path)? {
            Some(text) => {
                let settings = parse(&text, &path)?;
                sources.push(Source::File(path));
                settings
            }
            None => {
                sources.push(Source::Defaults(Some(path)));
                Settings::default()
            }
        },
        (None, None) => {
            sources.push(Source::Defaults(None));
            Settings::default()
        }
    };
    let theirs = target.map(|target| target.join(".meta-orchestrator").join(FILE_NAME));
    sources.extend(theirs.filter(|path| path.exists() && named != Some(path.as_path())).map(Source::Ignored));
    Ok((settings, sources))
}

/// The file's text; `None` when there is no file.
fn read(path: &Path) -> Result<Option<String>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(facts) if MOST_BYTES < facts.len() => return Err(ConfigError::TooLarge(path.to_owned())),
        Ok(facts) if !facts.is_file() => {
            return Err(unreadable(io::Error::other("it is not a regular file")));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(fault) => {
            let good = fault.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(&fault.as_bytes()[..good]).into_owned();
            Err(wrong(path, &text, good, "this is not UTF-8 text; save the file as UTF-8".to_owned()))
        }
    }
}

/// Reads settings from a text; `path` is what errors name.
///
/// # Errors
/// [`ConfigError::Wrong`] with the first fault.
pub fn parse(text: &str, path: &Path) -> Result<Settings, ConfigError> {
    let mut settings: Settings = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        wrong(path, text, at, sentence(error.message()))
    })?;
    for dialect in Dialect::ALL {
        settings.agents.entry(dialect.as_str().into()).or_default().dialect.get_or_insert(dialect);
    }
    if let Some(fault) = fault(&settings) {
        let at = place(text, &fault.key).map_or(0, |span| span.start);
        return Err(wrong(path, text, at, format!("{} {}", fault.key.join("."), fault.what)));
    }
    Ok(settings)
}

fn wrong(path: &Path, text: &str, at: usize, what: String) -> ConfigError {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    ConfigError::Wrong { path: path.to_owned(), line, column, what }
}

/// serde's message in our words, with the nearest known word where one was mistyped.
fn sentence(message: &str) -> String {
    let message = message.trim().replace('\n', ": ");
    let mut words = message.split('`').skip(1).step_by(2);
    let (kind, given) = match (message.split(' ').nth(1), words.next()) {
        (Some("field"), Some(given)) if message.starts_with("unknown") => ("setting", given),
        (Some("variant"), Some(given)) if message.starts_with("unknown") => ("value", given),
        _ => return message,
    };
    let known: Vec<&str> = words.collect();
    let near = known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(given, word), *word))
        .filter(|(distance, word)| *distance * 2 <= word.len())
        .min();
    match near {
        Some((_, word)) => format!("unknown {kind} {given:?}; did you mean {word:?}?"),
        None => format!("unknown {kind} {given:?}; known here are {}", known.join(", ")),
    }
}

/// Where the value of a key stands in the text; for a key that is not there, its nearest parent.
fn place(text: &str, key: &[String]) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let mut found = None;
    let mut table = table.get_ref();
    for part in key {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref().as_ref() == part)?;
        found = Some(name.span());
        let DeValue::Table(inner) = Spanned::get_ref(value) else { break };
        table = inner;
    }
    found
}

/// A value that cannot be worked with.
struct Fault {
    key: Vec<String>,
    what: String,
}

impl Fault {
    fn new(key: &[&str], what: impl Into<String>) -> Self {
        Self { key: key.iter().map(|part| (*part).to_owned()).collect(), what: what.into() }
    }
}

/// Bounds that keep the gate safe and the session finite (SPEC sections 7 to 9).
fn fault(settings: &Settings) -> Option<Fault> {
    let Settings { parallel, review, limits, recovery, .. } = settings;
    let whole: [(&[&str], u64, RangeInclusive<u64>); 21] = [
        (&["parallel"], (*parallel).into(), 1..=64),
        (&["review", "max_rounds"], review.max_rounds.into(), 1..=10),
        (&["review", "every_minutes"], review.every_minutes.into(), 1..=1_440),
        (&["review", "at_milestone"], review.at_milestone.into(), 1..=8),
        (&["review", "at_end"], review.at_end.into(), 1..=8),
        (&["limits", "session_minutes"], limits.session_minutes.into(), 1..=43_200),
        (&["limits", "worker_minutes"], limits.worker_minutes.into(), 1..=43_200),
        (&["limits", "silent_minutes"], limits.silent_minutes.into(), 1..=1_440),
        (&["limits", "start_seconds"], limits.start_seconds.into(), 1..=3_600),
        (&["limits", "check_minutes"], limits.check_minutes.into(), 1..=1_440),
        (&["limits", "workers"], limits.workers.into(), 1..=100_000),
        (&["limits", "tokens"], limits.tokens, 1_000..=1_000_000_000_000),
        (&["limits", "output_bytes"], limits.output_bytes, 1 << 20..=1 << 40),
        (&["limits", "worker_turns"], limits.worker_turns.into(), 1..=1_000_000),
        (&["limits", "worker_tokens"], limits.worker_tokens, 1_000..=1_000_000_000_000),
        (&["limits", "worker_cpu_minutes"], limits.worker_cpu_minutes.into(), 1..=43_200),
        (&["limits", "worker_memory_mib"], limits.worker_memory_mib, 16..=1 << 24),
        (&["limits", "worker_processes"], limits.worker_processes.into(), 4..=100_000),
        (&["limits", "disk_free_mib"], limits.disk_free_mib, 0..=1 << 24),
        (&["recovery", "per_task"], recovery.per_task.into(), 0..=100),
        (&["recovery", "per_session"], recovery.per_session.into(), 0..=1_000),
    ];
    for (key, value, range) in whole {
        if !range.contains(&value) {
            let what = format!("is {value}; it must be from {} to {}", range.start(), range.end());
            return Some(Fault::new(key, what));
        }
    }
    for (key, value) in [("cost_usd", limits.cost_usd), ("worker_cost_usd", limits.worker_cost_usd)] {
        if !(0.01..=1_000_000.0).contains(&value) {
            let what = format!("is {value}; it must be from 0.01 to 1000000 US dollars");
            return Some(Fault::new(&["limits", key], what));
        }
    }
    for (model, price) in &settings.prices {
        if [price.input, price.output, price.cached].iter().any(|part| !(0.0..=1_000_000.0).contains(part)) {
            let what = "holds a price that is not from 0 to 1000000 US dollars per million tokens";
            return Some(Fault::new(&["prices", model], what));
        }
    }
    if let Some(check) = settings.checks.iter().find(|check| check.trim().is_empty() || check.contains('\0'))
    {
        return Some(Fault::new(&["checks"], format!("holds {check:?}, which is no command")));
    }
    if let Some(folder) = settings.directories.iter().find(|folder| !Path::new(folder).is_absolute()) {
        return Some(Fault::new(&["directories"], format!("holds {folder:?}, which is no absolute path")));
    }
    if let Some(fault) = sandbox_fault(&settings.sandbox) {
        return Some(fault);
    }
    if !settings.agents.contains_key(&settings.lead) {
        return Some(Fault::new(
            &["lead"],
            format!("is {:?}, which is no agent of these settings", settings.lead.0),
        ));
    }
    let guard = settings.guard.fault().map(|fault| Fault::new(&["guard", fault.key], fault.what));
    guard.or_else(|| settings.agents.iter().find_map(|(name, agent)| agent_fault(name, agent)))
}

fn sandbox_fault(rules: &SandboxRules) -> Option<Fault> {
    let at = |key: &str, what: String| Some(Fault::new(&["sandbox", key], what));
    if let Some(host) = rules.hosts.iter().find(|host| !sandbox::is_host(host)) {
        return at("hosts", format!("holds {host:?}, which is no host name; take `name` or `name:port`"));
    }
    if rules.local_ports.contains(&0) {
        return at("local_ports", "holds 0, which is no port".to_owned());
    }
    for (key, paths) in [("read", &rules.read), ("write", &rules.write)] {
        if let Some(path) = paths.iter().find(|path| !Path::new(path).is_absolute() || *path == "/") {
            return at(key, format!("holds {path:?}; it must be an absolute path, and not the root"));
        }
    }
    let plain =
        |name: &&String| name.is_empty() || name.contains(['/', '\0']) || matches!(name.as_str(), "." | "..");
    let name = rules.protect.iter().find(plain)?;
    at("protect", format!("holds {name:?}, which is no name at the top of a project"))
}

fn agent_fault(name: &AgentName, agent: &AgentSettings) -> Option<Fault> {
    let name = name.as_str();
    let own = |what: &str| Some(Fault::new(&["agents", name], what));
    let at = |key: &str, what: String| Some(Fault::new(&["agents", name, key], what));
    // The name becomes part of file names and of prompts.
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || 32 < name.len() || name.starts_with(['-', '_']) || !name.chars().all(good) {
        return own("is no good name; take 1 to 32 lower-case letters, digits, '-' and '_'");
    }
    let known = Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name);
    match (known, agent.dialect) {
        (None, None) => {
            return own(
                "is no known agent; say how it speaks with dialect = \"claude\", \"codex\" or \"gemini\"",
            );
        }
        (Some(known), Some(dialect)) if known != dialect => {
            let what =
                format!("is {:?}; give an agent that speaks it another name than {name:?}", dialect.as_str());
            return at("dialect", what);
        }
        _ => {}
    }
    if agent.command.as_ref().is_some_and(|command| command.trim().is_empty() || command.contains('\0')) {
        return at("command", "names no program; give a name or a path, or leave it out".to_owned());
    }
    if agent.model.as_ref().is_some_and(|model| model.trim().is_empty() || model.starts_with('-')) {
        return at("model", "names no model; leave it out for the CLI's own default".to_owned());
    }
    if let Some(host) = agent.hosts.iter().find(|host| !sandbox::is_host(host)) {
        return at("hosts", format!("holds {host:?}, which is no host name; take `name` or `name:port`"));
    }
    if agent.args.iter().any(|arg| arg.contains('\0')) {
        return at("args", "holds a NUL character, which no program can be given".to_owned());
    }
    let bad = |(name, value): (&String, &String)| {
        (name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')).then(|| name.clone())
    };
    let name = agent.env.iter().find_map(bad)?;
    at("env", format!("holds {name:?}, which cannot be a variable's name or has a NUL in its value"))
}

#[cfg(test)]
mod tests;
