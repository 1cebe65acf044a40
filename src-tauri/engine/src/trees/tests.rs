//! With real repositories, in a folder whose name has a blank and an umlaut.

mod begin;
mod freeze;
mod hostile;
#[cfg(target_os = "linux")]
mod hostile_names;
mod landing;
#[cfg(unix)]
mod lend;
mod merge;
mod shadow;
mod snapshot;
mod task;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use domain::{CommitHash, SessionId, TaskId};

use super::{Begun, Merge, Snapshot, TreeError, Trees};
use crate::git::Git;

pub(super) const SESSION: &str = "0190e1b2-7c3d-7abc-8def-0123456789ab";

/// A project, a session's folder, and nothing of the machine's own configuration.
pub(super) struct World {
    pub(super) target: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) git: Git,
    _root: tempfile::TempDir,
}

impl World {
    /// A target that is no repository, with two files.
    pub(super) fn plain() -> Self {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().canonicalize().unwrap().join("Projekt für alle");
        let (target, folder) = (top.join("ziel ä"), top.join("work space").join(SESSION));
        fs::create_dir_all(&target).unwrap();
        fs::create_dir_all(&folder).unwrap();
        let world = Self { target, folder, git: Git::find().unwrap(), _root: root };
        world.write("a.txt", "one\ntwo\nthree\n");
        world.write("src/b.txt", "b\n");
        world
    }

    /// A repository with one commit on `main`.
    pub(super) fn repository() -> Self {
        let world = Self::plain();
        world.user(&["init", "-q", "-b", "main"]);
        world.user(&["add", "-A"]);
        world.user(&["commit", "-q", "-m", "first"]);
        world
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        write(&self.target, path, text);
    }

    pub(super) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.target.join(path)).ok()
    }

    /// git as the user runs it, in the target.
    pub(super) fn user(&self, args: &[&str]) -> String {
        plain_git(&self.target, args)
    }

    pub(super) fn begin(&self) -> Result<Begun, TreeError> {
        Trees::begin(&self.git, &self.target, &self.folder, &SESSION.into())
    }

    /// A begun session.
    pub(super) fn trees(&self) -> Trees {
        let begun = self.begin().unwrap();
        self.open(&begun.trees)
    }

    pub(super) fn open(&self, kept: &domain::Trees) -> Trees {
        let session: SessionId = SESSION.into();
        Trees::open(&self.git, &self.target, &self.folder, &session, kept).unwrap()
    }

    /// Everything of the user's that must not change before landing.
    pub(super) fn users_own(&self) -> BTreeMap<&'static str, String> {
        let files = files(&self.target);
        let reflog = self.user(&["reflog", "--all", "--format=%H %gD %gs"]);
        let reflog = reflog
            .lines()
            .filter(|line| !line.contains("refs/orchestrate") && !line.contains("orchestrate/"));
        BTreeMap::from([
            ("index", format!("{:?}", fs::read(self.target.join(".git/index")).unwrap())),
            (
                "status",
                plain_git(
                    &self.target,
                    &["--no-optional-locks", "status", "--porcelain=v2", "-uall", "--branch"],
                ),
            ),
            ("HEAD", self.user(&["rev-parse", "HEAD"]) + &self.user(&["symbolic-ref", "-q", "HEAD"])),
            ("reflog", reflog.collect::<Vec<_>>().join("\n")),
            ("stash", self.user(&["stash", "list"])),
            ("config", fs::read_to_string(self.target.join(".git/config")).unwrap()),
            ("files", format!("{files:?}")),
        ])
    }
}

/// git without any of the machine's configuration; panics when it fails.
pub(super) fn plain_git(folder: &Path, args: &[&str]) -> String {
    let (worked, out) = try_plain_git(folder, args);
    assert!(worked, "git {args:?}: {out}");
    out
}

pub(super) fn try_plain_git(folder: &Path, args: &[&str]) -> (bool, String) {
    let mut command = Command::new("git");
    command.args(args).current_dir(folder);
    command.envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("LC_ALL", "C")]);
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "User").env(format!("GIT_{who}_EMAIL"), "user@example.com");
    }
    let done = command.output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.success(), text)
}

pub(super) fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// All files below a folder with their content, without `.git`.
pub(super) fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().unwrap() == ".git" {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found
                    .insert(name, String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned());
            }
        }
    }
    found
}

/// A task that writes these files, snapshot included.
pub(super) fn work(trees: &Trees, task: &str, files: &[(&str, &str)]) -> Snapshot {
    let task = TaskId::from(task);
    let tree = trees.prepare_tree(&task).unwrap();
    for (path, text) in files {
        write(&tree.path, path, text);
    }
    trees.snapshot(&task, 1).unwrap()
}

/// The same, merged into the session branch.
pub(super) fn work_and_merge(trees: &Trees, task: &str, files: &[(&str, &str)]) -> CommitHash {
    let snapshot = work(trees, task, files);
    match trees.merge(&task.into(), &snapshot.commit).unwrap() {
        Merge::Merged { commit, .. } => commit,
        Merge::Conflicted { files } => panic!("conflict in {files:?}"),
    }
}
