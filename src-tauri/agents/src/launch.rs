//! From a request in the product's words to a process that can be started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::{AgentInfo, AgentSettings, Dialect, Role};

use crate::{claude, codex, environment, gemini, strict_schema};

/// The name under which every CLI gets to know the orchestrator's MCP server.
pub const MCP_SERVER: &str = "orchestrator";

/// Hours that a CLI waits for a tool of ours: `ask_user` answers when the user does.
pub(crate) const TOOL_PATIENCE_S: u64 = 24 * 60 * 60;

/// Everything that decides how a worker is started.
#[derive(Clone, Debug)]
pub struct LaunchRequest<'a> {
    /// Who.
    pub agent: &'a AgentInfo,
    /// What the user set for it.
    pub settings: &'a AgentSettings,
    /// As what. Read-only roles get the same flags; that they wrote nothing is checked on the tree.
    pub role: Role,
    /// Where it works: the worktree or the frozen tree.
    pub cwd: &'a Path,
    /// The session's folder, the "workspace directory" of SPEC section 4.
    pub folder: &'a Path,
    /// The user's project.
    pub target: &'a Path,
    /// Further directories, added by a repair. They must exist.
    pub extra_dirs: &'a [String],
    /// The CLI's session to continue.
    pub resume: Option<&'a str>,
    /// codex: do not insist on a git repository.
    pub skip_git_check: bool,
    /// The shape of the final answer, where the worker owes one.
    pub shape: Option<AnswerShape>,
    /// The orchestrator's own MCP server.
    pub mcp: Option<&'a McpServer>,
    /// What asks us before a command runs; none for agents that play a script.
    pub hook: Option<&'a crate::Hook>,
    /// The worker's private folder, for the files that its flags name.
    pub files: &'a Path,
    /// What of the project's own configuration for CLIs it gets.
    pub project: &'a ProjectConfig,
    /// The text of the settings that the user has for this CLI, where the CLI gets a home of its own:
    /// of [`crate::Home::user_settings`].
    pub user_settings: Option<&'a str>,
    /// What it is told.
    pub prompt: &'a str,
    /// The login shell's whole environment; what is passed on is chosen here.
    pub env: &'a BTreeMap<String, String>,
    /// The user agreed, for this session, that agents run as root.
    pub root_consented: bool,
}

/// What of the configuration that a project brings along a CLI gets (THREATS T1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectConfig {
    /// The user approved what lies in the worker's tree: the CLI loads it.
    pub load: bool,
    /// There is a `.mcp.json` among it.
    pub servers: bool,
    /// Variables that files of the project would set and must not.
    pub variables: Vec<String>,
}

/// Which structured answer a worker owes at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerShape {
    /// [`domain::Plan`].
    Plan,
    /// [`domain::Answer`].
    Review,
}

impl AnswerShape {
    /// Its schema, as the vendors' strict modes take it.
    #[must_use]
    pub fn schema(self) -> serde_json::Value {
        strict_schema(match self {
            Self::Plan => domain::Plan::schema(),
            Self::Review => domain::Answer::schema(),
        })
    }
}

/// How the orchestrator's MCP server is started (transport stdio).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpServer {
    /// Absolute path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
}

/// A process to start: complete, nothing is added later except the sandbox around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Absolute path.
    pub program: PathBuf,
    /// Without the program's own name.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Working directory.
    pub cwd: PathBuf,
    /// All of standard input; it is closed afterwards.
    pub stdin: Vec<u8>,
    /// Files that the arguments name, to be written before the start: readable by their owner only.
    pub files: Vec<(PathBuf, String)>,
}

/// How a worker is started. The prompt goes through standard input, never through the arguments.
#[must_use]
pub fn launch(request: &LaunchRequest<'_>) -> Launch {
    let Dialected { args, env, files } = match request.agent.dialect {
        Dialect::Claude => claude::flags(request),
        Dialect::Codex => codex::flags(request),
        Dialect::Gemini => gemini::flags(request),
    };
    let leading = request.agent.leading_args.iter().cloned();
    Launch {
        program: PathBuf::from(&request.agent.program),
        args: leading.chain(args).collect(),
        env: environment::of(request, env),
        cwd: request.cwd.to_owned(),
        stdin: request.prompt.as_bytes().to_vec(),
        files,
    }
}

/// What a dialect adds to a launch.
#[derive(Default)]
pub(crate) struct Dialected {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) files: Vec<(PathBuf, String)>,
}

impl LaunchRequest<'_> {
    /// The session's folder, the target and the further directories, once each. The working directory needs no mention.
    pub(crate) fn directories(&self) -> Vec<String> {
        let mut named: Vec<String> = Vec::new();
        let own = [self.folder, self.target].map(|path| path.to_string_lossy().into_owned());
        for path in own.into_iter().chain(self.extra_dirs.iter().cloned()) {
            if !named.contains(&path) {
                named.push(path);
            }
        }
        named
    }
}

/// A list of words as owned arguments.
pub(crate) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
