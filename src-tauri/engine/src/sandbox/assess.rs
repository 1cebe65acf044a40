//! The self-test: what a sandbox has to hold is tried once, for real, through the guardian and the profile that workers
//! get (SANDBOX section 8). Any miss, and it is none.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use domain::{Level, NetworkRule, SandboxReport, SandboxRules};
use sha2::{Digest, Sha256};

use super::probe::{Found, Wanted};
use super::wrap::{Needs, Sandbox, Start};
use crate::discover::Environment;
use crate::private;
use crate::process::{Caps, Spec, guardian_arguments, tree_below};

/// The system's own: where a system restricts user namespaces, its profile names this path alone.
const BWRAP: &str = "/usr/bin/bwrap";
/// How long the probe may take to tell what it found; commonly 50 ms, and much longer on a machine that builds meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may live on without its guardian; commonly 5 ms.
const GONE: Duration = Duration::from_secs(5);

/// Tries the sandbox that these rules make: what it holds, and where `bwrap` is. `place` is where the test may make a folder:
/// best where sessions are.
pub fn assess(
    orchestrate: &Path,
    rules: &SandboxRules,
    env: &Environment,
    place: &Path,
) -> (SandboxReport, PathBuf) {
    let began = Instant::now();
    let bwrap = find(env);
    let start = |level: Level| Start {
        report: SandboxReport { level, ..SandboxReport::default() },
        bwrap: bwrap.clone().unwrap_or_default(),
        orchestrate: orchestrate.to_owned(),
        rules: rules.clone(),
        session: PathBuf::new(),
        target: PathBuf::new(),
        proxy: None,
    };
    let wanted = match rules.network {
        NetworkRule::Open => Level::L2,
        NetworkRule::AllowList => Level::L3,
    };
    let mut first = match &bwrap {
        _ if crate::doctor::is_root() => {
            Tried::not("you are root, whom no sandbox holds; start the program as an ordinary user")
        }
        None => Tried::not("bwrap was not found; install bubblewrap"),
        Some(bwrap) => tried(&version(bwrap), start(wanted), env, place),
    };
    let second = (!first.misses.is_empty() && !crate::doctor::is_root())
        .then(|| tried(&landlock(), start(Level::L1), env, place));
    let level = level(wanted, &first, second.as_ref());
    if let Some(second) = second {
        if level == Level::L1 {
            first = Tried { misses: first.misses, ..second };
        } else {
            first.misses.extend(second.misses.iter().map(|why| format!("with Landlock alone: {why}")));
        }
    }
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Tried { by, fingerprint, misses } = first;
    (SandboxReport { level, by, fingerprint, misses, took_ms }, bwrap.unwrap_or_default())
}

/// How one way to confine did in its test.
#[derive(Clone, Debug, Default)]
struct Tried {
    by: String,
    fingerprint: String,
    misses: Vec<String>,
}

impl Tried {
    fn not(why: &str) -> Self {
        Self { misses: vec![why.to_owned()], ..Self::default() }
    }
}

/// What holds: all of bubblewrap, or all that Landlock is asked for, or nothing.
fn level(wanted: Level, bubblewrap: &Tried, landlock: Option<&Tried>) -> Level {
    match landlock {
        _ if bubblewrap.misses.is_empty() => wanted,
        Some(tried) if tried.misses.is_empty() => Level::L1,
        Some(_) | None => Level::L0,
    }
}

/// What it is called in reports.
fn landlock() -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Landlock of Linux {}", domain::head(kernel.trim(), 60))
}

fn find(env: &Environment) -> Option<PathBuf> {
    let system = PathBuf::from(BWRAP);
    if system.is_file() {
        return Some(system);
    }
    let path = std::env::join_paths(crate::discover::search_path(env, None)).ok();
    which::which_in("bwrap", path, "/").ok()
}

fn version(bwrap: &Path) -> String {
    let said = Command::new(bwrap).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let said = said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default();
    if said.is_empty() { "bubblewrap".to_owned() } else { domain::head(&said, 100) }
}

/// Tests the sandbox that would be made so.
fn tried(by: &str, start: Start, env: &Environment, place: &Path) -> Tried {
    let tested = tested(by, start, env, place);
    let (fingerprint, misses) = tested
        .unwrap_or_else(|fault| (String::new(), vec![format!("the self-test could not be made: {fault}")]));
    Tried { by: by.to_owned(), fingerprint, misses }
}

/// What identifies the profile that was tried, and what did not hold.
fn tested(by: &str, start: Start, env: &Environment, place: &Path) -> io::Result<(String, Vec<String>)> {
    let place = if place.is_dir() { place.to_owned() } else { std::env::temp_dir() };
    let level = start.report.level;
    let trial = Trial::new(Scratch::new(&place)?, level)?;
    let session = trial.folder().to_owned();
    let start = Start { target: session.join("target"), session, ..start };
    let spec = trial.spec(&start, env)?;
    let fingerprint = fingerprint(&spec, trial.folder(), by);
    let misses = trial.run(&spec, &start.orchestrate, level)?;
    Ok((fingerprint, misses))
}

