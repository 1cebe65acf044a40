//! The environment a person has in a terminal. Started from a dock or a menu, a program does not get it, and would
//! then find neither `claude` nor `node` (FIELD 32).

use std::{
    collections::BTreeMap,
    env, io,
    io::IsTerminal as _,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use super::run::{Ran, run};

/// An environment that is passed on explicitly.
pub type Environment = BTreeMap<String, String>;

/// How long the login shell may take.
pub const SHELL_TIMEOUT: Duration = Duration::from_secs(5);

/// The environment for everything that is started: our own when we were started from a terminal or a script, else
/// the login shell's (`$SHELL -ilc 'env -0'`, once, at most [`SHELL_TIMEOUT`]) completed by our own. What is not
/// UTF-8 is left out.
pub fn environment() -> Environment {
    static ONCE: OnceLock<Environment> = OnceLock::new();
    ONCE.get_or_init(|| {
        let own = own();
        if cfg!(windows) || from_terminal(&own) {
            return own;
        }
        match shell(&own).and_then(|shell| login(&shell, &own, SHELL_TIMEOUT)) {
            Some(login) => merged(login, own),
            None => own,
        }
    })
    .clone()
}

fn own() -> Environment {
    let text = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((key.into_string().ok()?, value.into_string().ok()?))
    };
    env::vars_os().filter_map(text).collect()
}

/// Shells count their depth in `SHLVL`, terminals set `TERM`; docks and menus do neither.
fn from_terminal(own: &Environment) -> bool {
    let tty = io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal();
    tty || own.contains_key("SHLVL") || own.get("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

fn shell(own: &Environment) -> Option<PathBuf> {
    let named = own.get("SHELL").map(PathBuf::from);
    let usual = if cfg!(target_os = "macos") { "/bin/zsh" } else { "/bin/sh" };
    [named, Some(PathBuf::from(usual))].into_iter().flatten().find(|path| path.is_absolute() && path.exists())
}

/// Asks a shell. The marker parts the variables from whatever the user's start files print.
fn login(shell: &Path, own: &Environment, timeout: Duration) -> Option<Environment> {
    const MARKER: &str = "__ORCHESTRATE_ENVIRONMENT__";
    let script = format!("printf '%s' {MARKER}; env -0; printf '%s' {MARKER}");
    let Ran::Ended { code: Some(0), stdout, .. } = run(shell, &["-ilc", &script], own, timeout) else {
        tracing::warn!(shell = %shell.display(), "the login shell told no environment; using our own");
        return None;
    };
    let text = String::from_utf8_lossy(&stdout);
    let mut parts = text.split(MARKER);
    let block = parts.nth(1)?;
    parts.next()?; // the closing marker: without it the answer was cut
    let login: Environment = block
        .split('\0')
        .filter_map(|line| line.split_once('='))
        .filter(|(key, value)| !key.is_empty() && !value.contains('\u{fffd}'))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    login.contains_key("PATH").then_some(login)
}

/// The login shell's word on everything it knows; what only the desktop knows (display, session bus) stays.
fn merged(mut login: Environment, own: Environment) -> Environment {
    for key in ["_", "SHLVL", "PWD", "OLDPWD"] {
        login.remove(key);
    }
    let paths = [login.get("PATH"), own.get("PATH")].map(|path| path.map(String::as_str).unwrap_or_default());
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in paths.into_iter().flat_map(env::split_paths) {
        if !folder.as_os_str().is_empty() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let path = env::join_paths(folders).ok().and_then(|path| path.into_string().ok());
    for (key, value) in own {
        login.entry(key).or_insert(value);
    }
    login.extend(path.map(|path| ("PATH".to_owned(), path)));
    login
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// What a shell script in place of the login shell tells us.
    fn check(script: &str, expected: Option<&[(&str, &str)]>) {
        let dir = tempfile::tempdir().unwrap();
        let shell = super::super::tests::script(dir.path(), "shell", script);
        let own = map(&[("PATH", "/usr/bin:/bin")]);
        let told = login(&shell, &own, Duration::from_millis(700));
        assert_eq!(told, expected.map(map), "{script}");
    }

    #[test]
    fn what_a_login_shell_tells() {
        let full = "echo welcome; shift; exec env -i PATH=/own:/usr/bin:/bin A='x\ny' sh -c \"$1\"";
        let sh = "echo noise; shift; eval \"$1\"; echo more noise";
        let dir = tempfile::tempdir().unwrap();
        let shell = super::super::tests::script(dir.path(), "shell", full);
        let told = login(&shell, &map(&[("PATH", "/usr/bin:/bin")]), SHELL_TIMEOUT).unwrap();
        assert_eq!((told["PATH"].as_str(), told["A"].as_str()), ("/own:/usr/bin:/bin", "x\ny"));
        let shell = super::super::tests::script(dir.path(), "noisy", sh);
        assert_eq!(
            login(&shell, &map(&[("PATH", "/usr/bin:/bin")]), SHELL_TIMEOUT).unwrap()["PATH"],
            "/usr/bin:/bin"
        );
    }

    #[test]
    fn shells_that_tell_nothing() {
        check("exit 1", None);
        check("echo rubbish", None);
        check("printf '%s' __ORCHESTRATE_ENVIRONMENT__PATH=/evil", None);
        check("exec sleep 60", None);
        check("kill -9 $$", None);
    }

    #[test]
    fn the_desktops_own_variables_stay() {
        let login = map(&[("PATH", "/nvm/bin:/usr/bin"), ("LANG", "de"), ("SHLVL", "1")]);
        let own = map(&[("PATH", "/usr/bin:/desk"), ("LANG", "en"), ("DISPLAY", ":0")]);
        let expected = map(&[("PATH", "/nvm/bin:/usr/bin:/desk"), ("LANG", "de"), ("DISPLAY", ":0")]);
        assert_eq!(merged(login, own), expected);
    }

    #[test]
    fn a_terminal_is_known_by_its_traces() {
        assert!(from_terminal(&map(&[("SHLVL", "1")])));
        assert!(from_terminal(&map(&[("TERM", "xterm-256color")])));
    }
}
