use std::os::unix::fs::PermissionsExt as _;

use super::*;

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
    state(room(3 << 30, Some(10)), ProbeState::Warning, "only 10 more files");
    state(room((200 << 20) - 1, None), ProbeState::Problem, "Only 199 MiB");
}

#[test]
fn other_facts() {
    state(open_files(64), ProbeState::Warning, "Only 64");
    state(open_files(4096), ProbeState::Ok, "4096");
    assert!(user(false).is_none());
    state(user(true).unwrap(), ProbeState::Warning, "root");
    assert!(filesystem(Filesystem::Local).is_none());
    state(filesystem(Filesystem::Remote("NFS")).unwrap(), ProbeState::Problem, "NFS");
    let bus = |env: &[(&str, &str)]| {
        let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        system::notifications(&env)
    };
    if cfg!(target_os = "linux") {
        state(bus(&[]).unwrap(), ProbeState::Warning, "no D-Bus");
        state(
            bus(&[("DBUS_SESSION_BUS_ADDRESS", "unix:path=/gone,guid=1")]).unwrap(),
            ProbeState::Warning,
            "no D-Bus",
        );
        state(
            bus(&[("DBUS_SESSION_BUS_ADDRESS", "unix:abstract=/x")]).unwrap(),
            ProbeState::Ok,
            "session bus",
        );
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
        judge(Report { of_agents, of_machine, agents: agents.to_vec() }, both, false)
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
    let report = probes(&settings, &dir.path().join("sessions"), None, &env);
    assert!(report.agents.is_empty());
    let names: Vec<&str> = report.probes.iter().map(|probe| probe.name.as_str()).collect();
    for name in ["claude", "codex", "gemini", "vendors", "git", "workspace", "disk", "sandbox", "open files"]
    {
        assert!(names.contains(&name), "{names:?}");
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
