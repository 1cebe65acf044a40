//! `orchestrate status` tells the truth about sessions of other processes, of dead ones, of an earlier boot, and about
//! journals that cannot be read to their end.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use acceptance::{
    clis::orchestrate,
    team::{Team, command_line, eventually, plan, signal, task, wait, work},
};
use domain::{Entry, Event, ProcessIdentity, SessionId};
use engine::journal::{self, Journal};
use serde_json::{Value, json};

/// The session of the fixture.
const SESSION: &str = "01990000-0000-7000-8000-000000000001";

/// A workspace with one session, cut off while its first worker works.
struct World {
    workspace: tempfile::TempDir,
    held: Option<Journal>,
}

/// What is to be told.
struct Told<'a> {
    phase: &'a str,
    held: bool,
    left: u32,
    why: &'a str,
    damage: Option<&'a str>,
}

impl World {
    /// `process`: what the journal says of the worker's.
    fn new(process: &ProcessIdentity) -> Self {
        let workspace = tempfile::tempdir().unwrap();
        let folder = workspace.path().join(SESSION);
        fs::create_dir(&folder).unwrap();
        let mut journal = Journal::create(&folder, &SessionId::from(SESSION)).unwrap();
        journal.append(&cut_off(process)).unwrap();
        Self { workspace, held: Some(journal) }
    }

    /// As a dead process leaves it.
    fn left(process: &ProcessIdentity) -> Self {
        let mut world = Self::new(process);
        world.held = None;
        world
    }

    fn folder(&self) -> PathBuf {
        self.workspace.path().join(SESSION)
    }

