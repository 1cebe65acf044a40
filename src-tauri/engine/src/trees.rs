//! A session's trees (SPEC section 10): session branch, a worktree per task, snapshots, frozen trees, merges, landing.
//!
//! Before landing nothing here touches the user's checkout: not the files, the index, the branch, the stash. A target
//! that is no repository gets a shadow repository in the session's folder, and the same rules.
//!
//! Every job looks at the world first, so it may be repeated after a crash and gives the same result. All methods
//! wait for git: call them where waiting is allowed.
//!
//! **Paths.** A target may be a subfolder of its repository. Folders that are handed out are the project's root
//! inside of a worktree (worktree + [`Trees::prefix`]), where a worker starts; paths that are handed out are relative
//! to that root, with `../` for what lies beside it. Diffs as text name paths from the repository's top.

mod begin;
mod diff;
mod error;
mod freeze;
mod inspect;
mod landing;
mod lend;
mod merge;
mod names;
mod owned;
mod refs;
mod shadow;
mod snapshot;
mod task;

#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{CommitHash, JobOutcome, SessionId};

pub use begin::Begun;
pub use diff::{Diff, MOST_DIFF};
pub use error::TreeError;
pub(crate) use inspect::{At, Committed, MOST_LOOKED_AT, MOST_READ, committed};
pub use inspect::{inspect, sane};
pub use lend::Lent;
pub use owned::Removed;

use crate::git::{Git, Repository};
use names::Names;

/// A session's trees, while the session runs.
#[derive(Debug)]
pub struct Trees {
    git: Git,
    /// Canonical.
    target: PathBuf,
    /// Canonical.
    folder: PathBuf,
    names: Names,
    session: SessionId,
    kept: domain::Trees,
    /// Where objects and refs are: the repository's common git directory, or the shadow repository.
    store: PathBuf,
    /// The target's place in its repository: empty, or ending in `/`.
    prefix: String,
    /// One job at a time: merges and worktrees of one repository do not mix.
    turn: Mutex<()>,
}

/// A task's worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeReady {
    /// The project's root in it; absolute.
    pub path: PathBuf,
    /// The task's branch.
    pub branch: String,
    /// Where it begins.
    pub base: CommitHash,
}

/// A snapshot of a task's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// On the private ref and the task's branch.
    pub commit: CommitHash,
    /// Its tree.
    pub tree: domain::TreeHash,
    /// Files that differ from where the task's branch leaves the session's.
    pub changed: Vec<String>,
    /// Files with conflict markers.
    pub conflicted: Vec<String>,
}

/// What a review is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The commit.
    pub commit: CommitHash,
    /// Its tree.
    pub tree: domain::TreeHash,
    /// Where the diff begins.
    pub base: CommitHash,
    /// Files that differ.
    pub changed: Vec<String>,
}

/// What became of a merge into the session branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It is in.
    Merged {
        /// The session branch after this merge.
        commit: CommitHash,
        /// Its tree.
        tree: domain::TreeHash,
    },
    /// It does not merge; the session branch has been merged into the task's tree, conflicts left for the author.
    Conflicted {
        /// Which files.
        files: Vec<String>,
    },
}

/// Where the work has gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// The branch's commit right after landing.
    pub commit: CommitHash,
    /// The user's branch; the session branch for `Keep`; the folder for a target that is no repository.
    pub branch: String,
}

impl Trees {
    /// Takes up the trees that [`Trees::begin`] made.
    ///
    /// # Errors
    /// When target or session folder are gone, or the target is not the repository it was.
    pub fn open(
        git: &Git,
        target: &Path,
        folder: &Path,
        session: &SessionId,
        kept: &domain::Trees,
    ) -> Result<Self, TreeError> {
        let target = names::canonical(target)?;
        let folder = names::canonical(folder)?;
        let (store, prefix) = match kept {
            domain::Trees::Repository { .. } => match inspect::locate(git, &target)? {
                Some(found) => (found.common, found.prefix),
                None => {
                    return Err(TreeError::Missing {
                        what: format!("the repository of {}", target.display()),
                    });
                }
            },
            domain::Trees::Shadow { .. } => (folder.join(shadow::FOLDER), String::new()),
        };
        Ok(Self {
            git: git.clone(),
            target,
            folder,
            names: Names::new(session, kept.session_branch())?,
            session: session.clone(),
            kept: kept.clone(),
            store,
            prefix,
            turn: Mutex::new(()),
        })
    }

    /// The target's place in its repository: empty, or ending in `/`.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The session branch as it stands.
    ///
    /// # Errors
    /// When it is gone.
    pub fn head(&self) -> Result<CommitHash, TreeError> {
        self.expect(&names::head(self.names.branch()))
    }

    /// The repository without any working tree.
    fn store(&self) -> Repository {
        Repository::of(&self.git, &self.store, &self.folder)
    }

    fn project(&self, path: &[u8]) -> String {
        names::to_project(&self.prefix, path)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<TreeReady> for JobOutcome {
    fn from(TreeReady { path, branch, base }: TreeReady) -> Self {
        Self::TreeReady { path: path.to_string_lossy().into_owned(), branch, base }
    }
}

impl From<Snapshot> for JobOutcome {
    fn from(Snapshot { commit, tree, changed, conflicted }: Snapshot) -> Self {
        Self::Snapshot { commit, tree, changed, conflicted }
    }
}

impl From<Merge> for JobOutcome {
    fn from(merge: Merge) -> Self {
        match merge {
            Merge::Merged { commit, tree } => Self::Merged { commit, tree },
            Merge::Conflicted { files } => Self::Conflicted { files },
        }
    }
}

impl From<Landed> for JobOutcome {
    fn from(Landed { commit, branch }: Landed) -> Self {
        Self::Landed { commit, branch }
    }
}

impl From<TreeError> for JobOutcome {
    fn from(fault: TreeError) -> Self {
        Self::Failed { why: fault.to_string() }
    }
}
