//! Configuration for agents' CLIs that a project brings along (THREATS T1).

use serde::{Deserialize, Serialize};

/// Files of a project by which a CLI runs programs or asks other machines. They are loaded only after the user approved
/// exactly this content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Brought {
    /// From the repository's top, sorted.
    pub files: Vec<String>,
    /// SHA-256 over names and contents, in hexadecimal digits.
    pub hash: String,
    /// Whether the user approved this hash for this project.
    pub approved: bool,
    /// Why it cannot be approved, when it cannot.
    #[serde(default)]
    pub unfit: Option<String>,
}

impl Brought {
    /// What was found and whether it is loaded, in one sentence.
    #[must_use]
    pub fn words(&self) -> String {
        const NAMED: usize = 6;
        let mut named: Vec<String> =
            self.files.iter().take(NAMED).map(|file| crate::one_line(file, 80)).collect();
        let more = self.files.len().saturating_sub(NAMED);
        if 0 < more {
            named.push(format!("{more} more"));
        }
        let hash = self.hash.get(..16).unwrap_or(&self.hash);
        let what = format!("{} (SHA-256 {hash}…)", named.join(", "));
        match &self.unfit {
            Some(why) => format!(
                "The project brings configuration for agents, which cannot be approved because {why} and is not \
                 loaded: {what}."
            ),
            None if self.approved => {
                format!("The project's configuration for agents is loaded, as you approved it: {what}.")
            }
            None => format!(
                "The project brings configuration for agents that you did not approve; it is not loaded: {what}."
            ),
        }
    }
}
