//! Plays the steps of a script: says them in the dialect, and really does them.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use domain::Dialect;
use serde_json::{Value, json};

use super::assignment::Assignment;
use super::flags::Flags;
use super::ignore::ignore_term;
use super::mcp::Mcp;
use super::script::{Fault, FaultKind, Step};
use super::speak::{Deed, Outcome, Voice};

/// Most bytes of a file or of a command's output that are shown.
const SHOWN: usize = 20_000;

/// A player at work.
pub(crate) struct Player<'a, W> {
    flags: &'a Flags,
    assignment: &'a Assignment,
    voice: Voice<W>,
    mcp: Option<Mcp>,
}

/// What follows from a step.
enum Then {
    GoOn,
    /// Leave with this status, without a result.
    Leave(i32),
    /// Nothing more, and no end.
    Hang,
}

impl<'a, W: Write> Player<'a, W> {
    pub(crate) fn new(flags: &'a Flags, assignment: &'a Assignment, out: W) -> Self {
        Self { flags, assignment, voice: Voice::new(flags, out), mcp: None }
    }

    /// Plays everything; gives the exit status.
    pub(crate) fn play(mut self, steps: Vec<Step>) -> io::Result<i32> {
        if let Some(status) = self.refuses_to_start(&steps)? {
            return Ok(status);
        }
        self.voice.begin(&self.assignment.prompt)?;
        let mut lingers = false;
        for step in steps {
            lingers |= matches!(step, Step::Linger(true));
            match self.step(step)? {
                Then::GoOn => {}
                Then::Leave(status) => return Ok(status),
                Then::Hang => hang(),
            }
        }
        self.voice.end()?;
        if lingers {
            hang();
        }
        Ok(0)
    }

    /// codex refuses a folder that is no repository before it says a word.
    fn refuses_to_start(&self, steps: &[Step]) -> io::Result<Option<i32>> {
        let refuses = steps.iter().any(|step| {
            let Step::Fail(Fault::Plain(kind) | Fault::Detailed { kind, .. }) = step else { return false };
            *kind == FaultKind::NotGitRepository
        });
        if !refuses || self.flags.skip_git_check || self.flags.dialect != Dialect::Codex {
            return Ok(None);
        }
        let text = "Not inside a trusted directory and --skip-git-repo-check was not specified.";
        writeln!(io::stderr(), "{text}")?;
        Ok(Some(1))
    }

    fn step(&mut self, step: Step) -> io::Result<Then> {
        match step {
            Step::Say(text) => self.voice.say(&text)?,
            Step::Think(text) => self.voice.think(&text)?,
            Step::Todo(items) => self.voice.todo(&items)?,
            Step::Read(path) => self.read(&path)?,
            Step::Write { path, text } => self.write(&path, &text.whole())?,
            Step::Run(command) => self.run(&command)?,
            Step::Report { kind, payload } => {
                self.voice.say(&json!({ "type": kind, "payload": payload }).to_string())?;
            }
            Step::Call { tool, input } => self.call(&tool, &input)?,
            Step::Ask(question) => self.call("ask_user", &json!({ "question": question }))?,
            Step::SleepMs(time) => std::thread::sleep(Duration::from_millis(time)),
            Step::Plan(plan) => self.voice.answer(&plan, self.flags.schema)?,
            Step::Verdict(mut verdict) => {
                if verdict.get("nonce").is_none() {
                    verdict["nonce"] = json!(self.assignment.field("nonce"));
                }
                self.voice.answer(&verdict, self.flags.schema)?;
            }
            Step::Usage { input, output, cost_usd } => self.voice.usage = (input, output, cost_usd),
            Step::Fail(fault) => return self.fail(fault),
            Step::Exit(status) => return Ok(Then::Leave(status)),
            Step::NoResult(true) => return Ok(Then::Leave(0)),
            Step::Hang(true) => return Ok(Then::Hang),
            Step::IgnoreTerm(true) => ignore_term()?,
            Step::Daemonise(count) => (0..count).try_for_each(|_| daemonise())?,
            Step::Crash(true) => std::process::abort(),
            Step::Raw(line) => self.voice.raw(&line)?,
            Step::Stderr(text) => writeln!(io::stderr(), "{text}")?,
            Step::Flood { lines, characters } => {
                for line in 0..lines {
                    self.voice.say(&format!("{line:0>characters$}"))?;
                }
            }
            Step::Load { per_second, seconds } => self.load(per_second, seconds)?,
            Step::Endless(bytes) => self.voice.endless(bytes)?,
            Step::Linger(_)
            | Step::NoResult(false)
            | Step::Hang(false)
            | Step::IgnoreTerm(false)
            | Step::Crash(false) => {}
        }
        Ok(Then::GoOn)
    }

