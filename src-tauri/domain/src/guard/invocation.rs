//! One program that a command would run, with all that is known of it.

use super::value::{Flow, Value};

/// Where a command's input comes from and its output goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Redirects {
    /// What it reads, when not from a pipe.
    pub(super) input: Option<Flow>,
    /// Where its standard output goes.
    pub(super) output: Option<Value>,
    /// All files that are written.
    pub(super) writes: Vec<Value>,
    /// All files that are read.
    pub(super) reads: Vec<Value>,
}

/// One program that a command would run.
#[derive(Clone, Debug, Default)]
pub(super) struct Invocation {
    /// Its name without its folder, in small letters; empty when only running tells.
    pub(super) program: String,
    /// Its arguments.
    pub(super) args: Vec<Value>,
    /// Variables set for it alone.
    pub(super) assigned: Vec<(String, Value)>,
    /// Files that redirects write.
    pub(super) writes: Vec<Value>,
    /// Files that redirects read.
    pub(super) reads: Vec<Value>,
    /// Where the shell is; `None` when only running tells.
    pub(super) cwd: Option<String>,
    /// Programs in another language that it is given.
    pub(super) code: Vec<String>,
    /// It runs once for each word of something that is not known.
    pub(super) many: bool,
}

impl Invocation {
    /// Arguments that are no options. `takes`: options that are followed by a value.
    pub(super) fn operands(&self, takes: &[&str]) -> Vec<&Value> {
        let (mut found, mut rest, mut only) = (Vec::new(), self.args.iter(), false);
        while let Some(arg) = rest.next() {
            let text = arg.text();
            if only || text == "-" || !text.starts_with('-') {
                found.push(arg);
            } else if text == "--" {
                only = true;
            } else if takes.contains(&text) {
                rest.next();
            }
        }
        found
    }

    /// Whether an option is given: alone (`-f`, `--force`, `--force=x`) or among other letters (`-rf`).
    pub(super) fn has(&self, option: &str) -> bool {
        let letter = option.strip_prefix('-').filter(|it| it.chars().count() == 1 && *it != "-");
        self.args.iter().map(Value::text).take_while(|text| *text != "--").any(|text| {
            let named = text == option || text.strip_prefix(option).is_some_and(|rest| rest.starts_with('='));
            let cluster = !text.starts_with("--") && text.starts_with('-') && !text.contains(['=', '/', '.']);
            named || letter.is_some_and(|letter| cluster && text.len() < 8 && text.contains(letter))
        })
    }

    /// Whether one of several options is given.
    pub(super) fn any(&self, options: &[&str]) -> bool {
        options.iter().any(|option| self.has(option))
    }

    /// What follows an option, or stands behind it (`--to=x`, `-ox`).
    pub(super) fn after(&self, options: &[&str]) -> Option<Value> {
        for (at, arg) in self.args.iter().enumerate() {
            for option in options {
                let text = arg.text();
                if text == *option {
                    return self.args.get(at + 1).cloned();
                }
                let Some(rest) = text.strip_prefix(option) else { continue };
                let long = option.starts_with("--");
                if let Some(value) = rest.strip_prefix('=').or((!long).then_some(rest)) {
                    return Some(Value::part(value, arg.source));
                }
            }
        }
        None
    }

    /// Whether an argument is this word.
    pub(super) fn word(&self, wanted: &str) -> bool {
        self.args.iter().any(|arg| arg.text() == wanted)
    }

    /// The first argument that is no option, as a program with sub-commands takes it.
    pub(super) fn sub(&self, takes: &[&str]) -> &str {
        self.operands(takes).first().map_or("", |arg| arg.text())
    }

    /// As it would run, for people.
    pub(super) fn shown(&self) -> String {
        let words = std::iter::once(self.program.clone()).chain(self.args.iter().map(Value::shown));
        crate::head(&words.collect::<Vec<_>>().join(" "), 200)
    }
}
