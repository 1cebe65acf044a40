//! Reading a journal page by page, also while another process writes it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use domain::{Entry, Seq, SessionId};

use super::frame::{self, Line};
use super::segments::{self, Place};
use super::{JournalError, Known, Marks};

/// A journal open for reading only: no lock, nothing loaded but a sparse index that grows with what was read.
#[derive(Debug)]
pub struct Pages {
    folder: PathBuf,
    session: Option<SessionId>,
    marks: Marks,
    /// The first entry that is not in the index, and where it begins.
    next: (Seq, Place),
}

/// Reading on from a place.
struct Cursor {
    reader: BufReader<File>,
    path: PathBuf,
    place: Place,
    /// Where this segment ends, because the next one begins: that one's number and first entry.
    end: Option<(u32, Seq)>,
}

impl Pages {
    /// Opens a session's journal for reading.
    ///
    /// # Errors
    /// [`JournalError::Missing`], or what the system refuses.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        drop(super::open_to_read(folder)?);
        let (session, marks) = (None, Marks::default());
        Ok(Self { folder: folder.to_owned(), session, marks, next: (Seq(1), Place::BEGIN) })
    }

    /// The same of a journal that this process has read before.
    #[must_use]
    pub fn known(folder: &Path, known: &Known) -> Self {
        let Known { session, end, last, marks, .. } = known.clone();
        Self { folder: folder.to_owned(), session: Some(session), marks, next: (last.next(), end) }
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
        (self.marks, self.next) = (Marks::default(), (Seq(1), Place::BEGIN));
        self.page(after, limit)
    }

    fn page(&mut self, after: Seq, limit: usize) -> Result<Vec<Entry>, JournalError> {
        let wanted = after.next();
        if self.session.is_none() {
            // Where a segment ends shows only to those who know whose entries to look for.
            self.session = segments::opener(&self.folder)
                .map_err(|error| JournalError::io("read", &self.folder, &error))?;
        }
        let (mut seq, place) = if wanted < self.next.0 { self.marks.before(wanted) } else { self.next };
        let mut cursor = self.cursor(place)?;
        let (mut page, mut line) = (Vec::new(), Vec::new());
        while page.len() < limit {
            if !self.line(&mut cursor, seq, &mut line)? {
                break;
            }
            let known = seq < self.next.0;
            let skip = seq < wanted && self.session.is_some();
            // What is only passed over must be the right entry, its content is checked by whoever reads it.
            let entry =
                if skip && frame::seq(&line) == Some(seq.0) { None } else { Some(self.read(&line, seq)?) };
            if !known {
                self.marks.note(seq, cursor.place);
            }
            cursor.place.offset += line.len() as u64 + 1;
            page.extend(entry.filter(|_| seq >= wanted));
            seq = seq.next();
            self.next = self.next.max((seq, cursor.place));
        }
        Ok(page)
    }

    /// Takes over what the journal's holder knows.
    pub(super) fn adopt(&mut self, session: &SessionId, marks: &Marks, next: (Seq, Place)) {
        self.session = Some(session.clone());
        self.marks = marks.clone();
        self.next = next;
    }

    fn cursor(&self, place: Place) -> Result<Cursor, JournalError> {
        let path = segments::path(&self.folder, place.segment);
        let opened = File::open(&path).and_then(|mut file| {
            file.seek(SeekFrom::Start(place.offset))?;
            Ok(BufReader::with_capacity(64 << 10, file))
        });
        let reader = opened.map_err(|error| JournalError::io("read", &path, &error))?;
        Ok(Cursor { reader, path, place, end: self.end(place.segment)? })
    }

    /// Where a segment ends, once another one follows it.
    fn end(&self, segment: u32) -> Result<Option<(u32, Seq)>, JournalError> {
        let Some(session) = &self.session else { return Ok(None) };
        let found = segments::after(&self.folder, segment, session);
        let found = found.map_err(|error| JournalError::io("read", &self.folder, &error))?;
        match found {
            None => Ok(None),
            Some((next, Some(first))) => Ok(Some((next.number, first))),
            Some((next, None)) => Err(super::gap(self.next.0, None, next.number)),
        }
    }

    /// Reads entry `seq`'s line without its newline, in the next segment when this one is at its end; false when there is
    /// no whole line any more.
    fn line(&self, cursor: &mut Cursor, seq: Seq, line: &mut Vec<u8>) -> Result<bool, JournalError> {
        loop {
            if let Some((next, first)) = cursor.end
                && first <= seq
            {
                *cursor = self.cursor(Place { segment: next, offset: 0 })?;
            }
            line.clear();
            let most = (frame::MAX + frame::MAX_HEAD) as u64;
            let read = cursor.reader.by_ref().take(most).read_until(b'\n', line);
            read.map_err(|error| JournalError::io("read", &cursor.path, &error))?;
            if line.pop() == Some(b'\n') {
                return Ok(true);
            }
            // Either all is read, or the writer has begun another segment since we looked.
            cursor.end = self.end(cursor.place.segment)?;
            match cursor.end {
                Some((_, first)) if first <= seq => {}
                Some((next, first)) => return Err(super::gap(seq, Some(first), next)),
                None => return Ok(false),
            }
        }
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
}
