//! The one door: everything a window or a terminal can ask of the engine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use domain::{
    Act, Actor, ErrorCode, Notice, Phase, Request, Response, Row, RowBody, Seq, SessionId, Settings, State,
    UserError,
};
use tokio::sync::{broadcast, watch};

use crate::discover;
use crate::folded::Folds;
use crate::git::Git;
use crate::journal::{self, JournalError};
use crate::process::Processes;
use crate::session::{self, Handle, internal, usage};
use crate::trees::{self, Trees};
use crate::view::Views;
use crate::{brought, config, doctor, folders, sandbox, sessions};

/// How long a `Watch` waits for something new.
const WATCH: Duration = Duration::from_secs(20);
/// How the words end by which a session's row tells why nobody works while the disk fails or is full.
pub const WAITS: &str = "(work waits, nothing is lost)";
/// How often somebody who watches hears of a journal that cannot be written.
const TROUBLE: Duration = Duration::from_secs(1);
/// Most rows of one answer.
const MOST_ROWS: usize = 1000;
/// Bytes of one page of raw output.
const LOG_PAGE: u64 = 64 << 10;
/// How long sessions may take to close when the program ends (SUPERVISION section 5: 8 s in all).
const CLOSE: Duration = Duration::from_secs(8);

/// What an engine is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where sessions live.
    pub workspace: PathBuf,
    /// The `orchestrate` program: guardian, MCP server and demo agents are entered through it.
    pub orchestrate: PathBuf,
    /// The settings' file; the user's own when absent.
    pub config: Option<PathBuf>,
}

/// Where sessions live when nothing else is said: the user's data folder, never a temporary one (FIELD 1).
///
/// # Errors
/// When the user has no home folder.
pub fn default_workspace() -> Result<PathBuf, UserError> {
    folders::workspace()
        .ok_or_else(|| usage("you have no home folder to keep sessions in", "Name one with --workspace DIR."))
}

/// Something happened that a window or terminal may want to look at.
#[derive(Clone, Debug, PartialEq)]
pub enum Signal {
    /// A session has new rows.
    Changed {
        /// Which.
        session: SessionId,
        /// Its last entry.
        seq: Seq,
    },
    /// The desktop should be told.
    Notice {
        /// By which session.
        session: SessionId,
        /// What.
        notice: Notice,
    },
}

/// The engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) settings: Settings,
    pub(crate) processes: OnceLock<Processes>,
    pub(crate) sessions: Mutex<BTreeMap<SessionId, Handle>>,
    /// One opening at a time: two clicks must not open one session twice.
    pub(crate) opening: tokio::sync::Mutex<()>,
    pub(crate) views: Views,
    listed: sessions::Listed,
    pub(crate) folds: Arc<Folds>,
    pub(crate) signals: broadcast::Sender<Signal>,
}

/// This process's variables, those that are text.
fn own_env() -> discover::Environment {
    let text = |name: std::ffi::OsString| name.into_string().ok();
    std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}

