//! Worktrees that we made. Only this type can be removed: nothing here can take the user's own checkout for one.

use std::fs::File;
use std::path::{Path, PathBuf};

use domain::CommitHash;

use super::{TreeError, Trees, names, refs::Move, snapshot::copy_index};
use crate::beneath::Beneath;
use crate::git::Repository;

/// Most bytes of a worktree's `.git`, which holds one path.
const MOST_POINTER: u64 = 1 << 16;

/// A worktree below the session's folder, known to the repository under that very path.
#[derive(Debug)]
pub(super) struct OwnedWorktree {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// Its administrative folder in the repository's git directory.
    admin: PathBuf,
}

/// A worktree that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Its name: a task's id, `review_<review>-<agent>` or `check_<commit>`.
    pub name: String,
    /// Where its uncommitted files were kept, when it had any.
    pub saved: Option<CommitHash>,
}

impl Trees {
    /// Where the worktree of that name is or would be.
    pub(super) fn place(&self, name: &str) -> Result<PathBuf, TreeError> {
        Ok(self.folder.join("trees").join(names::part(name)?))
    }

    /// The private index of a worktree: what its files were when we last looked. No worker gets to see it.
    pub(super) fn index(&self, name: &str) -> PathBuf {
        self.folder.join("index").join(name)
    }

    /// The worktree of that name, if it was made completely.
    pub(super) fn owned(&self, name: &str) -> Result<Option<OwnedWorktree>, TreeError> {
        let path = self.place(name)?;
        if !self.index(name).is_file() || !path.symlink_metadata().is_ok_and(|facts| facts.is_dir()) {
            return Ok(None);
        }
        let canonical = names::canonical(&path)?;
        if canonical != path {
            let what = format!("it leads to {}", canonical.display());
            return Err(TreeError::NotOurs { path, what });
        }
        let Some(admin) = self.admin(&path)? else {
            return Err(TreeError::NotOurs { path, what: "the repository does not know it".to_owned() });
        };
        Ok(Some(OwnedWorktree { name: name.to_owned(), path, admin }))
    }

    /// The worktree of that name.
    pub(super) fn expect_owned(&self, name: &str) -> Result<OwnedWorktree, TreeError> {
        self.owned(name)?.ok_or_else(|| TreeError::Missing { what: format!("the worktree of {name}") })
    }

    /// git in one of our worktrees: always with all files, whatever sparse patterns the user's checkout has.
    pub(super) fn inside(&self, worktree: &OwnedWorktree) -> Repository {
        Repository::linked(&self.git, &self.store, &worktree.admin, &worktree.path)
            .set("core.sparseCheckout", "false")
            .set("index.sparse", "false")
            .set(&format!("branch.{}.mergeOptions", self.names.task_branch(&worktree.name)), "")
    }

    /// The project's root in a worktree; made where no commit knows it. A link in its place would lead out.
    pub(super) fn root_in(&self, worktree: &OwnedWorktree) -> Result<PathBuf, TreeError> {
        let path = &worktree.path;
        if self.prefix.is_empty() {
            return Ok(path.clone());
        }
        let mut root = path.clone();
        let inside = Beneath::open(path).map_err(TreeError::io(path))?;
        let mut below = PathBuf::new();
        for part in self.prefix.split('/').filter(|part| !part.is_empty()) {
            root.push(part);
            below.push(part);
            match inside.facts(&below) {
                Some(facts) if facts.is_dir() => {}
                Some(_) => {
                    return Err(TreeError::NotOurs {
                        path: root,
                        what: "it is no folder any more".to_owned(),
                    });
                }
                None => inside.dir().create_dir(&below).map_err(TreeError::io(&root))?,
            }
        }
        Ok(root)
    }

    /// Makes a worktree of a branch or commit, and keeps its index. Nothing that is in the way is deleted: what an
    /// interrupted attempt left is moved aside.
    pub(super) fn make(&self, name: &str, detached: bool, what: &str) -> Result<OwnedWorktree, TreeError> {
        let path = self.place(name)?;
        for folder in [self.folder.join("trees"), self.folder.join("index")] {
            std::fs::create_dir_all(&folder).map_err(TreeError::io(&folder))?;
        }
        move_aside(&path)?;
        let store = self.store().set("core.sparseCheckout", "false").set("index.sparse", "false");
        // Twice: also over a registration that an interrupted attempt left locked.
        let call = store.call("worktree").args(["add", "--quiet", "--force", "--force"]);
        let call = if detached { call.arg("--detach") } else { call };
        {
            let _alone = self.alone()?;
            call.arg("--").arg(&path).arg(what).run()?;
        }
        let admin =
            self.admin(&path)?.ok_or_else(|| TreeError::Missing { what: format!("the worktree {name}") })?;
        // The index of the untouched checkout: later on it tells changed files from unchanged ones by their inodes and
        // times, and files that merely would be written differently (line ends) are not taken for changes.
        let (fresh, kept) = (admin.join("index"), self.index(name));
        let draft = beside(&kept, "new");
        copy_index(&fresh, &draft).map_err(TreeError::io(&fresh))?;
        std::fs::rename(&draft, &kept).map_err(TreeError::io(&kept))?;
        Ok(OwnedWorktree { name: name.to_owned(), path, admin })
    }

