//! See the package description.

pub mod journal;
mod private;
