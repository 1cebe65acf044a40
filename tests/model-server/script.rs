//! Which turn of a scenario answers a request.

use std::collections::BTreeMap;
use std::time::SystemTime;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::asked::{Api, Asked};
use super::assignment::Assignment;
use super::reply::Said;
use super::scenario::{Conversation, Scenario, Turn, When};
use super::step::{self, Deed};
use super::vars;

/// What became of each fault of a scenario; all the state there is.
#[derive(Debug, Default)]
pub(super) struct Counters(BTreeMap<usize, Spent>);

/// How often a fault was served, and when it ends, in seconds since 1970, where it lasts for a time.
#[derive(Debug, Default)]
struct Spent {
    times: u32,
    until: Option<u64>,
}

/// A turn, ready to be put into an API's words.
#[derive(Debug)]
pub(super) struct Served {
    /// Who answers: `lead plans #0`, `fault 1`, `side`, or `unscripted`.
    pub label: String,
    /// The answer.
    pub said: Said,
}

/// Finds the answer to a request.
pub(super) fn serve(scenario: &Scenario, counters: &mut Counters, asked: &Asked) -> Served {
    let Picked { label, mut turn, conversation, until } = pick(scenario, counters, asked);
    let mut vars = variables(scenario, conversation, asked);
    vars.extend(until.map(|until| ("RESET".to_owned(), until.to_string())));
    fill_fault(&mut turn, &vars);
    let folder = vars.get("CWD").cloned().unwrap_or_default();
    Served { label, said: said(turn, asked, &vars, &folder) }
}

/// A turn as the scenario has it.
struct Picked<'a> {
    label: String,
    turn: Turn,
    conversation: Option<&'a Conversation>,
    /// When the fault that it is ends, in seconds since 1970.
    until: Option<u64>,
}

/// Seconds since 1970, begun ones counted.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_secs() + u64::from(0 < since.subsec_nanos())
}

fn pick<'a>(scenario: &'a Scenario, counters: &mut Counters, asked: &Asked) -> Picked<'a> {
    let plain = |label: &str, turn| Picked { label: label.to_owned(), turn, conversation: None, until: None };
    if asked.is_side() {
        let turn = scenario.side.clone().unwrap_or_else(|| Turn {
            text: Some(asked.schema.as_ref().map_or_else(|| "ok".to_owned(), |it| smallest(it).to_string())),
            ..Turn::default()
        });
        return plain("side", turn);
    }
    let at = asked.turn();
    for (number, fault) in scenario.faults.iter().enumerate() {
        let spent = counters.0.entry(number).or_default();
        let left = fault.times.is_none_or(|times| spent.times < times);
        let on = spent.until.is_none_or(|until| now() <= until);
        if left && on && fault.at.is_none_or(|turn| turn == at) && holds(&fault.when, asked) {
            spent.times += 1;
            spent.until = spent.until.or_else(|| fault.lasts_s.map(|lasts| now() + lasts));
            return Picked { until: spent.until, ..plain(&format!("fault {number}"), fault.turn.clone()) };
        }
    }
    let Some(conversation) = scenario.conversations.iter().find(|it| holds(&it.when, asked)) else {
        let text = Some("There is nothing in the script for this.".to_owned());
        return plain("unscripted", Turn { text, ..Turn::default() });
    };
    let after = || {
        let done = || Turn { text: Some("Done.".to_owned()), ..Turn::default() };
        conversation.after.clone().unwrap_or_else(done)
    };
    let turn = conversation.turns.get(at).cloned().unwrap_or_else(after);
    let label = format!("{} #{at}", conversation.name);
    Picked { conversation: Some(conversation), ..plain(&label, turn) }
}

/// Regexes span lines: `.` matches a newline too. Loading has checked that they are regexes.
fn regex(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).dot_matches_new_line(true).build().ok()
}

fn matches(pattern: Option<&String>, text: &str) -> bool {
    pattern.is_none_or(|pattern| regex(pattern).is_some_and(|it| it.is_match(text)))
}

fn holds(when: &When, asked: &Asked) -> bool {
    let header = asked.assignment();
    let field_holds = |(field, want): (&String, &Value)| {
        let value = header.as_ref().and_then(|it| it.get(field));
        let is = |want: &Value| match want {
            Value::String(text) => value == Some(text),
            Value::Number(number) => value == Some(number.to_string().as_str()),
            Value::Null => value.is_none(),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        };
        want.as_array().map_or_else(|| is(want), |any| any.iter().any(is))
    };
    let results = || asked.results().iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join("\n");
    when.api.is_none_or(|api| api == asked.api)
        && when.header.is_none_or(|wanted| wanted == header.is_some())
        && when.fields.iter().all(field_holds)
        && matches(when.prompt.as_ref(), asked.prompt())
        && when.offers.as_ref().is_none_or(|pattern| step::offered(asked, pattern).is_some())
        && (when.result.is_none() || matches(when.result.as_ref(), &results()))
}

