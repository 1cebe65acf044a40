//! The five tools: what models are told of them, and how their arguments are read.

use std::sync::Arc;

use domain::{Answer, Call, Plan};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

/// Most characters of one text; longer ones are cut and say so by `…`.
const MOST_TEXT: usize = 20_000;
/// Most bytes of a plan or a review.
const MOST_BYTES: usize = 1 << 20;

/// Told to the model once, with the list of tools.
pub(super) const INSTRUCTIONS: &str = "You work in a team of coding agents under an orchestrator. Use `report` to tell \
what you do, `ask_user` only when the work cannot go on without an answer, `request_review` to have your work looked \
at. Whoever was asked for a plan hands it in with `submit_plan`; whoever was asked for a review, with `submit_review`.";

const REPORT: &str = "Tell the team what you do. type `progress`: a step, with `progress` from 0 to 100 when you can \
estimate it. `milestone`: something is finished and can be looked at; it starts a review. `finding`: something others \
should know, with `severity` and `file`. `task`: your list of things to \
do, in `items`. `blocker`: only a person can help; say what you need. `status`: anything else. \
Answers at once; go on working.";
const ASK_USER: &str = "Ask the user a question and wait for the answer, which may take long. Only when the work cannot \
go on without it: first decide yourself what you can decide. Ask one question that can be answered in a sentence. (This is the tool that your instructions call ask_user.)";
const REQUEST_REVIEW: &str = "Ask for a review of the work as it stands now, by an agent of another vendor. Answers at \
once; go on working. Findings come to you later as work.";
const SUBMIT_PLAN: &str = "Hand in the plan you were asked for. Answers with what is wrong with it, or that it is \
accepted for approval. Weights add up to 100; a task depends only on tasks of the same plan; nobody reviews work of its \
own vendor.";
const SUBMIT_REVIEW: &str = "Hand in the review you were asked for. `nonce` is the secret from your instructions. A \
verdict other than `approve` needs findings; each finding that is a concern or a blocker cites file and lines and quotes \
the exact text that stands there, which is checked. Answers with what is wrong with it, or that it is recorded.";

/// Gemini, without a terminal, takes every tool away that is called `ask_user`, also one of an MCP server (measured with
/// 0.61.0: the exclusion looks at the name behind the server's prefix). There it has this name.
const ASK_USER_FOR_GEMINI: &str = "team_ask_user";

/// What a call comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// Written down; the model goes on at once.
    Noted(Call),
    /// The model waits for the engine's answer.
    Waits(Call),
}

/// All tools, with the schemas of their arguments, as the client of this name can offer them.
pub(super) fn all(client: &str) -> Vec<Tool> {
    let ask_user = if client.starts_with("gemini") { ASK_USER_FOR_GEMINI } else { "ask_user" };
    let text = |about: &str| json!({ "type": "string", "description": about });
    let report = json!({
        "type": "object",
        "properties": {
            "type": {
                "type": "string",
                "enum": ["status", "progress", "finding", "task", "blocker", "milestone", "review", "error"],
                "description": "What kind of thing you tell."
            },
            "text": text("What there is to say, in a sentence or two."),
            "progress": {
                "type": "integer", "minimum": 0, "maximum": 100,
                "description": "How much of your task is done, in percent."
            },
            "file": text("The file it is about, relative to the project's root."),
            "severity": {
                "type": "string", "enum": ["note", "concern", "blocker"],
                "description": "For a finding: how bad it is."
            },
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": { "text": { "type": "string" }, "done": { "type": "boolean" } },
                    "required": ["text", "done"]
                },
                "description": "For a task: your whole list of things to do, as it stands now."
            }
        },
        "required": ["type", "text"]
    });
    let one = |name: &str, about: &str| json!({ "type": "object", "properties": { name: text(about) }, "required": [name] });
    let plan = json!({ "type": "object", "properties": { "plan": schema::<Plan>() }, "required": ["plan"] });
    vec![
        tool("report", "Report", REPORT, report),
        tool(
            ask_user,
            "Ask the user",
            ASK_USER,
            one("question", "One question, with what one needs to know to answer it."),
        ),
        tool(
            "request_review",
            "Request a review",
            REQUEST_REVIEW,
            one("what", "What should be looked at, and why now."),
        ),
        tool("submit_plan", "Submit the plan", SUBMIT_PLAN, plan),
        tool("submit_review", "Submit the review", SUBMIT_REVIEW, schema::<Answer>()),
    ]
}

