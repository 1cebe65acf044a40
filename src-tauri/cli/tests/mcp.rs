//! The MCP server as a CLI sees it: JSON-RPC lines over standard input and output of a real process.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use domain::{AgentEvent, Call};
use engine::calls::{self, Called};
use serde_json::{Value, json};

/// Far more than anything here needs; only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

struct Client {
    dir: tempfile::TempDir,
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    next: u64,
}

impl Client {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_orchestrate"))
            .arg("mcp")
            .args(["--calls".as_ref(), dir.path().join("calls.jsonl").as_os_str()])
            .args(["--answers".as_ref(), dir.path().join("answers").as_os_str()])
            .args(["--worker", "w3"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        let mut client = Self { dir, child, input, lines, next: 0 };
        let id = client.send(
            "initialize",
            json!({
                "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" }
            }),
        );
        let hello = client.answer(id);
        assert_eq!(hello["serverInfo"]["name"], "orchestrator");
        assert_eq!(hello["protocolVersion"], "2025-06-18");
        client.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    fn write(&mut self, message: &Value) {
        writeln!(self.input.as_mut().unwrap(), "{message}").unwrap();
    }

    fn send(&mut self, method: &str, params: Value) -> u64 {
        self.next += 1;
        self.write(&json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params }));
        self.next
    }

    fn call(&mut self, tool: &str, arguments: Value) -> u64 {
        self.send("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// The result of a request. Every line must be a message of the protocol.
    fn answer(&self, id: u64) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("no answer");
            let message: Value = serde_json::from_str(&line).expect(&line);
            assert_eq!(message["jsonrpc"], "2.0");
            if message["id"] == id {
                return message.get("result").unwrap_or_else(|| panic!("{message}")).clone();
            }
        }
    }

    /// What the model reads, and whether it is an error.
    fn told(&self, id: u64) -> (String, bool) {
        let result = self.answer(id);
        (
            result["content"][0]["text"].as_str().unwrap().to_owned(),
            result["isError"].as_bool().unwrap_or_default(),
        )
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("calls.jsonl")
    }

    fn answers(&self) -> PathBuf {
        self.dir.path().join("answers")
    }

    /// The calls written down, once there are so many.
    fn calls(&self, count: usize) -> Vec<Called> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read(self.file()).unwrap_or_default();
            let calls: Vec<Called> =
                text.split_inclusive(|byte| *byte == b'\n').map(|line| calls::read(line).unwrap()).collect();
            if count <= calls.len() {
                assert_eq!(calls.len(), count, "{calls:?}");
                return calls;
            }
            assert!(Instant::now() < deadline, "only {calls:?}");
            thread::yield_now();
        }
    }

    /// Closes standard input; gives the exit code.
    fn end(mut self) -> Option<i32> {
        self.input = None;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "still there");
            thread::yield_now();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn five_tools_with_schemas() {
    let mut client = Client::start();
    let id = client.send("tools/list", json!({}));
    let listed = client.answer(id);
    let tools = listed["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["report", "ask_user", "request_review", "submit_plan", "submit_review"]);
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
    }
    let plan = &tools[3]["inputSchema"]["properties"]["plan"];
    assert_eq!(
        plan["properties"]["tasks"]["items"]["properties"]["role"]["oneOf"][0]["const"], "lead",
        "{plan}"
    );
    let nonce = &tools[4]["inputSchema"]["properties"]["nonce"];
    assert_eq!(nonce["type"], "string", "{nonce}");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_report_is_noted_at_once_and_on_disk_before() {
    let mut client = Client::start();
    let id = client.call("report", json!({ "type": "milestone", "text": "parser works", "file": "p.rs" }));
    assert_eq!(client.told(id), ("noted".to_owned(), false));
    let calls = client.calls(1);
    let Call::Report { event: AgentEvent::Milestone(milestone) } = &calls[0].what else {
        panic!("{calls:?}")
    };
    assert_eq!((milestone.text.as_str(), milestone.announced), ("parser works", true));
    assert!(!client.answers().exists());
}

/// The engine answers the second question first; meanwhile the server answers other calls.
#[test]
fn questions_wait_for_their_own_answers() {
    let mut client = Client::start();
    let first = client.call("ask_user", json!({ "question": "Which port?" }));
    let calls = client.calls(1);
    let second = client.call("submit_plan", json!({ "plan": { "summary": "s", "tasks": [] } }));
    let both = client.calls(2);
    assert_eq!(calls[0], both[0]);
    assert!(calls::waiting(&client.file(), &client.answers()));
    let report = client.call("report", json!({ "type": "progress", "text": "still here" }));
    assert_eq!(client.told(report).0, "noted");

    calls::write_answer(&client.answers(), &both[1].call, "Refused: the plan has no task.", true).unwrap();
    assert_eq!(client.told(second), ("Refused: the plan has no task.".to_owned(), true));
    calls::write_answer(&client.answers(), &both[0].call, "8080", false).unwrap();
    assert_eq!(client.told(first), ("8080".to_owned(), false));
}

#[test]
fn a_malformed_review_is_refused_at_once_and_told_to_the_engine() {
    let mut client = Client::start();
    let id = client.call("submit_review", json!({ "verdict": "approve" }));
    let (text, error) = client.told(id);
    assert!(
        error && text.contains("missing field `nonce`") && text.contains("call the tool again"),
        "{text}"
    );
    let calls = client.calls(1);
    let Call::Report { event: AgentEvent::Error(told) } = &calls[0].what else { panic!("{calls:?}") };
    assert!(
        told.text.contains("submit_review") && told.raw.as_deref() == Some(r#"{"verdict":"approve"}"#),
        "{told:?}"
    );

    let id = client.call("submit_everything", json!({}));
    assert!(client.told(id).1);
}

/// When the CLI goes, a server that waits for a person goes with it; the question stays on disk.
#[test]
fn the_end_of_input_ends_a_waiting_server() {
    let mut client = Client::start();
    client.call("ask_user", json!({ "question": "Anybody there?" }));
    let calls = client.calls(1);
    assert!(matches!(calls[0].what, Call::AskUser { .. }));
    assert_eq!(client.end(), Some(0));
}

#[test]
fn what_cannot_be_written_down_is_not_noted() {
    let mut client = Client::start();
    fs::create_dir(client.file()).unwrap();
    let id = client.call("report", json!({ "type": "progress", "text": "half" }));
    let (text, error) = client.told(id);
    assert!(error && text.contains("could not write this down"), "{text}");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for args in [&["--calls"][..], &["--calls", "c"], &["--worker", "x3"], &["--answer", "a"]] {
        let out = Command::new(env!("CARGO_BIN_EXE_orchestrate")).arg("mcp").args(args).output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(out.stdout.is_empty() && !out.stderr.is_empty());
    }
}
