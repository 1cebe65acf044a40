//! Whole sessions: the real product, the real CLIs (issue 2, "Must show" 2 to 5).

use std::fs;
use std::path::{Path, PathBuf};

use acceptance::clis::on_loopback;
use acceptance::model_server::Record;
use domain::Dialect::{self, Claude, Codex, Gemini};
use serde_json::Value;

use super::job::{Ended, Job, until};

/// Names the test for its run inside the network namespace.
macro_rules! on_loopback {
    ($name:ident, $body:expr) => {
        #[test]
        fn $name() {
            on_loopback(concat!("real_clis::session::", stringify!($name)), $body);
        }
    };
}

/// Each task is accepted, by its agent.
fn accepted(ended: &Ended, tasks: &[(&str, &str)]) {
    for (id, agent) in tasks {
        let rows = ended.rows("tasks", &[("id", id), ("agent", agent), ("state", "accepted")]);
        assert_eq!(rows.len(), 1, "{id} by {agent}: {:#}", ended.summary["tasks"]);
    }
}

/// The milestone's concern came from this reviewer with a quote that was found, went back, was mended and approved.
fn mended(ended: &Ended, reviewer: &str) {
    let concern = [("task", "t2"), ("trigger", "milestone"), ("author", "claude"), ("reviewer", reviewer)];
    let rows = ended.rows("reviews", &concern);
    assert_eq!(rows.len(), 1, "{:#}", ended.summary["reviews"]);
    assert_eq!((&rows[0]["verdict"], &rows[0]["verified"]), (&"concern".into(), &1.into()), "{:#}", rows[0]);
    let decisions =
        ended.rows("decisions", &[("action", "LOG_WARNING"), ("rule", "one_concern"), ("by", "rule")]);
    assert_eq!(decisions.len(), 1, "{:#}", ended.summary["decisions"]);
    assert_eq!(decisions[0]["review"], rows[0]["id"]);
    let approved = ended.rows("reviews", &[("task", "t2"), ("reviewer", reviewer), ("verdict", "approve")]);
    assert!(!approved.is_empty(), "{:#}", ended.summary["reviews"]);
    assert!(approved.iter().all(|it| it["tree"] != rows[0]["tree"]), "what is approved is another tree");
}

/// Nothing of the user's was touched; landing brings the mended result, which passes the project's check.
fn lands(job: &Job, before: &std::collections::BTreeMap<String, Vec<u8>>, ended: &Ended) {
    assert_eq!(&job.checkout(), before, "nothing of the user's changes before landing");
    let landed = job.run(&["land", &ended.session()]);
    assert_eq!(landed.code, Some(0), "{}", landed.stderr);
    assert!(job.read("ARCHITECTURE_SPEC.md").contains("`slug.sh`"));
    assert!(job.read("slug.sh").contains("tr -cs"), "{}", job.read("slug.sh"));
    assert!(job.check_passes());
}

fn of<'a>(asked: &'a [Record], agent: &str, purpose: &str) -> Vec<&'a Record> {
    let is = |it: &&Record| it.assignment["agent"] == agent && it.assignment["purpose"] == purpose;
    asked.iter().filter(is).collect()
}

fn offers(record: &Record, tool: &str) -> bool {
    record.tools.iter().any(|it| it.name == tool)
}

/// What each CLI showed its model: the orchestrator's tools, and the shape of the answer where one is owed.
fn channels(asked: &[Record]) {
    for record in of(asked, "claude", "plan") {
        assert!(
            offers(record, "StructuredOutput") && offers(record, "mcp__orchestrator__submit_plan"),
            "{record}"
        );
    }
    for record in of(asked, "claude", "task") {
        assert!(offers(record, "mcp__orchestrator__report"), "{record}: {:?}", record.tools);
    }
    for record in of(asked, "gemini", "review") {
        assert!(offers(record, "mcp_orchestrator_submit_review"), "{record}: {:?}", record.tools);
    }
    for record in of(asked, "codex", "review") {
        assert!(record.schema.is_some() && offers(record, "tool_search"), "{record}: {:?}", record.tools);
    }
}

