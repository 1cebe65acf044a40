//! Whole sessions at the terminal, with the demo agents: played to the end, stopped, killed, taken up again.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use acceptance::clis::orchestrate;
use serde_json::Value;

/// The demo takes about ten seconds; a loaded machine several times as long.
const DEADLINE: Duration = Duration::from_secs(240);

/// An agent's program: it knows its version and all options that are asked for, and works by the demo's script.
const AGENT: &str = r#"#!/bin/sh
case "$*" in
*--help) echo " --print --output-format stream-json --verbose --dangerously-skip-permissions --strict-mcp-config
 --mcp-config --add-dir --setting-sources --resume --json --dangerously-bypass-approvals-and-sandbox --cd --config
 --skip-git-repo-check --output-schema --yolo --include-directories --skip-trust x" ;;
--version) echo "VERSION" ;;
*) exec "ORCHESTRATE" demo-agent --dialect NAME --script demo -- "$@" ;;
esac
"#;

/// A home and a workspace of their own.
struct World {
    folder: tempfile::TempDir,
    started: std::cell::Cell<u32>,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), started: Default::default() };
        fs::create_dir(world.at("home")).unwrap();
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts a command; what it prints goes to a file.
    fn start(&self, words: &[&str]) -> Running {
        let out = self.at(&format!("{}.out", self.started.replace(self.started.get() + 1)));
        let mut command = Command::new(orchestrate());
        command.args(words).arg("--workspace").arg(self.at("work")).current_dir(self.at("home"));
        command.env_clear().env("HOME", self.at("home")).env("PATH", self.path());
        command.stdin(Stdio::null()).stdout(File::create(&out).unwrap()).stderr(Stdio::null());
        Running { child: command.spawn().unwrap(), out }
    }

    /// Programs of this world come first.
    fn path(&self) -> OsString {
        let all = std::env::var_os("PATH").unwrap();
        std::env::join_paths([self.at("bin")].into_iter().chain(std::env::split_paths(&all))).unwrap()
    }

    /// The demo's project, and agents that pass for real ones: demo agents behind a script that answers the doctor.
    fn project(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let project = self.at("project");
        for (name, text) in agents::demo::FILES {
            let path = project.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        for words in [&["init", "-q", "-b", "main"][..], &["add", "."], &["commit", "-q", "-m", "Expenses"]] {
            assert!(self.git(&project, words).0);
        }
        fs::create_dir(self.at("bin")).unwrap();
        for (name, version) in [("claude", "2.1.329"), ("codex", "codex-cli 0.169.0"), ("gemini", "0.61.0")] {
            let script = AGENT.replace("VERSION", version).replace("NAME", name);
            let program = self.at("bin").join(name);
            fs::write(&program, script.replace("ORCHESTRATE", orchestrate().to_str().unwrap())).unwrap();
            fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        project
    }

    fn git(&self, project: &Path, words: &[&str]) -> (bool, String) {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
            .args(words)
            .current_dir(project);
        git.env("HOME", self.at("home")).env("GIT_CONFIG_NOSYSTEM", "1");
        let output = git.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        self.start(words).end()
    }
}

struct Running {
    child: Child,
    out: PathBuf,
}

impl Running {
    fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    /// Waits until something is printed.
    fn prints(&mut self, wanted: &str) {
        let until = Instant::now() + DEADLINE;
        while !self.printed().contains(wanted) {
            assert!(self.child.try_wait().unwrap().is_none(), "ended without {wanted}: {}", self.printed());
            assert!(Instant::now() < until, "no {wanted} in {DEADLINE:?}: {}", self.printed());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(name).arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    fn end(mut self) -> (Option<i32>, String) {
        let until = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            if until < Instant::now() {
                self.child.kill().unwrap();
                panic!("did not end in {DEADLINE:?}: {}", self.printed());
            }
            thread::sleep(Duration::from_millis(20));
        }
        (self.child.wait().unwrap().code(), self.printed())
    }
}

/// Every line is an entry, the last one the summary.
#[track_caller]
fn summary(printed: &str) -> Value {
    let mut lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["type"], "summary");
    for (line, seq) in lines.iter().zip(1..) {
        assert_eq!(line["seq"], seq, "entries come in order, from the first");
    }
    assert_eq!(summary["events"], lines.len(), "all entries are printed");
    summary
}

#[track_caller]
fn landed(summary: &Value) {
    assert_eq!((&summary["outcome"], &summary["exit_code"]), (&"done".into(), &0.into()), "{summary}");
    assert_eq!((&summary["landed"], &summary["demo"]), (&"main".into(), &true.into()), "{summary}");
}

#[test]
fn the_demo_shows_a_whole_session() {
    let world = World::new();
    let (code, printed) = world.run(&["demo", "--json"]);
    assert_eq!(code, Some(0), "{printed}");
    let summary = summary(&printed);
    landed(&summary);
    let all = |list: &str, field: &str| {
        let values = summary[list].as_array().unwrap().iter();
        values.map(|line| line[field].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    for action in ["CONTINUE", "LOG_WARNING", "PAUSE_AND_CLARIFY"] {
        assert!(all("decisions", "action").contains(&action.to_owned()), "no {action}: {summary}");
    }
    assert_eq!(all("recoveries", "class"), ["outside_workspace"]);
    assert_eq!(all("recoveries", "outcome"), ["worked"]);
    assert!(summary["reviews"].as_array().unwrap().iter().any(|line| line["verified"] != 0), "{summary}");

    // The same session in words, to its end and to one entry.
    let (code, replayed) = world.run(&["replay"]);
    assert_eq!(code, Some(0));
    assert!(replayed.contains("As it stood at entry") && replayed.contains("✓ landed"), "{replayed}");
    let (code, replayed) = world.run(&["replay", "--to", "1"]);
    assert_eq!((code, replayed.contains("As it stood at entry 1 of")), (Some(0), true), "{replayed}");
    let (code, raw) = world.run(&["log", "w1"]);
    assert_eq!((code, raw.is_empty()), (Some(0), false));
}

#[test]
fn a_signal_stops_and_resume_goes_on() {
    let world = World::new();
    let mut demo = world.start(&["demo", "--json"]);
    demo.prints("worker_started");
    demo.signal("-TERM");
    let (code, printed) = demo.end();
    let stopped = summary(&printed);
    assert_eq!((code, &stopped["outcome"]), (Some(4), &"stopped".into()), "{printed}");
    let (code, printed) = world.run(&["resume", "--json"]);
    assert_eq!(code, Some(0), "{printed}");
    landed(&summary(&printed));
}

#[test]
fn a_kill_loses_nothing() {
    let world = World::new();
    let mut demo = world.start(&["demo", "--json"]);
    demo.prints("review_requested");
    demo.signal("-KILL");
    let (code, before) = demo.end();
    assert_eq!(code, None);
    let (code, printed) = world.run(&["resume", "--json"]);
    assert_eq!(code, Some(0), "{printed}");
    landed(&summary(&printed));
    // A killed program may have been in the middle of a line; what was shown whole is still true.
    let whole = before.rsplit_once('\n').map_or("", |(whole, _)| whole);
    assert!(printed.starts_with(whole), "what was shown is not what is resumed");
}

#[test]
fn another_process_pauses_and_stops_it() {
    let world = World::new();
    let mut demo = world.start(&["demo", "--json"]);
    demo.prints("worker_started");
    let (code, printed) = world.run(&["pause"]);
    assert_eq!((code, printed.contains("is paused")), (Some(0), true), "{printed}");
    demo.prints("\"paused\"");
    let (_, printed) = world.run(&["status"]);
    assert!(printed.contains("‖ paused"), "{printed}");
    assert_eq!(world.run(&["resume"]).0, Some(0));
    demo.prints("\"unpaused\"");
    assert_eq!(world.run(&["stop"]).0, Some(0));
    assert_eq!(demo.end().0, Some(4));
    assert_eq!(world.run(&["stop"]).0, Some(2), "nobody runs it any more");
}

/// Nobody is there to ask: each question ends the program, and its answer goes on, until the result is landed.
#[test]
fn questions_are_answered_by_commands() {
    let world = World::new();
    let project = world.project();
    let target = ["-C", project.to_str().unwrap()];
    let run = |words: &[&str]| world.run(&[words, &target[..]].concat());
    let answer = |words: &[&str]| {
        let (code, printed) = world.run(&[&["answer", "--json"], words].concat());
        (code, summary(&printed))
    };
    let asks = |summary: &Value| summary["questions"][0]["choices"].clone();

    let (code, printed) = run(&["Write two tools", "--unsandboxed", "--no-dashboard", "--json"]);
    let planned = summary(&printed);
    assert_eq!((code, &planned["outcome"]), (Some(3), &"waiting".into()), "{planned}");
    assert_eq!(asks(&planned)[0], "approve");
    let (code, paused) = answer(&["--choice", "approve"]);
    assert_eq!((code, &paused["outcome"]), (Some(3), &"waiting".into()), "{paused}");
    assert_eq!(asks(&paused)[0], "instruct");
    let (code, done) = answer(&["Case does not matter; sort the lines."]);
    assert_eq!((code, &done["outcome"]), (Some(0), &"done".into()), "{done}");
    assert_eq!((&done["demo"], &done["unsandboxed"]), (&false.into(), &true.into()));

    // Nothing of the user's was touched; landing does not touch what is in its way either.
    assert_eq!(world.git(&project, &["status", "--porcelain"]).1, "");
    assert_eq!(world.git(&project, &["rev-list", "--count", "HEAD"]).1.trim(), "1");
    fs::write(project.join("total.sh"), "mine").unwrap();
    assert_eq!(run(&["land"]).0, Some(3));
    assert_eq!(fs::read_to_string(project.join("total.sh")).unwrap(), "mine");
    fs::remove_file(project.join("total.sh")).unwrap();
    assert_eq!(run(&["land", "--method", "squash", "--message", "Two tools"]).0, Some(0));
    assert_eq!(world.git(&project, &["log", "-1", "--format=%s"]).1.trim(), "Two tools");
    assert!(Command::new("sh").arg("check.sh").current_dir(&project).status().unwrap().success());
}
