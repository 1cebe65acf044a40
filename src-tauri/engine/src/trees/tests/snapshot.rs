use std::fs;

use super::*;

#[test]
fn everything_but_ignored_files_is_taken() {
    let world = World::repository();
    world.write(".gitignore", "*.log\nbuild/\n");
    world.user(&["add", "-A"]);
    world.user(&["commit", "-qm", "ignore"]);
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    write(&tree.path, "new/deep ö.txt", "new\n");
    write(&tree.path, "a.txt", "changed\n");
    write(&tree.path, "noise.log", "ignored\n");
    write(&tree.path, "forced.log", "ignored but wanted\n");
    write(&tree.path, "build/out", "ignored\n");
    fs::remove_file(tree.path.join("src/b.txt")).unwrap();
    plain_git(&tree.path, &["add", "-f", "forced.log"]);
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!(snapshot.changed, ["a.txt", "forced.log", "new/deep ö.txt", "src/b.txt"]);
    assert_eq!(snapshot.conflicted, [""; 0]);
    assert_eq!(plain_git(&tree.path, &["status", "--porcelain"]), "");
    assert_eq!(plain_git(&tree.path, &["rev-parse", "HEAD"]).trim(), snapshot.commit.as_str());
    assert_eq!(
        trees.list(&snapshot.commit).unwrap(),
        [".gitignore", "a.txt", "forced.log", "new/deep ö.txt"]
    );
    assert!(tree.path.join("noise.log").exists());
}

#[test]
fn the_same_number_gives_the_same_snapshot() {
    let world = World::repository();
    let trees = world.trees();
    let first = work(&trees, "t1", &[("c.txt", "1\n")]);
    write(&world.folder.join("trees/t1"), "c.txt", "2\n");
    assert_eq!(trees.snapshot(&"t1".into(), 1).unwrap(), first);
    let second = trees.snapshot(&"t1".into(), 2).unwrap();
    assert_ne!(second.tree, first.tree);
    assert_eq!(trees.snapshot(&"t1".into(), 1).unwrap(), first);
    assert_eq!(trees.snapshot(&"t1".into(), 2).unwrap(), second);
    assert_eq!(fs::read_to_string(world.folder.join("trees/t1/c.txt")).unwrap(), "2\n");
    // As if the process had died after the private ref and before the branch.
    world.user(&["update-ref", "refs/heads/orchestrate/456789ab-t1", first.commit.as_str()]);
    assert_eq!(trees.snapshot(&"t1".into(), 2).unwrap(), second);
    assert_eq!(world.user(&["rev-parse", "orchestrate/456789ab-t1"]).trim(), second.commit.as_str());
}

/// Else a change of the same length, made in the second in which the index was written, is missed: seen in one of 25 runs
/// of the test above.
#[test]
fn a_copied_index_is_as_old_as_the_first_one() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    fs::write(&index, "DIRC").unwrap();
    let then = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    fs::File::options().write(true).open(&index).unwrap().set_modified(then).unwrap();
    let copy = folder.path().join("copy");
    super::super::snapshot::copy_index(&index, &copy).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().modified().unwrap(), then);
    assert_eq!(fs::read(&copy).unwrap(), b"DIRC");
}

#[test]
fn nothing_changed_is_no_new_commit() {
    let world = World::repository();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!((snapshot.commit, snapshot.changed), (tree.base, vec![]));
}

#[test]
fn a_workers_own_commits_and_branches_are_kept() {
    let world = World::repository();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    plain_git(&tree.path, &["checkout", "-q", "-b", "feature"]);
    write(&tree.path, "c.txt", "committed by the worker\n");
    plain_git(&tree.path, &["add", "-A"]);
    plain_git(&tree.path, &["commit", "-q", "-m", "mine"]);
    let own = plain_git(&tree.path, &["rev-parse", "HEAD"]).trim().to_owned();
    write(&tree.path, "d.txt", "not committed\n");
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!(snapshot.changed, ["c.txt", "d.txt"]);
    assert_eq!(world.user(&["rev-parse", &format!("{}^", snapshot.commit)]).trim(), own);
    assert_eq!(plain_git(&tree.path, &["symbolic-ref", "--short", "HEAD"]).trim(), "orchestrate/456789ab-t1");
    assert_eq!(plain_git(&tree.path, &["status", "--porcelain"]), "");
}

#[test]
fn a_worker_that_goes_behind_its_beginning_changes_content_not_history() {
    let world = World::repository();
    world.write("c.txt", "second\n");
    world.user(&["add", "-A"]);
    world.user(&["commit", "-qm", "second"]);
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    plain_git(&tree.path, &["reset", "-q", "--hard", "HEAD^"]);
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!(snapshot.changed, ["c.txt"]);
    assert_eq!(world.user(&["rev-parse", &format!("{}^", snapshot.commit)]).trim(), tree.base.as_str());
    plain_git(&tree.path, &["checkout", "-q", "--orphan", "alone"]);
    plain_git(&tree.path, &["commit", "-q", "-m", "alone"]);
    let again = trees.snapshot(&"t1".into(), 2).unwrap();
    assert_eq!((again.commit, again.tree), (snapshot.commit, snapshot.tree));
}

