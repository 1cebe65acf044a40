//! G1: the program is killed at any moment; nothing that was acknowledged is lost, nothing keeps running, every session
//! goes on, and nothing is done twice.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use acceptance::{
    chaos::{Chaos, Fault},
    fold,
    team::{DEADLINE, Running, Team, plan, task, traces, work},
};
use domain::{About, Event, Job, JobOutcome, NoticeKind, Outcome, State};
use engine::weakness::Weakness;
use serde_json::{Value, json};

/// How long what was started may be there after the program was killed (RELIABILITY G1).
const CLEAN: Duration = Duration::from_secs(2);
/// Sessions at the same time: each waits more than it works.
const LANES: usize = 3;
/// Kills of one session before it is let finish. The fourth crash within five minutes leads to a question.
const KILLS: [usize; 6] = [3, 3, 3, 5, 6, 8];

/// When the program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// Within 30 ms of its start.
    Start,
    /// After it was interrupted, while its workers are given time to leave.
    Shutdown,
    /// Around a merge.
    Merge,
    /// Any time.
    Any,
}

/// What the killing showed.
#[derive(Debug, Default)]
struct Tally {
    kills: BTreeMap<Moment, u32>,
    worst: Duration,
    /// Processes that were there when the program was killed, at most.
    most: usize,
    acknowledged: usize,
    lost: usize,
    survivors: usize,
    stuck: usize,
    doubled: usize,
    torn: usize,
    safe_modes: usize,
    sessions: usize,
    wrong: Vec<String>,
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let queue = Mutex::new(moments(chaos));
    let tally = Mutex::new(Tally::default());
    let lanes: Vec<_> = (0..LANES).map(|_| chaos.rng()).collect();
    thread::scope(|scope| {
        for mut rng in lanes {
            let (queue, tally) = (&queue, &tally);
            scope.spawn(move || {
                while let Some(kills) = take(tally, queue, &mut rng) {
                    let back = Life::new(chaos, tally, &mut rng).live(kills);
                    locked(queue).extend(back);
                }
            });
        }
    });
    tell(chaos, &locked(&tally));
    control(chaos)
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All kills, in random order.
fn moments(chaos: &Chaos) -> VecDeque<Moment> {
    let (few, many) = chaos.scale((100, 200), (10, 20));
    let counts = [(Moment::Start, few), (Moment::Shutdown, few), (Moment::Merge, few), (Moment::Any, many)];
    let mut all: Vec<_> =
        counts.into_iter().flat_map(|(moment, count)| std::iter::repeat_n(moment, count)).collect();
    chaos.rng().shuffle(&mut all);
    all.into()
}

/// The kills of one session; none when too much went wrong to go on.
fn take(
    tally: &Mutex<Tally>,
    queue: &Mutex<VecDeque<Moment>>,
    rng: &mut fastrand::Rng,
) -> Option<Vec<Moment>> {
    if 5 < locked(tally).stuck {
        return None;
    }
    let mut queue = locked(queue);
    let count = KILLS[rng.usize(..KILLS.len())].min(queue.len());
    let kills: Vec<_> = queue.drain(..count).collect();
    (!kills.is_empty()).then_some(kills)
}

fn tell(chaos: &Chaos, tally: &Tally) {
    let count: u32 = tally.kills.values().sum();
    let by = tally.kills.iter().fold(String::new(), |mut text, (moment, count)| {
        let _ = write!(text, " {moment:?} {count}");
        text
    });
    chaos.note(format_args!("{count} kills of {} sessions:{by}; seed {}", tally.sessions, chaos.seed()));
    chaos.note(format_args!(
        "{} acknowledged entries compared, at most {} processes alive at a kill, worst time to clean {} ms, torn tails {}, \
         safe mode asked {} times",
        tally.acknowledged,
        tally.most,
        tally.worst.as_millis(),
        tally.torn,
        tally.safe_modes
    ));
    tally.wrong.iter().for_each(|wrong| chaos.note(format_args!("WRONG {wrong}")));
    chaos.goal("G1-kills", count, chaos.scale(500, 50), count >= chaos.scale(500, 50));
    for (id, value) in [
        ("G1-acknowledged-lost", tally.lost),
        ("G1-sessions-not-resumed", tally.stuck),
        ("G1-effects-doubled", tally.doubled),
    ] {
        chaos.goal(id, value, 0, value == 0);
    }
    chaos.figure("G1-processes-after-2s", tally.survivors, 0, tally.survivors == 0);
}

/// Four tasks, each worked on for a while, two of them by agents that ignore TERM and start processes that outlive them.
fn script(milliseconds: u64) -> Vec<Value> {
    let works = json!({ "sleep_ms": milliseconds });
    let stubborn = [json!({ "ignore_term": true }), json!({ "daemonise": 2 }), works.clone()];
    let usual = [json!({ "say": "I begin." }), works];
    let agents = [("t1", "claude"), ("t2", "codex"), ("t3", "gemini"), ("t4", "claude")];
    let mut script = vec![plan(&agents.map(|(id, agent)| task(id, agent)))];
    script.extend(["t1", "t2"].map(|id| work(id, &stubborn)));
    script.extend(["t3", "t4"].map(|id| work(id, &usual)));
    script
}

/// One session, from its beginning to its landing.
struct Life<'a> {
    tally: &'a Mutex<Tally>,
    rng: &'a mut fastrand::Rng,
    team: Team,
    /// What was printed as true, by its number.
    acknowledged: BTreeMap<u64, String>,
}

