//! The smallest client of the orchestrator's MCP server: starts it, calls tools, reads their text.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A running server.
pub(crate) struct Mcp {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    calls: u64,
}

impl Mcp {
    /// Starts the server and greets it.
    pub(crate) fn start(program: &str, args: &[String]) -> io::Result<Self> {
        let mut command = Command::new(program);
        let mut child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the MCP server has no pipes"));
        };
        let mut mcp = Self { child, to, from: BufReader::new(from), calls: 0 };
        mcp.request(
            "initialize",
            &json!({
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": { "name": "demo-agent", "version": env!("CARGO_PKG_VERSION") },
            }),
        )?;
        mcp.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        Ok(mcp)
    }

    /// Calls a tool and waits for its text, however long that takes. The flag says whether the tool called it an error.
    pub(crate) fn call(&mut self, tool: &str, input: &Value) -> io::Result<(String, bool)> {
        let result = self.request("tools/call", &json!({ "name": tool, "arguments": input }))?;
        let text = result.pointer("/content/0/text").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok((text, result.pointer("/isError").and_then(Value::as_bool).unwrap_or_default()))
    }

    fn request(&mut self, method: &str, params: &Value) -> io::Result<Value> {
        self.calls += 1;
        let id = self.calls;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        loop {
            let mut line = String::new();
            if self.from.read_line(&mut line)? == 0 {
                return Err(io::Error::other("the MCP server left"));
            }
            let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
            if message.get("id").and_then(Value::as_u64) != Some(id) {
                continue;
            }
            if let Some(error) = message.get("error") {
                return Err(io::Error::other(error.to_string()));
            }
            return Ok(message.get("result").cloned().unwrap_or_default());
        }
    }

    fn send(&mut self, message: &Value) -> io::Result<()> {
        writeln!(self.to, "{message}")?;
        self.to.flush()
    }
}

impl Drop for Mcp {
    fn drop(&mut self) {
        // It is of no use any more, and may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
