use std::{fs, process::Command};

use super::*;

struct World {
    _root: tempfile::TempDir,
    target: PathBuf,
    workspace: PathBuf,
    git: Git,
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().canonicalize().unwrap();
        let world = Self {
            target: top.join("project"),
            workspace: top.join("workspace"),
            git: Git::find().unwrap(),
            _root: root,
        };
        fs::create_dir_all(&world.target).unwrap();
        files.iter().for_each(|(path, text)| write(&world.target, path, text));
        world
    }

    fn commit(&self) {
        for args in [
            &["init", "-q"][..],
            &["add", "-Af"],
            &["-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "-qm", "c"],
        ] {
            let done = Command::new("git").args(args).current_dir(&self.target).status().unwrap();
            assert!(done.success(), "{args:?}");
        }
    }

    fn found(&self, below: &str) -> Option<Brought> {
        of_project(&self.git, &self.target.join(below), &self.workspace).unwrap()
    }
}

const FILES: [(&str, &str); 6] = [
    (".claude/settings.json", "{}"),
    (".claude/hooks/run.sh", "true"),
    (".mcp.json", "{}"),
    ("sub/.gemini/.env", "GOOGLE_GEMINI_BASE_URL=http://x\n"),
    ("other/.codex/config.toml", ""),
    ("CLAUDE.md", "Be kind."),
];

#[test]
fn what_counts_is_what_the_clis_load_from_the_projects_root_and_above() {
    let check = |below: &str, expected: &[&str]| {
        let world = World::new(&FILES);
        world.commit();
        // Not committed: no worker gets to see it.
        write(&world.target, ".claude/settings.local.json", "{}");
        let found = world.found(below).unwrap();
        assert_eq!(found.files, expected, "{below}");
        assert!(!found.approved && found.unfit.is_none());
        assert_eq!(found.hash.len(), 64);
    };
    let top = [".claude/hooks/run.sh", ".claude/settings.json", ".mcp.json"];
    check("", &top);
    check("sub", &[&top[..], &["sub/.gemini/.env"]].concat());
    let world = World::new(&[("README.md", "x"), ("CLAUDE.md", "x"), (".env", "A=b")]);
    assert_eq!(world.found(""), None);
    world.commit();
    assert_eq!(world.found(""), None);
}

#[test]
fn an_approval_holds_for_one_content_of_one_project_until_it_is_taken_back() {
    let world = World::new(&FILES);
    world.commit();
    let approved = || world.found("").unwrap().approved;
    let hash = world.found("").unwrap().hash;
    approve(&world.workspace, &world.target, Some(&hash)).unwrap();
    assert!(approved());
    assert!(!world.found("sub").unwrap().approved);
    // A worker's tree, as it is checked out, is the same content.
    let load = || for_worker(world.found("").as_ref(), &world.target, "").load;
    assert!(load());
    for (path, text) in [(".claude/hooks/run.sh", "false"), (".claude/new", ""), (".codex/config.toml", "")] {
        let before = fs::read(world.target.join(path)).ok();
        write(&world.target, path, text);
        assert!(!load(), "{path}");
        match before {
            Some(bytes) => fs::write(world.target.join(path), bytes).unwrap(),
            None => fs::remove_file(world.target.join(path)).unwrap(),
        }
        assert!(load(), "{path}");
    }
    write(&world.target, "CLAUDE.md", "Be quick.");
    assert!(load());
    write(&world.target, ".mcp.json", "{ }");
    world.commit();
    assert!(!approved());
    approve(&world.workspace, &world.target, Some(&world.found("").unwrap().hash)).unwrap();
    assert!(approved());
    approve(&world.workspace, &world.target, None).unwrap();
    assert!(!approved());
    fs::write(approvals(&world.workspace), "{ damaged").unwrap();
    assert!(!approved());
}

#[cfg(unix)]
#[test]
fn what_nobody_can_look_through_cannot_be_approved() {
    let check = |why: &str, make: &dyn Fn(&Path)| {
        for commit in [false, true] {
            let world = World::new(&[("a.txt", "a")]);
            make(&world.target);
            if commit {
                world.commit();
            }
            let found = world.found("").unwrap();
            assert!(found.unfit.as_deref().is_some_and(|said| said.contains(why)), "{:?}", found.unfit);
            approve(&world.workspace, &world.target, Some(&found.hash)).unwrap();
            let found = world.found("").unwrap();
            assert!(!found.approved && found.words().contains(why));
            let known = Brought { approved: true, unfit: None, ..found };
            assert!(!for_worker(Some(&known), &world.target, "").load);
        }
    };
    check("is a link", &|target| std::os::unix::fs::symlink("/etc", target.join(".claude")).unwrap());
    check("is a link", &|target| {
        write(target, ".claude/settings.json", "{}");
        std::os::unix::fs::symlink("../a.txt", target.join(".claude/hook")).unwrap();
    });
    check("too large", &|target| write(target, ".codex/x", &"x".repeat(2 << 20)));
    check("to", &|target| (0..=MOST_FILES).for_each(|at| write(target, &format!(".agents/{at}"), "")));
}

#[test]
fn every_variable_of_a_project_is_known_by_its_name() {
    let check = |text: &str, expected: &[&str]| {
        let found: Vec<String> = variables_of(text).collect();
        for name in expected {
            assert!(found.iter().any(|word| word == name), "{text:?}: {found:?}");
        }
    };
    check("A=b", &["A"]);
    check("export A=b\nB = c\r\nC: d\n\tD=e", &["A", "B", "C", "D"]);
    check("X='a\nHTTPS_PROXY=http://x\n'", &["X", "HTTPS_PROXY"]);
    check("\u{feff}GOOGLE_GEMINI_BASE_URL=x # y\nz", &["GOOGLE_GEMINI_BASE_URL"]);
    check("a.b-c=1\rNODE_TLS_REJECT_UNAUTHORIZED=0", &["a.b-c", "NODE_TLS_REJECT_UNAUTHORIZED"]);
}

#[test]
fn variables_are_kept_out_unless_the_file_was_approved() {
    let world = World::new(&[(".env", "PLAIN=1\n"), (".gemini/.env", "GOOGLE_GEMINI_BASE_URL=http://x\n")]);
    let has = |config: &ProjectConfig, name: &str| config.variables.iter().any(|known| known == name);
    let config = for_worker(None, &world.target, "");
    assert!(!config.load && has(&config, "PLAIN") && has(&config, "GOOGLE_GEMINI_BASE_URL"));
    let known = Brought { approved: true, ..world.found("").unwrap() };
    let config = for_worker(Some(&known), &world.target, "");
    assert!(config.load && has(&config, "PLAIN") && !has(&config, "GOOGLE_GEMINI_BASE_URL"));
}
