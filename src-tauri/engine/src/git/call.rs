//! One call of git: arguments as a list, bounded output, a time limit.

use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use super::{Git, GitError, base_environment, hardening};

/// Most bytes of one answer, unless the call says otherwise.
const MOST_OUTPUT: usize = 64 << 20;
/// Most bytes kept of what git says on stderr.
const MOST_STDERR: usize = 64 << 10;
/// How long a call may take: a checkout or a first snapshot of a large project is minutes, nothing is hours.
const LONGEST: Duration = Duration::from_secs(900);

/// A place where git is called: a folder, and optionally which repository that folder belongs to, so that nothing
/// in the folder can redirect git elsewhere.
#[derive(Clone, Debug)]
pub struct Repository {
    git: Git,
    folder: PathBuf,
    git_dir: Option<PathBuf>,
    common_dir: Option<PathBuf>,
    work_tree: Option<PathBuf>,
    settings: Vec<(String, String)>,
}

impl Repository {
    /// The repository that git finds from a folder upwards.
    #[must_use]
    pub fn around(git: &Git, folder: &Path) -> Self {
        let (git, folder) = (git.clone(), folder.to_owned());
        Self { git, folder, git_dir: None, common_dir: None, work_tree: None, settings: Vec::new() }
    }

    /// A git directory without any working tree; `folder` is where temporary files may go.
    #[must_use]
    pub fn of(git: &Git, git_dir: &Path, folder: &Path) -> Self {
        Self { git_dir: Some(git_dir.to_owned()), ..Self::around(git, folder) }
    }

    /// A git directory with the working tree that belongs to it.
    #[must_use]
    pub fn with_tree(git: &Git, git_dir: &Path, work_tree: &Path) -> Self {
        Self { work_tree: Some(work_tree.to_owned()), ..Self::of(git, git_dir, work_tree) }
    }

    /// A linked worktree, by its administrative folder; neither its `.git` file nor `commondir` is believed.
    #[must_use]
    pub fn linked(git: &Git, common_dir: &Path, admin: &Path, work_tree: &Path) -> Self {
        Self { common_dir: Some(common_dir.to_owned()), ..Self::with_tree(git, admin, work_tree) }
    }

    /// With one more setting on every call.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// A call of a subcommand.
    #[must_use]
    pub fn call(&self, operation: &str) -> Call<'_> {
        Call {
            repository: self,
            operation: operation.to_owned(),
            arguments: Vec::new(),
            index: None,
            borrowed: None,
            input: Vec::new(),
            accepted: None,
            most: MOST_OUTPUT,
            cut: false,
        }
    }
}

/// A call that is being put together.
#[derive(Debug)]
pub struct Call<'r> {
    repository: &'r Repository,
    operation: String,
    arguments: Vec<OsString>,
    index: Option<PathBuf>,
    borrowed: Option<PathBuf>,
    input: Vec<u8>,
    accepted: Option<i32>,
    most: usize,
    cut: bool,
}

/// What a call gave.
#[derive(Debug)]
pub struct Output {
    /// 0, or the status given to [`Call::or`].
    pub status: i32,
    /// As it came.
    pub stdout: Vec<u8>,
    /// Whether [`Call::cut_at`] cut it.
    pub cut: bool,
}

impl Output {
    /// The parts of an answer to `-z`.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.stdout.split(|byte| *byte == 0).filter(|part| !part.is_empty())
    }

    /// The answer as one text, without the line ends after it.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end_matches(['\n', '\r']).to_owned()
    }
}

