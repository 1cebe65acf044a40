//! Workers as real processes: nothing they print is lost, and nothing they start is left.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use domain::{Exit, ExitCause, ProcessIdentity};
use engine::process::{
    COOKIE, Caps, CommandSpec, Ended, ExitRecord, LineKind, Processes, Running, Spec, Tail, sweep,
};

const PROBE: &str = env!("CARGO_BIN_EXE_process-probe");
/// A tree that does not want to go: ignores TERM, leaves its session and its group, hands itself to init.
const STUBBORN: &str = "trap '' TERM INT HUP
    for i in 1 2; do setsid sh -c 'trap \"\" TERM; sleep 1000 & wait' & done
    (setsid sh -c '(setsid sleep 1000 &) ; exit' &)
    echo ready; while :; do sleep 1000; done";

fn processes() -> Processes {
    Processes::new(PROBE.into(), vec!["guardian".into()]).unwrap()
}

/// A folder for one worker, whose path is the worker's cookie; kills what is left when a test fails.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn cookie(&self) -> String {
        self.0.path().display().to_string()
    }

    fn spec(&self, script: &str) -> Spec {
        Spec {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
            env: path(),
            cwd: self.0.path().to_owned(),
            stdin: None,
            stdout: self.path("out"),
            stderr: self.path("err"),
            record: self.path("exit.json"),
            cookie: self.cookie(),
            caps: Caps::default(),
            sandboxed: false,
        }
    }

    fn output(&self) -> String {
        std::fs::read_to_string(self.path("out")).unwrap_or_default()
    }

    fn record(&self) -> Option<ExitRecord> {
        ExitRecord::read(&self.path("exit.json")).unwrap()
    }

    /// Live processes of this worker, its guardian among them while there is one.
    fn alive(&self) -> Vec<u32> {
        let mark = format!("{COOKIE}={}", self.cookie());
        let marked = |pid: &u32| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        pids().filter(marked).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = sweep(&[], &[self.cookie()]);
    }
}

fn path() -> BTreeMap<OsString, OsString> {
    [("PATH".into(), "/usr/bin:/bin".into())].into()
}

fn pids() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// State letter and parent of a process.
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Waits for a condition, at most a minute: machines may be slow, and this one is busy.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

async fn ready(place: &Place, running: &Running) {
    let mut tail = Tail::open(&place.path("out"), 0, running.end()).unwrap();
    assert_eq!(tail.next().await.unwrap().bytes, b"ready");
}

fn left(code: i32) -> Exit {
    Exit { code: Some(code), signal: None, cause: ExitCause::Left }
}

fn by_signal(signal: i32, cause: ExitCause) -> Exit {
    Exit { code: None, signal: Some(signal), cause }
}

/// All lines of a script's output as text, and how it ended.
async fn lines(script: &str) -> (Vec<String>, Exit) {
    let place = Place::new();
    let running = processes().spawn(place.spec(script)).await.unwrap();
    let mut tail = Tail::open(&place.path("out"), 0, running.end()).unwrap();
    let mut lines = Vec::new();
    while let Some(line) = tail.next().await {
        let text = String::from_utf8_lossy(&line.bytes);
        let odd = if line.kind == LineKind::Whole { String::new() } else { format!(" {:?}", line.kind) };
        lines.push(format!("{} {text}{odd}", line.end_offset));
    }
    (lines, running.ended().await)
}

#[tokio::test]
async fn every_line_comes_and_then_the_end() {
    let (seen, exit) = lines("echo one; echo; echo two; printf 'no end'; exit 3").await;
    assert_eq!(seen, ["4 one", "9 two", "15 no end Unterminated"]);
    assert_eq!(exit, left(3));
    let (seen, exit) = lines("exit 0").await;
    assert_eq!((seen, exit), (Vec::new(), left(0)));
    let (seen, exit) = lines("echo dying; kill -SEGV $$").await;
    assert_eq!((seen, exit), (vec!["6 dying".to_owned()], by_signal(11, ExitCause::Left)));
}

