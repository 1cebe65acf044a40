//! Streams made by hand: each a way in which output has gone wrong, or could, with what has to come of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use agents::MOST_LINE;
use domain::Dialect;
use engine::process::LineKind;

use super::{STALL, good, mark, opening, read};

/// A class: its name, its bytes, and how many lines it has that are no events and that are too long.
pub(super) struct Class {
    name: &'static str,
    bytes: Vec<u8>,
    bad: u64,
    oversize: usize,
}

/// A class that has its line end already, or is one.
fn class(name: &'static str, bytes: impl Into<Vec<u8>>, bad: u64) -> Class {
    Class { name, bytes: bytes.into(), bad, oversize: 0 }
}

fn too_long(name: &'static str, bytes: Vec<u8>, bad: u64) -> Class {
    Class { name, bytes, bad, oversize: 1 }
}

fn filled(begin: &str, fill: &str, len: usize, end: &str) -> Vec<u8> {
    let times = len.saturating_sub(begin.len() + end.len()) / fill.len();
    let mut bytes = begin.as_bytes().to_vec();
    bytes.extend(fill.repeat(times).bytes());
    let short = len.saturating_sub(bytes.len() + end.len());
    bytes.extend(std::iter::repeat_n(b' ', short));
    bytes.extend(end.bytes());
    bytes
}

/// All of them.
pub(super) fn all() -> Vec<Class> {
    let mut all = texts();
    all.extend(values());
    all.extend(sizes());
    all.extend(floods());
    all
}

/// Lines that are no JSON.
fn texts() -> Vec<Class> {
    vec![
        class("nothing", "", 0),
        class("empty lines", "\n\n\n", 0),
        class("blanks", "   \t ", 0),
        class("carriage returns alone", "\r\r\r", 0),
        class("a line end of Windows", "{\"type\":\"x\"}\r", 0),
        class("words", "Loading, please wait", 1),
        class("a warning of node", "(node:1) Warning: something", 1),
        class("NUL", "\0", 1),
        class("many NULs", vec![0; 4096], 1),
        class("0xff", vec![0xff; 100], 1),
        class("half of a character", b"\xc3".to_vec(), 1),
        class("overlong UTF-8", b"\"\xc0\xaf\"".to_vec(), 1),
        class("a lone surrogate in bytes", b"\"\xed\xa0\x80\"".to_vec(), 1),
        class("UTF-16", "{\"a\":1}".bytes().flat_map(|byte| [byte, 0]).collect::<Vec<_>>(), 1),
        class("a mark of byte order", "\u{feff}{\"type\":\"x\"}", 1),
        class("colours", "\u{1b}[31mred\u{1b}[0m", 1),
        class("a title of the terminal", "\u{1b}]0;owned\u{7}", 1),
        class("a spinner", "\u{1b}[2K\r⠋ working\u{1b}[2K\r⠙ working", 1),
        class("text from right to left", "\u{202e}gnol", 1),
        class("server-sent events", "data: {\"type\":\"x\"}", 1),
        class("a length before it", "42\r\n{\"type\":\"x\"}", 1),
        class("a header of HTTP", "Content-Length: 42\r\n\r", 1),
        class("XML", "<event type=\"x\"/>", 1),
        class("YAML", "- type: x", 1),
        class("half an object", "{\"type\":\"x\",\"a\":", 1),
        class("the other half", "1}", 1),
        class("an open string", "{\"type\":\"x", 1),
        class("a comma too many", "{\"type\":\"x\",}", 1),
        class("single quotes", "{'type':'x'}", 1),
        class("a comment", "{\"type\":\"x\"} // done", 1),
        class("two in one line", "{\"type\":\"x\"}{\"type\":\"y\"}", 1),
        class("two in one line with a blank", "{\"type\":\"x\"} {\"type\":\"y\"}", 1),
        class("two, one broken", "{\"type\":\"x\"}{\"type\":", 1),
        class("a raw tab in a string", "{\"type\":\"a\tb\"}", 1),
        class("NaN", "{\"type\":\"x\",\"n\":NaN}", 1),
        class("a backtrace", "Traceback (most recent call last):\n  File \"x\", line 1\nKeyError: 'type'", 3),
        class("Killed", "Killed", 1),
        class("line separators of Unicode", "a\u{2028}b\u{85}c", 1),
    ]
}

/// JSON that is no event, or an odd one.
fn values() -> Vec<Class> {
    vec![
        class("null", "null", 1),
        class("a number", "42", 1),
        class("a text", "\"result\"", 1),
        class("an empty array", "[]", 1),
        class("an array of numbers", "[1,2]", 1),
        class("an empty object", "{}", 0),
        class("no type", "{\"message\":{}}", 0),
        class("a type that is a number", "{\"type\":1}", 0),
        class("a type that is an object", "{\"type\":{\"type\":\"result\"}}", 0),
        class("a type nobody knows", "{\"type\":\"quantum_event\",\"n\":1}", 0),
        class("the same key twice", "{\"type\":\"x\",\"type\":\"y\"}", 0),
        class("a surrogate escaped alone", "{\"type\":\"\\ud83d\"}", 1),
        class("a NUL escaped", "{\"type\":\"x\",\"text\":\"a\\u0000b\"}", 0),
        class("no id", "{\"type\":\"item.completed\",\"item\":{\"type\":\"agent_message\"}}", 0),
        class("a message without content", "{\"type\":\"assistant\",\"message\":null}", 0),
        class("content that is a number", "{\"type\":\"assistant\",\"message\":{\"content\":7}}", 0),
        class(
            "a result of a tool that never began",
            "{\"type\":\"tool_result\",\"tool_id\":\"none\",\"status\":\"success\"}",
            0,
        ),
        class(
            "negative tokens",
            "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":-5,\"output_tokens\":1e99}}",
            0,
        ),
        class("a number of a million digits", filled("{\"type\":\"x\",\"n\":", "9", 1_000_000, "}"), 1),
        class("100,000 arrays deep", "[".repeat(100_000), 1),
        class("100,000 objects deep", "{\"a\":".repeat(100_000), 1),
        class(
            "120 arrays deep",
            format!("{{\"type\":\"x\",\"a\":{}1{}}}", "[".repeat(120), "]".repeat(120)),
            0,
        ),
        class("100,000 keys", keys(100_000), 0),
    ]
}

