//! Commands that do something to a session, whoever runs it.

use std::{process::ExitCode, time::Duration};

use domain::{
    Act, Choice, LandMethod, LandingFacts, QuestionId, Request, Response, Row, RowBody, Seq, SessionId,
    SessionSummary, TaskId, UserError,
};
use jiff::Timestamp;

use crate::{
    args::{METHODS, usage},
    door::{Door, act, unexpected, watch},
    machine::Machine,
    model::Model,
    pick, run,
    said::{err, out},
    text::{line, name},
    view::View,
    words,
};

/// Exit code of a command that only the user can help on.
const WAITING: u8 = 3;
/// How long `stop` waits for the end before it leaves the rest to the process that runs the session.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// Pauses a session.
///
/// # Errors
/// When nobody runs it, or it is paused.
pub(crate) async fn pause(machine: &Machine, given: Option<&str>) -> Result<ExitCode, UserError> {
    let found = held(machine, given).await?;
    act(&machine.engine, found.session.clone(), Act::Pause).await?;
    Ok(done(machine, &found.session, "is paused; `orchestrate resume` lets it go on"))
}

/// Stops a session, and waits until it is.
///
/// # Errors
/// When nobody runs it.
pub(crate) async fn stop(machine: &Machine, given: Option<&str>, now: bool) -> Result<ExitCode, UserError> {
    let found = held(machine, given).await?;
    let session = &found.session;
    act(&machine.engine, session.clone(), Act::Stop { now }).await?;
    let ended = until(&machine.engine, session, |_, model| model.session()?.outcome.map(Ok));
    let text = match tokio::time::timeout(STOPPED_WITHIN, ended).await {
        Ok(ended) => ended.map(|_| "is stopped; `orchestrate resume` takes it up again")?,
        Err(_) => "is being stopped; its workers take their time",
    };
    Ok(done(machine, session, text))
}

/// Asks for a review.
///
/// # Errors
/// When nobody runs the session, or nothing is at work.
pub(crate) async fn review(
    machine: &Machine,
    given: Option<&str>,
    task: Option<TaskId>,
) -> Result<ExitCode, UserError> {
    let found = held(machine, given).await?;
    act(&machine.engine, found.session.clone(), Act::Review { task }).await?;
    Ok(done(machine, &found.session, "will be reviewed as it stands"))
}

/// Answers a question; takes the session up again when nobody runs it.
///
/// # Errors
/// When there is no such question or choice.
pub(crate) async fn answer(
    machine: &Machine,
    words: &[String],
    question: Option<QuestionId>,
    choice: Option<Choice>,
) -> Result<ExitCode, UserError> {
    let (given, text) = match words {
        [session, text] => (Some(session.as_str()), text.clone()),
        [word] if names_session(machine, word).await? => (Some(word.as_str()), String::new()),
        [word] => (None, word.clone()),
        _ => (None, String::new()),
    };
    if choice.is_none() && text.trim().is_empty() {
        return Err(usage(
            "The answer is empty.",
            "Add your text in quotes, or --choice with one of the choices.",
        ));
    }
    let found = pick::session(&machine.engine, given, &machine.common).await?;
    let answer = Act::Answer { question, choice, text };
    if found.held {
        act(&machine.engine, found.session.clone(), answer).await?;
        return Ok(done(machine, &found.session, "has its answer and goes on"));
    }
    run::resume_with(machine, found.session, answer).await
}

/// Whether a single word is rather a session than an answer.
async fn names_session(machine: &Machine, word: &str) -> Result<bool, UserError> {
    let like = 8 <= word.len() && word.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let known = |known: &SessionSummary| pick::fits(known.session.as_str(), &word.to_lowercase());
    Ok(like && pick::sessions(&machine.engine).await?.iter().any(known))
}

