//! G5b: a session of a million entries is open in a moment, and goes on.

use std::time::{Duration, Instant};

use acceptance::chaos::{Chaos, Fault};
use acceptance::team::{Team, plan, task, wait, work};
use domain::{AgentEvent, Entry, Event, Progress, ToolCall, ToolOutcome, WorkerId};
use engine::journal::{self, Journal};

/// RELIABILITY G5b, taken further by issue 3: a million entries instead of 300,000.
const MOST: Duration = Duration::from_millis(1500);
/// Entries in one write while the session is made.
const BATCH: u64 = 4096;

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    let count = chaos.scale(1_000_000, 100_000);
    let team = chaos.team(|gates| vec![plan(&[task("t1", "claude")]), work("t1", &[wait(gates, "g")])]);
    let running = team.begin();
    team.until_waiting(&["g"]);
    let worker = team.state().live().map(|(id, _)| id).next().ok_or("nobody is at work")?;
    running.signal("-KILL");
    drop(running.end());
    let bytes = fill(&team, worker, count)?;
    chaos.note(format!("{count} entries, {} MiB", bytes >> 20));

    // Whoever opens a session reads and folds all of it; what the terminal prints then is little.
    let id = team.id().to_string();
    let took = (0..3).map(|_| time(|| team.run(&["status", &id]).expect(0))).min().unwrap_or(Duration::MAX);
    let limit = MOST
        .mul_f64(f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / 1e6)
        .max(Duration::from_millis(300));
    chaos.figure("G5b", format!("{}ms", took.as_millis()), format!("{}ms", limit.as_millis()), took <= limit);

    team.open("g");
    let resumed = Instant::now();
    let running = team.start(&["resume", "--no-dashboard"]);
    team.until_event("resumed", |event| matches!(event, Event::SessionReady));
    chaos.note(format!(
        "first entry after {} ms, the test's own reading included",
        resumed.elapsed().as_millis()
    ));
    let before = running.end();
    team.done(before);
    let after = journal::read(&team.session().ok_or("no session")?)?.len() as u64;
    chaos.goal("G5b-resumes", format!("{after}-entries"), format!("over-{count}"), count < after);

    // Everything is read: one byte that is not what was written, and it does not open.
    let folder = team.session().ok_or("no session")?;
    let path = folder.join(journal::FILE);
    let mut file = std::fs::read(&path)?;
    let middle = file.len() / 2;
    file[middle] ^= 1;
    std::fs::write(&path, file)?;
    let refused = journal::read(&folder).is_err();
    chaos.control("G5b", "one-changed-byte-is-noticed", refused);
    Ok(())
}

/// Appends what a talkative worker says until there are so many entries; gives the journal's size in bytes.
fn fill(team: &Team, worker: WorkerId, count: u64) -> Result<u64, Fault> {
    let folder = team.session().ok_or("no session")?;
    let (mut journal, _) = Journal::open(&folder, &team.id())?;
    let at = team.state().last;
    let mut next = journal.last().next();
    while next.0 <= count {
        let mut batch = Vec::new();
        while next.0 <= count && (batch.len() as u64) < BATCH {
            let event = Event::WorkerSaid { worker, offset: 0, said: said(next.0) };
            batch.push(Entry { seq: next, at, event });
            next = next.next();
        }
        journal.append(&batch)?;
    }
    drop(journal);
    let sizes = std::fs::read_dir(&folder)?.flatten().filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        (name.starts_with("journal") && name.ends_with(".jsonl")).then(|| entry.metadata().ok())?
    });
    Ok(sizes.map(|found| found.len()).sum())
}

/// Words, a tool that begins, a tool that ends: what most of a real session is.
fn said(number: u64) -> AgentEvent {
    let call = |outcome| ToolCall {
        id: format!("toolu_{:020}", number / 3),
        name: "Bash".to_owned(),
        command: Some(format!("cargo test -p parser --lib -- case_{number} --nocapture")),
        outcome,
        exit_code: None,
        output: (outcome == ToolOutcome::Ok).then(|| "test result: ok. 14 passed; 0 failed".to_owned()),
    };
    let tool = match number % 3 {
        0 => None,
        1 => Some(call(ToolOutcome::Started)),
        _ => Some(call(ToolOutcome::Ok)),
    };
    let text = format!(
        "Step {number}: the parser reads the header, then each of the records, and tells what it skipped."
    );
    AgentEvent::Progress(Progress { text, tool, ..Progress::default() })
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let began = Instant::now();
    drop(work());
    began.elapsed()
}
