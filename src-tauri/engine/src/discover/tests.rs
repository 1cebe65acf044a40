use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

/// A shell script that can be run.
pub(super) fn script(dir: &Path, name: &str, body: &str) -> PathBuf {
    fs::create_dir_all(dir).unwrap();
    let path = dir.join(name);
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.canonicalize().unwrap()
}

/// A CLI that answers as the real one does.
fn good(dialect: Dialect, version: &str) -> String {
    let help = needs(dialect).required.join(" x\n  ");
    format!("case \"$*\" in --version) echo '{version}';; *--help) echo '  {help} x';; *) exit 9;; esac")
}

struct World {
    dir: tempfile::TempDir,
    settings: Settings,
    env: Environment,
}

impl World {
    /// A home folder and a PATH with nothing but a shell's tools.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let env = [("HOME", at("home")), ("PATH", format!("{}:{}:/usr/bin:/bin", at("one"), at("two")))];
        let env = env.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let mut settings = Settings::default();
        settings.agents.retain(|name, _| name.as_str() == "claude");
        Self { dir, settings, env }
    }

    fn script(&self, folder: &str, name: &str, body: &str) -> PathBuf {
        script(&self.dir.path().join(folder), name, body)
    }

    fn claude(&self, target: Option<&Path>) -> Found {
        agents(&self.settings, &self.env, target)
            .into_iter()
            .find(|found| found.name.as_str() == "claude")
            .unwrap()
    }

    fn program(&self, target: Option<&Path>) -> (Place, PathBuf) {
        let found = self.claude(target);
        (found.place.unwrap(), found.agent.unwrap().program.into())
    }
}

/// What becomes of a program that does this.
fn check(body: &str, expected: &str) {
    let world = World::new();
    let program = world.script("one", "claude", body);
    let problem = world.claude(None).agent.expect_err(body);
    let text = problem.to_string().replace(program.to_str().unwrap(), "claude");
    assert_eq!(text, expected, "{body}");
    assert!(!problem.fix(&"claude".into(), Dialect::Claude).is_empty());
}

#[test]
fn programs_that_are_no_agents() {
    check("exit 1", "claude --version failed with exit code 1: ");
    check(
        "echo >&2; echo 'no node here' >&2; exit 127",
        "claude --version failed with exit code 127: no node here",
    );
    check("kill -9 $$", "claude --version failed: ");
    check("echo hello", "claude answered --version with \"hello\", which is no version");
    check(
        "printf '\\033[31m\\377\\0rubbish'",
        "claude answered --version with \"[31m\u{fffd}rubbish\", which is no version",
    );
    check("true", "claude answered --version with \"\", which is no version");
    check(
        "case $1 in --version) echo 2.1.300;; *) echo '--print --verbose --output-format-x stream-json';; esac",
        "claude 2.1.300 does not know --output-format, --dangerously-skip-permissions, --strict-mcp-config, \
         --mcp-config, --add-dir, --setting-sources, --resume; it is too old or another program",
    );
}

/// The programs of a hanging CLI are gone when discovery has given up on it.
#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let world = World::new();
    let pids = world.dir.path().join("pids");
    world.script("one", "claude", &format!("echo $$ >>{0}; sleep 300 & echo $! >>{0}; wait", pids.display()));
    let problem = world.claude(None).agent.unwrap_err();
    assert!(matches!(problem, AgentProblem::Hung { question: "--version", .. }), "{problem}");
    for pid in fs::read_to_string(&pids).unwrap().lines() {
        let alive = || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while alive() && std::time::Instant::now() < deadline {
            thread::yield_now();
        }
        assert!(!alive(), "{pid} still runs");
    }
}

#[test]
fn where_a_program_is_found() {
    let mut world = World::new();
    assert!(matches!(world.claude(None).agent, Err(AgentProblem::NotFound { .. })));
    let body = good(Dialect::Claude, "2.1.329 (Claude Code)");
    let usual = world.script("home/.local/bin", "claude", &body);
    assert_eq!(world.program(None), (Place::UsualFolder, usual));
    let second = world.script("two", "claude", &body);
    assert_eq!(world.program(None), (Place::Path, second.clone()));
    let first = world.script("one", "claude", &body);
    assert_eq!(world.program(None), (Place::Path, first));
    world.settings.agents.get_mut(&"claude".into()).unwrap().command =
        Some(second.to_str().unwrap().to_owned());
    assert_eq!(world.program(None), (Place::Settings, second));
    world.settings.agents.get_mut(&"claude".into()).unwrap().command = Some("~/.local/bin/claude".to_owned());
    assert_eq!(world.program(None).0, Place::Settings);
    for wrong in ["/nowhere/claude", "claude-of-mine", "./claude"] {
        world.settings.agents.get_mut(&"claude".into()).unwrap().command = Some(wrong.to_owned());
        assert!(matches!(world.claude(None).agent, Err(AgentProblem::NamedNotFound { .. })), "{wrong}");
    }
}

#[test]
fn version_managers_give_their_newest() {
    let world = World::new();
    let body = good(Dialect::Claude, "2.1.329");
    world.script("home/.nvm/versions/node/v9.9.9/bin", "claude", &body);
    let newest = world.script("home/.nvm/versions/node/v22.1.0/bin", "claude", &body);
    assert_eq!(world.program(None), (Place::UsualFolder, newest));
}

