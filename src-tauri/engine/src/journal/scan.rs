//! Reading a journal from its beginning, and telling a torn tail from damage.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use domain::{Entry, Seq, SessionId};

use super::frame::{self, Line};
use super::segments::{self, Place};
use super::{JournalError, Marks, ahead, gap, open_to_read};

/// What a scan found besides the entries it handed out.
#[derive(Debug)]
pub(super) struct Scan {
    /// Where the good part ends.
    pub(super) end: Place,
    /// The last good entry.
    pub(super) last: Seq,
    /// Where entries begin.
    pub(super) marks: Marks,
    /// What comes after the good part.
    pub(super) rest: Rest,
}

/// What comes after the good part.
#[derive(Debug)]
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// A write that a crash or power cut interrupted: it was never acknowledged.
    Torn,
    /// Something that cannot come from an interrupted write.
    Bad(JournalError),
}

/// Reads all entries of a folder's segments, handing each to `each`.
///
/// # Errors
/// [`JournalError::Missing`], or what the system refuses; whatever is wrong with the content is in the scan.
pub(super) fn scan(
    folder: &Path,
    session: Option<&SessionId>,
    mut each: impl FnMut(Entry),
) -> Result<Scan, JournalError> {
    drop(open_to_read(folder)?);
    let known = session.cloned();
    let opener = || segments::opener(folder).map_err(|error| JournalError::io("read", folder, &error));
    let mut session = known.map_or_else(opener, |known| Ok(Some(known)))?;
    let mut scan = Scan { end: Place::BEGIN, last: Seq(0), marks: Marks::default(), rest: Rest::Nothing };
    loop {
        let number = scan.end.segment;
        let path = segments::path(folder, number);
        let io = |error: &std::io::Error| JournalError::io("read", &path, error);
        let file = File::open(&path).map_err(|error| io(&error))?;
        let next = match &session {
            Some(session) => segments::after(folder, number, session).map_err(|error| io(&error))?,
            None => None,
        };
        let until = next.as_ref().and_then(|(_, first)| *first);
        let mut own = Part { scan: &mut scan, session: &mut session, until };
        own.read_ahead(&file, &mut each)
            .and_then(|()| own.read(&file, &mut each))
            .map_err(|error| io(&error))?;
        let Some((segment, first)) = next else {
            // Nobody knows whose entries to look for when the first one is damaged, but later segments show that it was there.
            if session.is_none() && matches!(scan.rest, Rest::Nothing | Rest::Torn) {
                let later = segments::list(folder).map_err(|error| io(&error))?;
                let later = later.into_iter().find(|later| number < later.number);
                if let Some(later) = later {
                    scan.rest = Rest::Bad(gap(scan.last.next(), None, later.number));
                }
            }
            return Ok(scan);
        };
        match first {
            Some(first) if first == scan.last.next() => {
                // What an interrupted write left at the end of this one was written again in the next.
                scan.rest = Rest::Nothing;
                scan.end = Place { segment: segment.number, offset: 0 };
            }
            first => {
                if matches!(scan.rest, Rest::Nothing | Rest::Torn) {
                    scan.rest = Rest::Bad(gap(scan.last.next(), first, segment.number));
                }
                return Ok(scan);
            }
        }
    }
}

/// One segment being scanned.
struct Part<'a> {
    scan: &'a mut Scan,
    session: &'a mut Option<SessionId>,
    /// The first entry of the next segment: whatever stands here from it on was never acknowledged.
    until: Option<Seq>,
}

impl Part<'_> {
    /// Reads what is as it should be, with all processors.
    fn read_ahead(&mut self, file: &File, each: &mut impl FnMut(Entry)) -> std::io::Result<()> {
        let Some(session) = &self.session else { return Ok(()) };
        let scan = &mut *self.scan;
        let from = (scan.last.next(), scan.end.offset);
        ahead::read(file, session, from, self.until, |parsed| {
            for (seq, offset) in parsed.marks {
                scan.marks.note(seq, Place { offset, ..scan.end });
            }
            scan.last = Seq(scan.last.0 + parsed.entries.len() as u64);
            scan.end.offset = parsed.end;
            parsed.entries.into_iter().for_each(&mut *each);
        })
    }

    /// Reads the rest: little, or not as it should be.
    fn read(&mut self, mut source: &File, each: &mut impl FnMut(Entry)) -> std::io::Result<()> {
        source.seek(SeekFrom::Start(self.scan.end.offset))?;
        let mut lines = Lines::new(source);
        loop {
            let expected = self.scan.last.next();
            if self.until == Some(expected) {
                return Ok(());
            }
            let Some(whole) = lines.next()? else { return Ok(()) };
            let found = if whole {
                frame::read(&lines.line, expected.0, self.session.as_ref())
            } else {
                Line::Bad(String::new())
            };
            match found {
                Line::Good(entry) => {
                    if self.session.is_none() {
                        *self.session = frame::opens(&entry).cloned();
                    }
                    self.scan.marks.note(expected, self.scan.end);
                    self.scan.end.offset += lines.line.len() as u64 + 1;
                    self.scan.last = expected;
                    each(*entry);
                }
                Line::Newer(what) => {
                    self.scan.rest = Rest::Bad(JournalError::Newer { line: expected.0, what });
                    return Ok(());
                }
                Line::Bad(why) => {
                    let torn = is_torn(&mut lines, whole, self.session.as_ref())?;
                    let readable = self.scan.last.0;
                    let damage = JournalError::Damaged { line: expected.0, why, readable };
                    self.scan.rest = if torn { Rest::Torn } else { Rest::Bad(damage) };
                    return Ok(());
                }
            }
        }
    }
}

/// Whether what begins with the bad line just read can be the rest of an interrupted write: a line without its
/// newline at the very end, after nothing but what unwritten blocks read as. A whole line of anything else was
/// changed later, and entries behind it show that more was written.
pub(super) fn is_torn<R: Read>(
    lines: &mut Lines<R>,
    whole: bool,
    session: Option<&SessionId>,
) -> std::io::Result<bool> {
    let mut torn = !whole || is_unwritten(&lines.line);
    while torn && let Some(whole) = lines.next()? {
        let entry = whole && session.is_some_and(|session| frame::is_whole(&lines.line, session));
        torn = !entry && (!whole || is_unwritten(&lines.line));
    }
    Ok(torn)
}

fn is_unwritten(line: &[u8]) -> bool {
    line.is_empty() || memchr::memchr(0, line).is_some()
}

/// Lines with a bound on their length.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    pub(super) line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self { reader: BufReader::with_capacity(256 << 10, source), line: Vec::new() }
    }

    /// The next line, without its newline; whether it had one. A line beyond the bound comes in pieces that count as
    /// lines without newline, so it is never taken for an entry.
    pub(super) fn next(&mut self) -> std::io::Result<Option<bool>> {
        self.line.clear();
        let most = (frame::MAX + frame::MAX_HEAD) as u64;
        if self.reader.by_ref().take(most).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let whole = self.line.last() == Some(&b'\n');
        if whole {
            self.line.pop();
        }
        Ok(Some(whole))
    }
}
