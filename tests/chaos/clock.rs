//! G13: a clock that is set, a machine that sleeps, a limit that ends at a certain time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use acceptance::chaos::{Chaos, Fault};
use acceptance::team::{Team, eventually, plan, task, wait, work};
use domain::{Entry, Event, ExitCause, State, WorkerId};
use engine::weakness::Weakness;
use serde_json::{Value, json};

use super::worker::ms;

/// Seconds in which a worker has to say its first word, in the run with the sleep.
const START: u64 = 8;
/// How long everything sleeps in it.
const SLEEP: Duration = Duration::from_secs(12);
/// Seconds until the limit resets.
const RESET: u32 = 15;

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    jumps(chaos)?;
    sleep(chaos)?;
    retry_after(chaos)
}

/// The library that gives a program another time of day.
fn libfaketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|path| path.exists())
}

/// What became of a session in which the clock was set ahead by two hours and then back by three days.
struct Set {
    /// Workers and the session itself, as far as time ended them.
    timeouts: usize,
    done: bool,
    entries: Vec<Entry>,
    summary: Value,
}

fn set_the_clock(team: &mut Team, library: &Path) -> Result<Set, Fault> {
    let clock = team.at("clock");
    std::fs::write(&clock, "+0")?;
    for (name, value) in [
        ("LD_PRELOAD", library.to_string_lossy().into_owned()),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_string_lossy().into_owned()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ] {
        team.env(name, &value);
    }
    team.set("[limits]\nsession_minutes = 60\nworker_minutes = 60\nsilent_minutes = 30\n");
    let mut running = Some(team.begin());
    team.until_waiting(&["g"]);
    for to in ["+2h", "-3d", "+0"] {
        let before = team.entries().len();
        std::fs::write(&clock, to)?;
        // Some ticks and looks later whatever comes of it has come.
        let begun = std::time::Instant::now();
        eventually("the jump is noticed, or time goes on", || {
            let news = team.entries().into_iter().skip(before);
            let noticed =
                news.map(|entry| entry.event).any(|event| matches!(event, Event::ClockMoved { .. }));
            noticed || Duration::from_secs(6) < begun.elapsed()
        });
        std::thread::sleep(Duration::from_millis(2500));
    }
    team.open("g");
    let ended = running.take().map(acceptance::team::Running::end);
    let state = team.state();
    let timed_out = |cause: ExitCause| matches!(cause, ExitCause::Silent | ExitCause::Limit);
    let ends = state.workers.values().filter_map(|worker| worker.end.as_ref());
    let by_time = ends.filter(|(exit, _)| timed_out(exit.cause)).count();
    let limited = matches!(&state.ended, Some((domain::Outcome::Limited, _)));
    let file = team.session().ok_or("no session")?.join("summary.json");
    let summary =
        std::fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    Ok(Set {
        timeouts: by_time + usize::from(limited),
        done: ended.is_some_and(|ended| ended.code == Some(0)),
        entries: team.entries(),
        summary,
    })
}

fn script(gates: &Path) -> Vec<Value> {
    let waits = [wait(gates, "g")];
    vec![plan(&[task("t1", "claude"), task("t2", "codex")]), work("t1", &waits), work("t2", &waits)]
}

fn jumps(chaos: &Chaos) -> Result<(), Fault> {
    let Some(library) = libfaketime() else {
        chaos.skipped("G13-jumps", "libfaketime is not installed");
        return Ok(());
    };
    let set = set_the_clock(&mut chaos.team(script), &library)?;
    let times: Vec<_> = set.entries.iter().map(|entry| entry.at).collect();
    let back = times.windows(2).filter(|pair| pair[1] < pair[0]).count();
    let noticed = |entry: &&Entry| matches!(entry.event, Event::ClockMoved { slept: false, .. });
    let moved = set.entries.iter().filter(noticed).count();
    chaos.note(format!("the clock was set {moved} times; stamps go back {back} times"));
    chaos.goal("G13-clock-really-set", moved, 3, moved == 3);
    chaos.goal("G13-spurious-timeouts", set.timeouts, 0, set.timeouts == 0 && set.done);
    let below = negative(&set.summary);
    chaos.goal("G13-negative-durations", below, 0, below == 0 && !set.summary.is_null());
    let in_order = set.entries.iter().zip(1..).all(|(entry, seq)| entry.seq.0 == seq);
    chaos.goal("G13-order-by-seq", if in_order { "kept" } else { "broken" }, "kept", in_order);
    let weak = set_the_clock(&mut chaos.weakened(Weakness::WallClock, script), &library)?;
    let what = format!("by_the_clock_on_the_wall:{}_timeouts", weak.timeouts);
    chaos.control("G13", what, 0 < weak.timeouts || !weak.done);
    Ok(())
}

/// Numbers below zero anywhere in a summary.
fn negative(value: &Value) -> usize {
    match value {
        Value::Number(number) => usize::from(number.as_f64().is_some_and(|number| number < 0.0)),
        Value::Array(values) => values.iter().map(negative).sum(),
        Value::Object(fields) => fields.values().map(negative).sum(),
        Value::Null | Value::Bool(_) | Value::String(_) => 0,
    }
}

