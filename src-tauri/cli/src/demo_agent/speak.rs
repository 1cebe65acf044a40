//! Speaks the dialects: the same deeds, in each CLI's own words. The shapes are those of the recordings in
//! `agents/tests/fixtures`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};

use domain::Dialect;
use serde_json::{Value, json};

use super::flags::Flags;
use super::script::FaultKind;

/// Shown wherever a model's name would stand.
const MODEL: &str = "demo agent, no AI";

/// What an agent does with a tool.
pub(crate) enum Deed<'a> {
    Read { path: &'a str },
    Write { path: &'a str, text: &'a str },
    Run { command: &'a str },
    Call { tool: &'a str, input: &'a Value },
}

/// How a deed went.
pub(crate) struct Outcome {
    pub(crate) output: String,
    /// 0 is well.
    pub(crate) status: i32,
}

/// One agent's stream.
pub(crate) struct Voice<W> {
    out: W,
    dialect: Dialect,
    session: String,
    cwd: String,
    steps: u64,
    todo: Option<u64>,
    answer: String,
    structured: Option<Value>,
    pub(crate) usage: (u64, u64, f64),
}

impl<W: Write> Voice<W> {
    pub(crate) fn new(flags: &Flags, out: W) -> Self {
        Self {
            out,
            dialect: flags.dialect,
            session: flags.resume.clone().unwrap_or_else(session_id),
            cwd: flags.cwd.to_string_lossy().into_owned(),
            steps: 0,
            todo: None,
            answer: String::new(),
            structured: None,
            usage: (0, 0, 0.0),
        }
    }

    /// One line as it is.
    pub(crate) fn raw(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// Bytes without a newline.
    pub(crate) fn endless(&mut self, bytes: u64) -> io::Result<()> {
        io::copy(&mut io::Read::take(io::repeat(b'x'), bytes), &mut self.out)?;
        self.out.flush()
    }

    fn event(&mut self, event: &Value) -> io::Result<()> {
        self.raw(&event.to_string())
    }

    fn next(&mut self) -> u64 {
        self.steps += 1;
        self.steps
    }

    pub(crate) fn begin(&mut self, prompt: &str) -> io::Result<()> {
        let (session, cwd) = (self.session.clone(), self.cwd.clone());
        match self.dialect {
            Dialect::Claude => self.event(&json!({
                "type": "system", "subtype": "init", "cwd": cwd, "session_id": session, "tools": [],
                "mcp_servers": [], "model": MODEL, "permissionMode": "bypassPermissions",
                "claude_code_version": "demo", "apiKeySource": "none",
            })),
            Dialect::Codex => {
                self.event(&json!({ "type": "thread.started", "thread_id": session }))?;
                self.event(&json!({ "type": "turn.started" }))
            }
            Dialect::Gemini => {
                self.event(&json!({ "type": "init", "session_id": session, "model": MODEL }))?;
                self.event(&json!({ "type": "message", "role": "user", "content": prompt }))
            }
        }
    }

    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        self.answer = text.to_owned();
        match self.dialect {
            Dialect::Claude => self.block(&json!({ "type": "text", "text": text })),
            Dialect::Codex => self.item("item.completed", json!({ "type": "agent_message", "text": text })),
            Dialect::Gemini => {
                // The real one cuts its words anywhere.
                let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
                for piece in [&text[..half], &text[half..], "\n"] {
                    self.event(
                        &json!({ "type": "message", "role": "assistant", "content": piece, "delta": true }),
                    )?;
                }
                Ok(())
            }
        }
    }

    pub(crate) fn think(&mut self, text: &str) -> io::Result<()> {
        match self.dialect {
            Dialect::Claude => self.block(&json!({ "type": "thinking", "thinking": text, "signature": "" })),
            Dialect::Codex => self.item("item.completed", json!({ "type": "reasoning", "text": text })),
            // gemini prints no thoughts.
            Dialect::Gemini => Ok(()),
        }
    }

    /// One content block of claude's assistant.
    fn block(&mut self, block: &Value) -> io::Result<()> {
        let session = self.session.clone();
        self.event(&json!({
            "type": "assistant", "session_id": session, "parent_tool_use_id": null,
            "message": { "role": "assistant", "model": MODEL, "content": [block] },
        }))
    }

    /// One new item of codex.
    fn item(&mut self, phase: &str, mut item: Value) -> io::Result<()> {
        let id = self.next();
        item["id"] = json!(format!("item_{id}"));
        self.event(&json!({ "type": phase, "item": item }))
    }

    pub(crate) fn todo(&mut self, items: &[(String, bool)]) -> io::Result<()> {
        let list = |text: &str, state: &str| -> Value {
            let entry = |(words, done): &(String, bool)| {
                let state_word = if *done { "completed" } else { "pending" };
                json!({ text: words, state: state_word })
            };
            items.iter().map(entry).collect()
        };
        match self.dialect {
            Dialect::Claude => {
                let id = format!("toolu_demo_{}", self.next());
                let input = json!({ "todos": list("content", "status") });
                self.block(&json!({ "type": "tool_use", "id": id, "name": "TodoWrite", "input": input }))?;
                self.claude_result(&id, "Todos have been modified successfully.", false, &Value::Null)
            }
            Dialect::Codex => {
                let first = self.todo.is_none();
                let id = match self.todo {
                    Some(id) => id,
                    None => self.next(),
                };
                self.todo = Some(id);
                let entry = |(words, done): &(String, bool)| json!({ "text": words, "completed": done });
                let entries: Vec<Value> = items.iter().map(entry).collect();
                let phase = if first { "item.started" } else { "item.updated" };
                self.event(&json!({ "type": phase, "item": {
                    "id": format!("item_{id}"), "type": "todo_list", "items": entries,
                }}))
            }
            Dialect::Gemini => {
                let id = format!("write_todos_{}", self.next());
                let parameters = json!({ "todos": list("description", "status") });
                self.event(&json!({
                    "type": "tool_use", "tool_name": "write_todos", "tool_id": id, "parameters": parameters,
                }))?;
                self.event(&json!({ "type": "tool_result", "tool_id": id, "status": "success" }))
            }
        }
    }

    /// A tool call begins; gives the id that its end needs.
    pub(crate) fn starts(&mut self, deed: &Deed<'_>) -> io::Result<String> {
        let count = self.next();
        match self.dialect {
            Dialect::Claude => {
                let id = format!("toolu_demo_{count}");
                let (name, input) = match deed {
                    Deed::Read { path } => ("Read".to_owned(), json!({ "file_path": path })),
                    Deed::Write { path, text } => {
                        ("Write".to_owned(), json!({ "file_path": path, "content": text }))
                    }
                    Deed::Run { command } => {
                        ("Bash".to_owned(), json!({ "command": command, "description": "runs it" }))
                    }
                    Deed::Call { tool, input } => {
                        (format!("mcp__{}__{tool}", agents::MCP_SERVER), (*input).clone())
                    }
                };
                self.block(&json!({ "type": "tool_use", "id": id, "name": name, "input": input }))?;
                Ok(id)
            }
            Dialect::Codex => {
                let id = format!("item_{count}");
                let item = codex_item(&id, deed, None);
                self.event(&json!({ "type": "item.started", "item": item }))?;
                Ok(id)
            }
            Dialect::Gemini => {
                let (name, parameters) = match deed {
                    Deed::Read { path } => ("read_file".to_owned(), json!({ "file_path": path })),
                    Deed::Write { path, text } => {
                        ("write_file".to_owned(), json!({ "file_path": path, "content": text }))
                    }
                    Deed::Run { command } => (
                        "run_shell_command".to_owned(),
                        json!({ "command": command, "description": "runs it" }),
                    ),
                    Deed::Call { tool, input } => {
                        (format!("mcp_{}_{tool}", agents::MCP_SERVER), (*input).clone())
                    }
                };
                let id = format!("{name}__{count}");
                self.event(
                    &json!({ "type": "tool_use", "tool_name": name, "tool_id": id, "parameters": parameters }),
                )?;
                Ok(id)
            }
        }
    }

    /// A tool call ends.
    pub(crate) fn ends(&mut self, id: &str, deed: &Deed<'_>, outcome: &Outcome) -> io::Result<()> {
        let Outcome { output, status } = outcome;
        let well = *status == 0;
        match self.dialect {
            Dialect::Claude => {
                let told = match deed {
                    Deed::Write { path, .. } if well => json!({ "type": "create", "filePath": path }),
                    Deed::Read { .. } | Deed::Write { .. } | Deed::Run { .. } | Deed::Call { .. } => {
                        Value::Null
                    }
                };
                let text = match deed {
                    Deed::Run { .. } if !well => format!("Exit code {status}\n{output}"),
                    Deed::Read { .. } | Deed::Write { .. } | Deed::Run { .. } | Deed::Call { .. } => {
                        output.clone()
                    }
                };
                self.claude_result(id, &text, !well, &told)
            }
            Dialect::Codex => {
                let item = codex_item(id, deed, Some(outcome));
                self.event(&json!({ "type": "item.completed", "item": item }))
            }
            // gemini calls a failed command a success, and tells no exit status.
            Dialect::Gemini if well || matches!(deed, Deed::Run { .. }) => self.event(
                &json!({ "type": "tool_result", "tool_id": id, "status": "success", "output": output }),
            ),
            Dialect::Gemini => self.gemini_refusal(id, "unknown", output),
        }
    }

    fn claude_result(&mut self, id: &str, text: &str, failed: bool, told: &Value) -> io::Result<()> {
        let session = self.session.clone();
        self.event(&json!({
            "type": "user", "session_id": session, "parent_tool_use_id": null, "tool_use_result": told,
            "message": { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": id, "content": text, "is_error": failed },
            ]},
        }))
    }

    fn gemini_refusal(&mut self, id: &str, kind: &str, text: &str) -> io::Result<()> {
        self.event(&json!({
            "type": "tool_result", "tool_id": id, "status": "error", "output": text,
            "error": { "type": kind, "message": text },
        }))
    }

    /// The final answer by schema, in the way of the CLI: claude's own tool, codex's last words, gemini's fenced block.
    pub(crate) fn answer(&mut self, answer: &Value, schema: bool) -> io::Result<()> {
        match self.dialect {
            Dialect::Claude if schema => {
                let id = format!("toolu_demo_{}", self.next());
                self.block(
                    &json!({ "type": "tool_use", "id": id, "name": "StructuredOutput", "input": answer }),
                )?;
                self.claude_result(&id, "Structured output provided successfully", false, &Value::Null)?;
                self.answer = answer.to_string();
                self.structured = Some(answer.clone());
                Ok(())
            }
            Dialect::Codex if schema => self.say(&answer.to_string()),
            Dialect::Claude | Dialect::Codex | Dialect::Gemini => {
                self.say(&format!("My answer:\n```json\n{answer:#}\n```"))
            }
        }
    }

    /// The turn ends well.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        let (input, output, cost) = self.usage;
        match self.dialect {
            Dialect::Claude => {
                let (session, answer, structured) =
                    (self.session.clone(), self.answer.clone(), self.structured.clone());
                self.event(&json!({
                    "type": "result", "subtype": "success", "is_error": false, "num_turns": 1,
                    "result": answer, "structured_output": structured, "terminal_reason": "completed",
                    "session_id": session, "total_cost_usd": cost, "permission_denials": [],
                    "usage": { "input_tokens": input, "output_tokens": output },
                    "model_usage_since_last_result": { MODEL: { "costUSD": cost } },
                }))
            }
            Dialect::Codex => self.event(&json!({ "type": "turn.completed", "usage": {
                "input_tokens": input, "cached_input_tokens": 0, "output_tokens": output,
                "reasoning_output_tokens": 0,
            }})),
            Dialect::Gemini => self.event(&json!({ "type": "result", "status": "success", "stats": {
                "total_tokens": input + output, "input_tokens": input, "output_tokens": output, "cached": 0,
            }})),
        }
    }

    /// A path is refused; the turn goes on.
    pub(crate) fn outside(&mut self, path: &str) -> io::Result<()> {
        let deed = Deed::Read { path };
        let id = self.starts(&deed)?;
        match self.dialect {
            Dialect::Claude => {
                let text = format!(
                    "Claude requested permissions to read from {path}, but you haven't granted it yet."
                );
                let session = self.session.clone();
                self.event(&json!({
                    "type": "system", "subtype": "permission_denied", "tool_name": "Read", "tool_use_id": id,
                    "decision_reason_type": "workingDir", "session_id": session, "message": text,
                    "decision_reason": "Path is outside allowed working directories",
                }))?;
                self.claude_result(&id, &text, true, &Value::Null)
            }
            Dialect::Codex => {
                let output = format!("{path}: Permission denied");
                self.ends(&id, &deed, &Outcome { output, status: 1 })
            }
            Dialect::Gemini => {
                let text = format!(
                    "Path not in workspace: Attempted path \"{path}\" resolves outside the allowed workspace directories: {}",
                    self.cwd
                );
                self.gemini_refusal(&id, "invalid_tool_params", &text)
            }
        }
    }

    /// The turn fails as it does with the real CLI. Gives the exit status.
    pub(crate) fn fail(&mut self, kind: FaultKind, resets_at: Option<i64>) -> io::Result<i32> {
        let session = self.session.clone();
        match self.dialect {
            Dialect::Claude => {
                let (word, status, text) = claude_fault(kind);
                if let Some(at) = resets_at {
                    self.event(
                        &json!({ "type": "rate_limit_event", "session_id": session, "rate_limit_info": {
                            "status": "rejected", "resetsAt": at, "rateLimitType": "five_hour",
                        }}),
                    )?;
                }
                let connection = (kind == FaultKind::Network).then_some("connection_failed");
                self.event(&json!({
                    "type": "assistant", "session_id": session, "parent_tool_use_id": null, "error": word,
                    "is_api_error_message": true, "api_error_status": status, "api_error": connection,
                    "message": { "role": "assistant", "model": "<synthetic>", "content": [
                        { "type": "text", "text": text },
                    ]},
                }))?;
                let reason = if kind == FaultKind::ContextFull { "prompt_too_long" } else { "api_error" };
                self.event(&json!({
                    "type": "result", "subtype": "success", "is_error": true, "result": text,
                    "terminal_reason": reason, "api_error_status": status, "session_id": session,
                    "permission_denials": [], "usage": {},
                }))?;
                Ok(1)
            }
            Dialect::Codex => {
                let text = codex_fault(kind);
                self.event(&json!({ "type": "error", "message": text }))?;
                self.event(&json!({ "type": "turn.failed", "error": { "message": text } }))?;
                Ok(1)
            }
            Dialect::Gemini => {
                let (status, text) = gemini_fault(kind);
                let error = json!({ "type": "unknown", "message": text });
                self.event(&json!({ "type": "result", "status": "error", "error": error, "stats": {} }))?;
                Ok(status)
            }
        }
    }
}

