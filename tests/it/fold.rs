//! The journal is the truth: what is folded from the file is what the program had in memory, at every prefix.

use std::path::Path;

use domain::{Entry, Request, Response, State};
use engine::{Engine, Options, journal};

/// A written journal can be read entry by entry, each says the same when it is written again, and whatever prefix is
/// folded, one go or entry by entry, gives the same state.
#[track_caller]
pub(crate) fn holds(folder: &Path) {
    let entries = journal::read(folder).unwrap();
    let mut live = State::default();
    for (count, entry) in entries.iter().enumerate() {
        let text = serde_json::to_string(entry).unwrap();
        let again: Entry = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        assert_eq!(entry.seq.0, count as u64 + 1);
        live.apply(&again);
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

/// The state a running session shows is the fold of what is on disk at that moment; nothing is shown before it is
/// written.
#[test]
fn the_live_state_is_the_fold_of_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("work");
    let options =
        Options { workspace: workspace.clone(), orchestrate: acceptance::clis::orchestrate(), config: None };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::new(options).unwrap();
        let Response::Opened { session } = engine.request(Request::Demo { approve: true }).await.unwrap()
        else {
            panic!("a session is opened");
        };
        let folder = workspace.join(session.as_str());
        let mut shown = engine.state(&session).unwrap();
        let mut looks = 0;
        loop {
            let live = shown.borrow_and_update().clone();
            let mut folded = State::default();
            let entries = journal::read_readable(&folder).unwrap().0;
            entries.iter().filter(|entry| entry.seq <= live.seq).for_each(|entry| folded.apply(entry));
            assert!(folded == live, "what is shown at entry {} is not what is written", live.seq.0);
            looks += 1;
            if live.ended.is_some() {
                break;
            }
            shown.changed().await.unwrap();
        }
        assert!(20 < looks, "{looks} looks are too few to tell");
        engine.shutdown(std::time::Duration::ZERO).await;
        holds(&folder);
    });
}
