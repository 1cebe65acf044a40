//! What a person sees of a session, from rows made by hand.

use domain::{
    About, Action, Actor, AgentInfo, AnswerRow, Ballot, Check, CheckResult, CheckedFinding, Choice,
    CommitHash, DecisionId, DecisionRow, Dialect, Evidence, Failed, Failure, Finding, GateRow, Outcome,
    Phase, Plan, PlanRow, PlanSource, QuestionId, QuestionRow, RecoveryId, RecoveryRow, Repair, ReviewId,
    ReviewRow, Role, Row, RowBody, Rule, SeatRow, Seq, SessionRow, Severity, Spent, Subject, Task, TaskRow,
    TaskStage, Trees, Trigger, Usage, Verdict, WarningRow, WorkerCaps, WorkerId, WorkerRow, WorkerStage,
};
use jiff::{Timestamp, ToSpan, tz::TimeZone};

use crate::{live, model::Model, screen::Screen, view::View};

/// Seconds after the session began.
fn at(seconds: i64) -> Timestamp {
    "2026-11-21T14:00:00Z".parse::<Timestamp>().unwrap() + seconds.seconds()
}

pub(crate) fn row(key: &str, body: RowBody) -> Row {
    Row { seq: Seq(1), key: key.to_owned(), body }
}

pub(crate) fn session(change: impl FnOnce(&mut SessionRow)) -> Row {
    let agent = |dialect: Dialect| AgentInfo {
        name: dialect.as_str().into(),
        dialect,
        program: format!("/usr/bin/{}", dialect.as_str()),
        leading_args: Vec::new(),
        version: "1.2.3".to_owned(),
        demo: false,
    };
    let mut session = SessionRow {
        session: "01aa5f00-1111-7222-8333-444455556666".into(),
        goal: "Add a --version flag\nand test it".to_owned(),
        target: "/home/ada/Projekt Ü".to_owned(),
        phase: Phase::Planning,
        why: "claude is planning".to_owned(),
        outcome: None,
        trees: Trees::Repository {
            branch: Some("main".to_owned()),
            base: "1234567890".into(),
            session_branch: "orchestrate/01aa5f00".to_owned(),
        },
        landed: None,
        demo: false,
        unsandboxed: true,
        sandbox: None,
        agents: vec![agent(Dialect::Claude), agent(Dialect::Codex)],
        checks: vec!["make check".to_owned()],
        began: at(0),
        spent: Spent {
            usage: Usage { input: 12_000, output: 345, cached: 0, cost_usd: Some(0.42) },
            cost_incomplete: true,
            ..Spent::default()
        },
        worker_caps: WorkerCaps { minutes: 120, tokens: 500_000, cost_usd: 10.0, turns: 200 },
        gates: Vec::new(),
        review: domain::ReviewRules::default(),
    };
    change(&mut session);
    row("session", RowBody::Session(Box::new(session)))
}

fn plan(approved: Option<Actor>) -> Row {
    let task = |id: &str, role, agent: &str, weight, title: &str, after: &[&str]| Task {
        id: id.into(),
        title: title.to_owned(),
        role,
        agent: agent.into(),
        weight,
        instructions: "…".to_owned(),
        depends_on: after.iter().map(|&id| id.into()).collect(),
        acceptance: Vec::new(),
        milestones: Vec::new(),
        writes: true,
    };
    let plan = Plan {
        summary: "Design the flag, write it, then check that it says what Cargo.toml says.".to_owned(),
        tasks: vec![
            task("design", Role::Architect, "gemini", 40, "Design the flag", &[]),
            task("t2", Role::Implementer, "claude", 60, "Write and test it", &["design"]),
        ],
    };
    row(
        "plan",
        RowBody::Plan(PlanRow { version: 1, plan, by: PlanSource::Lead { worker: WorkerId(1) }, approved }),
    )
}

fn task(stage: TaskStage, change: impl FnOnce(&mut TaskRow)) -> Row {
    let mut task = TaskRow {
        id: "t2".into(),
        title: "Write and test it".to_owned(),
        role: Role::Implementer,
        agent: "claude".into(),
        weight: 60,
        depends_on: vec!["design".into()],
        stage,
        progress: 45,
        round: 0,
        attempts: 1,
        tree: Some("cafebabe0123456".into()),
        changed: Vec::new(),
        checks: Vec::new(),
        path: None,
    };
    change(&mut task);
    row("t2", RowBody::Task(task))
}

