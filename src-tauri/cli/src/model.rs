//! The rows of a session as last seen, and what is new in a row that arrives.

use std::collections::BTreeMap;

use domain::{PlanRow, QuestionRow, Row, RowBody, Seq, SessionRow, TaskRow, WorkerRow, WorkerStage};
use jiff::Timestamp;

use crate::{
    news,
    view::{News, View},
};

/// Seconds within which the demo answers its own question.
const DEMO_ANSWERS: i64 = 15;

/// The rows of a session as last seen.
#[derive(Debug, Default)]
pub(crate) struct Model {
    rows: BTreeMap<String, Row>,
}

impl Model {
    /// Takes a row, and gives what a person should hear of.
    pub(crate) fn take(&mut self, row: Row, now: Timestamp, view: &View) -> Vec<News> {
        let before = self.rows.get(&row.key).map(|row| &row.body);
        let news = match (&row.body, before) {
            (RowBody::Session(row), Some(RowBody::Session(before))) => {
                news::session(row, Some(before), now, view)
            }
            (RowBody::Session(row), _) => news::session(row, None, now, view),
            (RowBody::Plan(row), Some(RowBody::Plan(before))) => news::plan(row, Some(before), now, view),
            (RowBody::Plan(row), _) => news::plan(row, None, now, view),
            (RowBody::Task(row), Some(RowBody::Task(before))) => news::task(row, Some(before), now, view),
            (RowBody::Task(row), _) => news::task(row, None, now, view),
            (RowBody::Worker(row), Some(RowBody::Worker(before))) => news::worker(row, Some(before), view),
            (RowBody::Worker(row), _) => news::worker(row, None, view),
            (RowBody::Review(row), Some(RowBody::Review(before))) => {
                news::review(row, Some(before), now, view)
            }
            (RowBody::Review(row), _) => news::review(row, None, now, view),
            (RowBody::Decision(_), Some(_)) | (RowBody::Warning(_), Some(_)) => Vec::new(),
            (RowBody::Decision(row), None) => vec![news::decision(row, view)],
            (RowBody::Question(row), Some(RowBody::Question(before))) => {
                news::question(row, Some(before), now, view)
            }
            (RowBody::Question(row), _) => news::question(row, None, now, view),
            (RowBody::Recovery(row), Some(RowBody::Recovery(before))) => {
                news::recovery(row, Some(before), now, view)
            }
            (RowBody::Recovery(row), _) => news::recovery(row, None, now, view),
            (RowBody::Warning(row), None) => vec![news::warning(row)],
        };
        self.rows.insert(row.key.clone(), row);
        news
    }

    fn bodies(&self) -> impl Iterator<Item = &RowBody> {
        self.rows.values().map(|row| &row.body)
    }

    /// The session as a whole, once its row came.
    pub(crate) fn session(&self) -> Option<&SessionRow> {
        self.bodies()
            .find_map(|body| if let RowBody::Session(row) = body { Some(row.as_ref()) } else { None })
    }

    /// The entry that last changed the session's row.
    pub(crate) fn session_seq(&self) -> Seq {
        self.rows
            .values()
            .find(|row| matches!(row.body, RowBody::Session(_)))
            .map(|row| row.seq)
            .unwrap_or_default()
    }

    /// The plan, once there is one.
    pub(crate) fn plan(&self) -> Option<&PlanRow> {
        self.bodies().find_map(|body| if let RowBody::Plan(row) = body { Some(row) } else { None })
    }

    /// Tasks in the plan's order, then those that came up on the way.
    pub(crate) fn tasks(&self) -> Vec<&TaskRow> {
        let mut tasks: Vec<&TaskRow> = self
            .bodies()
            .filter_map(|body| if let RowBody::Task(row) = body { Some(row) } else { None })
            .collect();
        let order = |row: &TaskRow| {
            let plan = self.plan()?;
            plan.plan.tasks.iter().position(|task| task.id == row.id)
        };
        tasks.sort_by_key(|row| order(row).unwrap_or(usize::MAX));
        tasks
    }

    /// All workers, first to last.
    pub(crate) fn workers(&self) -> Vec<&WorkerRow> {
        let mut workers: Vec<&WorkerRow> = self
            .bodies()
            .filter_map(|body| if let RowBody::Worker(row) = body { Some(row.as_ref()) } else { None })
            .collect();
        workers.sort_by_key(|row| row.id);
        workers
    }

    /// Workers that are at work or were when their session lost its program, first to last.
    pub(crate) fn live(&self) -> Vec<&WorkerRow> {
        let mut live = self.workers();
        live.retain(|row| match row.stage {
            WorkerStage::Starting
            | WorkerStage::Working
            | WorkerStage::Asking
            | WorkerStage::Frozen
            | WorkerStage::Interrupted => true,
            WorkerStage::Done | WorkerStage::Failed | WorkerStage::Stopped => false,
        });
        live
    }

    /// Tokens and US dollars so far. The session's row is as old as the last worker that began or ended; the workers' rows
    /// say what has been used since.
    pub(crate) fn spent(&self) -> (u64, Option<f64>) {
        let told = self.session().map(|row| row.spent.usage).unwrap_or_default();
        let workers = self.workers();
        let tokens = workers.iter().map(|row| row.usage.input + row.usage.output).sum::<u64>();
        let cost = workers.iter().filter_map(|row| row.cost_usd).reduce(|sum, cost| sum + cost);
        let most = |a: f64, b: f64| a.max(b);
        let cost = match (told.cost_usd, cost) {
            (Some(told), Some(cost)) => Some(most(told, cost)),
            (told, cost) => told.or(cost),
        };
        (tokens.max(told.input + told.output), cost)
    }

    /// The question that has waited longest for an answer.
    pub(crate) fn open_question(&self) -> Option<&QuestionRow> {
        self.bodies()
            .filter_map(|body| if let RowBody::Question(row) = body { Some(row) } else { None })
            .filter(|row| row.answer.is_none())
            .min_by_key(|row| row.id)
    }

    /// Whether a command waits for consent: without an answer it is denied after a while, and the work goes on.
    pub(crate) fn ends_by_itself(&self) -> bool {
        self.open_question().is_some_and(|row| matches!(row.about, domain::About::Command { .. }))
    }

    /// Whether the open question is the demo's, which answers it in a moment by its script.
    pub(crate) fn answers_itself(&self, now: Timestamp) -> bool {
        let demo = self.session().is_some_and(|row| row.demo);
        let fresh = |row: &QuestionRow| now.as_second() - row.since.as_second() < DEMO_ANSWERS;
        demo && self.open_question().is_some_and(fresh)
    }

    /// What a person should know first of a session that is under way: what it is, its plan, what it asks.
    pub(crate) fn overview(&self, now: Timestamp, view: &View) -> Vec<String> {
        let session = self.session().map(|row| news::session(row, None, now, view)).unwrap_or_default();
        let plan = self.plan().map(|row| news::plan(row, None, now, view)).unwrap_or_default();
        let question =
            self.open_question().map(|row| news::question(row, None, now, view)).unwrap_or_default();
        session.into_iter().chain(plan).chain(question).flat_map(|news| news.lines(view)).collect()
    }
}
