//! Facts about the machine; each system tells what it can.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::discover::Environment;

/// How long somebody who is asked may take to answer.
const ANSWER: Duration = Duration::from_millis(800);

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

/// What kind of file system a folder lies on.
#[cfg(target_os = "linux")]
pub(super) fn filesystem(path: &Path) -> Option<Filesystem> {
    let facts = rustix::fs::statfs(existing(path)?).ok()?;
    Some(kind(u64::try_from(facts.f_type).ok()? & 0xFFFF_FFFF))
}

/// Magic numbers of `statfs(2)` and of `linux/magic.h`: those that live over a network or in another process.
pub(super) fn kind(magic: u64) -> Filesystem {
    match magic {
        0x6969 => Filesystem::Remote("NFS"),
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => Filesystem::Remote("SMB"),
        0x6573_5546 => Filesystem::Remote("FUSE"),
        0x0102_1997 => Filesystem::Remote("9P"),
        0x5346_414F | 0x6B41_4653 => Filesystem::Remote("AFS"),
        0x00C3_6400 => Filesystem::Remote("Ceph"),
        0x0BD0_0BD0 => Filesystem::Remote("Lustre"),
        0x1983_0326 => Filesystem::Remote("BeeGFS"),
        0x4750_4653 => Filesystem::Remote("GPFS"),
        0x7375_7245 => Filesystem::Remote("Coda"),
        0x786F_4256 => Filesystem::Remote("a VirtualBox share"),
        _ => Filesystem::Local,
    }
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

/// What writing a file into the workspace told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tried {
    /// A lock that is held is refused to others.
    pub(super) locks: bool,
    pub(super) clock: Clock,
}

/// Times since the epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    /// By the clock.
    pub(super) now: Duration,
    /// By a file that was written just now.
    pub(super) written: Duration,
    /// By the newest session.
    pub(super) newest: Option<Duration>,
}

/// Writes, syncs and locks a file that is gone when this returns.
pub(super) fn try_folder(folder: &Path) -> io::Result<Tried> {
    let path = folder.join(format!(".probe-{}", uuid::Uuid::new_v4()));
    let tried = fs::File::create_new(&path).and_then(|file| {
        io::Write::write_all(&mut &file, b"probe")?;
        file.sync_all()?;
        let now = since_epoch(SystemTime::now());
        let written = since_epoch(file.metadata()?.modified()?);
        let held = file.try_lock().is_ok();
        let refused = matches!(fs::File::open(&path)?.try_lock(), Err(fs::TryLockError::WouldBlock));
        Ok(Tried { locks: held && refused, clock: Clock { now, written, newest: None } })
    });
    let removed = fs::remove_file(&path);
    tried.and_then(|tried| removed.map(|()| tried))
}

/// When the newest of the sessions in a workspace last wrote.
pub(super) fn newest(workspace: &Path) -> Option<Duration> {
    let entries = fs::read_dir(workspace).ok()?;
    let written = entries.flatten().filter_map(|entry| {
        let journal = fs::metadata(entry.path().join(crate::journal::FILE)).ok()?;
        Some(since_epoch(journal.modified().ok()?))
    });
    written.max()
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Who shows notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bus {
    /// No session bus.
    None,
    /// A bus that this program is not on, so that nobody was asked.
    Unasked,
    /// A bus on which nobody shows them; why.
    NoServer(String),
    /// The name of who does.
    Server(String),
}

/// Asks the session bus; `None` where there is no such thing and the system always shows notifications.
pub(super) fn bus(env: &Environment) -> Option<Bus> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let address = env.get("DBUS_SESSION_BUS_ADDRESS").filter(|address| !address.is_empty());
    let socket = env.get("XDG_RUNTIME_DIR").map(|folder| PathBuf::from(folder).join("bus"));
    let there = match address.map(|address| address.strip_prefix("unix:path=")) {
        // The address of a bus that is gone stays in the environment of long-lived shells.
        Some(Some(path)) => Path::new(path.split(',').next().unwrap_or(path)).exists(),
        Some(None) => true,
        None => socket.is_some_and(|socket| socket.exists()),
    };
    let ours = std::env::var("DBUS_SESSION_BUS_ADDRESS").ok();
    Some(match (there, ours.as_ref() == address && address.is_some()) {
        (false, _) => Bus::None,
        (true, false) => Bus::Unasked,
        (true, true) => server(),
    })
}

/// Who shows notifications, asked on a thread of its own: a bus may take the question and never answer.
#[cfg(target_os = "linux")]
fn server() -> Bus {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let asked = notify_rust::get_server_information();
        let _ = tell.send(asked.map(|server| server.name).map_err(|fault| fault.to_string()));
    });
    match told.recv_timeout(ANSWER) {
        Ok(Ok(name)) => Bus::Server(name),
        Ok(Err(why)) => Bus::NoServer(domain::head(&why, 200)),
        Err(_) => Bus::NoServer(format!("no answer within {} ms", ANSWER.as_millis())),
    }
}

