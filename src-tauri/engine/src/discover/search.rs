//! Where CLIs are looked for, and which file of an installation is started.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use domain::Dialect;

use super::Environment;
use crate::folders;

/// How a program was found, in words for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The settings name it.
    Settings,
    /// On the PATH of the login shell or the terminal.
    Path,
    /// In a folder where installers put such programs, although it is not on the PATH.
    UsualFolder,
}

impl Place {
    /// For a sentence: "found …".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "as the settings say",
            Self::Path => "on the PATH",
            Self::UsualFolder => "in a usual folder that is not on the PATH",
        }
    }
}

/// The PATH for agents: the environment's own folders, then the usual ones that exist. Relative folders and folders
/// inside the project are left out, so that no `node_modules/.bin` of a repository can put itself in an agent's
/// place, nor in place of what an agent starts (THREATS T26).
#[must_use]
pub fn search_path(env: &Environment, target: Option<&Path>) -> Vec<PathBuf> {
    let own = own_path(env, target);
    let mut all = own.clone();
    for folder in usual_folders(env) {
        if folder.is_dir() && allowed(&folder, target) && !all.contains(&folder) {
            all.push(folder);
        }
    }
    all
}

/// The environment's own PATH without what must not be used.
pub(super) fn own_path(env: &Environment, target: Option<&Path>) -> Vec<PathBuf> {
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    let mut folders = Vec::new();
    for folder in env::split_paths(path) {
        if allowed(&folder, target) && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

pub(super) fn allowed(path: &Path, target: Option<&Path>) -> bool {
    path.is_absolute() && !target.is_some_and(|target| folders::is_inside(path, target))
}

/// Folders of installers and version managers, by their own documentation; the newest version of each first.
fn usual_folders(env: &Environment) -> Vec<PathBuf> {
    let var = |name: &str| env.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = var("HOME").or_else(|| var("USERPROFILE")).or_else(env::home_dir);
    let home = home.as_deref();
    let mut folders = Vec::new();
    let mut add = |base: Option<PathBuf>, inside: &str| {
        folders.extend(base.map(|base| if inside.is_empty() { base } else { base.join(inside) }));
    };
    for inside in [
        ".local/bin",
        "bin",
        ".npm-global/bin",
        ".npm-packages/bin",
        ".claude/local",
        ".codex/bin",
        ".volta/bin",
        ".bun/bin",
        ".yarn/bin",
        ".asdf/shims",
        ".nodenv/shims",
        ".proto/shims",
        ".local/share/mise/shims",
        ".local/share/pnpm",
        "Library/pnpm",
        ".cargo/bin",
        "AppData/Roaming/npm",
        "AppData/Local/pnpm",
        "AppData/Local/Volta/bin",
        "scoop/shims",
    ] {
        add(home.map(Path::to_owned), inside);
    }
    for (name, inside) in [
        ("VOLTA_HOME", "bin"),
        ("BUN_INSTALL", "bin"),
        ("PNPM_HOME", ""),
        ("ASDF_DATA_DIR", "shims"),
        ("MISE_DATA_DIR", "shims"),
        ("N_PREFIX", "bin"),
        ("NPM_CONFIG_PREFIX", "bin"),
        ("npm_config_prefix", "bin"),
    ] {
        add(var(name), inside);
    }
    for folder in [
        "/opt/homebrew/bin",
        "/usr/local/bin",
        "/home/linuxbrew/.linuxbrew/bin",
        "/usr/bin",
        "/bin",
        "/snap/bin",
    ] {
        add(Some(folder.into()), "");
    }
    let at_home = |inside: &str| home.map(|home| home.join(inside));
    for (base, inside) in [
        (var("NVM_DIR").or_else(|| at_home(".nvm")).map(|nvm| nvm.join("versions/node")), "bin"),
        (var("FNM_DIR").map(|fnm| fnm.join("node-versions")), "installation/bin"),
        (at_home(".local/share/fnm/node-versions"), "installation/bin"),
        (at_home(".fnm/node-versions"), "installation/bin"),
        (at_home("Library/Application Support/fnm/node-versions"), "installation/bin"),
    ] {
        folders.extend(base.into_iter().flat_map(|base| versions(&base)).map(|version| version.join(inside)));
    }
    folders
}

/// Sub-folders named by versions, the newest first.
fn versions(base: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(base) else { return Vec::new() };
    let mut found: Vec<(Vec<u64>, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .map(|path| (numbers(&path.file_name().unwrap_or_default().to_string_lossy()), path))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// The numbers of a version: `v20.11.1` → 20, 11, 1.
pub(super) fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(|c: char| !c.is_ascii_digit());
    parts.filter(|part| !part.is_empty()).map_while(|part| part.parse().ok()).collect()
}

/// A file that might be the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// As found.
    pub(super) found: PathBuf,
    /// What would be started: absolute, links resolved, the native binary instead of a launcher.
    pub(super) program: PathBuf,
    pub(super) place: Place,
}

/// What was found for a command.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// In the order of the folders.
    pub(super) good: Vec<Candidate>,
    /// Passed over because it lies inside the project.
    pub(super) inside_target: Option<PathBuf>,
}

/// Looks for `command`, a name or an absolute path.
pub(super) fn candidates(
    command: &str,
    named: bool,
    dialect: Dialect,
    env: &Environment,
    target: Option<&Path>,
) -> Candidates {
    let mut found = Candidates::default();
    let own = own_path(env, target);
    let is_path = Path::new(command).components().count() != 1;
    let folders = if is_path { Vec::new() } else { search_path(env, target) };
    let joined = env::join_paths(&folders).unwrap_or_default();
    let Ok(hits) = which::which_in_all(command, Some(joined), "/") else { return found };
    for hit in hits {
        let program = program(&hit, dialect);
        if !allowed(&hit, target) || !allowed(&program, target) {
            found.inside_target.get_or_insert(hit);
            continue;
        }
        let on_path = hit.parent().is_some_and(|folder| own.iter().any(|own| own == folder));
        let place = match (named, on_path) {
            (true, _) => Place::Settings,
            (false, true) => Place::Path,
            (false, false) => Place::UsualFolder,
        };
        if !found.good.iter().any(|candidate| candidate.program == program) {
            found.good.push(Candidate { found: hit, program, place });
        }
    }
    if found.inside_target.is_none() {
        found.inside_target = skipped(command, env, target);
    }
    found
}

/// A program of that name in a folder of the PATH that was left out for lying inside the project.
fn skipped(command: &str, env: &Environment, target: Option<&Path>) -> Option<PathBuf> {
    let target = target?;
    let path = env.get("PATH")?;
    env::split_paths(path)
        .map(|folder| target.join(folder)) // a relative folder is meant from the project
        .filter(|folder| folders::is_inside(folder, target))
        .map(|folder| folder.join(command))
        .find(|program| program.is_file())
}

/// What is started for a file that was found: links resolved, except for programs that look at the name by which
/// they are called; and the native binary instead of a launcher that only starts it.
fn program(found: &Path, dialect: Dialect) -> PathBuf {
    let Ok(real) = found.canonicalize() else { return found.to_owned() };
    let by_name = ["volta-shim", "volta", "mise", "proto-shim", "busybox", "snap"];
    if real.file_stem().is_some_and(|stem| by_name.iter().any(|name| stem == *name)) {
        let folder = found.parent().and_then(|folder| folder.canonicalize().ok());
        return folder.zip(found.file_name()).map_or(real, |(folder, name)| folder.join(name));
    }
    native(&real, dialect).unwrap_or(real)
}

/// The native binary in the platform package next to an npm launcher: one process less, and no node in between
/// (measured: codex 0.25 s and 175 MB through the launcher, 0.20 s and 134 MB without).
fn native(launcher: &Path, dialect: Dialect) -> Option<PathBuf> {
    let (scope, package) = match dialect {
        Dialect::Claude => ("@anthropic-ai", "claude-code"),
        Dialect::Codex => ("@openai", "codex"),
        Dialect::Gemini => return None, // a node program through and through
    };
    let own = launcher.ancestors().find(|path| path.ends_with(Path::new(scope).join(package)))?;
    let modules = own.parent()?.parent()?;
    let (system, machine) = (system()?, machine()?);
    for modules in [own.join("node_modules"), modules.to_owned()] {
        for variant in ["", "-musl"] {
            let package = modules.join(scope).join(format!("{package}-{system}-{machine}{variant}"));
            let binary = match dialect {
                Dialect::Claude => Some(package.join(exe("claude"))),
                Dialect::Codex => codex_binary(&package),
                Dialect::Gemini => None,
            };
            // Which libc a build is for, npm has decided when it chose the package.
            if let Some(binary) = binary.filter(|binary| binary.is_file()) {
                return binary.canonicalize().ok();
            }
        }
    }
    None
}

/// `vendor/<target triple>/bin/codex`; older versions: `vendor/<target triple>/codex/codex`.
fn codex_binary(package: &Path) -> Option<PathBuf> {
    let triples = fs::read_dir(package.join("vendor")).ok()?;
    triples
        .filter_map(|entry| Some(entry.ok()?.path()))
        .flat_map(|triple| ["bin", "codex"].map(|folder| triple.join(folder).join(exe("codex"))))
        .find(|binary| binary.is_file())
}

fn exe(name: &str) -> String {
    format!("{name}{}", env::consts::EXE_SUFFIX)
}

/// The system as npm's platform packages call it.
pub(super) fn system() -> Option<&'static str> {
    match env::consts::OS {
        "linux" => Some("linux"),
        "macos" => Some("darwin"),
        "windows" => Some("win32"),
        _ => None,
    }
}

/// The machine as npm's platform packages call it.
pub(super) fn machine() -> Option<&'static str> {
    match env::consts::ARCH {
        "x86_64" => Some("x64"),
        "aarch64" => Some("arm64"),
        _ => None,
    }
}
