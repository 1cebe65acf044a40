//! Why a run failed: a table of patterns, and the order in which the sources are asked.

use std::sync::LazyLock;

use domain::{Dialect, Exit, ExitCause, Failed, Failure};
use regex::{Regex, RegexBuilder};

use crate::run::Run;

/// A class without what only the whole run knows; see [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    NotSignedIn,
    Billing,
    RateLimited,
    Overloaded,
    Network,
    Permission,
    NotGitRepository,
    OutsideWorkspace,
    ContextFull,
    Truncated,
    Crashed,
    Hung,
    Model,
    Config,
    Refused,
    CliLimit,
    Limit,
    Cancelled,
    /// gemini: the folder is not trusted. Only a flag that every launch carries can be the reason.
    Untrusted,
}

/// What ended a run, in the CLI's words.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) class: Class,
    pub(crate) text: String,
}

/// One row: whose words, what they look like (case is ignored), what they mean.
struct Pattern {
    dialect: Option<Dialect>,
    looks: &'static str,
    class: Class,
}

const fn row(dialect: Option<Dialect>, looks: &'static str, class: Class) -> Pattern {
    Pattern { dialect, looks, class }
}

/// The first row that fits decides, so narrow ones stand first: gemini's quota text, for one, also says "auth method".
/// Each was seen in a recording, except where marked.
const PATTERNS: &[Pattern] = &[
    row(
        Some(Dialect::Codex),
        r"not inside a trusted directory|not a git repository",
        Class::NotGitRepository,
    ),
    row(
        Some(Dialect::Gemini),
        r"path not in workspace|outside the allowed workspace",
        Class::OutsideWorkspace,
    ),
    row(Some(Dialect::Claude), r"outside (the )?allowed working director", Class::OutsideWorkspace),
    row(Some(Dialect::Gemini), r"not running in a trusted directory", Class::Untrusted),
    // From the vendor's announcement: logins of individuals are no longer served by gemini.
    row(Some(Dialect::Gemini), r"IneligibleTier", Class::NotSignedIn),
    row(Some(Dialect::Claude), r"cannot be used with root/sudo", Class::Config),
    row(
        None,
        r"--resume requires|no (?:previous )?(?:conversation|rollout|sessions?) found|invalid session (?:id|identifier)|session id .*already|already in use|session-id",
        Class::Config,
    ),
    row(None, r"quota exceeded\. check your plan|credit balance|insufficient_quota|billing", Class::Billing),
    row(
        None,
        r"usage limit|rate[ _]limit|too many requests|\b429\b|resource_exhausted|exhausted your|exceeded your current quota|has been exhausted|hit your .*limit",
        Class::RateLimited,
    ),
    row(
        None,
        r"context window|prompt is too long|input token count|input exceeds|input_too_large|exceeds 10MB|maximum context length",
        Class::ContextFull,
    ),
    row(
        None,
        r"missing environment variable|auth method|api[_ ]?key|unauthorized|not logged in|/login\b|\b401\b|unauthenticated|failed to authenticate|please (?:log|sign) in",
        Class::NotSignedIn,
    ),
    row(
        None,
        r"model\b.*(?:does not exist|not found|not supported)|models/\S+ is not found|issue with the selected model",
        Class::Model,
    ),
    row(
        None,
        r"at capacity|overloaded|high demand|\b50[0234]\b|\b529\b|unavailable|empty or malformed response|incomplete json|scripted 500|server-side issue",
        Class::Overloaded,
    ),
    row(
        None,
        r"connection (?:failed|refused)|fetch failed|enotfound|econn|eai_again|waiting for network|\bdns\b|disconnected|API Error: terminated|idle timeout|can't reach|timed? ?out",
        Class::Network,
    ),
    // A login that is there and does not suffice.
    row(None, r"\b403\b|forbidden|\bPERMISSION_DENIED\b", Class::NotSignedIn),
    row(None, r"permission denied|read-only sandbox|outside of the project", Class::Permission),
    row(
        None,
        r"safety settings|safeguards|refus(?:al|ed to answer)|empty response|blocked by",
        Class::Refused,
    ),
    row(None, r"max(?:imum)? (?:session )?turns|maximum number of turns|maximum budget", Class::CliLimit),
    row(
        None,
        r"unknown option|unexpected argument|unknown arguments?|invalid values|error loading config|configuration|requires (?:--verbose|output-format)|cannot use both|allowed choices|not valid json|schema file|settings file|directory does not exist|no such file|missing system prompt|unrecognized|interactive tui|no (?:prompt|input) provided|input must be provided|not valid utf-8|parsing streaming input|valid UUID|directories",
        Class::Config,
    ),
];