impl Engine {
    /// Makes an engine. Only the settings are read; nothing is started before the first request.
    ///
    /// # Errors
    /// Settings that cannot be read: which file, line and column.
    pub fn new(options: Options) -> Result<Self, UserError> {
        let (settings, _) = config::load(options.config.as_deref(), None).map_err(|fault| {
            usage(&fault.to_string(), "Mend the settings, or name another file with --config FILE.")
        })?;
        crate::secrets::learn(&session::known_secrets(&own_env(), &settings, None));
        let (signals, _) = broadcast::channel(1024);
        let folds = Arc::<Folds>::default();
        let inner = Inner {
            options,
            settings,
            processes: OnceLock::new(),
            sessions: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            views: Views::new(Arc::clone(&folds)),
            listed: sessions::Listed::new(Arc::clone(&folds)),
            folds,
            signals,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What happens from now on.
    #[must_use]
    pub fn signals(&self) -> broadcast::Receiver<Signal> {
        self.inner.signals.subscribe()
    }

    /// Where sessions live.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        &self.inner.options.workspace
    }

    /// The durable state of a session that this process runs.
    #[must_use]
    pub fn state(&self, session: &SessionId) -> Option<watch::Receiver<State>> {
        self.handle(session).map(|handle| handle.state())
    }

    /// What follows from a session's journal as it is written, and what is wrong after the part that can be read.
    ///
    /// # Errors
    /// When there is no such journal, or the system refuses to read it.
    pub fn written(&self, session: &SessionId) -> Result<(State, Option<JournalError>), JournalError> {
        let folded = self.inner.folds.of(&self.inner.options.workspace.join(&session.0))?;
        Ok((folded.state, folded.damage))
    }

    /// Answers one request.
    ///
    /// # Errors
    /// A sentence for people, with what to do.
    pub async fn request(&self, request: Request) -> Result<Response, UserError> {
        match request {
            Request::Doctor { target } => self.doctor(target).await,
            Request::Sessions => self.list().await,
            Request::Scoreboard => self.scoreboard().await,
            Request::Inspect { target } => self.inspect(target).await,
            Request::Brought { target } => self.brought(target).await,
            Request::Trust { target, hash } => self.trust(target, hash).await,
            Request::Open { goal, target, approve, unsandboxed } => {
                self.open(goal, target, approve, unsandboxed).await
            }
            Request::Demo { approve } => self.demo(approve).await,
            Request::Resume { session } => {
                self.resume(&session).await?;
                Ok(Response::Opened { session })
            }
            Request::Watch { session, since } => self.watch(&session, since).await,
            Request::Timeline { session, after, limit } => self.timeline(&session, after, limit).await,
            Request::Log { session, worker, from } => self.log(&session, worker, from).await,
            Request::Diff { session, task } => self.diff(&session, task).await,
            Request::DryRun { session } => self.dry_run(&session).await,
            Request::Act { session, act } => self.act(&session, act).await,
        }
    }

    /// Closes all sessions: their workers are stopped with grace (at once when it is zero), everything is kept, and
    /// `resume` goes on.
    pub async fn shutdown(&self, grace: Duration) {
        let handles: Vec<Handle> = self.sessions().values().cloned().collect();
        let mut all = tokio::task::JoinSet::new();
        for handle in handles {
            all.spawn(async move { handle.close(grace.is_zero()).await });
        }
        let _ = tokio::time::timeout(CLOSE, all.join_all()).await;
        self.sessions().clear();
    }

    /// Closes one session.
    pub async fn close(&self, session: &SessionId) {
        if let Some(handle) = self.handle(session) {
            let _ = tokio::time::timeout(CLOSE, handle.close(false)).await;
            self.sessions().remove(session);
        }
    }

    /// The spawner thread, started with the first session.
    pub(crate) fn processes(&self) -> Result<Processes, UserError> {
        if let Some(processes) = self.inner.processes.get() {
            return Ok(processes.clone());
        }
        let orchestrate = self.inner.options.orchestrate.clone();
        let made = Processes::new(orchestrate, vec!["guardian".into()])
            .map_err(|fault| internal(&fault.to_string(), "Close some programs and try again."))?;
        Ok(self.inner.processes.get_or_init(|| made).clone())
    }

    pub(crate) fn sessions(&self) -> MutexGuard<'_, BTreeMap<SessionId, Handle>> {
        self.inner.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn handle(&self, session: &SessionId) -> Option<Handle> {
        let mut sessions = self.sessions();
        sessions.retain(|_, handle| !handle.is_gone());
        sessions.get(session).cloned()
    }

    pub(crate) fn folder(&self, session: &SessionId) -> Result<PathBuf, UserError> {
        let named = session.0.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !session.0.is_empty();
        let folder = self.inner.options.workspace.join(&session.0);
        if named && folder.join(journal::FILE).exists() {
            return Ok(folder);
        }
        Err(usage(&format!("there is no session {session}"), "List them with `orchestrate status`."))
    }

    async fn doctor(&self, target: Option<String>) -> Result<Response, UserError> {
        let (options, settings) = (self.inner.options.clone(), self.inner.settings.clone());
        blocking(move || {
            let env = discover::environment();
            // What is no folder has no repository; starting a session says what is wrong with it.
            let target = target.and_then(|target| Path::new(&target).canonicalize().ok());
            let (checked, (report, _)) = std::thread::scope(|scope| {
                let looked =
                    scope.spawn(|| doctor::probes(&settings, &options.workspace, target.as_deref(), &env));
                let tested =
                    sandbox::assess(&options.orchestrate, &settings.sandbox, &env, &options.workspace);
                (looked.join(), tested)
            });
            let gone = |_| internal("the doctor could not finish", "Try again.");
            let doctor::Checkup { mut probes, agents } = checked.map_err(gone)?;
            doctor::add_sandbox(&mut probes, &report);
            Ok(Response::Doctor { probes, agents })
        })
        .await
    }

    async fn brought(&self, target: String) -> Result<Response, UserError> {
        let workspace = self.inner.options.workspace.clone();
        blocking(move || {
            let target = Path::new(&target).canonicalize().map_err(|fault| no_project(&target, &fault))?;
            let brought = brought::of_project(&git()?, &target, &folders::resolved(&workspace));
            let brought = brought.map_err(|fault| {
                usage(&fault.to_string(), "Look at what `git status` says in the project.")
            })?;
            Ok(Response::Brought { brought })
        })
        .await
    }

    async fn trust(&self, target: String, hash: Option<String>) -> Result<Response, UserError> {
        let workspace = self.inner.options.workspace.clone();
        blocking(move || {
            let target = Path::new(&target).canonicalize().map_err(|fault| no_project(&target, &fault))?;
            brought::approve(&folders::resolved(&workspace), &target, hash.as_deref()).map_err(|fault| {
                internal(&format!("the approval cannot be kept: {fault}"), "Check the workspace folder.")
            })?;
            Ok(Response::Accepted)
        })
        .await
    }

    async fn list(&self) -> Result<Response, UserError> {
        let workspace = self.inner.options.workspace.clone();
        let inner = Arc::clone(&self.inner);
        blocking(move || Ok(Response::Sessions { sessions: inner.listed.list(&workspace) })).await
    }

    async fn scoreboard(&self) -> Result<Response, UserError> {
        let workspace = self.inner.options.workspace.clone();
        blocking(move || {
            let board = crate::scoreboard::of(&workspace);
            // The copy is for other programs; without it the answer is the same.
            if let Err(fault) = crate::scoreboard::save(&workspace, &board) {
                tracing::debug!(%fault, "the scoreboard's copy was not written");
            }
            Ok(Response::Scoreboard { board })
        })
        .await
    }

    async fn inspect(&self, target: String) -> Result<Response, UserError> {
        blocking(move || {
            let git = git()?;
            let facts = trees::inspect(&git, Path::new(&target))
                .map_err(|fault| usage(&fault.to_string(), "Choose another folder."))?;
            Ok(Response::Target { facts })
        })
        .await
    }

    async fn watch(&self, session: &SessionId, since: Seq) -> Result<Response, UserError> {
        let Some(handle) = self.handle(session) else {
            let folder = self.folder(session)?;
            return self.inner.views.watch(session, &folder, since, WATCH, MOST_ROWS).await;
        };
        let (mut state, mut trouble) = (handle.state(), handle.trouble());
        let ever = trouble.has_changed().unwrap_or(true);
        let news = async {
            let changed = async { state.wait_for(|state| since < state.seq).await.is_ok() };
            let in_trouble = async { trouble.wait_for(Option::is_some).await.is_ok() };
            let troubled = tokio::select! { _ = changed => false, _ = in_trouble => true };
            if troubled {
                tokio::time::sleep(TROUBLE).await;
            }
        };
        let _ = tokio::time::timeout(WATCH, news).await;
        let (mut rows, seq, row) = {
            let state = handle.state();
            let state = state.borrow();
            (state.rows(since), state.seq, state.session_row())
        };
        let trouble = handle.trouble().borrow().clone();
        // Once there was trouble, its end has to be told as well: no entry of the journal says it.
        if let (true, Some(mut row)) = (ever || trouble.is_some(), row) {
            rows.retain(|row| !matches!(row.body, RowBody::Session(_)));
            if let Some(trouble) = trouble {
                (row.phase, row.why) = (Phase::NeedsYou, format!("{trouble} {WAITS}"));
            }
            rows.push(Row { seq, key: "session".to_owned(), body: RowBody::Session(Box::new(row)) });
        }
        Ok(update(rows, seq, MOST_ROWS))
    }

    async fn timeline(&self, session: &SessionId, after: Seq, limit: u32) -> Result<Response, UserError> {
        let folder = self.folder(session)?;
        let state = match self.handle(session) {
            Some(handle) => handle.state().borrow().clone(),
            None => self.inner.views.state(session, &folder).await?,
        };
        blocking(move || {
            let limit = limit.clamp(1, 1000) as usize;
            let mut entries =
                journal::read_range(&folder, after, limit).map_err(|fault| journal_error(&fault))?;
            // What is in the file after that is not durable yet, and may be taken back.
            entries.retain(|entry| entry.seq <= state.seq);
            let seq = entries.last().map_or(after, |entry| entry.seq);
            let items = entries.iter().filter_map(|entry| domain::timeline(&state, entry)).collect();
            Ok(Response::Timeline { items, seq, more: seq < state.seq })
        })
        .await
    }

    async fn log(
        &self,
        session: &SessionId,
        worker: domain::WorkerId,
        from: u64,
    ) -> Result<Response, UserError> {
        let folder = self.folder(session)?;
        if self.handle(session).is_none() {
            // Somebody else runs it, and knows the secrets of its project.
            let state = self.state_of(session).await?;
            let target = state.opened.as_ref().map(|opened| Path::new(&opened.target));
            crate::secrets::learn(&session::known_secrets(&own_env(), &self.inner.settings, target));
        }
        let (bytes, size) = sessions::raw(&folder, worker, from, LOG_PAGE).map_err(|fault| {
            usage(&format!("there is no log of {worker}: {fault}"), "Look at `status` for its workers.")
        })?;
        let next = from + bytes.len() as u64;
        // A worker that has ended has none left in its raw log.
        let text = String::from_utf8_lossy(&bytes);
        Ok(Response::Log { text: agents::visible(&crate::secrets::redact(&text)), next, size })
    }

    async fn state_of(&self, session: &SessionId) -> Result<State, UserError> {
        match self.handle(session) {
            Some(handle) => Ok(handle.state().borrow().clone()),
            None => self.inner.views.state(session, &self.folder(session)?).await,
        }
    }

    async fn trees<T: Send + 'static>(
        &self,
        session: &SessionId,
        look: impl FnOnce(&Trees, &State) -> Result<T, trees::TreeError> + Send + 'static,
    ) -> Result<T, UserError> {
        let (folder, state) = (self.folder(session)?, self.state_of(session).await?);
        blocking(move || {
            let opened =
                state.opened.as_ref().ok_or_else(|| internal("the session is not open yet", "Try again."))?;
            let said = |fault: trees::TreeError| internal(&fault.to_string(), "Look at the repository.");
            let trees =
                Trees::open(&git()?, Path::new(&opened.target), &folder, &opened.session, &opened.trees);
            look(&trees.map_err(said)?, &state).map_err(said)
        })
        .await
    }

