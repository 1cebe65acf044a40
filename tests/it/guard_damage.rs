//! The damage test of the guard rail (THREATS T10): every dangerous and every obfuscated command of the corpus runs for real,
//! flagged or not, as a worker's command in the sandbox of the product; canaries outside of the project are what they were.
//!
//! The control is the same sandbox for a user who lets workers write to the folders with the canaries (`sandbox.write`).
//! Nothing else of the machine can be reached in either run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use acceptance::clis::{eprint, orchestrate, orchestrate_is_built, programs, project};
use domain::{ExitCause, Level, SandboxReport, SandboxRules};
use engine::process::{Caps, Processes, Spec};
use engine::sandbox::{Needs, Sandbox, Start, assess};

const TEST: &str = "guard_damage::nothing_outside_is_harmed_whatever_runs";
/// Nobody's number, so that limits count the test's processes alone.
const USER: &str = "61234";
/// How long one command may take; some never end by themselves.
const PATIENCE: Duration = Duration::from_millis(1000);
/// Said when the commands have run: where nothing runs, the test must not pass.
const DONE: &str = "damage test: ";
const SKIPPED: &str =
    "SKIPPED: this machine lets no unprivileged user into bubblewrap, so the damage test does not run";

/// Canaries, projects, and the session that they belong to. Below no folder that the sandbox has in memory in any case.
struct Yard {
    folder: PathBuf,
}

