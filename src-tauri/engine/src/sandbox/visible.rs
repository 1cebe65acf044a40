//! What of the machine every worker sees: the system's programs, the toolchains, and nothing of the user's.

use std::path::{Path, PathBuf};

use super::profile::{Mount, Profile};
use crate::discover::Environment;

/// Folders of the system. What is not there is left out.
const SYSTEM: [&str; 6] = [
    "/usr",
    "/etc",
    "/nix/store",
    "/run/current-system",
    // Where some distributions keep what /etc/ssl leads to.
    "/var/lib/ca-certificates",
    "/gnu/store",
];
/// Links into `/usr` on most systems, folders of their own on some.
const MERGED: [&str; 6] = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
/// Toolchains below the user's home. Of cargo's only what holds no login.
const TOOLCHAINS: [&str; 18] = [
    ".rustup",
    ".cargo/bin",
    ".cargo/registry",
    ".cargo/git",
    ".nvm/versions",
    ".volta",
    ".bun/bin",
    ".deno/bin",
    ".pyenv",
    ".rbenv",
    ".asdf",
    ".sdkman/candidates",
    ".local/share/mise",
    ".local/share/pnpm",
    ".local/share/uv",
    ".local/lib",
    "go/pkg",
    ".dotnet",
];
/// Variables that name a toolchain.
const NAMED: [&str; 12] = [
    "RUSTUP_HOME",
    "GOROOT",
    "JAVA_HOME",
    "ANDROID_HOME",
    "NVM_BIN",
    "VOLTA_HOME",
    "PNPM_HOME",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "RBENV_ROOT",
    "DOTNET_ROOT",
];
/// Variables that name a file or folder of certificates or a login, which the CLI needs at that path.
const FILES: [&str; 8] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLAUDE_CODE_CLIENT_CERT",
    "CLAUDE_CODE_CLIENT_KEY",
];

/// What is never shown as a whole: the root, the home, the sessions, and all above them.
#[derive(Clone, Debug)]
pub(super) struct Hidden(Vec<PathBuf>);

impl Hidden {
    pub(super) fn new(home: Option<&Path>, session: &Path) -> Self {
        let mut hidden = vec![session.to_owned()];
        if let Some(path) = home {
            hidden.push(path.to_owned());
            hidden.extend(path.canonicalize());
        }
        Self(hidden)
    }

    /// Whether a folder may be shown: it holds none of what is hidden.
    pub(super) fn allows(&self, path: &Path) -> bool {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        path.is_absolute() && !self.0.iter().any(|it| it.starts_with(path) || it.starts_with(&real))
    }
}

/// Mounts the system and the toolchains.
pub(super) fn mount(profile: &mut Profile, env: &Environment, hidden: &Hidden) {
    for folder in SYSTEM.map(Path::new) {
        if folder.is_dir() {
            profile.read(folder);
        }
    }
    for folder in MERGED.map(Path::new) {
        match std::fs::read_link(folder) {
            Ok(to) => profile.put(folder, Mount::Link(to)),
            Err(_) if folder.is_dir() => profile.read(folder),
            Err(_) => {}
        }
    }
    let home = env.get("HOME").map(PathBuf::from);
    let below = home.iter().flat_map(|home| TOOLCHAINS.iter().map(|name| home.join(name)));
    let variables = NAMED.iter().chain(&FILES).filter_map(|name| env.get(*name)).map(PathBuf::from);
    let path = env.get("PATH").map(std::ffi::OsStr::new).unwrap_or_default();
    let programs = std::env::split_paths(path).flat_map(|folder| {
        let beside = folder.ends_with("bin").then(|| folder.with_file_name("lib"));
        std::iter::once(folder).chain(beside)
    });
    for folder in below.chain(variables).chain(programs) {
        show(profile, &folder, hidden);
    }
}

/// Shows a file or folder, if it is there and may be shown.
pub(super) fn show(profile: &mut Profile, path: &Path, hidden: &Hidden) {
    // What is below the system's folders is there already, and a link in there leads to where it leads.
    let known =
        path.starts_with("/usr") || path.starts_with("/etc") || MERGED.iter().any(|it| path.starts_with(it));
    if !known && path.exists() && hidden.allows(path) && !profile.has(path) {
        profile.read(path);
    }
}

/// Shows what belongs to a program: its folder, and where it really lies; for one of npm's, the modules it needs.
pub(super) fn program(profile: &mut Profile, program: &Path, hidden: &Hidden) {
    let real = program.canonicalize().unwrap_or_else(|_| program.to_owned());
    let modules = real.ancestors().filter(|path| path.ends_with("node_modules")).last();
    for path in [Some(program), Some(&real)].into_iter().flatten() {
        match path.parent().filter(|folder| hidden.allows(folder)) {
            Some(folder) => show(profile, folder, hidden),
            None => show(profile, path, hidden),
        }
    }
    if let Some(modules) = modules {
        show(profile, modules, hidden);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_holds_the_home_or_the_sessions_is_shown() {
        let hidden = Hidden::new(Some(Path::new("/home/u")), Path::new("/data/sessions/s1"));
        for path in ["/", "/home", "/home/u", "/data", "/data/sessions", "/data/sessions/s1", "relative"] {
            assert!(!hidden.allows(Path::new(path)), "{path}");
        }
        for path in ["/usr", "/home/u/.rustup", "/home/u2", "/data/other", "/data/sessions/s1/trees/t1"] {
            assert!(hidden.allows(Path::new(path)), "{path}");
        }
    }
}
