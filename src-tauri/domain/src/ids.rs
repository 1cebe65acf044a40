//! Names of things: small and speakable inside a session (`w3`, `r1`), UUIDs only for sessions.

use serde::{Deserialize, Serialize};

/// The place of an entry in its journal, from 1; also a window's cursor (0: nothing seen yet).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(transparent)]
pub struct Seq(#[cfg_attr(feature = "ts", ts(type = "number"))] pub u64);

impl Seq {
    /// The next place.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident = $letter:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(pub u32);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix($letter)
                    .and_then(|digits| digits.parse().ok())
                    .map(Self)
                    .ok_or_else(|| BadId { text: text.to_owned(), letter: $letter })
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadId;
            fn try_from(text: String) -> Result<Self, BadId> {
                text.parse()
            }
        }
    )*};
}

/// A text that is no id of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no id: expected {letter:?} and a number")]
pub struct BadId {
    text: String,
    letter: &'static str,
}

numbered! {
    /// One process of one agent in one role on one task, one attempt: `w3`.
    WorkerId = "w";
    /// A review: `r1`.
    ReviewId = "r";
    /// A decision of the policy or of a person: `d2`.
    DecisionId = "d";
    /// A question to the user: `q1`.
    QuestionId = "q";
    /// A side effect outside the journal, with intent and outcome: `j9`.
    JobId = "j";
    /// A repair that the orchestrator makes by itself: `c1`.
    RecoveryId = "c";
}

macro_rules! named {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        // As the bare text in quotes: it stands in messages to people.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )*};
}

named! {
    /// A session: a UUID v7, so names sort by time.
    SessionId;
    /// A task of the plan, as the plan names it: lower-case letters, digits and `-`, at most 32 (`t1`, `auth-api`).
    TaskId;
    /// An agent as the settings name it: `claude`, `codex`, `gemini`, or one added by configuration.
    AgentName;
    /// A git tree's object id, in hex: what a verdict is bound to.
    TreeHash;
    /// A git commit's object id, in hex.
    CommitHash;
    /// The secret of one seat of one review; a verdict without it does not count.
    Nonce;
}
