use std::os::unix::fs::PermissionsExt;

use domain::{Event, Opened, Settings, Trees};

use super::*;

const SESSION: &str = "01990000-0000-7000-8000-000000000001";

fn session() -> SessionId {
    SessionId::from(SESSION)
}

fn entry(seq: u64, event: Event) -> Entry {
    Entry { seq: Seq(seq), at: "2026-01-02T03:04:05.678Z".parse().unwrap(), event }
}

fn opened(seq: u64, session: &str) -> Entry {
    let trees = Trees::Shadow { base: "abc".into(), session_branch: "orchestrate/abc".to_owned() };
    let opened = Opened {
        format: domain::FORMAT,
        session: session.into(),
        goal: "a\tgoal \u{1F980}\nin two lines".to_owned(),
        target: "/project".to_owned(),
        folder: "/sessions/1".to_owned(),
        trees,
        checks: Vec::new(),
        agents: Vec::new(),
        settings: Settings { agents: Default::default(), ..Settings::default() },
        unsandboxed: false,
        demo: true,
        version: "0.1.0".to_owned(),
        brought: None,
    };
    entry(seq, Event::SessionOpened { opened: Box::new(opened) })
}

fn warned(seq: u64) -> Entry {
    entry(seq, Event::Warned { text: format!("warning {seq}") })
}

fn entries(from: u64, to: u64) -> Vec<Entry> {
    (from..=to).map(|seq| if seq == 1 { opened(1, SESSION) } else { warned(seq) }).collect()
}

/// A folder with a journal of `count` entries, and the journal's bytes.
fn written(count: u64) -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(SESSION);
    let mut journal = Journal::create(&folder, &session()).unwrap();
    journal.append(&entries(1, count)).unwrap();
    let bytes = std::fs::read(folder.join(FILE)).unwrap();
    (dir, bytes)
}

/// What opening a file with these bytes gives, as text: how many entries, how much was cut, or the error's kind.
/// Checks on the way that readers without lock agree, that nothing is lost, and that writing goes on.
fn check(bytes: &[u8]) -> String {
    // In memory where there is such a place: thousands of cases, each with its syncs.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let folder = dir.path();
    std::fs::write(folder.join(FILE), bytes).unwrap();
    let unlocked = read(folder);
    let (mut journal, recovered) = match Journal::open(folder, &session()) {
        Ok(opened) => opened,
        Err(error) => {
            assert_eq!(std::fs::read(folder.join(FILE)).unwrap(), bytes, "a refused journal is left alone");
            let (readable, why) = read_readable(folder).unwrap();
            let why = why.unwrap();
            assert_eq!(
                refused(&why, readable.len() as u64).rsplit(' ').next(),
                refused(&error, readable.len() as u64).rsplit(' ').next()
            );
            assert_eq!(unlocked, Err(why));
            return refused(&error, readable.len() as u64);
        }
    };
    let count = recovered.entries.len() as u64;
    assert_eq!(recovered.entries, entries(1, count), "a prefix of what was written, nothing else");
    assert_eq!(unlocked.unwrap(), recovered.entries);
    let cut = recovered.cut.map_or(0, |cut| {
        let kept = std::fs::read(&cut.kept_at).unwrap();
        assert_eq!(kept, bytes[bytes.len() - kept.len()..], "the torn bytes are kept");
        assert_eq!(kept.len() as u64, cut.bytes);
        cut.bytes
    });
    journal.append(&entries(count + 1, count + 2)).unwrap();
    drop(journal);
    assert_eq!(Journal::open(folder, &session()).unwrap().1.entries, entries(1, count + 2));
    if cut == 0 { format!("{count}") } else { format!("{count}, cut {cut}") }
}

/// What a journal with `readable` good entries was refused for.
fn refused(error: &JournalError, readable: u64) -> String {
    if let JournalError::Damaged { line, readable: count, .. } = error {
        assert_eq!((*count, *line), (readable, readable + 1));
        format!("damaged in {line}")
    } else if let JournalError::Newer { line, .. } = error {
        assert_eq!(*line, readable + 1);
        format!("newer in {line}")
    } else {
        format!("{error:?}")
    }
}

/// Where each line ends, the beginning included.
fn line_ends(bytes: &[u8]) -> Vec<usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', bytes).map(|at| at + 1)).collect()
}