    fn load(&mut self, per_second: u32, seconds: u32) -> io::Result<()> {
        let began = std::time::Instant::now();
        for number in 0..per_second.saturating_mul(seconds) {
            let due = began + Duration::from_secs(1) * number / per_second.max(1);
            std::thread::sleep(due.saturating_duration_since(std::time::Instant::now()));
            let time = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
            self.voice.say(&format!("load {number} {}", time.as_nanos()))?;
            // As agents do: nobody's paragraph is thousands of lines long.
            if (number + 1) % per_second == 0 {
                self.read("check.sh")?;
            }
        }
        Ok(())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.flags.cwd.join(path)
    }

    fn read(&mut self, path: &str) -> io::Result<()> {
        let full = self.path(path);
        let shown = full.to_string_lossy().into_owned();
        self.deed(&Deed::Read { path: &shown }, || match fs::read(&full) {
            Ok(bytes) => Outcome { output: shorten(&bytes), status: 0 },
            Err(fault) => Outcome { output: format!("{}: {fault}", full.display()), status: 1 },
        })
    }

    fn write(&mut self, path: &str, text: &str) -> io::Result<()> {
        let full = self.path(path);
        let shown = full.to_string_lossy().into_owned();
        self.deed(&Deed::Write { path: &shown, text }, || {
            let made = full.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&full, text));
            match made {
                Ok(()) => {
                    Outcome { output: format!("File created successfully at: {}", full.display()), status: 0 }
                }
                Err(fault) => Outcome { output: format!("{}: {fault}", full.display()), status: 1 },
            }
        })
    }

    fn run(&mut self, command: &str) -> io::Result<()> {
        let cwd = self.flags.cwd.clone();
        self.deed(&Deed::Run { command }, || {
            let done =
                Command::new("sh").args(["-c", command]).current_dir(cwd).stdin(Stdio::null()).output();
            match done {
                Ok(done) => Outcome {
                    output: shorten(&[done.stdout, done.stderr].concat()),
                    status: done.status.code().unwrap_or(128),
                },
                Err(fault) => Outcome { output: fault.to_string(), status: 127 },
            }
        })
    }

    fn deed(&mut self, deed: &Deed<'_>, does: impl FnOnce() -> Outcome) -> io::Result<()> {
        let id = self.voice.starts(deed)?;
        let outcome = does();
        self.voice.ends(&id, deed, &outcome)
    }

    fn call(&mut self, tool: &str, input: &Value) -> io::Result<()> {
        let deed = Deed::Call { tool, input };
        let id = self.voice.starts(&deed)?;
        let outcome = match self.ask_server(tool, input) {
            Ok((output, failed)) => Outcome { output, status: i32::from(failed) },
            Err(fault) => Outcome { output: fault.to_string(), status: 1 },
        };
        self.voice.ends(&id, &deed, &outcome)
    }

    fn ask_server(&mut self, tool: &str, input: &Value) -> io::Result<(String, bool)> {
        let (program, args) =
            self.flags.mcp.as_ref().ok_or_else(|| io::Error::other("there is no MCP server"))?;
        let mcp = match &mut self.mcp {
            Some(mcp) => mcp,
            none => none.insert(Mcp::start(program, args)?),
        };
        mcp.call(tool, input)
    }

    fn fail(&mut self, fault: Fault) -> io::Result<Then> {
        let (kind, path, resets_in_s) = match fault {
            Fault::Plain(kind) => (kind, None, None),
            Fault::Detailed { kind, path, resets_in_s } => (kind, path, resets_in_s),
        };
        match kind {
            FaultKind::OutsideWorkspace => {
                self.voice.outside(&path.unwrap_or_else(|| "/outside/of/everything".to_owned()))?;
                Ok(Then::GoOn)
            }
            FaultKind::NotGitRepository => Ok(Then::GoOn),
            FaultKind::NotSignedIn
            | FaultKind::Billing
            | FaultKind::RateLimited
            | FaultKind::Overloaded
            | FaultKind::Network
            | FaultKind::ContextFull
            | FaultKind::Model
            | FaultKind::Refused => {
                let resets_at = resets_in_s.map(|seconds| jiff::Timestamp::now().as_second() + seconds);
                Ok(Then::Leave(self.voice.fail(kind, resets_at)?))
            }
        }
    }
}

/// The beginning of what a tool gave, as text.
fn shorten(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned()
}

/// A process of a session of its own, where the system has a program for that, that outlives us by far.
fn daemonise() -> io::Result<()> {
    let command = "if command -v setsid >/dev/null; then setsid sleep 600 & else nohup sleep 600 & fi";
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.status().map(drop)
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}
