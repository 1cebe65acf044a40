//! Every recording of a real CLI, through the reader.
//!
//! `tests/fixtures/streams/<cli>/<case>.{stdout,stderr,rc}` are verbatim (sanitised) recordings; `cases.json` names the
//! output format and whether we stopped the process or it ran out of time.
#![expect(clippy::disallowed_methods, reason = "the test reads fixtures; the crate itself does no I/O")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use agents::Reader;
use domain::{AgentEvent, Dialect, Exit, ExitCause, Failed, Told};
use jiff::Zoned;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Meta {
    /// `stream`: the format that is launched; `json`: one object at the end; `other`: protocols, plain text.
    format: String,
    stopped: bool,
    timed_out: bool,
}

struct Case {
    cli: &'static str,
    name: String,
    meta: Meta,
    stdout: Vec<u8>,
    stderr: String,
    rc: String,
}

struct Outcome {
    events: Vec<AgentEvent>,
    told: Told,
    failed: Option<Failed>,
}

const CLIS: [(&str, Dialect); 4] = [
    ("claude", Dialect::Claude),
    ("claude-old", Dialect::Claude),
    ("codex", Dialect::Codex),
    ("gemini", Dialect::Gemini),
];

/// About when the recordings were made, in their zone.
fn recorded() -> Zoned {
    "2026-11-21T01:30:00+00:00[UTC]".parse().unwrap()
}

fn folder(cli: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams").join(cli)
}

fn cases(cli: &'static str) -> Vec<Case> {
    let listed = std::fs::read_to_string(folder(cli).join("cases.json")).unwrap();
    let listed: BTreeMap<String, Meta> = serde_json::from_str(&listed).unwrap();
    let case = |(name, meta): (String, Meta)| {
        let file = |ending: &str| std::fs::read(folder(cli).join(format!("{name}.{ending}"))).unwrap();
        let (stdout, stderr, rc) = (file("stdout"), file("stderr"), file("rc"));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Case { cli, name, meta, stdout, stderr: text(stderr), rc: text(rc).trim().to_owned() }
    };
    listed.into_iter().map(case).collect()
}

fn dialect(cli: &str) -> Dialect {
    CLIS.iter().find(|(name, _)| *name == cli).unwrap().1
}

impl Case {
    fn exit(&self, terminal: bool) -> Exit {
        let number: Option<i32> = self.rc.split(' ').next().unwrap().parse().ok();
        let cause = match (number, &self.meta) {
            (None, _) => ExitCause::NotStarted,
            (_, Meta { timed_out: true, .. }) if terminal => ExitCause::Lingered,
            (_, Meta { timed_out: true, .. }) => ExitCause::Silent,
            (_, Meta { stopped: true, .. }) => ExitCause::Stopped,
            _ => ExitCause::Left,
        };
        Exit {
            code: number.filter(|number| 0 <= *number),
            signal: number.filter(|number| *number < 0).map(i32::abs),
            cause,
        }
    }

    fn play(&self) -> Outcome {
        let mut reader = Reader::new(dialect(self.cli));
        let mut events = Vec::new();
        for line in self.stdout.split(|byte| *byte == b'\n') {
            let told = reader.line(line);
            assert!(
                !told.is_empty() || self.meta.format != "stream" || silent(line),
                "{}/{}: no event for {}",
                self.cli,
                self.name,
                String::from_utf8_lossy(&line[..line.len().min(300)])
            );
            events.extend(told);
        }
        events.extend(reader.rest());
        let failed = reader.finish(&self.exit(reader.terminal_seen()), &self.stderr, &recorded());
        Outcome { events, told: reader.told().clone(), failed }
    }
}

/// Lines that are known to say nothing of their own.
fn silent(line: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return line.iter().all(u8::is_ascii_whitespace);
    };
    // The echo of our prompt, pieces of a paragraph, parts of what comes whole.
    matches!(value["type"].as_str(), Some("message" | "stream_event"))
}

