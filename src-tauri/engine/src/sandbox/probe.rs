//! What the self-test runs inside: it tries what must not work, tells what did, and waits to be killed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Nothing on loopback takes longer.
const CONNECT: Duration = Duration::from_millis(300);

/// Where to try what.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Wanted {
    /// A folder that may be written, and one that may not.
    pub(super) inside: PathBuf,
    pub(super) outside: PathBuf,
    /// A file of the user's.
    pub(super) secret: PathBuf,
    /// A socket of the user's.
    pub(super) socket: PathBuf,
    /// A port of this machine on which somebody listens.
    pub(super) port: u16,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) wrote_inside: bool,
    pub(super) wrote_outside: bool,
    pub(super) wrote_system: bool,
    pub(super) read_secret: bool,
    pub(super) reached_socket: bool,
    pub(super) reached_port: bool,
    pub(super) no_new_privileges: bool,
    pub(super) filtered: bool,
    pub(super) capabilities: bool,
    pub(super) pid: u32,
}

/// Tries everything, prints a line of JSON, and stays.
pub(super) fn run(wanted: &OsString) -> u8 {
    let Some(Ok(wanted)) = wanted.to_str().map(serde_json::from_str::<Wanted>) else { return 2 };
    let Ok(line) = serde_json::to_string(&tried(&wanted)) else { return 1 };
    if writeln!(io::stdout(), "{line}").is_err() {
        return 1;
    }
    // The self-test kills it at once; should it be gone, its sandbox ends this one.
    std::thread::sleep(Duration::from_secs(30));
    0
}

fn tried(wanted: &Wanted) -> Found {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
            .unwrap_or_default()
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, wanted.port));
    Found {
        wrote_inside: writes(&wanted.inside.join("inside")),
        wrote_outside: writes(&wanted.outside.join("outside")),
        wrote_system: writes(Path::new("/usr/orchestrate-probe")) || writes(Path::new("/orchestrate-probe")),
        read_secret: File::open(&wanted.secret).is_ok(),
        reached_socket: UnixStream::connect(&wanted.socket).is_ok(),
        reached_port: TcpStream::connect_timeout(&address, CONNECT).is_ok(),
        no_new_privileges: field("NoNewPrivs") == "1",
        filtered: field("Seccomp") == "2",
        capabilities: field("CapEff").bytes().any(|byte| byte != b'0'),
        pid: std::process::id(),
    }
}

fn writes(path: &Path) -> bool {
    OpenOptions::new().write(true).create(true).truncate(true).open(path).is_ok()
}
