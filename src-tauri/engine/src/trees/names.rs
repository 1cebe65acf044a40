//! Names of branches, refs and files, and how paths in the repository map to paths in the project.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use domain::SessionId;

use super::TreeError;

/// Everything that is called after the session.
#[derive(Clone, Debug)]
pub(super) struct Names {
    session: String,
    branch: String,
}

impl Names {
    pub(super) fn new(session: &SessionId, branch: &str) -> Result<Self, TreeError> {
        Ok(Self { session: part(session.as_str())?.to_owned(), branch: branch.to_owned() })
    }

    /// Names a session's branch may have, the first choice first. The last eight hex digits of a UUID v7 are
    /// random; the first ones are the time, and equal for sessions of the same minute.
    pub(super) fn branches(session: &SessionId) -> Result<[String; 2], TreeError> {
        let whole: String = part(session.as_str())?.chars().filter(|c| *c != '-').collect();
        let short = whole.get(whole.len().saturating_sub(8)..).unwrap_or(&whole);
        Ok([format!("orchestrate/{short}"), format!("orchestrate/{whole}-session")])
    }

    /// The session's branch, without `refs/heads/`.
    pub(super) fn branch(&self) -> &str {
        &self.branch
    }

    /// The branch of a task: beside the session's branch, since a ref cannot be inside of another.
    pub(super) fn task_branch(&self, task: &str) -> String {
        format!("{}-{task}", self.branch)
    }

    /// A private ref. Those of tasks begin with the task's id, all others with `_`, which no id has.
    pub(super) fn private(&self, name: &str) -> String {
        format!("refs/orchestrate/{}/{name}", self.session)
    }
}

/// The full name of a branch.
pub(super) fn head(branch: &str) -> String {
    format!("refs/heads/{branch}")
}

/// A name that may become one component of a path and of a ref.
pub(super) fn part(name: &str) -> Result<&str, TreeError> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let edges = !name.starts_with(['-', '.', '_']) && !name.ends_with('.') && !name.ends_with(".lock");
    if plain && edges && !name.is_empty() && name.len() <= 64 && !name.contains("..") {
        Ok(name)
    } else {
        Err(TreeError::BadName { name: name.to_owned() })
    }
}

/// A path in the repository, as the project sees it: relative to the target, which may be a subfolder (`prefix`, empty
/// or ending in `/`). What lies outside of the target begins with `../`.
pub(super) fn to_project(prefix: &str, path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    let mut prefix = prefix;
    let mut rest: &str = &path;
    while let Some((folder, deeper)) = prefix.split_once('/') {
        match rest.split_once('/') {
            Some((first, inner)) if first == folder => (prefix, rest) = (deeper, inner),
            _ => break,
        }
    }
    format!("{}{rest}", "../".repeat(prefix.matches('/').count()))
}

/// A path as the project sees it, as one of the repository: `None` when it leaves the repository, is absolute or empty.
pub(super) fn to_repository(prefix: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains('\0') {
        return None;
    }
    let mut parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { None } else { Some(parts.join("/")) }
}

/// A folder's one true path, in the form that git writes too.
pub(super) fn canonical(path: &Path) -> Result<PathBuf, TreeError> {
    let found = path.canonicalize().map_err(TreeError::io(path))?;
    // Windows answers `\\?\C:\…`, which git does not take.
    match found.to_str().and_then(|text| text.strip_prefix(r"\\?\")) {
        Some(plain) if cfg!(windows) => Ok(PathBuf::from(plain)),
        _ => Ok(found),
    }
}

/// A path as this system writes it; `None` where it cannot.
#[cfg(unix)]
pub(super) fn native(bytes: &[u8]) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec()))
}

/// A path as this system writes it; `None` where it cannot.
#[cfg(not(unix))]
pub(super) fn native(bytes: &[u8]) -> Option<OsString> {
    String::from_utf8(bytes.to_vec()).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_map_between_project_and_repository() {
        let check = |prefix: &str, inside: &str, seen: &str| {
            assert_eq!(to_project(prefix, inside.as_bytes()), seen);
            assert_eq!(to_repository(prefix, seen).as_deref(), Some(inside));
        };
        check("", "a/b", "a/b");
        check("sub/", "sub/a", "a");
        check("sub/", "other/a", "../other/a");
        check("a/b/", "a/c/d", "../c/d");
        check("a/b/", "e", "../../e");
        for (prefix, leaving) in
            [("", "../x"), ("sub/", "../../x"), ("", "/etc/passwd"), ("", ""), ("", "a/../..")]
        {
            assert_eq!(to_repository(prefix, leaving), None, "{leaving}");
        }
    }

    #[test]
    fn only_plain_names_become_paths_and_refs() {
        for good in ["t1", "auth-api", "r1", "0190e1b2-7c3d-7abc-8def-0123456789ab", "claude_2.1"] {
            assert!(part(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "-x",
            "a/b",
            "a b",
            "a\u{3000}b",
            "x.lock",
            "a..b",
            "_x",
            "a\n",
            "ä",
            "$(x)",
            ".git",
        ] {
            assert!(part(bad).is_err(), "{bad}");
        }
    }
}
