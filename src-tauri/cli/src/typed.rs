//! What comes from outside of the engine while a session is followed: lines typed, and interrupts.

use std::io;

use tokio::sync::mpsc;

/// Lines of standard input. Read by a thread of its own: a read from a terminal cannot be taken back.
pub(crate) fn lines() -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(line) = line else { break };
            if send.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// SIGINT, SIGTERM and SIGHUP, from now on.
#[cfg(unix)]
pub(crate) fn interrupts() -> mpsc::Receiver<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (send, interrupts) = mpsc::channel(4);
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let send = send.clone();
        let Ok(mut signal) = signal(kind) else { continue };
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                let _ = send.try_send(());
            }
        });
    }
    interrupts
}

/// Ctrl-C, from now on.
#[cfg(not(unix))]
pub(crate) fn interrupts() -> mpsc::Receiver<()> {
    let (send, interrupts) = mpsc::channel(4);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            let _ = send.try_send(());
        }
    });
    interrupts
}
