//! Gemini CLI.

use domain::{AgentEvent, Blocker, BlockerKind, Status, StatusKind, ToolOutcome, Usage};
use serde_json::{Value, json};

use crate::MOST_LINE;
use crate::environment;
use crate::failure::{self, Class};
use crate::home::{GEMINI_HOME, Home};
use crate::hook;
use crate::launch::{Dialected, LaunchRequest, MCP_SERVER, TOOL_PATIENCE_S, words};
use crate::run::{Kind, Run, Tool, fingerprint, first_of, note, number, text_at};
use crate::version;

/// Attempts at one request; the CLI's own ten take four minutes (measured).
const ATTEMPTS: u32 = 4;

/// The variable with the hook's command line, which is each worker's own.
const HOOK: &str = "ORCHESTRATE_HOOK";

/// Variables by which a program is run in the place of, or before, another one. gemini takes variables from a repository's
/// `.gemini/.env`, which no flag or setting keeps from it where `--skip-trust` is given, but none that is set already
/// (measured): set to nothing they do nothing.
const EMPTIED: [&str; 8] =
    ["BASH_ENV", "ENV", "NODE_OPTIONS", "LD_PRELOAD", "LD_AUDIT", "PERL5OPT", "RUBYOPT", "PYTHONSTARTUP"];

/// The first version with `--output-format stream-json` (October 2025).
const STREAMS_SINCE: [u64; 3] = [0, 11, 0];

pub(crate) fn flags(request: &LaunchRequest<'_>) -> Dialected {
    // The flag takes a list parted by commas and knows no way to write one inside of a path.
    let directories: Vec<String> =
        request.directories().into_iter().filter(|path| !path.contains(',')).collect();
    let mut args = words(&["--yolo", "--skip-trust"]);
    if !directories.is_empty() {
        args.extend(["--include-directories".to_owned(), directories.join(",")]);
    }
    let streams = version::parse(&request.agent.version).is_none_or(|version| STREAMS_SINCE <= version);
    args.extend(words(&["--output-format", if streams { "stream-json" } else { "json" }]));
    if let Some(model) = &request.settings.model {
        args.extend(["-m".to_owned(), model.clone()]);
    }
    if let Some(session) = request.resume {
        args.extend(["--resume".to_owned(), session.to_owned()]);
    }
    args.extend(request.settings.args.iter().cloned());
    // First: what is set below counts.
    let mut env = emptied(request);
    env.extend([
        // One process instead of two; the launcher of the second swallows signals (measured).
        ("GEMINI_CLI_NO_RELAUNCH".to_owned(), "1".to_owned()),
        ("GEMINI_TELEMETRY_ENABLED".to_owned(), "false".to_owned()),
    ]);
    if request.project.load {
        env.push(("GEMINI_CLI_TRUST_WORKSPACE".to_owned(), "true".to_owned()));
    }
    let mut files = Vec::new();
    if let Some(home) = Home::of(request.agent, request.settings, request.env, request.folder) {
        env.push((GEMINI_HOME.to_owned(), home.path().to_string_lossy().into_owned()));
        files.push((home.settings(), settings(request)));
    }
    let server =
        request.mcp.into_iter().flat_map(|server| std::iter::once(&server.program).chain(&server.args));
    env.extend(server.enumerate().map(|(at, word)| (word_name(at), word.clone())));
    env.extend(request.hook.map(|hook| (HOOK.to_owned(), hook.line())));
    Dialected { args, env, files }
}

/// Variables that the project's files would set, as nothing. What is there already is the login shell's or the user's and
/// stays: gemini does not let a file overwrite it.
fn emptied(request: &LaunchRequest<'_>) -> Vec<(String, String)> {
    let named = request.project.variables.iter().map(String::as_str);
    let unset = EMPTIED.into_iter().chain(named).filter(|name| !environment::is_passed(request, name));
    unset.map(|name| (name.to_owned(), String::new())).collect()
}

/// The variable for a word of the MCP server's command. The home is the session's and its workers run at the same time, so
/// its settings name variables, which gemini fills in (measured) and which are each worker's own.
fn word_name(at: usize) -> String {
    format!("ORCHESTRATE_MCP_{at}")
}

