use std::fs;

use domain::LandMethod;

use super::*;

fn landed_files(world: &World) -> BTreeMap<String, String> {
    files(&world.target)
}

#[test]
fn a_folder_without_repository_is_untouched_until_landing() {
    let world = World::plain();
    world.write("notes.log", "ignored\n");
    world.write(".gitignore", "*.log\n");
    world.write("crlf.txt", "one\r\ntwo\r\n");
    world.write(".gitattributes", "*.txt text=auto filter=x\n");
    world.write("node_modules/x/index.js", "x\n");
    let before = files(&world.target);
    let begun = world.begin().unwrap();
    assert_eq!(world.begin().unwrap().trees, begun.trees);
    let trees = world.open(&begun.trees);
    let base = trees.head().unwrap();
    assert_eq!(
        trees.list(&base).unwrap(),
        [".gitattributes", ".gitignore", "a.txt", "crlf.txt", "src/b.txt"]
    );
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    assert_eq!(fs::read(tree.path.join("crlf.txt")).unwrap(), b"one\r\ntwo\r\n");
    fs::remove_file(tree.path.join("src/b.txt")).unwrap();
    let commit = work_and_merge(&trees, "t1", &[("a.txt", "by an agent\r\n"), ("deep/er/c ö.txt", "c\n")]);
    assert_eq!(files(&world.target), before);
    assert!(!world.target.join(".git").exists());

    let facts = trees.dry_run().unwrap();
    assert_eq!(facts.methods, [LandMethod::FastForward, LandMethod::Keep]);
    assert_eq!(facts.into, world.target.to_string_lossy());
    let landed = trees.land(LandMethod::FastForward, "").unwrap();
    assert_eq!(landed.commit, commit);
    let mut after = before;
    after.insert("a.txt".to_owned(), "by an agent\r\n".to_owned());
    after.insert("deep/er/c ö.txt".to_owned(), "c\n".to_owned());
    after.remove("src/b.txt");
    assert_eq!(landed_files(&world), after);
    assert!(!world.target.join("src").exists());

    // Landed once: what the user does afterwards stays.
    world.write("a.txt", "the user goes on\n");
    assert_eq!(world.open(&begun.trees).land(LandMethod::FastForward, "").unwrap(), landed);
    assert_eq!(world.read("a.txt").unwrap(), "the user goes on\n");
    assert!(trees.dry_run().unwrap().refused.unwrap().contains("has been landed"));
}

#[test]
fn what_the_user_changed_meanwhile_is_not_overwritten() {
    let check = |deed: &dyn Fn(&World), in_the_way: &[&str]| {
        let world = World::plain();
        let trees = world.trees();
        let tree = trees.prepare_tree(&"t1".into()).unwrap();
        fs::remove_file(tree.path.join("src/b.txt")).unwrap();
        work_and_merge(&trees, "t1", &[("a.txt", "by an agent\n"), ("new/c.txt", "c\n")]);
        deed(&world);
        let before = files(&world.target);
        assert_eq!(trees.dry_run().unwrap().in_the_way, in_the_way);
        match trees.land(LandMethod::FastForward, "") {
            Ok(_) => assert_eq!(in_the_way, [""; 0]),
            Err(TreeError::InTheWay { files: found }) => {
                assert_eq!(found, in_the_way);
                assert_eq!(files(&world.target), before);
            }
            Err(fault) => panic!("{fault}"),
        }
    };
    check(&|_| {}, &[]);
    check(&|world| world.write("other.txt", "elsewhere\n"), &[]);
    check(&|world| world.write("a.txt", "by the user\n"), &["a.txt"]);
    check(&|world| world.write("src/b.txt", "by the user\n"), &["src/b.txt"]);
    check(&|world| world.write("new/c.txt", "by the user\n"), &["new/c.txt"]);
    check(&|world| world.write("new/c.txt", "c\n"), &[]);
    check(&|world| world.write("new", "a file where a folder is to be\n"), &["new/c.txt"]);
    check(&|world| world.write("new/c.txt/inner", "a folder where a file is to be\n"), &["new/c.txt"]);
    check(&|world| fs::remove_file(world.target.join("a.txt")).unwrap(), &["a.txt"]);
    check(&|world| fs::remove_file(world.target.join("src/b.txt")).unwrap(), &[]);
}

