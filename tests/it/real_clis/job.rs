//! The project that sessions with real CLIs work on, and how the product is run on it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use acceptance::clis::{Kit, orchestrate};
use acceptance::model_server::{Endpoint, Record};
use domain::{Dialect, State};
use engine::journal;
use serde_json::Value;

/// Longest time a session may take; on two busy cores one takes half a minute.
const DEADLINE: Duration = Duration::from_secs(300);
const GOAL: &str = "Write slug.sh, which turns a title into a slug for a URL.";
const CHECK: &str = "#!/bin/sh\nset -eu\ncd \"$(dirname \"$0\")\"\n\
    for script in *.sh tests/*.sh; do if [ -e \"$script\" ]; then sh -n \"$script\"; fi; done\n\
    for test in tests/*.sh; do if [ -e \"$test\" ]; then sh \"$test\"; fi; done\n";

/// A project, the kit it is worked on with, and the settings.
pub(crate) struct Job {
    pub(crate) kit: Kit,
    pub(crate) project: PathBuf,
    workspace: PathBuf,
    settings: PathBuf,
    /// What the product is started by: nothing, or a program that gives up rights.
    by: &'static [&'static str],
    /// What lets agents run without a sandbox: the user's consent.
    consent: &'static [&'static str],
    /// What the product finds in its environment besides.
    pub(crate) env: BTreeMap<String, String>,
}

/// How a run of the product ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) summary: Value,
    pub(crate) stderr: String,
}

impl Job {
    /// A scenario on a fresh project, a git repository unless said otherwise, for the agents that are there.
    pub(crate) fn new(bin: PathBuf, scenario: &str, name: &str, agents: &[Dialect]) -> Self {
        let kit = Kit::new(bin, scenario);
        let project = kit.home().join("projects").join(name);
        fs::create_dir_all(&project).unwrap();
        fs::write(project.join("README.md"), "# Slugs\n").unwrap();
        fs::write(project.join("check.sh"), CHECK).unwrap();
        let settings = kit.home().join("settings.toml");
        fs::write(&settings, kit.settings(agents)).unwrap();
        let workspace = kit.home().join("sessions");
        Self { kit, project, workspace, settings, by: &[], consent: &["--unsandboxed"], env: BTreeMap::new() }
    }

    /// Makes the project a git repository with one commit.
    pub(crate) fn in_git(self) -> Self {
        for arguments in [&["init", "-q", "-b", "main"][..], &["add", "-A"], &["commit", "-q", "-m", "Begin"]]
        {
            self.git(arguments);
        }
        self
    }

    /// Changes the settings.
    pub(crate) fn set(&self, change: impl FnOnce(&str) -> String) {
        let settings = fs::read_to_string(&self.settings).unwrap();
        fs::write(&self.settings, change(&settings)).unwrap();
    }

    /// What the only session's journal tells so far.
    pub(crate) fn state(&self) -> State {
        let folders = fs::read_dir(&self.workspace).into_iter().flatten().flatten().map(|it| it.path());
        let folder = folders.into_iter().find(|folder| folder.join(journal::FILE).exists());
        let read = folder.map(|folder| journal::read_readable(&folder)).and_then(Result::ok);
        let mut state = State::default();
        read.into_iter().flat_map(|(entries, _)| entries).for_each(|entry| state.apply(&entry));
        state
    }

