//! The real CLIs of the vendors, each in a home of its own, with the scripted model server for its vendor.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use domain::Dialect;
use serde_json::json;

use crate::model_server::{ModelServer, Scenario};

/// The model codex asks for. This one is offered its tools directly; newer ones run them from one JavaScript tool.
const CODEX_MODEL: &str = "gpt-5.5";
/// The model gemini asks for; without one it asks a router first.
const GEMINI_MODEL: &str = "gemini-2.5-pro";
/// Where the system's own programs are.
const PATH: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];
/// Exit code of `.ci/setup-clis` when the registry cannot be reached.
const UNREACHABLE: i32 = 69;

/// Where the pinned CLIs are: `$ORCHESTRATE_CLIS` or `.clis` of the project, installed on demand.
///
/// `None` only when the registry cannot be reached and this is not CI; a line on standard error says so.
///
/// # Panics
/// When they cannot be installed for any other reason: a test must not pass by not running.
#[must_use]
pub fn installed() -> Option<PathBuf> {
    static FOUND: Mutex<Option<Option<PathBuf>>> = Mutex::new(None);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    found.get_or_insert_with(install).clone()
}

fn install() -> Option<PathBuf> {
    let project = project();
    let folder = std::env::var_os("ORCHESTRATE_CLIS").map_or_else(|| project.join(".clis"), PathBuf::from);
    let done = Command::new(project.join(".ci/setup-clis")).arg(&folder).stdin(Stdio::null()).output();
    let (code, said) = match done {
        Ok(done) => (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned()),
        Err(fault) => (None, fault.to_string()),
    };
    if code == Some(UNREACHABLE) && std::env::var_os("CI").is_none() {
        eprint("SKIPPED: the npm registry cannot be reached, so the tests with the real CLIs do not run.");
        return None;
    }
    assert!(code == Some(0), "the real CLIs are not there: {said}");
    Some(folder.join("bin"))
}

/// Says something to the person who runs the tests, past the harness's capture.
pub fn eprint(line: &str) {
    use std::io::Write as _;
    // Nobody to tell: the test's outcome is the same.
    drop(writeln!(io::stderr(), "{line}"));
}

/// The project's root.
#[must_use]
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// The folder of this build's programs (`target/debug`).
///
/// # Panics
/// When the test does not know its own path.
#[must_use]
pub fn programs() -> PathBuf {
    let this = std::env::current_exe().unwrap_or_default();
    let folder =
        this.parent().and_then(|deps| if deps.ends_with("deps") { deps.parent() } else { Some(deps) });
    assert!(folder.is_some_and(Path::is_dir), "a test program knows where it is: {}", this.display());
    folder.map_or_else(PathBuf::new, Path::to_owned)
}

static BUILT: Mutex<bool> = Mutex::new(false);

/// Takes [`orchestrate`] as it is: whoever started this has built it.
pub fn orchestrate_is_built() {
    *BUILT.lock().unwrap_or_else(PoisonError::into_inner) = true;
}

/// The program under test, `orchestrate`; built unless it is up to date, but never inside the network namespace.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn orchestrate() -> PathBuf {
    let folder = programs();
    let path = folder.join(format!("orchestrate{}", std::env::consts::EXE_SUFFIX));
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    // Inside the network namespace the outer test has built it already.
    if !*built && std::env::var_os(INSIDE).is_none() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "cli", "--bin", "orchestrate"]).current_dir(project());
        if folder.ends_with("release") {
            build.arg("--release");
        }
        if let Some(target) = folder.parent() {
            build.env("CARGO_TARGET_DIR", target);
        }
        let status = build.stdin(Stdio::null()).status();
        assert!(status.is_ok_and(|it| it.success()), "orchestrate does not build");
    }
    *built = true;
    path
}

/// Set inside the namespace, to the folder of the CLIs.
const INSIDE: &str = "ORCHESTRATE_TEST_NETNS";

