//! G15: 500 workers and a number of whole sessions in one process leave nothing in it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use acceptance::{
    chaos::{Chaos, Fault, say},
    clis,
    team::{Team, plan, task, work},
};
use domain::{Request, Response};
use engine::{
    Engine, Options, journal,
    process::{Caps, Processes, Running, Spec, Tail},
};
use serde::{Deserialize, Serialize};

/// Workers at the same time.
const PARALLEL: usize = 8;
/// Growth of memory that is none: what allocators keep (RELIABILITY G15).
const MEMORY_KIB: i64 = 20 << 10;
/// How long threads may idle before they count as left; tokio's blocking ones stay 10 seconds.
const SETTLES: Duration = Duration::from_secs(20);

/// What a process has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Holdings {
    zombies: i64,
    descriptors: i64,
    threads: i64,
    memory_kib: i64,
    temporary: i64,
    locks: i64,
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let (runs, sessions) = chaos.scale((500, 20), (100, 3));
    let team = chaos.team(|_| vec![plan(&[task("t1", "claude")]), work("t1", &[])]);
    let grown = measured(&team, runs, sessions, false)?;
    chaos.note(format_args!("{runs} workers, {sessions} sessions, 8 at a time: {grown:?}"));
    for (id, value) in [
        ("G15-zombies", grown.zombies),
        ("G15-descriptors", grown.descriptors),
        ("G15-threads", grown.threads),
        ("G15-temporary", grown.temporary),
        ("G15-locks", grown.locks),
    ] {
        chaos.goal(id, value, 0, value <= 0);
    }
    let memory = grown.memory_kib;
    chaos.goal("G15-memory-KiB", memory, MEMORY_KIB, memory <= MEMORY_KIB);
    let leaked = measured(&team, 20, 0, true)?;
    let what = format_args!(
        "with handles kept and children not waited for: {} descriptors, {} zombies:",
        leaked.descriptors, leaked.zombies
    );
    chaos.control("G15-descriptors", what, 20 <= leaked.descriptors && 20 <= leaked.zombies);
    Ok(())
}

/// What a process of its own has more after that many workers and sessions.
fn measured(team: &Team, runs: usize, sessions: usize, leak: bool) -> Result<Holdings, Fault> {
    let temporary = team.at("temporary");
    fs::create_dir_all(&temporary)?;
    let this = std::env::current_exe()?;
    let mut inner = Command::new(this);
    inner.arg("inner").arg("r15").arg(team.at("")).args([runs, sessions].map(|it| it.to_string()));
    inner.arg(if leak { "leak" } else { "" }).env("TMPDIR", &temporary).env("HOME", team.at("home"));
    let done = inner.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !done.status.success() {
        return Err(format!("the process that is measured ended with {}", done.status).into());
    }
    serde_json::from_slice(&done.stdout).map_err(|fault| Fault::from(fault.to_string()))
}

