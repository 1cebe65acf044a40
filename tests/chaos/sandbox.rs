//! G7: forty ways out of the sandbox, tried by a worker of a real session that an unprivileged user runs; how long the
//! sandbox takes to start; and whether a stop reaches the worker inside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use acceptance::chaos::{Chaos, Fault};
use acceptance::clis;
use acceptance::team::{Team, eventually, plan, task, work};
use engine::weakness::Weakness;
use serde_json::{Value, json};

#[path = "sandbox/start.rs"]
mod start;

pub(crate) use start::inner;

/// The user that the recipe makes, and takes away again.
const USER: &str = "orchestrate-g7";
/// RELIABILITY G7.
const ATTEMPTS: usize = 40;
const CONTROL: usize = 30;
/// The interpreter of the attempts; the system's own, because the user has no other.
const PYTHON: &str = "/usr/bin/python3";
const ESCAPE: &str = include_str!("escape.py");
/// What the victim has in its environment.
const CANARY: &str = "G7-CANARY";

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let why = if !rustix::process::geteuid().is_root() {
        Some("only root can make an unprivileged user")
    } else if !Path::new("/usr/bin/bwrap").exists() || !Path::new(PYTHON).exists() {
        Some("bubblewrap or python3 is not installed")
    } else if !cfg!(target_arch = "x86_64") {
        Some("the attempts know the system calls of x86-64")
    } else {
        None
    };
    if let Some(why) = why {
        chaos.skipped("G7", why);
        return Ok(());
    }
    let user = User::make()?;
    refused_as_root(chaos)?;
    start::measured(chaos, &user)?;
    let (escaped, told) = attempts(chaos, &user, &By::Bubblewrap)?;
    chaos.note(format_args!("{told} attempts were made; out came {escaped:?}"));
    chaos.goal("G7-attempts", told, ATTEMPTS, told == ATTEMPTS);
    chaos.goal("G7-escapes", escaped.len(), 0, escaped.is_empty());
    let (bare, told) = attempts(chaos, &user, &By::Landlock)?;
    if told == 0 {
        chaos.skipped("G7-L1", "this kernel has no Landlock, or an old one");
    } else {
        chaos.note(format_args!("at L1 {told} were made; out came {bare:?}"));
        let further = bare.iter().filter(|name| !OUT_AT_L1.contains(&name.as_str())).count();
        chaos.goal("G7-L1-escapes", further, 0, further == 0 && told == ATTEMPTS);
    }
    let (free, told) = attempts(chaos, &user, &By::Nothing)?;
    chaos.note(format_args!(
        "without the sandbox {told} were made; these came to nothing: {:?}",
        missing(&free)
    ));
    let most = format!("without the sandbox {} of {ATTEMPTS} get out:", free.len());
    chaos.control("G7", most, CONTROL <= free.len());
    Ok(())
}

/// As root, agents begin nothing without consent.
fn refused_as_root(chaos: &Chaos) -> Result<(), Fault> {
    let team = chaos.team(|_| Vec::new());
    let ended = team.run(&["Write", "--yes", "--no-dashboard"]);
    let told = ended.code == Some(6) && ended.stderr.contains("root");
    chaos.goal("G7-root-refused", told, true, told);
    if told { Ok(()) } else { Err(format!("{:?} {}", ended.code, ended.stderr).into()) }
}

/// A user of the system without any rights.
struct User {
    id: String,
}

impl User {
    fn make() -> Result<Self, Fault> {
        let exists = || Command::new("id").args(["-u", USER]).output();
        if !exists()?.status.success() {
            let words = ["--system", "--no-create-home", "--shell", "/bin/sh", USER];
            if !Command::new("useradd").args(words).status()?.success() {
                return Err("no user could be made".into());
            }
        }
        let id = String::from_utf8_lossy(&exists()?.stdout).trim().to_owned();
        Ok(Self { id })
    }

    /// How a program is started as this user.
    fn words(&self) -> Vec<String> {
        let id = &self.id;
        ["setpriv".to_owned(), format!("--reuid={id}"), format!("--regid={id}"), "--clear-groups".to_owned()]
            .into()
    }

    fn command(&self, program: &Path) -> Command {
        let words = self.words();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program);
        command
    }

    fn owns(&self, path: &Path) -> Result<(), Fault> {
        let given = Command::new("chown").args(["-R", &format!("{0}:{0}", self.id)]).arg(path).status()?;
        if given.success() { Ok(()) } else { Err("chown failed".into()) }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg(USER).stderr(Stdio::null()).status();
    }
}

/// Listeners and a process of the user's, and what reached them.
struct Outside {
    victim: Child,
    heard: Arc<Mutex<BTreeSet<&'static str>>>,
    ports: (u16, u16),
    socket: PathBuf,
    abstract_name: String,
}

