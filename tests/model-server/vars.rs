//! `${NAME}` in a scenario's strings.

use std::collections::BTreeMap;

use serde_json::Value;

/// Replaces `${NAME}` wherever the name is known; others stay as they are, so that shell variables survive.
pub(super) fn fill(text: &str, vars: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, found) = rest.split_at(at);
        out.push_str(before);
        let known = found.find('}').and_then(|end| Some((end, vars.get(&found[2..end])?)));
        match known {
            Some((end, value)) => {
                out.push_str(value);
                rest = &found[end + 1..];
            }
            None => {
                out.push_str("${");
                rest = &found[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// [`fill`] in every string of a value; `{"$number": "…"}` becomes a number.
pub(super) fn fill_value(value: &mut Value, vars: &BTreeMap<String, String>) {
    let number = value.get("$number").and_then(Value::as_str).and_then(|text| fill(text, vars).parse().ok());
    if let Some(number) = number {
        *value = Value::Number(number);
        return;
    }
    match value {
        Value::String(text) => *text = fill(text, vars),
        Value::Array(items) => items.iter_mut().for_each(|it| fill_value(it, vars)),
        Value::Object(map) => map.values_mut().for_each(|it| fill_value(it, vars)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_names_are_filled_and_others_stay() {
        let vars = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "${A}".to_owned())].into();
        let check = |text: &str, want: &str| assert_eq!(super::fill(text, &vars), want);
        check("x${A}y${A}", "x1y1");
        check("${B}", "${A}");
        check("${C} $A ${", "${C} $A ${");
        check("${X${A}", "${X1");
        let mut value = serde_json::json!({"at": {"$number": "${A}5"}, "not": {"$number": "${C}"}});
        super::fill_value(&mut value, &vars);
        assert_eq!(value, serde_json::json!({"at": 15, "not": {"$number": "${C}"}}));
    }
}
