//! The summary (SPEC section 14) as lines for a person, and what to do next.

use domain::{Outcome, QuestionRow, Summary};

use crate::{
    ask,
    text::{count, line, pad, short, span},
    view::View,
    words::{self, Tone},
};

/// The summary object as lines.
pub(crate) fn lines(summary: &Summary, outcome: Outcome, view: &View) -> Vec<String> {
    let (sign, word, tone) = words::outcome(outcome);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole seconds are enough, and no session lasts 2^63 of them"
    )]
    let seconds = summary.wall_s as i64;
    let mut head = vec![view.text(tone, &format!("{sign} {word}")), span(seconds)];
    let tokens = &summary.tokens;
    if tokens.input + tokens.output > 0 {
        head.push(format!("{} tokens read, {} written", count(tokens.input), count(tokens.output)));
    }
    if let Some(cost) = summary.cost_usd.filter(|cost| *cost > 0.0) {
        head.push(format!("{}${cost:.2}", if summary.cost_incomplete { "at least " } else { "" }));
    }
    if summary.demo {
        head.push(view.text(Tone::Warn, "demo agents, no AI"));
    }
    let mut lines = vec![String::new(), head.join(" · ")];
    for task in &summary.tasks {
        let tree = task.tree.as_deref().map(|tree| format!("tree {}", short(tree))).unwrap_or_default();
        lines.push(format!(
            "  {} {} {} {}  {}",
            pad(&task.id, 10),
            pad(&task.agent, 8),
            pad(&task.state, 10),
            pad(&tree, 13),
            line(&task.title)
        ));
    }
    let verdicts = summary.reviews.iter().filter(|review| review.verdict.is_some()).count();
    let (decisions, recoveries) = (summary.decisions.len(), summary.recoveries.len());
    lines.push(format!("  {verdicts} verdicts, {decisions} decisions, {recoveries} recoveries"));
    lines.push(match &summary.landed {
        Some(branch) => format!("  landed in {}", line(branch)),
        None => format!("  on branch {}", line(&summary.branch)),
    });
    lines.extend(summary.warnings.iter().map(|text| view.text(Tone::Warn, &format!("  ! {}", line(text)))));
    lines
}

/// What to type next.
pub(crate) fn next(
    outcome: Outcome,
    session: &str,
    landed: bool,
    question: Option<&QuestionRow>,
) -> Vec<String> {
    let resume = format!("  to go on: orchestrate resume {session}");
    match (outcome, question) {
        (Outcome::Done, _) if landed => Vec::new(),
        (Outcome::Done, _) => vec![format!("  to bring it home: orchestrate land {session}")],
        (Outcome::Waiting, Some(question)) => {
            let mut lines = vec![format!("  {} waits for your answer; one of:", question.id)];
            lines
                .extend(ask::commands(question, session).into_iter().map(|command| format!("    {command}")));
            lines
        }
        (Outcome::Waiting | Outcome::Stopped | Outcome::Limited, _) => vec![resume],
        (Outcome::Failed, _) => vec![format!("  what happened: orchestrate replay {session}")],
    }
}
