//! Not leaving when asked to.

/// Takes TERM and INT without doing anything about them, until the process ends.
#[cfg(unix)]
pub(crate) fn ignore_term() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _inside = runtime.enter();
    // A handler stays in place after its listener is gone; nobody listens.
    drop((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?));
    Ok(())
}

/// Windows ends processes without asking them.
#[cfg(not(unix))]
pub(crate) fn ignore_term() -> std::io::Result<()> {
    Ok(())
}
