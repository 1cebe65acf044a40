//! Shared by the acceptance tests.

#[cfg(target_os = "linux")]
#[path = "chaos/harness.rs"]
pub mod chaos;
pub mod clis;
#[cfg(target_os = "linux")]
pub mod fold;
#[path = "model-server/mod.rs"]
pub mod model_server;
#[cfg(target_os = "linux")]
pub mod team;