impl<'a> Life<'a> {
    fn new(chaos: &'a Chaos, tally: &'a Mutex<Tally>, rng: &'a mut fastrand::Rng) -> Self {
        let team = chaos.team(|_| script(400));
        team.parallel(4);
        Self { tally, rng, team, acknowledged: BTreeMap::new() }
    }

    /// Kills it so often, then lets it finish; gives the kills back that it was too fast for.
    fn live(mut self, kills: Vec<Moment>) -> Vec<Moment> {
        let mut kills = VecDeque::from(kills);
        while let Some(moment) = kills.front().copied() {
            let mut running = self.start();
            if !self.reached(moment, &mut running) {
                self.read(&running.printed());
                running.end();
                break;
            }
            kills.pop_front();
            self.kill(moment, running);
        }
        self.finish();
        let mut tally = locked(self.tally);
        tally.sessions += 1;
        drop(tally);
        kills.into()
    }

    fn start(&mut self) -> Running {
        let state = self.team.state();
        if state.opened.is_none() {
            return self.team.start(&[
                "Write some texts",
                "--unsandboxed",
                "--yes",
                "--no-dashboard",
                "--json",
            ]);
        }
        if state.open_questions().any(|(_, question)| question.asked.about == About::SafeMode) {
            locked(self.tally).safe_modes += 1;
            return self.team.start(&["answer", "--choice", "retry", "--json"]);
        }
        self.team.start(&["resume", "--no-dashboard", "--json"])
    }

    /// Waits for the moment; false when the program ended before it came.
    fn reached(&mut self, moment: Moment, running: &mut Running) -> bool {
        let before = self.team.state().seq.0;
        match moment {
            Moment::Start => self.pass(0..30),
            Moment::Any => self.pass(5..1800),
            Moment::Shutdown => {
                let at_work = |event: &Event| matches!(event, Event::WorkerStarted { .. });
                if !self.told(running, before, at_work) {
                    return false;
                }
                self.pass(0..300);
                running.signal("-INT");
                self.pass(0..700);
            }
            Moment::Merge => {
                let merges = |event: &Event| {
                    matches!(event, Event::JobRequested { what: Job::Merge { .. }, .. })
                        || matches!(event, Event::JobEnded { outcome: JobOutcome::Merged { .. }, .. })
                };
                if !self.told(running, before, merges) {
                    return false;
                }
                self.pass(0..60);
            }
        }
        !running.is_over()
    }

    fn pass(&mut self, milliseconds: std::ops::Range<u64>) {
        thread::sleep(Duration::from_micros(
            self.rng.u64(milliseconds.start * 1000..milliseconds.end * 1000),
        ));
    }

