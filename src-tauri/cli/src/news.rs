//! What is new in a row, in the words of a person who watches.

use domain::{
    Action, Ballot, DecisionRow, Phase, PlanRow, PlanSource, QuestionRow, RecoveryRow, ReviewRow, SeatRow,
    SessionRow, TaskRow, TaskStage, WarningRow, WorkerRow, WorkerStage,
};
use jiff::Timestamp;

use crate::{
    text::{between, clean, line, name, pad, short, wrap},
    view::{News, View},
    words::{self, Tone},
};

/// Characters of what a CLI said about its failure; the log has all of it.
const MOST_WORDS: usize = 160;

fn news(at: Timestamp, tone: Tone, label: impl Into<String>, text: impl Into<String>) -> News {
    News { at, label: label.into(), tone, text: text.into(), more: Vec::new() }
}

pub(crate) fn session(
    row: &SessionRow,
    before: Option<&SessionRow>,
    now: Timestamp,
    view: &View,
) -> Vec<News> {
    let mut all = Vec::new();
    if before.is_none() {
        let goal = view.text(Tone::Strong, &domain::head(&line(&row.goal), 200));
        let mut first = news(row.began, Tone::Strong, "session", format!("{} · {goal}", name(&row.session)));
        first.more.push(format!("in {}, on branch {}", clean(&row.target), row.trees.session_branch()));
        let agents: Vec<String> =
            row.agents.iter().map(|agent| format!("{} {}", agent.name, line(&agent.version))).collect();
        first.more.push(format!("agents: {}", agents.join(", ")));
        first.more.push(format!("gate: {}", row.review.words()));
        if row.demo {
            first.more.push(view.text(Tone::Warn, "demo agents, no AI"));
        }
        if let Some(level) = row.sandbox {
            first.more.push(format!("sandbox {level}: {}", level.words()));
        }
        if row.unsandboxed {
            first.more.push(view.text(Tone::Warn, "agents run without a sandbox, with your consent"));
        }
        all.push(first);
    }
    if let Some(before) = before
        && before.phase != row.phase
        && notable(row.phase)
    {
        let (_, word, tone) = words::phase(row.phase);
        all.push(news(now, tone, word, line(&row.why)));
    }
    if let Some(before) = before
        && before.began != row.began
    {
        let (by, how) = if before.began < row.began {
            (between(before.began, row.began), "the machine slept, or its clock was set forward, for")
        } else {
            (between(row.began, before.began), "the clock was set back by")
        };
        all.push(news(now, Tone::Dim, "clock", format!("{how} {by}; limits do not count it")));
    }
    if let Some(landed) = &row.landed
        && before.is_none_or(|before| before.landed.is_none())
    {
        all.push(news(now, Tone::Good, "landed", format!("in {}", clean(landed))));
    }
    all
}

/// Whether a session's state deserves a line; the others show themselves by what happens.
fn notable(phase: Phase) -> bool {
    match phase {
        Phase::Planning | Phase::Working | Phase::NeedsYou | Phase::Landed => false,
        Phase::Paused
        | Phase::Stopping
        | Phase::Interrupted
        | Phase::ReadyToLand
        | Phase::Stopped
        | Phase::Limited
        | Phase::Failed => true,
    }
}

pub(crate) fn plan(row: &PlanRow, before: Option<&PlanRow>, now: Timestamp, view: &View) -> Vec<News> {
    let mut all = Vec::new();
    if before.is_none_or(|before| before.version != row.version) {
        let by = match &row.by {
            PlanSource::Lead { worker } => format!("by {worker}"),
            PlanSource::BuiltIn { why } => format!("built in, because {}", line(why)),
            PlanSource::Person => "edited by you".to_owned(),
        };
        let tasks = row.plan.tasks.len();
        let noun = if tasks == 1 { "task" } else { "tasks" };
        let mut fresh =
            news(now, Tone::Strong, format!("plan {}", row.version), format!("{tasks} {noun}, {by}"));
        fresh.more = wrap(&row.plan.summary, view.columns.saturating_sub(26));
        fresh.more.extend(table(row, view));
        all.push(fresh);
    }
    if let Some(actor) = &row.approved
        && before.is_none_or(|before| before.approved.is_none())
    {
        let text = format!("{}, work begins", words::actor(actor));
        all.push(news(now, Tone::Good, "approved", format!("plan {} {text}", row.version)));
    }
    all
}

/// The plan's tasks, one line each.
fn table(row: &PlanRow, view: &View) -> Vec<String> {
    let widest =
        |of: fn(&domain::Task) -> usize| row.plan.tasks.iter().map(of).max().unwrap_or_default().min(16);
    let (ids, agents) = (widest(|task| task.id.0.len()), widest(|task| task.agent.0.len()));
    let task = |task: &domain::Task| {
        let after: Vec<&str> = task.depends_on.iter().map(domain::TaskId::as_str).collect();
        let after = if after.is_empty() { String::new() } else { format!(" (after {})", after.join(", ")) };
        format!(
            "{}  {}  {}  {:>3} %  {}{}",
            view.text(Tone::Strong, &pad(task.id.as_str(), ids)),
            pad(task.role.as_str(), 11),
            pad(task.agent.as_str(), agents),
            task.weight,
            line(&task.title),
            view.text(Tone::Dim, &after),
        )
    };
    row.plan.tasks.iter().map(task).collect()
}