fn variables(
    scenario: &Scenario,
    conversation: Option<&Conversation>,
    asked: &Asked,
) -> BTreeMap<String, String> {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut vars: BTreeMap<String, String> =
        scenario.vars.iter().map(|(name, value)| (name.clone(), word(value))).collect();
    vars.extend(asked.folder().map(|folder| ("CWD".to_owned(), folder)));
    let Assignment(fields) = asked.assignment().unwrap_or_default();
    vars.extend(fields.into_iter().map(|(field, value)| (field.to_uppercase(), value)));
    for (name, pattern) in conversation.into_iter().flat_map(|it| &it.bind) {
        let caught = regex(pattern)
            .and_then(|it| it.captures(asked.prompt())?.get(1).map(|it| it.as_str().to_owned()));
        vars.extend(caught.map(|value| (name.clone(), value)));
    }
    vars
}

/// Fills headers, bodies and errors: limits name the time at which they end.
fn fill_fault(turn: &mut Turn, vars: &BTreeMap<String, String>) {
    let fill = |headers: &mut BTreeMap<String, String>| {
        headers.values_mut().for_each(|header| *header = vars::fill(header, vars));
    };
    fill(&mut turn.headers);
    if let Some(http) = &mut turn.http {
        fill(&mut http.headers);
        http.error.values_mut().chain(&mut http.body).for_each(|body| vars::fill_value(body, vars));
    }
    turn.stream_error.iter_mut().for_each(|body| vars::fill_value(body, vars));
}

fn said(turn: Turn, asked: &Asked, vars: &BTreeMap<String, String>, folder: &str) -> Said {
    let mut said = Said {
        thinking: turn.thinking.as_ref().map(|it| vars::fill(it, vars)),
        text: turn.text.as_ref().map(|it| vars::fill(it, vars)),
        calls: Vec::new(),
        turn: Turn::default(),
    };
    for step in &turn.steps {
        // Through JSON, so that every string of a step is filled in one place.
        let filled = serde_json::to_value(step).and_then(|mut value| {
            vars::fill_value(&mut value, vars);
            serde_json::from_value(value)
        });
        match step::deed(filled.as_ref().unwrap_or(step), asked, folder) {
            Deed::Call(call) => said.calls.push(call),
            Deed::Words(words) => said.text = Some(words),
        }
    }
    said.turn = turn;
    said
}

/// The smallest value that fits a JSON schema: for routers and classifiers that insist on JSON.
fn smallest(schema: &Value) -> Value {
    let first = |field: &str| schema[field].as_array().and_then(|it| it.first());
    if let Some(value) = schema.get("const").or_else(|| first("enum")) {
        return value.clone();
    }
    if let Some(inner) = ["anyOf", "oneOf", "allOf"].iter().find_map(|field| first(field)) {
        return smallest(inner);
    }
    let kind = first("type").unwrap_or(&schema["type"]).as_str().map(str::to_lowercase);
    let properties = schema["properties"].as_object();
    match kind.as_deref() {
        Some("object") | None if properties.is_some() => {
            properties.into_iter().flatten().map(|(name, inner)| (name.clone(), smallest(inner))).collect()
        }
        Some("object") => Value::Object(serde_json::Map::new()),
        Some("array") => Value::Array(Vec::new()),
        Some("integer" | "number") => schema["minimum"].as_i64().unwrap_or(1).max(1).into(),
        Some("boolean") => Value::Bool(false),
        Some(_) | None => "ok".into(),
    }
}

/// The vendor's usual word for an HTTP status.
pub(super) fn error_type(api: Api, status: u16) -> &'static str {
    match (api, status) {
        (Api::Anthropic | Api::Openai, 400) | (Api::Openai, 401) => "invalid_request_error",
        (Api::Anthropic, 401) => "authentication_error",
        (Api::Anthropic, 403) => "permission_error",
        (Api::Anthropic, 404) => "not_found_error",
        (Api::Anthropic, 413) => "request_too_large",
        (Api::Anthropic, 429) => "rate_limit_error",
        (Api::Anthropic, 529) => "overloaded_error",
        (Api::Openai, 429) => "rate_limit_exceeded",
        (Api::Openai, 500..) => "server_error",
        (Api::Gemini, 400) => "INVALID_ARGUMENT",
        (Api::Gemini, 401) => "UNAUTHENTICATED",
        (Api::Gemini, 403) => "PERMISSION_DENIED",
        (Api::Gemini, 404) => "NOT_FOUND",
        (Api::Gemini, 429) => "RESOURCE_EXHAUSTED",
        (Api::Gemini, 503) => "UNAVAILABLE",
        (Api::Gemini, _) => "INTERNAL",
        (Api::Anthropic | Api::Openai, _) => "api_error",
    }
}
