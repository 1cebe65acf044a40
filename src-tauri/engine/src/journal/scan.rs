//! Reading a journal from its beginning, and telling a torn tail from damage.

use std::io::{BufRead, BufReader, Read};

use domain::{Entry, Seq, SessionId};

use super::frame::{self, Line};
use super::{JournalError, Marks};

/// What a scan found besides the entries it handed out.
#[derive(Debug)]
pub(super) struct Scan {
    /// Where the good part ends, in bytes.
    pub(super) end: u64,
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

/// Reads all entries, handing each to `each`.
///
/// # Errors
/// Only what the system refuses; whatever is wrong with the content is in the scan.
pub(super) fn scan(
    source: impl Read,
    session: Option<&SessionId>,
    mut each: impl FnMut(Entry),
) -> std::io::Result<Scan> {
    let mut lines = Lines::new(source);
    let mut session = session.cloned();
    let mut scan = Scan { end: 0, last: Seq(0), marks: Marks::default(), rest: Rest::Nothing };
    while let Some(whole) = lines.next()? {
        let expected = scan.last.next();
        let found = if whole {
            frame::read(&lines.line, expected.0, session.as_ref())
        } else {
            Line::Bad(String::new())
        };
        match found {
            Line::Good(entry) => {
                if session.is_none() {
                    session = frame::opens(&entry).cloned();
                }
                scan.marks.note(expected, scan.end);
                scan.end += lines.line.len() as u64 + 1;
                scan.last = expected;
                each(*entry);
            }
            Line::Newer(what) => {
                scan.rest = Rest::Bad(JournalError::Newer { line: expected.0, what });
                return Ok(scan);
            }
            Line::Bad(why) => {
                let torn = is_torn(&mut lines, whole, session.as_ref())?;
                let damage = JournalError::Damaged { line: expected.0, why, readable: scan.last.0 };
                scan.rest = if torn { Rest::Torn } else { Rest::Bad(damage) };
                return Ok(scan);
            }
        }
    }
    Ok(scan)
}

/// Whether what begins with the bad line just read can be the rest of an interrupted write: a line without its
/// newline at the very end, after nothing but what unwritten blocks read as. A whole line of anything else was
/// changed later, and entries behind it show that more was written.
fn is_torn<R: Read>(lines: &mut Lines<R>, whole: bool, session: Option<&SessionId>) -> std::io::Result<bool> {
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
struct Lines<R> {
    reader: BufReader<R>,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    fn new(source: R) -> Self {
        Self { reader: BufReader::with_capacity(256 << 10, source), line: Vec::new() }
    }

    /// The next line, without its newline; whether it had one. A line beyond the bound comes in pieces that count as
    /// lines without newline, so it is never taken for an entry.
    fn next(&mut self) -> std::io::Result<Option<bool>> {
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