pub(crate) fn task(row: &TaskRow, before: Option<&TaskRow>, now: Timestamp, view: &View) -> Vec<News> {
    let mut all = Vec::new();
    if before.is_none_or(|before| before.checks != row.checks) && row.checks.iter().any(|check| !check.passed)
    {
        let mut failed = news(now, Tone::Warn, format!("checks {}", row.id), "not passed");
        for check in row.checks.iter().filter(|check| !check.passed) {
            failed.more.push(view.text(Tone::Warn, &format!("✗ {}", self::check(check))));
        }
        all.push(failed);
    }
    let stage = |row: Option<&TaskRow>| row.map(|row| row.stage);
    if stage(before) != Some(row.stage) {
        if row.stage == TaskStage::Accepted {
            let tree =
                row.tree.as_ref().map(|tree| format!(", tree {}", short(tree.as_str()))).unwrap_or_default();
            let text = format!("accepted and merged{tree}: {}", line(&row.title));
            all.push(news(now, Tone::Good, format!("merged {}", row.id), text));
        }
        if stage(before) == Some(TaskStage::Merging) && row.stage != TaskStage::Accepted {
            let text = "does not merge cleanly; its author mends it";
            all.push(news(now, Tone::Warn, format!("conflict {}", row.id), text));
        }
    }
    all
}

fn check(result: &domain::CheckResult) -> String {
    match &result.check {
        domain::Check::File { path } => format!("file {} is not there, or empty", line(path)),
        domain::Check::Command { run } => {
            let how = result.exit_code.map_or("could not finish".to_owned(), |code| format!("exit {code}"));
            format!("`{}`: {how}", line(run))
        }
    }
}

/// On what a worker works, in a word.
pub(crate) fn purpose(row: &WorkerRow) -> String {
    match (&row.task, row.review) {
        (_, Some(review)) => review.to_string(),
        (Some(task), None) => task.to_string(),
        (None, None) => "plan".to_owned(),
    }
}

pub(crate) fn worker(row: &WorkerRow, before: Option<&WorkerRow>, view: &View) -> Vec<News> {
    let who = format!("{} {} on {}", row.agent, row.role.as_str(), purpose(row));
    let ended = |row: &WorkerRow| row.ended.is_some();
    let label = row.id.to_string();
    let mut all = Vec::new();
    // In a terminal the worker's own line shows that it began.
    if before.is_none() && !view.terminal {
        let attempt = if row.attempt > 1 { format!(", attempt {}", row.attempt) } else { String::new() };
        all.push(news(row.began, Tone::Work, label.clone(), format!("{who}: started{attempt}")));
    }
    let (Some(at), false) = (row.ended, before.is_some_and(ended)) else {
        return all;
    };
    let (sign, word, tone) = words::worker(row.stage);
    let state = view.text(tone, &format!("{sign} {word}"));
    let mut text = format!("{who}: {state} in {}, {} events", between(row.began, at), row.events);
    if let Some(limited) = &row.limited {
        text = format!("{text}: stopped at its limit, {}", line(limited));
    } else if let Some(failed) = &row.failed
        && row.stage != WorkerStage::Done
    {
        text = format!(
            "{text}: {} — {}",
            words::failure(&failed.failure, view),
            domain::head(&line(&failed.text), MOST_WORDS)
        );
    }
    all.push(news(at, tone, label, text));
    all
}

pub(crate) fn review(row: &ReviewRow, before: Option<&ReviewRow>, now: Timestamp, view: &View) -> Vec<News> {
    let mut all = Vec::new();
    let label = format!("review {}", row.id);
    if before.is_none() {
        let seats: Vec<&str> = row.seats.iter().map(|seat| seat.reviewer.as_str()).collect();
        let seats = if seats.is_empty() { "nobody".to_owned() } else { seats.join(" and ") };
        let text = format!(
            "{seats} on {}, {}, round {}, tree {}",
            words::subject(&row.subject),
            words::trigger(row.trigger),
            row.round,
            short(row.tree.as_str())
        );
        all.push(news(now, Tone::Work, label.clone(), text));
    }
    for (place, seat) in row.seats.iter().enumerate() {
        let had = before.and_then(|before| before.seats.get(place)).map(|seat| &seat.reviewer);
        if let Some(had) = had.filter(|had| **had != seat.reviewer) {
            let text = format!("{} takes the seat of {had}, which cannot go on", seat.reviewer);
            all.push(news(now, Tone::Warn, label.clone(), text));
        }
        let known =
            before.and_then(|before| before.seats.get(place)).is_some_and(|seat| seat.ballot.is_some());
        if let (Some(ballot), false) = (&seat.ballot, known) {
            all.push(self::ballot(&label, seat, ballot, now, view));
        }
    }
    all
}