impl Call<'_> {
    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Another index than the working tree's own.
    #[must_use]
    pub fn index(mut self, index: &Path) -> Self {
        self.index = Some(index.to_owned());
        self
    }

    /// Objects of this folder count as the repository's own.
    #[must_use]
    pub fn borrowing(mut self, objects: &Path) -> Self {
        self.borrowed = Some(objects.to_owned());
        self
    }

    /// What git gets to read on stdin.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// An exit status beside 0 that is an answer and no failure.
    #[must_use]
    pub fn or(mut self, status: i32) -> Self {
        self.accepted = Some(status);
        self
    }

    /// Another bound for the answer than 64 MiB.
    #[must_use]
    pub fn most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Takes only the answer's first bytes.
    #[must_use]
    pub fn cut_at(mut self, most: usize) -> Self {
        (self.most, self.cut) = (most, true);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Every [`GitError`] except those of looking for git.
    pub fn run(self) -> Result<Output, GitError> {
        let mut command = self.command()?;
        let mut child = command.spawn().map_err(|source| self.not_run(source))?;
        let stdout = drain(child.stdout.take(), self.most, false);
        let stderr = drain(child.stderr.take(), MOST_STDERR, true);
        feed(&mut child, self.input.clone());
        let until = Instant::now() + LONGEST;
        let (out, over) = self.wait(&mut child, &stdout, until)?;
        if over && !self.cut {
            end(&mut child);
            return Err(GitError::TooMuch { operation: self.operation, most: self.most });
        }
        if over {
            end(&mut child);
            return Ok(Output { status: 0, stdout: out, cut: true });
        }
        let (said, _) = self.wait(&mut child, &stderr, until)?;
        let status = child.wait().map_err(|source| self.not_run(source))?.code();
        match status {
            Some(code) if code == 0 || self.accepted == Some(code) => {
                Ok(Output { status: code, stdout: out, cut: false })
            }
            _ => {
                let stderr = String::from_utf8_lossy(&said).trim().to_owned();
                Err(GitError::Failed { operation: self.operation, status, stderr })
            }
        }
    }

    /// Runs it and gives its answer as one text, without the line ends after it.
    ///
    /// # Errors
    /// As [`Call::run`].
    pub fn text(self) -> Result<String, GitError> {
        Ok(self.run()?.text())
    }

    fn command(&self) -> Result<Command, GitError> {
        let repository = self.repository;
        let mut command = Command::new(repository.git.program());
        command.arg(&self.operation).args(hardening::flags(&self.operation)).args(&self.arguments);
        command.current_dir(&repository.folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_clear().envs(base_environment()).envs(hardening::VARIABLES);
        let (name, email) = repository.git.identity();
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), name).env(format!("GIT_{who}_EMAIL"), email);
        }
        let places = [
            ("GIT_DIR", &repository.git_dir),
            ("GIT_COMMON_DIR", &repository.common_dir),
            ("GIT_WORK_TREE", &repository.work_tree),
            ("GIT_INDEX_FILE", &self.index),
        ];
        for (name, place) in places {
            if let Some(place) = place {
                command.env(name, place);
            }
        }
        if let Some(objects) = &self.borrowed {
            // A list parted by colons, unless it is quoted.
            let quoted = objects.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
            command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", format!("\"{quoted}\""));
        }
        for (at, (key, value)) in self.settings()?.into_iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value);
            command.env("GIT_CONFIG_COUNT", (at + 1).to_string());
        }
        own_group(&mut command);
        Ok(command)
    }

    fn settings(&self) -> Result<Vec<(String, String)>, GitError> {
        let fixed = hardening::SETTINGS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut all: Vec<_> = self.repository.git.found.settings.clone();
        all.extend(fixed);
        all.extend(self.repository.settings.iter().cloned());
        if hardening::has_drivers(&self.operation) {
            all.extend(hardening::drivers(self.repository)?);
        }
        Ok(all)
    }

    fn wait(
        &self,
        child: &mut Child,
        from: &Receiver<(Vec<u8>, bool)>,
        until: Instant,
    ) -> Result<(Vec<u8>, bool), GitError> {
        from.recv_timeout(until.saturating_duration_since(Instant::now())).map_err(|_| {
            end(child);
            GitError::TimedOut { operation: self.operation.clone(), after: LONGEST }
        })
    }

    fn not_run(&self, source: std::io::Error) -> GitError {
        GitError::NotRun { operation: self.operation.clone(), source }
    }
}

/// Ctrl-C in the terminal goes to the orchestrator, never to a git in the middle of its work.
fn own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(windows)]
    std::os::windows::process::CommandExt::creation_flags(command, 0x0800_0000); // CREATE_NO_WINDOW
}

/// Reads a pipe in a thread of its own and keeps at most `most` bytes; says whether there was more. The rest is
/// either read and dropped, or left, so that the writer can be ended.
fn drain(pipe: Option<impl Read + Send + 'static>, most: usize, rest: bool) -> Receiver<(Vec<u8>, bool)> {
    let (done, read) = channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut over = false;
        if let Some(mut pipe) = pipe {
            let limit = u64::try_from(most).unwrap_or(u64::MAX);
            // A broken pipe ends the answer; git's exit status tells whether it was whole.
            let _ = pipe.by_ref().take(limit).read_to_end(&mut kept);
            over = matches!(pipe.read(&mut [0]), Ok(1));
            if rest {
                let _ = std::io::copy(&mut pipe, &mut std::io::sink());
            }
        }
        let _ = done.send((kept, over));
    });
    read
}

/// Writes stdin in a thread of its own: git may answer before it has read everything.
fn feed(child: &mut Child, input: Vec<u8>) {
    if let Some(mut pipe) = child.stdin.take() {
        thread::spawn(move || {
            // git may leave without reading; its exit status tells.
            let _ = pipe.write_all(&input);
        });
    }
}

fn end(child: &mut Child) {
    // Both fail only when it is gone already.
    let _ = child.kill();
    let _ = child.wait();
}
