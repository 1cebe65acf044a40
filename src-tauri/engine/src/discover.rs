//! Which CLIs are installed, where, in which version, and whether they can do what the dialects need.
//!
//! Nothing here spends a token or needs a network: `--version`, `--help`, files and variables.

use std::{
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use domain::{AgentInfo, AgentName, AgentSettings, Dialect, Settings};
use sha2::{Digest, Sha256};

mod account;
mod login;
mod run;
mod search;

pub use account::{SignedIn, sign_in_hint, signed_in};
pub use login::{Environment, SHELL_TIMEOUT, environment};
pub use search::{Place, search_path};

pub(crate) use run::answer;
use run::{Ran, run};
use search::{Candidate, candidates, numbers};

/// How long a CLI may take to answer `--version` or `--help` (RELIABILITY R16); one that is visibly computing gets up
/// to 20 s, because a busy machine is no fault of the CLI.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Most installations of one CLI that are tried when the first ones do not work.
const MOST_CANDIDATES: usize = 4;

/// An agent of the settings and what was found of it.
#[derive(Debug)]
pub struct Found {
    /// Its name in the settings.
    pub name: AgentName,
    /// How it speaks.
    pub dialect: Dialect,
    /// What can be started, or why it cannot.
    pub agent: Result<AgentInfo, AgentProblem>,
    /// How it was found.
    pub place: Option<Place>,
    /// The file as it was found, before links and launchers were resolved.
    pub found_at: Option<PathBuf>,
    /// What its program file is, as hexadecimal SHA-256: an update that keeps the version still shows.
    pub hash: Option<String>,
    /// Whether it is signed in.
    pub signed_in: SignedIn,
    /// What works but is weaker, in sentences.
    pub warnings: Vec<String>,
}

/// Why an agent cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentProblem {
    /// `enabled = false`.
    #[error("switched off in the settings")]
    Disabled,
    /// Nothing of that name in any folder.
    #[error("{command} was not found on the PATH nor in the usual folders")]
    NotFound {
        /// What was looked for.
        command: String,
    },
    /// A path in the settings that leads nowhere.
    #[error("the settings name {command}, which is no program that can be run")]
    NamedNotFound {
        /// As the settings have it.
        command: String,
    },
    /// Only a program inside the project was found (THREATS T26).
    #[error("{} lies inside the project and is therefore not used", .0.display())]
    InsideTarget(PathBuf),
    /// The system refused to start it.
    #[error("{} cannot be started: {why}", program.display())]
    NotStarted {
        /// The file.
        program: PathBuf,
        /// The system's word.
        why: String,
    },
    /// No answer in [`TIMEOUT`].
    #[error("{} did not answer {question} in {} s", .program.display(), TIMEOUT.as_secs())]
    Hung {
        /// The file.
        program: PathBuf,
        /// What was asked.
        question: &'static str,
    },
    /// An exit code other than 0.
    #[error("{} {question} failed{}: {text}", .program.display(), .code.map(|code| format!(" with exit code {code}")).unwrap_or_default())]
    Failed {
        /// The file.
        program: PathBuf,
        /// What was asked.
        question: &'static str,
        /// Exit code; `None` for a signal.
        code: Option<i32>,
        /// Its last words, one line.
        text: String,
    },
    /// An answer without a version number.
    #[error("{} answered --version with {text:?}, which is no version", .program.display())]
    NoVersion {
        /// The file.
        program: PathBuf,
        /// What it said, one line.
        text: String,
    },
    /// The structured output, or another option that a dialect cannot do without, is missing.
    #[error("{} {version} does not know {missing}; it is too old or another program", .program.display())]
    Incapable {
        /// The file.
        program: PathBuf,
        /// What `--version` said.
        version: String,
        /// The options, separated by commas.
        missing: String,
    },
    /// A path that is not UTF-8 cannot be written down in a session.
    #[error("the path {} is not UTF-8", .0.display())]
    Path(PathBuf),
}

impl AgentProblem {
    /// What to do about it; a command to copy where there is one.
    #[must_use]
    pub fn fix(&self, name: &AgentName, dialect: Dialect) -> String {
        let command = || format!("or set [agents.{name}] command in the settings");
        match self {
            Self::Disabled => format!("Set [agents.{name}] enabled = true to use it."),
            Self::NotFound { .. } => format!("Install it with `{}`, {}.", install(dialect), command()),
            Self::NamedNotFound { .. } | Self::Path(_) => {
                format!("Set [agents.{name}] command to the absolute path of the program, or leave it out.")
            }
            Self::InsideTarget(_) => {
                format!("Install it outside of the project: `{}`, {}.", install(dialect), command())
            }
            Self::NotStarted { .. } | Self::Hung { .. } | Self::Failed { .. } | Self::NoVersion { .. } => {
                format!(
                    "Run it once in a terminal; if it does not work there, install it anew with `{}`.",
                    install(dialect)
                )
            }
            Self::Incapable { .. } => format!("Update it with `{}`, {}.", install(dialect), command()),
        }
    }
}

