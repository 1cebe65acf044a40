//! What an app tells a guardian: one JSON object per line on the control pipe. The end of the pipe is an order too.

use domain::ExitCause;
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

impl Order {
    /// The order as a line: short enough for a pipe to take it whole or not at all.
    pub(super) fn line(self) -> Vec<u8> {
        let mut line = serde_json::to_vec(&self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

/// Orders out of the bytes of the pipe.
#[derive(Debug, Default)]
pub(super) struct Orders(Vec<u8>);

impl Orders {
    /// Takes bytes in, and hands out the orders that are complete. What is no order is passed over: only the app
    /// can write here, and a newer one may know more.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Order> {
        self.0.extend_from_slice(bytes);
        let Some(end) = memchr::memrchr(b'\n', &self.0) else { return Vec::new() };
        let whole: Vec<u8> = self.0.drain(..=end).collect();
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
        let mut bytes: Vec<u8> = all.iter().flat_map(|order| order.line()).collect();
        bytes.extend_from_slice(b"what a newer app says\n");
        for at in 0..bytes.len() {
            let mut orders = Orders::default();
            let mut read = orders.feed(&bytes[..at]);
            read.extend(orders.feed(&bytes[at..]));
            assert_eq!(read, all, "split at {at}");
        }
    }
}
