//! Commands that run a session in this process: a prompt, `resume`, `answer` to one that waits, `demo`.

use std::{
    io::{IsTerminal, Read, Stdout},
    process::ExitCode,
    time::Duration,
};

use domain::{Act, LandMethod, Outcome, Phase, Request, Response, Seq, SessionId, UserError};
use tokio::sync::mpsc;

use crate::{
    act,
    args::{Flags, usage},
    door::{self, unexpected},
    entries::{Entries, internal},
    follow::{Ended, Follow, How},
    machine::{Machine, outcome},
    notices::Notices,
    pick,
    said::{err, out},
    screen::Screen,
    summary, typed, window,
};

/// How long workers may take to leave when the program does.
const GRACE: Duration = Duration::from_secs(5);
/// Most bytes of a prompt (SPEC section 18).
const MOST_PROMPT: u64 = 1 << 20;

/// Starts a session and follows it.
///
/// # Errors
/// What is wrong with prompt, target, agents or machine.
pub(crate) async fn start(machine: &Machine, prompt: &str, flags: &Flags) -> Result<ExitCode, UserError> {
    let goal = if prompt == "-" { piped()? } else { prompt.to_owned() };
    let target = target(machine)?;
    let Flags { yes: approve, unsandboxed, .. } = *flags;
    let request = Request::Open { goal, target, approve, unsandboxed };
    open(machine, request, !flags.no_dashboard, Seq(0), None).await
}

/// Plays the demo and lands it.
///
/// # Errors
/// What the engine says.
pub(crate) async fn demo(machine: &Machine, no_dashboard: bool) -> Result<ExitCode, UserError> {
    let say = if machine.common.json { err } else { out };
    say("This is a demonstration: demo agents, no AI.");
    say(
        "Their processes are real, their words are scripted; the demo answers its own question by its script.",
    );
    open(machine, Request::Demo { approve: true }, !no_dashboard, Seq(0), None).await
}

/// Takes a session up again, or lets a paused one go on.
///
/// # Errors
/// When another process runs it and it is not paused.
pub(crate) async fn resume(
    machine: &Machine,
    given: Option<&str>,
    no_dashboard: bool,
) -> Result<ExitCode, UserError> {
    let found = pick::session(&machine.engine, given, &machine.common).await?;
    if found.held && found.phase == Phase::Paused {
        door::act(&machine.engine, found.session.clone(), Act::Unpause).await?;
        return Ok(act::done(machine, &found.session, "goes on"));
    }
    let after = last(machine, &found.session)?;
    let request = Request::Resume { session: found.session };
    open(machine, request, !no_dashboard, after, None).await
}

/// Takes a session up again that nobody runs, and does something to it first.
///
/// # Errors
/// What the engine says.
pub(crate) async fn resume_with(
    machine: &Machine,
    session: SessionId,
    first: Act,
) -> Result<ExitCode, UserError> {
    let after = last(machine, &session)?;
    open(machine, Request::Resume { session }, false, after, Some(first)).await
}

/// The last entry of a session.
fn last(machine: &Machine, session: &SessionId) -> Result<Seq, UserError> {
    Ok(Seq(machine.summary(session)?.0.events))
}

async fn open(
    machine: &Machine,
    request: Request,
    windowed: bool,
    after: Seq,
    first: Option<Act>,
) -> Result<ExitCode, UserError> {
    let mut interrupts = typed::interrupts();
    let engine = &machine.engine;
    let notices = Notices::start(engine, machine.view.terminal && !machine.common.json);
    let opened = tokio::select! {
        opened = engine.request(request) => opened?,
        Some(()) = interrupts.recv() => {
            engine.shutdown(GRACE).await;
            return Ok(ExitCode::from(Outcome::Stopped.exit_code()));
        }
    };
    let Response::Opened { session } = opened else {
        return Err(unexpected("open"));
    };
    let followed = follow(machine, &session, windowed, after, first, interrupts).await;
    engine.shutdown(GRACE).await;
    if let Some(notices) = notices {
        notices.finish().await;
    }
    let (ended, landed, mut entries) = followed?;
    if let Some(entries) = &mut entries {
        entries.print(Seq(u64::MAX))?;
    }
    tell(machine, &session, &ended, landed)
}

