//! `orchestrate scoreboard`: what each reviewer's verdicts were worth.

use std::process::ExitCode;

use domain::scoreboard::{Score, Scoreboard};
use domain::{Request, Response, UserError};

use crate::{
    door::unexpected,
    entries::internal,
    machine::Machine,
    said::out,
    text::{line, name},
};

/// Prints the scoreboard of the workspace.
///
/// # Errors
/// When the engine refuses.
pub(crate) async fn show(machine: &Machine) -> Result<ExitCode, UserError> {
    let Response::Scoreboard { board } = machine.engine.request(Request::Scoreboard).await? else {
        return Err(unexpected("Scoreboard"));
    };
    if machine.common.json {
        out(&serde_json::to_string(&board).map_err(|fault| internal(&fault))?);
    } else {
        lines(&board).iter().for_each(|line| out(line));
    }
    Ok(ExitCode::SUCCESS)
}

/// The scoreboard as lines of text.
fn lines(board: &Scoreboard) -> Vec<String> {
    if board.reviewers.is_empty() {
        return vec!["No reviewer had a seat in a session of this workspace yet.".to_owned()];
    }
    let mut all = vec![format!(
        "{:<16} {:>5} {:>4}  {:>7} {:>7} {:>7}  {:>8} {:>8} {:>9} {:>9} {:>10}",
        "reviewer",
        "seats",
        "void",
        "approve",
        "concern",
        "blocker",
        "findings",
        "verified",
        "not found",
        "confirmed",
        "overridden"
    )];
    all.extend(board.reviewers.iter().map(row));
    let demos = if board.demos == 0 { String::new() } else { format!(", {} of them demos", board.demos) };
    all.push(format!("from the journals of {} sessions{demos}", board.sessions));
    all.push(
        "verified: the quote stands in the reviewed tree, or the cited check fails again. confirmed: sent back, mended, and \
         then approved by the same reviewer. overridden: blockers that you let pass with a reason."
            .to_owned(),
    );
    for one in &board.overridden {
        let (session, title, reason) = (name(&one.session), line(&one.title), line(&one.reason));
        all.push(format!(
            "overridden in {session} {}: {} said \"{title}\"; reason: {reason}",
            one.review, one.reviewer
        ));
    }
    for session in &board.unreadable {
        all.push(format!("{}: its journal is damaged; it counts as far as it can be read", name(session)));
    }
    all
}

fn row(score: &Score) -> String {
    let Score { reviewer, seats, void, approve, concern, blocker, findings, .. } = score;
    format!(
        "{:<16} {seats:>5} {void:>4}  {approve:>7} {concern:>7} {blocker:>7}  {findings:>8} {:>8} {:>9} {:>9} {:>10}",
        line(reviewer.as_str()),
        score.verified,
        score.not_found,
        score.confirmed,
        score.overridden
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::scoreboard::Overridden;

    #[test]
    fn a_table_and_what_was_overridden() {
        let score = |reviewer: &str, seats| Score {
            reviewer: reviewer.into(),
            vendor: domain::Vendor::OpenAi,
            seats,
            void: 1,
            approve: 2,
            concern: 3,
            blocker: 4,
            weakened: 1,
            findings: 8,
            verified: 5,
            not_found: 2,
            not_checkable: 1,
            confirmed: 3,
            overridden: 1,
        };
        let board = Scoreboard {
            sessions: 7,
            demos: 1,
            unreadable: vec!["01aa5f00-1111-7222-8333-444455556666".into()],
            reviewers: vec![score("codex", 10), score("gemini", 11)],
            overridden: vec![Overridden {
                session: "01aa5f00-1111-7222-8333-444455557777".into(),
                review: domain::ReviewId(3),
                reviewer: "codex".into(),
                title: "reads past\nthe end".to_owned(),
                reason: "known".to_owned(),
            }],
        };
        insta::assert_snapshot!(lines(&board).join("\n"));
        assert_eq!(lines(&Scoreboard::default()).len(), 1);
    }
}
