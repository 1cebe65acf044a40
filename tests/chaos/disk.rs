//! G6: the disk is full, or fails. Nothing is taken for written that is not, nobody works meanwhile, the user is told,
//! and the session goes on by itself.

use std::{
    fs::{self, File},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use acceptance::{
    chaos::{Chaos, Fault},
    team::{DEADLINE, Ended, Running, Team, plan, signal, task, work},
};
use domain::{Event, JobOutcome, Outcome};
use engine::weakness::Weakness;
use serde_json::{Value, json};

/// What the system answers.
const ERRORS: [&str; 4] = ["ENOSPC", "EDQUOT", "EIO", "EROFS"];
/// To what.
const CALLS: [&str; 2] = ["write", "fdatasync"];
/// How long workers may go on after the first refused write.
const FREEZE: Duration = Duration::from_secs(1);
/// How long until it goes on when there is space again (RELIABILITY R6).
const AGAIN: Duration = Duration::from_secs(5);
/// Segments that a recipe may make.
const SEGMENTS: u32 = 60;
/// With every entry printed as it becomes true.
const WORDS: [&str; 5] = ["Write some texts", "--unsandboxed", "--yes", "--no-dashboard", "--json"];

/// What the faults showed.
#[derive(Debug, Default)]
struct Tally {
    points: usize,
    acknowledged: usize,
    sessions: u32,
    slowest: Duration,
    wrong: Vec<String>,
}

impl Tally {
    fn wrong(&mut self, team: &mut Team, what: &str, why: impl std::fmt::Display) {
        team.keep(true);
        self.wrong.push(format!("{what}: {why}; {}", team.at("").display()));
    }
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let works =
        Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        chaos.skipped("G6", "strace is not there, or may not trace");
        return Ok(());
    }
    let mut tally = Tally::default();
    let kinds = ERRORS.iter().flat_map(|error| CALLS.map(|call| (*error, call)));
    let kinds: Vec<_> = kinds.step_by(chaos.scale(1, 3)).collect();
    let lanes: Vec<Tally> = thread::scope(|scope| {
        let run = |lane: usize| {
            let kinds = &kinds;
            scope.spawn(move || {
                let mut tally = Tally::default();
                for (error, call) in kinds.iter().skip(lane).step_by(2) {
                    again_and_again(chaos, error, call, &mut tally);
                }
                for (error, call) in kinds.iter().skip(lane).step_by(chaos.scale(2, 4)) {
                    for_a_while(chaos, error, call, &mut tally);
                }
                tally
            })
        };
        let lanes: Vec<_> = (0..2).map(run).collect();
        lanes.into_iter().filter_map(|lane| lane.join().ok()).collect()
    });
    if lanes.len() < 2 {
        return Err("a lane broke off".into());
    }
    for lane in lanes {
        tally.points += lane.points;
        tally.acknowledged += lane.acknowledged;
        tally.sessions += lane.sessions;
        tally.slowest = tally.slowest.max(lane.slowest);
        tally.wrong.extend(lane.wrong);
    }
    full_disk(chaos, &mut tally)?;
    tally.wrong.iter().take(10).for_each(|wrong| chaos.note(format_args!("WRONG {wrong}")));
    chaos.note(format_args!(
        "{} refused calls in {} sessions, {} acknowledged entries compared; goes on at most {} ms after the disk does",
        tally.points,
        tally.sessions,
        tally.acknowledged,
        tally.slowest.as_millis()
    ));
    let wanted = chaos.scale(60, 15);
    chaos.goal("G6-injection-points", tally.points, wanted, wanted <= tally.points);
    chaos.goal("G6-wrong", tally.wrong.len(), 0, tally.wrong.is_empty());
    let slowest = format!("{}ms", tally.slowest.as_millis());
    chaos.goal("G6-goes-on", slowest, format!("{}ms", AGAIN.as_millis()), tally.slowest <= AGAIN);
    control(chaos)
}

/// A task whose worker counts in a file until the gate is open, with a word in between: whether it stands still can be
/// seen. The other one is small.
fn script(gates: &Path) -> Vec<Value> {
    let ticks = gates.join("ticks");
    let counts = |gate: &str| {
        let gate = gates.join(gate);
        let text =
            format!("until [ -e '{}' ]; do echo x >>'{}'; sleep 0.05; done", gate.display(), ticks.display());
        json!({ "run": text })
    };
    let steps = [counts("word"), json!({ "say": "I go on." }), counts("g")];
    vec![plan(&[task("t1", "claude"), task("t2", "codex")]), work("t1", &steps), work("t2", &[])]
}

/// Lets the system refuse calls on the journal's files.
struct Faults {
    strace: Child,
    log: std::path::PathBuf,
}

