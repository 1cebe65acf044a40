//! The sandbox around each worker (docs/SANDBOX.md; SPEC section 12): bubblewrap on Linux, with filters of system calls,
//! a network that leads nowhere but through our own proxy, and a home for each agent and session.
//!
//! `profile` is the command line as a pure value, `wrap` says what a worker needs of the machine, `confined` is what runs
//! first inside, `egress` the way out; `landlock` is what there is without bubblewrap. Whether all of it holds on this machine is not believed but tried: `assess`.

#[cfg(target_os = "linux")]
mod assess;
#[cfg(target_os = "linux")]
mod confined;
#[cfg(target_os = "linux")]
mod egress;
#[cfg(target_os = "linux")]
mod home;
#[cfg(target_os = "linux")]
mod landlock;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod profile;
#[cfg(target_os = "linux")]
pub(crate) mod seccomp;
#[cfg(target_os = "linux")]
mod target;
#[cfg(target_os = "linux")]
mod visible;
#[cfg_attr(not(target_os = "linux"), path = "sandbox/absent.rs")]
mod wrap;

#[cfg(target_os = "linux")]
pub use assess::assess;
#[cfg(target_os = "linux")]
pub use confined::confined_main;
#[cfg(target_os = "linux")]
pub use egress::AUDIT;
#[cfg(not(target_os = "linux"))]
pub use wrap::assess;
#[cfg(not(target_os = "linux"))]
pub use wrap::confined_main;
pub use wrap::{Needs, Sandbox, Start};

/// Whether a text names a host as the settings take it: `name` or `name:port`.
pub(crate) fn is_host(text: &str) -> bool {
    #[cfg(target_os = "linux")]
    return target::entry(text).is_some();
    #[cfg(not(target_os = "linux"))]
    return !text.is_empty();
}
