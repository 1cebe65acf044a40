//! The flags of the real CLIs, as far as a script can care.

use std::path::PathBuf;

use domain::Dialect;
use serde_json::Value;

/// What was given on the command line.
#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) dialect: Dialect,
    /// A file, or `demo`.
    pub(crate) script: String,
    /// Where counters are kept; the session's folder unless given.
    pub(crate) state: Option<PathBuf>,
    /// The CLI's working directory: codex is told, the others are in it.
    pub(crate) cwd: PathBuf,
    /// Directories beyond the working directory; first the session's folder, then the target.
    pub(crate) directories: Vec<String>,
    pub(crate) resume: Option<String>,
    /// Whether a schema for the final answer was given.
    pub(crate) schema: bool,
    pub(crate) skip_git_check: bool,
    /// Program and arguments of the orchestrator's MCP server.
    pub(crate) mcp: Option<(String, Vec<String>)>,
}

impl Flags {
    /// Reads the player's own flags up to `--`, then the dialect's.
    pub(crate) fn read(args: Vec<String>) -> Result<Self, String> {
        let end =
            args.iter().position(|arg| arg == "--").ok_or("`--` is missing before the CLI's own flags")?;
        let own =
            |name: &str| args[..end].windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].clone());
        let dialect = own("--dialect").ok_or("--dialect is missing")?;
        let dialect = (Dialect::ALL.into_iter())
            .find(|known| known.as_str() == dialect)
            .ok_or_else(|| format!("{dialect:?} is no dialect"))?;
        let cwd = std::env::current_dir().map_err(|fault| format!("no working directory: {fault}"))?;
        let state = own("--state").or_else(|| std::env::var("ORCHESTRATE_DEMO_STATE").ok());
        let mut flags = Self {
            dialect,
            script: own("--script").unwrap_or_else(|| "demo".to_owned()),
            state: state.map(PathBuf::from),
            cwd,
            directories: Vec::new(),
            resume: None,
            schema: false,
            skip_git_check: false,
            mcp: None,
        };
        flags.read_rest(&args[end + 1..]);
        Ok(flags)
    }

    fn read_rest(&mut self, args: &[String]) {
        let mut rest = args.iter().peekable();
        while let Some(arg) = rest.next() {
            match arg.as_str() {
                "--add-dir" => {
                    while let Some(directory) = rest.next_if(|next| !next.starts_with('-')) {
                        self.directories.push(directory.clone());
                    }
                }
                "--include-directories" => {
                    let list = rest.next().map(String::as_str).unwrap_or_default();
                    self.directories.extend(list.split(',').map(str::to_owned));
                }
                "-C" => self.cwd = rest.next().map(PathBuf::from).unwrap_or_default(),
                "--resume" | "resume" => self.resume = rest.next().cloned(),
                "--json-schema" | "--output-schema" => {
                    self.schema = true;
                    rest.next();
                }
                "--skip-git-repo-check" => self.skip_git_check = true,
                "--mcp-config" => {
                    self.mcp = rest.next().and_then(|path| server_in(path));
                }
                "-c" => {
                    if let Some(server) = rest.next().and_then(|setting| server_of_codex(setting)) {
                        self.mcp = Some(server);
                    }
                }
                _ => {}
            }
        }
        if self.dialect == Dialect::Gemini
            && let Ok(home) = std::env::var("GEMINI_CLI_HOME")
        {
            let server = server_in(&format!("{home}/.gemini/settings.json"));
            self.mcp =
                server.map(|(program, args)| (filled(program), args.into_iter().map(filled).collect()));
        }
    }
}

/// The orchestrator's server in a JSON file with `mcpServers`.
fn server_in(path: &str) -> Option<(String, Vec<String>)> {
    let text = std::fs::read_to_string(path).ok()?;
    let config: Value = serde_json::from_str(&text).ok()?;
    let server = config.get("mcpServers")?.get(agents::MCP_SERVER)?;
    Some((server.get("command")?.as_str()?.to_owned(), words(server.get("args")?)))
}

/// A word of gemini's settings: `${NAME}` stands for the variable.
fn filled(word: String) -> String {
    let name = word.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.and_then(|name| std::env::var(name).ok()).unwrap_or(word)
}

/// The orchestrator's server in `mcp_servers.orchestrator={command="…",args=[…],…}`.
fn server_of_codex(setting: &str) -> Option<(String, Vec<String>)> {
    let rest = setting.strip_prefix(&format!("mcp_servers.{}={{command=", agents::MCP_SERVER))?;
    let mut command = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let program = command.next()?.ok()?;
    let rest = rest[command.byte_offset()..].strip_prefix(",args=")?;
    let args = serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok()?;
    Some((program, words(&args)))
}

fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.map(str::to_owned).collect()
}
