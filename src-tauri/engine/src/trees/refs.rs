//! Reading and moving refs, and the commits behind them.

use domain::{CommitHash, TreeHash};

use super::{TreeError, Trees};
use crate::git::{GitError, Repository};

/// A change of one ref within a transaction: all of them happen, or none.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// It must not be there yet.
    Create { name: String, to: CommitHash },
    /// It must still be where we saw it.
    Update { name: String, to: CommitHash, from: CommitHash },
    /// Wherever it is.
    Delete { name: String },
}

/// The commit a name stands for; `None` when there is no such name.
pub(super) fn resolve(repository: &Repository, name: &str) -> Result<Option<CommitHash>, GitError> {
    let asked = format!("{name}^{{commit}}");
    let found = repository.call("rev-parse").args(["--verify", "--quiet", "--end-of-options", &asked]).or(1);
    let text = found.run()?.text();
    Ok((!text.is_empty()).then_some(CommitHash(text)))
}

/// Moves refs in one transaction.
pub(super) fn transact(repository: &Repository, why: &str, moves: &[Move]) -> Result<(), GitError> {
    let mut input = Vec::new();
    for step in moves {
        let parts = match step {
            Move::Create { name, to } => vec![format!("create {name}"), to.0.clone()],
            Move::Update { name, to, from } => vec![format!("update {name}"), to.0.clone(), from.0.clone()],
            Move::Delete { name } => vec![format!("delete {name}"), String::new()],
        };
        for part in parts {
            input.extend_from_slice(part.as_bytes());
            input.push(0);
        }
    }
    let why = format!("orchestrate: {why}");
    repository.call("update-ref").args(["-m", &why, "-z", "--stdin"]).input(input).run().map(drop)
}

impl Trees {
    /// The commit a ref of ours must have.
    pub(super) fn expect(&self, name: &str) -> Result<CommitHash, TreeError> {
        self.resolve(name)?.ok_or_else(|| TreeError::Missing { what: name.to_owned() })
    }

    pub(super) fn resolve(&self, name: &str) -> Result<Option<CommitHash>, TreeError> {
        Ok(resolve(&self.store(), name)?)
    }

    pub(super) fn transact(&self, why: &str, moves: &[Move]) -> Result<(), TreeError> {
        Ok(transact(&self.store(), why, moves)?)
    }

    /// The tree of a commit.
    ///
    /// # Errors
    /// When there is no such commit.
    pub fn tree_of(&self, commit: &CommitHash) -> Result<TreeHash, TreeError> {
        let asked = format!("{commit}^{{tree}}");
        let call = self
            .store()
            .call("rev-parse")
            .args(["--verify", "--quiet", "--end-of-options", &asked])
            .or(1)
            .text()?;
        if call.is_empty() { Err(TreeError::Missing { what: commit.0.clone() }) } else { Ok(TreeHash(call)) }
    }

    /// Whether one commit is in the history of another; every commit is in its own.
    pub(super) fn is_ancestor(&self, old: &CommitHash, new: &CommitHash) -> Result<bool, TreeError> {
        let asked = self
            .store()
            .call("merge-base")
            .args(["--is-ancestor", old.as_str(), new.as_str()])
            .or(1)
            .run()?;
        Ok(asked.status == 0)
    }

    /// Where two histories part; `None` when they have nothing in common.
    pub(super) fn fork(&self, one: &CommitHash, other: &CommitHash) -> Result<Option<CommitHash>, TreeError> {
        let found = self.store().call("merge-base").args([one.as_str(), other.as_str()]).or(1).text()?;
        Ok((!found.is_empty()).then_some(CommitHash(found)))
    }

    /// Makes a commit by plumbing: no hook runs, nothing is signed.
    pub(super) fn commit(
        &self,
        tree: &TreeHash,
        parents: &[&CommitHash],
        message: &str,
    ) -> Result<CommitHash, TreeError> {
        let store = self.store();
        let mut call = store.call("commit-tree").args(["--no-gpg-sign", "-F", "-"]);
        for parent in parents {
            call = call.args(["-p", parent.as_str()]);
        }
        let message = message.replace('\0', "");
        Ok(CommitHash(call.arg(tree.as_str()).input(message).text()?))
    }

    /// A commit message with the lines that tell where the commit comes from.
    pub(super) fn message(&self, text: &str, task: Option<&str>) -> String {
        let task = task.map(|task| format!("Orchestrate-Task: {task}\n")).unwrap_or_default();
        format!("{}\n\nOrchestrate-Session: {}\n{task}", text.trim(), self.session)
    }
}
