//! What runs first inside of a sandbox, as `orchestrate confined`: sets the limits that the kernel keeps, opens the way to
//! the egress proxy, then becomes the worker.
//!
//! The network inside has no way out. A forwarder, another process of this program, serves a port of its loopback and passes
//! each connection on to the proxy's Unix socket, which was mounted in.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};

use super::landlock::Files;

/// Where the proxy's socket is inside.
pub(super) const SOCKET: &str = "/run/orchestrate/egress.sock";
/// The port on which the forwarder speaks for the proxy, unless a local one has it.
const PROXY: u16 = 3128;
/// Exit status when the worker cannot be started, as a shell's.
const NOT_STARTED: u8 = 127;

/// What is to be set up, as JSON in the first argument.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setup {
    /// Most processes and threads at the same time.
    pub(super) tasks: Option<u64>,
    /// Ports that are passed on; none where the network is the host's.
    pub(super) ports: Vec<Port>,
    /// The files there are, where no namespace says so.
    pub(super) files: Option<Files>,
}

/// A port on the loopback inside, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Port {
    /// The proxy itself.
    Proxy(u16),
    /// The same port of the host's loopback, through the proxy.
    Local(u16),
}

impl Setup {
    /// With the proxy and these ports of the host's loopback; gives the proxy's port.
    pub(super) fn with_network(&mut self, local: &[u16]) -> u16 {
        let proxy = (PROXY..).find(|port| !local.contains(port)).unwrap_or(PROXY);
        self.ports.push(Port::Proxy(proxy));
        self.ports.extend(local.iter().copied().map(Port::Local));
        proxy
    }
}

/// Runs as the first program inside. Arguments: `SETUP -- PROGRAM ARGUMENT…`, `forward PORT` for a forwarder, or
/// `probe WANTED` for the self-test.
/// Gives an exit status only when the worker could not be started.
#[must_use]
pub fn confined_main(args: &[OsString]) -> u8 {
    let read = |text: &OsString| serde_json::from_str::<Setup>(text.to_str()?).ok();
    match args {
        [word, wanted] if word == "probe" => super::probe::run(wanted),
        [word, port] if word == "forward" => {
            port.to_str().and_then(|port| serde_json::from_str(port).ok()).map_or(2, forward)
        }
        [setup, dashes, program, rest @ ..] if dashes == "--" => {
            read(setup).map_or(2, |setup| become_worker(&setup, program, rest))
        }
        _ => 2,
    }
}

fn become_worker(setup: &Setup, program: &OsString, args: &[OsString]) -> u8 {
    if let Err(fault) = setup.ports.iter().try_for_each(|port| start_forwarder(*port)) {
        complain(&format!("the way to the network cannot be opened: {fault}"));
        return NOT_STARTED;
    }
    // No memory of a worker on the disk: it may hold keys.
    set(Resource::Core, 0);
    if let Some(tasks) = setup.tasks {
        set(Resource::Nproc, tasks);
    }
    if let Some(Err(why)) = setup.files.as_ref().map(Files::enforce) {
        complain(&why);
        return NOT_STARTED;
    }
    let fault = Command::new(program).args(args).exec();
    complain(&format!("{}: {fault}", program.display()));
    NOT_STARTED
}

fn set(what: Resource, most: u64) {
    // A lower one that is in force already stays.
    let _ = rustix::process::setrlimit(what, Rlimit { current: Some(most), maximum: Some(most) });
}

fn complain(what: &str) {
    // Standard error is the worker's log.
    let _ = writeln!(io::stderr(), "sandbox: {what}");
}

/// Starts a forwarder for a port. It need not be up when the worker is: who connects before that waits in the queue of the
/// socket, which is open already.
fn start_forwarder(port: Port) -> io::Result<()> {
    let (Port::Proxy(number) | Port::Local(number)) = port;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number))?;
    let mut forwarder = Command::new(std::env::current_exe()?);
    forwarder.args(["confined", "forward"]).arg(serde_json::to_string(&port)?).env_clear().current_dir("/");
    forwarder.stdin(OwnedFd::from(listener)).stdout(Stdio::null()).stderr(Stdio::null());
    // It runs until the worker ends: then the whole namespace goes.
    forwarder.spawn().map(drop)
}

/// Serves a port whose socket is standard input.
fn forward(port: Port) -> u8 {
    let Ok(socket) = io::stdin().as_fd().try_clone_to_owned() else { return 1 };
    accept(&TcpListener::from(socket), port);
    0
}

fn accept(listener: &TcpListener, port: Port) {
    for stream in listener.incoming().flatten() {
        // One that cannot be served is closed.
        let _ =
            thread::Builder::new().stack_size(128 << 10).spawn(move || pass(stream, port, Path::new(SOCKET)));
    }
}

/// Passes one connection on, in both directions, until each is over.
fn pass(worker: TcpStream, port: Port, socket: &Path) -> io::Result<()> {
    let mut proxy = UnixStream::connect(socket)?;
    if let Port::Local(number) = port {
        write!(proxy, "CONNECT 127.0.0.1:{number} HTTP/1.1\r\n\r\n")?;
        skip_answer(&mut proxy)?;
    }
    let (mut from_worker, mut to_proxy) = (worker.try_clone()?, proxy.try_clone()?);
    let up = thread::Builder::new().stack_size(128 << 10).spawn(move || {
        let _ = io::copy(&mut from_worker, &mut to_proxy);
        let _ = to_proxy.shutdown(Shutdown::Write);
    })?;
    let mut to_worker = worker;
    let _ = io::copy(&mut proxy, &mut to_worker);
    let _ = to_worker.shutdown(Shutdown::Write);
    drop(up.join());
    Ok(())
}

/// Reads the proxy's answer up to its empty line. Byte by byte: what comes after it is the server's.
fn skip_answer(proxy: &mut UnixStream) -> io::Result<()> {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        if proxy.read(&mut byte)? == 0 || 1024 < answer.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.push(byte[0]);
    }
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(io::ErrorKind::ConnectionRefused.into()) }
}

/// The command inside: `orchestrate`, which is this program, then the worker.
/// Its first word is left out.
pub(super) fn command(setup: &Setup, program: &Path, args: &[OsString]) -> io::Result<Vec<OsString>> {
    let mut command: Vec<OsString> = vec!["confined".into()];
    command.push(serde_json::to_string(setup)?.into());
    command.extend(["--".into(), program.into()]);
    command.extend(args.iter().cloned());
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxys_port_gives_way_to_a_local_one() {
        let check = |local: &[u16], wanted: u16| {
            let mut setup = Setup::default();
            assert_eq!(setup.with_network(local), wanted);
            assert_eq!(setup.ports.len(), 1 + local.len());
        };
        check(&[], 3128);
        check(&[8080], 3128);
        check(&[3128, 3129], 3130);
    }

    #[test]
    fn what_is_not_understood_starts_nothing() {
        for words in [&[][..], &["x"], &["{}", "--"], &["{", "--", "true"], &["forward", "x"]] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(confined_main(&words), 2, "{words:?}");
        }
    }
}
