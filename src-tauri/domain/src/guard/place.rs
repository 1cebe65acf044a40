//! Where a path leads: into the project, a temporary folder, the system, the user's home.

use serde::{Deserialize, Serialize};

use super::value::Value;

/// Where a command would run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Place {
    /// The working directory, absolute.
    pub cwd: String,
    /// The folder that the worker works in, absolute: its worktree.
    pub project: String,
    /// The user's home, absolute.
    pub home: String,
    /// Further folders that the worker may write to, absolute.
    #[serde(default)]
    pub also: Vec<String>,
}

/// What a path is, as far as damage goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// Inside of the project.
    Project,
    /// The project itself, or everything in it.
    WholeProject,
    /// git's own files: `.git` and what is in it.
    Git,
    /// Files of a project that programs run or obey: hooks, settings of agents and editors.
    Obeyed,
    /// Inside of a temporary folder, or of a folder that the worker may write to.
    Scratch,
    /// A device that swallows or gives, and harms nothing: `/dev/null`.
    Harmless,
    /// Any other device.
    Device,
    /// The root, a folder of the system, or the user's home itself.
    System,
    /// Credentials and keys.
    Secret,
    /// Files that run at login or tell programs what to do: `~/.bashrc`, `~/.config`.
    Startup,
    /// Anywhere else outside.
    Outside,
    /// Only known when it runs.
    Unknown,
}

const HARMLESS: &[&str] = &[
    "/dev/null",
    "/dev/tcp",
    "/dev/udp",
    "/dev/zero",
    "/dev/full",
    "/dev/stdin",
    "/dev/stdout",
    "/dev/stderr",
    "/dev/tty",
    "/dev/random",
    "/dev/urandom",
    "/dev/fd",
    "/proc/self/fd",
];
const SCRATCH: &[&str] = &["/tmp", "/var/tmp", "/private/tmp", "/dev/shm"];
const SYSTEM: &[&str] = &[
    "/bin",
    "/boot",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var",
    "/system",
    "/library",
    "/applications",
    "/private",
    "/cores",
];
/// Folders of which only they themselves, or one step below, are the system's: users' homes, mounted disks.
const SHALLOW: &[&str] = &["/home", "/users", "/mnt", "/media", "/volumes", "/opt", "/srv"];
const SECRETS: &[&str] = &[
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".netrc",
    ".pgpass",
    ".docker/config.json",
    ".config/gh",
    ".config/gcloud",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".claude/.credentials.json",
    ".codex/auth.json",
    ".gemini/oauth_creds.json",
    ".password-store",
    ".local/share/keyrings",
    ".mozilla",
    ".config/google-chrome",
    ".vault-token",
    ".terraform.d/credentials.tfrc.json",
];
const SYSTEM_SECRETS: &[&str] =
    &["/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d", "/etc/ssh"];
const STARTUP: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".profile",
    ".zshrc",
    ".zprofile",
    ".zshenv",
    ".zlogin",
    ".gitconfig",
    ".config",
    ".claude",
    ".claude.json",
    ".codex",
    ".gemini",
    ".vimrc",
    ".inputrc",
    ".pam_environment",
    ".xprofile",
    ".xinitrc",
    ".local/bin",
    "library/launchagents",
    ".tmux.conf",
    ".condarc",
    ".cargo/config.toml",
];
const OBEYED: &[&str] = &[
    ".claude",
    ".codex",
    ".gemini",
    ".agents",
    ".mcp.json",
    ".vscode",
    ".idea",
    ".husky",
    ".envrc",
    ".github/workflows",
];

/// The same for people who are about to take over a change: beside those above, what the guard need not ask about.
const READ_FIRST: &[&str] = &[
    ".circleci",
    ".devcontainer",
    ".githooks",
    ".gitlab-ci.yml",
    ".gitmodules",
    ".pre-commit-config.yaml",
    "agents.md",
    "claude.md",
    "gemini.md",
    "jenkinsfile",
];

/// Whether programs obey a file of a project by themselves, in whatever folder it lies: settings of agents and editors,
/// hooks, workflows, instructions for agents.
#[must_use]
pub fn is_obeyed(path: &str) -> bool {
    let path = path.to_lowercase();
    let starts = std::iter::once(0).chain(path.match_indices('/').map(|(at, _)| at + 1));
    starts.filter_map(|at| path.get(at..)).any(|rest| {
        OBEYED.iter().chain(READ_FIRST).any(|known| {
            rest.strip_prefix(known).is_some_and(|more| more.is_empty() || more.starts_with('/'))
        })
    })
}

