//! What each CLI needs inside of a sandbox: hosts, and a home of its own.
//!
//! A worker never writes to the user's own settings of a CLI: what it left there would run later, outside (THREATS T27).
//! So each session gives each agent a home; settings and login are the user's, read-only, laid over it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::{AgentInfo, AgentSettings, Dialect};

/// The hosts of each vendor. The first ones were seen when each CLI worked behind a proxy that refuses (SANDBOX section 2);
/// telemetry and updates were seen too and are left out. The others renew a login and were not seen: the tests have none.
const HOSTS: [(Dialect, &[&str]); 3] = [
    (Dialect::Claude, &["api.anthropic.com", "console.anthropic.com", "platform.claude.com"]),
    (Dialect::Codex, &["api.openai.com", "chatgpt.com", "auth.openai.com"]),
    (
        Dialect::Gemini,
        &["generativelanguage.googleapis.com", "cloudcode-pa.googleapis.com", "oauth2.googleapis.com"],
    ),
];

/// Where a CLI's servers are set to be elsewhere.
const BASE_URLS: [&str; 6] = [
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_BEDROCK_BASE_URL",
    "ANTHROPIC_VERTEX_BASE_URL",
    "OPENAI_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_VERTEX_BASE_URL",
];

/// Hosts that an agent may reach, as `name` or `name:port`: its vendor's, those that its environment names as a base
/// URL, and those that the user set for it. A base URL on this machine's loopback is none of them: that takes a setting.
#[must_use]
pub fn hosts(dialect: Dialect, settings: &AgentSettings, env: &BTreeMap<String, String>) -> Vec<String> {
    let vendor = HOSTS.iter().filter(|(of, _)| *of == dialect).flat_map(|(_, hosts)| hosts.iter());
    let mut found: Vec<String> = vendor.map(|host| (*host).to_owned()).collect();
    let urls = BASE_URLS.iter().filter_map(|name| env.get(*name));
    found.extend(urls.filter_map(|url| authority(url)));
    found.extend(settings.hosts.iter().cloned());
    found.sort();
    found.dedup();
    found
}

/// `host[:port]` of an HTTPS address.
fn authority(url: &str) -> Option<String> {
    let rest = url.strip_prefix("https://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?.rsplit('@').next()?;
    (!authority.is_empty()).then(|| authority.to_lowercase())
}

/// The home that a CLI gets inside of a sandbox, for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confined {
    /// The variable that tells the CLI.
    pub variable: &'static str,
    /// The home: one for all workers of an agent, because one worker resumes what another began.
    pub own: PathBuf,
    /// Where the user has it; `None` for nobody's.
    pub user: Option<PathBuf>,
    /// Names in it that are the user's, read-only: settings and what they lead to.
    pub shared: &'static [&'static str],
    /// The same of files that hold the login.
    pub logins: &'static [&'static str],
    /// Files that each home begins with a copy of.
    pub copied: Vec<PathBuf>,
}

impl Confined {
    /// The home of an agent in the session with this folder. `None` for a CLI whose home is the session's in any case
    /// ([`crate::Home`]).
    #[must_use]
    pub fn of(
        agent: &AgentInfo,
        settings: &AgentSettings,
        env: &BTreeMap<String, String>,
        folder: &Path,
    ) -> Option<Self> {
        let set = |name: &str| {
            let own = settings.env.get(name).filter(|value| !value.is_empty());
            own.or_else(|| env.get(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let absolute = |path: &PathBuf| path.is_absolute() && !agent.demo;
        let home = set("HOME").filter(absolute);
        let own = folder.join("homes").join(agent.name.as_str());
        match agent.dialect {
            Dialect::Claude => {
                let named = set("CLAUDE_CONFIG_DIR").filter(absolute);
                // Beside the folder, unless the variable names one; then inside (measured).
                let beside = named.clone().or_else(|| home.clone());
                Some(Self {
                    variable: "CLAUDE_CONFIG_DIR",
                    own,
                    user: named.or_else(|| home.map(|home| home.join(".claude"))),
                    shared: &[
                        "settings.json",
                        "CLAUDE.md",
                        "agents",
                        "commands",
                        "skills",
                        "plugins",
                        "hooks",
                        "output-styles",
                    ],
                    logins: &[".credentials.json"],
                    copied: beside.into_iter().map(|folder| folder.join(".claude.json")).collect(),
                })
            }
            Dialect::Codex => Some(Self {
                variable: "CODEX_HOME",
                own,
                user: set("CODEX_HOME").filter(absolute).or_else(|| home.map(|home| home.join(".codex"))),
                shared: &["config.toml", "AGENTS.md", "AGENTS.override.md", "rules", "prompts", "skills"],
                logins: &["auth.json"],
                copied: Vec::new(),
            }),
            Dialect::Gemini => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_agent_reaches_its_vendor_and_what_the_user_names() {
        let check = |pairs: &[(&str, &str)], own: &[&str], more: &[&str]| {
            let settings = AgentSettings {
                hosts: own.iter().map(|it| (*it).to_owned()).collect(),
                ..AgentSettings::default()
            };
            let mut wanted: Vec<String> = HOSTS[0].1.iter().chain(more).map(|it| (*it).to_owned()).collect();
            wanted.sort();
            assert_eq!(hosts(Dialect::Claude, &settings, &env(pairs)), wanted);
        };
        check(&[], &[], &[]);
        check(&[("ANTHROPIC_BASE_URL", "https://LLM.example/v1")], &[], &["llm.example"]);
        check(&[("ANTHROPIC_BASE_URL", "https://u:p@llm.example:8443/v1")], &[], &["llm.example:8443"]);
        check(&[("ANTHROPIC_BASE_URL", "http://127.0.0.1:8080")], &[], &[]);
        check(&[("SOME_URL", "https://elsewhere.example")], &["api.example:444"], &["api.example:444"]);
    }

    #[test]
    fn homes_are_the_sessions_and_settings_the_users() {
        let agent = |dialect: Dialect| AgentInfo {
            name: dialect.as_str().into(),
            dialect,
            program: "/bin/x".to_owned(),
            leading_args: Vec::new(),
            version: String::new(),
            demo: false,
        };
        let check = |dialect: Dialect, pairs: &[(&str, &str)], user: &str, copied: &[&str]| {
            let found =
                Confined::of(&agent(dialect), &AgentSettings::default(), &env(pairs), Path::new("/s"))
                    .unwrap();
            assert_eq!(found.own, Path::new("/s/homes").join(dialect.as_str()));
            assert_eq!(found.user.as_deref(), Some(Path::new(user)));
            assert_eq!(found.copied, copied.iter().map(PathBuf::from).collect::<Vec<_>>());
        };
        check(Dialect::Claude, &[("HOME", "/home/u")], "/home/u/.claude", &["/home/u/.claude.json"]);
        let named = [("HOME", "/home/u"), ("CLAUDE_CONFIG_DIR", "/c")];
        check(Dialect::Claude, &named, "/c", &["/c/.claude.json"]);
        check(Dialect::Codex, &[("HOME", "/home/u")], "/home/u/.codex", &[]);
        check(Dialect::Codex, &[("HOME", "/home/u"), ("CODEX_HOME", "/x")], "/x", &[]);
        let gemini = agent(Dialect::Gemini);
        assert_eq!(Confined::of(&gemini, &AgentSettings::default(), &env(&[]), Path::new("/s")), None);
    }
}
