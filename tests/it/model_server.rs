//! The scripted model server over plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use acceptance::model_server::{Api, Endpoint, ModelServer, Scenario};
use serde_json::{Value, json};

const HEADER: &str =
    "# Orchestrate assignment\nagent: claude\nrole: reviewer\ntask: t2\nround: 1\nnonce: abc123\n\nGo.";

fn server(scenario: Value) -> ModelServer {
    let server = ModelServer::start().unwrap();
    server.play("x", serde_json::from_value::<Scenario>(scenario).unwrap());
    server
}

/// The whole answer as it came, chunk lengths and all.
fn raw(server: &ModelServer, path: &str, body: &Value) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let body = body.to_string();
    let request = format!(
        "POST /s/x{path} HTTP/1.1\r\nhost: x\r\nx-api-key: sk-dummy\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A cut connection ends the answer with an error; what came before it counts.
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// The data of all server-sent events.
fn events(answer: &str) -> Vec<Value> {
    answer.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
}

fn kinds(answer: &str) -> Vec<String> {
    events(answer).iter().map(|it| it["type"].as_str().unwrap_or_default().to_owned()).collect()
}

fn anthropic(messages: &Value, tools: &[&str]) -> Value {
    let tools: Vec<Value> = tools.iter().map(|name| json!({"name": name})).collect();
    json!({"model": "m", "stream": true, "system": "Primary working directory: /p", "messages": messages, "tools": tools})
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": [{"type": "text", "text": text}]})
}

fn one_turn(turn: Value) -> ModelServer {
    server(json!({"conversations": [{"name": "c", "turns": [turn]}]}))
}

#[test]
fn anthropic_streams_thinking_words_and_calls() {
    let server = one_turn(
        json!({"thinking": "hm", "text": "Hello", "do": [{"write": {"path": "a", "content": "b"}}]}),
    );
    let answer = raw(&server, "/v1/messages?beta=true", &anthropic(&json!([user(HEADER)]), &["Write"]));
    let block = ["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"];
    let call =
        ["content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"];
    let want: Vec<&str> = [&["message_start"][..], &block, &block, &call].concat();
    assert_eq!(kinds(&answer), want);
    assert!(answer.contains(r#"{\"content\":\"b\",\"file_path\":\"/p/a\"}"#), "{answer}");
    assert!(answer.contains(r#""stop_reason":"tool_use""#), "{answer}");
}

#[test]
fn openai_streams_items_and_finds_tools_in_the_input() {
    let server = one_turn(json!({
        "text": "Hello", "do": [{"write": {"path": "a", "content": "b\nc\n"}}, {"mcp": {"tool": "report", "input": {"x": 1}}}],
    }));
    let input = json!([
        {"type": "additional_tools", "tools": [{"type": "namespace", "name": "mcp__o", "tools": [{"name": "report"}]}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": HEADER}]},
    ]);
    let body = json!({"model": "m", "stream": true, "input": input, "tools": [{"type": "custom", "name": "apply_patch"}]});
    let answer = raw(&server, "/v1/responses", &body);
    let events = events(&answer);
    let items = events.last().unwrap()["response"]["output"].clone();
    assert_eq!(items[0]["content"][0]["text"], "Hello");
    assert_eq!(items[1]["type"], "custom_tool_call");
    assert_eq!(items[1]["input"], "*** Begin Patch\n*** Add File: a\n+b\n+c\n*** End Patch\n");
    assert_eq!((&items[2]["namespace"], &items[2]["name"]), (&json!("mcp__o"), &json!("report")));
    assert_eq!(items[2]["arguments"], "{\"x\":1}");
    let numbers: Vec<u64> = events.iter().filter_map(|it| it["sequence_number"].as_u64()).collect();
    assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
}

#[test]
fn gemini_streams_and_answers_whole() {
    let server = one_turn(json!({"text": "Hello", "do": [{"run": "ls"}]}));
    let body = json!({
        "contents": [{"role": "user", "parts": [{"text": HEADER}]}],
        "tools": [{"functionDeclarations": [{"name": "run_shell_command"}]}],
    });
    let answer = raw(&server, "/v1beta/models/g-1:streamGenerateContent?alt=sse", &body);
    let parts: Vec<Value> =
        events(&answer).iter().map(|it| it["candidates"][0]["content"]["parts"][0].clone()).collect();
    assert_eq!((&parts[0]["text"], &parts[1]["text"]), (&json!("Hel"), &json!("lo")));
    assert_eq!(parts[2]["functionCall"]["args"]["command"], "ls");
    assert!(answer.contains(r#""finishReason":"STOP""#));
    let whole = raw(&server, "/v1beta/models/g-1:generateContent", &body);
    assert!(whole.contains(r#""parts":[{"text":"Hello"},{"functionCall":"#), "{whole}");
    assert_eq!(server.requests("x")[0].endpoint, Endpoint::Model(Api::Gemini));
}

#[test]
fn the_conversation_is_picked_by_the_last_header_and_the_turn_counted_since() {
    let server = server(json!({"conversations": [
        {"name": "first", "when": {"task": "t1"}, "turns": [{"text": "one"}]},
        {"name": "second", "when": {"task": ["t2", "t3"], "round": 1, "attempt": null}, "bind": {"WORD": "Go(.)"},
         "turns": [{"text": "a"}, {"text": "${NONCE}${WORD}${OTHER}"}]},
    ]}));
    let before = user("# Orchestrate assignment\ntask: t1\n\nGo.");
    let said = json!({"role": "assistant", "content": "x"});
    let result =
        json!({"role": "user", "content": [{"type": "tool_result", "content": "42", "is_error": true}]});
    let check = |messages: Value, want: &str, served: &str| {
        let answer = raw(&server, "/v1/messages", &anthropic(&messages, &["Bash"]));
        let text: String = events(&answer).iter().filter_map(|it| it["delta"]["text"].as_str()).collect();
        let requests = server.requests("x");
        assert_eq!((text.as_str(), requests.last().unwrap().served.as_str()), (want, served));
    };
    check(json!([before]), "one", "first #0");
    check(json!([before, said, user(HEADER)]), "a", "second #0");
    check(json!([before, said, user(HEADER), said, said, result]), "abc123.${OTHER}", "second #1");
    check(json!([user(HEADER), said, result, said, result]), "Done.", "second #2");
    check(json!([user("hello")]), "There is nothing in the script for this.", "unscripted");
    let asked = server.requests("x");
    assert_eq!(asked[2].results[0].text, "42");
    assert_eq!(asked[2].assignment["nonce"], "abc123");
    assert_eq!((asked[2].turn, asked[2].folder.as_deref(), asked[2].key.as_str()), (1, Some("/p"), "dummy"));
}

#[test]
fn faults_are_served_as_often_as_asked_and_leave_the_turn_alone() {
    let server = server(json!({
        "faults": [
            {"at": 0, "times": 1, "turn": {"http": {"status": 429, "headers": {"retry-after": "7"}}}},
            {"at": 0, "times": 1, "turn": {"refuse": true}},
            {"at": 0, "times": 1, "turn": {"text": "ab", "drop_after": 2}},
            {"at": 0, "times": 1, "turn": {"stream_error": {"type": "overloaded_error", "message": "m"}}},
        ],
        "conversations": [{"name": "c", "turns": [{"text": "good"}]}],
    }));
    let ask = || raw(&server, "/v1/messages", &anthropic(&json!([user(HEADER)]), &["Bash"]));
    let limited = ask();
    assert_eq!(status(&limited), 429);
    assert!(limited.contains("retry-after: 7") && limited.contains("rate_limit_error"), "{limited}");
    assert_eq!(ask(), "");
    assert_eq!(kinds(&ask()), ["message_start", "content_block_start"]);
    assert_eq!(kinds(&ask()), ["message_start", "error"]);
    assert!(ask().contains("message_stop"));
}

#[test]
fn side_requests_get_the_smallest_answer_that_fits() {
    let server = server(json!({}));
    let schema = json!({"type": "OBJECT", "properties": {"a": {"enum": ["x", "y"]}, "b": {"type": "array"}, "c": {"type": "integer"}}});
    let body = json!({
        "contents": [{"role": "user", "parts": [{"text": "route"}]}], "generationConfig": {"responseSchema": schema},
    });
    let answer = raw(&server, "/v1beta/models/g:generateContent", &body);
    assert!(answer.contains(r#"{\"a\":\"x\",\"b\":[],\"c\":1}"#), "{answer}");
    assert_eq!(server.requests("x")[0].endpoint, Endpoint::Side(Api::Gemini));
}

#[test]
fn structured_answers_take_the_way_that_each_cli_has() {
    let turn = json!({"do": [{"structured": {"nonce": "${NONCE}"}}]});
    let server = one_turn(turn);
    let claude = raw(&server, "/v1/messages", &anthropic(&json!([user(HEADER)]), &["StructuredOutput"]));
    assert!(
        claude.contains(r#""name":"StructuredOutput""#) && claude.contains(r#"{\"nonce\":\"abc123\"}"#),
        "{claude}"
    );
    let body =
        json!({"model": "m", "input": HEADER, "tools": [{"type": "function", "name": "exec_command"}]});
    let codex = raw(&server, "/v1/responses", &body);
    assert!(codex.contains(r#""text":"{\"nonce\":\"abc123\"}""#), "{codex}");
}

#[test]
fn other_requests_and_wrong_paths_are_answered() {
    let server = one_turn(json!({"text": "x"}));
    let check = |path: &str, want: u16, holds: &str| {
        let answer = raw(&server, path, &json!({"a": "bcdefgh"}));
        assert_eq!(status(&answer), want, "{path}");
        assert!(answer.contains(holds), "{path}: {answer}");
    };
    check("/v1/messages/count_tokens", 200, "input_tokens");
    check("/v1beta/models/g:countTokens", 200, "totalTokens");
    check("/v1/models", 200, "\"data\":[]");
    check("/nowhere", 404, "no such path");
    assert!(server.requests("x").iter().all(|it| it.endpoint == Endpoint::Other));
}

#[test]
fn every_scenario_of_the_fixtures_can_be_loaded() {
    let folder = acceptance::clis::project().join("tests/fixtures/scenarios");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    for file in &files {
        let scenario = Scenario::load(file).unwrap_or_else(|fault| panic!("{fault}"));
        assert!(!scenario.conversations.is_empty() && !scenario.about.is_empty(), "{}", file.display());
    }
    assert!(5 < files.len());
}
