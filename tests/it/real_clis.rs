//! The real CLIs, pinned, against the scripted model server; on loopback only.

mod cli;
mod consent;
mod desk;
mod guard;
mod job;
mod notices;
mod quota;
mod recovery;
mod session;
mod tools;
