//! What an app tells a guardian, and a guardian its app: one JSON object per line on the control line between them.
//! The end of that line is an order too.

use std::marker::PhantomData;

use domain::ExitCause;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An order to a guardian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub(super) enum Order {
    /// Ask the worker to leave, and kill its tree when the grace is over.
    Stop {
        /// By SIGINT rather than SIGTERM.
        interrupt: bool,
        /// Milliseconds.
        grace_ms: u64,
        /// What the exit record will say.
        cause: ExitCause,
    },
    /// Kill the whole tree.
    Kill {
        /// What the exit record will say.
        cause: ExitCause,
    },
    /// Stop the whole tree from running.
    Freeze,
    /// Let it run again.
    Thaw,
}

/// As a line: short enough for the control line to take it whole or not at all.
pub(super) fn line(said: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(said).unwrap_or_default();
    line.push(b'\n');
    line
}

/// What was said, out of the bytes of the control line.
#[derive(Debug)]
pub(super) struct Said<T> {
    bytes: Vec<u8>,
    of: PhantomData<fn() -> T>,
}

impl<T> Default for Said<T> {
    fn default() -> Self {
        Self { bytes: Vec::new(), of: PhantomData }
    }
}

impl<T: DeserializeOwned> Said<T> {
    /// Takes bytes in, and hands out what is complete. What cannot be read is passed over: only the other side
    /// can write here, and a newer one may know more.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<T> {
        self.bytes.extend_from_slice(bytes);
        let Some(end) = memchr::memrchr(b'\n', &self.bytes) else { return Vec::new() };
        let whole: Vec<u8> = self.bytes.drain(..=end).collect();
        whole.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_any_split() {
        let stop = Order::Stop { interrupt: false, grace_ms: 5000, cause: ExitCause::Stopped };
        let all = [stop, Order::Freeze, Order::Kill { cause: ExitCause::Silent }];
        let mut bytes: Vec<u8> = all.iter().flat_map(line).collect();
        bytes.extend_from_slice(b"what a newer app says\n");
        for at in 0..bytes.len() {
            let mut said = Said::default();
            let mut read: Vec<Order> = said.feed(&bytes[..at]);
            read.extend(said.feed(&bytes[at..]));
            assert_eq!(read, all, "split at {at}");
        }
    }
}