fn kind(event: &AgentEvent) -> &'static str {
    match event {
        AgentEvent::Status(_) => "status",
        AgentEvent::Progress(said) if said.tool.is_some() => "tool",
        AgentEvent::Progress(said) if said.thinking => "thinking",
        AgentEvent::Progress(_) => "words",
        AgentEvent::Finding(_) => "finding",
        AgentEvent::Task(_) => "task",
        AgentEvent::Blocker(_) => "blocker",
        AgentEvent::Milestone(_) => "milestone",
        AgentEvent::Review(_) => "review",
        AgentEvent::Error(_) => "error",
    }
}

fn summary(case: &Case, outcome: &Outcome) -> String {
    let mut line = format!("{} {} [{}]:", case.name, case.meta.format, case.rc);
    match &outcome.failed {
        None => line += " done",
        Some(failed) => {
            let class = serde_json::to_value(&failed.failure).unwrap();
            let class = class.as_object().unwrap().values().map(|value| match value {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            });
            let first = failed.text.lines().next().unwrap_or_default();
            let _ = write!(line, " {} {:?}", class.collect::<Vec<_>>().join(" "), domain::head(first, 70));
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &outcome.events {
        *counts.entry(kind(event)).or_default() += 1;
    }
    line += " |";
    for (kind, count) in counts {
        let _ = write!(line, " {kind}={count}");
    }
    let told = &outcome.told;
    if told.usage.input + told.usage.output > 0 {
        let usage = told.usage;
        let _ = write!(line, " | {}+{}+{}", usage.input, usage.cached, usage.output);
        let _ = usage.cost_usd.map(|cost| write!(line, " ${cost:.5}"));
    }
    if told.structured.is_some() {
        line += " structured";
    }
    for (name, list) in [
        ("denied", told.denials.len()),
        ("read", told.files_read.len()),
        ("changed", told.files_changed.len()),
    ] {
        if list > 0 {
            let _ = write!(line, " {name}={list}");
        }
    }
    if told.bad_lines > 0 {
        let _ = write!(line, " bad={}", told.bad_lines);
    }
    line
}

#[test]
fn every_recording_is_here() {
    let found = CLIS.map(|(cli, _)| {
        let files = std::fs::read_dir(folder(cli)).unwrap();
        let stdout =
            files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "stdout"));
        assert_eq!(stdout.count(), cases(cli).len(), "{cli}: recordings and cases.json");
        (cli, cases(cli).len())
    });
    assert_eq!(found, [("claude", 157), ("claude-old", 13), ("codex", 130), ("gemini", 133)]);
}

#[test]
fn every_recording_gives_its_events_and_its_end() {
    for (cli, _) in CLIS {
        let table: String = cases(cli).iter().map(|case| summary(case, &case.play()) + "\n").collect();
        insta::assert_snapshot!(cli, table);
    }
}

/// What the assistants said, read without the readers.
fn spoken(dialect: Dialect, stdout: &[u8]) -> Vec<String> {
    let lines =
        stdout.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut said = Vec::new();
    for line in lines {
        match (dialect, line["type"].as_str().unwrap_or_default()) {
            (Dialect::Claude, "assistant") => {
                let blocks = line["message"]["content"].as_array().cloned().unwrap_or_default();
                said.extend(
                    blocks.iter().filter(|block| block["type"] == "text").map(|block| text(&block["text"])),
                );
            }
            (Dialect::Codex, "item.completed") if line["item"]["type"] == "agent_message" => {
                said.push(text(&line["item"]["text"]));
            }
            (Dialect::Gemini, "message") if line["role"] == "assistant" => said.push(text(&line["content"])),
            _ => {}
        }
    }
    said
}

