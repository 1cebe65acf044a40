//! What differs between commits, and what is in them.

use domain::{CommitHash, FileChange, TaskId};

use super::{TreeError, Trees, names};
use crate::git::GitError;

/// Most bytes of a diff as text.
pub const MOST_DIFF: usize = 2 << 20;
/// Most bytes of a file that is read out of a commit.
const MOST_FILE: u64 = 16 << 20;

/// What differs between two commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// A unified diff, at most 2 MiB; a cut is said in its last line.
    pub text: String,
    /// Every changed file, in the order of their names.
    pub files: Vec<FileChange>,
}

impl Trees {
    /// What differs between two commits; only in these files or folders, when some are named.
    ///
    /// # Errors
    /// When a commit is gone.
    pub fn diff(&self, from: &CommitHash, to: &CommitHash, paths: &[String]) -> Result<Diff, TreeError> {
        // A name that is no UTF-8 does not come back as it was. Then everything is shown: nobody hides a file by its name.
        let paths = if paths.iter().any(|path| path.contains('\u{fffd}')) { &[] } else { paths };
        let inside: Vec<String> =
            paths.iter().filter_map(|path| names::to_repository(&self.prefix, path)).collect();
        if inside.is_empty() && !paths.is_empty() {
            return Ok(Diff { text: String::new(), files: Vec::new() });
        }
        let store = self.store();
        let call = |asked: &[&str]| {
            let fixed = ["-r", "--no-color", "--ignore-submodules=none"];
            let call = store.call("diff-tree").args(fixed).args(asked);
            call.args([from.as_str(), to.as_str(), "--"]).args(&inside)
        };
        let patch = call(&["-p", "-M", "--src-prefix=a/", "--dst-prefix=b/"]).cut_at(MOST_DIFF).run()?;
        let mut text = String::from_utf8_lossy(&patch.stdout).into_owned();
        if patch.cut {
            text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
            text.push_str("… the rest of the diff is not shown: it is longer than 2 MiB\n");
        }
        let counts = call(&["--numstat", "-z", "--no-renames"]).run()?;
        let files = counts.parts().filter_map(|entry| self.change(entry)).collect();
        Ok(Diff { text, files })
    }

    /// `<added>\t<removed>\t<path>`, with `-` for binary files.
    fn change(&self, entry: &[u8]) -> Option<FileChange> {
        let mut fields = entry.splitn(3, |byte| *byte == b'\t');
        let mut count = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
        let (added, removed) = (count(), count());
        Some(FileChange { path: self.project(fields.next()?), added, removed })
    }

    /// Names of the files that differ.
    pub(super) fn changed(&self, from: &CommitHash, to: &CommitHash) -> Result<Vec<String>, TreeError> {
        Ok(self.changed_paths(from, to)?.iter().map(|path| self.project(path)).collect())
    }

    /// The same as the repository names them.
    pub(super) fn changed_paths(&self, from: &CommitHash, to: &CommitHash) -> Result<Vec<Vec<u8>>, GitError> {
        let asked = ["-r", "--name-only", "-z", "--no-renames", from.as_str(), to.as_str(), "--"];
        Ok(self.store().call("diff-tree").args(asked).run()?.parts().map(<[u8]>::to_vec).collect())
    }

    /// Files that a task changed: by its merge into the session branch, or by its branch as it stands.
    ///
    /// # Errors
    /// When the task has no tree.
    pub fn changed_by(&self, task: &TaskId) -> Result<Vec<String>, TreeError> {
        let name = names::part(task.as_str())?;
        if let Some(merged) = self.resolve(&self.names.private(&format!("_merged/{name}")))? {
            let before = self.expect(&format!("{merged}^1"))?;
            return self.changed(&before, &merged);
        }
        let tip = self.expect(&names::head(&self.names.task_branch(name)))?;
        self.changed(&self.task_fork(name, &tip)?, &tip)
    }

    /// A file's bytes in a commit, a link's target for a link. `None` when there is no such file, the path leaves the
    /// tree, or the file has more than 16 MiB.
    ///
    /// # Errors
    /// What git says.
    pub fn file_at(&self, commit: &CommitHash, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
        match names::to_repository(&self.prefix, path) {
            Some(inside) => self.blob_at(commit, &inside),
            None => Ok(None),
        }
    }

    /// A file in a commit as somebody named it who may have started from the repository's top, from the project's root,
    /// or from the root of a worktree of this session.
    ///
    /// # Errors
    /// What git says.
    pub fn file_named(&self, commit: &CommitHash, named: &str) -> Result<Option<Vec<u8>>, TreeError> {
        let trees = format!("{}/", self.folder.join("trees").display());
        if let Some((_, inside)) = named.strip_prefix(&trees).and_then(|rest| rest.split_once('/')) {
            return names::to_repository("", inside).map_or(Ok(None), |inside| self.blob_at(commit, &inside));
        }
        let found = self.file_at(commit, named)?;
        match names::to_repository("", named) {
            Some(inside) if found.is_none() && !self.prefix.is_empty() => self.blob_at(commit, &inside),
            _ => Ok(found),
        }
    }

    fn blob_at(&self, commit: &CommitHash, inside: &str) -> Result<Option<Vec<u8>>, TreeError> {
        let store = self.store();
        let entry =
            store.call("ls-tree").args(["-z", "-l", "--full-tree", commit.as_str(), "--", inside]).run()?;
        let entry = entry.text();
        let fields: Vec<&str> = entry.split('\t').next().unwrap_or_default().split_whitespace().collect();
        match fields[..] {
            [_, "blob", id, size] if size.parse().is_ok_and(|size: u64| size <= MOST_FILE) => {
                Ok(Some(store.call("cat-file").args(["blob", id]).run()?.stdout))
            }
            _ => Ok(None),
        }
    }

    /// All files of a commit.
    ///
    /// # Errors
    /// When the commit is gone.
    pub fn list(&self, commit: &CommitHash) -> Result<Vec<String>, TreeError> {
        let call = self
            .store()
            .call("ls-tree")
            .args(["-r", "-z", "--name-only", "--full-tree", commit.as_str()])
            .run()?;
        Ok(call.parts().map(|path| self.project(path)).collect())
    }
}