#[tokio::test]
async fn three_megabytes_written_at_the_exit_are_all_there() {
    let script = "head -c 1500000 /dev/zero | tr '\\0' a; echo; head -c 9000000 /dev/zero | tr '\\0' b; echo; \
                  head -c 3000000 /dev/zero | tr '\\0' c & wait; exit 0";
    let place = Place::new();
    let running = processes().spawn(place.spec(script)).await.unwrap();
    let mut tail = Tail::open(&place.path("out"), 0, running.end()).unwrap();
    let big = tail.next().await.unwrap();
    assert_eq!((big.bytes.len(), big.end_offset, big.kind), (1_500_000, 1_500_001, LineKind::Whole));
    let oversize = tail.next().await.unwrap();
    assert_eq!(oversize.kind, LineKind::Oversize { offset: 1_500_001, len: 9_000_000 });
    let last = tail.next().await.unwrap();
    assert_eq!((last.bytes.len(), last.kind), (3_000_000, LineKind::Unterminated));
    assert_eq!(tail.next().await, None);
    assert_eq!(running.end().record().unwrap().output_bytes, 13_500_002);
    // Reading goes on where it stopped, also when the worker is long gone.
    let record = place.record().unwrap();
    let mut again = Tail::open(&place.path("out"), oversize.end_offset, Ended::already(record)).unwrap();
    assert_eq!(again.next().await.unwrap().bytes, last.bytes);
    assert_eq!(again.next().await, None);
}

#[tokio::test]
async fn an_output_file_that_shrinks_is_noticed() {
    let place = Place::new();
    let running = processes().spawn(place.spec("echo before; cat < fifo")).await.unwrap();
    let mut tail = Tail::open(&place.path("out"), 0, running.end()).unwrap();
    assert_eq!(tail.next().await.unwrap().bytes, b"before");
    std::fs::write(place.path("out"), "").unwrap();
    assert_eq!(tail.next().await.unwrap().kind, LineKind::Shrunk { size: 0 });
    running.stop_now(ExitCause::Stopped);
    assert_eq!(tail.next().await, None);
}

#[tokio::test]
async fn the_exit_record_tells_all() {
    let place = Place::new();
    std::fs::write(place.path("prompt"), "the prompt\n").unwrap();
    let script =
        "cat; pwd; env | sort; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 1000 & exit 7";
    let spec = Spec { stdin: Some(place.path("prompt")), ..place.spec(script) };
    let running = processes().spawn(spec).await.unwrap();
    assert_eq!(running.ended().await, left(7));
    let record = place.record().unwrap();
    assert_eq!(running.end().record().as_deref(), Some(&record));
    assert_eq!((&record.exit, &record.why, record.killed), (&left(7), &None, 1), "one sleep was left");
    assert_eq!(record.left, [0; 0]);
    assert_eq!(record.output_bytes, place.output().len() as u64);
    assert!(0 < record.user_ms + record.system_ms && 500 < record.peak_rss_kib, "{record:?}");
    let cwd = std::fs::canonicalize(place.0.path()).unwrap();
    let wanted = format!(
        "the prompt\n{}\n{COOKIE}={}\nPATH=/usr/bin:/bin\nPWD={}\n",
        cwd.display(),
        place.cookie(),
        cwd.display()
    );
    assert_eq!(place.output(), wanted, "the environment is what was given, nothing else");
    let mode = |name: &str| {
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(place.path(name)).unwrap().permissions())
            & 0o777
    };
    assert_eq!((mode("out"), mode("err"), mode("exit.json")), (0o600, 0o600, 0o600));
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let place = Place::new();
    let check = async |spec: Spec, wanted: &str| {
        let running = processes().spawn(spec).await.unwrap();
        let not_started = Exit { code: None, signal: None, cause: ExitCause::NotStarted };
        assert_eq!(running.ended().await, not_started);
        let why = running.end().record().unwrap().why.clone().unwrap();
        assert!(why.contains(wanted), "{why}");
    };
    check(Spec { program: "/no/such/program".into(), ..place.spec("") }, "/no/such/program: No such file")
        .await;
    check(Spec { cwd: "/no/such/folder".into(), ..place.spec("") }, "/no/such/folder: the folder").await;
    check(Spec { stdin: Some("/no/such/file".into()), ..place.spec("") }, "/no/such/file: No such file")
        .await;
    let bad = Spec { stdout: "/no/such/folder/out".into(), ..place.spec("") };
    let error = processes().spawn(bad).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot open /no/such/folder/out: No such file"), "{error}");
    let nobody = Processes::new("/no/such/guardian".into(), Vec::new()).unwrap();
    let error = nobody.spawn(place.spec("")).await.unwrap_err().to_string();
    assert!(error.contains("/no/such/guardian"), "{error}");
}

