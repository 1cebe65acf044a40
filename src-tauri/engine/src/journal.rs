//! The append-only file that a session is (RELIABILITY section 3).
//!
//! `journal.jsonl` holds one entry per line (see `frame`), further segments go on from it (see `segments`); `journal.lock`
//! is held by the one process that runs the session, and is released by the system when that process dies. Readers need
//! no lock.

mod ahead;
mod error;
mod frame;
mod holder;
mod marks;
mod pages;
mod scan;
mod segments;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::{Entry, Seq, SessionId};

pub use error::JournalError;
pub use holder::{Holder, holder, last_holder};
use marks::Marks;
pub use pages::Pages;
use scan::{Rest, Scan, scan};
pub use segments::FILE;
pub(crate) use segments::size;
use segments::{Extent, Place};

use crate::private;
use crate::weakness::{self, Weakness};

const LOCK: &str = "journal.lock";

/// An open journal. The process that has it is the only one that runs the session.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    session: SessionId,
    /// The last segment.
    file: File,
    /// Held as long as this value lives; never read.
    _lock: File,
    /// Where the good part ends: what comes after it is a write that failed.
    end: Place,
    /// A segment with more bytes is full.
    full: u64,
    last: Seq,
    marks: Marks,
    /// The write that failed; nothing is written after it until the journal is reopened.
    failed: Option<JournalError>,
}

/// What opening a journal found.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// All entries.
    pub entries: Vec<Entry>,
    /// What an interrupted write left, if any; the user should be told.
    pub cut: Option<CutTail>,
}

/// The rest of an interrupted write: never acknowledged, cut off, kept beside the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutTail {
    /// How much.
    pub bytes: u64,
    /// Where those bytes were copied to.
    pub kept_at: PathBuf,
}

