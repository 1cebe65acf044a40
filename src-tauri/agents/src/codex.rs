//! OpenAI Codex, `codex exec --json`.

use domain::{AgentEvent, Status, StatusKind, ToolOutcome, Usage};
use serde_json::{Value, json};

use crate::failure::{self, Class};
use crate::hook;
use crate::launch::{Dialected, LaunchRequest, MCP_SERVER, TOOL_PATIENCE_S, words};
use crate::run::{Kind, Run, Tool, fingerprint, first_of, note, number, text_at};

pub(crate) fn flags(request: &LaunchRequest<'_>) -> Dialected {
    let mut args = words(&["exec", "--json", "--dangerously-bypass-approvals-and-sandbox"]);
    if request.skip_git_check {
        args.push("--skip-git-repo-check".to_owned());
    }
    args.extend(["-C".to_owned(), request.cwd.to_string_lossy().into_owned()]);
    // Without it codex waits for a network for ever, whatever the retry limits say (measured).
    args.extend(words(&["--disable", "unbounded_connection_retries"]));
    args.extend(words(&["-c", "tools.update_plan.enabled=true"]));
    args.extend(words(&["-c", "check_for_update_on_startup=false", "-c", "analytics.enabled=false"]));
    // Of a project that is not trusted codex loads nothing. Said for this folder it counts whatever the user once said in
    // codex of the repository.
    let trust = if request.project.load { "trusted" } else { "untrusted" };
    let cwd = json!(request.cwd.to_string_lossy());
    args.extend(["-c".to_owned(), format!("projects={{{cwd}={{trust_level=\"{trust}\"}}}}")]);
    for directory in request.extra_dirs {
        args.extend(["--add-dir".to_owned(), directory.clone()]);
    }
    let mut files = Vec::new();
    if let Some(server) = request.mcp {
        // JSON strings and arrays of strings are TOML as well.
        let (command, tool_args) = (json!(server.program), json!(server.args));
        args.extend([
            "-c".to_owned(),
            format!(
                "mcp_servers.{MCP_SERVER}={{command={command},args={tool_args},\
                 startup_timeout_sec=30,tool_timeout_sec={TOOL_PATIENCE_S}}}"
            ),
        ]);
    }
    args.extend(request.hook.map(hook::codex_overrides).unwrap_or_default());
    if let Some(shape) = request.shape {
        let path = request.files.join("answer.schema.json");
        args.extend(["--output-schema".to_owned(), path.to_string_lossy().into_owned()]);
        files.push((path, shape.schema().to_string()));
    }
    if let Some(model) = &request.settings.model {
        args.extend(["-m".to_owned(), model.clone()]);
    }
    args.extend(request.settings.args.iter().cloned());
    // An id that is no UUID would silently begin a new thread (measured), and flags after `resume` are refused.
    if let Some(session) = request.resume.filter(|id| is_uuid(id)) {
        args.extend(["resume".to_owned(), session.to_owned()]);
    }
    args.push("-".to_owned());
    Dialected { args, env: Vec::new(), files }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

pub(crate) fn read(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    match text_at(value, "/type").unwrap_or_default() {
        "thread.started" => {
            run.told.session = text_at(value, "/thread_id").map(str::to_owned);
            let session = run.told.session.clone();
            let text = "codex".to_owned();
            vec![AgentEvent::Status(Status {
                what: StatusKind::Started,
                text,
                session,
                model: None,
                usage: None,
            })]
        }
        "turn.started" => vec![status(StatusKind::TurnStarted, String::new(), None)],
        "turn.completed" => {
            run.told.terminal = Some(true);
            spend(run, value);
            if failure::is_object(&run.told.answer) {
                run.told.structured = Some(run.told.answer.trim().to_owned());
            }
            vec![status(StatusKind::TurnDone, String::new(), Some(run.told.usage))]
        }
        "turn.failed" => {
            run.told.terminal = Some(false);
            let text = text_at(value, "/error/message").unwrap_or("the turn failed");
            vec![run.fails(class_of(text), text)]
        }
        // Retries and notices; whether it was fatal only `turn.failed` tells.
        "error" => {
            let text = text_at(value, "/message").unwrap_or_default();
            let what = if text.starts_with("Reconnecting") {
                run.retrying(class_of(text), text);
                StatusKind::Retrying
            } else {
                StatusKind::Note
            };
            vec![status(what, text.to_owned(), None)]
        }
        "item.started" | "item.updated" | "item.completed" => item(run, value),
        other => vec![note(format!("an event that is new to us: {other}"))],
    }
}

fn class_of(text: &str) -> Class {
    failure::of_text(domain::Dialect::Codex, text).unwrap_or(Class::Crashed)
}

fn item(run: &mut Run, value: &Value) -> Vec<AgentEvent> {
    let Some(item) = value.get("item") else {
        return vec![note("an item without content".to_owned())];
    };
    let phase = text_at(value, "/type").unwrap_or_default().trim_start_matches("item.");
    let text = text_at(item, "/text").unwrap_or_default();
    run.alive();
    match text_at(item, "/type").unwrap_or_default() {
        "agent_message" if phase == "completed" => {
            run.told.answer = text.to_owned();
            run.words(text)
        }
        "reasoning" if phase == "completed" => run.thought(text),
        "agent_message" | "reasoning" => vec![status(StatusKind::Heartbeat, String::new(), None)],
        "command_execution" => {
            let command = text_at(item, "/command").unwrap_or_default();
            let tool = Tool {
                name: "command_execution".to_owned(),
                kind: Kind::Runs,
                command: Some(command.to_owned()),
                file: None,
                text: command.to_owned(),
                args: fingerprint(item.get("command")),
            };
            call(run, item, phase, tool, text_at(item, "/aggregated_output").unwrap_or_default())
        }
        "file_change" => file_change(run, item, phase),
        "todo_list" => {
            run.todos.clear();
            let list = item.get("items").and_then(Value::as_array);
            for (at, entry) in list.into_iter().flatten().enumerate() {
                let done = entry.get("completed").and_then(Value::as_bool).unwrap_or_default();
                run.todo(&at.to_string(), text_at(entry, "/text").unwrap_or_default(), done);
            }
            vec![run.todo_list()]
        }
        kind @ ("mcp_tool_call" | "collab_tool_call" | "web_search") => {
            let tool = text_at(item, "/tool").unwrap_or(kind);
            let name = text_at(item, "/server").map_or(tool.to_owned(), |server| format!("{server}.{tool}"));
            let text = first_of(item, &["/query", "/prompt", "/arguments/text"]).to_owned();
            let output = first_of(item, &["/error/message", "/error", "/result/content/0/text"]);
            let args = fingerprint(item.get("arguments"));
            let tool = Tool { name, kind: Kind::Other, command: None, file: None, text, args };
            call(run, item, phase, tool, output)
        }
        "error" => vec![note(text_at(item, "/message").unwrap_or_default().to_owned())],
        other => vec![note(format!("an item that is new to us: {other}"))],
    }
}

/// An item that begins and ends, as a tool call.
fn call(run: &mut Run, item: &Value, phase: &str, tool: Tool, output: &str) -> Vec<AgentEvent> {
    let id = text_at(item, "/id").unwrap_or_default();
    match phase {
        "started" => vec![run.tool_starts(id, tool)],
        "updated" => vec![status(StatusKind::Heartbeat, tool.text, None)],
        _ => {
            let mut events = Vec::new();
            if !run.knows_tool(id) {
                events.push(run.tool_starts(id, tool));
            }
            let outcome = match text_at(item, "/status") {
                Some("failed") => ToolOutcome::Failed,
                Some("declined") => {
                    run.deny(id, None, None, false, "a tool was declined");
                    ToolOutcome::Denied
                }
                Some(_) | None => ToolOutcome::Ok,
            };
            let exit =
                item.get("exit_code").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
            events.extend(run.tool_ends(id, outcome, exit, output));
            events
        }
    }
}

fn file_change(run: &mut Run, item: &Value, phase: &str) -> Vec<AgentEvent> {
    let list = item.get("changes").and_then(Value::as_array);
    let paths: Vec<&str> = list.into_iter().flatten().filter_map(|change| text_at(change, "/path")).collect();
    let tool = Tool {
        name: "file_change".to_owned(),
        kind: Kind::Other,
        command: None,
        file: paths.first().map(|path| (*path).to_owned()),
        text: paths.join(", "),
        args: fingerprint(item.get("changes")),
    };
    let done = phase == "completed" && text_at(item, "/status") == Some("completed");
    let mut events = call(run, item, phase, tool, "");
    if done {
        events.extend(paths.into_iter().map(|path| run.changed(path)));
    }
    events
}

/// codex adds its tokens up over the whole thread, also across `resume` (measured: 2,400, 3,600, 4,800 …);
/// `input_tokens` contain the cached ones.
fn spend(run: &mut Run, value: &Value) {
    let (input, cached) = (number(value, "/usage/input_tokens"), number(value, "/usage/cached_input_tokens"));
    run.told.usage = Usage {
        input: input.saturating_sub(cached).saturating_sub(run.before.input),
        output: number(value, "/usage/output_tokens").saturating_sub(run.before.output),
        cached: cached.saturating_sub(run.before.cached),
        cost_usd: None,
    };
}

fn status(what: StatusKind, text: String, usage: Option<Usage>) -> AgentEvent {
    AgentEvent::Status(Status { what, text, session: None, model: None, usage })
}