#[tokio::test]
async fn a_worker_that_leaves_on_term_is_not_killed() {
    let place = Place::new();
    let script = "trap 'echo saved; exit 5' TERM; echo ready; while :; do sleep 0.01; done";
    let running = processes().spawn(place.spec(script)).await.unwrap();
    ready(&place, &running).await;
    running.stop(Duration::from_secs(20), ExitCause::Stopped);
    assert_eq!(running.ended().await, Exit { code: Some(5), signal: None, cause: ExitCause::Stopped });
    assert_eq!(place.output(), "ready\nsaved\n");
    let place = Place::new();
    let running = processes().spawn(place.spec(&script.replace("TERM", "INT"))).await.unwrap();
    ready(&place, &running).await;
    running.interrupt(Duration::from_secs(20), ExitCause::Lingered);
    assert_eq!(running.ended().await, Exit { code: Some(5), signal: None, cause: ExitCause::Lingered });
}

#[tokio::test]
async fn a_stubborn_tree_is_gone_after_its_grace() {
    let place = Place::new();
    let running = processes().spawn(place.spec(STUBBORN)).await.unwrap();
    ready(&place, &running).await;
    until("the tree has grown", || 8 <= place.alive().len());
    let asked = Instant::now();
    running.stop(Duration::from_millis(300), ExitCause::Silent);
    // A second, harder wish: the first cause stays, the sooner end counts.
    running.stop(Duration::from_secs(1000), ExitCause::Stopped);
    let ended = tokio::time::timeout(Duration::from_secs(100), running.ended()).await;
    assert_eq!(ended.expect("it ends by its first wish"), by_signal(9, ExitCause::Silent));
    assert!(Duration::from_millis(300) <= asked.elapsed(), "the grace was given");
    assert_eq!(place.alive(), [0; 0]);
    assert!(6 <= place.record().unwrap().killed, "{:?}", place.record());
}

#[tokio::test]
async fn a_frozen_tree_stands_still_and_can_be_stopped() {
    for groups in [true, false] {
        let place = Place::new();
        let script = "(while :; do echo tick; sleep 0.01; done) & echo ready; wait";
        let caps = Caps { groups, ..Caps::default() };
        let running = processes().spawn(Spec { caps, ..place.spec(script) }).await.unwrap();
        until("it ticks", || place.output().contains("tick"));
        running.freeze();
        let stands_still = || {
            let before = place.output().len();
            std::thread::sleep(Duration::from_millis(100));
            place.output().len() == before
        };
        until("all are stopped", stands_still);
        let before = place.output().len();
        running.thaw();
        until("it ticks again", || before < place.output().len());
        running.freeze();
        until("all are stopped", stands_still);
        running.stop(Duration::from_secs(20), ExitCause::Stopped);
        assert_eq!(running.ended().await, by_signal(15, ExitCause::Stopped), "TERM reaches a frozen worker");
        assert_eq!(place.alive(), [0; 0]);
    }
}

#[tokio::test]
async fn a_worker_over_its_time_is_killed() {
    let place = Place::new();
    let caps = Caps { wall: Some(Duration::from_millis(100)), ..Caps::default() };
    let spec = Spec { caps, ..place.spec(STUBBORN) };
    let running = processes().spawn(spec).await.unwrap();
    assert_eq!(running.ended().await, by_signal(9, ExitCause::Limit));
    assert_eq!(place.alive(), [0; 0]);
}

