//! One session: a journal, the state folded from it, and the loop between them.
//!
//! *Receive, step, append, publish, perform.* What is published is durable: a window never sees an entry that a crash
//! could take back, and no effect begins before its intent is on disk.

mod artifacts;
mod clocks;
mod confine;
mod control;
mod home;
mod material;
mod perform;
mod recover;
mod redact;
mod space;
mod stuck;
mod verify;
mod watchdog;
mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::{
    Act, Actor, AgentSettings, Effect, ErrorCode, Event, Input, Now, Opened, Seq, Settings, State, UserError,
    WorkerId,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tracing::{error, info, warn};

use crate::discover::Environment;
use crate::door::Signal;
use crate::git::Git;
use crate::journal::Journal;
use crate::process::Processes;
use crate::sandbox::{self, Sandbox};
use crate::trees::Trees;
use crate::weakness::{self, Weakness};

pub(crate) use control::forward;
pub(crate) use redact::known as known_secrets;

/// Inputs taken into one write of the journal (RELIABILITY section 3: group commit).
const BATCH: usize = 64;
/// How often time is told to the state: parked launches, limits and the fallback review need no more.
const TICK: Duration = Duration::from_secs(1);
/// How long the demo's script thinks before it answers in the user's place, so that a person can read the question.
const DEMO_PAUSE: Duration = Duration::from_millis(1500);
/// How long a failed write waits before it is tried again (disk full).
const RETRY_WRITE: Duration = Duration::from_secs(1);

/// What reaches the loop.
pub(crate) enum Message {
    /// From a worker, a job, or the loop's own timers.
    Input(Input),
    /// From a person; the answer says whether it was accepted.
    Act(Act, Actor, oneshot::Sender<Result<(), UserError>>),
    /// The disk is low on room, and what to say of it; `None` when there is room again.
    Space(Option<String>),
}

/// Everything of a session that does not change while it runs.
pub(crate) struct Context {
    pub(crate) folder: PathBuf,
    pub(crate) opened: Opened,
    pub(crate) trees: Trees,
    pub(crate) env: Environment,
    /// As the user has them now: secrets are taken from here, the journal has none.
    pub(crate) settings: Settings,
    pub(crate) orchestrate: PathBuf,
    pub(crate) processes: Processes,
    /// What must not get into the journal.
    pub(crate) secrets: agents::Secrets,
    /// What its workers run in; `None` with the user's consent, and in demonstrations.
    pub(crate) sandbox: Option<Sandbox>,
    pub(crate) inbox: mpsc::Sender<Message>,
    pub(crate) signals: broadcast::Sender<Signal>,
}

impl Context {
    /// The settings of an agent: those in force when the session began, with the secrets that the journal leaves out.
    pub(crate) fn agent_settings(&self, name: &domain::AgentName) -> AgentSettings {
        let mut settings = self.opened.settings.agents.get(name).cloned().unwrap_or_default();
        let now = self.settings.agents.get(name).filter(|_| !self.opened.demo);
        for (variable, value) in settings.env.iter_mut().filter(|(_, value)| value.is_empty()) {
            if let Some(secret) = now.and_then(|now| now.env.get(variable)) {
                value.clone_from(secret);
            }
        }
        settings
    }

    pub(crate) async fn send(&self, input: Input) {
        // A closed loop has journalled its end; what comes after it is found again on resume.
        let _ = self.inbox.send(Message::Input(input)).await;
    }
}

/// A cheap handle on a running session.
#[derive(Clone)]
pub(crate) struct Handle {
    inbox: mpsc::Sender<Message>,
    state: watch::Receiver<State>,
    trouble: watch::Receiver<Option<String>>,
    gone: watch::Receiver<bool>,
}

/// What a session is started with.
pub(crate) struct Start {
    pub(crate) journal: Journal,
    pub(crate) state: State,
    pub(crate) opened: Opened,
    pub(crate) first: Vec<Input>,
    pub(crate) git: Git,
    pub(crate) env: Environment,
    pub(crate) settings: Settings,
    pub(crate) orchestrate: PathBuf,
    pub(crate) processes: Processes,
    pub(crate) sandbox: Option<sandbox::Start>,
    pub(crate) signals: broadcast::Sender<Signal>,
}

/// Runs a session until it is closed.
///
/// # Errors
/// When its trees are not what they were.
pub(crate) fn start(start: Start) -> Result<Handle, UserError> {
    let Start { journal, state, opened, first, git, env, settings, orchestrate, processes, sandbox, signals } =
        start;
    let folder = journal.folder().to_owned();
    let trees = Trees::open(&git, Path::new(&opened.target), &folder, &opened.session, &opened.trees)
        .map_err(|fault| internal(&fault.to_string(), "Look at the repository, then resume the session."))?;
    let env = crate::discover::for_agents(&env, Some(Path::new(&opened.target)));
    let (inbox, inputs) = mpsc::channel(1024);
    let (cell, seen) = watch::channel(state.clone());
    let (trouble_cell, trouble) = watch::channel(None);
    let (gone_cell, gone) = watch::channel(false);
    let secrets = redact::known(&env, &settings, Some(Path::new(&opened.target)));
    crate::secrets::learn(&secrets);
    let context = Arc::new(Context {
        secrets,
        folder,
        opened,
        trees,
        env,
        settings,
        orchestrate,
        processes,
        sandbox: sandbox.map(Sandbox::new),
        inbox: inbox.clone(),
        signals,
    });
    let run = Run {
        context,
        journal,
        state,
        cell,
        trouble: trouble_cell,
        low: None,
        clocks: clocks::Clocks::new(clocks::Reading::now()),
        open_blocks: redact::Open::new(),
        masking: tokio::task::JoinSet::new(),
        workers: BTreeMap::new(),
        finished: false,
        closing: false,
        inputs,
        kept: VecDeque::new(),
        left: false,
    };
    tokio::spawn(async move {
        run.run(first).await;
        let _ = gone_cell.send(true);
    });
    Ok(Handle { inbox, state: seen, trouble, gone })
}

impl Handle {
    /// The durable state.
    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// What keeps the journal from being written, while something does.
    pub(crate) fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }

    /// Does what a person asks for.
    pub(crate) async fn act(&self, act: Act, by: Actor) -> Result<(), UserError> {
        let (reply, answer) = oneshot::channel();
        let closed = || usage("this session is closed", "Resume it.");
        self.inbox.send(Message::Act(act, by, reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Closes the session: workers are stopped, the end is journalled.
    pub(crate) async fn close(&self, now: bool) {
        let _ = self.inbox.send(Message::Input(Input::Close { now })).await;
        let mut gone = self.gone.clone();
        let _ = gone.wait_for(|gone| *gone).await;
    }

    /// Whether the loop is over.
    pub(crate) fn is_gone(&self) -> bool {
        *self.gone.borrow()
    }
}

struct Run {
    context: Arc<Context>,
    journal: Journal,
    /// Ahead of what is published by what is not yet durable.
    state: State,
    cell: watch::Sender<State>,
    trouble: watch::Sender<Option<String>>,
    /// Why nobody works although the journal can be written: the disk is low on room.
    low: Option<String>,
    clocks: clocks::Clocks,
    open_blocks: redact::Open,
    /// Secrets are being taken out of the raw logs of workers that have ended.
    masking: tokio::task::JoinSet<()>,
    workers: BTreeMap<WorkerId, mpsc::UnboundedSender<worker::Control>>,
    finished: bool,
    closing: bool,
    inputs: mpsc::Receiver<Message>,
    /// What arrived while the journal could not be written.
    kept: VecDeque<Message>,
    /// Closed without a last entry, because none can be written.
    left: bool,
}

impl Run {
    async fn run(mut self, first: Vec<Input>) {
        info!(session = %self.context.opened.session, "session runs");
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mailbox = control::Mailbox::open(Arc::clone(&self.context));
        let space = space::watch(Arc::clone(&self.context));
        let resumed = first.iter().any(|input| matches!(input, Input::Resume { .. }));
        let mut batch: Vec<Message> = first.into_iter().map(Message::Input).collect();
        if resumed {
            // What is left of the last run is read before anything new is begun.
            self.take(std::mem::take(&mut batch)).await;
            batch = recover::left(&self.context, &self.state).await.into_iter().map(Message::Input).collect();
            batch.push(Message::Input(Input::Ready));
            let ended = self.state.workers.iter().filter(|(_, worker)| worker.end.is_some());
            let ended: Vec<WorkerId> = ended.map(|(id, _)| *id).collect();
            ended.into_iter().for_each(|worker| self.mask(worker));
        }
        loop {
            self.take(std::mem::take(&mut batch)).await;
            if self.over() {
                break;
            }
            if !self.kept.is_empty() {
                batch.extend(self.kept.drain(..self.kept.len().min(BATCH)));
                continue;
            }
            tokio::select! {
                message = self.inputs.recv() => match message {
                    Some(message) => batch.push(message),
                    None => break,
                },
                _ = tick.tick() => batch.push(Message::Input(Input::Tick)),
            }
            while batch.len() < BATCH {
                match self.inputs.try_recv() {
                    Ok(message) => batch.push(message),
                    Err(_) => break,
                }
            }
        }
        self.inputs.close();
        while self.inputs.try_recv().is_ok() {}
        mailbox.close().await;
        space.abort();
        while self.masking.join_next().await.is_some() {}
        info!(session = %self.context.opened.session, "session is closed");
    }

    /// Closing, and nothing is left to wait for: also not for a landing, which comes after the end.
    fn over(&self) -> bool {
        let over = self.state.ended.is_some() && self.state.jobs.is_empty();
        self.left || self.closing && (over || self.state.opened.is_none())
    }

    async fn take(&mut self, batch: Vec<Message>) {
        let (mut entries, mut effects, mut replies) = (Vec::new(), Vec::new(), Vec::new());
        let mut stop = None;
        // Known before anything is judged by a time of day: one reading stamps the whole batch.
        let reading = clocks::Reading::now();
        let moved = self.clocks.moved_to(reading).into_iter().filter(|_| self.state.opened.is_some());
        for message in moved.map(Message::Input).collect::<Vec<_>>().into_iter().chain(batch) {
            let (input, reply) = match message {
                Message::Input(input) => (self.redacted(input), None),
                Message::Act(act, by, reply) => (Input::Act { act, by }, Some(reply)),
                Message::Space(low) => {
                    self.space(low);
                    continue;
                }
            };
            self.closing |= matches!(input, Input::Close { .. });
            if let Input::Close { now } | Input::Act { act: Act::Stop { now }, .. } = &input {
                stop = Some(self.grace(*now));
            }
            let now = Now { at: reading.wall, entropy: uuid::Uuid::new_v4().as_u128() };
            let step = self.state.step(now, input);
            entries.extend(step.entries);
            effects.extend(step.effects);
            if let Some(reply) = reply {
                replies.push((reply, step.refused));
            }
        }
        if !entries.is_empty() {
            self.write(&entries, stop, &mut replies).await;
            if self.left {
                return;
            }
            artifacts::write(&self.context, &self.state, &entries);
            for entry in &entries {
                if let Event::WorkerEnded { worker, .. } = entry.event {
                    self.mask(worker);
                }
            }
            self.cell.send_modify(|state| entries.iter().for_each(|entry| state.apply(entry)));
            let session = self.context.opened.session.clone();
            let _ = self.context.signals.send(Signal::Changed { session, seq: self.state.seq });
        }
        for (reply, refused) in replies {
            let _ = reply.send(refused.map_or(Ok(()), Err));
        }
        for effect in effects {
            self.perform(effect);
        }
        self.finish();
    }

    /// What a worker brought in, without secrets.
    fn redacted(&mut self, input: Input) -> Input {
        let rules = &self.context.opened.settings.guard;
        redact::input(&self.context.secrets, rules, &mut self.open_blocks, input)
    }

    /// Takes the secrets out of the raw logs of a worker whose end is written down: nothing is read from them again.
    fn mask(&mut self, worker: WorkerId) {
        while self.masking.try_join_next().is_some() {}
        let Some(found) = self.state.workers.get(&worker) else { return };
        let files = worker::Files::of(&self.context.folder, worker, &found.assignment);
        let context = Arc::clone(&self.context);
        self.masking.spawn_blocking(move || redact::raw_logs(&context.secrets, &files));
    }

    /// Writes until it is written: a full disk stops the session here, nothing is lost, and it goes on by itself.
    async fn write(
        &mut self,
        entries: &[domain::Entry],
        stop: Option<Duration>,
        replies: &mut Vec<(stuck::Reply, Option<UserError>)>,
    ) {
        let mut told = false;
        while let Err(fault) = self.journal.append(entries) {
            error!(%fault, "the journal cannot be written; the session waits");
            if weakness::has(Weakness::IgnoreWriteErrors) {
                return;
            }
            if !told {
                told = true;
                self.in_trouble("The session cannot be written down", &fault.to_string());
                self.answer_stuck(replies);
                stop.into_iter().for_each(|grace| self.stop_all(grace));
            }
            self.wait_stuck().await;
            if self.left {
                return;
            }
            if let Err(fault) = self.journal.reopen() {
                warn!(%fault, "the journal is still closed");
            }
        }
        if told {
            self.out_of_trouble();
        }
    }

    /// How long those may take that are asked to leave.
    fn grace(&self, now: bool) -> Duration {
        match (now, self.closing) {
            (true, _) => Duration::ZERO,
            (false, true) => worker::QUIT_GRACE,
            (false, false) => worker::GRACE,
        }
    }

    /// The disk got low on room, or there is room again.
    fn space(&mut self, low: Option<String>) {
        let title = "The disk is almost full";
        match &low {
            Some(why) => self.in_trouble(title, why),
            None => info!("there is room on the disk again"),
        }
        self.low = low;
        self.out_of_trouble();
    }

    /// The journal can be written. Unless the disk is low on room, all go on who are not held by something else.
    fn out_of_trouble(&self) {
        let _ = self.trouble.send(self.low.clone());
        if self.low.is_some() {
            return;
        }
        for (id, worker) in self.workers.iter().filter(|(id, _)| !self.state.frozen(**id)) {
            info!(worker = %id, "goes on");
            let _ = worker.send(worker::Control::Thaw);
        }
        let session = self.context.opened.session.clone();
        let _ = self.context.signals.send(Signal::Changed { session, seq: Seq(self.journal.last().0) });
    }

    /// Nobody works while nothing can be written down; the user is told, although the journal cannot be.
    fn in_trouble(&self, title: &str, why: &str) {
        for worker in self.workers.values() {
            let _ = worker.send(worker::Control::Freeze);
        }
        let _ = self.trouble.send(Some(why.to_owned()));
        let title = title.to_owned();
        let notice =
            domain::Notice { kind: domain::NoticeKind::Blocker, title, body: domain::head(why, 200) };
        let session = self.context.opened.session.clone();
        let _ = self.context.signals.send(Signal::Notice { session: session.clone(), notice });
        let _ = self.context.signals.send(Signal::Changed { session, seq: Seq(self.journal.last().0) });
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(worker) => {
                let (control, controls) = mpsc::unbounded_channel();
                if self.low.is_some() {
                    let _ = control.send(worker::Control::Freeze);
                }
                self.workers.insert(worker, control);
                tokio::spawn(worker::drive(
                    Arc::clone(&self.context),
                    self.cell.subscribe(),
                    worker,
                    controls,
                ));
            }
            Effect::Stop { worker, now } => {
                let grace = self.grace(now);
                self.tell(worker, worker::Control::Stop { grace });
            }
            Effect::Freeze(worker) => self.tell(worker, worker::Control::Freeze),
            Effect::Thaw(_) if self.low.is_some() => {}
            Effect::Thaw(worker) => self.tell(worker, worker::Control::Thaw),
            Effect::Perform(job) => {
                if let Some(what) = self.state.jobs.get(&job).cloned() {
                    tokio::spawn(perform::job(Arc::clone(&self.context), self.cell.subscribe(), job, what));
                }
            }
            Effect::Reply { worker, call, text, error } => {
                worker::reply(&self.context, &self.state, worker, &call, &text, error);
            }
            Effect::Hold { worker, call } => worker::hold(&self.context, &self.state, worker, &call),
            Effect::Notify(notice) => {
                let session = self.context.opened.session.clone();
                let _ = self.context.signals.send(Signal::Notice { session, notice });
            }
            Effect::AnswerDemo(question) => self.answer_demo(question),
        }
    }

    /// The demo's script answers in the user's place, after a while, and the answer says that it did.
    fn answer_demo(&self, question: domain::QuestionId) {
        let Some(asked) = self.state.questions.get(&question).map(|state| state.asked.clone()) else {
            return;
        };
        let (wanted, words) = agents::demo::ANSWER;
        let (choice, text) = if matches!(asked.about, domain::About::Plan { .. }) {
            (domain::Choice::Approve, "")
        } else if asked.choices.contains(&wanted) {
            (wanted, words)
        } else {
            (asked.choices.first().copied().unwrap_or(wanted), words)
        };
        let context = Arc::clone(&self.context);
        tokio::spawn(async move {
            tokio::time::sleep(DEMO_PAUSE).await;
            let act = Act::Answer { question: Some(question), choice: Some(choice), text: text.to_owned() };
            context.send(Input::Act { act, by: Actor::Demo }).await;
        });
    }

    fn tell(&mut self, worker: WorkerId, control: worker::Control) {
        if let Some(to) = self.workers.get(&worker) {
            let _ = to.send(control);
        }
    }

    /// Once the run is over: forget the workers, leave the summary.
    fn finish(&mut self) {
        let over = self.state.ended.is_some();
        if over && !self.finished {
            self.workers.clear();
        }
        self.finished = over;
    }
}

pub(crate) fn usage(message: &str, hint: &str) -> UserError {
    UserError { code: ErrorCode::Usage, message: message.to_owned(), hint: hint.to_owned() }
}

pub(crate) fn internal(message: &str, hint: &str) -> UserError {
    UserError { code: ErrorCode::Internal, message: message.to_owned(), hint: hint.to_owned() }
}