/// The command that installs a CLI.
#[must_use]
pub fn install(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Claude => "npm install -g @anthropic-ai/claude-code",
        Dialect::Codex => "npm install -g @openai/codex",
        Dialect::Gemini => "npm install -g @google/gemini-cli",
    }
}

/// What a dialect needs of its CLI, by the CLI's own help.
struct Needs {
    /// How to ask for help.
    help: &'static [&'static str],
    /// The same for people.
    question: &'static str,
    /// Without these the dialect cannot work at all.
    required: &'static [&'static str],
}

fn needs(dialect: Dialect) -> Needs {
    match dialect {
        Dialect::Claude => Needs {
            help: &["--help"],
            question: "--help",
            required: &[
                "--print",
                "--output-format",
                "stream-json",
                "--verbose",
                "--dangerously-skip-permissions",
                "--strict-mcp-config",
                "--mcp-config",
                "--add-dir",
                "--setting-sources",
                "--resume",
            ],
        },
        Dialect::Codex => Needs {
            help: &["exec", "--help"],
            question: "exec --help",
            required: &[
                "--json",
                "--dangerously-bypass-approvals-and-sandbox",
                "--skip-git-repo-check",
                "--cd",
                "--config",
                "--output-schema",
            ],
        },
        Dialect::Gemini => Needs {
            help: &["--help"],
            question: "--help",
            required: &["--output-format", "stream-json", "--yolo", "--include-directories", "--skip-trust"],
        },
    }
}

/// Looks for every agent of the settings, in parallel; in the order of their names. At most [`TIMEOUT`] for each
/// question a CLI is asked, commonly under two seconds in all.
///
/// `env` is what agents will get (see [`environment`]); programs inside `target` are never run, not even looked at.
///
/// What the probe of structured output proves: the CLI's own help offers every option that the dialect needs, so a
/// launch will not fail on its command line, and the version is compared with the tested ones. It does not prove that
/// a run works: that would need a model, hence an account, a network and tokens.
#[must_use]
pub fn agents(settings: &Settings, env: &Environment, target: Option<&Path>) -> Vec<Found> {
    thread::scope(|scope| {
        let looking: Vec<_> = (settings.agents.iter())
            .map(|(name, agent)| scope.spawn(move || look(name, agent, env, target)))
            .collect();
        looking.into_iter().filter_map(|one| one.join().ok()).collect()
    })
}

/// The environment with the PATH that agents get ([`search_path`]): also what an agent starts by name (`node`, `git`)
/// then never comes from the project, and is found where a dock's or a menu's PATH lacks it.
#[must_use]
pub fn for_agents(env: &Environment, target: Option<&Path>) -> Environment {
    let mut env = env.clone();
    let path = std::env::join_paths(search_path(&env, target)).ok();
    env.insert("PATH".to_owned(), path.and_then(|path| path.into_string().ok()).unwrap_or_default());
    env
}

/// The environment in which a CLI is asked: as agents get it, without updaters.
fn asked_in(env: &Environment, target: Option<&Path>) -> Environment {
    let mut env = for_agents(env, target);
    for name in [
        "DISABLE_AUTOUPDATER",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "GEMINI_CLI_NO_RELAUNCH",
        "NO_COLOR",
    ] {
        env.insert(name.to_owned(), "1".to_owned());
    }
    env
}

fn look(name: &AgentName, agent: &AgentSettings, env: &Environment, target: Option<&Path>) -> Found {
    let known = Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == name.as_str());
    // Settings that were read by `config` always have one of both.
    let dialect = agent.dialect.or(known).unwrap_or(Dialect::Claude);
    let mut env = env.clone();
    env.extend(agent.env.clone());
    let mut found = Found {
        name: name.clone(),
        dialect,
        agent: Err(AgentProblem::Disabled),
        place: None,
        found_at: None,
        hash: None,
        signed_in: signed_in(dialect, &env),
        warnings: Vec::new(),
    };
    if agent.enabled {
        search(&mut found, agent.command.as_deref(), &env, target);
    }
    found
}

/// Tries the installations in turn and takes the first that works; the first fault is told when none does.
fn search(found: &mut Found, command: Option<&str>, env: &Environment, target: Option<&Path>) {
    let named = command.is_some();
    let command = command.map_or_else(|| found.dialect.as_str().to_owned(), |command| at_home(command, env));
    let hits = candidates(&command, named, found.dialect, env, target);
    found.agent = Err(match hits.inside_target {
        Some(path) => AgentProblem::InsideTarget(path),
        None if named => AgentProblem::NamedNotFound { command },
        None => AgentProblem::NotFound { command },
    });
    let asked_in = asked_in(env, target);
    for (turn, candidate) in hits.good.into_iter().take(MOST_CANDIDATES).enumerate() {
        let (outcome, hash) = thread::scope(|scope| {
            let hash = scope.spawn(|| hash(&candidate.program).ok());
            (ask(&found.name, found.dialect, &candidate, &asked_in), hash.join().ok().flatten())
        });
        let (good, hung) = (outcome.is_ok(), matches!(outcome, Err(AgentProblem::Hung { .. })));
        if good || turn == 0 {
            let passed_over = found.agent.as_ref().err().filter(|_| 0 < turn).map(ToString::to_string);
            (found.place, found.found_at, found.hash) = (Some(candidate.place), Some(candidate.found), hash);
            found
                .warnings
                .extend(passed_over.map(|why| format!("Another installation was passed over: {why}.")));
            found.agent = outcome;
        }
        if good || hung {
            break; // a second one that hangs would double the wait
        }
    }
    if let Ok(agent) = &found.agent {
        found.warnings.extend(agents::version_warning(found.dialect, &agent.version).map(capital));
    }
}