#[test]
fn every_truncation_gives_the_longest_whole_prefix() {
    let (_dir, bytes) = written(4);
    let ends = line_ends(&bytes);
    for len in 0..=bytes.len() {
        let whole = ends.iter().filter(|end| **end <= len).count() - 1;
        let torn = len - ends[whole];
        let wanted = if torn == 0 { format!("{whole}") } else { format!("{whole}, cut {torn}") };
        assert_eq!(check(&bytes[..len]), wanted, "truncated at {len}");
    }
}

#[test]
fn a_changed_byte_is_refused_and_its_line_named() {
    let (_dir, bytes) = written(4);
    let ends = line_ends(&bytes);
    for at in 0..bytes.len() {
        let line = ends.iter().filter(|end| **end <= at).count();
        for flip in [0x01, 0x02, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            let found = check(&changed);
            if at + 1 == bytes.len() {
                // The very last newline: the same as a line that was not finished.
                assert_eq!(found, format!("3, cut {}", bytes.len() - ends[3]));
            } else {
                let refused = [format!("damaged in {line}"), format!("newer in {line}")];
                assert!(refused.contains(&found), "byte {at} ^ {flip:#x}: {found}");
            }
        }
    }
}

#[test]
fn what_unwritten_blocks_read_as_is_cut() {
    let (_dir, bytes) = written(3);
    for fill in [0, b'\n', b'J', 0xff] {
        for size in [1, 511, 4096, 65_536] {
            let tail = [bytes.as_slice(), &vec![fill; size]].concat();
            assert_eq!(check(&tail), format!("3, cut {size}"), "{size} times {fill}");
        }
    }
    // A group of which only the last block arrived: refused, as whole entries follow the hole.
    let ends = line_ends(&bytes);
    let mut hole = bytes.clone();
    hole[ends[1]..ends[2] - 1].fill(0);
    assert_eq!(check(&hole), "damaged in 2");
    // A last line with a hole in it.
    let mut hole = bytes.clone();
    hole[ends[2] + 20..ends[3] - 1].fill(0);
    assert_eq!(check(&hole), format!("2, cut {}", ends[3] - ends[2]));
}

#[test]
fn lines_out_of_place_are_damage() {
    let (_dir, bytes) = written(4);
    let ends = line_ends(&bytes);
    let line = |number: usize| &bytes[ends[number - 1]..ends[number]];
    assert_eq!(check(&[line(1), line(3), line(2), line(4)].concat()), "damaged in 2");
    assert_eq!(check(&[line(1), line(2), line(2)].concat()), "damaged in 3");
    assert_eq!(check(&[line(1), line(2), line(4)].concat()), "damaged in 3");
    assert_eq!(check(&[line(2), line(3)].concat()), "damaged in 1");
    assert_eq!(check(b"\n"), "0, cut 1");
    assert_eq!(check(b""), "0");
    assert_eq!(check(b"{}\n"), "damaged in 1");
}

#[test]
fn an_entry_of_another_session_is_damage() {
    let (_dir, mut bytes) = written(2);
    let mut foreign = Vec::new();
    frame::write(&mut foreign, &"another".into(), &warned(3)).unwrap();
    bytes.extend_from_slice(&foreign);
    assert_eq!(check(&bytes), "damaged in 3");
    let mut foreign = Vec::new();
    frame::write(&mut foreign, &"another".into(), &opened(1, "another")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), &foreign).unwrap();
    assert_eq!(read(dir.path()).unwrap(), [opened(1, "another")]);
    assert!(matches!(Journal::open(dir.path(), &session()), Err(JournalError::Damaged { line: 1, .. })));
}

