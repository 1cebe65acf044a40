//! Frozen trees: what reviewers get to see, and whether they left it as it was.

use std::path::PathBuf;

use domain::{AgentName, CommitHash, ReviewId, TreeHash};

use super::{Frozen, Removed, TreeError, Trees, names, refs};

impl Trees {
    /// What a review of a commit is bound to; of the session branch as it stands without one. The diff begins where the
    /// commit left the session branch, and where the session began for what is in that branch already.
    ///
    /// # Errors
    /// When the commit is gone.
    pub fn freeze(&self, commit: Option<&CommitHash>) -> Result<Frozen, TreeError> {
        let session = self.head()?;
        let commit = commit.cloned().unwrap_or_else(|| session.clone());
        let fork = self.fork(&session, &commit)?.filter(|fork| *fork != commit);
        let base = fork.unwrap_or_else(|| self.kept.base().clone());
        let changed = self.changed(&base, &commit)?;
        Ok(Frozen { tree: self.tree_of(&commit)?, commit, base, changed })
    }

    /// A reviewer's own checkout of a commit, on no branch: its project root. One that is there is used again as long as
    /// it is untouched, else it is made anew.
    ///
    /// # Errors
    /// A name that cannot become a folder, or what git says.
    pub fn freeze_seat(
        &self,
        review: ReviewId,
        agent: &AgentName,
        commit: &CommitHash,
    ) -> Result<PathBuf, TreeError> {
        let _turn = self.turn();
        self.checkout(&seat(review, agent)?, commit)
    }

    /// A checkout of a commit to run checks in, on no branch: its project root. As [`Trees::freeze_seat`].
    ///
    /// # Errors
    /// What git says.
    pub fn check_tree(&self, commit: &CommitHash) -> Result<PathBuf, TreeError> {
        let _turn = self.turn();
        self.checkout(&check(commit), commit)
    }

    /// Removes the checkout that checks ran in. `None` when there is none.
    ///
    /// # Errors
    /// What git says; the checkout then stays.
    pub fn remove_check_tree(&self, commit: &CommitHash) -> Result<Option<Removed>, TreeError> {
        let _turn = self.turn();
        self.owned(&check(commit))?.map(|worktree| self.remove(worktree)).transpose()
    }

    fn checkout(&self, name: &str, commit: &CommitHash) -> Result<PathBuf, TreeError> {
        if let Some(worktree) = self.owned(name)? {
            let as_made = worktree.points_home()
                && refs::resolve(&self.inside(&worktree), "HEAD")?.as_ref() == Some(commit)
                && self.tree_now(&worktree, commit)? == self.tree_of(commit)?;
            if as_made {
                return self.root_in(&worktree);
            }
            self.remove(worktree)?;
        }
        let worktree = self.make(name, true, commit.as_str())?;
        self.root_in(&worktree)
    }

    /// Whether a reviewer's checkout still holds exactly that tree: no file changed, removed or added. Ignored files (what
    /// a build leaves) do not count. A checkout that is gone is not untouched.
    ///
    /// # Errors
    /// What git says.
    pub fn seat_untouched(
        &self,
        review: ReviewId,
        agent: &AgentName,
        commit: &CommitHash,
        tree: &TreeHash,
    ) -> Result<bool, TreeError> {
        let _turn = self.turn();
        let Some(worktree) = self.owned(&seat(review, agent)?)? else { return Ok(false) };
        match self.tree_now(&worktree, commit) {
            Ok(now) => Ok(now == *tree),
            Err(TreeError::Nested { .. }) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Removes a reviewer's checkout; what was written into it is kept on a private ref. `None` when there is none.
    ///
    /// # Errors
    /// What git says; the checkout then stays.
    pub fn remove_seat(&self, review: ReviewId, agent: &AgentName) -> Result<Option<Removed>, TreeError> {
        let _turn = self.turn();
        self.owned(&seat(review, agent)?)?.map(|worktree| self.remove(worktree)).transpose()
    }
}

/// With `_`, which no task's id has.
fn seat(review: ReviewId, agent: &AgentName) -> Result<String, TreeError> {
    Ok(format!("review_{review}-{}", names::part(agent.as_str())?))
}

fn check(commit: &CommitHash) -> String {
    format!("check_{}", commit.as_str().get(..12).unwrap_or(commit.as_str()))
}