/// A program file as hexadecimal SHA-256.
fn hash(program: &Path) -> std::io::Result<String> {
    let (mut hash, mut file) = (Sha256::new(), std::fs::File::open(program)?);
    let mut buffer = vec![0; 1 << 20];
    loop {
        match std::io::Read::read(&mut file, &mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// `~/…` in the settings, as people write it.
fn at_home(command: &str, env: &Environment) -> String {
    let home = env.get("HOME").or_else(|| env.get("USERPROFILE"));
    match (command.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => command.to_owned(),
    }
}

/// Asks one installation for its version and its help, both at once.
fn ask(
    name: &AgentName,
    dialect: Dialect,
    candidate: &Candidate,
    env: &Environment,
) -> Result<AgentInfo, AgentProblem> {
    let program = candidate.program.as_path();
    let needs = needs(dialect);
    let (version, help) = thread::scope(|scope| {
        let help = scope.spawn(|| said(program, needs.help, needs.question, env));
        let version = said(program, &["--version"], "--version", env);
        (version, help.join())
    });
    let version = version?;
    let line = one_line(&version);
    if line.is_empty() || version_of(&line).is_none() {
        return Err(AgentProblem::NoVersion { program: program.to_owned(), text: line });
    }
    let help = help.unwrap_or_else(|_| Ok(String::new()))?;
    let missing: Vec<&str> = needs.required.iter().copied().filter(|word| !offers(&help, word)).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Err(AgentProblem::Incapable { program: program.to_owned(), version: line, missing });
    }
    let path = program.to_str().ok_or_else(|| AgentProblem::Path(program.to_owned()))?;
    Ok(AgentInfo {
        name: name.clone(),
        dialect,
        program: path.to_owned(),
        leading_args: Vec::new(),
        version: line,
        demo: false,
    })
}

/// What an agent that was found before answers now when it is asked for its version.
///
/// # Errors
/// Why it does not answer.
pub(crate) fn version_now(
    agent: &AgentInfo,
    env: &Environment,
    target: Option<&Path>,
) -> Result<String, AgentProblem> {
    let program = Path::new(&agent.program);
    let args: Vec<&str> = agent.leading_args.iter().map(String::as_str).chain(["--version"]).collect();
    let line = one_line(&said(program, &args, "--version", &asked_in(env, target))?);
    match version_of(&line) {
        Some(_) => Ok(line),
        None => Err(AgentProblem::NoVersion { program: program.to_owned(), text: line }),
    }
}

/// What a program prints when asked; standard error counts when standard output is empty.
fn said(
    program: &Path,
    args: &[&str],
    question: &'static str,
    env: &Environment,
) -> Result<String, AgentProblem> {
    let own = || program.to_owned();
    match run(program, args, env, TIMEOUT) {
        Ran::Hung => Err(AgentProblem::Hung { program: own(), question }),
        Ran::NotStarted(error) => Err(AgentProblem::NotStarted { program: own(), why: error.to_string() }),
        Ran::Ended { code, stdout, stderr } => {
            let text = if stdout.is_empty() { &stderr } else { &stdout };
            let text = String::from_utf8_lossy(text).into_owned();
            match code {
                Some(0) => Ok(text),
                _ => Err(AgentProblem::Failed { program: own(), question, code, text: one_line(&text) }),
            }
        }
    }
}

/// The first line that says something, without control characters, at most 200 characters.
fn one_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    domain::head(&line, 200)
}

/// A sentence with its first letter in capitals.
pub(crate) fn capital(text: String) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}", chars.as_str())
}

/// The version number in an answer: the first word that has digits on both sides of a dot.
fn version_of(line: &str) -> Option<Vec<u64>> {
    let words = line.split_whitespace().map(|word| word.trim_start_matches('v'));
    words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .map(numbers)
        .find(|numbers| 2 <= numbers.len())
}

/// Whether a help text offers an option or value; `--json` is not offered by `--json-schema`.
fn offers(help: &str, word: &str) -> bool {
    help.match_indices(word).any(|(at, _)| {
        let part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !help[at + word.len()..].starts_with(part) && !help[..at].ends_with(part)
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