#[test]
fn a_broken_installation_gives_way_to_a_good_one() {
    let world = World::new();
    world.script("one", "claude", "exit 3");
    let second = world.script("two", "claude", &good(Dialect::Claude, "2.1.329"));
    let found = world.claude(None);
    assert_eq!(found.agent.unwrap().program, second.to_str().unwrap());
    assert!(found.warnings[0].contains("passed over"), "{:?}", found.warnings);
}

/// THREATS T26: a repository brings its own `claude`, by every way onto the PATH.
#[test]
fn nothing_inside_the_project_is_run() {
    let mut world = World::new();
    let target = world.dir.path().join("project");
    let bin = target.join("node_modules/.bin");
    let mark = world.dir.path().join("mark");
    let body = format!("touch {}; {}", mark.display(), good(Dialect::Claude, "2.1.329"));
    let evil = script(&bin, "claude", &body);
    let paths = [
        "node_modules/.bin".to_owned(),
        ".".to_owned(),
        bin.to_str().unwrap().to_owned(),
        "/usr/bin:/bin".to_owned(),
    ];
    world.env.insert("PATH".to_owned(), paths.join(":"));
    let problem = world.claude(Some(&target)).agent.unwrap_err();
    assert_eq!(problem, AgentProblem::InsideTarget(bin.join("claude")));

    let link = world.dir.path().join("one");
    fs::create_dir_all(&link).unwrap();
    std::os::unix::fs::symlink(&evil, link.join("claude")).unwrap();
    world.env.insert("PATH".to_owned(), format!("{}:/usr/bin:/bin", link.display()));
    let problem = world.claude(Some(&target)).agent.unwrap_err();
    assert_eq!(
        problem,
        AgentProblem::InsideTarget(link.join("claude")),
        "a link that leads into the project"
    );

    world.settings.agents.get_mut(&"claude".into()).unwrap().command =
        Some(evil.to_str().unwrap().to_owned());
    assert!(matches!(world.claude(Some(&target)).agent, Err(AgentProblem::InsideTarget(_))));
    world.settings.agents.get_mut(&"claude".into()).unwrap().command = None;

    let outside = world.script("two", "claude", &good(Dialect::Claude, "2.1.329"));
    let two = outside.parent().unwrap().to_str().unwrap();
    world.env.insert("PATH".to_owned(), format!("{}:{two}:/usr/bin:/bin", bin.display()));
    assert_eq!(world.program(Some(&target)).1, outside, "the next one on the PATH is taken");
    let path = for_agents(&world.env, Some(&target))["PATH"].clone();
    assert!(
        std::env::split_paths(&path).all(|folder| folder.is_absolute() && !folder.starts_with(&target)),
        "{path}"
    );
    assert!(path.starts_with(two), "{path}");
    assert!(!mark.exists(), "a program of the project was run");
}

#[test]
fn the_native_binary_instead_of_its_launcher() {
    let check = |dialect: Dialect, launcher: &str, native: &str| {
        let (Some(os), Some(arch)) = (search::system(), search::machine()) else { return };
        let native = native.replace("SYSTEM", &format!("{os}-{arch}"));
        let world = World::new();
        let launcher = {
            let path = Path::new("modules").join(launcher);
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            world.script(path.parent().unwrap().to_str().unwrap(), &name, "exit 1")
        };
        let folder = Path::new("modules").join(&native);
        let name = folder.file_name().unwrap().to_str().unwrap();
        let native = world.script(folder.parent().unwrap().to_str().unwrap(), name, &good(dialect, "1.2.3"));
        let link = world.dir.path().join("one").join(dialect.as_str());
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&launcher, &link).unwrap();
        let settings = Settings {
            agents: [(dialect.as_str().into(), AgentSettings::of(dialect))].into(),
            ..Settings::default()
        };
        let found = agents(&settings, &world.env, None).remove(0);
        assert_eq!(found.found_at.as_deref(), Some(link.as_path()));
        assert_eq!(found.agent.unwrap().program, native.to_str().unwrap());
    };
    let codex = "node_modules/@openai/codex/bin/codex.js";
    check(Dialect::Codex, codex, "node_modules/@openai/codex-SYSTEM/vendor/some-triple/bin/codex");
    check(
        Dialect::Codex,
        codex,
        "node_modules/@openai/codex/node_modules/@openai/codex-SYSTEM/vendor/t/codex/codex",
    );
    let claude = "node_modules/@anthropic-ai/claude-code/bin/claude.exe";
    check(Dialect::Claude, claude, "node_modules/@anthropic-ai/claude-code-SYSTEM/claude");
    check(Dialect::Claude, claude, "node_modules/@anthropic-ai/claude-code-SYSTEM-musl/claude");
}

#[test]
fn a_version_that_was_not_tested_warns() {
    let world = World::new();
    world.script("one", "claude", &good(Dialect::Claude, "9.0.0 (Claude Code)"));
    let found = world.claude(None);
    assert!(found.agent.is_ok());
    assert!(found.warnings[0].starts_with("Claude 9.0.0 is newer"), "{:?}", found.warnings);
}

#[test]
fn switched_off_is_not_looked_for() {
    let mut world = World::new();
    world.script("one", "claude", "exit 1");
    world.settings.agents.get_mut(&"claude".into()).unwrap().enabled = false;
    assert_eq!(world.claude(None).agent, Err(AgentProblem::Disabled));
}
