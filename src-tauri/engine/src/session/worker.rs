//! One worker: from its assignment to a process, from its output to inputs, until everything it said has been read.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agents::{AnswerShape, Home, Hook, Launch, LaunchRequest, McpServer, Reader};
use domain::{
    AgentError, AgentEvent, AgentInfo, Assignment, Dialect, Exit, ExitCause, Failed, Failure, Input, Notice,
    NoticeKind, Purpose, State, Status, StatusKind, Told, Usage, WorkerId,
};
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use super::material::NoMaterial;
use super::watchdog::{Finding, Patience, Seen, Watchdog, span};
use super::{Context, confine, home, material, space};
use crate::door::Signal;
use crate::private;
use crate::process::{Caps, ExitRecord, Limited, LineKind, Running, Spec, Tail, clock};
use crate::weakness::{self, Weakness};
use crate::{brought, calls};

/// How long a CLI may take to leave after it was asked to (SUPERVISION section 5).
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// The same when the program is being closed.
pub(super) const QUIT_GRACE: Duration = Duration::from_secs(2);
/// How often liveness is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The largest file that a worker may write, in bytes: a backstop (SUPERVISION section 4).
const LARGEST_FILE: u64 = 8 << 30;
/// Seconds that a CLI waits for our hook beyond the time that a person has for an answer.
const HOOK_MARGIN_S: u64 = 120;
/// Most characters of a CLI's errors that classification looks at.
const MOST_STDERR: usize = 16_000;

/// What the session's loop tells a worker's driver.
#[derive(Clone, Debug)]
pub(crate) enum Control {
    /// Asked to leave, killed after the grace; at once when that is zero.
    Stop {
        grace: Duration,
    },
    Freeze,
    Thaw,
}

/// Where a worker's files are, all in `workers/` of the session's folder.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) prompt: PathBuf,
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
    pub(crate) record: PathBuf,
    pub(crate) calls: PathBuf,
    pub(crate) answers: PathBuf,
    pub(crate) private: PathBuf,
    /// There when its secrets are out of all of these.
    pub(crate) masked: PathBuf,
}

impl Files {
    pub(crate) fn of(session: &Path, worker: WorkerId, assignment: &Assignment) -> Self {
        let stem = super::perform::stem(worker, assignment.agent.as_str(), assignment.role.as_str());
        let at = |ending: &str| session.join("workers").join(format!("{stem}{ending}"));
        Self {
            prompt: at(".prompt.md"),
            stdout: at(".jsonl"),
            stderr: at(".stderr"),
            record: at(".exit.json"),
            calls: at(".calls.jsonl"),
            answers: at(".answers"),
            private: at(".files"),
            masked: at(".masked"),
        }
    }
}

/// Runs a worker from its request to its end.
pub(super) async fn drive(
    context: Arc<Context>,
    seen: watch::Receiver<State>,
    worker: WorkerId,
    mut controls: mpsc::UnboundedReceiver<Control>,
) {
    let (assignment, before) = {
        let state = seen.borrow();
        let Some(found) = state.workers.get(&worker) else { return };
        (found.assignment.clone(), usage_before(&state, &found.assignment))
    };
    let Some(info) = context.opened.agents.iter().find(|agent| agent.name == assignment.agent).cloned()
    else {
        not_started(&context, worker, format!("the agent {} is not part of this session", assignment.agent))
            .await;
        return;
    };
    let files = Files::of(&context.folder, worker, &assignment);
    let (running, argv) = loop {
        let failed = match prepare(&context, &seen, worker, &assignment, &info, &files).await {
            Ok((spec, argv)) => match context.processes.spawn(spec).await {
                Ok(running) => break (running, argv),
                Err(fault) => fault.to_string(),
            },
            Err(Unprepared::Failed(why)) => why,
            Err(Unprepared::TreeMadeAnew(why)) => {
                // As if the CLI had refused the session it was to continue: the next one begins from the tree.
                let failure = if assignment.resume.is_some() { Failure::Config } else { Failure::Crashed };
                return failed_to_start(&context, worker, why, failure).await;
            }
        };
        // A full disk is no fault of the worker's: it costs no attempt.
        if !space::waited(&context, &seen, &failed).await {
            return not_started(&context, worker, failed).await;
        }
    };
    context.send(Input::Started { worker, process: running.identity().clone(), argv }).await;
    let reader = Reader::new(info.dialect).after(before);
    let caps = caps(&context.opened.settings.limits);
    let dialect = info.dialect;
    let mut driver =
        Driver { context, worker, files, reader, running, dialect, caps, frozen: false, stopping: None };
    driver.follow(&mut controls).await;
}

