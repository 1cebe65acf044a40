//! File names that an agent may make up, from a snapshot through review and merge to landing: bytes, no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

use domain::{LandMethod, ReviewId};

use super::*;

/// Options, patterns, revisions, words of shells, names that mean something to git or to another system.
const WORDS: [&str; 71] = [
    "-",
    "--",
    "-rf",
    "--help",
    "--output=x",
    "-c core.pager=x",
    "~",
    "~root",
    "@",
    "@{u}",
    "HEAD",
    "HEAD~1",
    "FETCH_HEAD",
    "MERGE_HEAD",
    "refs",
    "objects",
    "main",
    "a..b",
    "a...b",
    "^x",
    ":0:x",
    ":(top)x",
    ":(exclude)*",
    ":!x",
    ":/x",
    "!x",
    "#x",
    "*",
    "**",
    "?",
    "[a-z]",
    "{a,b}",
    "$HOME",
    "${IFS}",
    "$(touch x)",
    "`touch x`",
    "a;b",
    "a|b",
    "a&b",
    "a>b",
    "a<b",
    "a'b",
    "a\"b",
    "a\\b",
    "C:\\x",
    "\\\\host\\x",
    "a:b",
    "a::$DATA",
    " lead",
    "trail ",
    "  ",
    "...",
    ". .",
    "..a",
    "a..",
    "trail.",
    "CON",
    "NUL.txt",
    "aux",
    "x.lock",
    "index.lock",
    ".orchestrate-new",
    ".gitmodules",
    ".mailmap",
    "%s%n",
    "%2e%2e%2f",
    "<script>",
    "=x",
    "a,b",
    "null",
    "true",
];

/// Characters that change how text is shown, or that look like others.
const CHARACTERS: [char; 40] = [
    '\u{7f}',
    '\u{85}',
    '\u{9b}',
    '\u{a0}',
    '\u{ad}',
    '\u{301}',
    '\u{34f}',
    '\u{61c}',
    '\u{115f}',
    '\u{180e}',
    '\u{200b}',
    '\u{200c}',
    '\u{200d}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202b}',
    '\u{202c}',
    '\u{202d}',
    '\u{202e}',
    '\u{2044}',
    '\u{2060}',
    '\u{2066}',
    '\u{2067}',
    '\u{2068}',
    '\u{2069}',
    '\u{2215}',
    '\u{3000}',
    '\u{3164}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{ff0e}',
    '\u{ff0f}',
    '\u{fffc}',
    '\u{fffd}',
    '\u{1f4a9}',
    '\u{e0001}',
    '\u{10ffff}',
];

/// Names below the project's root, as bytes.
fn names() -> BTreeSet<Vec<u8>> {
    let mut names: BTreeSet<Vec<u8>> = WORDS.iter().map(|word| word.as_bytes().to_vec()).collect();
    names.extend((1..32_u8).map(|control| vec![b'c', control, b'c']));
    names.extend(CHARACTERS.iter().map(|character| format!("x{character}x").into_bytes()));
    names.extend(["a\nb", "\n", "+++ b/a.txt\n", "a\r", "\u{1b}[2Jx", "\u{1b}]0;x\u{7}"].map(Vec::from));
    // No UTF-8: lone bytes, cut and overlong sequences, half of a surrogate pair, another encoding.
    names.extend((0x80..=0xff_u8).step_by(4).map(|byte| vec![b'b', byte, b'b']));
    for bytes in [b"\xc0\xaf".as_slice(), b"\xe2\x82", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"gr\xfc\xdf"] {
        names.insert(bytes.to_vec());
    }
    // As long as names and paths can be, here and as an entry of an index.
    names.extend([vec![b'n'; 255], vec![0xff; 255], "€".repeat(85).into_bytes()]);
    names.insert(["d".repeat(100).as_str(); 20].join("/").into_bytes());
    // The same as folders, with hostile names in them.
    for folder in ["-x", "f\nf", "$(x)", "\u{202e}f", "*f", "{f"] {
        for file in ["-y", "y\ny", "y"] {
            names.insert(format!("{folder}/{file}").into_bytes());
        }
    }
    names
}