on_loopback!(three_vendors_do_the_main_job, |bin| {
    let job = Job::new(bin, "main-job", "slugs", &[Claude, Codex, Gemini]).in_git();
    let before = job.checkout();
    let ended = job.start();
    ended.expect(0, "done");
    accepted(&ended, &[("t1", "gemini"), ("t2", "claude"), ("t3", "codex")]);
    mended(&ended, "gemini");
    let validation =
        ended.rows("reviews", &[("subject", "validation"), ("reviewer", "codex"), ("verdict", "approve")]);
    assert_eq!(validation.len(), 1, "{:#}", ended.summary["reviews"]);
    assert!(2 <= ended.rows("reviews", &[("subject", "session"), ("verdict", "approve")]).len());
    assert_eq!(ended.summary["unsandboxed"], true);
    channels(&job.asked());
    lands(&job, &before, &ended);
    assert_eq!(job.git(&["status", "--porcelain"]), "");
});

/// gemini takes a file of system settings only from root; what it is given must reach it as an ordinary user too.
fn as_an_ordinary_user(bin: PathBuf) {
    let job = Job::new(bin, "main-job", "slugs", &[Claude, Codex, Gemini]).in_git().run_by_nobody();
    let ended = job.start();
    ended.expect(0, "done");
    accepted(&ended, &[("t1", "gemini"), ("t2", "claude"), ("t3", "codex")]);
    mended(&ended, "gemini");
    channels(&job.asked());
}

#[test]
fn an_ordinary_users_agents_have_the_tools_too() {
    if !rustix::process::geteuid().is_root() {
        acceptance::clis::eprint(
            "SKIPPED: not root, so each of the other sessions is one of an ordinary user already.",
        );
        return;
    }
    on_loopback("real_clis::session::an_ordinary_users_agents_have_the_tools_too", as_an_ordinary_user);
}

/// Level L3 without anybody's consent: issue 4, "Must show" 6.
fn confined(bin: PathBuf) {
    let job = Job::new(bin, "main-job", "slugs", &[Claude, Codex, Gemini]).in_git().in_the_sandbox();
    let ended = job.start();
    ended.expect(0, "done");
    accepted(&ended, &[("t1", "gemini"), ("t2", "claude"), ("t3", "codex")]);
    mended(&ended, "gemini");
    channels(&job.asked());
    assert_eq!((&ended.summary["unsandboxed"], &ended.summary["sandbox"]), (&false.into(), &"L3".into()));
    let server = job.kit.server.address().to_string();
    let asked = job.egress();
    for agent in ["claude", "codex", "gemini"] {
        let served =
            asked.iter().any(|it| it["who"] == agent && it["target"] == *server && it["allowed"] == true);
        assert!(served, "{agent} reached its model through the proxy: {asked:?}");
    }
    let elsewhere = asked.iter().filter(|it| it["allowed"] == true && it["target"] != *server).count();
    assert_eq!(elsewhere, 0, "{asked:?}");
}

#[test]
fn three_vendors_do_the_main_job_in_the_sandbox() {
    if !Path::new("/usr/bin/bwrap").exists() {
        acceptance::clis::eprint("SKIPPED: bubblewrap is not installed.");
        return;
    }
    on_loopback("real_clis::session::three_vendors_do_the_main_job_in_the_sandbox", confined);
}

/// Where bubblewrap does not work: level L1 by Landlock, without anybody's consent.
fn by_landlock(bin: PathBuf) {
    let job = Job::new(bin, "main-job", "slugs", &[Claude, Codex, Gemini]).in_git().with_landlock_alone();
    let ended = job.start();
    ended.expect(0, "done");
    accepted(&ended, &[("t1", "gemini"), ("t2", "claude"), ("t3", "codex")]);
    mended(&ended, "gemini");
    channels(&job.asked());
    assert_eq!((&ended.summary["unsandboxed"], &ended.summary["sandbox"]), (&false.into(), &"L1".into()));
    let report = job.state().sandbox.unwrap();
    assert!(report.by.starts_with("Landlock of Linux ") && !report.misses.is_empty(), "{report:?}");
}

#[test]
fn three_vendors_do_the_main_job_confined_by_landlock() {
    if !rustix::process::geteuid().is_root() {
        acceptance::clis::eprint("SKIPPED: only root can hide bubblewrap from a session.");
        return;
    }
    on_loopback("real_clis::session::three_vendors_do_the_main_job_confined_by_landlock", by_landlock);
}

