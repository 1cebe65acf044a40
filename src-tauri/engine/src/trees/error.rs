//! Why a tree could not be made, kept, merged or landed.

use std::path::{Path, PathBuf};

use crate::git::GitError;

/// Why a tree could not be made, kept, merged or landed; each message says what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// git itself failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file or folder could not be read or written.
    #[error("{} could not be used: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The target is a repository without working tree, or the inside of one.
    #[error("{} is a repository without working files; choose the folder with the project's files", path.display())]
    NoWorkTree {
        /// The target.
        path: PathBuf,
    },
    /// There is a `.git` that git does not recognise.
    #[error("{} has a .git that git does not accept ({said}); mend or remove it first", path.display())]
    Broken {
        /// The target.
        path: PathBuf,
        /// git's words.
        said: String,
    },
    /// Nothing to branch from.
    #[error("the repository {} has no commit yet; make a first commit, then start again", path.display())]
    NoCommits {
        /// Its top folder.
        path: PathBuf,
    },
    /// The user is in the middle of something.
    #[error("a {what} is in progress in {}; finish or abort it first", path.display())]
    Busy {
        /// rebase, merge, cherry-pick, revert.
        what: &'static str,
        /// The checkout's top folder.
        path: PathBuf,
    },
    /// Another git command holds the index, or one was killed and left its lock.
    #[error("another git command is at work in the project, or was killed in the middle: {} is there", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
    },
    /// A branch of the user's bears our name.
    #[error("there is a branch {name:?} that this session did not make; rename it, then start again")]
    BranchTaken {
        /// Its name.
        name: String,
    },
    /// Not a name that may become part of a path or a branch.
    #[error("{name:?} cannot name a tree; use letters, digits, '-', '_' and '.'")]
    BadName {
        /// The name.
        name: String,
    },
    /// A folder without repository that is too big to be copied.
    #[error(
        "the folder holds {files} files with {bytes} bytes, which is too much to copy (at most {most_files} \
             files and {most_bytes} bytes); exclude what is not source by a .gitignore, or make it a git repository"
    )]
    TooBig {
        /// Files counted.
        files: usize,
        /// Their size.
        bytes: u64,
        /// Most files.
        most_files: usize,
        /// Most bytes.
        most_bytes: u64,
    },
    /// A repository inside a tree, whose files a snapshot could not hold.
    #[error(
        "{path:?} is a git repository inside the task's tree and its files cannot be kept; remove its .git \
             folder or list it in .gitignore"
    )]
    Nested {
        /// Relative to the repository's top folder.
        path: String,
    },
    /// A worktree that is not what it was made to be.
    #[error("{} is not the worktree that was made there ({what}); nothing was changed in it", path.display())]
    NotOurs {
        /// Where.
        path: PathBuf,
        /// What is different.
        what: String,
    },
    /// No such task, branch, commit.
    #[error("{what} is not there; it may have been deleted from the repository")]
    Missing {
        /// What.
        what: String,
    },
    /// Landing is not possible as things stand.
    #[error("cannot land: {why}")]
    Refused {
        /// Why, in a sentence.
        why: String,
    },
    /// Uncommitted work of the user would be overwritten.
    #[error("cannot land: these files have changes of yours that are not committed: {}; commit or stash them first",
            files.join(", "))]
    InTheWay {
        /// Relative to the project's root.
        files: Vec<String>,
    },
    /// The user's branch has changes that do not merge.
    #[error("cannot land: these files conflict with what happened meanwhile: {}; merge the session's branch by hand, \
             or give the conflict to an agent", files.join(", "))]
    Conflicts {
        /// Relative to the project's root.
        files: Vec<String>,
    },
}

impl TreeError {
    /// For `map_err` on anything about a path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
