//! G2: whatever a CLI prints, nothing panics, nothing stalls, and the good lines around it arrive.

use std::{
    collections::VecDeque,
    fs,
    io::BufRead,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use acceptance::{
    chaos::{Chaos, Fault},
    clis,
};
use agents::{MOST_LINE, Reader};
use domain::{AgentEvent, Dialect};
use engine::process::{Framer, Line, LineKind};
use serde_json::{Value, json};

#[path = "r2/classes.rs"]
mod classes;
#[path = "r2/mutate.rs"]
mod mutate;

/// Nobody may wait longer for the next piece or line (RELIABILITY G2).
const STALL: Duration = Duration::from_millis(250);
/// Bytes that the tail of a spool reads at a time.
const PIECE: usize = 64 << 10;
/// Bad lines of one stream; a good one stands before each and after the last.
const GROUP: usize = 20;

/// What the streams showed.
#[derive(Debug, Default)]
struct Tally {
    lines: u64,
    bytes: u64,
    panics: u64,
    stalls: u64,
    worst: Duration,
    /// Good lines that did not arrive.
    missing: u64,
    /// Streams whose lines or bad lines were not counted right.
    miscounted: u64,
    /// Streams that were cut differently in other pieces.
    split: u64,
    wrong: Vec<String>,
}

pub(crate) fn run(chaos: &Chaos) -> Result<(), Fault> {
    // A panic is counted; its words would only drown what is told.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let done = all(chaos);
    std::panic::set_hook(hook);
    done
}

fn all(chaos: &Chaos) -> Result<(), Fault> {
    let mut rng = chaos.rng();
    let corpora = Dialect::ALL.map(corpus);
    if corpora.iter().any(|corpus| corpus.len() < 100) {
        return Err("the recorded streams are not there".into());
    }
    let wanted = chaos.scale(200_000, 20_000);
    let mut tally = Tally::default();
    while tally.lines < wanted {
        let at = rng.usize(..corpora.len());
        let dialect = Dialect::ALL[at];
        let bad: Vec<Vec<u8>> = (0..GROUP)
            .map(|_| {
                // Now and then another CLI's line.
                let from = if rng.u32(..20) == 0 { rng.usize(..corpora.len()) } else { at };
                let (line, other) = (rng.choice(&corpora[from]), rng.choice(&corpora[from]));
                let none = Vec::new();
                mutate::any(line.unwrap_or(&none), other.unwrap_or(&none), &mut rng)
            })
            .collect();
        tally.lines += bad.len() as u64;
        let before = tally.wrong.len();
        let stream = one(dialect, &bad, &mut rng, &mut tally);
        if before < tally.wrong.len() {
            fs::write(chaos.folder().join(format!("{}-{before}", dialect.as_str())), stream)?;
        }
    }
    tally.wrong.iter().take(10).for_each(|wrong| chaos.note(format_args!("WRONG {wrong}")));
    chaos.note(format_args!(
        "{} mutated lines, {} MiB, slowest step {:.1} ms, seed {}",
        tally.lines,
        tally.bytes >> 20,
        tally.worst.as_secs_f64() * 1000.0,
        chaos.seed()
    ));
    chaos.goal("G2-lines", tally.lines, wanted, wanted <= tally.lines);
    for (id, value) in [
        ("G2-panics", tally.panics),
        ("G2-good-lines-missing", tally.missing),
        ("G2-miscounted", tally.miscounted),
        ("G2-split-matters", tally.split),
    ] {
        chaos.goal(id, value, 0, value == 0);
    }
    chaos.figure("G2-stalls", tally.stalls, 0, tally.stalls == 0);
    let classes = classes::all();
    let wrong = classes::check(&classes);
    wrong.iter().for_each(|wrong| chaos.note(format_args!("WRONG {wrong}")));
    chaos.goal("G2-classes", format_args!("{}x3", classes.len()), "60x3", 60 <= classes.len());
    chaos.goal("G2-classes-wrong", wrong.len(), 0, wrong.is_empty());
    control(chaos, &corpora[0]);
    Ok(())
}

/// Every line of the recordings of a dialect.
fn corpus(dialect: Dialect) -> Vec<Vec<u8>> {
    let folder = clis::project().join("src-tauri/agents/tests/fixtures/streams").join(dialect.as_str());
    let files = fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let mut streams: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "stdout")).collect();
    streams.sort(); // so that a seed means the same on every machine
    streams.iter().flat_map(|path| lines_of(path)).collect()
}