#[test]
fn no_word_of_an_assistant_is_lost() {
    let mut checked = 0;
    for case in CLIS.iter().flat_map(|(cli, _)| cases(cli)).filter(|case| case.meta.format == "stream") {
        let mut told = String::new();
        for event in case.play().events {
            match event {
                AgentEvent::Progress(said) if said.tool.is_none() && !said.thinking => told += &said.text,
                AgentEvent::Blocker(said) => told += &said.text,
                AgentEvent::Error(said) => told += &said.text,
                AgentEvent::Status(_)
                | AgentEvent::Progress(_)
                | AgentEvent::Finding(_)
                | AgentEvent::Task(_)
                | AgentEvent::Milestone(_)
                | AgentEvent::Review(_) => {}
            }
        }
        let squeeze = |text: &str| agents::clean(text).split_whitespace().collect::<String>();
        let told = squeeze(&told);
        let said = spoken(dialect(case.cli), &case.stdout);
        let said: Vec<String> = match dialect(case.cli) {
            // Pieces that are cut anywhere.
            Dialect::Gemini => vec![said.concat()],
            Dialect::Claude | Dialect::Codex => said,
        };
        for text in said {
            assert!(told.contains(&squeeze(&text)), "{}/{} lost {text:?}", case.cli, case.name);
            checked += 1;
        }
    }
    assert!(checked >= 324, "only {checked} texts were there to be checked");
}

#[test]
fn control_sequences_never_reach_an_event() {
    let mut seen = 0;
    for case in CLIS.iter().flat_map(|(cli, _)| cases(cli)) {
        seen += usize::from(case.stdout.windows(6).any(|part| part == b"\\u001b"));
        for event in case.play().events {
            let json = serde_json::to_string(&event).unwrap();
            assert!(
                !json.contains("\\u001b") && !json.contains("\\u0000"),
                "{}/{}: {json}",
                case.cli,
                case.name
            );
        }
    }
    assert!(seen > 2, "only {seen} recordings contain an escape character");
}

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap()).unwrap()
    }
}

fn mutate(dice: &mut Dice, lines: &[Vec<u8>]) -> Vec<u8> {
    let mut line = lines[dice.below(lines.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(line.len());
        match dice.below(7) {
            0 => line.truncate(at),
            1 => {
                let by = dice.below(9).min(line.len() - at);
                line[at..].rotate_left(by);
            }
            2 => line.insert(at, u8::try_from(dice.below(256)).unwrap()),
            3 => {
                // Another type of value in the same place.
                let with: &[u8] =
                    [&b"null"[..], b"[]", b"{}", b"-1", b"1e999", b"\"\"", b"true"][dice.below(7)];
                if let Some(colon) = line[at..].iter().position(|byte| *byte == b':') {
                    let from = at + colon + 1;
                    let to =
                        line[from..].iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or(0) + from;
                    line.splice(from..to, with.iter().copied());
                }
            }
            4 => {
                let other = &lines[dice.below(lines.len())];
                let from = dice.below(other.len());
                line.splice(at.., other[from..].iter().copied());
            }
            5 => line.extend_from_slice(b"\xff\xfe"),
            _ => {
                let end = (at + dice.below(20)).min(line.len());
                line.drain(at..end);
            }
        }
        if line.is_empty() {
            line.push(b'{');
        }
    }
    line
}

#[test]
fn no_line_makes_a_reader_panic() {
    for (cli, dialect) in CLIS {
        let lines: Vec<Vec<u8>> = (cases(cli).iter())
            .flat_map(|case| case.stdout.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>())
            .filter(|line| !line.is_empty() && line.len() < 20_000)
            .collect();
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let mut reader = Reader::new(dialect);
        let (mut told, mut bad) = (0, 0);
        for turn in 0..10_000 {
            if turn % 200 == 0 {
                reader.rest();
                let exit = Exit { code: Some(turn % 3), signal: None, cause: ExitCause::Left };
                reader.finish(&exit, "{\n  \"error\": 1\n}\n", &recorded());
                bad += reader.told().bad_lines;
                reader = Reader::new(dialect);
            }
            told += reader.line(&mutate(&mut dice, &lines)).len();
        }
        assert!(1000 < told && 100 < bad, "{cli}: {told} events, {bad} bad lines: the mutations hit nothing");
    }
}