/// The process that is measured.
pub(crate) fn inner(words: &[String]) -> ExitCode {
    let [folder, runs, sessions, leak] = words else { return ExitCode::from(2) };
    let (Ok(runs), Ok(sessions)) = (runs.parse(), sessions.parse()) else { return ExitCode::from(2) };
    let grown = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Fault::from)
        .and_then(|runtime| runtime.block_on(grown(Path::new(folder), runs, sessions, leak == "leak")));
    match grown.map(|grown| serde_json::to_string(&grown)) {
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

async fn grown(folder: &Path, runs: usize, sessions: usize, leak: bool) -> Result<Holdings, Fault> {
    let other = |fault: &dyn std::error::Error| Fault::from(fault.to_string());
    let processes = Processes::new(clis::programs().join("orchestrate"), vec!["guardian".into()])
        .map_err(|it| other(&it))?;
    let options = Options {
        workspace: folder.join("work"),
        orchestrate: clis::programs().join("orchestrate"),
        config: Some(folder.join("settings.toml")),
    };
    let engine = Engine::new(options).map_err(|fault| Fault::from(fault.message))?;
    // What is made once is no leak.
    let mut kept = workers(&processes, folder, 2 * PARALLEL, false).await?;
    if 0 < sessions {
        session(&engine, folder).await?;
    }
    let before = holdings(folder);
    kept.extend(workers(&processes, folder, runs, leak).await?);
    for _ in 0..sessions {
        session(&engine, folder).await?;
    }
    let mut unwaited = Vec::new();
    for _ in 0..if leak { runs } else { 0 } {
        unwaited.push(Command::new("/bin/true").spawn()?);
    }
    let until = Instant::now() + SETTLES;
    let mut grown = less(holdings(folder), before);
    while !leak && until > Instant::now() && (0 < grown.threads || 0 < grown.zombies || 0 < grown.descriptors)
    {
        tokio::time::sleep(Duration::from_millis(200)).await;
        grown = less(holdings(folder), before);
    }
    if leak {
        tokio::time::sleep(Duration::from_millis(500)).await;
        grown = less(holdings(folder), before);
    }
    drop(kept);
    unwaited.iter_mut().try_for_each(|child| child.wait().map(drop))?;
    Ok(grown)
}

/// Runs so many workers; gives the handles when they are to be kept.
async fn workers(
    processes: &Processes,
    folder: &Path,
    count: usize,
    keep: bool,
) -> Result<Vec<Running>, Fault> {
    let permits = Arc::new(tokio::sync::Semaphore::new(PARALLEL));
    let mut all = tokio::task::JoinSet::new();
    for number in 0..count {
        let (processes, permits, folder) = (processes.clone(), Arc::clone(&permits), folder.to_owned());
        all.spawn(async move {
            let _permit = permits.acquire().await.map_err(|fault| Fault::from(fault.to_string()))?;
            worker(&processes, &folder.join("workers").join(number.to_string())).await
        });
    }
    let mut kept = Vec::new();
    while let Some(done) = all.join_next().await {
        let running = done.map_err(|fault| Fault::from(fault.to_string()))??;
        kept.extend(keep.then_some(running));
    }
    Ok(kept)
}

/// One worker: it talks, has a child, and leaves; all it says is read.
async fn worker(processes: &Processes, folder: &Path) -> Result<Running, Fault> {
    fs::create_dir_all(folder)?;
    let spec = Spec {
        program: PathBuf::from("/bin/sh"),
        args: vec!["-c".into(), "echo one; (setsid sleep 300 &); sleep 0.1; echo two".into()],
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        cwd: folder.to_owned(),
        stdin: None,
        stdout: folder.join("out"),
        stderr: folder.join("err"),
        record: folder.join("exit.json"),
        cookie: folder.display().to_string(),
        caps: Caps::default(),
        sandboxed: false,
    };
    let running = processes.spawn(spec).await.map_err(|fault| Fault::from(fault.to_string()))?;
    let mut tail = Tail::open(&folder.join("out"), 0, running.end())?;
    let mut lines = 0;
    while tail.next().await.is_some() {
        lines += 1;
    }
    let exit = running.ended().await;
    fs::remove_dir_all(folder)?;
    if (lines, exit.code) != (2, Some(0)) {
        return Err(format!("a worker said {lines} lines and ended with {exit:?}").into());
    }
    Ok(running)
}

/// One whole session, closed again.
async fn session(engine: &Engine, folder: &Path) -> Result<(), Fault> {
    let request = Request::Open {
        goal: "Write a text".to_owned(),
        target: folder.join("project").to_string_lossy().into_owned(),
        approve: true,
        unsandboxed: true,
    };
    let opened = engine.request(request).await.map_err(|fault| Fault::from(fault.message))?;
    let Response::Opened { session } = opened else { return Err("no session is opened".into()) };
    let mut state = engine.state(&session).ok_or("the session is not there")?;
    state.wait_for(|state| state.ended.is_some()).await.map_err(|fault| Fault::from(fault.to_string()))?;
    drop(state);
    engine.close(&session).await;
    Ok(())
}

fn less(now: Holdings, before: Holdings) -> Holdings {
    Holdings {
        zombies: now.zombies - before.zombies,
        descriptors: now.descriptors - before.descriptors,
        threads: now.threads - before.threads,
        memory_kib: now.memory_kib - before.memory_kib,
        temporary: now.temporary - before.temporary,
        locks: now.locks - before.locks,
    }
}

fn holdings(folder: &Path) -> Holdings {
    let count = |path: &str| count(fs::read_dir(path).into_iter().flatten().flatten().count());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
    };
    let sessions = fs::read_dir(folder.join("work")).into_iter().flatten().flatten();
    Holdings {
        zombies: zombies(),
        descriptors: count("/proc/self/fd"),
        threads: field("Threads:"),
        memory_kib: field("VmRSS:"),
        temporary: count(&folder.join("temporary").to_string_lossy()),
        locks: self::count(sessions.filter(|session| journal::is_held(&session.path())).count()),
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Children of this process that have ended and were not waited for.
fn zombies() -> i64 {
    let own = std::process::id().to_string();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let stats = pids.filter_map(|path| fs::read_to_string(path.join("stat")).ok());
    let is_ours = |stat: &String| {
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        fields.next() == Some("Z") && fields.next() == Some(own.as_str())
    };
    count(stats.filter(is_ours).count())
}
