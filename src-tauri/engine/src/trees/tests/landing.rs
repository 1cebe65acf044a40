use std::fs;

use domain::LandMethod::{self, FastForward, Keep, Merge as MergeIt, Squash};

use super::*;

/// A session that changed `a.txt`, removed `src/b.txt` and added `new/c.txt`.
fn session(world: &World) -> Trees {
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    fs::remove_file(tree.path.join("src/b.txt")).unwrap();
    work_and_merge(&trees, "t1", &[("a.txt", "one\ntwo\nTHREE by an agent\n"), ("new/c.txt", "c\n")]);
    trees
}

fn is_landed(world: &World) {
    assert!(world.read("a.txt").unwrap().contains("THREE by an agent"));
    assert_eq!(world.read("new/c.txt").unwrap(), "c\n");
    assert_eq!(world.read("src/b.txt"), None);
}

fn commit(world: &World, path: &str, text: &str) {
    world.write(path, text);
    world.user(&["add", "-A"]);
    world.user(&["commit", "-q", "-m", "by the user"]);
}

#[test]
fn every_method_lands_on_a_branch_that_stayed_and_on_one_that_moved() {
    let check = |moved: bool, method: LandMethod, parents: Option<usize>| {
        let world = World::repository();
        let trees = session(&world);
        if moved {
            commit(&world, "other.txt", "by the user\n");
        }
        let tip = world.user(&["rev-parse", "main"]);
        let facts = trees.dry_run().unwrap();
        assert_eq!((facts.into.as_str(), facts.commits, &facts.refused), ("main", 2, &None));
        assert_eq!(facts.methods.contains(&method), parents.is_some(), "{method:?} {:?}", facts.methods);
        let Some(parents) = parents else {
            let fault = trees.land(method, "x").unwrap_err().to_string();
            assert!(fault.contains("has moved on"), "{fault}");
            assert_eq!(world.user(&["rev-parse", "main"]), tip);
            return;
        };
        let landed = trees.land(method, "What was done\n\nIn detail.").unwrap();
        assert_eq!(landed.branch, "main");
        assert_eq!(world.user(&["rev-parse", "main"]).trim(), landed.commit.as_str());
        is_landed(&world);
        assert_eq!(world.read("other.txt").is_some(), moved);
        assert_eq!(world.user(&["status", "--porcelain"]), "");
        assert_eq!(world.user(&["log", "-1", "--format=%P"]).split_whitespace().count(), parents);
        if method != FastForward {
            let message = world.user(&["log", "-1", "--format=%B"]);
            assert!(message.starts_with("What was done\n\nIn detail.\n\nOrchestrate-Session: "), "{message}");
        }
        // Once: repeated by anybody, with any method, also after the user went on.
        assert_eq!(world.trees().land(Squash, "again").unwrap(), landed);
        commit(&world, "later.txt", "later\n");
        assert_eq!(trees.land(method, "again").unwrap(), landed);
        assert!(trees.dry_run().unwrap().refused.unwrap().contains("has been landed in main already"));
    };
    check(false, FastForward, Some(2)); // the session's own last merge
    check(false, MergeIt, Some(2));
    check(false, Squash, Some(1));
    check(true, FastForward, None);
    check(true, MergeIt, Some(2));
    check(true, Squash, Some(1));
}