type Followed = (Ended, bool, Option<Entries>);

async fn follow(
    machine: &Machine,
    session: &SessionId,
    windowed: bool,
    after: Seq,
    first: Option<Act>,
    interrupts: mpsc::Receiver<()>,
) -> Result<Followed, UserError> {
    let Machine { engine, common, view, .. } = machine;
    if windowed && let Err(why) = window::open(session, &machine.workspace, common) {
        err(&format!("{why} The session goes on here."));
    }
    if let Some(first) = first {
        door::act(engine, session.clone(), first).await?;
    }
    let entries = if common.json { Some(Entries::of(&machine.folder(session))?) } else { None };
    let asks = view.terminal && !common.json && std::io::stdin().is_terminal();
    let how = How { after, entries, typed: asks.then(typed::lines), interrupts };
    let screen: Screen<Stdout> = Screen::new(std::io::stdout(), view.clone());
    let mut follow = Follow::new(engine.clone(), session.clone(), screen, how);
    let ended = follow.until_the_end().await?;
    let mut landed = follow.landed();
    if follow.demo() && ended.outcome == Outcome::Done && !landed {
        let branch = act::bring_home(engine, session, Some(LandMethod::FastForward), String::new()).await?;
        landed = true;
        if !common.json {
            out(&format!("The demo lands its result by itself: in {branch}."));
        }
    }
    Ok((ended, landed, follow.into_entries()))
}

/// The summary, and what to do next.
fn tell(machine: &Machine, session: &SessionId, ended: &Ended, landed: bool) -> Result<ExitCode, UserError> {
    let (summary, _) = machine.summary(session)?;
    let outcome = match outcome(&summary) {
        Some(outcome) => outcome,
        None => ended.outcome,
    };
    let next = summary::next(outcome, &machine.named(session), landed, ended.question.as_ref());
    if machine.common.json {
        let question = ended.question.as_ref().filter(|_| outcome == Outcome::Waiting);
        question.iter().for_each(|question| err(&question.text));
        next.iter().for_each(|line| err(line));
        out(&serde_json::to_string(&summary).map_err(|error| internal(&error))?);
    } else {
        summary::lines(&summary, outcome, &machine.view).iter().chain(&next).for_each(|line| out(line));
    }
    Ok(ExitCode::from(outcome.exit_code()))
}

/// The prompt on standard input, no more of it than a prompt may have.
fn piped() -> Result<String, UserError> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MOST_PROMPT + 1).read_to_end(&mut bytes);
    read.map_err(|error| {
        usage(format!("Standard input cannot be read: {error}."), "Give the prompt in quotes.")
    })?;
    if MOST_PROMPT < u64::try_from(bytes.len()).unwrap_or(u64::MAX) {
        return Err(usage(
            "The prompt is longer than 1 MiB.",
            "Put the long part into a file of the project and name it.",
        ));
    }
    String::from_utf8(bytes)
        .map_err(|_| usage("The prompt is not UTF-8.", "Convert it, for example with iconv."))
}

/// The project folder as text; whether it will do is for the engine to say.
fn target(machine: &Machine) -> Result<String, UserError> {
    let given = machine.common.target.clone().unwrap_or_else(|| ".".into());
    let path = std::path::absolute(&given).map_err(|error| {
        usage(format!("The project folder cannot be used: {error}."), "Name it with -C DIR.")
    })?;
    path.into_os_string().into_string().map_err(|path| {
        usage(format!("The path {} is not UTF-8.", path.display()), "Rename the folder, or work on a copy.")
    })
}
