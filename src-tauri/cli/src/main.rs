//! The terminal program: sessions without a window, and the hidden commands that workers need.

mod args;
mod demo_agent;
mod hidden;
mod said;
mod text;

use std::{ffi::OsString, process::ExitCode};

use args::Read;

fn main() -> ExitCode {
    let given: Vec<OsString> = std::env::args_os().collect();
    if let Some(name) = given.get(1).and_then(|word| word.to_str())
        && let Some(code) = hidden::run(name, given.iter().skip(2).cloned().collect())
    {
        return code;
    }
    match args::read(given) {
        Read::Go(arguments) => said::complain(&args::usage(
            format!("Sessions come with the next change: {:?}.", arguments.command),
            format!("{:?}", arguments.flags.clone().and(&arguments.flags)),
        )),
        Read::Show(text) => {
            said::out(text.trim_end());
            ExitCode::SUCCESS
        }
        Read::Wrong(error) => said::complain(&error),
    }
}