    /// Waits until no session of this repository, in whatever process, changes the list of its worktrees: git looks at
    /// all of them when it makes one, and gives up on one that is half made. Ours until it is dropped.
    pub(super) fn alone(&self) -> Result<File, TreeError> {
        let path = self.store.join("orchestrate.lock");
        let opened = File::options().create(true).write(true).truncate(false).open(&path);
        let file = opened.map_err(TreeError::io(&path))?;
        file.lock().map_err(TreeError::io(&path))?;
        Ok(file)
    }

    /// The repository's folder about a worktree.
    fn admin(&self, path: &Path) -> Result<Option<PathBuf>, TreeError> {
        let all = self.store.join("worktrees");
        let Ok(folders) = std::fs::read_dir(&all) else { return Ok(None) };
        let pointer = path.join(".git");
        for folder in folders {
            let folder = folder.map_err(TreeError::io(&all))?.path();
            let Ok(points) = std::fs::read_to_string(folder.join("gitdir")) else { continue };
            if Path::new(points.trim_end_matches(['\n', '\r'])) == pointer {
                return Ok(Some(folder));
            }
        }
        Ok(None)
    }

    /// Removes the worktrees of this session. What is in them and in no commit is kept first, on a private ref
    /// (`refs/orchestrate/<session>/_removed/<name>`); a worktree that cannot be kept stays. Ignored files go.
    ///
    /// # Errors
    /// The first worktree that could not be removed; those before it are gone.
    pub fn remove_worktrees(&self) -> Result<Vec<Removed>, TreeError> {
        let _turn = self.turn();
        let place = self.folder.join("trees");
        let Ok(found) = std::fs::read_dir(&place) else { return Ok(Vec::new()) };
        let mut names: Vec<String> =
            found.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.sort();
        let mut removed = Vec::new();
        for name in names {
            // Positive inventory: what is not one of our complete worktrees is left alone.
            if names::part(&name).is_ok()
                && let Some(worktree) = self.owned(&name)?
            {
                removed.push(self.remove(worktree)?);
            }
        }
        Ok(removed)
    }

    pub(super) fn remove(&self, worktree: OwnedWorktree) -> Result<Removed, TreeError> {
        self.take_back(&worktree)?;
        let saved = self.save(&worktree)?;
        {
            let _alone = self.alone()?;
            self.store().call("worktree").args(["remove", "--force", "--"]).arg(&worktree.path).run()?;
        }
        let index = self.index(&worktree.name);
        std::fs::remove_file(&index).map_err(TreeError::io(&index))?;
        Ok(Removed { name: worktree.name, saved })
    }

    /// Keeps what is in a worktree and not in its commit.
    pub(super) fn save(&self, worktree: &OwnedWorktree) -> Result<Option<CommitHash>, TreeError> {
        let inside = self.inside(worktree);
        let head = super::refs::resolve(&inside, "HEAD")?;
        let base = head.clone().unwrap_or_else(|| self.kept.base().clone());
        let tree = self.tree_now(worktree, &base)?;
        let same = self.tree_of(&base)? == tree;
        if same && self.is_kept(&base)? {
            return Ok(None);
        }
        let commit = if same {
            base
        } else {
            self.commit(&tree, &[&base], &self.message(&format!("What was left in {}", worktree.name), None))?
        };
        let short = commit.as_str().get(..12).unwrap_or(commit.as_str());
        let name = self.names.private(&format!("_removed/{}-{short}", worktree.name));
        if self.resolve(&name)?.is_none() {
            self.transact("worktree removed", &[Move::Create { name, to: commit.clone() }])?;
        }
        Ok(Some(commit))
    }

    /// Whether a commit stays when its worktree goes.
    fn is_kept(&self, commit: &CommitHash) -> Result<bool, TreeError> {
        let asked = ["--count=1", "--format=%(refname)", "--contains", commit.as_str()];
        Ok(!self.store().call("for-each-ref").args(asked).text()?.is_empty())
    }
}

/// A name next to another one; names of agents may contain dots, so this is no extension.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!("~{what}"));
    path.with_file_name(name)
}

fn move_aside(path: &Path) -> Result<(), TreeError> {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    for number in 1..1_000 {
        let aside = beside(path, &format!("stray-{number}"));
        if aside.symlink_metadata().is_err() {
            return std::fs::rename(path, &aside).map_err(TreeError::io(path));
        }
    }
    Err(TreeError::NotOurs {
        path: path.to_owned(),
        what: "too many earlier attempts lie beside it".to_owned(),
    })
}

impl OwnedWorktree {
    /// Its administrative folder.
    pub(super) fn admin(&self) -> &Path {
        &self.admin
    }

    /// Whether the worktree's `.git` is still the file that leads to our repository.
    pub(super) fn points_home(&self) -> bool {
        let Ok(inside) = Beneath::open(&self.path) else { return false };
        inside.facts(".git").is_some_and(|facts| facts.is_file())
            && inside.read(".git", MOST_POINTER).is_ok_and(|text| {
                let text = String::from_utf8_lossy(&text);
                let points = text.trim_end_matches(['\n', '\r']).strip_prefix("gitdir: ");
                points.is_some_and(|to| Path::new(to).canonicalize().ok() == self.admin.canonicalize().ok())
            })
    }
}