impl Journal {
    /// Makes a session's folder (0700) and an empty journal (0600) in it, and holds it.
    ///
    /// # Errors
    /// [`JournalError::Exists`], [`JournalError::Busy`], or what the system refuses.
    pub fn create(folder: &Path, session: &SessionId) -> Result<Self, JournalError> {
        let path = folder.join(FILE);
        private::folder(folder).map_err(|error| JournalError::io("make", folder, &error))?;
        let lock = lock(folder)?;
        let created = private::options().read(true).append(true).create_new(true).open(&path);
        let file = created.map_err(|error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                JournalError::Exists { path: folder.display().to_string() }
            } else {
                JournalError::io("make", &path, &error)
            }
        })?;
        let sync = || {
            private::sync_folder(folder).and_then(|()| folder.parent().map_or(Ok(()), private::sync_folder))
        };
        sync().map_err(|error| JournalError::io("sync", folder, &error))?;
        Ok(Self {
            folder: folder.to_owned(),
            session: session.clone(),
            file,
            _lock: lock,
            end: Place::BEGIN,
            full: segments::FULL,
            last: Seq(0),
            marks: Marks::default(),
            failed: None,
        })
    }

    /// Opens and holds a session's journal, and reads all of it.
    ///
    /// A crash leaves at most one interrupted write at the end, which was never acknowledged: it is copied to
    /// `journal.torn-<n>`, cut off and reported. Anything else that is not what was written is refused.
    ///
    /// # Errors
    /// [`JournalError::Missing`], [`JournalError::Busy`], [`JournalError::Damaged`], [`JournalError::Newer`], or what
    /// the system refuses.
    pub fn open(folder: &Path, session: &SessionId) -> Result<(Self, Recovered), JournalError> {
        let mut entries = Vec::new();
        let (journal, cut) = Self::open_each(folder, session, |entry| entries.push(entry))?;
        Ok((journal, Recovered { entries, cut }))
    }

    /// The same, handing out each entry as it is read: a million of them need not be in memory at once.
    ///
    /// # Errors
    /// As for [`Journal::open`]; entries before the fault have been handed out then.
    pub fn open_each(
        folder: &Path,
        session: &SessionId,
        each: impl FnMut(Entry),
    ) -> Result<(Self, Option<CutTail>), JournalError> {
        drop(open_to_read(folder)?);
        let lock = lock(folder)?;
        let Scan { end, last, marks, rest } = scan(folder, Some(session), each)?;
        let path = segments::path(folder, end.segment);
        let repair = |error: &std::io::Error| JournalError::io("repair", &path, error);
        let torn = match rest {
            Rest::Nothing => false,
            Rest::Torn => true,
            Rest::Bad(error) => return Err(error),
        };
        let mut cut = unbegun(folder, end.segment).map_err(|error| repair(&error))?;
        let file = open_to_write(&path)?;
        if torn {
            cut = Some(cut_tail(&file, folder, end.offset).map_err(|error| repair(&error))?);
        }
        // What a process wrote that was killed before it could sync it is true from now on.
        sync(&file).map_err(|error| repair(&error))?;
        let (folder, session, full) = (folder.to_owned(), session.clone(), segments::FULL);
        let journal = Self { folder, session, file, _lock: lock, end, full, last, marks, failed: None };
        Ok((journal, cut))
    }

    /// Opens and holds a journal that this process has read before, without reading it again; `None` when it has changed
    /// since.
    ///
    /// # Errors
    /// As for [`Journal::open`].
    pub fn open_known(
        folder: &Path,
        session: &SessionId,
        known: &Known,
    ) -> Result<Option<Self>, JournalError> {
        drop(open_to_read(folder)?);
        let lock = lock(folder)?;
        let path = segments::path(folder, known.end.segment);
        let repair = |error: &std::io::Error| JournalError::io("repair", &path, error);
        let extent = segments::extent(folder).map_err(|error| JournalError::io("read", folder, &error))?;
        if extent != known.extent || known.session != *session {
            return Ok(None);
        }
        let file = open_to_write(&path)?;
        sync(&file).map_err(|error| repair(&error))?;
        let Known { end, last, marks, .. } = known.clone();
        let (folder, session, full) = (folder.to_owned(), session.clone(), segments::FULL);
        Ok(Some(Self { folder, session, file, _lock: lock, end, full, last, marks, failed: None }))
    }

    /// Writes entries with one write and one fdatasync; only when it returns they are true and may be shown or acted
    /// upon. Give many at once: a sync costs the same for one and for a hundred.
    ///
    /// A write that fails leaves no trace and closes the journal for good: the same error comes back until
    /// [`Journal::reopen`], because what a failed fsync left behind is not to be trusted (RELIABILITY 3.5).
    ///
    /// # Errors
    /// [`JournalError::Io`]; [`JournalError::OutOfOrder`] and [`JournalError::TooLarge`] for entries that cannot
    /// be written, which close nothing.
    pub fn append(&mut self, entries: &[Entry]) -> Result<(), JournalError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.full <= self.end.offset && !entries.is_empty() {
            self.begin_segment().map_err(|error| self.fail(&error))?;
        }
        let (mut bytes, mut begins, mut last) = (Vec::new(), Vec::with_capacity(entries.len()), self.last);
        for entry in entries {
            if entry.seq != last.next() {
                return Err(JournalError::OutOfOrder { last, found: entry.seq });
            }
            let offset = self.end.offset + bytes.len() as u64;
            begins.push((entry.seq, Place { offset, ..self.end }));
            frame::write(&mut bytes, &self.session, entry)?;
            last = entry.seq;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| sync(&self.file)) {
            return Err(self.fail(&error));
        }
        self.end.offset += bytes.len() as u64;
        self.last = last;
        begins.into_iter().for_each(|(seq, place)| self.marks.note(seq, place));
        Ok(())
    }

    /// Takes up writing after a failed write, for example when there is space again: in a new segment, because the old
    /// one is not to be trusted any more. Entries that were refused are the caller's to append again.
    ///
    /// # Errors
    /// As for [`Journal::append`]; the journal then stays closed.
    pub fn reopen(&mut self) -> Result<(), JournalError> {
        let path = self.path();
        // One that never got an entry leaves no trace, so that a disk that stays full is not littered with them.
        let unused = self.end.offset == 0 && 1 < self.end.segment;
        if unused && std::fs::remove_file(&path).is_ok() {
            self.end.segment -= 1;
        }
        self.begin_segment().map_err(|error| JournalError::io("begin a new segment after", &path, &error))?;
        self.failed = None;
        Ok(())
    }

    /// Begins the next segment.
    fn begin_segment(&mut self) -> std::io::Result<()> {
        let mut number = self.end.segment + 1;
        let file = loop {
            let path = segments::path(&self.folder, number);
            match private::options().read(true).append(true).create_new(true).open(path) {
                Ok(file) => break file,
                // One that could not be removed; it holds nothing.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        };
        private::sync_folder(&self.folder)?;
        self.file = file;
        self.end = Place { segment: number, offset: 0 };
        Ok(())
    }

    /// The last entry that is written.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.last
    }

    /// The session's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// At most `limit` entries after `after`, in order, read from the file.
    ///
    /// # Errors
    /// What the system refuses, or damage that happened since it was written.
    pub fn read_range(&self, after: Seq, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let limit = limit.min(usize::try_from(self.last.0.saturating_sub(after.0)).unwrap_or(usize::MAX));
        if limit == 0 { Ok(Vec::new()) } else { self.pages()?.after(after, limit) }
    }

    /// Pages of this journal with the index that is here already.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn pages(&self) -> Result<Pages, JournalError> {
        let mut pages = Pages::open(&self.folder)?;
        pages.adopt(&self.session, &self.marks, (self.last.next(), self.end));
        Ok(pages)
    }

    fn path(&self) -> PathBuf {
        segments::path(&self.folder, self.end.segment)
    }

    fn fail(&mut self, error: &std::io::Error) -> JournalError {
        // What was written of it goes away at once, so that whoever opens the journal next does not take what stands only
        // in memory for written. Should that fail as well, the next segment tells where this one ends.
        let _ = self.file.set_len(self.end.offset);
        let error = JournalError::io("write", &self.path(), error);
        self.failed = Some(error.clone());
        error
    }
}

