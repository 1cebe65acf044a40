//! The demo's script from its plan to its last verdict, and every way to fail, read by the real readers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use agents::{AnswerShape, LaunchRequest, ProjectConfig, Reader, launch};
use domain::{
    AgentEvent, AgentSettings, Answer, Dialect, Exit, ExitCause, Failed, Failure, Nonce, Plan, Role, Told,
    Verdict,
};
use serde_json::json;

use super::assignment::Assignment;
use super::flags::Flags;
use super::play::Player;
use super::script::{Script, Step};

struct Played {
    events: Vec<AgentEvent>,
    told: Told,
    failed: Option<Failed>,
}

/// Plays what is launched for an agent in a folder that serves as tree and target, without the waiting.
fn play(dialect: Dialect, folder: &Path, header: &str, script: Option<Script>, more: &[&str]) -> Played {
    let prompt = format!("# Orchestrate assignment\nagent: {}\n{header}\n\nThe text.\n", dialect.as_str());
    let infos = agents::demo::agents("/bin/orchestrate");
    let agent = infos.iter().find(|agent| agent.dialect == dialect).unwrap();
    let shape = if header.contains("purpose: plan") {
        Some(AnswerShape::Plan)
    } else {
        header.contains("purpose: review").then_some(AnswerShape::Review)
    };
    let settings = AgentSettings {
        args: more.iter().map(|arg| (*arg).to_owned()).collect(),
        ..AgentSettings::default()
    };
    let launch = launch(&LaunchRequest {
        agent,
        settings: &settings,
        role: Role::Implementer,
        cwd: folder,
        folder: Path::new("/space/s1"),
        target: folder,
        extra_dirs: &[],
        resume: None,
        skip_git_check: false,
        shape,
        mcp: None,
        hook: None,
        files: Path::new("/space/s1/private"),
        project: &ProjectConfig::default(),
        user_settings: None,
        prompt: &prompt,
        env: &BTreeMap::new(),
        root_consented: false,
    });
    assert_eq!(launch.args[0], "demo-agent");
    let mut flags = Flags::read(launch.args[1..].to_vec()).unwrap();
    flags.cwd = folder.to_owned();
    let assignment = Assignment::read(&String::from_utf8(launch.stdin).unwrap());
    let script = script.unwrap_or_else(|| Script::load(&flags.script).unwrap());
    let mut steps = script.steps(&assignment, &flags).unwrap();
    steps.retain(|step| !matches!(step, Step::SleepMs(_)));
    let mut out = Vec::new();
    let code = Player::new(&flags, &assignment, &mut out).play(steps).unwrap();
    read(dialect, &out, code)
}

fn read(dialect: Dialect, out: &[u8], code: i32) -> Played {
    let mut reader = Reader::new(dialect);
    let mut events: Vec<AgentEvent> =
        out.split(|byte| *byte == b'\n').flat_map(|line| reader.line(line)).collect();
    events.extend(reader.rest());
    let exit = Exit { code: Some(code), signal: None, cause: ExitCause::Left };
    let stderr = "";
    let failed = reader.finish(&exit, stderr, &jiff::Zoned::now());
    Played { events, told: reader.told().clone(), failed }
}

/// A verdict that counts: with its nonce, and every quote in the file it names.
fn verdict(played: &Played, folder: &Path) -> Verdict {
    assert_eq!(played.failed, None);
    let text = played.told.structured.as_ref().unwrap_or(&played.told.answer);
    let answer = Answer::read(text, &Nonce("n0".into())).unwrap();
    for finding in &answer.findings {
        let file = fs::read_to_string(folder.join(finding.file.as_ref().unwrap())).unwrap();
        let line: usize = finding.lines.as_ref().unwrap().parse().unwrap();
        let quote = finding.quote.as_ref().unwrap();
        assert!(
            file.lines().nth(line - 1).unwrap().contains(quote.as_str()),
            "{quote:?} is not on line {line}"
        );
    }
    answer.verdict
}

