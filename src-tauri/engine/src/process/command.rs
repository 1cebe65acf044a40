//! Short commands, such as a project's checks, under the same guardian: nothing they start is left behind.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::{Exit, ExitCause};

use super::{Caps, Processes, SpawnError, Spec};
use crate::private;
use crate::sandbox::{Needs, Sandbox};

/// A command of a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSpec {
    /// Run by `sh -c` (`cmd /C` on Windows).
    pub command: String,
    /// Where.
    pub cwd: PathBuf,
    /// Its whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// The longest it may take.
    pub timeout: Duration,
    /// Most bytes of the end of its output that are handed back.
    pub cap: usize,
    /// The file that its output and errors go to, whole, in the order of their writing; replaced when it is there.
    /// The exit record goes beside it, as `<log>.exit.json`.
    pub log: PathBuf,
    /// As [`Spec::cookie`].
    pub cookie: String,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandEnd {
    /// Its exit status; `None` when it was ended by a signal, or could not be started.
    pub exit_code: Option<i32>,
    /// The end of what it printed, invalid UTF-8 replaced; or why it could not be started.
    pub output: String,
    /// It took too long and was killed.
    pub timed_out: bool,
    /// All there is to know of its end.
    pub exit: Exit,
}

impl Processes {
    /// Runs a command to its end. When the future is dropped, the command is killed.
    ///
    /// # Errors
    /// [`SpawnError`].
    pub async fn run_command(&self, spec: CommandSpec) -> Result<CommandEnd, SpawnError> {
        self.run_confined(spec, None).await
    }

    /// The same in a sandbox, where there is one.
    pub(crate) async fn run_confined(
        &self,
        spec: CommandSpec,
        sandbox: Option<(&Sandbox, &Needs<'_>)>,
    ) -> Result<CommandEnd, SpawnError> {
        let emptied = private::options().write(true).create(true).truncate(true).open(&spec.log);
        drop(emptied.map_err(|error| SpawnError::file(&spec.log, &error))?);
        let (shell, flag) = if cfg!(windows) { ("cmd.exe", "/C") } else { ("/bin/sh", "-c") };
        let mut record = spec.log.clone().into_os_string();
        record.push(".exit.json");
        let plain = Spec {
            program: shell.into(),
            args: vec![flag.into(), spec.command.into()],
            env: spec.env,
            cwd: spec.cwd,
            stdin: None,
            stdout: spec.log.clone(),
            stderr: spec.log.clone(),
            record: record.into(),
            cookie: spec.cookie,
            caps: Caps { wall: Some(spec.timeout), ..Caps::default() },
            sandboxed: false,
        };
        let confined = match sandbox {
            Some((sandbox, needs)) => {
                sandbox.confine(plain, needs).map_err(|error| SpawnError::file(&spec.log, &error))?
            }
            None => plain,
        };
        let running = self.spawn(confined).await?;
        let end = running.end().wait().await;
        let output = match &end.why {
            Some(why) if end.exit.cause == ExitCause::NotStarted => why.clone(),
            Some(_) | None => {
                tail(&spec.log, spec.cap).map_err(|error| SpawnError::file(&spec.log, &error))?
            }
        };
        let timed_out = end.exit.cause == ExitCause::Limit;
        Ok(CommandEnd { exit_code: end.exit.code, output, timed_out, exit: end.exit.clone() })
    }
}

fn tail(path: &Path, cap: usize) -> io::Result<String> {
    let mut file = File::open(path)?;
    let from = file.metadata()?.len().saturating_sub(cap as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(cap as u64).read_to_end(&mut bytes)?;
    // Not from the middle of a character.
    let cut =
        if from == 0 { 0 } else { bytes.iter().take(3).take_while(|byte| *byte & 0xc0 == 0x80).count() };
    Ok(String::from_utf8_lossy(&bytes[cut..]).into_owned())
}