/// All entries of a journal, without holding it: for a session that another process may be running. An interrupted
/// write at the end is passed over.
///
/// # Errors
/// [`JournalError::Missing`], [`JournalError::Damaged`], [`JournalError::Newer`], or what the system refuses.
pub fn read(folder: &Path) -> Result<Vec<Entry>, JournalError> {
    match read_readable(folder)? {
        (entries, None) => Ok(entries),
        (_, Some(error)) => Err(error),
    }
}

/// All entries that can be read, and what is wrong after them.
///
/// # Errors
/// [`JournalError::Missing`], or what the system refuses.
pub fn read_readable(folder: &Path) -> Result<(Vec<Entry>, Option<JournalError>), JournalError> {
    let mut entries = Vec::new();
    let damage = read_each(folder, |entry| entries.push(entry))?;
    Ok((entries, damage))
}

/// Hands out all entries that can be read, and gives what is wrong after them.
///
/// # Errors
/// [`JournalError::Missing`], or what the system refuses.
pub fn read_each(folder: &Path, each: impl FnMut(Entry)) -> Result<Option<JournalError>, JournalError> {
    Ok(match scan(folder, None, each)?.rest {
        Rest::Nothing | Rest::Torn => None,
        Rest::Bad(error) => Some(error),
    })
}

/// The same, and where everything is, for [`Journal::open_known`] and [`Pages::known`]: unless something is wrong after
/// the entries, be it only a write that was interrupted.
///
/// # Errors
/// As for [`read_each`].
pub fn read_known(
    folder: &Path,
    each: impl FnMut(Entry),
) -> Result<(Option<Known>, Option<JournalError>), JournalError> {
    let extent = || segments::extent(folder).map_err(|error| JournalError::io("read", folder, &error));
    let opener = segments::opener(folder);
    drop(open_to_read(folder)?);
    let session = opener.map_err(|error| JournalError::io("read", folder, &error))?;
    let before = extent()?;
    let Scan { end, last, marks, rest } = scan(folder, session.as_ref(), each)?;
    let unchanged = before == extent()? && before.last().is_some_and(|part| part.number == end.segment);
    Ok(match (rest, session) {
        (Rest::Nothing, Some(session)) if unchanged => {
            (Some(Known { session, end, last, marks, extent: before }), None)
        }
        (Rest::Nothing | Rest::Torn, _) => (None, None),
        (Rest::Bad(error), _) => (None, Some(error)),
    })
}