static TABLE: LazyLock<Vec<(Option<Dialect>, Regex, Class)>> = LazyLock::new(|| {
    let compiled = PATTERNS.iter().filter_map(|row| {
        let looks = RegexBuilder::new(row.looks).case_insensitive(true).build().ok()?;
        Some((row.dialect, looks, row.class))
    });
    compiled.collect()
});

/// What an error text means, where the table knows it. Only its first 20,000 bytes are looked at.
pub(crate) fn of_text(dialect: Dialect, text: &str) -> Option<Class> {
    let text = cut(text, 20_000);
    (TABLE.iter())
        .find(|(whose, looks, _)| whose.is_none_or(|whose| whose == dialect) && looks.is_match(text))
        .map(|(_, _, class)| *class)
}

fn cut(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// gemini's exit codes; HTTP errors leave as their status modulo 256 (measured). Plain HTTP statuses are understood too.
pub(crate) fn of_gemini_exit(code: i32) -> Option<Class> {
    Some(match code {
        41 | 145 | 147 | 401 | 403 => Class::NotSignedIn,
        42 | 44 | 52 | 144 | 400 => Class::Config,
        53 => Class::CliLimit,
        55 => Class::Untrusted,
        130 => Class::Cancelled,
        173 | 429 => Class::RateLimited,
        244..=248 | 500..=504 => Class::Overloaded,
        _ => return None,
    })
}

static OUTSIDE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:path not in workspace|outside the allowed workspace)[^"]*"([^"]+)""#).ok()
});

/// The path that gemini names when it refuses one outside of its directories.
pub(crate) fn path_outside(text: &str) -> Option<String> {
    let found = OUTSIDE.as_ref()?.captures(text)?;
    Some(found.get(1)?.as_str().to_owned())
}

/// Whether a text is one JSON object.
pub(crate) fn is_object(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('{') && serde_json::from_str::<serde_json::Map<_, _>>(text).is_ok()
}

/// Lines that the CLIs print on stderr whatever happens; they would mislead the table.
const NOISE: &[&str] = &[
    "Warning:",
    "YOLO mode",
    "Ripgrep is not",
    "[STARTUP]",
    "Reading prompt from stdin",
    "Reading additional input",
    "    at ",
    "Attempt ",
];

/// How the run ended. `None` is success: the terminal event says so, the process left with 0 (or gave its result and
/// would not leave), and nothing was refused that the worker found no other way around.
pub(crate) fn of_run(dialect: Dialect, run: &Run, exit: &Exit, stderr: &str) -> Option<Failed> {
    let said: String = (stderr.lines())
        .filter(|line| !line.trim().is_empty() && !NOISE.iter().any(|noise| line.starts_with(noise)))
        .fold(String::new(), |said, line| said + line + "\n");
    let failed = |class: Class, text: &str| Some(of_class(run, class, text));
    match exit.cause {
        ExitCause::Stopped => return failed(Class::Cancelled, "stopped on request"),
        ExitCause::Limit => {
            let text = if said.is_empty() { "stopped at a limit of this session" } else { &said };
            return failed(Class::Limit, text);
        }
        ExitCause::NotStarted => {
            return failed(Class::Config, if said.is_empty() { "could not be started" } else { &said });
        }
        ExitCause::Silent => {
            let (class, text) = match &run.retry {
                Some(retry) => (retry.class, retry.text.as_str()),
                None => (Class::Hung, "silent for too long"),
            };
            return failed(class, text);
        }
        ExitCause::Looped => {
            let again = run.denied_again();
            let class = again.map_or(Class::Permission, |denial| denial.class());
            return failed(class, again.map_or("it asked again for what was refused", |denial| &denial.text));
        }
        ExitCause::Left | ExitCause::Lingered | ExitCause::Orphaned => {}
    }
    let gone = exit.code == Some(0) || exit.cause != ExitCause::Left;
    match (run.told.terminal, gone) {
        (Some(true), true) => of_success(dialect, run, &said),
        (Some(true), false) => failed(Class::Crashed, &ending(exit, &said)),
        (Some(false), _) => {
            let fault = run.fault.as_ref();
            // It says that it was interrupted, and not by us: somebody's signal.
            let signalled = [Class::Crashed, Class::Cancelled];
            let class = fault.map(|fault| fault.class).filter(|class| !signalled.contains(class));
            let by_exit = exit.code.filter(|_| dialect == Dialect::Gemini).and_then(of_gemini_exit);
            let class = class.or_else(|| of_text(dialect, &said)).or(by_exit).unwrap_or(Class::Crashed);
            let text = fault.map(|fault| fault.text.as_str()).filter(|text| !text.is_empty());
            failed(class, text.unwrap_or(if said.is_empty() { "the turn failed" } else { &said }))
        }
        (None, _) => of_silence(dialect, run, exit, &said),
    }
}

/// It ended without a terminal event.
fn of_silence(dialect: Dialect, run: &Run, exit: &Exit, said: &str) -> Option<Failed> {
    let failed = |class: Class, text: &str| Some(of_class(run, class, text));
    if exit.code == Some(0) {
        return failed(Class::Truncated, "ended without its result");
    }
    if exit.cause == ExitCause::Orphaned {
        return failed(Class::Truncated, "taken down when the orchestrator died");
    }
    if let (Some(fault), _) | (None, Some(fault)) = (&run.fault, &run.retry) {
        return failed(fault.class, &fault.text);
    }
    let by_exit = exit.code.filter(|_| dialect == Dialect::Gemini).and_then(of_gemini_exit);
    // A signal says more than what happens to stand on stderr.
    let by_text = exit.code.and_then(|_| of_text(dialect, said));
    let class = match (by_text, by_exit) {
        // gemini's 42 is any bad input, its 1 anything: words are more exact.
        (Some(class), _) | (None, Some(class)) => class,
        (None, None) => Class::Crashed,
    };
    failed(class, &ending(exit, said))
}

/// The CLI is content; whether the worker got what it needed is another question.
fn of_success(dialect: Dialect, run: &Run, said: &str) -> Option<Failed> {
    if let Some(denial) = run.left_with() {
        return Some(of_class(run, denial.class(), &denial.text));
    }
    // codex gives no event for a patch that its own sandbox refused, only this line.
    if dialect == Dialect::Codex
        && let Some(at) = said.find("patch rejected")
    {
        let line = said[at..].lines().next().unwrap_or_default();
        return Some(of_class(run, Class::Permission, line));
    }
    if run.told.answer.trim().is_empty() && run.told.structured.is_none() && !run.used_tools {
        return Some(of_class(run, Class::Refused, "it said nothing and did nothing"));
    }
    None
}

fn ending(exit: &Exit, said: &str) -> String {
    let how = match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended for an unknown reason".to_owned(),
    };
    let said = said.trim();
    if said.is_empty() { how } else { format!("{how}: {said}") }
}

