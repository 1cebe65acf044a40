//! While the journal cannot be written: what arrives is kept for later, and whoever wants to stop or leave can.

use std::time::Duration;

use domain::{Act, ErrorCode, Input, UserError};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Message, RETRY_WRITE, Run, worker};

/// Messages that are kept; workers stand still, so that more of them means that much had been said before.
const MOST: usize = 16_384;

/// Somebody waits to hear whether what was asked for is done.
pub(super) type Reply = oneshot::Sender<Result<(), UserError>>;

impl Run {
    /// Lets time pass before the journal is tried again, and looks meanwhile at what arrives. When the session is being
    /// closed and nobody works any more, it is left as it is: what is not written was never shown to anybody.
    pub(super) async fn wait_stuck(&mut self) {
        let until = Instant::now() + RETRY_WRITE;
        while !self.left {
            let message = tokio::select! {
                message = self.inputs.recv(), if self.kept.len() < MOST => message,
                () = tokio::time::sleep_until(until) => break,
            };
            match message {
                Some(message) => self.keep(message),
                None => self.left = true,
            }
            self.leave_if_alone();
        }
        self.leave_if_alone();
    }

    fn leave_if_alone(&mut self) {
        if self.closing && self.workers.values().all(|worker| worker.is_closed()) {
            warn!(
                "the session is left although the journal cannot be written; resuming goes on from its last entry"
            );
            self.left = true;
        }
    }

    fn keep(&mut self, message: Message) {
        match message {
            Message::Input(Input::Tick) => {}
            Message::Input(Input::Close { now }) => {
                self.closing = true;
                self.stop_all(self.grace(now));
                self.kept.push_back(Message::Input(Input::Close { now }));
            }
            Message::Act(Act::Stop { now }, by, reply) => {
                self.stop_all(self.grace(now));
                let _ = reply
                    .send(Err(self.stuck("its workers are stopped, and it ends when it can be written")));
                self.kept.push_back(Message::Input(Input::Act { act: Act::Stop { now }, by }));
            }
            Message::Act(_, _, reply) => {
                let _ = reply.send(Err(self.stuck("try again when it can be written")));
            }
            other @ (Message::Input(_) | Message::Space(_)) => self.kept.push_back(other),
        }
    }

    /// Answers those who wait for entries that cannot be written now. Nothing is confirmed that is not durable.
    pub(super) fn answer_stuck(&self, replies: &mut Vec<(Reply, Option<UserError>)>) {
        for (reply, refused) in replies.drain(..) {
            let later = || self.stuck("what you asked for takes effect when it can be written");
            let _ = reply.send(Err(refused.unwrap_or_else(later)));
        }
    }

    /// Stops everybody, without an entry that says so.
    pub(super) fn stop_all(&self, grace: Duration) {
        info!(?grace, "workers are stopped while the journal cannot be written");
        for worker in self.workers.values() {
            let _ = worker.send(worker::Control::Stop { grace });
        }
    }

    fn stuck(&self, then: &str) -> UserError {
        let why = self.trouble.borrow().clone().unwrap_or_default();
        UserError {
            code: ErrorCode::Busy,
            message: format!("the session cannot be written down now: {why}"),
            hint: format!(
                "Nothing is lost; {then}. To leave it as it is, interrupt the program that runs it twice."
            ),
        }
    }
}
