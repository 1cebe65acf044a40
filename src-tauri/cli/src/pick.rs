//! Which session is meant: by name, by the beginning or the end of a name, or the newest of the project.

use std::path::Path;

use domain::{Request, Response, SessionSummary, UserError};

use crate::{
    args::{Common, usage},
    door::{Door, unexpected},
    text::name,
};

/// The sessions of the workspace, newest first.
pub(crate) async fn sessions(door: &impl Door) -> Result<Vec<SessionSummary>, UserError> {
    let Response::Sessions { sessions } = door.request(Request::Sessions).await? else {
        return Err(unexpected("sessions"));
    };
    Ok(sessions)
}

/// The session that is meant.
pub(crate) async fn session(
    door: &impl Door,
    given: Option<&str>,
    common: &Common,
) -> Result<SessionSummary, UserError> {
    let target = common.target.as_deref().unwrap_or(Path::new("."));
    let target = std::fs::canonicalize(target).ok().map(|path| path.to_string_lossy().into_owned());
    choose(sessions(door).await?, given, target.as_deref(), common.target.is_some())
}

/// Whether a part of a name stands for it: its beginning, or enough of its end (which is what its branch is called).
pub(crate) fn fits(name: &str, part: &str) -> bool {
    name.starts_with(part) || (4 <= part.len() && name.ends_with(part))
}

/// Among sessions, newest first. `insist`: the target was named, so a session of another one is not meant.
fn choose(
    sessions: Vec<SessionSummary>,
    given: Option<&str>,
    target: Option<&str>,
    insist: bool,
) -> Result<SessionSummary, UserError> {
    let list = "`orchestrate status` lists all sessions of the workspace.";
    if let Some(given) = given {
        let part = given.strip_prefix("orchestrate/").unwrap_or(given).to_lowercase();
        let mut found: Vec<SessionSummary> =
            sessions.into_iter().filter(|known| fits(known.session.as_str(), &part)).collect();
        return match found.len() {
            _ if part.is_empty() => Err(usage("The name of the session is empty.", list)),
            0 => Err(usage(format!("There is no session {given}."), list)),
            1 => Ok(found.remove(0)),
            _ => {
                let names: Vec<&str> = found.iter().map(|known| name(&known.session)).collect();
                let hint = format!("Give one of these instead: {}.", names.join(", "));
                Err(usage(format!("More than one session fits {given}."), hint))
            }
        };
    }
    let of_target = sessions.iter().position(|known| Some(known.target.as_str()) == target);
    match of_target.or((!insist && !sessions.is_empty()).then_some(0)) {
        Some(place) => sessions.into_iter().nth(place).ok_or_else(|| usage("There is no session yet.", list)),
        None if sessions.is_empty() => Err(usage(
            "There is no session yet.",
            "Start one with `orchestrate \"PROMPT\"`, or name its workspace with --workspace DIR.",
        )),
        None => Err(usage(format!("There is no session of {}.", target.unwrap_or("that folder")), list)),
    }
}

#[cfg(test)]
mod tests {
    use domain::Phase;

    use super::*;

    fn session(name: &str, target: &str) -> SessionSummary {
        SessionSummary {
            session: name.into(),
            goal: "g".to_owned(),
            target: target.to_owned(),
            phase: Phase::Working,
            why: String::new(),
            held: false,
            left: 0,
            began: jiff::Timestamp::UNIX_EPOCH,
            last: jiff::Timestamp::UNIX_EPOCH,
            accepted: 0,
            tasks: 0,
            damage: None,
            demo: false,
        }
    }

    #[track_caller]
    fn check(given: Option<&str>, target: Option<&str>, insist: bool, expected: Result<&str, &str>) {
        let all = vec![session("01b2-new", "/a"), session("01b1-mid", "/b"), session("01a0-old", "/b")];
        let chosen =
            choose(all, given, target, insist).map(|chosen| chosen.session.0).map_err(|error| error.message);
        assert_eq!(chosen.as_deref().map_err(String::as_str), expected, "{given:?} {target:?} {insist}");
    }

    #[test]
    fn sessions_are_found_by_beginning_or_project() {
        check(Some("01a"), None, false, Ok("01a0-old"));
        check(Some("-mid"), None, false, Ok("01b1-mid"));
        check(Some("mid"), None, false, Err("There is no session mid."));
        check(Some("orchestrate/01B2"), None, false, Ok("01b2-new"));
        check(Some("01b"), None, false, Err("More than one session fits 01b."));
        check(Some("zz"), None, false, Err("There is no session zz."));
        check(Some(""), None, false, Err("The name of the session is empty."));
        check(None, Some("/b"), false, Ok("01b1-mid"));
        check(None, Some("/c"), false, Ok("01b2-new"));
        check(None, Some("/c"), true, Err("There is no session of /c."));
        check(None, None, false, Ok("01b2-new"));
        assert_eq!(choose(Vec::new(), None, None, false).unwrap_err().message, "There is no session yet.");
    }
}