#[test]
fn a_landing_that_was_cut_off_is_finished() {
    let world = World::plain();
    let trees = world.trees();
    let commit =
        work_and_merge(&trees, "t1", &[("a.txt", "by an agent\n"), ("c.txt", "c\n"), ("src/b.txt", "B\n")]);
    // As if the process had died after the first of the files.
    let shadow = world.folder.join("shadow.git");
    plain_git(&shadow, &["update-ref", &format!("refs/orchestrate/{SESSION}/_landing"), commit.as_str()]);
    world.write("a.txt", "by an agent\n");
    assert_eq!(trees.land(LandMethod::FastForward, "").unwrap().commit, commit);
    assert_eq!(world.read("c.txt").unwrap() + &world.read("src/b.txt").unwrap(), "c\nB\n");
}

#[cfg(unix)]
#[test]
fn rights_and_links_are_landed_and_no_link_leads_out() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let world = World::plain();
    let outside = world.folder.join("outside");
    fs::create_dir_all(&outside).unwrap();
    let mode = |path: &str| world.target.join(path).metadata().unwrap().permissions().mode() & 0o777;
    fs::set_permissions(world.target.join("a.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    write(&tree.path, "a.txt", "by an agent\n");
    write(&tree.path, "run.sh", "exit 0\n");
    write(&tree.path, "lib/x.txt", "x\n");
    fs::set_permissions(tree.path.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("a.txt", tree.path.join("link")).unwrap();
    work_and_merge(&trees, "t1", &[]);
    symlink(&outside, world.target.join("lib")).unwrap();
    assert!(trees.land(LandMethod::FastForward, "").is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    fs::remove_file(world.target.join("lib")).unwrap();
    trees.land(LandMethod::FastForward, "").unwrap();
    assert_eq!((mode("a.txt"), mode("run.sh") & 0o111 != 0), (0o640, true));
    assert_eq!(fs::read_link(world.target.join("link")).unwrap(), Path::new("a.txt"));
    assert_eq!(world.read("lib/x.txt").unwrap(), "x\n");
}

#[test]
fn a_file_may_become_a_folder_and_a_folder_a_file() {
    let world = World::plain();
    let trees = world.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    fs::remove_file(tree.path.join("a.txt")).unwrap();
    fs::remove_dir_all(tree.path.join("src")).unwrap();
    work_and_merge(&trees, "t1", &[("a.txt/inner", "inner\n"), ("src", "now a file\n")]);
    trees.land(LandMethod::FastForward, "").unwrap();
    assert_eq!(world.read("a.txt/inner").unwrap() + &world.read("src").unwrap(), "inner\nnow a file\n");
}

#[test]
fn repositories_inside_are_left_out_and_an_empty_folder_is_a_project() {
    let world = World::plain();
    for (inner, commit) in [("inner", true), ("empty inner", false)] {
        world.write(&format!("{inner}/x.txt"), "x\n");
        let path = world.target.join(inner);
        plain_git(&path, &["init", "-q"]);
        if commit {
            plain_git(&path, &["add", "-A"]);
            plain_git(&path, &["commit", "-qm", "inner"]);
        }
    }
    let begun = world.begin().unwrap();
    let left_out = begun.warnings.iter().filter(|warning| warning.contains("repository of its own")).count();
    assert_eq!(left_out, 2, "{:?}", begun.warnings);
    assert_eq!(world.open(&begun.trees).list(begun.trees.base()).unwrap(), ["a.txt", "src/b.txt"]);

    let empty = World::plain();
    fs::remove_dir_all(&empty.target).unwrap();
    fs::create_dir(&empty.target).unwrap();
    let trees = empty.trees();
    work_and_merge(&trees, "t1", &[("first.txt", "1\n")]);
    trees.land(LandMethod::Squash, "").unwrap();
    assert_eq!(empty.read("first.txt").unwrap(), "1\n");
}
