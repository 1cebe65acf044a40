//! Secrets go out of everything that workers bring in, before it is journalled, published, shown or logged (`docs/SECRETS.md`).
//!
//! The raw logs of a session's workers (`workers/`) hold them while the worker runs: the CLIs write to them directly, and they
//! are what a run is read again from after a crash. Only the user may read them (0600 in 0700), and [`mask`] takes
//! the secrets out of them when the worker's end is journalled.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use agents::Secrets;
use domain::guard::{GuardRules, Place, judge};
use domain::{AgentEvent, Call, Input, JobOutcome, Settings, WorkerId};
use serde::{Serialize, de::DeserializeOwned};
use tracing::{error, warn};

use super::worker::Files;
use crate::beneath::Beneath;
use crate::discover::Environment;
use crate::private;
use crate::weakness::{self, Weakness};

/// A larger file is no file of credentials.
const MOST_CREDENTIALS: u64 = 1 << 20;
/// Where the CLIs keep the user's login: the variable that moves the folder, the folder in the home, the file.
const CREDENTIALS: [(&str, &str, &str); 3] = [
    ("CLAUDE_CONFIG_DIR", ".claude", ".credentials.json"),
    ("CODEX_HOME", ".codex", "auth.json"),
    ("", ".gemini", "oauth_creds.json"),
];
/// Files of `name = value` lines in the home.
const HOME_VARIABLES: [&str; 3] = [".aws/credentials", ".npmrc", ".pypirc"];
/// The same in a project.
const PROJECT_VARIABLES: [&str; 5] = [".env", ".env.local", ".env.development", ".env.production", ".npmrc"];
/// Bytes of a raw log that are looked at together; a block ends at a line's end where there is one.
const BLOCK: usize = 8 << 20;

/// The secrets that this machine lets us know by value.
pub(crate) fn known(env: &Environment, settings: &Settings, project: Option<&Path>) -> Secrets {
    let mut values: Vec<String> = Secrets::in_environment(env).collect();
    let kept = settings.clone().without_secrets();
    for (name, agent) in &settings.agents {
        values.extend(Secrets::in_environment(&agent.env));
        // What the journal leaves out of the settings is a secret, too.
        let kept = kept.agents.get(name);
        let left_out =
            |variable: &str| kept.and_then(|kept| kept.env.get(variable)).is_some_and(String::is_empty);
        values.extend(agent.env.iter().filter(|(name, _)| left_out(name)).map(|(_, value)| value.clone()));
    }
    let home = env.get("HOME").or_else(|| env.get("USERPROFILE")).map(PathBuf::from);
    for file in credentials(env, settings, home.as_deref()) {
        values.extend(Secrets::in_credentials(&read(&file)));
    }
    let of_home = home.iter().flat_map(|home| HOME_VARIABLES.map(|file| home.join(file)));
    for file in of_home {
        values.extend(Secrets::in_variables(&read(&file)));
    }
    if let Some(project) = project.and_then(|project| Beneath::open(project).ok()) {
        let texts = PROJECT_VARIABLES.iter().filter_map(|file| project.read(file, MOST_CREDENTIALS).ok());
        texts.for_each(|text| values.extend(Secrets::in_variables(&String::from_utf8_lossy(&text))));
    }
    // The name of a file is no secret, and has to stay what it is.
    values.retain(|value| !Path::new(value).is_absolute() || !Path::new(value).exists());
    Secrets::of(values)
}

fn credentials(env: &Environment, settings: &Settings, home: Option<&Path>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (variable, folder, file) in CREDENTIALS {
        let moved = settings.agents.values().map(|agent| &agent.env).chain([env]);
        files.extend(moved.filter_map(|env| env.get(variable)).map(|moved| Path::new(moved).join(file)));
        files.extend(home.iter().map(|home| home.join(folder).join(file)));
    }
    files
}

fn read(path: &Path) -> String {
    let small = path.symlink_metadata().is_ok_and(|facts| facts.is_file() && facts.len() <= MOST_CREDENTIALS);
    if small { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() }
}

/// Workers whose last words ended within a block of a private key: what they say next goes on with it.
pub(super) type Open = BTreeSet<WorkerId>;

