//! A body of server-sent events, with the pace and the faults of a turn.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::mpsc;

use super::scenario::Turn;

/// Events as a body; an error in it cuts the connection.
pub(super) struct Events(mpsc::Receiver<io::Result<Bytes>>);

impl Body for Events {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|next| next.map(|event| event.map(Frame::data)))
    }
}

impl Events {
    /// Sends the events one by one, from a task that ends with the connection.
    pub(super) fn new(events: Vec<String>, turn: Turn) -> Self {
        // One at a time, so that a cut comes after exactly the events that were asked for.
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(send(events, turn, sender));
        Self(receiver)
    }
}

async fn send(events: Vec<String>, turn: Turn, sender: mpsc::Sender<io::Result<Bytes>>) {
    for (number, event) in events.into_iter().enumerate() {
        if turn.drop_after == Some(number) {
            // What was sent before has to be on the wire before the cut.
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(sender.send(Err(io::Error::other("cut by the scenario"))).await);
            return;
        }
        if 0 < number && turn.hang {
            sender.closed().await;
            return;
        }
        if 0 < number && 0 < turn.chunk_delay_ms {
            tokio::time::sleep(Duration::from_millis(turn.chunk_delay_ms)).await;
        }
        if sender.send(Ok(Bytes::from(event))).await.is_err() {
            return;
        }
    }
}
