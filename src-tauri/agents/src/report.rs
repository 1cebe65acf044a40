//! The common vocabulary as a worker speaks it: by the tool `report`, or by a JSON line in its text (SPEC section 5).

use domain::{
    AgentError, AgentEvent, Blocker, BlockerKind, Finding, Milestone, Progress, ReviewNote, Severity, Status,
    StatusKind, Todo, TodoList,
};
use serde_json::Value;

use crate::clean;

/// The event that a worker reports as `{"type": kind, "payload": payload}`. `None` when the type is none of the
/// vocabulary; an [`AgentEvent::Error`] when the type is known and the payload says nothing.
///
/// A milestone that comes this way is announced, a review is requested, a blocker is the worker's own word.
#[must_use]
pub fn report(kind: &str, payload: &Value) -> Option<AgentEvent> {
    let text = word(payload, &["text", "message", "title", "summary"]).unwrap_or_default();
    let file = word(payload, &["file", "path"]);
    let event = match kind {
        "status" => AgentEvent::Status(Status {
            what: StatusKind::Note,
            text,
            session: None,
            model: None,
            usage: None,
        }),
        "progress" => {
            AgentEvent::Progress(Progress { text, progress: percent(payload), file, ..Progress::default() })
        }
        "finding" => AgentEvent::Finding(finding(payload, text, file)),
        "task" => AgentEvent::Task(todo(payload)),
        "blocker" => AgentEvent::Blocker(Blocker {
            what: BlockerKind::Reported,
            text,
            resets_at: None,
            path: word(payload, &["path", "file"]),
        }),
        "milestone" => AgentEvent::Milestone(Milestone { text, file, announced: true }),
        "review" => AgentEvent::Review(ReviewNote { text, requested: true }),
        "error" => AgentEvent::Error(AgentError { text, raw: None }),
        _ => return None,
    };
    Some(if says_something(&event) { event } else { empty(kind, payload) })
}

/// The event of one line of a worker's text, when that line is a report.
pub(crate) fn of_line(line: &str) -> Option<AgentEvent> {
    let line = line.trim();
    if !line.starts_with('{') || !line.ends_with('}') {
        return None;
    }
    let value = crate::json::of_slice(line.as_bytes()).ok()?;
    report(value.get("type")?.as_str()?, value.get("payload")?)
}

fn says_something(event: &AgentEvent) -> bool {
    match event {
        AgentEvent::Status(said) => !said.text.is_empty(),
        AgentEvent::Progress(said) => !said.text.is_empty() || said.progress.is_some() || said.file.is_some(),
        AgentEvent::Finding(said) => !said.title.is_empty(),
        AgentEvent::Task(said) => !said.items.is_empty(),
        AgentEvent::Blocker(said) => !said.text.is_empty(),
        AgentEvent::Milestone(said) => !said.text.is_empty() || said.file.is_some(),
        AgentEvent::Review(_) => true,
        AgentEvent::Error(said) => !said.text.is_empty(),
    }
}

fn empty(kind: &str, payload: &Value) -> AgentEvent {
    AgentEvent::Error(AgentError {
        text: format!("a report of type {kind} says nothing that could be read"),
        raw: Some(domain::head(&payload.to_string(), 4000)),
    })
}

/// The first of these fields that is a text; a payload that is a text itself counts as the first.
fn word(payload: &Value, names: &[&str]) -> Option<String> {
    if let Some(text) = payload.as_str() {
        return names.contains(&"text").then(|| clean(text));
    }
    names.iter().find_map(|name| payload.get(name)?.as_str()).map(clean)
}

fn percent(payload: &Value) -> Option<u8> {
    let share = payload.get("progress").or_else(|| payload.get("percent"))?;
    let share = share.as_f64().or_else(|| share.as_str()?.trim_end_matches('%').parse().ok())?;
    // Clamped before, so the cast cannot cut.
    Some(share.clamp(0.0, 100.0).round() as u8)
}

