//! The two streams, and the exit codes.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use domain::{ErrorCode, UserError};

use crate::text::sentence;

/// Prints a text and a newline on standard output. A reader that has gone away is no fault of ours.
pub(crate) fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}

/// Prints a text and a newline on standard error.
pub(crate) fn err(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says what is wrong and what to do.
pub(crate) fn complain(error: &UserError) -> ExitCode {
    let UserError { message, hint, .. } = error;
    err(&format!("orchestrate: {}", sentence(message)));
    if !hint.is_empty() {
        err(&format!("  {}", sentence(hint)));
    }
    ExitCode::from(exit_code(error.code))
}

/// The exit code of a failure (SPEC section 14).
pub(crate) fn exit_code(code: ErrorCode) -> u8 {
    match code {
        ErrorCode::Internal => 1,
        ErrorCode::Usage | ErrorCode::Busy => 2,
        ErrorCode::Preflight | ErrorCode::Consent => 6,
    }
}
