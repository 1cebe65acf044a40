//! G3: four sessions of eight workers each in one process, every worker with a hundred events a second; G3b: a burst.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, UNIX_EPOCH},
};

use acceptance::{
    chaos::{Chaos, Fault, say},
    clis,
    team::{Team, plan, task},
};
use domain::{AgentEvent, Event, Request, Response, Seq, SessionId, State, WorkerId};
use engine::{Engine, Options, journal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

const SESSIONS: usize = 4;
const WORKERS: usize = 8;
/// How often a window asks for what is new: more than people see.
const FRAME: Duration = Duration::from_millis(50);
/// How long the last event may take to be there when the workers have ended.
const CATCHES_UP: Duration = Duration::from_secs(2);

/// Where a worker notes that it has said all.
const SAID: &str = "said";

/// What the workers do.
#[derive(Clone, Copy, Debug)]
struct Load {
    per_second: u32,
    seconds: u32,
}

/// What the measured process saw.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Seen {
    events: usize,
    lost: usize,
    /// Milliseconds from an event to the moment when it was durable and published: median, p99, greatest.
    durable: [f64; 3],
    /// The same until a window had it.
    shown: [f64; 3],
    /// Processor time over time on the clock, in percent of a core.
    core: f64,
    /// Of what all sessions were busy at once, in seconds.
    busy: f64,
    /// Memory each second, in KiB.
    memory: Vec<f64>,
    /// From the last event said to the last one durable, in milliseconds.
    behind: f64,
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let steady = Load { per_second: 100, seconds: chaos.scale(60, 10) };
    let seen = measured(chaos, steady)?;
    let most = memory(&seen);
    chaos.note(format_args!(
        "{SESSIONS} sessions x {WORKERS} workers x {} events/s for {:.1} s: {} events; durable p50 {:.1} p99 {:.1} max {:.1} ms; \
         shown p50 {:.1} p99 {:.1} max {:.1} ms; {:.0} % of a core; memory at most {most:.0} MiB, slope {:.2} MiB/min",
        steady.per_second, seen.busy, seen.events, seen.durable[0], seen.durable[1], seen.durable[2], seen.shown[0],
        seen.shown[1], seen.shown[2], seen.core, slope(&seen)
    ));
    chaos.goal("G3-lost", seen.lost, 0, seen.lost == 0 && wanted(steady) == seen.events);
    chaos.figure("G3-durable-p99-ms", format_args!("{:.1}", seen.durable[1]), 50, seen.durable[1] <= 50.0);
    chaos.figure("G3-shown-p99-ms", format_args!("{:.1}", seen.shown[1]), 250, seen.shown[1] <= 250.0);
    chaos.figure("G3-core-percent", format_args!("{:.0}", seen.core), 60, seen.core <= 60.0);
    chaos.figure("G3-memory-MiB", format_args!("{most:.0}"), 250, most <= 250.0);
    if chaos.full() {
        let slope = slope(&seen);
        chaos.figure("G3-memory-slope-MiB/min", format_args!("{slope:.2}"), 1, slope < 1.0);
    }
    let burst = Load { per_second: 313, seconds: 10 };
    let seen = measured(chaos, burst)?;
    chaos.note(format_args!(
        "burst of {} events in {:.1} s: durable p99 {:.1} ms, shown p99 {:.1} ms, {:.0} % of a core, behind at the end {:.0} ms",
        seen.events, seen.busy, seen.durable[1], seen.shown[1], seen.core, seen.behind
    ));
    chaos.goal("G3b-lost", seen.lost, 0, seen.lost == 0 && wanted(burst) == seen.events);
    let limit = CATCHES_UP.as_millis();
    chaos.figure(
        "G3b-behind-ms",
        format_args!("{:.0}", seen.behind),
        limit,
        Duration::from_secs_f64(seen.behind / 1000.0) <= CATCHES_UP,
    );
    control(chaos)
}

fn wanted(load: Load) -> usize {
    SESSIONS * WORKERS * (load.per_second * load.seconds) as usize
}

fn memory(seen: &Seen) -> f64 {
    seen.memory.iter().copied().fold(0.0, f64::max) / 1024.0
}

