//! The pre-tool hooks of the real CLIs, with their dangerous flags on: each asks before a command runs, waits for the
//! answer, and obeys it. `docs/GUARD.md` has the table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use acceptance::clis::{on_loopback, orchestrate};
use agents::Hook;
use domain::guard::{Clearance, GuardRules, judge};
use domain::{Call, Dialect};
use engine::calls::{self, Called};

use super::{desk::Desk, job::Job};

/// Longest time one run may take; on two busy cores one takes ten seconds.
const DEADLINE: Duration = Duration::from_secs(180);
/// How often the calls are looked at.
const PAUSE: Duration = Duration::from_millis(20);
/// Purpose and words of the assignment.
const TASK: (&str, &str) = ("guard", "Run them all.");

fn hook(desk: &Desk, dialect: Dialect) -> Hook {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (calls, answers, project) = (text(&desk.calls), text(&desk.answers), text(&desk.project()));
    let args = ["hook", "--dialect", dialect.as_str(), "--calls", &calls, "--answers", &answers];
    let more = ["--worker", "w1", "--project", &project, "--minutes", "10"];
    let args = args.into_iter().chain(more).map(str::to_owned).collect();
    Hook { program: text(&orchestrate()), args, patience_s: 600 }
}

/// Answers hooks, as the engine and its user would, until the CLI ends. What is asked about is held for a while.
fn serve(desk: &Desk, mut child: Child) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}\n{}", desk.words());
            return;
        }
        if deadline < Instant::now() {
            child.kill().unwrap();
            panic!("no end in {DEADLINE:?}: {:?}\n{}", desk.called(), desk.words());
        }
        for Called { call, what, .. } in desk.called() {
            let Call::Permit { wanted } = what else { continue };
            if calls::answer(&desk.answers, &call).is_some() {
                continue;
            }
            let judgement = judge(&wanted.command, &wanted.place, &GuardRules::default());
            let (text, error) = match judgement.clearance {
                Clearance::Allow => (String::new(), false),
                Clearance::Deny => (format!("Denied by the rule {}.", judgement.rule), true),
                Clearance::Ask => {
                    calls::hold(&desk.answers, &call).unwrap();
                    let refused = wanted.command.contains("refused");
                    let exists = |name: &str| desk.project().join(name).exists();
                    assert!(!exists("allowed.txt") || refused, "it ran before it was allowed");
                    ("The user said no.".to_owned(), refused)
                }
            };
            calls::write_answer(&desk.answers, &call, &text, error).unwrap();
        }
        thread::sleep(PAUSE);
    }
}

fn made(desk: &Desk) -> Vec<&'static str> {
    let names = ["clear.txt", "denied.txt", "allowed.txt", "refused.txt"];
    names.into_iter().filter(|name| desk.project().join(name).exists()).collect()
}

fn check(bin: PathBuf, dialect: Dialect) {
    let desk = Desk::new(bin.clone(), "guard");
    let hook = hook(&desk, dialect);
    serve(&desk, desk.start(dialect, TASK, None, Some(&hook)));
    let called = desk.called();
    let words = || format!("{called:#?}\n{}", desk.words());
    assert_eq!(made(&desk), ["clear.txt", "allowed.txt"], "{}", words());
    assert!(matches!(called[0].what, Call::Hooked), "the CLI shows that it has our hooks: {}", words());
    let asked: Vec<&str> = (called.iter())
        .filter_map(|called| {
            if let Call::Permit { wanted } = &called.what { Some(wanted.command.as_str()) } else { None }
        })
        .collect();
    assert_eq!(asked.len(), 4, "{}", words());
    let project = desk.project().to_string_lossy().into_owned();
    for called in &called {
        if let Call::Permit { wanted } = &called.what {
            assert_eq!((wanted.place.cwd.as_str(), wanted.place.project.as_str()), (&*project, &*project));
        }
    }
    // The reasons reached the model.
    let requests = desk.kit.requests();
    let told = |turn: &str| {
        let request = requests.iter().find(|it| it.served == turn).unwrap();
        request.results.last().unwrap().text.clone()
    };
    assert!(told("guard #2").contains("Denied by the rule force-push"), "{:?}", told("guard #2"));
    assert!(told("guard #4").contains("The user said no."), "{:?}", told("guard #4"));

    // The control: without the hook everything runs.
    let desk = Desk::new(bin, "guard");
    serve(&desk, desk.start(dialect, TASK, None, None));
    assert_eq!(made(&desk), ["clear.txt", "denied.txt", "allowed.txt", "refused.txt"], "{}", desk.words());
    assert!(desk.called().is_empty());
}

