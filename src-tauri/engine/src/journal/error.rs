//! Everything that can be wrong with a journal.

use std::io;
use std::path::Path;

use domain::Seq;

/// Why a journal cannot be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Another process holds the session.
    #[error("another process is running this session; end it there, or use its commands")]
    Busy,
    /// There is a session in this folder already.
    #[error("{path} holds a session already; choose another folder")]
    Exists {
        /// The folder.
        path: String,
    },
    /// There is no session in this folder.
    #[error("{path} holds no session; check the folder and the session's name")]
    Missing {
        /// The folder.
        path: String,
    },
    /// Something in the middle is not what was written; nothing is changed.
    #[error(
        "the journal is damaged in line {line}: {why}; the {readable} entries before it can be read, \
         restore the file from a backup to go on"
    )]
    Damaged {
        /// From 1.
        line: u64,
        /// What is wrong with that line.
        why: String,
        /// Entries before it, which are good.
        readable: u64,
    },
    /// A newer program wrote this, or one that was never released: the line is whole, but says what we do not know.
    #[error(
        "line {line} of the journal was written by another version of this program ({what}); use the newest version"
    )]
    Newer {
        /// From 1.
        line: u64,
        /// What shows it.
        what: String,
    },
    /// The caller's entries do not follow the last one; nothing is written.
    #[error("entry {found} cannot follow entry {last} in the journal; this is an error in the program", found = .found.0, last = .last.0)]
    OutOfOrder {
        /// The last one written.
        last: Seq,
        /// The one that was to follow.
        found: Seq,
    },
    /// One entry is larger than a reader accepts; nothing is written.
    #[error("entry {seq} has {len} bytes, more than a journal takes; this is an error in the program", seq = .seq.0)]
    TooLarge {
        /// Which.
        seq: Seq,
        /// Bytes of its JSON.
        len: usize,
    },
    /// The system refused. After a failed write, all later ones get the same answer until the journal is reopened.
    #[error("cannot {doing} {path}: {why}{hint}", hint = hint(*.kind))]
    Io {
        /// What was tried: `write`, `read`, …
        doing: &'static str,
        /// The file or folder.
        path: String,
        /// The kind, for those who wait for space.
        kind: io::ErrorKind,
        /// The system's words.
        why: String,
    },
}

impl JournalError {
    /// Wraps an error of the system.
    pub(crate) fn io(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        Self::Io { doing, path: path.display().to_string(), kind: error.kind(), why: error.to_string() }
    }

    /// Whether the disk, or the user's share of it, is full, so that waiting for space may help.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { kind: io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, .. })
    }
}

fn hint(kind: io::ErrorKind) -> &'static str {
    if matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        "; free some space, the session goes on by itself"
    } else if kind == io::ErrorKind::ReadOnlyFilesystem {
        "; the disk is read-only, check it"
    } else if kind == io::ErrorKind::PermissionDenied {
        "; check the owner and the permissions"
    } else {
        ""
    }
}