/// Each limit, with control groups and without.
#[tokio::test]
async fn a_worker_over_a_limit_is_killed_and_its_record_says_which() {
    let none = Caps::default();
    let hog = format!("{PROBE} hog 1024 1");
    let cases = [
        (Caps { memory: Some(64 << 20), ..none }, hog.as_str(), "memory: "),
        (
            Caps { processes: Some(8), ..none },
            "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; wait",
            "processes: ",
        ),
        (Caps { cpu: Some(Duration::from_millis(300)), ..none }, "while :; do :; done", "processor time: "),
        (Caps { output: Some(1 << 20), ..none }, "cat /dev/zero", "output: "),
        (Caps { file: Some(1 << 20), ..none }, "exec cat /dev/zero > big", "file size: more than 1 MiB"),
        (Caps { wall: Some(Duration::from_millis(300)), ..none }, "sleep 1000", "running time: "),
    ];
    for (caps, script, wanted) in cases {
        for groups in [true, false] {
            let place = Place::new();
            let caps = Caps { groups, ..caps };
            let running = processes().spawn(Spec { caps, ..place.spec(script) }).await.unwrap();
            let exit = running.ended().await;
            let record = place.record().unwrap();
            let why = record.why.clone().unwrap_or_default();
            assert_eq!(exit.cause, ExitCause::Limit, "{wanted} {groups} {record:?}");
            assert!(why.starts_with(wanted), "{why:?} is not {wanted:?}");
            assert_eq!(place.alive(), [0; 0]);
        }
    }
}

/// The worker's own failure stays its own, and a frozen one does not run out of time.
#[tokio::test]
async fn below_its_limits_a_worker_is_left_alone() {
    let caps = Caps {
        memory: Some(1 << 30),
        processes: Some(100),
        cpu: Some(Duration::from_secs(100)),
        output: Some(1 << 20),
        file: Some(1 << 20),
        wall: Some(Duration::from_secs(5)),
        groups: true,
    };
    let place = Place::new();
    let script = "for i in 1 2 3; do sleep 0.1 & done; wait; echo ready; cat > /dev/null < fifo; exit 3";
    assert!(Command::new("mkfifo").arg(place.path("fifo")).status().unwrap().success());
    let running = processes().spawn(Spec { caps, ..place.spec(script) }).await.unwrap();
    ready(&place, &running).await;
    running.freeze();
    // Longer than it may run.
    tokio::time::sleep(Duration::from_millis(5500)).await;
    running.thaw();
    std::fs::write(place.path("fifo"), "").unwrap();
    assert_eq!(running.ended().await, left(3));
    let used = running.usage();
    assert!(used.wall < Duration::from_secs(5) && used.output == 6, "{used:?}");
}

/// Rust ignores SIGPIPE and libraries may block signals: a worker begins as a program in a terminal does.
#[tokio::test]
async fn a_worker_inherits_no_ignored_or_blocked_signals_and_no_terminal() {
    let (seen, _) = lines("grep -E '^Sig(Blk|Ign)' /proc/$$/status | tr -d '\\t'; ps -o tty= -p $$").await;
    let words: Vec<_> = seen.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let [blocked, ignored, terminal] = words[..] else { panic!("{seen:?}") };
    // Those above 31 are the C library's own.
    let plain = |mask: &str| u64::from_str_radix(&mask[7..], 16).unwrap() & 0x7fff_ffff;
    assert_eq!((plain(blocked), plain(ignored), terminal), (0, 0, "?"), "{seen:?}");
}

#[tokio::test]
async fn a_dropped_worker_is_taken_down() {
    let place = Place::new();
    let running = processes().spawn(place.spec(STUBBORN)).await.unwrap();
    ready(&place, &running).await;
    let end = running.end();
    drop(running);
    assert_eq!(end.wait().await.exit, by_signal(9, ExitCause::Orphaned));
    assert_eq!(place.alive(), [0; 0]);
}

/// The app dies between a guardian's start and its worker's: nothing was tried, so this is no fault of the worker.
#[test]
fn a_guardian_whose_app_is_gone_starts_nothing() {
    let place = Place::new();
    let mut guardian = Command::new(PROBE);
    guardian.args(["guardian", "--record"]).arg(place.path("exit.json")).args(["--", "/bin/touch"]);
    let (closed, app) = std::io::pipe().unwrap();
    drop(app);
    assert!(guardian.arg(place.path("made")).stdin(closed).status().unwrap().success());
    let record = place.record().unwrap();
    assert_eq!(record.exit, Exit { code: None, signal: None, cause: ExitCause::Orphaned });
    assert!(!place.path("made").exists());
}

