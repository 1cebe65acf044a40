//! Stands in for the app in process tests: `guardian …` is a guardian, `own DIR SCRIPT` an app that runs a shell
//! script as its worker until it is killed, `bare COOKIE SCRIPT` one that does so without a guardian; `read FILE` tells a file's lines and what
//! reading them cost.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use domain::{Exit, ExitCause};
use engine::process::{Caps, Ended, ExitRecord, LineKind, Processes, Spec, Tail, guardian_main};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let word = |index: usize| args.get(index).and_then(|word| word.to_str()).unwrap_or_default();
    let outcome = match word(0) {
        "guardian" => return ExitCode::from(guardian_main(&args[1..])),
        "own" => own(Path::new(word(1)), word(2)),
        "read" => read(Path::new(word(1))),
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
    runtime.block_on(async {
        while let Some(line) = tail.next().await {
            if let LineKind::Oversize { len, .. } = line.kind {
                out.push_str(&format!("oversize {len} "));
            } else {
                out.push_str(&String::from_utf8_lossy(&line.bytes));
            }
        }
    });
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let peak = peak.trim().trim_end_matches(" kB");
    Ok(std::io::Write::write_all(&mut std::io::stdout(), format!("{out} peak {peak}").as_bytes())?)
}
