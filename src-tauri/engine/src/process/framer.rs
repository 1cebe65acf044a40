//! Bytes into lines, with a bound on memory whatever comes (SUPERVISION section 4).

use std::collections::VecDeque;

/// The longest line that is handed out, in bytes; the largest line of a real CLI known to us has about 1 MiB.
const LONGEST: u64 = 8 << 20;

/// One line of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// As it came, without its line end; may be invalid UTF-8. Empty for anything but text.
    pub bytes: Vec<u8>,
    /// Where it ends in the file, line end included, in bytes: where to go on after a crash.
    pub end_offset: u64,
    /// What it is.
    pub kind: LineKind,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A whole line.
    Whole,
    /// The last one, without its line end: complete or not, nothing follows.
    Unterminated,
    /// Longer than 8 MiB, passed over; the raw log has it.
    Oversize {
        /// Where it begins, in bytes.
        offset: u64,
        /// Its length, in bytes.
        len: u64,
    },
    /// The file became shorter than what was read of it: somebody tampered with it. Reading goes on at its new end.
    Shrunk {
        /// Its size now, in bytes.
        size: u64,
    },
    /// The file cannot be read any more; nothing follows.
    Unreadable {
        /// The system's words.
        why: String,
    },
}

/// Cuts a stream into lines. Any split of the stream into pieces gives the same lines; empty lines are left out.
#[derive(Debug)]
pub struct Framer {
    line: Vec<u8>,
    /// Where the line being read begins.
    begin: u64,
    /// How much of it has come.
    len: u64,
    longest: u64,
}

impl Framer {
    /// Begins at an offset, which must be the beginning of a line.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self { line: Vec::new(), begin: offset, len: 0, longest: LONGEST }
    }

    /// Takes the next piece in, and appends the lines that it completes.
    pub fn feed(&mut self, mut piece: &[u8], lines: &mut VecDeque<Line>) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            self.take(&piece[..end]);
            self.finish(1, LineKind::Whole, lines);
            piece = &piece[end + 1..];
        }
        self.take(piece);
    }

    /// Ends the stream: what is left is a line without its end.
    pub fn end(&mut self, lines: &mut VecDeque<Line>) {
        if 0 < self.len {
            self.finish(0, LineKind::Unterminated, lines);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        if self.longest < self.len {
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self, line_end: u64, kind: LineKind, lines: &mut VecDeque<Line>) {
        let end_offset = self.begin + self.len + line_end;
        // The buffer goes with the line: a big one leaves nothing behind.
        let mut bytes = std::mem::take(&mut self.line);
        if line_end == 1 && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        if self.longest < self.len {
            let kind = LineKind::Oversize { offset: self.begin, len: self.len };
            lines.push_back(Line { bytes, end_offset, kind });
        } else if !bytes.is_empty() {
            lines.push_back(Line { bytes, end_offset, kind });
        }
        (self.begin, self.len) = (end_offset, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of a stream that comes in pieces of this size, as text.
    fn check(stream: &[u8], piece: usize) -> Vec<String> {
        let (mut framer, mut lines) = (Framer { longest: 8, ..Framer::new(100) }, VecDeque::new());
        for piece in stream.chunks(piece) {
            framer.feed(piece, &mut lines);
            assert!(framer.line.len() <= 8, "the buffer is bounded");
        }
        framer.end(&mut lines);
        let text = |line: &Line| {
            let kind = match &line.kind {
                LineKind::Whole => String::new(),
                LineKind::Unterminated => " unterminated".to_owned(),
                LineKind::Oversize { offset, len } => format!(" oversize {len} from {offset}"),
                LineKind::Shrunk { .. } | LineKind::Unreadable { .. } => unreachable!(),
            };
            format!("{}:{}{kind}", line.end_offset, line.bytes.escape_ascii())
        };
        lines.iter().map(text).collect()
    }

    #[test]
    fn lines_are_the_same_however_they_come() {
        let cases: [(&[u8], &[&str]); 8] = [
            (b"", &[]),
            (b"a\nbc\n", &["102:a", "105:bc"]),
            (b"a\r\n\n\r\nb\r\r\n", &["103:a", "110:b\\r"]),
            (b"a\nbc", &["102:a", "104:bc unterminated"]),
            (b"12345678\n", &["109:12345678"]),
            (b"123456789\nok\n", &["110: oversize 9 from 100", "113:ok"]),
            (b"ok\n0123456789012345678901", &["103:ok", "125: oversize 22 from 103"]),
            (b"\xff\xc3\n\0\n", &["103:\\xff\\xc3", "105:\\x00"]),
        ];
        for (stream, wanted) in cases {
            for piece in 1..=stream.len().max(1) {
                assert_eq!(check(stream, piece), wanted, "{} in pieces of {piece}", stream.escape_ascii());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_stream_any_split(stream in "[ab\r\n]{0,60}", piece in 1_usize..20) {
            proptest::prop_assert_eq!(check(stream.as_bytes(), piece), check(stream.as_bytes(), 64));
        }
    }
}
