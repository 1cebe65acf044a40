//! What of the login shell's environment a worker gets: an allow-list per CLI (THREATS T9), never the whole of it.

use std::collections::BTreeMap;

use domain::Dialect;

use crate::LaunchRequest;
use crate::home::GEMINI_HOME;

/// What programs in general need: a home, a language, a way to the network, the toolchains of the project.
const COMMON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "TMP",
    "TEMP",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    // network
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    // toolchains
    "CARGO_HOME",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "GOPATH",
    "GOROOT",
    "GOPROXY",
    "GOFLAGS",
    "JAVA_HOME",
    "ANDROID_HOME",
    "NVM_DIR",
    "NVM_BIN",
    "VOLTA_HOME",
    "PNPM_HOME",
    "BUN_INSTALL",
    "DENO_DIR",
    "PYENV_ROOT",
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "GEM_HOME",
    "RBENV_ROOT",
    "DOTNET_ROOT",
    "PKG_CONFIG_PATH",
    "LD_LIBRARY_PATH",
    "NIX_PROFILES",
    "NIX_SSL_CERT_FILE",
    "SDKROOT",
    "DEVELOPER_DIR",
    // Windows
    "SystemRoot",
    "SYSTEMROOT",
    "windir",
    "SystemDrive",
    "ComSpec",
    "COMSPEC",
    "PATHEXT",
    "Path",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramData",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "USERNAME",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
];

const CLAUDE: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "ANTHROPIC_VERTEX_BASE_URL",
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_SKIP_BEDROCK_AUTH",
    "CLAUDE_CODE_SKIP_VERTEX_AUTH",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS",
    "CLAUDE_CODE_CLIENT_CERT",
    "CLAUDE_CODE_CLIENT_KEY",
    "CLAUDE_CODE_GIT_BASH_PATH",
    "CLAUDE_CODE_TMPDIR",
    "API_TIMEOUT_MS",
];
/// With Amazon's or Google's cloud as its provider, claude needs that cloud's login.
const CLAUDE_BEDROCK: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
];
const CLAUDE_VERTEX: &[&str] = &["CLOUD_ML_REGION", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"];

const CODEX: &[&str] = &[
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORGANIZATION",
    "OPENAI_PROJECT",
    "CODEX_HOME",
    "CODEX_API_KEY",
    "AZURE_OPENAI_API_KEY",
];

const GEMINI: &[&str] = &[
    "GEMINI_API_KEY",
    "GEMINI_MODEL",
    "GEMINI_CLI_HOME",
    "GOOGLE_API_KEY",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_PROJECT_ID",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_GENAI_USE_GCA",
    "GOOGLE_GENAI_API_VERSION",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_VERTEX_BASE_URL",
];

/// Where the demo agents keep their place in the script.
const DEMO: &[&str] = &["ORCHESTRATE_DEMO_STATE"];

/// No terminal is there: no colours, no prompts, no pager.
const NO_TERMINAL: [(&str, &str); 4] =
    [("TERM", "dumb"), ("NO_COLOR", "1"), ("GIT_TERMINAL_PROMPT", "0"), ("GIT_PAGER", "cat")];

/// The worker's whole environment: allowed variables, what the product fixes, what the dialect fixes, what the user
/// set. A variable that the user set to nothing is passed on from the login shell.
pub(crate) fn of(request: &LaunchRequest<'_>, fixed: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut env: BTreeMap<String, String> = (request.env.iter())
        .filter(|(name, _)| allowed(request, name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in NO_TERMINAL {
        env.insert(name.to_owned(), value.to_owned());
    }
    env.extend(fixed);
    // The home that the user names for gemini is where the session's home takes everything from.
    let ours = |name: &str| request.agent.dialect == Dialect::Gemini && name == GEMINI_HOME;
    for (name, value) in request.settings.env.iter().filter(|(name, _)| !ours(name)) {
        let value = if value.is_empty() { request.env.get(name) } else { Some(value) };
        if let Some(value) = value {
            env.insert(name.clone(), value.clone());
        }
    }
    env
}

/// Whether a worker gets a variable of that name anyway: from the login shell, from the user's settings, or always.
pub(crate) fn is_passed(request: &LaunchRequest<'_>, name: &str) -> bool {
    request.settings.env.contains_key(name)
        || (request.env.contains_key(name) && allowed(request, name))
        || NO_TERMINAL.iter().any(|(fixed, _)| *fixed == name)
}

fn allowed(request: &LaunchRequest<'_>, name: &str) -> bool {
    let set =
        |name: &str| request.env.get(name).is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    let own = match request.agent.dialect {
        Dialect::Claude => {
            CLAUDE.contains(&name)
                || (CLAUDE_BEDROCK.contains(&name) && set("CLAUDE_CODE_USE_BEDROCK"))
                || (CLAUDE_VERTEX.contains(&name) && set("CLAUDE_CODE_USE_VERTEX"))
        }
        Dialect::Codex => CODEX.contains(&name),
        Dialect::Gemini => GEMINI.contains(&name),
    };
    own || COMMON.contains(&name) || name.starts_with("LC_") || (request.agent.demo && DEMO.contains(&name))
}

/// The environment of a project's check commands: what programs in general need, and no vendor's keys.
#[must_use]
pub fn check_env(env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let plain = env.iter().filter(|(name, _)| COMMON.contains(&name.as_str()) || name.starts_with("LC_"));
    let mut kept: BTreeMap<_, _> = plain.map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, value) in [("TERM", "dumb"), ("NO_COLOR", "1"), ("GIT_TERMINAL_PROMPT", "0"), ("CI", "1")] {
        kept.insert(name.to_owned(), value.to_owned());
    }
    kept
}