pub(crate) fn worker(number: u32, change: impl FnOnce(&mut WorkerRow)) -> Row {
    let mut worker = WorkerRow {
        id: WorkerId(number),
        agent: "claude".into(),
        dialect: Dialect::Claude,
        role: Role::Implementer,
        task: Some("t2".into()),
        review: None,
        attempt: 1,
        stage: WorkerStage::Working,
        progress: Some(45),
        last_text: "I will add\u{1b}[2J the flag".to_owned(),
        tool: None,
        tool_since: None,
        began: at(10),
        last_event: at(30),
        ended: None,
        failed: None,
        model: None,
        usage: Usage::default(),
        cost_usd: None,
        turns: 5,
        limited: None,
        events: 7,
        pid: Some(4242),
    };
    change(&mut worker);
    row(&format!("w{number}"), RowBody::Worker(Box::new(worker)))
}

fn review(ballot: Option<Ballot>) -> Row {
    let counted_as = ballot.as_ref().and_then(Ballot::counted_as);
    row(
        "r1",
        RowBody::Review(Box::new(ReviewRow {
            id: ReviewId(1),
            subject: Subject::Task { task: "t2".into() },
            trigger: Trigger::Milestone,
            round: 1,
            tree: "cafebabe0123456".into(),
            commit: CommitHash::from("0badf00d"),
            authors: vec!["claude".into()],
            required: 1,
            seats: vec![SeatRow { reviewer: "codex".into(), instead_of: None, ballot, counted_as }],
            decision: None,
        })),
    )
}

fn concern() -> Ballot {
    Ballot::Cast {
        verdict: Verdict::Blocker,
        summary: "The flag prints the wrong version.".to_owned(),
        findings: vec![CheckedFinding {
            finding: Finding {
                severity: Severity::Blocker,
                title: "Version is a literal".to_owned(),
                file: Some("src/main.rs".to_owned()),
                lines: Some("3".to_owned()),
                quote: Some("\"0.0.0\"".to_owned()),
                why: "It goes stale.".to_owned(),
                recommendation: "Use env!.".to_owned(),
            },
            evidence: Evidence::NotFound,
            found_at: None,
            rerun: None,
        }],
        files_read: Vec::new(),
        tree: "cafebabe0123456".into(),
        coverage: None,
    }
}

fn decision(number: u32, action: Action, rule: Rule) -> Row {
    row(
        &format!("d{number}"),
        RowBody::Decision(DecisionRow {
            id: DecisionId(number),
            action,
            rule,
            trace: vec!["codex: concern".to_owned(), "Rule one_concern fired".to_owned()],
            by: Actor::Rule,
            review: Some(ReviewId(1)),
            task: Some("t2".into()),
            at: at(50),
        }),
    )
}

pub(crate) fn question(answer: Option<AnswerRow>) -> Row {
    row(
        "q1",
        RowBody::Question(QuestionRow {
            id: QuestionId(1),
            text: "codex has a concern about t2.\nWhich version should the flag print?".to_owned(),
            about: About::Review { review: ReviewId(1) },
            choices: vec![Choice::Instruct, Choice::Override, Choice::Abandon],
            since: at(51),
            answer,
        }),
    )
}

fn recovery(worked: Option<bool>) -> Row {
    let failed = Failed {
        failure: Failure::OutsideWorkspace { path: "/srv/docs".to_owned() },
        text: "path outside".to_owned(),
    };
    row(
        "c1",
        RowBody::Recovery(RecoveryRow {
            id: RecoveryId(1),
            worker: WorkerId(2),
            agent: "gemini".into(),
            failed,
            repair: Repair::AddDirectory { path: "/srv/docs".to_owned() },
            worked,
            at: at(20),
        }),
    )
}

