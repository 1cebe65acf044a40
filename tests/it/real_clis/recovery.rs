//! The recovery table (SPEC section 8), row by row: the real CLI against a model server that has the fault.
//!
//! The rows are `tests/fixtures/recovery.json`; those that no session with a real CLI can produce name its recordings, which
//! `agents` reads (`src-tauri/agents/tests/recovery.rs`). `docs/RECOVERY.md` shows the table.

use std::fs;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;

use acceptance::clis::{on_loopback, project};
use acceptance::model_server::{Conversation, Fault, Scenario};
use domain::Dialect::{self, Claude, Codex, Gemini};
use domain::Repair;
use serde::Deserialize;
use serde_json::{Value, json};

use super::job::{Ended, Job, until};

/// A row of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// What goes wrong.
    row: String,
    /// With which CLI.
    cli: Dialect,
    /// The class that the first worker of the task ends with; none when its end is fine.
    failure: Option<String>,
    /// Why its process is gone, where that is not that it left.
    #[serde(default)]
    cause: Option<String>,
    /// The repairs that follow, in order.
    repairs: Vec<String>,
    /// How the session ends.
    #[serde(default)]
    ends: Option<Ends>,
    /// How the real CLI is brought into it.
    #[serde(default)]
    session: Option<Session>,
    /// Where no session can bring it into it: recordings of it, and why.
    #[serde(default)]
    recordings: Vec<String>,
    #[serde(default)]
    why: String,
}

/// How a session ends.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ends {
    /// By itself, with everything done.
    Done,
    /// With a question that has these words.
    Asks(Vec<String>),
    /// Not yet: it waits for so many seconds. Then the test stops it.
    WaitsS(i64),
}

