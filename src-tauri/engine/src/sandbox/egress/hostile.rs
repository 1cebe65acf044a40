//! Forty requests that have led out of other proxies (THREATS T8), each put to the running proxy: none passes, and each
//! stands in the audit.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};

use super::{AUDIT, Egress, Names, Target};
use crate::sandbox::target::Allowed;

/// Names with the addresses that they lead to, and the server of the test in place of all public ones.
#[derive(Clone, Debug)]
pub(super) struct Table {
    names: &'static [(&'static str, &'static [&'static str])],
    server: SocketAddr,
    asked: Arc<AtomicUsize>,
}

const NAMES: &[(&str, &[&str])] = &[
    ("api.example.com", &["93.184.216.34"]),
    ("llm.example.com", &["2606:2800:220:1::1"]),
    ("evil.example", &["93.184.216.34"]),
    ("localhost", &["127.0.0.1"]),
    ("to-loopback.example", &["127.0.0.1"]),
    ("to-loopback6.example", &["::1"]),
    ("to-mapped.example", &["::ffff:127.0.0.1"]),
    ("to-nat64.example", &["64:ff9b::7f00:1"]),
    ("to-this-host.example", &["0.0.0.0"]),
    ("to-metadata.example", &["169.254.169.254"]),
    ("to-both.example", &["93.184.216.34", "127.0.0.1"]),
];

/// What the user allowed: hosts, though some of them lead where nobody may go.
const ALLOWED: &[&str] = &[
    "api.example.com",
    "llm.example.com:8443",
    "to-loopback.example",
    "to-loopback6.example",
    "to-mapped.example",
    "to-nat64.example",
    "to-this-host.example",
    "to-metadata.example",
    "to-both.example",
];

/// What is asked for, as it stands between `CONNECT ` and ` HTTP/1.1`.
const HOSTILE: [&[u8]; 40] = [
    // Addresses, however they are written.
    b"93.184.216.34:443",
    b"127.0.0.1:443",
    b"127.1:443",
    b"2130706433:443",
    b"0x7f000001:443",
    b"0x7f.0.0.1:443",
    b"0177.0.0.1:443",
    b"0:443",
    b"10.0.0.1:443",
    b"169.254.169.254:80",
    b"[::1]:443",
    b"[::ffff:127.0.0.1]:443",
    b"[fe80::1%25eth0]:443",
    b"[fd00:ec2::254]:80",
    b"::1:443",
    // Names that are not on the list, and those that look like one that is.
    b"localhost:443",
    b"evil.example:443",
    b"metadata.google.internal:80",
    b"api.example.com.evil.example:443",
    b"evil-api.example.com:443",
    b"sub.api.example.com:443",
    b"example.com:443",
    b"api.example.com.:443",
    b"\xd0\xb0pi.example.com:443",
    b"xn--pi-7cd.example.com:443",
    b"api\xe3\x80\x82example.com:443",
    b"api.example.com\0.evil.example:443",
    b"api.example.com%00.evil.example:443",
    b"user@api.example.com:443",
    b"api.example.com:443@evil.example:443",
    // Ports.
    b"api.example.com:80",
    b"api.example.com:22",
    b"api.example.com:0443",
    // Names on the list that lead to this machine or its neighbours.
    b"to-loopback.example:443",
    b"to-loopback6.example:443",
    b"to-mapped.example:443",
    b"to-nat64.example:443",
    b"to-this-host.example:443",
    b"to-metadata.example:443",
    b"to-both.example:443",
];

impl Table {
    pub(super) fn find(&self, target: &Target) -> io::Result<Vec<SocketAddr>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self.names.iter().find(|(name, _)| *name == target.host);
        let (_, addresses) = found.ok_or(io::ErrorKind::NotFound)?;
        Ok(addresses.iter().map(|it| SocketAddr::new(it.parse::<IpAddr>().unwrap(), target.port)).collect())
    }

    /// Whatever was found, nothing of a test leaves this machine.
    pub(super) fn stands_for(&self, found: &[SocketAddr]) -> SocketAddr {
        assert!(!found.is_empty());
        self.server
    }
}

/// The proxy's first line, and all that came after its answer.
async fn ask(socket: &Path, target: &[u8]) -> (String, String) {
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let request = [b"CONNECT ", target, b" HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n"].concat();
    stream.write_all(&request).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
}

/// Puts one request: passes it or not, and says so in a line of the audit of its own.
async fn check(socket: &Path, folder: &Path, target: &[u8], passes: bool) {
    let audit = || std::fs::read_to_string(folder.join(AUDIT)).unwrap_or_default();
    let before = audit().lines().count();
    let (line, body) = ask(socket, target).await;
    let shown = String::from_utf8_lossy(target);
    let wanted = if passes { "HTTP/1.1 200 Connection established" } else { "HTTP/1.1 403 Forbidden" };
    assert_eq!(line, wanted, "{shown}: {body}");
    assert_eq!(body == "welcome", passes, "{shown}: {body}");
    let audit = audit();
    let noted: serde_json::Value = serde_json::from_str(audit.lines().nth(before).unwrap()).unwrap();
    assert_eq!((&noted["who"], &noted["allowed"]), (&"claude".into(), &passes.into()), "{shown}: {noted}");
    assert_eq!(noted["why"].as_str().unwrap_or_default().is_empty(), passes, "{shown}: {noted}");
}

#[tokio::test]
async fn forty_hostile_targets_are_refused_by_the_running_proxy() {
    let folder = tempfile::tempdir().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let table =
        Table { names: NAMES, server: server.local_addr().unwrap(), asked: Arc::new(AtomicUsize::new(0)) };
    let reached = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&reached);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = server.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            stream.write_all(b"welcome").await.unwrap();
        }
    });
    let mut egress = Egress::new(folder.path(), None);
    egress.names = Names::Table(table.clone());
    let socket = egress.socket("claude", Allowed::new(ALLOWED, &[])).unwrap();
    for target in HOSTILE {
        check(&socket, folder.path(), target, false).await;
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0, "nothing was connected to");
    let asked = table.asked.load(Ordering::Relaxed);
    assert_eq!(asked, 7, "only what is on the list is looked up at all");
    for target in [&b"api.example.com:443"[..], b"API.Example.COM:443", b"llm.example.com:8443"] {
        check(&socket, folder.path(), target, true).await;
    }
    assert_eq!(
        table.asked.load(Ordering::Relaxed),
        asked + 3,
        "each name is looked up once: no second answer"
    );
    assert_eq!(reached.load(Ordering::Relaxed), 3);
}
