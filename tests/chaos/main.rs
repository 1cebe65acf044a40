//! The recipes of RELIABILITY: what the product promises under faults, measured on real processes.
//!
//!   chaos [--short] [--seed N] [--list] [RECIPE]…      all recipes unless some are named
//!
//! Each prints `GOAL id value limit pass|fail` for what it promises, and `CONTROL id what fails|PASSES-BUT-MUST-FAIL` for
//! the same with a protection taken away: a recipe that cannot fail shows nothing. Exit code 1 when any of these is not
//! as it should be. What a failed recipe worked on is kept; its folder is printed.

#[cfg(target_os = "linux")]
mod r1;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    acceptance::chaos::main(RECIPES)
}

/// In the order in which they run: those that measure time first, on a machine that is still quiet.
#[cfg(target_os = "linux")]
const RECIPES: &[acceptance::chaos::Recipe] = &[("million", million::run), ("r1", r1::run)];

#[cfg(target_os = "linux")]
mod million;

#[cfg(not(target_os = "linux"))]
fn main() {}
