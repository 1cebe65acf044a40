//! G14: a worker that uses more than it may is stopped in time, with control groups and without them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use acceptance::chaos::{Chaos, Fault};
use acceptance::clis;
use acceptance::team::{Team, eventually, plan, task, work};
use domain::{ExitCause, Request};
use engine::process::{Caps, ExitRecord};
use engine::{Engine, Options};
use serde_json::json;

use super::worker::{Place, block_on, ms, probe, processes, spawn_fault, weight};

const MIB: u64 = 1 << 20;
/// Memory that the hog may have.
const MEMORY: u64 = 256 * MIB;
/// Processes that the bomb may have. The kernel, where it counts, lets four times as many threads be; who only looks
/// now and then needs more room.
const PROCESSES: [u64; 2] = [64, 32];
/// The most tasks there may ever be (RELIABILITY G14).
const TASKS: u64 = 256;
const OUTPUT: u64 = 256 * MIB;

/// Forks as fast as it can, each child as well; bounded, so that a control run harms nobody.
const BOMB: &str =
    "n=0; b() { while [ $n -lt 12 ]; do n=$((n+1)); b & done; sleep 1000; }; ulimit -u 4000 2>/dev/null; b";
/// The same, slower, and never more than 600: for the run without limits.
const SMALL_BOMB: &str = "i=0; while [ $i -lt 600 ]; do sleep 1000 & i=$((i+1)); done; echo grown; wait";

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    for groups in [true, false] {
        block_on(tree(chaos, groups))?;
    }
    block_on(control(chaos))?;
    in_a_session(chaos)?;
    disk(chaos)
}

/// What was seen of a worker from its start to its end.
struct Course {
    ended: Duration,
    /// When its memory came to this share of what it may have.
    crossed: Option<Duration>,
    most_processes: u64,
    most_memory: u64,
    record: ExitRecord,
}