fn output(folder: &Path, command: &str) -> (bool, String) {
    let done = Command::new("sh").args(["-c", command]).current_dir(folder).output().unwrap();
    (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
}

fn task(agent: Dialect, folder: &Path, header: &str) -> Played {
    let played = play(agent, folder, &format!("role: implementer\npurpose: task\n{header}"), None, &[]);
    assert_eq!(played.failed, None, "{header}");
    played
}

fn review(agent: Dialect, folder: &Path, header: &str) -> Verdict {
    let played =
        play(agent, folder, &format!("role: reviewer\npurpose: review\n{header}\nnonce: n0"), None, &[]);
    verdict(&played, folder)
}

#[test]
fn the_demo_plays_from_its_plan_to_its_last_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path();
    for (path, text) in agents::demo::FILES {
        let path = tree.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let (claude, codex, gemini) = (Dialect::Claude, Dialect::Codex, Dialect::Gemini);

    let plan = play(claude, tree, "role: lead\npurpose: plan\nattempt: 1", None, &[]);
    let plan = Plan::read(&plan.told.structured.unwrap(), &agents::demo::agents("/bin/o")).unwrap();
    assert_eq!(plan.tasks.len(), 4);

    let first =
        play(gemini, tree, "role: architect\npurpose: task\ntask: t1\nround: 1\nattempt: 1", None, &[]);
    let path = tree.join("notes/wishes.md").to_string_lossy().into_owned();
    assert_eq!(first.failed.unwrap().failure, Failure::OutsideWorkspace { path });
    task(gemini, tree, "task: t1\nround: 1\nattempt: 2");
    assert_eq!(
        review(codex, tree, "task: t1\nsubject: task\ntrigger: acceptance\nround: 1"),
        Verdict::Approve
    );

    let built = task(claude, tree, "task: t2\nround: 1\nattempt: 1");
    let announced = |event: &&AgentEvent| matches!(event, AgentEvent::Milestone(said) if said.announced);
    assert_eq!(built.events.iter().filter(announced).count(), 1);
    assert_eq!(
        output(tree, "sh check.sh && sh total.sh").1.lines().last(),
        Some("73.5"),
        "the planted defect"
    );
    assert_eq!(
        review(gemini, tree, "task: t2\nsubject: task\ntrigger: milestone\nround: 1"),
        Verdict::Concern
    );
    task(claude, tree, "task: t2\nround: 2\nattempt: 2");
    assert_eq!(
        review(gemini, tree, "task: t2\nsubject: task\ntrigger: acceptance\nround: 2"),
        Verdict::Approve
    );

    task(claude, tree, "task: t3\nround: 1\nattempt: 1");
    for agent in [gemini, codex] {
        let header = "task: t3\nsubject: task\ntrigger: acceptance\nround: 1";
        assert_eq!(review(agent, tree, header), Verdict::Concern);
    }
    task(claude, tree, "task: t3\nround: 2\nattempt: 2");
    for agent in [gemini, codex] {
        let header = "task: t3\nsubject: task\ntrigger: acceptance\nround: 2";
        assert_eq!(review(agent, tree, header), Verdict::Approve);
    }
    assert_eq!(
        review(codex, tree, "task: t4\nsubject: validation\ntrigger: validation\nround: 1"),
        Verdict::Approve
    );
    assert_eq!(review(gemini, tree, "subject: session\ntrigger: final\nround: 1"), Verdict::Approve);

    let (well, said) = output(tree, "sh check.sh && sh total.sh && sh by-category.sh");
    assert!(well, "{said}");
    assert!(said.ends_with("73.05\nbooks 2460\nfood 1725\ntravel 3120\n"), "{said}");
}

#[test]
fn no_demo_answer_is_lost_in_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    for dialect in Dialect::ALL {
        let script = script(json!([{ "when": {}, "steps": [
            { "say": "words" },
            { "think": "a thought" },
            { "todo": [["one", true], ["two", false]] },
            { "write": { "path": "sub/a.txt", "text": ["line"] } },
            { "read": "sub/a.txt" },
            { "run": "echo out; exit 3" },
            { "report": { "type": "milestone", "payload": { "text": "half" } } },
            { "call": { "tool": "report", "input": {} } },
            { "usage": { "input": 10, "output": 5, "cost_usd": 0.5 } },
            { "say": "the end" },
        ]}]));
        let played = play(dialect, folder.path(), "purpose: task\nrole: implementer", Some(script), &[]);
        assert_eq!(played.failed, None, "{dialect:?}");
        assert_eq!(played.told.answer.trim(), "the end", "{dialect:?}");
        assert_eq!((played.told.usage.input, played.told.usage.output), (10, 5), "{dialect:?}");
        assert_eq!(played.told.bad_lines, 0, "{dialect:?}");
        let count =
            |fits: &dyn Fn(&AgentEvent) -> bool| played.events.iter().filter(|event| fits(event)).count();
        assert_eq!(count(&|event| matches!(event, AgentEvent::Task(_))), 1, "{dialect:?}");
        assert_eq!(
            count(&|event| matches!(event, AgentEvent::Milestone(said) if said.announced)),
            1,
            "{dialect:?}"
        );
        assert_eq!(
            count(&|event| matches!(event, AgentEvent::Milestone(said) if !said.announced)),
            1,
            "{dialect:?}"
        );
        assert_eq!(fs::read_to_string(folder.path().join("sub/a.txt")).unwrap(), "line\n");
    }
}