#[tokio::test]
async fn cpu_time_tells_work_from_sleep() {
    let place = Place::new();
    let running = processes().spawn(place.spec("(while :; do :; done) & echo ready; wait")).await.unwrap();
    ready(&place, &running).await;
    let before = running.cpu_time();
    until("a child of it used some time", || before + Duration::from_millis(50) < running.cpu_time());
    running.stop_now(ExitCause::Stopped);
    running.ended().await;
    assert_eq!(running.cpu_time(), Duration::ZERO);
}

#[tokio::test]
async fn a_worker_gets_three_descriptors() {
    // One of ours that is not closed at exec, as a library might leave it.
    let leak = std::fs::File::open("/dev/zero").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let leaked = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    assert!(String::from_utf8_lossy(&leaked.stdout).contains("/dev/zero"), "the control");
    let (seen, _) = lines("ls -l /proc/self/fd | grep -o ' [0-9]* -> .*' | grep -v /proc/").await;
    drop(leak);
    let numbers: Vec<_> = seen.iter().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(numbers, ["0", "1", "2"], "{seen:?}");
    assert!(seen[0].ends_with("/dev/null"), "{seen:?}");
}

#[tokio::test]
async fn a_killed_guardian_is_noticed_and_cleaned_up_after() {
    let place = Place::new();
    let running = processes().spawn(place.spec(STUBBORN)).await.unwrap();
    ready(&place, &running).await;
    let guardian = running.identity().pid.to_string();
    Command::new("kill").args(["-9", &guardian]).status().unwrap();
    let end = running.end().wait().await;
    assert_eq!(end.exit, Exit { code: None, signal: None, cause: ExitCause::Left });
    assert!(end.why.as_deref().unwrap().contains("guardian ended without a record"), "{end:?}");
    assert_eq!(place.alive(), [0; 0]);
}

#[tokio::test]
async fn a_guardian_outlives_signals_and_obeys_when_it_was_stopped() {
    let place = Place::new();
    let script =
        "kill -TERM $PPID; kill -INT $PPID; kill -HUP $PPID; echo ready; kill -STOP $PPID; sleep 1000";
    let running = processes().spawn(place.spec(script)).await.unwrap();
    ready(&place, &running).await;
    until("its guardian is stopped", || stat(running.identity().pid).is_some_and(|(state, _)| state == 'T'));
    running.stop(Duration::from_secs(20), ExitCause::Stopped);
    assert_eq!(running.ended().await, by_signal(15, ExitCause::Stopped));
    assert_eq!(place.alive(), [0; 0]);
}

#[test]
fn a_gigabyte_without_a_newline_costs_little_memory() {
    let place = Place::new();
    let file = std::fs::File::create(place.path("big")).unwrap();
    file.set_len(1 << 30).unwrap();
    std::io::Write::write_all(
        &mut std::fs::OpenOptions::new().append(true).open(place.path("big")).unwrap(),
        b"\ngood\n",
    )
    .unwrap();
    let read = Command::new(PROBE).arg("read").arg(place.path("big")).output().unwrap();
    let said = String::from_utf8(read.stdout).unwrap();
    let (lines, peak) = said.trim().split_once(" peak ").unwrap();
    assert_eq!(lines, format!("oversize {} good", 1_u64 << 30));
    let peak: u64 = peak.split(' ').next().unwrap().parse().unwrap();
    assert!(peak < 48 << 10, "{peak} KiB for the whole program");
}

/// A probe; killed when dropped.
struct App(std::process::Child);

