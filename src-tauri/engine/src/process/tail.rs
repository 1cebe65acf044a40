//! Following a file that a worker writes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use super::{Ended, Framer, Line, LineKind};

/// Most bytes of one turn; then others get theirs.
const TURN: usize = 64 << 10;
/// How soon a file that was written a moment ago is looked at again.
const SHORTEST: Duration = Duration::from_millis(10);
/// How soon one that is silent is.
const LONGEST: Duration = Duration::from_millis(50);

/// The lines of a file, as they are written, until its process has ended and all is read.
///
/// It looks at the file every 10 to 50 ms rather than being told of changes: that costs 20 system calls a second for
/// a silent worker, works on every system and file system, and has no limit that can be exhausted, as inotify has.
#[derive(Debug)]
pub struct Tail {
    file: File,
    /// How much was read, in bytes.
    offset: u64,
    framer: Framer,
    lines: VecDeque<Line>,
    ended: Ended,
    pause: Duration,
    /// The end was waited for and came.
    over: bool,
    done: bool,
    chunk: Vec<u8>,
}

impl Tail {
    /// Follows a file from an offset, which must be the beginning of a line: 0, or the end of one read before.
    ///
    /// # Errors
    /// What the system refuses.
    pub fn open(path: &Path, offset: u64, ended: Ended) -> io::Result<Self> {
        let mut file = File::open(path)?;
        // After a power cut the file may be shorter than what was noted of it.
        let offset = offset.min(file.metadata()?.len());
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            file,
            offset,
            framer: Framer::new(offset),
            lines: VecDeque::new(),
            ended,
            pause: SHORTEST,
            done: false,
            chunk: vec![0; TURN],
            over: false,
        })
    }

    /// The next line, as soon as it is there; `None` when the process has ended and everything is read. May be
    /// dropped while it waits: nothing is lost.
    pub async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.done {
                return None;
            }
            // Asked before reading: what was written before the end is then read.
            let ended = self.over || self.ended.record().is_some();
            match self.turn() {
                Ok(true) => {
                    self.pause = SHORTEST;
                    tokio::task::yield_now().await;
                }
                Ok(false) if ended => self.finish(None),
                Ok(false) => {
                    self.over = tokio::time::timeout(self.pause, self.ended.wait()).await.is_ok();
                    self.pause = (self.pause * 2).min(LONGEST);
                }
                Err(error) => self.finish(Some(error.to_string())),
            }
        }
    }

    /// Reads what is there, at most one turn; false when there was nothing.
    fn turn(&mut self) -> io::Result<bool> {
        let count = self.file.read(&mut self.chunk)?;
        self.framer.feed(&self.chunk[..count], &mut self.lines);
        self.offset += count as u64;
        if count == 0 { self.has_shrunk() } else { Ok(true) }
    }

    fn has_shrunk(&mut self) -> io::Result<bool> {
        let size = self.file.metadata()?.len();
        if self.offset <= size {
            return Ok(false);
        }
        self.framer.end(&mut self.lines);
        self.lines.push_back(Line { bytes: Vec::new(), end_offset: size, kind: LineKind::Shrunk { size } });
        self.file.seek(SeekFrom::Start(size))?;
        (self.offset, self.framer) = (size, Framer::new(size));
        Ok(true)
    }

    fn finish(&mut self, unreadable: Option<String>) {
        self.framer.end(&mut self.lines);
        if let Some(why) = unreadable {
            let kind = LineKind::Unreadable { why };
            self.lines.push_back(Line { bytes: Vec::new(), end_offset: self.offset, kind });
        }
        self.done = true;
    }
}
