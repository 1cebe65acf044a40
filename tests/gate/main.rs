//! The seeded-defect harness: does the gate catch what is wrong, and does it believe what is made up?
//!
//!   gate [--agents scripted]                              60 diffs, scripted reviewers, the product's own evidence check and
//!                                                         policy; then a part of it through real sessions
//!   gate --agents real [--cases N] [--only NAME] [--reviewers codex,gemini] [--config FILE] [--workspace DIR] [--unsandboxed]
//!                                                         the same diffs judged by the CLIs of this machine
//!   gate --table                                          the published rule as tables
//!
//! Prints `GOAL id value limit pass|fail` and `CONTROL id what fails|PASSES-BUT-MUST-FAIL` as `chaos` does. Exit code 1 when
//! any of these is not as it should be.

mod corpus;
mod measure;
mod reviewers;
#[cfg(target_os = "linux")]
mod sessions;

use std::io::Write;
use std::process::ExitCode;

use corpus::Case;

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The CLIs of this machine judge.
    pub(crate) real: bool,
    /// Only the tables.
    table: bool,
    /// Only the first so many cases.
    cases: Option<usize>,
    /// Only the case of this name.
    only: Option<String>,
    /// Which agents judge in a real run.
    pub(crate) reviewers: Vec<String>,
    /// Settings for the agents that judge.
    pub(crate) config: Option<String>,
    /// Where the sessions of a real run are kept.
    pub(crate) workspace: Option<String>,
    /// Consent to agents without a sandbox.
    pub(crate) unsandboxed: bool,
}

fn main() -> ExitCode {
    let asked = match read(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(why) => {
            say(&why);
            return ExitCode::from(2);
        }
    };
    if asked.table {
        say(&domain::policy::truth_table());
        return ExitCode::SUCCESS;
    }
    match run(&asked) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            say(&format!("gate: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn run(asked: &Asked) -> Result<bool, String> {
    let mut cases = corpus::load()?;
    cases.retain(|case| asked.only.as_ref().is_none_or(|only| case.name.contains(only.as_str())));
    cases.truncate(asked.cases.unwrap_or(usize::MAX));
    if cases.is_empty() {
        return Err("there is no such case".to_owned());
    }
    if asked.real {
        return real(asked, &cases);
    }
    let well = measure::scripted(&cases);
    let sessions = in_sessions(&cases)?;
    say("");
    say(
        "Scripted reviewers only: no model took part. What claude, codex and gemini catch was never measured here;",
    );
    say("`gate --agents real` measures it with the CLIs of a machine where they are signed in.");
    Ok(well && sessions)
}

#[cfg(target_os = "linux")]
fn in_sessions(cases: &[Case]) -> Result<bool, String> {
    sessions::scripted(cases)
}

#[cfg(target_os = "linux")]
fn real(asked: &Asked, cases: &[Case]) -> Result<bool, String> {
    sessions::real(asked, cases)
}

#[cfg(not(target_os = "linux"))]
fn in_sessions(_: &[Case]) -> Result<bool, String> {
    say("SKIPPED gate-sessions: sessions of the harness run on Linux");
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
fn real(_: &Asked, _: &[Case]) -> Result<bool, String> {
    Err("sessions of the harness run on Linux".to_owned())
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked { reviewers: vec!["codex".into(), "gemini".into()], ..Asked::default() };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--agents" => {
                asked.real = match value()?.as_str() {
                    "real" => true,
                    "scripted" => false,
                    other => return Err(format!("there are no agents {other:?}; take scripted or real")),
                }
            }
            "--cases" => asked.cases = Some(value()?.parse().map_err(|_| "--cases needs a number")?),
            "--only" => asked.only = Some(value()?),
            "--reviewers" => asked.reviewers = value()?.split(',').map(str::to_owned).collect(),
            "--config" => asked.config = Some(value()?),
            "--workspace" => asked.workspace = Some(value()?),
            "--unsandboxed" => asked.unsandboxed = true,
            "--table" => asked.table = true,
            other => return Err(format!("gate knows no {other:?}; see the beginning of tests/gate/main.rs")),
        }
    }
    Ok(asked)
}

/// Tells what was reached of a goal; gives whether it was.
pub(crate) fn goal(id: &str, value: &str, limit: &str, pass: bool) -> bool {
    say(&format!("GOAL {id} {value} {limit} {}", if pass { "pass" } else { "fail" }));
    pass
}

/// Tells how the same went without the protection; gives whether it failed, as it must.
pub(crate) fn control(id: &str, what: &str, failed: bool) -> bool {
    say(&format!("CONTROL {id} {what} {}", if failed { "fails" } else { "PASSES-BUT-MUST-FAIL" }));
    failed
}

/// Prints a line. Nobody to print to changes nothing: the exit code tells the outcome.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