/// An input without secrets. What people say and what we say ourselves stays as it is: names, ids, paths and hashes of ours
/// are never looked at.
pub(super) fn input(secrets: &Secrets, rules: &GuardRules, open: &mut Open, input: Input) -> Input {
    if weakness::has(Weakness::NoRedaction) {
        return input;
    }
    match input {
        Input::Started { worker, process, argv } => {
            Input::Started { worker, process, argv: redacted(secrets, argv) }
        }
        Input::Said { worker, offset, said } => {
            let said = block(open, worker, said);
            Input::Said { worker, offset, said: event(secrets, rules, said) }
        }
        Input::Called { worker, offset, call, what } => {
            Input::Called { worker, offset, call, what: called(secrets, rules, what) }
        }
        Input::Ended { worker, exit, told, failed } => {
            open.remove(&worker);
            let session = told.session.clone();
            let (mut told, failed) = (redacted(secrets, told), redacted(secrets, failed));
            told.session = session;
            Input::Ended { worker, exit, told, failed }
        }
        Input::Performed { job, outcome } => Input::Performed { job, outcome: performed(secrets, outcome) },
        other @ (Input::Open { .. }
        | Input::Resume { .. }
        | Input::Limits(_)
        | Input::Sandbox(_)
        | Input::Ready
        | Input::Act { .. }
        | Input::ClockMoved { .. }
        | Input::Tick
        | Input::Close { .. }) => other,
    }
}

/// Only words of an outcome: our own paths, commits and files are what later steps work with.
fn performed(secrets: &Secrets, outcome: JobOutcome) -> JobOutcome {
    match outcome {
        JobOutcome::Checked { mut results } => {
            for result in &mut results {
                result.output = secrets.redact(&result.output).into_owned();
            }
            JobOutcome::Checked { results }
        }
        JobOutcome::Failed { why } => JobOutcome::Failed { why: secrets.redact(&why).into_owned() },
        // Its words come from an answer that was redacted when it came in.
        JobOutcome::Verified { .. }
        | JobOutcome::TreeReady { .. }
        | JobOutcome::Snapshot { .. }
        | JobOutcome::Merged { .. }
        | JobOutcome::Conflicted { .. }
        | JobOutcome::Landed { .. } => outcome,
    }
}

/// What is said without what goes on with a block that was begun before; what begins one is for [`event`].
fn block(open: &mut Open, worker: WorkerId, said: AgentEvent) -> AgentEvent {
    let begins = |text: &str| text.contains("-----BEGIN ");
    let may_begin = if let AgentEvent::Error(error) = &said {
        begins(&error.text) || error.raw.as_deref().is_some_and(begins)
    } else if let AgentEvent::Progress(progress) = &said {
        begins(&progress.text)
    } else {
        return said; // nothing of a stream's own words
    };
    let was_open = open.remove(&worker);
    if !was_open && !may_begin {
        return said;
    }
    let Ok(mut value) = serde_json::to_value(&said) else { return said };
    let went_on = if was_open { Secrets::scrub_block(&mut value) } else { None };
    if went_on.unwrap_or(false) || Secrets::leaves_block_open(&value) {
        open.insert(worker);
    }
    match went_on {
        Some(_) => serde_json::from_value(value).unwrap_or(said),
        None => said,
    }
}

/// A command is judged by what is left of it, so what is left must be judged as the whole would be.
fn event(secrets: &Secrets, rules: &GuardRules, said: AgentEvent) -> AgentEvent {
    let AgentEvent::Progress(progress) = &said else { return redacted(secrets, said) };
    let Some(whole) = progress.tool.as_ref().and_then(|tool| tool.command.clone()) else {
        return redacted(secrets, said);
    };
    let mut clean = redacted(secrets, said);
    if let AgentEvent::Progress(progress) = &mut clean
        && let Some(command) = progress.tool.as_mut().and_then(|tool| tool.command.as_mut())
        && !judged_alike(&whole, command, &nowhere(), rules)
    {
        *command = whole;
    }
    clean
}