/// What earlier runs of the same CLI session have used: some CLIs add up over the session.
pub(super) fn usage_before(state: &State, assignment: &Assignment) -> Usage {
    let mut sum = Usage::default();
    let Some(session) = &assignment.resume else { return sum };
    for worker in state.workers.values().filter(|w| w.session.as_ref() == Some(session) && w.end.is_some()) {
        sum.input += worker.usage.input;
        sum.output += worker.usage.output;
        sum.cached += worker.usage.cached;
        if let Some(cost) = worker.usage.cost_usd {
            sum.cost_usd = Some(sum.cost_usd.unwrap_or(0.0) + cost);
        }
    }
    sum
}

async fn not_started(context: &Context, worker: WorkerId, why: String) {
    failed_to_start(context, worker, why, Failure::Crashed).await;
}

async fn failed_to_start(context: &Context, worker: WorkerId, why: String, failure: Failure) {
    warn!(%worker, %why, "a worker could not be started");
    let exit = Exit { code: None, signal: None, cause: ExitCause::NotStarted };
    let failed = Some(Failed { failure, text: domain::head(&why, 1000) });
    context.send(Input::Ended { worker, exit, told: Box::default(), failed }).await;
}

/// Why a worker's process is not even tried.
enum Unprepared {
    Failed(String),
    TreeMadeAnew(String),
}

impl<T: ToString> From<T> for Unprepared {
    fn from(why: T) -> Self {
        Self::Failed(why.to_string())
    }
}

async fn prepare(
    context: &Arc<Context>,
    seen: &watch::Receiver<State>,
    worker: WorkerId,
    assignment: &Assignment,
    info: &AgentInfo,
    files: &Files,
) -> Result<(Spec, Vec<String>), Unprepared> {
    let wanted = material::wanted(&seen.borrow(), worker).ok_or("its task has no tree")?;
    let looked = {
        let context = Arc::clone(context);
        tokio::task::spawn_blocking(move || material::look_up(&context, wanted)).await
    };
    let material = looked?.map_err(|fault| match fault {
        fault @ NoMaterial::TreeMadeAnew(_) => Unprepared::TreeMadeAnew(fault.to_string()),
        NoMaterial::Tree(fault) => Unprepared::from(fault),
    })?;
    let prompt = domain::prompt(&seen.borrow(), worker, &material).ok_or("its assignment is unknown")?;
    let launch = launch(context, worker, assignment, info, files, &material.cwd, &prompt);
    let settings = context.agent_settings(&info.name);
    if let Some(home) = Home::of(info, &settings, &context.env, &context.folder) {
        home::fill(&home).map_err(|fault| format!("its home cannot be made: {fault}"))?;
    }
    write_files(files, &launch).map_err(|fault| format!("its files cannot be written: {fault}"))?;
    let spec = Spec {
        program: launch.program,
        args: launch.args.into_iter().map(Into::into).collect(),
        env: launch.env.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        cwd: launch.cwd,
        stdin: Some(files.prompt.clone()),
        stdout: files.stdout.clone(),
        stderr: files.stderr.clone(),
        record: files.record.clone(),
        cookie: cookie(context, worker),
        caps: caps(&context.opened.settings.limits),
        sandboxed: false,
    };
    let argv = argv(&spec);
    Ok((confine::worker(context, assignment, info, files, spec).await?, argv))
}

/// The limits of one worker that its guardian sees to.
fn caps(limits: &domain::Limits) -> Caps {
    let minutes = |minutes: u32| Duration::from_secs(60 * u64::from(minutes.max(1)));
    Caps {
        memory: Some(limits.worker_memory_mib.max(1).saturating_mul(1 << 20)),
        processes: Some(u64::from(limits.worker_processes.max(1))),
        cpu: Some(minutes(limits.worker_cpu_minutes)),
        output: Some(limits.output_bytes),
        file: Some(LARGEST_FILE),
        wall: Some(minutes(limits.worker_minutes)),
        groups: true,
    }
}

/// What marks a worker's processes, for the sweep after a crash.
pub(super) fn cookie(context: &Context, worker: WorkerId) -> String {
    format!("{}/{worker}", context.opened.session)
}

