//! G19: one session, one process. A second start is refused at once, a killed one frees the session at once, and however
//! many try at the same moment, one runs it.

use std::time::{Duration, Instant};

use acceptance::{
    chaos::{Chaos, Fault},
    fold,
    team::{Ended, Running, Team, eventually, plan, task, wait, work},
};
use domain::Event;
use engine::{journal, weakness::Weakness};

/// How long a second start may take to say that it is one (RELIABILITY G19).
const REFUSED: Duration = Duration::from_secs(1);
/// How long after a kill the session may still count as held: none, but for the system's own ways.
const FREE: Duration = Duration::from_millis(50);
/// Starts at the same moment.
const RACERS: usize = 20;

fn one_task(gates: &std::path::Path) -> Vec<serde_json::Value> {
    vec![plan(&[task("t1", "claude")]), work("t1", &[wait(gates, "g")])]
}

/// What one session came to.
struct Round {
    refused: Duration,
    free: Duration,
    winners: usize,
    losers: usize,
    /// Entries that say it was taken up.
    resumed: usize,
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    // A session each: one that is taken up after a crash again and again goes into safe mode.
    let rounds = (0..chaos.scale(10, 3)).map(|_| round(chaos)).collect::<Result<Vec<Round>, Fault>>()?;
    let longest = |of: fn(&Round) -> Duration| rounds.iter().map(of).max().unwrap_or_default();
    let (refused, free) = (longest(|round| round.refused), longest(|round| round.free));
    chaos.figure("G19-second-start-ms", refused.as_millis(), REFUSED.as_millis(), refused <= REFUSED);
    chaos.figure("G19-free-after-kill-ms", free.as_millis(), FREE.as_millis(), free <= FREE);
    let fair = rounds.iter().filter(|round| round.winners == 1 && round.losers == RACERS - 1).count();
    chaos.goal(
        "G19-races-with-one-winner",
        format_args!("{fair}/{}", rounds.len()),
        rounds.len(),
        fair == rounds.len(),
    );
    let once = rounds.iter().filter(|round| round.resumed == 1).count();
    chaos.goal(
        "G19-taken-up-once",
        format_args!("{once}/{}", rounds.len()),
        rounds.len(),
        once == rounds.len(),
    );
    control(chaos)
}

fn round(chaos: &Chaos) -> Result<Round, Fault> {
    let team = chaos.team(one_task);
    let running = team.begin();
    team.until_waiting(&["g"]);
    let folder = team.session().ok_or("no session")?;
    let began = Instant::now();
    let second = resume(&team).end();
    let refused = began.elapsed();
    if second.code != Some(2) || !second.stderr.contains(&format!("with pid {}", running.pid())) {
        return Err(format!("a second start came to {second:?}").into());
    }
    running.signal("-KILL");
    running.end();
    let began = Instant::now();
    while journal::is_held(&folder) && began.elapsed() < Duration::from_secs(5) {}
    let free = began.elapsed();
    let (running, losers) = race(&team)?;
    let winners = running.len();
    team.open("g");
    for one in running {
        team.done(one.end());
    }
    fold::holds(&folder);
    let resumed = |entry: &&domain::Entry| matches!(entry.event, Event::SessionResumed { .. });
    let resumed = team.entries().iter().filter(resumed).count();
    Ok(Round { refused, free, winners, losers, resumed })
}

fn resume(team: &Team) -> Running {
    team.start(&["resume", "--no-dashboard"])
}

/// Many take the session up at the same moment: those who run it, and how many were refused.
fn race(team: &Team) -> Result<(Vec<Running>, usize), Fault> {
    let started: Vec<Running> = (0..RACERS).map(|_| resume(team)).collect();
    let (mut running, mut lost) = (started, 0);
    let until = Instant::now() + Duration::from_secs(60);
    while 1 < running.len() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
        let (over, on): (Vec<Running>, Vec<Running>) = running.into_iter().partition(has_ended);
        running = on;
        for ended in over.into_iter().map(Running::end) {
            lost += 1;
            check(&ended)?;
        }
    }
    Ok((running, lost))
}

fn check(ended: &Ended) -> Result<(), Fault> {
    let said = ended.stderr.contains("Another process is running this session");
    if ended.code == Some(2) && said {
        Ok(())
    } else {
        Err(format!("a start that lost came to {ended:?}").into())
    }
}

fn has_ended(running: &Running) -> bool {
    acceptance::team::state_of(running.pid()).is_none_or(|state| state == 'Z')
}

/// Without the lock several run it, and its journal shows.
fn control(chaos: &Chaos) -> Result<(), Fault> {
    let team = chaos.weakened(Weakness::NoLock, one_task);
    let running = team.begin();
    team.until_waiting(&["g"]);
    let before = team.entries().len();
    running.signal("-KILL");
    running.end();
    let both = [resume(&team), resume(&team)];
    let wrote = || {
        let entries = team.entries();
        let damaged = team.session().is_some_and(|folder| journal::read(&folder).is_err());
        let resumed = |entry: &&domain::Entry| matches!(entry.event, Event::SessionResumed { .. });
        damaged || 1 < entries.iter().skip(before).filter(resumed).count()
    };
    eventually("both write, or both are gone", || wrote() || both.iter().all(has_ended));
    let fails = wrote();
    both.iter().for_each(|one| one.signal("-KILL"));
    chaos.control("G19", "without the lock two write one journal:", fails);
    both.into_iter().for_each(|one| drop(one.end()));
    eventually("nothing is left", || team.processes().is_empty());
    Ok(())
}
