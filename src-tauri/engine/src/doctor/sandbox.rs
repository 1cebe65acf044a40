//! The self-test of bubblewrap: what a sandbox will have to do is done once, for real.
//!
//! Inside, a shell tries to write where it may and where it may not, and counts the network's interfaces; then a second
//! one is left alone by the thread that started it, and has to be gone.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long each of the two sandboxes may take; commonly 15 ms (RELIABILITY G7).
const PATIENCE: Duration = Duration::from_millis(1500);
/// What is tried inside; `$1` may be written to, `$2` may not.
const TRIES: &str = r#"
echo begun
: >"$1/inside" && echo inside
( : >"$2/outside" ) 2>/dev/null && echo outside
grep -c : /proc/net/dev
"#;

/// Tests the `bwrap` of a search path: what it is called, or what is wrong. Always `Some`: bubblewrap is for Linux.
pub(super) fn test(path: Option<&OsStr>) -> Option<Result<String, String>> {
    let found = which::which_in("bwrap", path, "/");
    Some(found.map_err(|_| "bwrap was not found".to_owned()).and_then(|bwrap| works(&bwrap)))
}

fn works(bwrap: &Path) -> Result<String, String> {
    let folder = Scratch::new().map_err(|fault| fault.to_string())?;
    let (inside, outside) = (folder.0.join("in"), folder.0.join("out"));
    fs::create_dir(&inside).and_then(|()| fs::create_dir(&outside)).map_err(|fault| fault.to_string())?;
    let version = thread::scope(|scope| {
        let version = scope.spawn(|| said(Command::new(bwrap).arg("--version")));
        let dies = scope.spawn(|| dies_with_its_parent(bwrap, &inside));
        let mut shell = sandboxed(bwrap, &inside);
        shell.args(["/bin/sh", "-c", TRIES, "sh"]).arg(&inside).arg(&outside);
        judge(&said(&mut shell)?, &inside, &outside)?;
        dies.join().map_err(|_| "its end could not be looked at".to_owned())??;
        version.join().map_err(|_| "it has no version".to_owned())?
    })?;
    Ok(version.lines().next().unwrap_or("bubblewrap").trim().to_owned())
}

/// The folder can be written to, everything else only be read; no network, no processes of others.
fn sandboxed(bwrap: &Path, inside: &Path) -> Command {
    let mut command = Command::new(bwrap);
    command.args([
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
    ]);
    command.args(["--proc", "/proc", "--bind"]).arg(inside).arg(inside).arg("--");
    command
}

fn judge(said: &str, inside: &Path, outside: &Path) -> Result<(), String> {
    let says = |word: &str| said.lines().any(|line| line.trim() == word);
    if !says("begun") {
        return Err("nothing runs in it".to_owned());
    }
    if !says("inside") || !inside.join("inside").exists() {
        return Err("it cannot write where it may".to_owned());
    }
    if says("outside") || outside.join("outside").exists() {
        return Err("it can write outside".to_owned());
    }
    // `/proc/net/dev`: a line for each interface, of which a network that is off has the loopback alone.
    match said.lines().last().and_then(|line| line.trim().parse::<u32>().ok()) {
        Some(0 | 1) => Ok(()),
        Some(_) => Err("it reaches the network".to_owned()),
        None => Err("its network could not be looked at".to_owned()),
    }
}

/// The parent is a thread of ours, because that is what the kernel goes by: it ends once the sandbox runs.
fn dies_with_its_parent(bwrap: &Path, inside: &Path) -> Result<(), String> {
    let mut command = sandboxed(bwrap, inside);
    // Killed before bwrap has asked to die with us, we would leave it behind: but then its standard input ends.
    command.args(["/bin/sh", "-c", "echo ready; read -r end"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (born, birth) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let parent = thread::spawn(move || {
        let _ = born.send(command.spawn());
        let _ = left.recv(); // an error as well: nobody is there any more to say it
    });
    let started = birth.recv().map_err(|_| "it could not be started".to_owned())?;
    let mut child = started.map_err(|fault| fault.to_string())?;
    let input = child.stdin.take();
    let ready = child.stdout.take().and_then(first_line);
    drop(leave);
    let _ = parent.join();
    let gone = wait(&mut child);
    drop(input);
    end(&mut child);
    match (ready.as_deref(), gone) {
        (Some("ready"), true) => Ok(()),
        (Some("ready"), false) => Err("it outlives who started it".to_owned()),
        _ => Err("nothing runs in it".to_owned()),
    }
}

fn first_line(out: ChildStdout) -> Option<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(out).read_line(&mut line);
        let _ = tell.send(read.ok().map(|_| line.trim().to_owned()));
    });
    told.recv_timeout(PATIENCE).ok().flatten()
}

/// What a program prints before it ends well.
fn said(command: &mut Command) -> Result<String, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|fault| fault.to_string())?;
    if !wait(&mut child) {
        end(&mut child);
        return Err(format!("it did not end within {} ms", PATIENCE.as_millis()));
    }
    // It prints a few lines, which fit into its pipes.
    let output = child.wait_with_output().map_err(|fault| fault.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    let why = why.lines().next().unwrap_or_default().trim();
    Err(if why.is_empty() { format!("bwrap failed ({})", output.status) } else { domain::head(why, 200) })
}

fn wait(child: &mut Child) -> bool {
    let until = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) {
        if until < Instant::now() {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

fn end(child: &mut Child) {
    // Both fail only when it has ended.
    let _ = child.kill();
    let _ = child.wait();
}

/// A folder for the test, gone with this value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("orchestrate-probe-{}", uuid::Uuid::new_v4()));
        super::system::private_folder(&folder)?;
        Ok(Self(folder.canonicalize()?))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is empty but for a file or two of ours.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bubblewrap did, and what is made of it.
    #[test]
    fn what_a_self_test_comes_to() {
        let check = |said: &str, files: &[&str], expected: Result<(), &str>| {
            let folder = Scratch::new().unwrap();
            let (inside, outside) = (folder.0.join("in"), folder.0.join("out"));
            fs::create_dir(&inside).unwrap();
            fs::create_dir(&outside).unwrap();
            files.iter().for_each(|file| fs::write(folder.0.join(file), "").unwrap());
            assert_eq!(judge(said, &inside, &outside), expected.map_err(str::to_owned), "{said}");
        };
        check("begun\ninside\n1\n", &["in/inside"], Ok(()));
        check("begun\ninside\n0\n", &["in/inside"], Ok(()));
        check("", &[], Err("nothing runs in it"));
        check("begun\n1\n", &[], Err("it cannot write where it may"));
        check("begun\ninside\n1\n", &[], Err("it cannot write where it may"));
        check("begun\ninside\noutside\n1\n", &["in/inside"], Err("it can write outside"));
        check("begun\ninside\n1\n", &["in/inside", "out/outside"], Err("it can write outside"));
        check("begun\ninside\n3\n", &["in/inside"], Err("it reaches the network"));
        check("begun\ninside\nx\n", &["in/inside"], Err("its network could not be looked at"));
    }
}
