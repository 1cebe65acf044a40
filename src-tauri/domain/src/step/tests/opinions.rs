//! Contradiction, one more opinion, reviewers that stay away, and the settings of the gate.

use super::*;

use Odd::{Answer, Nonsense, Says};

fn open_question(state: &State) -> &Asked {
    &state.open_questions().next().expect("a question is open").1.asked
}

#[test]
fn a_third_opinion_joins_the_review_and_it_is_decided_anew() {
    let odds = [Says("codex", 1, Verdict::Blocker), Answer(Choice::ThirdOpinion, "")];
    let (before, _) = play(&ALL, &odds[..1]);
    assert!(open_question(&before).choices.contains(&Choice::ThirdOpinion));
    let (state, log) = play(&ALL, &odds);
    let review = &state.reviews[&ReviewId(1)];
    let seats: Vec<(&str, Option<Verdict>)> = (review.review.seats.iter())
        .map(|seat| (seat.reviewer.as_str(), seat.ballot.as_ref().and_then(Ballot::counted_as)))
        .collect();
    assert_eq!(
        seats,
        [("codex", Some(Verdict::Blocker)), ("claude", Some(Verdict::Approve))],
        "gemini is the author"
    );
    let nonces: std::collections::BTreeSet<&Nonce> =
        review.review.seats.iter().map(|seat| &seat.nonce).collect();
    assert_eq!(nonces.len(), 2);
    // More opinions make a blocker no milder: it stands, and the user has both sides.
    let decision = &state.decisions[&review.decision.unwrap()].decision;
    assert_eq!((decision.action, decision.rule), (Action::StopAndEscalate, Rule::AnyBlocker), "{log}");
    let asked = open_question(&state);
    assert!(
        asked.text.contains("codex: so (blocker)") && asked.text.contains("claude: so (approve)"),
        "{}",
        asked.text
    );
    assert_eq!(asked.choices, [Choice::Instruct, Choice::Override, Choice::Abandon], "nobody is left to ask");
    let course = &state.task(&"architecture".into()).unwrap().course;
    assert_eq!((course.round, course.notes.len()), (1, 1), "one round, and each finding once");
}

#[test]
fn after_a_third_opinion_the_session_goes_on_as_the_user_says() {
    for (choice, text) in [(Choice::Override, "known"), (Choice::Instruct, "mend it")] {
        let odds = [
            Says("codex", 1, Verdict::Blocker),
            Says("claude", 1, Verdict::Concern),
            Answer(Choice::ThirdOpinion, ""),
            Answer(choice, text),
        ];
        let (state, log) = play(&ALL, &odds);
        assert_eq!(state.phase(), Phase::ReadyToLand, "{log}");
    }
}

#[test]
fn where_both_others_have_a_seat_no_third_opinion_is_offered() {
    let (state, _) = play(&ALL, &[Says("codex", 2, Verdict::Blocker)]);
    let asked = open_question(&state);
    assert!(!asked.choices.contains(&Choice::ThirdOpinion));
    assert!(asked.text.contains("gemini: so (approve)"), "both sides are told: {}", asked.text);
}

#[test]
fn a_reviewer_that_stays_away_is_a_warning_and_never_an_approval() {
    let (state, log) = play(&ALL, &[Nonsense("gemini", 2), Nonsense("gemini", 2)]);
    assert_eq!(state.phase(), Phase::ReadyToLand, "{log}");
    let of_it = |id: u32| state.reviews[&ReviewId(id)].decision.map(|id| &state.decisions[&id].decision);
    let decision = of_it(2).unwrap();
    assert_eq!((decision.action, decision.rule), (Action::LogWarning, Rule::ReviewerMissing));
    assert!(state.warnings.iter().any(|(_, _, text)| text.contains("a reviewer who was asked gave none")));
    assert!(state.task(&"implementation".into()).unwrap().course.notes.is_empty());
}

/// Plays with other rules of reviewing.
fn with_rules(rules: ReviewRules, odds: &[Odd]) -> State {
    let mut opened = opened(&ALL);
    opened.settings.review = rules;
    let mut world = World { odds: odds.to_vec(), ..World::default() };
    world.send(Input::Open { opened: Box::new(opened), warnings: vec![] });
    world.run();
    world.state
}

#[test]
fn the_rules_in_force_stand_in_the_first_entry_and_are_shown() {
    let rules = ReviewRules {
        at_one_concern: AtDoubt::Pause,
        at_missing_reviewer: AtDoubt::Pause,
        ..ReviewRules::default()
    };
    let state = with_rules(rules.clone(), &[Says("gemini", 2, Verdict::Concern)]);
    assert_eq!(state.opened.as_ref().unwrap().settings.review, rules);
    assert_eq!(state.session_row().unwrap().review, rules);
    assert!(
        rules.words().ends_with("a single concern pauses, a missing reviewer pauses"),
        "{}",
        rules.words()
    );
    assert_eq!(state.phase(), Phase::NeedsYou);
    assert_eq!(open_question(&state).choices[0], Choice::Instruct);

    let state = with_rules(rules, &[Nonsense("gemini", 2), Nonsense("gemini", 2)]);
    assert_eq!(state.phase(), Phase::NeedsYou);
    assert_eq!(open_question(&state).choices[0], Choice::Retry);
}

/// A journal of a version that did not know these rules is read as that version ruled.
#[test]
fn older_settings_mean_the_defaults() {
    let old = r#"{"max_rounds":3,"every_minutes":15,"at_milestone":1,"at_end":2}"#;
    assert_eq!(serde_json::from_str::<ReviewRules>(old).unwrap(), ReviewRules::default());
}