#[test]
fn what_a_newer_program_wrote_is_refused() {
    let (_dir, bytes) = written(2);
    let newer_frame = [bytes.as_slice(), b"J2 3 2 00000000\t{}\n"].concat();
    assert_eq!(check(&newer_frame), "newer in 3");
    let json = br#"{"seq":3,"at":"2026-01-02T03:04:05Z","event":{"type":"teleported"}}"#;
    let mut hasher = crc32fast::Hasher::new();
    [&3_u64.to_le_bytes(), SESSION.as_bytes(), json].iter().for_each(|part| hasher.update(part));
    let newer_event = format!("J1 3 {} {:08x}\t", json.len(), hasher.finalize());
    assert_eq!(check(&[&bytes, newer_event.as_bytes(), json, b"\n"].concat()), "newer in 3");
    let mut first = opened(1, SESSION);
    if let Event::SessionOpened { opened } = &mut first.event {
        opened.format = domain::FORMAT + 1;
    }
    let mut newer_format = Vec::new();
    frame::write(&mut newer_format, &session(), &first).unwrap();
    assert_eq!(check(&newer_format), "newer in 1");
}

#[test]
fn one_holder_at_a_time_and_readers_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(SESSION);
    assert!(!is_held(&folder));
    let path = folder.display().to_string();
    assert_eq!(Journal::open(&folder, &session()).unwrap_err(), JournalError::Missing { path: path.clone() });
    let mut journal = Journal::create(&folder, &session()).unwrap();
    assert!(is_held(&folder));
    assert_eq!(Journal::open(&folder, &session()).unwrap_err(), JournalError::Busy);
    assert_eq!(Journal::create(&folder, &session()).unwrap_err(), JournalError::Busy);
    journal.append(&entries(1, 3)).unwrap();
    assert_eq!(read(&folder).unwrap(), entries(1, 3));
    drop(journal);
    assert!(!is_held(&folder));
    assert_eq!(Journal::create(&folder, &session()).unwrap_err(), JournalError::Exists { path });
    assert_eq!(Journal::open(&folder, &session()).unwrap().1.entries, entries(1, 3));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&folder.join(FILE))), (0o700, 0o600));
}

#[test]
fn entries_must_follow_each_other() {
    let (dir, _) = written(2);
    let (mut journal, _) = Journal::open(&dir.path().join(SESSION), &session()).unwrap();
    let wrong = JournalError::OutOfOrder { last: Seq(3), found: Seq(5) };
    assert_eq!(journal.append(&[warned(3), warned(5)]), Err(wrong));
    journal.append(&[]).unwrap();
    journal.append(&entries(3, 4)).unwrap();
    assert_eq!(read(journal.folder()).unwrap(), entries(1, 4));
}

#[test]
fn pages_are_the_same_with_and_without_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(SESSION);
    let mut journal = Journal::create(&folder, &session()).unwrap();
    let mut kept = Pages::open(&folder).unwrap();
    let all = entries(1, 1000);
    for (count, batch) in all.chunks(300).enumerate() {
        journal.append(batch).unwrap();
        assert_eq!(
            kept.after(Seq(count as u64 * 300), 1000).unwrap(),
            batch,
            "a reader that stays open sees it"
        );
    }
    for (after, limit) in
        [(0, 10), (0, 5000), (255, 2), (256, 1), (511, 3), (999, 10), (1000, 10), (2000, 1), (5, 0)]
    {
        let wanted: Vec<_> = all.iter().skip(after).take(limit).cloned().collect();
        let after = Seq(after as u64);
        assert_eq!(journal.read_range(after, limit).unwrap(), wanted, "held, after {after:?}");
        assert_eq!(read_range(&folder, after, limit).unwrap(), wanted, "from outside, after {after:?}");
        assert_eq!(kept.after(after, limit).unwrap(), wanted, "kept open, after {after:?}");
    }
    drop(journal);
    let (journal, _) = Journal::open(&folder, &session()).unwrap();
    assert_eq!(journal.read_range(Seq(700), 5).unwrap(), entries(701, 705), "after opening again");
}

#[test]
fn a_reader_survives_that_a_failed_write_is_taken_back() {
    let (dir, bytes) = written(2);
    let path = dir.path().join(SESSION).join(FILE);
    let mut pages = Pages::open(&dir.path().join(SESSION)).unwrap();
    let with_third = [bytes.clone(), written(3).1[bytes.len()..].to_vec()].concat();
    std::fs::write(&path, &with_third).unwrap();
    assert_eq!(pages.after(Seq(0), 9).unwrap(), entries(1, 3));
    let mut other = bytes;
    let longer = entry(3, Event::Warned { text: "what was written instead, and longer".to_owned() });
    frame::write(&mut other, &session(), &longer).unwrap();
    frame::write(&mut other, &session(), &warned(4)).unwrap();
    std::fs::write(&path, &other).unwrap();
    assert_eq!(pages.after(Seq(3), 9).unwrap(), [warned(4)]);
}