/// Runs a test in a network namespace that has nothing but loopback, where the machine allows it; else as it is, on
/// loopback by configuration only, and says so. `test` is the test's whole name; the body gets the folder of the CLIs.
/// Where [`installed`] finds none, nothing runs.
///
/// # Panics
/// When the test fails inside.
pub fn on_loopback(test: &str, body: impl FnOnce(PathBuf)) {
    if let Some(bin) = std::env::var_os(INSIDE) {
        body(bin.into());
        return;
    }
    let Some(bin) = installed() else { return };
    // What needs a registry, or takes long, is done before.
    let _ = orchestrate();
    let Some(enter) = namespace() else {
        eprint(&format!("{test}: no network namespace here; loopback by configuration only"));
        body(bin);
        return;
    };
    let this = std::env::current_exe().unwrap_or_default();
    let mut inside = Command::new(enter[0]);
    inside.args(&enter[1..]).args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]).arg(this);
    inside.args(["--exact", test, "--nocapture", "--include-ignored"]).env(INSIDE, &bin).stdin(Stdio::null());
    let (passed, shown) = match inside.output() {
        Ok(done) => {
            let words =
                [&done.stdout[..], &done.stderr[..]].map(|it| String::from_utf8_lossy(it).into_owned());
            (done.status.success() && words[0].contains("1 passed"), words.join("\n"))
        }
        Err(fault) => (false, fault.to_string()),
    };
    assert!(passed, "{test}, in its network namespace: {shown}");
}

/// How to enter a namespace whose loopback can be brought up.
fn namespace() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] =
        [&["unshare", "--net"], &["unshare", "--map-current-user", "--net", "--keep-caps"]];
    ways.into_iter().find(|way| {
        let mut probe = Command::new(way[0]);
        probe.args(&way[1..]).args(["ip", "link", "set", "lo", "up"]);
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|it| it.success())
    })
}

/// A private home with everything the three CLIs read, for one scenario on one server.
pub struct Kit {
    bin: PathBuf,
    home: PathBuf,
    scenario: String,
    /// The server; its log tells what the models were asked.
    pub server: ModelServer,
}

impl Kit {
    /// Starts a server with one scenario of `tests/fixtures/scenarios` and makes the home.
    ///
    /// # Panics
    /// When the machine does not let it.
    #[must_use]
    pub fn new(bin: PathBuf, scenario: &str) -> Self {
        let server = ModelServer::start().unwrap_or_else(|fault| panic!("{fault}"));
        let file = project().join("tests/fixtures/scenarios").join(format!("{scenario}.json"));
        server.play(scenario, Scenario::load(&file).unwrap_or_else(|fault| panic!("{fault}")));
        let home = fresh_folder(scenario);
        let kit = Self { bin, home, scenario: scenario.to_owned(), server };
        kit.fill_home().unwrap_or_else(|fault| panic!("the home cannot be made: {fault}"));
        kit
    }

    fn fill_home(&self) -> io::Result<()> {
        for folder in ["tmp", ".claude", ".codex", ".gemini", "empty-path", "path"] {
            std::fs::create_dir_all(self.home.join(folder))?;
        }
        // Of the folder that holds node only node is taken: CLIs are often installed next to it.
        #[cfg(unix)]
        if let Some(node) = which("node") {
            std::os::unix::fs::symlink(node, self.home.join("path/node"))?;
        }
        let base = self.server.url(&self.scenario);
        // Plugins make codex ask the vendor's and other hosts at its start, analytics off or not (measured).
        let codex = format!(
            "model = \"{CODEX_MODEL}\"\nmodel_provider = \"scripted\"\ncheck_for_update_on_startup = false\n\
             [model_providers.scripted]\nname = \"scripted\"\nbase_url = \"{base}/v1\"\nwire_api = \"responses\"\n\
             env_key = \"SCRIPTED_KEY\"\n[analytics]\nenabled = false\n[features]\nplugins = false\n"
        );
        std::fs::write(self.home.join(".codex/config.toml"), codex)?;
        // The base URL works only with a pinned way of signing in (measured).
        let gemini = json!({
            "security": {"auth": {"selectedType": "gemini-api-key"}},
            "privacy": {"usageStatisticsEnabled": false}, "telemetry": {"enabled": false},
            "general": {"maxAttempts": 2, "disableAutoUpdate": true, "enableAutoUpdate": false},
        });
        std::fs::write(self.home.join(".gemini/settings.json"), gemini.to_string())
    }

