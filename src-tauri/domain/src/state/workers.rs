//! What workers do to the state.

use jiff::Timestamp;

use super::*;
use crate::{AgentEvent, StatusKind, ToolOutcome, Trigger};

impl State {
    pub(super) fn worker_requested(
        &mut self,
        seq: Seq,
        at: Timestamp,
        worker: WorkerId,
        assignment: &Assignment,
    ) {
        let run = self.run(Self::run_key(assignment));
        run.attempts += 1;
        run.last = Some(worker);
        run.not_before = None;
        match &assignment.purpose {
            Purpose::Plan => {}
            Purpose::Task { task } => self.edit_task(task, seq, |state| {
                state.course.stage = Stage::Working(worker);
                state.course.notes.clear();
                state.tree_before = state.course.snapshot.as_ref().map(|(_, tree)| tree.clone());
                state.attempts += 1;
            }),
            Purpose::Review { review } => {
                if let Some(state) = self.reviews.get_mut(review) {
                    state.seq = seq;
                    let mut seats = state.review.seats.iter_mut();
                    if let Some(seat) = seats.find(|seat| seat.reviewer == assignment.agent) {
                        seat.workers.push(worker);
                    }
                }
            }
        }
        self.workers.insert(worker, WorkerState::new(assignment.clone(), at, seq));
        self.session_seq = seq;
    }

    pub(super) fn worker_said(
        &mut self,
        seq: Seq,
        at: Timestamp,
        worker: WorkerId,
        offset: u64,
        said: &AgentEvent,
    ) {
        self.edit_worker(worker, seq, |state| {
            state.said(at, offset, said);
        });
        let Some(state) = self.workers.get(&worker) else { return };
        let (key, session) = (Self::run_key(&state.assignment), state.session.clone());
        if session.is_some() {
            self.run(key).session = session;
        }
        let Some(task) = self.workers.get(&worker).and_then(|state| state.task().cloned()) else { return };
        let acts = !matches!(said, AgentEvent::Status(_) | AgentEvent::Error(_));
        let acts = acts.then(|| self.workers[&worker].assignment.agent.clone());
        self.edit_task(&task, seq, |state| {
            state.authored(acts);
            if let AgentEvent::Milestone(milestone) = said
                && milestone.announced
            {
                state.milestones += 1;
            }
        });
        if let Some(trigger) = asks_for_review(said) {
            self.edit_task(&task, seq, |state| state.waiting_triggers.push(trigger));
        }
    }

    pub(super) fn worker_ended(
        &mut self,
        seq: Seq,
        at: Timestamp,
        worker: WorkerId,
        exit: &Exit,
        told: &crate::Told,
        failed: Option<&Failed>,
    ) {
        self.edit_worker(worker, seq, |state| {
            state.end = Some((exit.clone(), failed.cloned()));
            state.usage = told.usage;
            state.ended = Some(at);
            state.tool = None;
            state.session = told.session.clone().or(state.session.take());
            state.model = told.model.clone().or(state.model.take());
            state.told = Some(told.clone());
        });
        let Some(state) = self.workers.get(&worker) else { return };
        let (key, session, purpose) =
            (Self::run_key(&state.assignment), state.session.clone(), state.assignment.purpose.clone());
        let agent = state.assignment.agent.clone();
        let run = self.run(key);
        if session.is_some() {
            run.session = session;
        }
        if failed.is_none() {
            self.gates.remove(&agent);
        }
        if let Purpose::Task { task } = purpose {
            self.edit_task(&task, seq, |state| {
                state.authored(failed.is_none().then_some(agent));
                if state.course.stage == Stage::Working(worker) {
                    // A failed turn waits for its repair; without one, the next launch goes on from the tree as it stands.
                    state.course.stage =
                        if failed.is_none() { Stage::Settling(worker) } else { Stage::Ready };
                }
            });
        }
        self.session_seq = seq;
    }
}

/// A worker's event that asks for a review, and what it says of it.
fn asks_for_review(said: &AgentEvent) -> Option<(Trigger, String)> {
    match said {
        AgentEvent::Milestone(milestone) if milestone.announced => {
            Some((Trigger::Milestone, milestone.text.clone()))
        }
        AgentEvent::Blocker(blocker) if blocker.what == crate::BlockerKind::Reported => {
            Some((Trigger::Blocker, blocker.text.clone()))
        }
        AgentEvent::Review(note) if note.requested => Some((Trigger::Requested, note.text.clone())),
        AgentEvent::Milestone(_)
        | AgentEvent::Blocker(_)
        | AgentEvent::Review(_)
        | AgentEvent::Status(_)
        | AgentEvent::Progress(_)
        | AgentEvent::Finding(_)
        | AgentEvent::Task(_)
        | AgentEvent::Error(_) => None,
    }
}

impl WorkerState {
    fn new(assignment: Assignment, at: Timestamp, seq: Seq) -> Self {
        Self {
            session: assignment.resume.clone(),
            assignment,
            process: None,
            end: None,
            told: None,
            model: None,
            offset: 0,
            calls: 0,
            last_text: String::new(),
            progress: None,
            todo: None,
            tool: None,
            usage: crate::Usage::default(),
            events: 0,
            began: at,
            last_event: at,
            ended: None,
            answer: None,
            turns: 0,
            limits_warned: BTreeSet::new(),
            limited: None,
            hooked: false,
            requested: seq,
            seq,
        }
    }

    /// The task it works on.
    #[must_use]
    pub fn task(&self) -> Option<&TaskId> {
        match &self.assignment.purpose {
            Purpose::Task { task } => Some(task),
            Purpose::Plan | Purpose::Review { .. } => None,
        }
    }

    fn said(&mut self, at: Timestamp, offset: u64, said: &AgentEvent) {
        self.offset = self.offset.max(offset);
        self.last_event = at;
        self.events += 1;
        match said {
            AgentEvent::Status(status) => {
                self.session = status.session.clone().or(self.session.take());
                self.model = status.model.clone().or(self.model.take());
                self.usage = status.usage.unwrap_or(self.usage);
                if status.what == StatusKind::TurnDone {
                    self.tool = None;
                }
            }
            AgentEvent::Progress(progress) => {
                let is_step = match &progress.tool {
                    Some(tool) => tool.outcome == ToolOutcome::Started,
                    None => !progress.text.is_empty() && !progress.thinking,
                };
                self.turns += u32::from(is_step);
                self.progress = progress.progress.or(self.progress);
                match &progress.tool {
                    Some(tool) if tool.outcome == ToolOutcome::Started => {
                        let words = tool.command.clone().unwrap_or_else(|| tool.name.clone());
                        self.tool = Some((tool.id.clone(), crate::head(&words, 200), at));
                    }
                    Some(tool) => self.tool.take_if(|(id, _, _)| *id == tool.id).map_or((), drop),
                    None if !progress.text.is_empty() && !progress.thinking => {
                        self.last_text = crate::head(&progress.text, 500);
                    }
                    None => {}
                }
            }
            AgentEvent::Task(list) => {
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                self.todo = Some((
                    count(list.items.iter().filter(|todo| todo.done).count()),
                    count(list.items.len()),
                ));
            }
            AgentEvent::Milestone(milestone) if milestone.announced => {
                self.last_text = crate::head(&milestone.text, 500);
            }
            AgentEvent::Blocker(blocker) => self.last_text = crate::head(&blocker.text, 500),
            AgentEvent::Milestone(_)
            | AgentEvent::Finding(_)
            | AgentEvent::Review(_)
            | AgentEvent::Error(_) => {}
        }
    }
}
