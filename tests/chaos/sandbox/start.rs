//! How long the sandbox takes to start, and whether a stop reaches the worker inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use acceptance::chaos::{Chaos, Fault, say};
use acceptance::clis;
use agents::Confined;
use domain::{ExitCause, SandboxRules};
use engine::process::Caps;
use engine::sandbox::{Needs, Sandbox, Start, assess};
use serde_json::{Value, json};

use super::super::worker::{Place, block_on, spawn_fault};
use super::User;

/// RELIABILITY G7.
const OVERHEAD: Duration = Duration::from_millis(30);

/// What a process of the unprivileged user measures: this program again.
pub(super) fn measured(chaos: &Chaos, user: &User) -> Result<(), Fault> {
    let folder = chaos.folder().join("measured");
    fs::create_dir_all(&folder)?;
    user.owns(chaos.folder())?;
    let rounds = chaos.scale(100, 20);
    let mut inner = user.command(&std::env::current_exe()?);
    inner.args(["inner", "sandbox"]).arg(&folder).arg(rounds.to_string());
    inner.env("HOME", &folder).env("PATH", "/usr/bin:/bin").stdin(Stdio::null()).stderr(Stdio::inherit());
    let done = inner.output()?;
    let seen: Value = serde_json::from_slice(&done.stdout).map_err(|fault| Fault::from(fault.to_string()))?;
    let ms = |value: &Value| value.as_f64().unwrap_or(f64::MAX);
    let over = ms(&seen["over_ms"][1]);
    let load = fs::read_to_string("/proc/loadavg")?;
    chaos.note(format_args!(
        "at the median of {rounds} pairs a process takes {:.1} ms, in the sandbox {:.1} ms, {:.1} ms more; the load was {}",
        ms(&seen["plain_ms"]),
        ms(&seen["median_ms"]),
        ms(&seen["over_ms"][0]),
        load.split(' ').next().unwrap_or_default()
    ));
    let limit = OVERHEAD.as_millis();
    chaos.figure(
        "G7-start-overhead-p95-ms",
        format_args!("{over:.1}"),
        limit,
        over <= OVERHEAD.as_secs_f64() * 1000.0,
    );
    chaos.goal("G7-term-reaches-the-worker", &seen["code"], 7, seen["code"] == 7);
    chaos.goal("G7-kill-takes-all", &seen["left"], 0, seen["left"] == 0);
    chaos.goal("G7-signal-is-told", &seen["signal"], 11, seen["signal"] == 11);
    Ok(())
}

/// The process that is measured: `inner sandbox FOLDER ROUNDS`.
pub(crate) fn inner(words: &[String]) -> ExitCode {
    let [folder, rounds] = words else { return ExitCode::from(2) };
    let (folder, rounds) = (PathBuf::from(folder), rounds.parse().unwrap_or(20));
    match block_on(measure(&folder, rounds)) {
        Ok(seen) => {
            say(&seen.to_string());
            ExitCode::SUCCESS
        }
        Err(fault) => {
            clis::eprint(&fault.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn measure(folder: &Path, rounds: usize) -> Result<Value, Fault> {
    let programs = clis::programs().join("orchestrate");
    let rules = SandboxRules::default();
    let names = ["HOME", "PATH"].into_iter();
    let env = names.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?))).collect();
    let (report, bwrap) = assess(&programs, &rules, &env, folder);
    if !report.misses.is_empty() {
        return Err(format!("no sandbox: {:?}", report.misses).into());
    }
    let processes =
        engine::process::Processes::new(programs.clone(), vec!["guardian".into()]).map_err(spawn_fault)?;
    let session = folder.join("session");
    let start = Start {
        report,
        bwrap,
        orchestrate: programs,
        rules,
        session,
        target: folder.join("none"),
        proxy: None,
    };
    fs::create_dir_all(&start.session)?;
    let sandbox = Sandbox::new(start);
    let [plain, confined, over] = pairs(folder, rounds, &sandbox, &processes).await?;
    let run = async |name: &str, script: &str, cause: Option<Duration>| {
        let place = Place::new(folder, name)?;
        let needs = Needs { who: "test", worktree: place.at(""), writes: true, ..Needs::default() };
        let spec = sandbox.confine(place.script(script, Caps::default()), &needs)?;
        let running = processes.spawn(spec).await.map_err(spawn_fault)?;
        if let Some(grace) = cause {
            place.until_says("ready").await?;
            running.stop(grace, ExitCause::Stopped);
        }
        let exit = running.ended().await;
        Ok::<_, Fault>((exit, super::super::worker::alive(&place.cookie()).len()))
    };
    let trap = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let (stopped, _) = run("term", trap, Some(Duration::from_secs(10))).await?;
    let deaf =
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 1000' & echo ready; while :; do sleep 1000; done";
    let (_, left) = run("kill", deaf, Some(Duration::from_millis(300))).await?;
    let (crashed, _) = run("crash", "kill -SEGV $$", None).await?;
    Ok(json!({
        "plain_ms": at(&plain, 50), "median_ms": at(&confined, 50), "over_ms": [at(&over, 50), at(&over, 95)],
        "code": stopped.code, "left": left, "signal": crashed.signal,
    }))
}

/// The same worker without the sandbox and in it, one right after the other, from the first thing that is done for it to
/// the last trace of it; and how much longer each took than its twin. In milliseconds, in order of size.
async fn pairs(
    folder: &Path,
    rounds: usize,
    sandbox: &Sandbox,
    processes: &engine::process::Processes,
) -> Result<[Vec<f64>; 3], Fault> {
    let home = Confined {
        variable: "CLAUDE_CONFIG_DIR",
        own: folder.join("session/homes/test"),
        user: None,
        shared: &["settings.json", "CLAUDE.md", "agents", "commands", "skills", "plugins", "hooks"],
        logins: &[],
        copied: Vec::new(),
    };
    let mut all = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..rounds {
        let mut took = [0.0; 2];
        // Now this one is first, now that one.
        for inside in [round % 2 != 0, round % 2 == 0] {
            let place = Place::new(folder, &format!("{round}-{inside}"))?;
            let mut spec = place.script("exit 0", Caps { groups: false, ..Caps::default() });
            let began = Instant::now();
            if inside {
                let worktree = place.at("");
                let needs =
                    Needs { who: "test", worktree, writes: true, home: Some(&home), ..Needs::default() };
                spec = sandbox.confine(spec, &needs)?;
            }
            let exit = processes.spawn(spec).await.map_err(spawn_fault)?.ended().await;
            took[usize::from(inside)] = began.elapsed().as_secs_f64() * 1000.0;
            if exit.code != Some(0) {
                return Err(format!("a process ended with {exit:?}").into());
            }
        }
        let [plain, confined] = took;
        for (times, time) in all.iter_mut().zip([plain, confined, confined - plain]) {
            times.push(time);
        }
    }
    for times in &mut all {
        times.sort_by(f64::total_cmp);
    }
    Ok(all)
}

fn at(times: &[f64], part: usize) -> f64 {
    times[(times.len() * part / 100).min(times.len() - 1)]
}
