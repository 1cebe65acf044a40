//! See the package description.

pub mod calls;
pub mod evidence;
pub mod git;
pub mod journal;
mod private;
pub mod trees;
