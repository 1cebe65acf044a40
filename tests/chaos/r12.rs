//! G12: a worker that always fails is repaired a few times, then a person is asked; while it waits nothing turns; what
//! may be done is never widened. G12b: what is refused is tried twice at most.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use acceptance::{
    chaos::{Chaos, Fault},
    team::{DEADLINE, Ended, Team, plan, task, work},
};
use domain::{Entry, Event, Failure, NoticeKind, Purpose, State, WorkerId};
use serde_json::{Value, json};

/// Repairs of one worker in ten minutes (RELIABILITY G12).
const RESTARTS: usize = 3;
/// Tries of what is refused (RELIABILITY G12b).
const TRIES: usize = 2;
/// Tokens that each try spends, and those that a session may.
const EACH: u64 = 1000;
const BUDGET: u64 = 1_000_000;
/// Percent of a core that is still nothing: the clock of the kernel has 100 ticks a second.
const NOTHING: f64 = 0.5;

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    always_failing(chaos);
    killed_in_between(chaos);
    parked(chaos)?;
    refused(chaos);
    control(chaos);
    Ok(())
}

/// One task whose worker does this in every attempt.
fn team(chaos: &Chaos, step: &Value) -> Team {
    let usage = json!({ "usage": { "input": EACH, "output": 0, "cost_usd": 0.0 } });
    let fails = json!({ "when": { "task": "t1", "purpose": "task" },
        "steps": [{ "say": "I begin." }, usage, step, { "say": "I cannot." }] });
    let team = chaos.team(|_| vec![plan(&[task("t1", "claude")]), fails, work("t1", &[])]);
    team.set(&format!("[limits]\ntokens = {BUDGET}\n"));
    team
}

/// Runs of the task's worker.
fn runs(team: &Team) -> usize {
    count(
        &team.entries(),
        |event| matches!(event, Event::WorkerRequested { assignment, .. } if matches!(assignment.purpose, Purpose::Task { .. })),
    )
}

fn count(entries: &[Entry], is: impl Fn(&Event) -> bool) -> usize {
    entries.iter().filter(|entry| is(&entry.event)).count()
}

/// Whether a person was asked, and told.
fn asks(team: &Team, ended: &Ended) -> bool {
    let told =
        |event: &Event| matches!(event, Event::Notified { notice } if notice.kind == NoticeKind::Blocker);
    ended.code == Some(3)
        && team.state().open_questions().next().is_some()
        && count(&team.entries(), told) == 1
}

/// What is in force, as far as a recovery could widen it.
#[derive(PartialEq)]
struct Policy {
    settings: Option<domain::Settings>,
    file: String,
    project: String,
}

impl Policy {
    fn of(team: &Team, state: &State) -> Self {
        let read = |name: &str| fs::read_to_string(team.at(name)).unwrap_or_default();
        let settings = state.opened.as_ref().map(|opened| opened.settings.clone());
        Self { settings, file: read("settings.toml"), project: read("project/.git/config") }
    }

    /// As it was when the session was opened.
    fn at_first(team: &Team) -> Self {
        let mut state = State::default();
        team.entries().iter().take(1).for_each(|entry| state.apply(entry));
        Self::of(team, &state)
    }
}

/// The options by which an agent's rights are given, of every run of the task's worker.
fn rights(team: &Team) -> Vec<Vec<String>> {
    let entries = team.entries();
    let of_task = |id: &WorkerId| {
        entries.iter().any(|entry| {
            matches!(&entry.event, Event::WorkerRequested { worker, assignment }
            if worker == id && matches!(assignment.purpose, Purpose::Task { .. }))
        })
    };
    let argv = |entry: &Entry| {
        if let Event::WorkerStarted { worker, argv, .. } = &entry.event
            && of_task(worker)
        {
            Some(argv.clone())
        } else {
            None
        }
    };
    let right = |word: &String| {
        ["permission", "sandbox", "yolo", "trust", "bypass"].iter().any(|part| word.contains(part))
    };
    entries.iter().filter_map(argv).map(|argv| argv.into_iter().filter(right).collect()).collect()
}

fn always_failing(chaos: &Chaos) {
    let ways = [
        ("crash", json!({ "crash": true })),
        ("no-result", json!({ "no_result": true })),
        ("overloaded", json!({ "fail": "overloaded" })),
        ("network", json!({ "fail": "network" })),
        ("context", json!({ "fail": "context_full" })),
        ("refused", json!({ "fail": "refused" })),
    ];
    let outcomes: Vec<_> = thread::scope(|scope| {
        let lanes: Vec<_> =
            ways.iter().map(|(name, step)| scope.spawn(move || one(chaos, name, step))).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap_or_default()).collect()
    });
    let most = outcomes.iter().map(|outcome| outcome.restarts).max().unwrap_or(0);
    let asked = outcomes.iter().filter(|outcome| outcome.asked).count();
    let widened = outcomes.iter().filter(|outcome| outcome.widened).count();
    chaos.goal("G12-restarts", most, RESTARTS, most <= RESTARTS && 0 < most);
    chaos.goal("G12-asked-and-notified", asked, ways.len(), asked == ways.len());
    chaos.goal("G12-policy-changed", widened, 0, widened == 0);
}

