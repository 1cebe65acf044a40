//! The header that starts every prompt of the product, and tells what the worker is there for.

use std::collections::BTreeMap;

/// First line of the header.
pub(super) const TITLE: &str = "# Orchestrate assignment";

/// The fields of one header, in the words of the prompt: `agent`, `role`, `task`, `round`, `nonce`, …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment(pub BTreeMap<String, String>);

impl Assignment {
    /// Reads the last header in a text; a resumed session's history holds several.
    #[must_use]
    pub fn last_in(text: &str) -> Option<Self> {
        let at = start(text)?;
        let mut fields = BTreeMap::new();
        for line in text[at..].lines().skip(1) {
            let Some((key, value)) = line.split_once(':') else { break };
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            if key.is_empty() || !key.chars().all(plain) {
                break;
            }
            fields.insert(key.to_owned(), value.trim().to_owned());
        }
        Some(Self(fields))
    }

    /// A field, when the header has it.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }
}

/// Where the last header begins; it always stands at the start of a line.
fn start(text: &str) -> Option<usize> {
    text.rmatch_indices(TITLE).map(|(at, _)| at).find(|&at| at == 0 || text[..at].ends_with('\n'))
}

#[cfg(test)]
mod tests {
    use super::Assignment;

    fn check(text: &str, want: Option<&[(&str, &str)]>) {
        let got = Assignment::last_in(text);
        let got =
            got.as_ref().map(|it| it.0.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>());
        assert_eq!(got.as_deref(), want, "{text:?}");
    }

    #[test]
    fn the_last_header_counts_and_ends_at_the_first_other_line() {
        check("hello", None);
        check("see `# Orchestrate assignment`", None);
        check("# Orchestrate assignment\nagent: claude\n\nrole: lead", Some(&[("agent", "claude")]));
        check(
            "<x>\n# Orchestrate assignment\ntask: t1\n\n# Orchestrate assignment\nround: 2\ntask: t2\nDo: it",
            Some(&[("round", "2"), ("task", "t2")]),
        );
    }
}
