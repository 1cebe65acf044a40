//! What a session may begin with: a sandbox that holds, or the user's consent for this session. Never silently, least of all
//! as root.
//!
//! A sandbox is taken away by one from outside: below a Landlock, nothing can be mounted, so bubblewrap fails; below sixteen,
//! the kernel takes no further one, so Landlock fails too.

use std::fs;
use std::process::Command;

use acceptance::clis::{eprint, orchestrate};
use domain::Level;
use serde_json::json;

use super::team::{Team, plan, task, work};

/// Nobody's number.
const USER: &str = "61235";
/// The most that Linux lays on one process (LANDLOCK_MAX_NUM_LAYERS).
const MOST: usize = 16;

/// A team whose sessions are begun by this user (root when `None`), below so many Landlocks that refuse nothing but mounts.
fn team(user: Option<&str>, layers: usize) -> Team {
    let mut team = Team::new(|_| vec![plan(&[task("t1", "claude")]), work("t1", &[])]);
    let program = orchestrate();
    let program = program.to_string_lossy();
    let mut words = String::from("#!/bin/sh\nexec");
    if let Some(user) = user {
        words += &format!(" setpriv --reuid={user} --regid={user} --clear-groups");
    }
    let all = json!({ "tasks": null, "ports": [], "files": { "read": ["/"], "write": ["/"] } });
    for _ in 0..layers {
        words += &format!(" '{program}' confined '{all}' --");
    }
    let wrapper = team.at("begin");
    fs::write(&wrapper, format!("{words} '{program}' \"$@\"\n")).unwrap();
    let made = Command::new("chmod").arg("+x").arg(&wrapper).status().unwrap();
    assert!(made.success());
    team.set(&format!(
        "\n[sandbox]\nread = {}\nwrite = {}\n",
        json!([team.at("script.json")]),
        json!([team.at("state")])
    ));
    if let Some(user) = user {
        let given = Command::new("chown").args(["-R", &format!("{user}:{user}")]).arg(team.at("")).status();
        assert!(given.unwrap().success());
    }
    team.run_by(wrapper);
    team
}

const PLAIN: &[&str] = &["Write a text", "--yes", "--no-dashboard"];
const CONSENT: &[&str] = &["Write a text", "--yes", "--no-dashboard", "--unsandboxed"];

/// Without consent nothing begins, and why is said; with it a session runs, and consent is its own: the next one asks again.
#[track_caller]
fn needs_consent(user: Option<&str>, layers: usize, why: &[&str]) {
    let team = team(user, layers);
    let refused = |when: &str| {
        let ended = team.run(PLAIN);
        assert_eq!(ended.code, Some(6), "{when}: {ended:?}");
        for words in why.iter().chain(&["--unsandboxed"]) {
            assert!(ended.stderr.contains(words), "{when}: no {words:?}: {}", ended.stderr);
        }
    };
    refused("first");
    assert!(team.session().is_none(), "nothing was begun");
    team.run(CONSENT).expect(0);
    let state = team.state();
    assert!(state.opened.unwrap().unsandboxed, "consent is in the session's first entry");
    assert!(state.sandbox.is_none_or(|report| report.level == Level::L0));
    refused("after a session with consent");
}

/// Without consent a session runs at this level, which its journal tells.
#[track_caller]
fn holds(user: &str, layers: usize, level: Level) {
    let team = team(Some(user), layers);
    team.run(PLAIN).expect(0);
    let state = team.state();
    assert!(!state.opened.unwrap().unsandboxed);
    let report = state.sandbox.unwrap();
    assert_eq!(report.level, level, "{report:?}");
    assert_eq!(report.misses.is_empty(), level == Level::L3, "why it is no higher: {report:?}");
}

#[test]
fn nothing_begins_silently() {
    if !rustix::process::geteuid().is_root() {
        eprint("SKIPPED: only root can begin sessions as root and as another user.");
        return;
    }
    needs_consent(None, 0, &["root"]);
    if !std::path::Path::new("/usr/bin/bwrap").exists() {
        eprint("SKIPPED in part: bubblewrap is not installed.");
        return;
    }
    let here = team(Some(USER), 0).run(&["doctor"]);
    if !here.stdout.contains("Level L3") {
        eprint("SKIPPED in part: this machine lets no unprivileged user into bubblewrap.");
        return;
    }
    holds(USER, 0, Level::L3);
    if !team(Some(USER), 1).run(&["doctor"]).stdout.contains("Level L1") {
        eprint("SKIPPED in part: this kernel has no Landlock, or an old one.");
        return;
    }
    holds(USER, 1, Level::L1);
    needs_consent(Some(USER), MOST, &["nothing runs in it", "with Landlock alone"]);
}
