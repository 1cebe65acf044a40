//! Every side effect exactly once: the program is killed between the intent and the deed, and between the deed and its
//! outcome, and taken up again.
//!
//! The `git` of these tests kills who called it, once, before or after it has done what it was asked: so the kill falls
//! into the middle of a deed, which no signal from outside could aim at.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use acceptance::team::{Team, eventually, plan, task, work};
use domain::{Event, JobOutcome};

/// When the kill falls.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Before,
    After,
}
use Moment::{After, Before};

/// Arms a `git` that kills its caller at the first call whose arguments hold these words.
fn armed(team: &mut Team, words: &str, moment: Moment) {
    let folder = team.at("git");
    fs::create_dir_all(&folder).unwrap();
    let (fired, path) = (team.at("fired"), folder.join("git"));
    let kill = format!("if mkdir '{}' 2>/dev/null; then kill -9 $PPID; sleep 1; fi", fired.display());
    let (before, after) = match moment {
        Before => (format!("case \"$*\" in *'{words}'*) {kill};; esac"), String::new()),
        After => (String::new(), format!("case \"$*\" in *'{words}'*) {kill};; esac")),
    };
    let text = format!("#!/bin/sh\n{before}\n/usr/bin/git \"$@\"\ncode=$?\n{after}\nexit $code\n");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    team.env("PATH", &format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()));
}

fn one_task() -> Team {
    Team::new(|_| vec![plan(&[task("t1", "claude"), task("t2", "codex")]), work("t1", &[]), work("t2", &[])])
}

/// Killed there, taken up, done: each task once, each job with one outcome.
#[track_caller]
fn check(words: &str, moment: Moment) {
    let mut team = one_task();
    armed(&mut team, words, moment);
    let cut = team.begin().end();
    assert_eq!(cut.code, None, "{words:?} {moment:?}: it was not killed: {cut:?}");
    eventually("all processes are gone", || team.processes().is_empty());
    let resumed = team.run(&["resume", "--no-dashboard"]);
    team.done(resumed);
    outcomes(&team);
}

/// Each intent has one outcome.
#[track_caller]
fn outcomes(team: &Team) {
    let (mut asked, mut ended) = (Vec::new(), Vec::new());
    for entry in team.entries() {
        if let Event::JobRequested { job, .. } = entry.event {
            asked.push(job);
        } else if let Event::JobEnded { job, outcome } = entry.event {
            assert!(!matches!(outcome, JobOutcome::Failed { .. }), "{job}: {outcome:?}");
            ended.push(job);
        }
    }
    ended.sort();
    assert_eq!(asked, ended);
}

#[test]
fn making_a_worktree() {
    check("orchestrate: task begins", Before);
    check("orchestrate: task begins", After);
    check("worktree add", Before);
    check("worktree add", After);
}

#[test]
fn taking_a_snapshot() {
    check("orchestrate: snapshot", Before);
    check("orchestrate: snapshot", After);
    check("write-tree", After);
}

#[test]
fn merging_a_task() {
    check("orchestrate: task merged", Before);
    check("orchestrate: task merged", After);
}

/// A session that is done, and is killed while it is landed.
#[track_caller]
fn lands(method: &str, words: &str, moment: Moment, commits: usize) {
    let mut team = one_task();
    let ended = team.begin().end();
    team.done(ended);
    let before = team.git(&["rev-list", "--count", "main"]).trim().parse::<usize>().unwrap();
    armed(&mut team, words, moment);
    let land = ["land", "--method", method, "--message", "Land it"];
    let cut = team.run(&land);
    assert_eq!(cut.code, None, "{method} {words:?} {moment:?}: it was not killed: {cut:?}");
    // Taking it up finishes what was begun; asking again does it, or says that taking it up has just done it.
    team.run(&["resume", "--no-dashboard"]);
    let asked = team.state().landed.is_none().then(|| team.run(&land));
    assert!(team.state().landed.is_some(), "{method} {words:?} {moment:?}: {asked:?}");
    let again = team.run(&land);
    assert_ne!(again.code, Some(0), "it is landed once: {again:?}");
    let after = team.git(&["rev-list", "--count", "main"]).trim().parse::<usize>().unwrap();
    assert_eq!(
        after - before,
        commits,
        "{method} {words:?} {moment:?}: {}",
        team.git(&["log", "--oneline", "main"])
    );
    assert_eq!(team.git(&["status", "--porcelain"]), "", "the checkout is what the branch is");
    for file in ["t1.txt", "t2.txt"] {
        assert!(team.at("project").join(file).is_file(), "{file}");
    }
    let landed = |event: &Event| matches!(event, Event::JobEnded { outcome: JobOutcome::Landed { .. }, .. });
    assert_eq!(team.entries().iter().filter(|entry| landed(&entry.event)).count(), 1);
}

#[test]
fn landing_by_fast_forward() {
    // Two tasks: a commit and a merge for each.
    lands("ff", "orchestrate: landing begins", After, 4);
    lands("ff", "orchestrate: land orchestrate/", Before, 4);
    lands("ff", "orchestrate: land orchestrate/", After, 4);
}

#[test]
fn landing_by_merge() {
    lands("merge", "orchestrate: landing begins", Before, 5);
    lands("merge", "orchestrate: landing begins", After, 5);
    lands("merge", "orchestrate: land orchestrate/", After, 5);
}

#[test]
fn landing_by_squash() {
    lands("squash", "orchestrate: landing begins", After, 1);
    lands("squash", "orchestrate: land orchestrate/", Before, 1);
    lands("squash", "orchestrate: land orchestrate/", After, 1);
}

/// A project without git: its files are copied back.
#[test]
fn landing_without_a_repository() {
    for (words, moment) in
        [("orchestrate: landing", Before), ("orchestrate: landing", After), ("orchestrate: land", After)]
    {
        let mut team = one_task();
        fs::remove_dir_all(team.at("project").join(".git")).unwrap();
        team.begin().end().expect(0);
        armed(&mut team, words, moment);
        let cut = team.run(&["land"]);
        assert_eq!(cut.code, None, "{words:?} {moment:?}: it was not killed: {cut:?}");
        team.run(&["resume", "--no-dashboard"]);
        if team.state().landed.is_none() {
            team.run(&["land"]).expect(0);
        }
        let text = |file: &str| fs::read_to_string(Path::new(&team.at("project")).join(file)).unwrap();
        assert_eq!((text("t1.txt"), text("t2.txt")), ("text of t1\n".to_owned(), "text of t2\n".to_owned()));
        let left = fs::read_dir(team.at("project")).unwrap().flatten().map(|entry| entry.file_name());
        let drafts = left.filter(|name| name.to_string_lossy().ends_with(".orchestrate-new")).count();
        assert_eq!(drafts, 0);
    }
}
