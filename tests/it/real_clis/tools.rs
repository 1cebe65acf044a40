//! Each CLI with the orchestrator's MCP server: found by discovery, launched as the product launches it, its model
//! calls all five tools.

use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use acceptance::clis::{on_loopback, orchestrate};
use agents::McpServer;
use domain::{AgentEvent, Answer, Call, Dialect, Plan};
use engine::calls::{self, Called};

use super::desk::Desk;

/// Longest time one run may take; on two busy cores one takes ten seconds.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often the calls are looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Starts the CLI with our server.
fn start(desk: &Desk, dialect: Dialect) -> Child {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (calls, answers) = (text(&desk.calls), text(&desk.answers));
    let args = ["mcp", "--calls", &calls, "--answers", &answers, "--worker", "w1"];
    let server = McpServer { program: text(&orchestrate()), args: args.map(str::to_owned).to_vec() };
    desk.start(dialect, ("tools", "Call them all."), Some(&server), None)
}

/// Answers what waits, as the engine would, until the CLI ends.
fn serve(desk: &Desk, mut child: Child) -> ExitStatus {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if deadline < Instant::now() {
            child.kill().unwrap();
            panic!("no end in {DEADLINE:?}: {:?}\n{}", desk.called(), desk.words());
        }
        for Called { call, what, .. } in desk.called() {
            let text = match what {
                Call::AskUser { .. } => "Take 8080.",
                Call::SubmitPlan { .. } => "The plan is accepted for approval.",
                Call::SubmitReview { .. } => "The review is recorded.",
                Call::Report { .. } | Call::RequestReview { .. } | Call::Permit { .. } | Call::Hooked => {
                    continue;
                }
            };
            if calls::answer(&desk.answers, &call).is_none() {
                calls::write_answer(&desk.answers, &call, text, false).unwrap();
            }
        }
        thread::sleep(PAUSE); // a busy loop would take the processor from the CLI
    }
}

/// Every call arrived on disk in order, and every answer reached the model. `offered`: whether the model sees the tools
/// in its first request; where not, it has to search for them.
fn check(bin: PathBuf, dialect: Dialect, offered: &[&str]) {
    let desk = Desk::new(bin, "tools");
    let child = start(&desk, dialect);
    let status = serve(&desk, child);
    assert!(status.success(), "{status}\n{}", desk.words());

    let calls: Vec<Call> = desk.called().into_iter().map(|called| called.what).collect();
    // gemini checks arguments against the schema by itself: its model is told, and we never see the call.
    let (wrong, rest): (Vec<&Call>, Vec<&Call>) =
        calls.iter().partition(|call| matches!(call, Call::Report { event: AgentEvent::Error(_) }));
    assert_eq!(wrong.len(), usize::from(dialect != Dialect::Gemini), "{calls:#?}");
    let [begun, question, review, plan, right] = rest.as_slice() else {
        panic!("{calls:#?}\n{}", desk.words());
    };
    assert!(
        matches!(begun, Call::Report { event: AgentEvent::Progress(told) } if told.progress == Some(10)),
        "{begun:?}"
    );
    assert_eq!(*question, &Call::AskUser { question: "Which port?".to_owned() });
    assert_eq!(*review, &Call::RequestReview { what: "the port".to_owned() });
    let Call::SubmitPlan { plan } = plan else { panic!("{plan:?}") };
    assert_eq!(serde_json::from_str::<Plan>(plan).unwrap().tasks[0].acceptance.len(), 2);
    let Call::SubmitReview { review } = right else { panic!("{right:?}") };
    assert_eq!(Answer::read(review, &"n1".into()).unwrap().findings[0].quote.as_deref(), Some("x"));

    let requests = desk.kit.requests();
    let told: Vec<&str> = (1..=6)
        .map(|turn| {
            let request = requests.iter().find(|it| it.served == format!("tools #{turn}")).unwrap();
            request.results.last().unwrap().text.as_str()
        })
        .collect();
    let expected =
        ["noted", "Take 8080.", "noted", "accepted for approval", "nonce", "The review is recorded."];
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.contains(expected), "{told:?} lacks {expected:?}");
    }
    let first = requests.iter().find(|it| it.served == "tools #0").unwrap();
    for name in offered {
        assert!(first.tools.iter().any(|tool| tool.name == *name), "{name}: {:?}", first.tools);
    }
}

#[test]
fn claude_calls_our_tools() {
    on_loopback("real_clis::tools::claude_calls_our_tools", |bin| {
        let names = ["report", "ask_user", "request_review", "submit_plan", "submit_review"];
        let names = names.map(|name| format!("mcp__orchestrator__{name}"));
        check(bin, Dialect::Claude, &names.each_ref().map(String::as_str));
    });
}

/// codex defers the tools of MCP servers behind a search; a call by the full name works all the same.
#[test]
fn codex_calls_our_tools() {
    on_loopback("real_clis::tools::codex_calls_our_tools", |bin| {
        check(bin, Dialect::Codex, &["tool_search"])
    });
}

#[test]
fn gemini_calls_our_tools() {
    on_loopback("real_clis::tools::gemini_calls_our_tools", |bin| {
        let names = ["report", "team_ask_user", "request_review", "submit_plan", "submit_review"];
        let names = names.map(|name| format!("mcp_orchestrator_{name}"));
        check(bin, Dialect::Gemini, &names.each_ref().map(String::as_str));
    });
}