/// A journal as it was when it was read from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Known {
    session: SessionId,
    end: Place,
    last: Seq,
    marks: Marks,
    extent: Vec<Extent>,
}

impl Known {
    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.extent.iter().map(|part| part.bytes).sum()
    }

    /// Whether nothing was written since.
    #[must_use]
    pub fn is_current(&self, folder: &Path) -> bool {
        segments::extent(folder).is_ok_and(|extent| extent == self.extent)
    }
}

/// At most `limit` entries after `after`, without holding the journal. For more than one page keep a [`Pages`].
///
/// # Errors
/// As for [`Pages::after`].
pub fn read_range(folder: &Path, after: Seq, limit: usize) -> Result<Vec<Entry>, JournalError> {
    Pages::open(folder)?.after(after, limit)
}

/// Whether some process runs this session.
#[must_use]
pub fn is_held(folder: &Path) -> bool {
    // Shared, so that two who ask do not see each other; and given back at once.
    File::open(folder.join(LOCK))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

fn sync(file: &File) -> std::io::Result<()> {
    if weakness::has(Weakness::NoSync) { Ok(()) } else { file.sync_data() }
}

fn open_to_read(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join(FILE);
    File::open(&path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            JournalError::Missing { path: folder.display().to_string() }
        } else {
            JournalError::io("open", &path, &error)
        }
    })
}

fn open_to_write(path: &Path) -> Result<File, JournalError> {
    let opened = private::options().read(true).append(true).open(path);
    opened.map_err(|error| JournalError::io("open", path, &error))
}

/// Takes the session's lock. Those who only ask ([`is_held`]) have it for an instant, so it is tried for a while.
fn lock(folder: &Path) -> Result<File, JournalError> {
    let path = folder.join(LOCK);
    let opened = private::options().write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| JournalError::io("open", &path, &error))?;
    if weakness::has(Weakness::NoLock) {
        return Ok(file);
    }
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => {
                holder::note(folder);
                return Ok(file);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::Error(error)) => return Err(JournalError::io("lock", &path, &error)),
        }
    }
    Err(JournalError::Busy)
}

/// Segments after the last one with entries: begun, and interrupted before their first entry was whole. They are moved
/// aside; the last one is told of when there was something in it.
fn unbegun(folder: &Path, last: u32) -> std::io::Result<Option<CutTail>> {
    let mut told = None;
    for segment in segments::list(folder)?.into_iter().filter(|segment| last < segment.number) {
        let bytes = std::fs::metadata(&segment.path)?.len();
        if bytes == 0 {
            std::fs::remove_file(&segment.path)?;
        } else {
            let (_, kept_at) = torn_file(folder)?;
            std::fs::rename(&segment.path, &kept_at)?;
            told = Some(CutTail { bytes, kept_at });
        }
        private::sync_folder(folder)?;
    }
    Ok(told)
}

/// What is wrong between two segments; `found` is what the later one begins with, if that can be read.
fn gap(wanted: Seq, found: Option<Seq>, segment: u32) -> JournalError {
    let why = match found {
        Some(found) => {
            format!("segment {segment} begins with entry {}, the ones before it are missing", found.0)
        }
        None => format!("segment {segment} does not begin with an entry of this session"),
    };
    JournalError::Damaged { line: wanted.0, why, readable: wanted.0 - 1 }
}

/// Copies what comes after `end` aside, makes the copy durable, and cuts it off.
fn cut_tail(file: &File, folder: &Path, end: u64) -> std::io::Result<CutTail> {
    let mut tail = file;
    tail.seek(SeekFrom::Start(end))?;
    let (mut copy, kept_at) = torn_file(folder)?;
    let bytes = std::io::copy(&mut tail, &mut copy)?;
    copy.sync_all()?;
    private::sync_folder(folder)?;
    file.set_len(end)?;
    file.sync_all()?;
    Ok(CutTail { bytes, kept_at })
}

fn torn_file(folder: &Path) -> std::io::Result<(File, PathBuf)> {
    let mut number = 1_u32;
    loop {
        let path = folder.join(format!("journal.torn-{number}"));
        match private::options().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error),
        }
    }
}
