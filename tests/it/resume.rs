//! Taking a session up again after the world has changed: its trees, its CLIs, this program, its folders.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use acceptance::team::{Ended, Team, eventually, plan, task, wait, work};
use domain::{Entry, Event, Repair};
use engine::journal::{self, Journal};
use serde_json::json;

/// A session whose program was killed while both tasks were at work; each had written half of what it has to.
fn killed() -> Team {
    let team = Team::new(|gates| {
        let half = |id: &str| json!({ "write": { "path": format!("half-{id}.txt"), "text": "half\n" } });
        vec![
            plan(&[task("t1", "claude"), task("t2", "codex")]),
            work("t1", &[half("t1"), wait(gates, "g1")]),
            work("t2", &[half("t2"), wait(gates, "g2")]),
        ]
    });
    let running = team.begin();
    team.until_waiting(&["g1", "g2"]);
    team.until("their CLI sessions are known", |state| {
        state.workers.values().filter(|worker| worker.task().is_some() && worker.session.is_some()).count()
            == 2
    });
    running.signal("-KILL");
    assert_eq!(running.end().code, None);
    eventually("all processes are gone", || team.processes().is_empty());
    team.open("g1");
    team.open("g2");
    team
}

fn tree(team: &Team, id: &str) -> PathBuf {
    PathBuf::from(team.state().task(&id.into()).unwrap().path.clone().unwrap())
}

/// The repairs, by the worker's task.
fn repairs(team: &Team) -> Vec<(String, Repair, String)> {
    let state = team.state();
    let of = |worker| state.workers.get(worker).and_then(|found| found.task()).map(ToString::to_string);
    let all = state.recoveries.values();
    all.map(|one| (of(&one.worker).unwrap_or_default(), one.repair.clone(), one.failed.text.clone()))
        .collect()
}

fn resume(team: &Team) -> Ended {
    team.run(&["resume", "--no-dashboard"])
}

/// What of the half-done work is in the result.
fn landed_file(team: &Team, name: &str) -> Option<String> {
    let head = team.state().head;
    let listed = team.git(&["ls-tree", "--name-only", "-r", &head.0]);
    listed.lines().any(|file| file == name).then(|| team.git(&["show", &format!("{}:{name}", head.0)]))
}

/// Each continues its CLI session in its own tree, and nothing of what it had done is gone.
#[test]
fn with_everything_as_it_was() {
    let team = killed();
    team.done(resume(&team));
    assert_eq!(repairs(&team), []);
    let state = team.state();
    let resumed = state.workers.values().filter(|worker| worker.assignment.resume.is_some()).count();
    assert_eq!(resumed, 2, "both went on with their CLI sessions");
    assert_eq!(landed_file(&team, "half-t1.txt").as_deref(), Some("half\n"));
}

/// A tree that is not what the last turn left is made again, and its worker begins anew from it; the other one goes on.
#[track_caller]
fn made_anew(spoil: impl FnOnce(&Path), wrong: &str, half_is_kept: bool) {
    let team = killed();
    spoil(&tree(&team, "t1"));
    team.done(resume(&team));
    let repairs = repairs(&team);
    let [(task, repair, text)] = &repairs[..] else { panic!("{repairs:?}") };
    assert_eq!((task.as_str(), repair), ("t1", &Repair::Fresh));
    assert!(text.contains("made anew from its last snapshot") && text.contains(wrong), "{text}");
    let state = team.state();
    let last = state.workers.values().rfind(|worker| worker.task() == Some(&"t1".into())).unwrap();
    assert_eq!(last.assignment.resume, None, "it begins a CLI session of its own");
    let found =
        team.git(&["for-each-ref", "--format=%(refname)", &format!("refs/orchestrate/{}/_found", team.id())]);
    let kept = found.lines().any(|name| team.git(&["ls-tree", "--name-only", name]).contains("half-t1.txt"));
    assert_eq!(kept, half_is_kept, "{found}");
    assert_eq!(landed_file(&team, "t1.txt").as_deref(), Some("text of t1\n"));
}

#[test]
fn on_another_branch() {
    let spoil = |tree: &Path| {
        let git = std::process::Command::new("git")
            .arg("-C")
            .arg(tree)
            .args(["checkout", "-q", "-b", "other"])
            .status();
        assert!(git.unwrap().success());
    };
    made_anew(spoil, "it is on the branch \"other\"", true);
}

#[test]
fn with_a_tree_that_is_gone() {
    made_anew(|tree| fs::remove_dir_all(tree).unwrap(), "the worktree of t1 is not there", false);
}

