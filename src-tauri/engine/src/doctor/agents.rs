//! What discovery found, as lines of the doctor.

use std::path::Path;

use domain::{AgentInfo, Dialect, Probe, ProbeState};

use super::probe;
use crate::discover::{self, AgentProblem, Found, SignedIn};

/// What discovery found of one agent.
pub(super) fn agent(found: &Found) -> Probe {
    let name = found.name.as_str();
    let agent = match &found.agent {
        Ok(agent) => agent,
        Err(problem) => {
            // Who switched an agent off, or has two of three, lacks nothing.
            let state = match problem {
                AgentProblem::Disabled => ProbeState::Ok,
                AgentProblem::NotFound { .. } => ProbeState::Warning,
                AgentProblem::NamedNotFound { .. }
                | AgentProblem::InsideTarget(_)
                | AgentProblem::NotStarted { .. }
                | AgentProblem::Hung { .. }
                | AgentProblem::Failed { .. }
                | AgentProblem::NoVersion { .. }
                | AgentProblem::Incapable { .. }
                | AgentProblem::Path(_) => ProbeState::Problem,
            };
            return probe(
                name,
                state,
                sentence(&problem.to_string()),
                problem.fix(&found.name, found.dialect),
            );
        }
    };
    let mut text = agent.version.clone();
    if let (Some(place), Some(at)) = (found.place, &found.found_at) {
        text = format!("{text}, found {} at {}", place.as_str(), at.display());
        if *at != Path::new(&agent.program) {
            text = format!("{text} (started as {})", agent.program);
        }
    }
    if let Some(hash) = &found.hash {
        text = format!("{text}, SHA-256 {}", domain::head(hash, 12));
    }
    text.push_str("; its help offers structured output and all other options we need.");
    for warning in &found.warnings {
        text = format!("{text} {warning}");
    }
    if found.warnings.is_empty() {
        return probe(name, ProbeState::Ok, text, "");
    }
    let fix = format!("`{}` brings the newest version.", discover::install(found.dialect));
    probe(name, ProbeState::Warning, text, fix)
}

/// Whether those that can work are signed in, as far as files and variables tell.
pub(super) fn sign_in(found: &[Found]) -> Probe {
    let working: Vec<&Found> = found.iter().filter(|found| found.agent.is_ok()).collect();
    let (mut texts, mut fixes) = (Vec::new(), Vec::new());
    for found in &working {
        match &found.signed_in {
            SignedIn::Yes(how) => texts.push(format!("{}: {how}", found.name)),
            SignedIn::Unknown => {
                texts.push(format!("{}: no trace of credentials, so it may not be signed in", found.name));
                fixes.push(discover::sign_in_hint(found.dialect));
            }
        }
    }
    if working.is_empty() {
        let fix = "Mend the agents first; then look again.";
        return probe("sign-in", ProbeState::Warning, "There is no agent that could be signed in.", fix);
    }
    let state = if fixes.is_empty() { ProbeState::Ok } else { ProbeState::Warning };
    probe("sign-in", state, format!("{}.", texts.join("; ")), fixes.join(" "))
}

pub(super) fn sentence(text: &str) -> String {
    // A path stays as it is written.
    let text = if text.starts_with('/') { text.to_owned() } else { discover::capital(text.to_owned()) };
    format!("{}.", text.trim_end_matches(['.', ' ', ':']))
}

/// Whether the agents can gate each other's work.
pub(super) fn vendors(agents: &[AgentInfo]) -> Probe {
    let there: Vec<Dialect> = Dialect::ALL
        .into_iter()
        .filter(|dialect| agents.iter().any(|agent| agent.dialect == *dialect))
        .collect();
    let missing: Vec<&str> =
        Dialect::ALL.into_iter().filter(|dialect| !there.contains(dialect)).map(discover::install).collect();
    let fix = missing.join(" && ");
    match there.len() {
        0 => probe("vendors", ProbeState::Problem, "No agent can work; at least one is needed.", fix),
        1 => probe("vendors", ProbeState::Warning, alone(agents), fix),
        2 => probe("vendors", ProbeState::Ok, "Agents of two vendors: each reviews the other's work.", ""),
        _ => probe("vendors", ProbeState::Ok, "Agents of three vendors: two review the work of one.", ""),
    }
}

fn alone(agents: &[AgentInfo]) -> String {
    let names: Vec<&str> = agents.iter().map(|agent| agent.name.as_str()).collect();
    format!(
        "Only one vendor is there ({}): nobody independent can review, so checks alone decide.",
        names.join(", ")
    )
}