fn tool(name: &'static str, title: &str, about: &'static str, schema: Value) -> Tool {
    let schema = match schema {
        Value::Object(schema) => schema,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            JsonObject::new()
        }
    };
    // They change nothing of the project: a CLI in a read-only mode may call them without asking.
    let harmless = ToolAnnotations::with_title(title).read_only(true).destructive(false).open_world(false);
    Tool::new(name, about, Arc::new(schema)).with_annotations(harmless)
}

/// A type's schema without references: not every CLI passes `$ref` on to its model.
fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    forget_formats(&mut schema);
    schema
}

/// `format: uint32` and the like are words of Rust's; gemini complains of them at every start.
fn forget_formats(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("format").is_some_and(Value::is_string) {
                fields.remove("format");
            }
            fields.values_mut().for_each(forget_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_formats),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reads a call.
///
/// # Errors
/// What is wrong with it, as the end of a sentence for the model.
pub(super) fn read(tool: &str, arguments: &Value) -> Result<Read, String> {
    match tool {
        "report" => report(arguments),
        "ask_user" | ASK_USER_FOR_GEMINI => {
            Ok(Read::Waits(Call::AskUser { question: text(arguments, "question")? }))
        }
        "request_review" => Ok(Read::Noted(Call::RequestReview { what: text(arguments, "what")? })),
        "submit_plan" => {
            // Some models hand over the plan itself, or its text.
            let plan = shaped::<Plan>(arguments.get("plan").unwrap_or(arguments), "the plan")?;
            Ok(Read::Waits(Call::SubmitPlan { plan }))
        }
        "submit_review" => {
            let review = arguments.get("review").filter(|_| arguments.get("verdict").is_none());
            let review = shaped::<Answer>(review.unwrap_or(arguments), "the review")?;
            Ok(Read::Waits(Call::SubmitReview { review }))
        }
        _ => Err(format!("there is no tool {tool:?}")),
    }
}

fn report(arguments: &Value) -> Result<Read, String> {
    let kind = text(arguments, "type")?;
    // The form of the fallback in text, `{"type":…,"payload":{…}}`, is understood here as well.
    let payload = arguments.get("payload").filter(|payload| !payload.is_null()).unwrap_or(arguments);
    let mut payload = payload.clone();
    if let Some(Value::String(text)) = payload.get_mut("text") {
        *text = domain::head(text, MOST_TEXT);
    }
    match agents::report(&kind, &payload) {
        Some(domain::AgentEvent::Error(error)) if kind != "error" => Err(error.text),
        Some(event) => Ok(Read::Noted(Call::Report { event })),
        None => Err(format!(
            "{kind:?} is no type of report; take status, progress, finding, task, blocker, milestone, review or error"
        )),
    }
}

/// A text that says something.
fn text(arguments: &Value, name: &str) -> Result<String, String> {
    let given = arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    let given = domain::head(agents::clean(given).trim(), MOST_TEXT);
    if given.is_empty() { Err(format!("{name} is missing or empty; it must be a text")) } else { Ok(given) }
}

/// The JSON text of a value of this shape. Only the shape is checked here; what it says is judged by the engine.
fn shaped<T: serde::de::DeserializeOwned>(value: &Value, what: &str) -> Result<String, String> {
    let value = match value {
        Value::String(text) => serde_json::from_str(text)
            .map_err(|fault| format!("{what} is a text that is no JSON: {fault}"))?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.clone(),
    };
    let json = value.to_string();
    if MOST_BYTES < json.len() {
        return Err(format!("{what} is larger than 1 MiB"));
    }
    // With the path, because `missing field` alone says little about a plan of twenty tasks.
    serde_path_to_error::deserialize::<_, T>(value).map_err(|fault| {
        let at = fault.path().to_string();
        format!("{what} does not have the shape of the schema: {} at {at}", fault.inner())
    })?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call and what it comes to: `noted`/`waits` with the call as JSON, or the fault.
    fn check(tool: &str, arguments: Value, expected: &str) {
        let json = |call: &Call| serde_json::to_string(call).unwrap();
        let outcome = match read(tool, &arguments) {
            Ok(Read::Noted(call)) => format!("noted {}", json(&call)),
            Ok(Read::Waits(call)) => format!("waits {}", json(&call)),
            Err(fault) => fault,
        };
        assert_eq!(outcome, expected, "{tool} {arguments}");
    }

    #[test]
    fn reports() {
        check(
            "report",
            json!({"type": "progress", "text": "half", "progress": 50, "file": "a.rs"}),
            r#"noted {"tool":"report","event":{"type":"progress","payload":{"text":"half","progress":50,"file":"a.rs","tool":null,"thinking":false}}}"#,
        );
        check(
            "report",
            json!({"type": "milestone", "payload": {"text": "done"}}),
            r#"noted {"tool":"report","event":{"type":"milestone","payload":{"text":"done","file":null,"announced":true}}}"#,
        );
        check(
            "report",
            json!({"type": "error", "text": "no compiler"}),
            r#"noted {"tool":"report","event":{"type":"error","payload":{"text":"no compiler","raw":null}}}"#,
        );
        check("report", json!({"text": "x"}), "type is missing or empty; it must be a text");
        check(
            "report",
            json!({"type": "milestone"}),
            "a report of type milestone says nothing that could be read",
        );
        check(
            "report",
            json!({"type": "verdict", "text": "approve"}),
            "\"verdict\" is no type of report; take status, progress, finding, task, blocker, milestone, review or error",
        );
    }

    #[test]
    fn questions_and_requests() {
        check(
            "ask_user",
            json!({"question": " which? "}),
            r#"waits {"tool":"ask_user","question":"which?"}"#,
        );
        check("ask_user", json!({"question": ["which?"]}), "question is missing or empty; it must be a text");
        check("request_review", json!({"what": "all"}), r#"noted {"tool":"request_review","what":"all"}"#);
        check("submit_everything", json!({}), "there is no tool \"submit_everything\"");
    }

    #[test]
    fn plans_and_reviews_of_the_right_shape() {
        let plan = json!({"summary": "s", "tasks": []});
        let waits = |name: &str, value: &Value| {
            let call = json!({"tool": format!("submit_{name}"), name: value.to_string()});
            let Ok(Read::Waits(read)) = read(&format!("submit_{name}"), &json!({name: value})) else {
                panic!()
            };
            assert_eq!(serde_json::to_value(&read).unwrap(), call);
        };
        waits("plan", &plan);
        check(
            "submit_plan",
            plan.clone(),
            r#"waits {"tool":"submit_plan","plan":"{\"summary\":\"s\",\"tasks\":[]}"}"#,
        );
        check(
            "submit_plan",
            json!({"plan": plan.to_string()}),
            r#"waits {"tool":"submit_plan","plan":"{\"summary\":\"s\",\"tasks\":[]}"}"#,
        );
        waits(
            "review",
            &json!({"nonce": "n", "verdict": "approve", "summary": "", "findings": [], "files_read": []}),
        );
        check(
            "submit_review",
            json!({"nonce": "n", "verdict": "looks good", "summary": "", "findings": [], "files_read": []}),
            "the review does not have the shape of the schema: unknown variant `looks good`, expected one of `approve`, \
             `concern`, `blocker` at verdict",
        );
        check(
            "submit_plan",
            json!({}),
            "the plan does not have the shape of the schema: missing field `summary` at .",
        );
        check(
            "submit_plan",
            json!({"plan": {"summary": "", "tasks": [{"id": "t1", "title": 3}]}}),
            "the plan does not have the shape of the schema: invalid type: integer `3`, expected a string at \
             tasks[0].title",
        );
        let long = json!({"plan": {"summary": "x".repeat(MOST_BYTES), "tasks": []}});
        check("submit_plan", long, "the plan is larger than 1 MiB");
    }

    #[test]
    fn gemini_gets_to_ask_under_another_name() {
        let names = |client: &str| all(client).into_iter().map(|tool| tool.name).collect::<Vec<_>>();
        let usual = ["report", "ask_user", "request_review", "submit_plan", "submit_review"];
        assert_eq!(names("codex-mcp-client"), usual);
        assert_eq!(names("")[1], "ask_user");
        assert_eq!(names("gemini-cli-mcp-client-orchestrator")[1], ASK_USER_FOR_GEMINI);
        check(ASK_USER_FOR_GEMINI, json!({"question": "q"}), r#"waits {"tool":"ask_user","question":"q"}"#);
    }

    #[test]
    fn schemas_stand_alone_and_name_what_is_needed() {
        for tool in all("claude-code") {
            let schema = serde_json::to_string(&tool.input_schema).unwrap();
            assert!(!schema.contains("\"format\""), "{}: {schema}", tool.name);
            assert!(!schema.contains("$ref") && !schema.contains("$defs"), "{}: {schema}", tool.name);
            assert_eq!(tool.input_schema["type"], "object", "{}", tool.name);
            assert!(tool.description.is_some_and(|about| 80 < about.len()));
        }
    }
}