on_loopback!(the_lead_may_hand_in_its_plan_by_tool, |bin| {
    let job = Job::new(bin, "plan-by-tool", "slugs", &[Claude, Codex, Gemini]).in_git();
    let ended = job.start();
    ended.expect(0, "done");
    let asked = job.asked();
    let after = of(&asked, "claude", "plan").into_iter().find(|it| it.turn == 2);
    let results: Vec<_> = after.map(|it| it.results.clone()).unwrap_or_default();
    assert_eq!(results.iter().map(|it| it.is_error).collect::<Vec<_>>(), [Some(false)], "{results:?}");
    assert_eq!(ended.summary["plan_version"], 1);
});

on_loopback!(two_vendors_are_enough, |bin| {
    let job = Job::new(bin, "two-vendors", "slugs", &[Claude, Codex]).in_git();
    let before = job.checkout();
    let ended = job.start();
    ended.expect(0, "done");
    accepted(&ended, &[("t1", "codex"), ("t2", "claude"), ("t3", "codex")]);
    mended(&ended, "codex");
    job.asked();
    lands(&job, &before, &ended);
});

on_loopback!(one_vendor_alone_is_warned_about, |bin| {
    let job = Job::new(bin, "alone", "slugs", &[Claude]).in_git();
    let ended = job.start();
    ended.expect(0, "done");
    accepted(&ended, &[("t1", "claude"), ("t2", "claude")]);
    assert!(
        !ended.rows("decisions", &[("rule", "no_independent_reviewer")]).is_empty(),
        "{:#}",
        ended.summary
    );
    let warnings = ended.summary["warnings"].as_array().cloned().unwrap_or_default();
    assert!(warnings.iter().filter_map(Value::as_str).any(|it| it.contains("independent")), "{warnings:?}");
    assert!(ended.rows("reviews", &[("verdict", "approve")]).is_empty(), "nobody approves its own work");
    job.asked();
});

on_loopback!(without_any_agent_the_preflight_says_what_to_install, |bin| {
    let job = Job::new(bin, "alone", "slugs", &[]).in_git();
    let before = job.checkout();
    let ended = job.start();
    assert_eq!(ended.code, Some(6), "{}", ended.stderr);
    for package in ["@anthropic-ai/claude-code", "@openai/codex", "@google/gemini-cli"] {
        assert!(ended.stderr.contains(package), "{}", ended.stderr);
    }
    assert!(job.kit.requests().is_empty());
    assert_eq!(job.checkout(), before);
});

on_loopback!(a_target_that_is_no_repository_is_worked_on_all_the_same, |bin| {
    let job = Job::new(bin, "main-job", "Mein Büro 2", &[Claude, Codex, Gemini]);
    let before = job.checkout();
    let ended = job.start();
    ended.expect(0, "done");
    mended(&ended, "gemini");
    lands(&job, &before, &ended);
    assert!(!job.project.join(".git").exists(), "no repository was made of the user's folder");
});

on_loopback!(uncommitted_work_and_an_odd_path_survive, |bin| {
    let job = Job::new(bin, "main-job", "Größe & Maß", &[Claude, Codex, Gemini]).in_git();
    fs::write(job.project.join("README.md"), "# Slugs\n\nnot committed\n").unwrap();
    fs::write(job.project.join("staged.txt"), "staged\n").unwrap();
    job.git(&["add", "staged.txt"]);
    fs::write(job.project.join("staged.txt"), "staged, then changed\n").unwrap();
    fs::write(job.project.join("notes ü.txt"), "untracked\n").unwrap();
    let before = job.checkout();
    let ended = job.start();
    ended.expect(0, "done");
    lands(&job, &before, &ended);
    for file in ["README.md", "staged.txt", "notes ü.txt"] {
        assert_eq!(Some(&job.read(file).into_bytes()), before.get(file), "{file} is as the user left it");
    }
});

on_loopback!(a_blocker_stops_the_session, |bin| {
    let job = Job::new(bin, "blocker", "slugs", &[Claude, Codex, Gemini]).in_git();
    let before = job.checkout();
    let ended = job.start();
    ended.expect(3, "waiting");
    let decisions =
        ended.rows("decisions", &[("action", "STOP_AND_ESCALATE"), ("rule", "any_blocker"), ("by", "rule")]);
    assert_eq!(decisions.len(), 1, "{:#}", ended.summary["decisions"]);
    let trace = decisions[0]["trace"].to_string();
    assert!(trace.contains("any blocker stops the session") && trace.contains("gemini: blocker"), "{trace}");
    assert!(!ended.rows("questions", &[]).is_empty(), "the user is asked");
    assert_eq!(job.checkout(), before);
});

