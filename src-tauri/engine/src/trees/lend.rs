//! A repository of its own for each confined worker (SANDBOX section 5, made stricter: the user's `.git` is not mounted).
//!
//! A worker's `git` must work, and nothing that it writes may be configuration, a hook or a ref that the host's git obeys.
//! So the worktree's `.git` file is covered by one that leads to a folder in the session's: a small repository with copies
//! of HEAD, refs and index, and the user's objects as read-only alternates. After the turn its commits are taken over as a
//! pack that was checked; nothing else of it is ever read by the host's git.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use domain::CommitHash;
use tracing::warn;

use super::{TreeError, Trees, names, owned::OwnedWorktree, refs::Move};
use crate::beneath::Beneath;
use crate::private;

/// Most bytes of commits taken over at once; more are in the snapshot, without their history.
const MOST_PACK: usize = 256 << 20;
/// The largest file that is read from a worker's repository.
const MOST_FILE: u64 = 64 << 20;
/// What tells git of a merge that is not finished.
const MERGE: [&str; 3] = ["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE"];

/// What a confined worker gets in place of the repository. All paths are the host's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lent {
    /// The worktree; the project's root is it or lies in it.
    pub worktree: PathBuf,
    /// Its own git directory, to be written.
    pub folder: PathBuf,
    /// A file that leads there, to cover the worktree's `.git`.
    pub pointer: PathBuf,
    /// Where the user's objects are, to be read.
    pub objects: Vec<PathBuf>,
    /// The user's git directory, to be covered where it would show.
    pub store: PathBuf,
}

impl Trees {
    /// Makes a worker's repository for the worktree in which it starts. One that an interrupted turn left is taken back
    /// first.
    ///
    /// # Errors
    /// A folder that is none of our worktrees, or what the disk or git says.
    pub fn lend(&self, cwd: &Path) -> Result<Lent, TreeError> {
        let _turn = self.turn();
        let missing = || TreeError::Missing { what: format!("the worktree of {}", cwd.display()) };
        let below = cwd.strip_prefix(self.folder.join("trees")).map_err(|_| missing())?;
        let name =
            below.components().next().and_then(|part| part.as_os_str().to_str()).ok_or_else(missing)?;
        let worktree = self.expect_owned(name)?;
        self.take_back(&worktree)?;
        let lent = self.lent(&worktree);
        self.fill(&lent, &worktree).map_err(TreeError::io(&lent.folder))?;
        let asked = ["--format=%(objectname) %(refname)", "refs/heads", "refs/tags"];
        let refs = self.store().call("for-each-ref").args(asked).run()?.stdout;
        let packed = [b"# pack-refs with: \n".as_slice(), &refs].concat();
        private::write(&lent.folder.join("packed-refs"), &packed).map_err(TreeError::io(&lent.folder))?;
        Ok(lent)
    }

    fn lent(&self, worktree: &OwnedWorktree) -> Lent {
        let all = self.folder.join("repos");
        let mut objects = vec![self.store.join("objects")];
        let mut at = 0;
        // The user's repository may borrow from others, and those too (git-clone --reference).
        while let Some(folder) = objects.get(at).cloned().filter(|_| at < 8) {
            let list = fs::read_to_string(folder.join("info/alternates")).unwrap_or_default();
            let found = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
            objects.extend(found.map(|line| folder.join(line)).filter_map(|path| path.canonicalize().ok()));
            at += 1;
        }
        Lent {
            worktree: worktree.path.clone(),
            folder: all.join(&worktree.name),
            pointer: all.join(format!("{}~git", worktree.name)),
            objects,
            store: self.store.clone(),
        }
    }