fn fingerprint(spec: &Spec, folder: &Path, version: &str) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let folder = folder.to_string_lossy();
    let mut sum = Sha256::new();
    for part in spec.args.iter().map(|arg| arg.to_string_lossy().replace(&*folder, "SESSION")) {
        sum.update(part.as_bytes());
        sum.update([0]);
    }
    for part in [version, kernel.trim(), env!("CARGO_PKG_VERSION")] {
        sum.update(part.as_bytes());
        sum.update([0]);
    }
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Folders, listeners and canaries of one test.
struct Trial {
    scratch: Scratch,
    wanted: Wanted,
    way_out: Option<UnixListener>,
    _listeners: (TcpListener, UnixListener),
}

impl Trial {
    fn new(scratch: Scratch, level: Level) -> io::Result<Self> {
        let at = |name: &str| scratch.0.join(name);
        for name in ["trees/t1", "target", "outside"] {
            private::folder(&at(name))?;
        }
        private::write(&at("outside/secret"), b"secret")?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let socket = bind(&at("outside"), "socket")?;
        let way_out = (level == Level::L3).then(|| bind(&scratch.0, "egress.sock"));
        let wanted = Wanted {
            inside: at("trees/t1"),
            outside: at("outside"),
            secret: at("outside/secret"),
            socket: at("outside/socket"),
            port: port.local_addr()?.port(),
        };
        Ok(Self { way_out: way_out.transpose()?, scratch, wanted, _listeners: (port, socket) })
    }

    fn folder(&self) -> &Path {
        &self.scratch.0
    }

    /// The probe as a worker, wrapped as one.
    fn spec(&self, start: &Start, env: &Environment) -> io::Result<Spec> {
        let at = |name: &str| self.folder().join(name);
        let names = ["HOME", "PATH", "LANG"];
        let env = names.into_iter().filter_map(|name| Some((name.into(), env.get(name)?.into()))).collect();
        let wanted = serde_json::to_string(&self.wanted)?;
        let spec = Spec {
            program: start.orchestrate.clone(),
            args: ["confined".into(), "probe".into(), wanted.into()].into(),
            env,
            cwd: self.wanted.inside.clone(),
            stdin: None,
            stdout: at("out"),
            stderr: at("err"),
            record: at("exit.json"),
            cookie: format!("sandbox-test/{}", uuid::Uuid::new_v4()),
            caps: Caps { processes: Some(512), groups: false, ..Caps::default() },
            sandboxed: false,
        };
        let needs =
            Needs { who: "test", worktree: self.wanted.inside.clone(), writes: true, ..Needs::default() };
        let socket = self.way_out.as_ref().map(|_| at("egress.sock"));
        Sandbox::new(start.clone()).wrap(spec, &needs, socket.as_deref())
    }

    /// Runs it under a guardian: what it could do, and whether it goes when its guardian is killed.
    fn run(&self, spec: &Spec, orchestrate: &Path, level: Level) -> io::Result<Vec<String>> {
        let (control, _kept) = UnixStream::pair()?;
        let mut command = Command::new(orchestrate);
        command.arg("guardian").args(guardian_arguments(spec)).env_clear().envs(&spec.env).current_dir("/");
        command.stdin(Stdio::from(OwnedFd::from(control)));
        command.stdout(File::create(&spec.stdout)?).stderr(File::create(&spec.stderr)?);
        let mut guardian = Guardian(command.spawn()?);
        let said = guardian.first_line(&spec.stdout)?;
        let Some(found) = said.and_then(|line| serde_json::from_str::<Found>(&line).ok()) else {
            return Ok(vec![self.why_nothing_runs(spec)]);
        };
        let inside = self.wanted.inside.join("inside").exists();
        let outside = self.wanted.outside.join("outside").exists();
        let mut misses = judge(&found, inside, outside, level);
        if !guardian.takes_all_with_it()? {
            misses.push("what runs in it outlives who started it".to_owned());
        }
        Ok(misses)
    }

    fn why_nothing_runs(&self, spec: &Spec) -> String {
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        let why = read(&spec.stderr);
        match why.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
            Some(line) => format!("nothing runs in it: {}", domain::head(line, 300)),
            None => "nothing runs in it".to_owned(),
        }
    }
}

/// As [`super::egress`] does it: an address is short, a folder is not.
fn bind(folder: &Path, name: &str) -> io::Result<UnixListener> {
    let folder = File::open(folder)?;
    UnixListener::bind(format!("/proc/self/fd/{}/{name}", std::os::fd::AsRawFd::as_raw_fd(&folder)))
}

