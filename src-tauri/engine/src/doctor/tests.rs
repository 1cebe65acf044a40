use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use super::{
    agents::{sign_in, vendors},
    machine::{
        cgroups, clock, disk, filesystem, git, is_proxy, loopback, namespaces, notifications, open_files,
        proxy, user, watches,
    },
    project::{usable_target, writable_workspace},
    system::{Bus, Cgroups, Clock, Filesystem, Namespaces, Room, Watches},
    *,
};
use crate::discover::{Found, Place, SignedIn};

fn info(name: &str, dialect: Dialect) -> AgentInfo {
    AgentInfo {
        name: name.into(),
        dialect,
        program: format!("/opt/{name}"),
        leading_args: Vec::new(),
        version: "1.2.3".to_owned(),
        demo: false,
    }
}

fn state(probe: Probe, expected: ProbeState, text: &str) {
    assert_eq!(probe.state, expected, "{probe:?}");
    assert!(probe.text.contains(text), "{probe:?}");
    assert_eq!(probe.state == ProbeState::Ok, probe.fix.is_empty(), "{probe:?}");
}

#[test]
fn git_versions() {
    state(git(Some("git version 2.47.3")), ProbeState::Ok, "2.47.3");
    state(git(Some("git version 2.39.5 (Apple Git-154)")), ProbeState::Ok, "2.39.5");
    state(git(Some("git version 2.38.0.windows.1")), ProbeState::Ok, "2.38");
    state(git(Some("git version 2.37.9")), ProbeState::Problem, "too old");
    state(git(Some("git version 1.99")), ProbeState::Problem, "too old");
    state(git(Some("git version 10.0")), ProbeState::Ok, "10.0");
    state(git(Some("hello")), ProbeState::Problem, "no version");
    state(git(None), ProbeState::Problem, "not found");
}

#[test]
fn room_on_the_disk() {
    let room = |bytes, inodes| disk(Room { bytes, inodes });
    state(room(3 << 30, Some(1 << 20)), ProbeState::Ok, "3072 MiB");
    state(room(3 << 30, None), ProbeState::Ok, "3072 MiB");
    state(room((2 << 30) - 1, None), ProbeState::Warning, "Only 2047 MiB");
    state(room((200 << 20) - 1, None), ProbeState::Problem, "Only 199 MiB");
}

#[test]
fn inodes_on_the_disk() {
    let room = |bytes, inodes| disk(Room { bytes, inodes });
    state(room(3 << 30, Some(49_999)), ProbeState::Warning, "only 49999 more files");
    state(room(3 << 30, Some(1_999)), ProbeState::Problem, "only 1999 more files");
}

#[test]
fn limits_of_the_system() {
    state(open_files(64), ProbeState::Problem, "Only 64");
    state(open_files(1024), ProbeState::Warning, "Only 1024");
    state(open_files(4096), ProbeState::Ok, "4096");
    let inotify = |folders, programs, left| watches(Watches { folders, programs, left });
    state(inotify(65_536, 128, true), ProbeState::Ok, "65536 folders");
    state(inotify(8_191, 128, true), ProbeState::Warning, "8191 folders");
    state(inotify(65_536, 127, true), ProbeState::Warning, "127 programs");
    state(inotify(65_536, 128, false), ProbeState::Warning, "none is left");
    state(user(false), ProbeState::Ok, "not root");
    state(user(true), ProbeState::Warning, "root");
}

/// The numbers of `statfs(2)` and what lies behind them.
#[test]
fn file_systems() {
    let check = |magic: u64, expected: Option<&str>| {
        let probe = filesystem(system::kind(magic), true);
        match expected {
            None => state(probe, ProbeState::Ok, "local disk"),
            Some(name) => state(probe, ProbeState::Problem, name),
        }
    };
    for local in [0xEF53, 0x0102_1994, 0x9123_683E, 0x5846_5342, 0x794C_7630, 0x2FC1_2FC1, 0x4D44] {
        check(local, None); // ext4, tmpfs, btrfs, xfs, overlayfs, zfs, vfat
    }
    check(0x6969, Some("NFS"));
    check(0x6573_5546, Some("FUSE"));
    check(0xFF53_4D42, Some("SMB"));
    check(0xFE53_4D42, Some("SMB"));
    check(0x0102_1997, Some("9P"));
    check(0x00C3_6400, Some("Ceph"));
    check(0x6B41_4653, Some("AFS"));
    check(0x0BD0_0BD0, Some("Lustre"));
    state(filesystem(Filesystem::Local, false), ProbeState::Problem, "no locks");
}

