//! Quotas, hand-overs, limits, crashes of our own, clocks that move.

use super::*;
use crate::recovery::successor;

/// Plays a session under these rules.
fn play(agents: &[Dialect], at_quota: AtQuota, odds: &[Odd]) -> World {
    let mut world = World { odds: odds.to_vec(), ..World::default() };
    let mut opened = opened(agents);
    opened.settings.recovery.at_quota = at_quota;
    world.send(Input::Open { opened: Box::new(opened), warnings: vec![] });
    world.run();
    world
}

fn limited(seconds: i64) -> Failure {
    Failure::RateLimited { resets_at: Timestamp::from_second(seconds).ok() }
}

/// The repairs of a session, in order, by their names.
fn repairs(world: &World) -> Vec<String> {
    let name = |repair: &Repair| match repair {
        Repair::HandOver { to } => format!("to {to}"),
        Repair::Wait { until } => format!("wait {}", until.as_second()),
        Repair::AddDirectory { .. } => "directory".to_owned(),
        Repair::SkipGitCheck => "git check".to_owned(),
        Repair::Resume => "resume".to_owned(),
        Repair::Fresh => "fresh".to_owned(),
    };
    world.state.recoveries.values().map(|recovery| name(&recovery.repair)).collect()
}

/// Nobody judged what a worker of its vendor had a hand in.
fn nobody_judged_itself(world: &World) {
    for review in world.state.reviews.values() {
        for seat in &review.review.seats {
            for task in &seat.scope {
                let vendors = world.state.vendors_of_task(world.state.task(task).unwrap());
                assert!(
                    !vendors.contains(&seat.vendor),
                    "{} in {}:\n{}",
                    seat.reviewer,
                    review.review.id,
                    world.log
                );
            }
        }
    }
}

#[test]
fn a_used_up_quota_does_what_the_setting_says() {
    use AtQuota::*;
    let all = &ALL[..];
    let two = &[Dialect::Claude, Dialect::Codex][..];
    let (author, reviewer, lead) =
        (Odd::Fails(4, limited(1000)), Odd::Fails(3, limited(1000)), Odd::Fails(1, limited(1000)));
    let check = |name: &str, agents: &[Dialect], at_quota, odds: &[Odd], phase: Phase, wanted: &[&str]| {
        let world = play(agents, at_quota, odds);
        assert_eq!(world.state.phase(), phase, "{name}:\n{}", world.log);
        assert_eq!(repairs(&world), wanted, "{name}:\n{}", world.log);
        nobody_judged_itself(&world);
    };
    check("waits", all, Wait, std::slice::from_ref(&author), Phase::ReadyToLand, &["wait 1000"]);
    check("an author", all, HandOver, std::slice::from_ref(&author), Phase::ReadyToLand, &["to codex"]);
    check("a reviewer", all, HandOver, std::slice::from_ref(&reviewer), Phase::ReadyToLand, &["to claude"]);
    check("the lead", all, HandOver, std::slice::from_ref(&lead), Phase::ReadyToLand, &["to codex"]);
    // With two vendors nobody would be left to judge: waiting is all that is safe.
    check("two vendors", two, HandOver, &[Odd::Fails(2, limited(1000))], Phase::ReadyToLand, &["wait 1000"]);
    check("asks", all, Ask, std::slice::from_ref(&author), Phase::NeedsYou, &[]);
    let answer = Odd::Answer(Choice::HandOver, "");
    check("asked, handed over", all, Ask, &[author, answer], Phase::ReadyToLand, &["to codex"]);
    check("too far away", all, Wait, &[Odd::Fails(4, limited(1_000_000))], Phase::NeedsYou, &[]);
    check("already over", all, Wait, &[Odd::Fails(4, limited(2))], Phase::ReadyToLand, &["wait 75"]);
    check("no credit", all, HandOver, &[Odd::Fails(4, Failure::Billing)], Phase::ReadyToLand, &["to codex"]);
    // The first two did nothing, so one of them can judge what the third makes.
    let both = [Odd::Fails(4, limited(1000)), Odd::Fails(5, limited(2000))];
    check("two are out at once", all, HandOver, &both, Phase::ReadyToLand, &["to codex", "to gemini"]);
    // Both had a hand in it: only the third vendor could judge it, so it is not handed on.
    let both =
        [Odd::Milestone(4), Odd::Fails(4, limited(1000)), Odd::Milestone(6), Odd::Fails(6, limited(2000))];
    check("two had a hand in it", all, HandOver, &both, Phase::ReadyToLand, &["to codex", "wait 2000"]);
}

