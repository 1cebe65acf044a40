//! Workers as processes (SUPERVISION sections 2 to 6): app → guardian → CLI → whatever it starts.
//!
//! A guardian is this same program, entered as `orchestrate guardian`. It starts one worker, holds one end of a line
//! whose other end is in the app, and takes the whole tree down when it is told to, when the worker ends or crosses a
//! limit, or when the line closes because the app died. What a worker prints goes to regular files, which are tailed: nothing
//! is lost when either side dies, and nobody blocks on a full pipe.

mod alive;
mod caps;
#[cfg_attr(not(target_os = "linux"), path = "process/nogroup.rs")]
mod cgroup;
pub(crate) mod clock;
mod command;
mod framer;
#[cfg(unix)]
mod guardian;
#[cfg(unix)]
mod inside;
#[cfg(unix)]
mod meter;
mod order;
#[cfg_attr(target_os = "linux", path = "process/linux.rs")]
#[cfg_attr(all(unix, not(target_os = "linux")), path = "process/ps.rs")]
#[cfg_attr(windows, path = "process/windows.rs")]
mod platform;
mod record;
mod spawn;
mod spec;
mod sweep;
mod table;
mod tail;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod watch;

#[cfg(target_os = "linux")]
pub(crate) use alive::tree_below;
pub use alive::{boot, cookies, is_alive, own_identity};
pub use caps::{Caps, Limited, TreeUsage};
pub use command::{CommandEnd, CommandSpec};
pub use framer::{Framer, Line, LineKind};
#[cfg(unix)]
pub use guardian::guardian_main;
#[cfg(windows)]
pub use platform::guardian_main;
pub use record::ExitRecord;
#[cfg(target_os = "linux")]
pub(crate) use spawn::arguments as guardian_arguments;
pub use spawn::{Ended, Processes, Running};
pub use spec::{COOKIE, SpawnError, Spec};
pub use sweep::{Swept, sweep};
pub use tail::Tail;