/// MiB a minute, by least squares over all but the first quarter.
fn slope(seen: &Seen) -> f64 {
    let rest = &seen.memory[seen.memory.len() / 4..];
    let count = rest.len() as f64;
    let (mid, mean) = ((count - 1.0) / 2.0, rest.iter().sum::<f64>() / count);
    let (mut over, mut under) = (0.0, 0.0);
    for (second, kib) in rest.iter().enumerate() {
        let x = second as f64 - mid;
        over += x * (kib - mean);
        under += x * x;
    }
    over / under * 60.0 / 1024.0
}

/// A line that is left out is noticed, and so is one that comes late.
fn control(chaos: &Chaos) -> Result<(), Fault> {
    let load = Load { per_second: 10, seconds: 2 };
    let team = team(chaos, load);
    let seen = measure(&team, load, "weak")?;
    chaos.control(
        "G3-lost",
        format_args!("with every hundredth entry taken out {} are lost:", seen.lost),
        0 < seen.lost,
    );
    chaos.control(
        "G3-durable-p99-ms",
        format_args!("with a journal that is looked at each 200 ms p99 is {:.0} ms:", seen.durable[1]),
        50.0 < seen.durable[1],
    );
    Ok(())
}

fn team(chaos: &Chaos, load: Load) -> Team {
    let agents = ["claude", "codex", "gemini"];
    let tasks: Vec<Value> = (1..=WORKERS)
        .map(|task_no| {
            let mut task = task(&format!("t{task_no}"), agents[task_no % agents.len()]);
            task["weight"] = json!(100 / WORKERS);
            task
        })
        .collect();
    let mut planned = plan(&tasks);
    // Weights are 100 in all.
    let rest = 100 - (100 / WORKERS) * (WORKERS - 1);
    planned["steps"][0]["plan"]["tasks"][0]["weight"] = json!(rest);
    let says = json!({ "load": { "per_second": load.per_second, "seconds": load.seconds } });
    let team = chaos.team(|gates| {
        let told = json!({ "run": format!("echo all >>'{}'", gates.join(SAID).display()) });
        let works = json!({ "when": { "purpose": "task" }, "steps": [says, told, { "hang": true }] });
        vec![planned, works]
    });
    team.parallel(u32::try_from(WORKERS).unwrap_or(u32::MAX));
    team.nice(10);
    // They say more than any worker may by itself.
    team.set("[limits]\nworker_turns = 1_000_000\n");
    team
}

fn measured(chaos: &Chaos, load: Load) -> Result<Seen, Fault> {
    measure(&team(chaos, load), load, "")
}

/// A process of its own runs the sessions.
fn measure(team: &Team, load: Load, weak: &str) -> Result<Seen, Fault> {
    let mut inner = Command::new(std::env::current_exe()?);
    inner
        .arg("inner")
        .arg("r3")
        .arg(team.at(""))
        .args([load.per_second, load.seconds].map(|it| it.to_string()));
    inner.arg(weak).env("HOME", team.at("home")).stdin(Stdio::null()).stderr(Stdio::inherit());
    let done = inner.output()?;
    if !done.status.success() {
        return Err(format!("the process that is measured ended with {}", done.status).into());
    }
    serde_json::from_slice(&done.stdout).map_err(|fault| Fault::from(fault.to_string()))
}

/// The process that is measured.
pub(crate) fn inner(words: &[String]) -> ExitCode {
    let [folder, per_second, seconds, weak] = words else { return ExitCode::from(2) };
    let (Ok(per_second), Ok(seconds)) = (per_second.parse(), seconds.parse()) else {
        return ExitCode::from(2);
    };
    let load = Load { per_second, seconds };
    let seen = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Fault::from)
        .and_then(|runtime| runtime.block_on(drive(Path::new(folder), load, weak == "weak")));
    match seen.map(|seen| serde_json::to_string(&seen)) {
        Ok(Ok(text)) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Ok(Err(fault)) => failed(&fault.to_string()),
        Err(fault) => failed(&fault.to_string()),
    }
}

