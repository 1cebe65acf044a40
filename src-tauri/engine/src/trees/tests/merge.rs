use std::fs;

use super::*;

fn merged(merge: Merge) -> CommitHash {
    match merge {
        Merge::Merged { commit, .. } => commit,
        Merge::Conflicted { files } => panic!("conflict in {files:?}"),
    }
}

#[test]
fn a_task_is_merged_exactly_once() {
    let world = World::repository();
    let trees = world.trees();
    let one = work(&trees, "t1", &[("one.txt", "1\n")]);
    let two = work(&trees, "t2", &[("two.txt", "2\n")]);
    let first = merged(trees.merge(&"t1".into(), &one.commit).unwrap());
    let second = merged(trees.merge(&"t2".into(), &two.commit).unwrap());
    // Repeated after a crash, in any order, also by another process.
    let again = world.trees();
    assert_eq!(merged(again.merge(&"t1".into(), &one.commit).unwrap()), first);
    assert_eq!(merged(again.merge(&"t2".into(), &two.commit).unwrap()), second);
    assert_eq!(trees.head().unwrap(), second);
    assert_eq!(world.user(&["rev-list", "--merges", "--count", "orchestrate/456789ab"]).trim(), "2");
    let message = world.user(&["log", "-1", "--format=%B", first.as_str()]);
    assert!(
        message.contains(&format!("Orchestrate-Session: {SESSION}\nOrchestrate-Task: t1\n")),
        "{message}"
    );
    assert_eq!(world.user(&["log", "-1", "--format=%P", first.as_str()]).trim().split(' ').count(), 2);
    assert_eq!(trees.changed_by(&"t1".into()).unwrap(), ["one.txt"]);
    assert_eq!(trees.changed_by(&"t2".into()).unwrap(), ["two.txt"]);
}

#[test]
fn a_task_without_changes_merges_to_nothing() {
    let world = World::repository();
    let trees = world.trees();
    let before = trees.head().unwrap();
    let snapshot = work(&trees, "t1", &[]);
    assert_eq!(merged(trees.merge(&"t1".into(), &snapshot.commit).unwrap()), before);
}

#[test]
fn a_conflict_goes_back_to_its_author_and_comes_in_when_it_is_resolved() {
    let world = World::repository();
    let trees = world.trees();
    let one = work(&trees, "t1", &[("a.txt", "one\nTWO by t1\nthree\n"), ("one.txt", "1\n")]);
    let two = work(&trees, "t2", &[("a.txt", "one\nTWO by t2\nthree\n"), ("two.txt", "2\n")]);
    let session = merged(trees.merge(&"t1".into(), &one.commit).unwrap());
    let path = world.folder.join("trees/t2");
    write(&path, "leftover.txt", "made by a check, in no commit\n");

    let conflict = Merge::Conflicted { files: vec!["a.txt".to_owned()] };
    assert_eq!(trees.merge(&"t2".into(), &two.commit).unwrap(), conflict);
    assert_eq!(trees.merge(&"t2".into(), &two.commit).unwrap(), conflict, "repeated after a crash");
    assert_eq!(trees.head().unwrap(), session, "the session branch stays where it was");
    let text = fs::read_to_string(path.join("a.txt")).unwrap();
    assert!(
        text.contains("<<<<<<< HEAD\nTWO by t2\n=======\nTWO by t1\n>>>>>>> orchestrate/456789ab\n"),
        "{text}"
    );
    assert!(path.join("one.txt").exists() && path.join("two.txt").exists());
    assert!(!path.join("leftover.txt").exists());
    let saved = world.user(&[
        "for-each-ref",
        "--format=%(objectname)",
        &format!("refs/orchestrate/{SESSION}/_removed"),
    ]);
    assert!(world.user(&["ls-tree", "--name-only", saved.trim()]).contains("leftover.txt"));

    let unresolved = trees.snapshot(&"t2".into(), 2).unwrap();
    assert_eq!(unresolved.conflicted, ["a.txt"]);
    write(&path, "a.txt", "one\nTWO by both\nthree\n");
    let resolved = trees.snapshot(&"t2".into(), 3).unwrap();
    assert_eq!(resolved.conflicted, [""; 0]);
    assert_eq!(resolved.changed, ["a.txt", "two.txt"]);
    merged(trees.merge(&"t2".into(), &resolved.commit).unwrap());
    assert_eq!(
        trees.file_at(&trees.head().unwrap(), "a.txt").unwrap().unwrap(),
        b"one\nTWO by both\nthree\n"
    );
    let second = format!("{}^2", unresolved.commit);
    assert_eq!(world.user(&["rev-parse", &second]).trim(), session.as_str(), "a merge has both parents");
}

#[test]
fn a_conflict_that_its_author_committed_by_hand_is_no_conflict_any_more() {
    let world = World::repository();
    let trees = world.trees();
    let one = work(&trees, "t1", &[("a.txt", "by t1\n")]);
    let two = work(&trees, "t2", &[("a.txt", "by t2\n")]);
    trees.merge(&"t1".into(), &one.commit).unwrap();
    trees.merge(&"t2".into(), &two.commit).unwrap();
    let path = world.folder.join("trees/t2");
    write(&path, "a.txt", "by both\n");
    plain_git(&path, &["commit", "-qam", "resolved"]);
    let snapshot = trees.snapshot(&"t2".into(), 2).unwrap();
    assert_eq!(plain_git(&path, &["rev-parse", "HEAD"]).trim(), snapshot.commit.as_str());
    merged(trees.merge(&"t2".into(), &snapshot.commit).unwrap());
}

#[test]
fn files_with_a_driver_of_the_repositorys_merge_as_text() {
    let world = World::repository();
    world.write(".gitattributes", "*.txt merge=ours-alone\n");
    world.user(&["add", "-A"]);
    world.user(&["commit", "-qm", "attributes"]);
    world.user(&["config", "merge.ours-alone.driver", "true"]);
    let trees = world.trees();
    let one = work(&trees, "t1", &[("a.txt", "ONE\ntwo\nthree\n")]);
    let two = work(&trees, "t2", &[("a.txt", "one\ntwo\nTHREE\n")]);
    trees.merge(&"t1".into(), &one.commit).unwrap();
    let head = merged(trees.merge(&"t2".into(), &two.commit).unwrap());
    assert_eq!(trees.file_at(&head, "a.txt").unwrap().unwrap(), b"ONE\ntwo\nTHREE\n");
}
