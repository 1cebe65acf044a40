use std::fs;

use super::*;
use crate::trees::inspect;

#[test]
fn the_users_checkout_is_untouched_by_all_that_comes_before_landing() {
    let world = World::repository();
    world.write("a.txt", "one\ntwo, changed and staged\nthree\n");
    world.user(&["add", "a.txt"]);
    world.write("src/b.txt", "changed, not staged\n");
    world.user(&["stash", "push", "-q", "src/b.txt"]);
    world.write("src/b.txt", "changed again\n");
    world.write("new file.txt", "untracked\n");
    let before = world.users_own();

    let begun = world.begin().unwrap();
    assert!(
        begun.warnings[0].starts_with("3 files have changes that are not committed"),
        "{:?}",
        begun.warnings
    );
    let trees = world.open(&begun.trees);
    let snapshot = work(&trees, "t1", &[("a.txt", "by an agent\n"), ("c.txt", "c\n")]);
    assert_eq!(snapshot.changed, ["a.txt", "c.txt"]);
    trees.merge(&"t1".into(), &snapshot.commit).unwrap();
    let frozen = trees.freeze(None).unwrap();
    trees.freeze_seat(domain::ReviewId(1), &"codex".into(), &frozen.commit).unwrap();
    trees.dry_run().unwrap();
    trees.remove_worktrees().unwrap();

    assert_eq!(world.users_own(), before);
}

#[test]
fn beginning_again_gives_the_same_session() {
    let world = World::repository();
    let first = world.begin().unwrap();
    let domain::Trees::Repository { branch, base, session_branch } = &first.trees else {
        panic!("{first:?}")
    };
    assert_eq!(branch.as_deref(), Some("main"));
    assert_eq!(base.as_str(), world.user(&["rev-parse", "HEAD"]).trim());
    assert_eq!(session_branch, "orchestrate/456789ab");
    world.user(&["commit", "-q", "--allow-empty", "-m", "the user goes on"]);
    assert_eq!(world.begin().unwrap(), first);
}

#[test]
fn a_branch_of_the_users_with_our_name_is_left_alone() {
    let world = World::repository();
    world.user(&["branch", "orchestrate/456789ab"]);
    let begun = world.begin().unwrap();
    assert_eq!(begun.trees.session_branch(), "orchestrate/0190e1b27c3d7abc8def0123456789ab-session");
    assert_eq!(world.begin().unwrap(), begun);

    let other = World::repository();
    other.user(&["branch", "orchestrate"]);
    assert!(matches!(other.begin(), Err(TreeError::BranchTaken { .. })));
}

#[test]
fn what_cannot_be_worked_on_is_refused_with_a_reason() {
    let check = |prepare: &dyn Fn(&World), reason: &str| {
        let world = World::repository();
        prepare(&world);
        let fault = world.begin().unwrap_err().to_string();
        assert!(fault.contains(reason), "{fault:?} does not say {reason:?}");
    };
    let conflict = |world: &World| {
        world.user(&["checkout", "-q", "-b", "other"]);
        world.write("a.txt", "other\n");
        world.user(&["commit", "-qam", "other"]);
        world.user(&["checkout", "-q", "main"]);
        world.write("a.txt", "main\n");
        world.user(&["commit", "-qam", "main"]);
    };
    check(
        &|world| {
            conflict(world);
            assert!(!try_plain_git(&world.target, &["rebase", "-q", "other"]).0);
        },
        "a rebase is in progress",
    );
    check(
        &|world| {
            conflict(world);
            assert!(!try_plain_git(&world.target, &["merge", "-q", "other"]).0);
        },
        "a merge is in progress",
    );
    check(
        &|world| {
            fs::remove_dir_all(world.target.join(".git")).unwrap();
            world.user(&["init", "-q"]);
        },
        "has no commit yet",
    );
    check(
        &|world| {
            fs::remove_dir_all(world.target.join(".git")).unwrap();
            write(&world.target, ".git", "gitdir: /nowhere/at/all\n");
        },
        "has a .git that git does not accept",
    );
    let bare = World::plain();
    bare.user(&["init", "-q", "--bare"]);
    assert!(bare.begin().unwrap_err().to_string().contains("without working files"));
    let inner = World::repository();
    let inside = inner.target.join(".git/refs");
    let fault = Trees::begin(&inner.git, &inside, &inner.folder, &SESSION.into()).unwrap_err();
    assert!(fault.to_string().contains("without working files"), "{fault}");
}

