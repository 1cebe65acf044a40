//! What the product knows and how it decides: no I/O, no clock, no async.

mod agent;
mod decision;
mod event;
mod failure;
mod ids;
mod note;
mod plan;
mod review;
mod settings;
mod text;
mod wire;

pub use agent::*;
pub use decision::*;
pub use event::*;
pub use failure::*;
pub use ids::*;
pub use note::*;
pub use plan::*;
pub use review::*;
pub use settings::*;
pub use text::*;
pub use wire::*;
