//! Anthropic Messages, as claude speaks it.

use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::{Api, Asked, Part, Tool, ToolResult, list_of, str_of, text_of};
use super::reply::{Reply, Said, event};
use super::step::Input;

/// Reads a request.
pub(super) fn read(body: &Value) -> Asked {
    let tool = |it: &Value| {
        let name = it["name"].as_str().or(it["type"].as_str()).unwrap_or_default().to_owned();
        Tool { name, namespace: None, custom: false }
    };
    let formats = [&body["output_config"]["format"]["schema"], &body["output_format"]["schema"]];
    Asked {
        api: Api::Anthropic,
        model: str_of(body, "model"),
        system: text_of(&body["system"]),
        parts: list_of(body, "messages").iter().flat_map(parts).collect(),
        tools: list_of(body, "tools").iter().map(tool).collect(),
        stream: body["stream"].as_bool().unwrap_or(false),
        schema: formats.into_iter().find(|it| it.is_object()).cloned(),
    }
}

fn parts(message: &Value) -> Vec<Part> {
    let content = &message["content"];
    if message["role"] == "assistant" {
        return vec![Part::Model];
    }
    if let Some(text) = content.as_str() {
        return vec![Part::User(text.to_owned())];
    }
    let blocks = content.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let part = |block: &Value| match block["type"].as_str() {
        Some("text") => Some(Part::User(str_of(block, "text"))),
        Some("tool_result") => Some(Part::Result(ToolResult {
            is_error: Some(block["is_error"].as_bool().unwrap_or(false)),
            text: text_of(&block["content"]),
        })),
        _ => None,
    };
    blocks.filter_map(part).collect()
}

/// Answers it.
pub(super) fn reply(said: Said, asked: &Asked) -> Reply {
    let blocks = blocks(&said);
    let usage = usage(&said);
    let usual = if said.calls.is_empty() { "end_turn" } else { "tool_use" };
    let stop = said.turn.stop_reason.as_deref().unwrap_or(usual);
    let mut headers = said.turn.headers.clone();
    headers.entry("request-id".to_owned()).or_insert_with(|| format!("req_{}", Uuid::new_v4().simple()));
    let message = |content: &[Value], stop: Value, usage: &Value| {
        json!({
            "id": format!("msg_{}", Uuid::new_v4().simple()), "type": "message", "role": "assistant",
            "model": asked.model, "content": content, "stop_reason": stop, "stop_sequence": null, "usage": usage,
        })
    };
    if !asked.stream {
        return Reply::ok(headers, message(&blocks, stop.into(), &usage));
    }
    let mut begun = usage.clone();
    begun["output_tokens"] = 1.into();
    let mut events = vec![json!({"type": "message_start", "message": message(&[], Value::Null, &begun)})];
    for (index, block) in blocks.iter().enumerate() {
        events.extend(block_events(index, block, &said));
    }
    if let Some(error) = &said.turn.stream_error {
        events.push(json!({"type": "error", "error": error}));
    } else {
        let delta = json!({"stop_reason": stop, "stop_sequence": null});
        events.push(json!({"type": "message_delta", "delta": delta, "usage": usage}));
        events.push(json!({"type": "message_stop"}));
    }
    let events = events.iter().map(|it| event(it["type"].as_str(), it)).collect();
    Reply::Events { headers, events, turn: Box::new(said.turn) }
}

fn usage(said: &Said) -> Value {
    let usage = said.turn.usage;
    json!({
        "input_tokens": usage.input, "output_tokens": usage.output,
        "cache_creation_input_tokens": usage.cache_write, "cache_read_input_tokens": usage.cache_read,
        "service_tier": "standard",
    })
}

fn blocks(said: &Said) -> Vec<Value> {
    let mut blocks = Vec::new();
    blocks.extend(
        said.thinking.as_ref().map(|it| json!({"type": "thinking", "thinking": it, "signature": "ZmFrZQ=="})),
    );
    blocks
        .extend(said.text.as_ref().filter(|it| !it.is_empty()).map(|it| json!({"type": "text", "text": it})));
    for call in &said.calls {
        let input = match &call.input {
            Input::Arguments(Value::Null) => json!({}),
            Input::Arguments(arguments) => arguments.clone(),
            Input::Text(text) => json!({"input": text}),
        };
        let id = format!("toolu_{}", &Uuid::new_v4().simple().to_string()[..24]);
        blocks.push(json!({"type": "tool_use", "id": id, "name": call.name, "input": input}));
    }
    blocks
}

fn block_events(index: usize, block: &Value, said: &Said) -> Vec<Value> {
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let (empty, deltas) = match block["type"].as_str() {
        Some("text") => {
            let text = |chunk: String| delta(json!({"type": "text_delta", "text": chunk}));
            (json!({"type": "text", "text": ""}), said.chunks().into_iter().map(text).collect())
        }
        Some("thinking") => {
            let words = delta(json!({"type": "thinking_delta", "thinking": block["thinking"]}));
            let signature = delta(json!({"type": "signature_delta", "signature": block["signature"]}));
            (json!({"type": "thinking", "thinking": "", "signature": ""}), vec![words, signature])
        }
        _ => {
            let mut empty = block.clone();
            empty["input"] = json!({});
            let json = block["input"].to_string();
            (empty, vec![delta(json!({"type": "input_json_delta", "partial_json": json}))])
        }
    };
    let mut events = vec![json!({"type": "content_block_start", "index": index, "content_block": empty})];
    events.extend(deltas);
    events.push(json!({"type": "content_block_stop", "index": index}));
    events
}
