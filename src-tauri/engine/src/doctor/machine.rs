//! What is made of the machine's facts: each probe a function from facts to a line, so that every fault can be shown.

use std::{ffi::OsString, path::Path, thread, time::Duration};

use domain::{Level, Probe, ProbeState, SandboxReport};

use super::{
    probe, project, sandbox,
    system::{self, Bus, Cgroups, Clock, Filesystem, Namespaces, Room, Watches},
};
use crate::{
    discover::{self, Environment, answer},
    folders,
};

/// Less free space than this is worth a warning (RELIABILITY R16).
const FEW_BYTES: u64 = 2 << 30;
/// With less than this no session begins: a worktree and a journal would not fit.
const NO_BYTES: u64 = 200 << 20;
/// Fewer free inodes than this are worth a warning: one worktree of a large project.
const FEW_INODES: u64 = 50_000;
/// With fewer than this no session begins: a repository and its worktree are hundreds of files.
const NO_INODES: u64 = 2_000;
/// Fewer files that may be open at once are worth a warning (RELIABILITY R16).
const FEW_FILES: u64 = 4_096;
/// With fewer than this no session begins: a handful of workers takes more.
const NO_FILES: u64 = 256;
/// The first git with `merge-tree --write-tree`, which shows conflicts without touching a checkout.
const GIT: [u64; 2] = [2, 38];
/// How far clock and file times may be apart. A file system keeps time in steps of up to two seconds.
const SKEW: Duration = Duration::from_secs(5);

/// Everything but the agents.
pub(super) fn probes(workspace: &Path, target: Option<&Path>, env: &Environment) -> Vec<Probe> {
    thread::scope(|scope| {
        // Those that start a program or ask another one, at once.
        let bubblewrap = scope.spawn(|| bubblewrap(sandbox::test(search(env, None).as_deref())));
        let bus = scope.spawn(|| notifications(system::bus(env)));
        let mut probes = vec![git(git_version(target, env).as_deref())];
        probes.extend(target.and_then(|target| project::repository(target, env)));
        probes.extend(target.and_then(|target| project::agent_files(target, workspace, env)));
        let written = project::writable_workspace(workspace);
        let tried = written.as_ref().ok().copied();
        probes.push(self::workspace(workspace, written.map(drop)));
        let at = folders::resolved(workspace);
        probes.extend(
            system::filesystem(&at).map(|kind| filesystem(kind, tried.is_none_or(|tried| tried.locks))),
        );
        probes.extend(system::room(&at).map(disk));
        probes.extend(tried.map(|tried| clock(&Clock { newest: system::newest(workspace), ..tried.clock })));
        probes.extend(system::open_files().map(open_files));
        probes.extend(system::watches().map(watches));
        probes.extend(system::cgroups().map(|found| cgroups(&found)));
        probes.extend(system::namespaces().map(namespaces));
        probes.extend(bubblewrap.join().ok().flatten());
        probes.push(user(system::is_root()));
        probes.extend(bus.join().ok().flatten());
        probes.push(loopback(&system::loopback()));
        probes.push(proxy(env));
        probes
    })
}

/// Where programs of the system are looked for.
pub(super) fn search(env: &Environment, target: Option<&Path>) -> Option<OsString> {
    std::env::join_paths(discover::search_path(env, target)).ok()
}

