//! Whole sessions against a world that answers every effect at once: rules as data through one `check`.

mod claims;
mod guarded;
mod lost;
mod opinions;

use std::collections::VecDeque;

use super::*;
use crate::*;

fn agent(dialect: Dialect) -> AgentInfo {
    AgentInfo {
        name: dialect.as_str().into(),
        dialect,
        program: format!("/bin/{}", dialect.as_str()),
        leading_args: vec![],
        version: "1".into(),
        demo: false,
    }
}

fn opened(agents: &[Dialect]) -> Opened {
    Opened {
        format: FORMAT,
        session: "s".into(),
        goal: "make it".into(),
        target: "/target".into(),
        folder: "/folder".into(),
        trees: Trees::Repository {
            branch: Some("main".into()),
            base: "base".into(),
            session_branch: "orchestrate/s".into(),
        },
        checks: vec!["true".into()],
        agents: agents.iter().copied().map(agent).collect(),
        settings: Settings { approve_plan: true, ..Settings::default() },
        unsandboxed: true,
        demo: false,
        version: "0".into(),
        brought: None,
    }
}

/// What the scripted world does out of the ordinary. Each line fires once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Odd {
    /// This reviewer says this in the review with this number.
    Says(&'static str, u32, Verdict),
    /// The worker with this number fails like this.
    Fails(u32, Failure),
    /// Checks of the session fail once.
    ChecksFail,
    /// The merge of this task conflicts once.
    Conflicts(&'static str),
    /// This reviewer answers nonsense in the review with this number.
    Nonsense(&'static str, u32),
    /// The author with this worker number announces a milestone before it ends.
    Milestone(u32),
    /// The worker with this number changes nothing.
    Idle(u32),
    /// The worker with this number changes this file.
    Changes(u32, &'static str),
    /// The tree of the worker with this number stays what it was.
    Keeps(u32),
    /// The author with this worker number says this at its end, and that it changed these files.
    Tells(u32, &'static str, &'static [&'static str]),
    /// The user answers the next question with this.
    Answer(Choice, &'static str),
}

/// Plays a session to its end or to where only the user can go on. Checks at every entry that a replay is the live state.
pub(crate) fn play(agents: &[Dialect], odds: &[Odd]) -> (State, String) {
    let mut world = World { odds: odds.to_vec(), ..World::default() };
    world.send(Input::Open { opened: Box::new(opened(agents)), warnings: vec![] });
    world.run();
    (world.state, world.log)
}

fn check(agents: &[Dialect], odds: &[Odd]) -> String {
    play(agents, odds).1
}

#[derive(Default)]
struct World {
    state: State,
    replayed: State,
    log: String,
    odds: Vec<Odd>,
    queue: VecDeque<Input>,
    trees: u32,
    clock: i64,
    notices: Vec<crate::Notice>,
}

impl World {
    fn send(&mut self, input: Input) {
        self.clock += 1;
        let at = Timestamp::from_second(self.clock).unwrap();
        let step = self.state.step(Now { at, entropy: 7 }, input);
        assert_eq!(step.refused, None);
        for entry in &step.entries {
            let line = serde_json::to_string(entry).unwrap();
            self.replayed.apply(&serde_json::from_str(&line).unwrap());
            if let Some(item) = timeline(&self.state, entry) {
                self.log += &format!("{}\n", item.text);
            }
        }
        assert_eq!(self.replayed, self.state, "a replay of the written journal is the live state");
        for effect in step.effects {
            if let Effect::Notify(notice) = &effect {
                self.notices.push(notice.clone());
            }
            self.perform(effect);
        }
    }

    fn run(&mut self) {
        for _ in 0..500 {
            if let Some(input) = self.queue.pop_front() {
                self.send(input);
            } else if self.state.ended.is_none() && self.state.parked_until().is_some() {
                self.clock = self.state.parked_until().unwrap().as_second();
                self.send(Input::Tick);
            } else if self.asked() && self.next_answer().is_some() {
                let (choice, text) = self.next_answer().unwrap();
                let at = self.odds.iter().position(|odd| matches!(odd, Odd::Answer(..))).unwrap();
                self.odds.remove(at);
                let act = Act::Answer { question: None, choice: Some(choice), text: text.into() };
                self.send(Input::Act { act, by: Actor::Person });
            } else {
                return;
            }
        }
        panic!("no end:\n{}", self.log);
    }

    fn asked(&self) -> bool {
        self.state.open_questions().next().is_some()
    }

    fn next_answer(&self) -> Option<(Choice, &'static str)> {
        self.odds
            .iter()
            .find_map(|odd| if let Odd::Answer(choice, text) = odd { Some((*choice, *text)) } else { None })
    }

    fn odd(&mut self, odd: &Odd) -> bool {
        let at = self.odds.iter().position(|other| other == odd);
        at.map(|at| self.odds.remove(at)).is_some()
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn(worker) => self.spawn(worker),
            Effect::Perform(job) => {
                let outcome = self.job(self.state.jobs[&job].clone());
                self.queue.push_back(Input::Performed { job, outcome });
            }
            Effect::Stop { worker, .. } => {
                self.queue
                    .retain(|input| !matches!(input, Input::Ended { worker: who, .. } if *who == worker));
                let exit = Exit { code: None, signal: Some(15), cause: ExitCause::Stopped };
                let failed = Some(Failed { failure: Failure::Cancelled, text: String::new() });
                self.queue.push_back(Input::Ended { worker, exit, told: Box::default(), failed });
            }
            Effect::Freeze(_)
            | Effect::Thaw(_)
            | Effect::Reply { .. }
            | Effect::Notify(_)
            | Effect::Hold { .. }
            | Effect::AnswerDemo(_) => {}
        }
    }

    fn spawn(&mut self, worker: WorkerId) {
        self.queue.push_back(Input::Started { worker, process: ProcessIdentity::default(), argv: vec![] });
        let assignment = self.state.workers[&worker].assignment.clone();
        let mut told =
            Told { session: Some(format!("cli-{worker}")), terminal: Some(true), ..Told::default() };
        if self.odd(&Odd::Milestone(worker.0)) {
            let said = AgentEvent::Milestone(Milestone { text: "half".into(), file: None, announced: true });
            self.queue.push_back(Input::Said { worker, offset: 1, said });
        }
        match &assignment.purpose {
            Purpose::Plan => {
                let agents = self.state.agents().to_vec();
                told.answer =
                    serde_json::to_string(&Plan::built_in("make it", &agents, &["true".into()])).unwrap();
            }
            Purpose::Task { .. } => {
                let tells =
                    self.odds.iter().position(|odd| matches!(odd, Odd::Tells(n, ..) if *n == worker.0));
                if let Some(Odd::Tells(_, answer, files)) = tells.map(|at| self.odds.remove(at)) {
                    told.answer = answer.into();
                    told.files_changed = files.iter().map(|file| (*file).to_owned()).collect();
                }
            }
            Purpose::Review { review } => told.answer = self.verdict(*review, &assignment.agent),
        }
        let fails = self.odds.iter().position(|odd| matches!(odd, Odd::Fails(n, _) if *n == worker.0));
        let failed = fails.map(|at| {
            let Odd::Fails(_, failure) = self.odds.remove(at) else { unreachable!() };
            Failed { failure, text: "it said so".into() }
        });
        let exit = Exit { code: Some(i32::from(failed.is_some())), signal: None, cause: ExitCause::Left };
        self.queue.push_back(Input::Ended { worker, exit, told: Box::new(told), failed });
    }

    fn verdict(&mut self, review: ReviewId, agent: &AgentName) -> String {
        let meant = |who: &str, n: u32| who == agent.as_str() && n == review.0;
        let at = self
            .odds
            .iter()
            .position(|odd| matches!(odd, Odd::Says(who, n, _) | Odd::Nonsense(who, n) if meant(who, *n)));
        let verdict = match at.map(|at| self.odds.remove(at)) {
            Some(Odd::Nonsense(..)) => return "looks fine to me".into(),
            Some(Odd::Says(_, _, verdict)) => verdict,
            _ => Verdict::Approve,
        };
        let seats = &self.state.reviews[&review].review.seats;
        let nonce = seats.iter().find(|seat| seat.reviewer == *agent).unwrap().nonce.clone();
        let severity = if verdict == Verdict::Blocker { Severity::Blocker } else { Severity::Concern };
        let finding = Finding {
            severity,
            title: "off by one".into(),
            file: Some("a.rs".into()),
            lines: None,
            quote: Some("i <= n".into()),
            why: String::new(),
            recommendation: String::new(),
        };
        let findings = if verdict == Verdict::Approve { vec![] } else { vec![finding] };
        serde_json::to_string(&Answer { nonce, verdict, summary: "so".into(), findings, files_read: vec![] })
            .unwrap()
    }

    fn job(&mut self, what: Job) -> JobOutcome {
        match what {
            Job::PrepareTree { task } => JobOutcome::TreeReady {
                path: format!("/folder/trees/{task}"),
                branch: task.0,
                base: "base".into(),
            },
            Job::Snapshot { worker, task, .. } => {
                self.trees += 1;
                let before = self.state.task(&task).and_then(|task| task.course.snapshot.clone());
                let before = before.filter(|_| self.odd(&Odd::Keeps(worker.0)));
                let idle = self.odd(&Odd::Idle(worker.0));
                let changed = if idle { vec![] } else { vec!["a.rs".into()] };
                let other = |odd: &Odd| {
                    let Odd::Changes(who, file) = odd else { return None };
                    (*who == worker.0).then(|| vec![(*file).to_owned()])
                };
                let changed = self.odds.iter().find_map(other).unwrap_or(changed);
                let (commit, tree) = (format!("c{}", self.trees), format!("t{}", self.trees));
                JobOutcome::Snapshot {
                    commit: CommitHash(commit),
                    tree: before.map_or(TreeHash(tree), |(_, tree)| tree),
                    changed,
                    conflicted: vec![],
                }
            }
            Job::Check { subject, checks, .. } => {
                let fails = subject == Subject::Session && self.odd(&Odd::ChecksFail);
                let result = |check| CheckResult {
                    check,
                    passed: !fails,
                    exit_code: Some(i32::from(fails)),
                    output: "no".into(),
                };
                JobOutcome::Checked { results: checks.into_iter().map(result).collect() }
            }
            Job::Verify { review, answer, .. } => {
                let tree = self.state.reviews[&review].review.tree.clone();
                let checked = |finding| CheckedFinding {
                    finding,
                    evidence: Evidence::Verified,
                    found_at: Some(3),
                    rerun: None,
                };
                let findings = answer.findings.into_iter().map(checked).collect();
                let Answer { verdict, summary, files_read, .. } = answer;
                JobOutcome::Verified {
                    ballot: Ballot::Cast { verdict, summary, findings, files_read, tree, coverage: None },
                }
            }
            Job::Merge { task, .. } => {
                let at = self
                    .odds
                    .iter()
                    .position(|odd| matches!(odd, Odd::Conflicts(of) if *of == task.as_str()));
                if at.map(|at| self.odds.remove(at)).is_some() {
                    return JobOutcome::Conflicted { files: vec!["a.rs".into()] };
                }
                self.trees += 1;
                JobOutcome::Merged {
                    commit: CommitHash(format!("m{}", self.trees)),
                    tree: TreeHash(format!("mt{}", self.trees)),
                }
            }
            Job::Land { .. } => JobOutcome::Landed { commit: "l".into(), branch: "main".into() },
        }
    }
}

const ALL: [Dialect; 3] = Dialect::ALL;

#[test]
fn three_vendors_reach_done() {
    insta::assert_snapshot!(check(&ALL, &[]));
}

#[test]
fn one_concern_goes_back_and_is_mended() {
    insta::assert_snapshot!(check(&ALL, &[Odd::Says("gemini", 2, Verdict::Concern)]));
}

#[test]
fn a_milestone_is_reviewed_while_work_goes_on() {
    insta::assert_snapshot!(check(&ALL, &[Odd::Milestone(4), Odd::Says("gemini", 2, Verdict::Concern)]));
}

#[test]
fn outcomes_of_odd_worlds() {
    use Odd::*;
    let cases: &[(&str, &[Dialect], &[Odd], Phase)] = &[
        ("a blocker stops", &ALL, &[Says("codex", 2, Verdict::Blocker)], Phase::NeedsYou),
        (
            "an override goes on",
            &ALL,
            &[Says("codex", 2, Verdict::Blocker), Answer(Choice::Override, "I know")],
            Phase::ReadyToLand,
        ),
        (
            "an instruction goes on",
            &ALL,
            &[Says("codex", 2, Verdict::Blocker), Answer(Choice::Instruct, "mend it")],
            Phase::ReadyToLand,
        ),
        (
            "abandoned",
            &ALL,
            &[Says("codex", 2, Verdict::Blocker), Answer(Choice::Abandon, "")],
            Phase::Failed,
        ),
        (
            "two concerns pause",
            &ALL,
            &[Says("codex", 2, Verdict::Concern), Says("gemini", 2, Verdict::Concern)],
            Phase::NeedsYou,
        ),
        (
            "two concerns answered",
            &ALL,
            &[
                Says("codex", 2, Verdict::Concern),
                Says("gemini", 2, Verdict::Concern),
                Answer(Choice::Instruct, "do as they say"),
            ],
            Phase::ReadyToLand,
        ),
        ("two vendors", &[Dialect::Claude, Dialect::Codex], &[], Phase::ReadyToLand),
        ("one vendor", &[Dialect::Claude], &[], Phase::ReadyToLand),
        ("nonsense once", &ALL, &[Nonsense("codex", 1)], Phase::ReadyToLand),
        ("nonsense twice", &ALL, &[Nonsense("codex", 1), Nonsense("codex", 1)], Phase::NeedsYou),
        (
            "nonsense twice, then again",
            &ALL,
            &[Nonsense("codex", 1), Nonsense("codex", 1), Answer(Choice::Retry, "")],
            Phase::ReadyToLand,
        ),
        ("validation finds something", &ALL, &[Says("codex", 3, Verdict::Concern)], Phase::ReadyToLand),
        (
            "the end finds something",
            &ALL,
            &[Says("gemini", 4, Verdict::Approve), Says("codex", 4, Verdict::Concern)],
            Phase::ReadyToLand,
        ),
        ("final checks fail once", &ALL, &[ChecksFail], Phase::ReadyToLand),
        ("a conflict is resolved by its author", &ALL, &[Conflicts("implementation")], Phase::ReadyToLand),
        (
            "two conflicts need you",
            &ALL,
            &[Conflicts("implementation"), Conflicts("implementation")],
            Phase::NeedsYou,
        ),
        ("crash", &ALL, &[Fails(2, Failure::Crashed)], Phase::ReadyToLand),
        ("two crashes", &ALL, &[Fails(2, Failure::Crashed), Fails(3, Failure::Crashed)], Phase::NeedsYou),
        (
            "two crashes, tried again",
            &ALL,
            &[Fails(2, Failure::Crashed), Fails(3, Failure::Crashed), Answer(Choice::Retry, "")],
            Phase::ReadyToLand,
        ),
        (
            "the lead crashes twice",
            &ALL,
            &[Fails(1, Failure::Crashed), Fails(2, Failure::Crashed)],
            Phase::ReadyToLand,
        ),
        ("not signed in", &ALL, &[Fails(2, Failure::NotSignedIn)], Phase::NeedsYou),
        (
            "overloaded",
            &ALL,
            &[Fails(2, Failure::Overloaded), Fails(3, Failure::Network)],
            Phase::ReadyToLand,
        ),
        ("git check", &ALL, &[Fails(3, Failure::NotGitRepository)], Phase::ReadyToLand),
        (
            "an allowed folder",
            &ALL,
            &[Fails(2, Failure::OutsideWorkspace { path: "/target/x/y".into() })],
            Phase::ReadyToLand,
        ),
        (
            "a forbidden folder",
            &ALL,
            &[Fails(2, Failure::OutsideWorkspace { path: "/etc/passwd".into() })],
            Phase::NeedsYou,
        ),
        (
            "a path that leads out of an allowed folder",
            &ALL,
            &[Fails(2, Failure::OutsideWorkspace { path: "/target/../etc/passwd".into() })],
            Phase::NeedsYou,
        ),
        (
            "a folder whose name begins like an allowed one",
            &ALL,
            &[Fails(2, Failure::OutsideWorkspace { path: "/target-of-others/x".into() })],
            Phase::NeedsYou,
        ),
        (
            "a reviewer that crashes twice does not approve",
            &ALL,
            &[Fails(3, Failure::Crashed), Fails(4, Failure::Crashed)],
            Phase::NeedsYou,
        ),
        ("an idle turn", &ALL, &[Idle(2)], Phase::ReadyToLand),
        ("two idle turns", &ALL, &[Idle(2), Idle(3)], Phase::NeedsYou),
        ("a milestone", &ALL, &[Milestone(2)], Phase::ReadyToLand),
        ("limit", &ALL, &[Fails(2, Failure::RateLimited { resets_at: None })], Phase::ReadyToLand),
    ];
    for (name, agents, odds, expected) in cases {
        let (state, log) = play(agents, odds);
        assert_eq!(state.phase(), *expected, "{name}:\n{log}");
        assert!(state.live().next().is_none(), "{name}: nobody is left running");
        if *expected == Phase::NeedsYou {
            assert!(state.waiting(), "{name}: {}", state.why());
        }
        for review in state.reviews.values() {
            for seat in &review.review.seats {
                for task in &seat.scope {
                    let author = state.author(state.task(task).unwrap());
                    assert_ne!(state.vendor(&author), Some(seat.vendor), "{name}: no author reviews itself");
                }
            }
        }
    }
}

#[test]
fn a_resumed_session_goes_on_from_every_entry() {
    let (whole, _) = play(&ALL, &[Odd::Says("gemini", 2, Verdict::Concern), Odd::Milestone(4)]);
    assert_eq!(whole.phase(), Phase::ReadyToLand);
    for cut in 1..200 {
        let mut world = World {
            odds: vec![Odd::Says("gemini", 2, Verdict::Concern), Odd::Milestone(4)],
            ..World::default()
        };
        world.send(Input::Open { opened: Box::new(opened(&ALL)), warnings: vec![] });
        let mut ended = true;
        for _ in 0..cut {
            let Some(input) = world.queue.pop_front() else { break };
            world.send(input);
            ended = world.queue.is_empty();
        }
        if ended {
            break;
        }
        // The process dies here: nothing that was under way comes back by itself.
        world.queue.clear();
        world.odds.clear();
        world.send(Input::Resume { warnings: vec![] });
        let lost: Vec<WorkerId> = world.state.live().map(|(id, _)| id).collect();
        for worker in lost {
            let exit = Exit { code: None, signal: Some(9), cause: ExitCause::Orphaned };
            let failed = Some(Failed { failure: Failure::Cancelled, text: "lost".into() });
            world.send(Input::Ended { worker, exit, told: Box::default(), failed });
        }
        world.send(Input::Ready);
        world.run();
        assert_eq!(world.state.phase(), Phase::ReadyToLand, "cut after {cut}:\n{}", world.log);
    }
}

/// The notifications of taking a session up, after a crash or not, while a question is open or none is.
#[test]
fn open_questions_are_heard_of_again_after_a_crash_and_once() {
    let check = |open: bool, crashed: bool, expected: usize| {
        let mut world = at_work();
        let worker = world.state.live().next().map(|(id, _)| id).unwrap();
        if open {
            let what = crate::Call::AskUser { question: "Which port?".into() };
            world.send(Input::Called { worker, offset: 1, call: "c1".into(), what });
        }
        if !crashed {
            world.send(Input::Close { now: false });
        }
        let lost: Vec<WorkerId> = world.state.live().map(|(id, _)| id).collect();
        let end = |world: &mut World| {
            for worker in &lost {
                let exit = Exit { code: None, signal: Some(9), cause: ExitCause::Orphaned };
                let failed = Some(Failed { failure: Failure::Cancelled, text: "lost".into() });
                world.send(Input::Ended { worker: *worker, exit, told: Box::default(), failed });
            }
        };
        if !crashed {
            end(&mut world);
            assert!(world.state.ended.is_some(), "it was closed");
        }
        world.notices.clear();
        world.send(Input::Resume { warnings: vec![] });
        if crashed {
            end(&mut world);
        }
        world.send(Input::Ready);
        world.send(Input::Ready); // told twice by mistake
        let heard = world.notices.iter().filter(|notice| notice.body.contains("Which port?")).count();
        assert_eq!(heard, expected, "open {open}, crashed {crashed}");
    };
    check(true, true, 1);
    check(true, false, 0);
    check(false, true, 0);
}

/// A session with its first author at work, and nothing else going on.
fn at_work() -> World {
    let mut world = World::default();
    world.send(Input::Open { opened: Box::new(opened(&ALL)), warnings: vec![] });
    while world.state.live().all(|(_, worker)| worker.task().is_none() || worker.process.is_none()) {
        let input = world.queue.pop_front().unwrap();
        world.send(input);
    }
    world.queue.clear(); // the author goes on working
    world
}

fn triggers(world: &World) -> Vec<Option<Trigger>> {
    let trigger = |job: &Job| if let Job::Snapshot { trigger, .. } = job { Some(*trigger) } else { None };
    world.state.jobs.values().filter_map(trigger).collect()
}

#[test]
fn fifteen_minutes_without_a_review_make_one() {
    let mut world = at_work();
    world.clock += 14 * 60;
    world.send(Input::Tick);
    assert_eq!(triggers(&world), []);
    world.clock += 60;
    world.send(Input::Tick);
    assert_eq!(triggers(&world), [Some(Trigger::Fallback)]);
    world.run();
    assert_eq!(world.state.reviews.values().next().unwrap().review.trigger, Trigger::Fallback);
    world.clock += 14 * 60;
    world.send(Input::Tick);
    assert_eq!(triggers(&world), [], "a review was made; the time counts from it");
}

#[test]
fn reviews_on_request_of_the_user_and_of_the_worker() {
    let mut world = at_work();
    world.send(Input::Act { act: Act::Review { task: None }, by: Actor::Person });
    assert_eq!(triggers(&world), [Some(Trigger::Manual)]);
    world.run();
    let (worker, _) = world.state.live().next().unwrap();
    let asks = |what| Input::Called { worker, offset: 1, call: "a".into(), what };
    world.send(asks(Call::RequestReview { what: "look".into() }));
    assert_eq!(triggers(&world), [Some(Trigger::Requested)]);
    world.run();
    let blocked = AgentEvent::Blocker(Blocker {
        what: BlockerKind::Reported,
        text: "no key".into(),
        resets_at: None,
        path: None,
    });
    world.send(asks(Call::Report { event: blocked }));
    assert_eq!(triggers(&world), [Some(Trigger::Blocker)]);
}

#[test]
fn a_limit_warns_and_then_ends_the_session_with_everything_kept() {
    let mut world = at_work();
    let minutes = i64::from(Limits::default().session_minutes);
    world.clock += minutes * 60 * 81 / 100;
    world.send(Input::Tick);
    assert!(world.log.contains("81 % of the session's 480 minutes are used"), "{}", world.log);
    world.clock += minutes * 60 / 5;
    world.send(Input::Tick);
    world.run();
    assert_eq!(world.state.phase(), Phase::Limited);
    assert!(world.state.live().next().is_none());
}

#[test]
fn a_person_is_refused_with_a_sentence() {
    let mut world = at_work();
    let mut refused = |act: Act| {
        let now = Now { at: Timestamp::from_second(world.clock).unwrap(), entropy: 7 };
        let step = world.state.step(now, Input::Act { act, by: Actor::Person });
        assert!(step.entries.is_empty(), "what is refused leaves no trace");
        step.refused.map(|fault| fault.message).unwrap_or_default()
    };
    let answer = |question| Act::Answer { question, choice: None, text: "yes".into() };
    let plan = Plan::built_in("x", &[agent(Dialect::Claude)], &[]);
    let said = [
        refused(Act::Unpause),
        refused(answer(None)),
        refused(answer(Some(QuestionId(9)))),
        refused(Act::EditPlan { plan }),
        refused(Act::Land { method: LandMethod::Merge, message: String::new() }),
        refused(Act::Review { task: Some("t9".into()) }),
    ];
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn files_that_programs_obey_by_themselves_are_told_before_landing_and_once() {
    let check = |file: &'static str, told: bool| {
        let odds: Vec<Odd> = (1..9).map(|worker| Odd::Changes(worker, file)).collect();
        let (state, log) = play(&Dialect::ALL, &odds);
        let mut texts: Vec<&String> =
            state.warnings.iter().map(|(_, _, text)| text).filter(|text| text.contains("obey")).collect();
        assert_eq!(!texts.is_empty(), told, "{file}: {log}");
        assert!(texts.iter().all(|text| text.contains(file)), "{texts:?}");
        let all = texts.len();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), all);
    };
    for file in [
        ".claude/settings.json",
        "sub/.mcp.json",
        "../.github/workflows/ci.yml",
        ".vscode/tasks.json",
        ".envrc",
        ".husky/pre-commit",
        "AGENTS.md",
        "Jenkinsfile",
    ] {
        check(file, true);
    }
    for file in ["src/claude.rs", ".github/README.md", "my.envrc", "docs/AGENTS.md.txt"] {
        check(file, false);
    }
}
