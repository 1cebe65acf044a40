//! The only way out of a confined worker's network: a CONNECT proxy on a Unix socket, one for each agent of a session,
//! that lets through what is on that agent's list (THREATS T8). What was asked for stands in `egress.jsonl`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::warn;

use super::target::{self, Allowed, MOST_HEAD, Refused, Target};
use crate::private;

/// The audit's name in a session's folder.
pub const AUDIT: &str = "egress.jsonl";
/// Most bytes of it: a worker that asks again and again must not fill the disk.
const MOST_AUDIT: u64 = 16 << 20;
/// Connections of one agent at the same time.
const MOST_CONNECTIONS: usize = 256;
/// How long somebody may take to say where he wants to go.
const HEAD: Duration = Duration::from_secs(10);
/// How long finding and reaching a host may take.
const CONNECT: Duration = Duration::from_secs(20);

/// The proxies of one session. They end with this value.
#[derive(Debug)]
pub(super) struct Egress {
    folder: PathBuf,
    audit: Arc<Audit>,
    /// The user's own proxy, as `host:port`.
    upstream: Option<String>,
    names: Names,
    open: Mutex<BTreeMap<String, JoinHandle<()>>>,
}

impl Egress {
    /// `proxy`: the user's own, as its variables name it.
    pub(super) fn new(session: &Path, proxy: Option<&str>) -> Self {
        let audit = Arc::new(Audit(session.join(AUDIT)));
        let upstream = proxy.and_then(address);
        Self {
            folder: session.join("egress"),
            audit,
            upstream,
            names: Names::default(),
            open: Mutex::default(),
        }
    }

    /// The socket of an agent's proxy; opened with this list when it is not open yet. Within a tokio runtime.
    pub(super) fn socket(&self, who: &str, allowed: Allowed) -> io::Result<PathBuf> {
        let name = format!("{who}.sock");
        let path = self.folder.join(&name);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.contains_key(who) {
            return Ok(path);
        }
        private::folder(&self.folder)?;
        match std::fs::remove_file(&path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        // An address holds 108 bytes, and session folders are longer: so it goes by the folder's descriptor.
        let folder = File::open(&self.folder)?;
        let listener = UnixListener::bind(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))?;
        let served = Arc::new(Served {
            who: who.to_owned(),
            allowed,
            audit: Arc::clone(&self.audit),
            upstream: self.upstream.clone(),
            names: self.names.clone(),
        });
        open.insert(who.to_owned(), tokio::spawn(serve(listener, served)));
        Ok(path)
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
        open.values().for_each(JoinHandle::abort);
    }
}

/// Who finds the addresses of a name.
#[derive(Clone, Debug, Default)]
enum Names {
    /// The system.
    #[default]
    System,
    #[cfg(test)]
    Table(hostile::Table),
}

impl Names {
    async fn find(&self, target: &Target) -> io::Result<Vec<SocketAddr>> {
        match self {
            Self::System => Ok(tokio::net::lookup_host((target.host.as_str(), target.port)).await?.collect()),
            #[cfg(test)]
            Self::Table(table) => table.find(target),
        }
    }

    async fn connect(&self, found: &[SocketAddr]) -> io::Result<TcpStream> {
        match self {
            Self::System => TcpStream::connect(found).await,
            #[cfg(test)]
            Self::Table(table) => TcpStream::connect(table.stands_for(found)).await,
        }
    }
}

/// Whom a socket serves.
#[derive(Debug)]
struct Served {
    who: String,
    allowed: Allowed,
    audit: Arc<Audit>,
    upstream: Option<String>,
    names: Names,
}

