//! Commands of real workers that need the user's consent: one is denied on its card by another process, one allowed, and
//! the worker goes on after both (issue 4, guard rail).

use std::{
    panic::resume_unwind,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use acceptance::clis::{on_loopback, project};
use acceptance::model_server::Scenario;
use domain::Dialect::{self, Claude, Codex, Gemini};
use domain::{About, Choice};
use serde_json::json;

use super::job::Job;

/// How long a card may take; a session of these takes ten seconds.
const SOON: Duration = Duration::from_secs(120);

/// The open card, as its number and its command.
fn card(job: &Job) -> Option<(String, String)> {
    let state = job.state();
    let (id, question) = state.open_questions().next()?;
    let About::Command { command, .. } = &question.asked.about else { panic!("{question:?}") };
    Some((id.to_string(), command.clone()))
}

/// The session of one author waits for two cards; both are answered from outside.
fn check(bin: PathBuf, author: Dialect) {
    let judge = if author == Codex { Claude } else { Codex };
    let job = Job::new(bin, "consent", "slugs", &[author, judge]).in_git();
    let mut scenario = Scenario::load(&project().join("tests/fixtures/scenarios/consent.json")).unwrap();
    scenario.vars.insert("AUTHOR".to_owned(), json!(author.as_str()));
    job.kit.server.play("consent", scenario);
    job.set(|settings| format!("lead = \"codex\"\n{settings}"));
    let ended = thread::scope(|scope| {
        let session = scope.spawn(|| job.start());
        for (holds, choice) in [("denied.txt", "deny"), ("allowed.txt", "allow")] {
            let until = Instant::now() + SOON;
            let (question, command) = loop {
                if let Some(found) = card(&job).filter(|(_, command)| command.contains(holds)) {
                    break found;
                }
                assert!(!session.is_finished() && Instant::now() < until, "no card for {holds}");
                thread::sleep(Duration::from_millis(50));
            };
            assert!(command.contains("git push"), "{command}");
            let answered = job.run(&["answer", "--question", &question, "--choice", choice]);
            assert_eq!(answered.code, Some(0), "{}", answered.stderr);
        }
        session.join().unwrap_or_else(|fault| resume_unwind(fault))
    });
    ended.expect(0, "done");
    let answers: Vec<Choice> =
        job.state().questions.values().filter_map(|it| Some(it.answer.as_ref()?.choice)).collect();
    assert_eq!(answers, [Choice::Deny, Choice::AllowOnce], "{:?}", job.state().questions);
    let landed = job.run(&["land", &ended.session()]);
    assert_eq!(landed.code, Some(0), "{}", landed.stderr);
    let there = |name: &str| job.project.join(name).exists();
    assert!(there("slug.sh") && there("allowed.txt") && !there("denied.txt"), "{}", ended.stderr);
    job.asked();
}

#[test]
fn claude_goes_on_after_both_answers() {
    on_loopback("real_clis::consent::claude_goes_on_after_both_answers", |bin| check(bin, Claude));
}

#[test]
fn codex_goes_on_after_both_answers() {
    on_loopback("real_clis::consent::codex_goes_on_after_both_answers", |bin| check(bin, Codex));
}

#[test]
fn gemini_goes_on_after_both_answers() {
    on_loopback("real_clis::consent::gemini_goes_on_after_both_answers", |bin| check(bin, Gemini));
}
