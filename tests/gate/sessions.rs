//! Diffs of the corpus through real sessions: the real program, worktrees, checks, evidence, journal. The author is always
//! scripted (it makes the diff); reviewers are scripted, or the CLIs of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use acceptance::team::{Team, plan};
use domain::{Ballot, Decision, Dialect, Evidence, Finding, State, Verdict};
use engine::scoreboard;
use serde_json::{Value, json};

use crate::corpus::{Case, Diff, diffs};
use crate::measure::{ballot, passes, percent, rule};
use crate::reviewers::Reviewer;
use crate::{Asked, goal, say};

/// How long a session with scripted reviewers may take to its first decision.
const SCRIPTED: Duration = Duration::from_secs(120);
/// The same with models.
const REAL: Duration = Duration::from_secs(1800);
/// Which diff goes through a session with which panel: by the number of the case, planted or not.
const THROUGH: [(usize, bool, [Reviewer; 2]); 8] = [
    (0, true, [Reviewer::Honest, Reviewer::HonestToo]),
    (9, true, [Reviewer::Honest, Reviewer::RubberStamp]),
    (15, true, [Reviewer::RubberStamp, Reviewer::Honest]),
    (5, false, [Reviewer::Honest, Reviewer::Hallucinates]),
    (12, false, [Reviewer::Hallucinates, Reviewer::OldCode]),
    (20, false, [Reviewer::NoSuchFile, Reviewer::Honest]),
    (23, false, [Reviewer::Honest, Reviewer::Silent]),
    (28, true, [Reviewer::Silent, Reviewer::Silent]),
];

/// A part of the corpus through sessions with scripted reviewers: the session has to decide what the function says.
pub(crate) fn scripted(cases: &[Case]) -> Result<bool, String> {
    let all = diffs(cases);
    say("\nthrough real sessions, scripted reviewers");
    let (mut tried, mut agreed) = (0, 0);
    for (number, planted, panel) in THROUGH {
        let Some(diff) = all.iter().find(|diff| diff.number == number && diff.planted == planted) else {
            continue;
        };
        let expected = rule(panel.iter().map(|it| ballot(it.says(diff).as_ref(), diff)).collect());
        let reviews = [("codex", panel[0]), ("gemini", panel[1])];
        let reviews = reviews.map(|(agent, reviewer)| review(agent, reviewer, diff));
        let team = stage(diff, "claude", &reviews);
        let state = until_decided(&team, &["--unsandboxed"], SCRIPTED)?;
        let decided = first_decision(&state);
        let same = decided.is_some_and(|it| (it.action, it.rule) == (expected.action, expected.rule));
        tried += 1;
        agreed += usize::from(same);
        let told = decided.map_or("nothing".to_owned(), |it| format!("{:?} ({:?})", it.action, it.rule));
        let kind = if planted { "planted" } else { "good" };
        let panel = format!("{} + {}", panel[0].name(), panel[1].name());
        say(&format!("     {:<24} {kind:<8} {panel:<36} {told}", diff.case.name));
    }
    Ok(goal("gate-sessions-decide-as-the-rule", &format!("{agreed}/{tried}"), "all", agreed == tried))
}

/// A scripted reviewer as an entry of the players' script.
fn review(agent: &str, reviewer: Reviewer, diff: &Diff<'_>) -> Value {
    let file = &diff.case.file;
    let mut steps = vec![json!({ "read": file })];
    match reviewer.says(diff) {
        None => steps.push(json!({ "say": "I looked at it." })),
        Some(said) => {
            let findings: Vec<&Finding> = said.findings.iter().map(|(finding, _)| finding).collect();
            steps.push(json!({ "verdict": {
                "verdict": said.verdict, "summary": "What I think.", "findings": findings, "files_read": [file],
            } }));
        }
    }
    json!({ "when": { "agent": agent, "task": "t1", "purpose": "review" }, "steps": steps })
}

/// A project with the file as it was before, and an author that makes the diff.
fn stage(diff: &Diff<'_>, author: &str, reviews: &[Value]) -> Team {
    let Case { file, task, before, .. } = diff.case;
    let lead = json!({
        "id": "t1", "title": domain::head(task, 70), "role": "implementer", "agent": author, "instructions": task,
        "depends_on": [], "milestones": [], "writes": true, "acceptance": [{ "type": "file", "path": file }],
    });
    let work = json!({ "when": { "task": "t1", "purpose": "task" }, "steps": [
        { "write": { "path": file, "text": diff.after() } },
        { "say": "The file is written." },
    ] });
    let script = [vec![plan(&[lead]), work], reviews.to_vec()].concat();
    let team = Team::new(|_| script);
    let path = team.at("project").join(file);
    path.parent().map(fs::create_dir_all).transpose().and_then(|_| fs::write(&path, before)).unwrap_or_else(
        |fault| {
            panic!("{}: {fault}", path.display());
        },
    );
    team.git(&["add", "-A"]);
    team.git(&["-c", "user.name=T", "-c", "user.email=t@example.invalid", "commit", "-q", "-m", "As it was"]);
    team
}

