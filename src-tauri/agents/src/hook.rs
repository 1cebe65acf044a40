//! Hooks of the CLIs: how ours is installed, what a CLI tells it, and how it answers (`docs/GUARD.md`).
//!
//! Measured with claude 2.1.329, codex 0.169.0 and gemini 0.61.0, with their dangerous flags on.

use domain::Dialect;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::run::text_at;

/// What the CLI starts before each command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Absolute path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Seconds that the CLI waits for it.
    pub patience_s: u64,
}

/// What a CLI asks a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The CLI starts: it has our hooks.
    Started,
    /// Whether a command may run.
    Command {
        /// The CLI's tool.
        tool: String,
        /// The command.
        command: String,
        /// Where, when the CLI says.
        cwd: Option<String>,
        /// The CLI's own permission prompt, which nobody could see.
        prompted: bool,
    },
    /// Nothing that concerns us.
    Nothing,
}

/// What a hook answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may run.
    Allowed,
    /// It may not, and why, for the model.
    Denied(String),
}

/// Reads what a CLI wrote to a hook's standard input.
///
/// # Errors
/// No JSON object, or a command that is no text.
pub fn read(text: &str) -> Result<Asked, String> {
    let value: Value = serde_json::from_str(text).map_err(|fault| fault.to_string())?;
    let event = text_at(&value, "/hook_event_name").ok_or("it names no event")?;
    let prompted = match event {
        "SessionStart" => return Ok(Asked::Started),
        "PreToolUse" | "BeforeTool" => false,
        "PermissionRequest" => true,
        _ => return Ok(Asked::Nothing),
    };
    let tool = text_at(&value, "/tool_name").ok_or("it names no tool")?.to_owned();
    let input = value.get("tool_input").unwrap_or(&Value::Null);
    let command = match input.get("command").or_else(|| input.get("cmd")) {
        Some(Value::String(command)) => command.clone(),
        Some(Value::Array(words)) => {
            let words: Option<Vec<&str>> = words.iter().map(Value::as_str).collect();
            words
                .ok_or("its command is no list of words")?
                .iter()
                .map(|word| quoted(word))
                .collect::<Vec<_>>()
                .join(" ")
        }
        // What is typed into a shell that runs already (codex).
        None if input.get("chars").is_some() => text_at(input, "/chars").unwrap_or_default().to_owned(),
        // No command, but a file, say: without a terminal the CLI refuses by its own rules, and the recovery table has the
        // folder given to it, or the user asked (`docs/RECOVERY.md`). A yes of ours would not reach behind the sandbox.
        None => return Ok(Asked::Nothing),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) => {
            return Err("its command is no text".to_owned());
        }
    };
    let base = text_at(&value, "/cwd").map(str::to_owned);
    let folder =
        ["dir_path", "directory", "workdir", "cwd"].iter().find_map(|name| input.get(name)?.as_str());
    let cwd = match (base, folder.filter(|folder| !folder.is_empty())) {
        (_, Some(folder)) if folder.starts_with('/') => Some(folder.to_owned()),
        (Some(base), Some(folder)) => Some(format!("{base}/{folder}")),
        (base, _) => base,
    };
    Ok(Asked::Command { tool, command, cwd, prompted })
}

/// What a hook prints, and its exit status. What is allowed is left to the CLI's own rules: they may be stricter.
#[must_use]
pub fn answer(dialect: Dialect, asked: &Asked, verdict: &Verdict) -> (String, u8) {
    let prompted = matches!(asked, Asked::Command { prompted: true, .. });
    let text = match (dialect, verdict) {
        (Dialect::Gemini, Verdict::Allowed) => json!({ "decision": "allow" }).to_string(),
        (Dialect::Gemini, Verdict::Denied(reason)) => {
            json!({ "decision": "deny", "reason": reason }).to_string()
        }
        (Dialect::Claude | Dialect::Codex, Verdict::Allowed) if prompted => {
            specific("PermissionRequest", json!({ "decision": { "behavior": "allow" } }))
        }
        (Dialect::Claude | Dialect::Codex, Verdict::Allowed) => String::new(),
        (Dialect::Claude | Dialect::Codex, Verdict::Denied(reason)) if prompted => {
            specific("PermissionRequest", json!({ "decision": { "behavior": "deny", "message": reason } }))
        }
        (Dialect::Claude | Dialect::Codex, Verdict::Denied(reason)) => specific(
            "PreToolUse",
            json!({ "permissionDecision": "deny", "permissionDecisionReason": reason }),
        ),
    };
    (text, 0)
}