fn keys(count: usize) -> String {
    let members: Vec<String> = (0..count).map(|key| format!("\"k{key}\":{key}")).collect();
    format!("{{\"type\":\"x\",{}}}", members.join(","))
}

/// Lines near the longest that is read.
fn sizes() -> Vec<Class> {
    let text = |len| filled("{\"type\":\"x\",\"text\":\"", "y", len, "\"}");
    let escaped = filled("{\"type\":\"x\",\"text\":\"", "\\u001b", MOST_LINE, "\"}");
    let numbers = filled("{\"type\":\"x\",\"list\":[0", ",1", MOST_LINE, "]}");
    vec![
        class("1 MiB", text(1 << 20), 0),
        class("8 MiB less one byte", text(MOST_LINE - 1), 0),
        class("8 MiB", text(MOST_LINE), 0),
        too_long("8 MiB and one byte", text(MOST_LINE + 1), 0),
        too_long("20 MiB", text(20 << 20), 0),
        class("8 MiB of escapes", escaped, 0),
        class("8 MiB of small numbers", numbers, 1),
        class("8 MiB of brackets", vec![b'['; MOST_LINE], 1),
        class("8 MiB of quotes", vec![b'"'; MOST_LINE], 1),
        class("8 MiB of NULs", vec![0; MOST_LINE], 1),
        class("8 MiB of 0xff", vec![0xff; MOST_LINE], 1),
        class("8 MiB of blanks", vec![b' '; MOST_LINE], 0),
        class("8 MiB of words", filled("", "lorem ", MOST_LINE, ""), 1),
    ]
}

/// Very many lines of one kind.
fn floods() -> Vec<Class> {
    let many = |line: &str, count: usize| vec![line; count].join("\n");
    let piece =
        "{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"no end of the line\",\"delta\":true}";
    let tool = |number| {
        format!("{{\"type\":\"tool_use\",\"tool_name\":\"t\",\"tool_id\":\"i{number}\",\"parameters\":{{}}}}")
    };
    let tools: Vec<String> = (0..20_000).map(tool).collect();
    vec![
        class("100,000 lines of a byte", many("x", 100_000), 100_000),
        class("a million empty lines", "\n".repeat(1_000_000), 0),
        class("100,000 pieces of one paragraph", format!("{}\n{{\"type\":\"x\"}}", many(piece, 100_000)), 0),
        class("20,000 tools that never end", tools.join("\n"), 0),
        class(
            "the result twice",
            many("{\"type\":\"result\",\"subtype\":\"success\",\"status\":\"success\",\"result\":\"a\"}", 2),
            0,
        ),
        class("10,000 errors", many("{\"type\":\"error\",\"message\":\"overloaded\"}", 10_000), 0),
    ]
}

/// Each class in each dialect, between two good lines; gives what is not as it should be.
pub(super) fn check(classes: &[Class]) -> Vec<String> {
    let each = classes.iter().flat_map(|class| Dialect::ALL.map(|dialect| (class, dialect)));
    each.filter_map(|(class, dialect)| {
        let wrong = one(class, dialect)?;
        Some(format!("{} in {}: {wrong}", class.name, dialect.as_str()))
    })
    .collect()
}

fn one(class: &Class, dialect: Dialect) -> Option<String> {
    let between = [&b"\n"[..], &class.bytes, b"\n"].concat();
    let stream = [opening(dialect), b"\n".to_vec(), good(dialect, 1), between, good(dialect, 2)].concat();
    let pieces: Vec<&[u8]> = stream.chunks(super::PIECE).collect();
    let (mut worst, mut stalls) = (Duration::ZERO, 0);
    let Ok(read) = catch_unwind(AssertUnwindSafe(|| read(dialect, &pieces, &mut worst, &mut stalls))) else {
        return Some("it panics".to_owned());
    };
    let arrived = [1, 2].map(|number| read.times(&mark(number)));
    let oversize = read.lines.iter().filter(|line| matches!(line.kind, LineKind::Oversize { .. })).count();
    let bad = read.counted.1;
    if arrived != [1, 1] {
        return Some(format!("the good lines arrived {arrived:?} times"));
    }
    if (bad, oversize) != (class.bad, class.oversize) {
        return Some(format!("{bad} bad and {oversize} too long, not {} and {}", class.bad, class.oversize));
    }
    (0 < stalls).then(|| format!("{worst:?} for one step, more than {STALL:?}"))
}
