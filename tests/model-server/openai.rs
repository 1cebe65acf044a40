//! OpenAI Responses, as codex speaks it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::{Api, Asked, Part, Tool, ToolResult, list_of, str_of, text_of};
use super::reply::{Reply, Said, event};
use super::step::{Call, Input};

/// Reads a request. Tools stand in `tools`, for newer models also in `additional_tools` items of the input.
pub(super) fn read(body: &Value) -> Asked {
    let whole = [json!({"role": "user", "content": body["input"]})];
    let items = if body["input"].is_string() { &whole[..] } else { list_of(body, "input") };
    let mut system = str_of(body, "instructions");
    let mut parts = Vec::new();
    for item in items {
        match item["role"].as_str() {
            Some("developer" | "system") => {
                system.push('\n');
                system.push_str(&text_of(&item["content"]));
            }
            _ => parts.extend(part(item)),
        }
    }
    let hidden =
        items.iter().filter(|it| it["type"] == "additional_tools").flat_map(|it| list_of(it, "tools"));
    Asked {
        api: Api::Openai,
        model: str_of(body, "model"),
        system,
        parts,
        tools: list_of(body, "tools").iter().chain(hidden).flat_map(tools).collect(),
        stream: body["stream"].as_bool().unwrap_or(false),
        schema: Some(body["text"]["format"]["schema"].clone()).filter(Value::is_object),
    }
}

fn part(item: &Value) -> Vec<Part> {
    match item["type"].as_str().unwrap_or("message") {
        // Every piece on its own: the prompt is one of them, the CLI's own notes are others.
        "message" if item["role"] == "user" => match item["content"].as_array() {
            Some(pieces) => pieces.iter().map(|it| Part::User(text_of(it))).collect(),
            None => vec![Part::User(text_of(&item["content"]))],
        },
        "message" | "reasoning" | "function_call" | "custom_tool_call" | "local_shell_call"
        | "tool_search_call" => {
            vec![Part::Model]
        }
        "function_call_output"
        | "custom_tool_call_output"
        | "local_shell_call_output"
        | "tool_search_output" => {
            let output = &item["output"];
            let text = if output.is_object() && output.get("content").is_none() {
                output.to_string()
            } else {
                text_of(output)
            };
            vec![Part::Result(ToolResult { is_error: None, text })]
        }
        _ => Vec::new(),
    }
}

fn tools(tool: &Value) -> Vec<Tool> {
    let name = tool["name"].as_str().or(tool["type"].as_str()).unwrap_or_default().to_owned();
    match tool["type"].as_str() {
        Some("namespace") => {
            let inner = |it: &Value| Tool {
                name: str_of(it, "name"),
                namespace: Some(name.clone()),
                custom: it["type"] == "custom",
            };
            list_of(tool, "tools").iter().map(inner).collect()
        }
        kind => vec![Tool { name, namespace: None, custom: kind == Some("custom") }],
    }
}

/// Answers it.
pub(super) fn reply(said: Said, asked: &Asked) -> Reply {
    let items = items(&said);
    let usage = said.turn.usage;
    let response = json!({
        "id": format!("resp_{}", Uuid::new_v4().simple()), "object": "response", "created_at": 1_767_225_600,
        "status": "completed", "model": asked.model, "output": items,
        "usage": {
            "input_tokens": usage.input, "input_tokens_details": {"cached_tokens": usage.cache_read},
            "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.input + usage.output,
        },
    });
    let headers = said.turn.headers.clone();
    if !asked.stream {
        return Reply::ok(headers, response);
    }
    let with = |status: &str, error: &Value| {
        let mut it = response.clone();
        it["status"] = status.into();
        it["output"] = json!([]);
        it["usage"] = Value::Null;
        it["error"] = error.clone();
        it
    };
    let mut events = vec![json!({"type": "response.created", "response": with("in_progress", &Value::Null)})];
    for (index, item) in items.iter().enumerate() {
        events.extend(item_events(index, item, &said));
    }
    events.push(match &said.turn.stream_error {
        Some(error) => json!({"type": "response.failed", "response": with("failed", error)}),
        None => json!({"type": "response.completed", "response": response}),
    });
    let numbered = events.into_iter().enumerate().map(|(number, mut it)| {
        it["sequence_number"] = number.into();
        event(it["type"].as_str(), &it)
    });
    Reply::Events { headers, events: numbered.collect(), turn: Box::new(said.turn) }
}

fn id(kind: &str) -> String {
    format!("{kind}_{}", &Uuid::new_v4().simple().to_string()[..20])
}

fn items(said: &Said) -> Vec<Value> {
    let mut items = Vec::new();
    items.extend(said.thinking.as_ref().map(|it| {
        let summary = [json!({"type": "summary_text", "text": it})];
        json!({"type": "reasoning", "id": id("rs"), "summary": summary, "encrypted_content": null})
    }));
    items.extend(said.text.as_ref().filter(|it| !it.is_empty()).map(|it| {
        let content = [json!({"type": "output_text", "text": it, "annotations": []})];
        json!({"type": "message", "id": id("msg"), "role": "assistant", "status": "completed", "content": content})
    }));
    items.extend(said.calls.iter().map(call_item));
    items
}

fn call_item(call: &Call) -> Value {
    let mut item = match &call.input {
        Input::Text(text) => json!({"type": "custom_tool_call", "id": id("ctc"), "input": text}),
        Input::Arguments(Value::Null) => json!({"type": "function_call", "id": id("fc"), "arguments": "{}"}),
        Input::Arguments(it) => json!({"type": "function_call", "id": id("fc"), "arguments": it.to_string()}),
    };
    item["call_id"] = id("call").into();
    item["name"] = call.name.as_str().into();
    item["status"] = "completed".into();
    if let Some(namespace) = &call.namespace {
        item["namespace"] = namespace.as_str().into();
    }
    item
}

fn item_events(index: usize, item: &Value, said: &Said) -> Vec<Value> {
    let mut begun = item.clone();
    let mut events = Vec::new();
    match item["type"].as_str() {
        Some("message") => {
            begun["content"] = json!([]);
            begun["status"] = "in_progress".into();
            let of = |kind: &str, field: &str, value: Value| json!({"type": format!("response.{kind}"), "item_id": item["id"], "output_index": index, "content_index": 0, field: value});
            events.push(of(
                "content_part.added",
                "part",
                json!({"type": "output_text", "text": "", "annotations": []}),
            ));
            events.extend(
                said.chunks().into_iter().map(|chunk| of("output_text.delta", "delta", chunk.into())),
            );
            events.push(of("output_text.done", "text", item["content"][0]["text"].clone()));
        }
        Some("reasoning") => {
            begun["summary"] = json!([]);
            let of = |kind: &str, field: &str, value: Value| json!({"type": format!("response.{kind}"), "item_id": item["id"], "output_index": index, "summary_index": 0, field: value});
            events.push(of(
                "reasoning_summary_part.added",
                "part",
                json!({"type": "summary_text", "text": ""}),
            ));
            events.push(of("reasoning_summary_text.delta", "delta", item["summary"][0]["text"].clone()));
        }
        _ => begun["status"] = "in_progress".into(),
    }
    events.insert(0, json!({"type": "response.output_item.added", "output_index": index, "item": begun}));
    events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
    events
}