#[test]
fn uncommitted_work_survives_where_landing_does_not_write_and_stops_it_where_it_does() {
    let check = |deed: &dyn Fn(&World), in_the_way: &[&str]| {
        for method in [FastForward, Squash] {
            let world = World::repository();
            commit(&world, ".gitignore", "*.log\nbuild/\n");
            commit(&world, "kept.txt", "kept\n");
            let trees = session(&world);
            deed(&world);
            let before = world.users_own();
            let status = world.user(&["status", "--porcelain", "-uall"]);
            let facts = trees.dry_run().unwrap();
            assert_eq!(facts.in_the_way, in_the_way);
            assert_eq!(world.users_own(), before, "a dry run changes nothing");
            match trees.land(method, "m") {
                Ok(_) => {
                    assert_eq!(in_the_way, [""; 0]);
                    is_landed(&world);
                    assert_eq!(world.user(&["status", "--porcelain", "-uall"]), status);
                }
                Err(TreeError::InTheWay { files }) => {
                    assert_eq!(files, in_the_way);
                    assert_eq!(facts.methods, [Keep]);
                    assert_eq!(world.users_own(), before, "a refusal changes nothing");
                }
                Err(fault) => panic!("{fault}"),
            }
        }
    };
    check(&|_| {}, &[]);
    check(&|world| world.write("kept.txt", "changed\n"), &[]);
    check(
        &|world| {
            world.write("kept.txt", "staged\n");
            world.write("staged.txt", "staged\n");
            world.user(&["add", "-A"]);
            world.write("kept.txt", "staged and changed again\n");
            world.write("untracked.txt", "untracked\n");
            world.write("x.log", "ignored\n");
        },
        &[],
    );
    check(&|world| world.write("a.txt", "by the user\n"), &["a.txt"]);
    check(
        &|world| {
            world.write("a.txt", "by the user\n");
            world.user(&["add", "a.txt"]);
        },
        &["a.txt"],
    );
    check(&|world| fs::remove_file(world.target.join("a.txt")).unwrap(), &["a.txt"]);
    check(&|world| world.write("src/b.txt", "by the user\n"), &["src/b.txt"]);
    check(&|world| world.write("new/c.txt", "by the user\n"), &["new/c.txt"]);
    check(&|world| world.write("new", "a file where a folder is to be\n"), &["new/c.txt"]);
    check(&|world| world.write("new/c.txt/inner", "a folder where a file is to be\n"), &["new/c.txt"]);
}

#[test]
fn ignored_files_of_the_users_are_in_the_way_too() {
    let world = World::repository();
    commit(&world, ".gitignore", "build/\n*.log\n");
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    write(&tree.path, "build/out.txt", "forced\n");
    write(&tree.path, "x.log", "forced\n");
    plain_git(&tree.path, &["add", "-f", "build/out.txt", "x.log"]);
    work_and_merge(&trees, "t1", &[]);
    world.write("build/other.txt", "the user's build\n");
    assert_eq!(trees.dry_run().unwrap().in_the_way, [""; 0]);
    world.write("build/out.txt", "the user's build\n");
    world.write("x.log", "the user's log\n");
    assert_eq!(trees.dry_run().unwrap().in_the_way, ["build/out.txt", "x.log"]);
    assert!(matches!(trees.land(FastForward, ""), Err(TreeError::InTheWay { .. })));
    assert_eq!(world.read("x.log").unwrap(), "the user's log\n");
}

#[test]
fn conflicts_with_what_the_user_committed_meanwhile_are_named() {
    let world = World::repository();
    let trees = session(&world);
    commit(&world, "a.txt", "one\ntwo\nthree by the user\n");
    let before = world.users_own();
    let facts = trees.dry_run().unwrap();
    assert_eq!((facts.conflicts, facts.methods), (vec!["a.txt".to_owned()], vec![Keep]));
    for method in [FastForward, MergeIt, Squash] {
        assert!(matches!(trees.land(method, ""), Err(TreeError::Conflicts { .. })), "{method:?}");
    }
    assert_eq!(world.users_own(), before);
    assert_eq!(trees.land(Keep, "").unwrap().branch, "orchestrate/456789ab");
    assert_eq!(trees.landed().unwrap(), None, "keeping is not landing");
}

#[test]
fn a_branch_that_is_checked_out_nowhere_or_elsewhere_is_moved_there() {
    let world = World::repository();
    let trees = session(&world);
    world.user(&["checkout", "-q", "-b", "other"]);
    world.write("a.txt", "uncommitted on another branch\n");
    assert_eq!(trees.dry_run().unwrap().in_the_way, [""; 0]);
    trees.land(FastForward, "").unwrap();
    assert_eq!(world.read("a.txt").unwrap(), "uncommitted on another branch\n");
    assert!(world.user(&["show", "main:a.txt"]).contains("by an agent"));

    let world = World::repository();
    let trees = session(&world);
    world.user(&["checkout", "-q", "-b", "other"]);
    let place = world.folder.parent().unwrap().join("second checkout");
    world.user(&["worktree", "add", "-q", place.to_str().unwrap(), "main"]);
    write(&place, "a.txt", "in the way\n");
    assert_eq!(trees.dry_run().unwrap().in_the_way, ["a.txt"]);
    plain_git(&place, &["checkout", "-q", "a.txt"]);
    trees.land(Squash, "m").unwrap();
    assert_eq!(fs::read_to_string(place.join("new/c.txt")).unwrap(), "c\n");
    assert_eq!(plain_git(&place, &["status", "--porcelain"]), "");
    assert!(world.target.join("src/b.txt").exists());
}

