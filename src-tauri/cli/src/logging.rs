//! Where the program's own words go: a file in the workspace, and standard error with `--verbose`. Never standard output.

use std::path::Path;

use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{Layer, filter::LevelFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Days whose logs are kept.
const DAYS: usize = 7;

/// Starts logging. A log that cannot be written stops nothing.
pub(crate) fn start(workspace: &Path, verbose: bool) {
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("orchestrate")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(workspace.join("logs"))
        .ok()
        .map(|file| fmt::layer().with_ansi(false).with_writer(file).with_filter(LevelFilter::INFO));
    let errors = verbose
        .then(|| fmt::layer().with_ansi(false).with_writer(std::io::stderr).with_filter(LevelFilter::DEBUG));
    let _ = tracing_subscriber::registry().with(file).with(errors).try_init();
}