fn called(secrets: &Secrets, rules: &GuardRules, what: Call) -> Call {
    match what {
        Call::Report { event: said } => Call::Report { event: event(secrets, rules, said) },
        Call::Permit { mut wanted } => {
            let command = secrets.redact_strictly(&wanted.command);
            if judged_alike(&wanted.command, &command, &wanted.place, rules) {
                wanted.command = command.into_owned();
            }
            Call::Permit { wanted }
        }
        Call::AskUser { .. }
        | Call::RequestReview { .. }
        | Call::SubmitPlan { .. }
        | Call::SubmitReview { .. }
        | Call::Hooked => redacted(secrets, what),
    }
}

fn judged_alike(whole: &str, clean: &str, place: &Place, rules: &GuardRules) -> bool {
    let say = |command: &str| {
        let judgement = judge(command, place, rules);
        (judgement.clearance, judgement.rule)
    };
    whole == clean || say(whole) == say(clean)
}

/// Where a command runs whose CLI does not say it.
fn nowhere() -> Place {
    let folder = "/project".to_owned();
    Place { cwd: folder.clone(), project: folder, home: "/home/worker".to_owned(), also: Vec::new() }
}

/// The same without secrets; as it is when there are none.
fn redacted<T: Serialize + DeserializeOwned>(secrets: &Secrets, what: T) -> T {
    // Most have none, and looking through one text is cheaper than through a tree.
    if serde_json::to_string(&what).is_ok_and(|text| secrets.is_clean(&text)) {
        return what;
    }
    let cleaned = serde_json::to_value(&what).and_then(|mut value| {
        if secrets.scrub(&mut value) { serde_json::from_value(value).map(Some) } else { Ok(None) }
    });
    match cleaned {
        Ok(Some(cleaned)) => cleaned,
        Ok(None) => what,
        Err(fault) => {
            // Cannot be: no secret can stand in a name of ours, and everything else is words.
            error!(%fault, "what a worker said could not be redacted");
            what
        }
    }
}

/// Takes the secrets out of the raw logs of a worker that has ended.
pub(super) fn raw_logs(secrets: &Secrets, files: &Files) {
    if weakness::has(Weakness::NoRedaction) || files.masked.exists() {
        return;
    }
    let masked = [&files.stdout, &files.stderr, &files.calls, &files.prompt].map(|path| match mask(secrets, path) {
        Err(fault) if fault.kind() != std::io::ErrorKind::NotFound => {
            warn!(path = %path.display(), %fault, "secrets may be left in a raw log; only you can read it");
            false
        }
        Ok(_) | Err(_) => true,
    });
    if masked.into_iter().all(|masked| masked) {
        let _ = private::write(&files.masked, b"");
    }
}

/// Takes the secrets out of the whole output of a check, which has ended.
pub(super) fn check_log(secrets: &Secrets, path: &Path) {
    if weakness::has(Weakness::NoRedaction) {
        return;
    }
    if let Err(fault) = mask(secrets, path) {
        warn!(path = %path.display(), %fault, "secrets may be left in the output of a check; only you can read it");
    }
}

/// Takes the secrets out of a raw log in its place: every byte of one becomes `*`, so that offsets stay right. How many.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn mask(secrets: &Secrets, path: &Path) -> std::io::Result<usize> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let (mut at, mut masked, mut block) = (0u64, 0, Vec::new());
    loop {
        let had = block.len();
        let read = (&mut file).take((BLOCK - had) as u64).read_to_end(&mut block)?;
        if block.is_empty() {
            return Ok(masked);
        }
        let last = read == 0 || block.len() < BLOCK;
        // What follows the last line's end is looked at with the next block.
        let whole = block.iter().rposition(|byte| *byte == b'\n').map_or(block.len(), |end| end + 1);
        let length = if last { block.len() } else { whole };
        let rest = block.split_off(length);
        for range in secrets.mask(&mut block) {
            file.seek(SeekFrom::Start(at + range.start as u64))?;
            file.write_all(&block[range])?;
            masked += 1;
        }
        at += length as u64;
        file.seek(SeekFrom::Start(at + rest.len() as u64))?;
        block = rest;
        if last {
            return Ok(masked);
        }
    }
}

#[cfg(test)]
mod tests;