/// What did not hold of what this level is to hold.
fn judge(found: &Found, inside: bool, outside: bool, level: Level) -> Vec<String> {
    let spaces = Level::L2 <= level;
    let all = [
        (!found.wrote_inside || !inside, "it cannot write where it may"),
        (found.wrote_outside || outside, "it can write outside"),
        (found.wrote_system, "it can write to the system"),
        (found.read_secret, "it can read the user's files"),
        (found.reached_socket && spaces, "it reaches the user's sockets"),
        (found.reached_port && level == Level::L3, "it reaches this machine's network"),
        (!found.no_new_privileges, "it can gain rights"),
        (!found.filtered, "its system calls are not filtered"),
        (found.capabilities, "it has rights of an administrator"),
        (4 < found.pid && spaces, "it sees other processes"),
    ];
    all.into_iter().filter(|(missed, _)| *missed).map(|(_, what)| what.to_owned()).collect()
}

struct Guardian(Child);

impl Guardian {
    /// The first line of its worker's output; `None` when it ends without one, or takes too long.
    fn first_line(&mut self, out: &Path) -> io::Result<Option<String>> {
        let until = Instant::now() + PATIENCE;
        loop {
            let over = self.0.try_wait()?.is_some();
            let text = fs::read_to_string(out)?;
            if let Some((line, _)) = text.split_once('\n') {
                return Ok(Some(line.to_owned()));
            }
            if over || until < Instant::now() {
                return Ok(None);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Kills it as a crash would, and sees whether all below it goes.
    fn takes_all_with_it(&mut self) -> io::Result<bool> {
        let below = tree_below(self.0.id());
        self.0.kill()?;
        self.0.wait()?;
        let until = Instant::now() + GONE;
        while below.iter().any(crate::process::is_alive) {
            if until < Instant::now() {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(2));
        }
        Ok(!below.is_empty())
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        // Both fail only when it has ended. What is below it goes with it, or was told of.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder for the test, gone with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new(place: &Path) -> io::Result<Self> {
        let folder = place.join(format!(".sandbox-test-{}", uuid::Uuid::new_v4()));
        private::folder(&folder)?;
        Ok(Self(folder.canonicalize()?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It holds a few files of ours.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the probe found, and what is made of it.
    #[test]
    fn what_a_self_test_comes_to() {
        let good = || Found {
            wrote_inside: true,
            no_new_privileges: true,
            filtered: true,
            pid: 2,
            ..Found::default()
        };
        let check = |change: fn(&mut Found), files: (bool, bool), level: Level, missed: &[&str]| {
            let mut found = good();
            change(&mut found);
            assert_eq!(judge(&found, files.0, files.1, level), missed, "{found:?}");
        };
        let fine = (true, false);
        check(|_| {}, fine, Level::L3, &[]);
        check(|_| {}, (false, false), Level::L3, &["it cannot write where it may"]);
        check(|it| it.wrote_inside = false, fine, Level::L3, &["it cannot write where it may"]);
        check(|_| {}, (true, true), Level::L3, &["it can write outside"]);
        check(|it| it.wrote_outside = true, fine, Level::L3, &["it can write outside"]);
        check(|it| it.wrote_system = true, fine, Level::L3, &["it can write to the system"]);
        check(|it| it.read_secret = true, fine, Level::L3, &["it can read the user's files"]);
        check(|it| it.reached_socket = true, fine, Level::L3, &["it reaches the user's sockets"]);
        check(|it| it.reached_port = true, fine, Level::L3, &["it reaches this machine's network"]);
        check(|it| it.reached_port = true, fine, Level::L2, &[]);
        for change in
            [(|it| it.reached_port = true) as fn(&mut Found), |it| it.reached_socket = true, |it| it.pid = 77]
        {
            check(change, fine, Level::L1, &[]);
        }
        check(|it| it.wrote_outside = true, fine, Level::L1, &["it can write outside"]);
        check(|it| it.filtered = false, fine, Level::L1, &["its system calls are not filtered"]);
        check(|it| it.no_new_privileges = false, fine, Level::L3, &["it can gain rights"]);
        check(|it| it.filtered = false, fine, Level::L3, &["its system calls are not filtered"]);
        check(|it| it.capabilities = true, fine, Level::L3, &["it has rights of an administrator"]);
        check(|it| it.pid = 77, fine, Level::L3, &["it sees other processes"]);
    }
    #[test]
    fn the_level_is_what_held() {
        let held = || Tried::default();
        let not = || Tried::not("x");
        for (wanted, bubblewrap, landlock, level_wanted) in [
            (Level::L3, held(), None, Level::L3),
            (Level::L2, held(), None, Level::L2),
            (Level::L3, not(), Some(held()), Level::L1),
            (Level::L2, not(), Some(held()), Level::L1),
            (Level::L3, not(), Some(not()), Level::L0),
            // root
            (Level::L3, not(), None, Level::L0),
        ] {
            assert_eq!(level(wanted, &bubblewrap, landlock.as_ref()), level_wanted);
        }
    }
}