/// A file system of `size` KiB, gone when dropped; `None` without the right to mount.
struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    fn new(kib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(dir.path())
            .output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Self(dir))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_closes_the_journal_until_it_is_reopened() {
    let Some(disk) = TinyDisk::new(64) else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: mounting a small tmpfs needs root");
        }
        return;
    };
    let folder = disk.0.path().join(SESSION);
    let mut journal = Journal::create(&folder, &session()).unwrap();
    journal.append(&entries(1, 3)).unwrap();
    let ballast = disk.0.path().join("ballast");
    // All but the rest of the page the journal ends in: the next write fits in part only.
    let _ = std::fs::write(&ballast, vec![b'x'; 1 << 20]);
    let many = entries(4, 200);
    let error = journal.append(&many).unwrap_err();
    assert!(error.is_full(), "{error:?}");
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(read(&folder).unwrap(), entries(1, 3), "nothing of it is left");
    assert_eq!(journal.append(&entries(4, 4)), Err(error.clone()), "closed, although one more would fit");
    assert_eq!(journal.last(), Seq(3));
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(journal.append(&many), Err(error), "still closed");
    journal.reopen().unwrap();
    journal.append(&many).unwrap();
    drop(journal);
    assert_eq!(
        Journal::open(&folder, &session()).unwrap().1,
        Recovered { entries: entries(1, 200), cut: None }
    );
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 64, ..Default::default() })]
    #[test]
    fn any_batches_read_back_the_same(batches in proptest::collection::vec(0_u64..40, 0..12)) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(SESSION);
        let mut journal = Journal::create(&folder, &session()).unwrap();
        let mut last = 0;
        for count in batches {
            journal.append(&entries(last + 1, last + count)).unwrap();
            last += count;
            proptest::prop_assert_eq!(read(&folder).unwrap(), entries(1, last));
        }
    }
}

/// A journal of several segments: small ones, and one begun after a write that failed. Gives the folder and its segments.
fn segmented() -> (tempfile::TempDir, PathBuf, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(SESSION);
    let mut journal = Journal::create(&folder, &session()).unwrap();
    journal.full = 1;
    journal.append(&entries(1, 3)).unwrap();
    journal.append(&entries(4, 5)).unwrap();
    journal.full = segments::FULL;
    journal.append(&entries(6, 6)).unwrap();
    // What a failed write leaves when even cutting it off fails: entries that were never acknowledged, and half of one.
    let mut tail = Vec::new();
    frame::write(&mut tail, &session(), &warned(7)).unwrap();
    frame::write(&mut tail, &session(), &entry(8, Event::Warned { text: "never acknowledged".to_owned() }))
        .unwrap();
    journal.file.write_all(&tail[..tail.len() - 5]).unwrap();
    journal.reopen().unwrap();
    journal.append(&entries(7, 9)).unwrap();
    drop(journal);
    let found: Vec<PathBuf> =
        segments::list(&folder).unwrap().into_iter().map(|segment| segment.path).collect();
    assert_eq!(found.len(), 3);
    (dir, folder, found)
}

#[test]
fn segments_read_as_one_journal() {
    let (_dir, folder, _) = segmented();
    assert_eq!(read(&folder).unwrap(), entries(1, 9));
    for (after, limit) in [(0, 100), (0, 3), (2, 2), (3, 1), (5, 2), (6, 1), (6, 9), (8, 1), (9, 9)] {
        let wanted: Vec<_> = entries(1, 9).into_iter().skip(after).take(limit).collect();
        assert_eq!(read_range(&folder, Seq(after as u64), limit).unwrap(), wanted, "after {after}, {limit}");
    }
    let mut kept = Pages::open(&folder).unwrap();
    assert_eq!(kept.after(Seq(0), 100).unwrap(), entries(1, 9));
    let (mut journal, recovered) = Journal::open(&folder, &session()).unwrap();
    assert_eq!(recovered, Recovered { entries: entries(1, 9), cut: None });
    journal.full = 1;
    journal.append(&entries(10, 12)).unwrap();
    assert_eq!(kept.after(Seq(9), 100).unwrap(), entries(10, 12), "a reader goes on into the new segment");
    assert_eq!(journal.read_range(Seq(5), 6).unwrap(), entries(6, 11));
    drop(journal);
    assert_eq!(read(&folder).unwrap(), entries(1, 12));
}

