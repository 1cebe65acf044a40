//! Native notifications of a session that is run from a terminal: plain text, short, never read as markup (THREATS T30).
//!
//! The process that runs a session is the one that notifies, so a window that looks on shows nothing twice.

use std::{sync::mpsc, thread, time::Duration};

use domain::{Notice, NoticeKind};
use engine::{Engine, Signal};
use tokio::sync::{broadcast::error::RecvError, oneshot};

/// The longest body, in characters before escaping.
const BODY: usize = 200;
/// The longest title, in characters.
const TITLE: usize = 80;
/// How long the program's end waits for the desktop to take what it was told.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells the desktop what the engine wants it to know, until it is finished.
pub(crate) struct Notices {
    stop: oneshot::Sender<()>,
    shown: oneshot::Receiver<()>,
}

impl Notices {
    /// Listens to the engine from here on. `terminal`: somebody looks at the lines of the session, so decisions, which need
    /// nobody, stay there. `None` without a desktop to tell.
    pub(crate) fn start(engine: &Engine, terminal: bool) -> Option<Self> {
        if !there() {
            return None;
        }
        let mut signals = engine.signals();
        let (stop, mut stopped) = oneshot::channel();
        let (done, shown) = oneshot::channel();
        let (queue, queued) = mpsc::channel::<Notice>();
        // A thread of its own: a desktop that does not answer holds up nobody.
        let shows = move || {
            for notice in queued {
                show(&notice);
            }
            let _ = done.send(());
        };
        if let Err(fault) = thread::Builder::new().name("notices".to_owned()).spawn(shows) {
            tracing::warn!(%fault, "nothing will be told to the desktop");
            return None;
        }
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    biased; // what was said before the end is told
                    signal = signals.recv() => signal,
                    _ = &mut stopped => return,
                };
                match signal {
                    Ok(Signal::Notice { notice, .. }) if terminal && notice.kind == NoticeKind::Decision => {}
                    Ok(Signal::Notice { notice, .. }) => drop(queue.send(notice)),
                    Ok(Signal::Changed { .. }) => {}
                    Err(RecvError::Lagged(missed)) => {
                        tracing::warn!("{missed} signals of the engine were overtaken")
                    }
                    Err(RecvError::Closed) => return,
                }
            }
        });
        Some(Self { stop, shown })
    }

    /// Tells what is left, as far as the desktop takes it.
    pub(crate) async fn finish(self) {
        let _ = self.stop.send(());
        if tokio::time::timeout(PATIENCE, self.shown).await.is_err() {
            tracing::warn!("the desktop did not take a notification in time");
        }
    }
}

/// Whether there is a session bus.
#[cfg(target_os = "linux")]
fn there() -> bool {
    std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|address| !address.is_empty())
}

/// Elsewhere the window notifies.
#[cfg(not(target_os = "linux"))]
fn there() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn show(notice: &Notice) {
    use notify_rust::{Notification, Urgency};
    let (title, mut body) = (
        domain::one_line(&agents::clean(&notice.title), TITLE),
        domain::one_line(&agents::clean(&notice.body), BODY),
    );
    // A server that cannot be asked may read markup.
    if notify_rust::get_capabilities().map_or(true, |all| all.iter().any(|one| one == "body-markup")) {
        body = domain::escape_markup(&body);
    }
    let urgency = match notice.kind {
        NoticeKind::Blocker => Urgency::Critical,
        NoticeKind::Decision | NoticeKind::Done => Urgency::Normal,
    };
    let mut told = Notification::new();
    told.appname("Meta-Orchestrator").summary(&title).body(&body).urgency(urgency);
    if let Err(fault) = told.show() {
        tracing::warn!(%fault, "the desktop could not be told: {title}");
    }
}

#[cfg(not(target_os = "linux"))]
fn show(_: &Notice) {}
