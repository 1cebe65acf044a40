//! Sessions that another process runs, or nobody: folded from their journals, without holding them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use domain::{Phase, Response, RowBody, Seq, SessionId, State, UserError};
use tokio::time::Instant;

use crate::door::{journal_error, update};
use crate::journal::{self, Pages};

/// How often a journal of somebody else's is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Entries folded at a time.
const PAGE: usize = 4096;

/// What is known of sessions that are only looked at.
#[derive(Default)]
pub(crate) struct Views {
    known: tokio::sync::Mutex<BTreeMap<SessionId, View>>,
}

struct View {
    pages: Pages,
    state: State,
}

impl Views {
    /// Forgets a session, because this process runs it from now on.
    pub(crate) fn forget(&self, session: &SessionId) {
        if let Ok(mut known) = self.known.try_lock() {
            known.remove(session);
        }
    }

    /// The state as far as it is written.
    pub(crate) async fn state(&self, session: &SessionId, folder: &Path) -> Result<State, UserError> {
        let mut known = self.known.lock().await;
        let view = match known.remove(session) {
            Some(view) => view,
            None => View {
                pages: Pages::open(folder).map_err(|fault| journal_error(&fault))?,
                state: State::default(),
            },
        };
        let read = tokio::task::spawn_blocking(move || {
            let mut view = view;
            let fault = view.catch_up().err();
            (view, fault)
        });
        let Ok((view, fault)) = read.await else {
            return Err(crate::session::internal("the journal could not be read", "Try again."));
        };
        let state = view.state.clone();
        known.insert(session.clone(), view);
        match fault {
            // What can be read is shown; the fault is shown where the session is listed.
            Some(fault) if state.opened.is_none() => Err(journal_error(&fault)),
            Some(_) | None => Ok(state),
        }
    }

    /// As `Watch`: new rows as soon as there are any.
    pub(crate) async fn watch(
        &self,
        session: &SessionId,
        folder: &Path,
        since: Seq,
        patience: Duration,
        most: usize,
    ) -> Result<Response, UserError> {
        let end = Instant::now() + patience;
        loop {
            let state = self.state(session, folder).await?;
            if since < state.seq || end < Instant::now() {
                let mut rows = state.rows(since);
                let interrupted = state.ended.is_none() && !journal::is_held(folder);
                for row in &mut rows {
                    if let (RowBody::Session(row), true) = (&mut row.body, interrupted) {
                        row.phase = Phase::Interrupted;
                        row.why = "Nobody runs this session; resume it to go on.".to_owned();
                    }
                }
                return Ok(update(rows, state.seq, most));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl View {
    fn catch_up(&mut self) -> Result<(), journal::JournalError> {
        loop {
            let entries = self.pages.after(self.state.seq, PAGE)?;
            if entries.is_empty() {
                return Ok(());
            }
            entries.iter().for_each(|entry| self.state.apply(entry));
        }
    }
}
