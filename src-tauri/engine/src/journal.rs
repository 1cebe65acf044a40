//! The append-only file that a session is (RELIABILITY section 3).
//!
//! `journal.jsonl` holds one entry per line (see `frame`); `journal.lock` is held by the one process that runs the
//! session, and is released by the system when that process dies. Readers need no lock.

mod error;
mod frame;
mod marks;
mod pages;
mod scan;
#[cfg(test)]
mod tests;

use std::fs::{File, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::{Entry, Seq, SessionId};

pub use error::JournalError;
use marks::Marks;
pub use pages::Pages;
use scan::{Rest, Scan, scan};

use crate::private;
use crate::weakness::{self, Weakness};

/// The journal's name in a session's folder.
pub const FILE: &str = "journal.jsonl";

const LOCK: &str = "journal.lock";

/// An open journal. The process that has it is the only one that runs the session.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    session: SessionId,
    file: File,
    /// Held as long as this value lives; never read.
    _lock: File,
    /// Where the good part ends: what comes after it is a write that failed.
    len: u64,
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
            len: 0,
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
        let path = folder.join(FILE);
        drop(open_to_read(folder)?);
        let lock = lock(folder)?;
        let file = open_to_write(&path)?;
        let mut entries = Vec::new();
        let Scan { end, last, marks, rest } = scan(&file, Some(session), |entry| entries.push(entry))
            .map_err(|error| JournalError::io("read", &path, &error))?;
        let cut = match rest {
            Rest::Nothing => None,
            Rest::Torn => {
                Some(cut(&file, folder, end).map_err(|error| JournalError::io("repair", &path, &error))?)
            }
            Rest::Bad(error) => return Err(error),
        };
        let journal = Self {
            folder: folder.to_owned(),
            session: session.clone(),
            file,
            _lock: lock,
            len: end,
            last,
            marks,
            failed: None,
        };
        Ok((journal, Recovered { entries, cut }))
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
        let (mut bytes, mut begins, mut last) = (Vec::new(), Vec::with_capacity(entries.len()), self.last);
        for entry in entries {
            if entry.seq != last.next() {
                return Err(JournalError::OutOfOrder { last, found: entry.seq });
            }
            begins.push((entry.seq, self.len + bytes.len() as u64));
            frame::write(&mut bytes, &self.session, entry)?;
            last = entry.seq;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| sync(&self.file)) {
            return Err(self.fail(&error));
        }
        self.len += bytes.len() as u64;
        self.last = last;
        begins.into_iter().for_each(|(seq, offset)| self.marks.note(seq, offset));
        Ok(())
    }

    /// Takes up writing after a failed write, for example when there is space again. Entries that were refused are
    /// the caller's to append again.
    ///
    /// # Errors
    /// As for [`Journal::append`]; the journal then stays closed.
    pub fn reopen(&mut self) -> Result<(), JournalError> {
        let path = self.path();
        // A new descriptor: the old one has already told its error and would not tell it again.
        let file = open_to_write(&path)?;
        let mended = file.set_len(self.len).and_then(|()| file.sync_all());
        mended.map_err(|error| JournalError::io("repair", &path, &error))?;
        self.file = file;
        self.failed = None;
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
        pages.adopt(&self.session, &self.marks, (self.last.next(), self.len));
        Ok(pages)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    fn fail(&mut self, error: &std::io::Error) -> JournalError {
        // What was written of it goes away at once; should that fail as well, reopening does it.
        let _ = self.file.set_len(self.len);
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
    let file = open_to_read(folder)?;
    let mut entries = Vec::new();
    let found = scan(&file, None, |entry| entries.push(entry))
        .map_err(|error| JournalError::io("read", &folder.join(FILE), &error))?;
    Ok(match found.rest {
        Rest::Nothing | Rest::Torn => (entries, None),
        Rest::Bad(error) => (entries, Some(error)),
    })
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
    for _ in 0..20 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::Error(error)) => return Err(JournalError::io("lock", &path, &error)),
        }
    }
    Err(JournalError::Busy)
}

/// Copies what comes after `end` aside, makes the copy durable, and cuts it off.
fn cut(file: &File, folder: &Path, end: u64) -> std::io::Result<CutTail> {
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
