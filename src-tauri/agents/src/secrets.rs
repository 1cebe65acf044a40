//! Secrets go out of what agents say before anything is kept of it (THREATS T9, `docs/SECRETS.md`).
//!
//! Two ways to know one: by its shape, as vendors, protocols and file formats give them, and by its value, where we know it
//! from the environment, the settings or files of credentials.

mod shapes;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

/// What stands in a secret's place.
pub const REDACTED: &str = "[secret]";

/// Fewer characters are no secret, and would make holes in ordinary words.
const LEAST: usize = 8;
/// More values than anybody has; a larger list would slow every line down.
const MOST_VALUES: usize = 1000;
/// Longer texts are files, not secrets.
const LONGEST: usize = 32 << 10;
/// A line of a secret of several lines that is long enough to be known by itself.
const LEAST_LINE: usize = 20;
/// Cuts of texts are marked so (`domain::head`, `domain::tail`).
const CUT: char = '…';

/// Secrets whose values are known, beside those that are known by their shape.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    values: Vec<String>,
    any: Option<Regex>,
}

impl Secrets {
    /// Knows these values, also as JSON and addresses write them. Left out are those of fewer than 8 characters,
    /// plain words of small letters and numbers: they stand everywhere, and are as good as guessed.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = String>) -> Self {
        let mut all: Vec<String> = Vec::new();
        for value in values {
            let value = value.trim();
            if LONGEST < value.len() {
                continue;
            }
            let lines = value.lines().map(str::trim).filter(|line| LEAST_LINE <= line.len());
            let lines = lines.filter(|line| *line != value && !line.starts_with("-----"));
            for one in lines.chain([value]).filter(|one| is_telling(one)) {
                let escaped = escaped(one);
                all.extend([self::escaped(&escaped), percent(one), escaped, one.to_owned()]);
            }
        }
        Self::known(all)
    }

    /// Knows what both know.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self::known(self.values.iter().chain(&other.values).cloned().collect())
    }

    fn known(mut all: Vec<String>) -> Self {
        // The longest first: one may be the beginning of another.
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        all.truncate(MOST_VALUES);
        if all.is_empty() {
            return Self::default();
        }
        let either: Vec<String> = all.iter().map(|value| regex::escape(value)).collect();
        let any = RegexBuilder::new(&either.join("|")).size_limit(64 << 20).build().ok();
        Self { values: all, any }
    }

    /// The values of those variables whose names say that they hold a secret.
    pub fn in_environment(env: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
        env.iter().filter(|(name, _)| names_secret(name)).map(|(_, value)| value.clone())
    }

    /// The secrets in a CLI's file of credentials: every text below a name that says so. Nothing of a file that is no JSON.
    #[must_use]
    pub fn in_credentials(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        if let Ok(value) = serde_json::from_str(text) {
            collect(&value, false, &mut found);
        }
        found
    }

    /// The secrets in a file of `name = value` lines, such as `.env`, `.npmrc` or the credentials of AWS.
    #[must_use]
    pub fn in_variables(text: &str) -> Vec<String> {
        let secret = |line: &str| {
            let (name, value) = line.trim().split_once('=')?;
            let name = name.trim().trim_start_matches("export ");
            let value = value.trim();
            let quoted =
                ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.split_once(quote));
            let bare = value.split_once(" #").map_or(value, |(value, _)| value.trim_end());
            let secret = names_secret(name) && !line.trim_start().starts_with('#');
            secret.then(|| quoted.map_or(bare, |(inside, _)| inside).to_owned())
        };
        text.lines().filter_map(secret).collect()
    }

    /// The text without secrets.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        built(text, &self.ranges(text, false), |_| "")
    }

    /// The same for a file whose lines are counted: what goes out leaves its line ends behind.
    #[must_use]
    pub fn redact_lines<'t>(&self, text: &'t str) -> Cow<'t, str> {
        const ENDS: &str = "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n";
        built(text, &self.ranges(text, false), |secret| {
            &ENDS[..secret.bytes().filter(|byte| *byte == b'\n').count().min(ENDS.len())]
        })
    }

    /// The same for a text that decides something, as a command does: no more than a word goes out of it at a time, and of
    /// blocks only what cannot be anything but a key.
    #[must_use]
    pub fn redact_strictly<'t>(&self, text: &'t str) -> Cow<'t, str> {
        built(text, &self.ranges(text, true), |_| "")
    }

    /// Puts `*` in the place of every byte of a secret, so that whatever counts bytes stays right; which ranges these are.
    pub fn mask(&self, bytes: &mut [u8]) -> Vec<Range<usize>> {
        let mut masked = Vec::new();
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            let text = chunk.valid();
            masked.extend(self.ranges(text, false).into_iter().map(|range| at + range.start..at + range.end));
            at += text.len() + chunk.invalid().len();
        }
        masked.iter().for_each(|range| bytes[range.clone()].fill(b'*'));
        masked
    }

    /// Whether a text has no secret, and none that is cut off at an end of a text inside of it.
    #[must_use]
    pub fn is_clean(&self, text: &str) -> bool {
        let doubtful =
            [shapes::BEGIN, shapes::END].iter().any(|mark| text.contains(mark)) || text.contains(CUT);
        !doubtful && self.ranges(text, false).is_empty()
    }

    /// Whether a text of the value ends within a block of a private key, so that the next one may go on with it.
    #[must_use]
    pub fn leaves_block_open(value: &Value) -> bool {
        match value {
            Value::String(text) => shapes::leaves_open(text),
            Value::Array(items) => items.iter().any(Self::leaves_block_open),
            Value::Object(members) => members.values().any(Self::leaves_block_open),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// Takes what goes on with a block of a private key out of the texts of a value; `None` when nothing does, else whether
    /// the block is still open.
    pub fn scrub_block(value: &mut Value) -> Option<bool> {
        match value {
            Value::String(text) => {
                let (length, ends) = shapes::goes_on(text)?;
                text.replace_range(..length, REDACTED);
                Some(!ends)
            }
            Value::Array(items) => items.iter_mut().filter_map(Self::scrub_block).last(),
            Value::Object(members) => members.values_mut().filter_map(Self::scrub_block).last(),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }

    /// Where secrets stand, in order and apart from each other.
    fn ranges(&self, text: &str, strict: bool) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        if text.len() < LEAST {
            return found;
        }
        if let Some(any) = &self.any {
            found.extend(any.find_iter(text).map(|secret| secret.range()));
        }
        shapes::find(text, &mut found);
        shapes::find_blocks(text, strict, &mut found);
        self.cut_off(text, &mut found);
        found.sort_by_key(|range| range.start);
        found.dedup_by(|next, kept| {
            let touches = next.start < kept.end;
            kept.end = if touches { kept.end.max(next.end) } else { kept.end };
            touches
        });
        found
    }

    /// What is left of a known value where a text was cut: its end at the beginning, its beginning at the end.
    fn cut_off(&self, text: &str, found: &mut Vec<Range<usize>>) {
        if let Some(rest) = text.strip_prefix(CUT) {
            let longest = self.values.iter().filter_map(|value| {
                let ends = (1..=value.len().saturating_sub(LEAST)).filter(|at| value.is_char_boundary(*at));
                ends.map(|at| &value[at..]).find(|end| rest.starts_with(*end)).map(str::len)
            });
            found.extend(longest.max().map(|length| CUT.len_utf8()..CUT.len_utf8() + length));
        }
        if let Some(rest) = text.strip_suffix(CUT) {
            let longest = self.values.iter().filter_map(|value| {
                let begins = (LEAST..value.len()).rev().filter(|at| value.is_char_boundary(*at));
                begins.map(|at| &value[..at]).find(|begin| rest.ends_with(*begin)).map(str::len)
            });
            found.extend(longest.max().map(|length| rest.len() - length..rest.len()));
        }
    }

    /// Takes the secrets out of every text of a value, names of members included; whether there were any.
    /// What stands as a `command` is redacted strictly.
    pub fn scrub(&self, value: &mut Value) -> bool {
        self.scrub_as(value, false)
    }

    fn scrub_as(&self, value: &mut Value, strict: bool) -> bool {
        match value {
            Value::String(text) => {
                let redacted = if strict { self.redact_strictly(text) } else { self.redact(text) };
                let Cow::Owned(redacted) = redacted else { return false };
                *text = redacted;
                true
            }
            Value::Array(items) => {
                items.iter_mut().fold(false, |any, item| self.scrub_as(item, strict) | any)
            }
            Value::Object(members) => {
                let named: Vec<String> = members
                    .keys()
                    .filter(|name| matches!(self.redact(name), Cow::Owned(_)))
                    .cloned()
                    .collect();
                for name in &named {
                    if let Some(member) = members.remove(name) {
                        members.insert(self.redact(name).into_owned(), member);
                    }
                }
                let any = !named.is_empty();
                members
                    .iter_mut()
                    .fold(any, |any, (name, member)| self.scrub_as(member, strict || name == "command") | any)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

/// The text with [`REDACTED`] and what `after` leaves of it in the place of each range.
fn built<'t, 'a>(text: &'t str, ranges: &[Range<usize>], after: impl Fn(&str) -> &'a str) -> Cow<'t, str> {
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        clean.push_str(&text[at..range.start]);
        clean.push_str(REDACTED);
        clean.push_str(after(&text[range.clone()]));
        at = range.end;
    }
    clean.push_str(&text[at..]);
    Cow::Owned(clean)
}

/// Whether a value can be told from ordinary text. Everything that our own formats name is of small letters and `_`, so no
/// value can hit that either.
fn is_telling(value: &str) -> bool {
    let word = value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let number = value.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':'));
    LEAST <= value.len() && !word && !number
}

/// As it stands inside of a JSON text.
fn escaped(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value).to_owned()
}

/// As an address writes it (RFC 3986).
fn percent(value: &str) -> String {
    use std::fmt::Write;
    let mut written = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            written.push(char::from(byte));
        } else {
            let _ = write!(written, "%{byte:02X}");
        }
    }
    written
}

/// Whether a variable or a member of this name holds a secret.
fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let says = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "AUTH_HEADER"];
    // What names a file, a place or a command is no secret itself.
    let points = [
        "_FILE", "_PATH", "_DIR", "_HELPER", "_COMMAND", "_CMD", "_SOCK", "_MS", "_TOKENS", "_URL", "_HOST",
        "_PORT", "_NAME", "_TYPE", "_ID",
    ];
    says.iter().any(|word| name.contains(word)) && !points.iter().any(|ending| name.ends_with(ending))
}

fn collect(value: &Value, secret: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if secret => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, found)),
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| collect(member, secret || names_secret(name), found));
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