impl Faults {
    /// `when` as strace has it.
    fn begin(team: &Team, pid: u32, call: &str, what: &str) -> Result<Self, Fault> {
        let folder = team.session().ok_or("no session")?;
        let log = team.at("strace.log");
        let mut command = Command::new("strace");
        // What the program starts is not traced: strace lets go of whatever becomes another program.
        command.args(["-f", "-b", "execve", "-o"]).arg(&log).args(["-p", &pid.to_string()]);
        command.arg("-P").arg(folder.join("journal.jsonl"));
        for number in 2..SEGMENTS {
            command.arg("-P").arg(folder.join(format!("journal-{number:06}.jsonl")));
        }
        command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={call}:{what}")]);
        let said = team.at("strace.err");
        let strace =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&said)?).spawn()?;
        let faults = Self { strace, log };
        let until = Instant::now() + DEADLINE;
        while !fs::read_to_string(&said)?.contains("attached") {
            if until < Instant::now() {
                return Err(format!("strace does not attach: {}", fs::read_to_string(&said)?).into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(faults)
    }

    /// How many calls were refused.
    fn count(&self) -> usize {
        fs::read_to_string(&self.log).unwrap_or_default().matches("(INJECTED)").count()
    }

    /// The disk is well again.
    fn end(mut self) -> usize {
        signal(self.strace.id(), "-TERM");
        // It may have ended with the program.
        drop(self.strace.wait());
        self.count()
    }
}

/// A session with its worker at the gate.
fn waiting(team: &Team) -> Running {
    let running = team.start(&WORDS);
    team.until("a worker counts", |_| 0 < ticks(team));
    let merged = |event: &Event| matches!(event, Event::JobEnded { outcome: JobOutcome::Merged { .. }, .. });
    team.until_event("the other task is merged", merged);
    running
}

fn ticks(team: &Team) -> u64 {
    fs::metadata(team.at("gates").join("ticks")).map_or(0, |found| found.len())
}

/// Printed entries that the journal does not have; how many were printed.
fn lost(team: &Team, printed: &str) -> Result<usize, String> {
    let written = team.entries();
    let whole = printed.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let mut count = 0;
    for line in whole.lines() {
        let Some(seq) = serde_json::from_str::<Value>(line).ok().and_then(|entry| entry["seq"].as_u64())
        else {
            continue;
        };
        count += 1;
        let entry = written.iter().find(|entry| entry.seq.0 == seq);
        if entry.and_then(|entry| serde_json::to_string(entry).ok()).as_deref() != Some(line) {
            return Err(format!("entry {seq} was printed and is not written"));
        }
    }
    Ok(count)
}

/// Compares what was printed, and the session's end.
fn finish(team: &mut Team, what: &str, ended: Ended, tally: &mut Tally) {
    tally.sessions += 1;
    if ended.stderr.contains("panicked") {
        tally.wrong(team, what, &ended.stderr);
    }
    match lost(team, &ended.stdout) {
        Ok(count) => tally.acknowledged += count,
        Err(why) => tally.wrong(team, what, why),
    }
    if catch_unwind(AssertUnwindSafe(|| team.done(ended))).is_err() {
        tally.wrong(team, what, "does not end as it should");
    }
}

/// Every few calls one is refused, until the session is done.
fn again_and_again(chaos: &Chaos, error: &str, call: &str, tally: &mut Tally) {
    let what = format!("{error} on {call} now and then");
    let mut team = chaos.team(script);
    let running = waiting(&team);
    // A moment between call and refusal: nobody may take for written what stands in the file until then.
    let faults =
        Faults::begin(&team, running.pid(), call, &format!("error={error}:delay_enter=20000:when=1+3"));
    disturb(&team);
    team.open("g");
    let ended = running.end();
    match faults {
        Ok(faults) => tally.points += faults.end(),
        Err(fault) => tally.wrong(&mut team, &what, fault),
    }
    finish(&mut team, &what, ended, tally);
}

/// All are refused for a while. Once more, the program is killed meanwhile.
fn for_a_while(chaos: &Chaos, error: &str, call: &str, tally: &mut Tally) {
    let what = format!("{error} on {call} for a while");
    let mut team = chaos.team(script);
    let running = waiting(&team);
    if let Err(why) = stand_still(&team, &running, error, call, tally) {
        tally.wrong(&mut team, &what, why);
    }
    team.open("g");
    let ended = running.end();
    finish(&mut team, &what, ended, tally);

    let what = format!("{error} on {call}, killed meanwhile");
    let mut team = chaos.team(script);
    let running = waiting(&team);
    let faults = Faults::begin(&team, running.pid(), call, &format!("error={error}:delay_enter=20000"));
    disturb(&team);
    acceptance::team::eventually("a refused call", || faults.as_ref().map_or(true, |it| 0 < it.count()));
    thread::sleep(Duration::from_millis(300));
    running.kill();
    let printed = running.printed();
    drop(running.end());
    match faults {
        Ok(faults) => tally.points += faults.end(),
        Err(fault) => tally.wrong(&mut team, &what, fault),
    }
    match lost(&team, &printed) {
        Ok(count) => tally.acknowledged += count,
        Err(why) => tally.wrong(&mut team, &what, why),
    }
    team.open("g");
    let ended = team.run(&["resume", "--no-dashboard"]);
    finish(&mut team, &what, ended, tally);
}

/// Has the session write something.
fn disturb(team: &Team) {
    team.open("word");
}

fn stand_still(
    team: &Team,
    running: &Running,
    error: &str,
    call: &str,
    tally: &mut Tally,
) -> Result<(), String> {
    let told = |fault: Fault| fault.to_string();
    let faults = Faults::begin(team, running.pid(), call, &format!("error={error}")).map_err(told)?;
    disturb(team);
    let until = Instant::now() + DEADLINE;
    while faults.count() == 0 {
        if until < Instant::now() {
            return Err("nothing is written".to_owned());
        }
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(FREEZE);
    let (stood, printed) = (ticks(team), running.printed());
    thread::sleep(Duration::from_secs(2));
    let moved = ticks(team) - stood;
    let more = running.printed() != printed;
    let said = format!("{}{}", running.complained(), running.printed());
    let well = Instant::now();
    tally.points += faults.end();
    while ticks(team) == stood + moved && well.elapsed() < DEADLINE {
        thread::sleep(Duration::from_millis(5));
    }
    tally.slowest = tally.slowest.max(well.elapsed());
    if 0 < moved {
        return Err("workers work while nothing can be written".to_owned());
    }
    if more {
        return Err("something is acknowledged while nothing can be written".to_owned());
    }
    if !said.contains("cannot write /") || !said.contains("work waits, nothing is lost") {
        return Err(format!("nobody is told: {said}"));
    }
    Ok(())
}

/// A disk that really is full: first with the floor that keeps some of it free, then without.
fn full_disk(chaos: &Chaos, tally: &mut Tally) -> Result<(), Fault> {
    for floor in [true, false] {
        let what = if floor { "a full disk" } else { "a full disk without a floor" };
        let mut team = chaos.team(script);
        if !floor {
            team.set("[limits]\ndisk_free_mib = 0\n");
        }
        let work = team.at("work");
        fs::create_dir(&work)?;
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=512m", "tmpfs"]).arg(&work).output()?;
        if !mounted.status.success() {
            chaos.skipped("G6-full-disk", String::from_utf8_lossy(&mounted.stderr).trim());
            return Ok(());
        }
        let running = waiting(&team);
        let filler = work.join("filler");
        let mut file = File::create(&filler)?;
        // Ends when nothing fits any more.
        drop(std::io::copy(&mut std::io::repeat(7), &mut file));
        drop(file);
        if floor {
            thread::sleep(FREEZE + Duration::from_secs(1));
        } else {
            disturb(&team);
            thread::sleep(Duration::from_secs(3));
        }
        let stood = ticks(&team);
        thread::sleep(Duration::from_secs(1));
        if floor && stood != ticks(&team) {
            tally.wrong(&mut team, what, "workers work on");
        }
        fs::remove_file(&filler)?;
        let well = Instant::now();
        while floor && stood == ticks(&team) && well.elapsed() < DEADLINE {
            thread::sleep(Duration::from_millis(5));
        }
        tally.slowest = tally.slowest.max(if floor { well.elapsed() } else { Duration::ZERO });
        tally.points += 1;
        disturb(&team);
        team.open("g");
        let ended = running.end();
        finish(&mut team, what, ended, tally);
        drop(Command::new("umount").arg(&work).status());
    }
    Ok(())
}

/// What could not be written counts as written.
fn control(chaos: &Chaos) -> Result<(), Fault> {
    let team = chaos.weakened(Weakness::IgnoreWriteErrors, script);
    let running = waiting(&team);
    let faults = Faults::begin(&team, running.pid(), "write", "error=ENOSPC:when=1+3")?;
    disturb(&team);
    team.open("g");
    let began = Instant::now();
    let mut running = running;
    while !running.is_over() && began.elapsed() < Duration::from_secs(20) {
        thread::sleep(Duration::from_millis(50));
    }
    running.kill();
    drop(running.end());
    faults.end();
    let done = team.state().ended.is_some_and(|(outcome, _)| outcome == Outcome::Done);
    chaos.control("G6-wrong", "with write errors ignored the journal does not tell the end:", !done);
    Ok(())
}
