//! Facts about a project folder: its repository, its uncommitted work, its check commands.

use std::path::{Path, PathBuf};

use domain::TargetFacts;

use super::{TreeError, names};
use crate::beneath::Beneath;
use crate::git::{Git, GitError, Repository};

/// Most bytes of a file that is searched for what it defines.
pub(crate) const MOST_LOOKED_AT: u64 = 1 << 20;
/// Most files of a commit that are read at once.
pub(crate) const MOST_READ: usize = 300;

/// The repository a folder belongs to.
#[derive(Clone, Debug)]
pub(super) struct Located {
    /// Top folder of the checkout.
    pub(super) top: PathBuf,
    /// The checkout's own git directory.
    pub(super) git_dir: PathBuf,
    /// The git directory that all checkouts share.
    pub(super) common: PathBuf,
    /// The folder's place below the top: empty, or ending in `/`.
    pub(super) prefix: String,
    /// Whether there is a commit.
    pub(super) born: bool,
}

/// Facts about a project folder. Reads only; nothing in the folder is run.
///
/// # Errors
/// When the folder cannot be read, is a bare repository or one that git does not accept.
pub fn inspect(git: &Git, target: &Path) -> Result<TargetFacts, TreeError> {
    let target = names::canonical(target)?;
    let located = locate(git, &target)?.filter(|found| found.born);
    let mut facts = TargetFacts {
        path: target.to_string_lossy().into_owned(),
        repository: located.is_some(),
        branch: None,
        dirty: 0,
        checks: Beneath::open(&target).map(|target| checks(&target)).unwrap_or_default(),
    };
    if let Some(found) = located {
        let checkout = Repository::around(git, &found.top);
        facts.branch = branch(&checkout)?;
        facts.dirty = u32::try_from(dirty(&checkout)?.len()).unwrap_or(u32::MAX);
    }
    Ok(facts)
}

/// Whether a folder belongs to a repository in which work can begin; `false` when it belongs to none. Reads only.
///
/// # Errors
/// [`TreeError::NoWorkTree`], [`TreeError::Broken`], [`TreeError::NoCommits`], [`TreeError::Busy`],
/// [`TreeError::Locked`], or what git says, for example of a repository of another user's.
pub fn sane(git: &Git, target: &Path) -> Result<bool, TreeError> {
    let target = names::canonical(target)?;
    let Some(found) = locate(git, &target)? else { return Ok(false) };
    if !found.born {
        return Err(TreeError::NoCommits { path: found.top });
    }
    if let Some(what) = busy(&found.git_dir) {
        return Err(TreeError::Busy { what, path: found.top });
    }
    let lock = found.git_dir.join("index.lock");
    if lock.symlink_metadata().is_ok() {
        return Err(TreeError::Locked { path: lock });
    }
    Ok(true)
}

/// What lies at a path of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// A file that is not too large, with its content.
    File(Vec<u8>),
    /// A symbolic link.
    Link,
    /// A larger file, or another repository.
    Other,
}

/// A path in a repository, and what lies there.
pub(crate) type At = (Vec<u8>, Committed);

/// What the newest commit holds at some paths and below them, given the project's place in its repository; `None` when it
/// is no repository with a commit. Files larger than [`MOST_LOOKED_AT`] are not read.
///
/// # Errors
/// What git says.
pub(crate) fn committed(
    git: &Git,
    target: &Path,
    paths: impl FnOnce(&str) -> Vec<String>,
) -> Result<Option<Vec<At>>, TreeError> {
    let target = names::canonical(target)?;
    let Some(found) = locate(git, &target)?.filter(|found| found.born) else { return Ok(None) };
    let checkout = Repository::around(git, &found.top);
    let listed = checkout.call("ls-tree").args(["-r", "-z", "-l", "--full-tree", "HEAD", "--"]);
    let listed = listed.args(paths(&found.prefix)).run()?;
    let mut all = Vec::new();
    for entry in listed.parts() {
        let Some(at) = entry.iter().position(|byte| *byte == b'\t') else { continue };
        let facts = String::from_utf8_lossy(&entry[..at]).into_owned();
        let fields: Vec<&str> = facts.split_whitespace().collect();
        let what = match fields[..] {
            ["120000", ..] => Committed::Link,
            [_, "blob", id, size]
                if size.parse().is_ok_and(|size: u64| size <= MOST_LOOKED_AT) && all.len() <= MOST_READ =>
            {
                Committed::File(checkout.call("cat-file").args(["blob", id]).run()?.stdout)
            }
            _ => Committed::Other,
        };
        all.push((entry[at + 1..].to_vec(), what));
    }
    Ok(Some(all))
}

