//! The only git call in the code: the system's `git` program, hardened against what a repository can bring.
//!
//! A project folder and every worker in it may plant configuration, hooks, attributes or nested repositories that
//! make git run programs. Each call therefore overrides all settings that can name a program, ignores the system's
//! and the user's configuration except for the few harmless values in [`Git::find`], and never asks anybody.

mod call;
mod hardening;
#[cfg(test)]
mod tests;

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

pub use call::{Call, Output, Repository};

/// The oldest git with `merge-tree --write-tree`, on which merging rests.
pub const OLDEST: (u32, u32) = (2, 38);

/// Who commits when the user told git no name.
const NOBODY: (&str, &str) = ("Meta-Orchestrator", "orchestrator@localhost");

/// Why git did not do what it was asked. Messages fit after "failed to …:".
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No program.
    #[error("git was not found on the PATH; install git {}.{} or newer", OLDEST.0, OLDEST.1)]
    NotFound,
    /// A program that is too old, or none that tells its version.
    #[error("{found:?} is too old; install git {}.{} or newer", OLDEST.0, OLDEST.1)]
    TooOld {
        /// What `git --version` said.
        found: String,
    },
    /// The program could not be run.
    #[error("git {operation} could not be run: {source}")]
    NotRun {
        /// The subcommand.
        operation: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It took too long and was ended.
    #[error("git {operation} was ended because it took longer than {} s", after.as_secs())]
    TimedOut {
        /// The subcommand.
        operation: String,
        /// How long it was given.
        after: Duration,
    },
    /// It said more than anybody can use.
    #[error("git {operation} gave more than {most} bytes")]
    TooMuch {
        /// The subcommand.
        operation: String,
        /// How many were allowed.
        most: usize,
    },
    /// It said no.
    #[error("git {operation} failed: {stderr}")]
    Failed {
        /// The subcommand.
        operation: String,
        /// Its exit status; `None` after a signal.
        status: Option<i32>,
        /// What it said, trimmed, at most 64 KiB.
        stderr: String,
    },
    /// It said something that was not understood.
    #[error("git {operation} gave an answer that cannot be read: {answer:?}")]
    Unreadable {
        /// The subcommand.
        operation: String,
        /// The answer's beginning.
        answer: String,
    },
}

impl GitError {
    /// What git said on stderr, when it failed; else nothing.
    #[must_use]
    pub fn said(&self) -> &str {
        if let Self::Failed { stderr, .. } = self { stderr } else { "" }
    }
}

/// The git program of this machine, with the user's name and harmless settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Git {
    found: Arc<Found>,
}

#[derive(Debug)]
struct Found {
    program: PathBuf,
    version: String,
    name: String,
    email: String,
    settings: Vec<(String, String)>,
}

impl Git {
    /// Looks for git on this process's PATH, checks its version, and reads once, from the user's and the system's
    /// configuration, the name and address to commit under, line-ending rules, the global ignore file and
    /// `safe.directory`: values that cannot run anything.
    ///
    /// # Errors
    /// [`GitError::NotFound`], [`GitError::TooOld`].
    pub fn find() -> Result<Self, GitError> {
        Self::find_in(&std::env::var_os("PATH").unwrap_or_default())
    }

    /// [`Git::find`] on another search path; relative folders in it are ignored.
    ///
    /// # Errors
    /// As [`Git::find`].
    pub fn find_in(path: &OsStr) -> Result<Self, GitError> {
        let program = std::env::split_paths(path)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(if cfg!(windows) { "git.exe" } else { "git" }))
            .find(|program| program.is_file())
            .ok_or(GitError::NotFound)?;
        let version = version(&program)?;
        let theirs = [read(&program, "--system"), read(&program, "--global")].concat();
        let last = |wanted: &str| {
            let found = theirs.iter().rev().find(|(key, value)| key == wanted && !value.trim().is_empty());
            found.map(|(_, value)| value.trim().to_owned())
        };
        let name = last("user.name").unwrap_or_else(|| NOBODY.0.to_owned());
        let email = last("user.email").unwrap_or_else(|| NOBODY.1.to_owned());
        let settings =
            theirs.into_iter().filter(|(key, _)| hardening::KEPT.contains(&key.as_str())).collect();
        Ok(Self { found: Arc::new(Found { program, version, name, email, settings }) })
    }

    /// Where the program lies.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.found.program
    }

    /// What `git --version` says after "git version".
    #[must_use]
    pub fn version(&self) -> &str {
        &self.found.version
    }

    /// Name and address to commit under.
    #[must_use]
    pub fn identity(&self) -> (&str, &str) {
        (&self.found.name, &self.found.email)
    }
}

/// Asks for the version; refuses what is older than [`OLDEST`].
fn version(program: &Path) -> Result<String, GitError> {
    let asked = Command::new(program).arg("--version").envs(base_environment()).output();
    let said = asked.map_err(|source| GitError::NotRun { operation: "--version".to_owned(), source })?;
    let said = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    let version = said.strip_prefix("git version ").unwrap_or_default().to_owned();
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let found = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if found < OLDEST { Err(GitError::TooOld { found: said }) } else { Ok(version) }
}

/// One scope of the user's own configuration, keys in lower case; nothing when there is none.
fn read(program: &Path, scope: &str) -> Vec<(String, String)> {
    let mut command = Command::new(program);
    command.args(["config", scope, "--includes", "-z", "--list"]).env_clear().envs(base_environment());
    command.current_dir(program.parent().unwrap_or(Path::new("/")));
    let own = ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM"];
    command.envs(own.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
    let Ok(said) = command.output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&said.stdout);
    text.split('\0')
        .filter_map(|entry| entry.split_once('\n'))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
        .collect()
}

/// The few variables of our own environment that git may see.
fn base_environment() -> Vec<(OsString, OsString)> {
    let passed =
        hardening::PASSED.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
    passed.chain([(OsString::from("LC_ALL"), OsString::from("C"))]).collect()
}
