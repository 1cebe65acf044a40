//! Journals of released formats load for ever. Once a format is released its file is never edited; a new format gets a
//! new folder. (`v1` was not written by this program but by a few lines of Python, from the description of the format.)

use std::path::Path;

use domain::{Event, Outcome, Seq};
use engine::journal::{self, Journal};

fn fixture(version: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/journals").join(version)
}

#[test]
fn format_1_loads() {
    let entries = journal::read(&fixture("v1")).unwrap();
    assert_eq!(entries.len(), 30);
    let Event::SessionOpened { opened } = &entries[0].event else { panic!("{:?}", entries[0]) };
    assert_eq!(opened.goal, "Write a calculator\nwith tests äö\u{1F980}");
    let ended = Event::SessionEnded { outcome: Outcome::Done, why: "All tasks are accepted.".to_owned() };
    assert_eq!(entries[29].event, ended);
    assert_eq!(journal::read_range(&fixture("v1"), Seq(20), 2).unwrap(), entries[20..22]);

    // It can be taken up and goes on in the same file.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture("v1").join(journal::FILE), folder.path().join(journal::FILE)).unwrap();
    let (mut journal, recovered) = Journal::open(folder.path(), &opened.session).unwrap();
    assert_eq!((&recovered.entries, recovered.cut), (&entries, None));
    let resumed = domain::Entry {
        seq: Seq(31),
        at: entries[0].at,
        event: Event::SessionResumed { crashed: false, safe: false },
    };
    journal.append(std::slice::from_ref(&resumed)).unwrap();
    assert_eq!(journal::read(folder.path()).unwrap()[30], resumed);
}