#[test]
fn clocks() {
    let check = |now: u64, written: u64, newest: Option<u64>, expected: Option<&str>| {
        let seconds = Duration::from_secs;
        let probe =
            clock(&Clock { now: seconds(now), written: seconds(written), newest: newest.map(seconds) });
        match expected {
            None => state(probe, ProbeState::Ok, "agrees"),
            Some(text) => state(probe, ProbeState::Warning, text),
        }
    };
    check(1_000, 1_000, None, None);
    check(1_000, 998, Some(500), None);
    check(1_000, 1_002, Some(1_000), None);
    check(1_000, 8_200, None, Some("7200 s apart"));
    check(8_200, 1_000, None, Some("7200 s apart"));
    check(1_000, 1_000, Some(1_060), Some("60 s in the future"));
}

#[test]
fn namespaces_and_their_switches() {
    let check = |found: Namespaces, expected: Option<&str>| match expected {
        None => state(namespaces(found), ProbeState::Ok, "can be made"),
        Some(text) => state(namespaces(found), ProbeState::Warning, text),
    };
    check(Namespaces::default(), None);
    let most = Some(96_365);
    check(Namespaces { most, unprivileged: Some(true), apparmor: false }, None);
    check(Namespaces { most: Some(0), ..Namespaces::default() }, Some("switched off"));
    check(Namespaces { most, unprivileged: Some(false), apparmor: false }, Some("kept for root"));
    check(Namespaces { most, unprivileged: None, apparmor: true }, Some("AppArmor"));
}

/// What `/proc/self/cgroup` and `/proc/self/mounts` say, which folders may be written to, and what follows.
#[test]
fn cgroups_of_both_versions() {
    let check = |own: &str, mounts: &str, writable: &str, expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join("v2/user/scope")).unwrap();
        fs::write(at.join("v2/user/scope/cgroup.controllers"), "cpuset cpu io memory pids\n").unwrap();
        fs::create_dir_all(at.join("memory/own")).unwrap();
        fs::create_dir_all(at.join("pids")).unwrap();
        let mounts = mounts.replace('@', &at.to_string_lossy());
        let found = system::cgroups_of(own, &mounts, &|place| {
            !writable.is_empty() && place.starts_with(at.join(writable.trim_start_matches('.')))
        });
        let probe = cgroups(&found);
        assert_eq!(probe.state == ProbeState::Ok, matches!(found, Cgroups::Writable { .. }));
        state(probe.clone(), probe.state, expected);
    };
    let two = "none @/v2 cgroup2 rw,relatime 0 0\n";
    check("0::/user/scope\n", two, ".", "cgroup v2 is ours to use for cpu, memory, pids.");
    check("0::/user/scope\n", two, "", "cgroup v2 is not ours");
    check("0::/user/scope\n", "", ".", "There are no cgroups");
    check("", "", ".", "There are no cgroups");
    let one = "cgroup @/memory cgroup rw,memory 0 0\ncgroup @/pids cgroup rw,pids 0 0\n";
    check("4:memory:/own\n8:pids:/the/hosts\n0::/\n", one, ".", "cgroup v1 is ours to use for memory, pids.");
    check("4:memory:/own\n8:pids:/\n", one, "memory/own", "cgroup v1 is ours to use for memory.");
    check("4:memory:/own\n", one, "", "cgroup v1 is not ours");
}

