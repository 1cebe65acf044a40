//! The shadow repository of a target that is none: in the session's folder, with the target's files as its first commit.
//!
//! Files go in and come out byte for byte: its own attributes switch off every conversion and driver.

use std::{
    fs,
    path::{Path, PathBuf},
};

use domain::{CommitHash, SessionId};

use super::{
    Begun, TreeError,
    begin::open_branch,
    names::{self, Names},
    refs,
    snapshot::Draft,
};
use crate::beneath::Beneath;
use crate::git::{Git, Repository};

/// Its name in the session's folder.
pub(super) const FOLDER: &str = "shadow.git";
/// Most files that are copied; a project with more has its dependencies or data beside its source.
const MOST_FILES: usize = 50_000;
/// Most bytes that are copied.
const MOST_BYTES: u64 = 1 << 30;

/// Nothing is converted, filtered or merged by a driver.
const ATTRIBUTES: &str = "* -text !eol !ident !filter !working-tree-encoding !diff !merge\n";
/// What tools put beside the source and can make again.
const EXCLUDE: &str = "node_modules/\n.venv/\n__pycache__/\n.DS_Store\n";

pub(super) fn begin(
    git: &Git,
    target: &Path,
    folder: &Path,
    session: &SessionId,
) -> Result<Begun, TreeError> {
    let store = folder.join(FOLDER);
    let here = Repository::around(git, folder);
    here.call("init").args(["--quiet", "--bare", "--template=", "--"]).arg(&store).run()?;
    write(&store.join("info"), "attributes", ATTRIBUTES)?;
    write(&store.join("info"), "exclude", EXCLUDE)?;
    let shadow = Repository::of(git, &store, folder);
    let mark = Names::new(session, "")?.private("_begun");
    let (start, left_out) = match refs::resolve(&shadow, &mark)? {
        Some(base) => (base, Vec::new()),
        None => first_commit(git, &store, target, session)?,
    };
    let (base, session_branch) = open_branch(&shadow, session, &start)?;
    let mut warnings = vec![
        "the project is no git repository: the agents work on a copy, which landing brings back".to_owned(),
    ];
    warnings.extend(left_out.iter().map(|path| {
        format!("{path} is a git repository of its own inside the project and is left out of the copy")
    }));
    Ok(Begun { trees: domain::Trees::Shadow { base, session_branch }, warnings })
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), TreeError> {
    fs::create_dir_all(folder).map_err(TreeError::io(folder))?;
    let path: PathBuf = folder.join(name);
    fs::write(&path, text).map_err(TreeError::io(&path))
}

/// The target's files as they are; gives also the repositories inside of it, which are left out.
fn first_commit(
    git: &Git,
    store: &Path,
    target: &Path,
    session: &SessionId,
) -> Result<(CommitHash, Vec<String>), TreeError> {
    let shadow = Repository::with_tree(git, store, target);
    let draft = Draft::new(&store.join("first"));
    let found = shadow.call("ls-files").args(["-o", "-z", "--exclude-standard"]).index(&draft.path).run()?;
    let (nested, files): (Vec<&[u8]>, Vec<&[u8]>) = found.parts().partition(|path| path.ends_with(b"/"));
    bounded(target, &files)?;
    let listed: Vec<u8> = files.iter().flat_map(|path| path.iter().copied().chain([0])).collect();
    shadow.call("update-index").args(["--add", "-z", "--stdin"]).index(&draft.path).input(listed).run()?;
    let tree = shadow.call("write-tree").index(&draft.path).text()?;
    let message = format!("The project as it was\n\nOrchestrate-Session: {session}\n");
    let commit =
        shadow.call("commit-tree").args(["--no-gpg-sign", "-F", "-", &tree]).input(message).text()?;
    let nested = nested.into_iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect();
    Ok((CommitHash(commit), nested))
}

fn bounded(target: &Path, files: &[&[u8]]) -> Result<(), TreeError> {
    let inside = Beneath::open(target).map_err(TreeError::io(target))?;
    let sizes = files.iter().filter_map(|path| inside.facts(names::native(path)?).map(|facts| facts.len()));
    let bytes = sizes.sum();
    if MOST_FILES < files.len() || MOST_BYTES < bytes {
        let (files, most_files, most_bytes) = (files.len(), MOST_FILES, MOST_BYTES);
        return Err(TreeError::TooBig { files, bytes, most_files, most_bytes });
    }
    Ok(())
}