#[derive(Debug, Default)]
struct Outcome {
    restarts: usize,
    asked: bool,
    widened: bool,
}

fn one(chaos: &Chaos, name: &str, step: &Value) -> Outcome {
    let team = team(chaos, step);
    let ended = team.begin().end();
    let (restarts, asked) = (runs(&team).saturating_sub(1), asks(&team, &ended));
    let mut rights = rights(&team);
    rights.dedup();
    let widened = Policy::at_first(&team) != Policy::of(&team, &team.state()) || rights.len() != 1;
    chaos
        .note(format_args!("{name}: {restarts} restarts, exit {:?}, asked and notified {asked}", ended.code));
    Outcome { restarts, asked, widened }
}

/// A crash of ours in between does not set the count back.
fn killed_in_between(chaos: &Chaos) {
    let team = team(chaos, &json!({ "fail": "network" }));
    let mut running = team.begin();
    for repairs in 1..=2 {
        let until = Instant::now() + DEADLINE;
        let repaired = || count(&team.entries(), |event| matches!(event, Event::RecoveryStarted { .. }));
        while repaired() < repairs && !running.is_over() && Instant::now() < until {
            thread::sleep(Duration::from_millis(10));
        }
        running.kill();
        running.end();
        running = team.start(&["resume", "--no-dashboard"]);
    }
    let ended = running.end();
    let restarts = count(&team.entries(), |event| matches!(event, Event::RecoveryStarted { .. }));
    let well = restarts <= RESTARTS && asks(&team, &ended);
    chaos.goal("G12-restarts-over-crashes", restarts, RESTARTS, well);
}

/// While a quota is waited for, the program does nothing.
fn parked(chaos: &Chaos) -> Result<(), Fault> {
    let limited = json!({ "fail": { "kind": "rate_limited", "path": null, "resets_in_s": 3600 } });
    let team = team(chaos, &limited);
    let mut running = team.begin();
    let until = Instant::now() + DEADLINE;
    let parked = |state: &State| state.live().next().is_none() && !state.recoveries.is_empty();
    while !parked(&team.state()) {
        if running.is_over() || until < Instant::now() {
            return Err("the session does not wait for its quota".into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    let seconds = chaos.scale(20, 6);
    thread::sleep(Duration::from_secs(1)); // what led here is over
    let before = ticks(running.pid());
    thread::sleep(Duration::from_secs(seconds));
    let worked = ticks(running.pid()) - before;
    let percent = worked as f64 / seconds as f64;
    let ended = team.state().ended.is_some();
    chaos.note(format_args!("parked for {seconds} s: {worked} ticks of 10 ms"));
    let waits = !running.is_over() && !ended;
    chaos.figure(
        "G12-core-percent-parked",
        format_args!("{percent:.2}"),
        NOTHING,
        percent <= NOTHING && waits,
    );
    running.signal("-INT");
    running.end();
    Ok(())
}

/// Processor time in ticks of a hundredth of a second.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// What is refused again and again is not tried again and again.
fn refused(chaos: &Chaos) {
    let inside = "${target}/docs/plan.md";
    let mut most = 0;
    let mut spent = 0;
    let mut asked = 0;
    for path in [inside, "/outside/of/everything"] {
        let team = team(
            chaos,
            &json!({ "fail": { "kind": "outside_workspace", "path": path, "resets_in_s": null } }),
        );
        let ended = team.begin().end();
        most = most.max(runs(&team));
        asked += usize::from(asks(&team, &ended));
        let state = team.state();
        spent = spent.max(state.workers.values().map(|worker| worker.usage.input).sum::<u64>());
        let classes = state.recoveries.values().map(|recovery| &recovery.failed.failure);
        let classes: Vec<_> = classes
            .filter(|class| matches!(class, Failure::OutsideWorkspace { .. } | Failure::Permission { .. }))
            .collect();
        chaos.note(format_args!(
            "{path}: {} runs, repairs {classes:?}, {ended:?}",
            runs(&team),
            ended = ended.code
        ));
    }
    chaos.goal("G12b-tries", most, TRIES, most <= TRIES);
    chaos.goal("G12b-asked-and-notified", asked, 2, asked == 2);
    let limit = BUDGET / 100;
    chaos.goal("G12b-tokens", spent, limit, spent <= limit && 0 < spent);
}

/// With the rate of repairs set high there is no end soon.
fn control(chaos: &Chaos) {
    let team = team(chaos, &json!({ "fail": "network" }));
    team.set("[recovery]\nper_task = 100\nper_session = 100\n");
    let mut running = team.begin();
    let until = Instant::now() + Duration::from_secs(60);
    while runs(&team) <= RESTARTS + 1 && !running.is_over() && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
    }
    let restarts = runs(&team).saturating_sub(1);
    running.kill();
    running.end();
    chaos.control(
        "G12-restarts",
        format_args!("without the rate there are {restarts} restarts:"),
        RESTARTS < restarts,
    );
}
