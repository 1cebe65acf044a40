//! The part of the screen that changes in place: a line for each worker, one for the tasks, one for the session.

use console::measure_text_width;
use domain::{Phase, SessionRow, TaskRow, TaskStage, WorkerRow, WorkerStage};
use jiff::Timestamp;

use crate::{
    model::Model,
    news::purpose,
    text::{between, clean, count, fit, line, pad},
    view::View,
    words::{self, Tone},
};

/// Seconds of silence after which a worker's age is shown in another tone.
const QUIET: i64 = 60;

/// The lines, at most `most` of them, none wider than the view.
pub(crate) fn block(model: &Model, now: Timestamp, view: &View, most: usize) -> Vec<String> {
    let live = model.live();
    let widest = live.iter().map(|row| measure_text_width(&who(row))).max().unwrap_or_default().min(30);
    let mut lines: Vec<String> = live.into_iter().map(|row| worker(row, widest, now, view)).collect();
    let room = most.saturating_sub(2).max(1);
    if room < lines.len() {
        let hidden = lines.len() - room + 1;
        lines.truncate(room - 1);
        lines.push(view.text(Tone::Dim, &format!("… and {hidden} more workers")));
    }
    lines.extend(gates(model, now, view));
    let interrupted = model.session().is_some_and(|row| row.phase == Phase::Interrupted);
    let tasks: Vec<String> = model.tasks().into_iter().map(|row| task(row, interrupted, view)).collect();
    if !tasks.is_empty() {
        lines.push(tasks.join(" · "));
    }
    lines.extend(session(model, now, view));
    // The last column stays free: some terminals wrap as soon as it is written.
    lines.into_iter().map(|line| fit(&line, view.columns.saturating_sub(1))).collect()
}

fn who(row: &WorkerRow) -> String {
    format!("{} {} {}", row.agent, row.role.as_str(), purpose(row))
}

/// A worker's truth line: what it is, how it stands, what it does, since when, and when it last said something.
fn worker(row: &WorkerRow, widest: usize, now: Timestamp, view: &View) -> String {
    let (sign, word, tone) = words::worker(row.stage);
    let progress = row.progress.map_or("    –".to_owned(), |percent| format!("{percent:>3} %"));
    let head = format!(
        "{} {} {} {} {progress}",
        view.text(tone, sign),
        pad(&row.id.to_string(), 4),
        pad(&who(row), widest),
        view.text(tone, &pad(word, if row.stage == WorkerStage::Interrupted { 11 } else { 8 })),
    );
    let silent = now.as_second() - row.last_event.as_second();
    let age = format!("{} ago", between(row.last_event, now));
    let age = view.text(if silent < QUIET { Tone::Dim } else { Tone::Warn }, &pad(&age, 11));
    let doing = match (&row.tool, row.tool_since) {
        (Some(tool), Some(since)) => format!("{} ({})", clean(&line(tool)), between(since, now)),
        (Some(tool), None) => line(tool),
        (None, _) => line(&row.last_text),
    };
    format!("{head}  {age} {doing}")
}

/// Agents whose quota is used up, a line each. Of a session that nobody runs nothing waits.
fn gates(model: &Model, now: Timestamp, view: &View) -> Vec<String> {
    let over = |row: &&SessionRow| row.outcome.is_none() && row.phase != Phase::Interrupted;
    let gates = model.session().filter(over).map(|row| &row.gates[..]).unwrap_or_default();
    let line = |gate| format!("{} {}", view.text(Tone::Warn, "◌"), words::gate(gate, now, view));
    gates.iter().map(line).collect()
}

/// Limits of the session that are used to 80 % and more, in words.
fn limits(model: &Model, row: &SessionRow, now: Timestamp) -> Vec<String> {
    let (tokens, cost) = model.spent();
    let spent = &row.spent;
    let minutes = (now.as_second() - row.began.as_second()).max(0) / 60;
    let share = |used: f64, cap: f64| if cap <= 0.0 { 0.0 } else { 100.0 * used / cap };
    #[expect(clippy::cast_precision_loss, reason = "a share in percent needs no more than 52 bits")]
    let whole = |number: u64| number as f64;
    let used = [
        (share(whole(tokens), whole(spent.tokens_cap)), format!("{} tokens", count(spent.tokens_cap))),
        (share(cost.unwrap_or(0.0), spent.cost_cap), format!("${}", spent.cost_cap)),
        (
            share(whole(minutes.unsigned_abs()), f64::from(spent.minutes_cap)),
            format!("{} minutes", spent.minutes_cap),
        ),
        (
            share(f64::from(spent.workers), f64::from(spent.workers_cap)),
            format!("{} workers", spent.workers_cap),
        ),
    ];
    let words = |(share, cap): (f64, String)| match share {
        share if 100.0 <= share => Some(format!("limit reached: {cap}")),
        share if domain::limits::NOTICE_PERCENT <= share => Some(format!("{:.0} % of {cap}", share.floor())),
        _ => None,
    };
    used.into_iter().filter_map(words).collect()
}

/// `interrupted`: nobody is at it, whatever it was when its session lost its program.
fn task(row: &TaskRow, interrupted: bool, view: &View) -> String {
    let (sign, word, tone) = match words::task(row.stage) {
        ("●", word, _) if interrupted => ("■", format!("was {word}"), Tone::Dim),
        (sign, word, tone) => (sign, word.to_owned(), tone),
    };
    let progress = if row.stage != TaskStage::Accepted && row.progress > 0 {
        format!(" {} %", row.progress)
    } else {
        String::new()
    };
    format!("{} {}{progress}", row.id, view.text(tone, &format!("{sign} {word}")))
}

/// How the session stands, and what it cost so far.
fn session(model: &Model, now: Timestamp, view: &View) -> Option<String> {
    let row = model.session()?;
    let (sign, word, tone) = words::phase(row.phase);
    let (tokens, cost) = model.spent();
    let mut parts = vec![view.text(tone, &format!("{sign} {word}")), between(row.began, now)];
    if tokens > 0 {
        parts.push(format!("{} tokens", count(tokens)));
    }
    if let Some(cost) = cost.filter(|cost| *cost > 0.0) {
        parts.push(format!("{}${cost:.2}", if row.spent.cost_incomplete { "≥ " } else { "" }));
    }
    parts.extend(limits(model, row, now).iter().map(|limit| view.text(Tone::Warn, &format!("! {limit}"))));
    let why = line(&row.why);
    if !why.is_empty() {
        parts.push(view.text(Tone::Dim, &why));
    }
    Some(parts.join(" · "))
}