/// Runs a session until its first review is decided, then stops it.
fn until_decided(team: &Team, more: &[&str], patience: Duration) -> Result<State, String> {
    let goal = "Do the one task of the plan.";
    let words = [&[goal, "--yes", "--no-dashboard"], more].concat();
    let mut running = team.start(&words);
    let until = Instant::now() + patience;
    let state = loop {
        let over = running.is_over();
        let state = team.state();
        if first_decision(&state).is_some() || over {
            break state;
        }
        if until < Instant::now() {
            break state;
        }
        thread::sleep(Duration::from_millis(100));
    };
    if first_decision(&state).is_none() && running.is_over() {
        let said = running.complained();
        return Err(format!(
            "a session ended before a review was decided: {}",
            domain::tail(said.trim(), 500)
        ));
    }
    running.signal("-INT");
    let until = Instant::now() + SCRIPTED;
    while !running.is_over() && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
    }
    Ok(state)
}

fn first_decision(state: &State) -> Option<&Decision> {
    let mut decisions = state.decisions.values().map(|state| &state.decision);
    decisions.find(|decision| decision.review.is_some())
}

/// What a model's reviews came to.
#[derive(Debug, Default)]
struct Record {
    agent: String,
    version: String,
    planted: usize,
    caught: usize,
    clean: usize,
    stopped: usize,
    void: usize,
    findings: usize,
    verified: usize,
}

/// The corpus judged by the CLIs of this machine. The figures are the models': nothing of them passes or fails.
pub(crate) fn real(asked: &Asked, cases: &[Case]) -> Result<bool, String> {
    let all = diffs(cases);
    let workspace = PathBuf::from(asked.workspace.clone().unwrap_or_else(|| "target/gate".to_owned()));
    fs::create_dir_all(&workspace).map_err(|fault| format!("{}: {fault}", workspace.display()))?;
    let author = author_for(&asked.reviewers)?;
    say(&format!(
        "{} diffs, judged by {} as they are set up on this machine; {author} is played by a script and makes the diffs.",
        all.len(),
        asked.reviewers.join(" and ")
    ));
    say("Each diff is a session with one review of each: this costs tokens of your accounts.\n");
    let mut records: Vec<Record> = Vec::new();
    let (mut planted, mut caught, mut clean, mut stopped, mut unjudged) = (0, 0, 0, 0, Vec::new());
    for diff in &all {
        let kind = if diff.planted { "planted" } else { "good" };
        let team = with_real_agents(asked, author, diff)?;
        let consent: &[&str] = if asked.unsandboxed { &["--unsandboxed"] } else { &[] };
        let state = match until_decided(&team, consent, REAL) {
            Ok(state) => state,
            Err(why) if records.is_empty() => return Err(why),
            Err(why) => {
                say(&format!("     {:<24} {kind:<8} {why}", diff.case.name));
                unjudged.push(diff.case.name.clone());
                continue;
            }
        };
        let Some(decision) = first_decision(&state) else {
            unjudged.push(diff.case.name.clone());
            continue;
        };
        let passed = passes(decision.action, decision.rule);
        if diff.planted {
            planted += 1;
            caught += usize::from(!passed);
        } else {
            clean += 1;
            stopped += usize::from(decision.action == domain::Action::StopAndEscalate);
        }
        say(&format!("     {:<24} {kind:<8} {:?} ({:?})", diff.case.name, decision.action, decision.rule));
        take(&mut records, &state, diff);
        keep(&team, &workspace)?;
    }
    tell(&records);
    say(&format!(
        "the rule as a whole: {caught} of {planted} planted defects caught ({} %), {stopped} of {clean} good ones stopped ({} %)",
        percent(caught, planted),
        percent(stopped, clean)
    ));
    let board = scoreboard::of(&workspace);
    let path = scoreboard::save(&workspace, &board).map_err(|fault| fault.to_string())?;
    say(&format!(
        "scoreboard: {}; the same as `orchestrate scoreboard --workspace {}`",
        path.display(),
        workspace.display()
    ));
    let never: Vec<&str> = (Dialect::ALL.iter().map(|dialect| dialect.as_str()))
        .filter(|name| {
            records.iter().all(|record| record.agent != *name || record.void == record.planted + record.clean)
        })
        .collect();
    if !never.is_empty() {
        say(&format!("never run here as a reviewer: {}", never.join(", ")));
    }
    if !unjudged.is_empty() {
        say(&format!("without a decision, and not counted: {}", unjudged.join(", ")));
    }
    Ok(unjudged.is_empty())
}

