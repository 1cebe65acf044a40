//! Facts about the machine; each system tells what it can.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use domain::{Probe, ProbeState};

use crate::discover::Environment;

/// What is left on a disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// For us, without what is reserved for root.
    pub(super) bytes: u64,
    /// Files that can still be made; `None` where the file system has no such limit.
    pub(super) inodes: Option<u64>,
}

/// Where a folder lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filesystem {
    Local,
    /// Over a network or through another process; its name.
    Remote(&'static str),
}

/// The nearest parent that exists.
fn existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|path| path.exists())
}

#[cfg(unix)]
pub(super) fn room(path: &Path) -> Option<Room> {
    let facts = rustix::fs::statvfs(existing(path)?).ok()?;
    let inodes = (facts.f_files != 0).then_some(facts.f_favail);
    Some(Room { bytes: facts.f_bavail.saturating_mul(facts.f_frsize), inodes })
}

#[cfg(not(unix))]
pub(super) fn room(_: &Path) -> Option<Room> {
    None
}

/// Magic numbers of `statfs(2)`.
#[cfg(target_os = "linux")]
pub(super) fn filesystem(path: &Path) -> Option<Filesystem> {
    let facts = rustix::fs::statfs(existing(path)?).ok()?;
    let magic = u64::try_from(facts.f_type).ok()? & 0xFFFF_FFFF;
    Some(match magic {
        0x6969 => Filesystem::Remote("NFS"),
        0xFF53_4D42 | 0xFE53_4D42 => Filesystem::Remote("SMB"),
        0x6573_5546 => Filesystem::Remote("FUSE"),
        0x0102_1997 => Filesystem::Remote("9P"),
        0x5346_414F => Filesystem::Remote("AFS"),
        0x00C3_6400 => Filesystem::Remote("Ceph"),
        _ => Filesystem::Local,
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn filesystem(_: &Path) -> Option<Filesystem> {
    None
}

#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
pub(crate) fn is_root() -> bool {
    false
}

/// Files that may be open at once; `None` when there is no limit.
#[cfg(unix)]
pub(super) fn open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
pub(super) fn open_files() -> Option<u64> {
    None
}

/// Whether files can be made in a folder, without making one.
#[cfg(unix)]
pub(super) fn may_write(folder: &Path) -> io::Result<()> {
    use rustix::fs::Access;
    Ok(rustix::fs::access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)?)
}

#[cfg(not(unix))]
pub(super) fn may_write(folder: &Path) -> io::Result<()> {
    match fs::metadata(folder)?.permissions().readonly() {
        true => Err(io::ErrorKind::PermissionDenied.into()),
        false => Ok(()),
    }
}

/// Makes a folder that nobody else may enter; one that exists is left as it is.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Notifications travel over the session bus on Linux; elsewhere the system always shows them.
pub(super) fn notifications(env: &Environment) -> Option<Probe> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let address = env.get("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty());
    let socket = env.get("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("bus"));
    let bus = match address.map(|address| address.strip_prefix("unix:path=")) {
        // The address of a bus that is gone stays in the environment of long-lived shells.
        Some(Some(path)) => Path::new(path.split(',').next().unwrap_or(path)).exists(),
        Some(None) => true,
        None => socket.is_some_and(|socket| socket.exists()),
    };
    let (state, text, fix) = if bus {
        (ProbeState::Ok, "A session bus is there; the desktop shows notifications.", "")
    } else {
        let fix = "Start from a desktop session, or with `dbus-run-session -- orchestrate …`.";
        (
            ProbeState::Warning,
            "There is no D-Bus session bus, so blockers cannot be shown as notifications.",
            fix,
        )
    };
    Some(Probe { name: "notifications".to_owned(), state, text: text.to_owned(), fix: fix.to_owned() })
}

/// What is left for watching files: the CLIs and the tools they start use inotify.
pub(super) fn watches() -> Option<Probe> {
    let read = |name: &str| {
        fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?.trim().parse::<u64>().ok()
    };
    let (watches, instances) = (read("max_user_watches")?, read("max_user_instances")?);
    let good = 8_192 <= watches && 128 <= instances;
    let text = format!("{watches} folders can be watched by {instances} programs at once.");
    let fix = "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512";
    let (state, fix) = if good { (ProbeState::Ok, "") } else { (ProbeState::Warning, fix) };
    Some(Probe { name: "inotify".to_owned(), state, text, fix: fix.to_owned() })
}