/// What is laid over the scenario `recovery` and its settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Session {
    faults: Vec<Fault>,
    conversations: Vec<Conversation>,
    /// TOML, after the rest.
    settings: String,
    /// `${OUTSIDE}` is a folder outside of the project, `allowed` or `refused` by the settings.
    outside: Option<String>,
    /// `subscription`: claude is signed in by a token of a subscription, not by an API key.
    login: Option<String>,
    /// The user's own settings of claude.
    claude_settings: Option<Value>,
    /// It waits for long and computes little, so all of these go at the same time.
    patient: bool,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(project().join("tests/fixtures/recovery.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The name that serde gives to a variant.
fn word(value: &impl serde::Serialize, tag: &str) -> String {
    serde_json::to_value(value).unwrap()[tag].as_str().unwrap().to_owned()
}

impl Row {
    fn name(&self) -> String {
        format!("{}: {}", self.cli.as_str(), self.row)
    }

    /// The judge is of another vendor, and of the rest the fastest.
    fn job(&self, bin: PathBuf, session: &Session) -> Job {
        let judge = if self.cli == Codex { Claude } else { Codex };
        let job = Job::new(bin, "recovery", "slugs", &[self.cli, judge]).in_git();
        let file = project().join("tests/fixtures/scenarios/recovery.json");
        let mut scenario = Scenario::load(&file).unwrap();
        scenario.vars.insert("AUTHOR".to_owned(), json!(self.cli.as_str()));
        scenario.faults.extend(session.faults.iter().cloned());
        scenario.conversations.splice(0..0, session.conversations.iter().cloned());
        let mut first = "lead = \"codex\"\n".to_owned();
        if let Some(outside) = &session.outside {
            let folder = job.kit.home().join("outside");
            fs::create_dir(&folder).unwrap();
            scenario.vars.insert("OUTSIDE".to_owned(), json!(folder));
            if outside == "allowed" {
                first += &format!("directories = [{}]\n", json!(folder));
            }
        }
        job.kit.server.play("recovery", scenario);
        if let Some(settings) = &session.claude_settings {
            fs::write(job.kit.home().join(".claude/settings.json"), settings.to_string()).unwrap();
        }
        let token = "CLAUDE_CODE_OAUTH_TOKEN = \"sk-ant-oat01-dummy\"";
        job.set(|settings| {
            let settings = match session.login.as_deref() {
                Some("subscription") => settings.replace("ANTHROPIC_API_KEY = \"sk-dummy\"", token),
                _ => settings.to_owned(),
            };
            format!("{first}{settings}\n{}", session.settings)
        });
        job
    }

    fn check(&self, bin: PathBuf) {
        let Some((session, ends)) = self.session.as_ref().zip(self.ends.as_ref()) else { return };
        let job = self.job(bin, session);
        match ends {
            Ends::Done => {
                let ended = job.start();
                ended.expect(0, "done");
                self.journalled(&job);
            }
            Ends::Asks(words) => {
                let ended = job.start();
                ended.expect(3, "waiting");
                self.journalled(&job);
                let open = ended.rows("questions", &[]);
                let asked = open.iter().map(|it| it.to_string()).collect::<String>();
                assert_eq!(open.len(), 1, "{asked}");
                for words in words {
                    assert!(asked.contains(words.as_str()), "no {words:?}: {asked}");
                }
            }
            Ends::WaitsS(seconds) => self.waits(&job, *seconds),
        }
        job.asked();
    }

    /// The session waits; what for stands in its journal. It is stopped without having waited.
    fn waits(&self, job: &Job, seconds: i64) {
        let ended = thread::scope(|scope| {
            let session = scope.spawn(|| job.start());
            until("a wait", || session.is_finished() || !job.state().recoveries.is_empty());
            let stopped = job.run(&["stop", "--now"]);
            let ended: Ended = session.join().unwrap_or_else(|fault| resume_unwind(fault));
            assert_eq!(stopped.code, Some(0), "{}\n{}", stopped.stderr, ended.stderr);
            ended
        });
        self.journalled(job);
        let state = job.state();
        let recovery = state.recoveries.values().next().unwrap();
        let Repair::Wait { until } = &recovery.repair else { panic!("{recovery:?}") };
        let waits = until.duration_since(recovery.at).as_secs();
        // CLIs tell the time of a reset with minutes at best, and its distance was told before they passed it on.
        assert!((seconds - 61..=seconds + 61).contains(&waits), "{waits} s: {}", ended.stderr);
    }

    fn journalled(&self, job: &Job) {
        let state = job.state();
        let told = || format!("{}\n{:#?}", self.name(), state.recoveries);
        let first = state.workers.values().find(|worker| worker.task().is_some()).unwrap();
        let failed = first.end.as_ref().and_then(|(_, failed)| failed.as_ref());
        let class = failed.map(|failed| word(&failed.failure, "class"));
        assert_eq!(class, self.failure, "{failed:?} {}", told());
        let gone = first.end.as_ref().map(|(exit, _)| serde_json::to_value(exit.cause).unwrap());
        assert_eq!(gone, Some(json!(self.cause.as_deref().unwrap_or("left"))), "{}", told());
        let repairs: Vec<String> =
            state.recoveries.values().map(|recovery| word(&recovery.repair, "repair")).collect();
        assert_eq!(repairs, self.repairs, "{}", told());
    }
}

/// Every row of a CLI whose session is patient or not; one that fails does not hide the others.
fn check(bin: PathBuf, which: impl Fn(&Row, &Session) -> bool, together: bool) {
    let only = std::env::var("RECOVERY_ROW").unwrap_or_default();
    let rows = rows().into_iter().filter(|row| {
        row.session.as_ref().is_some_and(|session| which(row, session)) && row.name().contains(&only)
    });
    let start = |row: Row| {
        let bin = bin.clone();
        (row.name(), thread::spawn(move || row.check(bin)))
    };
    let mut failed = Vec::new();
    let mut end = |(name, thread): (String, thread::JoinHandle<()>)| {
        if thread.join().is_err() {
            failed.push(name);
        }
    };
    if together {
        let started: Vec<_> = rows.map(start).collect();
        started.into_iter().for_each(end);
    } else {
        rows.map(start).for_each(&mut end);
    }
    assert!(failed.is_empty(), "these rows failed, for the reasons above: {failed:#?}");
}

/// The table as people read it.
fn table() -> String {
    let mut text = "| CLI | what goes wrong | class | repairs | how it ends | proven by |\n".to_owned();
    text += "|---|---|---|---|---|---|\n";
    for row in rows() {
        let code = |word: &String| format!("`{word}`");
        let class = row.failure.as_ref().map_or_else(|| "(none)".to_owned(), code);
        let repairs: Vec<String> = row.repairs.iter().map(code).collect();
        let repairs = if repairs.is_empty() { "none".to_owned() } else { repairs.join(", ") };
        let ends = match &row.ends {
            None => "-".to_owned(),
            Some(Ends::Done) => "goes on by itself, done".to_owned(),
            Some(Ends::Asks(words)) => format!("asks: “{}”", words.join("”, “")),
            Some(Ends::WaitsS(60)) => "waits a minute, then longer".to_owned(),
            Some(Ends::WaitsS(_)) => "waits until the reset".to_owned(),
        };
        let proven = match row.session {
            Some(_) => "a session with the real CLI".to_owned(),
            None => format!("recording `{}`: {}", row.recordings.join("`, `"), row.why),
        };
        let cells = [row.cli.as_str(), &row.row, &class, &repairs, &ends, &proven];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// `RECOVERY_TABLE=write` puts it there.
#[test]
fn the_document_shows_the_table() {
    let path = project().join("docs/RECOVERY.md");
    let found = fs::read_to_string(&path).unwrap();
    let begin = found.find("| CLI |").unwrap();
    let end = found[begin..].find("\n\n").map_or(found.len(), |at| begin + at + 1);
    let wanted = format!("{}{}{}", &found[..begin], table(), &found[end..]);
    if std::env::var_os("RECOVERY_TABLE").is_some() {
        fs::write(&path, &wanted).unwrap();
    } else {
        assert_eq!(found, wanted, "run this test with RECOVERY_TABLE=write");
    }
}

/// Names the test for its run inside the network namespace.
macro_rules! rows_of {
    ($name:ident, $cli:expr) => {
        #[test]
        fn $name() {
            on_loopback(concat!("real_clis::recovery::", stringify!($name)), |bin| {
                check(bin, |row, session| row.cli == $cli && !session.patient, false);
            });
        }
    };
}

rows_of!(claude_recovers, Claude);
rows_of!(codex_recovers, Codex);
rows_of!(gemini_recovers, Gemini);

#[test]
fn what_needs_patience_recovers() {
    on_loopback("real_clis::recovery::what_needs_patience_recovers", |bin| {
        check(bin, |_, session| session.patient, true);
    });
}
