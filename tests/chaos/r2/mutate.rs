//! Ways to spoil a line.

use serde_json::{Map, Value, json};

/// A recorded line, spoilt; `other` is another one, for those that mix two.
pub(super) fn any(line: &[u8], other: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let line = match rng.u32(..20) {
        0..=5 => bytes(line, other, rng),
        6..=10 => joined(line, other, rng),
        11..=18 => value(line, other, rng),
        _ => line.to_vec(),
    };
    // Once in a while twice.
    if rng.u32(..10) == 0 { bytes(&line, other, rng) } else { line }
}

fn bytes(line: &[u8], other: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut spoilt = line.to_vec();
    if spoilt.is_empty() {
        return spoilt;
    }
    let at = rng.usize(..spoilt.len());
    match rng.u32(..10) {
        0 => spoilt[at] ^= 1 << rng.u32(..8),
        1 => spoilt.truncate(at),
        2 => drop(spoilt.drain(..at)),
        3 => spoilt.insert(at, 0),
        4 => spoilt[at] = rng.u8(..),
        5 => drop(spoilt.splice(at..at, b"\xed\xa0\x80".iter().copied())), // half of a surrogate pair
        6 => drop(spoilt.splice(at..at, br"\ud83d".iter().copied())),
        7 => {
            let from = rng.usize(..=other.len());
            spoilt.truncate(at);
            spoilt.extend(&other[from..]);
        }
        8 => {
            for _ in 0..rng.usize(1..50) {
                let at = rng.usize(..spoilt.len());
                spoilt[at] = rng.u8(..);
            }
        }
        _ => drop(spoilt.splice(at..at, "\u{2028}\u{85}\u{1b}[31m\u{202e}".bytes())),
    }
    spoilt
}

fn joined(line: &[u8], other: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let parts: &[&[u8]] = match rng.u32(..9) {
        0 => &[line, b"\r"],
        1 => &[b"\xef\xbb\xbf", line],
        2 => &[line, other],
        3 => &[line, b" ", other],
        4 => &[b"[", line, b",", other, b"]"],
        5 => &[line, b"\n", line],
        6 => &[b"data: ", line],
        7 => &[b"\x1b[2K\r", line],
        _ => &[b"{\n", line, b"\n}"],
    };
    parts.concat()
}

/// Spoilt as JSON, which it stays.
fn value(line: &[u8], other: &[u8], rng: &mut fastrand::Rng) -> Vec<u8> {
    let Ok(Value::Object(mut object)) = serde_json::from_slice::<Value>(line) else { return line.to_vec() };
    let names: Vec<String> = object.keys().cloned().collect();
    let Some(name) = rng.choice(&names).cloned() else { return line.to_vec() };
    match rng.u32(..9) {
        0 => drop(object.remove(&name)),
        1 => drop(object.insert(name, odd(rng))),
        2 => drop(object.insert("type".to_owned(), json!(["new", "result", "", "error"][rng.usize(..4)]))),
        3 => return duplicate(&object, &name, rng),
        4 => {
            let deep = (0..rng.usize(1..200)).fold(odd(rng), |inner, _| json!([inner]));
            object.insert(name, deep);
        }
        5 => {
            let other = serde_json::from_slice(other).unwrap_or(Value::Null);
            object.insert(name, other);
        }
        6 => drop(object.insert(name, json!("x".repeat(rng.usize(1..100_000))))),
        _ => {
            let mut whole = Value::Object(object);
            inner(&mut whole, rng);
            return whole.to_string().into_bytes();
        }
    }
    Value::Object(object).to_string().into_bytes()
}

/// The same key twice.
fn duplicate(object: &Map<String, Value>, name: &str, rng: &mut fastrand::Rng) -> Vec<u8> {
    let text = Value::Object(object.clone()).to_string();
    format!("{{{}:{},{}", json!(name), odd(rng), &text[1..]).into_bytes()
}

/// Changes something further inside.
fn inner(value: &mut Value, rng: &mut fastrand::Rng) {
    if rng.u32(..4) == 0 {
        *value = odd(rng);
        return;
    }
    match value {
        Value::Object(members) if !members.is_empty() => {
            let at = rng.usize(..members.len());
            members.values_mut().skip(at).take(1).for_each(|member| inner(member, rng));
        }
        Value::Array(items) if !items.is_empty() => {
            let at = rng.usize(..items.len());
            inner(&mut items[at], rng);
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {
            *value = odd(rng);
        }
    }
}

/// A value where another kind is looked for.
fn odd(rng: &mut fastrand::Rng) -> Value {
    match rng.u32(..12) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(u64::MAX),
        4 => json!(1e308),
        5 => json!(""),
        6 => json!("\u{0}\u{1b}]0;title\u{7}"),
        7 => json!([]),
        8 => json!({}),
        9 => json!([[[null]]]),
        10 => json!({ "type": { "type": [] } }),
        _ => json!("9".repeat(400)),
    }
}
