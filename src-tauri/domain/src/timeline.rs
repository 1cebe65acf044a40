//! Entries as lines for people: the same in a window and a terminal.

use crate::{
    About, AgentEvent, Ballot, Check, Choice, Entry, Event, JobOutcome, PlanSource, Purpose, Repair, State,
    StatusKind, TimelineItem, TimelineKind, ToolOutcome, WorkerId,
};

/// An entry as a line of the timeline; `None` for entries that only keep books. `state` is at or after the entry.
#[must_use]
pub fn timeline(state: &State, entry: &Entry) -> Option<TimelineItem> {
    let mut item = TimelineItem {
        seq: entry.seq,
        at: entry.at,
        kind: TimelineKind::Session,
        agent: None,
        worker: None,
        task: None,
        text: String::new(),
        detail: String::new(),
    };
    fill(state, &entry.event, &mut item)?;
    Some(item)
}

fn fill(state: &State, event: &Event, item: &mut TimelineItem) -> Option<()> {
    let mut set = |kind, text: String, detail: String| {
        item.kind = kind;
        item.text = text;
        item.detail = detail;
    };
    match event {
        Event::SessionOpened { opened } => {
            let brought = opened.brought.as_ref().map(|found| format!("\n\n{}", found.words()));
            set(
                TimelineKind::Session,
                format!("Session opened: {}", first_line(&opened.goal)),
                format!(
                    "{}\n\nThe gate: {}.{}",
                    opened.goal,
                    opened.settings.review.words(),
                    brought.unwrap_or_default()
                ),
            );
        }
        Event::SessionResumed { crashed, safe } => {
            let how = if *crashed { "after a crash" } else { "where it was left" };
            let safe = if *safe { ", in safe mode: nothing is started before you agree" } else { "" };
            set(TimelineKind::Session, format!("Session resumed {how}{safe}"), String::new());
        }
        Event::SessionReady
        | Event::LimitWarned { .. }
        | Event::WorkerLimitWarned { .. }
        | Event::Notified { .. }
        | Event::RecoveryEnded { .. } => return None,
        Event::Warned { text } => set(TimelineKind::Session, format!("Warning: {text}"), String::new()),
        Event::WorkerLimited { worker, text, .. } => {
            let text = crate::limits::in_words(text);
            set(TimelineKind::Error, format!("stopped at its limit: {text}"), String::new());
            person(state, *worker, item);
        }
        Event::ClockMoved { by_ms, slept } => {
            let seconds = by_ms.abs() / 1000;
            let text = match (slept, 0 < *by_ms) {
                (true, _) => format!("The machine slept for {seconds} s"),
                (false, true) => format!("The clock was set forward by {seconds} s"),
                (false, false) => format!("The clock was set back by {seconds} s"),
            };
            set(TimelineKind::Session, text, String::new());
        }
        Event::LimitsChanged { .. } => {
            set(
                TimelineKind::Session,
                "The limits of the settings hold from now on".to_owned(),
                String::new(),
            );
        }
        Event::SandboxTested { report } => {
            let text = format!("Sandbox {} ({}): {}", report.level, report.by, report.level.words());
            set(TimelineKind::Session, text, report.misses.join("\n"));
        }
        Event::SeatGiven { review, from, seat } => {
            set(
                TimelineKind::Review,
                format!("{} takes the seat of {from} in {review}", seat.reviewer),
                String::new(),
            );
        }
        Event::SeatAdded { review, seat } => {
            let text = format!("{} is asked for one more opinion in {review}", seat.reviewer);
            set(TimelineKind::Review, text, String::new());
        }
        Event::PlanProposed { version, plan, by } => {
            let from = match by {
                PlanSource::Lead { worker } => format!("by {}", who(state, *worker)),
                PlanSource::BuiltIn { .. } => "built in".to_owned(),
                PlanSource::Person => "edited by you".to_owned(),
            };
            let tasks: Vec<String> = plan
                .tasks
                .iter()
                .map(|task| format!("{} {} ({}, {} %)", task.id, task.title, task.agent, task.weight))
                .collect();
            set(TimelineKind::Session, format!("Plan {version} {from}: {}", plan.summary), tasks.join("\n"));
        }
        Event::PlanRefused { worker, fault } => {
            item.worker = Some(*worker);
            set(TimelineKind::Error, format!("Plan refused: {fault}"), String::new());
        }
        Event::PlanApproved { version, by } => {
            set(TimelineKind::Session, format!("Plan {version} approved ({})", actor(by)), String::new());
        }
        Event::PlanRejected { version, comment } => {
            set(TimelineKind::Session, format!("Plan {version} rejected"), comment.clone());
        }
        Event::TaskAdded { task, .. } => {
            set(
                TimelineKind::Session,
                format!("Task {} added for {}: {}", task.id, task.agent, task.title),
                String::new(),
            );
            item.task = Some(task.id.clone());
        }
        Event::WorkerRequested { worker, assignment } => {
            let what = match &assignment.purpose {
                Purpose::Plan => "plans".to_owned(),
                Purpose::Task { task } => format!("works on {task}"),
                Purpose::Review { review } => format!("reviews ({review})"),
            };
            let again = if assignment.attempt == 1 {
                String::new()
            } else {
                format!(", turn {}", assignment.attempt)
            };
            set(TimelineKind::Status, format!("{} {what}{again}", assignment.agent), String::new());
            person(state, *worker, item);
        }
        Event::WorkerStarted { .. } => return None,
        Event::WorkerSaid { worker, said, .. } => {
            person(state, *worker, item);
            return said_line(said, item);
        }
        Event::WorkerCalled { worker, what, .. } => {
            person(state, *worker, item);
            return said_line(&what.said(), item);
        }
        Event::CommandJudged { worker, command, clearance, rule, reason, .. } => {
            let said = match clearance {
                crate::guard::Clearance::Allow => "allowed",
                crate::guard::Clearance::Ask => "asked about",
                crate::guard::Clearance::Deny => "denied",
            };
            let text = format!("{said} ({rule}): {}", first_line(&crate::guard::visible(command)));
            set(TimelineKind::Decision, text, format!("{reason}\n{}", crate::guard::visible(command)));
            person(state, *worker, item);
        }
        Event::WorkerEnded { worker, failed, .. } => {
            let text = match failed {
                None => "ended its turn".to_owned(),
                Some(failed) => format!("failed ({}): {}", class(failed), first_line(&failed.text)),
            };
            let kind = if failed.is_some() { TimelineKind::Error } else { TimelineKind::Status };
            set(kind, text, failed.as_ref().map(|failed| failed.text.clone()).unwrap_or_default());
            person(state, *worker, item);
        }
        Event::JobRequested { .. } => return None,
        Event::JobEnded { outcome, .. } => return job_line(outcome, item),
        Event::ReviewRequested { review } => {
            let seats: Vec<&str> = review.seats.iter().map(|seat| seat.reviewer.as_str()).collect();
            let whom =
                if seats.is_empty() { "nobody independent is there".to_owned() } else { seats.join(", ") };
            let what =
                review.subject.task().map_or_else(|| "the whole result".to_owned(), ToString::to_string);
            let trigger = format!("{:?}", review.trigger).to_lowercase();
            set(
                TimelineKind::Review,
                format!("Review {} of {what} ({trigger}, round {}): {whom}", review.id, review.round),
                review.about.clone(),
            );
            item.task = review.subject.task().cloned();
        }
        Event::AnswerSubmitted { .. } => return None,
        Event::AnswerRefused { review, worker, fault } => {
            set(
                TimelineKind::Review,
                format!("{} gave no verdict in {review}: {fault}", who(state, *worker)),
                String::new(),
            );
            person(state, *worker, item);
        }
        Event::BallotCounted { review, reviewer, ballot } => {
            item.agent = Some(reviewer.clone());
            return ballot_line(*review, reviewer, ballot, item);
        }
        Event::Decided { decision } => {
            let action = serde_name(&decision.action);
            set(
                TimelineKind::Decision,
                format!("{action} ({})", serde_name(&decision.rule)),
                decision.trace.join("\n"),
            );
            item.task.clone_from(&decision.task);
        }
        Event::QuestionAsked { question, asked } => {
            set(
                TimelineKind::Question,
                format!("{question}: {}", first_line(&asked.text)),
                asked.text.clone(),
            );
            if let About::Worker { worker, .. } | About::Failure { worker } | About::Command { worker, .. } =
                &asked.about
            {
                person(state, *worker, item);
            }
        }
        Event::QuestionAnswered { question, choice, text, by } => {
            let words = if text.is_empty() { String::new() } else { format!(": {}", first_line(text)) };
            set(
                TimelineKind::Question,
                format!("{question} answered ({}, {}){words}", choice_word(*choice), actor(by)),
                text.clone(),
            );
        }
        Event::RecoveryStarted { worker, failed, repair, .. } => {
            let text = format!("{}: {} after {}", who(state, *worker), repair_words(repair), class(failed));
            set(TimelineKind::Recovery, text, failed.text.clone());
            person(state, *worker, item);
        }
        Event::TaskAccepted { task, tree } => {
            set(
                TimelineKind::Milestone,
                format!("{task} accepted (tree {})", crate::head(&tree.0, 9)),
                String::new(),
            );
            item.task = Some(task.clone());
        }
        Event::Paused => set(TimelineKind::Session, "Paused".to_owned(), String::new()),
        Event::Unpaused => set(TimelineKind::Session, "Goes on".to_owned(), String::new()),
        Event::StopRequested { text, .. } => set(TimelineKind::Session, text.clone(), String::new()),
        Event::SessionEnded { outcome, why } => {
            set(TimelineKind::Session, format!("Session {}: {why}", serde_name(outcome)), String::new());
        }
    }
    Some(())
}

