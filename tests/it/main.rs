//! One integration binary: one link, one place to look.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot do without has to fail it; clippy knows only test functions"
)]

mod bad_input;
mod journal;
mod model_server;
mod process;
mod real_clis;
#[cfg(unix)]
mod terminal;
