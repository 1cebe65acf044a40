//! The user's own checkout of the branch: what landing would touch in it, and touching it.

use std::{collections::BTreeSet, path::PathBuf};

use domain::CommitHash;

use crate::{
    beneath::Beneath,
    git::{GitError, Repository},
    trees::{
        TreeError, Trees, names,
        snapshot::{Draft, copy_index},
    },
};

/// The checkout in which the user's branch is.
pub(super) struct Checkout {
    pub(super) git_dir: PathBuf,
    /// Its files.
    inside: Beneath,
    repository: Repository,
}

/// What of the user's uncommitted work landing comes across; as the repository names it.
pub(super) struct Touched {
    /// Would be overwritten.
    pub(super) in_the_way: BTreeSet<Vec<u8>>,
    /// Is what landing would write, to the byte: a landing that was cut off, or the same change made by hand.
    pub(super) there_already: BTreeSet<Vec<u8>>,
}

impl Checkout {
    /// Where a branch is checked out, if anywhere.
    pub(super) fn of(trees: &Trees, branch: &str) -> Result<Option<Self>, TreeError> {
        let listed = {
            let _alone = trees.alone()?;
            trees.store().call("worktree").args(["list", "--porcelain", "-z"]).run()?
        };
        let wanted = format!("branch {}", names::head(branch));
        let mut place = None;
        for line in listed.parts() {
            if let Some(path) = line.strip_prefix(b"worktree ") {
                place = names::native(path).map(PathBuf::from);
            } else if line == wanted.as_bytes() {
                break;
            } else if line.starts_with(b"branch ") || line == b"detached" {
                place = None;
            }
        }
        let found = listed.parts().any(|line| line == wanted.as_bytes());
        match place.filter(|path| found && path.is_dir()) {
            Some(top) => {
                let repository = Repository::around(&trees.git, &top);
                let git_dir = repository.call("rev-parse").arg("--absolute-git-dir").text()?;
                let inside = Beneath::open(&top).map_err(TreeError::io(&top))?;
                Ok(Some(Self { git_dir: PathBuf::from(git_dir), inside, repository }))
            }
            None => Ok(None),
        }
    }

    /// What of the user's uncommitted work lies where landing writes.
    pub(super) fn touched(&self, trees: &Trees, from: &CommitHash, to: &str) -> Result<Touched, TreeError> {
        let to = CommitHash(to.to_owned());
        let written: BTreeSet<Vec<u8>> = trees.changed_paths(from, &to)?.into_iter().collect();
        let mut in_the_way: BTreeSet<Vec<u8>> = BTreeSet::new();
        for dirty in self.dirty()? {
            in_the_way.extend(self.collisions(&written, &dirty));
        }
        let there_already = self.same(trees, &to, &in_the_way).unwrap_or_default();
        in_the_way.retain(|path| !there_already.contains(path));
        Ok(Touched { in_the_way, there_already })
    }

    /// Changed, untracked and ignored files; whole folders end in `/`.
    fn dirty(&self) -> Result<Vec<Vec<u8>>, GitError> {
        let asked = [
            "--porcelain=v1",
            "-z",
            "-uall",
            "--ignored=matching",
            "--no-renames",
            "--ignore-submodules=all",
        ];
        let found = self.repository.call("status").args(asked).run()?;
        Ok(found.parts().filter_map(|part| part.get(3..)).map(<[u8]>::to_vec).collect())
    }

    /// The files that landing writes and that are, hold or lie in a changed file or folder.
    fn collisions(&self, written: &BTreeSet<Vec<u8>>, dirty: &[u8]) -> Vec<Vec<u8>> {
        let name = dirty.strip_suffix(b"/").unwrap_or(dirty);
        let mut found: Vec<Vec<u8>> = Vec::new();
        let above = name.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &name[..at]);
        found.extend(above.chain([name]).filter(|path| written.contains(*path)).map(<[u8]>::to_vec));
        let inside = [name, b"/"].concat();
        let below = written.range(inside.clone()..).take_while(|path| path.starts_with(&inside));
        // A file where a folder is to be is in the way of all that goes into the folder.
        let file = self.facts(name).is_some_and(|facts| !facts.is_dir());
        found.extend(below.filter(|path| file || self.facts(path).is_some()).cloned());
        found
    }

    fn facts(&self, path: &[u8]) -> Option<cap_std::fs::Metadata> {
        self.inside.facts(names::native(path)?)
    }

    /// Which of these files are in the checkout what they are in a commit.
    fn same(
        &self,
        trees: &Trees,
        to: &CommitHash,
        paths: &BTreeSet<Vec<u8>>,
    ) -> Result<BTreeSet<Vec<u8>>, TreeError> {
        if paths.is_empty() {
            return Ok(BTreeSet::new());
        }
        let folder = trees.folder.join("index");
        std::fs::create_dir_all(&folder).map_err(TreeError::io(&folder))?;
        let draft = Draft::new(&folder.join("landing"));
        let index = self.git_dir.join("index");
        copy_index(&index, &draft.path).map_err(TreeError::io(&index))?;
        let call = |operation| self.repository.call(operation).index(&draft.path);
        call("update-index").args(["--add", "--remove", "-z", "--stdin"]).input(listed(paths)).run()?;
        let other =
            call("diff-index").args(["--cached", "--name-only", "-z", "--no-renames", to.as_str()]).run()?;
        let other: BTreeSet<&[u8]> = other.parts().collect();
        Ok(paths.iter().filter(|path| !other.contains(path.as_slice())).cloned().collect())
    }

    /// Writes the files that differ between two commits, and the index; whatever else the user has changed stays.
    pub(super) fn bring_to(
        &self,
        from: &CommitHash,
        to: &CommitHash,
        there_already: &BTreeSet<Vec<u8>>,
    ) -> Result<(), TreeError> {
        if !there_already.is_empty() {
            let call = self.repository.call("update-index").args(["--add", "--remove", "-z", "--stdin"]);
            call.input(listed(there_already)).run()?;
        }
        self.repository.call("read-tree").args(["-m", "-u", from.as_str(), to.as_str()]).run()?;
        Ok(())
    }
}

fn listed(paths: &BTreeSet<Vec<u8>>) -> Vec<u8> {
    paths.iter().flat_map(|path| path.iter().copied().chain([0])).collect()
}