fn said_line(said: &AgentEvent, item: &mut TimelineItem) -> Option<()> {
    let (kind, text, detail) = match said {
        AgentEvent::Status(status) if status.what == StatusKind::Heartbeat => return None,
        AgentEvent::Status(status) if status.text.is_empty() => return None,
        AgentEvent::Status(status) => (TimelineKind::Status, status.text.clone(), String::new()),
        AgentEvent::Progress(progress) => match &progress.tool {
            Some(tool) if tool.outcome == ToolOutcome::Started => {
                let what = tool
                    .command
                    .clone()
                    .or_else(|| progress.file.clone())
                    .unwrap_or_else(|| progress.text.clone());
                (TimelineKind::Tool, format!("{} {what}", tool.name), String::new())
            }
            Some(tool) => {
                let code = tool.exit_code.map(|code| format!(" (exit {code})")).unwrap_or_default();
                let outcome = match tool.outcome {
                    ToolOutcome::Ok | ToolOutcome::Started => "ok",
                    ToolOutcome::Failed => "failed",
                    ToolOutcome::Denied => "denied",
                };
                (
                    TimelineKind::Tool,
                    format!("{} {outcome}{code}", tool.name),
                    tool.output.clone().unwrap_or_default(),
                )
            }
            None if progress.text.is_empty() => match progress.progress {
                Some(percent) => (TimelineKind::Progress, format!("{percent} %"), String::new()),
                None => return None,
            },
            None => (TimelineKind::Progress, progress.text.clone(), String::new()),
        },
        AgentEvent::Finding(finding) => (TimelineKind::Finding, finding.title.clone(), finding.why.clone()),
        AgentEvent::Task(list) => {
            let done = list.items.iter().filter(|todo| todo.done).count();
            let mark = |todo: &crate::Todo| format!("[{}] {}", if todo.done { 'x' } else { ' ' }, todo.text);
            let lines: Vec<String> = list.items.iter().map(mark).collect();
            (TimelineKind::Task, format!("{done} of {} to-dos done", list.items.len()), lines.join("\n"))
        }
        AgentEvent::Blocker(blocker) => (TimelineKind::Blocker, blocker.text.clone(), String::new()),
        AgentEvent::Milestone(milestone) => (TimelineKind::Milestone, milestone.text.clone(), String::new()),
        AgentEvent::Review(note) => (TimelineKind::Review, note.text.clone(), String::new()),
        AgentEvent::Error(error) => {
            (TimelineKind::Error, error.text.clone(), error.raw.clone().unwrap_or_default())
        }
    };
    item.kind = kind;
    item.text = first_line(&text);
    item.detail = if text.lines().nth(1).is_some() { text } else { detail };
    Some(())
}