/// A session that meets nearly everything: batches of rows with the second in which they arrive.
fn eventful() -> Vec<(i64, Vec<Row>)> {
    let failing = CheckResult {
        check: Check::Command { run: "make check".to_owned() },
        passed: false,
        exit_code: Some(2),
        output: String::new(),
    };
    vec![
        (0, vec![session(|_| {})]),
        (8, vec![plan(None), task(TaskStage::Waiting, |task| task.progress = 0)]),
        (
            9,
            vec![
                plan(Some(Actor::Setting)),
                session(|row| (row.phase, row.why) = (Phase::Working, String::new())),
            ],
        ),
        (
            30,
            vec![
                worker(3, |row| (row.tool, row.tool_since) = (Some("cargo test".to_owned()), Some(at(20)))),
                task(TaskStage::Working, |_| {}),
                recovery(None),
            ],
        ),
        (40, vec![recovery(Some(true)), task(TaskStage::Checking, |task| task.checks = vec![failing])]),
        (
            45,
            vec![
                review(None),
                row(
                    "warning-7",
                    RowBody::Warning(WarningRow { text: "Disk is nearly full".to_owned(), at: at(44) }),
                ),
            ],
        ),
        (
            50,
            vec![
                review(Some(concern())),
                decision(1, Action::PauseAndClarify, Rule::TwoConcerns),
                question(None),
            ],
        ),
        (
            60,
            vec![question(Some(AnswerRow {
                choice: Choice::Instruct,
                text: "1.2.3".to_owned(),
                by: Actor::Person,
            }))],
        ),
        (
            95,
            vec![
                worker(3, |row| (row.stage, row.ended) = (WorkerStage::Done, Some(at(90)))),
                worker(4, |row| {
                    (row.stage, row.ended) = (WorkerStage::Failed, Some(at(92)));
                    row.failed = Some(Failed { failure: Failure::Crashed, text: "exit 139".to_owned() });
                }),
                worker(5, |row| (row.last_event, row.progress) = (at(20), None)),
                decision(2, Action::Continue, Rule::AllApproved),
                task(TaskStage::Accepted, |_| {}),
            ],
        ),
        (
            99,
            vec![session(|row| {
                (row.phase, row.why) = (Phase::ReadyToLand, "everything is accepted".to_owned());
                row.outcome = Some(Outcome::Done);
            })],
        ),
    ]
}

fn play(view: View) -> String {
    let mut model = Model::default();
    let mut written = Vec::new();
    let mut screen = Screen::new(&mut written, view.clone());
    for (second, rows) in eventful() {
        let now = at(second);
        let news = rows.into_iter().flat_map(|row| model.take(row, now, &view));
        let stay: Vec<String> = news.flat_map(|news| news.lines(&view)).collect();
        screen.show(&stay, live::block(&model, now, &view, 10)).unwrap();
    }
    String::from_utf8(written).unwrap()
}

pub(crate) fn view(terminal: bool, columns: usize) -> View {
    View { terminal, colour: false, zone: TimeZone::UTC, columns }
}

/// What stands on a terminal in the end: a small reading of the sequences that a screen writes.
fn on_screen(written: &str) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    let mut place = 0;
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\u{1b}' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let (sequence, after) = rest.split_at(end + 1);
                rest = after;
                match sequence.split_at(sequence.len() - 1) {
                    (up, "A") => place -= up[1..].parse::<usize>().unwrap(),
                    (_, "J") => lines.truncate(place + 1),
                    // A line is written from its first column on, so what was there is what follows the cursor.
                    (_, "K" | "h" | "l") => {}
                    other => panic!("unknown sequence {other:?}"),
                }
            }
            '\r' => lines[place].push('\r'),
            '\n' => {
                place += 1;
                if lines.len() == place {
                    lines.push(String::new());
                }
            }
            c => {
                if lines[place].ends_with('\r') {
                    lines[place].clear();
                }
                lines[place].push(c);
            }
        }
    }
    lines.iter().map(|line| line.trim_end_matches('\r')).collect::<Vec<_>>().join("\n")
}

#[test]
fn plain_lines() {
    insta::assert_snapshot!(play(view(false, 100)));
}

#[test]
fn a_terminal_in_the_end() {
    insta::assert_snapshot!(on_screen(&play(view(true, 100))));
}

