//! From a process that could be started to the same in a sandbox.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agents::Confined;
use domain::{NetworkRule, SandboxReport, SandboxRules};

use super::confined::{self, SOCKET, Setup};
use super::egress::Egress;
use super::home;
use super::profile::{Mount, Network, Profile};
use super::target::Allowed;
use super::visible::{self, Hidden};
use crate::discover::Environment;
use crate::process::Spec;
use crate::trees::Lent;
use crate::weakness::{self, Weakness};

/// Threads per allowed process: compilers and language runtimes have many.
const THREADS: u64 = 4;
/// The first kernel that counts the processes inside of a namespace for themselves. Before it a limit would count all of
/// the user's.
const COUNTS_INSIDE: (u32, u32) = (5, 14);
/// Variables that name folders which a worker does not have, or that our own proxy takes the place of.
const DROPPED: [&str; 17] = [
    "TMPDIR",
    "TMP",
    "TEMP",
    "CLAUDE_CODE_TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
];
/// The first of them that concern the network only.
const OF_NETWORK: usize = 9;

/// What a session's sandbox is made with.
#[derive(Clone, Debug)]
pub struct Start {
    /// What the self-test came to.
    pub report: SandboxReport,
    /// bubblewrap.
    pub bwrap: PathBuf,
    /// This program: it runs first inside.
    pub orchestrate: PathBuf,
    /// As the user set them.
    pub rules: SandboxRules,
    /// The session's folder.
    pub session: PathBuf,
    /// The user's project.
    pub target: PathBuf,
    /// The user's own proxy, as its variables name it: what is allowed goes through it.
    pub proxy: Option<String>,
}

/// The sandbox of one session.
#[derive(Debug)]
pub struct Sandbox {
    report: SandboxReport,
    bwrap: PathBuf,
    orchestrate: PathBuf,
    rules: SandboxRules,
    session: PathBuf,
    target: PathBuf,
    egress: Egress,
}

/// What one worker needs besides what everybody gets. Paths that are not there are left out.
#[derive(Debug, Default)]
pub struct Needs<'a> {
    /// Whom the egress proxy serves: an agent's name, or `checks`.
    pub who: &'a str,
    /// Where it works.
    pub worktree: PathBuf,
    /// Whether it may write there.
    pub writes: bool,
    /// Its repository.
    pub lent: Option<&'a Lent>,
    /// Its home.
    pub home: Option<&'a Confined>,
    /// What else it can read.
    pub read: Vec<PathBuf>,
    /// What else it can write.
    pub write: Vec<PathBuf>,
    /// Hosts of its own.
    pub hosts: Vec<String>,
}

impl Sandbox {
    /// The sandbox of a session.
    #[must_use]
    pub fn new(start: Start) -> Self {
        let Start { report, bwrap, orchestrate, rules, session, target, proxy } = start;
        let egress = Egress::new(&session, proxy.as_deref());
        Self { report, bwrap, orchestrate, rules, session, target, egress }
    }

    /// What the self-test came to.
    #[must_use]
    pub fn report(&self) -> &SandboxReport {
        &self.report
    }

    /// The rules in force.
    #[must_use]
    pub fn rules(&self) -> &SandboxRules {
        &self.rules
    }

    /// Opens the way to the network for a worker, and wraps it. Within a tokio runtime.
    ///
    /// # Errors
    /// What the disk says.
    pub fn confine(&self, spec: Spec, needs: &Needs<'_>) -> io::Result<Spec> {
        if weakness::has(Weakness::NoSandbox) {
            return Ok(spec);
        }
        let socket = match self.rules.network {
            NetworkRule::Open => None,
            NetworkRule::AllowList => {
                let hosts = self.rules.hosts.iter().chain(&needs.hosts);
                Some(self.egress.socket(needs.who, Allowed::new(hosts, &self.rules.local_ports))?)
            }
        };
        self.wrap(spec, needs, socket.as_deref())
    }

