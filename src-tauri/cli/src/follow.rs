//! Following a session to its end: rows in, lines out, questions asked, interrupts obeyed.

use std::{io::Write, time::Duration};

use domain::{
    Act, Outcome, Phase, QuestionId, QuestionRow, Row, RowBody, Seq, SessionId, UserError, WorkerStage,
};
use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};

use crate::{
    ask,
    door::{Door, act, watch},
    entries::Entries,
    live,
    model::Model,
    said::err,
    screen::Screen,
    text::sentence,
    view::View,
    words::Tone,
};

/// How often what changes by time alone (ages, spans) is drawn again.
const TICK: Duration = Duration::from_millis(500);
/// How long a session may take to end after a second interrupt.
const AT_ONCE: Duration = Duration::from_secs(3);
/// How long nothing new may come before a session that needs the user counts as waiting.
const SETTLED: Duration = Duration::from_secs(1);
/// Rows of a full update: there are more.
const FULL: usize = 1_000;
/// How long a plain log may say nothing before it says what the workers are at.
const STILL: i64 = 60;

/// How a session is followed.
pub(crate) struct How {
    /// The last entry before the session was taken up again, 0 for a new one. What was there already is no news, and
    /// an outcome from before is not how this run ends.
    pub after: Seq,
    /// Entries as JSON lines on standard output, and nothing else.
    pub entries: Option<Entries>,
    /// Lines typed by a person, when there is one to ask.
    pub typed: Option<mpsc::Receiver<String>>,
    /// SIGINT, SIGTERM, SIGHUP.
    pub interrupts: mpsc::Receiver<()>,
}

/// How following ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    /// How the session's run ended.
    pub outcome: Outcome,
    /// What it waits for.
    pub question: Option<QuestionRow>,
}

/// One session as it is followed.
pub(crate) struct Follow<D, W: Write> {
    door: D,
    session: SessionId,
    screen: Screen<W>,
    how: How,
    model: Model,
    /// The question that a person is typing an answer to.
    asking: Option<QuestionId>,
    /// Lines that wait until the answer is typed.
    held_back: Vec<String>,
    acts: JoinSet<Result<(), UserError>>,
    interrupted: u32,
    /// When a session that was interrupted twice is no longer waited for.
    deadline: Instant,
    /// More rows of the past are to come.
    partial: bool,
    /// Why nobody works although the session says nothing of it: the disk.
    trouble: Option<String>,
    spoke: Timestamp,
    heard: Instant,
}

impl<D: Door, W: Write> Follow<D, W> {
    /// Nothing seen yet.
    pub(crate) fn new(door: D, session: SessionId, screen: Screen<W>, how: How) -> Self {
        Self {
            door,
            session,
            screen,
            how,
            model: Model::default(),
            asking: None,
            held_back: Vec::new(),
            acts: JoinSet::new(),
            interrupted: 0,
            deadline: Instant::now(),
            partial: true,
            trouble: None,
            spoke: Timestamp::now(),
            heard: Instant::now(),
        }
    }

