//! Whether the machine and the agents are in order, and whether a session can begin (RELIABILITY R16).
//!
//! Every probe is data: its name, how it stands, what was found, what to do. Facts about the machine are read in
//! `system` and `sandbox`, judged in `machine`; the doctor shows all of them, a session begins only when none is a
//! problem.

use std::{
    path::{Path, PathBuf},
    thread,
};

use domain::{AgentInfo, Dialect, ErrorCode, Probe, ProbeState, SandboxReport, Settings, UserError};

use crate::discover::{self, Environment};
use crate::weakness::{self, Weakness};

mod agents;
mod machine;
mod project;
#[cfg_attr(target_os = "linux", path = "doctor/sandbox.rs")]
#[cfg_attr(not(target_os = "linux"), path = "doctor/no_sandbox.rs")]
mod sandbox;
mod system;

pub(crate) use machine::quoted;
pub use project::{MOST_GOAL_BYTES, check_goal, folders};
pub(crate) use system::is_root;

use project::{no_target, usable_workspace};

/// What is looked at, by name. Agents have a line each, named like them, in place of the first.
pub const PROBES: [&str; 20] = [
    "agents",
    "vendors",
    "sign-in",
    "git",
    "repository",
    "agent files",
    "workspace",
    "filesystem",
    "disk",
    "clock",
    "open files",
    "inotify",
    "cgroups",
    "namespaces",
    "bubblewrap",
    "sandbox",
    "user",
    "notifications",
    "loopback",
    "proxy",
];

/// The doctor's report.
#[derive(Debug)]
pub struct Checkup {
    /// In the order in which they are shown: agents first, then the machine.
    pub probes: Vec<Probe>,
    /// Agents that can work, in the order of their names.
    pub agents: Vec<AgentInfo>,
}

/// Adds how far agents would be confined, before what is said of the user.
pub(crate) fn add_sandbox(probes: &mut Vec<Probe>, report: &SandboxReport) {
    let mut probe = machine::sandbox(report);
    if weakness::has(Weakness::NoProbes) {
        probe.state = ProbeState::Ok;
    }
    let at = probes.iter().position(|probe| probe.name == "user").unwrap_or(probes.len());
    probes.insert(at, probe);
}

/// The report in its parts.
struct Report {
    /// One line for each agent of the settings.
    of_agents: Vec<Probe>,
    sign_in: Probe,
    of_machine: Vec<Probe>,
    agents: Vec<AgentInfo>,
}

/// Looks at the agents and the machine, all at once; commonly under two seconds, at most a little over
/// [`discover::TIMEOUT`] when a CLI hangs. Without a target nothing is said of a repository.
#[must_use]
pub fn probes(settings: &Settings, workspace: &Path, target: Option<&Path>, env: &Environment) -> Checkup {
    let Report { of_agents, sign_in, of_machine, agents } = report(settings, workspace, target, env);
    let mut probes = of_agents;
    probes.push(agents::vendors(&agents));
    probes.push(sign_in);
    probes.extend(of_machine);
    if weakness::has(Weakness::NoProbes) {
        probes.iter_mut().for_each(|probe| probe.state = ProbeState::Ok);
    }
    Checkup { probes, agents }
}

fn report(settings: &Settings, workspace: &Path, target: Option<&Path>, env: &Environment) -> Report {
    let (found, of_machine) = thread::scope(|scope| {
        let machine = scope.spawn(|| machine::probes(workspace, target, env));
        (discover::agents(settings, env, target), machine.join().unwrap_or_default())
    });
    let of_agents = found.iter().map(agents::agent).collect();
    let sign_in = agents::sign_in(&found);
    let agents = found.into_iter().filter_map(|found| found.agent.ok()).collect();
    Report { of_agents, sign_in, of_machine, agents }
}

fn probe(name: &str, state: ProbeState, text: impl Into<String>, fix: impl Into<String>) -> Probe {
    Probe { name: name.to_owned(), state, text: text.into(), fix: fix.into() }
}

