//! A journal that cannot be written, in the middle of a session: its disk's syncs fail as long as strace says so.

use std::process::{Child, Command, Stdio};

use domain::Outcome;
use serde_json::Value;

use super::team::{Running, Team, eventually, plan, signal, task, wait, work};

/// Everything that waits for the disk fails, in all threads of a process, until this is dropped.
struct Broken(Child);

impl Broken {
    /// `None` without strace, or without the right to trace.
    fn disk_of(running: &Running) -> Option<Self> {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]);
        strace.args(["-e", "inject=fdatasync,fsync:error=EIO", "-p", &running.pid().to_string()]);
        let mut traced = Self(strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
        let threads = format!("/proc/{}/task", running.pid());
        let mut failed = false;
        eventually("all threads are traced", || {
            failed = traced.0.try_wait().unwrap().is_some();
            let traced = |task: std::fs::DirEntry| {
                let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
                !status.contains("TracerPid:\t0\n")
            };
            failed || std::fs::read_dir(&threads).unwrap().flatten().all(traced)
        });
        (!failed).then_some(traced)
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        signal(self.0.id(), "-INT"); // so that it lets go of the threads
        drop(self.0.wait());
    }
}

fn script(gates: &std::path::Path) -> Vec<Value> {
    vec![
        plan(&[task("t1", "claude"), task("t2", "codex")]),
        work("t1", &[wait(gates, "g")]),
        work("t2", &[wait(gates, "g")]),
    ]
}

/// A session with two workers whose first interrupt meets a disk that fails; `None` when this machine cannot do that.
fn interrupted() -> Option<(Team, Running, Broken)> {
    let team = Team::new(script);
    let running = team.begin();
    team.until_waiting(&["g"]);
    let Some(broken) = Broken::disk_of(&running) else {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: needs strace and the right to trace");
        }
        return None;
    };
    running.signal("-INT");
    eventually("it is said", || running.printed().contains("cannot be written down now"));
    // They are stopped, although nothing says so in the journal.
    eventually("nobody works any more", || team.processes().is_empty());
    Some((team, running, broken))
}

#[test]
fn a_second_interrupt_leaves_the_session_as_it_is() {
    let Some((team, running, broken)) = interrupted() else { return };
    running.signal("-INT");
    running.end().expect(4);
    drop(broken);
    team.run(&["status"]).expect(0).says("interrupted");
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

#[test]
fn a_stop_takes_effect_as_soon_as_it_can_be_written() {
    let Some((team, running, broken)) = interrupted() else { return };
    drop(broken);
    running.end().expect(4);
    assert_eq!(team.state().ended.map(|(outcome, _)| outcome), Some(Outcome::Stopped));
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}

#[test]
fn another_program_is_told_that_nothing_can_be_written_now() {
    let team = Team::new(script);
    let running = team.begin();
    team.until_waiting(&["g"]);
    let Some(broken) = Broken::disk_of(&running) else { return };
    let refused = team.run(&["stop"]).expect(2);
    assert!(refused.stderr.contains("cannot be written down now"), "{refused:?}");
    eventually("nobody works any more", || team.processes().is_empty());
    let refused = team.run(&["pause"]).expect(2);
    assert!(refused.stderr.contains("cannot be written down now"), "{refused:?}");
    drop(broken);
    running.end().expect(4);
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    team.done(ended);
}
