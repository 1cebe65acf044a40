//! G4: however a worker behaves, it and all it started are gone when they are to be.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use acceptance::chaos::{Chaos, Fault};
use acceptance::team::{plan, task, work};
use domain::ExitCause;
use engine::process::{COOKIE, Caps, sweep};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;

use super::worker::{Place, alive, block_on, environment, ms, processes, spawn_fault, until_ended};

/// Short, to save time: what counts is the time after it.
const GRACE: Duration = Duration::from_millis(700);
/// The product's own, used once, and the one at quit.
const FULL_GRACE: Duration = Duration::from_secs(5);
const QUIT_GRACE: Duration = Duration::from_secs(2);

/// How a worker misbehaves, as a shell script that says `ready`, and whether it leaves when it is asked to.
const BEHAVIOURS: [(&str, &str, bool); 9] = [
    ("cooperative", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", true),
    ("deaf", "trap '' TERM INT HUP; echo ready; while :; do sleep 1000; done", false),
    (
        "own-session",
        "trap '' TERM; for i in 1 2 3; do setsid sh -c 'trap \"\" TERM; sleep 1000 & wait' & done; sleep 0.1; echo ready; \
         while :; do sleep 1000; done",
        false,
    ),
    (
        "double-fork",
        "trap '' TERM; for i in 1 2 3; do (setsid sh -c '(setsid sleep 1000 &); exit' &); done; sleep 0.1; echo ready; \
         while :; do sleep 1000; done",
        false,
    ),
    ("stopped-itself", "trap '' TERM; echo ready; kill -STOP $$; while :; do sleep 1000; done", false),
    (
        "many-children",
        "trap '' TERM; i=0; while [ $i -lt 200 ]; do sleep 1000 & i=$((i+1)); done; echo ready; \
         while :; do sleep 1000; done",
        false,
    ),
    (
        "forks-on-and-on",
        "trap '' TERM; w() { sleep 0.02; (w &) ; }; w & w & w & w & echo ready; while :; do sleep 1000; done",
        false,
    ),
    (
        "holds-output",
        "(trap '' TERM; setsid sleep 1000) & trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done",
        true,
    ),
    ("never-reads", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", true),
];

/// Ways to be stopped: the name, the grace, and what may be needed on top of it by one worker and by many.
const WAYS: [(&str, Duration, u64, u64); 3] =
    [("soft", GRACE, 250, 1000), ("now", Duration::ZERO, 500, 1000), ("quit", QUIT_GRACE, 250, 1000)];

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    control(chaos)?;
    let many = chaos.scale(32, 8);
    for groups in [true, false] {
        block_on(matrix(chaos, many, groups))?;
    }
    block_on(full_grace(chaos))?;
    quit_the_program(chaos)
}

/// The worst of each way over all behaviours; each cell that is too slow is told by itself.
async fn matrix(chaos: &Chaos, many: usize, groups: bool) -> Result<(), Fault> {
    let kind = if groups { "cgroups" } else { "signals" };
    let mut left_over = 0;
    for (way, grace, one_more, many_more) in WAYS {
        // Quitting is a soft stop with another grace: in the short form it is tried on the program itself only.
        if way == "quit" && (!chaos.full() || !groups) {
            continue;
        }
        for (count, more) in [(1, one_more), (many, many_more)] {
            let (mut worst, mut of) = (Duration::ZERO, "");
            let mut kindest = Duration::ZERO;
            for (name, script, leaves) in BEHAVIOURS {
                let place = chaos.folder().join(format!("{kind}-{way}-{count}-{name}"));
                let (took, left) = stop(&place, script, count, grace, groups).await?;
                left_over += left;
                let over = took.saturating_sub(if leaves { Duration::ZERO } else { grace });
                if worst <= over && !leaves {
                    (worst, of) = (over, name);
                }
                if leaves {
                    kindest = kindest.max(took);
                }
            }
            let id = format!("G4-{way}-{count}-{kind}");
            let after = if grace.is_zero() { String::new() } else { format!("grace+{}:", grace.as_millis()) };
            chaos.figure(
                &id,
                format!("{after}{}:{of}", ms(worst)),
                format!("{more}_ms"),
                worst <= Duration::from_millis(more),
            );
            if count == 1 && way != "now" {
                let limit = Duration::from_millis(300);
                chaos.figure(
                    &format!("G4-{way}-cooperative-{kind}"),
                    ms(kindest),
                    ms(limit),
                    kindest <= limit,
                );
            }
        }
    }
    chaos.goal(&format!("G4-left-{kind}"), left_over, 0, left_over == 0);
    Ok(())
}

/// Starts so many workers, stops them all at once, and gives how long that took and how many processes are left.
async fn stop(
    folder: &Path,
    script: &str,
    count: usize,
    grace: Duration,
    groups: bool,
) -> Result<(Duration, usize), Fault> {
    let processes = processes().map_err(spawn_fault)?;
    let caps = Caps { groups, ..Caps::default() };
    // 32 workers with 200 processes each would measure how fast the kernel takes 6,400 processes down: on two busy
    // cores 1.3 s under guardians, 3.6 s by a plain kill of their groups.
    let script = if 1 < count { script.replace("-lt 200", "-lt 50") } else { script.to_owned() };
    let mut workers = Vec::new();
    for number in 0..count {
        let place = Place::new(folder, &number.to_string())?;
        let prompt = place.at("prompt");
        std::fs::write(&prompt, vec![b'x'; 1 << 20])?;
        let mut spec = place.script(&script, caps);
        spec.stdin = Some(prompt);
        let running = processes.spawn(spec).await.map_err(spawn_fault)?;
        workers.push((place, running));
    }
    for (place, _) in &workers {
        place.until_says("ready").await?;
    }
    let begun = Instant::now();
    for (_, running) in &workers {
        if grace.is_zero() {
            running.stop_now(ExitCause::Stopped);
        } else {
            running.stop(grace, ExitCause::Stopped);
        }
    }
    let mut took = Duration::ZERO;
    for (_, running) in &workers {
        took = took.max(until_ended(running, begun).await);
    }
    let cookie = folder.display().to_string();
    let first = alive(&cookie).len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok((took, first.max(alive(&cookie).len())))
}

async fn full_grace(chaos: &Chaos) -> Result<(), Fault> {
    let script = BEHAVIOURS[3].1;
    let (took, left) = stop(&chaos.folder().join("full-grace"), script, 1, FULL_GRACE, true).await?;
    let over = took.saturating_sub(FULL_GRACE);
    let limit = Duration::from_millis(250);
    chaos.figure(
        "G4-default-grace",
        format!("5_s+{}", ms(over)),
        ms(limit),
        FULL_GRACE <= took && over <= limit && left == 0,
    );
    Ok(())
}

/// The program itself, with agents at their worst, gets each of the signals that end programs.
fn quit_the_program(chaos: &Chaos) -> Result<(), Fault> {
    for (signals, limit) in [(&["-TERM"][..], 8000), (&["-HUP"], 8000), (&["-INT", "-INT"], 2000)] {
        let team = chaos.team(|gates| {
            let stubborn = [
                json!({ "ignore_term": true }),
                json!({ "daemonise": 2 }),
                acceptance::team::wait(gates, "g"),
            ];
            vec![
                plan(&[task("t1", "claude"), task("t2", "codex")]),
                work("t1", &stubborn),
                work("t2", &stubborn),
            ]
        });
        let running = team.begin();
        acceptance::team::eventually("both stand before the gate", || {
            let waits = |pid: &&u32| acceptance::team::command_line(**pid).starts_with("sleep 600");
            4 <= team.processes().iter().filter(waits).count()
        });
        let begun = Instant::now();
        for signal in signals {
            running.signal(signal);
            std::thread::sleep(Duration::from_millis(200));
        }
        let ended = running.end();
        let (took, left) = (begun.elapsed(), team.processes().len());
        let name = signals.join("").replace('-', "");
        let pass = took <= Duration::from_millis(limit) && left == 0 && ended.code.is_some();
        chaos.figure(
            &format!("G4-quit-program-{name}"),
            format!("{}:left_{left}", ms(took)),
            format!("{limit}_ms"),
            pass,
        );
    }
    Ok(())
}

/// What the product would be without guardians: the leader is killed, or its whole process group.
fn control(chaos: &Chaos) -> Result<(), Fault> {
    for (name, group) in [("leader-only", false), ("process-group", true)] {
        let place = Place::new(chaos.folder(), name)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", BEHAVIOURS[3].1]).env_clear().envs(environment()).env(COOKIE, place.cookie());
        command.stdin(Stdio::null()).stdout(std::fs::File::create(place.at("out"))?);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        block_on(place.until_says("ready"))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("no pid")?;
        if group {
            kill_process_group(pid, Signal::KILL).map_err(std::io::Error::from)?;
        } else {
            child.kill()?;
        }
        child.wait()?;
        std::thread::sleep(Duration::from_millis(200));
        let left = alive(&place.cookie()).len();
        chaos.control("G4", format!("killing_the_{name}_leaves_{left}"), 0 < left);
        let _ = sweep(&[], &[place.cookie()]);
    }
    Ok(())
}
