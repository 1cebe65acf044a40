use std::fs;

use super::*;

#[test]
fn a_worktree_is_made_once_and_used_again() {
    let world = World::repository();
    let trees = world.trees();
    let first = trees.prepare_tree(&"t1".into()).unwrap();
    assert_eq!(first.branch, "orchestrate/456789ab-t1");
    write(&first.path, "draft.txt", "not yet in any snapshot\n");
    assert_eq!(trees.prepare_tree(&"t1".into()).unwrap(), first);
    assert!(first.path.join("draft.txt").exists());
    let again = world.trees(); // another process after a crash
    assert_eq!(again.prepare_tree(&"t1".into()).unwrap(), first);
}

#[test]
fn a_later_task_begins_where_the_session_stands() {
    let world = World::repository();
    let trees = world.trees();
    let merged = work_and_merge(&trees, "t1", &[("c.txt", "c\n")]);
    let second = trees.prepare_tree(&"t2".into()).unwrap();
    assert_eq!(second.base, merged);
    assert!(second.path.join("c.txt").exists());
}

#[test]
fn a_worktree_that_was_tampered_with_is_not_used() {
    let check = |tamper: &dyn Fn(&Path), reason: &str| {
        let world = World::repository();
        let trees = world.trees();
        let tree = trees.prepare_tree(&"t1".into()).unwrap();
        tamper(&tree.path);
        let fault = trees.prepare_tree(&"t1".into()).unwrap_err().to_string();
        assert!(fault.contains(reason), "{fault:?} does not say {reason:?}");
    };
    check(
        &|path| drop(plain_git(path, &["checkout", "-q", "-b", "elsewhere"])),
        "on the branch \"elsewhere\"",
    );
    check(&|path| drop(plain_git(path, &["checkout", "-q", "--detach"])), "on no branch");
    check(
        &|path| fs::write(path.join(".git"), "gitdir: /somewhere/else\n").unwrap(),
        "its .git file was changed",
    );
    check(
        &|path| {
            fs::remove_file(path.join(".git")).unwrap();
            plain_git(path, &["init", "-q"]);
        },
        "its .git file was changed",
    );
}

#[test]
fn a_lost_worktree_comes_back_from_its_last_snapshot() {
    let world = World::repository();
    let trees = world.trees();
    work(&trees, "t1", &[("c.txt", "kept\n")]);
    let path = world.folder.join("trees/t1");
    fs::remove_dir_all(&path).unwrap();
    trees.prepare_tree(&"t1".into()).unwrap();
    assert_eq!(fs::read_to_string(path.join("c.txt")).unwrap(), "kept\n");
    // Also when the branch went with it.
    world.user(&["worktree", "remove", "--force", path.to_str().unwrap()]);
    world.user(&["branch", "-q", "-D", "orchestrate/456789ab-t1"]);
    trees.prepare_tree(&"t1".into()).unwrap();
    assert_eq!(fs::read_to_string(path.join("c.txt")).unwrap(), "kept\n");
}

#[test]
fn what_an_interrupted_attempt_left_is_moved_aside_not_deleted() {
    let world = World::repository();
    let trees = world.trees();
    trees.prepare_tree(&"t1".into()).unwrap();
    // As if the process had died between making the worktree and noting that it is complete.
    fs::remove_file(world.folder.join("index/t1")).unwrap();
    write(&world.folder, "trees/t1/left.txt", "left\n");
    trees.prepare_tree(&"t1".into()).unwrap();
    assert!(!world.folder.join("trees/t1/left.txt").exists());
    assert!(world.folder.join("trees/t1~stray-1/left.txt").exists());
    // As if git had died while it made the worktree: registered, locked, no files.
    plain_git(
        &world.target,
        &["worktree", "lock", "--reason", "initializing", world.folder.join("trees/t1").to_str().unwrap()],
    );
    fs::remove_dir_all(world.folder.join("trees/t1")).unwrap();
    assert!(trees.prepare_tree(&"t1".into()).unwrap().path.join("a.txt").exists());
}

#[test]
fn a_task_whose_name_is_a_path_or_an_option_is_refused() {
    let trees_world = World::repository();
    let trees = trees_world.trees();
    for name in ["../x", "-rf", "a b", "", "x/y", "a\u{3000}b", "$(touch x)", "x.lock", "refs\\heads"] {
        assert!(matches!(trees.prepare_tree(&name.into()), Err(TreeError::BadName { .. })), "{name}");
    }
}

#[test]
fn removing_keeps_what_is_in_no_commit_and_only_takes_what_is_ours() {
    let world = World::repository();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    write(&tree.path, "unsaved.txt", "worth keeping\n");
    work(&trees, "t2", &[("c.txt", "c\n")]);
    // Not ours: a checkout of the user's that lies in our folder, and a link to the project.
    plain_git(
        &world.target,
        &["worktree", "add", "-q", "-b", "mine", world.folder.join("trees/mine").to_str().unwrap()],
    );
    #[cfg(unix)]
    std::os::unix::fs::symlink(&world.target, world.folder.join("trees/link")).unwrap();
    let before = files(&world.target);

    let removed = trees.remove_worktrees().unwrap();
    let names: Vec<(&str, bool)> = removed.iter().map(|it| (it.name.as_str(), it.saved.is_some())).collect();
    assert_eq!(names, [("t1", true), ("t2", false)]);
    let saved = removed[0].saved.clone().unwrap();
    assert_eq!(trees.file_at(&saved, "unsaved.txt").unwrap().unwrap(), b"worth keeping\n");
    assert!(!tree.path.exists());
    assert!(world.folder.join("trees/mine/a.txt").exists());
    assert_eq!(files(&world.target), before);
    assert_eq!(trees.remove_worktrees().unwrap(), []);
}
