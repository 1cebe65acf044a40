//! `--json`: the journal's entries, one per line, as they become true.

use std::path::Path;

use domain::{ErrorCode, Seq, UserError};
use engine::journal::{JournalError, Pages};

use crate::{said::out, text::sentence};

/// Entries read at a time.
const PAGE: usize = 500;

/// A journal, and how far it was printed.
#[derive(Debug)]
pub(crate) struct Entries {
    pages: Pages,
    printed: Seq,
}

impl Entries {
    /// The journal in a session's folder, nothing printed yet.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn of(folder: &Path) -> Result<Self, UserError> {
        Ok(Self { pages: Pages::open(folder).map_err(broken)?, printed: Seq(0) })
    }

    /// Prints what came since the last time, as far as it is durable: what is in the file after that may be taken back.
    ///
    /// # Errors
    /// When the journal is damaged.
    pub(crate) fn print(&mut self, durable: Seq) -> Result<(), UserError> {
        loop {
            let most = usize::try_from(durable.0.saturating_sub(self.printed.0)).unwrap_or(PAGE).min(PAGE);
            if most == 0 {
                return Ok(());
            }
            let page = self.pages.after(self.printed, most).map_err(broken)?;
            for entry in &page {
                out(&serde_json::to_string(entry).map_err(|error| internal(&error))?);
                self.printed = entry.seq;
            }
            if page.len() < most {
                return Ok(());
            }
        }
    }
}

/// A journal's fault, in two parts: what is wrong, and what to do.
pub(crate) fn broken(error: JournalError) -> UserError {
    let text = error.to_string();
    let (message, hint) = text.split_once("; ").unwrap_or((&text, ""));
    let code = if matches!(error, JournalError::Busy) { ErrorCode::Busy } else { ErrorCode::Internal };
    UserError { code, message: sentence(message), hint: sentence(hint) }
}

/// A fault of ours.
pub(crate) fn internal(error: &dyn std::error::Error) -> UserError {
    UserError {
        code: ErrorCode::Internal,
        message: sentence(&error.to_string()),
        hint: "This is a fault in the program: please report it.".to_owned(),
    }
}