#[test]
fn the_block_in_the_middle() {
    let view = view(true, 72);
    let mut model = Model::default();
    for (second, rows) in eventful().into_iter().take(4) {
        for row in rows {
            model.take(row, at(second), &view);
        }
    }
    model.take(worker(4, |row| row.stage = WorkerStage::Asking), at(31), &view);
    model.take(worker(5, |row| row.stage = WorkerStage::Frozen), at(31), &view);
    let block = live::block(&model, at(200), &view, 10).join("\n");
    let small = live::block(&model, at(200), &view, 4).join("\n");
    insta::assert_snapshot!(format!("{block}\n----\n{small}"));
}

#[test]
fn colours_are_only_colours() {
    let coloured = View { colour: true, ..view(false, 100) };
    let written = play(coloured);
    assert!(written.contains("\u{1b}[32m"), "nothing is green");
    assert_eq!(console::strip_ansi_codes(&written), play(view(false, 100)));
}

#[test]
fn words_of_agents_cannot_steer() {
    let written = play(view(false, 100)) + &play(view(true, 100));
    assert!(!written.contains("\u{1b}[2J"));
}

/// What happens when something runs out: batches of rows as in [`eventful`].
fn running_out() -> Vec<(i64, Vec<Row>)> {
    let limited = |row: &mut WorkerRow| {
        (row.stage, row.ended) = (WorkerStage::Failed, Some(at(40)));
        row.limited = Some("501k of 500k tokens".to_owned());
        row.failed =
            Some(Failed { failure: Failure::Limit, text: "worker_tokens: 501200 of 500000".to_owned() });
    };
    let gate = |probe| GateRow { agent: "claude".into(), until: at(600), probe };
    let used = |gates| {
        session(|row| {
            row.phase = Phase::Working;
            row.gates = gates;
            (row.spent.tokens_cap, row.spent.minutes_cap, row.spent.workers_cap) = (600_000, 60, 4);
            row.spent.workers = 3;
        })
    };
    let hand_over = |worked| {
        let failure = Failure::RateLimited { resets_at: Some(at(600)) };
        let failed = Failed { failure, text: "You have hit your limit".to_owned() };
        let (id, worker, agent) = (RecoveryId(2), WorkerId(4), "claude".into());
        let repair = Repair::HandOver { to: "gemini".into() };
        row("c2", RowBody::Recovery(RecoveryRow { id, worker, agent, failed, repair, worked, at: at(50) }))
    };
    let given = |mut row: Row| {
        if let RowBody::Review(review) = &mut row.body {
            review.seats[0].reviewer = "gemini".into();
            review.seats[0].instead_of = Some("codex".into());
        }
        row
    };
    let spends = |row: &mut WorkerRow| {
        row.usage = Usage { input: 500_000, output: 13_000, cached: 0, cost_usd: None };
        row.cost_usd = Some(0.76);
    };
    vec![
        (0, vec![session(|row| row.phase = Phase::Working)]),
        (20, vec![worker(3, |_| {}), review(None)]),
        (40, vec![worker(3, limited), worker(4, spends)]),
        (50, vec![used(vec![gate(None)]), hand_over(None), given(review(None))]),
        (55, vec![used(vec![gate(None)]), session(|row| row.began = at(30))]),
        (60, vec![used(vec![gate(None)]), worker(4, spends), hand_over(Some(true))]),
    ]
}

#[test]
fn what_runs_out_is_told() {
    let view = view(true, 130);
    let mut model = Model::default();
    let mut lines = Vec::new();
    for (second, rows) in running_out() {
        for row in rows {
            let news = model.take(row, at(second), &view);
            lines.extend(news.iter().flat_map(|news| news.lines(&view)));
        }
    }
    let mut now = |second: i64, change: &dyn Fn(&mut SessionRow), model: &mut Model| {
        if let Some(row) = model.session() {
            let mut changed = row.clone();
            change(&mut changed);
            model.take(row_of(changed), at(second), &view);
        }
        lines.push("----".to_owned());
        lines.extend(live::block(model, at(second), &view, 10));
    };
    now(60, &|_| {}, &mut model);
    now(601, &|row| row.gates[0].probe = Some(WorkerId(4)), &mut model);
    now(3700, &|row| (row.gates, row.phase) = (Vec::new(), Phase::Limited), &mut model);
    insta::assert_snapshot!(lines.join("\n"));
}

fn row_of(session: SessionRow) -> Row {
    row("session", RowBody::Session(Box::new(session)))
}
