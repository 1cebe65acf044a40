//! Configuration for agents' CLIs that a project brings along: what there is, whether the user approved it (THREATS T1).
//!
//! By default no CLI loads any of it. The user may approve it as it is: the hash of its content is kept in the workspace,
//! outside of every project. Before each start of a worker its own tree is hashed again, so that what another worker has
//! changed, or what came with another commit, is not loaded. Instructions (`CLAUDE.md`, `AGENTS.md`, `GEMINI.md`) are text
//! like all other files of the project: they can ask for things, and run nothing.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use agents::ProjectConfig;
use domain::{Brought, Probe, ProbeState};
use sha2::{Digest, Sha256};

use crate::{
    beneath::Beneath,
    doctor,
    git::Git,
    private,
    trees::{self, Committed, TreeError},
};

/// Folders and files by which CLIs run programs, choose servers and endpoints. Everything in the folders counts, since
/// settings name scripts beside them.
pub(crate) const NAMES: [&str; 5] = [".agents", ".claude", ".codex", ".gemini", ".mcp.json"];
/// Variables for gemini.
const GEMINI_ENV: &str = ".gemini/.env";
/// Variables that gemini takes where there is no file of its own. Commonly secrets of the project, so never loaded.
const ENV: &str = ".env";
/// The servers of a project, for claude.
const SERVERS: &str = ".mcp.json";
/// Most files; more cannot be looked through by anybody.
pub(crate) const MOST_FILES: usize = trees::MOST_READ;
/// Most bytes of one file.
pub(crate) const MOST_FILE: u64 = trees::MOST_LOOKED_AT;
/// How deep their folders may be.
const MOST_DEEP: usize = 12;
/// The file of approvals in a workspace.
const APPROVED: &str = "approved.json";

/// What was found, by path from the repository's top.
#[derive(Debug, Default)]
struct Found {
    files: BTreeMap<Vec<u8>, Vec<u8>>,
    unfit: Option<String>,
}

impl Found {
    fn unfit(&mut self, path: &[u8], why: &str) {
        let path = domain::one_line(&String::from_utf8_lossy(path), 80);
        self.unfit.get_or_insert_with(|| format!("{path} {why}"));
    }

    fn add(&mut self, path: Vec<u8>, bytes: Vec<u8>) {
        if self.files.len() < MOST_FILES {
            self.files.insert(path, bytes);
        } else {
            self.unfit(&path, "is one file too many");
        }
    }

    /// SHA-256 over every path and content, each after its length, so that nothing can pass for its neighbour.
    fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for part in self.files.iter().flat_map(|(path, bytes)| [path, bytes]) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn told(self, approved: impl FnOnce(&str) -> bool) -> Option<Brought> {
        if self.files.is_empty() && self.unfit.is_none() {
            return None;
        }
        let hash = self.hash();
        let approved = self.unfit.is_none() && approved(&hash);
        let files = self.files.keys().map(|path| String::from_utf8_lossy(path).into_owned()).collect();
        Some(Brought { files, hash, approved, unfit: self.unfit })
    }
}

/// The project's root and every folder above it in its repository, as beginnings of paths. CLIs look in all of them.
fn bases(prefix: &str) -> Vec<&str> {
    let ends = prefix.match_indices('/').map(|(at, _)| &prefix[..=at]);
    std::iter::once("").chain(ends).collect()
}

/// What a project brings: of its newest commit, because that is what workers get; of its files where it is no repository.
///
/// # Errors
/// What git says.
pub(crate) fn of_project(git: &Git, target: &Path, workspace: &Path) -> Result<Option<Brought>, TreeError> {
    let found = match trees::committed(git, target, |prefix| {
        let named = |base: &str| NAMES.map(|name| format!("{base}{name}"));
        bases(prefix).into_iter().flat_map(named).collect()
    })? {
        Some(committed) => of_commit(committed),
        None => on_disk(&Beneath::open(target).map_err(TreeError::io(target))?, ""),
    };
    Ok(found.told(|hash| is_approved(workspace, target, hash)))
}

fn of_commit(committed: Vec<trees::At>) -> Found {
    let mut found = Found::default();
    for (path, what) in committed {
        match what {
            Committed::File(bytes) => found.add(path, bytes),
            Committed::Link => found.unfit(&path, "is a link"),
            Committed::Other => found.unfit(&path, "is too large or no file"),
        }
    }
    found
}

fn on_disk(top: &Beneath, prefix: &str) -> Found {
    let mut found = Found::default();
    for base in bases(prefix) {
        for name in NAMES {
            walk(top, Path::new(&format!("{base}{name}")), 0, &mut found);
        }
    }
    found
}