fn script(entries: serde_json::Value) -> Script {
    serde_json::from_value(entries).unwrap()
}

#[test]
fn every_failure_is_the_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    let classes = [
        ("not_signed_in", Failure::NotSignedIn),
        ("billing", Failure::Billing),
        ("rate_limited", Failure::RateLimited { resets_at: None }),
        ("overloaded", Failure::Overloaded),
        ("network", Failure::Network),
        ("context_full", Failure::ContextFull),
        ("model", Failure::Model),
        ("refused", Failure::Refused),
    ];
    for dialect in Dialect::ALL {
        for (kind, failure) in &classes {
            let script = script(json!([{ "when": {}, "steps": [{ "say": "hm" }, { "fail": kind }] }]));
            let played = play(dialect, folder.path(), "purpose: task", Some(script), &[]);
            assert_eq!(played.failed.map(|failed| failed.failure).as_ref(), Some(failure), "{dialect:?}");
        }
        let cut = script(json!([{ "when": {}, "steps": [{ "say": "hm" }, { "no_result": true }] }]));
        let played = play(dialect, folder.path(), "purpose: task", Some(cut), &[]);
        assert_eq!(played.failed.unwrap().failure, Failure::Truncated, "{dialect:?}");
    }
}

#[test]
fn a_limit_tells_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let fault = json!({ "kind": "rate_limited", "resets_in_s": 60 });
    let script = script(json!([{ "when": {}, "steps": [{ "fail": fault }] }]));
    let played = play(Dialect::Claude, folder.path(), "purpose: task", Some(script), &[]);
    assert!(matches!(played.failed.unwrap().failure, Failure::RateLimited { resets_at: Some(_) }));
}

#[test]
fn an_entry_is_played_as_often_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_string_lossy().into_owned();
    let said = || {
        let words = ["--dialect", "codex", "--state", &state, "--"].map(str::to_owned);
        let flags = Flags::read(words.to_vec()).unwrap();
        let script = script(json!([
            { "when": { "task": "t[12]" }, "times": 2, "steps": [{ "say": "early ${task} ${1:-x}" }] },
            { "when": {}, "steps": [{ "say": "late" }] },
        ]));
        let assignment = Assignment::read("# Orchestrate assignment\ntask: t2\n\ntask: t9\n");
        format!("{:?}", script.steps(&assignment, &flags).unwrap())
    };
    let early = "[Say(\"early t2 ${1:-x}\")]";
    assert_eq!([said(), said(), said()], [early, early, "[Say(\"late\")]"]);
}

#[test]
fn the_mcp_server_is_found_in_codexs_setting() {
    let setting =
        r#"mcp_servers.orchestrator={command="/b in/\"o\"",args=["mcp","/x}"],startup_timeout_sec=30}"#;
    let words = ["--dialect", "codex", "--", "-c", "a=b", "-c", setting].map(str::to_owned);
    let flags = Flags::read(words.to_vec()).unwrap();
    assert_eq!(flags.mcp, Some(("/b in/\"o\"".to_owned(), vec!["mcp".to_owned(), "/x}".to_owned()])));
}
