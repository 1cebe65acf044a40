//! The terminal program: sessions without a window, and the hidden commands that workers need.
//!
//! A library, so that the acceptance tests can link the same program with one of its protections taken away.

mod act;
mod args;
mod ask;
mod demo_agent;
mod door;
mod entries;
mod follow;
#[cfg(test)]
mod follow_tests;
mod hidden;
mod hook;
mod live;
mod logging;
mod machine;
mod mcp;
mod model;
mod news;
mod notices;
mod pick;
mod run;
mod said;
mod scoreboard;
mod screen;
mod show;
#[cfg(test)]
mod snapshots;
mod summary;
mod text;
mod trust;
mod typed;
mod view;
mod window;
mod words;

use std::{ffi::OsString, process::ExitCode};

use args::{Arguments, Command, Read};
use domain::UserError;
use machine::Machine;

/// The program: reads its arguments, does what they say, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    engine::secrets::clean_panics();
    let given: Vec<OsString> = std::env::args_os().collect();
    if let Some(name) = given.get(1).and_then(|word| word.to_str())
        && let Some(code) = hidden::run(name, given.iter().skip(2).cloned().collect())
    {
        return code;
    }
    match args::read(given) {
        Read::Go(arguments) => in_runtime(*arguments),
        Read::Show(text) => {
            said::out(text.trim_end());
            ExitCode::SUCCESS
        }
        Read::Wrong(error) => said::complain(&error),
    }
}

fn in_runtime(arguments: Arguments) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return said::complain(&entries::internal(&error)),
    };
    let done = runtime.block_on(command(arguments));
    // A thread that still waits for a line of standard input must not keep the program.
    runtime.shutdown_background();
    done.unwrap_or_else(|error| said::complain(&error))
}

async fn command(arguments: Arguments) -> Result<ExitCode, UserError> {
    let Arguments { prompt, flags, common, command } = arguments;
    let machine = Machine::open(&common)?;
    logging::start(&machine.workspace, common.verbose);
    match command {
        None => run::start(&machine, &prompt.unwrap_or_default(), &flags).await,
        Some(Command::Run { prompt, flags: own }) => run::start(&machine, &prompt, &own.and(&flags)).await,
        Some(Command::Resume { session, no_dashboard }) => {
            run::resume(&machine, session.as_deref(), no_dashboard || flags.no_dashboard).await
        }
        Some(Command::Status { session }) => show::status(&machine, session.as_deref()).await,
        Some(Command::Pause { session }) => act::pause(&machine, session.as_deref()).await,
        Some(Command::Stop { session, now }) => act::stop(&machine, session.as_deref(), now).await,
        Some(Command::Review { session, task }) => act::review(&machine, session.as_deref(), task).await,
        Some(Command::Answer { words, question, choice }) => {
            act::answer(&machine, &words, question, choice).await
        }
        Some(Command::Land { session, method, message }) => {
            act::land(&machine, session.as_deref(), method, message).await
        }
        Some(Command::Log { words }) => show::log(&machine, &words).await,
        Some(Command::Replay { session, to }) => show::replay(&machine, session.as_deref(), to).await,
        Some(Command::Trust { revoke }) => trust::trust(&machine, revoke).await,
        Some(Command::Scoreboard) => scoreboard::show(&machine).await,
        Some(Command::Doctor) => show::doctor(&machine).await,
        Some(Command::Demo { no_dashboard }) => run::demo(&machine, no_dashboard || flags.no_dashboard).await,
    }
}
