//! What a CLI's home of its own takes from the user's (`agents::Home`).

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use agents::Home;
use tracing::warn;

use crate::private;

/// Text of settings larger than this is none.
const MOST_SETTINGS: u64 = 1 << 20;

/// The user's settings; `None` when there are none that can be read.
pub(super) fn user_settings(home: &Home) -> Option<String> {
    let path = home.user_settings()?;
    let facts = fs::metadata(&path).ok()?;
    if !facts.is_file() || MOST_SETTINGS < facts.len() {
        return None;
    }
    let read = fs::read_to_string(&path);
    read.inspect_err(|fault| warn!(path = %path.display(), %fault, "the user's settings cannot be read")).ok()
}

/// Makes the home and links in it what it shares with the user's. What is there already stays: the CLI's own, or a link.
///
/// # Errors
/// When the home cannot be made. An entry that cannot be linked is logged: most are of no use to a worker.
pub(super) fn fill(home: &Home) -> io::Result<()> {
    private::folder(home.path())?;
    for (theirs, ours) in home.shared() {
        private::folder(&ours)?;
        let Ok(entries) = fs::read_dir(&theirs) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if !home.shares(&theirs, &name.to_string_lossy()) {
                continue;
            }
            if let Err(fault) = link(&entry.path(), &ours.join(&name)) {
                warn!(entry = %entry.path().display(), %fault, "cannot be linked into the agent's home");
            }
        }
    }
    Ok(())
}

fn link(from: &Path, at: &Path) -> io::Result<()> {
    match private::link(from, at) {
        Err(fault) if fault.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Writes a file of a worker's launch. Two workers of one session write the same settings, and a third may be reading them:
/// so each file is replaced as a whole, and one after the other.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    path.parent().map_or(Ok(()), private::folder)?;
    private::replace(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{AgentInfo, AgentSettings, Dialect};

    use super::*;

    fn home(root: &Path) -> Home {
        let agent = AgentInfo {
            name: "gemini".into(),
            dialect: Dialect::Gemini,
            program: "/bin/gemini".into(),
            leading_args: Vec::new(),
            version: String::new(),
            demo: false,
        };
        let env = BTreeMap::from([("HOME".to_owned(), root.join("user").to_string_lossy().into_owned())]);
        Home::of(&agent, &AgentSettings::default(), &env, &root.join("session")).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn credentials_are_the_users_own_and_sessions_are_not() {
        let root = tempfile::tempdir().unwrap();
        let (theirs, ours) =
            (root.path().join("user/.gemini"), root.path().join("session/homes/gemini/.gemini"));
        fs::create_dir_all(theirs.join("tmp/slugs/chats")).unwrap();
        for name in ["oauth_creds.json", "installation_id", "settings.json", "projects.json", "x.lock"] {
            fs::write(theirs.join(name), "{}").unwrap();
        }
        fs::write(root.path().join("user/.env"), "A=b\n").unwrap();
        fs::write(root.path().join("user/.bashrc"), "").unwrap();
        let home = home(root.path());
        fill(&home).unwrap();
        fs::write(ours.join("oauth_creds.json"), "{\"refreshed\":1}").unwrap();
        fill(&home).unwrap();
        assert_eq!(fs::read_to_string(theirs.join("oauth_creds.json")).unwrap(), "{\"refreshed\":1}");
        let mut names: Vec<_> =
            fs::read_dir(&ours).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["installation_id", "oauth_creds.json"]);
        assert!(root.path().join("session/homes/gemini/.env").is_file());
        assert!(!root.path().join("session/homes/gemini/.bashrc").exists());
        assert_eq!(user_settings(&home).as_deref(), Some("{}"));
    }

    #[test]
    fn a_user_without_gemini_gets_a_home_all_the_same() {
        let root = tempfile::tempdir().unwrap();
        let home = home(root.path());
        fill(&home).unwrap();
        write(&home.settings(), "{}").unwrap();
        assert_eq!(user_settings(&home), None);
        assert_eq!(fs::read_to_string(home.settings()).unwrap(), "{}");
    }
}
