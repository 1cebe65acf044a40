//! Bad input at the terminal (SPEC section 18): one clear sentence, what to do, the right exit code, nothing lost.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use acceptance::clis::orchestrate;
use domain::SessionId;
use engine::journal::{self, Journal};

/// The session of the fixture.
const SESSION: &str = "01990000-0000-7000-8000-000000000001";

/// A home, a workspace and a project of their own; no agent is installed.
struct World {
    folder: tempfile::TempDir,
}

/// What a command came to.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["home", "work space", "project"] {
            fs::create_dir(world.at(name)).unwrap();
        }
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        // Canonical, because messages name folders that way.
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// A finished session in the workspace.
    fn session(&self) -> PathBuf {
        let folder = self.at("work space").join(SESSION);
        fs::create_dir(&folder).unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/journals/v1").join(journal::FILE);
        fs::copy(fixture, folder.join(journal::FILE)).unwrap();
        folder
    }

    fn run(&self, words: &[&str], typed: &[u8]) -> Ended {
        let mut command = Command::new(orchestrate());
        command.args(words).current_dir(self.at("project")).env_clear();
        command.env("HOME", self.at("home")).env("PATH", "/usr/bin:/bin");
        if !words.contains(&"--workspace") {
            command.arg("--workspace").arg(self.at("work space"));
        }
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // It may refuse before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(typed);
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Refused with an exit code, in a sentence that names the fault and a line that says what to do.
    #[track_caller]
    fn refuses(&self, words: &[&str], code: i32, names: &str) {
        self.refuses_typed(words, b"", code, names);
    }

    #[track_caller]
    fn refuses_typed(&self, words: &[&str], typed: &[u8], code: i32, names: &str) {
        let ended = self.run(words, typed);
        assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
        let mut lines = ended.stderr.lines();
        let said = lines.next().and_then(|line| line.strip_prefix("orchestrate: ")).unwrap_or_default();
        assert!(said.to_lowercase().contains(&names.to_lowercase()), "{words:?}: {}", ended.stderr);
        let advice = lines.next().unwrap_or_default().trim();
        assert!(!advice.is_empty(), "{words:?} does not say what to do: {}", ended.stderr);
        assert_eq!(lines.next(), None, "{words:?} says more than needed: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{words:?}");
    }
}

#[test]
fn command_lines() {
    let world = World::new();
    world.refuses(&[], 2, "no prompt");
    world.refuses(&["statsu"], 2, "`status` is near");
    world.refuses(&["add", "a", "page"], 2, "'a'");
    world.refuses(&["do it", "status"], 2, "a prompt (\"do it\") and a command");
    world.refuses(&["--frobnicate", "do it"], 2, "--frobnicate");
    world.refuses(&["do it", "--port", "8080"], 2, "later version");
    world.refuses(&["do it", "--port", "many"], 2, "many");
    world.refuses(&["--yes", "status"], 2, "--yes");
    world.refuses(&["land", "--method", "teleport"], 2, "teleport");
    world.refuses(&["answer", "--choice", "maybe", "x"], 2, "maybe");
    world.refuses(&["answer", "--question", "w1", "x"], 2, "w1");
    world.refuses(&["replay", "--to", "soon"], 2, "soon");
    world.refuses(&["answer"], 2, "answer is empty");
}

#[test]
fn prompts() {
    let world = World::new();
    world.refuses(&[""], 2, "prompt");
    world.refuses(&[" \n\t"], 2, "prompt");
    world.refuses_typed(&["-"], b"", 2, "prompt");
    world.refuses_typed(&["-"], &vec![b'x'; (1 << 20) + 1], 2, "1 MiB");
    world.refuses_typed(&["-"], b"do \xff it", 2, "UTF-8");
}

#[test]
fn targets() {
    let world = World::new();
    let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
    fs::write(world.at("file"), "").unwrap();
    fs::create_dir(world.at("work space").join("inside")).unwrap();
    world.refuses(&["do it", "-C", &text(world.at("nowhere"))], 2, "nowhere");
    world.refuses(&["do it", "-C", &text(world.at("file"))], 2, "file");
    world.refuses(&["do it", "-C", "/"], 2, "root");
    world.refuses(&["do it", "-C", &text(world.at("home"))], 2, "home");
    world.refuses(&["do it", "-C", &text(world.at("work space").join("inside"))], 2, "workspace");
}

#[test]
fn machines() {
    let world = World::new();
    fs::write(world.at("file"), "").unwrap();
    let below = world.at("file").join("work").into_os_string().into_string().unwrap();
    world.refuses(&["status", "--workspace", &below], 2, "work");
    // Nobody is installed here; the demo needs nobody.
    world.refuses(&["do it", "--unsandboxed", "--no-dashboard"], 6, "agent");
    let doctor = world.run(&["doctor"], b"");
    assert_eq!(doctor.code, Some(6), "{}", doctor.stderr);
    assert!(doctor.stdout.contains("No agent can work"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("npm install -g @openai/codex"), "{}", doctor.stdout);
}

#[test]
fn settings() {
    let world = World::new();
    let settings = world.at("settings.toml").into_os_string().into_string().unwrap();
    let check = |text: &str, names: &str| {
        fs::write(&settings, text).unwrap();
        world.refuses(&["do it", "--config", &settings], 2, names);
    };
    check("lead = \"claude\"\nlaed = 1\n", "settings.toml:2:1");
    check("parallel = \"three\"\n", "settings.toml:1:12");
    check("lead = \n", "settings.toml:1:");
    check("[agents.nobody]\nmodel = \"m\"\n", "nobody");
    world.refuses(&["do it", "--config", "no/such.toml"], 2, "no/such.toml");
}

#[test]
fn sessions() {
    let world = World::new();
    world.refuses(&["stop"], 2, "no session");
    world.session();
    world.refuses(&["stop", "ffff"], 2, "ffff");
    world.refuses(&["replay", "--to", "9999"], 2, "no entry 9999");
    world.refuses(&["replay", "--to", "0"], 2, "no entry 0");
    world.refuses(&["log", "w99"], 2, "w99");
    world.refuses(&["log", SESSION, "seven"], 2, "seven");
    world.refuses(&["status", "-C", "."], 2, "no session of");
    world.refuses(&["pause"], 2, "nobody runs");
}

#[test]
fn a_session_that_is_busy() {
    let world = World::new();
    let folder = world.at("work space").join(SESSION);
    let held = Journal::create(&folder, &SessionId::from(SESSION)).unwrap();
    world.refuses(&["resume", SESSION, "--no-dashboard"], 2, "another process");
    drop(held);
}

/// What is before the damage is shown; what is damaged is named; nothing is changed.
#[test]
fn a_damaged_journal() {
    let world = World::new();
    let path = world.session().join(journal::FILE);
    let damaged = fs::read_to_string(&path).unwrap().replacen("approved", "appr0ved", 1);
    let line = damaged.lines().position(|line| line.contains("appr0ved")).unwrap() + 1;
    fs::write(&path, &damaged).unwrap();

    let named = format!("line {line}");
    world.refuses(&["resume", SESSION, "--no-dashboard"], 1, &named);
    let status = world.run(&["status"], b"");
    assert_eq!((status.code, status.stdout.contains(&named)), (Some(0), true), "{}", status.stdout);
    let replay = world.run(&["replay", SESSION], b"");
    assert_eq!(replay.code, Some(1), "{}", replay.stderr);
    assert!(replay.stderr.contains(&named), "{}", replay.stderr);
    assert!(replay.stdout.contains(&format!("entry {} of", line - 1)), "{}", replay.stdout);
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
}
