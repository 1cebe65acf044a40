//! Snapshots: a task's files as they stand, as a commit on a private ref and on the task's branch.
//!
//! By plumbing, with an index of our own: no hook runs, nothing is signed, the worker's index is not needed, and files
//! are taken whether the worker added them or not. Ignored files are not.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use domain::{CommitHash, TaskId, TreeHash};

use super::{
    Snapshot, TreeError, Trees, names,
    owned::{OwnedWorktree, beside},
    refs::{self, Move},
};
use crate::git::{GitError, Repository};

impl Trees {
    /// Takes a task's tree as it stands, under a number that is used once. Repeated with the same number it gives the
    /// snapshot that was taken then.
    ///
    /// Without changes since the last commit, the snapshot is that commit. A worker's own commits are in its history;
    /// a merge in progress becomes a commit with both parents.
    ///
    /// # Errors
    /// [`TreeError::Nested`] for a repository inside the tree, or what git says; the files stay as they are.
    pub fn snapshot(&self, task: &TaskId, number: u32) -> Result<Snapshot, TreeError> {
        let _turn = self.turn();
        let name = names::part(task.as_str())?;
        let worktree = match self.owned(name)? {
            Some(worktree) => worktree,
            // Deleted by somebody since its turn ended: it is what its branch says.
            None => self.make(name, false, &self.names.task_branch(name))?,
        };
        self.take_back(&worktree)?;
        let reference = self.names.private(&format!("{name}/{number}"));
        let commit = match self.resolve(&reference)? {
            Some(commit) => commit,
            None => self.take(&worktree, &reference, number)?,
        };
        self.adopt(&worktree, &commit)?;
        let base = self.task_fork(name, &commit)?;
        let tree = self.tree_of(&commit)?;
        let changed = self.changed(&base, &commit)?;
        let conflicted = self.conflicted(&commit)?;
        Ok(Snapshot { commit, tree, changed, conflicted })
    }

    pub(super) fn take(
        &self,
        worktree: &OwnedWorktree,
        reference: &str,
        number: u32,
    ) -> Result<CommitHash, TreeError> {
        let inside = self.inside(worktree);
        let parent = self.parent(worktree)?;
        let merging = match refs::resolve(&inside, "MERGE_HEAD")? {
            Some(merged) if !self.is_ancestor(&merged, &parent)? => Some(merged),
            _ => None,
        };
        let tree = self.tree_now(worktree, &parent)?;
        let commit = if merging.is_none() && tree == self.tree_of(&parent)? {
            parent
        } else {
            let parents: Vec<&CommitHash> = std::iter::once(&parent).chain(&merging).collect();
            let text = format!("Snapshot {number} of task {}", worktree.name);
            self.commit(&tree, &parents, &self.message(&text, Some(&worktree.name)))?
        };
        self.transact("snapshot", &[Move::Create { name: reference.to_owned(), to: commit.clone() }])?;
        Ok(commit)
    }

    /// What a snapshot comes after: the worker's own last commit, as long as it comes after the task's beginning. What
    /// a worker moved to from elsewhere is only content, and history stays what it was.
    fn parent(&self, worktree: &OwnedWorktree) -> Result<CommitHash, TreeError> {
        let began = self.expect(&self.names.private(&format!("_base/{}", worktree.name)))?;
        let branch = names::head(&self.names.task_branch(&worktree.name));
        let newest = self.last_snapshot(&worktree.name)?;
        let known = [self.head_of(worktree)?, self.resolve(&branch)?, newest];
        for commit in known.into_iter().flatten() {
            if self.is_ancestor(&began, &commit)? {
                return Ok(commit);
            }
        }
        Ok(began)
    }

    /// The snapshot with the highest number.
    pub(super) fn last_snapshot(&self, task: &str) -> Result<Option<CommitHash>, TreeError> {
        let all = self.names.private(task);
        let newest = ["--sort=-version:refname", "--count=1", "--format=%(objectname)", &all];
        let newest = self.store().call("for-each-ref").args(newest).text()?;
        Ok((!newest.is_empty()).then_some(CommitHash(newest)))
    }

