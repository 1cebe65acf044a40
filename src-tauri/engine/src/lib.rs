//! See the package description.

pub mod calls;
pub mod config;
pub mod discover;
pub mod doctor;
pub mod evidence;
pub mod folders;
pub mod git;
pub mod journal;
mod private;
pub mod process;
pub mod trees;