/// A team whose codex is mute at first, until its gate opens.
fn mute_at_first(chaos: &Chaos) -> Result<Team, Fault> {
    let team = chaos.team(|_| vec![plan(&[task("t1", "codex")]), work("t1", &[])]);
    let agent = team.at("bin/codex");
    let text = std::fs::read_to_string(&agent)?;
    let gate = team.at("gates").join("awake");
    let mute = format!("\nuntil [ -e '{}' ]; do sleep 0.2; done\nexec ", gate.display());
    std::fs::write(&agent, text.replacen("\nexec ", &mute, 1))?;
    team.set(&format!("[limits]\nstart_seconds = {START}\n"));
    Ok(team)
}

fn silent(state: &State) -> usize {
    let ends = state.workers.values().filter_map(|worker| worker.end.as_ref());
    ends.filter(|(exit, _)| exit.cause == ExitCause::Silent).count()
}

/// All stand still for longer than anybody may be silent, as they do when the machine sleeps.
fn sleep(chaos: &Chaos) -> Result<(), Fault> {
    let team = mute_at_first(chaos)?;
    let running = team.begin();
    let is_codex = |state: &State| {
        let mut workers = state.workers.values();
        workers.any(|worker| worker.assignment.agent.as_str() == "codex" && worker.process.is_some())
    };
    team.until("codex runs", is_codex);
    let mut all = team.processes();
    all.push(running.pid());
    all.iter().for_each(|pid| acceptance::team::signal(*pid, "-STOP"));
    std::thread::sleep(SLEEP);
    all.iter().for_each(|pid| acceptance::team::signal(*pid, "-CONT"));
    std::thread::sleep(Duration::from_secs(3));
    team.open("awake");
    let ended = running.end();
    let spurious = silent(&team.state());
    chaos.goal("G13-sleep-is-no-silence", spurious, 0, spurious == 0 && ended.code == Some(0));
    // The same awake: whoever is silent for so long is stopped.
    let team = mute_at_first(chaos)?;
    let running = team.begin();
    eventually("the silent one is stopped", || 0 < silent(&team.state()));
    team.open("awake");
    drop(running);
    chaos.control("G13-sleep", "awake_and_silent_for_so_long_it_is_stopped", true);
    Ok(())
}

/// Three workers of one agent run into its limit. When it resets, one asks again, alone; then all go on.
fn retry_after(chaos: &Chaos) -> Result<(), Fault> {
    let tasks: Vec<Value> = ["t1", "t2", "t3"].into_iter().map(|id| task(id, "claude")).collect();
    let script = |_: &Path| {
        let mut script = vec![plan(&tasks)];
        for id in ["t1", "t2", "t3"] {
            script.push(json!({ "when": { "task": id, "purpose": "task" }, "times": 1, "steps": [
                { "sleep_ms": 1500 }, { "fail": { "kind": "rate_limited", "resets_in_s": RESET } },
            ] }));
            script.push(work(id, &[json!({ "sleep_ms": 1500 })]));
        }
        script
    };
    let team = chaos.team(script);
    team.set("[recovery]\nat_quota = \"wait\"\n");
    let running = team.begin();
    team.until("the limit is reached", |state| !state.recoveries.is_empty());
    let ended = running.end();
    let state = team.state();
    let resets_at = |recovery: &domain::RecoveryState| {
        let domain::Failure::RateLimited { resets_at } = &recovery.failed.failure else { return None };
        *resets_at
    };
    let limits = state.recoveries.values().filter_map(resets_at);
    let until = limits.max().ok_or("no limit was reached")?;
    let claudes: Vec<(&WorkerId, &domain::WorkerState)> =
        state.workers.iter().filter(|(_, worker)| worker.assignment.agent.as_str() == "claude").collect();
    let early = state.recoveries.values().map(|recovery| recovery.at).min().ok_or("no recovery")?;
    let asked = |from, to| claudes.iter().filter(|(_, w)| from <= w.began && w.began < to).count();
    let before = asked(early, until);
    let first =
        claudes.iter().map(|(_, w)| w.began).filter(|at| until <= *at).min().ok_or("nobody asked again")?;
    let late = Duration::try_from(first.duration_since(until)).unwrap_or_default();
    let limit = Duration::from_secs(u64::from(RESET)) / 10;
    chaos.figure("G13-retry-after", format!("{}_late", ms(late)), ms(limit), late <= limit && before == 0);
    // Until the first of them has done its work.
    let probe = claudes.iter().find(|(_, w)| w.began == first).map(|(id, _)| **id).ok_or("no probe")?;
    let of_probe =
        |entry: &Entry| matches!(&entry.event, Event::WorkerEnded { worker, .. } if *worker == probe);
    let ended_at = team.entries().into_iter().find(of_probe).map(|entry| entry.at);
    let probes = asked(until, ended_at.ok_or("the probe never ended")?);
    chaos.goal("G13-probes-per-window", probes, 1, probes == 1 && ended.code == Some(0));
    Ok(())
}