#[test]
fn a_segment_that_is_missing_or_damaged_is_refused() {
    // Which segment, what is done to it, what comes of it.
    let check = |number: usize, change: &dyn Fn(&Path), wanted: &str| {
        let (_dir, folder, segments) = segmented();
        change(&segments[number - 1]);
        let bytes = |path: &PathBuf| std::fs::read(path).unwrap_or_default();
        let before: Vec<_> = segments.iter().map(bytes).collect();
        let found = match Journal::open(&folder, &session()) {
            Ok((_, recovered)) => {
                assert_eq!(recovered.entries, entries(1, recovered.entries.len() as u64));
                let cut = recovered.cut.map_or(0, |cut| cut.bytes);
                format!("{}, cut {cut}", recovered.entries.len())
            }
            Err(error) => {
                assert!(segments.iter().map(bytes).eq(before), "it is left alone");
                let readable = read_readable(&folder).unwrap().0.len() as u64;
                refused(&error, readable)
            }
        };
        assert_eq!(found, wanted, "segment {number}");
    };
    let edit = |change: fn(&mut Vec<u8>)| {
        move |path: &Path| {
            let mut bytes = std::fs::read(path).unwrap();
            change(&mut bytes);
            std::fs::write(path, bytes).unwrap();
        }
    };
    check(2, &|path| std::fs::remove_file(path).unwrap(), "damaged in 4");
    // The last one is missing: what it held cannot be known, and what the one before it has left is its own.
    check(3, &|path| std::fs::remove_file(path).unwrap(), "7, cut 108");
    check(1, &edit(|bytes| bytes.truncate(bytes.len() - 1)), "damaged in 3");
    check(2, &edit(|bytes| bytes[30] ^= 1), "damaged in 4");
    check(3, &edit(|bytes| bytes[30] ^= 1), "damaged in 8");
    check(3, &edit(|bytes| bytes.truncate(bytes.len() - 1)), "8, cut 103");
    check(3, &edit(Vec::clear), "7, cut 108");
    check(3, &edit(|bytes| bytes.truncate(9)), "7, cut 108");
    check(3, &edit(|bytes| bytes.extend_from_slice(&[0; 4096])), "9, cut 4096");
    check(2, &edit(|bytes| bytes.extend_from_slice(b"anything")), "9, cut 0");
}

#[test]
fn segments_that_never_got_an_entry_leave_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(SESSION);
    let mut journal = Journal::create(&folder, &session()).unwrap();
    journal.append(&entries(1, 2)).unwrap();
    for _ in 0..5 {
        journal.reopen().unwrap();
    }
    assert_eq!(segments::list(&folder).unwrap().len(), 2);
    journal.append(&entries(3, 3)).unwrap();
    drop(journal);
    std::fs::write(folder.join("journal-000003.jsonl"), b"").unwrap();
    std::fs::write(folder.join("journal-000004.jsonl"), b"J1 4 99").unwrap();
    let (mut journal, recovered) = Journal::open(&folder, &session()).unwrap();
    assert_eq!((recovered.entries, recovered.cut.unwrap().bytes), (entries(1, 3), 7));
    assert_eq!(segments::list(&folder).unwrap().len(), 2, "moved aside");
    journal.append(&entries(4, 4)).unwrap();
    assert_eq!(read(&folder).unwrap(), entries(1, 4));
}

/// What a worker says, in words that need escapes.
fn said(seq: u64) -> Entry {
    let tool = seq.is_multiple_of(2).then(|| domain::ToolCall {
        id: format!("toolu_{seq}"),
        name: "Bash".to_owned(),
        command: Some("printf '%s\\n' \"}}\"".to_owned()),
        outcome: domain::ToolOutcome::Ok,
        exit_code: Some(0),
        output: Some("}}\u{1F980}\t\"".to_owned()),
    });
    let said = domain::Progress { text: format!("step {seq}\n}}}}"), tool, ..Default::default() };
    let event = Event::WorkerSaid {
        worker: domain::WorkerId(7),
        offset: seq * 1000,
        said: domain::AgentEvent::Progress(said),
    };
    entry(seq, event)
}