impl Place {
    /// The zone of a path as a command names it; `cwd`: where the shell is then, `None` when only running tells.
    pub(super) fn zone(&self, path: &Value, cwd: Option<&str>) -> Zone {
        let (known, cut) = path.known_prefix();
        if known.is_empty() && cut {
            return Zone::Unknown;
        }
        let absolute = known.starts_with('/') || is_drive(known);
        let full = match (absolute, cwd) {
            (true, _) => known.to_owned(),
            (false, Some(cwd)) => format!("{cwd}/{known}"),
            (false, None) => return Zone::Unknown,
        };
        // `build/$x` lies in build, `src/*` is everything in src; `$x` may climb, but that is not the usual meaning.
        let (extent, folder) = extent(&full, cut);
        self.zone_of(&normal(folder), extent)
    }

    fn zone_of(&self, path: &str, extent: Extent) -> Zone {
        let inside = |folder: &str| below(path, &normal(folder));
        let part = extent == Extent::Part;
        if HARMLESS.iter().any(|known| below(path, known).is_some()) {
            return Zone::Harmless;
        }
        if let Some(rest) = inside(&self.project) {
            return if rest.is_empty() && !part { Zone::WholeProject } else { in_project(rest) };
        }
        let scratch = SCRATCH.iter().map(|it| (*it).to_owned()).chain(self.also.iter().cloned());
        for folder in scratch {
            match inside(&folder) {
                Some("") if !part => return Zone::Outside,
                Some(_) => return Zone::Scratch,
                None => {}
            }
        }
        if let Some(rest) = Some(&self.home).filter(|home| 1 < home.len()).and_then(|home| inside(home)) {
            return if rest.is_empty() && part { Zone::Outside } else { in_home(rest) };
        }
        if path == "/" && part { Zone::Unknown } else { in_system(path, &self.project) }
    }
}

/// How much of a folder is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// The path itself.
    Exact,
    /// Everything in the folder.
    All,
    /// Something in the folder.
    Part,
}

fn in_project(rest: &str) -> Zone {
    let first = rest.split('/').next().unwrap_or_default();
    if rest.split('/').any(|part| part == ".git") {
        Zone::Git
    } else if OBEYED.iter().any(|known| below(rest, known).is_some() || first == *known) {
        Zone::Obeyed
    } else {
        Zone::Project
    }
}

fn in_home(rest: &str) -> Zone {
    let rest = rest.to_lowercase();
    if rest.is_empty() {
        Zone::System
    } else if SECRETS.iter().any(|known| below(&rest, known).is_some()) {
        Zone::Secret
    } else if STARTUP.iter().any(|known| below(&rest, known).is_some()) {
        Zone::Startup
    } else {
        Zone::Outside
    }
}

fn in_system(path: &str, project: &str) -> Zone {
    let lower = path.to_lowercase();
    if below(&lower, "/dev").is_some() {
        return Zone::Device;
    }
    if SYSTEM_SECRETS.iter().any(|known| below(&lower, known).is_some()) || lower.ends_with("/environ") {
        return Zone::Secret;
    }
    let drive = is_drive(path) && path.trim_end_matches(['/', '\\']).len() <= 2;
    let above = below(project, path).is_some();
    let shallow = SHALLOW.iter().any(|folder| {
        below(&lower, folder).is_some_and(|rest| rest.is_empty() || !rest.contains('/') && *folder != "/opt")
    });
    if path == "/" || drive || above || shallow || SYSTEM.iter().any(|folder| below(&lower, folder).is_some())
    {
        Zone::System
    } else {
        Zone::Outside
    }
}

/// What is left of a path below a folder; empty for the folder itself, `None` when it lies elsewhere.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let folder = folder.trim_end_matches('/');
    let rest = path.strip_prefix(folder)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

/// How much is meant, of the folder that is certain. `cut`: the path goes on with what only running tells.
fn extent(path: &str, cut: bool) -> (Extent, &str) {
    let up_to = |end: usize| path[..end].rfind('/').map_or("", |at| &path[..at.max(1)]);
    let Some(glob) = path.find(['*', '?', '[']) else {
        return if cut { (Extent::Part, up_to(path.len())) } else { (Extent::Exact, path) };
    };
    let folder = up_to(glob);
    let last = path[folder.len()..].trim_matches('/');
    let all =
        matches!(last, "*" | ".*" | ".[!.]*" | ".[^.]*" | ".??*" | "*.*" | "**" | "**/*" | "?*" | "[^.]*");
    (if all && !cut { Extent::All } else { Extent::Part }, folder)
}

/// Without `.`, `..` and double slashes; by the text alone.
pub(super) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let start = if path.starts_with('/') { "/" } else { "" };
    format!("{start}{}", parts.join("/"))
}

fn is_drive(path: &str) -> bool {
    let mut chars = path.chars();
    chars.next().is_some_and(|letter| letter.is_ascii_alphabetic()) && chars.next() == Some(':')
}
