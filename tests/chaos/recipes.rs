//! All recipes, one line each in every list below.

use std::process::ExitCode;

use acceptance::chaos::Recipe;

#[path = "clock.rs"]
mod clock;
#[path = "crash_points.rs"]
mod crash_points;
#[path = "disk.rs"]
mod disk;
#[path = "flood.rs"]
mod flood;
#[path = "hostile.rs"]
mod hostile;
#[path = "instances.rs"]
mod instances;
#[path = "limits.rs"]
mod limits;
#[path = "million.rs"]
mod million;
#[path = "power_cut.rs"]
mod power_cut;
#[path = "preflight.rs"]
mod preflight;
#[path = "r1.rs"]
mod r1;
#[path = "r12.rs"]
mod r12;
#[path = "r15.rs"]
mod r15;
#[path = "r2.rs"]
mod r2;
#[path = "r3.rs"]
mod r3;
#[path = "sandbox.rs"]
mod sandbox;
#[path = "secrets.rs"]
mod secrets;
#[path = "stop.rs"]
mod stop;
#[path = "torn_tail.rs"]
mod torn_tail;
#[path = "worker.rs"]
mod worker;
#[path = "writer.rs"]
mod writer;

/// In the order in which they run: those that measure time first, on a machine that is still quiet.
#[rustfmt::skip] // one line each, so that two who add one do not meet
pub(crate) const ALL: &[Recipe] = &[
    ("r3", r3::run),
    ("preflight", preflight::run),
    ("stop", stop::run),
    ("sandbox", sandbox::run),
    ("hostile", hostile::run),
    ("million", million::run),
    ("flood", flood::run),
    ("limits", limits::run),
    ("clock", clock::run),
    ("r12", r12::run),
    ("instances", instances::run),
    ("r15", r15::run),
    ("r2", r2::run),
    ("r1", r1::run),
    ("torn-tail", torn_tail::run),
    ("crash-points", crash_points::run),
    ("power-cut", power_cut::run),
    ("disk", disk::run),
    ("secrets", secrets::run),
];

/// Runs a process of a recipe's own.
pub(crate) fn inner(recipe: &str, words: &[String]) -> ExitCode {
    match recipe {
        "r3" => r3::inner(words),
        "sandbox" => sandbox::inner(words),
        "r15" => r15::inner(words),
        "writer" => writer::inner(words),
        _ => ExitCode::from(2),
    }
}