    /// Follows the session until its run ends or only the user can go on.
    ///
    /// # Errors
    /// What the engine says.
    pub(crate) async fn until_the_end(&mut self) -> Result<Ended, UserError> {
        let (door, session) = (self.door.clone(), self.session.clone());
        let mut watching = Box::pin(watch(&door, session.clone(), Seq(0)));
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                update = &mut watching => {
                    let (seq, rows) = update?;
                    watching = Box::pin(watch(&door, session.clone(), seq));
                    self.take(rows);
                    if let Some(entries) = &mut self.how.entries {
                        entries.print(seq)?;
                    }
                }
                _ = tick.tick() => self.pass(),
                typed = next(&mut self.how.typed) => self.typed(typed),
                Some(()) = self.how.interrupts.recv() => self.interrupt(),
                Some(done) = self.acts.join_next() => self.acted(done.unwrap_or(Ok(()))),
                () = tokio::time::sleep_until(self.deadline), if self.interrupted > 1 => {
                    return Ok(self.close(Ended { outcome: Outcome::Stopped, question: None }));
                }
            }
            if let Some(ended) = self.settled() {
                return Ok(self.close(ended));
            }
        }
    }

    fn take(&mut self, mut rows: Vec<Row>) {
        if self.model.session().is_none() {
            // What a session is comes before what happened in it, also when it changed later.
            rows.sort_by_key(|row| !matches!(row.body, RowBody::Session(_)));
        }
        let now = Timestamp::now();
        self.heard = Instant::now();
        let history = self.partial && Seq(0) < self.how.after;
        self.partial = self.partial && rows.len() == FULL;
        let view = self.screen.view.clone();
        let mut stay = Vec::new();
        for row in rows {
            if let RowBody::Session(session) = &row.body {
                self.disk(&session.why);
            }
            let news = self.model.take(row, now, &view);
            stay.extend(news.iter().filter(|_| !history).flat_map(|news| news.lines(&view)));
        }
        if history && !self.partial {
            stay = self.model.overview(now, &view);
        }
        self.show(stay);
        if !self.partial {
            self.ask();
        }
    }

    /// Says that the disk keeps the session from going on, and that it no longer does. The block on a terminal says so
    /// anyway.
    fn disk(&mut self, why: &str) {
        let trouble = why.ends_with(engine::WAITS).then(|| why.to_owned());
        if trouble == self.trouble {
            return;
        }
        let text = trouble.clone().unwrap_or_else(|| "the disk is well again; work goes on".to_owned());
        self.trouble = trouble;
        if self.how.entries.is_some() || !self.screen.view.terminal {
            let text = self.screen.view.text(Tone::Warn, &text);
            self.say(text);
        }
    }

    /// Prints lines above the block; while a person types they wait.
    fn show(&mut self, stay: Vec<String>) {
        if !stay.is_empty() {
            self.spoke = Timestamp::now();
        }
        if self.how.entries.is_some() {
            return;
        }
        if self.asking.is_some() {
            self.held_back.extend(stay);
            return;
        }
        self.screen.view.columns = View::columns_now().unwrap_or(self.screen.view.columns);
        let block = live::block(&self.model, Timestamp::now(), &self.screen.view, View::rows_now());
        // A reader that has gone away does not end the session; interrupts do.
        let _ = self.screen.show(&stay, block);
    }

    /// Time passes: ages are drawn again; a plain log that was silent for long says what goes on.
    fn pass(&mut self) {
        let now = Timestamp::now();
        let silent = now.as_second() - self.spoke.as_second();
        if self.screen.view.terminal || silent < STILL {
            return self.show(Vec::new());
        }
        let still = live::block(&self.model, now, &self.screen.view, 50);
        let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        self.show(still.into_iter().map(|line| format!("{time}  still         {line}")).collect());
    }

    /// Asks the oldest open question, when somebody is there; forgets one that was answered elsewhere.
    fn ask(&mut self) {
        if self.how.typed.is_none() {
            return;
        }
        let open =
            self.model.open_question().filter(|_| !self.model.answers_itself(Timestamp::now())).cloned();
        let open_id = open.as_ref().map(|question| question.id);
        if self.asking == open_id {
            return;
        }
        if self.asking.take().is_some() {
            let stay = std::mem::take(&mut self.held_back);
            self.show([String::new()].into_iter().chain(stay).collect());
        }
        if let Some(question) = open {
            let prompt = ask::prompt(&question, &self.screen.view);
            let _ = self.screen.prompt(&[], &prompt);
            self.asking = Some(question.id);
        }
    }

    fn typed(&mut self, typed: Option<String>) {
        let Some(typed) = typed else {
            // Standard input was closed: nobody will answer here any more.
            (self.how.typed, self.asking) = (None, None);
            return self.show(vec![String::new()]);
        };
        let Some(id) = self.asking else {
            return;
        };
        let Some(question) = self.model.open_question().filter(|question| question.id == id).cloned() else {
            return;
        };
        match ask::read(&question, &typed) {
            Ok((choice, text)) => {
                self.asking = None;
                self.act(Act::Answer { question: Some(id), choice: Some(choice), text });
                let stay = std::mem::take(&mut self.held_back);
                self.show(stay);
                // Until the answer comes back as a row the question is not asked again.
                self.asking = Some(id);
            }
            Err(wrong) => {
                let prompt = format!("{wrong}\n{}", ask::prompt(&question, &self.screen.view));
                let _ = self.screen.prompt(&[], &prompt);
            }
        }
    }

    fn interrupt(&mut self) {
        self.interrupted += 1;
        self.asking = None;
        self.deadline = Instant::now() + AT_ONCE;
        let now = self.interrupted > 1;
        self.act(Act::Stop { now });
        let text = if now { "stopping at once" } else { "stopping; once more stops at once" };
        let text = self.screen.view.text(Tone::Warn, text);
        self.say(text);
    }

    /// A line of our own, which is no news of the session.
    fn say(&mut self, text: String) {
        if self.how.entries.is_some() { err(&text) } else { self.show(vec![text]) }
    }

    fn act(&mut self, what: Act) {
        let (door, session) = (self.door.clone(), self.session.clone());
        self.acts.spawn(async move { act(&door, session, what).await });
    }

    fn acted(&mut self, done: Result<(), UserError>) {
        if let Err(error) = done {
            // An answer that was refused: the question is asked again.
            self.asking = None;
            self.say(format!("{} {}", sentence(&error.message), sentence(&error.hint)));
            self.ask();
        }
    }

    /// Whether there is nothing more to wait for.
    ///
    /// With nobody at the terminal a session in which only the user can go on is left, exit code 3, also when a worker is
    /// waiting in `ask_user`: scripts must not hang. Nothing is lost: that worker is stopped and its question stays open;
    /// `answer` takes the session up again, and the worker's next turn resumes it with the answer in its prompt. While any
    /// other worker is at work the session runs on, and an answer from another process reaches the waiting one at once.
    fn settled(&self) -> Option<Ended> {
        let session = self.model.session().filter(|_| !self.partial)?;
        let question = || self.model.open_question().cloned();
        // One that is done is only looked at, so no new outcome comes.
        let of_this_run =
            |outcome: &Outcome| self.how.after < self.model.session_seq() || *outcome == Outcome::Done;
        if let Some(outcome) = session.outcome.filter(of_this_run) {
            return Some(Ended { outcome, question: question() });
        }
        let busy = self
            .model
            .live()
            .iter()
            .any(|row| matches!(row.stage, WorkerStage::Starting | WorkerStage::Working));
        let by_itself = self.model.answers_itself(Timestamp::now()) || self.model.ends_by_itself();
        let waits = session.phase == Phase::NeedsYou && !busy && !by_itself;
        // What follows from the last rows may still be on its way.
        let waits = waits && SETTLED < self.heard.elapsed();
        let nobody = self.how.typed.is_none() && self.interrupted == 0;
        let question = question().filter(|_| waits && nobody)?;
        Some(Ended { outcome: Outcome::Waiting, question: Some(question) })
    }

    /// Whether the session is landed.
    pub(crate) fn landed(&self) -> bool {
        self.model.session().is_some_and(|row| row.landed.is_some())
    }

    /// Whether this is the demo.
    pub(crate) fn demo(&self) -> bool {
        self.model.session().is_some_and(|row| row.demo)
    }

    /// The journal that is printed, for what comes after the end.
    pub(crate) fn into_entries(self) -> Option<Entries> {
        self.how.entries
    }

    /// Leaves the screen with nothing that still moves on it.
    fn close(&mut self, ended: Ended) -> Ended {
        if self.how.entries.is_none() {
            let stay = std::mem::take(&mut self.held_back);
            let _ = self.screen.show(&stay, Vec::new());
        }
        ended
    }
}

/// The next line typed; for ever nothing when nobody types.
async fn next(typed: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match typed {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}
