//! Shared by the acceptance tests.

#[path = "model-server/mod.rs"]
pub mod model_server;
