//! The header with which every prompt of the product begins.

use std::collections::BTreeMap;

/// The first line of the header.
const TITLE: &str = "# Orchestrate assignment";

/// What a worker is asked to do.
#[derive(Debug, Default)]
pub(crate) struct Assignment {
    /// `agent`, `role`, `purpose`, `task`, `subject`, `trigger`, `round`, `attempt`, `nonce`: those that are there.
    pub(crate) fields: BTreeMap<String, String>,
    /// The whole prompt.
    pub(crate) prompt: String,
}

impl Assignment {
    /// Reads the header: `name: value` lines up to the first empty one.
    pub(crate) fn read(prompt: &str) -> Self {
        let lines = prompt.lines().skip_while(|line| line.trim() != TITLE).skip(1);
        let fields = lines.take_while(|line| !line.trim().is_empty()).filter_map(|line| line.split_once(':'));
        Self {
            fields: fields.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect(),
            prompt: prompt.to_owned(),
        }
    }

    /// A field; empty when it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}
