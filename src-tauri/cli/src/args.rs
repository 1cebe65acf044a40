//! The command line (SPEC section 14): what may be typed, and what is wrong with what was.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args, CommandFactory, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser, ValueParser},
    error::{ContextKind, ErrorKind},
};
use domain::{Choice, ErrorCode, LandMethod, QuestionId, Seq, TaskId, UserError};

/// Coding agents of different vendors as one team on one task.
#[derive(Debug, Parser)]
#[command(name = "orchestrate", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What is to be done, in quotes; `-` reads it from standard input.
    pub prompt: Option<String>,
    #[command(flatten)]
    pub flags: Flags,
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 internal error, 2 usage, 3 waiting for you, 4 stopped by you, \
                          5 limit reached, 6 preflight failed.";

/// Options that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Common {
    /// The project folder; the current one when absent.
    #[arg(short = 'C', long, value_name = "DIR", global = true)]
    pub target: Option<PathBuf>,
    /// Where sessions live.
    #[arg(long, value_name = "DIR", global = true)]
    pub workspace: Option<PathBuf>,
    /// The settings file.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// One journal entry per line, the last line is the summary.
    #[arg(long, global = true)]
    pub json: bool,
    /// Debug logs on standard error.
    #[arg(long, global = true)]
    pub verbose: bool,
}

/// Options of starting a session.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Flags {
    /// Without a window: print progress and wait.
    #[arg(long)]
    pub no_dashboard: bool,
    /// Serve dashboard and API on loopback.
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Approve the plan without asking.
    #[arg(long)]
    pub yes: bool,
    /// Consent, for this session, to agents without a sandbox.
    #[arg(long)]
    pub unsandboxed: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a session; for prompts that are a command's name.
    Run {
        /// What is to be done; `-` reads it from standard input.
        prompt: String,
        #[command(flatten)]
        flags: Flags,
    },
    /// Take a session up again, or let a paused one go on.
    Resume {
        /// Its name, or the beginning or end of it; the newest of the project when absent.
        session: Option<String>,
        /// Without a window.
        #[arg(long)]
        no_dashboard: bool,
    },
    /// Show how sessions stand.
    Status {
        /// One session in full; all of them when absent.
        session: Option<String>,
    },
    /// Freeze the workers and start none.
    Pause {
        /// Its name, or the beginning or end of it; the newest of the project when absent.
        session: Option<String>,
    },
    /// Stop the workers; the session can be resumed.
    Stop {
        /// Its name, or the beginning or end of it; the newest of the project when absent.
        session: Option<String>,
        /// Without grace.
        #[arg(long)]
        now: bool,
    },
    /// Have the work as it stands reviewed.
    Review {
        /// Its name, or the beginning or end of it; the newest of the project when absent.
        session: Option<String>,
        /// One task; every task at work when absent.
        #[arg(long, value_name = "TASK", value_parser = ValueParser::from(task_id))]
        task: Option<TaskId>,
    },
    /// Answer a question.
    Answer {
        /// `[SESSION] TEXT`: the session when there are two, or when it is the name of one.
        #[arg(value_name = "SESSION] [TEXT", num_args = 0..=2)]
        words: Vec<String>,
        /// Which question; the oldest open one when absent.
        #[arg(long, value_name = "q1")]
        question: Option<QuestionId>,
        /// Which of its choices.
        #[arg(long, value_parser = choices())]
        choice: Option<Choice>,
    },
    /// Bring the result into the branch you came from.
    Land {
        /// Its name, or the beginning or end of it; the newest of the project when absent.
        session: Option<String>,
        /// How; the best that works when absent.
        #[arg(long, value_parser = methods())]
        method: Option<LandMethod>,
        /// Message of a merge or squash commit.
        #[arg(long, default_value = "", hide_default_value = true)]
        message: String,
    },
    /// Print the raw output of a worker.
    Log {
        /// `[SESSION] [WORKER]`: the workers are listed when none is named.
        #[arg(value_name = "SESSION] [WORKER", num_args = 0..=2)]
        words: Vec<String>,
    },
    /// Print what happened in a session up to an entry, and how it stood there.
    Replay {
        /// Its name, or the beginning or end of it; the newest of the project when absent.
        session: Option<String>,
        /// The last entry to look at.
        #[arg(long, value_name = "SEQ", value_parser = ValueParser::from(seq))]
        to: Option<Seq>,
    },
    /// Look at agents and machine, and say what to mend.
    Doctor,
    /// Show what configuration for agents the project brings along, and have it loaded after a typed yes.
    Trust {
        /// Take the approval back.
        #[arg(long)]
        revoke: bool,
    },
    /// What each reviewer's verdicts were worth, over all sessions of the workspace.
    Scoreboard,
    /// A whole session with scripted agents: no AI, no account, no network.
    Demo {
        /// Without a window.
        #[arg(long)]
        no_dashboard: bool,
    },
}

fn task_id(text: &str) -> Result<TaskId, std::convert::Infallible> {
    Ok(text.into())
}

fn seq(text: &str) -> Result<Seq, std::num::ParseIntError> {
    text.parse().map(Seq)
}

/// The words of [`Choice`], as typed.
pub(crate) const CHOICES: [(&str, Choice); 12] = [
    ("approve", Choice::Approve),
    ("replan", Choice::Replan),
    ("instruct", Choice::Instruct),
    ("override", Choice::Override),
    ("retry", Choice::Retry),
    ("abandon", Choice::Abandon),
    ("hand-over", Choice::HandOver),
    ("third-opinion", Choice::ThirdOpinion),
    ("reply", Choice::Reply),
    ("deny", Choice::Deny),
    ("allow", Choice::AllowOnce),
    ("allow-session", Choice::AllowSession),
];

