//! Gemini `generateContent` and `streamGenerateContent`, as gemini speaks them.

use serde_json::{Value, json};
use uuid::Uuid;

use super::asked::{Api, Asked, Part, Tool, ToolResult, list_of, text_of};
use super::reply::{Reply, Said, event};
use super::step::Input;

/// Reads a request; model and streaming stand in the path.
pub(super) fn read(body: &Value, model: &str, stream: bool) -> Asked {
    let one = [body["contents"].clone()];
    let contents = if body["contents"].is_object() { &one[..] } else { list_of(body, "contents") };
    let config = &body["generationConfig"];
    let schemas = [&config["responseJsonSchema"], &config["responseSchema"]];
    let system = &body["systemInstruction"];
    Asked {
        api: Api::Gemini,
        model: model.to_owned(),
        system: if system.is_object() { text_of(&system["parts"]) } else { text_of(system) },
        parts: contents.iter().flat_map(parts).collect(),
        tools: list_of(body, "tools")
            .iter()
            .flat_map(|it| list_of(it, "functionDeclarations"))
            .map(tool)
            .collect(),
        stream,
        schema: schemas.into_iter().find(|it| it.is_object()).cloned(),
    }
}

fn tool(declaration: &Value) -> Tool {
    let name = declaration["name"].as_str().unwrap_or_default().to_owned();
    Tool { name, namespace: None, custom: false }
}

fn parts(content: &Value) -> Vec<Part> {
    if content["role"] == "model" {
        return vec![Part::Model];
    }
    let part = |it: &Value| {
        if let Some(text) = it["text"].as_str() {
            return Some(Part::User(text.to_owned()));
        }
        let response = it.get("functionResponse")?.get("response")?;
        let words = response["output"].as_str().or(response["error"].as_str()).map(str::to_owned);
        let text = words.unwrap_or_else(|| response.to_string());
        Some(Part::Result(ToolResult { is_error: Some(response.get("error").is_some()), text }))
    };
    list_of(content, "parts").iter().filter_map(part).collect()
}

/// Answers it.
pub(super) fn reply(said: Said, asked: &Asked) -> Reply {
    let id = format!("scripted-{}", Uuid::new_v4().simple());
    let usage = said.turn.usage;
    let counts = json!({
        "promptTokenCount": usage.input, "candidatesTokenCount": usage.output,
        "totalTokenCount": usage.input + usage.output + usage.reasoning,
        "cachedContentTokenCount": usage.cache_read, "thoughtsTokenCount": usage.reasoning,
    });
    let finish = said.turn.stop_reason.clone().unwrap_or_else(|| "STOP".to_owned());
    let piece = |parts: Vec<Value>, last: bool| {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        if last {
            candidate["finishReason"] = finish.as_str().into();
        }
        json!({"candidates": [candidate], "usageMetadata": counts, "modelVersion": asked.model, "responseId": id})
    };
    let text = |chunk: String| json!({"text": chunk});
    let calls: Vec<Value> = said.calls.iter().map(call_part).collect();
    let headers = said.turn.headers.clone();
    if !asked.stream {
        let words = said.text.clone().into_iter().map(text);
        return Reply::ok(headers, piece(words.chain(calls).collect(), true));
    }
    let mut pieces = Vec::new();
    pieces.extend(said.thinking.iter().map(|it| piece(vec![json!({"text": it, "thought": true})], false)));
    pieces.extend(said.chunks().into_iter().map(|chunk| piece(vec![text(chunk)], false)));
    if !calls.is_empty() {
        pieces.push(piece(calls, false));
    }
    pieces.push(match &said.turn.stream_error {
        Some(error) => json!({"error": error}),
        None => piece(vec![text(String::new())], true),
    });
    let events = pieces.iter().map(|it| event(None, it)).collect();
    Reply::Events { headers, events, turn: Box::new(said.turn) }
}

fn call_part(call: &super::step::Call) -> Value {
    let arguments = match &call.input {
        Input::Arguments(Value::Null) => json!({}),
        Input::Arguments(arguments) => arguments.clone(),
        Input::Text(text) => json!({"input": text}),
    };
    json!({"functionCall": {"name": call.name, "args": arguments}})
}
