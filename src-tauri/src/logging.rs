//! Where the window's own words go: a file a day in the workspace's `logs`, beside those of the terminal.

use std::path::Path;

use engine::secrets::Clean;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{filter::LevelFilter, fmt, fmt::MakeWriter};

/// Days whose logs are kept.
const DAYS: usize = 7;

/// Starts logging. A log that cannot be written stops nothing.
pub(crate) fn start(workspace: &Path) {
    let folder = workspace.join("logs");
    if std::fs::create_dir_all(&folder).is_err() {
        return;
    }
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("window")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(folder);
    if let Ok(appender) = appender {
        // Fails only when there is a subscriber already.
        let _ = fmt()
            .with_ansi(false)
            .with_max_level(LevelFilter::INFO)
            .with_writer(WithoutSecrets(appender))
            .try_init();
    }
}

/// Takes secrets out of what is logged.
struct WithoutSecrets(RollingFileAppender);

impl<'a> MakeWriter<'a> for WithoutSecrets {
    type Writer = Clean<<RollingFileAppender as MakeWriter<'a>>::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Clean(self.0.make_writer())
    }
}
