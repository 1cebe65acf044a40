//! Starting workers, and what can be done to one that runs.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use domain::{Exit, ExitCause, ProcessIdentity};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot, watch};

use super::order::{self, Order, Said};
#[cfg(windows)]
use super::platform::Control;
use super::spec::{COOKIE, SpawnError, Spec};
use super::table::Process;
#[cfg(unix)]
use super::unix::Control;
use super::{ExitRecord, TreeUsage, platform, sweep};
use crate::private;
use crate::weakness::{self, Weakness};

/// Processes that are being started at the same time (SUPERVISION section 3).
const IN_FLIGHT: usize = 4;
/// First pause before a start is tried again that the system had no room for; doubled each time.
const RETRY: Duration = Duration::from_millis(50);
/// Tries of one start: about six seconds in all.
const TRIES: u32 = 8;

/// Starts processes, each under a guardian of its own.
///
/// All are forked by one thread that lives as long as this value: a parent-death signal fires when the *thread* that
/// forked ends, and a fork never holds up the runtime.
#[derive(Clone, Debug)]
pub struct Processes {
    requests: mpsc::Sender<Request>,
    in_flight: Arc<Semaphore>,
}

#[derive(Debug)]
struct Request {
    spec: Arc<Spec>,
    answer: oneshot::Sender<Result<Running, SpawnError>>,
}

impl Processes {
    /// Begins. A guardian is `program` with `leading` arguments before its own: `orchestrate` and `guardian`.
    /// Must be called within a tokio runtime; processes end with it.
    ///
    /// # Errors
    /// [`SpawnError::Guardian`] when the system refuses a thread.
    pub fn new(program: PathBuf, leading: Vec<OsString>) -> Result<Self, SpawnError> {
        let (requests, received) = mpsc::channel::<Request>();
        let runtime = Handle::current();
        let name = program.display().to_string();
        let serve = move || {
            let _in_runtime = runtime.enter();
            for request in received {
                let started = start(&program, &leading, &request.spec, &runtime);
                // Nobody waits for it any more: then it is dropped, and its guardian takes it down.
                let _ = request.answer.send(started);
            }
        };
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(serve)
            .map_err(|error| SpawnError::Guardian { program: name, why: error.to_string() })?;
        Ok(Self { requests, in_flight: Arc::new(Semaphore::new(IN_FLIGHT)) })
    }

    /// Starts a process. A program that cannot be started shows in its end, as [`ExitCause::NotStarted`].
    ///
    /// # Errors
    /// [`SpawnError`].
    pub async fn spawn(&self, spec: Spec) -> Result<Running, SpawnError> {
        let (spec, mut pause) = (Arc::new(spec), RETRY);
        let _permit = self.in_flight.acquire().await.map_err(|_| SpawnError::ShuttingDown)?;
        for _ in 1..TRIES {
            match self.request(&spec).await {
                Err(SpawnError::Busy { .. }) => tokio::time::sleep(pause).await,
                done => return done,
            }
            pause *= 2;
        }
        self.request(&spec).await
    }

    async fn request(&self, spec: &Arc<Spec>) -> Result<Running, SpawnError> {
        let (answer, answered) = oneshot::channel();
        let request = Request { spec: Arc::clone(spec), answer };
        self.requests.send(request).map_err(|_| SpawnError::ShuttingDown)?;
        answered.await.map_err(|_| SpawnError::ShuttingDown)?
    }
}

/// A process under its guardian. When the last clone is dropped, the guardian takes the process down
/// ([`ExitCause::Orphaned`]), as it does when this program dies.
#[derive(Clone, Debug)]
pub struct Running {
    identity: ProcessIdentity,
    line: Arc<Mutex<ControlLine>>,
    ended: Ended,
}

/// Both directions of the talk with a guardian.
#[derive(Debug)]
struct ControlLine {
    control: Control,
    said: Said<TreeUsage>,
    usage: TreeUsage,
}

