//! Which versions of the CLIs were measured, and how to sign in to each.

use domain::Dialect;

/// The range of versions that was measured; inside it the readers were proven on recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The oldest.
    pub from: &'static str,
    /// The newest.
    pub to: &'static str,
}

/// The measured versions of a CLI.
#[must_use]
pub fn tested(dialect: Dialect) -> Tested {
    match dialect {
        Dialect::Claude => Tested { from: "2.1.197", to: "2.1.329" },
        Dialect::Codex => Tested { from: "0.169.0", to: "0.169.0" },
        Dialect::Gemini => Tested { from: "0.61.0", to: "0.61.0" },
    }
}

/// A sentence for people when a CLI's version is outside of the measured range, or cannot be told.
#[must_use]
pub fn version_warning(dialect: Dialect, said: &str) -> Option<String> {
    let Tested { from, to } = tested(dialect);
    let name = dialect.as_str();
    let range = if from == to { from.to_owned() } else { format!("{from} to {to}") };
    let Some(version) = parse(said) else {
        return Some(format!(
            "{name} does not tell its version; {range} was tested, so watch for unread lines."
        ));
    };
    let below = parse(from).is_some_and(|from| version < from);
    let above = parse(to).is_some_and(|to| to < version);
    let shown = version.map(|part| part.to_string()).join(".");
    match (below, above) {
        (true, _) => Some(format!("{name} {shown} is older than what was tested ({range}); update it.")),
        (_, true) => {
            Some(format!("{name} {shown} is newer than what was tested ({range}); watch for unread lines."))
        }
        (false, false) => None,
    }
}

/// The first `a.b.c` in what `--version` said.
pub(crate) fn parse(said: &str) -> Option<[u64; 3]> {
    said.split(|c: char| c.is_whitespace() || c == 'v').find_map(|word| {
        let mut parts = word.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse::<u64>().ok()
        });
        Some([parts.next()??, parts.next()??, parts.next()??])
    })
}

/// The exact command with which a person signs in.
#[must_use]
pub fn login_hint(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Claude => "claude auth login",
        Dialect::Codex => "codex login",
        // No sub-command of its own: the first start asks how to sign in.
        Dialect::Gemini => "gemini",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_clis_say() {
        assert_eq!(parse("2.1.329 (Claude Code)"), Some([2, 1, 329]));
        assert_eq!(parse("codex-cli 0.169.0"), Some([0, 169, 0]));
        assert_eq!(parse("v1.2.3-beta.1"), Some([1, 2, 3]));
        assert_eq!(parse("no version"), None);
    }

    #[test]
    fn a_version_outside_of_the_range_warns() {
        assert_eq!(version_warning(Dialect::Claude, "2.1.250 (Claude Code)"), None);
        assert_eq!(version_warning(Dialect::Gemini, "0.61.0"), None);
        let newer = version_warning(Dialect::Codex, "codex-cli 0.170.1").unwrap();
        assert!(newer.contains("newer than what was tested (0.169.0)"), "{newer}");
        let older = version_warning(Dialect::Claude, "2.0.9").unwrap();
        assert!(older.contains("older than what was tested (2.1.197 to 2.1.329)"), "{older}");
        assert!(version_warning(Dialect::Claude, "?").is_some());
    }
}