impl App {
    fn start(args: &[&str]) -> Self {
        Self(Command::new(PROBE).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a probe, waits for its worker to be there, kills the probe, and gives what is left after this time at most.
fn kill_the_app(place: &Place, args: &[&str], most: Duration) -> Vec<u32> {
    let app = App::start(args);
    until("the tree has grown", || 7 <= place.alive().len());
    drop(app);
    let killed = Instant::now();
    while !place.alive().is_empty() && killed.elapsed() < most {
        std::thread::sleep(Duration::from_millis(2));
    }
    place.alive()
}

#[test]
fn nothing_is_left_when_the_app_is_killed() {
    for _ in 0..5 {
        let place = Place::new();
        // How fast it goes is measured by the recipe R1; here a busy machine may be slow.
        let left = kill_the_app(&place, &["own", &place.cookie(), STUBBORN], Duration::from_secs(30));
        assert_eq!(left, [0; 0]);
        let record = place.record().expect("the guardian leaves a record for the next app");
        assert_eq!(record.exit, by_signal(9, ExitCause::Orphaned));
    }
}

#[test]
fn without_a_guardian_orphans_are_left_and_the_sweep_finds_them() {
    let place = Place::new();
    let left = kill_the_app(&place, &["bare", &place.cookie(), STUBBORN], Duration::from_secs(2));
    assert!(!left.is_empty(), "the control: the test above can fail");
    let mut bystander = Command::new("sleep").arg("1000").env(COOKIE, "somebody-else").spawn().unwrap();
    let swept = sweep(&[], &[place.cookie()]);
    assert!(4 <= swept.killed.len() && swept.left.is_empty(), "{left:?} {swept:?}");
    assert_eq!(place.alive(), [0; 0]);
    assert_eq!(bystander.try_wait().unwrap(), None, "nobody else is touched");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn the_sweep_knows_a_process_by_more_than_its_pid() {
    let place = Place::new();
    let app = App::start(&["own", &place.cookie(), STUBBORN]);
    until("it runs", || place.path("identity").exists() && 8 <= place.alive().len());
    let json = std::fs::read(place.path("identity")).unwrap();
    let identity: ProcessIdentity = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        stat(identity.pid).map(|(_, parent)| parent),
        Some(app.0.id()),
        "the guardian is the app's child"
    );
    let wrong = [
        ProcessIdentity { started: identity.started + 1, ..identity.clone() },
        ProcessIdentity { boot: "another".to_owned(), ..identity.clone() },
        ProcessIdentity { started: 0, ..identity.clone() },
        ProcessIdentity { boot: String::new(), ..identity.clone() },
        // Boot ids are of one length.
        ProcessIdentity { boot: identity.boot.chars().rev().collect(), ..identity.clone() },
    ];
    assert_eq!(sweep(&wrong, &["x".to_owned()]), Default::default());
    assert!(place.alive().contains(&identity.pid), "nothing was touched");
    let swept = sweep(std::slice::from_ref(&identity), &[]);
    assert!(swept.killed.contains(&identity.pid) && swept.left.is_empty(), "{swept:?}");
    // What left the tree before is found by its cookie.
    let _ = sweep(&[], &[place.cookie()]);
    assert_eq!(place.alive(), [0; 0]);
}

#[tokio::test]
async fn commands_run_to_their_end_and_leave_nothing() {
    let place = Place::new();
    let check = async |command: &str, timeout: Duration| {
        let spec = CommandSpec {
            command: command.to_owned(),
            cwd: place.0.path().to_owned(),
            env: path(),
            timeout,
            cap: 20,
            log: place.path("check.log"),
            cookie: place.cookie(),
        };
        let end = processes().run_command(spec).await.unwrap();
        assert_eq!(place.alive(), [0; 0]);
        (end.exit_code, end.output, end.timed_out)
    };
    let long = Duration::from_secs(60);
    assert_eq!(
        check("echo out; echo err >&2; exit 3", long).await,
        (Some(3), "out\nerr\n".to_owned(), false)
    );
    assert_eq!(check("sleep 1000 & exit 0", long).await, (Some(0), String::new(), false));
    assert_eq!(check("seq 1 100", long).await, (Some(0), "\n95\n96\n97\n98\n99\n100\n".to_owned(), false));
    assert_eq!(check("printf 'ääääääääääää'", long).await.1, "ääääääääää");
    assert_eq!(check("printf 'xääääääääääy'", long).await.1, "äääääääääy");
    assert_eq!(check("kill -9 $$", long).await, (None, String::new(), false));
    let over = check("echo begun; trap '' TERM; sleep 1000", Duration::from_millis(300)).await;
    assert_eq!(over, (None, "begun\n".to_owned(), true));
    assert!(Path::new(&place.path("check.log.exit.json")).exists());
}