fn ballot(label: &str, seat: &SeatRow, ballot: &Ballot, now: Timestamp, view: &View) -> News {
    let (verdict, summary, findings) = match ballot {
        Ballot::Cast { verdict, summary, findings, .. } => (*verdict, summary, findings),
        Ballot::Void { why } => {
            let void = view.text(Tone::Warn, "∅ no verdict");
            return news(now, Tone::Warn, label, format!("{}: {void}: {}", seat.reviewer, line(why)));
        }
    };
    let (sign, word, tone) = words::verdict(verdict);
    let mut said = view.text(tone, &format!("{sign} {word}"));
    if let Some(counted) = seat.counted_as.filter(|counted| *counted != verdict) {
        said += &format!(", counted as {}", words::verdict(counted).1);
    }
    let mut fresh = news(now, tone, label, format!("{}: {said}: {}", seat.reviewer, line(summary)));
    for checked in findings {
        let finding = &checked.finding;
        let found = checked.found_at.map(|line| line.to_string()).or_else(|| finding.lines.clone());
        let place = finding.file.as_deref().map(|file| match &found {
            Some(lines) => format!("{}:{}", line(file), line(lines)),
            None => line(file),
        });
        let (proof, tone) = words::evidence(checked.evidence);
        let severity = match finding.severity {
            domain::Severity::Note => "note",
            domain::Severity::Concern => "concern",
            domain::Severity::Blocker => "blocker",
        };
        let rerun = checked.rerun.as_ref().map(|rerun| {
            let (word, tone) = if rerun.passed { ("passes", Tone::Dim) } else { ("failed", Tone::Good) };
            view.text(tone, &format!(" [run again: {} {word}]", line(&rerun.command)))
        });
        fresh.more.push(format!(
            "{severity}: {} {} [{}]{}",
            line(&finding.title),
            view.text(Tone::Dim, &place.unwrap_or_default()),
            view.text(tone, proof),
            rerun.unwrap_or_default()
        ));
    }
    fresh
}

pub(crate) fn decision(row: &DecisionRow, view: &View) -> News {
    let (name, tone) = words::action(row.action);
    let (rule, meaning) = words::rule(row.rule);
    let about = match (&row.task, row.review) {
        (Some(task), Some(review)) => format!(" on {task} after {review}"),
        (Some(task), None) => format!(" on {task}"),
        (None, Some(review)) => format!(" after {review}"),
        (None, None) => String::new(),
    };
    let name = view.text(tone, name);
    let text = format!("{name}{about}: rule {rule} ({meaning}), {}", words::actor(&row.by));
    let mut fresh = news(row.at, tone, format!("decision {}", row.id), text);
    if Action::PauseAndClarify <= row.action {
        fresh.more = row.trace.iter().map(|step| view.text(Tone::Dim, &line(step))).collect();
    }
    fresh
}

pub(crate) fn question(
    row: &QuestionRow,
    before: Option<&QuestionRow>,
    now: Timestamp,
    view: &View,
) -> Vec<News> {
    let label = format!("question {}", row.id);
    let mut all = Vec::new();
    if before.is_none() && row.answer.is_none() {
        let mut lines = wrap(&row.text, view.columns.saturating_sub(26)).into_iter();
        let mut fresh = news(row.since, Tone::Warn, label.clone(), lines.next().unwrap_or_default());
        fresh.more = lines.collect();
        all.push(fresh);
    }
    if let Some(answer) = &row.answer
        && before.is_none_or(|before| before.answer.is_none())
    {
        let (word, _) = words::choice(answer.choice);
        let said =
            if answer.text.trim().is_empty() { String::new() } else { format!(": {}", line(&answer.text)) };
        let text = format!("answered {}: {word}{said}", words::actor(&answer.by));
        all.push(news(now, Tone::Good, label, text));
    }
    all
}

pub(crate) fn recovery(
    row: &RecoveryRow,
    before: Option<&RecoveryRow>,
    now: Timestamp,
    view: &View,
) -> Vec<News> {
    let label = format!("recovery {}", row.id);
    let mut all = Vec::new();
    if before.is_none() {
        let failure = words::failure(&row.failed.failure, view);
        let text = format!(
            "{} ({}): {} → {}",
            row.agent,
            row.worker,
            clean(&failure),
            clean(&words::repair(&row.repair, view))
        );
        all.push(news(row.at, Tone::Warn, label.clone(), text));
    }
    if let Some(worked) = row.worked
        && before.is_none_or(|before| before.worked.is_none())
    {
        let (tone, text) = if worked { (Tone::Good, "worked") } else { (Tone::Bad, "did not help") };
        all.push(news(now, tone, label, view.text(tone, text)));
    }
    all
}

pub(crate) fn warning(row: &WarningRow) -> News {
    news(row.at, Tone::Warn, "warning", line(&row.text))
}
