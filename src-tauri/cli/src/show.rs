//! Commands that only look: `status`, `log`, `replay`, `doctor`.

use std::process::ExitCode;

use domain::{
    AgentInfo, Outcome, Phase, Probe, ProbeState, Request, Response, Seq, SessionSummary, State, Summary,
    TimelineItem, TimelineKind, UserError, WorkerId,
};
use engine::{
    doctor,
    journal::{self, Holder},
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    args::usage,
    door::{unexpected, watch},
    entries::{broken, internal},
    live,
    machine::{Machine, outcome},
    model::Model,
    pick,
    said::{complain, out},
    summary,
    text::{between, clean, fit, line, name, pad},
    view::View,
    words::{self, Tone},
};

/// Lines of a timeline item's detail that are shown.
const DETAIL: usize = 12;

/// How a session, or a task of one, stands that nobody is at any more.
const INTERRUPTED: &str = "interrupted";
/// States of a task that somebody is at.
const AT_WORK: [&str; 5] = ["preparing", "working", "checking", "mending", "merging"];

/// How all sessions stand, or one.
///
/// # Errors
/// When there is no such session.
pub(crate) async fn status(machine: &Machine, given: Option<&str>) -> Result<ExitCode, UserError> {
    let Machine { engine, common, view, .. } = machine;
    if given.is_none() && common.target.is_none() {
        let all = pick::sessions(engine).await?;
        if common.json {
            out(&json(&all)?);
        } else if all.is_empty() {
            out("There is no session yet. Start one with: orchestrate \"PROMPT\"");
        } else {
            all.iter().for_each(|session| out(&row(session, view)));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let found = pick::session(engine, given, common).await?;
    let (mut summary, last, damage) = machine.readable(&found.session)?;
    let interrupted = found.phase == Phase::Interrupted;
    let held_by = journal::holder(&machine.folder(&found.session));
    if common.json {
        if interrupted {
            (summary.outcome, summary.exit_code) = (INTERRUPTED.to_owned(), Outcome::Waiting.exit_code());
            let at_work = summary.tasks.iter_mut().filter(|task| AT_WORK.contains(&task.state.as_str()));
            at_work.for_each(|task| task.state = INTERRUPTED.to_owned());
        }
        let SessionSummary { phase, why, held, left, damage, .. } = found;
        out(&json(&Status { summary, phase, why, held, held_by, workers_left: left, damage })?);
        return Ok(ExitCode::SUCCESS);
    }
    let (_, rows) = watch(engine, found.session.clone(), Seq(0)).await?;
    let mut model = Model::default();
    rows.into_iter().for_each(|row| drop(model.take(row, Timestamp::now(), view)));
    let now = if found.held { Timestamp::now() } else { last };
    model.overview(now, view).iter().for_each(|line| out(line));
    live::block(&model, now, view, usize::MAX).iter().for_each(|line| out(line));
    if let Some(by) = held_by {
        out(&view
            .text(Tone::Dim, &format!("run by {} since {}", clean(&by.to_string()), view.clock(by.since))));
    }
    if let Some(outcome) = outcome(&summary) {
        let landed = summary.landed.is_some();
        let next = summary::next(outcome, &machine.named(&found.session), landed, model.open_question());
        next.iter().for_each(|line| out(line));
    } else if interrupted {
        // Whole: the line of the session may be cut.
        out(&view.text(Tone::Warn, &line(&found.why)));
    }
    if interrupted && damage.is_none() {
        out(&format!("Take it up again: orchestrate resume {}", machine.named(&found.session)));
    }
    // What could be read was shown; what could not is a failure all the same.
    Ok(damage.map_or(ExitCode::SUCCESS, |damage| complain(&broken(damage))))
}

/// A session as `status --json` tells it: its summary, and what is true of it right now.
#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    summary: Summary,
    phase: Phase,
    why: String,
    /// Whether a process runs it.
    held: bool,
    /// Which one, when it can be told.
    held_by: Option<Holder>,
    /// Workers whose processes live although nobody runs the session.
    workers_left: u32,
    damage: Option<String>,
}

fn row(session: &SessionSummary, view: &View) -> String {
    let (sign, word, tone) = words::phase(session.phase);
    let ago = format!("{} ago", between(session.last, Timestamp::now()));
    let damage = session.damage.as_ref().map(|damage| view.text(Tone::Bad, &format!(" · {}", line(damage))));
    let why = (session.phase == Phase::Interrupted)
        .then(|| view.text(Tone::Warn, &format!(" · {}", line(session.why.trim_end_matches('.')))));
    let text = format!(
        "{}  {} {:>2}/{:<2} {}  {}{}{} {}",
        name(&session.session),
        view.text(tone, &pad(&format!("{sign} {word}"), 15)),
        session.accepted,
        session.tasks,
        view.text(Tone::Dim, &pad(&ago, 12)),
        line(&session.goal),
        why.unwrap_or_default(),
        damage.unwrap_or_default(),
        view.text(Tone::Dim, &format!("· {}", line(&session.target))),
    );
    if view.terminal { fit(&text, view.columns) } else { text }
}

/// A worker's raw output, or who there is.
///
/// # Errors
/// When there is no such session or worker.
pub(crate) async fn log(machine: &Machine, words: &[String]) -> Result<ExitCode, UserError> {
    let worker = |word: &String| word.parse::<WorkerId>().ok();
    let (given, wanted) = match words {
        [session, word] => {
            let Some(worker) = worker(word) else {
                return Err(usage(
                    format!("{word} is no worker."),
                    "Workers are w1, w2 and so on; `orchestrate log` lists them.",
                ));
            };
            (Some(session.as_str()), Some(worker))
        }
        [word] if worker(word).is_some() => (None, worker(word)),
        [session] => (Some(session.as_str()), None),
        _ => (None, None),
    };
    let found = pick::session(&machine.engine, given, &machine.common).await?;
    let Some(worker) = wanted else {
        return workers(machine, &found).await;
    };
    let mut from = 0;
    loop {
        let request = Request::Log { session: found.session.clone(), worker, from };
        let Response::Log { text, next, size } = machine.engine.request(request).await? else {
            return Err(unexpected("log"));
        };
        if !text.is_empty() {
            out(clean(&text).trim_end_matches('\n'));
        }
        if size <= next || next == from {
            return Ok(ExitCode::SUCCESS);
        }
        from = next;
    }
}

async fn workers(machine: &Machine, found: &SessionSummary) -> Result<ExitCode, UserError> {
    let (_, rows) = watch(&machine.engine, found.session.clone(), Seq(0)).await?;
    let mut model = Model::default();
    rows.into_iter().for_each(|row| drop(model.take(row, Timestamp::now(), &machine.view)));
    for row in model.workers() {
        let (sign, word, tone) = words::worker(row.stage);
        out(&format!(
            "{} {} {} {} {} {} events",
            pad(&row.id.to_string(), 4),
            pad(row.agent.as_str(), 8),
            pad(row.role.as_str(), 11),
            pad(&crate::news::purpose(row), 10),
            machine.view.text(tone, &pad(&format!("{sign} {word}"), 10)),
            row.events
        ));
    }
    out(&format!("The raw output of one: orchestrate log {} w1", name(&found.session)));
    Ok(ExitCode::SUCCESS)
}

/// What happened up to an entry, and how the session stood there.
///
/// # Errors
/// When there is no such session or entry.
pub(crate) async fn replay(
    machine: &Machine,
    given: Option<&str>,
    to: Option<Seq>,
) -> Result<ExitCode, UserError> {
    let found = pick::session(&machine.engine, given, &machine.common).await?;
    let (entries, damage) = journal::read_readable(&machine.folder(&found.session)).map_err(broken)?;
    let last = entries.last().map(|entry| entry.seq).unwrap_or_default();
    let to = to.unwrap_or(last);
    if to == Seq(0) || last < to {
        return Err(usage(
            format!("There is no entry {} in that session.", to.0),
            format!("It has 1 to {}.", last.0),
        ));
    }
    let mut state = State::default();
    for entry in entries.iter().take_while(|entry| entry.seq <= to) {
        state.apply(entry);
        if machine.common.json {
            out(&json(entry)?);
        } else if let Some(item) = domain::timeline(&state, entry) {
            item_lines(&item, &machine.view).iter().for_each(|line| out(line));
        }
    }
    if machine.common.json {
        out(&json(&domain::summary(&state))?);
    } else {
        stood(&state, last, &machine.view).iter().for_each(|line| out(line));
    }
    // What could be read was shown; what could not is a failure all the same.
    Ok(damage.map_or(ExitCode::SUCCESS, |damage| complain(&broken(damage))))
}

/// How a session stood at the entry it was folded to.
fn stood(state: &State, last: Seq, view: &View) -> Vec<String> {
    let mut model = Model::default();
    state.rows(Seq(0)).into_iter().for_each(|row| drop(model.take(row, state.last, view)));
    let head = format!("As it stood at entry {} of {}, at {}:", state.seq.0, last.0, view.clock(state.last));
    let mut lines = vec![String::new(), view.text(Tone::Strong, &head)];
    lines.extend(live::block(&model, state.last, view, usize::MAX));
    lines
}

fn item_lines(item: &TimelineItem, view: &View) -> Vec<String> {
    let (word, tone) = words::kind(item.kind);
    let who = item.worker.map(|worker| worker.to_string()).unwrap_or_default();
    let time = view.text(Tone::Dim, &view.clock(item.at));
    let head = format!(
        "{:>5} {time} {} {} {}",
        item.seq.0,
        view.text(tone, &pad(word, 9)),
        pad(&who, 4),
        line(&item.text)
    );
    let mut lines = vec![head];
    if matches!(item.kind, TimelineKind::Decision | TimelineKind::Review | TimelineKind::Question) {
        let detail = item.detail.lines().filter(|line| !line.trim().is_empty()).take(DETAIL);
        lines.extend(detail.map(|text| view.text(Tone::Dim, &format!("{:31}{}", "", line(text)))));
    }
    lines
}

/// The machine and the agents.
///
/// # Errors
/// What the engine says.
pub(crate) async fn doctor(machine: &Machine) -> Result<ExitCode, UserError> {
    let target = machine.common.target.clone().or_else(|| std::env::current_dir().ok());
    let target = target.map(|target| target.to_string_lossy().into_owned());
    let response = machine.engine.request(Request::Doctor { target }).await?;
    let Response::Doctor { probes, agents } = &response else {
        return Err(unexpected("doctor"));
    };
    if machine.common.json {
        out(&json(&response)?);
    } else {
        report(probes, agents, &machine.view).iter().for_each(|line| out(line));
    }
    // An agent of several that does not work keeps no session from beginning; anything else does.
    let of_machine = |probe: &&Probe| doctor::PROBES.contains(&probe.name.as_str());
    let problem = probes.iter().filter(of_machine).any(|probe| probe.state == ProbeState::Problem);
    Ok(if problem || agents.is_empty() { ExitCode::from(6) } else { ExitCode::SUCCESS })
}

/// The doctor's table.
pub(crate) fn report(probes: &[Probe], agents: &[AgentInfo], view: &View) -> Vec<String> {
    let mut lines = Vec::new();
    let widest = probes.iter().map(|probe| probe.name.chars().count()).max().unwrap_or_default().min(24);
    for probe in probes {
        let (sign, word, tone) = words::probe(probe.state);
        let state = view.text(tone, &format!("{sign} {}", pad(word, 7)));
        lines.push(format!("{state}  {}  {}", pad(&probe.name, widest), line(&probe.text)));
        let fix = probe.fix.lines().filter(|line| !line.trim().is_empty());
        lines.extend(fix.map(|text| format!("{:w$}→ {}", "", clean(text), w = widest + 13)));
    }
    let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    lines.push(String::new());
    lines.push(match names.as_slice() {
        [] => "No agent can work. Mend the problems above; `orchestrate demo` works without any.".to_owned(),
        [one] => format!("{one} can work, but nobody independent can review: install a second agent."),
        many => format!("{} can work as one team.", many.join(", ")),
    });
    lines
}

fn json(value: &impl serde::Serialize) -> Result<String, UserError> {
    serde_json::to_string(value).map_err(|error| internal(&error))
}