/// A vendor that is no reviewer, to be played by a script.
fn author_for(reviewers: &[String]) -> Result<&'static str, String> {
    let known = Dialect::ALL.map(Dialect::as_str);
    if let Some(unknown) = reviewers.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!("there is no agent {unknown}; there are {}", known.join(", ")));
    }
    let free = known.into_iter().find(|name| reviewers.iter().all(|reviewer| reviewer != name));
    free.ok_or_else(|| "one of the three has to be left over as the author".to_owned())
}

/// A stage on which all but the author are the user's own agents, in the user's own environment.
fn with_real_agents(asked: &Asked, author: &str, diff: &Diff<'_>) -> Result<Team, String> {
    let mut team = stage(diff, author, &[]);
    let own = match &asked.config {
        Some(path) => fs::read_to_string(path).map_err(|fault| format!("{path}: {fault}"))?,
        None => String::new(),
    };
    let mut settings = format!("lead = \"{author}\"\nchecks = [\"sh check.sh\"]\n{}", without(&own, author));
    let command = team.at("bin").join(author);
    settings += &format!("\n[agents.{author}]\ncommand = {}\n", json!(command));
    for dialect in Dialect::ALL.map(Dialect::as_str) {
        let judges = asked.reviewers.iter().any(|name| name == dialect);
        if dialect != author && !judges && !own.contains(&format!("[agents.{dialect}]")) {
            settings += &format!("\n[agents.{dialect}]\nenabled = false\n");
        }
    }
    fs::write(team.at("settings.toml"), settings).map_err(|fault| fault.to_string())?;
    for (name, value) in std::env::vars() {
        team.env(&name, &value);
    }
    Ok(team)
}

/// Settings without the table of one agent, and without what this harness sets itself.
fn without(settings: &str, agent: &str) -> String {
    let (mut kept, mut inside, mut top) = (String::new(), false, true);
    for line in settings.lines() {
        if let Some(name) = line.trim().strip_prefix('[') {
            top = false;
            inside = name.starts_with(&format!("agents.{agent}]"))
                || name.starts_with(&format!("agents.{agent}."));
        }
        let ours = top && ["lead", "checks"].iter().any(|key| line.trim_start().starts_with(key));
        if !inside && !ours {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

fn take(records: &mut Vec<Record>, state: &State, diff: &Diff<'_>) {
    let Some(review) = state.reviews.values().next().map(|state| &state.review) else { return };
    for seat in &review.seats {
        let name = seat.reviewer.to_string();
        let at = records.iter().position(|record| record.agent == name).unwrap_or_else(|| {
            let version = state.agent(&seat.reviewer).map(|agent| agent.version.clone()).unwrap_or_default();
            records.push(Record { agent: name.clone(), version, ..Record::default() });
            records.len() - 1
        });
        let record = &mut records[at];
        let (verdict, findings) = match &seat.ballot {
            Some(Ballot::Cast { verdict, findings, .. }) => (Some(*verdict), &findings[..]),
            Some(Ballot::Void { .. }) | None => (None, &[][..]),
        };
        record.void += usize::from(verdict.is_none());
        let objects = verdict.is_some_and(|verdict| verdict != Verdict::Approve);
        if diff.planted {
            record.planted += 1;
            record.caught += usize::from(objects);
        } else {
            record.clean += 1;
            record.stopped += usize::from(verdict == Some(Verdict::Blocker));
        }
        record.findings += findings.len();
        record.verified += findings.iter().filter(|checked| checked.evidence == Evidence::Verified).count();
    }
}

/// A session's folder, kept for the scoreboard.
fn keep(team: &Team, workspace: &Path) -> Result<(), String> {
    let Some(folder) = team.session() else { return Ok(()) };
    let to = workspace.join(folder.file_name().unwrap_or_default());
    let copied = std::process::Command::new("cp").arg("-a").arg(&folder).arg(&to).status();
    match copied {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{} was not copied: {status}", folder.display())),
        Err(fault) => Err(fault.to_string()),
    }
}

fn tell(records: &[Record]) {
    say(
        "\none reviewer alone, at its word     caught of the planted    good work called a blocker    no verdict    citations that hold",
    );
    for record in records {
        say(&format!(
            "{:<34} {:>4} of {:<3} {:>4} %       {:>4} of {:<3} {:>4} %            {:>4}          {:>4} of {}",
            format!("{} ({})", record.agent, record.version),
            record.caught,
            record.planted,
            percent(record.caught, record.planted),
            record.stopped,
            record.clean,
            percent(record.stopped, record.clean),
            record.void,
            record.verified,
            record.findings,
        ));
    }
}
