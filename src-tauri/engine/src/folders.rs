//! Where the program keeps what is its own, by each system's custom; and where paths lie.

use std::{
    env,
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

/// The name of the program's own folder inside of the system's.
pub const NAME: &str = "meta-orchestrator";

/// Which custom applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Custom {
    /// The XDG base directory specification, version 0.8.
    Xdg,
    /// `~/Library/Application Support`.
    Mac,
    /// Known folders, by their variables.
    Windows,
}

const HERE: Custom = if cfg!(target_os = "macos") {
    Custom::Mac
} else if cfg!(windows) {
    Custom::Windows
} else {
    Custom::Xdg
};

/// Which folder is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Config,
    Data,
}

/// The folder of the program's settings: `$XDG_CONFIG_HOME/meta-orchestrator`, on macOS below
/// `~/Library/Application Support`, on Windows below `%APPDATA%`. `None` when the user has no home.
#[must_use]
pub fn config() -> Option<PathBuf> {
    folder(HERE, Kind::Config, env::home_dir(), &|name| env::var_os(name))
}

/// The workspace when none is named: `sessions` in the program's data folder (`$XDG_DATA_HOME/meta-orchestrator`, on
/// macOS below `~/Library/Application Support`, on Windows below `%LOCALAPPDATA%`). Never a temporary folder.
/// `None` when the user has no home.
#[must_use]
pub fn workspace() -> Option<PathBuf> {
    Some(folder(HERE, Kind::Data, env::home_dir(), &|name| env::var_os(name))?.join("sessions"))
}

fn folder(
    custom: Custom,
    kind: Kind,
    home: Option<PathBuf>,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    let home = home.filter(|home| home.is_absolute());
    let (name, inside) = match (custom, kind) {
        (Custom::Xdg, Kind::Config) => (Some("XDG_CONFIG_HOME"), ".config"),
        (Custom::Xdg, Kind::Data) => (Some("XDG_DATA_HOME"), ".local/share"),
        (Custom::Mac, _) => (None, "Library/Application Support"),
        (Custom::Windows, Kind::Config) => (Some("APPDATA"), "AppData/Roaming"),
        (Custom::Windows, Kind::Data) => (Some("LOCALAPPDATA"), "AppData/Local"),
    };
    // The specification: a relative path in these variables is to be ignored.
    let named = name.and_then(var).map(PathBuf::from).filter(|path| path.is_absolute());
    Some(named.or_else(|| Some(home?.join(inside)))?.join(NAME))
}

/// Whether a path is `folder` or lies inside of it, whatever links lead there. A path that does not exist yet is
/// judged by its nearest parent that does.
#[must_use]
pub fn is_inside(path: &Path, folder: &Path) -> bool {
    let folder = resolved(folder);
    resolved(path).starts_with(&folder) || plain(path).starts_with(&folder)
}

/// The path with its links resolved as far as it exists.
#[must_use]
pub fn resolved(path: &Path) -> PathBuf {
    let path = plain(path);
    for parent in path.ancestors() {
        if let Ok(real) = parent.canonicalize() {
            let rest = path.strip_prefix(parent).unwrap_or(Path::new(""));
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path
}

/// The path made absolute, without `.` and `..`, links left alone.
fn plain(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(custom: Custom, kind: Kind, vars: &[(&str, &str)], home: Option<&str>, expected: Option<&str>) {
        let var = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
        assert_eq!(folder(custom, kind, home.map(PathBuf::from), &var), expected.map(PathBuf::from));
    }

    #[test]
    fn by_each_systems_custom() {
        let home = Some("/home/ada");
        check(Custom::Xdg, Kind::Config, &[], home, Some("/home/ada/.config/meta-orchestrator"));
        check(Custom::Xdg, Kind::Data, &[], home, Some("/home/ada/.local/share/meta-orchestrator"));
        check(Custom::Xdg, Kind::Data, &[("XDG_DATA_HOME", "/d")], None, Some("/d/meta-orchestrator"));
        check(
            Custom::Xdg,
            Kind::Config,
            &[("XDG_CONFIG_HOME", "relative")],
            home,
            Some("/home/ada/.config/meta-orchestrator"),
        );
        check(
            Custom::Mac,
            Kind::Data,
            &[("XDG_DATA_HOME", "/d")],
            home,
            Some("/home/ada/Library/Application Support/meta-orchestrator"),
        );
        check(Custom::Windows, Kind::Data, &[("LOCALAPPDATA", "/l")], home, Some("/l/meta-orchestrator"));
        check(Custom::Xdg, Kind::Data, &[], None, None);
        check(Custom::Xdg, Kind::Data, &[], Some("relative"), None);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_dots_do_not_lead_out() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("project");
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        std::os::unix::fs::symlink(&folder, dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/usr", folder.join("out")).unwrap();
        assert!(is_inside(&folder, &folder));
        assert!(is_inside(&dir.path().join("link/bin/new"), &folder));
        assert!(is_inside(&dir.path().join("elsewhere/../project/x"), &folder));
        assert!(is_inside(&folder.join("out/bin"), &folder), "a link inside counts as inside");
        assert!(!is_inside(&folder.join("../project2"), &folder));
        assert!(!is_inside(dir.path(), &folder));
    }
}
