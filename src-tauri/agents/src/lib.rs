//! One file per coding CLI: how it is launched and how it speaks. Pure: nothing here reads, writes or waits.
//!
//! Measured against claude 2.1.197 and 2.1.329, codex 0.169.0, gemini 0.61.0; the recordings are in
//! `tests/fixtures/streams`. Where a comment says "measured", one of them shows it.

mod claude;
mod clean;
mod codex;
pub mod demo;
mod environment;
mod failure;
mod gemini;
mod home;
pub mod hook;
mod json;
mod launch;
mod reader;
mod report;
mod reset;
mod run;
mod sandbox;
mod schema;
mod secrets;
mod version;

pub use clean::{clean, visible};
pub use environment::check_env;
pub use home::Home;
pub use hook::Hook;
pub use launch::{AnswerShape, Launch, LaunchRequest, MCP_SERVER, McpServer, ProjectConfig, launch};
pub use reader::{MOST_LINE, Reader};
pub use report::report;
pub use run::is_writing_tool;
pub use sandbox::{Confined, hosts};
pub use schema::strict_schema;
pub use secrets::{REDACTED, Secrets};
pub use version::{Tested, login_hint, tested, version_warning};
