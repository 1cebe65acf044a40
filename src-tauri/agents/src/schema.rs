//! JSON schemas in the shape that the vendors' strict modes take.

use serde_json::{Map, Value, json};

/// A schema for strict structured output: objects closed, every property required, no keywords that OpenAI's strict
/// mode refuses. Optional properties stay optional by allowing `null`, as schemars writes them.
///
/// Source of the rules: OpenAI's guide to structured outputs, "supported schemas".
#[must_use]
pub fn strict_schema(mut schema: Value) -> Value {
    walk(&mut schema);
    schema
}

fn walk(schema: &mut Value) {
    match schema {
        Value::Object(object) => walk_object(object),
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn walk_object(object: &mut Map<String, Value>) {
    // A reference stands alone.
    if let Some(reference) = object.remove("$ref") {
        object.clear();
        object.insert("$ref".to_owned(), reference);
        return;
    }
    for refused in ["$schema", "title", "default", "format", "minimum", "maximum", "examples"] {
        object.remove(refused);
    }
    if let Some(choices) = object.remove("oneOf") {
        object.insert("anyOf".to_owned(), choices);
    }
    for name in ["properties", "$defs"] {
        if let Some(Value::Object(members)) = object.get_mut(name) {
            members.values_mut().for_each(walk);
        }
    }
    for name in ["items", "anyOf", "additionalProperties"] {
        if let Some(inner) = object.get_mut(name) {
            walk(inner);
        }
    }
    if object.get("type") == Some(&json!("object")) {
        let names: Vec<Value> = match object.get("properties") {
            Some(Value::Object(members)) => members.keys().cloned().map(Value::String).collect(),
            Some(_) | None => Vec::new(),
        };
        object.insert("required".to_owned(), Value::Array(names));
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every object is closed and names all its properties as required; nothing refused is left.
    fn check(value: &Value) {
        match value {
            Value::Object(object) => {
                if object.get("type") == Some(&json!("object")) {
                    assert_eq!(object.get("additionalProperties"), Some(&json!(false)), "{value}");
                    let members = object.get("properties").and_then(Value::as_object).unwrap();
                    let required = object.get("required").and_then(Value::as_array).unwrap();
                    assert_eq!(members.len(), required.len(), "{value}");
                }
                if object.contains_key("$ref") {
                    assert_eq!(object.len(), 1, "{value}");
                }
                assert!(!object.contains_key("oneOf") && !object.contains_key("default"), "{value}");
                object.values().for_each(check);
            }
            Value::Array(items) => items.iter().for_each(check),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_schemas_of_plan_and_review_become_strict() {
        for schema in [domain::Plan::schema(), domain::Answer::schema()] {
            let strict = strict_schema(schema);
            check(&strict);
            assert_eq!(strict.pointer("/type"), Some(&json!("object")));
        }
        // A property whose name is a keyword is kept.
        assert!(strict_schema(domain::Plan::schema()).pointer("/$defs/Task/properties/title").is_some());
    }
}
