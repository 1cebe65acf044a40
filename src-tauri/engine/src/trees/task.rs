//! A task's worktree.

use domain::{CommitHash, TaskId};

use super::{
    TreeError, TreeReady, Trees,
    names::{self, head},
    owned::OwnedWorktree,
    refs::{self, Move},
};

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
