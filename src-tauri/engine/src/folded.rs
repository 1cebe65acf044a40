//! What follows from journals: each is read and folded once, however often and for whatever its state is wanted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::State;

use crate::journal::{self, JournalError, Known};

/// Bytes of a journal from which on its state is kept: below, reading it again takes less than a tenth of a second.
const WORTH_KEEPING: u64 = 8 << 20;
/// States that are kept.
const MOST: usize = 8;

/// A journal's state, and where it was read to.
#[derive(Clone, Debug)]
pub(crate) struct Folded {
    pub(crate) state: State,
    /// What is wrong after the entries that could be read.
    pub(crate) damage: Option<JournalError>,
    /// `None` when something is wrong, or was being written.
    pub(crate) known: Option<Known>,
}

/// The states of long journals that this process has read.
#[derive(Debug, Default)]
pub(crate) struct Folds {
    kept: Mutex<BTreeMap<PathBuf, Folded>>,
}

impl Folds {
    /// The state as it is written.
    ///
    /// # Errors
    /// As for [`journal::read_each`].
    pub(crate) fn of(&self, folder: &Path) -> Result<Folded, JournalError> {
        let kept = self.kept().get(folder).cloned();
        let is_current = |it: &Folded| it.known.as_ref().is_some_and(|known| known.is_current(folder));
        if let Some(kept) = kept.filter(is_current) {
            return Ok(kept);
        }
        let mut state = State::default();
        let (known, damage) = journal::read_known(folder, |entry| state.apply(&entry))?;
        let folded = Folded { state, damage, known };
        if folded.known.as_ref().is_some_and(|known| WORTH_KEEPING <= known.bytes()) {
            let mut kept = self.kept();
            if MOST <= kept.len() {
                kept.clear();
            }
            kept.insert(folder.to_owned(), folded.clone());
        }
        Ok(folded)
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Folded>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
