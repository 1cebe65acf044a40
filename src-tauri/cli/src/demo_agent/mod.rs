//! Scripted agents: real processes that speak the real dialects, with no AI, no account and no network.
//!
//! They play the product's demo, and the faulty agents of the acceptance tests. Started as
//! `orchestrate demo-agent --dialect claude --script demo -- <what agents::launch gives>`.

mod assignment;
mod flags;
mod ignore;
mod mcp;
mod play;
mod script;
mod speak;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitCode;

use assignment::Assignment;
use flags::Flags;
use play::Player;
use script::Script;

/// Runs as a hidden command; gets the words after `demo-agent`.
pub(crate) fn run(rest: Vec<OsString>) -> ExitCode {
    let args = rest.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    // Exit statuses are a byte.
    ExitCode::from(u8::try_from(main(args)).unwrap_or(u8::MAX))
}

/// Plays the part of a script that fits the prompt on standard input. Gives the exit status.
fn main(args: Vec<String>) -> i32 {
    match begin(args) {
        Ok(status) => status,
        Err(fault) => {
            // Nothing better is left to do when nobody reads it.
            drop(writeln!(std::io::stderr(), "demo agent: {fault}"));
            2
        }
    }
}

fn begin(args: Vec<String>) -> Result<i32, String> {
    let flags = Flags::read(args)?;
    let mut prompt = String::new();
    std::io::stdin()
        .read_to_string(&mut prompt)
        .map_err(|fault| format!("the prompt cannot be read: {fault}"))?;
    let assignment = Assignment::read(&prompt);
    let script = Script::load(&flags.script)?;
    let steps = script.steps(&assignment, &flags)?;
    Player::new(&flags, &assignment, std::io::stdout().lock()).play(steps).map_err(|fault| fault.to_string())
}
