//! Sessions that another process runs, or nobody: folded from their journals, without holding them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::{Phase, Response, Row, RowBody, Seq, SessionId, State, UserError, WorkerStage};
use tokio::time::Instant;

use crate::door::{journal_error, update};
use crate::folded::{Folded, Folds};
use crate::journal::{self, JournalError, Pages};
use crate::process;
use crate::standing::{Standing, Told};

/// How often a journal of somebody else's is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long somebody who looks on at the last entry is left without news that nobody runs the session: nothing is
/// written about that.
const LATE: Duration = Duration::from_secs(2);
/// Entries folded at a time.
const PAGE: usize = 4096;

/// What is known of sessions that are only looked at.
pub(crate) struct Views {
    folds: Arc<Folds>,
    known: tokio::sync::Mutex<BTreeMap<SessionId, View>>,
}

struct View {
    pages: Pages,
    state: State,
    /// All that can be read has been.
    damaged: bool,
}

impl Views {
    pub(crate) fn new(folds: Arc<Folds>) -> Self {
        Self { folds, known: tokio::sync::Mutex::default() }
    }

    /// Forgets a session, because this process runs it from now on.
    pub(crate) fn forget(&self, session: &SessionId) {
        if let Ok(mut known) = self.known.try_lock() {
            known.remove(session);
        }
    }

    /// The state as far as it is written.
    pub(crate) async fn state(&self, session: &SessionId, folder: &Path) -> Result<State, UserError> {
        Ok(self.look(session, folder).await?.0)
    }

    /// The state as far as it is written, and what is wrong after that.
    async fn look(
        &self,
        session: &SessionId,
        folder: &Path,
    ) -> Result<(State, Option<JournalError>), UserError> {
        let mut known = self.known.lock().await;
        let (view, folds, folder) = (known.remove(session), Arc::clone(&self.folds), folder.to_owned());
        let read = tokio::task::spawn_blocking(move || {
            let mut view = view.map_or_else(|| View::open(&folds, &folder), Ok)?;
            let fault = view.catch_up(&folder).err();
            Ok((view, fault))
        });
        let Ok(read) = read.await else {
            return Err(crate::session::internal("the journal could not be read", "Try again."));
        };
        let (view, fault) = read.map_err(|fault: JournalError| journal_error(&fault))?;
        let state = view.state.clone();
        known.insert(session.clone(), view);
        match fault {
            // What can be read is shown; the fault is told beside it.
            Some(fault) if state.opened.is_none() => Err(journal_error(&fault)),
            fault => Ok((state, fault)),
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
        let begin = Instant::now();
        let mut ran = false;
        loop {
            let (state, fault) = self.look(session, folder).await?;
            let held = journal::is_held(folder);
            let lost = state.ended.is_none() && !held && (ran || LATE < begin.elapsed());
            ran |= held;
            if since < state.seq || lost || patience < begin.elapsed() {
                return Ok(update(rows(&state, fault, folder, since), state.seq, most));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What changed since, as it is true now: what was at work is interrupted when nobody runs the session.
fn rows(state: &State, fault: Option<JournalError>, folder: &Path, since: Seq) -> Vec<Row> {
    let Standing { phase, why, .. } = Told::of(state, fault).now(folder, &mut process::cookies);
    if phase != Phase::Interrupted {
        return state.rows(since);
    }
    // Also those that nothing was written about.
    let mut rows = state.rows(Seq(0));
    rows.retain_mut(|row| {
        let gone = match &mut row.body {
            RowBody::Session(session) => {
                (session.phase, session.why) = (phase, why.clone());
                true
            }
            RowBody::Worker(worker) if at_work(worker.stage) => {
                (worker.stage, worker.pid) = (WorkerStage::Interrupted, None);
                true
            }
            RowBody::Worker(_)
            | RowBody::Plan(_)
            | RowBody::Task(_)
            | RowBody::Review(_)
            | RowBody::Decision(_)
            | RowBody::Question(_)
            | RowBody::Recovery(_)
            | RowBody::Warning(_) => false,
        };
        gone || since < row.seq
    });
    rows
}

fn at_work(stage: WorkerStage) -> bool {
    match stage {
        WorkerStage::Starting | WorkerStage::Working | WorkerStage::Asking | WorkerStage::Frozen => true,
        WorkerStage::Interrupted | WorkerStage::Done | WorkerStage::Failed | WorkerStage::Stopped => false,
    }
}

impl View {
    fn open(folds: &Folds, folder: &Path) -> Result<Self, JournalError> {
        let Folded { state, damage: _, known } = folds.of(folder)?;
        Ok(match known {
            Some(known) => Self { pages: Pages::known(folder, &known), state, damaged: false },
            None => Self { pages: Pages::open(folder)?, state: State::default(), damaged: false },
        })
    }

    fn catch_up(&mut self, folder: &Path) -> Result<(), JournalError> {
        loop {
            let fault = match self.pages.after(self.state.seq, PAGE) {
                Ok(entries) if entries.is_empty() => return Ok(()),
                Ok(entries) => {
                    entries.iter().for_each(|entry| self.state.apply(entry));
                    self.damaged = false;
                    continue;
                }
                Err(fault) => fault,
            };
            // A page is read whole or not at all; what comes before the damage is shown all the same.
            if !self.damaged {
                let seen = self.state.seq;
                journal::read_each(folder, |entry| {
                    if seen < entry.seq {
                        self.state.apply(&entry);
                    }
                })?;
                self.damaged = true;
            }
            return Err(fault);
        }
    }
}
