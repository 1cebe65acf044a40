//! Reading a journal page by page, also while another process writes it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use domain::{Entry, Seq, SessionId};

use super::frame::{self, Line};
use super::{FILE, JournalError, Marks};

/// A journal open for reading only: no lock, nothing loaded but a sparse index that grows with what was read.
#[derive(Debug)]
pub struct Pages {
    path: PathBuf,
    file: File,
    session: Option<SessionId>,
    marks: Marks,
    /// The first entry that is not in the index, and where it begins.
    next: (Seq, u64),
}

impl Pages {
    /// Opens a session's journal for reading.
    ///
    /// # Errors
    /// [`JournalError::Missing`], or what the system refuses.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(FILE);
        let file = super::open_to_read(folder)?;
        Ok(Self { path, file, session: None, marks: Marks::default(), next: (Seq(1), 0) })
    }

    /// At most `limit` entries after `after`, in order. An entry that is being written is not there yet.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] or [`JournalError::Newer`] when that place is reached, or what the system refuses.
    pub fn after(&mut self, after: Seq, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let page = self.page(after, limit);
        if page.is_ok() || self.next.0 == Seq(1) {
            return page;
        }
        // The writer takes back what it could not make durable: what the index knows of that is no longer there.
        (self.marks, self.next) = (Marks::default(), (Seq(1), 0));
        self.page(after, limit)
    }

    fn page(&mut self, after: Seq, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let wanted = after.next();
        let (mut seq, offset) = if wanted < self.next.0 { self.marks.before(wanted) } else { self.next };
        let mut reader = self.reader(offset)?;
        let (mut at, mut page, mut line) = (offset, Vec::new(), Vec::new());
        while page.len() < limit && self.line(&mut reader, &mut line)? {
            let known = seq < self.next.0;
            let skip = seq < wanted && self.session.is_some();
            // What is only passed over must be the right entry, its content is checked by whoever reads it.
            let entry =
                if skip && frame::seq(&line) == Some(seq.0) { None } else { Some(self.read(&line, seq)?) };
            if !known {
                self.marks.note(seq, at);
            }
            at += line.len() as u64 + 1;
            page.extend(entry.filter(|_| seq >= wanted));
            seq = seq.next();
            self.next = self.next.max((seq, at));
        }
        Ok(page)
    }

    /// Takes over what the journal's holder knows.
    pub(super) fn adopt(&mut self, session: &SessionId, marks: &Marks, next: (Seq, u64)) {
        self.session = Some(session.clone());
        self.marks = marks.clone();
        self.next = next;
    }

    fn reader(&self, offset: u64) -> Result<BufReader<File>, JournalError> {
        let mut file = self.file.try_clone().map_err(|error| self.io(&error))?;
        file.seek(SeekFrom::Start(offset)).map_err(|error| self.io(&error))?;
        Ok(BufReader::with_capacity(64 << 10, file))
    }

    /// Reads a line without its newline; false when there is no whole line any more.
    fn line(&self, reader: &mut BufReader<File>, line: &mut Vec<u8>) -> Result<bool, JournalError> {
        line.clear();
        let most = (frame::MAX + frame::MAX_HEAD) as u64;
        reader.take(most).read_until(b'\n', line).map_err(|error| self.io(&error))?;
        Ok(line.pop() == Some(b'\n'))
    }

    fn read(&mut self, line: &[u8], seq: Seq) -> Result<Entry, JournalError> {
        match frame::read(line, seq.0, self.session.as_ref()) {
            Line::Good(entry) => {
                if self.session.is_none() {
                    self.session = frame::opens(&entry).cloned();
                }
                Ok(*entry)
            }
            Line::Bad(why) => Err(JournalError::Damaged { line: seq.0, why, readable: seq.0 - 1 }),
            Line::Newer(what) => Err(JournalError::Newer { line: seq.0, what }),
        }
    }

    fn io(&self, error: &std::io::Error) -> JournalError {
        JournalError::io("read", &self.path, error)
    }
}