#[test]
fn a_repository_inside_the_tree_is_not_taken_for_work_that_is_kept() {
    let world = World::repository();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    let inner = tree.path.join("inner");
    write(&inner, "x.txt", "x\n");
    plain_git(&inner, &["init", "-q"]);
    let refused = |number| match trees.snapshot(&"t1".into(), number) {
        Err(TreeError::Nested { path }) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(1), "inner/");
    plain_git(&inner, &["add", "-A"]);
    plain_git(&inner, &["commit", "-q", "-m", "inner"]);
    assert_eq!(refused(1), "inner");
    assert!(inner.join("x.txt").exists());
    fs::remove_dir_all(inner.join(".git")).unwrap();
    assert_eq!(trees.snapshot(&"t1".into(), 1).unwrap().changed, ["inner/x.txt"]);
}

#[test]
fn submodules_pointers_and_odd_line_ends_are_left_alone() {
    let inner = World::repository();
    let world = World::repository();
    world.user(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        inner.target.to_str().unwrap(),
        "sub",
    ]);
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    world.write("big.bin", pointer);
    world.write("crlf.txt", "one\r\ntwo\r\n");
    world.user(&["add", "-A"]);
    world.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n*.txt text=auto eol=lf\n");
    world.user(&["add", ".gitattributes"]);
    world.user(&["commit", "-qm", "all sorts"]);
    world.user(&["config", "filter.lfs.clean", "false"]);
    world.user(&["config", "filter.lfs.smudge", "false"]);
    world.user(&["config", "filter.lfs.required", "true"]);
    let begun = world.begin().unwrap();
    assert!(begun.warnings.iter().any(|it| it.contains("submodules")), "{:?}", begun.warnings);
    assert!(begun.warnings.iter().any(|it| it.contains("Git LFS")), "{:?}", begun.warnings);
    let trees = world.open(&begun.trees);
    let snapshot = work(&trees, "t1", &[("new.txt", "new\n")]);
    assert_eq!(snapshot.changed, ["new.txt"]);
    assert_eq!(trees.file_at(&snapshot.commit, "big.bin").unwrap().unwrap(), pointer.as_bytes());
    let seat = trees.freeze_seat(domain::ReviewId(1), &"codex".into(), &snapshot.commit).unwrap();
    assert!(seat.join("crlf.txt").exists());
    let untouched =
        trees.seat_untouched(domain::ReviewId(1), &"codex".into(), &snapshot.commit, &snapshot.tree);
    assert!(untouched.unwrap());
}

#[cfg(unix)]
#[test]
fn hostile_names_and_links_are_data() {
    use std::os::unix::ffi::OsStringExt;
    let world = World::repository();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    let names = [
        "-rf",
        "--output=x",
        "a\nb",
        "quote\"s'",
        ":(top)x",
        "*",
        "$(touch x)",
        "bidi\u{202e}txt",
        "HEAD",
        "tab\tx",
    ];
    for name in names {
        write(&tree.path, name, "x\n");
    }
    fs::write(tree.path.join(std::ffi::OsString::from_vec(vec![b'b', 0xff, b'd'])), "x\n").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", tree.path.join("link")).unwrap();
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!(snapshot.changed.len(), names.len() + 2);
    for name in names {
        assert!(snapshot.changed.iter().any(|path| path == name), "{name}");
        assert_eq!(
            trees.file_at(&snapshot.commit, name).unwrap().as_deref(),
            Some(b"x\n".as_slice()),
            "{name}"
        );
        let diff = trees.diff(&tree.base, &snapshot.commit, &[name.to_owned()]).unwrap();
        assert_eq!(diff.files.len(), 1, "{name}: {:?}", diff.files);
    }
    assert_eq!(trees.file_at(&snapshot.commit, "link").unwrap().unwrap(), b"/etc/hostname");
    let Merge::Merged { .. } = trees.merge(&"t1".into(), &snapshot.commit).unwrap() else { panic!() };
    trees.land(domain::LandMethod::FastForward, "").unwrap();
    assert_eq!(world.read("a\nb").unwrap(), "x\n");
}

#[test]
fn a_diff_is_bounded_and_says_so() {
    let world = World::repository();
    let trees = world.trees();
    let long = "a line of text\n".repeat(300_000);
    let snapshot = work(&trees, "t1", &[("long.txt", &long), ("a.txt", "one\n")]);
    let base = trees.freeze(Some(&snapshot.commit)).unwrap().base;
    let diff = trees.diff(&base, &snapshot.commit, &[]).unwrap();
    assert!(diff.text.len() <= crate::trees::MOST_DIFF + 100);
    assert!(diff.text.ends_with("longer than 2 MiB\n"));
    let files: Vec<_> = diff.files.iter().map(|it| (it.path.as_str(), it.added, it.removed)).collect();
    assert_eq!(files, [("a.txt", Some(0), Some(2)), ("long.txt", Some(300_000), Some(0))]);
}