impl Outside {
    fn make(user: &User, folder: &Path, mark: &str) -> Result<Self, Fault> {
        let mut victim = user.command(Path::new("/bin/sleep"));
        victim.arg("600").env_clear().env("PATH", "/usr/bin:/bin").env("SECRET", CANARY);
        let victim = victim.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let heard = Arc::<Mutex<BTreeSet<&'static str>>>::default();
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let ports = (tcp.local_addr()?.port(), udp.local_addr()?.port());
        let socket = folder.join("agent.sock");
        let path = UnixListener::bind(&socket)?;
        user.owns(&socket)?;
        let abstract_name = format!("g7-{mark}");
        let named = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&abstract_name)?)?;
        let note = |what: &'static str| {
            let (heard, mark) = (Arc::clone(&heard), mark.to_owned());
            move |text: &str| {
                if text.contains(&mark) {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).insert(what);
                }
            }
        };
        let told = note("loopback");
        std::thread::spawn(move || tcp.incoming().flatten().for_each(|it| told(&all_of(it))));
        let told = note("path-socket");
        std::thread::spawn(move || path.incoming().flatten().for_each(|it| told(&all_of(it))));
        let told = note("abstract-socket");
        std::thread::spawn(move || named.incoming().flatten().for_each(|it| told(&all_of(it))));
        let told = note("datagram");
        std::thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok(count) = udp.recv(&mut bytes) {
                told(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Ok(Self { victim, heard, ports, socket, abstract_name })
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
    }
}

fn all_of(mut stream: impl std::io::Read) -> String {
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    text
}

/// What confines the worker that makes the attempts.
#[derive(PartialEq, Eq)]
enum By {
    Bubblewrap,
    /// Bubblewrap cannot mount, because of a Landlock around the session that refuses nothing else: level L1.
    Landlock,
    Nothing,
}

/// What level L1 does not hold (docs/SANDBOX.md): sockets and the network, and what a mount would cover in the worktree.
const OUT_AT_L1: [&str; 6] =
    ["path-socket", "loopback", "datagram", "pointer", "protected-file", "protected-folder-renamed"];

/// Runs a session in which a worker makes all attempts; gives which came out, and how many were made.
fn attempts(chaos: &Chaos, user: &User, by: &By) -> Result<(BTreeSet<String>, usize), Fault> {
    let script = |gates: &Path| {
        let escape = gates.with_file_name("escape");
        let run = format!("{PYTHON} '{0}/escape.py' '{0}/places.json' '{0}/out/report'", escape.display());
        vec![plan(&[task("t1", "claude")]), work("t1", &[json!({ "run": run })])]
    };
    let free = *by == By::Nothing;
    let mut team = if free { chaos.weakened(Weakness::NoSandbox, script) } else { chaos.team(script) };
    let name = match by {
        By::Bubblewrap => "b",
        By::Landlock => "l",
        By::Nothing => "n",
    };
    let mark = format!("# g7-{name}-{:x}\n", std::process::id());
    let places = Places::make(&team, mark.trim())?;
    let program = if free { "orchestrate-weakened" } else { "orchestrate" };
    let wrapper = team.at("as-user");
    let words = user.words().join(" ");
    let program = clis::programs().join(program);
    let program = program.display();
    let all = json!({ "tasks": null, "ports": [], "files": { "read": ["/"], "write": ["/"] } });
    let around =
        if *by == By::Landlock { format!(" '{program}' confined '{all}' --") } else { String::new() };
    let text = format!("#!/bin/sh\nexec {words}{around} '{program}' \"$@\"\n");
    fs::write(&wrapper, text)?;
    Command::new("chmod").arg("+x").arg(&wrapper).status()?;
    team.run_by(wrapper);
    let read = json!([team.at("script.json"), team.at("escape")]);
    team.set(&format!(
        "\n[sandbox]\nread = {read}\nwrite = {}\n",
        json!([team.at("state"), team.at("escape/out")])
    ));
    user.owns(chaos.folder())?;
    let outside = Outside::make(user, &team.at(""), mark.trim())?;
    places.write(&outside, &mark)?;
    let report = team.at("escape/out/report");
    let lines = || fs::read_to_string(&report).unwrap_or_default().lines().count();
    let mut session = team.start(&["Write some texts", "--yes", "--no-dashboard"]);
    eventually("all attempts", || ATTEMPTS <= lines() || session.is_over());
    if !free {
        // It goes on as if nothing had been: nothing has.
        let ended = session.end();
        if *by == By::Landlock && ended.code == Some(6) {
            return Ok((BTreeSet::new(), 0));
        }
        if ended.code != Some(0) {
            return Err(format!("the session ended with {:?}: {}", ended.code, ended.stderr).into());
        }
        let level = team.state().sandbox.map(|report| report.level.to_string()).unwrap_or_default();
        let (id, wanted) = if *by == By::Landlock { ("G7-L1-level", "L1") } else { ("G7-level", "L3") };
        chaos.goal(id, &level, wanted, level == wanted);
    } else {
        drop(session);
        eventually("its workers are gone", || team.processes().is_empty());
    }
    let report = fs::read_to_string(&report).unwrap_or_default();
    let told: BTreeMap<&str, &str> = report.lines().filter_map(|line| line.split_once('\t')).collect();
    let heard = outside.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let out = |(name, said): (&&str, &&str)| {
        let escaped = match places.files.get(*name) {
            Some(file) => fs::read_to_string(file).is_ok_and(|text| text.contains(mark.trim())),
            None if *name == "environment-of-another" => said.contains(CANARY),
            None if ["loopback", "path-socket", "abstract-socket", "datagram"].contains(name) => {
                heard.contains(name)
            }
            None => *said == "done" || said.starts_with("read:"),
        };
        escaped.then(|| (*name).to_owned())
    };
    let escaped = told.iter().filter_map(out).collect();
    for file in [&places.files["temporary-file"], &places.files["shared-memory"]] {
        let _ = fs::remove_file(file);
    }
    Ok((escaped, told.len()))
}

