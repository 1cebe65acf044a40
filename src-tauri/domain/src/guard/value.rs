//! A word as far as it is known before it runs.

/// Stands in a text for what only running tells.
const HOLE: char = '\u{1}';

/// Where something comes from that is not known before it runs; the later, the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// Nobody knows.
    Unknown,
    /// Made from something by a decoder or a filter.
    Decoded,
    /// From the network.
    Network,
}

/// What a command writes to its standard output, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Flow {
    /// Nothing that matters.
    #[default]
    Nothing,
    /// This text.
    Known(String),
    /// Something else.
    From(Source),
}

impl Flow {
    /// One after the other.
    pub(super) fn then(self, next: Self) -> Self {
        match (self, next) {
            (Self::Nothing, other) | (other, Self::Nothing) => other,
            (Self::Known(first), Self::Known(second)) => Self::Known(first + &second),
            (Self::From(first), Self::From(second)) => Self::From(first.max(second)),
            (Self::From(source), Self::Known(_)) | (Self::Known(_), Self::From(source)) => Self::From(source),
        }
    }

    /// After a filter: a known text is known no more.
    pub(super) fn filtered(&self) -> Self {
        match self {
            Self::Nothing => Self::From(Source::Unknown),
            Self::Known(_) => Self::From(Source::Decoded),
            Self::From(source) => Self::From((*source).max(Source::Decoded)),
        }
    }
}

/// A word, or the value of a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// With a mark for each unknown part.
    text: String,
    /// Where the unknown parts come from.
    pub(super) source: Option<Source>,
}

impl Value {
    pub(super) fn known(text: impl Into<String>) -> Self {
        // A mark of ours in the text would make it look less known than it is, never more.
        Self { text: text.into(), source: None }
    }

    /// A part of a text that is known as far as it has no marks.
    pub(super) fn part(text: &str, source: Option<Source>) -> Self {
        Self { text: text.to_owned(), source: source.filter(|_| text.contains(HOLE)) }
    }

    pub(super) fn unknown(source: Source) -> Self {
        Self { text: HOLE.to_string(), source: Some(source) }
    }

    pub(super) fn of(flow: Flow) -> Self {
        match flow {
            Flow::Nothing => Self::unknown(Source::Unknown),
            Flow::Known(text) => Self::known(text.trim_end_matches('\n')),
            Flow::From(source) => Self::unknown(source),
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.source.is_none()
    }

    /// The text; what is unknown is shown as `…`.
    pub(super) fn shown(&self) -> String {
        self.text.replace(HOLE, "…")
    }

    /// The text with its marks.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What is known before the first unknown part, and whether there is one.
    pub(super) fn known_prefix(&self) -> (&str, bool) {
        match self.text.find(HOLE) {
            Some(at) => (&self.text[..at], true),
            None => (&self.text, self.source.is_some()),
        }
    }

    /// The last component of a path, when it is known.
    pub(super) fn last_component(&self) -> Option<&str> {
        let last = self.text.trim_end_matches('/').rsplit(['/', '\\']).next().unwrap_or_default();
        (!last.contains(HOLE) && !last.is_empty() && (self.is_known() || self.text.contains('/')))
            .then_some(last)
    }

    pub(super) fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn push(&mut self, other: &Self) {
        self.text.push_str(&other.text);
        self.source = self.source.max(other.source);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// As a shell splits what is not quoted.
    pub(super) fn split(&self) -> Vec<Self> {
        let parts = self.text.split_whitespace();
        parts.map(|part| Self::part(part, self.source)).collect()
    }
}
