//! One entry as one line: `J1 <seq> <len> <crc32>\t<json>\n`.
//!
//! Text, so that a journal can be read with `grep`; length and CRC, so that a page of zeros or half a line never
//! passes for an entry. The CRC covers the sequence number and the session as well: a line that was moved or comes
//! from another session is damage (RELIABILITY 3.1).

use domain::{AgentEvent, Entry, Event, Seq, SessionId, WorkerId};

use super::JournalError;

/// The largest entry a reader accepts, in bytes of JSON: far above the largest plan, far below what hurts.
pub(super) const MAX: usize = 64 << 20;

/// The longest head of a frame: magic, three numbers, three blanks and the tab.
pub(super) const MAX_HEAD: usize = 64;

const MAGIC: &str = "J1";

/// What a whole line turned out to be.
#[derive(Debug)]
pub(super) enum Line {
    /// An entry.
    Good(Box<Entry>),
    /// Not what was written.
    Bad(String),
    /// A newer program's.
    Newer(String),
}

/// Appends an entry's line to `out`.
pub(super) fn write(out: &mut Vec<u8>, session: &SessionId, entry: &Entry) -> Result<(), JournalError> {
    let json = serde_json::to_vec(entry).map_err(|error| JournalError::Io {
        doing: "encode",
        path: format!("entry {}", entry.seq.0),
        kind: std::io::ErrorKind::InvalidData,
        why: error.to_string(),
    })?;
    if json.len() > MAX {
        return Err(JournalError::TooLarge { seq: entry.seq, len: json.len() });
    }
    let crc = crc(session, entry.seq.0, &json);
    out.extend_from_slice(format!("{MAGIC} {} {} {crc:08x}\t", entry.seq.0, json.len()).as_bytes());
    out.extend_from_slice(&json);
    out.push(b'\n');
    Ok(())
}

/// Reads a whole line (without its newline) that must hold entry `expected`.
///
/// Without a session it is taken from the line itself, which must then open one.
pub(super) fn read(line: &[u8], expected: u64, session: Option<&SessionId>) -> Line {
    let (seq, payload, crc_found) = match split(line) {
        Ok(parts) => parts,
        Err(why) => return why,
    };
    if seq != expected {
        return Line::Bad(format!("it is entry {seq} where entry {expected} should be"));
    }
    let entry = said(payload).map_or_else(|| serde_json::from_slice::<Entry>(payload), Ok);
    let own = entry.as_ref().ok().and_then(opens);
    let Some(session) = session.or(own) else {
        return Line::Bad("it does not open a session".to_owned());
    };
    if crc(session, seq, payload) != crc_found {
        return Line::Bad(
            "its checksum does not match: it was changed, or belongs to another session".to_owned(),
        );
    }
    match entry {
        Ok(entry) if entry.seq.0 != seq => Line::Bad(format!("it calls itself entry {}", entry.seq.0)),
        Ok(entry) => match newer(&entry) {
            Some(what) => Line::Newer(what),
            None => Line::Good(Box::new(entry)),
        },
        // The checksum is right, so these are the writer's own bytes: a word that we do not know yet.
        Err(error) => Line::Newer(error.to_string()),
    }
}

/// The commonest entry, what a worker said, exactly as [`write`] lays it out: read three times as fast as by the general
/// way, which has to look for an event's type before it can read the rest. `None` for everything else.
pub(super) fn said(payload: &[u8]) -> Option<Entry> {
    let rest = payload.strip_prefix(b"{\"seq\":")?;
    let (seq, rest) = until(rest, b',')?;
    let rest = rest.strip_prefix(b"\"at\":\"")?;
    let (at, rest) = until(rest, b'"')?;
    let rest = rest.strip_prefix(b",\"event\":{\"type\":\"worker_said\",\"worker\":\"w")?;
    let (worker, rest) = until(rest, b'"')?;
    let rest = rest.strip_prefix(b",\"offset\":")?;
    let (offset, rest) = until(rest, b',')?;
    let said = rest.strip_prefix(b"\"said\":")?.strip_suffix(b"}}")?;
    let said: AgentEvent = serde_json::from_slice(said).ok()?;
    let event = Event::WorkerSaid {
        worker: WorkerId(u32::try_from(number(worker)?).ok()?),
        offset: number(offset)?,
        said,
    };
    Some(Entry { seq: Seq(number(seq)?), at: at.parse().ok()?, event })
}

/// What is before the first `end` as text, and what is behind it.
fn until(bytes: &[u8], end: u8) -> Option<(&str, &[u8])> {
    let at = memchr::memchr(end, bytes)?;
    Some((std::str::from_utf8(&bytes[..at]).ok()?, &bytes[at + 1..]))
}

/// Whether a line is a frame of this session, wherever it stands: what proves that the place before it is damaged.
pub(super) fn is_whole(line: &[u8], session: &SessionId) -> bool {
    split(line).is_ok_and(|(seq, payload, found)| crc(session, seq, payload) == found)
}

/// The session that an entry opens.
pub(super) fn opens(entry: &Entry) -> Option<&SessionId> {
    if let Event::SessionOpened { opened } = &entry.event { Some(&opened.session) } else { None }
}

/// The sequence number in a line's head.
pub(super) fn seq(line: &[u8]) -> Option<u64> {
    split(line).ok().map(|(seq, ..)| seq)
}

fn split(line: &[u8]) -> Result<(u64, &[u8], u32), Line> {
    let bad = || Line::Bad("it is no journal entry".to_owned());
    let tab = memchr::memchr(b'\t', &line[..line.len().min(MAX_HEAD)]).ok_or_else(bad)?;
    let head = std::str::from_utf8(&line[..tab]).map_err(|_| bad())?;
    let mut words = head.split(' ');
    let (Some(magic), Some(seq), Some(len), Some(crc), None) =
        (words.next(), words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad());
    };
    if magic != MAGIC {
        let format = magic.strip_prefix('J').and_then(|digits| digits.parse::<u32>().ok());
        return Err(match format {
            Some(format) if format > 1 => Line::Newer(format!("line format {magic}")),
            Some(_) | None => bad(),
        });
    }
    let (Some(seq), Some(len)) = (number(seq), number(len)) else { return Err(bad()) };
    let crc =
        Some(crc).filter(|crc| crc.len() == 8 && !crc.contains(|c: char| c.is_ascii_uppercase() || c == '+'));
    let crc = crc.and_then(|crc| u32::from_str_radix(crc, 16).ok()).ok_or_else(bad)?;
    let payload = &line[tab + 1..];
    if payload.len() as u64 != len {
        return Err(Line::Bad(format!("it has {} bytes where it says {len}", payload.len())));
    }
    Ok((seq, payload, crc))
}

/// A number as we write it: no sign, no leading zero, so that no two lines mean the same.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn newer(entry: &Entry) -> Option<String> {
    let Event::SessionOpened { opened } = &entry.event else { return None };
    (opened.format > domain::FORMAT).then(|| format!("journal format {}", opened.format))
}

fn crc(session: &SessionId, seq: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&seq.to_le_bytes());
    hasher.update(session.as_str().as_bytes());
    hasher.update(payload);
    hasher.finalize()
}
