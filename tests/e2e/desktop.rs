//! What is around the window: a window manager, a keyboard, a notification server, a home folder.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use zbus::{blocking::Connection, zvariant::OwnedValue};

/// Ends with the test, and everything in it.
pub(crate) struct Desktop {
    home: PathBuf,
    environment: BTreeMap<String, String>,
    /// Removed at the end.
    _temporary: Option<TempDir>,
    notifications: Arc<Mutex<Vec<Notification>>>,
    _bus: Connection,
    _window_manager: Killed,
}

/// What arrived at the notification server.
#[derive(Clone, Debug)]
pub(crate) struct Notification {
    pub app: String,
    pub summary: String,
    pub body: String,
    pub actions: Vec<String>,
}

impl Notification {
    /// Nothing that a server could read as markup, nothing to click, no essay (THREATS T30).
    pub(crate) fn is_plain(&self) -> bool {
        let body = self.body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        !self.summary.is_empty()
            && !self.body.contains(['<', '>'])
            && self.actions.is_empty()
            && body.chars().count() <= 200
    }
}

impl Desktop {
    /// With an empty home.
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new().prefix("orchestrate-e2e-").tempdir().unwrap();
        let mut desktop = Self::with(home.path().to_owned(), BTreeMap::new());
        desktop._temporary = Some(home);
        desktop
    }

    /// With a home that is there, and the environment of its user.
    pub(crate) fn with(home: PathBuf, environment: BTreeMap<String, String>) -> Self {
        let notifications = Arc::<Mutex<Vec<Notification>>>::default();
        let server = Server { notifications: Arc::clone(&notifications) };
        let bus = zbus::blocking::connection::Builder::session()
            .and_then(|builder| builder.name("org.freedesktop.Notifications"))
            .and_then(|builder| builder.serve_at("/org/freedesktop/Notifications", server))
            .and_then(zbus::blocking::connection::Builder::build)
            .expect("a session bus without a notification server: run this by `make e2e`");
        let window_manager = Killed::spawn(&mut Command::new("openbox"));
        Self {
            home,
            environment,
            _temporary: None,
            notifications,
            _bus: bus,
            _window_manager: window_manager,
        }
    }

    /// The folder that stands for the user's home.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// A command in this desktop: nothing of the real home is read or written.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.envs(&self.environment);
        for (name, folder) in [
            ("HOME", ""),
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_STATE_HOME", ".local/state"),
            ("XDG_CACHE_HOME", ".cache"),
        ] {
            command.env(name, self.home().join(folder));
        }
        command.env("NO_AT_BRIDGE", "1").env("GTK_USE_PORTAL", "0");
        command
    }

    /// Types a path into the GTK folder picker, as a person may: `/` opens its field for paths.
    pub(crate) async fn choose_in_picker(&self, title: &str, folder: &Path) {
        let named = format!("^{title}$");
        let picker =
            || xdotool(&["search", "--onlyvisible", "--name", &named]).filter(|found| !found.is_empty());
        let found = until("the folder picker", Duration::from_secs(20), async || picker()).await;
        let window = found.lines().next().unwrap();
        // A layout that has every letter of the path: for a letter that is on no key xdotool changes the layout while it
        // types, and on a busy machine the program then reads another letter.
        let layout = Command::new("setxkbmap").args(["-layout", "de"]).status();
        assert!(layout.is_ok_and(|status| status.success()), "setxkbmap: `make setup` installs it");
        xdotool(&["windowactivate", "--sync", window]).unwrap();
        // Keys go to whatever has the focus (GTK ignores those sent to a window). The first `/` opens the field, which on a
        // busy machine swallows what is typed meanwhile: so all of it is typed a second time over the first.
        let path = folder.to_str().unwrap();
        xdotool(&["type", "--clearmodifiers", "--delay", "60", path]).unwrap();
        xdotool(&["key", "ctrl+a"]).unwrap();
        xdotool(&["type", "--clearmodifiers", "--delay", "60", path]).unwrap();
        xdotool(&["key", "Return"]).unwrap();
        let gone = Instant::now() + Duration::from_secs(20);
        while picker().is_some() {
            if gone < Instant::now() {
                panic!("the folder picker is still there: {}", crate::page::picture("picker.png").display());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Closes the window as a person does. (WebDriver's way of ending a session may kill the program.)
    pub(crate) fn close_window(&self, title: &str) {
        let found = xdotool(&["search", "--onlyvisible", "--name", title]).unwrap();
        xdotool(&["windowactivate", "--sync", found.lines().next().unwrap()]).unwrap();
        xdotool(&["key", "alt+F4"]).unwrap();
    }

    /// Everything that has arrived, once it is what is waited for.
    pub(crate) async fn notifications_when(
        &self,
        within: Duration,
        enough: impl Fn(&[Notification]) -> bool,
    ) -> Vec<Notification> {
        let deadline = Instant::now() + within;
        loop {
            let all = self.notifications.lock().unwrap().clone();
            if enough(&all) {
                return all;
            }
            assert!(Instant::now() < deadline, "not what was waited for: {all:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// No process has this desktop's home in its environment any more, the test's own helpers aside.
    pub(crate) async fn no_process_is_left(&self, within: Duration) {
        let deadline = Instant::now() + within;
        while !self.processes().is_empty() {
            assert!(Instant::now() < deadline, "still there: {:?}", self.processes());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn processes(&self) -> Vec<(String, String)> {
        let home = self.home().as_os_str().as_encoded_bytes();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if environment.windows(home.len()).any(|part| part == home)
                && !name.starts_with("WebKitWebDriver")
            {
                found.push((entry.file_name().to_string_lossy().into_owned(), name.trim().to_owned()));
            }
        }
        found
    }
}

impl Drop for Desktop {
    /// A test that failed leaves the window open; what holds its output would keep the harness waiting.
    fn drop(&mut self) {
        for (pid, _) in self.processes() {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
    }
}

/// A notification server that reads markup, so that escaping can be seen.
struct Server {
    notifications: Arc<Mutex<Vec<Notification>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    #[expect(clippy::too_many_arguments, reason = "the method of the specification")]
    fn notify(
        &self,
        app: String,
        _replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedValue>,
        _expires: i32,
    ) -> u32 {
        let mut all = self.notifications.lock().unwrap();
        all.push(Notification { app, summary, body, actions });
        u32::try_from(all.len()).unwrap()
    }

    fn get_capabilities(&self) -> Vec<String> {
        ["body", "body-markup", "actions"].map(str::to_owned).to_vec()
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("listener".to_owned(), "test".to_owned(), "1".to_owned(), "1.2".to_owned())
    }

    fn close_notification(&self, _id: u32) {}
}

/// A child that does not outlive its owner.
pub(crate) struct Killed(Child);

impl Killed {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).spawn();
        Self(
            child.unwrap_or_else(|error| {
                panic!("{command:?}: {error}; `make setup` installs what is missing")
            }),
        )
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for a condition by looking again and again.
pub(crate) async fn until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what} did not come within {within:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Where the programs under test lie: beside this test's own.
pub(crate) fn program(name: &str) -> PathBuf {
    let beside = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join(name);
    assert!(beside.is_file(), "{} is missing: run this by `make e2e`", beside.display());
    beside
}

fn xdotool(arguments: &[&str]) -> Option<String> {
    let output = Command::new("xdotool").args(arguments).output().expect("xdotool: `make setup` installs it");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
