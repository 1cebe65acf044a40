//! The recipes of RELIABILITY: what the product promises under faults, measured on real processes.
//!
//!   chaos [--short] [--seed N] [--list] [RECIPE]…      all recipes unless some are named
//!
//! Each prints `GOAL id value limit pass|fail` for what it promises, and `CONTROL id what fails|PASSES-BUT-MUST-FAIL` for
//! the same with a protection taken away: a recipe that cannot fail shows nothing. Exit code 1 when any of these is not
//! as it should be. What a failed recipe worked on is kept; its folder is printed.

#[cfg(target_os = "linux")]
mod recipes;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words[..] {
        // A process of a recipe's own, which is measured.
        [inner, recipe, rest @ ..] if inner == "inner" => recipes::inner(recipe, rest),
        _ => acceptance::chaos::main(recipes::ALL),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}
