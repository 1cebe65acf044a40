//! A repository that tries to run programs through everything git lets it configure (THREATS T2, T12).
//!
//! Each way touches a mark when it runs. Plain git is the control: it must touch some, or the test proves nothing.
#![cfg(unix)]

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt};

use super::*;
use crate::{git::Repository, trees::inspect};

struct Hostile {
    world: World,
    marks: PathBuf,
}

impl Hostile {
    /// A repository full of traps. `marks` and the traps lie outside of it.
    fn new() -> Self {
        let world = World::repository();
        let root = world.folder.parent().unwrap().parent().unwrap().parent().unwrap().to_owned();
        let hostile = Self { marks: root.join("marks"), world };
        fs::create_dir_all(&hostile.marks).unwrap();
        hostile
            .world
            .write(".gitattributes", "*.txt filter=evil diff=evil merge=evil\n*.odd filter=e=v.il\n");
        hostile.world.write("x.odd", "odd\n");
        hostile.world.user(&["add", "-A"]);
        hostile.world.user(&["commit", "-qm", "attributes"]);
        hostile.world.user(&["branch", "side"]);
        hostile.plant();
        hostile
    }

    fn trap(&self, name: &str) -> String {
        let path = self.marks.parent().unwrap().join(format!("trap-{name}"));
        fs::write(&path, format!("#!/bin/sh\ntouch '{}/{name}'\nexit 0\n", self.marks.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// What a worker can write into the repository's configuration at any time.
    fn plant(&self) {
        let git = self.world.target.join(".git");
        let mut config = fs::read_to_string(git.join("config")).unwrap();
        let plain = [
            ("core", "fsmonitor"),
            ("core", "sshCommand"),
            ("core", "pager"),
            ("core", "editor"),
            ("core", "askPass"),
            ("core", "gitProxy"),
            ("core", "alternateRefsCommand"),
            ("diff", "external"),
            ("gpg", "program"),
            ("sequence", "editor"),
            ("uploadpack", "packObjectsHook"),
            ("interactive", "diffFilter"),
            ("diff \"evil\"", "textconv"),
            ("diff \"evil\"", "command"),
            ("merge \"evil\"", "driver"),
            ("filter \"evil\"", "clean"),
            ("filter \"evil\"", "smudge"),
            ("filter \"e=v.il\"", "clean"),
            ("filter \"e=v.il\"", "smudge"),
            ("hook \"evil\"", "command"),
        ];
        for (number, (section, key)) in plain.iter().enumerate() {
            config += &format!("[{section}]\n\t{key} = {}\n", self.trap(&format!("{number}-{key}")));
        }
        let shell = [("credential", "helper"), ("alias", "status"), ("alias", "rev-parse")];
        for (section, key) in shell {
            config += &format!("[{section}]\n\t{key} = \"!{}\"\n", self.trap(&format!("{section}-{key}")));
        }
        config += &format!("[remote \"origin\"]\n\turl = \"ext::{}\"\n", self.trap("ext"));
        config += "\tfetch = +refs/heads/*:refs/remotes/origin/*\n[protocol \"ext\"]\n\tallow = always\n";
        config += "[commit]\n\tgpgSign = true\n[log]\n\tshowSignature = true\n[gc]\n\tauto = 1\n";
        config += "[hook \"evil\"]\n\tevent = reference-transaction\n\tevent = post-checkout\n";
        config += "[core]\n\thooksPath = .git/hooks\n";
        fs::write(git.join("config"), config).unwrap();
        fs::create_dir_all(git.join("hooks")).unwrap();
        let hooks = [
            "pre-commit",
            "post-commit",
            "post-checkout",
            "post-index-change",
            "reference-transaction",
            "prepare-commit-msg",
            "commit-msg",
            "pre-merge-commit",
            "post-merge",
            "pre-auto-gc",
            "fsmonitor-watchman",
            "post-rewrite",
            "pre-rebase",
        ];
        for hook in hooks {
            fs::copy(self.trap(&format!("hook-{hook}")), git.join("hooks").join(hook)).unwrap();
        }
    }

    /// What has run since the last look.
    fn marked(&self) -> BTreeSet<String> {
        let found: BTreeSet<String> = fs::read_dir(&self.marks)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        for name in &found {
            fs::remove_file(self.marks.join(name)).unwrap();
        }
        found
    }
}

const OPERATIONS: [&[&str]; 12] = [
    &["status", "--porcelain=v2"],
    &["diff"],
    &["log", "-p", "-1"],
    &["show", "HEAD"],
    &["add", "-A"],
    &["commit", "-qm", "x"],
    &["worktree", "add", "-q", "../wt", "-b", "b1"],
    &["stash", "list"],
    &["checkout", "-q", "-b", "z1"],
    &["fetch", "origin"],
    &["merge-base", "HEAD", "HEAD"],
    &["ls-files", "-m"],
];

#[test]
fn no_operation_runs_anything_with_the_wrapper_and_many_do_without() {
    let control = Hostile::new();
    control.world.write("a.txt", "changed\n");
    let mut ran = BTreeSet::new();
    for operation in OPERATIONS {
        try_plain_git(&control.world.target, operation);
        ran.extend(control.marked());
    }
    assert!(10 <= ran.len(), "the control ran only {ran:?}");

    let hostile = Hostile::new();
    hostile.world.write("a.txt", "changed\n");
    let repository = Repository::around(&hostile.world.git, &hostile.world.target);
    let mut failed = Vec::new();
    for operation in OPERATIONS {
        let [name, rest @ ..] = operation else { unreachable!() };
        failed.extend(repository.call(name).args(rest).run().err().map(|fault| fault.to_string()));
        assert_eq!(hostile.marked(), BTreeSet::new(), "{operation:?}");
    }
    assert_eq!(failed.len(), 1, "all but the refused fetch: {failed:?}");
    assert!(failed[0].starts_with("git fetch failed"), "{failed:?}");
}

#[test]
fn a_whole_session_in_a_hostile_repository_runs_nothing() {
    let hostile = Hostile::new();
    let world = &hostile.world;
    assert!(inspect(&world.git, &world.target).unwrap().repository);
    let trees = world.trees();
    let one = work(&trees, "t1", &[("a.txt", "by t1\n"), ("y.odd", "y\n")]);
    let two = work(&trees, "t2", &[("a.txt", "by t2\n")]);
    hostile.plant(); // again, in the middle of the session
    trees.merge(&"t1".into(), &one.commit).unwrap();
    assert!(matches!(trees.merge(&"t2".into(), &two.commit).unwrap(), Merge::Conflicted { .. }));
    write(&world.folder.join("trees/t2"), "a.txt", "by both\n");
    let resolved = trees.snapshot(&"t2".into(), 2).unwrap();
    trees.merge(&"t2".into(), &resolved.commit).unwrap();
    let frozen = trees.freeze(None).unwrap();
    trees.freeze_seat(domain::ReviewId(1), &"codex".into(), &frozen.commit).unwrap();
    let tree = &frozen.tree;
    assert!(trees.seat_untouched(domain::ReviewId(1), &"codex".into(), &frozen.commit, tree).unwrap());
    assert!(trees.diff(&frozen.base, &frozen.commit, &[]).unwrap().text.contains("+by both"));
    trees.dry_run().unwrap();
    trees.land(domain::LandMethod::Squash, "m").unwrap();
    trees.remove_worktrees().unwrap();
    assert_eq!(hostile.marked(), BTreeSet::new());
    assert_eq!(world.read("a.txt").unwrap(), "by both\n");
    assert_eq!(world.read("y.odd").unwrap(), "y\n");
    try_plain_git(&world.target, &["status"]);
    assert!(!hostile.marked().is_empty(), "the traps were armed all the time");
}

#[test]
fn a_worktree_whose_git_file_was_exchanged_cannot_redirect_us() {
    let hostile = Hostile::new();
    let clean = World::repository();
    let trees = clean.trees();
    let tree = trees.prepare_tree(&"t1".into()).unwrap();
    write(&tree.path, "c.txt", "c\n");
    fs::write(tree.path.join(".git"), format!("gitdir: {}\n", hostile.world.target.join(".git").display()))
        .unwrap();
    let snapshot = trees.snapshot(&"t1".into(), 1).unwrap();
    assert_eq!(snapshot.changed, ["c.txt"]);
    assert_eq!(hostile.marked(), BTreeSet::new());
    assert!(matches!(trees.prepare_tree(&"t1".into()), Err(TreeError::NotOurs { .. })));
    try_plain_git(&tree.path, &["status"]);
    assert!(!hostile.marked().is_empty(), "plain git was redirected");
}
