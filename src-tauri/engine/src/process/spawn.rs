//! Starting workers, and what can be done to one that runs.

use std::ffi::OsString;
use std::fs::File;
use std::io::{PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use domain::{Exit, ExitCause, ProcessIdentity};
use tokio::process::Child;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::order::Order;
use super::spec::{COOKIE, SpawnError, Spec};
use super::table::{Process, descendants};
use super::{ExitRecord, platform, sweep};
use crate::private;
use crate::weakness::{self, Weakness};

/// Starts processes, each under a guardian of its own.
///
/// All are forked by one thread that lives as long as this value: a parent-death signal fires when the *thread* that
/// forked ends, and a fork never holds up the runtime.
#[derive(Clone, Debug)]
pub struct Processes {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    spec: Spec,
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
        Ok(Self { requests })
    }

    /// Starts a process. A program that cannot be started shows in its end, as [`ExitCause::NotStarted`].
    ///
    /// # Errors
    /// [`SpawnError`].
    pub async fn spawn(&self, spec: Spec) -> Result<Running, SpawnError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { spec, answer }).map_err(|_| SpawnError::ShuttingDown)?;
        answered.await.map_err(|_| SpawnError::ShuttingDown)?
    }
}

/// A process under its guardian. When the last clone is dropped, the guardian takes the process down
/// ([`ExitCause::Orphaned`]), as it does when this program dies.
#[derive(Clone, Debug)]
pub struct Running {
    identity: ProcessIdentity,
    control: Arc<Mutex<PipeWriter>>,
    ended: Ended,
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

    /// Processor time of its whole tree so far: a silent process whose time grows is at work.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        let Some(own) = self.guardian() else { return Duration::ZERO };
        descendants(platform::table(), own.pid).iter().fold(own.cpu, |sum, process| sum + process.cpu)
    }

    fn guardian(&self) -> Option<Process> {
        platform::find(self.identity.pid).filter(|found| found.started == self.identity.started)
    }

    fn stop_by(&self, interrupt: bool, grace: Duration, cause: ExitCause) {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.order(Order::Stop { interrupt, grace_ms, cause });
    }

    fn order(&self, order: Order) {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        // A guardian that is gone needs no orders.
        let _ = control.write_all(&order.line());
        // Without a sandbox its worker could have stopped it.
        let _ = self.guardian().map(|guardian| platform::wake(&guardian));
    }
}

fn start(program: &Path, leading: &[OsString], spec: &Spec, runtime: &Handle) -> Result<Running, SpawnError> {
    let refused = |error: std::io::Error| SpawnError::Guardian {
        program: program.display().to_string(),
        why: error.to_string(),
    };
    let (orders, control) = std::io::pipe().map_err(refused)?;
    let orders = if weakness::has(Weakness::NoGuardian) {
        Stdio::from(platform::endless(&orders).map_err(refused)?)
    } else {
        Stdio::from(orders)
    };
    let mut command = std::process::Command::new(program);
    command.args(leading).args(arguments(spec));
    command.env_clear().envs(&spec.env).env(COOKIE, &spec.cookie).current_dir("/");
    command.stdin(orders).stdout(output(&spec.stdout)?).stderr(output(&spec.stderr)?);
    #[cfg(unix)]
    super::unix::detach(&mut command);
    match std::fs::remove_file(&spec.record) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(SpawnError::file(&spec.record, &error));
        }
        Ok(()) | Err(_) => {}
    }
    let guardian = tokio::process::Command::from(command).spawn().map_err(refused)?;
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
        control: Arc::new(Mutex::new(control)),
        ended: Ended(ended),
    })
}

fn arguments(spec: &Spec) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec!["--record".into(), spec.record.clone().into()];
    args.extend(["--cwd".into(), spec.cwd.clone().into()]);
    args.extend(spec.stdin.iter().flat_map(|stdin| ["--stdin".into(), stdin.clone().into()]));
    args.extend(spec.wall.iter().flat_map(|wall| ["--wall-ms".into(), wall.as_millis().to_string().into()]));
    args.extend(["--".into(), spec.program.clone().into()]);
    args.extend(spec.args.iter().cloned());
    args
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