    /// From here on everything belongs to the user `nobody`, and the product runs as it. Only root can do this.
    pub(crate) fn run_by_nobody(self) -> Self {
        let mut chown = Command::new("chown");
        let given = chown.args(["-R", "65534:65534"]).arg(self.kit.home()).status().unwrap();
        assert!(given.success(), "chown");
        Self { by: &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], ..self }
    }

    /// Nobody agrees to anything, so the agents run in the sandbox; of this machine it reaches the model server.
    pub(crate) fn in_the_sandbox(self) -> Self {
        let port = self.kit.server.address().port();
        self.set(|settings| format!("{settings}\n[sandbox]\nlocal_ports = [{port}]\n"));
        let by_nobody = if rustix::process::geteuid().is_root() { self.run_by_nobody() } else { self };
        Self { consent: &[], ..by_nobody }
    }

    /// The same where bubblewrap does not work: in a view of the file system in which it is another program.
    pub(crate) fn with_landlock_alone(self) -> Self {
        let hide = "mount --bind /bin/false /usr/bin/bwrap && exec \"$@\"";
        let give_up = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let by: Vec<&'static str> =
            ["unshare", "--mount", "sh", "-c", hide, "sh"].into_iter().chain(give_up).collect();
        Self { by: by.leak(), consent: &[], ..self.run_by_nobody() }
    }

    /// What the agents asked the way out of their network for.
    pub(crate) fn egress(&self) -> Vec<Value> {
        let folders = fs::read_dir(&self.workspace).into_iter().flatten().flatten();
        let text: String =
            folders.filter_map(|it| fs::read_to_string(it.path().join("egress.jsonl")).ok()).collect();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs git in the project, as its user would.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(&self.project).args([
            "-c",
            "user.name=Tester",
            "-c",
            "user.email=t@example.invalid",
        ]);
        git.args(arguments).envs(self.kit.environment()).env("GIT_OPTIONAL_LOCKS", "0").stdin(Stdio::null());
        let done = git.output().unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Starts a session and waits for its end.
    pub(crate) fn start(&self) -> Ended {
        self.run(&[&[GOAL, "--yes", "--no-dashboard"], self.consent].concat())
    }

    /// Runs the product with `--json` on the project.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let [out, err] = ["out.jsonl", "err.txt"].map(|name| self.kit.home().join(format!("{run}-{name}")));
        let program = orchestrate().into_os_string();
        let mut whole = self.by.iter().map(OsString::from).chain([program]);
        let mut command = Command::new(whole.next().unwrap());
        command.args(whole).args(words).arg("--json").arg("-C").arg(&self.project);
        command.arg("--workspace").arg(&self.workspace).arg("--config").arg(&self.settings);
        command.env_clear().envs(self.kit.environment()).envs(&self.env).current_dir(self.kit.home());
        command.stdin(Stdio::null()).stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + DEADLINE;
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            if until < Instant::now() {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{words:?} did not end in {DEADLINE:?}; see {}", self.kit.home().display());
            }
            thread::sleep(Duration::from_millis(20));
        };
        let said = fs::read_to_string(out).unwrap();
        let last = said.lines().last().and_then(|line| serde_json::from_str(line).ok());
        let summary = last.filter(|it: &Value| it["type"] == "summary").unwrap_or_default();
        Ended { code, summary, stderr: fs::read_to_string(err).unwrap() }
    }

    /// The journals of all sessions, one after the other.
    pub(crate) fn journals(&self) -> String {
        let sessions = fs::read_dir(&self.workspace).map(|it| it.flatten().collect::<Vec<_>>());
        let paths = sessions.unwrap_or_default().into_iter().map(|it| it.path().join("journal.jsonl"));
        paths
            .filter_map(|path| fs::read(path).ok())
            .map(|it| String::from_utf8_lossy(&it).into_owned())
            .collect()
    }

    /// Whether a model was served this turn.
    pub(crate) fn served(&self, turn: &str) -> bool {
        self.kit.requests().iter().any(|it| it.served == turn)
    }

    /// Everything of the user's that no session may touch before landing: every file outside `.git`, and of it HEAD,
    /// the index, the branch and the stash.
    pub(crate) fn checkout(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(&self.project, &self.project, &mut found);
        if self.project.join(".git").is_dir() {
            for name in ["HEAD", "index"] {
                found.insert(format!(".git/{name}"), fs::read(self.project.join(".git").join(name)).unwrap());
            }
            for (name, arguments) in [
                ("branch", &["rev-parse", "main"][..]),
                ("status", &["status", "--porcelain=v2", "--branch"]),
                ("stash", &["stash", "list"]),
            ] {
                found.insert(format!("git {name}"), self.git(arguments).into_bytes());
            }
        }
        found
    }

    /// A file of the project.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.project.join(path)).unwrap_or_default()
    }

    /// Whether the project's own check passes in the user's folder.
    pub(crate) fn check_passes(&self) -> bool {
        let mut check = Command::new("sh");
        check.arg("check.sh").current_dir(&self.project).envs(self.kit.environment());
        check.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success()
    }

    /// Requests to a model for work; fails when one had no answer in the script, or left for elsewhere.
    pub(crate) fn asked(&self) -> Vec<Record> {
        let requests = self.kit.requests();
        for request in &requests {
            assert_ne!(request.served, "unscripted", "{request}\n{}", request.prompt);
            assert_ne!(request.key, "other", "{request}");
        }
        requests.into_iter().filter(|it| matches!(it.endpoint, Endpoint::Model(_))).collect()
    }
}

/// Waits until something holds.
pub(crate) fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come in {DEADLINE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn collect(folder: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path == root.join(".git") {
            continue;
        }
        if path.is_dir() {
            collect(&path, root, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.insert(name, fs::read(&path).unwrap());
        }
    }
}

impl Ended {
    /// Fails with everything that a person needs to see when the exit code is another one.
    pub(crate) fn expect(&self, code: i32, outcome: &str) {
        let summary = serde_json::to_string_pretty(&self.summary).unwrap();
        assert_eq!(self.code, Some(code), "{}\n{summary}", self.stderr);
        assert_eq!(self.summary["outcome"], outcome, "{}\n{summary}", self.stderr);
        assert_eq!(self.summary["exit_code"], code, "{summary}");
    }

    /// The rows of a list of the summary for which all these fields have these values.
    pub(crate) fn rows(&self, list: &str, fields: &[(&str, &str)]) -> Vec<&Value> {
        let rows = self.summary[list].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        rows.filter(|row| fields.iter().all(|(field, value)| row[*field] == *value)).collect()
    }

    /// The session's id.
    pub(crate) fn session(&self) -> String {
        self.summary["session"].as_str().unwrap_or_default().to_owned()
    }
}