/// The user's settings with ours over them. Settings that are no JSON stay as they are: gemini then names what is wrong
/// with them, and the worker reports by JSON lines in its text.
fn settings(request: &LaunchRequest<'_>) -> String {
    let given = request.user_settings.unwrap_or_default();
    let mut merged = match read_settings(given) {
        Ok(settings) => settings,
        Err(()) => return given.to_owned(),
    };
    let ours = json!({
        "general": { "maxAttempts": ATTEMPTS, "enableAutoUpdate": false, "enableAutoUpdateNotification": false },
        "privacy": { "usageStatisticsEnabled": false },
        // A project's `.env` is for its own programs; with it left out, gemini finds the user's.
        "advanced": { "ignoreLocalEnv": true },
    });
    merge(&mut merged, ours);
    if let Some(server) = request.mcp {
        let word = |at: usize| format!("${{{}}}", word_name(at));
        let words: Vec<String> = (1..=server.args.len()).map(word).collect();
        // As a whole: a server of the user's with this name would leave parts of itself.
        merge(&mut merged, json!({ "mcpServers": { MCP_SERVER: null } }));
        merged["mcpServers"][MCP_SERVER] = json!({
            "command": word(0),
            "args": words,
            "timeout": TOOL_PATIENCE_S * 1000,
            "trust": true,
        });
        // A user who allows only some servers has not thought of ours.
        if let Some(allowed) = merged.pointer_mut("/mcp/allowed").and_then(Value::as_array_mut) {
            allowed.push(json!(MCP_SERVER));
        }
    }
    if let Some(hook) = request.hook {
        add_hooks(&mut merged, hook::gemini_hooks(hook, HOOK));
    }
    merged.to_string()
}

/// Ours beside the user's: all that match are asked.
fn add_hooks(settings: &mut Value, ours: Value) {
    merge(settings, json!({ "hooksConfig": { "enabled": true } }));
    let Value::Object(ours) = ours else { return };
    for (event, groups) in ours {
        match settings.pointer_mut(&format!("/hooks/{event}")).and_then(Value::as_array_mut) {
            Some(theirs) => theirs.extend(groups.as_array().into_iter().flatten().cloned()),
            None => merge(settings, json!({ "hooks": { event: groups } })),
        }
    }
}

/// An object, or nothing at all; gemini takes comments.
fn read_settings(text: &str) -> Result<Value, ()> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(json!({}));
    }
    let mut plain = text.to_owned();
    json_strip_comments::strip(&mut plain).map_err(|_| ())?;
    serde_json::from_str(&plain).ok().filter(Value::is_object).ok_or(())
}