#[test]
fn notifications_need_a_bus_and_a_server() {
    let check = |bus: Bus, expected: Option<&str>| {
        let probe = notifications(Some(bus)).unwrap();
        match expected {
            None => state(probe, ProbeState::Ok, "notifications"),
            Some(text) => state(probe, ProbeState::Warning, text),
        }
    };
    check(Bus::Server("dunst".to_owned()), None);
    check(Bus::Unasked, None);
    check(Bus::None, Some("no D-Bus"));
    check(
        Bus::NoServer("not activatable.".to_owned()),
        Some("nobody who shows notifications: not activatable."),
    );
    assert!(notifications(None).is_none());
    let bus = |env: &[(&str, &str)]| {
        system::bus(&env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    };
    if cfg!(target_os = "linux") {
        assert_eq!(bus(&[]), Some(Bus::None));
        assert_eq!(bus(&[("DBUS_SESSION_BUS_ADDRESS", "unix:path=/gone,guid=1")]), Some(Bus::None));
        assert_eq!(bus(&[("DBUS_SESSION_BUS_ADDRESS", "unix:abstract=/x")]), Some(Bus::Unasked));
    }
}

#[test]
fn proxies() {
    let check = |value: &str, fine: bool| {
        assert_eq!(is_proxy(value), fine, "{value}");
        let env: Environment = [("HTTPS_PROXY".to_owned(), value.to_owned())].into();
        let probe = proxy(&env);
        assert!(!format!("{probe:?}").contains("secret"), "{probe:?}");
        state(probe, if fine { ProbeState::Ok } else { ProbeState::Warning }, "HTTPS_PROXY");
    };
    check("http://proxy.example:3128", true);
    check("proxy.example:3128", true);
    check("http://me:secret@10.0.0.1:8080/", true);
    check("socks5h://[::1]:1080", true);
    check("https://proxy", true);
    check("not a proxy", false);
    check("http://", false);
    check("http://proxy:0", false);
    check("http://proxy:99999", false);
    check("ftp://proxy:21", false);
    state(proxy(&Environment::new()), ProbeState::Ok, "No proxy");
    state(proxy(&[("http_proxy".to_owned(), "  ".to_owned())].into()), ProbeState::Ok, "No proxy");
    state(loopback(&Ok(())), ProbeState::Ok, "127.0.0.1");
    state(loopback(&Err(io::ErrorKind::AddrNotAvailable.into())), ProbeState::Warning, "127.0.0.1");
}

/// Who is signed in, of those that can work.
#[test]
fn sign_ins() {
    let found = |name: &str, works: bool, signed_in: SignedIn| Found {
        name: name.into(),
        dialect: Dialect::Claude,
        agent: if works { Ok(info(name, Dialect::Claude)) } else { Err(discover::AgentProblem::Disabled) },
        place: Some(Place::Path),
        found_at: None,
        hash: None,
        signed_in,
        warnings: Vec::new(),
    };
    let yes = || SignedIn::Yes("a key".to_owned());
    state(
        sign_in(&[found("one", true, yes()), found("two", true, yes())]),
        ProbeState::Ok,
        "one: a key; two: a key.",
    );
    state(sign_in(&[found("one", true, SignedIn::Unknown)]), ProbeState::Warning, "one: no trace");
    state(
        sign_in(&[found("one", true, yes()), found("two", false, SignedIn::Unknown)]),
        ProbeState::Ok,
        "one: a key.",
    );
    state(sign_in(&[found("one", false, yes())]), ProbeState::Warning, "no agent");
}

/// A program as the search path has it.
fn stub(folder: &Path, name: &str, body: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What the whole report says of one thing, with a search path of stubs before, or instead of, the real programs.
#[test]
fn programs_that_are_missing_old_or_broken() {
    let check = |stubs: &[(&str, &str)], alone: bool, name: &str, expected: (ProbeState, &str)| {
        let dir = tempfile::tempdir().unwrap();
        stubs.iter().for_each(|(name, body)| stub(dir.path(), name, body));
        let own = dir.path().to_str().unwrap();
        let path = if alone { own.to_owned() } else { format!("{own}:/usr/bin:/bin") };
        let env: Environment = [("HOME".to_owned(), own.to_owned()), ("PATH".to_owned(), path)].into();
        let probes = machine::probes(&dir.path().join("work"), None, &env);
        let found = probes.into_iter().find(|probe| probe.name == name).unwrap();
        state(found, expected.0, expected.1);
    };
    check(&[("git", "echo git version 2.20.1")], false, "git", (ProbeState::Problem, "2.20.1 is too old"));
    check(&[("git", "exit 1")], false, "git", (ProbeState::Problem, "not found, or does not run"));
    check(&[("git", "echo hello")], false, "git", (ProbeState::Problem, "no version"));
    if cfg!(target_os = "linux") {
        let warned = |text| (ProbeState::Warning, text);
        check(&[("bwrap", "exit 1")], false, "bubblewrap", warned("self-test failed"));
        check(
            &[("bwrap", "echo 'bwrap: no namespaces' >&2; exit 1")],
            false,
            "bubblewrap",
            warned("no namespaces"),
        );
        // One that only pretends: everything runs outside.
        let pretends = "while [ \"$1\" != -- ]; do [ \"$1\" = --version ] && exec echo 9; shift; done; shift; exec \"$@\"";
        check(&[("bwrap", pretends)], false, "bubblewrap", warned("it can write outside"));
        check(&[("bwrap", "sleep 10")], false, "bubblewrap", warned("did not end"));
    }
}

/// Repositories as they may be found; `prepare` is a shell script in the project's folder.
#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
fn repositories() {
    let check = |prepare: &str, expected: ProbeState, text: &str| {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap().to_owned();
        let project = dir.path().join("project");
        fs::create_dir(&project).unwrap();
        let mut shell = std::process::Command::new("sh");
        let commit = "git init -q -b main .; c() { echo $1 >f; git add f; git commit -qm $1; }; c one";
        let names = ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"];
        shell.args(["-c", &prepare.replace("BEGIN", commit)]).current_dir(&project).env("HOME", &home);
        shell.envs(names.map(|name| (name, "t@example.invalid"))).stdout(std::process::Stdio::null());
        let _ = shell.stderr(std::process::Stdio::null()).status().unwrap(); // a conflict is no success
        let path = std::env::var("PATH").unwrap();
        let env: Environment = [("HOME".to_owned(), home), ("PATH".to_owned(), path)].into();
        state(project::repository(&project, &env).unwrap(), expected, text);
    };
    let problem = ProbeState::Problem;
    check("BEGIN", ProbeState::Ok, "sane git repository");
    check("true", ProbeState::Ok, "no git repository");
    check("git init -q --bare .", problem, "without working files");
    check("git init -q .", problem, "no commit yet");
    check("BEGIN; : >.git/index.lock", problem, "index.lock is there");
    let split = "BEGIN; git checkout -qb other; c two; git checkout -q main; c three; ";
    check(&format!("{split} git rebase other"), problem, "rebase is in progress");
    check(&format!("{split} git merge other"), problem, "merge is in progress");
    check(&format!("{split} git cherry-pick other"), problem, "cherry-pick is in progress");
    check("BEGIN; rm .git/HEAD", problem, ".git");
    if system::is_root() {
        check("BEGIN; chown -R 65534 .", problem, "dubious ownership");
    } else {
        eprintln!("skipped: only root can give a repository to somebody else");
    }
}

#[test]
fn vendors_are_counted_not_agents() {
    let (claude, codex) = (info("claude", Dialect::Claude), info("codex", Dialect::Codex));
    let gemini = info("gemini", Dialect::Gemini);
    state(vendors(&[]), ProbeState::Problem, "No agent");
    state(
        vendors(&[claude.clone(), info("second", Dialect::Claude)]),
        ProbeState::Warning,
        "(claude, second)",
    );
    state(vendors(&[claude.clone(), codex.clone()]), ProbeState::Ok, "two vendors");
    state(vendors(&[claude, codex, gemini]), ProbeState::Ok, "three vendors");
}

/// Prompts: what is refused, by a word of the message.
#[test]
fn prompts() {
    let check = |goal: &str, expected: Option<&str>| {
        let refused = check_goal(goal).err();
        assert_eq!(refused.is_some(), expected.is_some());
        if let (Some(error), Some(expected)) = (refused, expected) {
            assert_eq!(error.code, ErrorCode::Usage);
            assert!(error.message.contains(expected) && !error.hint.is_empty(), "{error:?}");
        }
    };
    check("mend the bug", None);
    check(" \n\t", Some("empty"));
    check(&"x".repeat(MOST_GOAL_BYTES), None);
    check(&"x".repeat(MOST_GOAL_BYTES + 1), Some("1 MiB"));
    check("a\0b", Some("NUL"));
}

/// Folders, in a fresh folder that holds `project/` and the file `file`; what is refused, by a word of the message.
#[test]
fn target_and_workspace() {
    let check = |target: &str, workspace: &str, expected: Option<(ErrorCode, &str)>| {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("project/inner")).unwrap();
        fs::create_dir_all(dir.path().join("sessions/one")).unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("sessions"), dir.path().join("link")).unwrap();
        let outcome = folders(&dir.path().join(target), &dir.path().join(workspace));
        match expected {
            None => {
                let both = outcome.unwrap();
                assert_eq!(both.target, dir.path().join(target).canonicalize().unwrap());
                assert!(both.workspace.is_dir());
            }
            Some((code, text)) => {
                let error = outcome.expect_err(target);
                assert_eq!(error.code, code, "{error:?}");
                assert!(error.message.contains(text) && !error.hint.is_empty(), "{error:?}");
            }
        }
    };
    let usage = |text| Some((ErrorCode::Usage, text));
    check("project", "new/sessions", None);
    check("project", "project2", None);
    check("none", "sessions", usage("not there"));
    check("file", "sessions", usage("not a folder"));
    check("sessions/one", "sessions", usage("inside the workspace"));
    check("sessions", "sessions", usage("inside the workspace"));
    check("link/one", "sessions", usage("inside the workspace"));
    check("project", "project/inner/.sessions", usage("inside the project"));
    check("/", "sessions", usage("root folder"));
    check("project", "file", Some((ErrorCode::Preflight, "cannot be written to")));
    check("project", "file/below", Some((ErrorCode::Preflight, "cannot be written to")));
    check("project", "/proc/none", Some((ErrorCode::Preflight, "cannot be written to")));
}

