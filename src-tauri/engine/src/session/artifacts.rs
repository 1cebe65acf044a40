//! Readable copies of what the journal holds: plan, reviews, summary. Derived; they may be deleted at any time.

use std::fmt::Write;
use std::path::Path;

use domain::{Ballot, Entry, Event, ReviewId, State};
use tracing::warn;

use super::Context;

/// Writes what these entries made new. A copy that cannot be written costs nothing but the copy.
pub(crate) fn write(context: &Context, state: &State, entries: &[Entry]) {
    for entry in entries {
        if let Event::PlanProposed { plan, .. } = &entry.event {
            save_json(&context.folder.join("plan.json"), plan);
        } else if let Event::BallotCounted { review, reviewer, ballot } = &entry.event {
            let path = context.folder.join("reviews").join(format!("{}-{reviewer}", review.0));
            save_json(&path.with_extension("json"), ballot);
            save(&path.with_extension("md"), &review_text(state, *review, reviewer.as_str(), ballot));
        }
    }
    if state.ended.is_some() {
        let summary = domain::summary(state);
        save_json(&context.folder.join("summary.json"), &summary);
        save(&context.folder.join("summary.md"), &summary_text(&summary));
    }
}

fn save_json(path: &Path, value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => save(path, &text),
        Err(fault) => warn!(path = %path.display(), %fault, "a readable copy was not written"),
    }
}

fn save(path: &Path, text: &str) {
    let folder = path.parent().unwrap_or(path);
    let written = crate::private::folder(folder).and_then(|()| {
        let new = path.with_extension("new");
        std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path))
    });
    if let Err(fault) = written {
        warn!(path = %path.display(), %fault, "a readable copy was not written");
    }
}

fn review_text(state: &State, id: ReviewId, reviewer: &str, ballot: &Ballot) -> String {
    let mut text = format!("# Review {id} by {reviewer}\n\n");
    if let Some(review) = state.reviews.get(&id).map(|state| &state.review) {
        let authors: Vec<String> = state.authors(&review.subject).iter().map(ToString::to_string).collect();
        let _ =
            writeln!(text, "Tree {}, round {}, work of {}.\n", review.tree, review.round, authors.join(", "));
    }
    match ballot {
        Ballot::Void { why } => {
            let _ = writeln!(text, "**No verdict**: {why}");
        }
        Ballot::Cast { verdict, summary, findings, files_read, .. } => {
            let counted = ballot.counted_as().unwrap_or(*verdict);
            let _ = writeln!(text, "**{verdict:?}**, counted as {counted:?}\n\n{summary}\n");
            for checked in findings {
                let finding = &checked.finding;
                let file = finding.file.as_deref().unwrap_or("no file");
                let line = checked.found_at.map(|line| format!(":{line}")).unwrap_or_default();
                let _ = writeln!(
                    text,
                    "## {:?}: {} ({file}{line}, {:?})\n",
                    finding.severity, finding.title, checked.evidence
                );
                if let Some(quote) = &finding.quote {
                    let _ = writeln!(text, "```\n{quote}\n```\n");
                }
                let _ = writeln!(text, "{}\n\nRecommended: {}\n", finding.why, finding.recommendation);
            }
            let _ = writeln!(text, "Files read: {}", files_read.join(", "));
        }
    }
    text
}

/// The summary as a page for people.
fn summary_text(summary: &domain::Summary) -> String {
    let mut text = format!("# {}\n\n", domain::head(summary.goal.lines().next().unwrap_or_default(), 100));
    let agents = if summary.demo { " Demo agents, no AI." } else { "" };
    let _ = writeln!(
        text,
        "**{}** after {:.0} s, on branch `{}` for `{}`.{agents}\n",
        summary.outcome, summary.wall_s, summary.branch, summary.target
    );
    let _ = writeln!(text, "## Tasks\n\n| task | agent | role | state | turns |\n|---|---|---|---|---|");
    for task in &summary.tasks {
        let _ = writeln!(
            text,
            "| {} {} | {} | {} | {} | {} |",
            task.id, task.title, task.agent, task.role, task.state, task.attempts
        );
    }
    let _ = writeln!(
        text,
        "\n## Reviews\n\n| review | of | by | verdict | counts as | evidence |\n|---|---|---|---|---|---|"
    );
    for review in &summary.reviews {
        let what = review.task.as_deref().unwrap_or("the whole");
        let none = "no verdict".to_owned();
        let _ = writeln!(
            text,
            "| {} ({}) | {what} | {} | {} | {} | {} of {} verified |",
            review.id,
            review.trigger,
            review.reviewer,
            review.verdict.as_ref().unwrap_or(&none),
            review.counted_as.as_ref().unwrap_or(&none),
            review.verified,
            review.findings
        );
    }
    let _ = writeln!(text, "\n## Decisions\n");
    for decision in &summary.decisions {
        let _ =
            writeln!(text, "- {} {} ({}, by {})", decision.id, decision.action, decision.rule, decision.by);
    }
    let _ = writeln!(text, "\n## Recoveries\n");
    for recovery in &summary.recoveries {
        let _ = writeln!(
            text,
            "- {}: {} after {}, {}",
            recovery.worker, recovery.repair, recovery.class, recovery.outcome
        );
    }
    let cost = summary.cost_usd.map_or_else(|| "unknown".to_owned(), |cost| format!("{cost:.4} US dollars"));
    let more = if summary.cost_incomplete { " at least (some agents do not tell)" } else { "" };
    let _ = writeln!(
        text,
        "\nTokens: {} in, {} out, {} cached. Money: {cost}{more}.",
        summary.tokens.input, summary.tokens.output, summary.tokens.cached
    );
    for warning in &summary.warnings {
        let _ = writeln!(text, "\nWarning: {warning}");
    }
    text
}