    /// The home: also a place for the test's project and workspace. It lies in the build's folder, because codex does
    /// not like a home below a temporary one.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Base URL of the scenario.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.scenario)
    }

    /// What the models were asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<crate::model_server::Record> {
        self.server.requests(&self.scenario)
    }

    /// The program of a CLI.
    #[must_use]
    pub fn program(&self, dialect: Dialect) -> PathBuf {
        self.bin.join(dialect.as_str())
    }

    /// The environment of a person who has none of the vendors' CLIs on the path: all of it, nothing is inherited.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let home = self.home.to_string_lossy();
        let path = format!("{home}/path:{}", PATH.join(":"));
        let pairs = [
            ("PATH", path),
            ("HOME", home.clone().into_owned()),
            ("TMPDIR", format!("{home}/tmp")),
            ("LANG", "C.UTF-8".to_owned()),
            ("SHELL", "/bin/sh".to_owned()),
            ("TERM", "dumb".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("USER", "tester".to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// What a CLI needs beyond that to take the server for its vendor.
    #[must_use]
    pub fn agent_environment(&self, dialect: Dialect) -> BTreeMap<String, String> {
        let home = self.home.to_string_lossy();
        let pairs = match dialect {
            Dialect::Claude => vec![
                ("CLAUDE_CONFIG_DIR", format!("{home}/.claude")),
                ("ANTHROPIC_BASE_URL", self.url()),
                ("ANTHROPIC_API_KEY", "sk-dummy".to_owned()),
            ],
            Dialect::Codex => {
                vec![("CODEX_HOME", format!("{home}/.codex")), ("SCRIPTED_KEY", "dummy".to_owned())]
            }
            Dialect::Gemini => {
                vec![("GEMINI_API_KEY", "dummy".to_owned()), ("GOOGLE_GEMINI_BASE_URL", self.url())]
            }
        };
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The settings (TOML) with which the product launches these agents against the server. The others are missing:
    /// nothing is said of them, unless this machine has them; then the settings name a program that is not there.
    #[must_use]
    pub fn settings(&self, agents: &[Dialect]) -> String {
        let mut text = String::from("checks = [\"sh check.sh\"]\n");
        let here = |it: &Dialect| PATH.iter().any(|folder| Path::new(folder).join(it.as_str()).exists());
        for missing in Dialect::ALL.iter().filter(|it| !agents.contains(it) && here(it)) {
            let nowhere = json!(self.home.join("empty-path").join(missing.as_str()));
            text += &format!("\n[agents.{}]\ncommand = {nowhere}\n", missing.as_str());
        }
        for dialect in agents {
            // JSON strings are TOML strings.
            let program = json!(self.program(*dialect));
            let env = self.agent_environment(*dialect);
            let env: Vec<String> =
                env.iter().map(|(name, value)| format!("{name} = {}", json!(value))).collect();
            text += &format!(
                "\n[agents.{}]\ncommand = {program}\nenv = {{ {} }}\n",
                dialect.as_str(),
                env.join(", ")
            );
            if *dialect == Dialect::Gemini {
                text += &format!("model = \"{GEMINI_MODEL}\"\n");
            }
        }
        text
    }

    /// A command that runs one CLI as the product would at its plainest: for tests of the server itself.
    #[must_use]
    pub fn command(&self, dialect: Dialect, cwd: &Path) -> Command {
        let mut command = Command::new(self.program(dialect));
        command.env_clear().envs(self.environment()).envs(self.agent_environment(dialect)).current_dir(cwd);
        match dialect {
            Dialect::Claude => command
                .args(["--print", "--dangerously-skip-permissions", "--strict-mcp-config"])
                .args(["--output-format", "stream-json", "--verbose"])
                .envs([("IS_SANDBOX", "1"), ("ENABLE_TOOL_SEARCH", "0"), ("DISABLE_AUTOUPDATER", "1")])
                .envs([("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"), ("CLAUDE_CODE_MAX_RETRIES", "2")]),
            Dialect::Codex => command
                .args([
                    "exec",
                    "--json",
                    "--dangerously-bypass-approvals-and-sandbox",
                    "--skip-git-repo-check",
                ])
                .args(["--disable", "unbounded_connection_retries"])
                .arg("-C")
                .arg(cwd)
                .arg("-"),
            Dialect::Gemini => command
                .args(["--yolo", "--skip-trust", "--output-format", "stream-json", "-m", GEMINI_MODEL])
                .env("GEMINI_CLI_NO_RELAUNCH", "1"),
        };
        command
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        // Kept when the test failed: a person wants to look.
        if !std::thread::panicking() {
            drop(std::fs::remove_dir_all(&self.home));
        }
    }
}

fn fresh_folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    programs().join("real-clis").join(format!("{name}-{}-{number}", std::process::id()))
}

fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|it| it.is_file())
}
