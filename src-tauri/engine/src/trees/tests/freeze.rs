use std::collections::BTreeMap;

use domain::ReviewId;

use super::*;

#[test]
fn a_review_of_a_task_sees_the_tasks_changes_and_one_of_the_session_all() {
    let world = World::repository();
    let trees = world.trees();
    let base = trees.head().unwrap();
    let one = work_and_merge(&trees, "t1", &[("one.txt", "1\n")]);
    let two = work(&trees, "t2", &[("two.txt", "2\n")]);
    let frozen = trees.freeze(Some(&two.commit)).unwrap();
    assert_eq!((frozen.base, frozen.changed), (one.clone(), vec!["two.txt".to_owned()]));
    assert_eq!((frozen.commit, frozen.tree), (two.commit.clone(), two.tree.clone()));
    let whole = trees.freeze(None).unwrap();
    assert_eq!((whole.commit, whole.base, whole.changed), (one, base, vec!["one.txt".to_owned()]));
}

#[test]
fn a_seat_that_was_written_to_is_noticed() {
    let world = World::repository();
    world.write(".gitignore", "target/\n");
    world.user(&["add", "-A"]);
    world.user(&["commit", "-qm", "ignore"]);
    let check = |deed: &dyn Fn(&Path), untouched: bool| {
        let trees = world.trees();
        let frozen = trees.freeze(None).unwrap();
        let (review, agent) = (ReviewId(1), "codex".into());
        let path = trees.freeze_seat(review, &agent, &frozen.commit).unwrap();
        deed(&path);
        let found = trees.seat_untouched(review, &agent, &frozen.commit, &frozen.tree).unwrap();
        assert_eq!(found, untouched);
        assert_eq!(trees.seat_untouched(review, &agent, &frozen.commit, &frozen.tree).unwrap(), untouched);
        // The next worker on this seat finds it as it should be.
        let again = trees.freeze_seat(review, &agent, &frozen.commit).unwrap();
        assert_eq!(again, path);
        assert!(trees.seat_untouched(review, &agent, &frozen.commit, &frozen.tree).unwrap());
        trees.remove_seat(review, &agent).unwrap().unwrap();
        assert!(!path.exists());
        assert_eq!(trees.remove_seat(review, &agent).unwrap(), None);
    };
    check(&|_| {}, true);
    check(&|path| write(path, "target/debug/out", "built\n"), true);
    check(&|path| write(path, "a.txt", "ONE\ntwo\nthree\n"), false);
    check(&|path| write(path, "new.txt", "new\n"), false);
    check(&|path| std::fs::remove_file(path.join("src/b.txt")).unwrap(), false);
    check(
        &|path| {
            plain_git(path, &["update-index", "--assume-unchanged", "a.txt"]);
            write(path, "a.txt", "ONE\ntwo\nthree\n");
        },
        false,
    );
    check(
        &|path| {
            write(path, "a.txt", "committed, so status is clean\n");
            plain_git(path, &["commit", "-qam", "x"]);
        },
        false,
    );
    check(
        &|path| {
            write(path, "inner/x", "x\n");
            plain_git(&path.join("inner"), &["init", "-q"]);
            std::fs::remove_dir_all(path.join("inner/.git")).unwrap();
        },
        false,
    );
}

#[test]
fn a_seat_that_is_gone_is_not_untouched() {
    let world = World::repository();
    let trees = world.trees();
    let frozen = trees.freeze(None).unwrap();
    assert!(!trees.seat_untouched(ReviewId(9), &"codex".into(), &frozen.commit, &frozen.tree).unwrap());
}

#[test]
fn evidence_is_looked_for_in_the_reviewed_commit_not_in_later_files() {
    use domain::{Evidence, Finding, Severity};
    let world = World::repository();
    let trees = world.trees();
    let frozen = trees.freeze(None).unwrap();
    let seat = trees.freeze_seat(ReviewId(1), &"codex".into(), &frozen.commit).unwrap();
    write(&seat, "a.txt", "planted by the reviewer\n");
    write(&seat, "planted.txt", "planted by the reviewer\n");
    let renamed =
        BTreeMap::from([("[secret].txt".to_owned(), ["none", "a.txt"].map(str::to_owned).to_vec())]);
    let check = |file: &str, quote: &str, evidence: Evidence, found_at: Option<u32>| {
        let finding = Finding {
            severity: Severity::Blocker,
            title: "t".to_owned(),
            file: Some(file.to_owned()),
            lines: Some("1".to_owned()),
            quote: Some(quote.to_owned()),
            why: String::new(),
            recommendation: String::new(),
        };
        let checked = crate::evidence::check_all(
            &trees,
            &frozen.commit,
            vec![finding],
            &agents::Secrets::default(),
            &renamed,
        )
        .unwrap();
        assert_eq!((checked[0].evidence, checked[0].found_at), (evidence, found_at), "{file}");
    };
    check("a.txt", "three", Evidence::Verified, Some(3));
    check("[secret].txt", "three", Evidence::Verified, Some(3));
    check("[secret].txt", "four", Evidence::NotFound, None);
    check("./src/../a.txt", "two three", Evidence::Verified, Some(2));
    check(seat.join("a.txt").to_str().unwrap(), "three", Evidence::Verified, Some(3));
    check("a.txt", "planted by the reviewer", Evidence::NotFound, None);
    check("planted.txt", "planted by the reviewer", Evidence::NotFound, None);
    check("../../../../../../etc/passwd", "root", Evidence::NotFound, None);
    check("/etc/passwd", "root", Evidence::NotFound, None);
    check("src", "b.txt", Evidence::NotFound, None);
    let gone = domain::CommitHash("0".repeat(40));
    let finding =
        crate::evidence::check_all(&trees, &gone, vec![], &agents::Secrets::default(), &BTreeMap::new());
    assert!(finding.unwrap().is_empty());
}