/// All files below a folder but those of git, with their content.
fn all(folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.symlink_metadata().unwrap().is_dir() {
                if path.file_name().unwrap() != ".git" {
                    open.push(path);
                }
            } else if path.file_name().unwrap() != ".git" {
                let name = path.strip_prefix(folder).unwrap().as_os_str().as_bytes().to_vec();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

fn same(found: &BTreeMap<Vec<u8>, Vec<u8>>, expected: &BTreeMap<Vec<u8>, Vec<u8>>) {
    let shown = |name: &Vec<u8>| String::from_utf8_lossy(name).into_owned();
    let wrong = expected.iter().filter(|(name, text)| found.get(*name) != Some(*text));
    let more = found.keys().filter(|name| !expected.contains_key(*name));
    let wrong: Vec<String> = wrong.map(|(name, _)| shown(name)).chain(more.map(shown)).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn hostile_names_go_the_whole_way_as_what_they_are() {
    let names = names();
    assert!(200 <= names.len(), "{}", names.len());
    let content = |name: &[u8]| [b"content of ", name, b"\n"].concat();
    let check = |world: World, cited: bool| {
        let trees = world.trees();
        let mut expected = all(&world.target);
        let task = TaskId::from("t1");
        let tree = trees.prepare_tree(&task).unwrap();
        for name in &names {
            let path = tree.path.join(OsString::from_vec(name.clone()));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content(name)).unwrap();
            expected.insert(name.clone(), content(name));
        }
        let snapshot = trees.snapshot(&task, 1).unwrap();
        assert_eq!(snapshot.changed.len(), names.len());
        let diff = trees.diff(&tree.base, &snapshot.commit, &[]).unwrap();
        assert_eq!(diff.files.len(), names.len());
        // Named again, as a review of several tasks does, nothing is left out.
        let named = trees.diff(&tree.base, &snapshot.commit, &snapshot.changed).unwrap();
        assert_eq!(named.files, diff.files);
        for name in names.iter().filter(|_| cited) {
            let Ok(text) = str::from_utf8(name) else { continue };
            assert!(snapshot.changed.iter().any(|path| path == text), "{text:?}");
            let read = trees.file_named(&snapshot.commit, text).unwrap();
            assert_eq!(read.as_deref(), Some(content(name).as_slice()), "{text:?}");
        }
        let (review, agent) = (ReviewId(1), "codex".into());
        let seat = trees.freeze_seat(review, &agent, &snapshot.commit).unwrap();
        same(&all(&seat), &expected);
        assert!(trees.seat_untouched(review, &agent, &snapshot.commit, &snapshot.tree).unwrap());
        trees.remove_seat(review, &agent).unwrap();
        let Merge::Merged { .. } = trees.merge(&task, &snapshot.commit).unwrap() else { panic!() };
        assert_eq!(trees.dry_run().unwrap().methods.first(), Some(&LandMethod::FastForward));
        trees.land(LandMethod::FastForward, "").unwrap();
        same(&all(&world.target), &expected);
        trees.remove_worktrees().unwrap();
    };
    check(World::repository(), true);
    check(World::plain(), false);
}

#[test]
fn names_that_mean_git_s_own_folder_elsewhere_are_refused_and_said() {
    let check = |name: &str| {
        let world = World::repository();
        let trees = world.trees();
        let tree = trees.prepare_tree(&"t1".into()).unwrap();
        write(&tree.path, &format!("{name}/config"), "[core]\n");
        let fault = trees.snapshot(&"t1".into(), 1).unwrap_err().to_string();
        assert!(fault.contains("config"), "{name:?}: {fault}");
        assert_eq!(trees.head().unwrap(), tree.base);
    };
    // What HFS+ and NTFS take for `.git`.
    ["git~1", ".git\u{200c}", ".GIT ", ".git.", ".Git"].into_iter().for_each(check);
}
