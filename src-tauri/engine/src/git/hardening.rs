//! What every call carries: settings and variables that keep a repository from running anything.

use super::{GitError, Repository};

/// Settings that are taken over from the user's own configuration: data, never programs. Without the line-ending
/// rules and the ignore file we would see other changes than the user does.
pub(super) const KEPT: [&str; 5] =
    ["core.autocrlf", "core.eol", "core.excludesfile", "core.longpaths", "safe.directory"];

/// Variables of our own environment that git needs.
pub(super) const PASSED: [&str; 12] = [
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "PATHEXT",
];

/// Set on every call. No call of ours uses a network, so all protocols are off.
pub(super) const VARIABLES: [(&str, &str); 9] = [
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_LITERAL_PATHSPECS", "1"),
    ("GIT_EDITOR", "true"),
];

/// Overrides on every call: first what can name a program, then what can make git overlook a change, then what
/// would change results from one machine to the next.
pub(super) const SETTINGS: [(&str, &str); 43] = [
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.sshCommand", "ssh"),
    ("core.pager", "cat"),
    ("core.editor", "true"),
    ("sequence.editor", "true"),
    ("core.askPass", "true"),
    ("credential.helper", ""),
    ("diff.external", ""),
    ("commit.gpgSign", "false"),
    ("tag.gpgSign", "false"),
    ("log.showSignature", "false"),
    ("merge.verifySignatures", "false"),
    ("gpg.program", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("safe.bareRepository", "explicit"),
    ("core.attributesFile", "/dev/null"),
    ("core.gitProxy", ""),
    ("submodule.recurse", "false"),
    ("protocol.allow", "never"),
    ("protocol.ext.allow", "never"),
    ("core.alternateRefsCommand", ""),
    ("core.untrackedCache", "false"),
    ("core.splitIndex", "false"),
    ("core.ignoreStat", "false"),
    ("core.trustctime", "true"),
    ("core.checkStat", "default"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.safecrlf", "false"),
    ("add.ignoreErrors", "false"),
    ("rerere.enabled", "false"),
    ("merge.conflictStyle", "merge"),
    ("merge.autoStash", "false"),
    ("merge.stat", "false"),
    ("i18n.commitEncoding", "UTF-8"),
    ("worktree.useRelativePaths", "false"),
    ("core.warnAmbiguousRefs", "false"),
    // What the journal calls done must survive a power cut.
    ("core.fsync", "committed,reference"),
    ("core.fsyncMethod", "batch"),
    // The user's own git, and other sessions, work on the same repository: wait for them (milliseconds).
    ("core.filesRefLockTimeout", "5000"),
    ("core.packedRefsTimeout", "5000"),
];

/// Most drivers and hooks that a repository may configure; more is an attack or a mistake.
const MOST_NAMES: usize = 1_000;

/// git's own three-way merge in place of a configured one: the same result as without the driver. What it cannot
/// merge (binary files) is a conflict, not an error.
const MERGE: &str = "git merge-file -q --marker-size=%L %A %O %B || exit 1";

/// What a subcommand carries beside the settings: those that show differences would fail at a driver that was overridden
/// by nothing.
pub(super) fn flags(operation: &str) -> &'static [&'static str] {
    match operation {
        "diff" | "diff-index" | "diff-tree" | "log" | "show" => &["--no-ext-diff", "--no-textconv"],
        "commit" => &["--no-verify", "--no-gpg-sign"],
        _ => &[],
    }
}

/// Subcommands that only read objects and refs (or write one object): they know no driver and run no hook.
const PLAIN: [&str; 8] =
    ["cat-file", "commit-tree", "config", "for-each-ref", "ls-tree", "merge-base", "rev-list", "rev-parse"];

/// Whether a subcommand has to have its drivers and hooks overridden.
pub(super) fn has_drivers(operation: &str) -> bool {
    !PLAIN.contains(&operation)
}

/// Overrides for each filter, diff, merge and hook driver that the repository configures. They are given by
/// variables, not by `-c`: a driver's name may contain `=`.
pub(super) fn drivers(repository: &Repository) -> Result<Vec<(String, String)>, GitError> {
    let asked = ["--name-only", "-z", "--get-regexp", r"^(filter|diff|merge|hook)\..*\."];
    let found = repository.call("config").args(asked).or(1).run()?;
    let text = String::from_utf8_lossy(&found.stdout);
    let mut names: Vec<&str> =
        text.split('\0').filter_map(|key| key.rsplit_once('.')).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    if MOST_NAMES < names.len() {
        return Err(GitError::TooMuch { operation: "config".to_owned(), most: MOST_NAMES });
    }
    let overrides = names.into_iter().flat_map(|name| {
        let values: &[(&str, &str)] = match name.split('.').next() {
            Some("filter") => &[("clean", ""), ("smudge", ""), ("process", ""), ("required", "false")],
            Some("diff") => &[("textconv", ""), ("command", "")],
            Some("merge") => &[("driver", MERGE), ("recursive", "text")],
            _ => &[("command", ""), ("event", ""), ("enabled", "false")],
        };
        values.iter().map(move |(key, value)| (format!("{name}.{key}"), (*value).to_owned()))
    });
    Ok(overrides.collect())
}
