//! Accepted work into the session branch, exactly once.

use std::collections::BTreeSet;

use domain::{CommitHash, TaskId, TreeHash};

use super::{
    Merge, TreeError, Trees,
    names::{self, head},
    owned::OwnedWorktree,
    refs::{self, Move},
};
use crate::git::{GitError, Repository};

/// What merging two commits would give.
pub(super) enum Merged {
    Clean(TreeHash),
    /// As the repository names them.
    Conflict(Vec<Vec<u8>>),
}

/// Merges without any working tree (`git merge-tree --write-tree`, git 2.38).
pub(super) fn merge_trees(at: &Repository, one: &CommitHash, other: &CommitHash) -> Result<Merged, GitError> {
    let asked = ["--write-tree", "-z", "--name-only", "--no-messages", one.as_str(), other.as_str()];
    let done = at.call("merge-tree").args(asked).or(1).run()?;
    let mut parts = done.parts().map(<[u8]>::to_vec);
    let tree = parts.next().and_then(|tree| String::from_utf8(tree).ok());
    let Some(tree) = tree.map(|tree| tree.trim().to_owned()).filter(|tree| !tree.is_empty()) else {
        return Err(GitError::Unreadable { operation: "merge-tree".to_owned(), answer: done.text() });
    };
    Ok(if done.status == 0 { Merged::Clean(TreeHash(tree)) } else { Merged::Conflict(parts.collect()) })
}

impl Trees {
    /// Merges a task's commit into the session branch, always by a merge commit (also where a fast-forward would do, so
    /// that each accepted task shows as one). A commit that is in already gives the result of then. When it does not
    /// merge, the session branch is merged into the task's worktree and the conflicts stay there for the author; files
    /// in it that are in no commit are kept on a private ref first.
    ///
    /// # Errors
    /// What git says; the session branch is then where it was.
    pub fn merge(&self, task: &TaskId, commit: &CommitHash) -> Result<Merge, TreeError> {
        let _turn = self.turn();
        let name = names::part(task.as_str())?;
        let session = self.head()?;
        if self.is_ancestor(commit, &session)? {
            return self.merged_before(name, commit, session);
        }
        let worktree = self.owned(name)?;
        let at = worktree.as_ref().map_or_else(|| self.store(), |worktree| self.inside(worktree));
        match merge_trees(&at, &session, commit)? {
            Merged::Clean(tree) => self.close(name, commit, &session, tree),
            Merged::Conflict(files) => {
                let worktree = worktree.map_or_else(|| self.expect_owned(name), Ok)?;
                self.hand_back(&worktree, commit, &session, files)
            }
        }
    }

    fn merged_before(
        &self,
        task: &str,
        commit: &CommitHash,
        session: CommitHash,
    ) -> Result<Merge, TreeError> {
        let mark = self.names.private(&format!("_merged/{task}"));
        let merged = match self.resolve(&mark)? {
            Some(merged) if self.resolve(&format!("{merged}^2"))?.as_ref() == Some(commit) => merged,
            _ => session, // a task without changes of its own
        };
        Ok(Merge::Merged { tree: self.tree_of(&merged)?, commit: merged })
    }

    fn close(
        &self,
        task: &str,
        commit: &CommitHash,
        session: &CommitHash,
        tree: TreeHash,
    ) -> Result<Merge, TreeError> {
        let message = self.message(&format!("Merge task {task}"), Some(task));
        let merged = self.commit(&tree, &[session, commit], &message)?;
        let branch = head(self.names.branch());
        let mark = self.names.private(&format!("_merged/{task}"));
        let mark = match self.resolve(&mark)? {
            Some(from) => Move::Update { name: mark, to: merged.clone(), from },
            None => Move::Create { name: mark, to: merged.clone() },
        };
        let moved = Move::Update { name: branch, to: merged.clone(), from: session.clone() };
        self.transact("task merged", &[moved, mark])?;
        Ok(Merge::Merged { commit: merged, tree })
    }

    /// Merges the session branch into the task's worktree, with conflict markers.
    fn hand_back(
        &self,
        worktree: &OwnedWorktree,
        commit: &CommitHash,
        session: &CommitHash,
        files: Vec<Vec<u8>>,
    ) -> Result<Merge, TreeError> {
        let inside = self.inside(worktree);
        let merging = refs::resolve(&inside, "MERGE_HEAD")?;
        if merging.as_ref() != Some(session) {
            self.clear(worktree, commit)?;
            // The name of the branch becomes the label of the markers, by which a snapshot finds them.
            let asked = ["--no-commit", "--no-ff", "--no-verify", "--no-gpg-sign", "--quiet", "-s", "ort"];
            inside.call("merge").args(asked).arg(self.names.branch()).or(1).run()?;
        }
        let unmerged = unmerged(&inside)?;
        let files = if unmerged.is_empty() { files.into_iter().collect() } else { unmerged };
        Ok(Merge::Conflicted { files: files.iter().map(|path| self.project(path)).collect() })
    }

    /// Brings a worktree to a commit. What it holds beyond that commit is kept first.
    fn clear(&self, worktree: &OwnedWorktree, commit: &CommitHash) -> Result<(), TreeError> {
        let inside = self.inside(worktree);
        let at = self.head_of(worktree)?;
        let left = self.tree_now(worktree, at.as_ref().unwrap_or(commit))?;
        if at.as_ref() == Some(commit) && left == self.tree_of(commit)? {
            return Ok(());
        }
        if let Some(saved) = self.save(worktree)? {
            // First into the index, so that files git did not know are removed with the rest.
            inside.call("read-tree").args(["--reset", saved.as_str()]).run()?;
        }
        inside.call("merge").arg("--quit").run()?;
        inside.call("read-tree").args(["--reset", "-u", commit.as_str()]).run()?;
        let branch = head(&self.names.task_branch(&worktree.name));
        let from = self.expect(&branch)?;
        if from != *commit {
            self.transact(
                "back to the reviewed commit",
                &[Move::Update { name: branch.clone(), to: commit.clone(), from }],
            )?;
        }
        inside.call("symbolic-ref").args(["HEAD", &branch]).run()?;
        Ok(())
    }
}

fn unmerged(inside: &Repository) -> Result<BTreeSet<Vec<u8>>, GitError> {
    let found = inside.call("ls-files").args(["-u", "-z"]).run()?;
    let path =
        |entry: &[u8]| entry.iter().position(|byte| *byte == b'\t').map(|tab| entry[tab + 1..].to_vec());
    Ok(found.parts().filter_map(path).collect())
}