async fn serve(listener: UnixListener, served: Arc<Served>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let served = Arc::clone(&served);
                tokio::spawn(async move {
                    served.one(stream).await;
                    drop(permit);
                });
            }
            Err(fault) => {
                // Too many open files: others close theirs.
                warn!(who = served.who, %fault, "the egress proxy cannot take a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Served {
    async fn one(&self, mut worker: UnixStream) {
        let head = match tokio::time::timeout(HEAD, head(&mut worker)).await {
            Ok(Ok(head)) => head,
            Ok(Err(_)) | Err(_) => return,
        };
        let asked = target::read(&head);
        let shown = match &asked {
            Ok(target) => target.to_string(),
            Err(_) => first_line(&head),
        };
        match self.reach(asked).await {
            Ok(mut there) => {
                self.note(&shown, true, "");
                if worker.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_err() {
                    return;
                }
                // Ended by either side: both are over.
                let moved = tokio::io::copy_bidirectional(&mut worker, &mut there).await;
                if let Ok((sent, received)) = moved {
                    self.audit.write(&Line::over(&self.who, &shown, sent, received));
                }
            }
            Err(why) => {
                self.note(&shown, false, &why.to_string());
                let code =
                    if matches!(why, Refused::Unreachable(..)) { "502 Bad Gateway" } else { "403 Forbidden" };
                let body = format!("Meta-Orchestrator's sandbox: {why}.\n");
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {code}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                let _ = worker.write_all(answer.as_bytes()).await;
            }
        }
    }

    fn note(&self, target: &str, allowed: bool, why: &str) {
        self.audit.write(&Line {
            at: Timestamp::now(),
            who: &self.who,
            target,
            allowed,
            why,
            sent: None,
            received: None,
        });
    }

    async fn reach(&self, asked: Result<Target, Refused>) -> Result<TcpStream, Refused> {
        let target = asked?;
        self.allowed.check(&target)?;
        let unreachable =
            |why: &dyn std::fmt::Display| Refused::Unreachable(target.to_string(), why.to_string());
        let reached = tokio::time::timeout(CONNECT, async {
            if let Some(proxy) = self.upstream.as_deref().filter(|_| !target.is_local()) {
                return through(proxy, &target).await.map_err(|fault| unreachable(&fault));
            }
            // Resolved once: what was looked at is what is connected to.
            let found = self.names.find(&target).await.map_err(|fault| unreachable(&fault))?;
            if !target.is_local() && !found.iter().all(|address| target::is_public(address.ip())) {
                return Err(Refused::Private(target.to_string()));
            }
            self.names.connect(&found).await.map_err(|fault| unreachable(&fault))
        });
        reached.await.unwrap_or_else(|_| Err(unreachable(&"it does not answer")))
    }
}

/// `host:port` of a proxy that speaks HTTP; `None` for any other.
fn address(proxy: &str) -> Option<String> {
    let (scheme, rest) = proxy.trim().split_once("://").unwrap_or(("http", proxy.trim()));
    let authority = rest.split(['/', '?']).next()?.rsplit('@').next().filter(|it| !it.is_empty())?;
    let named = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let whole = if named { authority.to_owned() } else { format!("{authority}:80") };
    (scheme == "http").then_some(whole)
}

/// Reaches a target through the user's own proxy, which resolves the name.
async fn through(proxy: &str, target: &Target) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(proxy).await?;
    let ask = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    stream.write_all(ask.as_bytes()).await?;
    let answer = head(&mut stream).await?;
    let line = first_line(&answer);
    if line.split(' ').nth(1) == Some("200") {
        return Ok(stream);
    }
    Err(io::Error::other(format!("your proxy {proxy} says {line:?}")))
}

/// Everything up to the empty line, without it. Byte by byte: what comes after it belongs to whoever is spoken to then.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if MOST_HEAD < head.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    head.truncate(head.len() - 2);
    Ok(head)
}

fn first_line(head: &[u8]) -> String {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    domain::head(&agents::visible(&String::from_utf8_lossy(line)), 200)
}

/// A line of the audit.
#[derive(Debug, Serialize)]
struct Line<'a> {
    at: Timestamp,
    who: &'a str,
    target: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'a str,
    /// Bytes, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
}

impl<'a> Line<'a> {
    fn over(who: &'a str, target: &'a str, sent: u64, received: u64) -> Self {
        let (sent, received) = (Some(sent), Some(received));
        Self { at: Timestamp::now(), who, target, allowed: true, why: "", sent, received }
    }
}

#[derive(Debug)]
struct Audit(PathBuf);

