//! The guard rail: what a command of a worker would do, judged before it runs (SPEC section 12).
//!
//! It is a guard rail, **not a boundary**: whoever wants to get around a classifier of commands does (THREATS T10).
//! What a command can reach is bounded by the sandbox; this tells people of what looks dangerous, while there is time.
//!
//! A command is parsed as bash, all that it would run is walked (sub-commands, `sh -c`, `xargs`, `find -exec`,
//! substitutions, here-documents), and the strictest rule wins: `Allow < Ask < Deny`. What cannot be read is never allowed.

mod dangers;
mod invocation;
mod matching;
mod others;
mod place;
mod read;
mod run;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod value;
mod walk;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

pub use place::{Place, is_obeyed};
pub use settings::{GuardFault, GuardRules, OwnRule};
pub use table::{Construct, RULES, Rule, When};

/// Bytes of a command that are looked at; a longer one is asked about (THREATS T10).
pub const MOST_BYTES: usize = 64 * 1024;

/// Characters of a command that people are shown.
const MOST_SHOWN: usize = 2_000;

/// What may become of a command. Ordered: the strictest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Clearance {
    /// It runs.
    Allow,
    /// The user is asked first.
    Ask,
    /// It does not run.
    Deny,
}

/// What the rules say of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The strictest of all rules that fit.
    pub clearance: Clearance,
    /// The rule that says so; empty when none fits.
    pub rule: String,
    /// Its reason, in a sentence; empty when none fits.
    pub reason: String,
    /// The part of the command that it is about, as it would run.
    pub part: String,
}

/// What a worker wants to run, as a hook of its CLI tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Wanted {
    /// The CLI's tool.
    pub tool: String,
    /// The command.
    pub command: String,
    /// The CLI's own rules want consent: a permission prompt, which nobody could see.
    #[serde(default)]
    pub prompted: bool,
    /// Where.
    pub place: Place,
}

impl Judgement {
    fn allow() -> Self {
        Self { clearance: Clearance::Allow, rule: String::new(), reason: String::new(), part: String::new() }
    }

    /// Takes the stricter one; of two as strict, the first.
    fn stricter(self, other: Self) -> Self {
        if self.clearance < other.clearance { other } else { self }
    }
}

/// Judges a command: the text that a shell would be given.
///
/// Never fails: what cannot be read, is longer than [`MOST_BYTES`] or nested too deeply is asked about.
#[must_use]
pub fn judge(command: &str, place: &Place, own: &GuardRules) -> Judgement {
    let seen = seen(command, place);
    let mut all = Judgement::allow();
    for (construct, part) in &seen.constructs {
        all = all.stricter(table::of_construct(*construct, part));
    }
    for invocation in &seen.invocations {
        all = all.stricter(table::of_invocation(invocation, place, own));
    }
    all
}

/// A command for people: what cannot be seen, or turns text around, as an escape; a long one is cut, with its length.
#[must_use]
pub fn visible(command: &str) -> String {
    let mut shown = String::new();
    for letter in command.chars().take(MOST_SHOWN) {
        let hidden = matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}');
        if hidden || (letter.is_control() && letter != '\n') {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    if MOST_SHOWN < command.chars().count() {
        shown += &format!("… ({} bytes in all)", command.len());
    }
    shown
}

/// Whether a rule of the user's fits a command, whatever the built-in ones say.
fn fits_own(command: &str, rule: &OwnRule) -> bool {
    let seen = seen(command, &Place::example());
    seen.invocations.iter().any(|call| rule.patterns.iter().any(|pattern| matching::fits(pattern, call)))
}

fn seen(command: &str, place: &Place) -> walk::Seen {
    // The parser is somebody else's, and some texts make it panic (a number that is too large).
    let walked = catch_unwind(AssertUnwindSafe(|| walk::walk(command, place)));
    walked.unwrap_or_else(|_| walk::Seen::of(Construct::Unreadable, command))
}