#[cfg(not(target_os = "linux"))]
fn server() -> Bus {
    Bus::Unasked
}

/// What inotify offers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watches {
    pub(super) folders: u64,
    pub(super) programs: u64,
    /// One more could be made just now.
    pub(super) left: bool,
}

/// What is left for watching files: the limits, and whether one more watch can be made.
#[cfg(target_os = "linux")]
pub(super) fn watches() -> Option<Watches> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let read = |name: &str| number(&format!("/proc/sys/fs/inotify/{name}"));
    let tried =
        init(CreateFlags::CLOEXEC).and_then(|watcher| add_watch(&watcher, "/", WatchFlags::DELETE_SELF));
    Some(Watches {
        folders: read("max_user_watches")?,
        programs: read("max_user_instances")?,
        left: tried.is_ok(),
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn watches() -> Option<Watches> {
    None
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// What may be done with cgroups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cgroups {
    /// There is no such thing here.
    None,
    /// Ours may not be changed.
    Refused { version: u8 },
    /// Groups below ours can be made, for these controllers.
    Writable { version: u8, controllers: Vec<String> },
}

/// Looks at the group this program is in.
#[cfg(target_os = "linux")]
pub(super) fn cgroups() -> Option<Cgroups> {
    let (own, mounts) = (fs::read_to_string("/proc/self/cgroup"), fs::read_to_string("/proc/self/mounts"));
    Some(cgroups_of(&own.unwrap_or_default(), &mounts.unwrap_or_default(), &|folder| {
        may_write(folder).is_ok()
    }))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn cgroups() -> Option<Cgroups> {
    None
}

/// By proc(5) and cgroups(7): lines `0::/path` of version 2 and `n:controller,…:/path` of version 1.
pub(super) fn cgroups_of(own: &str, mounts: &str, writable: &dyn Fn(&Path) -> bool) -> Cgroups {
    const WANTED: [&str; 3] = ["cpu", "memory", "pids"];
    let mount = |kind: &str, option: Option<&str>| {
        mounts.lines().find_map(|line| {
            let parts: Vec<&str> = line.split(' ').collect();
            let [_, place, found, options, ..] = parts[..] else { return None };
            let fits =
                found == kind && option.is_none_or(|wanted| options.split(',').any(|one| one == wanted));
            fits.then(|| PathBuf::from(place))
        })
    };
    let below = |mount: PathBuf, path: &str| mount.join(path.trim_start_matches('/'));
    let (mut one, mut any) = (Vec::new(), None);
    for line in own.lines() {
        let parts: Vec<&str> = line.splitn(3, ':').collect();
        let [_, names, path] = parts[..] else { continue };
        if names.is_empty() {
            let Some(folder) = mount("cgroup2", None).map(|mount| below(mount, path)) else { continue };
            let offered = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
            let offered: Vec<String> =
                offered.split_whitespace().filter(|name| WANTED.contains(name)).map(str::to_owned).collect();
            if !offered.is_empty() && writable(&folder) {
                return Cgroups::Writable { version: 2, controllers: offered };
            }
            any = any.or((!offered.is_empty()).then_some(2));
        }
        for name in names.split(',').filter(|name| WANTED.contains(name)) {
            let Some(mount) = mount("cgroup", Some(name)) else { continue };
            any = any.or(Some(1));
            // In a container the path may be the host's, which is not mounted.
            let folder = Some(below(mount.clone(), path)).filter(|folder| folder.is_dir()).unwrap_or(mount);
            if writable(&folder) {
                one.push(name.to_owned());
            }
        }
    }
    one.sort();
    match (one.is_empty(), any) {
        (false, _) => Cgroups::Writable { version: 1, controllers: one },
        (true, Some(version)) => Cgroups::Refused { version },
        (true, None) => Cgroups::None,
    }
}

/// What the kernel says of user namespaces; `None` for what it does not tell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Namespaces {
    /// How many may be made.
    pub(super) most: Option<u64>,
    /// Whether others than root may make one (Debian's switch).
    pub(super) unprivileged: Option<bool>,
    /// Whether AppArmor restricts them (Ubuntu's switch). Root is not concerned.
    pub(super) apparmor: bool,
}

/// Reads the kernel's switches; `None` where there is no such thing.
pub(super) fn namespaces() -> Option<Namespaces> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let restricted = number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1);
    Some(Namespaces {
        most: number("/proc/sys/user/max_user_namespaces"),
        unprivileged: number("/proc/sys/kernel/unprivileged_userns_clone").map(|on| on != 0 || is_root()),
        apparmor: restricted && !is_root(),
    })
}

/// Whether something can listen on loopback and be reached there.
pub(super) fn loopback() -> io::Result<()> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    std::net::TcpStream::connect_timeout(&listener.local_addr()?, ANSWER).map(drop)
}