/// The session pauses, and goes on with the answer.
fn paused_and_answered(bin: PathBuf) {
    let all: &[Dialect] = &[Claude, Codex, Gemini];
    let job = Job::new(bin, "two-concerns", "slugs", all).in_git();
    let before = job.checkout();
    let ended = job.start();
    ended.expect(3, "waiting");
    let decisions = ended.rows("decisions", &[("action", "PAUSE_AND_CLARIFY"), ("rule", "two_concerns")]);
    assert_eq!(decisions.len(), 1, "{:#}", ended.summary["decisions"]);
    let trace = decisions[0]["trace"].to_string();
    assert!(trace.contains("two or more concerns pause the work"), "{trace}");
    let session = ended.session();
    let answered = job.run(&["answer", &session, "Squeeze repeated separators, and test it."]);
    assert_eq!(answered.code, Some(0), "{}", answered.stderr);
    let ended = job.run(&["resume", &session, "--no-dashboard"]);
    ended.expect(0, "done");
    accepted(&ended, &[("t1", "gemini"), ("t2", "claude"), ("t3", "codex")]);
    job.asked();
    lands(&job, &before, &ended);
}

on_loopback!(two_concerns_pause_the_session_and_the_answer_resumes_it, paused_and_answered);

const ALL: &[Dialect] = &[Claude, Codex, Gemini];

/// Whether some session's journal has an open question of a worker.
fn asks(job: &Job) -> bool {
    job.served("asks #0") && job.journals().contains("Which separator do slugs have?")
}

/// gemini waits in its call; the answer comes from another process and reaches its model.
fn answered_at_once(bin: PathBuf) {
    let job = Job::new(bin, "question", "slugs", ALL).in_git();
    let ended = std::thread::scope(|scope| {
        let session = scope.spawn(|| job.start());
        until("a question", || asks(&job) || session.is_finished());
        let answered = job.run(&["answer", "A hyphen."]);
        assert_eq!(answered.code, Some(0), "{}", answered.stderr);
        until("the answer at the model", || job.served("asks #1") || session.is_finished());
        fs::write(job.kit.home().join("go"), "").unwrap();
        session.join().unwrap()
    });
    ended.expect(0, "done");
    let asked = job.asked();
    let after = asked.iter().find(|it| it.served == "asks #1").unwrap();
    assert!(after.results.iter().any(|it| it.text.contains("A hyphen.")), "{:?}", after.results);
    assert!(asked.iter().all(|it| it.served != "answered later #0"), "it went on in the same turn");
}

on_loopback!(a_question_of_gemini_is_answered_while_it_waits, answered_at_once);

/// Nobody is there to answer: the session is left, and the answer reaches the same session of gemini later.
fn answered_later(bin: PathBuf) {
    let job = Job::new(bin, "question", "slugs", ALL).in_git();
    fs::write(job.kit.home().join("go"), "").unwrap();
    let ended = job.start();
    ended.expect(3, "waiting");
    let (session, open) = (ended.session(), ended.rows("questions", &[]));
    assert_eq!(open.len(), 1, "{:#}", ended.summary["questions"]);
    // Taken up without an answer it asks for one again; nobody is started in vain.
    let before = job.asked().len();
    let again = job.run(&["resume", &session, "--no-dashboard"]);
    again.expect(3, "waiting");
    assert_eq!(job.asked().len(), before);
    let ended = job.run(&["answer", &session, "A hyphen."]);
    ended.expect(0, "done");
    accepted(&ended, &[("t1", "gemini"), ("t2", "claude")]);
    let asked = job.asked();
    let later = asked.iter().find(|it| it.served == "answered later #0").unwrap();
    assert!(later.prompt.contains("Which separator do slugs have?"), "{}", later.prompt);
    let journal = job.journals();
    let resumed = journal.lines().any(|line| line.contains("gemini") && line.contains("\"--resume\""));
    assert!(resumed, "a second process of gemini resumes what the first began");
}

on_loopback!(a_question_of_gemini_outlives_its_process, answered_later);
