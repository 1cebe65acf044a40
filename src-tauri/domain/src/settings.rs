//! What the user may set. Read by the engine from TOML, copied whole into a session's first entry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AgentName, Dialect};

/// All settings in force for a session. `Default` is what `settings.example.toml` documents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Who plans; when it is missing, the first agent found.
    pub lead: AgentName,
    /// Start working on a plan without asking.
    pub approve_plan: bool,
    /// How many workers run at the same time; at least 1.
    pub parallel: u32,
    /// The project's own check commands, run by `sh -c` in the tree under check. Empty: guessed from the project.
    pub checks: Vec<String>,
    /// Folders besides the project that a worker may be given when it turns out to need them.
    pub directories: Vec<String>,
    /// Agents by name. The three known ones are there without being named.
    pub agents: BTreeMap<AgentName, AgentSettings>,
    /// The rules of reviewing.
    pub review: ReviewRules,
    /// Caps.
    pub limits: Limits,
    /// How the orchestrator repairs failures by itself.
    pub recovery: RecoveryRules,
    /// How workers are confined.
    pub sandbox: SandboxRules,
    /// The user's part of the guard rail.
    pub guard: crate::guard::GuardRules,
    /// Prices by model, for CLIs that tell no costs; these go before the built-in table ([`crate::prices`]).
    pub prices: BTreeMap<String, Price>,
}

/// Settings of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct AgentSettings {
    /// Whether it may be used.
    pub enabled: bool,
    /// The program; found on the login shell's PATH and in the usual folders when absent.
    pub command: Option<String>,
    /// Arguments appended to the ones of the dialect.
    pub args: Vec<String>,
    /// Variables added to the environment's allow-list.
    pub env: BTreeMap<String, String>,
    /// Hosts it may reach besides those of its vendor: `name` (port 443) or `name:port`.
    pub hosts: Vec<String>,
    /// The model; the CLI's own default when absent.
    pub model: Option<String>,
    /// How it speaks; needed for agents whose name is not a dialect's.
    pub dialect: Option<Dialect>,
}

/// The rules of reviewing, within bounds that keep the gate safe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct ReviewRules {
    /// Rounds on one task before it escalates; 1 to 10 (SPEC section 7: 3).
    pub max_rounds: u32,
    /// Minutes without any review after which one is made.
    pub every_minutes: u32,
    /// Valid verdicts that a milestone needs; at least 1.
    pub at_milestone: u32,
    /// Valid verdicts that the end needs when three vendors are there; at least 1.
    pub at_end: u32,
    /// What a single concern does; never less than sending it back to the author.
    pub at_one_concern: AtDoubt,
    /// What happens when all that judged approve, but a reviewer who was asked gave no valid verdict; never less than a
    /// warning.
    pub at_missing_reviewer: AtDoubt,
}

/// What is done in a doubtful case of the gate. There is no value that lets it pass in silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum AtDoubt {
    /// A warning is kept, and work goes on.
    #[default]
    Warn,
    /// The work pauses, and the user is asked.
    Pause,
}

/// Caps per session and per worker. Generous; crossing 80 % warns, crossing ends the session as `limited`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Minutes of a session, pauses included.
    pub session_minutes: u32,
    /// Minutes of one worker.
    pub worker_minutes: u32,
    /// Minutes without a byte from a worker and without CPU time in its tree.
    pub silent_minutes: u32,
    /// Seconds in which a worker must say its first word.
    pub start_seconds: u32,
    /// Tokens of a session, input and output, cached ones not counted.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub tokens: u64,
    /// US dollars of a session, as far as the CLIs tell them.
    pub cost_usd: f64,
    /// Workers started in a session.
    pub workers: u32,
    /// Bytes of output of one worker.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub output_bytes: u64,
    /// Minutes of one check command.
    pub check_minutes: u32,
    /// Steps of one worker's model: its messages and tool calls.
    pub worker_turns: u32,
    /// Tokens of one worker, counted like those of a session.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub worker_tokens: u64,
    /// US dollars of one worker, as far as they are known.
    pub worker_cost_usd: f64,
    /// Minutes of processor time of one worker and all it started.
    pub worker_cpu_minutes: u32,
    /// Memory of one worker and all it started, in MiB.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub worker_memory_mib: u64,
    /// Processes of one worker at the same time.
    pub worker_processes: u32,
    /// Free space that is left to the disk of the sessions, in MiB: below it workers stop.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub disk_free_mib: u64,
}

/// How the network of workers is confined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum NetworkRule {
    /// Only hosts that are allowed, through the program's own proxy.
    #[default]
    AllowList,
    /// Everything that the user reaches.
    Open,
}

/// How workers are confined (`docs/SANDBOX.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct SandboxRules {
    /// Which hosts can be reached.
    pub network: NetworkRule,
    /// Hosts that every agent and the check commands may reach: `name` (port 443) or `name:port`.
    pub hosts: Vec<String>,
    /// Ports of this machine's loopback that can be reached: a model server of one's own.
    pub local_ports: Vec<u16>,
    /// Files and folders that can be read besides the system's programs and the toolchains on the PATH; absolute.
    pub read: Vec<String>,
    /// The same that can also be written.
    pub write: Vec<String>,
    /// Names at the top of a project that cannot be changed where they exist: what programs load unasked.
    pub protect: Vec<String>,
    /// The CLIs' logins may be written, so that a refreshed one goes back to the user.
    pub refresh_logins: bool,
}

