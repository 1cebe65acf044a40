//! Reading a long segment with all processors: one cuts it into pieces, several make entries of them, and the entries are
//! taken in order. What is not as it should be ends this; whoever reads on from there tells what it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError, mpsc};

use domain::{Entry, Seq, SessionId};

use super::frame::{self, Line};
use super::marks::STEP;

/// Bytes of a piece.
const PIECE: usize = 1 << 20;
/// Threads that make entries; more are not faster, because one takes them.
const MOST_THREADS: usize = 4;

/// Whole lines of a segment.
struct Piece {
    number: u64,
    bytes: Vec<u8>,
    offset: u64,
    first: u64,
}

/// What a piece held.
#[derive(Debug)]
pub(super) struct Parsed {
    number: u64,
    /// Its entries, in order.
    pub(super) entries: Vec<Entry>,
    /// Where those begin that an index may want.
    pub(super) marks: Vec<(Seq, u64)>,
    /// Where the last of them ends.
    pub(super) end: u64,
    /// All of it was entries.
    whole: bool,
}

/// Reads the entries from `first` on, which begins at `at`, up to the entry `until`, the file's end, or something that is
/// no entry. Short files are left to the caller, and so is the rest of every file.
///
/// # Errors
/// What the system refuses.
pub(super) fn read(
    file: &File,
    session: &SessionId,
    (first, at): (Seq, u64),
    until: Option<Seq>,
    mut take: impl FnMut(Parsed),
) -> io::Result<()> {
    let to = file.metadata()?.len();
    if to.saturating_sub(at) < PIECE as u64 / 2 {
        return Ok(());
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let pieces = Mutex::new(Pieces { file, at, to, first: first.0, number: 0 });
    std::thread::scope(|scope| {
        let (sender, parsed) = mpsc::sync_channel(2 * threads);
        for _ in 0..threads {
            let (sender, pieces) = (sender.clone(), &pieces);
            let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
            scope.spawn(move || {
                while let Ok(Some(piece)) = next()
                    && sender.send(piece.parse(session, until)).is_ok()
                {}
            });
        }
        drop(sender);
        let (mut early, mut wanted) = (BTreeMap::new(), 0);
        for piece in parsed {
            early.insert(piece.number, piece);
            while let Some(piece) = early.remove(&wanted) {
                let whole = piece.whole;
                take(piece);
                if !whole {
                    return;
                }
                wanted += 1;
            }
        }
    });
    Ok(())
}

/// A segment as it is cut.
struct Pieces<'a> {
    file: &'a File,
    at: u64,
    to: u64,
    first: u64,
    number: u64,
}

impl Pieces<'_> {
    /// The next piece; `None` when no whole line is left.
    fn next(&mut self) -> io::Result<Option<Piece>> {
        let mut bytes = Vec::with_capacity(PIECE);
        let mut most = PIECE as u64;
        self.file.seek(SeekFrom::Start(self.at))?;
        let end = loop {
            let left = (self.to - self.at).min(most) - bytes.len() as u64;
            let read = self.file.take(left).read_to_end(&mut bytes)?;
            if let Some(end) = memchr::memrchr(b'\n', &bytes) {
                break end + 1;
            }
            if read == 0 || frame::MAX + frame::MAX_HEAD < bytes.len() {
                return Ok(None);
            }
            most *= 2;
        };
        bytes.truncate(end);
        let piece = Piece { number: self.number, offset: self.at, first: self.first, bytes };
        self.number += 1;
        self.at += end as u64;
        self.first += memchr::memchr_iter(b'\n', &piece.bytes).count() as u64;
        Ok(Some(piece))
    }
}

impl Piece {
    fn parse(&self, session: &SessionId, until: Option<Seq>) -> Parsed {
        let mut parsed = Parsed {
            number: self.number,
            entries: Vec::with_capacity(self.bytes.len() / 256),
            marks: Vec::new(),
            end: self.offset,
            whole: true,
        };
        let (mut begin, mut seq) = (0, self.first);
        for end in memchr::memchr_iter(b'\n', &self.bytes) {
            let found = frame::read(&self.bytes[begin..end], seq, Some(session));
            let (Line::Good(entry), true) = (found, until != Some(Seq(seq))) else {
                parsed.whole = false;
                break;
            };
            if (seq - 1).is_multiple_of(STEP) {
                parsed.marks.push((Seq(seq), parsed.end));
            }
            parsed.entries.push(*entry);
            begin = end + 1;
            parsed.end = self.offset + begin as u64;
            seq += 1;
        }
        parsed
    }
}