#[test]
fn who_takes_over_gets_the_package_and_never_the_seat_of_a_judge() {
    let mut world = play(&ALL, AtQuota::Ask, &[Odd::Fails(4, limited(1000))]);
    let task: TaskId = "implementation".into();
    assert_eq!(
        successor(&world.state, WorkerId(4), Timestamp::from_second(50).unwrap()),
        Some("codex".into())
    );
    let act = Act::Answer { question: None, choice: Some(Choice::HandOver), text: String::new() };
    world.send(Input::Act { act, by: Actor::Person });
    let snapshots = |world: &World| world.state.pending(|job| matches!(job, Job::Snapshot { .. }));
    assert!(snapshots(&world), "what the first author left is kept before anybody goes on");
    assert!(world.state.live().next().is_none(), "and nobody works meanwhile");
    world.send(world.queue.front().cloned().unwrap());
    let (heir, worker) = world.state.live().next().unwrap();
    assert_eq!((worker.assignment.agent.as_str(), worker.assignment.resume.as_deref()), ("codex", None));
    let material =
        Material { diff: "+ half".into(), events: vec!["ran the tests".into()], ..Material::default() };
    let text = prompt(&world.state, heir, &material).unwrap();
    for part in
        ["claude (w4) worked on this task", "+ half", "- ran the tests", "implementation (yours)", "make it"]
    {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert_eq!(world.state.author(world.state.task(&task).unwrap()), "codex".into());
}

#[test]
fn one_probe_for_each_agent_and_window() {
    let mut world = World::default();
    let mut opened = opened(&ALL);
    opened.settings.parallel = 8;
    world.send(Input::Open { opened: Box::new(opened), warnings: vec![] });
    world.queue.clear();
    let mut plan = Plan::built_in("x", world.state.agents(), &[]);
    let task = plan.tasks.iter().find(|task| task.id.as_str() == "implementation").unwrap().clone();
    plan.tasks =
        ["a", "b", "c"].map(|id| Task { id: id.into(), depends_on: vec![], ..task.clone() }).to_vec();
    let told = Box::new(Told {
        answer: serde_json::to_string(&plan).unwrap(),
        terminal: Some(true),
        ..Told::default()
    });
    let exit = Exit { code: Some(0), signal: None, cause: ExitCause::Left };
    plan.tasks.iter_mut().zip([34, 33, 33]).for_each(|(task, weight)| task.weight = weight);
    let told = Box::new(Told { answer: serde_json::to_string(&plan).unwrap(), ..*told });
    world.send(Input::Ended { worker: WorkerId(1), exit: exit.clone(), told, failed: None });
    while let Some(Input::Performed { job, outcome }) = world.queue.pop_front() {
        world.send(Input::Performed { job, outcome });
    }
    let live = |world: &World| world.state.live().map(|(id, _)| id).collect::<Vec<_>>();
    let [first, second, third] = live(&world)[..] else { panic!("three at work:\n{}", world.log) };
    world.queue.clear();
    let failed = |until| Some(Failed { failure: limited(until), text: "limit".into() });
    for worker in [first, second, third] {
        world.send(Input::Ended { worker, exit: exit.clone(), told: Box::default(), failed: failed(500) });
    }
    assert_eq!(live(&world), [], "the window is closed for all of them");
    world.clock = 498;
    world.send(Input::Tick);
    assert_eq!(live(&world), []);
    world.clock = 500;
    world.send(Input::Tick);
    let [probe] = live(&world)[..] else { panic!("one probe:\n{}", world.log) };
    world.queue.clear();
    world.send(Input::Ended { worker: probe, exit: exit.clone(), told: Box::default(), failed: failed(700) });
    assert_eq!(live(&world), [], "still closed");
    world.clock = 700;
    world.send(Input::Tick);
    let [probe] = live(&world)[..] else { panic!("one probe:\n{}", world.log) };
    world.queue.clear();
    world.send(Input::Ended { worker: probe, exit, told: Box::default(), failed: None });
    let free: Vec<_> =
        world.state.live().filter(|(_, worker)| worker.assignment.agent == "claude".into()).collect();
    assert_eq!(free.len(), 2, "it is back, so all go on:\n{}", world.log);
}

fn lose_all(world: &mut World) {
    world.queue.clear();
    world.send(Input::Resume { warnings: vec![] });
    let live: Vec<WorkerId> = world.state.live().map(|(id, _)| id).collect();
    for worker in live {
        let exit = Exit { code: None, signal: Some(9), cause: ExitCause::Orphaned };
        let failed = Some(Failed { failure: Failure::Truncated, text: "taken down".into() });
        world.send(Input::Ended { worker, exit, told: Box::default(), failed });
    }
    world.send(Input::Ready);
}

#[test]
fn our_own_crashes_are_no_failures_of_a_worker_but_a_loop_of_them_ends_in_safe_mode() {
    let mut world = at_work();
    for _ in 0..3 {
        lose_all(&mut world);
        assert!(!world.state.safe_mode);
        assert_eq!(world.state.live().count(), 1, "it goes on:\n{}", world.log);
    }
    lose_all(&mut world);
    assert!(world.state.safe_mode && world.state.waiting(), "{}", world.log);
    assert_eq!((world.state.live().count(), world.state.phase()), (0, Phase::NeedsYou));
    assert_eq!(world.state.recoveries.len(), 0);
    // A crash while it waits changes nothing, and asks nothing twice.
    lose_all(&mut world);
    assert!(world.state.safe_mode);
    assert_eq!(world.state.open_questions().count(), 1);
    world.odds.push(Odd::Answer(Choice::Retry, ""));
    world.run();
    assert_eq!(world.state.phase(), Phase::ReadyToLand, "{}", world.log);
    // Five minutes later it is no loop.
    let mut world = at_work();
    for _ in 0..6 {
        world.clock += 150;
        lose_all(&mut world);
        assert!(!world.state.safe_mode, "{}", world.log);
    }
}

#[test]
fn a_worker_over_a_limit_of_its_own_is_stopped_and_the_user_asked() {
    let check = |limit: &str, said: AgentEvent, warned: &str, text: &str| {
        let mut world = at_work();
        if let Some(opened) = &mut world.state.opened {
            opened.settings.limits.worker_turns = 10;
            world.replayed.opened.clone_from(&world.state.opened);
        }
        let (worker, _) = world.state.live().next().unwrap();
        for _ in 0..5 {
            world.send(Input::Said { worker, offset: 0, said: said.clone() });
        }
        assert!(world.log.contains(warned), "{limit}:\n{}", world.log);
        assert!(world.state.workers[&worker].limited.is_none(), "{limit}");
        for _ in 0..5 {
            world.send(Input::Said { worker, offset: 0, said: said.clone() });
        }
        world.run();
        let (exit, failed) = world.state.workers[&worker].end.clone().unwrap();
        assert_eq!(
            (exit.cause, failed.clone().unwrap().failure),
            (ExitCause::Stopped, Failure::Limit),
            "{limit}"
        );
        assert_eq!(failed.unwrap().text, text);
        assert_eq!(world.state.phase(), Phase::NeedsYou, "{limit}:\n{}", world.log);
    };
    // Each of these is said ten times; the last one with more, so that it crosses.
    let steps = |n: usize| AgentEvent::Progress(Progress { text: "x".repeat(n), ..Progress::default() });
    check("turns", steps(1), "", "worker_turns: 10 of 10");
}

#[test]
fn tokens_and_money_of_a_worker_are_counted_as_they_come() {
    let check = |usage: Usage, model: &str, limited: Option<&str>| {
        let mut world = at_work();
        let (worker, _) = world.state.live().next().unwrap();
        let (what, text) = (StatusKind::Heartbeat, String::new());
        let status = Status { what, text, session: None, model: Some(model.to_owned()), usage: Some(usage) };
        world.send(Input::Said { worker, offset: 0, said: AgentEvent::Status(status) });
        assert_eq!(world.state.workers[&worker].limited.as_deref(), limited, "{}", world.log);
    };
    let usage = |input, cost_usd| Usage { input, output: 0, cached: 0, cost_usd };
    check(usage(19_999_999, None), "unknown", None);
    check(usage(20_000_000, None), "unknown", Some("worker_tokens: 20000000 of 20000000"));
    let said = Usage { output: 10_000_000, ..usage(10_000_000, None) };
    check(said, "unknown", Some("worker_tokens: 20000000 of 20000000"));
    check(usage(1, Some(100.5)), "unknown", Some("worker_cost_usd: 100.50 of 100"));
    check(usage(1, Some(99.0)), "unknown", None);
}

#[test]
fn a_clock_that_moves_makes_nothing_late_and_nothing_early() {
    let check = |by: i64, slept: bool| {
        let mut world = at_work();
        world.clock += by;
        world.send(Input::ClockMoved { by_ms: by * 1000, slept });
        world.send(Input::Tick);
        assert_eq!(triggers(&world), [], "no fallback review is due:\n{}", world.log);
        assert!(world.state.limits_warned.is_empty() && world.state.stopping.is_none(), "{}", world.log);
        world.clock += 15 * 60;
        world.send(Input::Tick);
        assert_eq!(triggers(&world), [Some(Trigger::Fallback)], "{by}: it is due after its time");
        let age = |since: Timestamp| world.clock - since.as_second();
        assert!(world.state.live().all(|(_, worker)| (0..1000).contains(&age(worker.began))));
    };
    check(7200, false);
    check(12 * 3600, true);
    check(-3 * 86_400, false);
    // A wait of our own moves along; a reset that the vendor named does not.
    for (failure, moves) in [(Failure::Overloaded, true), (limited(5000), false)] {
        let mut world = at_work();
        let (worker, _) = world.state.live().next().unwrap();
        let exit = Exit { code: Some(1), signal: None, cause: ExitCause::Left };
        let failed = Some(Failed { failure, text: String::new() });
        world.send(Input::Ended { worker, exit, told: Box::default(), failed });
        assert_eq!(world.state.live().count(), 0);
        world.clock -= 1000;
        world.send(Input::ClockMoved { by_ms: -1_000_000, slept: false });
        world.clock += 1;
        world.send(Input::Tick);
        assert_eq!(world.state.live().count(), usize::from(moves), "{}", world.log);
    }
}

/// What a window that asks again and again knows in the end of what ran out.
#[test]
fn a_window_is_told_what_ran_out_as_it_happens() {
    let mut world = World { odds: vec![Odd::Fails(3, limited(1000))], ..World::default() };
    let mut opened = opened(&ALL);
    opened.settings.recovery.at_quota = AtQuota::HandOver;
    world.send(Input::Open { opened: Box::new(opened), warnings: vec![] });
    let (mut seen, mut gates, mut instead, mut agents) = (Seq(0), Vec::new(), Vec::new(), Vec::new());
    loop {
        if let Some(input) = world.queue.pop_front() {
            world.send(input);
        } else if let Some(at) = world.state.parked_until().filter(|_| world.state.ended.is_none()) {
            world.clock = at.as_second();
            world.send(Input::Tick);
        } else {
            break;
        }
        for row in world.state.rows(seen) {
            match row.body {
                RowBody::Session(row) => gates = row.gates,
                RowBody::Review(row) => {
                    let given = row.seats.iter().filter_map(|seat| {
                        let had = seat.instead_of.as_ref()?;
                        Some(format!("{} for {had}", seat.reviewer))
                    });
                    instead.extend(given);
                }
                RowBody::Recovery(row) => agents.push(row.agent.to_string()),
                RowBody::Plan(_)
                | RowBody::Task(_)
                | RowBody::Worker(_)
                | RowBody::Decision(_)
                | RowBody::Question(_)
                | RowBody::Warning(_) => {}
            }
        }
        seen = world.state.seq;
        let now: Vec<_> = world.state.session_row().map(|row| row.gates).unwrap_or_default();
        assert_eq!(gates, now, "at {seen:?}:\n{}", world.log);
    }
    instead.dedup();
    assert_eq!(instead, ["claude for codex"], "{}", world.log);
    agents.dedup();
    assert_eq!(agents, ["codex"]);
}

#[test]
fn a_limit_can_be_raised_and_the_session_goes_on() {
    let mut world = at_work();
    world.clock += i64::from(Limits::default().session_minutes) * 60;
    world.send(Input::Tick);
    world.run();
    assert_eq!(world.state.phase(), Phase::Limited);
    assert!(
        world.state.why().contains("480 minutes") && world.state.why().contains("[limits]"),
        "{}",
        world.state.why()
    );
    let limits = Limits { session_minutes: 900, ..Limits::default() };
    world.send(Input::Resume { warnings: vec![] });
    world.send(Input::Limits(Box::new(limits.clone())));
    world.send(Input::Limits(Box::new(limits)));
    world.send(Input::Ready);
    assert_eq!(world.log.matches("The limits of the settings hold").count(), 1, "{}", world.log);
    world.run();
    assert_eq!(world.state.phase(), Phase::ReadyToLand, "{}", world.log);
}

/// One task fails again and again in ways that are repaired, so many seconds apart. How many repairs until a person is asked;
/// none when it never is.
fn repairs_until_asked(per_task: u32, per_session: u32, seconds: i64) -> Option<usize> {
    let mut world = World::default();
    let mut opened = opened(&ALL);
    (opened.settings.recovery.per_task, opened.settings.recovery.per_session) = (per_task, per_session);
    opened.settings.limits.session_minutes = 100_000;
    world.send(Input::Open { opened: Box::new(opened), warnings: vec![] });
    while world.state.live().all(|(_, worker)| worker.task().is_none()) {
        let input = world.queue.pop_front().unwrap();
        world.send(input);
    }
    for (count, failure) in [Failure::Overloaded, Failure::Network].into_iter().cycle().take(5).enumerate() {
        world.queue.clear();
        let (worker, _) = world.state.live().next().unwrap();
        let exit = Exit { code: Some(1), signal: None, cause: ExitCause::Left };
        let failed = Some(Failed { failure, text: String::new() });
        world.send(Input::Ended { worker, exit, told: Box::default(), failed });
        if world.state.open_questions().next().is_some() {
            return Some(count);
        }
        world.clock += seconds;
        world.send(Input::Tick);
    }
    None
}

#[test]
fn repairs_have_a_rate() {
    let check = |per_task, per_session, seconds, wanted| {
        let found = repairs_until_asked(per_task, per_session, seconds);
        assert_eq!(found, wanted, "{per_task} a task, {per_session} a session, {seconds} s apart");
    };
    check(3, 10, 150, Some(3));
    check(3, 10, 250, None);
    check(2, 10, 150, Some(2));
    check(100, 2, 1200, Some(2));
    check(100, 2, 2400, None);
    check(100, 3, 700, Some(3));
    check(0, 10, 1, Some(0));
}