    /// Waits until something is journalled after an entry; false when the program ended without it.
    fn told(&self, running: &mut Running, after: u64, is: impl Fn(&Event) -> bool) -> bool {
        let until = Instant::now() + DEADLINE;
        loop {
            let over = running.is_over();
            if self.team.entries().iter().any(|entry| after < entry.seq.0 && is(&entry.event)) {
                return true;
            }
            if over || until < Instant::now() {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(&mut self, moment: Moment, running: Running) {
        let there = traces(&self.team.at("")).len();
        let began = Instant::now();
        running.kill();
        let mut left = traces(&self.team.at(""));
        while !left.is_empty() && began.elapsed() < CLEAN {
            thread::sleep(Duration::from_millis(1));
            left = traces(&self.team.at(""));
        }
        let took = began.elapsed();
        let printed = running.printed();
        running.end();
        let lost = self.read(&printed);
        let mut tally = locked(self.tally);
        *tally.kills.entry(moment).or_default() += 1;
        tally.most = tally.most.max(there);
        tally.survivors += left.len();
        tally.lost += lost;
        if left.is_empty() {
            tally.worst = tally.worst.max(took);
        } else {
            tally.wrong.push(format!("{moment:?}: left are {}", names(&left)));
        }
        drop(tally);
        left.into_iter().for_each(acceptance::team::kill);
    }

    /// Takes note of what was printed, and gives how much of all that ever was is not in the journal.
    fn read(&mut self, printed: &str) -> usize {
        let whole = printed.rsplit_once('\n').map_or("", |(whole, _)| whole);
        for line in whole.lines() {
            let seq = serde_json::from_str::<Value>(line).ok().and_then(|entry| entry["seq"].as_u64());
            if let Some(seq) = seq {
                self.acknowledged.insert(seq, line.to_owned());
            }
        }
        let entries = self.team.entries();
        let written: BTreeMap<u64, String> = entries
            .iter()
            .map(|entry| (entry.seq.0, serde_json::to_string(entry).unwrap_or_default()))
            .collect();
        let lost: Vec<_> =
            self.acknowledged.iter().filter(|(seq, line)| written.get(seq) != Some(*line)).collect();
        let mut tally = locked(self.tally);
        tally.acknowledged += self.acknowledged.len();
        if let Some((seq, line)) = lost.first() {
            let (folder, written) = (self.team.at(""), written.get(seq));
            tally.wrong.push(format!("{}: entry {seq} was {line}, is {written:?}", folder.display()));
        }
        lost.len()
    }

    /// Lets it finish and lands it; then its effects are counted.
    fn finish(&mut self) {
        let mut said = String::new();
        for _ in 0..5 {
            if self.team.state().ended.as_ref().is_some_and(|(outcome, _)| *outcome == Outcome::Done) {
                break;
            }
            let ended = self.start().end();
            self.read(&ended.stdout);
            said = format!(
                "exit {:?}: {} {}",
                ended.code,
                ended.stderr,
                ended.stdout.lines().last().unwrap_or("")
            );
        }
        let state = self.team.state();
        let done = state.ended.as_ref().is_some_and(|(outcome, _)| *outcome == Outcome::Done);
        let landed = done && self.team.run(&["land"]).code == Some(0);
        let torn = self.team.session().map_or(0, |folder| torn_tails(&folder));
        let mut tally = locked(self.tally);
        tally.torn += torn;
        if !landed {
            tally.stuck += 1;
            tally.wrong.push(format!("{}: did not end: {said}", self.team.at("").display()));
            return;
        }
        drop(tally);
        let doubled = self.doubled();
        let left = traces(&self.team.at(""));
        let mut tally = locked(self.tally);
        tally.survivors += left.len();
        if !left.is_empty() {
            tally.wrong.push(format!("after the end: left are {}", names(&left)));
        }
        self.team.keep(!doubled.is_empty() || !left.is_empty());
        tally.doubled += doubled.len();
        tally.wrong.extend(doubled);
    }

    /// Effects that are not there exactly once.
    fn doubled(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let entries = self.team.entries();
        let state = self.team.state();
        let count = |is: &dyn Fn(&Event) -> bool| entries.iter().filter(|entry| is(&entry.event)).count();
        let mut exactly = |what: &str, found: usize, wanted: usize| {
            if found != wanted {
                wrong.push(format!("{what}: {found}, not {wanted}; {}", self.team.at("").display()));
            }
        };
        for (task, merges) in self.team.merges() {
            exactly(&format!("merges of {task} on the branch"), merges, 1);
        }
        let merged =
            |event: &Event| matches!(event, Event::JobEnded { outcome: JobOutcome::Merged { .. }, .. });
        exactly("merges in the journal", count(&merged), state.tasks.len());
        let landed =
            |event: &Event| matches!(event, Event::JobEnded { outcome: JobOutcome::Landed { .. }, .. });
        exactly("landings", count(&landed), 1);
        exactly("tasks accepted", count(&|event| matches!(event, Event::TaskAccepted { .. })), 4);
        let notice = |title: &'static str| move |event: &Event| matches!(event, Event::Notified { notice } if notice.title == title);
        exactly("notices that it is done", count(&notice("Done and checked")), 1);
        let done =
            |event: &Event| matches!(event, Event::Notified { notice } if notice.kind == NoticeKind::Done);
        let ended = |event: &Event| matches!(event, Event::SessionEnded { outcome, .. } if *outcome != Outcome::Waiting);
        exactly("notices of ends", count(&done), count(&ended));
        let asked = count(&|event| matches!(event, Event::QuestionAsked { .. }));
        // A question that is open when a crash is over is heard of again, once in each run: a notice of its own.
        let reminds = notice("Still waits for your answer");
        let told = count(&|event| matches!(event, Event::Notified { .. })) - count(&done) - count(&reminds);
        exactly("notices of questions", told, asked);
        let crashes = count(&|event| matches!(event, Event::SessionResumed { crashed: true, .. }));
        exactly("reminders beyond one in each run", count(&reminds).saturating_sub(crashes), 0);
        for task in ["t1", "t2", "t3", "t4"] {
            let text = std::fs::read_to_string(self.team.at("project").join(format!("{task}.txt")));
            exactly(&format!("text of {task}"), text.unwrap_or_default().matches(task).count(), 1);
        }
        if let Some(folder) = self.team.session() {
            fold::holds(&folder);
        }
        wrong
    }
}

/// Interrupted writes that were cut off.
fn torn_tails(folder: &std::path::Path) -> usize {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter(|file| file.file_name().to_string_lossy().starts_with("journal.torn-")).count()
}

fn names(pids: &[u32]) -> String {
    let names = pids.iter().map(|pid| format!("{pid} ({})", acceptance::team::command_line(*pid).trim()));
    names.collect::<Vec<_>>().join(", ")
}

/// Without guardians the workers run on.
fn control(chaos: &Chaos) -> Result<(), Fault> {
    let team = chaos.weakened(Weakness::NoGuardian, |_| script(60_000));
    team.parallel(4);
    let running = team.begin();
    let working = |state: &State| {
        let tasks = state.live().filter(|(_, worker)| worker.process.is_some());
        tasks.count() == 4
    };
    team.until("four workers", working);
    running.kill();
    running.end();
    thread::sleep(CLEAN);
    let left = traces(&team.at(""));
    left.iter().copied().for_each(acceptance::team::kill);
    let until = Instant::now() + CLEAN;
    while !traces(&team.at("")).is_empty() {
        if until < Instant::now() {
            return Err("what the control run left does not go away".into());
        }
        traces(&team.at("")).into_iter().for_each(acceptance::team::kill);
        thread::sleep(Duration::from_millis(5));
    }
    chaos.control(
        "G1-processes-after-2s",
        format_args!("without guardians {} processes are left after one kill:", left.len()),
        !left.is_empty(),
    );
    Ok(())
}
