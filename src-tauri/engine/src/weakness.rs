//! Protections that the control runs of the chaos recipes take away, to show that the recipes would notice
//! (RELIABILITY: a recipe without a failing control does not count).
//!
//! A switch of this process that nothing in the product sets; what the process starts does not inherit it.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

static TAKEN_AWAY: AtomicU32 = AtomicU32::new(0);

/// A protection that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// Guardians do not notice that the app died: its workers run on.
    NoGuardian,
    /// The journal is written, but nothing waits until it is on the disk.
    NoSync,
    /// Deadlines go by the clock on the wall, as a person may set it.
    WallClock,
    /// Nobody takes the session's lock: two processes may write one journal.
    NoLock,
    /// Every probe of the machine says that all is well.
    NoProbes,
    /// What could not be written counts as written.
    IgnoreWriteErrors,
    /// Workers that should be in a sandbox are not.
    NoSandbox,
    /// A verdict is whatever word of one stands first in a reviewer's output, whoever wrote it: no schema, no nonce.
    TextVotes,
    /// CLIs are started without hooks: nobody is asked before a command runs.
    NoHooks,
    /// What agents say is kept with the secrets in it.
    NoRedaction,
}

impl Weakness {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NoGuardian,
        Self::NoSync,
        Self::WallClock,
        Self::NoLock,
        Self::NoProbes,
        Self::IgnoreWriteErrors,
        Self::NoSandbox,
        Self::TextVotes,
        Self::NoHooks,
        Self::NoRedaction,
    ];

    /// Its name for the program `orchestrate-weakened`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoGuardian => "no_guardian",
            Self::NoSync => "no_sync",
            Self::WallClock => "wall_clock",
            Self::NoLock => "no_lock",
            Self::NoProbes => "no_probes",
            Self::IgnoreWriteErrors => "ignore_write_errors",
            Self::NoSandbox => "no_sandbox",
            Self::TextVotes => "text_votes",
            Self::NoHooks => "no_hooks",
            Self::NoRedaction => "no_redaction",
        }
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Takes a protection away from this process, for good. Only test programs do.
pub fn weaken(weakness: Weakness) {
    TAKEN_AWAY.fetch_or(weakness.bit(), Ordering::Relaxed);
}

/// Whether a protection is taken away.
pub(crate) fn has(weakness: Weakness) -> bool {
    TAKEN_AWAY.load(Ordering::Relaxed) & weakness.bit() != 0
}

/// What a gate without a schema channel would take for a reviewer's verdict: the first word of one in all that its process
/// printed, its tools' output included. `None` for workers that are no reviewers, and where there is no such word.
pub(crate) fn text_vote(prompt: &Path, stdout: &Path) -> Option<String> {
    let prompt = std::fs::read_to_string(prompt).ok()?;
    let (head, _) = prompt.split_once("\n\n")?;
    let nonce = head.lines().find_map(|line| line.strip_prefix("nonce: "))?;
    let said = std::fs::read(stdout).ok()?;
    let said = String::from_utf8_lossy(&said).to_lowercase();
    // gemini repeats the prompt, which names all verdicts.
    let own = said.lines().filter(|line| !line.contains("\"role\":\"user\""));
    let own = own.collect::<Vec<_>>().join("\n");
    let words = [("approve", "approve"), ("lgtm", "approve"), ("concern", "concern"), ("blocker", "blocker")];
    let places = words.into_iter().filter_map(|(word, verdict)| Some((own.find(word)?, verdict)));
    let (_, verdict) = places.min()?;
    let severity = if verdict == "approve" { "note" } else { verdict };
    let answer = serde_json::json!({
        "nonce": nonce, "verdict": verdict, "summary": "read out of its words", "files_read": [],
        "findings": [{ "severity": severity, "title": "read out of its words" }],
    });
    Some(answer.to_string())
}
