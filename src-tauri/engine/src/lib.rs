//! See the package description.

pub mod calls;
pub mod evidence;
pub mod git;
pub mod config;
pub mod discover;
pub mod doctor;
pub mod folders;
pub mod journal;
mod private;
pub mod trees;
