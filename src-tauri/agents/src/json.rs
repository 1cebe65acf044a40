//! JSON of a bounded number of values: eight megabytes of `1,1,1,…` would be more than a hundred of memory.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Values in one line. The largest seen in a real one were some hundreds; claude's whole run in one array has a few for
/// each of its events.
const MOST: usize = 500_000;

/// The value that these bytes are, when they are JSON and nothing else; an error as well for too many values.
pub(crate) fn of_slice(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let left = Cell::new(MOST);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = (&mut json).deserialize_any(Bounded(&left))?;
    json.end()?;
    Ok(value)
}

/// Reads as `Value` does, and counts.
struct Bounded<'a>(&'a Cell<usize>);

impl Bounded<'_> {
    fn count<E: Error>(&self) -> Result<(), E> {
        let left = self.0.get().checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        self.0.set(left);
        Ok(())
    }

    fn one<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.count()?;
        Ok(value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.one(value)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.one(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.count()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(Bounded(self.0))? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.count()?;
        let mut members = Map::new();
        while let Some(name) = from.next_key()? {
            members.insert(name, from.next_value_seed(Bounded(self.0))?);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_as_without_bound() {
        for text in [
            "null",
            "true",
            "-1",
            "1.5e300",
            "18446744073709551615",
            "-9223372036854775808",
            "1e400",
            "\"a\\u0000\\n\"",
            "[]",
            "[1,[2,{\"a\":[null]}],\"x\"]",
            "{\"a\":1,\"a\":2}",
            "{\"a\":{\"b\":[]}} ",
            "{} {}",
            "{",
            "[1,]",
            "",
            "nul",
            "\"\\ud800\"",
            "12345678901234567890123",
        ] {
            let plain = serde_json::from_slice::<Value>(text.as_bytes());
            assert_eq!(of_slice(text.as_bytes()).ok(), plain.ok(), "{text}");
        }
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(of_slice(deep.as_bytes()).is_err(), "as deep as serde_json reads, no deeper");
    }

    #[test]
    fn too_many_values_are_refused() {
        let of = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
        assert!(of_slice(of(MOST - 1).as_bytes()).is_ok());
        assert!(of_slice(of(MOST).as_bytes()).is_err());
    }
}
