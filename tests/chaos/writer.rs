//! A writer of a journal that is stopped without warning: all that the product's journal does to its files, again and
//! again, and an acknowledgement after each write.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use acceptance::{chaos::Fault, clis};
use domain::{AgentEvent, Entry, Event, Progress, Seq, SessionId, WorkerId};
use engine::{
    journal::{self, Journal},
    weakness::{Weakness, weaken},
};
use jiff::Timestamp;

/// Entries in one write.
const BATCH: u64 = 4;
/// Writes between two unusual events.
const USUAL: u64 = 5;

pub(crate) fn session() -> SessionId {
    SessionId("01990000-0000-7000-8000-00000000000c".to_owned())
}

/// The entry that has this number.
fn entry(seq: Seq, at: Timestamp) -> Entry {
    let said = AgentEvent::Progress(Progress { text: text(seq), ..Progress::default() });
    Entry { seq, at, event: Event::WorkerSaid { worker: WorkerId(1), offset: seq.0, said } }
}

fn text(seq: Seq) -> String {
    // Of many lengths, some beyond a block of the disk.
    let words = usize::try_from(seq.0 * 7919 % 300).unwrap_or(0);
    format!("entry {} {}", seq.0, "words ".repeat(words))
}

/// Whether an entry is what was written under its number.
pub(crate) fn is_right(entry: &Entry) -> bool {
    let text = text(entry.seq);
    matches!(&entry.event, Event::WorkerSaid { said: AgentEvent::Progress(said), .. } if said.text == text)
}

/// `FOLDER ACKS UNTIL [no_sync] [ack_first]`: what a process of this kind does.
pub(crate) fn inner(words: &[String]) -> ExitCode {
    let [folder, acks, until, rest @ ..] = words else { return ExitCode::from(2) };
    if rest.iter().any(|word| word == Weakness::NoSync.name()) {
        weaken(Weakness::NoSync);
    }
    let first = rest.iter().any(|word| word == "ack_first");
    let written = until
        .parse()
        .map_err(|_| Fault::from("how many?"))
        .and_then(|until| write(Path::new(folder), Path::new(acks), until, first));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            clis::eprint(&fault.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Goes on with a journal until it has so many entries; each write is acknowledged after it, or before it.
pub(crate) fn write(folder: &Path, acks: &Path, until: u64, first: bool) -> Result<(), Fault> {
    let at = Timestamp::now();
    let mut acks = OpenOptions::new().create(true).append(true).open(acks)?;
    let mut journal = if folder.join(journal::FILE).exists() {
        Journal::open(folder, &session())?.0
    } else {
        Journal::create(folder, &session())?
    };
    while journal.last().0 < until {
        let mut batch = Vec::new();
        let mut next = journal.last().next();
        while (batch.len() as u64) < BATCH {
            batch.push(entry(next, at));
            next = next.next();
        }
        let last = next.0 - 1;
        if first {
            acknowledge(&mut acks, last)?;
        }
        journal.append(&batch)?;
        if !first {
            acknowledge(&mut acks, last)?;
        }
        if (last / BATCH).is_multiple_of(USUAL) {
            journal = unusual(journal, last / BATCH / USUAL)?;
        }
    }
    Ok(())
}

fn acknowledge(acks: &mut File, last: u64) -> std::io::Result<()> {
    acks.write_all(format!("{last}\n").as_bytes())
}

/// What was acknowledged.
pub(crate) fn acknowledged(acks: &Path) -> u64 {
    let text = fs::read_to_string(acks).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().next_back().and_then(|line| line.parse().ok()).unwrap_or(0)
}

/// What happens to a journal now and then, in turn.
fn unusual(mut journal: Journal, number: u64) -> Result<Journal, Fault> {
    let folder = journal.folder().to_owned();
    let half = &b"J1 7 400 0123abcd\t{\"half a li"[..];
    match number % 4 {
        0 => journal.reopen()?,
        1 => {
            // The first is taken away again, because nothing was written to it.
            journal.reopen()?;
            journal.reopen()?;
        }
        2 => {
            drop(journal);
            let last = segments(&folder)?.pop().ok_or("no segment")?;
            OpenOptions::new().append(true).open(last)?.write_all(half)?;
            journal = Journal::open(&folder, &session())?.0;
        }
        _ => {
            drop(journal);
            // Nothing has so many segments.
            fs::write(folder.join("journal-900000.jsonl"), half)?;
            journal = Journal::open(&folder, &session())?.0;
        }
    }
    Ok(journal)
}

fn segments(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let files = fs::read_dir(folder)?.flatten().map(|file| file.path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).collect();
    // `journal.jsonl` is the first.
    segments.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    Ok(segments)
}

/// Opens a journal that was left behind; how many entries it has, or what is wrong with it.
pub(crate) fn recovered(folder: &Path) -> Result<u64, String> {
    if !folder.join(journal::FILE).exists() {
        return Ok(0);
    }
    let (journal, found) = Journal::open(folder, &session()).map_err(|fault| fault.to_string())?;
    let wrong = found.entries.iter().find(|entry| !is_right(entry));
    if let Some(wrong) = wrong {
        return Err(format!("entry {} is another one", wrong.seq.0));
    }
    Ok(journal.last().0)
}
