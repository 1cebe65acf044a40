//! How a session stands that this process does not run: what its journal says, and what is true of it now.
//!
//! A journal tells the last thing that was written down. Whether anybody goes on from there is a fact about processes:
//! the lock says whether somebody does, the recorded workers whether something was left behind, the boot whether the
//! machine was restarted since (FIELD 10: never `idle` or `working` when nobody is at it).

use std::collections::BTreeSet;
use std::path::Path;

use domain::{Phase, ProcessIdentity, State};

use crate::journal::{self, Holder, JournalError};
use crate::process;

/// What of a session's state decides how it stands when nobody runs it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    phase: Phase,
    why: String,
    over: bool,
    /// Workers without an end: the mark of their processes, and what was recorded of the first of these.
    live: Vec<(String, Option<ProcessIdentity>)>,
    damage: Option<JournalError>,
}

/// How a session stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) phase: Phase,
    pub(crate) why: String,
    /// Whether a process runs it.
    pub(crate) held: bool,
    /// Workers that live although nobody runs it.
    pub(crate) left: u32,
    /// What is wrong with its journal.
    pub(crate) damage: Option<String>,
}

impl Told {
    /// As a journal tells it, with what is wrong after its readable part.
    pub(crate) fn of(state: &State, damage: Option<JournalError>) -> Self {
        let session = state.opened.as_ref().map(|opened| opened.session.to_string()).unwrap_or_default();
        let live = state.live().map(|(id, worker)| (format!("{session}/{id}"), worker.process.clone()));
        Self {
            phase: state.phase(),
            why: state.why(),
            over: state.ended.is_some(),
            live: live.collect(),
            damage,
        }
    }

    /// What is true now. `marks` is asked for only when something may have been left behind.
    pub(crate) fn now(&self, folder: &Path, marks: &mut dyn FnMut() -> BTreeSet<String>) -> Standing {
        let damage = self.damage.as_ref().map(ToString::to_string);
        let stands = |phase, why, held, left| Standing { phase, why, held, left, damage: damage.clone() };
        if journal::is_held(folder) {
            let why = match (&self.damage, journal::holder(folder)) {
                (Some(JournalError::Newer { .. }), by) => format!(
                    "A newer version of this program runs it{}; update this one to see all of it.",
                    by.map(|by| format!(" ({by})")).unwrap_or_default()
                ),
                (_, _) => self.why.clone(),
            };
            return stands(self.phase, why, true, 0);
        }
        if self.over {
            return stands(self.phase, self.why.clone(), false, 0);
        }
        let restarted = restarted(&self.live, journal::last_holder(folder).as_ref(), &process::boot());
        let left = if restarted || self.live.is_empty() { 0 } else { left(&self.live, &marks()) };
        stands(Phase::Interrupted, self.interrupted(restarted, left), false, left)
    }

    fn interrupted(&self, restarted: bool, left: u32) -> String {
        let cause = if restarted {
            "The machine was restarted while it ran"
        } else {
            "The program that ran it is gone: it was killed, or it crashed"
        };
        let next = match &self.damage {
            None => "resume it to go on",
            Some(JournalError::Newer { .. }) => {
                "it was last run by a newer version of this program, resume it with that one"
            }
            Some(_) => "its journal is damaged, so it cannot be resumed before that is mended",
        };
        let still = match left {
            0 => String::new(),
            1 => " 1 worker still runs without its app, until it is resumed.".to_owned(),
            more => format!(" {more} workers still run without their app, until it is resumed."),
        };
        format!("{cause}; {next}.{still}")
    }
}

/// Whether the machine was restarted since: by the workers that were cut off, else by who ran the session last.
fn restarted(live: &[(String, Option<ProcessIdentity>)], last: Option<&Holder>, boot: &str) -> bool {
    let mut recorded = live.iter().filter_map(|(_, process)| process.as_ref()).peekable();
    let known = |of: &ProcessIdentity| !of.boot.is_empty() && !boot.is_empty();
    if recorded.peek().is_some() {
        return recorded.any(|process| known(process) && process.boot != boot);
    }
    last.is_some_and(|last| known(&last.process) && last.process.boot != boot)
}

fn left(live: &[(String, Option<ProcessIdentity>)], marks: &BTreeSet<String>) -> u32 {
    let lives = |(mark, process): &&(String, Option<ProcessIdentity>)| {
        marks.contains(mark) || process.as_ref().is_some_and(process::is_alive)
    };
    u32::try_from(live.iter().filter(lives).count()).unwrap_or(u32::MAX)
}