fn codex_item(id: &str, deed: &Deed<'_>, outcome: Option<&Outcome>) -> Value {
    let status =
        outcome.map_or("in_progress", |outcome| if outcome.status == 0 { "completed" } else { "failed" });
    let output = outcome.map(|outcome| outcome.output.as_str());
    let run = |command: &str| {
        json!({
            "id": id, "type": "command_execution", "command": command, "status": status,
            "aggregated_output": output.unwrap_or_default(), "exit_code": outcome.map(|outcome| outcome.status),
        })
    };
    match deed {
        // codex reads by commands.
        Deed::Read { path } => run(&format!("cat {path}")),
        Deed::Run { command } => run(command),
        Deed::Write { path, .. } => json!({
            "id": id, "type": "file_change", "status": status, "changes": [{ "path": path, "kind": "add" }],
        }),
        Deed::Call { tool, input } => json!({
            "id": id, "type": "mcp_tool_call", "server": agents::MCP_SERVER, "tool": tool, "arguments": input,
            "result": output.map(|text| json!({ "content": [{ "type": "text", "text": text }] })),
            "error": null, "status": status,
        }),
    }
}

fn claude_fault(kind: FaultKind) -> (&'static str, Option<u16>, &'static str) {
    match kind {
        FaultKind::NotSignedIn | FaultKind::OutsideWorkspace | FaultKind::NotGitRepository => {
            ("authentication_failed", None, "Not logged in · Please run /login")
        }
        FaultKind::Billing => ("billing_error", Some(400), "Credit balance is too low"),
        FaultKind::RateLimited => ("rate_limit", Some(429), "You've hit your 5-hour limit"),
        FaultKind::Overloaded => ("server_error", Some(529), "API Error: Repeated 529 Overloaded errors."),
        FaultKind::Network => ("server_error", None, "API Error: Connection refused (ECONNREFUSED)"),
        FaultKind::ContextFull => ("invalid_request", Some(400), "Prompt is too long"),
        FaultKind::Model => ("model_not_found", Some(404), "There's an issue with the selected model."),
        FaultKind::Refused => ("unknown", Some(400), "API Error: blocked by safeguards"),
    }
}