impl Audit {
    fn write(&self, line: &Line<'_>) {
        let write = || -> io::Result<()> {
            let mut file = private::options().append(true).create(true).open(&self.0)?;
            if MOST_AUDIT < file.metadata()?.len() {
                return Ok(());
            }
            let mut bytes = serde_json::to_vec(line)?;
            bytes.push(b'\n');
            // One write: lines of several agents do not mix.
            io::Write::write_all(&mut file, &bytes)
        };
        if let Err(fault) = write() {
            warn!(%fault, "the egress audit cannot be written");
        }
    }
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncBufReadExt;

    use super::*;

    async fn ask(socket: &Path, request: &[u8]) -> (UnixStream, String) {
        let mut stream = UnixStream::connect(socket).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut line = String::new();
        tokio::io::BufReader::new(&mut stream).read_line(&mut line).await.unwrap();
        (stream, line.trim_end().to_owned())
    }

    #[tokio::test]
    async fn only_what_is_allowed_passes_and_all_of_it_is_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            stream.write_all(b"welcome").await.unwrap();
        });
        let egress = Egress::new(folder.path(), None);
        let socket = egress.socket("claude", Allowed::new(["api.example.invalid"], &[port])).unwrap();
        let (_, said) = ask(&socket, b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(said, "HTTP/1.1 403 Forbidden");
        let (_, said) = ask(&socket, b"GET http://127.0.0.1/\x1b[31m HTTP/1.1\r\n\r\n").await;
        assert_eq!(said, "HTTP/1.1 403 Forbidden");
        let (_, said) = ask(&socket, b"CONNECT api.example.invalid:443 HTTP/1.1\r\n\r\n").await;
        assert_eq!(said, "HTTP/1.1 502 Bad Gateway", "no such host");
        let connect = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n");
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(connect.as_bytes()).await.unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).await.unwrap();
        assert!(all.starts_with("HTTP/1.1 200 ") && all.ends_with("\r\n\r\nwelcome"), "{all}");
        let audit = std::fs::read_to_string(folder.path().join(AUDIT)).unwrap();
        let refused = audit.lines().filter(|line| line.contains("\"allowed\":false")).count();
        assert_eq!(refused, 3, "{audit}");
        assert!(audit.contains("evil.example:443") && !audit.contains('\u{1b}'), "{audit}");
        drop(egress);
    }

    #[test]
    fn the_users_own_proxy() {
        for (given, wanted) in [
            ("http://proxy.corp:3128", Some("proxy.corp:3128")),
            ("http://me:secret@proxy.corp:3128/", Some("proxy.corp:3128")),
            ("proxy.corp:8080", Some("proxy.corp:8080")),
            ("http://proxy.corp", Some("proxy.corp:80")),
            ("socks5://proxy.corp:1080", None),
            ("https://proxy.corp:443", None),
            ("", None),
        ] {
            assert_eq!(address(given).as_deref(), wanted, "{given}");
        }
    }

    #[tokio::test]
    async fn what_is_allowed_goes_through_the_users_own_proxy() {
        let folder = tempfile::tempdir().unwrap();
        let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", proxy.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut stream, _) = proxy.accept().await.unwrap();
            let asked = head(&mut stream).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            stream.write_all(b"welcome").await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let egress = Egress::new(folder.path(), Some(&address));
        let socket = egress.socket("claude", Allowed::new(["api.example.invalid"], &[])).unwrap();
        let (_, said) = ask(&socket, b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n").await;
        assert_eq!(said, "HTTP/1.1 403 Forbidden", "the list holds with it too");
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        stream.write_all(b"CONNECT api.example.invalid:443 HTTP/1.1\r\n\r\n").await.unwrap();
        let mut all = String::new();
        stream.read_to_string(&mut all).await.unwrap();
        assert!(all.ends_with("\r\n\r\nwelcome"), "{all}");
        assert!(asked.await.unwrap().starts_with("CONNECT api.example.invalid:443 HTTP/1.1"));
    }

    #[tokio::test]
    async fn a_long_folder_still_has_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a-folder-with-a-long-name".repeat(6));
        std::fs::create_dir(&deep).unwrap();
        let egress = Egress::new(&deep, None);
        let path = egress.socket("claude", Allowed::default()).unwrap();
        assert!(108 < path.as_os_str().len());
        assert!(path.exists());
    }
}