/// What a session can begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// Agents that can work, in the order of their names; at least one.
    pub agents: Vec<AgentInfo>,
    /// What is weaker than it could be, in sentences, for the journal and the window.
    pub warnings: Vec<String>,
    /// Where it happens.
    pub folders: Folders,
    /// Agents would run as root.
    pub root: bool,
}

/// The two folders of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The project, canonical.
    pub target: PathBuf,
    /// Where sessions live, canonical; it exists and can be written to.
    pub workspace: PathBuf,
}

/// Whether a session can begin (SPEC sections 3.1 and 18): prompt, folders, machine, agents.
///
/// # Errors
/// The first thing that keeps it from beginning: [`ErrorCode::Usage`] for a prompt or a folder that makes no sense,
/// [`ErrorCode::Preflight`] for something that is missing. The message says what is wrong, the hint what to do.
pub fn preflight(
    goal: &str,
    target: &Path,
    workspace: &Path,
    settings: &Settings,
    env: &Environment,
) -> Result<Preflight, UserError> {
    check_goal(goal)?;
    let folders = folders(target, workspace)?;
    judge(report(settings, &folders.workspace, Some(&folders.target), env), folders, system::is_root())
}

/// Agents, machine and folders of a session that needs no agent of the user's: the demo.
///
/// # Errors
/// As [`preflight`].
pub fn preflight_demo(target: &Path, workspace: &Path, env: &Environment) -> Result<Preflight, UserError> {
    let workspace = usable_workspace(workspace)?;
    let target = target.canonicalize().map_err(|error| no_target(target, &error))?;
    let problem = machine::probes(&workspace, Some(&target), env)
        .into_iter()
        .find(|probe| probe.state == ProbeState::Problem);
    match problem {
        Some(Probe { text, fix, .. }) => Err(missing(text, fix)),
        None => Ok(Preflight {
            agents: Vec::new(),
            warnings: Vec::new(),
            folders: Folders { target, workspace },
            root: system::is_root(),
        }),
    }
}

/// Turns the doctor's report into go or no-go.
fn judge(report: Report, folders: Folders, root: bool) -> Result<Preflight, UserError> {
    let Report { of_agents, sign_in, of_machine, agents } = report;
    if let Some(problem) = of_machine.iter().find(|probe| probe.state == ProbeState::Problem) {
        return Err(missing(problem.text.clone(), problem.fix.clone()));
    }
    if agents.is_empty() {
        let why: Vec<&str> = of_agents.iter().map(|probe| probe.text.trim_end_matches('.')).collect();
        let installs = Dialect::ALL.map(|dialect| format!("`{}`", discover::install(dialect))).join(" or ");
        return Err(missing(
            format!("No agent can work: {}.", why.join("; ")),
            format!(
                "Install at least one, better two of different vendors: {installs}; then look with `orchestrate doctor`."
            ),
        ));
    }
    let weak = |probe: &&Probe| probe.state != ProbeState::Ok;
    // Consent and root have entries of their own; the rest concerns the window, was chosen by the user, or will matter
    // only once agents run in a sandbox.
    let news = |probe: &&Probe| {
        !["sandbox", "bubblewrap", "namespaces", "cgroups", "user", "workspace", "notifications"]
            .contains(&probe.name.as_str())
    };
    let mut warnings: Vec<String> =
        of_agents.iter().filter(weak).map(|probe| format!("{}: {}", probe.name, probe.text)).collect();
    warnings.extend([agents::vendors(&agents), sign_in].iter().filter(weak).map(|probe| probe.text.clone()));
    warnings.extend(of_machine.iter().filter(weak).filter(news).map(|probe| probe.text.clone()));
    Ok(Preflight { agents, warnings, folders, root })
}

fn missing(message: String, hint: String) -> UserError {
    UserError { code: ErrorCode::Preflight, message, hint }
}

fn usage(message: String, hint: &str) -> UserError {
    UserError { code: ErrorCode::Usage, message, hint: hint.to_owned() }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