fn specific(event: &str, mut output: Value) -> String {
    output["hookEventName"] = json!(event);
    json!({ "hookSpecificOutput": output }).to_string()
}

impl Hook {
    /// The command line for a POSIX shell: every CLI gives it to one.
    pub(crate) fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | ':' | ',' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Tools that run commands, by the names that claude's hooks match.
const CLAUDE_TOOLS: &str = "Bash|PowerShell|Monitor";

/// claude: a settings file of ours beside the user's (`--settings`). `onFailure`: since 2.1.295 a hook that cannot start,
/// or takes too long, blocks.
pub(crate) fn claude_settings(hook: &Hook) -> Value {
    let one = |timeout: u64| json!({ "type": "command", "command": hook.line(), "timeout": timeout, "onFailure": "block" });
    json!({
        "disableAllHooks": false,
        "hooks": {
            "PreToolUse": [{ "matcher": CLAUDE_TOOLS, "hooks": [one(hook.patience_s)] }],
            "PermissionRequest": [{ "matcher": "*", "hooks": [one(hook.patience_s)] }],
            "SessionStart": [{ "hooks": [{ "type": "command", "command": hook.line(), "timeout": START_S }] }],
        },
    })
}

/// gemini: hooks for the settings of its home. `command` is read from a variable, because all workers share the home.
pub(crate) fn gemini_hooks(hook: &Hook, variable: &str) -> Value {
    let one = |timeout: u64| json!({ "type": "command", "name": "orchestrate", "command": format!("${{{variable}}}"), "timeout": timeout * 1000 });
    json!({
        "BeforeTool": [{ "matcher": "run_shell_command", "hooks": [one(hook.patience_s)] }],
        "SessionStart": [{ "hooks": [one(START_S)] }],
    })
}

/// codex: overrides for its command line. A hook runs only when its hash is trusted; ours is trusted for this one run by
/// naming the hash (never by trusting every hook, which the repository may bring: THREATS T1).
pub(crate) fn codex_overrides(hook: &Hook) -> Vec<String> {
    let line = hook.line();
    let (mut all, mut state) = (Vec::new(), Vec::new());
    let events = [
        ("PreToolUse", "pre_tool_use", Some(CODEX_TOOLS), hook.patience_s),
        ("PermissionRequest", "permission_request", None, hook.patience_s),
        ("SessionStart", "session_start", None, START_S),
    ];
    for (event, key, matcher, timeout) in events {
        // JSON strings are TOML as well.
        let command = json!(line);
        let matches = matcher.map(|matcher| format!("matcher={},", json!(matcher))).unwrap_or_default();
        let handler = format!("{{type=\"command\",command={command},timeout={timeout}}}");
        all.push("-c".to_owned());
        all.push(format!("hooks.{event}=[{{{matches}hooks=[{handler}]}}]"));
        let name = json!(format!("{CODEX_SOURCE}:{key}:0:0"));
        state.push(format!("{name}={{trusted_hash=\"{}\"}}", codex_hash(key, matcher, &line, timeout)));
    }
    all.push("-c".to_owned());
    all.push(format!("hooks.state={{{}}}", state.join(",")));
    all
}

/// codex gives its tools that run commands this name in hooks.
const CODEX_TOOLS: &str = "^Bash$";
/// Seconds that a CLI waits at its start.
const START_S: u64 = 60;

/// What codex calls the command line among the places that hooks come from (measured: its app-server's `hooks/list`).
const CODEX_SOURCE: &str =
    if cfg!(windows) { r"C:\<session-flags>\config.toml" } else { "/<session-flags>/config.toml" };

/// codex's hash of a hook: SHA-256 of its definition as JSON with sorted keys.
fn codex_hash(event: &str, matcher: Option<&str>, command: &str, timeout: u64) -> String {
    let handler = json!({ "type": "command", "command": command, "timeout": timeout, "async": false });
    let mut identity = json!({ "event_name": event, "hooks": [handler] });
    if let Some(matcher) = matcher {
        identity["matcher"] = json!(matcher);
    }
    let digest = Sha256::digest(identity.to_string().as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_cli_tells_is_read() {
        let check = |text: &str, expected: Asked| assert_eq!(read(text), Ok(expected), "{text}");
        let command = |tool: &str, command: &str, cwd: &str, prompted: bool| Asked::Command {
            tool: tool.to_owned(),
            command: command.to_owned(),
            cwd: (!cwd.is_empty()).then(|| cwd.to_owned()),
            prompted,
        };
        check(
            r#"{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":"ls"},"cwd":"/p"}"#,
            command("Bash", "ls", "/p", false),
        );
        check(
            r#"{"hook_event_name":"PermissionRequest","tool_name":"Bash","tool_input":{"command":["rm","a b"]}}"#,
            command("Bash", "rm 'a b'", "", true),
        );
        check(
            r#"{"hook_event_name":"BeforeTool","tool_name":"run_shell_command","tool_input":{"command":"ls","dir_path":"sub"},"cwd":"/p"}"#,
            command("run_shell_command", "ls", "/p/sub", false),
        );
        check(r#"{"hook_event_name":"SessionStart","source":"startup"}"#, Asked::Started);
        check(r#"{"hook_event_name":"Stop"}"#, Asked::Nothing);
        check(
            r#"{"hook_event_name":"PermissionRequest","tool_name":"Write","tool_input":{"file_path":"/x"},"cwd":"/p"}"#,
            Asked::Nothing,
        );
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"hook_event_name":"PreToolUse"}"#,
            r#"{"hook_event_name":"PreToolUse","tool_name":"Bash","tool_input":{"command":7}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_are_in_the_clis_words() {
        let asked =
            |prompted| Asked::Command { tool: "Bash".into(), command: "x".into(), cwd: None, prompted };
        let denied = Verdict::Denied("no".into());
        let check = |dialect, prompted, verdict: &Verdict, expected: &str| {
            assert_eq!(answer(dialect, &asked(prompted), verdict), (expected.to_owned(), 0));
        };
        check(Dialect::Claude, false, &Verdict::Allowed, "");
        check(Dialect::Gemini, false, &Verdict::Allowed, r#"{"decision":"allow"}"#);
        check(Dialect::Gemini, false, &denied, r#"{"decision":"deny","reason":"no"}"#);
        check(
            Dialect::Codex,
            false,
            &denied,
            r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"no"}}"#,
        );
        check(
            Dialect::Claude,
            true,
            &Verdict::Allowed,
            r#"{"hookSpecificOutput":{"decision":{"behavior":"allow"},"hookEventName":"PermissionRequest"}}"#,
        );
    }

    /// As codex 0.169.0 names it (`codex app-server`, `hooks/list`): what it does not know by its hash it does not run.
    #[test]
    fn codex_trusts_our_hooks_by_their_hash() {
        let line = "/bin/orch hook --project '/a b'";
        let check = |event, timeout, hash: &str| {
            assert_eq!(codex_hash(event, None, line, timeout), format!("sha256:{hash}"));
        };
        check("pre_tool_use", 720, "3ef1bd01337b2bd1107ab0a0cb48cfbba0c3e783974222c0155168722d8a4ac1");
        check("permission_request", 720, "a1e6723d999349575f706622e51accbcddf88b6c3b9ac3b9b5bfc32b1e48de7d");
        check("session_start", 60, "6b2f06f7a55fa2be8125d75995fbb5ff7505e022a4e4c65397aa2ca023e1a175");
    }

    #[test]
    fn a_line_for_a_shell_keeps_every_word() {
        let hook = Hook {
            program: "/a b/o'x".into(),
            args: vec!["hook".into(), "$HOME".into(), String::new()],
            patience_s: 1,
        };
        assert_eq!(hook.line(), r"'/a b/o'\''x' hook '$HOME' ''");
    }
}
