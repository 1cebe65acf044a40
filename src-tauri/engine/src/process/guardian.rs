//! The guardian: one small process per worker that outlives the app by as long as it takes to clean up.
//!
//! No runtime, one thread. It may wait for any child (`waitpid(-1)`), which the app never does.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use domain::{Exit, ExitCause};
use rustix::process::{Pid, Signal};

use super::caps::millis;
use super::cgroup::Cgroup;
use super::inside::Filters;
use super::spawn::is_passing;
use super::watch::{Watch, app_is_gone};
use super::{Caps, ExitRecord, Limited, TreeUsage, clock, meter, platform, unix};

/// First pause before a start is tried again that the system had no room for, and how often the pause is doubled:
/// about six seconds in all.
const RETRY: Duration = Duration::from_millis(50);
const RETRIES: u32 = 7;

/// Runs as a guardian until the worker and all it started are gone, and leaves the exit record. Arguments:
/// `--record FILE [--stdin FILE] [--cwd DIR] [--caps JSON] [--sandboxed] -- PROGRAM ARGUMENT…`; standard input is the control line,
/// standard output and error are the worker's and are never written to.
///
/// Gives the exit status: 0 when the record is written, 1 when not, 2 for wrong arguments.
#[must_use]
pub fn guardian_main(args: &[OsString]) -> u8 {
    std::panic::set_hook(Box::new(|_| {}));
    let Some(charge) = Charge::read(args) else { return 2 };
    let record = charge.run();
    u8::from(record.write(&charge.record).is_err())
}

/// What a guardian is there for.
#[derive(Debug, Default)]
struct Charge {
    record: PathBuf,
    stdin: Option<PathBuf>,
    cwd: Option<PathBuf>,
    caps: Caps,
    sandboxed: bool,
    command: Vec<OsString>,
}

impl Charge {
    fn read(args: &[OsString]) -> Option<Self> {
        let mut charge = Self::default();
        let mut args = args.iter();
        while let Some(name) = args.next() {
            let name = name.to_str()?;
            if name == "--" {
                charge.command = args.cloned().collect();
                return (!charge.command.is_empty() && charge.record.is_absolute()).then_some(charge);
            }
            if name == "--sandboxed" {
                charge.sandboxed = true;
                continue;
            }
            let value = args.next()?;
            match name {
                "--record" => charge.record = value.into(),
                "--stdin" => charge.stdin = Some(value.into()),
                "--cwd" => charge.cwd = Some(value.into()),
                "--caps" => charge.caps = serde_json::from_str(value.to_str()?).ok()?,
                _ => return None,
            }
        }
        None
    }

    fn run(&self) -> ExitRecord {
        let began = clock::now();
        // Done already when the app started this; a person who starts it by hand gets the same.
        let _ = rustix::process::setsid();
        // Before a worker that takes every processor, where the system lets us.
        let _ = rustix::process::setpriority_process(None, -5);
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        unix::outlive_signals();
        let adopts = platform::adopt_orphans();
        let mut group =
            Some(self.caps.groups).filter(|wanted| *wanted).and_then(|_| Cgroup::make(&self.caps));
        let worker = match self.start(group.as_ref()) {
            Ok(worker) => worker,
            Err(why) => return why,
        };
        if let Some(group) = &mut group {
            group.keep_joined(worker.as_raw_nonzero().get().unsigned_abs());
        }
        let mut watch = Watch::new(worker, self.caps, group, self.sandboxed);
        watch.until_over();
        let (killed, left) = watch.clear();
        let (user, system, peak_rss_kib) = unix::usage_of_children();
        let why = self.why(&mut watch, peak_rss_kib);
        let odd =
            [why, meter::stuck(&left), adopts.err().map(|e| format!("orphans could not be adopted: {e}"))];
        let odd: Vec<String> = odd.into_iter().flatten().collect();
        ExitRecord {
            exit: watch.exit(),
            why: (!odd.is_empty()).then(|| odd.join("; ")),
            wall_ms: millis(clock::now().saturating_sub(began)),
            user_ms: millis(user),
            system_ms: millis(system),
            peak_rss_kib,
            output_bytes: unix::size_of_output(),
            killed,
            left: left.iter().map(|process| process.pid).collect(),
        }
    }