/// What is tried where. Whether a write came out is looked up in these files.
struct Places {
    folder: PathBuf,
    files: BTreeMap<&'static str, PathBuf>,
    read: Value,
    write: Value,
}

impl Places {
    fn make(team: &Team, mark: &str) -> Result<Self, Fault> {
        let (home, project) = (team.at("home"), team.at("project"));
        for (path, text) in [
            (home.join(".ssh/id_ed25519"), "secret"),
            (home.join(".aws/credentials"), "secret"),
            (home.join(".config/meta-orchestrator/settings.toml"), "# secret"),
            (home.join(".config/autostart/x.desktop"), ""),
            (home.join(".bashrc"), ""),
            (home.join(".claude/settings.json"), "{}"),
            (home.join(".codex/config.toml"), ""),
            (home.join(".gemini/settings.json"), "{}"),
            (team.at("other").join("secret.txt"), "secret"),
            (project.join(".claude/settings.json"), "{}"),
            (project.join(".vscode/tasks.json"), "{}"),
            (team.at("escape").join("escape.py"), ESCAPE),
            (team.at("escape").join("out/empty"), ""),
        ] {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(path, text)?;
        }
        team.git(&["remote", "add", "origin", "https://user:password@example.invalid/x.git"]);
        team.git(&["add", "-A"]);
        team.git(&[
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.invalid",
            "commit",
            "-q",
            "-m",
            "Settings",
        ]);
        let git = project.join(".git");
        let own = mark.trim_start_matches(['#', ' ']);
        let write: BTreeMap<&str, PathBuf> = [
            ("bashrc", home.join(".bashrc")),
            ("claude-settings", home.join(".claude/settings.json")),
            ("codex-config", home.join(".codex/config.toml")),
            ("gemini-settings", home.join(".gemini/settings.json")),
            ("autostart", home.join(".config/autostart/x.desktop")),
            ("own-settings", home.join(".config/meta-orchestrator/settings.toml")),
            ("other-project", team.at("other").join("secret.txt")),
            ("checkout", project.join("check.sh")),
            ("hook", git.join("hooks/post-checkout")),
            ("git-config", git.join("config")),
            ("branch", git.join("refs/heads/main")),
            ("admin-commondir", git.join("worktrees/t1/commondir")),
            ("agents-program", team.at("bin").join("codex")),
            ("agents-script", team.at("script.json")),
            ("temporary", std::env::temp_dir().join(own)),
            ("shared-memory", Path::new("/dev/shm").join(own)),
        ]
        .into();
        let names: BTreeMap<&str, &'static str> = [
            ("bashrc", "write-bashrc"),
            ("claude-settings", "write-claude-settings"),
            ("codex-config", "write-codex-config"),
            ("gemini-settings", "write-gemini-settings"),
            ("autostart", "write-autostart"),
            ("own-settings", "write-own-settings"),
            ("other-project", "write-other-project"),
            ("checkout", "write-checkout"),
            ("hook", "write-hook"),
            ("git-config", "write-git-config"),
            ("branch", "write-branch"),
            ("admin-commondir", "write-admin-commondir"),
            ("agents-program", "write-agents-program"),
            ("agents-script", "write-agents-script"),
            ("temporary", "temporary-file"),
            ("shared-memory", "shared-memory"),
        ]
        .into();
        let files = write.iter().map(|(place, path)| (names[place], path.clone())).collect();
        let read = json!({
            "ssh-key": home.join(".ssh/id_ed25519"),
            "cloud-key": home.join(".aws/credentials"),
            "other-project": team.at("other").join("secret.txt"),
            "remote-password": git.join("config"),
            "own-settings": home.join(".config/meta-orchestrator/settings.toml"),
        });
        Ok(Self { folder: team.at("escape"), files, read, write: json!(write) })
    }

    fn write(&self, outside: &Outside, mark: &str) -> Result<(), Fault> {
        let places = json!({
            "mark": mark,
            "read": self.read,
            "write": self.write,
            "victim": outside.victim.id(),
            "socket": outside.socket,
            "abstract": outside.abstract_name,
            "port": outside.ports.0,
            "datagrams": outside.ports.1,
        });
        fs::write(self.folder.join("places.json"), places.to_string())?;
        Ok(())
    }
}

/// Attempts that did not come out, by the script's own words.
fn missing(escaped: &BTreeSet<String>) -> Vec<String> {
    let named = ESCAPE.lines().filter_map(|line| line.split("attempt(\"").nth(1)?.split('"').next());
    named.filter(|name| !name.ends_with('-') && !escaped.contains(*name)).map(str::to_owned).collect()
}