    async fn diff(&self, session: &SessionId, task: Option<domain::TaskId>) -> Result<Response, UserError> {
        self.trees(session, move |trees, state| {
            let (from, to) = match task.as_ref().map(|task| state.task(task)) {
                None => (
                    state.opened.as_ref().map(|opened| opened.trees.base().clone()),
                    Some(state.head.clone()),
                ),
                Some(found) => {
                    let snapshot = found
                        .and_then(|task| task.course.snapshot.as_ref().map(|(commit, _)| commit.clone()));
                    (found.map(|task| task.base.clone()), snapshot)
                }
            };
            let (Some(from), Some(to)) = (from, to) else {
                return Ok(Response::Diff { text: String::new(), files: Vec::new() });
            };
            let diff = trees.diff(&from, &to, &[])?;
            Ok(Response::Diff { text: diff.text, files: diff.files })
        })
        .await
    }

    async fn dry_run(&self, session: &SessionId) -> Result<Response, UserError> {
        self.trees(session, |trees, _| Ok(Response::DryRun { facts: trees.dry_run()? })).await
    }

    async fn act(&self, session: &SessionId, act: Act) -> Result<Response, UserError> {
        if let Some(handle) = self.handle(session) {
            handle.act(act, Actor::Person).await?;
            return Ok(Response::Accepted);
        }
        let folder = self.folder(session)?;
        if journal::is_held(&folder) {
            session::forward(&folder, &act).await?;
            return Ok(Response::Accepted);
        }
        if matches!(act, Act::Pause | Act::Unpause | Act::Stop { .. } | Act::Review { .. }) {
            return Err(usage("nobody runs this session", "Resume it first with `orchestrate resume`."));
        }
        self.resume(session).await?;
        match self.handle(session) {
            Some(handle) => handle.act(act, Actor::Person).await.map(|()| Response::Accepted),
            None => Err(internal("the session closed at once", "Look at its log.")),
        }
    }
}

