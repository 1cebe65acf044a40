//! Sessions of the real program with scripted agents in the places of the vendors' CLIs.
//!
//! What an agent does next waits on gates (files that the test makes), so that a test acts at a known moment.
//! For tests and recipes: what goes wrong here fails them, so these functions panic and do not say so each.

#![expect(clippy::unwrap_used, reason = "what a test cannot do without has to fail it")]
#![expect(clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use domain::{Entry, Event, JobOutcome, SessionId, State, TaskId};
use engine::journal;
use serde_json::{Value, json};

use crate::clis::orchestrate;

/// Sessions here take seconds; a loaded machine several times as long.
pub const DEADLINE: Duration = Duration::from_secs(180);
/// What the dialects look for in a CLI's help.
const HELP: &str = "--print --output-format stream-json --verbose --dangerously-skip-permissions \
    --strict-mcp-config --mcp-config --add-dir --setting-sources --resume --json --json-schema \
    --dangerously-bypass-approvals-and-sandbox --skip-git-repo-check --cd --config --output-schema \
    --yolo --include-directories --skip-trust";

/// A project, three scripted agents, a home and a workspace.
#[derive(Debug)]
pub struct Team {
    folder: tempfile::TempDir,
    program: PathBuf,
    env: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Ended {
    /// Fails with all that was printed when the exit code is another one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails when these words were not printed.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stdout.contains(words), "no {words:?}: {}\n{}", self.stdout, self.stderr);
        self
    }
}

/// A task of a plan that is done when its file is there.
pub fn task(id: &str, agent: &str) -> Value {
    json!({
        "id": id, "title": format!("Write {id}.txt"), "role": "implementer", "agent": agent,
        "instructions": format!("Write {id}.txt."), "depends_on": [], "milestones": [], "writes": true,
        "acceptance": [{ "type": "file", "path": format!("{id}.txt") }],
    })
}

/// What the lead says; a plan's weights are 100 in all.
pub fn plan(tasks: &[Value]) -> Value {
    let mut tasks = tasks.to_vec();
    let each = 100 / tasks.len();
    tasks.iter_mut().for_each(|task| task["weight"] = json!(each));
    json!({ "when": { "role": "lead" }, "steps": [
        { "plan": { "summary": "Texts.", "tasks": tasks } },
    ] })
}

/// How a task is worked on, in every attempt: first these steps, then its file is written.
pub fn work(id: &str, first: &[Value]) -> Value {
    let mut steps = first.to_vec();
    steps.push(json!({ "write": { "path": format!("{id}.txt"), "text": format!("text of {id}\n") } }));
    steps.push(json!({ "say": "It is written." }));
    json!({ "when": { "task": id, "purpose": "task" }, "steps": steps })
}

/// A step that ends when the test opens the gate.
pub fn wait(folder: &Path, gate: &str) -> Value {
    json!({ "run": format!("until [ -e '{}' ]; do sleep 0.05; done", folder.join(gate).display()) })
}

impl Team {
    /// `script` gets the folder of the gates.
    pub fn new(script: impl FnOnce(&Path) -> Vec<Value>) -> Self {
        Self::below(&std::env::temp_dir(), script)
    }

