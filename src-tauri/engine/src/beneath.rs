//! Files of a project or worktree, opened beneath a handle of its folder (THREATS T5).
//!
//! A worker may put a link to anywhere in the place of any file or folder of its tree, also between two looks of ours. No
//! path that is opened here leaves the folder, whatever lies in it: the system itself resolves it beneath the handle.

use std::io::{self, Read, Write};
use std::path::Path;

use cap_std::{
    ambient_authority,
    fs::{Dir, File, Metadata, OpenOptions},
};

/// A folder that nothing leads out of.
#[derive(Debug)]
pub(crate) struct Beneath {
    dir: Dir,
}

impl Beneath {
    /// Opens a folder. Links in its own path are followed: it is ours, or the one that the user named.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self { dir: Dir::open_ambient_dir(folder, ambient_authority())? })
    }

    /// The handle, for what is not offered here.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// What lies at a path; a link is told as a link. `None` also for a path that leads out.
    pub(crate) fn facts(&self, path: impl AsRef<Path>) -> Option<Metadata> {
        self.dir.symlink_metadata(path).ok()
    }

    /// Whether there is a regular file, at the path itself or where links beneath the folder lead.
    pub(crate) fn is_file(&self, path: impl AsRef<Path>) -> bool {
        self.dir.metadata(path).is_ok_and(|facts| facts.is_file())
    }

    /// A regular file's bytes, all of them.
    ///
    /// # Errors
    /// `FileTooLarge` for more than `most` bytes, `InvalidInput` for what is no regular file, or what the system says.
    pub(crate) fn read(&self, path: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
        let bytes = self.beginning(path, most.saturating_add(1))?;
        let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= most);
        if fits { Ok(bytes) } else { Err(io::ErrorKind::FileTooLarge.into()) }
    }

    /// The first bytes of a regular file, at most so many.
    ///
    /// # Errors
    /// As [`Beneath::read`].
    pub(crate) fn beginning(&self, path: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
        let file = self.file(path.as_ref())?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Opens without waiting, and looks at what was opened: a pipe in the file's place would make us wait for ever.
    fn file(&self, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true);
        #[cfg(unix)]
        cap_std::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
        let file = self.dir.open_with(path, &options)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Puts a new file in the place of whatever is there; the folder above must exist.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn replace(&self, path: impl AsRef<Path>, bytes: &[u8]) -> io::Result<()> {
        let path = path.as_ref();
        match self.dir.remove_file(path) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            Ok(()) | Err(_) => {}
        }
        self.dir.open_with(path, OpenOptions::new().write(true).create_new(true))?.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes by a path and not by a handle.
    const BY_PATH: [&str; 10] = [
        "std::fs",
        "tokio::fs",
        "fs::read",
        "fs::write",
        "File::open",
        ".symlink_metadata()",
        ".metadata()",
        ".exists()",
        ".is_file()",
        ".is_dir()",
    ];

    /// Modules that look at files of a project or a worktree, and what in them may go by a path, because it lies where
    /// no worker writes or is a fact that was read beneath a handle.
    const MODULES: [(&str, &[&str]); 14] = [
        ("evidence.rs", &[]),
        // The user's approvals, in the workspace.
        ("brought.rs", &["std::fs::read(approvals(workspace))", "facts.is_dir()"]),
        ("session/material.rs", &[]),
        ("session/verify.rs", &[]),
        ("session/perform.rs", &["found.is_file()"]),
        ("trees/diff.rs", &[]),
        ("trees/freeze.rs", &[]),
        ("trees/merge.rs", &[]),
        ("trees/task.rs", &[]),
        ("trees/refs.rs", &[]),
        ("trees/shadow.rs", &["fs::write(&path, text)"]),
        // git's own folder, and its lock in there.
        ("trees/inspect.rs", &["lock.symlink_metadata()", "git_dir.join(file).exists()", "facts.is_file()"]),
        (
            "trees/landing/checkout.rs",
            &["path.is_dir()", "facts.is_dir()", "std::fs::create_dir_all(&folder)"],
        ),
        ("trees/landing/copy.rs", &["facts.is_file()", "kind.is_dir()", "file.metadata()"]),
    ];

    #[test]
    fn projects_are_looked_at_beneath_a_handle() {
        let check = |module: &str, may: &[&str]| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module);
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                let mut rest = line.replace("cap_std::fs", "");
                may.iter().for_each(|allowed| rest = rest.replace(allowed, ""));
                let found = BY_PATH.iter().find(|way| rest.contains(**way));
                assert_eq!(found, None, "{module}: {line}");
            }
        };
        MODULES.into_iter().for_each(|(module, may)| check(module, may));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_of_the_folder_is_refused_at_once() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("project");
        std::fs::create_dir_all(folder.join("in")).unwrap();
        std::fs::write(root.path().join("outside"), "out").unwrap();
        std::fs::write(folder.join("in/file"), "own").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, folder.join(name)).unwrap();
        link("../outside", "out");
        link("/etc/passwd", "absolute");
        link("/proc/self/root/etc/passwd", "magic");
        link("in/file", "within");
        link("loop", "loop");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            folder.join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let beneath = Beneath::open(&folder).unwrap();
        let check = |path: &str, expected: Option<&str>| {
            let read = beneath.read(path, 100).ok();
            assert_eq!(read.as_deref(), expected.map(str::as_bytes), "{path}");
            assert_eq!(beneath.is_file(path), expected.is_some(), "{path}");
        };
        check("in/file", Some("own"));
        check("within", Some("own"));
        for path in [
            "out",
            "absolute",
            "magic",
            "loop",
            "pipe",
            "in",
            "missing",
            "",
            "../outside",
            "in/../../outside",
            "/etc/passwd",
            "in/file/x",
        ] {
            check(path, None);
        }
        assert_eq!(beneath.read("in/file", 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(beneath.beginning("in/file", 2).unwrap(), b"ow");
    }
}