#[test]
fn a_detached_head_is_a_base_but_no_place_to_land() {
    let world = World::repository();
    world.user(&["checkout", "-q", "--detach"]);
    let begun = world.begin().unwrap();
    assert!(matches!(begun.trees, domain::Trees::Repository { branch: None, .. }));
    let trees = world.open(&begun.trees);
    work_and_merge(&trees, "t1", &[("c.txt", "c\n")]);
    let facts = trees.dry_run().unwrap();
    assert_eq!(facts.methods, [domain::LandMethod::Keep]);
    assert!(facts.refused.unwrap().contains("no branch was checked out"));
    assert_eq!(trees.land(domain::LandMethod::Keep, "").unwrap().branch, "orchestrate/456789ab");
}

#[test]
fn a_subfolder_is_a_project_of_its_own_in_the_whole_repository() {
    let mut world = World::repository();
    let top = world.target.clone();
    world.target = top.join("src");
    let begun = world.begin().unwrap();
    assert!(begun.warnings.iter().any(|warning| warning.contains("the folder src/ of the repository")));
    let trees = world.open(&begun.trees);
    assert_eq!(trees.prefix(), "src/");
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    assert!(tree.path.ends_with("trees/t1/src"));
    write(&tree.path, "b.txt", "changed\n");
    write(&tree.path, "../a.txt", "changed beside it\n");
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!(snapshot.changed, ["../a.txt", "b.txt"]);
    let text = |path: &str| trees.file_named(&snapshot.commit, path).unwrap();
    let changed = Some(b"changed\n".to_vec());
    assert_eq!(text("b.txt"), changed);
    assert_eq!(text("src/b.txt"), changed);
    assert_eq!(text(tree.path.join("b.txt").to_str().unwrap()), changed);
    assert_eq!(text("../a.txt").unwrap(), b"changed beside it\n");
    assert_eq!(text("../../a.txt"), None);
    assert_eq!(trees.diff(&tree.base, &snapshot.commit, &["b.txt".to_owned()]).unwrap().files.len(), 1);
}

#[cfg(unix)]
#[test]
fn a_project_folder_that_became_a_link_is_not_handed_out() {
    let mut world = World::repository();
    world.target = world.target.join("src");
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    fs::remove_dir_all(&tree.path).unwrap();
    std::os::unix::fs::symlink("/etc", &tree.path).unwrap();
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    let seat = trees.freeze_seat(domain::ReviewId(1), &"codex".into(), &snapshot.commit);
    assert!(matches!(seat, Err(TreeError::NotOurs { .. })), "{seat:?}");
    assert!(matches!(trees.prepare_tree(&"t1".into()), Err(TreeError::NotOurs { .. })));
}

#[test]
fn a_folder_that_the_repository_around_it_does_not_know_is_no_repository() {
    let mut world = World::repository();
    world.write("playground/x.txt", "x\n");
    world.target = world.target.join("playground");
    assert!(matches!(world.begin().unwrap().trees, domain::Trees::Shadow { .. }));
    assert!(!inspect(&world.git, &world.target).unwrap().repository);
}

#[test]
fn checks_are_only_those_that_the_files_define() {
    let check = |files: &[(&str, &str)], expected: &[&str]| {
        let world = World::plain();
        for (path, text) in files {
            world.write(path, text);
        }
        let facts = inspect(&world.git, &world.target).unwrap();
        assert_eq!(facts.checks, expected, "{files:?}");
    };
    check(&[], &[]);
    check(&[("Makefile", "all: test\n\techo test:\n")], &[]);
    check(&[("Makefile", "build test: x\n"), ("Cargo.toml", "[package]\n")], &["make test"]);
    check(&[("Cargo.toml", "[workspace]\n"), ("go.mod", "module x\n")], &["cargo test", "go test ./..."]);
    check(&[("package.json", r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#)], &[]);
    check(&[("package.json", r#"{"scripts":{"test":"vitest"}}"#)], &["npm test"]);
    check(&[("package.json", "{broken")], &[]);
    check(&[("pyproject.toml", "[tool.pytest.ini_options]\n")], &["pytest"]);
    check(&[("check.sh", "exit 0\n")], &[]);
    let world = World::repository();
    world.write("new.txt", "x");
    let facts = inspect(&world.git, &world.target).unwrap();
    assert_eq!((facts.repository, facts.branch.as_deref(), facts.dirty), (true, Some("main"), 1));
}
