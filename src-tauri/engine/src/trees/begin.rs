//! The session branch: where all work of a session begins.

use std::path::Path;

use domain::{CommitHash, SessionId};

use super::{
    TreeError, Trees,
    inspect::{self, Located},
    names::{self, Names},
    refs::{self, Move},
    shadow,
};
use crate::git::{Git, Repository};

/// What a session starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// For the journal.
    pub trees: domain::Trees,
    /// What the user should know, each in a sentence.
    pub warnings: Vec<String>,
}

impl Trees {
    /// Makes the session branch at the target's last commit, or the shadow repository with the target's first
    /// snapshot. Repeated, it gives what it made before.
    ///
    /// # Errors
    /// A target that is bare, without commit, in the middle of a rebase or merge, or too big to be copied.
    pub fn begin(git: &Git, target: &Path, folder: &Path, session: &SessionId) -> Result<Begun, TreeError> {
        let target = names::canonical(target)?;
        let folder = names::canonical(folder)?;
        match inspect::locate(git, &target)? {
            Some(found) => begin_in_repository(git, &found, session),
            None => shadow::begin(git, &target, &folder, session),
        }
    }
}

fn begin_in_repository(git: &Git, found: &Located, session: &SessionId) -> Result<Begun, TreeError> {
    if !found.born {
        return Err(TreeError::NoCommits { path: found.top.clone() });
    }
    if let Some(what) = inspect::busy(&found.git_dir) {
        return Err(TreeError::Busy { what, path: found.top.clone() });
    }
    let checkout = Repository::around(git, &found.top);
    let start = refs::resolve(&checkout, "HEAD")?.ok_or(TreeError::NoCommits { path: found.top.clone() })?;
    let (base, session_branch) = open_branch(&checkout, session, &start)?;
    let branch = inspect::branch(&checkout)?;
    let warnings = warnings(&checkout, found, branch.as_deref(), &base)?;
    Ok(Begun { trees: domain::Trees::Repository { branch, base, session_branch }, warnings })
}

/// Makes the session branch and the ref that marks it as ours, both or none.
pub(super) fn open_branch(
    repository: &Repository,
    session: &SessionId,
    start: &CommitHash,
) -> Result<(CommitHash, String), TreeError> {
    let [short, long] = Names::branches(session)?;
    let mark = Names::new(session, &short)?.private("_begun");
    let taken = |branch: &str| refs::resolve(repository, &names::head(branch));
    if let Some(base) = refs::resolve(repository, &mark)? {
        let branch = if taken(&long)?.is_some() { long } else { short };
        return Ok((base, branch));
    }
    let branch = if taken(&short)?.is_none() { short } else { long };
    if taken(&branch)?.is_some() {
        return Err(TreeError::BranchTaken { name: branch });
    }
    if taken("orchestrate")?.is_some() {
        return Err(TreeError::BranchTaken { name: "orchestrate".to_owned() });
    }
    let create = |name: String| Move::Create { name, to: start.clone() };
    refs::transact(repository, "session begins", &[create(mark), create(names::head(&branch))])?;
    Ok((start.clone(), branch))
}

fn warnings(
    checkout: &Repository,
    found: &Located,
    branch: Option<&str>,
    base: &CommitHash,
) -> Result<Vec<String>, TreeError> {
    let mut warnings = Vec::new();
    let dirty = inspect::dirty(checkout)?.len();
    if 0 < dirty {
        let files = if dirty == 1 { "1 file has".to_owned() } else { format!("{dirty} files have") };
        warnings.push(format!(
            "{files} changes that are not committed; they stay as they are, and the agents do not see them"
        ));
    }
    if branch.is_none() {
        warnings.push(
            "no branch is checked out, so the result can only be kept as a branch of its own".to_owned(),
        );
    }
    if !found.prefix.is_empty() {
        warnings.push(format!(
            "the project is the folder {} of the repository {}; agents start there and can see the whole repository",
            found.prefix,
            found.top.display()
        ));
    }
    let entries = checkout.call("ls-tree").args(["-r", "-z", base.as_str()]).run()?;
    if entries.parts().any(|entry| entry.starts_with(b"160000 ")) {
        warnings
            .push("the repository has submodules; their folders are empty in the agents' trees".to_owned());
    }
    let large = checkout.call("grep").args(["-l", "-z", "-F", "-e", "filter=lfs", base.as_str(), "--"]);
    if large.arg(".gitattributes").or(1).run()?.status == 0 {
        warnings.push("files kept by Git LFS are only pointers in the agents' trees".to_owned());
    }
    Ok(warnings)
}