fn of_class(run: &Run, class: Class, text: &str) -> Failed {
    let path = || run.left_with().and_then(|denial| denial.path.clone());
    let failure = match class {
        Class::NotSignedIn => Failure::NotSignedIn,
        Class::Billing => Failure::Billing,
        Class::RateLimited => Failure::RateLimited { resets_at: run.told.resets_at },
        Class::Overloaded => Failure::Overloaded,
        Class::Network => Failure::Network,
        Class::Permission => Failure::Permission { path: path() },
        Class::NotGitRepository => Failure::NotGitRepository,
        Class::OutsideWorkspace => match path().or_else(|| path_outside(text)) {
            Some(path) => Failure::OutsideWorkspace { path },
            None => Failure::Permission { path: None },
        },
        Class::ContextFull => Failure::ContextFull,
        Class::Truncated => Failure::Truncated,
        Class::Crashed => Failure::Crashed,
        Class::Hung => Failure::Hung,
        Class::Model => Failure::Model,
        Class::Config | Class::Untrusted => Failure::Config,
        Class::Refused => Failure::Refused,
        Class::CliLimit => Failure::CliLimit,
        Class::Limit => Failure::Limit,
        Class::Cancelled => Failure::Cancelled,
    };
    Failed { failure, text: domain::head(crate::clean(text).trim(), 1000) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_of_the_table_compiles() {
        assert_eq!(TABLE.len(), PATTERNS.len());
        assert!(OUTSIDE.is_some());
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aü", 2), "a");
        assert_eq!(cut("aü", 3), "aü");
        assert_eq!(cut("", 3), "");
    }
}
