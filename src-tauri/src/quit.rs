//! Leaving: agents are stopped gracefully first; a second request to leave does not wait.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tauri::{AppHandle, Manager, async_runtime};

use crate::{WINDOW, door::Door};

/// What agents get to end by themselves.
const GRACE: Duration = Duration::from_secs(6);
/// When the program leaves whatever happens; agents that are left by then are taken down by their guardians.
const LATEST: Duration = Duration::from_secs(8);

/// Whether leaving has begun.
#[derive(Debug, Default)]
pub(crate) struct Quit(AtomicBool);

impl Quit {
    /// Called at each request to leave; gives whether the program has to stay for now.
    pub(crate) fn hold(&self, app: &AppHandle) -> bool {
        if self.0.swap(true, Ordering::SeqCst) {
            // Sessions end with our process even now: their guardians see to it.
            return false;
        }
        let app = app.clone();
        async_runtime::spawn(async move { stop(&app).await });
        true
    }
}

async fn stop(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(WINDOW)
        && let Err(error) = window.set_title("Meta-Orchestrator: stopping the agents …")
    {
        tracing::warn!("failed to show that the agents are being stopped: {error}");
    }
    if tokio::time::timeout(LATEST, app.state::<Door>().shutdown(GRACE)).await.is_err() {
        tracing::warn!("sessions did not stop within {LATEST:?}");
    }
    app.exit(0);
}

/// Leaves in the same way when the system asks: the end of a desktop session, `kill`, Ctrl-C.
pub(crate) fn on_signal(app: &AppHandle) {
    let app = app.clone();
    async_runtime::spawn(async move {
        loop {
            if let Err(error) = arrived().await {
                tracing::warn!("failed to listen for signals: {error}");
                return;
            }
            if !app.state::<Quit>().hold(&app) {
                app.exit(0);
            }
        }
    });
}

#[cfg(unix)]
async fn arrived() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut hang_up) = (signal(SignalKind::terminate())?, signal(SignalKind::hangup())?);
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
        _ = hang_up.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn arrived() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
