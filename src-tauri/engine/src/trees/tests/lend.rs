use std::fs;
use std::os::unix::fs::symlink;

use super::*;

/// What a worker does with the repository that it was lent: git in the worktree, as if the pointer covered `.git`.
fn worker(tree: &Path, lent: &super::super::Lent, args: &[&str]) -> String {
    let (dir, work) = (lent.folder.to_str().unwrap(), tree.to_str().unwrap());
    let mut all = vec!["--git-dir", dir, "--work-tree", work];
    all.extend(args);
    plain_git(tree, &all)
}

#[test]
fn commits_come_back_and_nothing_else_does() {
    let world = World::repository();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    let before = world.user(&["for-each-ref"]);
    let lent = trees.lend(&tree.path).unwrap();
    assert_eq!(worker(&tree.path, &lent, &["status", "--porcelain"]), "");
    assert_eq!(worker(&tree.path, &lent, &["log", "--format=%s"]), "first\n");
    write(&tree.path, "a.txt", "changed\n");
    worker(&tree.path, &lent, &["commit", "-qam", "by the worker"]);
    write(&tree.path, "c.txt", "not committed\n");
    // What must not reach the host: configuration, hooks, other branches.
    worker(&tree.path, &lent, &["config", "core.fsmonitor", "touch /tmp/never"]);
    worker(&tree.path, &lent, &["update-ref", "refs/heads/main", "HEAD"]);
    assert_eq!(world.user(&["for-each-ref"]), before);
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!(snapshot.changed, ["a.txt", "c.txt"]);
    let log = world.user(&["log", "--format=%s", "-2", snapshot.commit.as_str()]);
    assert!(log.ends_with("by the worker\n"), "{log}");
    assert_eq!(world.user(&["log", "--format=%s", "main"]), "first\n");
    assert!(!lent.folder.exists());
    world.user(&["fsck", "--strict"]);
}

#[test]
fn a_repository_with_links_gives_its_files_and_no_history() {
    let world = World::repository();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    let lent = trees.lend(&tree.path).unwrap();
    write(&tree.path, "a.txt", "changed\n");
    worker(&tree.path, &lent, &["commit", "-qam", "by the worker"]);
    symlink("/dev/zero", lent.folder.join("objects/pack/x.pack")).unwrap();
    fs::remove_file(lent.folder.join("index")).unwrap();
    symlink("/etc/passwd", lent.folder.join("index")).unwrap();
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!(snapshot.changed, ["a.txt"]);
    assert!(!world.user(&["log", "--format=%s", snapshot.commit.as_str()]).contains("by the worker"));
}

#[test]
fn a_turn_that_was_cut_off_is_taken_back_before_the_next() {
    let world = World::repository();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    let lent = trees.lend(&tree.path).unwrap();
    write(&tree.path, "a.txt", "changed\n");
    worker(&tree.path, &lent, &["commit", "-qam", "by the worker"]);
    let again = trees.lend(&tree.path).unwrap();
    assert_eq!(worker(&tree.path, &again, &["log", "--format=%s"]), "by the worker\nfirst\n");
}

#[test]
fn a_seat_can_be_lent_too_and_is_left_as_it_was() {
    let world = World::repository();
    let trees = world.trees();
    let commit = trees.head().unwrap();
    let root = trees.freeze_seat(domain::ReviewId(1), &"claude".into(), &commit).unwrap();
    let lent = trees.lend(&root).unwrap();
    worker(&root, &lent, &["log", "-1"]);
    let tree = trees.tree_of(&commit).unwrap();
    assert!(trees.seat_untouched(domain::ReviewId(1), &"claude".into(), &commit, &tree).unwrap());
    trees.remove_seat(domain::ReviewId(1), &"claude".into()).unwrap();
    assert!(!lent.folder.exists());
    assert!(trees.lend(&world.target).is_err(), "only our own worktrees are lent");
}
