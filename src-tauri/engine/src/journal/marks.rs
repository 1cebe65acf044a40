//! A sparse index: where every 256th entry begins, so that a page is found without reading what is before it.

use domain::Seq;

use super::segments::Place;

/// Entries between two marks: 16 bytes of memory for about 70 KiB of journal.
pub(super) const STEP: u64 = 256;

/// Where entries 1, 257, 513, … begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(Vec<Place>);

impl Marks {
    /// Takes note of where an entry begins. Entries come in order, from 1.
    pub(super) fn note(&mut self, seq: Seq, place: Place) {
        if (seq.0 - 1) / STEP == self.0.len() as u64 {
            self.0.push(place);
        }
    }

    /// The nearest marked entry at or before `seq`, and where it begins; the beginning when there is none.
    pub(super) fn before(&self, seq: Seq) -> (Seq, Place) {
        let index = usize::try_from(seq.0.saturating_sub(1) / STEP).unwrap_or(usize::MAX);
        let index = index.min(self.0.len().saturating_sub(1));
        self.0.get(index).map_or((Seq(1), Place::BEGIN), |place| (Seq(index as u64 * STEP + 1), *place))
    }
}
