//! Workers without a session, for recipes about processes: each under a guardian of the product.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use acceptance::chaos::Fault;
use acceptance::clis;
use engine::process::{COOKIE, Caps, Processes, Running, SpawnError, Spec, sweep};

/// A folder of one worker; its path is the worker's cookie.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new(parent: &Path, name: &str) -> Result<Self, Fault> {
        let folder = parent.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn cookie(&self) -> String {
        self.0.display().to_string()
    }

    /// A worker that is a shell script.
    pub(crate) fn script(&self, text: &str, caps: Caps) -> Spec {
        self.program("/bin/sh".into(), &["-c", text], caps)
    }

    /// A worker that is the program of the process tests.
    pub(crate) fn probe(&self, words: &[&str], caps: Caps) -> Spec {
        self.program(probe(), words, caps)
    }

    fn program(&self, program: PathBuf, words: &[&str], caps: Caps) -> Spec {
        Spec {
            program,
            args: words.iter().map(OsString::from).collect(),
            env: environment(),
            cwd: self.0.clone(),
            stdin: None,
            stdout: self.at("out"),
            stderr: self.at("err"),
            record: self.at("exit.json"),
            cookie: self.cookie(),
            caps,
            sandboxed: false,
        }
    }

    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.at("out")).unwrap_or_default()
    }

    /// Waits until the worker has printed this.
    pub(crate) async fn until_says(&self, words: &str) -> Result<(), Fault> {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.output().contains(words) {
            if until < Instant::now() {
                return Err(format!("{} never said {words}", self.0.display()).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = sweep(&[], &[self.cookie()]);
    }
}

pub(crate) fn probe() -> PathBuf {
    clis::programs().join("process-probe")
}

pub(crate) fn environment() -> BTreeMap<OsString, OsString> {
    [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())].into()
}

/// Guardians are the product's.
pub(crate) fn processes() -> Result<Processes, SpawnError> {
    Processes::new(clis::orchestrate(), vec!["guardian".into()])
}

/// Live processes with a cookie that begins so.
pub(crate) fn alive(cookie: &str) -> Vec<u32> {
    let mark = format!("{COOKIE}={cookie}");
    let marked = |pid: &u32| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark.as_bytes()))
    };
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(marked).collect()
}

/// Processes and resident bytes of everything below a process.
pub(crate) fn weight(guardian: u32) -> (u64, u64) {
    let (mut pending, mut count, mut resident) = (vec![guardian], 0, 0);
    while let Some(pid) = pending.pop() {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let list = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pending.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        if pid != guardian {
            let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
            let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
            (count, resident) = (count + 1, resident + pages * 4096);
        }
    }
    (count, resident)
}

/// How long something took that ends with the worker.
pub(crate) async fn until_ended(running: &Running, since: Instant) -> Duration {
    let _ = running.ended().await;
    since.elapsed()
}

/// A runtime for one recipe.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(Duration::from_secs(10));
    done
}

pub(crate) fn spawn_fault(fault: SpawnError) -> Fault {
    Fault::Other(fault.to_string())
}

pub(crate) fn ms(time: Duration) -> String {
    format!("{}_ms", time.as_millis())
}
