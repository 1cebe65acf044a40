//! G1b: every system call that changes a file, and every one that opens one, is a moment at which the program is
//! killed. The writer of a journal is killed at each of the first 200 of each kind, the product at a sample of them.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
};

use acceptance::{
    chaos::{Chaos, Fault},
    clis,
    team::{plan, task, work},
};
use serde_json::Value;

use super::writer;

/// What can be a crash point.
const CALLS: [&str; 11] = [
    "write",
    "pwrite64",
    "fdatasync",
    "fsync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "ftruncate",
    "openat",
];
/// The first so many of each.
const FIRST: usize = 200;
/// Entries of a whole run: more than 200 writes.
const ENTRIES: u64 = 840;
/// Which of the product's calls; there are fewer of some kinds.
const SAMPLE: [usize; 12] = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 200];
const LANES: usize = 2;

/// What the killing showed.
#[derive(Debug, Default)]
struct Tally {
    points: u32,
    acknowledged: u64,
    wrong: Vec<String>,
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let works =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        chaos.skipped("G1b", "strace is not there, or may not trace");
        return Ok(());
    }
    let step = chaos.scale(1, 10);
    let mut points = Vec::new();
    for call in CALLS {
        let offset = chaos.rng().usize(..step);
        points.extend((1 + offset..=FIRST).step_by(step).map(|number| (call, number)));
    }
    let tally = lanes(&points, |lane, (call, number), tally| {
        one(&chaos.folder().join(format!("lane-{lane}")), call, number, &[], tally)
    });
    tell(chaos, "G1b-journal", &tally, chaos.scale(600, 40));

    let calls = ["write", "fdatasync", "fsync", "rename", "unlink", "openat"];
    let sample: Vec<_> = if chaos.full() {
        calls.iter().flat_map(|call| SAMPLE.map(|number| (*call, number))).collect()
    } else {
        vec![("write", 21), ("fdatasync", 5), ("fdatasync", 13), ("openat", 144), ("fsync", 2)]
    };
    let tally = lanes(&sample, |_, (call, number), tally| product(chaos, call, number, tally));
    tell(chaos, "G1b-product", &tally, chaos.scale(30, 3));

    // The control: a writer that says it is written, and then writes.
    let weak: Vec<_> = (3..40).step_by(4).map(|number| ("write", number)).collect();
    let tally = lanes(&weak, |lane, (call, number), tally| {
        one(&chaos.folder().join(format!("weak-{lane}")), call, number, &["ack_first"], tally)
    });
    let what = format_args!(
        "acknowledged before it is written, {} of {} kills lose something:",
        tally.wrong.len(),
        tally.points
    );
    chaos.control("G1b-journal", what, !tally.wrong.is_empty());
    Ok(())
}

fn tell(chaos: &Chaos, id: &str, tally: &Tally, wanted: u32) {
    tally.wrong.iter().take(10).for_each(|wrong| chaos.note(format_args!("WRONG {wrong}")));
    chaos.note(format_args!(
        "{id}: {} crash points, {} acknowledged entries compared",
        tally.points, tally.acknowledged
    ));
    chaos.goal(&format!("{id}-points"), tally.points, wanted, wanted <= tally.points);
    chaos.goal(&format!("{id}-violations"), tally.wrong.len(), 0, tally.wrong.is_empty());
}

type Point = (&'static str, usize);

/// All points on some threads; what is wrong with a point is told, and what kept it from being tried as well.
fn lanes(points: &[Point], one: impl Fn(usize, Point, &mut Tally) -> Result<(), Fault> + Sync) -> Tally {
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for lane in 0..LANES {
            let (tally, one) = (&tally, &one);
            scope.spawn(move || {
                for point in points.iter().skip(lane).step_by(LANES) {
                    let mut own = Tally::default();
                    if let Err(fault) = one(lane, *point, &mut own) {
                        own.wrong.push(fault.to_string());
                    }
                    let mut all = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    all.points += own.points;
                    all.acknowledged += own.acknowledged;
                    all.wrong
                        .extend(own.wrong.iter().map(|wrong| format!("{} {}: {wrong}", point.0, point.1)));
                }
            });
        }
    });
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn injection(call: &str, number: usize) -> [String; 4] {
    let [trace, inject] = [format!("trace={call}"), format!("inject={call}:signal=KILL:when={number}")];
    ["-e".to_owned(), trace, "-e".to_owned(), inject]
}