/// Tells when a process has ended, without keeping it alive.
#[derive(Clone, Debug)]
pub struct Ended(watch::Receiver<Option<Arc<ExitRecord>>>);

impl Ended {
    /// Of something that ended before: for reading a stream that is complete.
    #[must_use]
    pub fn already(record: ExitRecord) -> Self {
        Self(watch::channel(Some(Arc::new(record))).1)
    }

    /// The record, once there is one: the process and all it started are gone then.
    #[must_use]
    pub fn record(&self) -> Option<Arc<ExitRecord>> {
        self.0.borrow().clone()
    }

    /// Waits for the end.
    pub async fn wait(&self) -> Arc<ExitRecord> {
        let mut receiver = self.0.clone();
        let record = receiver.wait_for(Option::is_some).await.ok().and_then(|record| record.clone());
        record.unwrap_or_else(|| {
            // The runtime is going down and took the one who waits for the guardian with it.
            let exit = Exit { code: None, signal: None, cause: ExitCause::Orphaned };
            Arc::new(ExitRecord::without(exit, "the program was shutting down".to_owned()))
        })
    }
}

impl Running {
    /// What identifies it also after our own death: the guardian's pid, its start time, and the boot.
    #[must_use]
    pub fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Asks the process to leave (SIGTERM to itself alone), and kills its tree when the grace is over. Returns at
    /// once; the guardian sees to the rest. `cause` is what the exit will say, unless it was stopped before.
    pub fn stop(&self, grace: Duration, cause: ExitCause) {
        self.stop_by(false, grace, cause);
    }

    /// The same by SIGINT, for CLIs that save their state on it.
    pub fn interrupt(&self, grace: Duration, cause: ExitCause) {
        self.stop_by(true, grace, cause);
    }

    /// Kills the whole tree.
    pub fn stop_now(&self, cause: ExitCause) {
        self.order(Order::Kill { cause });
    }

    /// Stops the whole tree from running.
    pub fn freeze(&self) {
        self.order(Order::Freeze);
    }

    /// Lets it run again.
    pub fn thaw(&self) {
        self.order(Order::Thaw);
    }

    /// Waits until it and all it started are gone.
    pub async fn ended(&self) -> Exit {
        self.ended.wait().await.exit.clone()
    }

    /// For those who wait for the end without keeping it alive.
    #[must_use]
    pub fn end(&self) -> Ended {
        self.ended.clone()
    }

    /// What it and all it started use, as its guardian told it within the last second or so; nothing changed since.
    #[must_use]
    pub fn usage(&self) -> TreeUsage {
        let mut line = self.line();
        let ControlLine { control, said, usage } = &mut *line;
        if let Some(newest) = said.feed(&control.received()).pop() {
            *usage = newest;
        }
        *usage
    }

    /// Processor time of its whole tree so far: a silent process whose time grows is at work.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        let Some(own) = self.guardian() else { return Duration::ZERO };
        platform::tree(own.pid).iter().fold(own.cpu, |sum, process| sum + process.cpu)
    }

    fn line(&self) -> MutexGuard<'_, ControlLine> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guardian(&self) -> Option<Process> {
        platform::find(self.identity.pid).filter(|found| found.started == self.identity.started)
    }

    fn stop_by(&self, interrupt: bool, grace: Duration, cause: ExitCause) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.order(Order::Stop { interrupt, grace_ms, cause });
    }

    fn order(&self, order: Order) {
        // A guardian that is gone needs no orders.
        let _ = self.line().control.send(&order::line(&order));
        // Without a sandbox its worker could have stopped it.
        let _ = self.guardian().map(|guardian| platform::wake(&guardian));
    }
}