fn finding(payload: &Value, text: String, file: Option<String>) -> Finding {
    let lines = payload.get("lines").or_else(|| payload.get("line")).map(|lines| match lines {
        Value::String(lines) => clean(lines),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            lines.to_string()
        }
    });
    Finding {
        severity: severity(payload.get("severity").and_then(Value::as_str).unwrap_or_default()),
        title: word(payload, &["title"]).unwrap_or(text),
        file,
        lines,
        quote: word(payload, &["quote"]),
        why: word(payload, &["why", "failure_scenario"]).unwrap_or_default(),
        recommendation: word(payload, &["recommendation"]).unwrap_or_default(),
    }
}

/// Words of several tools for how bad something is.
pub(crate) fn severity(word: &str) -> Severity {
    match word.to_ascii_lowercase().as_str() {
        "blocker" | "critical" | "fatal" => Severity::Blocker,
        "concern" | "important" | "high" | "major" | "medium" | "error" | "warning" => Severity::Concern,
        _ => Severity::Note,
    }
}

fn todo(payload: &Value) -> TodoList {
    let list = ["items", "todos", "tasks"].iter().find_map(|name| payload.get(name)?.as_array());
    let item = |item: &Value| {
        let text = word(item, &["text", "content", "title", "description"])?;
        let said = item.get("status").and_then(Value::as_str);
        let done = item.get("done").or_else(|| item.get("completed")).and_then(Value::as_bool);
        Some(Todo { text, done: done.unwrap_or(matches!(said, Some("completed" | "done"))) })
    };
    TodoList { items: list.into_iter().flatten().filter_map(item).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let event = of_line(line).map(|event| serde_json::to_string(&event).unwrap());
        assert_eq!(event.unwrap_or_default(), expected, "{line}");
    }

    #[test]
    fn every_type_of_the_vocabulary_is_understood() {
        check(
            r#"{"type":"milestone","payload":{"text":"half","file":"a.rs"}}"#,
            r#"{"type":"milestone","payload":{"text":"half","file":"a.rs","announced":true}}"#,
        );
        check(
            r#" {"type":"progress","payload":{"text":"x","progress":140}} "#,
            r#"{"type":"progress","payload":{"text":"x","progress":100,"file":null,"tool":null,"thinking":false}}"#,
        );
        check(
            r#"{"type":"review","payload":{}}"#,
            r#"{"type":"review","payload":{"text":"","requested":true}}"#,
        );
        check(
            r#"{"type":"blocker","payload":"no database"}"#,
            r#"{"type":"blocker","payload":{"what":"reported","text":"no database","resets_at":null,"path":null}}"#,
        );
        check(
            r#"{"type":"task","payload":{"items":[{"text":"a","done":true},"b"]}}"#,
            r#"{"type":"task","payload":{"items":[{"text":"a","done":true},{"text":"b","done":false}]}}"#,
        );
        check(
            r#"{"type":"finding","payload":{"severity":"high","title":"t","lines":12}}"#,
            r#"{"type":"finding","payload":{"severity":"concern","title":"t","file":null,"lines":"12","quote":null,"why":"","recommendation":""}}"#,
        );
        check(
            r#"{"type":"error","payload":{"message":"boom\u001b[2J"}}"#,
            r#"{"type":"error","payload":{"text":"boom","raw":null}}"#,
        );
        check(
            r#"{"type":"status","payload":{"text":"here"}}"#,
            r#"{"type":"status","payload":{"what":"note","text":"here","session":null,"model":null,"usage":null}}"#,
        );
    }

    #[test]
    fn what_is_no_report_is_none_and_an_empty_one_is_an_error() {
        check("words", "");
        check("{broken}", "");
        check(r#"{"type":"verdict","payload":{"verdict":"approve"}}"#, "");
        check(r#"{"type":"milestone"}"#, "");
        check(
            r#"{"type":"milestone","payload":{}}"#,
            r#"{"type":"error","payload":{"text":"a report of type milestone says nothing that could be read","raw":"{}"}}"#,
        );
    }
}
