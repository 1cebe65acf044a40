//! From the engine's signals to the window's one event and to native notifications.

use std::{collections::BTreeMap, time::Duration};

use domain::{Seq, SessionId};
use engine::Signal;
use serde::Serialize;
use tauri::{AppHandle, Emitter};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until},
};

use crate::notices;

/// The shortest time between two `changed` events of a session: 20 a second (ARCHITECTURE section 5).
const PACE: Duration = Duration::from_millis(50);

/// The payload of `changed`: the rows themselves are pulled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Changed {
    session: SessionId,
    seq: Seq,
}

/// Runs until the engine is gone.
pub(crate) async fn run(app: AppHandle, mut signals: Receiver<Signal>) {
    let mut news = News::default();
    loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Ok(Signal::Changed { session, seq }) => news.note(session, seq, Instant::now()),
                Ok(Signal::Notice { session, notice }) => notices::show(&app, session, notice),
                // Nothing is lost with them: the window's pending `Watch` is answered all the same.
                Err(RecvError::Lagged(missed)) => tracing::warn!("{missed} signals of the engine were overtaken"),
                Err(RecvError::Closed) => return,
            },
            () = sleep_until(news.due.unwrap_or_else(Instant::now)), if news.due.is_some() => {
                for changed in news.take(Instant::now()) {
                    if let Err(error) = app.emit("changed", &changed) {
                        tracing::warn!("failed to tell the window that {} changed: {error}", changed.session);
                    }
                }
            }
        }
    }
}

/// What the window has not been told yet: the newest entry of each session, and when it is time to tell.
#[derive(Debug, Default)]
struct News {
    waiting: BTreeMap<SessionId, Seq>,
    last: Option<Instant>,
    due: Option<Instant>,
}

impl News {
    /// The first news after a quiet time are due at once, others a pace after the last.
    fn note(&mut self, session: SessionId, seq: Seq, now: Instant) {
        let newest = self.waiting.entry(session).or_default();
        *newest = seq.max(*newest);
        self.due.get_or_insert_with(|| self.last.map_or(now, |last| now.max(last + PACE)));
    }

    fn take(&mut self, now: Instant) -> impl Iterator<Item = Changed> + use<> {
        self.last = Some(now);
        self.due = None;
        std::mem::take(&mut self.waiting).into_iter().map(|(session, seq)| Changed { session, seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_one_event_a_pace_with_the_newest_entry() {
        let start = Instant::now();
        let mut news = News::default();
        news.note("a".into(), Seq(1), start);
        assert_eq!(news.due, Some(start), "the first is told at once");
        assert_eq!(news.take(start).collect::<Vec<_>>(), [Changed { session: "a".into(), seq: Seq(1) }]);

        for seq in [2, 900, 899] {
            news.note("a".into(), Seq(seq), start + Duration::from_millis(1));
        }
        news.note("b".into(), Seq(7), start + Duration::from_millis(2));
        assert_eq!(news.due, Some(start + PACE));
        let told: Vec<_> = news.take(start + PACE).collect();
        assert_eq!(
            told,
            [Changed { session: "a".into(), seq: Seq(900) }, Changed { session: "b".into(), seq: Seq(7) }]
        );
        assert_eq!(news.due, None, "silence needs no clock");
    }
}
