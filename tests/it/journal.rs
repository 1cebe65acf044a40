//! Journals of released formats load for ever. Once a format is released its files are never edited; a new format gets a
//! new folder. (They were not written by this program but by a few lines of Python, from the description of the format.)

use std::path::{Path, PathBuf};

use domain::{Entry, Event, Outcome, Seq, State};
use engine::journal::{self, Journal};

/// All there are, and how many entries each has.
const RELEASED: [(&str, usize); 2] = [
    ("v1", 30),
    // The same entries in several files: a write failed after entry 10, and what it left must not count; one file was
    // interrupted before its first entry was whole.
    ("v1-segments", 30),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/journals")
}

fn copy(version: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(fixtures().join(version)).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

fn fold(entries: &[Entry]) -> State {
    let mut state = State::default();
    entries.iter().for_each(|entry| state.apply(entry));
    state
}

#[test]
fn all_that_were_released_are_tested() {
    let mut found: Vec<String> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, RELEASED.map(|(version, _)| version));
}

#[test]
fn released_journals_load_fold_and_go_on() {
    let first = journal::read(&fixtures().join("v1")).unwrap();
    for (version, count) in RELEASED {
        let entries = journal::read(&fixtures().join(version)).unwrap();
        assert_eq!(entries.len(), count, "{version}");
        let Event::SessionOpened { opened } = &entries[0].event else { panic!("{:?}", entries[0]) };
        assert_eq!(opened.goal, "Write a calculator\nwith tests äö\u{1F980}");
        assert_eq!(journal::read_range(&fixtures().join(version), Seq(20), 2).unwrap(), entries[20..22]);
        assert_eq!(journal::read_range(&fixtures().join(version), Seq(8), 4).unwrap(), entries[8..12]);
        assert_eq!(entries, first[..count]);
        let state = fold(&entries);
        assert_eq!(state.ended, Some((Outcome::Done, "All tasks are accepted.".to_owned())), "{version}");
        assert_eq!((state.seq, state.tasks.len()), (Seq(30), 1));

        // It can be taken up and goes on, and what another reader of it kept open sees that.
        let folder = copy(version);
        let mut pages = journal::Pages::open(folder.path()).unwrap();
        assert_eq!(pages.after(Seq(0), 100).unwrap(), entries);
        let (mut journal, recovered) = Journal::open(folder.path(), &opened.session).unwrap();
        assert_eq!((&recovered.entries, &recovered.cut), (&entries, &None), "{version}");
        let event = Event::SessionResumed { crashed: false, safe: false };
        let resumed = Entry { seq: Seq(31), at: entries[0].at, event };
        journal.append(std::slice::from_ref(&resumed)).unwrap();
        drop(journal);
        assert_eq!(&journal::read(folder.path()).unwrap()[30..], std::slice::from_ref(&resumed), "{version}");
        assert_eq!(pages.after(Seq(30), 100).unwrap(), [resumed]);
    }
}