fn codex_fault(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::NotSignedIn | FaultKind::OutsideWorkspace | FaultKind::NotGitRepository => {
            "unexpected status 401 Unauthorized: Missing bearer authentication"
        }
        FaultKind::Billing => "Quota exceeded. Check your plan and billing details.",
        FaultKind::RateLimited => "You’ve hit your usage limit. Try again later.",
        FaultKind::Overloaded => "Selected model is at capacity. Please try a different model.",
        FaultKind::Network => "Connection failed: error sending request",
        FaultKind::ContextFull => "Codex ran out of room in the model's context window.",
        FaultKind::Model => "The model does not exist",
        FaultKind::Refused => "The request was blocked by safeguards.",
    }
}

/// gemini leaves with the HTTP status modulo 256.
fn gemini_fault(kind: FaultKind) -> (i32, &'static str) {
    match kind {
        FaultKind::NotSignedIn | FaultKind::OutsideWorkspace | FaultKind::NotGitRepository => {
            (145, "[API Error: {\"error\":{\"code\":401,\"message\":\"API key not valid\"}}]")
        }
        FaultKind::Billing => (173, "[API Error: Quota exceeded. Check your plan and billing details.]"),
        FaultKind::RateLimited => (173, "[API Error: You have exhausted your daily quota on this model.]"),
        FaultKind::Overloaded => (247, "[API Error: The model is overloaded. Please try again later.]"),
        FaultKind::Network => (1, "[API Error: exception TypeError: fetch failed sending request]"),
        FaultKind::ContextFull => (144, "[API Error: The input token count exceeds the maximum.]"),
        FaultKind::Model => (1, "[API Error: models/no-such is not found]"),
        FaultKind::Refused => (0, "The model response was blocked due to safety settings."),
    }
}

/// A random UUID; codex resumes nothing else.
fn session_id() -> String {
    let half = || RandomState::new().build_hasher().finish();
    let (high, low) = (half(), half());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
