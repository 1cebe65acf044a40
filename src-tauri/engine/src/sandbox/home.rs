//! Fills the home that a CLI gets inside of a sandbox, and says what of the user's is laid over it.
//!
//! Workers write to these folders, and later ones find what earlier ones left: so nothing here follows a link.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use agents::Confined;

use super::profile::{Mount, Profile};
use crate::private;

/// A file of the user's that is larger is not copied.
const MOST_COPIED: u64 = 4 << 20;

/// Makes the home and mounts it: to be written, but for what is the user's.
pub(super) fn mount(home: &Confined, refresh_logins: bool, profile: &mut Profile) -> io::Result<()> {
    private::folder(&home.own)?;
    for from in &home.copied {
        let Some(name) = from.file_name() else { continue };
        copy_once(from, &home.own.join(name))?;
    }
    profile.write(&home.own);
    for name in home.shared {
        let at = home.own.join(name);
        let from = users(home, name);
        place(&at, from.as_deref().map_or_else(|| !name.contains('.'), Path::is_dir), name)?;
        // Where the user has none it stays empty: nobody can leave a hook for the next worker.
        profile.put(at.clone(), Mount::Read(from.unwrap_or(at)));
    }
    for name in home.logins {
        let Some(from) = users(home, name) else { continue };
        let at = home.own.join(name);
        place(&at, false, name)?;
        profile.put(at, if refresh_logins { Mount::Write(from) } else { Mount::Read(from) });
    }
    Ok(())
}

/// The same where nothing can be mounted: links to what is the user's, which can only be read. A worker can put something
/// else in a link's place, for the session's later workers of the same agent; nothing of it is the user's.
pub(super) fn link(home: &Confined, refresh_logins: bool, profile: &mut Profile) -> io::Result<()> {
    private::folder(&home.own)?;
    for from in &home.copied {
        let Some(name) = from.file_name() else { continue };
        copy_once(from, &home.own.join(name))?;
    }
    profile.write(&home.own);
    for (name, login) in
        home.shared.iter().map(|name| (name, false)).chain(home.logins.iter().map(|name| (name, true)))
    {
        let Some(from) = users(home, name) else { continue };
        let at = home.own.join(name);
        if fs::read_link(&at).ok().as_ref() != Some(&from) {
            clear(&at)?;
            std::os::unix::fs::symlink(&from, &at)?;
        }
        if login && refresh_logins { profile.write(&from) } else { profile.read(&from) }
    }
    Ok(())
}

fn clear(at: &Path) -> io::Result<()> {
    match at.symlink_metadata() {
        Ok(facts) if facts.is_dir() => fs::remove_dir_all(at),
        Ok(_) => fs::remove_file(at),
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// The user's file or folder of that name, if there is one.
fn users(home: &Confined, name: &str) -> Option<PathBuf> {
    let path = home.user.as_ref()?.join(name);
    path.exists().then_some(path)
}

/// Makes something to mount on. What is there and of another kind is a worker's, and goes.
fn place(at: &Path, folder: bool, name: &str) -> io::Result<()> {
    match at.symlink_metadata() {
        Ok(facts) if folder && facts.is_dir() || !folder && facts.is_file() => return Ok(()),
        Ok(facts) if facts.is_dir() => fs::remove_dir_all(at)?,
        Ok(_) => fs::remove_file(at)?,
        Err(fault) if fault.kind() == ErrorKind::NotFound => {}
        Err(fault) => return Err(fault),
    }
    if folder {
        return private::folder(at);
    }
    let empty: &[u8] = if name.ends_with(".json") { b"{}" } else { b"" };
    made_anew(at, empty)
}

fn copy_once(from: &Path, to: &Path) -> io::Result<()> {
    let small = fs::metadata(from).is_ok_and(|facts| facts.is_file() && facts.len() <= MOST_COPIED);
    if !small || to.symlink_metadata().is_ok() {
        return Ok(());
    }
    made_anew(to, &fs::read(from)?)
}

/// Two workers of one agent may start at the same time: then the first one's file is as good.
fn made_anew(at: &Path, bytes: &[u8]) -> io::Result<()> {
    match private::options().write(true).create_new(true).open(at) {
        Ok(mut file) => io::Write::write_all(&mut file, bytes),
        Err(fault) if fault.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sandbox::profile::Network;

    fn home(root: &Path) -> Confined {
        Confined {
            variable: "CLAUDE_CONFIG_DIR",
            own: root.join("own"),
            user: Some(root.join("user")),
            shared: &["settings.json", "hooks"],
            logins: &[".credentials.json"],
            copied: vec![root.join(".claude.json")],
        }
    }

    #[test]
    fn settings_are_the_users_and_what_a_worker_put_there_goes() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        fs::create_dir_all(root.join("user")).unwrap();
        fs::write(root.join("user/settings.json"), "{\"a\":1}").unwrap();
        fs::write(root.join("user/.credentials.json"), "key").unwrap();
        fs::write(root.join(".claude.json"), "{}").unwrap();
        fs::create_dir_all(root.join("own")).unwrap();
        fs::write(root.join("bashrc"), "mine").unwrap();
        symlink(root.join("bashrc"), root.join("own/settings.json")).unwrap();
        symlink(root.join("bashrc"), root.join("own/.credentials.json")).unwrap();
        fs::write(root.join("own/hooks"), "").unwrap();
        let mut profile = Profile::new(Network::Own, Path::new("/home/u"), root);
        mount(&home(root), false, &mut profile).unwrap();
        assert_eq!(fs::read_to_string(root.join("bashrc")).unwrap(), "mine");
        assert!(root.join("own/settings.json").symlink_metadata().unwrap().is_file());
        assert!(root.join("own/hooks").symlink_metadata().unwrap().is_dir());
        assert_eq!(fs::read_to_string(root.join("own/.claude.json")).unwrap(), "{}");
        let args: Vec<String> =
            profile.argv().into_iter().map(|it| it.to_string_lossy().into_owned()).collect();
        let has = |option: &str, from: &str, at: &str| {
            let path = |name: &str| root.join(name).to_string_lossy().into_owned();
            args.windows(3).any(|it| it == [option.to_owned(), path(from), path(at)])
        };
        assert!(has("--bind", "own", "own"), "{args:?}");
        assert!(has("--ro-bind", "user/settings.json", "own/settings.json"), "{args:?}");
        assert!(has("--ro-bind", "own/hooks", "own/hooks"), "{args:?}");
        assert!(has("--ro-bind", "user/.credentials.json", "own/.credentials.json"), "{args:?}");
    }
}
