//! `orchestrate trust`: what configuration for agents a project brings along, and whether the user wants it loaded.

use std::process::ExitCode;

use domain::{Brought, Request, Response, UserError};

use crate::{
    args::usage, door::unexpected, entries::internal, machine::Machine, said::out, text::line, typed,
};

/// Shows it, and keeps the user's approval of exactly that content; with `revoke` takes an approval back.
///
/// # Errors
/// When there is nothing that can be approved, the user does not agree, or the engine refuses.
pub(crate) async fn trust(machine: &Machine, revoke: bool) -> Result<ExitCode, UserError> {
    let target = machine.common.target.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    let target = target.to_string_lossy().into_owned();
    if revoke {
        machine.engine.request(Request::Trust { target, hash: None }).await?;
        out("The project's configuration for agents is not loaded any more.");
        return Ok(ExitCode::SUCCESS);
    }
    let asked = Request::Brought { target: target.clone() };
    let Response::Brought { brought } = machine.engine.request(asked).await? else {
        return Err(unexpected("Brought"));
    };
    if machine.common.json {
        out(&serde_json::to_string(&brought).map_err(|fault| internal(&fault))?);
        return Ok(ExitCode::SUCCESS);
    }
    let Some(brought) = brought else {
        out("The project brings no configuration for agents.");
        return Ok(ExitCode::SUCCESS);
    };
    lines(&brought).iter().for_each(|line| out(line));
    if let Some(why) = &brought.unfit {
        return Err(usage(
            format!("It cannot be approved, because {}.", line(why)),
            "Work without it, or make it plain files.",
        ));
    }
    if brought.approved {
        return Ok(ExitCode::SUCCESS);
    }
    out("Type yes to have it loaded, as it is now, in sessions on this project:");
    if typed::lines().recv().await.is_none_or(|typed| typed.trim() != "yes") {
        return Err(usage("Nothing was approved.", "Type the word yes to approve."));
    }
    machine.engine.request(Request::Trust { target, hash: Some(brought.hash) }).await?;
    out("Approved. A changed file is not loaded before you approve it again.");
    Ok(ExitCode::SUCCESS)
}

/// The list that is approved.
fn lines(brought: &Brought) -> Vec<String> {
    let mut all = vec!["By these files agents' CLIs run programs and choose servers:".to_owned()];
    all.extend(brought.files.iter().map(|file| format!("  {}", line(file))));
    all.push(format!("SHA-256 {}", brought.hash));
    let state =
        if brought.approved { "You approved this content; it is loaded." } else { "It is not loaded." };
    all.push(state.to_owned());
    all
}
