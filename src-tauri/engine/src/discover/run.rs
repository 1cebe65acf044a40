//! Short questions to programs (`--version`): bounded in time and output, no stdin, nothing left running.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Most bytes that are kept of each stream.
const MOST_BYTES: usize = 1 << 20;
/// How often a running program is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// How a question was answered.
#[derive(Debug)]
pub(super) enum Ran {
    /// The program ended by itself.
    Ended {
        /// Exit code; `None` when a signal ended it.
        code: Option<i32>,
        /// At most 1 MiB.
        stdout: Vec<u8>,
        /// At most 1 MiB.
        stderr: Vec<u8>,
    },
    /// It did not end in time, used no processor time either, and was killed with its process group.
    Hung,
    /// It could not be started.
    NotStarted(io::Error),
}

/// How long a program that is computing, on a busy machine, is waited for beyond its time.
const MOST_PATIENCE: Duration = Duration::from_secs(40);
/// A program that used no processor time for this long, and waits neither for a processor nor for a disk, is not computing.
const IDLE: Duration = Duration::from_secs(1);

/// Runs a program with exactly this environment, in the file system's root so that no project's files steer it.
pub(super) fn run(program: &Path, args: &[&str], env: &BTreeMap<String, String>, timeout: Duration) -> Ran {
    let mut command = Command::new(program);
    command.args(args).env_clear().envs(env).current_dir(neutral());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let began = Instant::now();
    let mut child = match spawn(&mut command) {
        Ok(child) => child,
        Err(error) => return Ran::NotStarted(error),
    };
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let mut busy = Busy::default();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < timeout || busy.is_it(child.id(), began) => thread::sleep(PAUSE),
            Ok(None) | Err(_) => {
                kill(&mut child);
                return Ran::Hung;
            }
        }
    };
    // What it left behind in its group holds our pipes and would keep running.
    let deadline = Instant::now() + IDLE;
    let (stdout, stderr) = (all(stdout, deadline), all(stderr, deadline));
    kill_group(&child);
    Ran::Ended { code: status.code(), stdout, stderr }
}

/// Tells a slow program from one that hangs: a node program needs many seconds to start on a machine that is busy
/// with builds, and must not be taken for broken.
#[derive(Default)]
struct Busy {
    used: Option<u64>,
    since: Option<Instant>,
}

impl Busy {
    /// Whether the process used processor time within the last [`IDLE`], and [`MOST_PATIENCE`] is not used up.
    fn is_it(&mut self, pid: u32, began: Instant) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let used = processor_time(&stat);
        // On a machine that is short of processors or memory the first pages of a program may take seconds.
        if used.is_some() && (used != self.used || wants_to_run(&stat)) {
            (self.used, self.since) = (used, Some(Instant::now()));
        }
        began.elapsed() < MOST_PATIENCE && self.since.is_some_and(|since| since.elapsed() < IDLE)
    }
}

/// Whether a process is running or ready to (R), or waits for a disk (D); see proc(5).
fn wants_to_run(stat: &str) -> bool {
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['R', 'D']))
}

/// Clock ticks that a process has used; `None` where the system does not tell.
fn processor_time(stat: &str) -> Option<u64> {
    // The name in brackets may hold anything; user and system time are fields 14 and 15, see proc(5).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// A script that was written a moment ago may still be open for writing in a process that another thread is just
/// forking (ETXTBSY); that passes.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < 20 => {
                tries += 1;
                thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn neutral() -> &'static Path {
    Path::new(if cfg!(windows) { "C:\\" } else { "/" })
}

/// Reads a stream on a thread of its own, which ends with the stream.
fn collect(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn all(stream: Option<mpsc::Receiver<Vec<u8>>>, deadline: Instant) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(stream) = stream else { return bytes };
    while let Ok(part) = stream.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        let room = MOST_BYTES - bytes.len();
        bytes.extend_from_slice(&part[..part.len().min(room)]);
        if bytes.len() == MOST_BYTES {
            break;
        }
    }
    bytes
}

fn kill(child: &mut Child) {
    kill_group(child);
    // Both fail only when it has ended meanwhile.
    child.kill().ok();
    child.wait().ok();
}

#[cfg(unix)]
fn kill_group(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        kill_process_group(pid, Signal::KILL).ok();
    }
}

#[cfg(not(unix))]
fn kill_group(_: &Child) {}

/// What a program of the system answers; `None` when it cannot be run, hangs or fails.
pub(crate) fn answer(
    program: &Path,
    args: &[&str],
    env: &BTreeMap<String, String>,
    timeout: Duration,
) -> Option<String> {
    match run(program, args, env, timeout) {
        Ran::Ended { code: Some(0), stdout, .. } => Some(String::from_utf8_lossy(&stdout).trim().to_owned()),
        Ran::Ended { .. } | Ran::Hung | Ran::NotStarted(_) => None,
    }
}