fn launch(
    context: &Context,
    worker: WorkerId,
    assignment: &Assignment,
    info: &AgentInfo,
    files: &Files,
    cwd: &str,
    prompt: &str,
) -> Launch {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let args = [
        "mcp",
        "--calls",
        &text(&files.calls),
        "--answers",
        &text(&files.answers),
        "--worker",
        &worker.to_string(),
    ];
    let mcp = McpServer { program: text(&context.orchestrate), args: args.map(str::to_owned).to_vec() };
    let hook = hook(context, worker, info, files, cwd);
    let settings = context.agent_settings(&info.name);
    let shape = match assignment.purpose {
        Purpose::Plan => Some(AnswerShape::Plan),
        Purpose::Review { .. } => Some(AnswerShape::Review),
        Purpose::Task { .. } => None,
    };
    let project =
        brought::for_worker(context.opened.brought.as_ref(), Path::new(cwd), context.trees.prefix());
    let home = Home::of(info, &settings, &context.env, &context.folder);
    let user_settings = home.as_ref().and_then(home::user_settings);
    agents::launch(&LaunchRequest {
        agent: info,
        settings: &settings,
        role: assignment.role,
        cwd: Path::new(cwd),
        folder: &context.folder,
        target: Path::new(&context.opened.target),
        extra_dirs: &assignment.extra_dirs,
        resume: assignment.resume.as_deref(),
        skip_git_check: assignment.skip_git_check,
        shape,
        mcp: Some(&mcp),
        hook: hook.as_ref(),
        files: &files.private,
        project: &project,
        user_settings: user_settings.as_deref(),
        prompt,
        env: &context.env,
        root_consented: context.opened.unsandboxed && crate::doctor::is_root(),
    })
}

/// What the CLI starts before each command, to ask us. A scripted agent of the demo asks nobody.
fn hook(context: &Context, worker: WorkerId, info: &AgentInfo, files: &Files, cwd: &str) -> Option<Hook> {
    if info.demo || crate::weakness::has(crate::weakness::Weakness::NoHooks) {
        return None;
    }
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let minutes = context.opened.settings.guard.answer_minutes.max(1);
    let args = [
        "hook",
        "--dialect",
        info.dialect.as_str(),
        "--calls",
        &text(&files.calls),
        "--answers",
        &text(&files.answers),
        "--worker",
        &worker.to_string(),
        "--project",
        cwd,
        "--minutes",
        &minutes.to_string(),
    ];
    let args = args.map(str::to_owned).to_vec();
    Some(Hook {
        program: text(&context.orchestrate),
        args,
        patience_s: 60 * u64::from(minutes) + HOOK_MARGIN_S,
    })
}

fn write_files(files: &Files, launch: &Launch) -> std::io::Result<()> {
    for folder in [&files.answers, &files.private] {
        private::folder(folder)?;
    }
    private::write(&files.prompt, &launch.stdin)?;
    private::write(&files.calls, b"")?;
    launch.files.iter().try_for_each(|(path, text)| home::write(path, text))
}

fn argv(spec: &Spec) -> Vec<String> {
    let program = spec.program.to_string_lossy().into_owned();
    let args = spec.args.iter().map(|arg| domain::head(&arg.to_string_lossy(), 300));
    std::iter::once(program).chain(args).collect()
}

/// Answers a call of a worker that waits for it.
pub(super) fn reply(context: &Context, state: &State, worker: WorkerId, call: &str, text: &str, error: bool) {
    let Some(found) = state.workers.get(&worker) else { return };
    let files = Files::of(&context.folder, worker, &found.assignment);
    if let Err(fault) = calls::write_answer(&files.answers, call, text, error) {
        warn!(%worker, call, %fault, "a worker's call could not be answered");
    }
}

/// Tells a worker's hook that the user is being asked.
pub(super) fn hold(context: &Context, state: &State, worker: WorkerId, call: &str) {
    let Some(found) = state.workers.get(&worker) else { return };
    let files = Files::of(&context.folder, worker, &found.assignment);
    if let Err(fault) = calls::hold(&files.answers, call) {
        warn!(%worker, call, %fault, "a worker's hook could not be told to wait");
    }
}

struct Driver {
    context: Arc<Context>,
    worker: WorkerId,
    files: Files,
    reader: Reader,
    running: Running,
    dialect: Dialect,
    caps: Caps,
    frozen: bool,
    /// Why we are taking it down.
    stopping: Option<ExitCause>,
}

