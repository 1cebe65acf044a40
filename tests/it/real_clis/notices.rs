//! What the desktop is told by a session at the terminal (issue 2, "Must show" 5).

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use acceptance::clis::on_loopback;
use domain::Dialect::{Claude, Codex, Gemini};
use zbus::blocking::{Connection, connection::Builder};
use zbus::zvariant::OwnedValue;

use super::job::Job;

/// A session bus of its own, with a notification server on it.
struct Desktop {
    address: String,
    told: Arc<Mutex<Vec<Told>>>,
    _connection: Connection,
    _bus: Killed,
}

/// What arrived at the notification server.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    app: String,
    title: String,
    body: String,
    actions: usize,
    urgency: Option<u8>,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Desktop {
    fn open() -> Self {
        let mut bus = Command::new("dbus-daemon");
        bus.args(["--session", "--nofork", "--print-address"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut bus = Killed(bus.spawn().unwrap());
        let mut address = String::new();
        BufReader::new(bus.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let told = Arc::<Mutex<Vec<Told>>>::default();
        let server = Server { told: Arc::clone(&told) };
        let connection = Builder::address(address.as_str())
            .and_then(|builder| builder.name("org.freedesktop.Notifications"))
            .and_then(|builder| builder.serve_at("/org/freedesktop/Notifications", server))
            .and_then(Builder::build)
            .unwrap();
        Self { address, told, _connection: connection, _bus: bus }
    }
}

/// A notification server that reads markup.
struct Server {
    told: Arc<Mutex<Vec<Told>>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    #[expect(clippy::too_many_arguments, reason = "the method of the specification")]
    fn notify(
        &self,
        app: String,
        _replaces: u32,
        _icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _expires: i32,
    ) -> u32 {
        let urgency = hints.get("urgency").and_then(|value| u8::try_from(&**value).ok());
        let mut told = self.told.lock().unwrap();
        told.push(Told { app, title, body, actions: actions.len(), urgency });
        u32::try_from(told.len()).unwrap()
    }

    fn get_capabilities(&self) -> Vec<String> {
        vec!["body".to_owned(), "body-markup".to_owned()]
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        ("listener".to_owned(), "test".to_owned(), "1".to_owned(), "1.2".to_owned())
    }
}

fn a_blocker(bin: PathBuf) {
    let desktop = Desktop::open();
    let mut job = Job::new(bin, "blocker", "slugs", &[Claude, Codex, Gemini]).in_git();
    job.env.insert("DBUS_SESSION_BUS_ADDRESS".to_owned(), desktop.address.clone());
    let ended = job.start();
    ended.expect(3, "waiting");
    let told = desktop.told.lock().unwrap().clone();
    let blockers: Vec<&Told> = told.iter().filter(|it| it.urgency == Some(2)).collect();
    assert_eq!(blockers.len(), 1, "{told:#?}");
    assert_eq!(blockers[0].title, "Stopped: a blocker needs you");
    assert!(blockers[0].body.contains("gemini: This must not go on"), "{told:#?}");
    for it in &told {
        assert_eq!(it.app, "Meta-Orchestrator");
        assert!(!it.title.is_empty() && !it.body.is_empty() && it.actions == 0, "{it:?}");
        let read = it.body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        assert!(!it.body.contains(['<', '>']) && read.chars().count() <= 200, "{it:?}");
    }
}

#[test]
fn a_blocker_is_told_to_the_desktop() {
    let found = Command::new("dbus-daemon").arg("--version").stdout(Stdio::null()).status();
    if found.is_err_and(|fault| fault.kind() == ErrorKind::NotFound) && std::env::var_os("CI").is_none() {
        acceptance::clis::eprint(
            "SKIPPED: dbus-daemon is missing, so nobody listens for notifications; install dbus.",
        );
        return;
    }
    on_loopback("real_clis::notices::a_blocker_is_told_to_the_desktop", a_blocker);
}
