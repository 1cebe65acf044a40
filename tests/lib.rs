//! Shared by the acceptance tests.

pub mod clis;
#[path = "model-server/mod.rs"]
pub mod model_server;