/// Answers every card, as a person would in another terminal, until the session has ended.
fn answer_all(job: &Job, over: impl Fn() -> bool) -> BTreeMap<String, &'static str> {
    let mut answered = BTreeMap::new();
    while !over() {
        let open: Vec<_> = job
            .state()
            .open_questions()
            .map(|(id, question)| (id.to_string(), question.asked.text.clone()))
            .filter(|(id, _)| !answered.contains_key(id))
            .collect();
        for (id, text) in open {
            assert!(text.contains("git push origin "), "{text}");
            let word = if text.contains("refused") { "deny" } else { "allow" };
            let done = job.run(&["answer", "--question", &id, "--choice", word]);
            assert_eq!(done.code, Some(0), "{}", done.stderr);
            answered.insert(id, word);
        }
        thread::sleep(PAUSE);
    }
    answered
}

/// Whole sessions of an unprivileged user in the product's sandbox: hooks reach the engine from inside, and answers them.
fn permits(bin: PathBuf) {
    let all = [Dialect::Claude, Dialect::Codex, Dialect::Gemini];
    let job = Job::new(bin, "permits", "slugs", &all).in_git().in_the_sandbox();
    let (ended, answered) = thread::scope(|scope| {
        let session = scope.spawn(|| job.start());
        let answered = answer_all(&job, || session.is_finished());
        (session.join().unwrap(), answered)
    });
    ended.expect(0, "done");
    assert_eq!((&ended.summary["unsandboxed"], &ended.summary["sandbox"]), (&false.into(), &"L3".into()));
    let count = |word: &str| answered.values().filter(|it| **it == word).count();
    assert_eq!((count("allow"), count("deny")), (3, 3), "{answered:?}");
    let asked = job.asked();
    for agent in all.map(Dialect::as_str) {
        let told = |turn: usize| {
            let served = format!("{agent} works #{turn}");
            let request = asked.iter().find(|it| it.served == served).unwrap();
            request.results.last().unwrap().text.clone()
        };
        assert!(told(1).contains("force-push"), "{agent}: {}", told(1));
        assert!(!told(2).contains("enied"), "{agent}: {}", told(2));
        let landed = |name: &str| job.project.join(format!("{name}-{agent}.txt")).exists();
        assert!(!landed("allowed"), "nothing of the user's changes before landing");
    }
    let landed = job.run(&["land", &ended.session()]);
    assert_eq!(landed.code, Some(0), "{}", landed.stderr);
    for agent in all.map(Dialect::as_str) {
        let made = ["denied", "allowed", "refused"].map(|it| job.read(&format!("{it}-{agent}.txt")));
        assert_eq!(made, [String::new(), format!("{agent}\n"), String::new()], "{agent}");
    }
}

#[test]
fn hooks_ask_from_inside_of_the_sandbox() {
    if !Path::new("/usr/bin/bwrap").exists() {
        acceptance::clis::eprint("SKIPPED: bubblewrap is not installed.");
        return;
    }
    on_loopback("real_clis::guard::hooks_ask_from_inside_of_the_sandbox", permits);
}

#[test]
fn claude_asks_before_a_command() {
    on_loopback("real_clis::guard::claude_asks_before_a_command", |bin| check(bin, Dialect::Claude));
}

#[test]
fn codex_asks_before_a_command() {
    on_loopback("real_clis::guard::codex_asks_before_a_command", |bin| check(bin, Dialect::Codex));
}

#[test]
fn gemini_asks_before_a_command() {
    on_loopback("real_clis::guard::gemini_asks_before_a_command", |bin| check(bin, Dialect::Gemini));
}