fn failed(why: &str) -> ExitCode {
    clis::eprint(why);
    ExitCode::FAILURE
}

/// When entries became known: the last entry, and nanoseconds since 1970.
type Moments = Arc<Mutex<BTreeMap<SessionId, Vec<(u64, u64)>>>>;

/// Moments that are noted without more memory, so that what grows is not what measures: about a hundred seconds.
const NOTED: usize = 1 << 17;

fn note(moments: &Moments, session: &SessionId, seq: Seq) {
    let mut moments = moments.lock().unwrap_or_else(PoisonError::into_inner);
    let noted = moments.entry(session.clone()).or_insert_with(|| {
        // Written once, so that its pages are there.
        let mut room = vec![(1, 1); NOTED];
        room.clear();
        room
    });
    noted.push((seq.0, u64::try_from(now()).unwrap_or(u64::MAX)));
}

fn now() -> u128 {
    UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos()
}

async fn drive(folder: &Path, load: Load, weak: bool) -> Result<Seen, Fault> {
    let options = Options {
        workspace: folder.join("work"),
        orchestrate: clis::programs().join("orchestrate"),
        config: Some(folder.join("settings.toml")),
    };
    let engine = Engine::new(options).map_err(|fault| Fault::from(fault.message))?;
    let (durable, shown) = (Moments::default(), Moments::default());
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let session = open(&engine, folder).await?;
        let state = engine.state(&session).ok_or("a session is not there")?;
        tokio::spawn(listen(state, session.clone(), Arc::clone(&durable), weak));
        sessions.push(session);
    }
    let windows: Vec<_> = sessions
        .iter()
        .map(|session| tokio::spawn(window(engine.clone(), session.clone(), Arc::clone(&shown))))
        .collect();
    begun(&engine, &sessions).await?;
    let (began, cpu) = (Instant::now(), worked());
    let samples = tokio::spawn(sample());
    said(folder, load).await?;
    let (busy, cpu) = (began.elapsed().as_secs_f64(), worked() - cpu);
    samples.abort();
    tokio::time::sleep(CATCHES_UP).await;
    engine.shutdown(Duration::ZERO).await;
    windows.iter().for_each(tokio::task::JoinHandle::abort);
    let memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut seen = Seen { busy, core: 100.0 * cpu / busy, memory, ..Seen::default() };
    let folders: Vec<PathBuf> =
        sessions.iter().map(|session| folder.join("work").join(session.as_str())).collect();
    count(&mut seen, &sessions, &folders, load, weak, (&durable, &shown))?;
    Ok(seen)
}

async fn open(engine: &Engine, folder: &Path) -> Result<SessionId, Fault> {
    let request = Request::Open {
        goal: "Write some texts".to_owned(),
        target: folder.join("project").to_string_lossy().into_owned(),
        approve: true,
        unsandboxed: true,
    };
    match engine.request(request).await {
        Ok(Response::Opened { session }) => Ok(session),
        Ok(_) => Err("no session is opened".into()),
        Err(fault) => Err(fault.message.into()),
    }
}