fn lines_of(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// What a stream begins with, so that a lone brace is no document.
fn opening(dialect: Dialect) -> Vec<u8> {
    let line = match dialect {
        Dialect::Claude => json!({ "type": "system", "subtype": "init", "session_id": "s", "model": "m" }),
        Dialect::Codex => json!({ "type": "thread.started", "thread_id": "s" }),
        Dialect::Gemini => json!({ "type": "init", "session_id": "s", "model": "m" }),
    };
    line.to_string().into_bytes()
}

/// A good line that says a word nobody else says.
fn good(dialect: Dialect, number: usize) -> Vec<u8> {
    // A line of its own: gemini's pieces are put together, and what stands before may end in half a control sequence.
    let text = format!("\n{}\n", mark(number));
    let line = match dialect {
        Dialect::Claude => json!({ "type": "assistant", "session_id": "s", "parent_tool_use_id": null,
            "message": { "role": "assistant", "content": [{ "type": "text", "text": text }] } }),
        Dialect::Codex => json!({ "type": "item.completed",
            "item": { "id": format!("good_{number}"), "type": "agent_message", "text": text } }),
        Dialect::Gemini => json!({ "type": "message", "role": "assistant", "content": text, "delta": true }),
    };
    line.to_string().into_bytes()
}

fn mark(number: usize) -> String {
    format!("good-line-{number}-arrived")
}

/// One stream, which it gives: good and bad lines in turn, in random pieces.
fn one(dialect: Dialect, bad: &[Vec<u8>], rng: &mut fastrand::Rng, tally: &mut Tally) -> Vec<u8> {
    let mut stream = opening(dialect);
    for (number, line) in bad.iter().enumerate() {
        stream.push(b'\n');
        stream.extend(good(dialect, number));
        stream.push(b'\n');
        stream.extend(line);
    }
    stream.push(b'\n');
    stream.extend(good(dialect, bad.len()));
    tally.bytes += stream.len() as u64;
    let mut pieces = Vec::new();
    let mut rest = &stream[..];
    let most = *rng.choice(&[1, 7, 100, 4096, PIECE]).unwrap_or(&PIECE);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rng.usize(1..=most).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    let (mut took, mut stalls) = (Duration::ZERO, 0);
    let read = catch_unwind(AssertUnwindSafe(|| read(dialect, &pieces, &mut took, &mut stalls)));
    tally.worst = tally.worst.max(took);
    tally.stalls += stalls;
    let Ok(read) = read else {
        tally.panics += 1;
        tally.wrong.push(format!("{} panics on {}", dialect.as_str(), shown(&stream)));
        return stream;
    };
    let missing = (0..=bad.len()).filter(|number| read.times(&mark(*number)) != 1).count();
    if 0 < missing {
        tally.wrong.push(format!("{}: {missing} good lines missing in {}", dialect.as_str(), shown(&stream)));
    }
    tally.missing += missing as u64;
    if read.lines != cut(&stream) {
        tally.split += 1;
        tally.wrong.push(format!("in pieces it is cut differently: {}", shown(&stream)));
    }
    let wanted = counted(&stream);
    if read.counted != wanted {
        tally.miscounted += 1;
        tally.wrong.push(format!(
            "{}: lines and bad ones {:?}, not {wanted:?}: {}",
            dialect.as_str(),
            read.counted,
            shown(&stream)
        ));
    }
    stream
}

fn shown(stream: &[u8]) -> String {
    domain::head(&stream.escape_ascii().to_string(), 600)
}

/// What framer and reader made of a stream.
#[derive(Debug)]
struct Read {
    lines: Vec<Line>,
    events: Vec<AgentEvent>,
    /// Lines, and bad ones among them.
    counted: (u64, u64),
}

impl Read {
    /// How often words were said.
    fn times(&self, words: &str) -> usize {
        let said = |event: &AgentEvent| match event {
            AgentEvent::Progress(said) if !said.thinking => said.text.matches(words).count(),
            AgentEvent::Progress(_)
            | AgentEvent::Status(_)
            | AgentEvent::Finding(_)
            | AgentEvent::Task(_)
            | AgentEvent::Blocker(_)
            | AgentEvent::Milestone(_)
            | AgentEvent::Review(_)
            | AgentEvent::Error(_) => 0,
        };
        self.events.iter().map(said).sum()
    }
}

/// Through framer and reader as a worker's output goes; notes the slowest 64 KiB with their lines, and how many were too slow.
fn read(dialect: Dialect, pieces: &[&[u8]], worst: &mut Duration, stalls: &mut u64) -> Read {
    let (mut framer, mut reader) = (Framer::new(0), Reader::new(dialect));
    let (mut queue, mut lines, mut events) = (VecDeque::new(), Vec::new(), Vec::new());
    let (mut began, mut fed) = (worked(), 0);
    for piece in pieces.iter().map(Some).chain([None]) {
        match piece {
            Some(piece) => framer.feed(piece, &mut queue),
            None => framer.end(&mut queue),
        }
        for line in queue.drain(..) {
            if matches!(line.kind, LineKind::Whole | LineKind::Unterminated) {
                events.extend(reader.line(&line.bytes));
            }
            lines.push(line);
        }
        fed += piece.map_or(PIECE, |piece| piece.len());
        // Asking for the time costs more than a small piece: what they took together is more than any took alone.
        if PIECE <= fed {
            let took = worked().saturating_sub(began);
            *worst = (*worst).max(took);
            *stalls += u64::from(STALL < took);
            (began, fed) = (worked(), 0);
        }
    }
    events.extend(reader.rest());
    let told = reader.told();
    Read { lines, events, counted: (told.lines, told.bad_lines) }
}

/// Processor time of this thread: on a busy machine the clock on the wall tells of others.
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Lines of a stream that comes in one piece.
fn cut(stream: &[u8]) -> Vec<Line> {
    let (mut framer, mut lines) = (Framer::new(0), VecDeque::new());
    framer.feed(stream, &mut lines);
    framer.end(&mut lines);
    lines.into()
}

/// Lines that are not blank, and what in them is no event; told without framer and reader.
fn counted(stream: &[u8]) -> (u64, u64) {
    let lines = stream.split(|byte| *byte == b'\n');
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.filter(|line| !line.iter().all(u8::is_ascii_whitespace) && line.len() <= MOST_LINE);
    let bad_of = |line: &[u8]| serde_json::from_slice(line).map_or(1, |value| no_events(&value));
    lines.fold((0, 0), |(all, bad), line| (all + 1, bad + bad_of(line)))
}

/// An array of events is each of them.
fn no_events(value: &Value) -> u64 {
    match value {
        Value::Object(_) => 0,
        Value::Array(items) if items.iter().any(Value::is_object) => items.iter().map(no_events).sum(),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// A reader as one would write it first: it takes lines for text and text for events.
fn control(chaos: &Chaos, corpus: &[Vec<u8>]) {
    let mut rng = chaos.rng();
    let (mut failed, streams) = (0, 50);
    for _ in 0..streams {
        let mut stream = Vec::new();
        for _ in 0..GROUP {
            let none = Vec::new();
            let (line, other) = (rng.choice(corpus).unwrap_or(&none), rng.choice(corpus).unwrap_or(&none));
            stream.extend(mutate::any(line, other, &mut rng));
            stream.push(b'\n');
        }
        let naive = catch_unwind(|| {
            let mut lines = std::io::Cursor::new(&stream).lines();
            let read = |line: std::io::Result<String>| {
                line.ok().and_then(|line| serde_json::from_str::<Value>(&line).ok()).is_some()
            };
            assert!(lines.all(read));
        });
        failed += u32::from(naive.is_err());
    }
    let what = format_args!("a reader of lines() and from_str breaks off in {failed} of {streams} streams:");
    chaos.control("G2-panics", what, failed == streams);
}
