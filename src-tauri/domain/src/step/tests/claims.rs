//! What a worker says of its work, held against its tree.

use super::*;

/// The notes that every author of the task of `claude` was sent off with, in order.
fn sent(odds: &[Odd]) -> (Vec<Vec<&'static str>>, Phase, String) {
    let (state, log) = play(&ALL, odds);
    let name = |note: &Note| match note {
        Note::Findings { .. } => "findings",
        Note::Checks { .. } => "checks",
        Note::Conflict { .. } => "conflict",
        Note::NothingChanged => "nothing changed",
        Note::SaidChanged { .. } => "said changed",
        Note::Message { .. } => "message",
    };
    let authors = state
        .workers
        .values()
        .filter(|worker| worker.task().is_some() && worker.assignment.agent.as_str() == "claude");
    let notes = authors.map(|worker| worker.assignment.notes.iter().map(name).collect()).collect();
    (notes, state.phase(), log)
}

#[test]
fn claims_of_change_are_held_against_the_tree() {
    use Odd::*;
    let check = |name: &str, odds: &[Odd], wanted: &[&[&str]], phase: Phase| {
        let (notes, ended, log) = sent(odds);
        assert_eq!((notes, ended), (wanted.iter().map(|it| it.to_vec()).collect(), phase), "{name}:\n{log}");
    };
    let (written, done, asked): (&[&str], _, _) = (&["a.rs"], Phase::ReadyToLand, Phase::NeedsYou);
    let concern = Says("gemini", 2, Verdict::Concern);
    check("nothing odd", &[], &[&[]], done);
    check("nothing said", &[Idle(4)], &[&[], &["nothing changed"]], done);
    check("said by words", &[Tells(4, "I wrote it.", &[]), Idle(4)], &[&[], &["said changed"]], done);
    check("said by its tools", &[Tells(4, "Done.", written), Idle(4)], &[&[], &["said changed"]], done);
    let twice = [Tells(4, "", written), Idle(4), Tells(5, "I added it.", &[]), Idle(5)];
    check("said twice", &twice, &[&[], &["said changed"]], asked);
    // Sent back by a reviewer: what counts is the tree before that turn.
    let back: &[&[&str]] = &[&[], &["findings"]];
    check("mended", &[concern.clone(), Tells(7, "I fixed it.", written)], back, done);
    let again: &[&[&str]] = &[&[], &["findings"], &["findings", "said changed"]];
    check("fixed by words", &[concern.clone(), Tells(7, "Fixed.", &[]), Keeps(7)], again, done);
    check(
        "disagrees",
        &[concern.clone(), Tells(7, "I disagree, nothing to be fixed.", &[]), Keeps(7)],
        back,
        done,
    );
    let twice = [concern, Tells(7, "Fixed.", &[]), Keeps(7), Tells(8, "It is fixed.", &[]), Keeps(8)];
    check("fixed twice by words", &twice, again, asked);
}
