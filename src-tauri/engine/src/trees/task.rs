//! A task's worktree.

use std::path::Path;

use domain::{CommitHash, TaskId};
use tracing::warn;

use super::{
    TreeError, TreeReady, Trees,
    names::{self, head},
    owned::OwnedWorktree,
    refs::{self, Move},
};
use crate::git::Repository;

impl Trees {
    /// Makes a task's worktree on a branch of its own, from the session branch as it stands; a worktree that is there
    /// already is used as it is, after making sure that it is what it was made to be.
    ///
    /// # Errors
    /// A worktree whose `.git` leads elsewhere or that has another branch, or what git says.
    pub fn prepare_tree(&self, task: &TaskId) -> Result<TreeReady, TreeError> {
        let _turn = self.turn();
        let name = names::part(task.as_str())?;
        let branch = self.names.task_branch(name);
        let base = self.task_base(name, &branch)?;
        let worktree = match self.owned(name)? {
            Some(worktree) => {
                self.assert_ours(&worktree, &branch)?;
                worktree
            }
            None => self.make(name, false, &branch)?,
        };
        let path = self.root_in(&worktree)?;
        Ok(TreeReady { path, branch, base })
    }

    /// Asserts, before anything is launched in it, that a task's worktree is what it was made to be: where it was made, its
    /// `.git` leading to our repository, on the task's branch (FIELD 14). One that is not is made so again: what it holds
    /// becomes a snapshot if git still knows it, then a new one is made from the last snapshot, and the old one is moved
    /// aside. Says then what was wrong.
    ///
    /// # Errors
    /// When it cannot be made again, or what git says.
    pub fn take_up(&self, task: &TaskId, path: &Path) -> Result<Option<String>, TreeError> {
        let _turn = self.turn();
        let name = names::part(task.as_str())?;
        let branch = self.names.task_branch(name);
        let wrong = match self.asserted(name, &branch, path) {
            Ok(()) => return Ok(None),
            Err(fault @ (TreeError::NotOurs { .. } | TreeError::Missing { .. })) => fault.to_string(),
            Err(fault) => return Err(fault),
        };
        warn!(%task, %wrong, "a worktree is not what it was made to be");
        if let Ok(Some(worktree)) = self.owned(name) {
            let found = self.names.private(&format!("_found/{name}-{}", uuid::Uuid::now_v7().simple()));
            let commit = self.take(&worktree, &found, 0)?;
            let tip = self.expect(&head(&branch))?;
            if tip != commit {
                let moved = Move::Update { name: head(&branch), to: commit, from: tip };
                self.transact("found as it stood", &[moved])?;
            }
        }
        self.task_base(name, &branch)?;
        let worktree = self.make(name, false, &branch)?;
        self.assert_ours(&worktree, &branch)?;
        self.root_in(&worktree)?;
        Ok(Some(wrong))
    }

    fn asserted(&self, name: &str, branch: &str, path: &Path) -> Result<(), TreeError> {
        let worktree = self.expect_owned(name)?;
        self.assert_ours(&worktree, branch)?;
        // As a worker's own git sees it.
        let seen =
            Repository::around(&self.git, path).call("rev-parse").arg("--show-toplevel").or(128).text()?;
        if names::canonical(Path::new(&seen)).is_ok_and(|top| top == worktree.path) {
            return Ok(());
        }
        let what = format!("git takes {seen:?} for its top folder");
        Err(TreeError::NotOurs { path: path.to_owned(), what })
    }

    /// Where a task's branch begins; makes branch and mark, both or none.
    fn task_base(&self, task: &str, branch: &str) -> Result<CommitHash, TreeError> {
        let mark = self.names.private(&format!("_base/{task}"));
        let there = self.resolve(&head(branch))?;
        match (self.resolve(&mark)?, there) {
            (Some(base), Some(_)) => Ok(base),
            (Some(base), None) => {
                // Somebody deleted the branch: it goes on from the last snapshot.
                let to = self.last_snapshot(task)?.unwrap_or_else(|| base.clone());
                self.transact("task taken up", &[Move::Create { name: head(branch), to }])?;
                Ok(base)
            }
            (None, Some(_)) => Err(TreeError::BranchTaken { name: branch.to_owned() }),
            (None, None) => {
                let base = self.head()?;
                let create = |name: String| Move::Create { name, to: base.clone() };
                self.transact("task begins", &[create(mark), create(head(branch))])?;
                Ok(base)
            }
        }
    }

    /// Before anything is launched in a worktree: its `.git` must lead to our repository, its HEAD to our branch.
    fn assert_ours(&self, worktree: &OwnedWorktree, branch: &str) -> Result<(), TreeError> {
        let wrong = |what: String| Err(TreeError::NotOurs { path: worktree.path.clone(), what });
        if !worktree.points_home() {
            return wrong("its .git file was changed".to_owned());
        }
        match super::inspect::branch(&self.inside(worktree))? {
            Some(found) if found == branch => Ok(()),
            Some(found) => wrong(format!("it is on the branch {found:?} instead of {branch:?}")),
            None => wrong(format!("it is on no branch instead of {branch:?}")),
        }
    }

    /// Where the diff of a task's commit begins: where it left the session branch, or where it began once it is merged.
    pub(super) fn task_fork(&self, task: &str, commit: &CommitHash) -> Result<CommitHash, TreeError> {
        let began = self.expect(&self.names.private(&format!("_base/{task}")))?;
        let fork = self.fork(&self.head()?, commit)?;
        Ok(fork.filter(|fork| fork != commit).unwrap_or(began))
    }

    /// The commit that a worktree's HEAD stands for.
    pub(super) fn head_of(&self, worktree: &OwnedWorktree) -> Result<Option<CommitHash>, TreeError> {
        Ok(refs::resolve(&self.inside(worktree), "HEAD")?)
    }
}