    /// Moves the task's branch, the worktree's HEAD and its index to a snapshot; the files are it already.
    fn adopt(&self, worktree: &OwnedWorktree, commit: &CommitHash) -> Result<(), TreeError> {
        let inside = self.inside(worktree);
        let branch = names::head(&self.names.task_branch(&worktree.name));
        let tip = self.expect(&branch)?;
        let later = tip != *commit && self.is_ancestor(commit, &tip)?;
        let on = inside.call("symbolic-ref").args(["--quiet", "HEAD"]).or(1).text()?;
        if later {
            return Ok(()); // an old snapshot asked for again
        }
        let merging = inside.call("rev-parse").args(["--verify", "--quiet", "MERGE_HEAD"]).or(1).text()?;
        if tip == *commit && on == branch && merging.is_empty() {
            return Ok(());
        }
        if tip != *commit {
            let moved = Move::Update { name: branch.clone(), to: commit.clone(), from: tip };
            self.transact("snapshot", &[moved])?;
        }
        if on != branch {
            inside.call("symbolic-ref").args(["HEAD", &branch]).run()?;
        }
        if !merging.is_empty() {
            inside.call("merge").arg("--quit").run()?;
        }
        // A live worker may hold the index; then it only shows more changes than there are, and the next one mends it.
        match inside.call("read-tree").args(["--reset", commit.as_str()]).run() {
            Ok(_) => drop(inside.call("update-index").args(["-q", "--refresh"]).or(1).run()?),
            Err(fault) if fault.said().contains("index.lock") => {}
            Err(fault) => return Err(fault.into()),
        }
        Ok(())
    }

    /// The tree of a worktree's files as they stand: tracked in `base`, added by the worker, or new and not ignored.
    pub(super) fn tree_now(
        &self,
        worktree: &OwnedWorktree,
        base: &CommitHash,
    ) -> Result<TreeHash, TreeError> {
        let kept = self.index(&worktree.name);
        let draft = Draft::new(&kept);
        copy_index(&kept, &draft.path).map_err(TreeError::io(&kept))?;
        let tree = write_tree(&self.inside(worktree), &draft, base)?;
        std::fs::rename(&draft.path, &kept).map_err(TreeError::io(&kept))?;
        Ok(tree)
    }

    /// Files in which the markers of a merge of ours are still there.
    fn conflicted(&self, commit: &CommitHash) -> Result<Vec<String>, TreeError> {
        let marker = format!("^>>>>>>> {}$", self.names.branch().replace('.', "\\."));
        let asked = ["-I", "-z", "-l", "--no-recurse-submodules", "-e", &marker, commit.as_str()];
        let found = self.store().call("grep").args(asked).or(1).run()?;
        let before = commit.as_str().len() + 1; // git names files as `<commit>:<path>`
        Ok(found.parts().filter_map(|path| path.get(before..)).map(|path| self.project(path)).collect())
    }
}

/// An index that only one call knows; gone when it is not needed.
pub(super) struct Draft {
    pub(super) path: PathBuf,
}

impl Draft {
    pub(super) fn new(kept: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { path: beside(kept, &format!("draft-{}-{number}", std::process::id())) }
    }
}

/// Copies an index with its time: git compares times by the second, and looks into a file only when that was changed in the
/// second of the index or later. A copy with a later time would hide a change of the same length.
pub(super) fn copy_index(from: &Path, to: &Path) -> std::io::Result<()> {
    let time = std::fs::metadata(from)?.modified()?;
    std::fs::copy(from, to)?;
    std::fs::File::options().write(true).open(to)?.set_modified(time)
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After success it has been moved away; else it is worth nothing.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn write_tree(inside: &Repository, draft: &Draft, base: &CommitHash) -> Result<TreeHash, TreeError> {
    let call = |operation| inside.call(operation).index(&draft.path);
    call("read-tree").args(["--reset", base.as_str()]).run()?;
    if let Err(fault) = call("add").arg("-A").run() {
        return Err(nested(&fault).unwrap_or(TreeError::Git(fault)));
    }
    // Ignored files that the worker added on purpose are in its own index only.
    let added =
        inside.call("diff-index").args(["--cached", "--name-only", "-z", "--diff-filter=A", base.as_str()]);
    let added = added.run()?.stdout;
    if !added.is_empty() {
        call("update-index").args(["--add", "--remove", "-z", "--stdin"]).input(added).run()?;
    }
    let changes =
        call("diff-index").args(["--cached", "--raw", "-z", "--no-renames", base.as_str()]).run()?;
    if let Some(path) = new_repositories(&changes.stdout).into_iter().next() {
        return Err(TreeError::Nested { path });
    }
    Ok(TreeHash(call("write-tree").text()?))
}

/// What `git add` says of a repository without commit inside the tree.
fn nested(fault: &GitError) -> Option<TreeError> {
    let line = fault.said().lines().find(|line| line.contains("does not have a commit checked out"))?;
    let path = line.split('\'').nth(1).unwrap_or(line);
    Some(TreeError::Nested { path: path.to_owned() })
}

/// Paths that have become repositories of their own: `:<old mode> <new mode> …\0<path>\0`.
fn new_repositories(raw: &[u8]) -> BTreeSet<String> {
    let parts: Vec<&[u8]> = raw.split(|byte| *byte == 0).collect();
    let (pairs, _) = parts.as_chunks::<2>();
    pairs
        .iter()
        .filter(|[facts, _]| {
            !facts.starts_with(b":160000 ") && facts.get(8..15) == Some(b"160000 ".as_slice())
        })
        .map(|[_, path]| String::from_utf8_lossy(path).into_owned())
        .collect()
}
