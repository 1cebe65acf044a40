#![cfg(unix)]

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::*;

/// A program called `git` that is a shell script.
fn pretend(folder: &Path, script: &str) -> OsString {
    let path = folder.join("git");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    folder.as_os_str().to_owned()
}

#[test]
fn git_must_be_there_and_new_enough() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Git::find_in(folder.path().as_os_str()), Err(GitError::NotFound)));
    assert!(matches!(Git::find_in(OsStr::new("relative:.")), Err(GitError::NotFound)));
    let check = |said: &str, good: bool| {
        let path = pretend(folder.path(), &format!("[ \"$1\" = --version ] && echo '{said}'"));
        match Git::find_in(&path) {
            Ok(git) => assert!(good, "{said}: {}", git.version()),
            Err(GitError::TooOld { found }) => assert!(!good && found == said, "{said}"),
            Err(fault) => panic!("{fault}"),
        }
    };
    check("git version 2.38.0", true);
    check("git version 2.50.1 (Apple Git-155)", true);
    check("git version 3.0.0.rc1", true);
    check("git version 2.37.9", false);
    check("git version 1.99", false);
    check("something else", false);
    check("", false);
}

#[test]
fn the_users_name_and_harmless_settings_are_read_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"case "$*" in
--version) echo 'git version 2.47.3';;
*--global*) printf 'user.name\nJörg\0core.AutoCRLF\ntrue\0core.pager\nevil\0core.hookspath\n/evil\0safe.directory\n/x\0';;
*--system*) printf 'user.name\nNobody\0filter.evil.clean\nevil\0';;
esac"#;
    let git = Git::find_in(&pretend(folder.path(), script)).unwrap();
    assert_eq!(git.identity(), ("Jörg", "orchestrator@localhost"));
    let kept: Vec<(&str, &str)> =
        git.found.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(kept, [("core.autocrlf", "true"), ("safe.directory", "/x")]);
}

#[test]
fn answers_are_bounded_and_failures_carry_gits_words() {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"case "$1" in
--version) echo 'git version 2.47.3';;
config) exit 1;;
long) i=0; while [ $i -lt 5000 ]; do echo 0123456789; i=$((i + 1)); done;;
noisy) i=0; while [ $i -lt 9000 ]; do echo 0123456789 >&2; i=$((i + 1)); done; echo done;;
fails) echo out; echo '  no such thing  ' >&2; exit 7;;
env) env;;
cat) cat;;
esac"#;
    let git = Git::find_in(&pretend(folder.path(), script)).unwrap();
    let here = Repository::around(&git, folder.path());
    assert!(matches!(here.call("long").most(1_000).run(), Err(GitError::TooMuch { most: 1_000, .. })));
    let cut = here.call("long").cut_at(1_000).run().unwrap();
    assert_eq!((cut.stdout.len(), cut.cut), (1_000, true));
    assert_eq!(here.call("noisy").text().unwrap(), "done");
    match here.call("fails").run() {
        Err(fault @ GitError::Failed { status: Some(7), .. }) => assert_eq!(fault.said(), "no such thing"),
        other => panic!("{other:?}"),
    }
    assert_eq!(here.call("fails").or(7).run().unwrap().status, 7);
    let long = "line\n".repeat(100_000);
    assert_eq!(here.call("cat").input(long.clone()).run().unwrap().stdout, long.as_bytes());
    let environment = here.call("env").text().unwrap();
    let names: Vec<&str> =
        environment.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(!names.iter().any(|name| name.starts_with("CARGO") || *name == "GIT_DIR"), "{names:?}");
    for expected in ["GIT_CONFIG_GLOBAL=/dev/null", "GIT_ALLOW_PROTOCOL=none", "GIT_TERMINAL_PROMPT=0"] {
        assert!(environment.lines().any(|line| line == expected), "{expected}");
    }
}
