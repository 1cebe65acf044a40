//! `orchestrate hook`: what a CLI starts before it runs a command (SPEC section 12). It asks the engine of its session and
//! answers in the CLI's own format. It decides nothing; when the engine is gone or does not answer, the command is denied.
//!
//! It shares the worker's file of calls and folder of answers with the MCP server: the channel that workers have already.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use agents::hook::{Asked, Verdict};
use domain::guard::{Place, Wanted};
use domain::{Call, Dialect};
use engine::calls::{self, Called};
use jiff::Timestamp;

/// How often the folder of answers is looked at.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the engine has for its word, before the command is denied.
const AT_ONCE: Duration = Duration::from_secs(30);
/// How long a person's answer may take on its way to us.
const MARGIN: Duration = Duration::from_secs(60);
/// Bytes of what a CLI tells a hook; what is longer is no command that anybody could read.
const MOST_INPUT: u64 = 4 << 20;
/// The exit status with which a hook denies in every CLI, whatever it printed.
const DENIES: u8 = 2;

/// One call of the hook. `rest`: the words after `hook`.
pub(crate) fn run(rest: &[OsString]) -> ExitCode {
    let asked = Hook::read(rest).and_then(|hook| Ok((hook.input()?, hook)));
    match asked {
        Ok((asked, hook)) => hook.answer(&asked),
        Err(fault) => deny_at_all(&fault),
    }
}

/// A hook that does not know what it is asked denies.
fn deny_at_all(fault: &str) -> ExitCode {
    crate::said::err(&format!("orchestrate hook: {fault}; the command is denied"));
    ExitCode::from(DENIES)
}

struct Hook {
    dialect: Dialect,
    calls: PathBuf,
    answers: PathBuf,
    project: String,
    /// How long a person has for an answer.
    patience: Duration,
}

impl Hook {
    fn read(rest: &[OsString]) -> Result<Self, String> {
        let word = |name: &str| {
            let at = rest.iter().position(|word| word == name);
            at.and_then(|at| rest.get(at + 1))
                .ok_or_else(|| format!("{name} is missing; this command is for programs"))
        };
        let text = |name: &str| word(name).map(|word| word.to_string_lossy().into_owned());
        let dialect = text("--dialect")?;
        let dialect = Dialect::ALL.into_iter().find(|known| known.as_str() == dialect);
        let minutes: u64 = text("--minutes")?.parse().map_err(|_| "--minutes is no number".to_owned())?;
        Ok(Self {
            dialect: dialect.ok_or("--dialect is unknown")?,
            calls: PathBuf::from(word("--calls")?),
            answers: PathBuf::from(word("--answers")?),
            project: text("--project")?,
            patience: Duration::from_secs(60 * minutes) + MARGIN,
        })
    }

    fn input(&self) -> Result<Asked, String> {
        let mut text = String::new();
        let mut input = std::io::stdin().take(MOST_INPUT);
        input
            .read_to_string(&mut text)
            .map_err(|fault| format!("what the CLI says cannot be read: {fault}"))?;
        agents::hook::read(&text).map_err(|fault| format!("what the CLI says is no hook's input: {fault}"))
    }

    fn answer(&self, asked: &Asked) -> ExitCode {
        let verdict = match asked {
            Asked::Started => {
                let noted = self.call(Call::Hooked);
                return noted.map_or_else(|fault| deny_at_all(&fault), |_| ExitCode::SUCCESS);
            }
            Asked::Nothing => return ExitCode::SUCCESS,
            Asked::Command { tool, command, cwd, prompted } => {
                let home =
                    std::env::home_dir().map(|home| home.to_string_lossy().into_owned()).unwrap_or_default();
                let cwd = cwd.clone().unwrap_or_else(|| self.project.clone());
                let place = Place { cwd, project: self.project.clone(), home, also: Vec::new() };
                let (tool, command, prompted) = (tool.clone(), command.clone(), *prompted);
                self.verdict(Wanted { tool, command, prompted, place })
            }
        };
        let (text, status) = agents::hook::answer(self.dialect, asked, &verdict);
        let mut out = std::io::stdout();
        let told = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Verdict::Denied(reason) = &verdict {
            crate::said::err(reason);
        }
        if told.is_err() { ExitCode::from(DENIES) } else { ExitCode::from(status) }
    }

    fn verdict(&self, wanted: Wanted) -> Verdict {
        match self.call(Call::Permit { wanted }).and_then(|call| self.wait(&call)) {
            Ok(verdict) => verdict,
            Err(fault) => Verdict::Denied(format!("{fault}; the command is denied.")),
        }
    }

    fn call(&self, what: Call) -> Result<String, String> {
        let call = uuid::Uuid::now_v7().to_string();
        let called = Called { call: call.clone(), at: Timestamp::now(), what };
        let noted = calls::append(&self.calls, &called);
        noted.map(|()| call).map_err(|fault| format!("The orchestrator cannot be asked: {fault}"))
    }

    /// Counted in looks, so that time in which we stood still is nobody's delay.
    fn wait(&self, call: &str) -> Result<Verdict, String> {
        let looks = |time: Duration| time.as_millis() / PAUSE.as_millis();
        let mut looked = 0;
        loop {
            if let Some(answer) = calls::answer(&self.answers, call) {
                return Ok(if answer.error { Verdict::Denied(answer.text) } else { Verdict::Allowed });
            }
            let patience = if calls::held(&self.answers, call) { self.patience } else { AT_ONCE };
            if looks(patience) <= looked {
                return Err("The orchestrator does not answer".to_owned());
            }
            std::thread::sleep(PAUSE);
            looked += 1;
        }
    }
}