/// Lays one value over another: objects entry by entry, anything else as a whole.
fn merge(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                merge(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

/// Whether this is a piece of the assistant's words, cut anywhere: also in the middle of a control sequence, so these
/// are cleaned when they are put together.
pub(crate) fn is_piece(value: &Value) -> bool {
    text_at(value, "/type") == Some("message") && text_at(value, "/role") == Some("assistant")
}

pub(crate) fn read(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    let kind = text_at(value, "/type").unwrap_or_default();
    if is_piece(value) {
        run.alive();
        let text = text_at(value, "/content").unwrap_or_default();
        // An answer is one thing that is said: no longer than the longest line.
        if run.told.answer.len() < MOST_LINE {
            run.told.answer.push_str(text);
        }
        return run.piece(text);
    }
    // Anything else ends the paragraph.
    let mut events = run.rest();
    events.extend(match kind {
        "init" => {
            // A second one that names none takes nothing back.
            run.told.session = text_at(value, "/session_id").map(str::to_owned).or(run.told.session.take());
            run.told.model = text_at(value, "/model").map(str::to_owned);
            let (session, model) = (run.told.session.clone(), run.told.model.clone());
            let text = "gemini".to_owned();
            vec![AgentEvent::Status(Status { what: StatusKind::Started, text, session, model, usage: None })]
        }
        // Our own prompt, said back.
        "message" => Vec::new(),
        "tool_use" => tool_use(run, value),
        "tool_result" => tool_result(run, value),
        "error" => error(run, value),
        "result" => result(run, value),
        "" if value.get("response").is_some() || value.get("error").is_some() => document(run, value),
        other => vec![note(format!("an event that is new to us: {other}"))],
    });
    events
}

fn tool_use(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    run.alive();
    // What was said before a tool call was commentary, not the answer.
    run.told.answer.clear();
    let id = text_at(value, "/tool_id").unwrap_or_default();
    let name = text_at(value, "/tool_name").unwrap_or("a tool");
    let input = |field: &str| value.pointer("/parameters").and_then(|input| input.get(field)?.as_str());
    let file = input("file_path").or(input("absolute_path")).or(input("dir_path")).or(input("path"));
    let kind = match name {
        "write_file" | "replace" | "edit" => Kind::Writes,
        "read_file" => Kind::Reads,
        "run_shell_command" => Kind::Runs,
        _ => Kind::Other,
    };
    let said = input("command").or(file).or(input("description")).or(input("query")).or(input("title"));
    let tool = Tool {
        name: name.to_owned(),
        kind,
        command: input("command").map(str::to_owned),
        file: file.map(str::to_owned),
        text: said.unwrap_or_default().to_owned(),
        args: fingerprint(value.get("parameters")),
    };
    let mut events = vec![run.tool_starts(id, tool)];
    if name == "write_todos" {
        run.todos.clear();
        let list = value.pointer("/parameters/todos").and_then(Value::as_array);
        for (at, item) in list.into_iter().flatten().enumerate() {
            let state = text_at(item, "/status").unwrap_or_default();
            if state != "cancelled" {
                let text = text_at(item, "/description").unwrap_or_default();
                run.todo(&at.to_string(), text, state == "completed");
            }
        }
        events.push(run.todo_list());
    }
    events
}

/// How gemini begins what a hook refused (measured with 0.61.0); what its own policy refused begins otherwise.
const BLOCKED: &str = "Tool execution blocked:";

fn tool_result(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    let id = text_at(value, "/tool_id").unwrap_or_default();
    let said = first_of(value, &["/output", "/error/message"]);
    if text_at(value, "/status") == Some("success") {
        return run.tool_ends(id, ToolOutcome::Ok, None, said);
    }
    if said.starts_with(BLOCKED) {
        // A hook's word: the worker was told why, and goes on without.
        run.deny_by_hook(id, said);
        return run.tool_ends(id, ToolOutcome::Denied, None, said);
    }
    let outside = failure::path_outside(said);
    if outside.is_none() && text_at(value, "/error/type") != Some("policy_violation") {
        return run.tool_ends(id, ToolOutcome::Failed, None, said);
    }
    let path = run.deny(id, None, outside.as_deref(), outside.is_some(), said);
    let mut events = run.tool_ends(id, ToolOutcome::Denied, None, said);
    let text = domain::head(said, 1000);
    events.push(AgentEvent::Blocker(Blocker { what: BlockerKind::Permission, text, resets_at: None, path }));
    events
}

fn error(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    let text = text_at(value, "/message").unwrap_or_default();
    if text_at(value, "/severity") == Some("error") {
        return vec![run.fails(class_of(text), text)];
    }
    vec![note(text.to_owned())]
}

fn class_of(text: &str) -> Class {
    failure::of_text(domain::Dialect::Gemini, text).unwrap_or(Class::Crashed)
}

fn result(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    let stats = |field: &str| number(value, &format!("/stats/{field}"));
    let (all, cached) = (stats("input_tokens"), stats("cached"));
    run.told.usage =
        Usage { input: all.saturating_sub(cached), output: stats("output_tokens"), cached, cost_usd: None };
    let well = text_at(value, "/status") == Some("success");
    run.told.answer = crate::clean(&run.told.answer);
    run.told.terminal = Some(well);
    let mut events = Vec::new();
    if !well {
        let text = text_at(value, "/error/message").unwrap_or_default();
        let limit = text_at(value, "/error/type") == Some("FatalTurnLimitedError");
        if limit || run.fault_class().is_none() {
            let class = if limit { Class::CliLimit } else { class_of(text) };
            events.push(run.fails(class, text));
        }
    }
    let what = if well { StatusKind::TurnDone } else { StatusKind::Note };
    let text = if well { String::new() } else { "the turn ended with an error".to_owned() };
    events.push(AgentEvent::Status(Status {
        what,
        text,
        session: None,
        model: None,
        usage: Some(run.told.usage),
    }));
    events
}

/// What `--output-format json` prints at the end, on stdout or, with an error, on stderr.
pub(crate) fn document(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    if let Some(session) = text_at(value, "/session_id") {
        run.told.session = Some(session.to_owned());
    }
    let models = value.pointer("/stats/models").and_then(Value::as_object);
    for (name, model) in models.into_iter().flatten() {
        run.told.model.get_or_insert_with(|| name.clone());
        let spent = &mut run.told.usage;
        let cached = number(model, "/tokens/cached");
        spent.input = spent.input.saturating_add(number(model, "/tokens/prompt").saturating_sub(cached));
        spent.output = spent.output.saturating_add(number(model, "/tokens/candidates"));
        spent.cached = spent.cached.saturating_add(cached);
    }
    if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
        run.told.terminal = Some(false);
        let text = text_at(error, "/message").unwrap_or_default();
        let class = if text_at(error, "/type") == Some("FatalTurnLimitedError") {
            Class::CliLimit
        } else {
            failure::of_text(domain::Dialect::Gemini, text)
                .or_else(|| failure::of_gemini_exit(i32::try_from(number(error, "/code")).unwrap_or(1)))
                .unwrap_or(Class::Crashed)
        };
        return vec![run.fails(class, text)];
    }
    run.told.terminal = Some(true);
    run.told.answer = text_at(value, "/response").unwrap_or_default().to_owned();
    let mut events = run.words(&run.told.answer.clone());
    for warning in value.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        events.push(note(warning.as_str().map_or_else(|| warning.to_string(), str::to_owned)));
    }
    events.push(AgentEvent::Status(Status {
        what: StatusKind::TurnDone,
        text: String::new(),
        session: run.told.session.clone(),
        model: run.told.model.clone(),
        usage: Some(run.told.usage),
    }));
    events
}
