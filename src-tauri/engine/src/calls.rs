//! How a worker's MCP server talks to the engine: a file of calls that is tailed, and a folder of answers.
//!
//! Files, because they outlive both processes: a call that was made while the engine was gone is found on resume.

use std::io::Write;
use std::path::{Path, PathBuf};

use domain::Call;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::private;

/// Calls of one worker that may wait for an answer at the same time.
const MOST_WAITING: usize = 64;

/// One line of a worker's file of calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// Unique: the name of the answer.
    pub call: String,
    /// When the worker called.
    pub at: Timestamp,
    /// What it called.
    pub what: Call,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What the model reads.
    pub text: String,
    /// Whether it is an error that the model should mend.
    pub error: bool,
}

/// Appends a call, durably: what the model was told is noted must survive.
///
/// # Errors
/// What the disk says.
pub fn append(calls: &Path, called: &Called) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(called)?;
    line.push(b'\n');
    let mut file = private::options().append(true).create(true).open(calls)?;
    file.write_all(&line)?;
    file.sync_data()
}

/// Reads a line of the file of calls.
///
/// # Errors
/// When it is none.
pub fn read(line: &[u8]) -> serde_json::Result<Called> {
    serde_json::from_slice(line)
}

/// Answers a call; the answer is whole or not there.
///
/// # Errors
/// A call that is no plain name, or what the disk says.
pub fn write_answer(answers: &Path, call: &str, text: &str, error: bool) -> std::io::Result<()> {
    let path = place(answers, call).ok_or(std::io::ErrorKind::InvalidInput)?;
    let new = path.with_extension("part");
    private::folder(answers)?;
    private::write(&new, &serde_json::to_vec(&Answered { text: text.to_owned(), error })?)?;
    std::fs::rename(&new, &path)
}

/// Tells whoever waits for an answer that the user is being asked, so that it may take long.
///
/// # Errors
/// A call that is no plain name, or what the disk says.
pub fn hold(answers: &Path, call: &str) -> std::io::Result<()> {
    let path = place(answers, call).ok_or(std::io::ErrorKind::InvalidInput)?;
    private::folder(answers)?;
    private::write(&path.with_extension("held"), b"")
}

/// Whether the user is being asked about a call.
#[must_use]
pub fn held(answers: &Path, call: &str) -> bool {
    place(answers, call).is_some_and(|path| path.with_extension("held").exists())
}

/// The answer to a call, once there is one.
#[must_use]
pub fn answer(answers: &Path, call: &str) -> Option<Answered> {
    serde_json::from_slice(&std::fs::read(place(answers, call)?).ok()?).ok()
}

/// Whether a worker waits for an answer of the user: it asked, and there is none yet.
#[must_use]
pub fn waiting(calls: &Path, answers: &Path) -> bool {
    let Ok(text) = std::fs::read(calls) else { return false };
    let asks = |called: &Called| match called.what {
        Call::AskUser { .. } => true,
        Call::Permit { .. } => held(answers, &called.call),
        Call::Report { .. }
        | Call::RequestReview { .. }
        | Call::SubmitPlan { .. }
        | Call::SubmitReview { .. }
        | Call::Hooked => false,
    };
    // A CLI waits for what it called last: what lies further back is answered.
    let lines = text.rsplit(|byte| *byte == b'\n').take(MOST_WAITING).filter_map(|line| read(line).ok());
    lines.into_iter().any(|called| asks(&called) && answer(answers, &called.call).is_none())
}

/// Only names that we gave: letters, digits and `-`.
fn place(answers: &Path, call: &str) -> Option<PathBuf> {
    let plain = !call.is_empty() && call.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    plain.then(|| answers.join(format!("{call}.json")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_and_its_answer_survive_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let (calls, answers) = (folder.path().join("calls.jsonl"), folder.path().join("answers"));
        let what = Call::AskUser { question: "which\nport?".into() };
        let called = Called { call: "a-1".into(), at: Timestamp::UNIX_EPOCH, what };
        append(&calls, &called).unwrap();
        let text = std::fs::read(&calls).unwrap();
        assert_eq!(read(text.strip_suffix(b"\n").unwrap()).unwrap(), called);
        assert!(waiting(&calls, &answers));
        write_answer(&answers, "a-1", "8080", false).unwrap();
        assert_eq!(answer(&answers, "a-1"), Some(Answered { text: "8080".into(), error: false }));
        assert!(!waiting(&calls, &answers));
    }

    #[test]
    fn a_hook_that_is_held_waits_for_the_user() {
        let folder = tempfile::tempdir().unwrap();
        let (calls, answers) = (folder.path().join("calls.jsonl"), folder.path().join("answers"));
        let place = domain::guard::Place::example();
        let wanted =
            domain::guard::Wanted { tool: "Bash".into(), command: "ls".into(), prompted: false, place };
        let called = Called { call: "a".into(), at: Timestamp::UNIX_EPOCH, what: Call::Permit { wanted } };
        append(&calls, &called).unwrap();
        assert!(!waiting(&calls, &answers), "an answer comes at once");
        hold(&answers, "a").unwrap();
        assert!(waiting(&calls, &answers));
        write_answer(&answers, "a", "", false).unwrap();
        assert!(!waiting(&calls, &answers));
        assert!(hold(&answers, "../a").is_err());
    }

    #[test]
    fn an_answer_cannot_leave_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        for call in ["", "../x", "a/b", ".", "a\0"] {
            assert!(write_answer(folder.path(), call, "x", false).is_err(), "{call:?}");
        }
    }
}
