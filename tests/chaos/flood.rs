//! G2b: an endless line costs no memory and hides nothing. G2c: a CLI that does not wait for its output loses none.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use acceptance::chaos::{Chaos, Fault};
use engine::process::Caps;

use super::worker::{Place, block_on, probe, processes, spawn_fault};

/// Bytes that a CLI leaves unwaited for: more than any pipe holds.
const UNFLUSHED: usize = 3_000_000;

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    endless_line(chaos)?;
    unflushed(chaos)
}

/// What reading a file gave.
struct Read_ {
    text: String,
    grown_mib: u64,
    mib_per_s: u64,
}

fn read(file: &Path, how: &str, mib: u64) -> Result<Read_, Fault> {
    let said = Command::new(probe()).arg("read").arg(file).arg(how).output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let figure = |name: &str| {
        let rest = said.split_once(&format!(" {name} ")).map(|(_, rest)| rest).unwrap_or_default();
        rest.split(' ')
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .ok_or_else(|| Fault::Other(said.clone()))
    };
    let (grown, took) = (figure("grown")?, figure("took")?);
    let text = said.split(" peak ").next().unwrap_or_default().to_owned();
    Ok(Read_ { text, grown_mib: grown >> 10, mib_per_s: mib * 1000 / took.max(1) })
}

fn endless_line(chaos: &Chaos) -> Result<(), Fault> {
    let mib: u64 = chaos.scale(1024, 256);
    let file = chaos.folder().join("endless");
    let mut out = File::create(&file)?;
    let block = vec![b'x'; 1 << 20];
    for _ in 0..mib {
        out.write_all(&block)?;
    }
    out.write_all(b"\ngood\n")?;
    let wanted = format!("oversize {} good", mib << 20);
    let ours = read(&file, "", mib)?;
    chaos.goal("G2b-growth", format!("{}_MiB", ours.grown_mib), "32_MiB", ours.grown_mib <= 32);
    chaos.figure("G2b-speed", format!("{}_MiB/s", ours.mib_per_s), "200_MiB/s", 200 <= ours.mib_per_s);
    let delivered = ours.text == wanted;
    chaos.goal(
        "G2b-good-event-after-it",
        if delivered { "delivered" } else { "lost" },
        "delivered",
        delivered,
    );
    let theirs = read(&file, "lines", mib)?;
    let what = format!("BufReader::lines grows by {} MiB", theirs.grown_mib).replace(' ', "_");
    chaos.control("G2b", what, 32 < theirs.grown_mib);
    std::fs::remove_file(&file)?;
    Ok(())
}

fn unflushed(chaos: &Chaos) -> Result<(), Fault> {
    let node = Path::new("/usr/bin/node");
    let script = format!("process.stdout.write('x'.repeat({UNFLUSHED})); process.exit(0)");
    let mut programs =
        vec![("probe", probe().display().to_string(), vec!["unflushed".to_owned(), UNFLUSHED.to_string()])];
    if node.exists() {
        programs.push(("node", node.display().to_string(), vec!["-e".to_owned(), script]));
    } else {
        chaos.note("node is not here: a program of ours that does the same stands in alone");
    }
    for (name, program, words) in programs {
        let place = Place::new(chaos.folder(), name)?;
        let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let spec = place.script(&format!("exec {program} {}", quoted.join(" ")), Caps::default());
        block_on(async {
            let running = processes().map_err(spawn_fault)?.spawn(spec).await.map_err(spawn_fault)?;
            let _ = running.ended().await;
            Ok(())
        })?;
        let lost = UNFLUSHED.saturating_sub(place.output().len());
        chaos.goal(&format!("G2c-{name}"), format!("{lost}_bytes_lost"), "0", lost == 0);
        let lost = UNFLUSHED.saturating_sub(by_pipe(&program, &words)?);
        chaos.control(&format!("G2c-{name}"), format!("a_pipe_loses_{lost}_bytes"), 0 < lost);
    }
    Ok(())
}

/// What comes through a pipe whose reader begins when the program has ended.
fn by_pipe(program: &str, words: &[String]) -> Result<usize, Fault> {
    let mut child = Command::new(program).args(words).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut pipe = child.stdout.take().ok_or("no pipe")?;
    child.wait()?;
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes)?;
    Ok(bytes.len())
}
