//! The journal is the truth: what is folded from the file is what the program had in memory, at every prefix.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what a test cannot do without has to fail it"
)]

use std::path::Path;

use domain::{Entry, State};
use engine::journal;

/// So many first entries are looked at one by one, and of the rest those at such a distance.
const ALL_PREFIXES: usize = 2_000;
const SOME_PREFIXES: usize = 50_000;

/// A written journal can be read entry by entry, each says the same when it is written again, and whatever prefix is
/// folded, one go or entry by entry, gives the same state. Of long journals not every prefix: that would be quadratic.
#[track_caller]
pub fn holds(folder: &Path) {
    let entries = journal::read(folder).unwrap();
    let mut live = State::default();
    for (count, entry) in entries.iter().enumerate() {
        let text = serde_json::to_string(entry).unwrap();
        let again: Entry = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert_eq!(entry.seq.0, count as u64 + 1);
        live.apply(&again);
        if ALL_PREFIXES < count && count % SOME_PREFIXES != 0 {
            continue;
        }
        let mut folded = State::default();
        entries[..=count].iter().for_each(|entry| folded.apply(entry));
        assert!(folded == live, "the fold differs at entry {}", entry.seq.0);
    }
    let lines = std::fs::read_to_string(folder.join(journal::FILE)).unwrap();
    for (entry, line) in entries.iter().zip(lines.lines().skip_while(|line| !line.contains("session_opened")))
    {
        assert!(line.contains(&serde_json::to_string(entry).unwrap()), "written again it is not {line}");
    }
}