/// Brings a session's result home, after a dry run.
///
/// # Errors
/// When it cannot be landed at all.
pub(crate) async fn land(
    machine: &Machine,
    given: Option<&str>,
    method: Option<LandMethod>,
    message: String,
) -> Result<ExitCode, UserError> {
    let found = pick::session(&machine.engine, given, &machine.common).await?;
    let facts = dry_run(&machine.engine, &found.session).await?;
    if let Some(refused) = &facts.refused {
        return Err(usage(
            format!("Nothing can be landed: {}", line(refused)),
            "`orchestrate status` shows how it stands.",
        ));
    }
    if method != Some(LandMethod::Keep)
        && let Some(obstacle) = obstacle(&facts)
    {
        err(&format!("orchestrate: {obstacle}"));
        return Ok(ExitCode::from(WAITING));
    }
    let method = method.or(facts.methods.first().copied());
    let branch = bring_home(&machine.engine, &found.session, method, message).await?;
    let commits = facts.commits;
    let noun = if commits == 1 { "commit" } else { "commits" };
    Ok(done(machine, &found.session, &format!("is landed in {branch} ({commits} {noun})")))
}

/// What stands in the way of landing, and what to do about it.
fn obstacle(facts: &LandingFacts) -> Option<String> {
    let list = |files: &[String]| files.iter().map(|file| line(file)).collect::<Vec<_>>().join(", ");
    if !facts.in_the_way.is_empty() {
        let files = list(&facts.in_the_way);
        return Some(format!(
            "Uncommitted changes of yours are in the way: {files}.\n  Commit or stash them, then land again; or keep the branch with --method keep."
        ));
    }
    if !facts.conflicts.is_empty() {
        let (files, into) = (list(&facts.conflicts), line(&facts.into));
        return Some(format!(
            "{into} has changed meanwhile, in conflict with the result: {files}.\n  Keep the branch with --method keep and merge it by hand."
        ));
    }
    None
}

async fn dry_run(door: &impl Door, session: &SessionId) -> Result<LandingFacts, UserError> {
    let request = Request::DryRun { session: session.clone() };
    let Response::DryRun { facts } = door.request(request).await? else {
        return Err(unexpected("the dry run"));
    };
    Ok(facts)
}

/// Lands, and waits until it is done. Gives the branch.
///
/// # Errors
/// When landing is refused or fails.
pub(crate) async fn bring_home(
    door: &impl Door,
    session: &SessionId,
    method: Option<LandMethod>,
    message: String,
) -> Result<String, UserError> {
    let method = method.unwrap_or(LandMethod::Keep);
    let began = Timestamp::now();
    act(door, session.clone(), Act::Land { method, message }).await?;
    let word = METHODS.iter().find(|(_, known)| *known == method).map_or("", |(word, _)| word);
    until(door, session, |row, model| {
        if let RowBody::Warning(warning) = &row.body
            && began <= warning.at
            && warning.text.starts_with("landing failed")
        {
            let hint = format!(
                "Everything is kept; try again, with another --method than {word} or after mending it."
            );
            return Some(Err(usage(line(&warning.text), hint)));
        }
        model.session()?.landed.clone().map(Ok)
    })
    .await
}

/// Follows a session's rows until something is found in them.
async fn until<T>(
    door: &impl Door,
    session: &SessionId,
    found: impl Fn(&Row, &Model) -> Option<Result<T, UserError>>,
) -> Result<T, UserError> {
    let (mut model, mut since) = (Model::default(), Seq(0));
    let view = View { terminal: false, colour: false, zone: jiff::tz::TimeZone::UTC, columns: 80 };
    loop {
        let (seq, rows) = watch(door, session.clone(), since).await?;
        since = seq;
        for row in rows {
            model.take(row.clone(), Timestamp::now(), &view);
            if let Some(found) = found(&row, &model) {
                return found;
            }
        }
    }
}

/// A session that some process runs.
async fn held(machine: &Machine, given: Option<&str>) -> Result<SessionSummary, UserError> {
    let found = pick::session(&machine.engine, given, &machine.common).await?;
    if found.held {
        return Ok(found);
    }
    let (name, (_, phase, _)) = (name(&found.session), words::phase(found.phase));
    Err(usage(
        format!("Nobody runs session {name}: it is {phase}."),
        format!("`orchestrate resume {name}` takes it up again."),
    ))
}

/// Says what was done to which session.
pub(crate) fn done(machine: &Machine, session: &SessionId, what: &str) -> ExitCode {
    let text = format!("Session {} {what}.", name(session));
    if machine.common.json {
        err(&text)
    } else {
        out(&text)
    }
    ExitCode::SUCCESS
}
