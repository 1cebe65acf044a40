//! How a step of a scenario becomes a call of the tools that a CLI offers.

use regex::Regex;
use serde_json::{Value, json};

use super::asked::{Api, Asked, Tool};
use super::scenario::Step;

/// Name of the product's MCP server in the CLIs' configuration.
const MCP_SERVER: &str = "orchestrator";

/// A tool call of the model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    /// The tool's name.
    pub name: String,
    /// OpenAI: its namespace.
    pub namespace: Option<String>,
    /// What it is called with.
    pub input: Input,
}

/// What a tool is called with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Input {
    /// Arguments of a function.
    Arguments(Value),
    /// Free-form text.
    Text(String),
}

/// What a step comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Deed {
    /// A call.
    Call(Call),
    /// Words of the answer.
    Words(String),
}

impl Call {
    fn new(name: &str, arguments: Value) -> Self {
        Self { name: name.to_owned(), namespace: None, input: Input::Arguments(arguments) }
    }

    fn text(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), namespace: None, input: Input::Text(text) }
    }
}

/// What a step comes to for the CLI that asked; `folder` is where it works.
pub(super) fn deed(step: &Step, asked: &Asked, folder: &str) -> Deed {
    Deed::Call(match step {
        Step::Write { path, content } => write(asked, folder, path, content),
        Step::Read(path) => read(asked, folder, path),
        Step::Run(command) => run(asked, command),
        Step::Mcp { tool, input } => mcp(asked, tool, input),
        Step::Structured(value) if asked.api == Api::Anthropic => {
            Call::new("StructuredOutput", value.clone())
        }
        Step::Structured(value) => return Deed::Words(value.to_string()),
        Step::Tool { name, input, custom, namespace } => {
            let found = name.strip_prefix('~').map(|pattern| (pattern, offered(asked, pattern)));
            let (name, found) = found.map_or((name.as_str(), None), |(pattern, tool)| (pattern, tool));
            let input = custom.clone().map_or_else(|| Input::Arguments(input.clone()), Input::Text);
            Call {
                name: found.map_or(name, |tool| &tool.name).to_owned(),
                namespace: found.map_or_else(|| namespace.clone(), |tool| tool.namespace.clone()),
                input,
            }
        }
    })
}

/// The first offered tool whose name matches.
pub(super) fn offered<'a>(asked: &'a Asked, pattern: &str) -> Option<&'a Tool> {
    let pattern = Regex::new(pattern).ok()?;
    asked.tools.iter().find(|tool| pattern.is_match(&tool.name))
}

fn has(asked: &Asked, name: &str) -> bool {
    asked.tools.iter().any(|tool| tool.name == name)
}

/// Newer models of codex run one JavaScript tool that calls the others.
fn in_code_mode(asked: &Asked) -> bool {
    has(asked, "exec") && !has(asked, "exec_command")
}

fn absolute(folder: &str, path: &str) -> String {
    if path.starts_with('/') || folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

fn write(asked: &Asked, folder: &str, path: &str, content: &str) -> Call {
    match asked.api {
        Api::Anthropic => {
            Call::new("Write", json!({"file_path": absolute(folder, path), "content": content}))
        }
        Api::Gemini => {
            Call::new("write_file", json!({"file_path": absolute(folder, path), "content": content}))
        }
        Api::Openai => {
            let added: String = content.lines().map(|line| format!("+{line}\n")).collect();
            let patch = format!("*** Begin Patch\n*** Add File: {path}\n{added}*** End Patch\n");
            if in_code_mode(asked) {
                let patch = Value::String(patch);
                return Call::text("exec", format!("await tools.apply_patch({patch}); text('ok');"));
            }
            Call::text("apply_patch", patch)
        }
    }
}

fn read(asked: &Asked, folder: &str, path: &str) -> Call {
    match asked.api {
        Api::Anthropic => Call::new("Read", json!({"file_path": absolute(folder, path)})),
        Api::Gemini => Call::new("read_file", json!({"file_path": absolute(folder, path)})),
        Api::Openai => run(asked, &format!("cat -- '{path}'")),
    }
}

fn run(asked: &Asked, command: &str) -> Call {
    match asked.api {
        Api::Anthropic => Call::new("Bash", json!({"command": command, "description": "Run a command"})),
        Api::Gemini => {
            Call::new("run_shell_command", json!({"command": command, "description": "Run a command"}))
        }
        Api::Openai if in_code_mode(asked) => {
            let arguments = json!({"cmd": command});
            Call::text("exec", format!("const r = await tools.exec_command({arguments}); text(r);"))
        }
        Api::Openai => Call::new("exec_command", json!({"cmd": command})),
    }
}

/// Claude and codex may hide the tools of MCP servers behind a search; a call by the full name works all the same
/// (codex: measured; claude: with `ENABLE_TOOL_SEARCH=0` they are offered at once).
fn mcp(asked: &Asked, tool: &str, input: &Value) -> Call {
    let pattern = format!("(^|_){}$", regex::escape(tool));
    if let Some(found) = offered(asked, &pattern) {
        let input = Input::Arguments(input.clone());
        return Call { name: found.name.clone(), namespace: found.namespace.clone(), input };
    }
    match asked.api {
        Api::Anthropic => Call::new(&format!("mcp__{MCP_SERVER}__{tool}"), input.clone()),
        Api::Gemini => Call::new(&format!("mcp_{MCP_SERVER}_{tool}"), input.clone()),
        Api::Openai if in_code_mode(asked) => {
            let name = format!("mcp__{MCP_SERVER}__{tool}");
            Call::text("exec", format!("const r = await tools.{name}({input}); text(r);"))
        }
        Api::Openai => {
            Call { namespace: Some(format!("mcp__{MCP_SERVER}")), ..Call::new(tool, input.clone()) }
        }
    }
}