    fn fill(&self, lent: &Lent, worktree: &OwnedWorktree) -> io::Result<()> {
        let folder = &lent.folder;
        for part in ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"] {
            private::folder(&folder.join(part))?;
        }
        private::write(&lent.pointer, format!("gitdir: {}\n", folder.display()).as_bytes())?;
        let alternates: String = lent.objects.iter().map(|path| format!("{}\n", path.display())).collect();
        private::write(&folder.join("objects/info/alternates"), alternates.as_bytes())?;
        private::write(&folder.join("config"), self.config().as_bytes())?;
        let admin = worktree.admin();
        for name in ["HEAD", "index"].into_iter().chain(MERGE) {
            copy(&admin.join(name), &folder.join(name))?;
        }
        copy(&self.store.join("info/exclude"), &folder.join("info/exclude"))
    }

    /// Nothing of the user's configuration but who commits: the rest may hold keys, or run programs.
    fn config(&self) -> String {
        let long = 40 < self.kept.base().as_str().len();
        let (version, extensions) =
            if long { (1, "[extensions]\n\tobjectFormat = sha256\n") } else { (0, "") };
        let quoted = |text: &str| text.replace(['"', '\\', '\n'], "");
        let (name, email) = self.git.identity();
        format!(
            "[core]\n\trepositoryformatversion = {version}\n\tbare = false\n{extensions}\
             [user]\n\tname = \"{}\"\n\temail = \"{}\"\n[gc]\n\tauto = 0\n",
            quoted(name),
            quoted(email)
        )
    }

    /// Takes over what a confined worker did with its repository: commits, its index, the end of a merge. Its files are in
    /// the worktree anyway, so what cannot be taken over costs history and nothing else.
    pub(super) fn take_back(&self, worktree: &OwnedWorktree) -> Result<(), TreeError> {
        let lent = self.lent(worktree);
        if lent.folder.symlink_metadata().is_err() {
            return Ok(());
        }
        let branch = names::head(&self.names.task_branch(&worktree.name));
        if let Some(tip) = self.resolve(&branch)? {
            if let Err(fault) = self.take_commits(&lent, worktree, &branch, tip) {
                warn!(worktree = worktree.name, %fault, "a worker's commits are not taken over; its files are");
            }
            self.take_index(&lent, worktree).map_err(TreeError::io(&lent.folder))?;
        }
        fs::remove_dir_all(&lent.folder).map_err(TreeError::io(&lent.folder))
    }

    fn take_commits(
        &self,
        lent: &Lent,
        worktree: &OwnedWorktree,
        branch: &str,
        tip: CommitHash,
    ) -> Result<(), TreeError> {
        let inside = Beneath::open(&lent.folder).map_err(TreeError::io(&lent.folder))?;
        let Some(commit) = head_of(&inside).filter(|commit| *commit != tip) else { return Ok(()) };
        let objects = lent.folder.join("objects");
        if !is_plain(inside.dir(), Path::new("objects")) {
            return Err(TreeError::NotOurs { path: objects, what: "it holds more than files".to_owned() });
        }
        // It names folders that git would read from.
        inside.replace("objects/info/alternates", b"").map_err(TreeError::io(&objects))?;
        let began = self.expect(&self.names.private(&format!("_base/{}", worktree.name)))?;
        let wanted = format!("{commit}\n--not\n{tip}\n{began}\n{}\n", self.head()?);
        let store = self.store();
        let packed = store.call("pack-objects").args(["--revs", "--stdout", "-q"]).borrowing(&objects);
        let pack = packed.input(wanted).most(MOST_PACK).run()?.stdout;
        // Checks each object, and that all they lead to is there.
        store.call("index-pack").args(["--stdin", "--fix-thin", "--strict"]).input(pack).run()?;
        if self.is_ancestor(&began, &commit)? {
            let moved = Move::Update { name: branch.to_owned(), to: commit, from: tip };
            self.transact("commits of the worker", &[moved])?;
        }
        Ok(())
    }

    fn take_index(&self, lent: &Lent, worktree: &OwnedWorktree) -> io::Result<()> {
        let admin = worktree.admin();
        let inside = Beneath::open(&lent.folder)?;
        if let Some(index) = plain(&inside, Path::new("index")) {
            private::write(&admin.join("index"), &index)?;
        }
        // A merge that it finished or gave up is over; one that it began by itself was never known here.
        if inside.facts("MERGE_HEAD").is_none() {
            for name in MERGE {
                match fs::remove_file(admin.join(name)) {
                    Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
                    Ok(()) | Err(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// The commit that HEAD stands for in a folder that nobody's git is run in. Only plain files are read.
fn head_of(folder: &Beneath) -> Option<CommitHash> {
    let head = read(folder, "HEAD")?;
    let Some(name) = head.strip_prefix("ref: ") else { return hash(&head) };
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.');
    if !name.starts_with("refs/") || !name.split('/').all(plain) {
        return None;
    }
    if let Some(found) = read(folder, name) {
        return hash(&found);
    }
    let packed = read(folder, "packed-refs")?;
    packed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(_, of)| *of == name)
        .and_then(|(it, _)| hash(it))
}

fn hash(text: &str) -> Option<CommitHash> {
    let good = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| CommitHash(text.to_lowercase()))
}

/// A file that is one itself, no link, and not too large.
fn plain(folder: &Beneath, path: &Path) -> Option<Vec<u8>> {
    folder.facts(path).filter(cap_std::fs::Metadata::is_file)?;
    folder.read(path, MOST_FILE).ok()
}

fn read(folder: &Beneath, path: &str) -> Option<String> {
    Some(String::from_utf8(plain(folder, Path::new(path))?).ok()?.trim_end().to_owned())
}

/// Whether a folder holds nothing but folders and files: a pipe would make git wait, a link would lead it elsewhere.
fn is_plain(inside: &Dir, folder: &Path) -> bool {
    if !inside.symlink_metadata(folder).is_ok_and(|facts| facts.is_dir()) {
        return false;
    }
    let Ok(entries) = inside.read_dir(folder) else { return false };
    entries.into_iter().all(|entry| {
        let Ok(entry) = entry else { return false };
        let below = folder.join(entry.file_name());
        entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_dir() && is_plain(inside, &below))
    })
}

/// Copies a file that may be missing.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::read(from) {
        Ok(bytes) => private::write(to, &bytes),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(fault) => Err(fault),
    }
}
