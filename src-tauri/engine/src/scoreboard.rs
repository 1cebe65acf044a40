//! The reviewers' scoreboard of a workspace, made from its journals each time it is wanted.

use std::path::{Path, PathBuf};

use domain::SessionId;
use domain::scoreboard::{Fold, Scoreboard};

use crate::journal;

/// Where the last scoreboard is kept, in the workspace; derived, so it may be deleted at any time.
pub const FILE: &str = "scoreboard.json";

/// Reads all journals of a workspace. One that cannot be read, or only in part, is named, and counts as far as it goes.
#[must_use]
pub fn of(workspace: &Path) -> Scoreboard {
    let mut board = Scoreboard::default();
    let entries = std::fs::read_dir(workspace).map(|entries| entries.flatten().collect()).unwrap_or_default();
    let entries: Vec<std::fs::DirEntry> = entries;
    let mut folders: Vec<PathBuf> = entries
        .iter()
        .map(std::fs::DirEntry::path)
        .filter(|path| path.join(journal::FILE).exists())
        .collect();
    folders.sort(); // UUIDs of version 7 sort by time
    for folder in folders {
        let mut fold = Fold::default();
        let damage = journal::read_each(&folder, |entry| fold.take(&entry));
        if !matches!(damage, Ok(None)) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            board.unreadable.push(SessionId(name));
        }
        if damage.is_ok() {
            board.add(fold);
        }
    }
    board
}

/// Writes it beside the sessions, for other programs; the same can be made again at any time.
///
/// # Errors
/// What the disk says.
pub fn save(workspace: &Path, board: &Scoreboard) -> std::io::Result<PathBuf> {
    let path = workspace.join(FILE);
    crate::private::replace(&path, serde_json::to_string_pretty(board)?.as_bytes())?;
    Ok(path)
}
