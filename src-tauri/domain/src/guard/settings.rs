//! What a user may change of the rules: rules of one's own are stricter or as strict, some that ask may be switched off.

use serde::{Deserialize, Serialize};

use super::{Clearance, Place, RULES, fits_own, matching};

/// Most rules of one's own.
const MOST_RULES: usize = 200;

/// The user's part of the guard rail. It can add rules and switch off those that [`RULES`] calls optional: never one that
/// denies, and never what asks because something cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct GuardRules {
    /// Minutes that a card waits for the user's answer before the command is denied; 1 to 120.
    pub answer_minutes: u32,
    /// Optional built-in rules that are switched off, by their ids.
    pub off: Vec<String>,
    /// Rules of one's own.
    pub rules: Vec<OwnRule>,
}

/// A rule of the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct OwnRule {
    /// Its name, on cards and in the journal.
    pub id: String,
    /// `ask` or `deny`.
    pub clearance: Clearance,
    /// Why, in a sentence for worker and user.
    pub reason: String,
    /// Patterns, one of which must fit: a program and words that must stand among its arguments, `|` between alternatives:
    /// `kubectl delete|drain`, `git push -f|--force`.
    pub patterns: Vec<String>,
    /// Commands that it must fit; at least one. Checked when the settings are read.
    pub fits: Vec<String>,
    /// Commands that it must not fit. Checked when the settings are read.
    #[serde(default)]
    pub spares: Vec<String>,
}

/// What is wrong with the user's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardFault {
    /// Which key: `rules`, `off` or `answer_minutes`.
    pub key: &'static str,
    /// What is wrong with it, as the end of a sentence.
    pub what: String,
}

impl Default for GuardRules {
    fn default() -> Self {
        Self { answer_minutes: 10, off: Vec::new(), rules: Vec::new() }
    }
}

impl GuardRules {
    /// The first fault: a bound that is crossed, or a rule whose examples do not come out as it says.
    #[must_use]
    pub fn fault(&self) -> Option<GuardFault> {
        if !(1..=120).contains(&self.answer_minutes) {
            return Some(GuardFault { key: "answer_minutes", what: "must be 1 to 120".to_owned() });
        }
        let off = self.off.iter().find_map(|id| off_fault(id).map(|what| GuardFault { key: "off", what }));
        let many = (MOST_RULES < self.rules.len())
            .then(|| GuardFault { key: "rules", what: format!("must be at most {MOST_RULES}") });
        let own = || self.rules.iter().find_map(Self::rule_fault);
        off.or(many).or_else(|| own().map(|what| GuardFault { key: "rules", what }))
    }

    fn rule_fault(rule: &OwnRule) -> Option<String> {
        let id = &rule.id;
        let plain =
            !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !plain || RULES.iter().any(|known| known.id == id) {
            return Some(format!("has a rule {id:?}: its id must be new, of small letters, digits and `-`"));
        }
        if rule.clearance == Clearance::Allow {
            return Some(format!("has a rule {id:?} that allows: rules of your own can only ask or deny"));
        }
        if rule.patterns.is_empty() || rule.fits.is_empty() || rule.reason.trim().is_empty() {
            return Some(format!(
                "has a rule {id:?} without patterns, without a reason or without an example in `fits`"
            ));
        }
        if let Some(fault) = rule.patterns.iter().find_map(|pattern| matching::fault(pattern)) {
            return Some(format!("has a rule {id:?} with a pattern that {fault}"));
        }
        if let Some(wrong) = rule.fits.iter().find(|command| !fits_own(command, rule)) {
            return Some(format!("has a rule {id:?} that does not fit its example {wrong:?}"));
        }
        let wrong = rule.spares.iter().find(|command| fits_own(command, rule))?;
        Some(format!("has a rule {id:?} that fits {wrong:?}, which it should spare"))
    }
}

impl Place {
    /// Where examples run.
    #[must_use]
    pub fn example() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            cwd: text("/projects/app"),
            project: text("/projects/app"),
            home: text("/home/user"),
            also: Vec::new(),
        }
    }
}

fn off_fault(id: &str) -> Option<String> {
    match RULES.iter().find(|rule| rule.id == id) {
        Some(rule) if rule.optional => None,
        Some(_) => Some(format!("names {id:?}, which cannot be switched off")),
        None => Some(format!("names {id:?}, which is no rule; docs/GUARD.md lists them")),
    }
}