/// Kills the writer at one of its calls; then its journal is opened, compared and gone on with.
fn one(folder: &Path, call: &str, number: usize, weak: &[&str], tally: &mut Tally) -> Result<(), Fault> {
    let memory = Path::new("/dev/shm");
    let own = folder.strip_prefix("/").unwrap_or(folder).to_string_lossy().replace('/', "-");
    let folder = if memory.is_dir() { memory.join(own) } else { folder.to_owned() };
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let (session, acks) = (folder.join("session"), folder.join("acks"));
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null"]).args(injection(call, number)).arg(std::env::current_exe()?);
    command.args(["inner", "writer"]).arg(&session).arg(&acks).arg(ENTRIES.to_string()).args(weak);
    let ended = command.stdin(Stdio::null()).output()?;
    let acknowledged = writer::acknowledged(&acks);
    if ended.status.success() {
        // There are not so many of this kind.
        fs::remove_dir_all(&folder)?;
        return Ok(());
    }
    if !ended.stderr.is_empty() {
        return Err(String::from_utf8_lossy(&ended.stderr).into_owned().into());
    }
    tally.points += 1;
    tally.acknowledged += acknowledged;
    let found = writer::recovered(&session)?;
    if found < acknowledged {
        return Err(format!("{acknowledged} were acknowledged, {found} are there").into());
    }
    writer::write(&session, &acks, ENTRIES, false)?;
    let found = writer::recovered(&session)?;
    if found < ENTRIES {
        return Err(format!("it does not go on: {found} entries").into());
    }
    fs::remove_dir_all(&folder)?;
    Ok(())
}

/// Kills the product at one of its calls; then its session is resumed to its end.
fn product(chaos: &Chaos, call: &str, number: usize, tally: &mut Tally) -> Result<(), Fault> {
    let mut team = chaos.team(|_| vec![plan(&[task("t1", "claude")]), work("t1", &[])]);
    let traced = team.at("bin").join("traced");
    // What it starts is not traced: strace lets go of whatever becomes another program.
    let text = format!(
        "#!/bin/sh\nexec strace -qq -f -b execve -o /dev/null {} '{}' \"$@\"\n",
        injection(call, number).join(" "),
        clis::orchestrate().display()
    );
    fs::write(&traced, text)?;
    fs::set_permissions(&traced, fs::Permissions::from_mode(0o755))?;
    team.run_by(traced);
    let words = ["Write some texts", "--unsandboxed", "--yes", "--no-dashboard", "--json"];
    let ended = team.run(&words);
    team.run_by(clis::orchestrate());
    if ended.code == Some(0) {
        return Ok(());
    }
    if ended.code.is_some() {
        return Err(format!("exit {:?}: {}", ended.code, ended.stderr).into());
    }
    tally.points += 1;
    let written: Vec<_> = team.entries();
    let whole = ended.stdout.rsplit_once('\n').map_or("", |(whole, _)| whole);
    for line in whole.lines() {
        let Some(seq) = serde_json::from_str::<Value>(line).ok().and_then(|entry| entry["seq"].as_u64())
        else {
            continue;
        };
        tally.acknowledged += 1;
        let entry = written.iter().find(|entry| entry.seq.0 == seq);
        if entry.and_then(|entry| serde_json::to_string(entry).ok()).as_deref() != Some(line) {
            return Err(format!("entry {seq} was printed and is lost").into());
        }
    }
    let ended = if team.state().opened.is_some() {
        team.run(&["resume", "--no-dashboard"])
    } else {
        // Nothing was said about a session, so there need be none. What was left of it is in nobody's way; but here only
        // one session is looked for.
        let listed = team.run(&["status"]);
        if listed.code != Some(0) && !listed.stderr.contains("There is no session") {
            return Err(format!("status: {}", listed.stderr).into());
        }
        if team.at("work").exists() {
            fs::remove_dir_all(team.at("work"))?;
        }
        team.run(&words)
    };
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| team.done(ended)));
    if done.is_err() {
        team.keep(true);
        return Err(format!("not resumed to its end: {}", team.at("").display()).into());
    }
    Ok(())
}
