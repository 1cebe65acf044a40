//! Landing in a folder that is no repository: the changed files are copied into it, each one at once (a temporary file,
//! then a rename), and only where the folder still holds what it held at the beginning.
//!
//! All access goes through a handle of the target folder that no link can lead out of (THREATS T5).

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::{Path, PathBuf},
};

use cap_std::fs::{Dir, OpenOptions, Permissions};
use domain::{CommitHash, LandMethod, LandingFacts};

use sha2::{Digest, Sha256};

use super::{DONE, INTENT};
use crate::beneath::Beneath;
use crate::trees::{Landed, TreeError, Trees, names::native, refs::Move};

/// Most bytes of one file.
const MOST_FILE: usize = 1 << 30;

/// What a path is in a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) link: bool,
    pub(super) runs: bool,
    pub(super) id: String,
}

/// One file that landing changes.
#[derive(Debug)]
struct Change {
    path: PathBuf,
    before: Option<Item>,
    after: Option<Item>,
}

impl Trees {
    pub(super) fn dry_run_copy(&self) -> Result<LandingFacts, TreeError> {
        let session = self.head()?;
        let refused = self.over()?;
        let in_the_way = if refused.is_none() {
            self.in_the_way(&self.open_target()?, &self.changes(&session)?)?
        } else {
            Vec::new()
        };
        let mut methods = Vec::new();
        if refused.is_none() {
            methods.extend(in_the_way.is_empty().then_some(LandMethod::FastForward));
            methods.push(LandMethod::Keep);
        }
        let commits = self.count(self.kept.base(), &session)?;
        let into = self.target.to_string_lossy().into_owned();
        Ok(LandingFacts { into, methods, conflicts: Vec::new(), in_the_way, commits, refused })
    }

    pub(super) fn land_copy(&self) -> Result<Landed, TreeError> {
        let intent = self.names.private(INTENT);
        let (result, begun) = match self.resolve(&intent)? {
            Some(result) => (result, true),
            None => (self.head()?, false),
        };
        if let Some(why) = self.over()? {
            return Err(TreeError::Refused { why });
        }
        let target = self.open_target()?;
        let changes = self.changes(&result)?;
        let files = self.in_the_way(&target, &changes)?;
        if !files.is_empty() {
            return Err(TreeError::InTheWay { files });
        }
        if !begun {
            self.transact("landing begins", &[Move::Create { name: intent.clone(), to: result.clone() }])?;
        }
        // Removals first: a file may become a folder, and a folder a file.
        for change in changes.iter().filter(|change| change.after.is_none()) {
            remove(target.dir(), &change.path).map_err(TreeError::io(&self.target.join(&change.path)))?;
        }
        for change in &changes {
            if let Some(after) = &change.after {
                let bytes = self.content(after)?;
                put(target.dir(), &change.path, after, &bytes)
                    .map_err(TreeError::io(&self.target.join(&change.path)))?;
            }
        }
        let done = Move::Create { name: self.names.private(DONE), to: result.clone() };
        self.transact("landed", &[done, Move::Delete { name: intent }])?;
        Ok(Landed { commit: result, branch: self.target.to_string_lossy().into_owned() })
    }

    fn open_target(&self) -> Result<Beneath, TreeError> {
        Beneath::open(&self.target).map_err(TreeError::io(&self.target))
    }

    fn content(&self, item: &Item) -> Result<Vec<u8>, TreeError> {
        Ok(self.store().call("cat-file").args(["blob", &item.id]).most(MOST_FILE).run()?.stdout)
    }

    /// `:<mode> <mode> <id> <id> <letter>\0<path>\0` for every file that differs from the beginning.
    fn changes(&self, result: &CommitHash) -> Result<Vec<Change>, TreeError> {
        let asked = ["-r", "--raw", "-z", "--no-renames", "--no-abbrev"];
        let between = [self.kept.base().as_str(), result.as_str(), "--"];
        let raw = self.store().call("diff-tree").args(asked).args(between).run()?.stdout;
        let parts: Vec<&[u8]> = raw.split(|byte| *byte == 0).collect();
        let (pairs, _) = parts.as_chunks::<2>();
        pairs.iter().map(|[facts, path]| change(facts, path)).collect()
    }

    /// Files that the user changed since the beginning and that are not what landing would make of them.
    fn in_the_way(&self, target: &Beneath, changes: &[Change]) -> Result<Vec<String>, TreeError> {
        let gone: BTreeSet<&Path> = changes
            .iter()
            .filter(|change| change.after.is_none())
            .map(|change| change.path.as_path())
            .collect();
        let mut files = Vec::new();
        for change in changes {
            let free = self.holds(target, change, change.after.as_ref())?
                || self.holds(target, change, change.before.as_ref())?
                || folder_of(target.dir(), &change.path, &gone);
            if !free || blocked(target.dir(), &change.path, &gone) {
                files.push(change.path.to_string_lossy().into_owned());
            }
        }
        Ok(files)
    }