/// Which repository a folder belongs to. A folder below a repository that tracks nothing in it (a home folder under
/// version control, for example) belongs to none.
pub(super) fn locate(git: &Git, target: &Path) -> Result<Option<Located>, TreeError> {
    let here = Repository::around(git, target);
    let inside = Beneath::open(target).map_err(TreeError::io(target))?;
    if ["HEAD", "objects", "refs"].iter().all(|name| inside.facts(name).is_some()) {
        return Err(TreeError::NoWorkTree { path: target.to_owned() });
    }
    let asked = ["--show-toplevel", "--absolute-git-dir", "--git-common-dir"];
    let found = match here.call("rev-parse").arg("--path-format=absolute").args(asked).text() {
        Ok(text) => text,
        Err(fault) => return no_repository(target, fault),
    };
    let lines: Vec<&str> = found.lines().collect();
    let [top, git_dir, common] = lines[..] else {
        return Err(GitError::Unreadable { operation: "rev-parse".to_owned(), answer: found }.into());
    };
    let top = names::canonical(Path::new(top))?;
    let prefix = here.call("rev-parse").arg("--show-prefix").text()?;
    let born = super::refs::resolve(&here, "HEAD")?.is_some();
    if !prefix.is_empty() && born {
        let tracked = here.call("ls-tree").args(["-z", "--name-only", "HEAD"]).cut_at(1).run()?;
        if tracked.stdout.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(Located { top, git_dir: PathBuf::from(git_dir), common: PathBuf::from(common), prefix, born }))
}

fn no_repository(target: &Path, fault: GitError) -> Result<Option<Located>, TreeError> {
    let said = fault.said().to_owned();
    if said.contains("must be run in a work tree") || said.contains("safe.bareRepository") {
        return Err(TreeError::NoWorkTree { path: target.to_owned() });
    }
    if !said.contains("not a git repository") {
        return Err(fault.into());
    }
    if Beneath::open(target).is_ok_and(|target| target.facts(".git").is_some()) {
        return Err(TreeError::Broken { path: target.to_owned(), said });
    }
    Ok(None)
}

/// The branch of a checkout; `None` when detached.
pub(super) fn branch(checkout: &Repository) -> Result<Option<String>, GitError> {
    let name = checkout.call("symbolic-ref").args(["--quiet", "--short", "HEAD"]).or(1).text()?;
    Ok((!name.is_empty()).then_some(name))
}

/// Files of a checkout with uncommitted changes, untracked ones included, as the repository names them.
pub(super) fn dirty(checkout: &Repository) -> Result<Vec<Vec<u8>>, GitError> {
    let asked = ["--porcelain=v1", "-z", "-uall", "--no-renames", "--ignore-submodules=all"];
    let found = checkout.call("status").args(asked).run()?;
    Ok(found.parts().filter_map(|part| part.get(3..)).map(<[u8]>::to_vec).collect())
}

/// What the user is in the middle of, in this checkout.
pub(super) fn busy(git_dir: &Path) -> Option<&'static str> {
    let signs = [
        ("rebase-merge", "rebase"),
        ("rebase-apply", "rebase"),
        ("MERGE_HEAD", "merge"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
    ];
    signs.into_iter().find(|(file, _)| git_dir.join(file).exists()).map(|(_, what)| what)
}

/// Check commands that the project's files really define. A project's own entry (`make test`, `./check.sh`) stands for
/// what it calls, so the tools behind it are only named when there is none.
fn checks(target: &Beneath) -> Vec<String> {
    let read = |name: &str| {
        let bytes = target.beginning(name, MOST_LOOKED_AT).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let lines = |name: &str, wanted: &str| read(name).lines().any(|line| line.trim_end().starts_with(wanted));
    let make = ["GNUmakefile", "makefile", "Makefile"].iter().any(|name| makes_tests(&read(name)));
    let own: Vec<String> = [("make test", make), ("./check.sh", executable(target, "check.sh"))]
        .into_iter()
        .filter(|(_, defined)| *defined)
        .map(|(command, _)| command.to_owned())
        .collect();
    if !own.is_empty() {
        return own;
    }
    let pytest = target.is_file("pytest.ini")
        || target.is_file("conftest.py")
        || lines("pyproject.toml", "[tool.pytest")
        || lines("tox.ini", "[pytest]")
        || lines("setup.cfg", "[tool:pytest]");
    [
        ("cargo test", lines("Cargo.toml", "[package]") || lines("Cargo.toml", "[workspace]")),
        ("npm test", npm_tests(&read("package.json"))),
        ("pytest", pytest),
        ("go test ./...", lines("go.mod", "module ")),
    ]
    .into_iter()
    .filter(|(_, defined)| *defined)
    .map(|(command, _)| command.to_owned())
    .collect()
}

fn makes_tests(makefile: &str) -> bool {
    makefile.lines().any(|line| {
        let rule = !line.starts_with([' ', '\t', '#']) && !line.contains(":=");
        rule && line
            .split_once(':')
            .is_some_and(|(targets, _)| targets.split_whitespace().any(|name| name == "test"))
    })
}

/// Whether there is a test script other than the one that `npm init` writes, which only fails.
fn npm_tests(package: &str) -> bool {
    let package: serde_json::Value = serde_json::from_str(package).unwrap_or_default();
    let script = package["scripts"]["test"].as_str().unwrap_or_default();
    !script.trim().is_empty() && !script.contains("no test specified")
}

#[cfg(unix)]
fn executable(target: &Beneath, path: &str) -> bool {
    use cap_std::fs::PermissionsExt;
    target.dir().metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn executable(_: &Beneath, _: &str) -> bool {
    false // a shell script runs by itself only where there is a shell
}