fn job_line(outcome: &JobOutcome, item: &mut TimelineItem) -> Option<()> {
    let (kind, text, detail) = match outcome {
        JobOutcome::TreeReady { .. } | JobOutcome::Verified { .. } => return None,
        JobOutcome::Snapshot { tree, changed, .. } => {
            let text = format!("Snapshot {}: {} files differ", crate::head(&tree.0, 9), changed.len());
            (TimelineKind::Session, text, changed.join("\n"))
        }
        JobOutcome::Checked { results } if results.is_empty() => return None,
        JobOutcome::Checked { results } => {
            let passed = results.iter().filter(|result| result.passed).count();
            let line = |result: &crate::CheckResult| {
                let what = match &result.check {
                    Check::File { path } => format!("file {path}"),
                    Check::Command { run } => run.clone(),
                };
                format!("{} {what}\n{}", if result.passed { "passed" } else { "FAILED" }, result.output)
            };
            let kind = if passed == results.len() { TimelineKind::Session } else { TimelineKind::Error };
            let detail: Vec<String> = results.iter().map(line).collect();
            (kind, format!("{passed} of {} checks passed", results.len()), detail.join("\n"))
        }
        JobOutcome::Merged { commit, .. } => (
            TimelineKind::Session,
            format!("Merged; session branch at {}", crate::head(&commit.0, 9)),
            String::new(),
        ),
        JobOutcome::Conflicted { files } => {
            (TimelineKind::Error, format!("Merge conflict in {}", files.join(", ")), String::new())
        }
        JobOutcome::Landed { commit, branch } => (
            TimelineKind::Session,
            format!("Landed in {branch} at {}", crate::head(&commit.0, 9)),
            String::new(),
        ),
        JobOutcome::Failed { why } => (TimelineKind::Error, first_line(why), why.clone()),
    };
    item.kind = kind;
    item.text = text;
    item.detail = detail;
    Some(())
}

