//! How far workers are confined, as the self-test found it.

use serde::{Deserialize, Serialize};

/// How far a session's workers are confined (`docs/SANDBOX.md`). Each level holds what the one before it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Level {
    /// Not at all: workers have the rights of the user.
    #[default]
    L0,
    /// They write only where they may (Landlock).
    L1,
    /// They also see nothing else of the machine: files, processes, sockets. The network is open.
    L2,
    /// They also reach only the hosts that are allowed.
    L3,
}

impl Level {
    /// `L3`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::L0 => "L0",
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
        }
    }

    /// What it means, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::L0 => "agents run without a sandbox, with all the rights you have",
            Self::L1 => "agents write only to their worktree; much of the machine can be read",
            Self::L2 => "agents see and write only their worktree and what you listed; the network is open",
            Self::L3 => {
                "agents see and write only their worktree and what you listed, and reach only allowed hosts"
            }
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What the self-test of the sandbox came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SandboxReport {
    /// What holds.
    pub level: Level,
    /// What confines, with its version: `bubblewrap 0.8.0`.
    pub by: String,
    /// SHA-256 over the command line of the profile that was tested, and the versions of kernel, sandbox and program.
    pub fingerprint: String,
    /// What was tried and did not hold, each in a sentence: why the level is no higher.
    pub misses: Vec<String>,
    /// How long the test took, in milliseconds.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub took_ms: u64,
}