impl Driver {
    async fn follow(&mut self, controls: &mut mpsc::UnboundedReceiver<Control>) {
        let opened = Tail::open(&self.files.stdout, 0, self.running.end());
        let opened = opened.and_then(|out| Ok((out, Tail::open(&self.files.calls, 0, self.running.end())?)));
        let (mut out, mut calls) = match opened {
            Ok(opened) => opened,
            Err(fault) => {
                self.running.stop_now(ExitCause::NotStarted);
                return not_started(
                    &self.context,
                    self.worker,
                    format!("its output cannot be read: {fault}"),
                )
                .await;
            }
        };
        let (mut exit, mut open, mut calling): (Option<Exit>, bool, bool) = (None, true, true);
        let mut told = true;
        let mut dog = Watchdog::new(patience(&self.context.opened.settings.limits), clock::awake());
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while open || calling || exit.is_none() {
            tokio::select! {
                line = out.next(), if open => match line {
                    Some(line) => {
                        dog.heard(clock::awake());
                        self.read(&line.bytes, line.kind, line.end_offset).await;
                    }
                    None => open = false,
                },
                line = calls.next(), if calling => match line {
                    Some(line) => {
                        dog.heard(clock::awake());
                        self.called(&line.bytes, line.end_offset).await;
                    }
                    None => calling = false,
                },
                ended = self.running.ended(), if exit.is_none() => exit = Some(ended),
                control = controls.recv(), if told => match control {
                    Some(control) => self.control(control),
                    None => {
                        // The session's loop is gone.
                        told = false;
                        self.stop(ExitCause::Stopped, GRACE);
                    }
                },
                _ = look.tick(), if exit.is_none() => self.look(&mut dog).await,
            }
        }
        let exit = exit.unwrap_or(Exit { code: None, signal: None, cause: ExitCause::Left });
        let exit = Exit { cause: self.stopping.unwrap_or(exit.cause), ..exit };
        finish(&self.context, self.worker, &mut self.reader, &self.files, exit).await;
    }

    async fn read(&mut self, bytes: &[u8], kind: LineKind, end: u64) {
        for said in read_line(&mut self.reader, bytes, kind) {
            self.context.send(Input::Said { worker: self.worker, offset: end, said }).await;
        }
        if self.stopping.is_none() && self.reader.loops().is_some() {
            self.stop(ExitCause::Looped, GRACE);
        }
    }

    async fn called(&mut self, bytes: &[u8], offset: u64) {
        match calls::read(bytes) {
            Ok(called) => {
                let (worker, call, what) = (self.worker, called.call, called.what);
                self.context.send(Input::Called { worker, offset, call, what }).await;
            }
            Err(fault) => {
                let raw = Some(domain::head(&agents::clean(&String::from_utf8_lossy(bytes)), 4000));
                let said = AgentEvent::Error(AgentError {
                    text: format!("a call that cannot be read: {fault}"),
                    raw,
                });
                self.context.send(Input::Said { worker: self.worker, offset: 0, said }).await;
            }
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Stop { grace } => self.stop(ExitCause::Stopped, grace),
            Control::Freeze => {
                self.frozen = true;
                self.running.freeze();
            }
            Control::Thaw => {
                self.frozen = false;
                self.running.thaw();
            }
        }
    }

    fn stop(&mut self, cause: ExitCause, grace: Duration) {
        debug!(worker = %self.worker, ?cause, ?grace, "a worker is being stopped");
        self.stopping.get_or_insert(cause);
        // These two write their state down on it, and take their own children with them (measured). One that has given
        // its result would put another one after it.
        let by_interrupt =
            matches!(self.dialect, Dialect::Claude | Dialect::Codex) && cause != ExitCause::Lingered;
        if grace.is_zero() {
            self.running.stop_now(cause);
        } else if by_interrupt {
            self.running.interrupt(grace, cause);
        } else {
            self.running.stop(grace, cause);
        }
    }

    async fn look(&mut self, dog: &mut Watchdog) {
        if self.stopping.is_some() {
            return;
        }
        let usage = self.running.usage();
        for text in dog.notices(&self.caps, &usage) {
            self.tell(StatusKind::LimitWarning, text).await;
        }
        let seen = Seen {
            cpu: usage.cpu,
            frozen: self.frozen,
            asks: calls::waiting(&self.files.calls, &self.files.answers),
            result: self.reader.terminal_seen(),
        };
        match dog.look(clock::awake(), seen) {
            Finding::Well => {}
            Finding::Silent { since, stopped_in } => self.is_silent(since, stopped_in).await,
            Finding::Hung => self.stop(ExitCause::Silent, GRACE),
            Finding::Lingers => self.stop(ExitCause::Lingered, GRACE),
        }
    }