fn ballot_line(
    review: crate::ReviewId,
    reviewer: &crate::AgentName,
    ballot: &Ballot,
    item: &mut TimelineItem,
) -> Option<()> {
    item.kind = TimelineKind::Review;
    match ballot {
        Ballot::Void { why } => item.text = format!("{reviewer}: no verdict in {review}: {why}"),
        Ballot::Cast { verdict, summary, findings, .. } => {
            let counted = ballot.counted_as().unwrap_or(*verdict);
            let counts = if counted == *verdict {
                String::new()
            } else {
                format!(", counts as {}", serde_name(&counted))
            };
            item.text =
                format!("{reviewer}: {} in {review}{counts}: {}", serde_name(verdict), first_line(summary));
            let line = |checked: &crate::CheckedFinding| {
                let finding = &checked.finding;
                let file = finding.file.as_deref().unwrap_or("no file");
                format!(
                    "{} {} ({file}, {})\n  {}\n  {}",
                    serde_name(&finding.severity),
                    finding.title,
                    serde_name(&checked.evidence),
                    finding.quote.as_deref().unwrap_or_default(),
                    finding.recommendation
                )
            };
            item.detail = findings.iter().map(line).collect::<Vec<_>>().join("\n");
        }
    }
    Some(())
}

fn person(state: &State, worker: WorkerId, item: &mut TimelineItem) {
    item.worker = Some(worker);
    if let Some(found) = state.workers.get(&worker) {
        item.agent = Some(found.assignment.agent.clone());
        item.task = found.task().cloned();
    }
}

fn who(state: &State, worker: WorkerId) -> String {
    state
        .workers
        .get(&worker)
        .map_or_else(|| worker.to_string(), |found| format!("{} ({worker})", found.assignment.agent))
}

fn first_line(text: &str) -> String {
    crate::head(text.trim().lines().next().unwrap_or_default(), 300)
}

fn actor(by: &crate::Actor) -> &'static str {
    match by {
        crate::Actor::Rule => "by rule",
        crate::Actor::Person => "by you",
        crate::Actor::Setting => "by setting",
        crate::Actor::Demo => "by the demo's script",
    }
}

fn choice_word(choice: Choice) -> String {
    serde_name(&choice)
}

fn class(failed: &crate::Failed) -> String {
    let value = serde_json::to_value(&failed.failure).unwrap_or_default();
    value.get("class").and_then(|class| class.as_str()).unwrap_or("failure").replace('_', " ")
}

fn repair_words(repair: &Repair) -> String {
    match repair {
        Repair::AddDirectory { path } => format!("launched again with the folder {path}"),
        Repair::SkipGitCheck => "launched again without the check for a git repository".to_owned(),
        Repair::Wait { until } => format!("waits until {until:.0}"),
        Repair::Resume => "resumed".to_owned(),
        Repair::Fresh => "begun anew from the tree as it stands".to_owned(),
        Repair::HandOver { to } => format!("handed over to {to}"),
    }
}

/// The name a unit variant has in the journal: one word for a thing everywhere.
pub(crate) fn serde_name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