#[test]
fn what_workers_say_is_read_the_short_way_as_the_long_way() {
    let all = entries(1, 2).into_iter().chain((3..30).map(said));
    for (number, wanted) in all.enumerate() {
        let json = serde_json::to_vec(&wanted).unwrap();
        let found = frame::said(&json);
        assert_eq!(found, (2 <= number).then_some(wanted));
        // Whatever is not exactly what we write goes the long way.
        let text = String::from_utf8(json).unwrap();
        let spaced = text.replacen(",\"offset\":", ", \"offset\":", 1);
        let named = text.replacen("\"w7\"", "\"w07\"", 1);
        for other in [spaced, named, format!("{text} "), format!(" {text}")] {
            assert!(other == text || frame::said(other.as_bytes()).is_none(), "{other}");
        }
    }
}

/// Long enough to be read by several threads in several pieces.
#[test]
fn a_long_journal_is_read_like_a_short_one() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(SESSION);
    let all: Vec<Entry> =
        (1..=18_000).map(|seq| if seq < 3 { entries(seq, seq).remove(0) } else { said(seq) }).collect();
    let mut journal = Journal::create(&folder, &session()).unwrap();
    journal.full = 2 << 20;
    all.chunks(100).for_each(|batch| journal.append(batch).unwrap());
    drop(journal);
    let count = segments::list(&folder).unwrap().len();
    assert!(2 < count, "{count} segments");
    assert!(read(&folder).unwrap() == all);
    let (journal, recovered) = Journal::open(&folder, &session()).unwrap();
    assert!(recovered.entries == all && recovered.cut.is_none());
    for after in [0, 255, 256, 6000, 17_990] {
        assert!(journal.read_range(Seq(after), 5).unwrap() == all[after as usize..][..5], "after {after}");
    }
    drop(journal);
    // Damage anywhere ends it at the entry before.
    for (number, at) in [(1, 200_000), (1, 1_900_000), (2, 1_048_576), (3, 5)] {
        let path = segments::path(&folder, number);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let (entries, fault) = read_readable(&folder).unwrap();
        assert!(all.starts_with(&entries), "segment {number}, byte {at}");
        let lines = bad[..at].iter().filter(|byte| **byte == b'\n').count();
        let before: usize = (1..number).map(|number| lines_of(&folder, number)).sum();
        assert_eq!(entries.len(), before + lines, "segment {number}, byte {at}: {fault:?}");
        assert!(
            matches!(fault, Some(JournalError::Damaged { readable, .. }) if readable == entries.len() as u64)
        );
        std::fs::write(&path, &good).unwrap();
    }
}

fn lines_of(folder: &Path, number: u32) -> usize {
    line_ends(&std::fs::read(segments::path(folder, number)).unwrap()).len() - 1
}

#[test]
fn what_was_read_is_not_read_again_unless_it_changed() {
    let (dir, _) = written(5);
    let folder = dir.path().join(SESSION);
    let mut count = 0;
    let (known, fault) = read_known(&folder, |_| count += 1).unwrap();
    let known = known.unwrap();
    assert_eq!((count, fault), (5, None));
    let mut journal = Journal::open_known(&folder, &session(), &known).unwrap().unwrap();
    assert!(is_held(&folder) && known.is_current(&folder));
    journal.append(&[warned(6)]).unwrap();
    drop(journal);
    assert!(!known.is_current(&folder));
    assert!(Journal::open_known(&folder, &session(), &known).unwrap().is_none());
    assert!(!is_held(&folder));
    assert_eq!(Pages::known(&folder, &known).after(Seq(0), 9).unwrap(), entries(1, 6));
    assert_eq!(Pages::known(&folder, &known).after(Seq(5), 9).unwrap(), [warned(6)]);
    // Nor is something trusted after which something is wrong.
    let path = folder.join(FILE);
    let good = std::fs::read(&path).unwrap();
    for rest in [&b"J1 7"[..], b"{}\n"] {
        std::fs::write(&path, [&good, rest].concat()).unwrap();
        assert!(read_known(&folder, |_| {}).unwrap().0.is_none());
    }
}
