//! One integration binary: one link, one place to look.
#![expect(
    clippy::unwrap_used,
    reason = "what a test cannot do without has to fail it; clippy knows only test functions"
)]

mod bad_input;
#[cfg(target_os = "linux")]
mod commands;
#[cfg(target_os = "linux")]
mod consent;
#[cfg(target_os = "linux")]
mod evidence;
#[cfg(target_os = "linux")]
mod fold;
#[cfg(target_os = "linux")]
mod guard_damage;
#[cfg(target_os = "linux")]
mod injection;
mod journal;
#[cfg(target_os = "linux")]
mod killed;
mod model_server;
#[cfg(target_os = "linux")]
mod once;
#[cfg(target_os = "linux")]
mod outcomes;
mod process;
#[cfg(target_os = "linux")]
mod quota;
mod real_clis;
#[cfg(target_os = "linux")]
mod resume;
#[cfg(target_os = "linux")]
mod status;
#[cfg(target_os = "linux")]
mod stuck;
#[cfg(target_os = "linux")]
mod team;
#[cfg(unix)]
mod terminal;