#[test]
fn what_makes_landing_impossible_is_said() {
    let check = |prepare: &dyn Fn(&World), reason: &str| {
        let world = World::repository();
        let trees = session(&world);
        prepare(&world);
        let facts = trees.dry_run().unwrap();
        assert_eq!(facts.methods, [Keep]);
        assert!(facts.refused.as_deref().unwrap().contains(reason), "{facts:?}");
        let fault = trees.land(Squash, "").unwrap_err().to_string();
        assert!(fault.contains(reason), "{fault}");
    };
    check(
        &|world| {
            world.user(&["checkout", "-q", "-b", "other"]);
            world.user(&["branch", "-q", "-D", "main"]);
        },
        "is gone",
    );
    check(
        &|world| {
            world.user(&["checkout", "-q", "-b", "other"]);
            commit(world, "a.txt", "other\n");
            world.user(&["checkout", "-q", "main"]);
            commit(world, "a.txt", "main\n");
            assert!(!try_plain_git(&world.target, &["merge", "-q", "other"]).0);
        },
        "a merge is in progress",
    );
    let world = World::repository();
    let facts = world.trees().dry_run().unwrap();
    assert_eq!((facts.refused.as_deref(), facts.methods), (Some("the session changed nothing"), vec![]));
}

#[test]
fn a_branch_that_the_user_merged_by_hand_counts_as_landed() {
    let world = World::repository();
    let trees = session(&world);
    world.user(&["merge", "-q", "orchestrate/456789ab"]);
    let tip = world.user(&["rev-parse", "main"]);
    assert_eq!(trees.land(FastForward, "").unwrap().commit.as_str(), tip.trim());
}

#[test]
fn a_landing_that_was_cut_off_anywhere_is_finished_once() {
    let check = |cut: &dyn Fn(&World, &str, &str)| {
        let world = World::repository();
        let trees = session(&world);
        commit(&world, "kept.txt", "kept\n");
        world.write("mine.txt", "uncommitted\n");
        // What a squash would make, and the intent of it.
        let from = world.user(&["rev-parse", "main"]).trim().to_owned();
        let merged = world.user(&["merge-tree", "--write-tree", "main", "orchestrate/456789ab"]);
        let result =
            world.user(&["commit-tree", "-p", &from, "-m", "squash", merged.trim()]).trim().to_owned();
        for (name, to) in [("_landing", &result), ("_landing-from", &from)] {
            world.user(&["update-ref", &format!("refs/orchestrate/{SESSION}/{name}"), to]);
        }
        cut(&world, &from, &result);
        let landed = trees.land(MergeIt, "another message, too late").unwrap();
        assert_eq!(landed.commit.as_str(), result);
        is_landed(&world);
        assert_eq!(world.user(&["status", "--porcelain"]), "?? mine.txt\n");
        assert_eq!(world.user(&["rev-list", "--count", "main"]).trim(), "3");
        assert_eq!(trees.land(MergeIt, "").unwrap(), landed);
        let left =
            world.user(&["for-each-ref", "--format=%(refname)", &format!("refs/orchestrate/{SESSION}")]);
        assert!(left.contains("_landed") && !left.contains("_landing"), "{left}");
    };
    check(&|_, _, _| {}); // before the first file
    check(&|world, _, _| world.write("new/c.txt", "c\n")); // between two files
    check(&|world, _, _| {
        world.write("new/c.txt", "c\n");
        world.write("a.txt", "one\ntwo\nTHREE by an agent\n");
        fs::remove_file(world.target.join("src/b.txt")).unwrap();
    }); // before the index
    check(&|world, from, result| drop(world.user(&["read-tree", "-m", "-u", from, result]))); // before the branch
}

#[test]
fn a_landing_that_the_user_overtook_is_planned_anew() {
    let world = World::repository();
    let trees = session(&world);
    let old = world.user(&["rev-parse", "main"]).trim().to_owned();
    for (name, to) in [("_landing", "orchestrate/456789ab"), ("_landing-from", old.as_str())] {
        world.user(&["update-ref", &format!("refs/orchestrate/{SESSION}/{name}"), to]);
    }
    commit(&world, "other.txt", "by the user\n");
    assert!(trees.land(FastForward, "").unwrap_err().to_string().contains("has moved on"));
    trees.land(MergeIt, "m").unwrap();
    is_landed(&world);
    assert!(world.read("other.txt").is_some());
}