/// The words of [`LandMethod`], as typed.
pub(crate) const METHODS: [(&str, LandMethod); 4] = [
    ("ff", LandMethod::FastForward),
    ("merge", LandMethod::Merge),
    ("squash", LandMethod::Squash),
    ("keep", LandMethod::Keep),
];

fn choices() -> impl TypedValueParser<Value = Choice> {
    PossibleValuesParser::new(CHOICES.map(|(word, _)| word)).try_map(|word| pick(&CHOICES, &word))
}

fn methods() -> impl TypedValueParser<Value = LandMethod> {
    PossibleValuesParser::new(METHODS.map(|(word, _)| word)).try_map(|word| pick(&METHODS, &word))
}

fn pick<T: Copy>(words: &[(&str, T)], word: &str) -> Result<T, String> {
    words.iter().find(|(known, _)| *known == word).map(|(_, value)| *value).ok_or_else(|| word.to_owned())
}

/// What came of reading a command line.
pub(crate) enum Read {
    /// Something to do.
    Go(Box<Arguments>),
    /// A text that was asked for: help or version.
    Show(String),
    /// Nothing that makes sense.
    Wrong(UserError),
}

/// Reads a command line, the program's name first.
pub(crate) fn read(given: impl IntoIterator<Item = OsString>) -> Read {
    match Arguments::try_parse_from(given) {
        Ok(arguments) => match misplaced(&arguments) {
            Some(wrong) => Read::Wrong(wrong),
            None => Read::Go(Box::new(arguments)),
        },
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Read::Show(error.render().to_string())
        }
        Err(error) => Read::Wrong(explain(&error)),
    }
}

/// A usage error.
pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> UserError {
    UserError { code: ErrorCode::Usage, message: message.into(), hint: hint.into() }
}

/// What the grammar allows, but nobody can mean.
fn misplaced(arguments: &Arguments) -> Option<UserError> {
    let Arguments { prompt, flags, command, .. } = arguments;
    if flags.port.or(command.as_ref().and_then(Command::port)).is_some() {
        return Some(usage("The API and its dashboard come with a later version.", "Leave --port out."));
    }
    match (prompt, command) {
        (Some(prompt), Some(_)) => Some(usage(
            format!("There is a prompt ({:?}) and a command in one line.", domain::head(prompt, 40)),
            "Put a prompt of several words in quotes, or give the command alone.",
        )),
        (Some(prompt), None) => mistyped(prompt),
        (None, Some(command)) if !command.starts() => flags.given().map(|flag| {
            usage(format!("{flag} belongs to starting a session."), "Leave it out, or give a prompt.")
        }),
        (None, Some(_)) => None,
        (None, None) => Some(usage(
            "There is no prompt.",
            "Say what is to be done, as in: orchestrate \"Add a --version flag\". All commands: orchestrate --help.",
        )),
    }
}

/// A single word that is nearly a command is one mistyped: a session would cost money.
fn mistyped(prompt: &str) -> Option<UserError> {
    let near = |name: &str| strsim::damerau_levenshtein(name, prompt) <= 1 + name.len() / 6;
    let command = Arguments::command();
    let meant = command.get_subcommands().map(clap::Command::get_name).find(|name| near(name))?;
    Some(usage(
        format!("There is no command `{prompt}`; `{meant}` is near."),
        format!("Type `orchestrate {meant}`; or, if it is meant as a prompt, `orchestrate run {prompt}`."),
    ))
}

impl Command {
    fn port(&self) -> Option<u16> {
        if let Self::Run { flags, .. } = self { flags.port } else { None }
    }

    /// Whether options of starting a session may stand before it.
    fn starts(&self) -> bool {
        matches!(self, Self::Run { .. } | Self::Demo { .. } | Self::Resume { .. })
    }
}

impl Flags {
    /// One of them that was given.
    fn given(&self) -> Option<&'static str> {
        [
            (self.no_dashboard, "--no-dashboard"),
            (self.port.is_some(), "--port"),
            (self.yes, "--yes"),
            (self.unsandboxed, "--unsandboxed"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }

    /// These, and those that stood before the command.
    pub(crate) fn and(self, before: &Self) -> Self {
        Self {
            no_dashboard: self.no_dashboard || before.no_dashboard,
            port: self.port.or(before.port),
            yes: self.yes || before.yes,
            unsandboxed: self.unsandboxed || before.unsandboxed,
        }
    }
}

/// clap's complaint as one sentence, and what to do.
fn explain(error: &clap::Error) -> UserError {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first).trim_end_matches(':').to_owned();
    let lists = error.kind() == ErrorKind::MissingRequiredArgument;
    let listed = text.lines().skip(1).take_while(|line| lists && !line.is_empty());
    let listed: String = listed.map(|line| format!(" {}", line.trim())).collect();
    let mut sentence = first.replace("unrecognized subcommand", "unexpected word") + &listed;
    if let Some(letter) = sentence.chars().next() {
        sentence.replace_range(..letter.len_utf8(), &letter.to_uppercase().to_string());
    }
    let meant = error.get(ContextKind::SuggestedArg).or_else(|| error.get(ContextKind::SuggestedValue));
    let hint = match (meant, error.kind()) {
        (Some(meant), _) => format!("Did you mean {meant}? "),
        (None, ErrorKind::InvalidSubcommand) => "Put a prompt of several words in quotes. ".to_owned(),
        (None, ErrorKind::InvalidValue) => possible(error),
        (None, _) => String::new(),
    };
    usage(sentence + ".", hint + "All commands and options: orchestrate --help.")
}

fn possible(error: &clap::Error) -> String {
    error.get(ContextKind::ValidValue).map(|values| format!("Possible are: {values}. ")).unwrap_or_default()
}
