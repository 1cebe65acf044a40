//! The command line of the window: three options, read by hand because nothing may delay the window.

use std::{ffi::OsString, path::PathBuf};

use domain::SessionId;

/// What the window was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Where sessions live; the engine's default when absent.
    pub workspace: Option<PathBuf>,
    /// The settings file; the engine's default when absent.
    pub config: Option<PathBuf>,
    /// The session to show first.
    pub session: Option<SessionId>,
}

/// A command line that makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgumentError {
    #[error(
        "`{0}` is no option of the window. Its options are --workspace DIR, --config FILE and --session ID; `orchestrate --help` lists those of the terminal."
    )]
    Unknown(String),
    #[error("`{0}` needs a value after it.")]
    NoValue(&'static str),
}

impl Arguments {
    /// Reads the command line without the program's name.
    pub(crate) fn read<T: Into<OsString>>(given: impl IntoIterator<Item = T>) -> Result<Self, ArgumentError> {
        let mut given = given.into_iter().map(Into::into);
        let mut arguments = Self::default();
        while let Some(option) = given.next() {
            let mut value = |name| given.next().ok_or(ArgumentError::NoValue(name));
            match option.to_str() {
                Some("--workspace") => arguments.workspace = Some(value("--workspace")?.into()),
                Some("--config") => arguments.config = Some(value("--config")?.into()),
                Some("--session") => {
                    arguments.session = Some(SessionId(value("--session")?.to_string_lossy().into_owned()));
                }
                _ => return Err(ArgumentError::Unknown(option.to_string_lossy().into_owned())),
            }
        }
        Ok(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &[&str], expected: Result<Arguments, ArgumentError>) {
        assert_eq!(Arguments::read(given), expected);
    }

    #[test]
    fn options_are_read_and_others_refused() {
        check(&[], Ok(Arguments::default()));
        check(
            &["--workspace", "/w s", "--config", "c.toml", "--session", "0192"],
            Ok(Arguments {
                workspace: Some("/w s".into()),
                config: Some("c.toml".into()),
                session: Some("0192".into()),
            }),
        );
        check(&["--session"], Err(ArgumentError::NoValue("--session")));
        check(&["--help"], Err(ArgumentError::Unknown("--help".into())));
    }
}