/// At most `most` rows, and the cursor that fits them.
pub(crate) fn update(mut rows: Vec<Row>, seq: Seq, most: usize) -> Response {
    let seq = match rows.get(most) {
        // The next page begins with the first row that was left out, so no row of the same entry is lost.
        Some(next) => Seq(next.seq.0.saturating_sub(1)),
        None => seq,
    };
    rows.retain(|row| row.seq <= seq);
    Response::Update { seq, rows }
}

pub(crate) fn git() -> Result<Git, UserError> {
    Git::find().map_err(|fault| UserError {
        code: ErrorCode::Preflight,
        message: fault.to_string(),
        hint: "Install git 2.38 or newer.".to_owned(),
    })
}

pub(crate) fn journal_error(fault: &JournalError) -> UserError {
    let (code, hint) = match fault {
        JournalError::Busy => {
            (ErrorCode::Busy, "Use its commands (`pause`, `stop`, `answer`), or end it there.")
        }
        JournalError::Damaged { .. } => {
            (ErrorCode::Internal, "`orchestrate replay` shows what can still be read.")
        }
        JournalError::Newer { .. } => (ErrorCode::Internal, "Update this program."),
        JournalError::Exists { .. }
        | JournalError::Missing { .. }
        | JournalError::OutOfOrder { .. }
        | JournalError::TooLarge { .. }
        | JournalError::Io { .. } => (ErrorCode::Internal, "Nothing was lost; try again when it is mended."),
    };
    let text = fault.to_string();
    // Its own advice, after the semicolon, is in the hint.
    let message = match fault {
        JournalError::Busy => text.split_once("; ").map_or(text.as_str(), |(message, _)| message).to_owned(),
        JournalError::Damaged { .. }
        | JournalError::Newer { .. }
        | JournalError::Exists { .. }
        | JournalError::Missing { .. }
        | JournalError::OutOfOrder { .. }
        | JournalError::TooLarge { .. }
        | JournalError::Io { .. } => text,
    };
    UserError { code, message, hint: hint.to_owned() }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UserError> + Send + 'static,
) -> Result<T, UserError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(fault) => Err(internal(&format!("an error in the program: {fault}"), "Please report it.")),
    }
}

fn no_project(target: &str, fault: &std::io::Error) -> UserError {
    usage(
        &format!("the project folder {target} cannot be opened: {fault}"),
        "Give the project folder with -C DIR.",
    )
}