    /// The user hears of it before anything is done: there may be a reason that we cannot see.
    async fn is_silent(&self, since: Duration, stopped_in: Duration) {
        let (since, more) = (span(since), span(stopped_in));
        let text = format!(
            "Silent for {since}, and nothing of it works. It will be stopped and resumed in {more}, unless it goes on."
        );
        let notice = Notice {
            kind: NoticeKind::Blocker,
            title: format!("{} is silent", self.worker),
            body: text.clone(),
        };
        self.tell(StatusKind::Note, text).await;
        let session = self.context.opened.session.clone();
        let _ = self.context.signals.send(Signal::Notice { session, notice });
    }

    /// Something that we, not the worker, have to say about it.
    async fn tell(&self, what: StatusKind, text: String) {
        let said = AgentEvent::Status(Status { what, text, session: None, model: None, usage: None });
        self.context.send(Input::Said { worker: self.worker, offset: 0, said }).await;
    }
}

fn patience(limits: &domain::Limits) -> Patience {
    Patience {
        start: Duration::from_secs(u64::from(limits.start_seconds.max(1))),
        silent: Duration::from_secs(60 * u64::from(limits.silent_minutes.max(1))),
    }
}

/// A line of a worker's stream as events; a line that is too long or not finished is kept, and said so.
pub(super) fn read_line(reader: &mut Reader, bytes: &[u8], kind: LineKind) -> Vec<AgentEvent> {
    match kind {
        LineKind::Whole | LineKind::Unterminated => reader.line(bytes),
        LineKind::Oversize { len, .. } => {
            let text = format!("a line of {len} bytes is longer than is read; the raw log has it");
            vec![AgentEvent::Error(AgentError { text, raw: None })]
        }
        LineKind::Shrunk { .. } => {
            let text =
                "its raw log became shorter: something wrote to it; what was read before stays".to_owned();
            vec![AgentEvent::Error(AgentError { text, raw: None })]
        }
        LineKind::Unreadable { .. } => {
            let text = "its raw log cannot be read any more; check the disk".to_owned();
            vec![AgentEvent::Error(AgentError { text, raw: None })]
        }
    }
}

/// The end of a run: what was held back, then the verdict on it.
pub(super) async fn finish(
    context: &Context,
    worker: WorkerId,
    reader: &mut Reader,
    files: &Files,
    exit: Exit,
) {
    for said in reader.rest() {
        context.send(Input::Said { worker, offset: 0, said }).await;
    }
    let mut failed = reader.finish(&exit, &errors(files, &exit), &jiff::Zoned::now());
    let mut told: Told = reader.told().clone();
    if weakness::has(Weakness::TextVotes)
        && let Some(vote) = weakness::text_vote(&files.prompt, &files.stdout)
    {
        (told.structured, failed) = (Some(vote), None);
    }
    context.send(Input::Ended { worker, exit, told: Box::new(told), failed }).await;
}

/// What a run left on stderr; of a process that we did not start or did not let go on, the guardian's words on why.
pub(super) fn errors(files: &Files, exit: &Exit) -> String {
    let why = ExitRecord::read(&files.record).ok().flatten().and_then(|record| record.why);
    match (exit.cause, why) {
        (ExitCause::NotStarted, Some(why)) => why,
        (ExitCause::Limit, Some(why)) => match setting(&why) {
            Some(setting) => format!("{why}; set limits.{setting} higher if the task needs more"),
            None => why,
        },
        _ => tail_of(&files.stderr, MOST_STDERR as u64),
    }
}

/// The setting of the limit that a guardian's words are about.
fn setting(why: &str) -> Option<&'static str> {
    let what = Limited::ALL.into_iter().find(|what| why.starts_with(what.name()))?;
    Some(match what {
        Limited::Memory => "worker_memory_mib",
        Limited::Processes => "worker_processes",
        Limited::Cpu => "worker_cpu_minutes",
        Limited::Output => "output_bytes",
        Limited::Wall => "worker_minutes",
    })
}

/// The end of a file as text; nothing when it cannot be read.
fn tail_of(path: &Path, most: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(most)))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