fn start(program: &Path, leading: &[OsString], spec: &Spec, runtime: &Handle) -> Result<Running, SpawnError> {
    let refused = |error: std::io::Error| {
        let (program, why) = (program.display().to_string(), error.to_string());
        if is_passing(&error) {
            SpawnError::Busy { program, why }
        } else {
            SpawnError::Guardian { program, why }
        }
    };
    let (orders, control) = Control::pair().map_err(refused)?;
    // For control runs: a guardian that holds the app's end itself never comes to the end of the line.
    let kept =
        weakness::has(Weakness::NoGuardian).then(|| control.inherited()).transpose().map_err(refused)?;
    let mut command = std::process::Command::new(program);
    command.args(leading).args(arguments(spec));
    command.env_clear().envs(&spec.env).env(COOKIE, &spec.cookie).current_dir("/");
    command.stdin(orders).stdout(output(&spec.stdout)?).stderr(output(&spec.stderr)?);
    #[cfg(unix)]
    super::unix::detach(&mut command, kept.is_none());
    match std::fs::remove_file(&spec.record) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(SpawnError::file(&spec.record, &error));
        }
        Ok(()) | Err(_) => {}
    }
    let guardian = tokio::process::Command::from(command).spawn().map_err(refused)?;
    drop(kept);
    let pid = guardian.id().unwrap_or(0);
    // Nobody has waited for it yet, so this is the one even if it has ended already.
    let started = platform::find(pid).map_or(0, |found| found.started);
    let (tell, ended) = watch::channel(None);
    let (record, cookie) = (spec.record.clone(), spec.cookie.clone());
    runtime.spawn(async move {
        tell.send_replace(Some(Arc::new(end_of(guardian, &record, cookie).await)));
    });
    Ok(Running {
        identity: ProcessIdentity { pid, started, boot: platform::boot() },
        line: Arc::new(Mutex::new(ControlLine {
            control,
            said: Said::default(),
            usage: TreeUsage::default(),
        })),
        ended: Ended(ended),
    })
}

/// What a guardian is told of its worker.
pub(crate) fn arguments(spec: &Spec) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--record".into(), spec.record.clone().into()];
    args.extend(["--cwd".into(), spec.cwd.clone().into()]);
    args.extend(spec.stdin.iter().flat_map(|stdin| ["--stdin".into(), stdin.clone().into()]));
    args.extend(spec.sandboxed.then(|| "--sandboxed".into()));
    args.extend(["--caps".into(), serde_json::to_string(&spec.caps).unwrap_or_default().into()]);
    args.extend(["--".into(), spec.program.clone().into()]);
    args.extend(spec.args.iter().cloned());
    args
}

/// Too many processes, no memory for one more, or a program that is just being replaced: it is worth another try.
pub(super) fn is_passing(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ExecutableFileBusy, OutOfMemory, WouldBlock};
    matches!(error.kind(), WouldBlock | OutOfMemory | ExecutableFileBusy)
}

fn output(path: &Path) -> Result<File, SpawnError> {
    private::options().append(true).create(true).open(path).map_err(|error| SpawnError::file(path, &error))
}

/// Waits for a guardian and reads what it left. One that left nothing was killed: then nobody watched over its
/// worker any more, and what carries the cookie is killed from here.
async fn end_of(mut guardian: Child, record: &Path, cookie: String) -> ExitRecord {
    let status = guardian.wait().await;
    let why = match (ExitRecord::read(record), &status) {
        (Ok(Some(record)), _) => return record,
        (Ok(None), Ok(status)) => format!("its guardian ended without a record ({status})"),
        (Ok(None), Err(error)) => format!("its guardian could not be waited for: {error}"),
        (Err(error), _) => format!("its guardian left no readable record: {error}"),
    };
    // On a thread for blocking work: it reads every process's environment.
    let swept = tokio::task::spawn_blocking(move || sweep(&[], &[cookie])).await.unwrap_or_default();
    let exit = Exit { code: None, signal: None, cause: ExitCause::Left };
    let killed = u32::try_from(swept.killed.len()).unwrap_or(u32::MAX);
    ExitRecord { killed, left: swept.left, ..ExitRecord::without(exit, why) }
}
