//! Where the program's own words go: a file in the workspace, and standard error with `--verbose`. Never standard output.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use engine::secrets::Clean;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::{
    Layer,
    filter::LevelFilter,
    fmt::{self, MakeWriter},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Days whose logs are kept.
const DAYS: usize = 7;

/// Starts logging. A log that cannot be written stops nothing.
pub(crate) fn start(workspace: &Path, verbose: bool) {
    let file = LogFile { workspace: workspace.to_owned(), appender: OnceLock::new() };
    let file = fmt::layer().with_ansi(false).with_writer(file).with_filter(LevelFilter::INFO);
    let errors = verbose.then(|| {
        fmt::layer().with_ansi(false).with_writer(|| Clean(io::stderr())).with_filter(LevelFilter::DEBUG)
    });
    let _ = tracing_subscriber::registry().with(file).with(errors).try_init();
}

/// `logs/orchestrate.<day>.log` in a workspace, from the moment on when there is a workspace: making one is for the
/// engine, which has looked at the place first.
struct LogFile {
    workspace: PathBuf,
    appender: OnceLock<Option<RollingFileAppender>>,
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Box<dyn Write + 'a>;

    fn make_writer(&'a self) -> Self::Writer {
        if self.appender.get().is_none() && !self.workspace.is_dir() {
            return Box::new(io::sink());
        }
        match self.appender.get_or_init(|| appender(&self.workspace.join("logs"))) {
            Some(appender) => Box::new(Clean(appender.make_writer())),
            None => Box::new(io::sink()),
        }
    }
}

fn appender(folder: &Path) -> Option<RollingFileAppender> {
    // The appender complains on standard error by itself when the folder is not there.
    std::fs::create_dir_all(folder).ok()?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("orchestrate")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(folder)
        .ok()
}