/// Notes when entries became durable: when the state with them is published.
async fn listen(mut state: watch::Receiver<State>, session: SessionId, moments: Moments, weak: bool) {
    while state.changed().await.is_ok() {
        if weak {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let seq = state.borrow_and_update().seq;
        note(&moments, &session, seq);
    }
}

/// Asks for what is new, as a window does.
async fn window(engine: Engine, session: SessionId, moments: Moments) {
    let mut since = Seq(0);
    loop {
        let Ok(Response::Update { seq, .. }) =
            engine.request(Request::Watch { session: session.clone(), since }).await
        else {
            return;
        };
        since = seq;
        note(&moments, &session, seq);
        tokio::time::sleep(FRAME).await;
    }
}

/// Waits until every worker of every session is at work.
async fn begun(engine: &Engine, sessions: &[SessionId]) -> Result<(), Fault> {
    let at_work = |state: &State| {
        WORKERS <= state.live().count() && state.live().all(|(_, worker)| worker.process.is_some())
    };
    for session in sessions {
        let mut state = engine.state(session).ok_or("a session is not there")?;
        let waits = tokio::time::timeout(Duration::from_secs(60), state.wait_for(at_work)).await;
        waits.map_err(|_| "the workers did not begin")?.map_err(|fault| Fault::from(fault.to_string()))?;
    }
    Ok(())
}

/// Waits until every worker has said all: each tells so by a line of a file, whatever came of its words.
async fn said(folder: &Path, load: Load) -> Result<(), Fault> {
    let deadline = Instant::now() + Duration::from_secs(60 + u64::from(4 * load.seconds));
    let done = || fs::read_to_string(folder.join("gates").join(SAID)).map_or(0, |text| text.lines().count());
    while done() < SESSIONS * WORKERS {
        if deadline < Instant::now() {
            return Err(format!("{} of {} workers have said all", done(), SESSIONS * WORKERS).into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

static MEMORY: Mutex<Vec<f64>> = Mutex::new(Vec::new());

/// Notes the memory of this process each second.
async fn sample() {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tick.tick().await;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib = kib.trim().trim_end_matches(" kB").parse().unwrap_or(0.0);
        MEMORY.lock().unwrap_or_else(PoisonError::into_inner).push(kib);
    }
}

/// Processor time of this process in seconds; its children are not in it.
fn worked() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default().as_secs_f64()
}

/// What is in the journals, and when it came there.
fn count(
    seen: &mut Seen,
    sessions: &[SessionId],
    folders: &[PathBuf],
    load: Load,
    weak: bool,
    (durable, shown): (&Moments, &Moments),
) -> Result<(), Fault> {
    let (mut took_durable, mut took_shown) = (Vec::new(), Vec::new());
    let (mut said_last, mut durable_last) = (0, 0);
    for (session, folder) in sessions.iter().zip(folders) {
        let moments = |of: &Moments| {
            of.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned().unwrap_or_default()
        };
        let (durable, shown) = (moments(durable), moments(shown));
        let mut next: BTreeMap<WorkerId, u64> = BTreeMap::new();
        for entry in journal::read(folder)? {
            let Event::WorkerSaid { worker, said: AgentEvent::Progress(said), .. } = &entry.event else {
                continue;
            };
            let mut words = said.text.split_whitespace();
            let (Some("load"), Some(number), Some(time)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let (Ok(number), Ok(time)) = (number.parse::<u64>(), time.parse::<u128>()) else { continue };
            if weak && entry.seq.0 % 100 == 0 {
                continue;
            }
            let next = next.entry(*worker).or_default();
            // One that came twice or too late counts as one that did not come.
            seen.lost += usize::from(*next != number);
            *next = number + 1;
            seen.events += 1;
            let known = after(&durable, entry.seq);
            took_durable.extend(known.map(|known| known.saturating_sub(time)));
            took_shown.extend(after(&shown, entry.seq).map(|known| known.saturating_sub(time)));
            said_last = said_last.max(time);
            durable_last = durable_last.max(known.unwrap_or(u128::MAX));
        }
        let all = u64::from(load.per_second * load.seconds);
        let missing: u64 = next.values().map(|next| all - next.min(&all)).sum::<u64>()
            + all * (WORKERS - next.len().min(WORKERS)) as u64;
        seen.lost += usize::try_from(missing).unwrap_or(usize::MAX);
    }
    seen.durable = figures(took_durable);
    seen.shown = figures(took_shown);
    seen.behind = durable_last.saturating_sub(said_last) as f64 / 1e6;
    Ok(())
}

/// When an entry was known.
fn after(moments: &[(u64, u64)], seq: Seq) -> Option<u128> {
    moments.get(moments.partition_point(|(known, _)| *known < seq.0)).map(|(_, time)| u128::from(*time))
}

/// Median, p99 and greatest, from nanoseconds to milliseconds.
fn figures(mut times: Vec<u128>) -> [f64; 3] {
    times.sort_unstable();
    let at = |share: f64| {
        let index = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(index).map_or(f64::NAN, |time| *time as f64 / 1e6)
    };
    [at(0.5), at(0.99), at(1.0)]
}
