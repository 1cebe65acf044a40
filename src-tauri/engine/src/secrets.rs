//! What this process knows of secrets, for what it says beside the journal: its own log, its crashes, raw logs that are shown.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::{PoisonError, RwLock};

use agents::Secrets;

use crate::weakness::{self, Weakness};

static KNOWN: RwLock<Option<Secrets>> = RwLock::new(None);

/// Knows these as well, from now on.
pub(crate) fn learn(secrets: &Secrets) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    *known = Some(known.take().unwrap_or_default().and(secrets));
}

/// A text without the secrets that are known so far, and without what looks like one.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    if weakness::has(Weakness::NoRedaction) {
        return Cow::Borrowed(text);
    }
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    known.as_ref().map_or_else(|| Secrets::default().redact(text), |known| known.redact(text))
}

/// Writes what it is given without secrets. Each call of `write` is looked at by itself: a log writes an event with one.
#[derive(Debug)]
pub struct Clean<W>(pub W);

impl<W: Write> Write for Clean<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        match redact(&text) {
            Cow::Borrowed(_) => self.0.write_all(bytes)?,
            Cow::Owned(clean) => self.0.write_all(clean.as_bytes())?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Has what this process says at a crash lose its secrets, too.
pub fn clean_panics() {
    std::panic::set_hook(Box::new(|what| {
        let trace = std::backtrace::Backtrace::capture();
        let captured = trace.status() == std::backtrace::BacktraceStatus::Captured;
        let text = if captured { format!("{what}\n{trace}") } else { what.to_string() };
        // There is nobody left to tell that it cannot be told.
        let _ = writeln!(io::stderr(), "{}", redact(&text));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_has_no_secrets() {
        learn(&Secrets::of(["hunter2-of-one-session".to_owned()]));
        learn(&Secrets::of(["hunter2-of-another".to_owned()]));
        let mut written = Vec::new();
        write!(Clean(&mut written), "a hunter2-of-one-session b hunter2-of-another c").unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), "a [secret] b [secret] c");
    }
}
