//! Stands in for the app in process tests: `guardian …` is a guardian, `own DIR SCRIPT` an app that runs a shell
//! script as its worker until it is killed, `bare COOKIE SCRIPT` one that does so without a guardian; `read FILE [lines]` tells a file's lines and what
//! reading them cost, with `lines` as a reader without a bound would; `unflushed BYTES` leaves as some CLIs do, without
//! waiting for what it printed; `hog MIB EVERY_MS` uses more and more memory, up to so many MiB.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use domain::{Exit, ExitCause};
use engine::process::{Caps, Ended, ExitRecord, LineKind, Processes, Spec, Tail, guardian_main};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let word = |index: usize| args.get(index).and_then(|word| word.to_str()).unwrap_or_default();
    let outcome = match word(0) {
        "guardian" => return ExitCode::from(guardian_main(&args[1..])),
        "own" => own(Path::new(word(1)), word(2)),
        "read" if word(2) == "lines" => read_lines(Path::new(word(1))),
        "read" => read(Path::new(word(1))),
        "unflushed" => unflushed(word(1)),
        "hog" => hog(word(1), word(2)),
        "bare" => bare(word(1), word(2)),
        _ => Err("unknown word".into()),
    };
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn own(folder: &Path, script: &str) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let this = std::env::current_exe()?;
        let processes = Processes::new(this, vec!["guardian".into()])?;
        let spec = Spec {
            program: PathBuf::from("/bin/sh"),
            args: vec!["-c".into(), script.into()],
            env: [("PATH".into(), "/usr/bin:/bin".into())].into(),
            cwd: folder.to_owned(),
            stdin: None,
            stdout: folder.join("out"),
            stderr: folder.join("err"),
            record: folder.join("exit.json"),
            cookie: folder.display().to_string(),
            caps: Caps::default(),
            sandboxed: false,
        };
        let running = processes.spawn(spec).await?;
        let identity = serde_json::to_vec(running.identity())?;
        std::fs::write(folder.join("identity.tmp"), identity)?;
        std::fs::rename(folder.join("identity.tmp"), folder.join("identity"))?;
        running.ended().await;
        tokio::time::sleep(Duration::from_secs(3600)).await;
        Ok(())
    })
}

fn bare(cookie: &str, script: &str) -> Outcome {
    let mut child =
        std::process::Command::new("/bin/sh").args(["-c", script]).env("AW_COOKIE", cookie).spawn()?;
    let _ = child.wait();
    std::thread::sleep(Duration::from_secs(3600));
    Ok(())
}

fn read(file: &Path) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = Exit { code: Some(0), signal: None, cause: ExitCause::Left };
    let mut tail = Tail::open(file, 0, Ended::already(ExitRecord::without(exit, String::new())))?;
    let mut out = String::new();
    let (before, began) = (memory("VmRSS:")?, Instant::now());
    runtime.block_on(async {
        while let Some(line) = tail.next().await {
            if let LineKind::Oversize { len, .. } = line.kind {
                out.push_str(&format!("oversize {len} "));
            } else {
                out.push_str(&String::from_utf8_lossy(&line.bytes));
            }
        }
    });
    tell(&out, before, began)
}

/// What was read, the largest memory of this program in KiB, by how much it grew, and the time it took in ms.
fn tell(out: &str, before: u64, began: Instant) -> Outcome {
    let (peak, took) = (memory("VmHWM:")?, began.elapsed().as_millis());
    let grown = peak.saturating_sub(before);
    Ok(write!(std::io::stdout(), "{out} peak {peak} grown {grown} took {took}")?)
}

/// A line of `/proc/self/status`, in KiB.
fn memory(name: &str) -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// As most programs read lines: each is kept whole, however long it is.
fn read_lines(file: &Path) -> Outcome {
    let mut out = String::new();
    let (before, began) = (memory("VmRSS:")?, Instant::now());
    for line in BufReader::new(File::open(file)?).lines() {
        let line = line?;
        if line.len() < 1000 {
            out.push_str(&line);
        } else {
            out.push_str(&format!("oversize {} ", line.len()));
        }
    }
    tell(&out, before, began)
}

/// Prints, and leaves when the other end takes no more just now: what JavaScript's `process.exit` does to a pipe.
fn unflushed(bytes: &str) -> Outcome {
    let out = rustix::stdio::stdout();
    rustix::fs::fcntl_setfl(out, rustix::fs::fcntl_getfl(out)? | rustix::fs::OFlags::NONBLOCK)?;
    let text = vec![b'x'; bytes.parse()?];
    let mut left = &text[..];
    while let Ok(count @ 1..) = rustix::io::write(out, left) {
        left = &left[count..];
    }
    Ok(())
}

fn hog(most: &str, every: &str) -> Outcome {
    const STEP: usize = 16;
    let (most, every): (usize, u64) = (most.parse()?, every.parse()?);
    let mut kept = Vec::new();
    while kept.len() * STEP < most {
        kept.push(vec![1_u8; STEP << 20]);
        std::thread::sleep(Duration::from_millis(every));
    }
    let sum: usize = kept.iter().map(Vec::len).sum();
    writeln!(std::io::stdout(), "has {} MiB", sum >> 20)?;
    std::thread::sleep(Duration::from_secs(3600));
    Ok(())
}
