//! The rows of the recovery table that no session with a real CLI can produce: its recordings end in the class of the row.
//! The rows are `tests/fixtures/recovery.json` of the project; the other ones run in `tests/it/real_clis/recovery.rs`.
#![expect(clippy::disallowed_methods, reason = "the test reads fixtures; the crate itself does no I/O")]
#![expect(clippy::unwrap_used, reason = "a fixture that cannot be read fails the test")]

use std::path::Path;

use agents::Reader;
use domain::{Dialect, Exit, ExitCause};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    row: String,
    cli: Dialect,
    failure: Option<String>,
    #[serde(default)]
    recordings: Vec<String>,
    #[serde(default)]
    why: String,
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// The class that a recording ends in.
fn class(cli: Dialect, name: &str) -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/streams").join(cli.as_str());
    let file = |ending: &str| read(&folder.join(format!("{name}.{ending}")));
    let mut reader = Reader::new(cli);
    for line in file("stdout").split(|byte| *byte == b'\n') {
        reader.line(line);
    }
    reader.rest();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = text(file("rc")).trim().parse().ok();
    let exit = Exit { code, signal: None, cause: ExitCause::Left };
    let now = "2026-11-21T01:30:00+00:00[UTC]".parse().unwrap();
    let failed = reader.finish(&exit, &text(file("stderr")), &now)?;
    Some(serde_json::to_value(&failed.failure).unwrap()["class"].as_str().unwrap().to_owned())
}

#[test]
fn rows_without_a_session_are_proven_by_recordings() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/recovery.json");
    let rows: Vec<Row> = serde_json::from_slice(&read(&file)).unwrap();
    let recorded: Vec<&Row> = rows.iter().filter(|row| !row.recordings.is_empty()).collect();
    for row in &recorded {
        assert!(!row.why.is_empty(), "{}: why only a recording?", row.row);
        for name in &row.recordings {
            assert_eq!(class(row.cli, name), row.failure, "{}: {name}", row.row);
        }
    }
    assert!(!recorded.is_empty());
}