/// A path as it is typed in a shell.
pub(crate) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
    if plain { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn git_version(target: Option<&Path>, env: &Environment) -> Option<String> {
    let git = which::which_in("git", search(env, target), "/").ok()?;
    answer(&git, &["--version"], env, Duration::from_secs(5))
}

/// `version`: what `git --version` said.
pub(super) fn git(version: Option<&str>) -> Probe {
    let install = "Install git 2.38 or newer: `apt install git`, `brew install git` or git-scm.com.";
    let Some(version) = version else {
        return probe("git", ProbeState::Problem, "git was not found, or does not run.", install);
    };
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let numbers: Vec<u64> =
        number.unwrap_or_default().split('.').map_while(|part| part.parse().ok()).take(2).collect();
    if numbers.len() < 2 {
        let text = format!("git --version said {:?}, which is no version.", domain::head(version, 100));
        return probe("git", ProbeState::Problem, text, install);
    }
    if numbers.as_slice() < GIT.as_slice() {
        return probe("git", ProbeState::Problem, format!("{version} is too old; 2.38 is needed."), install);
    }
    probe("git", ProbeState::Ok, format!("{version}."), "")
}

fn workspace(workspace: &Path, written: Result<(), domain::UserError>) -> Probe {
    let name = "workspace";
    if let Err(error) = written {
        return probe(name, ProbeState::Problem, error.message, error.hint);
    }
    let text = format!("Sessions are kept in {}.", workspace.display());
    if folders::is_inside(workspace, &std::env::temp_dir()) {
        let text = format!("{text} That is a temporary folder, which the system may empty.");
        return probe(name, ProbeState::Warning, text, "Choose another with --workspace DIR.");
    }
    probe(name, ProbeState::Ok, text, "")
}

/// Locks and fsync cannot be trusted on network file systems (RELIABILITY R16). `locks`: a second lock was refused.
pub(super) fn filesystem(kind: Filesystem, locks: bool) -> Probe {
    let fix = "Choose a folder on a local disk with --workspace DIR.";
    match kind {
        Filesystem::Remote(name) => {
            let text = format!("The workspace lies on {name}, where locks and syncing cannot be relied on.");
            probe("filesystem", ProbeState::Problem, text, fix)
        }
        Filesystem::Local if !locks => {
            let text = "The workspace's file system keeps no locks, so two programs could write one session.";
            probe("filesystem", ProbeState::Problem, text, fix)
        }
        Filesystem::Local => probe(
            "filesystem",
            ProbeState::Ok,
            "The workspace lies on a local disk, where locks and syncing work.",
            "",
        ),
    }
}

pub(super) fn disk(room: Room) -> Probe {
    let free = format!("{} MiB are free where sessions are kept", room.bytes >> 20);
    let fix = "Make room, or choose another disk with --workspace DIR.";
    if room.bytes < NO_BYTES {
        let text = format!("Only {free}; a session needs at least 200 MiB.");
        return probe("disk", ProbeState::Problem, text, fix);
    }
    if let Some(inodes) = room.inodes.filter(|inodes| *inodes < FEW_INODES) {
        let text = format!("{free}, but only {inodes} more files can be made; a worktree may not fit.");
        let state = if inodes < NO_INODES { ProbeState::Problem } else { ProbeState::Warning };
        return probe("disk", state, text, fix);
    }
    if room.bytes < FEW_BYTES {
        let text = format!("Only {free}; worktrees of a large project need more (2 GiB).");
        return probe("disk", ProbeState::Warning, text, fix);
    }
    probe("disk", ProbeState::Ok, format!("{free}."), "")
}

/// A wrong clock makes limits, waits for quota and the order in lists wrong; tools like make go by file times.
pub(super) fn clock(clock: &Clock) -> Probe {
    let fix = "Set the clock: `sudo timedatectl set-ntp true`, or your system's settings.";
    let apart = clock.now.abs_diff(clock.written);
    if SKEW < apart {
        let text = format!("The clock and the times of new files are {} s apart.", apart.as_secs());
        return probe("clock", ProbeState::Warning, text, fix);
    }
    if let Some(ahead) =
        clock.newest.and_then(|newest| newest.checked_sub(clock.now)).filter(|ahead| SKEW < *ahead)
    {
        let text =
            format!("The newest session lies {} s in the future: the clock was set back.", ahead.as_secs());
        return probe("clock", ProbeState::Warning, text, fix);
    }
    probe("clock", ProbeState::Ok, "The clock agrees with the times of files.", "")
}

pub(super) fn open_files(most: u64) -> Probe {
    if FEW_FILES <= most {
        return probe("open files", ProbeState::Ok, format!("{most} files may be open at once."), "");
    }
    let state = if most < NO_FILES { ProbeState::Problem } else { ProbeState::Warning };
    let text = format!("Only {most} files may be open at once; many workers need {FEW_FILES}.");
    probe("open files", state, text, format!("Run `ulimit -n {FEW_FILES}` before starting."))
}

/// The CLIs and the tools they start watch files.
pub(super) fn watches(found: Watches) -> Probe {
    let fix = "sudo sysctl fs.inotify.max_user_watches=524288 fs.inotify.max_user_instances=512";
    let Watches { folders, programs, left } = found;
    let text = format!("{folders} folders can be watched by {programs} programs at once");
    if !left {
        return probe("inotify", ProbeState::Warning, format!("{text}, and none is left."), fix);
    }
    let few = folders < 8_192 || programs < 128;
    let (state, fix) = if few { (ProbeState::Warning, fix) } else { (ProbeState::Ok, "") };
    probe("inotify", state, format!("{text}."), fix)
}

/// Whether memory and processes of a worker can be bounded by the kernel; else they are watched by polling.
pub(super) fn cgroups(found: &Cgroups) -> Probe {
    let fix = "Start in a delegated scope: systemd-run --user --scope -p Delegate=yes orchestrate …";
    match found {
        Cgroups::Writable { version, controllers } => {
            let text = format!("cgroup v{version} is ours to use for {}.", controllers.join(", "));
            probe("cgroups", ProbeState::Ok, text, "")
        }
        Cgroups::Refused { version } => {
            let text =
                format!("cgroup v{version} is not ours to use, so limits of workers are kept by polling.");
            probe("cgroups", ProbeState::Warning, text, fix)
        }
        Cgroups::None => {
            let text = "There are no cgroups, so limits of workers are kept by polling.";
            probe("cgroups", ProbeState::Warning, text, fix)
        }
    }
}

/// Without root, a sandbox needs user namespaces.
pub(super) fn namespaces(found: Namespaces) -> Probe {
    let name = "namespaces";
    if found.most == Some(0) {
        let text = "User namespaces are switched off, so no sandbox can be made without root.";
        return probe(name, ProbeState::Warning, text, "sudo sysctl user.max_user_namespaces=15000");
    }
    if found.unprivileged == Some(false) {
        let text = "User namespaces are kept for root, so no sandbox can be made.";
        return probe(name, ProbeState::Warning, text, "sudo sysctl kernel.unprivileged_userns_clone=1");
    }
    if found.apparmor {
        let text = "AppArmor restricts user namespaces, so a sandbox needs a profile for bwrap.";
        let fix = "sudo apt install apparmor-profiles && sudo ln -s /usr/share/apparmor/extra-profiles/bwrap-userns-restrict \
                   /etc/apparmor.d/ && sudo systemctl reload apparmor";
        return probe(name, ProbeState::Warning, text, fix);
    }
    probe(name, ProbeState::Ok, "User namespaces can be made.", "")
}

/// What the self-test of the sandbox came to: its version, or what is wrong.
pub(super) fn bubblewrap(test: Option<Result<String, String>>) -> Option<Probe> {
    let name = "bubblewrap";
    Some(match test? {
        Ok(version) => {
            let text =
                format!("{version} keeps writes inside, the network out, and dies with who started it.");
            probe(name, ProbeState::Ok, text, "")
        }
        Err(why) => {
            let fix = "Install it with `sudo apt install bubblewrap`; where user namespaces are off, switch them on.";
            probe(name, ProbeState::Warning, format!("The sandbox's self-test failed: {why}."), fix)
        }
    })
}

/// How far agents would be confined.
pub(super) fn sandbox(report: &SandboxReport) -> Probe {
    let name = "sandbox";
    if report.level == Level::L0 {
        let text =
            format!("Level L0: agents would run with all the rights you have: {}.", report.misses.join("; "));
        let fix =
            "Mend that, or give your consent for each session: --unsandboxed, or the field in the window.";
        return probe(name, ProbeState::Warning, text, fix);
    }
    let text = format!("Level {} by {}: {}.", report.level, report.by, report.level.words());
    probe(name, ProbeState::Ok, text, "")
}

pub(super) fn user(root: bool) -> Probe {
    if !root {
        return probe("user", ProbeState::Ok, "You are not root.", "");
    }
    probe(
        "user",
        ProbeState::Warning,
        "You are root, so agents would run as root: nothing on this machine would be out of their reach.",
        "Start the program as an ordinary user; to go on as root, give the consent --unsandboxed.",
    )
}

/// Notifications travel over the session bus on Linux; elsewhere the system always shows them.
pub(super) fn notifications(bus: Option<Bus>) -> Option<Probe> {
    let name = "notifications";
    let start = "Start from a desktop session, or with `dbus-run-session -- orchestrate …`.";
    Some(match bus? {
        Bus::Server(server) => probe(name, ProbeState::Ok, format!("{server} shows notifications."), ""),
        Bus::Unasked => {
            probe(name, ProbeState::Ok, "A session bus is there; the desktop shows notifications.", "")
        }
        Bus::None => {
            let text = "There is no D-Bus session bus, so blockers cannot be shown as notifications.";
            probe(name, ProbeState::Warning, text, start)
        }
        Bus::NoServer(why) => {
            let text =
                format!("The session bus has nobody who shows notifications: {}.", why.trim_end_matches('.'));
            let fix = "Start your desktop's notification service, for example `dunst`.";
            probe(name, ProbeState::Warning, text, fix)
        }
    })
}

/// Model servers on this machine, dashboards and tests talk over loopback.
pub(super) fn loopback(bound: &std::io::Result<()>) -> Probe {
    match bound {
        Ok(()) => probe(
            "loopback",
            ProbeState::Ok,
            "Programs of this machine can talk to each other over 127.0.0.1.",
            "",
        ),
        Err(error) => {
            let text = format!("127.0.0.1 cannot be used: {error}.");
            probe("loopback", ProbeState::Warning, text, "Bring it up: `sudo ip link set lo up`.")
        }
    }
}

/// Proxies are passed on to the agents; a wrong one looks to them like a network that is down.
pub(super) fn proxy(env: &Environment) -> Probe {
    let names = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let set: Vec<(&str, &str)> = names
        .into_iter()
        .filter_map(|name| Some((name, env.get(name)?.trim())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if set.is_empty() {
        return probe("proxy", ProbeState::Ok, "No proxy is set.", "");
    }
    // Values may hold passwords, so only names are told.
    if let Some((name, _)) = set.iter().find(|(_, value)| !is_proxy(value)) {
        let text =
            format!("{name} is set, but is no address of a proxy, so agents may not reach their servers.");
        let fix = format!("Set it to the form http://HOST:PORT, or `unset {name}`.");
        return probe("proxy", ProbeState::Warning, text, fix);
    }
    let names: Vec<&str> = set.into_iter().map(|(name, _)| name).collect();
    probe("proxy", ProbeState::Ok, format!("Agents go through the proxy of {}.", names.join(", ")), "")
}

/// `[scheme://][user:password@]host[:port][/]`.
pub(super) fn is_proxy(value: &str) -> bool {
    let schemes = ["http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"];
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", value));
    let rest = rest.trim_end_matches('/');
    let address = rest.rsplit_once('@').map_or(rest, |(_, address)| address);
    let port = address.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    let host = port.map_or(address, |port| &address[..address.len() - port.len() - 1]);
    let host_fine = !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._[]:".contains(c));
    schemes.contains(&scheme.to_ascii_lowercase().as_str())
        && host_fine
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| 0 < port))
}
