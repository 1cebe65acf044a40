//! The journal is the truth: what is folded from the file is what the program had in memory, at every prefix.

use acceptance::fold::holds;
use domain::{Request, Response, State};
use engine::{Engine, Options, journal};

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
