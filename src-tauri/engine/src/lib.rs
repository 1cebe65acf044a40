//! All I/O: the session loop, processes, journal, git, discovery. One door: [`Engine::request`].

mod beneath;
mod brought;
pub mod calls;
pub mod config;
mod demo;
pub mod discover;
pub mod doctor;
mod door;
pub mod evidence;
mod folded;
pub mod folders;
pub mod git;
pub mod journal;
mod open;
mod private;
pub mod process;
mod renew;
pub mod sandbox;
pub mod scoreboard;
pub mod secrets;
mod session;
mod sessions;
mod standing;
pub mod trees;
mod view;
pub mod weakness;

pub use door::{Engine, Options, Signal, WAITS, default_workspace};
