//! All sessions of a workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{SessionId, SessionSummary, Stage, WorkerId};

use crate::folded::{Folded, Folds};
use crate::journal;
use crate::process;
use crate::standing::{Standing, Told};

/// Where the prompt is kept, before anything else is tried (FIELD 9).
pub(crate) const PROMPT: &str = "prompt.md";

/// What was read of journals that have not grown since: a list is asked for every second while something changes.
#[derive(Debug)]
pub(crate) struct Listed {
    folds: Arc<Folds>,
    known: Mutex<BTreeMap<SessionId, (u64, Known)>>,
}

/// A session as its journal tells it, whoever runs it.
#[derive(Clone, Debug)]
struct Known {
    summary: SessionSummary,
    told: Told,
}

impl Listed {
    pub(crate) fn new(folds: Arc<Folds>) -> Self {
        Self { folds, known: Mutex::default() }
    }

    /// The sessions in a workspace, newest first. A damaged one is listed with what can still be read of it.
    pub(crate) fn list(&self, workspace: &Path) -> Vec<SessionSummary> {
        let Ok(entries) = std::fs::read_dir(workspace) else { return Vec::new() };
        let folders = entries.flatten().map(|entry| entry.path());
        // All processes are looked at once for all sessions, and only when one of them may have left some.
        let mut marks = None;
        let mut marks = || marks.get_or_insert_with(process::cookies).clone();
        let mut found: Vec<SessionSummary> =
            folders.filter_map(|folder| self.summary(&folder, &mut marks)).collect();
        found.sort_by(|a, b| b.session.cmp(&a.session)); // UUIDs of version 7 sort by time
        found
    }

    fn summary(&self, folder: &Path, marks: &mut dyn FnMut() -> BTreeSet<String>) -> Option<SessionSummary> {
        let size = journal::size(folder).ok().filter(|_| folder.join(journal::FILE).exists())?;
        let session = SessionId(folder.file_name()?.to_str()?.to_owned());
        let known =
            self.known().get(&session).filter(|(read, _)| *read == size).map(|(_, read)| read.clone());
        let read = match known {
            Some(read) => read,
            None => {
                let read = read(&self.folds, folder, session.clone())?;
                self.known().insert(session, (size, read.clone()));
                read
            }
        };
        let Standing { phase, why, held, left, damage } = read.told.now(folder, marks);
        Some(SessionSummary { phase, why, held, left, damage, ..read.summary })
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<SessionId, (u64, Known)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(folds: &Folds, folder: &Path, session: SessionId) -> Option<Known> {
    let Folded { state, damage, .. } = folds.of(folder).ok()?;
    let opened = state.opened.as_ref();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let summary = SessionSummary {
        // Killed before its first entry: the prompt was kept all the same.
        goal: opened.map_or_else(|| prompt(folder), |opened| opened.goal.clone()),
        target: opened.map(|opened| opened.target.clone()).unwrap_or_default(),
        phase: state.phase(),
        why: String::new(),
        held: false,
        left: 0,
        began: state.began,
        last: state.last,
        accepted: count(state.tasks.iter().filter(|task| task.course.stage == Stage::Accepted).count()),
        tasks: count(state.tasks.len()),
        damage: None,
        demo: opened.is_some_and(|opened| opened.demo),
        session,
    };
    Some(Known { summary, told: Told::of(&state, damage) })
}

fn prompt(folder: &Path) -> String {
    let bytes = std::fs::read(folder.join(PROMPT)).unwrap_or_default();
    domain::head(&String::from_utf8_lossy(&bytes), 4000)
}

/// A page of a worker's raw output, and the size of the whole.
///
/// # Errors
/// When there is no such log.
pub(crate) fn raw(folder: &Path, worker: WorkerId, from: u64, most: u64) -> io::Result<(Vec<u8>, u64)> {
    let mut file = File::open(raw_path(folder, worker)?)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(from.min(size)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok((bytes, size))
}

fn raw_path(folder: &Path, worker: WorkerId) -> io::Result<PathBuf> {
    let begins = format!("{}-", worker.0);
    let workers = folder.join("workers");
    let mut names = std::fs::read_dir(workers)?.flatten().map(|entry| entry.path());
    let is_it = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&begins) && name.ends_with(".jsonl") && !name.ends_with(".calls.jsonl")
    };
    names.find(is_it).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}