#[test]
fn home_is_no_project() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("ada");
    fs::create_dir_all(home.join("project")).unwrap();
    for target in [&home, &dir.path().to_owned()] {
        let error = usable_target(target, Some(&home)).unwrap_err();
        assert!(error.message.contains("home folder"), "{error:?}");
    }
    usable_target(&home.join("project"), Some(&home)).unwrap();
}

/// Rights bind everybody but root, so root asks for a file system that nobody can write to.
#[test]
fn a_project_that_cannot_be_written_to() {
    if system::is_root() {
        let error = system::may_write(Path::new("/proc/1/none")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let error = usable_target(dir.path(), None).unwrap_err();
    assert!(error.message.contains("cannot be written to"), "{error:?}");
}

#[test]
fn a_workspace_is_made_for_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = dir.path().join("a/b");
    writable_workspace(&workspace).unwrap();
    assert_eq!(fs::metadata(&workspace).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_dir(&workspace).unwrap().count(), 0, "the probe was left behind");
}

/// Go or no-go, from a report.
#[test]
fn what_keeps_a_session_from_beginning() {
    let judged = |of_agents: Vec<Probe>, of_machine: Vec<Probe>, agents: &[AgentInfo]| {
        let both = Folders { target: "/p".into(), workspace: "/w".into() };
        let sign_in = probe("sign-in", ProbeState::Ok, "", "");
        judge(Report { of_agents, sign_in, of_machine, agents: agents.to_vec() }, both, false)
    };
    let claude = [info("claude", Dialect::Claude)];
    let absent = probe("codex", ProbeState::Warning, "codex was not found.", "Install it.");
    let broken = probe("gemini", ProbeState::Problem, "gemini did not answer.", "Install it anew.");
    let consent = probe("sandbox", ProbeState::Warning, "Level 0.", "Consent.");

    let go = judged(vec![absent.clone(), broken.clone()], vec![consent], &claude).unwrap();
    assert_eq!(go.agents, claude);
    assert_eq!(go.warnings[..2], ["codex: codex was not found.", "gemini: gemini did not answer."]);
    assert!(go.warnings[2].contains("nobody independent") && go.warnings.len() == 3, "{:?}", go.warnings);

    let none = judged(vec![absent, broken], Vec::new(), &[]).unwrap_err();
    assert_eq!(none.code, ErrorCode::Preflight);
    assert_eq!(none.message, "No agent can work: codex was not found; gemini did not answer.");
    for dialect in Dialect::ALL {
        assert!(none.hint.contains(discover::install(dialect)), "{none:?}");
    }

    let no_git = judged(Vec::new(), vec![git(None)], &claude).unwrap_err();
    assert_eq!(
        (no_git.code, no_git.message.as_str()),
        (ErrorCode::Preflight, "git was not found, or does not run.")
    );
}

/// The whole report on a machine with one good agent, one that hangs at nothing, and an empty home.
#[test]
fn a_checkup_has_a_line_for_everything() {
    let dir = tempfile::tempdir().unwrap();
    let env: Environment = [("HOME", dir.path().to_str().unwrap()), ("PATH", "/usr/bin:/bin")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
    let mut settings = Settings::default();
    for agent in settings.agents.values_mut() {
        agent.command = Some("/nowhere/at/all".to_owned());
    }
    let mut report = super::probes(&settings, &dir.path().join("sessions"), None, &env);
    assert!(report.agents.is_empty());
    let misses = vec!["bwrap was not found".to_owned()];
    super::add_sandbox(&mut report.probes, &domain::SandboxReport { misses, ..Default::default() });
    let names: Vec<&str> = report.probes.iter().map(|probe| probe.name.as_str()).collect();
    let agents = ["claude", "codex", "gemini"];
    assert!(names.starts_with(&agents), "{names:?}");
    if cfg!(target_os = "linux") {
        let mut wanted: Vec<&str> =
            PROBES.into_iter().filter(|name| !["repository", "agent files"].contains(name)).collect();
        wanted.remove(0);
        assert_eq!(&names[agents.len()..], wanted);
    }
    for Probe { name, state, text, fix } in &report.probes {
        assert_eq!(*state == ProbeState::Ok, fix.is_empty(), "{name}: {fix}");
        assert!(text.ends_with('.'), "{name}: {text}");
    }
    let error = preflight(
        "x",
        &{
            fs::create_dir(dir.path().join("p")).unwrap();
            dir.path().join("p")
        },
        &dir.path().join("sessions"),
        &settings,
        &env,
    )
    .unwrap_err();
    assert_eq!(error.code, ErrorCode::Preflight, "{error:?}");
}