    /// The same in a folder of this folder.
    pub fn below(folder: &Path, script: impl FnOnce(&Path) -> Vec<Value>) -> Self {
        let folder = tempfile::Builder::new().prefix("team-").tempdir_in(folder).unwrap();
        let team = Self { folder, program: orchestrate(), env: Vec::new() };
        for name in ["home", "bin", "gates", "state", "project"] {
            fs::create_dir(team.at(name)).unwrap();
        }
        let script = json!(script(&team.at("gates")));
        fs::write(team.at("script.json"), script.to_string()).unwrap();
        let mut settings = "checks = [\"sh check.sh\"]\n".to_owned();
        for dialect in ["claude", "codex", "gemini"] {
            settings += &format!("[agents.{dialect}]\ncommand = {}\n", json!(team.agent(dialect)));
        }
        fs::write(team.at("settings.toml"), settings).unwrap();
        team.check("exit 0");
        for words in [
            &["init", "-q", "-b", "main"][..],
            &["add", "-A"],
            &["-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "-q", "-m", "Begin"],
        ] {
            team.git(words);
        }
        team
    }

    /// A program that answers discovery as the real one does, and plays the script.
    fn agent(&self, dialect: &str) -> PathBuf {
        let path = self.at("bin").join(dialect);
        let (player, script, state) = (orchestrate(), self.at("script.json"), self.at("state"));
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in\n--version) echo '{dialect} 99.0.0'; exit;;\n\
             --help|'exec --help') echo '{HELP}'; exit;;\nesac\n\
             exec '{}' demo-agent --dialect {dialect} --script '{}' --state '{}' -- \"$@\"\n",
            player.display(),
            script.display(),
            state.display()
        );
        fs::write(&path, text).unwrap();
        let made = Command::new("chmod").arg("+x").arg(&path).status().unwrap();
        assert!(made.success());
        path
    }

    /// Has its sessions run by another program than the product's.
    pub fn run_by(&mut self, program: PathBuf) {
        self.program = program;
    }

    /// Sets a variable of the program's environment.
    pub fn env(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Whether the folder is left in place when this is over.
    pub fn keep(&mut self, keep: bool) {
        self.folder.disable_cleanup(keep);
    }

    /// A path in the team's folder.
    pub fn at(&self, name: &str) -> PathBuf {
        // Canonical, because the program names folders that way.
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// The project's own check; before the first session only.
    pub fn check(&self, text: &str) {
        fs::write(self.at("project").join("check.sh"), text).unwrap();
    }

    /// Adds to the settings.
    pub fn set(&self, text: &str) {
        let path = self.at("settings.toml");
        fs::write(&path, fs::read_to_string(&path).unwrap() + text).unwrap();
    }

    /// Has the agents run with less priority, so that what is measured is not they.
    pub fn nice(&self, by: u8) {
        for dialect in ["claude", "codex", "gemini"] {
            let path = self.at("bin").join(dialect);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("exec '", &format!("exec nice -n {by} '"))).unwrap();
        }
    }

    /// Sets how many workers run at the same time.
    pub fn parallel(&self, workers: u32) {
        let path = self.at("settings.toml");
        let rest = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("parallel = {workers}\n{rest}")).unwrap();
    }

    /// Runs git in the project; gives what it printed.
    pub fn git(&self, words: &[&str]) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.at("project")).args(words).env("HOME", self.at("home")).stdin(Stdio::null());
        let done = git.output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// Opens a gate.
    pub fn open(&self, gate: &str) {
        fs::write(self.at("gates").join(gate), "").unwrap();
    }

    /// Starts a session.
    pub fn begin(&self) -> Running {
        self.start(&["Write some texts", "--unsandboxed", "--yes", "--no-dashboard"])
    }

    /// Starts a command; what it prints goes to files.
    pub fn start(&self, words: &[&str]) -> Running {
        let number = fs::read_dir(self.folder.path()).unwrap().count();
        let [out, err] = ["out", "err"].map(|name| self.at(&format!("{number}.{name}")));
        let mut command = Command::new(&self.program);
        command.args(words).arg("-C").arg(self.at("project"));
        // What was printed to be copied names it.
        if !words.contains(&"--workspace") {
            command.arg("--workspace").arg(self.at("work"));
        }
        command.arg("--config").arg(self.at("settings.toml")).current_dir(self.at("home"));
        command.env_clear().env("HOME", self.at("home")).env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.env("SHELL", "/bin/sh").env("LANG", "C.UTF-8").stdin(Stdio::null());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        // A script that was just written may still be open in a process that another thread is about to start.
        let until = Instant::now() + DEADLINE;
        let child = loop {
            match command.spawn() {
                Err(fault)
                    if fault.kind() == std::io::ErrorKind::ExecutableFileBusy && Instant::now() < until =>
                {
                    thread::sleep(Duration::from_millis(10));
                }
                spawned => break spawned.unwrap(),
            }
        };
        Running { child, out, err }
    }

    /// Runs a command to its end.
    pub fn run(&self, words: &[&str]) -> Ended {
        self.start(words).end()
    }

    /// The only session's folder, once it is there. One that was killed before its first entry was written is none yet,
    /// so the next one counts.
    pub fn session(&self) -> Option<PathBuf> {
        let folders = fs::read_dir(self.at("work")).ok()?.flatten().map(|entry| entry.path());
        let length = |folder: &PathBuf| fs::metadata(folder.join(journal::FILE)).map(|file| file.len()).ok();
        folders.filter(|folder| length(folder).is_some()).max_by_key(length)
    }

    /// The only session's name.
    pub fn id(&self) -> SessionId {
        let folder = self.session().unwrap();
        SessionId(folder.file_name().unwrap().to_str().unwrap().to_owned())
    }

    /// What is written so far.
    pub fn entries(&self) -> Vec<Entry> {
        let read = self.session().map(|folder| journal::read_readable(&folder));
        read.and_then(Result::ok).map(|(entries, _)| entries).unwrap_or_default()
    }

    /// What follows from what is written so far.
    pub fn state(&self) -> State {
        let mut state = State::default();
        self.entries().iter().for_each(|entry| state.apply(entry));
        state
    }

    /// Waits until the journal tells something.
    #[track_caller]
    pub fn until(&self, what: &str, told: impl Fn(&State) -> bool) {
        eventually(what, || told(&self.state()));
    }

    /// Waits until an event of a kind is journalled, by its name in the journal.
    #[track_caller]
    pub fn until_event(&self, kind: &str, is: impl Fn(&Event) -> bool) {
        eventually(kind, || self.entries().iter().any(|entry| is(&entry.event)));
    }

    /// Waits until so many workers stand before their gates: each shell of a waiting step is a process of the session.
    #[track_caller]
    pub fn until_waiting(&self, gates: &[&str]) {
        for gate in gates {
            let path = self.at("gates").join(gate).to_string_lossy().into_owned();
            eventually(gate, || {
                all().any(|pid| environment(pid).contains("AW_COOKIE=") && command_line(pid).contains(&path))
            });
        }
    }

    /// Processes of the session: those that carry its mark, and those whose command line names its folder.
    pub fn processes(&self) -> Vec<u32> {
        let Some(folder) = self.session() else { return Vec::new() };
        let mark = format!("AW_COOKIE={}/", self.id());
        let folder = folder.to_string_lossy().into_owned();
        all()
            .filter(|pid| state_of(*pid).is_some_and(|state| state != 'Z'))
            .filter(|pid| environment(*pid).contains(&mark) || command_line(*pid).contains(&folder))
            .collect()
    }

    /// How many merge commits of each task the session branch has.
    pub fn merges(&self) -> Vec<(TaskId, usize)> {
        let state = self.state();
        let (opened, head) = (state.opened.unwrap(), state.head);
        let range = format!("{}..{}", opened.trees.base().0, head.0);
        let subjects = self.git(&["log", "--first-parent", "--format=%H %s", &range]);
        let merged: Vec<&str> = subjects.lines().collect();
        let merged_as = |task: &TaskId| {
            let is =
                |line: &&&str| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == task.as_str());
            merged.iter().filter(is).count()
        };
        state.tasks.iter().map(|task| (task.task.id.clone(), merged_as(&task.task.id))).collect()
    }

    /// A session that ended as it should: done, each task merged exactly once, nothing left running.
    #[track_caller]
    pub fn done(&self, ended: Ended) {
        let ended = ended.expect(0);
        let state = self.state();
        assert_eq!(
            state.ended.as_ref().map(|(outcome, _)| *outcome),
            Some(domain::Outcome::Done),
            "{ended:?}"
        );
        let merged =
            |event: &Event| matches!(event, Event::JobEnded { outcome: JobOutcome::Merged { .. }, .. });
        let merges = self.entries().iter().filter(|entry| merged(&entry.event)).count();
        assert_eq!(merges, state.tasks.len(), "each task is merged once by the journal");
        for (task, merges) in self.merges() {
            assert_eq!(
                merges,
                1,
                "{task} on the branch: {}",
                self.git(&["log", "--oneline", "--all", "--graph"])
            );
        }
        eventually("no process of the session is left", || self.processes().is_empty());
        crate::fold::holds(&self.session().unwrap());
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        // Only a test that failed leaves something; its agents would run on.
        self.processes().into_iter().for_each(|pid| signal(pid, "-KILL"));
    }
}

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Running {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, by the option of kill(1).
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Kills it; what it started is not touched.
    pub fn kill(&self) {
        kill(self.pid());
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it printed so far.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.out).unwrap()
    }

    /// What it complained about so far.
    pub fn complained(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        let until = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "did not end in {DEADLINE:?}: {}", self.printed());
            thread::sleep(Duration::from_millis(20));
        };
        let stderr = fs::read_to_string(&self.err).unwrap();
        Ended { code: status.code(), stdout: self.printed(), stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail when it has ended, as it should.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits on a condition.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < until, "not in {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal; a process that is gone meanwhile needs none.
pub fn signal(pid: u32, name: &str) {
    drop(Command::new("kill").arg(name).arg(pid.to_string()).stderr(Stdio::null()).status());
}

/// Kills a process; one that is gone meanwhile needs none.
pub fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let _ = pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
}

/// Live processes whose environment, command line or working directory names a folder: all that was ever started
/// for what lives in it.
pub fn traces(folder: &Path) -> Vec<u32> {
    let name = folder.as_os_str().as_encoded_bytes();
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let names = |bytes: &[u8]| memchr::memmem::find(bytes, name).is_some();
    let own = std::process::id();
    let marked = |pid: &u32| {
        let file = |file: &str| fs::read(format!("/proc/{pid}/{file}")).is_ok_and(|bytes| names(&bytes));
        let inside = || fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        *pid != own && (file("environ") || file("cmdline") || inside())
    };
    all().filter(marked).filter(|pid| state_of(*pid).is_some_and(|state| state != 'Z')).collect()
}

fn all() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn proc_file(pid: u32, name: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn environment(pid: u32) -> String {
    proc_file(pid, "environ")
}

/// A process's command line, with spaces between its words.
pub fn command_line(pid: u32) -> String {
    proc_file(pid, "cmdline")
}

/// The letter of proc(5); `None` when the process is gone.
pub fn state_of(pid: u32) -> Option<char> {
    proc_file(pid, "stat").rsplit_once(") ")?.1.chars().next()
}
