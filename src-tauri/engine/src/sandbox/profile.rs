//! The bubblewrap profile as a pure value: what is mounted where, and the command line that follows (SANDBOX section 3).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Room in each folder that lives in memory: `/tmp` and the hidden home.
const TEMPORARY: u64 = 1 << 30;
/// The same for shared memory.
const SHARED_MEMORY: u64 = 256 << 20;
/// The same for folders that hold nothing but mount points.
const SMALL: u64 = 1 << 20;

/// What stands at a path inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mount {
    /// The host's file or folder at another path or this one; it can only be read.
    Read(PathBuf),
    /// The same, and it can be written.
    Write(PathBuf),
    /// A symbolic link.
    Link(PathBuf),
    /// An empty folder in memory, of at most so many bytes; what is written there is gone with the worker.
    Memory(u64),
}

/// Whether the worker shares the host's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    Own,
    Hosts,
}

/// What a worker sees and may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    network: Network,
    /// Sorted by path, so that a parent is mounted before what lies in it. A later entry replaces an earlier one.
    mounts: BTreeMap<PathBuf, Mount>,
    cwd: PathBuf,
}

impl Profile {
    /// The least: devices, processes of its own, temporary folders, and the hidden home.
    pub(super) fn new(network: Network, home: &Path, cwd: &Path) -> Self {
        let mut profile = Self { network, mounts: BTreeMap::new(), cwd: cwd.to_owned() };
        for place in ["/tmp", "/var/tmp"] {
            profile.put(place, Mount::Memory(TEMPORARY));
        }
        profile.put("/run", Mount::Memory(SMALL));
        if home.is_absolute() && home.parent().is_some() {
            profile.put(home, Mount::Memory(TEMPORARY));
        }
        profile
    }

    /// Puts something at a path; it must be absolute.
    pub(super) fn put(&mut self, at: impl Into<PathBuf>, mount: Mount) {
        self.mounts.insert(at.into(), mount);
    }

    /// All that stands somewhere.
    pub(super) fn mounts(&self) -> impl Iterator<Item = &Mount> {
        self.mounts.values()
    }

    /// What stands at a path and at those below; for those who lay something over it.
    pub(super) fn has(&self, at: &Path) -> bool {
        self.mounts.contains_key(at)
    }

    /// A file or folder of the host at its own path.
    pub(super) fn read(&mut self, path: &Path) {
        // What can be written already stays so.
        if self.mounts.get(path) != Some(&Mount::Write(path.to_owned())) {
            self.put(path, Mount::Read(path.to_owned()));
        }
    }

    /// The same, and it can be written.
    pub(super) fn write(&mut self, path: &Path) {
        self.put(path, Mount::Write(path.to_owned()));
    }

    /// The arguments of `bwrap`, up to the command.
    pub(super) fn argv(&self) -> Vec<OsString> {
        let mut args = Argv::default();
        args.words(&[
            "--unshare-user",
            "--disable-userns",
            "--unshare-pid",
            "--unshare-ipc",
            "--unshare-uts",
        ]);
        args.words(&["--unshare-cgroup-try"]);
        if self.network == Network::Own {
            args.words(&["--unshare-net"]);
        }
        // No `--new-session`: the guardian has begun one without a terminal, and its signals reach the whole group.
        args.words(&["--die-with-parent", "--hostname", "worker", "--dev", "/dev", "--size"]);
        args.words(&[&SHARED_MEMORY.to_string(), "--tmpfs", "/dev/shm", "--proc", "/proc"]);
        for (at, mount) in &self.mounts {
            match mount {
                Mount::Read(from) => args.paths("--ro-bind", &[from, at]),
                Mount::Write(from) => args.paths("--bind", &[from, at]),
                Mount::Link(to) => args.paths("--symlink", &[to, at]),
                Mount::Memory(size) => {
                    args.words(&["--size", &size.to_string()]);
                    args.paths("--tmpfs", &[at]);
                }
            }
        }
        // The root and the devices are folders in memory without a bound, unless nobody writes to them.
        args.words(&["--remount-ro", "/dev", "--remount-ro", "/"]);
        args.paths("--chdir", &[&self.cwd]);
        args.0
    }
}

#[derive(Default)]
struct Argv(Vec<OsString>);

impl Argv {
    fn words(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }

    fn paths(&mut self, option: &str, paths: &[&PathBuf]) {
        self.0.push(option.into());
        self.0.extend(paths.iter().map(|path| path.as_os_str().to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(profile: &Profile) -> String {
        let mut text = String::new();
        for word in profile.argv() {
            let word = word.to_string_lossy();
            text += if word.starts_with("--") && !text.is_empty() {
                "\n"
            } else if text.is_empty() {
                ""
            } else {
                " "
            };
            text += &word;
        }
        text
    }

    #[test]
    fn the_whole_profile() {
        let mut profile = Profile::new(Network::Own, Path::new("/home/u"), Path::new("/s/trees/t1/sub"));
        profile.read(Path::new("/usr"));
        profile.put("/bin", Mount::Link("usr/bin".into()));
        profile.write(Path::new("/s/trees/t1"));
        profile.put("/s/trees/t1/.git", Mount::Read("/s/repos/t1.git".into()));
        profile.read(Path::new("/s/trees/t1/.claude"));
        profile.read(Path::new("/home/u/.rustup"));
        insta::assert_snapshot!(lines(&profile), @"
        --unshare-user
        --disable-userns
        --unshare-pid
        --unshare-ipc
        --unshare-uts
        --unshare-cgroup-try
        --unshare-net
        --die-with-parent
        --hostname worker
        --dev /dev
        --size 268435456
        --tmpfs /dev/shm
        --proc /proc
        --symlink usr/bin /bin
        --size 1073741824
        --tmpfs /home/u
        --ro-bind /home/u/.rustup /home/u/.rustup
        --size 1048576
        --tmpfs /run
        --bind /s/trees/t1 /s/trees/t1
        --ro-bind /s/trees/t1/.claude /s/trees/t1/.claude
        --ro-bind /s/repos/t1.git /s/trees/t1/.git
        --size 1073741824
        --tmpfs /tmp
        --ro-bind /usr /usr
        --size 1073741824
        --tmpfs /var/tmp
        --remount-ro /dev
        --remount-ro /
        --chdir /s/trees/t1/sub
        ");
    }

    #[test]
    fn what_can_be_written_stays_so_and_parents_come_first() {
        let mut profile = Profile::new(Network::Hosts, Path::new("/"), Path::new("/a"));
        profile.write(Path::new("/a/b"));
        profile.read(Path::new("/a/b"));
        profile.read(Path::new("/a"));
        let text = lines(&profile);
        assert!(text.contains("--ro-bind /a /a\n--bind /a/b /a/b"), "{text}");
        assert!(!text.contains("--unshare-net"), "{text}");
        assert!(!text.contains("--tmpfs /\n"), "a home that is the root hides nothing: {text}");
    }
}
