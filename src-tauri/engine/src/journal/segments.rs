//! The files that a journal is kept in.
//!
//! The first is [`FILE`], later ones are `journal-000002.jsonl` and so on. A new one is begun when the last has become
//! large, and after a write or sync that failed: what a failed sync left behind is not to be trusted, so nothing is ever
//! written to that file again (RELIABILITY 3.5). A segment ends where the next one begins: what it holds at or after the
//! next one's first entry was never acknowledged, and was written again there.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use domain::{Seq, SessionId};

use super::frame::{self, Line};
use super::scan::{Lines, is_torn};

/// The first segment's name in a session's folder.
pub const FILE: &str = "journal.jsonl";

/// A segment is full beyond this many bytes (RELIABILITY 3.4).
pub(super) const FULL: u64 = 64 << 20;

/// A segment that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// From 1.
    pub(super) number: u32,
    /// The file.
    pub(super) path: PathBuf,
}

/// Where an entry begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// In which segment.
    pub(super) segment: u32,
    /// Bytes from its beginning.
    pub(super) offset: u64,
}

impl Place {
    /// Where the first entry begins.
    pub(super) const BEGIN: Self = Self { segment: 1, offset: 0 };
}

/// The path of a segment.
pub(super) fn path(folder: &Path, number: u32) -> PathBuf {
    if number <= 1 { folder.join(FILE) } else { folder.join(format!("journal-{number:06}.jsonl")) }
}

/// The segments that are there, in order.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(|number| Segment { number, path: path(folder, number) }).collect())
}

fn number(name: &str) -> Option<u32> {
    if name == FILE {
        return Some(1);
    }
    let digits = name.strip_prefix("journal-")?.strip_suffix(".jsonl")?;
    let number = digits.parse().ok()?;
    (digits.len() == 6 && 1 < number).then_some(number)
}

/// How a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    /// With this entry.
    Entry(Seq),
    /// With a write that was interrupted before its first entry was whole: nothing of it was acknowledged.
    Unbegun,
    /// With something that no interrupted write leaves.
    Damaged,
}

fn first(path: &Path, session: &SessionId) -> io::Result<First> {
    let mut lines = Lines::new(File::open(path)?);
    let Some(whole) = lines.next()? else { return Ok(First::Unbegun) };
    if whole
        && frame::is_whole(&lines.line, session)
        && let Some(seq) = frame::seq(&lines.line)
    {
        return Ok(First::Entry(Seq(seq)));
    }
    let torn = is_torn(&mut lines, whole, Some(session))?;
    Ok(if torn { First::Unbegun } else { First::Damaged })
}

/// The session that the first entry opens; `None` when that entry is not there yet, or damaged.
pub(super) fn opener(folder: &Path) -> io::Result<Option<SessionId>> {
    let mut line = Vec::new();
    let most = (frame::MAX + frame::MAX_HEAD) as u64;
    BufReader::new(File::open(path(folder, 1))?).take(most).read_until(b'\n', &mut line)?;
    let whole = line.pop() == Some(b'\n');
    Ok(match frame::read(&line, 1, None) {
        Line::Good(entry) if whole => frame::opens(&entry).cloned(),
        Line::Good(_) | Line::Bad(_) | Line::Newer(_) => None,
    })
}

/// The next segment after this one that has begun, and its first entry; no entry when that place is damaged.
pub(super) fn after(
    folder: &Path,
    number: u32,
    session: &SessionId,
) -> io::Result<Option<(Segment, Option<Seq>)>> {
    for segment in list(folder)?.into_iter().filter(|segment| number < segment.number) {
        match first(&segment.path, session)? {
            First::Entry(seq) => return Ok(Some((segment, Some(seq)))),
            First::Damaged => return Ok(Some((segment, None))),
            First::Unbegun => {}
        }
    }
    Ok(None)
}

/// Bytes of all segments: grows with every entry.
pub(crate) fn size(folder: &Path) -> io::Result<u64> {
    list(folder)?.iter().try_fold(0, |sum, segment| Ok(sum + std::fs::metadata(&segment.path)?.len()))
}

/// How much was written to a segment, and when last: two that are the same hold the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) number: u32,
    pub(super) bytes: u64,
    modified: SystemTime,
}

/// How much was written to the segments of a folder, in order.
pub(super) fn extent(folder: &Path) -> io::Result<Vec<Extent>> {
    let extent = |segment: Segment| {
        let facts = std::fs::metadata(&segment.path)?;
        Ok(Extent { number: segment.number, bytes: facts.len(), modified: facts.modified()? })
    };
    list(folder)?.into_iter().map(extent).collect()
}