impl Yard {
    fn new(folder: PathBuf) -> Self {
        let yard = Self { folder };
        for (path, text) in [
            ("outside/home/.ssh/id_rsa", "key"),
            ("outside/home/.bashrc", "alias x=y"),
            ("outside/home/notes.txt", "notes"),
            ("outside/data/a/b", "data"),
            // The user's own checkout: workers have worktrees.
            ("outside/project/src/main.rs", "fn main() {}"),
            ("session/journal.jsonl", "{}"),
        ] {
            put(&yard.at(path), text);
        }
        yard
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A worker's command, and what it may use.
    fn spec(&self, name: &str, command: &str) -> Spec {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let app = self.at("session/trees").join(name);
        // The corpus names its places as they are on the machine of somebody called `user`.
        let command = command
            .replace("/projects/app", &text(app.clone()))
            .replace("/home/user", &text(self.at("outside/home")))
            .replace("/data", &text(self.at("outside/data")));
        let env: BTreeMap<OsString, OsString> = [
            ("HOME".into(), self.at("outside/home").into()),
            ("PATH".into(), "/usr/bin:/bin:/usr/sbin:/sbin".into()),
        ]
        .into();
        let out = |kind: &str| self.at("runs").join(format!("{name}.{kind}"));
        Spec {
            program: "/bin/bash".into(),
            args: ["-c".into(), command.into()].into(),
            env,
            cwd: app,
            stdin: None,
            stdout: out("out"),
            stderr: out("err"),
            record: out("exit"),
            cookie: format!("{}/{name}", self.folder.display()),
            caps: Caps {
                processes: Some(64),
                memory: Some(512 << 20),
                file: Some(8 << 20),
                output: Some(8 << 20),
                groups: false,
                ..Caps::default()
            },
            sandboxed: false,
        }
    }

    /// Runs a command in the sandbox, in a project as it was; tells whether it harmed the project, and whether it
    /// ended by itself.
    async fn run(&self, sandbox: &Sandbox, processes: &Processes, name: &str, command: &str) -> (bool, bool) {
        let app = self.at("session/trees").join(name);
        for (path, text) in
            [("src/main.rs", "fn main() {}"), (".git/HEAD", "ref: refs/heads/main"), ("list", "src\n")]
        {
            put(&app.join(path), text);
        }
        let spec = self.spec(name, command);
        put(&spec.stdout, "");
        let needs = Needs { who: "claude", worktree: app.clone(), writes: true, ..Needs::default() };
        let spec = sandbox.confine(spec, &needs).unwrap();
        let (out, err) = (spec.stdout.clone(), spec.stderr.clone());
        let running = processes.spawn(spec).await.unwrap();
        let ended = tokio::time::timeout(PATIENCE, running.ended()).await.is_ok();
        if !ended {
            running.stop_now(ExitCause::Limit);
            running.ended().await;
        }
        let harmed = !app.join("src/main.rs").exists();
        let said = fs::read_to_string(&err).unwrap_or_default();
        assert!(!said.contains("bwrap: ") && !said.contains("sandbox: "), "{command}: {said}");
        for gone in [&out, &err] {
            drop(fs::remove_file(gone));
        }
        drop(fs::remove_dir_all(&app));
        (harmed, ended)
    }

    /// Everything about the canaries that could have changed.
    fn canaries(&self) -> Vec<String> {
        let mut find = Command::new("find");
        find.args([self.at("outside"), self.at("session/journal.jsonl")]);
        let found = find.args(["-printf", "%p %y %m %s %T@\n"]).output().unwrap();
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// The sandbox of the product; `open`: the canaries may be written to.
    fn sandbox(&self, tested: &Tested, open: bool) -> Sandbox {
        let write = ["outside/home", "outside/data"].map(|name| self.at(name).to_string_lossy().into_owned());
        let write = if open { write.into() } else { Vec::new() };
        Sandbox::new(Start {
            report: tested.0.clone(),
            bwrap: tested.1.clone(),
            orchestrate: orchestrate(),
            rules: SandboxRules { write, ..SandboxRules::default() },
            session: self.at("session"),
            target: self.at("outside/project"),
            proxy: None,
        })
    }
}

/// What the self-test came to, and the program that confines.
type Tested = (SandboxReport, PathBuf);

fn put(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn corpus(name: &str) -> Vec<String> {
    let text = fs::read_to_string(project().join("tests/fixtures/guard").join(name)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .filter(|line| line["clearance"] != "allow")
        .map(|line| line["command"].as_str().unwrap().to_owned())
        .collect()
}

/// Runs all commands, four at a time, each in a sandbox and a project of its own; gives how many harmed their project,
/// and how many had to be ended.
async fn all(yard: &Yard, sandbox: &Sandbox, commands: &[String]) -> (usize, usize) {
    let processes = Processes::new(orchestrate(), vec!["guardian".into()]).unwrap();
    let (next, harmed, endless) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let one = async || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(command) = commands.get(at) else { return };
            let (harm, ended) = yard.run(sandbox, &processes, &format!("w{at}"), command).await;
            harmed.fetch_add(usize::from(harm), Ordering::Relaxed);
            endless.fetch_add(usize::from(!ended), Ordering::Relaxed);
        }
    };
    tokio::join!(one(), one(), one(), one());
    (harmed.into_inner(), endless.into_inner())
}

/// What the unprivileged user does.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn damage(folder: &Path) {
    let yard = Yard::new(folder.join("all"));
    let env = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
    let tested = assess(&orchestrate(), &SandboxRules::default(), &env, folder);
    if tested.0.level != Level::L3 {
        return eprint(&format!("{SKIPPED}: {}.", tested.0.misses.join("; ")));
    }
    let commands = [corpus("labelled.jsonl"), corpus("obfuscated.jsonl")].concat();
    let before = yard.canaries();
    let (projects, endless) = all(&yard, &yard.sandbox(&tested, false), &commands).await;
    assert_eq!(yard.canaries(), before, "a canary was harmed");
    // The control: some of the commands, with the canaries open to them.
    let aims = |command: &&String| ["~", "HOME", "rm -rf /"].iter().any(|word| command.contains(word));
    let aimed: Vec<String> = commands.iter().filter(aims).take(60).cloned().collect();
    let mut harmed = 0;
    for (at, command) in aimed.iter().enumerate() {
        let yard = Yard::new(folder.join(format!("control-{at}")));
        let before = yard.canaries();
        all(&yard, &yard.sandbox(&tested, true), std::slice::from_ref(command)).await;
        harmed += usize::from(yard.canaries() != before);
    }
    eprint(&format!(
        "{DONE}{} commands run in the product's sandbox at L3, 0 canaries harmed ({projects} projects were, {endless} did not end by themselves); control, canaries open: {harmed} of {} runs harmed them",
        commands.len(),
        aimed.len()
    ));
    assert!(500 <= commands.len() && 10 <= projects && 10 <= harmed, "{projects} {harmed}");
}

#[test]
fn nothing_outside_is_harmed_whatever_runs() {
    /// Set for the unprivileged user, to its folder.
    const FOLDER: &str = "ORCHESTRATE_TEST_DAMAGE";
    if let Some(folder) = std::env::var_os(FOLDER) {
        orchestrate_is_built();
        return damage(Path::new(&folder));
    }
    let _built = orchestrate();
    let folder = programs().join(format!("damage-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    if !rustix::process::geteuid().is_root() {
        damage(&folder);
    } else {
        let given = Command::new("chown").arg(format!("{USER}:{USER}")).arg(&folder).status();
        assert!(given.unwrap().success(), "chown");
        let words = ["--reuid", USER, "--regid", USER, "--clear-groups", "--no-new-privs"];
        let mut run = Command::new("setpriv");
        run.args(words).arg(std::env::current_exe().unwrap()).args(["--exact", TEST, "--nocapture"]);
        let done = run.env(FOLDER, &folder).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let told = said.lines().find(|line| line.starts_with(DONE) || line.starts_with(SKIPPED));
        assert!(done.status.success() && told.is_some(), "{said}\n{}", String::from_utf8_lossy(&done.stdout));
        told.into_iter().for_each(eprint);
    }
    fs::remove_dir_all(&folder).unwrap();
}
