//! See the package description.

pub mod calls;
pub mod journal;
mod private;
