//! From a process that could be started to the same in a sandbox.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agents::Confined;
use domain::{Level, NetworkRule, SandboxReport, SandboxRules};

use super::confined::{self, SOCKET, Setup};
use super::egress::Egress;
use super::home;
use super::landlock::Files;
use super::profile::{Mount, Network, Profile};
use super::target::Allowed;
use super::visible::{self, Hidden};
use crate::discover::Environment;
use crate::private;
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
/// Those that name a folder for temporary files.
const OF_TEMPORARY: [&str; 4] = ["TMPDIR", "TMP", "TEMP", "CLAUDE_CODE_TMPDIR"];

/// Ends of names of files that only show what such a file looks like.
const MODELS: [&str; 5] = ["example", "sample", "template", "dist", "defaults"];

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
            _ if self.is_bare() => None,
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
        if socket.is_none() {
            // A link to a file below /run on many systems.
            let resolver = fs::canonicalize("/etc/resolv.conf").ok();
            resolver.iter().filter(|path| path.starts_with("/run")).for_each(|path| profile.read(path));
        }
        self.project(&mut profile, needs, &spec.cwd, &hidden);
        if let Some(home) = needs.home {
            if self.is_bare() {
                home::link(home, self.rules.refresh_logins, &mut profile)?;
            } else {
                home::mount(home, self.rules.refresh_logins, &mut profile)?;
            }
        }
        for path in self.rules.write.iter().map(Path::new).chain(needs.write.iter().map(PathBuf::as_path)) {
            if path.exists() {
                profile.write(path);
            }
        }
        profile.read(&self.orchestrate);
        let tasks = spec.caps.processes.filter(|_| counts_inside());
        let tasks = tasks.map(|processes| processes.saturating_mul(THREADS));
        let mut setup = Setup { tasks, ..Setup::default() };
        let dropped = if socket.is_some() { &DROPPED[..] } else { &DROPPED[..OF_NETWORK] };
        spec.env.retain(|name, _| !dropped.iter().any(|it| OsStr::new(it) == name));
        if let Some(socket) = socket {
            profile.put(SOCKET, Mount::Write(socket.to_owned()));
            let port = setup.with_network(&self.rules.local_ports);
            spec.env.extend(proxy(port));
        }
        if self.is_bare() {
            let folder = self.session.join("tmp").join(needs.who);
            private::folder(&folder)?;
            profile.write(&folder);
            spec.env.extend(OF_TEMPORARY.map(|name| (name.into(), folder.clone().into())));
        }
        if let Some(home) = needs.home {
            spec.env.insert(home.variable.into(), home.own.clone().into());
        }
        if self.is_bare() {
            let (tasks, files) = (None, Some(Files::of(&profile)));
            let args = confined::command(&Setup { tasks, files, ..setup }, &spec.program, &spec.args)?;
            return Ok(Spec { program: self.orchestrate.clone(), args, ..spec });
        }
        let mut args = profile.argv();
        args.extend(["--".into(), self.orchestrate.clone().into()]);
        args.extend(confined::command(&setup, &spec.program, &spec.args)?);
        Ok(Spec { program: self.bwrap.clone(), args, sandboxed: true, ..spec })
    }

    /// Whether a file of the project's root holds what is nobody's business, unless the user listed it under `read`.
    fn is_kept(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        holds_secrets(&name) && !self.rules.read.iter().any(|it| Path::new(it) == path)
    }

    /// Landlock alone: nothing can be mounted.
    fn is_bare(&self) -> bool {
        self.report.level == Level::L1
    }

    /// The user's project to be read, the worktree to be written, and in it nothing that others obey unasked.
    fn project(&self, profile: &mut Profile, needs: &Needs<'_>, cwd: &Path, hidden: &Hidden) {
        let store = needs.lent.map(|lent| lent.store.as_path());
        if hidden.allows(&self.target) && self.target.is_dir() {
            if self.is_bare() {
                // All but the repository, which nothing can cover.
                let entries = fs::read_dir(&self.target).into_iter().flatten().flatten();
                let shown = entries.map(|it| it.path()).filter(|path| {
                    path.file_name() != Some(OsStr::new(".git"))
                        && store.is_none_or(|it| !it.starts_with(path))
                        && !self.is_kept(path)
                });
                shown.for_each(|path| profile.read(&path));
            } else {
                profile.read(&self.target);
                let entries = fs::read_dir(&self.target).into_iter().flatten().flatten().map(|it| it.path());
                for path in entries.filter(|path| self.is_kept(path) && path.is_file()) {
                    profile.put(path, Mount::Read("/dev/null".into()));
                }
            }
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

/// `.env` and its like. They are commonly in no repository, so no worktree has them; the user's folder does.
fn holds_secrets(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(".env") else { return false };
    rest.is_empty() || rest.starts_with('.') && !MODELS.iter().any(|it| rest.ends_with(it))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_files_are_not_shown() {
        for (name, kept) in [
            (".env", true),
            (".env.local", true),
            (".env.production", true),
            (".env.example", false),
            (".env.local.sample", false),
            (".envrc", false),
            ("env", false),
            (".environment", false),
        ] {
            assert_eq!(holds_secrets(name), kept, "{name}");
        }
    }
}