/// List price of a model, in US dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input that was not cached.
    pub input: f64,
    /// Output, thinking included.
    pub output: f64,
    /// Input that was read from a cache.
    pub cached: f64,
}

/// What happens when an agent's quota or rate limit is used up (SPEC section 8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum AtQuota {
    /// Wait until it resets, when that is at most `wait_minutes` away; else ask.
    #[default]
    Wait,
    /// Give the task to an agent of another vendor, from the tree as it stands; when there is none, wait.
    HandOver,
    /// Ask the user.
    Ask,
}

/// How the orchestrator repairs failures by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(default, deny_unknown_fields)]
pub struct RecoveryRules {
    /// Repairs of one task in ten minutes.
    pub per_task: u32,
    /// Repairs of a session in an hour.
    pub per_session: u32,
    /// Longest wait for a rate limit's reset, in minutes; beyond it the user is asked.
    pub wait_minutes: u32,
    /// What happens when a quota or rate limit is used up.
    pub at_quota: AtQuota,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lead: Dialect::Claude.as_str().into(),
            approve_plan: false,
            parallel: 3,
            checks: Vec::new(),
            directories: Vec::new(),
            agents: Dialect::ALL.map(|dialect| (dialect.as_str().into(), AgentSettings::of(dialect))).into(),
            review: ReviewRules::default(),
            limits: Limits::default(),
            recovery: RecoveryRules::default(),
            sandbox: SandboxRules::default(),
            guard: crate::guard::GuardRules::default(),
            prices: BTreeMap::new(),
        }
    }
}

/// Words in the name of a variable whose value is a secret (THREATS T9).
const SECRET: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];

impl Settings {
    /// The settings as a journal may keep them: values of variables that look like secrets are left empty.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        for agent in self.agents.values_mut() {
            for (name, value) in &mut agent.env {
                let name = name.to_uppercase();
                if SECRET.iter().any(|word| name.contains(word)) {
                    value.clear();
                }
            }
        }
        self
    }
}

impl AgentSettings {
    /// The settings of an agent of which nothing is set.
    #[must_use]
    pub fn of(dialect: Dialect) -> Self {
        Self { dialect: Some(dialect), ..Self::default() }
    }
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            hosts: Vec::new(),
            model: None,
            dialect: None,
        }
    }
}

impl Default for ReviewRules {
    fn default() -> Self {
        Self {
            max_rounds: 3,
            every_minutes: 15,
            at_milestone: 1,
            at_end: 2,
            at_one_concern: AtDoubt::Warn,
            at_missing_reviewer: AtDoubt::Warn,
        }
    }
}

impl ReviewRules {
    /// The rules in force, in a line for people.
    #[must_use]
    pub fn words(&self) -> String {
        let counted = |count: u32, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let one = match self.at_one_concern {
            AtDoubt::Warn => "goes back to the author",
            AtDoubt::Pause => "pauses",
        };
        let missing = match self.at_missing_reviewer {
            AtDoubt::Warn => "warns",
            AtDoubt::Pause => "pauses",
        };
        format!(
            "{} per task, {} at the end, {} at most; a single concern {one}, a missing reviewer {missing}",
            counted(self.at_milestone, "verdict"),
            self.at_end,
            counted(self.max_rounds, "round"),
        )
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            session_minutes: 480,
            worker_minutes: 120,
            silent_minutes: 10,
            start_seconds: 60,
            tokens: 50_000_000,
            cost_usd: 200.0,
            workers: 200,
            output_bytes: 2 << 30,
            check_minutes: 30,
            worker_turns: 2_000,
            worker_tokens: 20_000_000,
            worker_cost_usd: 100.0,
            worker_cpu_minutes: 180,
            worker_memory_mib: 8_192,
            worker_processes: 512,
            disk_free_mib: 1_024,
        }
    }
}

impl Default for SandboxRules {
    fn default() -> Self {
        // What editors, agents and shells run or obey without asking (THREATS T1).
        let protect =
            [".claude", ".codex", ".gemini", ".agents", ".mcp.json", ".vscode", ".idea", ".husky", ".envrc"];
        Self {
            network: NetworkRule::AllowList,
            hosts: Vec::new(),
            local_ports: Vec::new(),
            read: Vec::new(),
            write: Vec::new(),
            protect: protect.map(str::to_owned).into(),
            refresh_logins: false,
        }
    }
}

impl Default for RecoveryRules {
    fn default() -> Self {
        Self { per_task: 3, per_session: 10, wait_minutes: 360, at_quota: AtQuota::Wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_keeps_no_secret_of_the_settings() {
        let mut settings = Settings::default();
        let env =
            [("ANTHROPIC_API_KEY", "sk-1"), ("my_token", "t"), ("ANTHROPIC_BASE_URL", "http://localhost")];
        let agent = settings.agents.entry("claude".into()).or_default();
        agent.env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let kept =
            settings.without_secrets().agents.remove(&AgentName::from("claude")).unwrap_or_default().env;
        let values: Vec<&str> = kept.values().map(String::as_str).collect();
        assert_eq!(values, ["", "http://localhost", ""]);
    }
}