fn walk(top: &Beneath, path: &Path, depth: usize, found: &mut Found) {
    let Some(facts) = top.facts(path) else { return };
    let name = path.as_os_str().as_encoded_bytes().to_vec();
    if facts.is_symlink() {
        found.unfit(&name, "is a link");
    } else if facts.is_dir() {
        let entries = top.dir().read_dir(path).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        match entries {
            Ok(entries) if depth < MOST_DEEP && entries.len() <= MOST_FILES => {
                entries.iter().for_each(|entry| walk(top, &path.join(entry.file_name()), depth + 1, found));
            }
            Ok(_) => found.unfit(&name, "holds too much"),
            Err(_) => found.unfit(&name, "cannot be read"),
        }
    } else {
        match top.read(path, MOST_FILE) {
            Ok(bytes) => found.add(name, bytes),
            Err(_) => found.unfit(&name, "is too large or no file"),
        }
    }
}

/// What a worker that starts in `cwd` gets of it: all when its tree holds what was approved, else nothing.
pub(crate) fn for_worker(brought: Option<&Brought>, cwd: &Path, prefix: &str) -> ProjectConfig {
    let top = cwd.ancestors().nth(prefix.matches('/').count()).unwrap_or(cwd);
    // A tree that cannot be read brings nothing; the worker then fails for another reason.
    let Ok(top) = Beneath::open(top) else { return ProjectConfig::default() };
    let found = on_disk(&top, prefix);
    let load =
        brought.is_some_and(|known| known.approved && found.unfit.is_none() && found.hash() == known.hash);
    let servers = load && found.files.contains_key(format!("{prefix}{SERVERS}").as_bytes());
    let mut variables = Vec::new();
    for base in bases(prefix) {
        let files = [(ENV, true), (GEMINI_ENV, !load)];
        for (name, _) in files.into_iter().filter(|(_, kept_out)| *kept_out) {
            if let Ok(bytes) = top.beginning(format!("{base}{name}"), MOST_FILE) {
                variables.extend(variables_of(&String::from_utf8_lossy(&bytes)));
            }
        }
    }
    variables.sort();
    variables.dedup();
    ProjectConfig { load, servers, variables }
}

/// Every word that could be the name of a variable in such a file: more than any reader of it would take, since a name that
/// is missed here is a variable that the project sets.
fn variables_of(text: &str) -> impl Iterator<Item = String> + '_ {
    let own = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    text.split(['=', ':', '\n', '\r']).filter_map(move |part| {
        let word = part.trim_end().rsplit(|c: char| !own(c)).next().unwrap_or_default();
        (!word.is_empty() && word.len() < 200).then(|| word.to_owned())
    })
}

fn approvals(workspace: &Path) -> PathBuf {
    workspace.join(APPROVED)
}

/// A project as it is named there: without what does not make it another folder.
fn key(target: &Path) -> String {
    target.components().collect::<PathBuf>().to_string_lossy().into_owned()
}

/// A file that is damaged approves nothing.
fn read(workspace: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(approvals(workspace)).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Whether the user approved that content for that project.
pub(crate) fn is_approved(workspace: &Path, target: &Path, hash: &str) -> bool {
    read(workspace).get(&key(target)).is_some_and(|approved| approved == hash)
}

/// Keeps the user's approval of a content, in the place of an earlier one; takes it back without.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn approve(workspace: &Path, target: &Path, hash: Option<&str>) -> io::Result<()> {
    let (mut all, target) = (read(workspace), key(target));
    match hash {
        Some(hash) => drop(all.insert(target, hash.to_owned())),
        None => drop(all.remove(&target)),
    }
    private::folder(workspace)?;
    private::replace(&approvals(workspace), &serde_json::to_vec_pretty(&all)?)
}

/// The preflight's line; `None` when the project brings nothing, or git cannot tell.
pub(crate) fn probe(git: &Git, target: &Path, workspace: &Path) -> Option<Probe> {
    let found = of_project(git, target, workspace).ok()??;
    let state = if found.approved { ProbeState::Ok } else { ProbeState::Warning };
    let place = doctor::quoted(target);
    let fix = match (&found.unfit, found.approved) {
        (None, false) => format!("Look at these files; to have them loaded: orchestrate trust -C {place}"),
        (None, true) => String::new(),
        (Some(_), _) => "Work without it, or make it plain files.".to_owned(),
    };
    Some(Probe { name: "agent files".to_owned(), state, text: found.words(), fix })
}

#[cfg(test)]
mod tests;