    /// Whether the target holds a file as it is in a commit.
    fn holds(&self, target: &Beneath, change: &Change, item: Option<&Item>) -> Result<bool, TreeError> {
        let facts = target.facts(&change.path);
        let (Some(facts), Some(item)) = (&facts, item) else { return Ok(facts.is_none() && item.is_none()) };
        let there = if item.link && facts.is_symlink() {
            target.dir().read_link_contents(&change.path).map(|to| path_bytes(&to)).ok()
        } else if !item.link && facts.is_file() {
            target.read(&change.path, MOST_FILE as u64).ok()
        } else {
            None
        };
        Ok(match there {
            Some(there) => there == self.content(item)?,
            None => false,
        })
    }
}

fn change(facts: &[u8], path: &[u8]) -> Result<Change, TreeError> {
    let facts = String::from_utf8_lossy(facts).into_owned();
    let shown = String::from_utf8_lossy(path).into_owned();
    let refused = |what: &str| TreeError::Refused { why: format!("{shown:?} {what}") };
    let fields: Vec<&str> = facts.trim_start_matches(':').split(' ').collect();
    let [from, to, old, new, _] = fields[..] else {
        return Err(refused("is described in a way that cannot be read"));
    };
    if path.split(|byte| *byte == b'/').any(|part| part.eq_ignore_ascii_case(b".git")) {
        return Err(refused("would write into a repository"));
    }
    let item = |mode: &str, id: &str| match mode {
        "000000" => Ok(None),
        "100644" | "100755" | "120000" => {
            Ok(Some(Item { link: mode == "120000", runs: mode == "100755", id: id.to_owned() }))
        }
        _ => Err(refused("is neither file nor link")),
    };
    let name = native(path).ok_or_else(|| refused("is no name on this system"))?;
    Ok(Change { before: item(from, old)?, after: item(to, new)?, path: PathBuf::from(name) })
}

/// Whether a folder stands where a file is to be, and everything in it goes.
fn folder_of(target: &Dir, path: &Path, gone: &BTreeSet<&Path>) -> bool {
    let Ok(entries) = target.read_dir(path) else { return false };
    entries.into_iter().all(|entry| {
        entry.is_ok_and(|entry| {
            let inside = path.join(entry.file_name());
            gone.contains(inside.as_path())
                || (entry.file_type().is_ok_and(|kind| kind.is_dir()) && folder_of(target, &inside, gone))
        })
    })
}

/// Whether a file of the user's stands where a folder is needed.
fn blocked(target: &Dir, path: &Path, gone: &BTreeSet<&Path>) -> bool {
    path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()).any(|above| {
        !gone.contains(above) && target.symlink_metadata(above).is_ok_and(|facts| facts.is_file())
    })
}

pub(super) fn remove(target: &Dir, path: &Path) -> io::Result<()> {
    match target.remove_file(path) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    // git knows no folders: one that has become empty goes with its last file. The first that is not stops this.
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        if target.remove_dir(above).is_err() {
            break;
        }
    }
    Ok(())
}

pub(super) fn put(target: &Dir, path: &Path, item: &Item, bytes: &[u8]) -> io::Result<()> {
    let above = path.parent().unwrap_or(Path::new(""));
    if !above.as_os_str().is_empty() {
        target.create_dir_all(above)?;
    }
    let draft = above.join(draft_name(path));
    match target.remove_file(&draft) {
        Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
        _ => {}
    }
    if item.link {
        link(target, bytes, &draft)?;
    } else {
        let before = target.symlink_metadata(path).ok().filter(cap_std::fs::Metadata::is_file);
        let mut file = target.open_with(&draft, OpenOptions::new().write(true).create_new(true))?;
        file.write_all(bytes)?;
        if let Some(rights) =
            rights(before.map(|facts| facts.permissions()), file.metadata()?.permissions(), item.runs)
        {
            file.set_permissions(rights)?;
        }
        file.sync_all()?;
    }
    // An empty folder of the user's may stand there; a full one was refused before.
    let _ = target.remove_dir(path);
    target.rename(&draft, target, path)
}

/// What a file is called until it is whole: the same when landing is repeated, and short, since its own name may be as long
/// as names can be.
fn draft_name(path: &Path) -> String {
    let hash: String =
        Sha256::digest(path_bytes(path)).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!(".{hash}.orchestrate-new")
}

#[cfg(unix)]
fn link(target: &Dir, to: &[u8], draft: &Path) -> io::Result<()> {
    let to = native(to).ok_or(io::ErrorKind::InvalidInput)?;
    target.symlink_contents(to, draft)
}

#[cfg(not(unix))]
fn link(_: &Dir, _: &[u8], _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "links cannot be landed on this system"))
}

/// The rights of the file that was there, or of a new one, with or without the right to be run.
#[cfg(unix)]
fn rights(before: Option<Permissions>, fresh: Permissions, runs: bool) -> Option<Permissions> {
    use cap_std::fs::PermissionsExt;
    let mode = before.unwrap_or(fresh).mode() & 0o777;
    // Whoever may read may run, as git does it.
    Some(Permissions::from_mode(if runs { mode | ((mode & 0o444) >> 2) } else { mode & !0o111 }))
}

#[cfg(not(unix))]
fn rights(_: Option<Permissions>, _: Permissions, _: bool) -> Option<Permissions> {
    None
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec()
}

#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Vec<u8> {
    path.to_string_lossy().into_owned().into_bytes()
}
