//! The damage test of the guard rail (THREATS T10): every dangerous and every obfuscated command of the corpus runs for real,
//! flagged or not, as an unprivileged user inside of bubblewrap; canaries outside of the project are what they were.
//!
//! The control is the same sandbox with one thing taken away: the folder with the canaries, which the test made, may be
//! written to. Nothing else of the machine can be reached in either run: no network, no capabilities, no other folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::clis::{eprint, project};

/// Nobody's number, so that limits count the test's processes alone.
const USER: &str = "61234";
/// How long one command may take; some never end by themselves.
const PATIENCE: Duration = Duration::from_secs(2);

struct Yard {
    folder: tempfile::TempDir,
}

impl Yard {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let yard = Self { folder };
        for (path, text) in [
            ("home/.ssh/id_rsa", "key"),
            ("home/.bashrc", "alias x=y"),
            ("home/notes.txt", "notes"),
            ("data/a/b", "data"),
        ] {
            let path = yard.at("outside").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        yard
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A project as it was, for the next command.
    fn refresh(&self) {
        let app = self.at("app");
        drop(fs::remove_dir_all(&app));
        for (path, text) in
            [("src/main.rs", "fn main() {}"), (".git/HEAD", "ref: refs/heads/main"), ("list", "src\n")]
        {
            let path = app.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        own(self.folder.path());
    }

    /// Runs a command in the sandbox; `open`: the canaries may be written to.
    fn run(&self, command: &str, open: bool) {
        let bind = if open { "--bind" } else { "--ro-bind" };
        let (app, home, data) = (self.at("app"), self.at("outside/home"), self.at("outside/data"));
        let mut run = Command::new("setpriv");
        run.args([
            "--reuid",
            USER,
            "--regid",
            USER,
            "--clear-groups",
            "--no-new-privs",
            "prlimit",
            "--nproc=64",
            "--fsize=8388608",
            "--cpu=3",
            "--core=0",
        ]);
        run.args([
            "bwrap",
            "--unshare-all",
            "--die-with-parent",
            "--new-session",
            "--cap-drop",
            "ALL",
            "--clearenv",
        ]);
        run.args([
            "--ro-bind",
            "/usr",
            "/usr",
            "--symlink",
            "usr/bin",
            "/bin",
            "--symlink",
            "usr/sbin",
            "/sbin",
            "--symlink",
            "usr/lib",
            "/lib",
            "--symlink",
            "usr/lib64",
            "/lib64",
        ]);
        run.args([
            "--dev", "/dev", "--proc", "/proc", "--size", "8388608", "--tmpfs", "/tmp", "--dir", "/etc",
        ]);
        run.arg(bind)
            .arg(&home)
            .arg("/home/user")
            .arg(bind)
            .arg(&data)
            .arg("/data")
            .arg("--bind")
            .arg(&app)
            .arg("/projects/app");
        run.args([
            "--setenv",
            "HOME",
            "/home/user",
            "--setenv",
            "PATH",
            "/usr/bin:/bin",
            "--chdir",
            "/projects/app",
            "bash",
            "-c",
            command,
        ]);
        let mut child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while child.try_wait().unwrap().is_none() {
            if deadline < Instant::now() {
                child.kill().unwrap(); // its whole namespace goes with it
                child.wait().unwrap();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Everything about the canaries that could have changed.
    fn canaries(&self) -> Vec<String> {
        let found = Command::new("find")
            .arg(self.at("outside"))
            .args(["-printf", "%P %y %m %s %T@\n"])
            .output()
            .unwrap();
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&found.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

fn own(path: &Path) {
    let status = Command::new("chown").args(["-R", &format!("{USER}:{USER}")]).arg(path).status().unwrap();
    assert!(status.success());
}

fn corpus(name: &str) -> Vec<String> {
    let text = fs::read_to_string(project().join("tests/fixtures/guard").join(name)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .filter(|line| line["clearance"] != "allow")
        .map(|line| line["command"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nothing_outside_is_harmed_whatever_runs() {
    let root = Command::new("id").arg("-u").output().is_ok_and(|done| done.stdout == b"0\n");
    let yard = Yard::new();
    if root {
        yard.refresh();
        yard.run("touch /projects/app/it-runs", false);
    }
    if !yard.at("app/it-runs").exists() {
        eprint(
            "SKIPPED: this machine lets no unprivileged user into bubblewrap, so the damage test does not run.",
        );
        return;
    }
    let commands = [corpus("labelled.jsonl"), corpus("obfuscated.jsonl")].concat();
    let before = yard.canaries();
    let mut harmed_projects = 0;
    for command in &commands {
        yard.refresh();
        yard.run(command, false);
        harmed_projects += usize::from(!yard.at("app/src/main.rs").exists());
    }
    assert_eq!(yard.canaries(), before, "a canary was harmed");
    // The control: some of the commands, with the canaries open to them.
    let (mut harmed, mut runs) = (0, 0);
    let aims = |command: &&String| ["~", "HOME", "rm -rf /"].iter().any(|word| command.contains(word));
    for command in commands.iter().filter(aims).take(60) {
        runs += 1;
        let yard = Yard::new();
        yard.refresh();
        let before = yard.canaries();
        yard.run(command, true);
        harmed += usize::from(yard.canaries() != before);
    }
    eprint(&format!(
        "damage test: {} commands run, 0 canaries harmed ({harmed_projects} projects were); control, canaries open: {harmed} of {runs} runs harmed them",
        commands.len()
    ));
    assert!(500 <= commands.len() && 10 <= harmed, "{harmed}");
}
