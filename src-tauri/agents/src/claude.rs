//! Claude Code.

use domain::{AgentEvent, Blocker, BlockerKind, Finding, ReviewNote, Status, StatusKind, ToolOutcome, Usage};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::failure::{self, Class};
use crate::hook;
use crate::launch::{Dialected, LaunchRequest, MCP_SERVER, TOOL_PATIENCE_S, words};
use crate::report;
use crate::run::{Kind, Run, Tool, fingerprint, first_of, flag, note, number, text_at};

/// Tries after the first before a request is given up; the CLI's own ten take three minutes (measured).
const RETRIES: &str = "3";

pub(crate) fn flags(request: &LaunchRequest<'_>) -> Dialected {
    let mut args = words(&["--print", "--dangerously-skip-permissions", "--strict-mcp-config", "--add-dir"]);
    args.extend(request.directories());
    // A repository's own settings may run code at the start (THREATS T1): only the user's are loaded.
    let sources = if request.project.load { "user,project,local" } else { "user" };
    args.extend(words(&["--output-format", "stream-json", "--verbose", "--setting-sources", sources]));
    let mut env = vec![
        ("CLAUDE_CODE_MAX_RETRIES", RETRIES.to_owned()),
        ("DISABLE_AUTOUPDATER", "1".to_owned()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("DISABLE_TELEMETRY", "1".to_owned()),
        ("DISABLE_ERROR_REPORTING", "1".to_owned()),
        // Tools are offered at once instead of behind a search (measured).
        ("ENABLE_TOOL_SEARCH", "0".to_owned()),
        ("CLAUDE_CODE_ENABLE_TODO_TOOLS", "1".to_owned()),
    ];
    let mut files = Vec::new();
    if let Some(server) = request.mcp {
        let path = request.files.join("mcp.json");
        let config = json!({ "mcpServers": { MCP_SERVER: {
            "type": "stdio", "command": server.program, "args": server.args,
        }}});
        args.extend(["--mcp-config".to_owned(), path.to_string_lossy().into_owned()]);
        if request.project.servers {
            args.push(request.cwd.join(".mcp.json").to_string_lossy().into_owned());
        }
        files.push((path, config.to_string()));
        env.push(("MCP_TIMEOUT", "30000".to_owned()));
        env.push(("MCP_TOOL_TIMEOUT", (TOOL_PATIENCE_S * 1000).to_string()));
    }
    if let Some(hook) = request.hook {
        let path = request.files.join("settings.json");
        args.extend(["--settings".to_owned(), path.to_string_lossy().into_owned()]);
        files.push((path, hook::claude_settings(hook).to_string()));
    }
    if let Some(shape) = request.shape {
        args.extend(["--json-schema".to_owned(), shape.schema().to_string()]);
    }
    if let Some(model) = &request.settings.model {
        args.extend(["--model".to_owned(), model.clone()]);
    }
    if let Some(session) = request.resume {
        args.extend(["--resume".to_owned(), session.to_owned()]);
    }
    args.extend(request.settings.args.iter().cloned());
    if request.root_consented {
        // As uid 0 claude refuses to skip its permissions unless told that something else confines it.
        env.push(("IS_SANDBOX", "1".to_owned()));
    }
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Dialected { args, env, files }
}

pub(crate) fn read(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    if let Some(session) = text_at(value, "/session_id") {
        run.told.session = Some(session.to_owned());
    }
    match text_at(value, "/type").unwrap_or_default() {
        "system" => system(run, value),
        "assistant" if flag(value, "/is_api_error_message") || flag(value, "/isApiErrorMessage") => {
            api_error(run, value)
        }
        "assistant" => assistant(run, value),
        "user" => user(run, value),
        "rate_limit_event" => rate_limit(run, value),
        "tool_progress" => {
            let tool = text_at(value, "/tool_name").unwrap_or("a tool");
            let seconds = number(value, "/elapsed_time_seconds");
            vec![status(StatusKind::Heartbeat, format!("{tool} runs for {seconds} s"))]
        }
        // Parts of what comes whole a moment later.
        "stream_event" => Vec::new(),
        "keep_alive" => vec![status(StatusKind::Heartbeat, String::new())],
        "control_request" => {
            let tool = text_at(value, "/request/tool_name").unwrap_or_default();
            let words = text_at(value, "/request/description").unwrap_or(tool);
            let kind =
                if tool == "AskUserQuestion" { BlockerKind::Question } else { BlockerKind::Permission };
            vec![blocker(kind, words.to_owned(), None)]
        }
        "result" => result(run, value),
        known @ ("control_response"
        | "control_cancel_request"
        | "auth_status"
        | "tool_use_summary"
        | "prompt_suggestion") => vec![note(known.replace('_', " "))],
        other => vec![note(format!("an event that is new to us: {other}"))],
    }
}

fn system(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    match text_at(value, "/subtype").unwrap_or_default() {
        "init" => {
            let what = if run.told.model.is_none() { StatusKind::Started } else { StatusKind::TurnStarted };
            run.told.model = text_at(value, "/model").map(str::to_owned);
            run.told.version = text_at(value, "/claude_code_version").map(str::to_owned);
            let text = format!("claude {}", run.told.version.as_deref().unwrap_or("of unknown version"));
            let (session, model) = (run.told.session.clone(), run.told.model.clone());
            vec![AgentEvent::Status(Status { what, text, session, model, usage: None })]
        }
        "api_retry" => {
            let word = text_at(value, "/error").unwrap_or("unknown");
            let http = value.pointer("/error_status").and_then(Value::as_u64);
            let class = class_of(word, "", http, "");
            let text = format!(
                "attempt {} of {} after {word}{}",
                number(value, "/attempt"),
                number(value, "/max_retries"),
                http.map(|status| format!(" ({status})")).unwrap_or_default(),
            );
            run.retrying(class, &text);
            vec![status(StatusKind::Retrying, text)]
        }
        "permission_denied" => {
            let words = text_at(value, "/message").unwrap_or("a tool was refused");
            let reason = text_at(value, "/decision_reason").unwrap_or_default();
            let outside = text_at(value, "/decision_reason_type") == Some("workingDir");
            let id = text_at(value, "/tool_use_id").unwrap_or_default();
            let text = if reason.is_empty() { words.to_owned() } else { format!("{words} ({reason})") };
            let path = run.deny(id, text_at(value, "/tool_name"), None, outside, &text);
            vec![blocker(BlockerKind::Permission, text, path)]
        }
        what @ ("task_started" | "task_progress" | "task_updated" | "task_notification") => {
            let said = first_of(value, &["/description", "/summary", "/patch/status", "/status"]);
            vec![note(format!("{}: {said}", what.replace('_', " ")))]
        }
        "model_fallback" => {
            let model = text_at(value, "/fallback_model").unwrap_or("another model");
            vec![note(format!("goes on with {model}"))]
        }
        other => {
            let said = first_of(value, &["/content", "/status", "/state", "/message"]);
            let text = format!("{}: {said}", other.replace('_', " "));
            vec![note(text.trim_end_matches([' ', ':']).to_owned())]
        }
    }
}

fn assistant(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    run.alive();
    let own = value.pointer("/parent_tool_use_id").is_none_or(Value::is_null);
    let mut events = Vec::new();
    for block in value.pointer("/message/content").and_then(Value::as_array).into_iter().flatten() {
        match text_at(block, "/type").unwrap_or_default() {
            "text" => {
                let text = text_at(block, "/text").unwrap_or_default();
                if own {
                    run.told.answer = text.to_owned();
                }
                events.extend(run.words(text));
            }
            "thinking" | "redacted_thinking" => {
                events.extend(run.thought(text_at(block, "/thinking").unwrap_or_default()));
            }
            "tool_use" | "server_tool_use" => events.extend(tool_use(run, block)),
            other => events.push(note(format!("a block that is new to us: {other}"))),
        }
    }
    if events.is_empty() {
        events.push(status(StatusKind::Heartbeat, String::new()));
    }
    events
}

fn tool_use(run: &mut Run, block: &Value) -> Vec<AgentEvent> {
    let id = text_at(block, "/id").unwrap_or_default();
    let name = text_at(block, "/name").unwrap_or("a tool");
    let input = |field: &str| block.pointer("/input").and_then(|input| input.get(field)?.as_str());
    let file = input("file_path").or(input("notebook_path")).or(input("path")).map(str::to_owned);
    let kind = match name {
        "Write" | "Edit" | "MultiEdit" | "NotebookEdit" => Kind::Writes,
        "Read" => Kind::Reads,
        "Bash" => Kind::Runs,
        _ => Kind::Other,
    };
    let said = input("command").or(file.as_deref()).or(input("description")).or(input("query"));
    let text = said.unwrap_or_default().to_owned();
    let command = input("command").map(str::to_owned);
    let args = fingerprint(block.get("input"));
    let tool = Tool { name: name.to_owned(), kind, command, file, text, args };
    let mut events = vec![run.tool_starts(id, tool)];
    match name {
        "TodoWrite" => {
            let list = block.pointer("/input/todos").and_then(Value::as_array);
            run.todos.clear();
            for (at, item) in list.into_iter().flatten().enumerate() {
                let text = text_at(item, "/content").unwrap_or_default();
                run.todo(&at.to_string(), text, text_at(item, "/status") == Some("completed"));
            }
            events.push(run.todo_list());
        }
        "ReportFindings" => events.extend(findings(block)),
        _ => {}
    }
    events
}

fn findings(block: &Value) -> Vec<AgentEvent> {
    let list = block.pointer("/input/findings").and_then(Value::as_array);
    let mut events: Vec<AgentEvent> = (list.into_iter().flatten())
        .map(|found| {
            AgentEvent::Finding(Finding {
                severity: report::severity(text_at(found, "/severity").unwrap_or("high")),
                title: text_at(found, "/summary").unwrap_or_default().to_owned(),
                file: text_at(found, "/file").map(str::to_owned),
                lines: found.get("line").and_then(Value::as_u64).map(|line| line.to_string()),
                quote: None,
                why: text_at(found, "/failure_scenario").unwrap_or_default().to_owned(),
                recommendation: String::new(),
            })
        })
        .collect();
    let text = format!("{} findings reported", events.len());
    events.push(AgentEvent::Review(ReviewNote { text, requested: false }));
    events
}

fn user(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    let blocks = match value.pointer("/message/content") {
        Some(Value::Array(blocks)) => blocks.as_slice(),
        Some(Value::String(text)) => return vec![note(domain::head(text, 200))],
        Some(_) | None => &[],
    };
    let mut events = Vec::new();
    for block in blocks {
        match text_at(block, "/type").unwrap_or_default() {
            "tool_result" => events.extend(tool_result(run, value, block)),
            "text" => events.push(note(domain::head(text_at(block, "/text").unwrap_or_default(), 200))),
            other => events.push(note(format!("a block that is new to us: {other}"))),
        }
    }
    if events.is_empty() {
        events.push(status(StatusKind::Heartbeat, String::new()));
    }
    events
}

fn tool_result(run: &mut Run, value: &Value, block: &Value) -> Vec<AgentEvent> {
    let id = text_at(block, "/tool_use_id").unwrap_or_default();
    let failed = flag(block, "/is_error");
    let output = content(block.get("content"));
    let by_hook = |meta: &Value| {
        text_at(meta, "/id") == Some(id) && text_at(meta, "/permission_decision/source") == Some("hook")
    };
    let metas = value.get("tool_result_meta").and_then(Value::as_array);
    if failed && metas.is_some_and(|metas| metas.iter().any(by_hook)) {
        run.deny_by_hook(id, &output);
    }
    let denied = run.was_denied(id);
    let outcome = match (denied, failed) {
        (true, _) => ToolOutcome::Denied,
        (false, true) => ToolOutcome::Failed,
        (false, false) => ToolOutcome::Ok,
    };
    let exit = (output.strip_prefix("Exit code "))
        .and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .filter(|_| failed);
    let mut events = run.tool_ends(id, outcome, exit, &output);
    if failed {
        return events;
    }
    let told = value.get("tool_use_result").unwrap_or(&Value::Null);
    match run.tool_name(id) {
        "TaskCreate" => {
            let (id, text) = (text_at(told, "/task/id"), text_at(told, "/task/subject"));
            if let (Some(id), Some(text)) = (id, text) {
                run.todo(id, text, false);
                events.push(run.todo_list());
            }
        }
        "TaskUpdate" => {
            let (id, to) = (text_at(told, "/taskId"), text_at(told, "/statusChange/to"));
            if let (Some(id), Some(to)) = (id, to) {
                run.todo_becomes(id, to);
                events.push(run.todo_list());
            }
        }
        _ => {}
    }
    events
}

/// A tool's output: a text, or blocks of which the texts are taken.
fn content(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts = blocks.iter().filter_map(|block| {
                text_at(block, "/text")
                    .or_else(|| text_at(block, "/tool_name"))
                    .or_else(|| text_at(block, "/type"))
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        Some(Value::Null) | None => String::new(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Object(_))) => other.to_string(),
    }
}

fn rate_limit(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    let epoch = value.pointer("/rate_limit_info/resetsAt").and_then(Value::as_i64);
    let resets_at = epoch.and_then(|second| Timestamp::from_second(second).ok());
    let window = text_at(value, "/rate_limit_info/rateLimitType").unwrap_or("usage").replace('_', " ");
    match text_at(value, "/rate_limit_info/status").unwrap_or_default() {
        "rejected" => {
            run.told.resets_at = resets_at;
            vec![AgentEvent::Blocker(Blocker {
                what: BlockerKind::RateLimit,
                text: format!("the {window} limit is reached"),
                resets_at,
                path: None,
            })]
        }
        "allowed_warning" => {
            let share = value.pointer("/rate_limit_info/utilization").and_then(Value::as_f64).unwrap_or(1.0);
            vec![status(
                StatusKind::LimitWarning,
                format!("{:.0} % of the {window} limit are used", share * 100.0),
            )]
        }
        _ => vec![status(StatusKind::Heartbeat, format!("within the {window} limit"))],
    }
}

/// An error of the model's server, which claude puts into the mouth of a synthetic assistant.
fn api_error(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    let text = content(value.pointer("/message/content"));
    let http = value.pointer("/api_error_status").and_then(Value::as_u64);
    let word = text_at(value, "/error").unwrap_or_default();
    let class = class_of(word, text_at(value, "/api_error").unwrap_or_default(), http, &text);
    let epoch = value.pointer("/api_error_params/rate_limit_info/resetsAt").and_then(Value::as_i64);
    if let Some(at) = epoch.and_then(|second| Timestamp::from_second(second).ok()) {
        run.told.resets_at = Some(at);
    }
    vec![run.fails(class, &text)]
}

/// claude's words for errors; where they are too wide, its text decides.
fn class_of(word: &str, api_error: &str, http: Option<u64>, text: &str) -> Class {
    if api_error == "connection_failed" {
        return Class::Network;
    }
    match word {
        "authentication_failed"
        | "oauth_org_not_allowed"
        | "account_on_hold"
        | "verification_required"
        | "cloud_credential_error" => Class::NotSignedIn,
        "billing_error" => Class::Billing,
        "rate_limit" => Class::RateLimited,
        "overloaded" => Class::Overloaded,
        "model_not_found" => Class::Model,
        "max_output_tokens" => Class::CliLimit,
        _ => failure::of_text(domain::Dialect::Claude, text).unwrap_or(match (word, http) {
            (_, Some(401 | 403)) => Class::NotSignedIn,
            (_, Some(404)) => Class::Model,
            (_, Some(429)) => Class::RateLimited,
            ("server_error", _) | (_, Some(500..)) => Class::Overloaded,
            ("unknown", None) => Class::Network,
            _ => Class::Crashed,
        }),
    }
}

fn result(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    spend(run, value);
    let mut events = Vec::new();
    for denial in value.pointer("/permission_denials").and_then(Value::as_array).into_iter().flatten() {
        let id = text_at(denial, "/tool_use_id").unwrap_or_default();
        if !run.was_denied(id) {
            let name = text_at(denial, "/tool_name").unwrap_or("a tool");
            let path = text_at(denial, "/tool_input/file_path");
            let text =
                format!("{name} was refused{}", path.map(|path| format!(": {path}")).unwrap_or_default());
            let path = run.deny(id, Some(name), path, false, &text);
            events.push(blocker(BlockerKind::Permission, text, path));
        }
    }
    let said = text_at(value, "/result").unwrap_or_default();
    if flag(value, "/is_error") {
        events.extend(result_error(run, value, said));
        return events;
    }
    run.told.terminal = Some(true);
    if let Some(structured) = value.get("structured_output").filter(|answer| !answer.is_null()) {
        run.told.structured = Some(structured.to_string());
    }
    if !said.is_empty() && run.told.answer != said {
        run.told.answer = said.to_owned();
        events.extend(run.words(said));
    }
    events.push(AgentEvent::Status(Status {
        what: StatusKind::TurnDone,
        text: format!("{} turns", number(value, "/num_turns")),
        session: run.told.session.clone(),
        model: None,
        usage: Some(run.told.usage),
    }));
    events
}

fn result_error(run: &mut Run, value: &Value, said: &str) -> Vec<AgentEvent> {
    let errors: Vec<String> = (value.pointer("/errors").and_then(Value::as_array).into_iter().flatten())
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let text = if said.is_empty() { errors.join("; ") } else { said.to_owned() };
    let reason = text_at(value, "/terminal_reason").unwrap_or_default();
    let class = match (text_at(value, "/subtype").unwrap_or_default(), reason) {
        (_, "aborted_streaming" | "aborted_tools") => Some(Class::Cancelled),
        ("error_max_turns" | "error_max_budget_usd", _) => Some(Class::CliLimit),
        ("error_max_structured_output_retries", _) => Some(Class::Refused),
        (_, "prompt_too_long") => Some(Class::ContextFull),
        _ => None,
    };
    let http = value.pointer("/api_error_status").and_then(Value::as_u64);
    let class = class.or(run.fault_class()).unwrap_or_else(|| class_of("", "", http, &text));
    run.told.terminal = Some(false);
    let known = run.fault_class().is_some() && class != Class::Cancelled;
    let mut events = vec![AgentEvent::Status(Status {
        what: StatusKind::Note,
        text: format!(
            "the turn ended with an error ({})",
            if reason.is_empty() { "no reason given" } else { reason }
        ),
        session: run.told.session.clone(),
        model: None,
        usage: Some(run.told.usage),
    })];
    if !known {
        events.insert(0, run.fails(class, &text));
    }
    events
}

/// Tokens of this run: `usage` is one result's. Money: `model_usage_since_last_result` is too, while
/// `total_cost_usd` adds up over the whole session, also across `--resume` (measured, 2.1.329).
fn spend(run: &mut Run, value: &Value) {
    let usage = Usage {
        input: number(value, "/usage/input_tokens") + number(value, "/usage/cache_creation_input_tokens"),
        output: number(value, "/usage/output_tokens"),
        cached: number(value, "/usage/cache_read_input_tokens"),
        cost_usd: None,
    };
    let spent = &mut run.told.usage;
    spent.input = spent.input.saturating_add(usage.input);
    spent.output = spent.output.saturating_add(usage.output);
    spent.cached = spent.cached.saturating_add(usage.cached);
    let since = value.get("model_usage_since_last_result").and_then(Value::as_object);
    if let Some(models) = since {
        let cost: f64 = models.values().filter_map(|model| model.get("costUSD")?.as_f64()).sum();
        spent.cost_usd = Some(spent.cost_usd.unwrap_or_default() + cost);
    } else if let Some(total) = value.get("total_cost_usd").and_then(Value::as_f64) {
        let adds_up = (run.told.version.as_deref().and_then(crate::version::parse))
            .is_none_or(|version| [2, 1, 300] <= version);
        let before = if adds_up { run.before.cost_usd.unwrap_or_default() } else { 0.0 };
        spent.cost_usd = Some((total - before).max(0.0));
    }
}

fn status(what: StatusKind, text: String) -> AgentEvent {
    AgentEvent::Status(Status { what, text, session: None, model: None, usage: None })
}

fn blocker(what: BlockerKind, text: String, path: Option<String>) -> AgentEvent {
    AgentEvent::Blocker(Blocker { what, text, resets_at: None, path })
}