    fn append(&self, bytes: &[u8]) {
        let mut file = OpenOptions::new().append(true).open(self.folder().join(journal::FILE)).unwrap();
        file.write_all(bytes).unwrap();
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(orchestrate());
        command.args(words).arg("--workspace").arg(self.workspace.path()).current_dir("/").env_clear();
        command.env("HOME", self.workspace.path()).env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// The list and the one session, as text and as JSON, all tell the same.
    #[track_caller]
    fn tells(&self, told: &Told<'_>) {
        let (code, text, _) = self.run(&["status", "--json"]);
        assert_eq!(code, Some(0));
        let all: Value = serde_json::from_str(&text).unwrap();
        let listed = all[0].clone();
        let (code, text, _) = self.run(&["status", SESSION, "--json"]);
        assert_eq!(code, Some(0), "{text}");
        let one: Value = serde_json::from_str(&text).unwrap();
        for (said, left) in [(&listed, "left"), (&one, "workers_left")] {
            assert_eq!(said["phase"], told.phase, "{said}");
            assert_eq!((&said["held"], &said[left]), (&told.held.into(), &told.left.into()), "{said}");
            assert!(said["why"].as_str().unwrap().contains(told.why), "{said}");
            match told.damage {
                None => assert_eq!(said["damage"], Value::Null, "{said}"),
                Some(words) => assert!(said["damage"].as_str().unwrap().contains(words), "{said}"),
            }
        }
        let (_, list, _) = self.run(&["status"]);
        let (code, single, complaint) = self.run(&["status", SESSION]);
        assert_eq!(code, Some(i32::from(told.damage.is_some())), "{single}{complaint}");
        if told.phase == "interrupted" {
            assert_eq!((&one["outcome"], &one["exit_code"]), (&"interrupted".into(), &3.into()), "{one}");
            for text in [&list, &single] {
                assert!(
                    text.contains("! interrupted") && text.contains(told.why.trim_end_matches('.')),
                    "{text}"
                );
                assert!(!text.contains("● "), "nobody is at work: {text}");
            }
        } else {
            assert_eq!(one["held_by"]["process"]["pid"], std::process::id(), "{one}");
            assert!(single.contains(&format!("with pid {}", std::process::id())), "{single}");
        }
    }
}

/// The fixture's session up to its first worker's start.
fn cut_off(identity: &ProcessIdentity) -> Vec<Entry> {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/journals/v1");
    let mut entries = journal::read(&fixture).unwrap();
    let started = |entry: &Entry| matches!(entry.event, Event::WorkerStarted { .. });
    let end = entries.iter().position(started).unwrap() + 1;
    entries.truncate(end);
    if let Some(Event::WorkerStarted { process, .. }) = entries.last_mut().map(|entry| &mut entry.event) {
        process.clone_from(identity);
    }
    entries
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

/// A process that is gone.
fn nobody() -> ProcessIdentity {
    ProcessIdentity { pid: u32::from(u16::MAX) << 8, started: 1, boot: boot() }
}

/// A process of the test, killed at its end.
struct Alive(Child);

impl Alive {
    fn new() -> Self {
        Self(Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn identity(&self) -> ProcessIdentity {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let started = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().parse().unwrap();
        ProcessIdentity { pid: self.0.id(), started, boot: boot() }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn interrupted<'a>(left: u32, why: &'a str, damage: Option<&'a str>) -> Told<'a> {
    Told { phase: "interrupted", held: false, left, why, damage }
}

#[test]
fn of_a_dead_process() {
    World::left(&nobody()).tells(&interrupted(0, "it was killed, or it crashed; resume it to go on.", None));
}

#[test]
fn of_an_earlier_boot() {
    let process = ProcessIdentity { boot: "an-earlier-one".to_owned(), ..nobody() };
    World::left(&process).tells(&interrupted(0, "The machine was restarted while it ran", None));
    // The same pid and start time may well belong to somebody now; it is another boot.
    let alive = Alive::new();
    let process = ProcessIdentity { boot: "an-earlier-one".to_owned(), ..alive.identity() };
    World::left(&process).tells(&interrupted(0, "The machine was restarted while it ran", None));
}

/// Killed before any worker began: then the note beside the lock tells of the boot.
#[test]
fn of_an_earlier_boot_without_workers() {
    let world = World::left(&nobody());
    let folder = world.folder();
    let first = cut_off(&nobody()).into_iter().take(1).collect::<Vec<_>>();
    fs::remove_file(folder.join(journal::FILE)).unwrap();
    drop(Journal::create(&folder, &SessionId::from(SESSION)).unwrap().append(&first));
    world.tells(&interrupted(0, "it was killed, or it crashed", None));
    let note = folder.join("journal.holder");
    let text = fs::read_to_string(&note).unwrap().replace(&boot(), "an-earlier-one");
    fs::write(&note, text).unwrap();
    world.tells(&interrupted(0, "The machine was restarted while it ran", None));
}

#[test]
fn of_workers_that_were_left_behind() {
    let alive = Alive::new();
    World::left(&alive.identity()).tells(&interrupted(1, "1 worker still runs without its app", None));
    let reused = ProcessIdentity { started: alive.identity().started + 1, ..alive.identity() };
    World::left(&reused).tells(&interrupted(0, "it was killed, or it crashed", None));
}

#[test]
fn of_a_damaged_journal() {
    let world = World::left(&nobody());
    world.append(b"J1 99 3 00000000\tabc\n");
    world.tells(&interrupted(0, "its journal is damaged", Some("damaged in line")));
}

#[test]
fn of_a_journal_of_a_newer_version() {
    let world = World::left(&nobody());
    world.append(b"J2 8 2 00000000\t{}\n");
    world.tells(&interrupted(0, "by a newer version of this program", Some("another version")));
}

#[test]
fn of_a_living_process() {
    let world = World::new(&nobody());
    world.tells(&Told { phase: "working", held: true, left: 0, why: "claude works on t1", damage: None });
}

#[test]
fn of_a_living_process_of_a_newer_version() {
    let world = World::new(&nobody());
    world.append(b"J2 8 2 00000000\t{}\n");
    let why = "A newer version of this program runs it";
    world.tells(&Told { phase: "working", held: true, left: 0, why, damage: Some("another version") });
}

/// Killed between its folder and its first entry: the prompt is there.
#[test]
fn of_a_session_without_an_entry() {
    let world = World::left(&nobody());
    fs::write(world.folder().join(journal::FILE), "").unwrap();
    fs::write(world.folder().join("prompt.md"), "Mend the gate").unwrap();
    let (code, text, _) = world.run(&["status"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("! interrupted") && text.contains("Mend the gate"), "{text}");
}

/// Two tasks at work until their gates open; each has a child that outlives it.
fn at_work() -> Team {
    Team::new(|gates| {
        let steps = |gate| [json!({ "ignore_term": true }), json!({ "daemonise": 1 }), wait(gates, gate)];
        vec![
            plan(&[task("t1", "claude"), task("t2", "codex")]),
            work("t1", &steps("g1")),
            work("t2", &steps("g2")),
        ]
    })
}

/// The real thing: another process runs it, dies with its guardians, and leaves two workers behind.
#[test]
fn while_it_runs_after_it_was_killed_and_after_it_was_resumed() {
    let team = at_work();
    let running = team.begin();
    team.until_waiting(&["g1", "g2"]);
    let status =
        || -> Value { serde_json::from_str(&team.run(&["status", "--json"]).expect(0).stdout).unwrap() };
    let alive = status();
    assert_eq!((&alive["phase"], &alive["held"]), (&"working".into(), &true.into()), "{alive}");
    assert_eq!(alive["held_by"]["process"]["pid"], running.pid(), "{alive}");
    team.run(&["status"]).expect(0).says("● working").says(&format!("with pid {}", running.pid()));

    running.signal("-STOP"); // so that it does not see its guardians die
    let guardians = || team.processes().into_iter().filter(|pid| command_line(*pid).contains(" guardian"));
    assert!(guardians().next().is_some(), "guardians are found");
    guardians().for_each(|pid| signal(pid, "-KILL"));
    running.signal("-KILL");
    assert_eq!(running.end().code, None);
    eventually("the guardians are gone", || guardians().next().is_none());
    let dead = status();
    assert_eq!((&dead["phase"], &dead["held"]), (&"interrupted".into(), &false.into()), "{dead}");
    assert_eq!((&dead["outcome"], &dead["held_by"]), (&"interrupted".into(), &Value::Null), "{dead}");
    assert_eq!(dead["workers_left"], 2, "{dead}");
    assert!(dead["tasks"].as_array().unwrap().iter().all(|task| task["state"] == "interrupted"), "{dead}");
    let text = team
        .run(&["status"])
        .expect(0)
        .says("2 workers still run without their app")
        .says("orchestrate resume");
    assert!(!text.stdout.contains("●"), "nobody is at work: {}", text.stdout);
    let log = team.run(&["log"]).expect(0).says("! interru");
    assert!(!log.stdout.contains("● working"), "{}", log.stdout);

    team.open("g1");
    team.open("g2");
    team.done(team.run(&["resume", "--no-dashboard"]));
    assert_eq!((&status()["phase"], &status()["workers_left"]), (&"ready_to_land".into(), &0.into()));
}
