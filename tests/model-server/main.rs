//! `model-server`: the scripted model server on its own, for a person with a real CLI at hand.
//!
//! ```text
//! model-server FOLDER [--port N] [--bodies DIR]     every FOLDER/*.json is served under /s/<name>
//! ```
//! The first line on stdout is the base address; the requests go to stderr as they come.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use acceptance::model_server::{ModelServer, Scenario};

struct Arguments {
    folder: PathBuf,
    port: u16,
    bodies: Option<PathBuf>,
}

fn arguments() -> Option<Arguments> {
    let mut words = std::env::args_os().skip(1);
    let mut found = Arguments { folder: words.next()?.into(), port: 0, bodies: None };
    while let Some(word) = words.next() {
        match word.to_str()? {
            "--port" => found.port = words.next()?.to_str()?.parse().ok()?,
            "--bodies" => found.bodies = Some(words.next()?.into()),
            _ => return None,
        }
    }
    Some(found)
}

fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let server = ModelServer::start_on(arguments.port, arguments.bodies)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&arguments.folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "json") {
            let name = path.file_stem().and_then(|it| it.to_str()).unwrap_or_default().to_owned();
            server.play(&name, Scenario::load(&path)?);
            names.push(name);
        }
    }
    writeln!(std::io::stdout(), "http://{}", server.address())?;
    let mut shown = 0;
    loop {
        let mut records: Vec<_> = names.iter().flat_map(|name| server.requests(name)).collect();
        records.retain(|it| shown < it.seq);
        records.sort_by_key(|it| it.seq);
        for record in records {
            shown = record.seq;
            writeln!(std::io::stderr(), "{record}")?;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn main() -> ExitCode {
    let Some(arguments) = arguments() else {
        drop(writeln!(std::io::stderr(), "usage: model-server FOLDER [--port N] [--bodies DIR]"));
        return ExitCode::from(2);
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            drop(writeln!(std::io::stderr(), "model-server: {fault}"));
            ExitCode::FAILURE
        }
    }
}
