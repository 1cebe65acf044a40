//! Elsewhere than on Linux there is no sandbox yet: a session takes the user's consent.

#![expect(missing_docs, reason = "the fields are those of the type for Linux")]

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use agents::Confined;
use domain::{Level, SandboxReport, SandboxRules};

use crate::discover::Environment;
use crate::process::Spec;
use crate::trees::Lent;

/// As on Linux.
pub struct Start {
    pub report: SandboxReport,
    pub bwrap: PathBuf,
    pub orchestrate: PathBuf,
    pub rules: SandboxRules,
    pub session: PathBuf,
    pub target: PathBuf,
    pub proxy: Option<String>,
}

/// None can be made: [`assess`] never finds a level above L0.
#[derive(Debug)]
pub struct Sandbox {
    report: SandboxReport,
    rules: SandboxRules,
}

/// As on Linux.
#[derive(Debug, Default)]
pub struct Needs<'a> {
    pub who: &'a str,
    pub worktree: PathBuf,
    pub writes: bool,
    pub lent: Option<&'a Lent>,
    pub home: Option<&'a Confined>,
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    pub hosts: Vec<String>,
}

impl Sandbox {
    /// As on Linux.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self { report: start.report, rules: start.rules }
    }

    /// As on Linux.
    #[must_use]
    pub fn report(&self) -> &SandboxReport {
        &self.report
    }

    /// As on Linux.
    #[must_use]
    pub fn rules(&self) -> &SandboxRules {
        &self.rules
    }

    /// Never.
    ///
    /// # Errors
    /// Always.
    pub fn confine(&self, _: Spec, _: &Needs<'_>) -> io::Result<Spec> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Nothing holds here.
pub fn assess(_: &Path, _: &SandboxRules, _: &Environment, _: &Path) -> (SandboxReport, PathBuf) {
    let misses = vec!["there is no sandbox for this system yet".to_owned()];
    (SandboxReport { level: Level::L0, misses, ..SandboxReport::default() }, PathBuf::new())
}

/// Nothing runs inside of what there is not.
#[must_use]
pub fn confined_main(_: &[OsString]) -> u8 {
    2
}