    /// The same process, in the sandbox. `socket`: the way out, unless the network is the host's.
    pub(super) fn wrap(&self, mut spec: Spec, needs: &Needs<'_>, socket: Option<&Path>) -> io::Result<Spec> {
        let env: Environment =
            spec.env.iter().filter_map(|(name, value)| text(name).zip(text(value))).collect();
        let home = env.get("HOME").map(PathBuf::from);
        let hidden = Hidden::new(home.as_deref(), &self.session);
        let network = if socket.is_some() { Network::Own } else { Network::Hosts };
        let mut profile = Profile::new(network, home.as_deref().unwrap_or(Path::new("/")), &spec.cwd);
        visible::mount(&mut profile, &env, &hidden);
        visible::program(&mut profile, &spec.program, &hidden);
        for path in self.rules.read.iter().map(Path::new).chain(needs.read.iter().map(PathBuf::as_path)) {
            if path.exists() {
                profile.read(path);
            }
        }
        self.project(&mut profile, needs, &spec.cwd, &hidden);
        if let Some(home) = needs.home {
            home::mount(home, self.rules.refresh_logins, &mut profile)?;
        }
        for path in self.rules.write.iter().map(Path::new).chain(needs.write.iter().map(PathBuf::as_path)) {
            if path.exists() {
                profile.write(path);
            }
        }
        profile.read(&self.orchestrate);
        let mut setup = Setup { tasks: spec.caps.processes.filter(|_| counts_inside()), ports: Vec::new() };
        setup.tasks = setup.tasks.map(|processes| processes.saturating_mul(THREADS));
        let dropped = if socket.is_some() { &DROPPED[..] } else { &DROPPED[..OF_NETWORK] };
        spec.env.retain(|name, _| !dropped.iter().any(|it| OsStr::new(it) == name));
        if let Some(socket) = socket {
            profile.put(SOCKET, Mount::Write(socket.to_owned()));
            let port = setup.with_network(&self.rules.local_ports);
            spec.env.extend(proxy(port));
        }
        if let Some(home) = needs.home {
            spec.env.insert(home.variable.into(), home.own.clone().into());
        }
        let mut args = profile.argv();
        args.push("--".into());
        args.extend(confined::command(&setup, &self.orchestrate, &spec.program, &spec.args));
        Ok(Spec { program: self.bwrap.clone(), args, sandboxed: true, ..spec })
    }

    /// The user's project to be read, the worktree to be written, and in it nothing that others obey unasked.
    fn project(&self, profile: &mut Profile, needs: &Needs<'_>, cwd: &Path, hidden: &Hidden) {
        if hidden.allows(&self.target) && self.target.is_dir() {
            profile.read(&self.target);
        }
        if let Some(lent) = needs.lent {
            if lent.store.starts_with(&self.target) && profile.has(&self.target) {
                // Branches, hooks and addresses with passwords: none of it is a worker's.
                profile.put(&lent.store, Mount::Memory(1 << 20));
            }
            for objects in &lent.objects {
                profile.read(objects);
            }
            profile.write(&lent.folder);
        }
        let tree = needs.worktree.as_path();
        if needs.writes {
            profile.write(tree);
        } else {
            profile.read(tree);
        }
        // The project may be a folder of its repository.
        for root in [tree, cwd] {
            for name in &self.rules.protect {
                protect(profile, &root.join(name));
            }
        }
        if let Some(lent) = needs.lent {
            profile.put(tree.join(".git"), Mount::Read(lent.pointer.clone()));
        }
    }
}

/// Lays a file or folder over itself, so that it can neither be changed nor renamed. A link is left alone: mounting it would
/// show what it leads to.
fn protect(profile: &mut Profile, path: &Path) {
    if path.symlink_metadata().is_ok_and(|facts| facts.is_dir() || facts.is_file()) {
        profile.read(path);
    }
}

fn text(text: &OsStr) -> Option<String> {
    text.to_str().map(str::to_owned)
}

/// What leads programs to the forwarder. Loopback is not asked of the proxy: allowed ports are forwarded as they are.
fn proxy(port: u16) -> Vec<(OsString, OsString)> {
    let address = format!("http://127.0.0.1:{port}");
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let direct = ["NO_PROXY", "no_proxy"].map(|name| (name.into(), "localhost,127.0.0.1,::1".into()));
    names.into_iter().map(|name| (name.into(), address.clone().into())).chain(direct).collect()
}

fn counts_inside() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= COUNTS_INSIDE
}