    /// Which limit ended it. The kernel may have been faster than we: then that shows only now.
    fn why(&self, watch: &mut Watch, peak_rss_kib: u64) -> Option<String> {
        let failed = watch.status.is_some_and(|status| status.exit_status() != Some(0));
        if watch.why.is_none() && watch.cause.is_none() && failed {
            let by_file = watch.exit().signal == Some(Signal::XFSZ.as_raw());
            let peak = peak_rss_kib * 1024;
            watch.why = if let Some(most) = self.caps.file.filter(|_| by_file) {
                Some(format!("file size: more than {} MiB", most >> 20))
            } else if let Some(why) = watch.refused() {
                Some(why)
            } else if self.caps.memory.is_some_and(|most| most < peak) {
                let memory = peak.max(self.caps.memory.unwrap_or_default());
                let usage = TreeUsage { memory, ..TreeUsage::default() };
                Some(self.caps.words(&usage, Limited::Memory))
            } else {
                None
            };
            watch.cause = watch.why.is_some().then_some(ExitCause::Limit);
        }
        watch.why.take()
    }

    /// Starts the worker, or says what became of it instead.
    fn start(&self, group: Option<&Cgroup>) -> Result<Pid, ExitRecord> {
        let record = |cause, why| {
            let exit = Exit { code: None, signal: None, cause };
            ExitRecord::without(exit, why)
        };
        let mut pause = RETRY;
        for tries in 0.. {
            if app_is_gone() {
                // Killed between the spawn and now: nothing was tried, so nothing failed.
                let why = "the app was gone before it could be started".to_owned();
                return Err(record(ExitCause::Orphaned, why));
            }
            match self.spawn(group) {
                Ok(child) => return place(&child).map_err(|why| record(ExitCause::NotStarted, why)),
                Err((why, true)) if RETRIES <= tries => return Err(record(ExitCause::NotStarted, why)),
                Err((_, true)) => std::thread::sleep(pause),
                Err((why, false)) => return Err(record(ExitCause::NotStarted, why)),
            }
            pause *= 2;
        }
        Err(record(ExitCause::NotStarted, String::new()))
    }

    /// One try; true when the system had no room just now.
    fn spawn(&self, group: Option<&Cgroup>) -> Result<Child, (String, bool)> {
        let program = self.command.first().map_or(OsStr::new(""), OsString::as_os_str);
        let cannot = |what: &OsStr, error: std::io::Error| {
            (format!("{}: {error}", what.display()), is_passing(&error))
        };
        let stdin = match &self.stdin {
            Some(path) => File::open(path).map_err(|error| cannot(path.as_os_str(), error))?.into(),
            None => Stdio::null(),
        };
        let mut command = Command::new(program);
        let filters =
            if self.sandboxed { Filters::open().map_err(|why| (why, false))? } else { Filters::default() };
        command.args(&filters.args).args(&self.command[1..]).stdin(stdin);
        if let Some(cwd) = &self.cwd {
            // A missing folder would be reported as a missing program.
            if !cwd.is_dir() {
                return Err((format!("{}: the folder to work in is not there", cwd.display()), false));
            }
            command.current_dir(cwd);
        }
        let doors = group.map(Cgroup::doors).unwrap_or_default();
        unix::prepare_worker(&mut command, doors, &self.caps, filters.files);
        command.spawn().map_err(|error| cannot(program, error))
    }
}

/// Makes a new worker the first to go when the system's memory is short.
fn place(child: &Child) -> Result<Pid, String> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("no pid")?;
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), "500");
    Ok(pid)
}