#[test]
fn with_a_tree_that_leads_elsewhere() {
    let spoil = |tree: &Path| {
        fs::remove_file(tree.join(".git")).unwrap();
        fs::write(tree.join(".git"), "gitdir: /nowhere\n").unwrap();
    };
    made_anew(spoil, "its .git file was changed", true);
}

#[test]
fn with_a_tree_in_place_of_which_there_is_a_link() {
    let spoil = |tree: &Path| {
        let aside = tree.with_file_name("elsewhere");
        fs::rename(tree, &aside).unwrap();
        std::os::unix::fs::symlink(&aside, tree).unwrap();
    };
    made_anew(spoil, "worktree", false);
}

/// Puts lines before what an agent's program does.
fn prepend(team: &Team, agent: &str, lines: &str) {
    let program = team.at("bin").join(agent);
    let text =
        fs::read_to_string(&program).unwrap().replacen("#!/bin/sh\n", &format!("#!/bin/sh\n{lines}\n"), 1);
    fs::write(program, text).unwrap();
}

/// The CLI's own record of the conversation was deleted: nobody needs to be asked for that.
#[test]
fn with_a_cli_session_that_is_gone() {
    let team = killed();
    let gone =
        "case \"$*\" in *--resume*) echo 'No conversation found with session ID: 1' >&2; exit 1;; esac";
    prepend(&team, "claude", gone);
    team.done(resume(&team));
    let repairs = repairs(&team);
    let [(task, repair, _)] = &repairs[..] else { panic!("{repairs:?}") };
    assert_eq!((task.as_str(), repair), ("t1", &Repair::Fresh));
    assert_eq!(landed_file(&team, "half-t1.txt").as_deref(), Some("half\n"), "its tree is as it was");
}

fn warned(team: &Team, words: &str) -> usize {
    team.state().warnings.iter().filter(|(_, _, text)| text.contains(words)).count()
}

#[test]
fn after_an_update_of_a_cli() {
    let team = killed();
    prepend(&team, "claude", "[ \"$*\" = --version ] && echo 'claude 99.1.0' && exit");
    team.done(resume(&team));
    assert_eq!(
        warned(&team, "claude was updated since this session began, from claude 99.0.0 to claude 99.1.0"),
        1
    );
    assert_eq!(warned(&team, "was updated"), 1, "the others were not");
}

#[test]
fn after_a_cli_has_moved() {
    let team = killed();
    let (old, new) = (team.at("bin").join("claude"), team.at("bin").join("claude-99.1"));
    fs::rename(&old, &new).unwrap();
    let settings = fs::read_to_string(team.at("settings.toml")).unwrap();
    let settings = settings.replace(old.to_str().unwrap(), new.to_str().unwrap());
    fs::write(team.at("settings.toml"), settings).unwrap();
    team.done(resume(&team));
    assert_eq!(warned(&team, "claude is not where it was"), 1);
    assert_eq!(repairs(&team), []);
}

/// The same journal as an older version of this program would have written it.
fn written_by(team: &Team, version: &str) {
    let (folder, id) = (team.session().unwrap(), team.id());
    let mut entries: Vec<Entry> = team.entries();
    if let Some(Event::SessionOpened { opened }) = entries.first_mut().map(|entry| &mut entry.event) {
        opened.version = version.to_owned();
    }
    fs::remove_file(folder.join(journal::FILE)).unwrap();
    Journal::create(&folder, &id).unwrap().append(&entries).unwrap();
}

#[test]
fn after_an_update_of_this_program() {
    let team = killed();
    written_by(&team, "0.0.1");
    team.done(resume(&team));
    assert_eq!(warned(&team, "begun by version 0.0.1 of this program"), 1);
    let again = resume(&team);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(warned(&team, "begun by version 0.0.1 of this program"), 1, "it is said once");
}

#[test]
fn with_folders_that_are_gone_or_moved() {
    let team = killed();
    let (project, away) = (team.at("project"), team.at("away"));
    fs::rename(&project, &away).unwrap();
    // Without `-C`, because that names the folder which is gone.
    let id = team.id();
    let refused = team.run(&["resume", id.as_str(), "--no-dashboard"]).expect(6);
    assert!(refused.stderr.contains("of this session is not there any more"), "{refused:?}");
    fs::rename(&away, &project).unwrap();

    let (folder, other) = (team.session().unwrap(), team.at("other"));
    fs::create_dir(&other).unwrap();
    fs::rename(&folder, other.join(id.as_str())).unwrap();
    let words = ["resume", id.as_str(), "--no-dashboard", "--workspace", other.to_str().unwrap()];
    let refused = team.run(&words).expect(6);
    assert!(refused.stderr.contains("was moved from"), "{refused:?}");
    fs::rename(other.join(id.as_str()), &folder).unwrap();
    team.done(resume(&team));
    let mode = fs::metadata(&folder).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
}