async fn watch(place: &Place, spec: engine::process::Spec) -> Result<Course, Fault> {
    let running = processes().map_err(spawn_fault)?.spawn(spec).await.map_err(spawn_fault)?;
    let (begun, guardian) = (Instant::now(), running.identity().pid);
    let (mut most_processes, mut most_memory, mut crossed) = (0, 0, None);
    while running.end().record().is_none() && begun.elapsed() < Duration::from_secs(30) {
        let (processes, memory) = weight(guardian);
        (most_processes, most_memory) = (processes.max(most_processes), memory.max(most_memory));
        if MEMORY / 10 * 9 < memory {
            crossed.get_or_insert(begun.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ended = begun.elapsed();
    running.stop_now(ExitCause::Stopped);
    let _ = running.ended().await;
    let record = ExitRecord::read(&place.at("exit.json"))?.ok_or("no exit record")?;
    Ok(Course { ended, crossed, most_processes, most_memory, record })
}

fn by_limit(course: &Course, word: &str) -> bool {
    let why = course.record.why.clone().unwrap_or_default();
    course.record.exit.cause == ExitCause::Limit && why.starts_with(word)
}

async fn tree(chaos: &Chaos, groups: bool) -> Result<(), Fault> {
    let kind = if groups { "cgroups" } else { "polling" };
    let caps = Caps { groups, ..Caps::default() };
    let place = |name: &str| Place::new(chaos.folder(), &format!("{kind}-{name}"));
    let told = |name: &str, course: &Course| {
        chaos.note(format!("{kind}, {name}: {}", course.record.why.clone().unwrap_or_default()));
    };

    let hog = place("hog")?;
    let memory = Caps { memory: Some(MEMORY), ..caps };
    let course = watch(&hog, hog.probe(&["hog", "4096", "20"], memory)).await?;
    told("hog", &course);
    let late = course.crossed.map(|at| course.ended.saturating_sub(at));
    let in_time = late.is_some_and(|late| late <= Duration::from_secs(2)) && by_limit(&course, "memory: ");
    let value =
        format!("{}:peak_{}_MiB", late.map_or_else(|| "never".to_owned(), ms), course.most_memory / MIB);
    chaos.figure(&format!("G14-memory-{kind}"), value, "2000_ms", in_time);

    let bomb = place("bomb")?;
    let few = Caps { processes: Some(PROCESSES[usize::from(!groups)]), ..caps };
    let (course, slow) = while_the_app_answers(chaos, watch(&bomb, bomb.script(BOMB, few))).await?;
    told("bomb", &course);
    let held = course.most_processes <= TASKS && by_limit(&course, "processes: ");
    let value = format!("{}_tasks:{}", course.most_processes, ms(course.ended));
    chaos.figure(&format!("G14-fork-bomb-{kind}"), value, format!("{TASKS}_tasks"), held);
    let limit = Duration::from_millis(500);
    chaos.figure(&format!("G14-app-answers-{kind}"), ms(slow), ms(limit), slow < limit);

    let busy = place("cpu")?;
    let cpu = Caps { cpu: Some(Duration::from_secs(2)), ..caps };
    let course = watch(&busy, busy.script("(while :; do :; done) & while :; do :; done", cpu)).await?;
    told("busy", &course);
    let used = Duration::from_millis(course.record.user_ms + course.record.system_ms);
    let right = by_limit(&course, "processor time: ") && used <= Duration::from_secs(4);
    chaos.figure(&format!("G14-cpu-{kind}"), format!("{}_of_2000_ms", ms(used)), "4000_ms", right);

    let noisy = place("output")?;
    let output = Caps { output: Some(OUTPUT), ..caps };
    let course = watch(&noisy, noisy.script("cat /dev/zero", output)).await?;
    told("output", &course);
    let size = course.record.output_bytes;
    let right = by_limit(&course, "output: ") && size <= 2 * OUTPUT;
    chaos.figure(&format!("G14-output-{kind}"), format!("{}_MiB_of_256", size / MIB), "512_MiB", right);
    std::fs::remove_file(noisy.at("out"))?;

    let slow = place("wall")?;
    let wall = Caps { wall: Some(Duration::from_secs(3)), ..caps };
    let course = watch(&slow, slow.script("trap '' TERM; while :; do sleep 1000; done", wall)).await?;
    told("wall", &course);
    let off = course.ended.abs_diff(Duration::from_secs(3));
    let right = by_limit(&course, "running time: ") && off <= Duration::from_secs(1);
    chaos.figure(&format!("G14-wall-{kind}"), format!("off_by_{}", ms(off)), "1000_ms", right);
    Ok(())
}

/// The slowest answer (99 of 100 are faster) of an engine in this process while something else goes on.
async fn while_the_app_answers<T>(
    chaos: &Chaos,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<(T, Duration), Fault> {
    let options = Options {
        workspace: chaos.folder().join("workspace"),
        orchestrate: clis::orchestrate(),
        config: Some(chaos.folder().join("none.toml")),
    };
    std::fs::create_dir_all(&options.workspace)?;
    std::fs::write(chaos.folder().join("none.toml"), "")?;
    let engine = Engine::new(options).map_err(|fault| fault.message)?;
    let asking = tokio::spawn(async move {
        let mut took = Vec::new();
        loop {
            let begun = Instant::now();
            let _ = engine.request(Request::Sessions).await;
            took.push(begun.elapsed());
            if took.len() == took.capacity() && 100_000 < took.len() {
                return took;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            if STOP.load(Ordering::Relaxed) {
                return took;
            }
        }
    });
    STOP.store(false, Ordering::Relaxed);
    let done = work.await;
    STOP.store(true, Ordering::Relaxed);
    let mut took = asking.await.map_err(|fault| fault.to_string())?;
    took.sort();
    let slowest = took.get((took.len() * 99 / 100).min(took.len().saturating_sub(1))).copied();
    Ok((done?, slowest.unwrap_or_default()))
}

static STOP: AtomicBool = AtomicBool::new(false);

/// Without limits the same goes on and on.
async fn control(chaos: &Chaos) -> Result<(), Fault> {
    let hog = Place::new(chaos.folder(), "unlimited-hog")?;
    let running = processes().map_err(spawn_fault)?;
    let hogging =
        running.spawn(hog.probe(&["hog", "1024", "1"], Caps::default())).await.map_err(spawn_fault)?;
    hog.until_says("has 1024 MiB").await?;
    let (_, memory) = weight(hogging.identity().pid);
    chaos.control("G14-memory", format!("without_a_limit_it_has_{}_MiB", memory / MIB), MEMORY < memory);
    hogging.stop_now(ExitCause::Stopped);
    let bomb = Place::new(chaos.folder(), "unlimited-bomb")?;
    let bombing = running.spawn(bomb.script(SMALL_BOMB, Caps::default())).await.map_err(spawn_fault)?;
    bomb.until_says("grown").await?;
    let (processes, _) = weight(bombing.identity().pid);
    chaos.control(
        "G14-fork-bomb",
        format!("without_a_limit_it_has_{processes}_processes"),
        TASKS < processes,
    );
    bombing.stop_now(ExitCause::Stopped);
    let _ = (hogging.ended().await, bombing.ended().await);
    Ok(())
}

/// The whole program: the setting, the warning, the end, the words for people.
fn in_a_session(chaos: &Chaos) -> Result<(), Fault> {
    let hog = json!({ "run": format!("'{}' hog 1024 20; sleep 10", probe().display()) });
    let team = chaos.team(|_| vec![plan(&[task("t1", "claude")]), work("t1", &[hog])]);
    team.set("[limits]\nworker_memory_mib = 192\n");
    let _ = team.begin().end();
    let state = team.state();
    let worker = state.workers.values().find(|worker| worker.task().is_some());
    let end = worker.and_then(|worker| worker.end.clone());
    let text = end.as_ref().and_then(|(_, failed)| failed.as_ref()).map(|failed| failed.text.clone());
    let text = text.unwrap_or_default();
    let limited = end.is_some_and(|(exit, _)| exit.cause == ExitCause::Limit);
    chaos.note(format!("in a session: {text}"));
    let named = text.starts_with("memory: ") && text.contains("limits.worker_memory_mib");
    chaos.goal(
        "G14-session-says-which-limit",
        if named { "said" } else { "not_said" },
        "said",
        limited && named,
    );
    Ok(())
}

/// A mounted file system in memory; unmounted when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(folder: &Path, mib: u64) -> Option<Self> {
        let at = folder.join("disk");
        std::fs::create_dir_all(&at).ok()?;
        let size = format!("size={mib}m,mode=0755");
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&at).output().ok()?;
        done.status.success().then_some(Self(at))
    }
}

/// Free bytes of the file system of a folder.
fn room(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |facts| facts.f_bavail * facts.f_frsize)
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A worker that fills the disk stands still before the floor is reached, and goes on when there is room.
fn disk(chaos: &Chaos) -> Result<(), Fault> {
    let Some(mount) = Mount::new(chaos.folder(), 1536) else {
        chaos.skipped("G14-disk", "a file system of its own cannot be mounted here");
        return Ok(());
    };
    let floor = 512 * MIB;
    // 64 MiB every 0.05 s: 1.2 GiB/s.
    let fill = "i=0; until [ -e enough ]; do dd if=/dev/zero of=fill.$i bs=1M count=64 2>/dev/null; i=$((i+1)); \
                sleep 0.05; done; rm -f fill.* enough";
    let script = |_: &Path| vec![plan(&[task("t1", "claude")]), work("t1", &[json!({ "run": fill })])];
    let team = Team::below(&mount.0, script);
    team.set("[limits]\ndisk_free_mib = 512\n");
    let running = team.begin();
    let least = Arc::new(AtomicU64::new(u64::MAX));
    let (seen, watched, done) = (Arc::clone(&least), mount.0.clone(), Arc::new(AtomicBool::new(false)));
    let stop = Arc::clone(&done);
    let watcher = std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) && watched.exists() {
            seen.fetch_min(room(&watched), Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let mut last = 0;
    eventually("the disk stands still", || {
        let free = room(&mount.0);
        let still = free == last && free < 1024 * MIB;
        last = free;
        std::thread::sleep(Duration::from_millis(600));
        still && room(&mount.0) == free
    });
    let lowest = least.load(Ordering::Relaxed);
    chaos.figure("G14-disk", format!("{}_MiB_left", lowest / MIB), "512_MiB", floor <= lowest);
    let begun = Instant::now();
    let tree = team.state().tasks.first().and_then(|task| task.path.clone()).ok_or("no tree")?;
    let in_tree = |fault: std::io::Error| Fault::Other(format!("{tree}: {fault}"));
    std::fs::write(Path::new(&tree).join("enough"), "").map_err(in_tree)?;
    let is_filler = |name: &str| name.starts_with("fill.");
    for entry in std::fs::read_dir(&tree)
        .map_err(in_tree)?
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(is_filler))
    {
        // The worker goes on in between, and removes them as well.
        let _ = std::fs::remove_file(entry.path());
    }
    let ended = running.end();
    let took = begun.elapsed();
    done.store(true, Ordering::Relaxed);
    drop(watcher.join());
    let well = ended.code == Some(0);
    chaos.figure(
        "G14-disk-goes-on",
        if well { format!("done_{}", ms(took)) } else { "not_done".to_owned() },
        "done",
        well,
    );
    drop(team);
    Ok(())
}
