//! Limits of values. They bound the memory of a run for any template.

use crate::value::Value;

/// Maximum memory of one value, in bytes (estimated): about twice the embeddings of a day at one each second.
pub const MAX_BYTES: usize = 256 << 20;
/// Maximum number of values inside one value: about a thousand scored labels for each second of half an hour.
pub const MAX_VALUES: usize = 2_000_000;
/// Maximum nesting of lists and records in a value. Values are walked by recursion, so the stack sets a limit.
pub const MAX_DEPTH: usize = 64;

/// The bytes, values and nesting levels that are left for a value under construction.
#[derive(Debug)]
pub struct Room {
    bytes: usize,
    values: usize,
    depth: usize,
}

impl Room {
    /// The full room of one value.
    #[allow(clippy::new_without_default, reason = "a default that refuses things would surprise")]
    pub fn new() -> Room {
        Room { bytes: MAX_BYTES, values: MAX_VALUES, depth: MAX_DEPTH }
    }

    /// Takes the room of one value without its content. Fails if too little is left.
    pub fn take(&mut self, value: &Value) -> Result<(), String> {
        let (bytes, values) = (self.bytes.checked_sub(own_bytes(value)), self.values.checked_sub(1));
        self.bytes = bytes.ok_or_else(|| format!("the value takes more than {} MiB", MAX_BYTES >> 20))?;
        self.values = values.ok_or_else(|| format!("the value holds more than {MAX_VALUES} values"))?;
        Ok(())
    }

    /// Takes the room of a value with all its content. Fails if too little is left.
    pub fn take_whole(&mut self, value: &Value) -> Result<(), String> {
        self.take(value)?;
        match value {
            Value::List(items) => self.inside(|room| items.iter().try_for_each(|item| room.take_whole(item))),
            Value::Record(fields) => self.inside(|room| fields.values().try_for_each(|item| room.take_whole(item))),
            _ => Ok(()),
        }
    }

    /// Runs `make` one nesting level deeper, for the content of a list or record. Fails below [`MAX_DEPTH`] levels.
    pub fn inside<T, E: From<String>>(&mut self, make: impl FnOnce(&mut Room) -> Result<T, E>) -> Result<T, E> {
        if self.depth == 0 {
            return Err(format!("the value is nested deeper than {MAX_DEPTH} levels").into());
        }
        self.depth -= 1;
        let made = make(self);
        self.depth += 1;
        made
    }
}

/// Bytes of memory of a value without its content (estimated). Media are shared and count as 0.
fn own_bytes(value: &Value) -> usize {
    let text = match value {
        Value::Text(text) => text.len(),
        Value::Moment(moment) => moment.text.as_ref().map_or(0, String::len),
        Value::Scored(scored) => scored.text.len(),
        Value::Vector(numbers) => size_of_val(numbers.as_slice()),
        Value::Record(fields) => fields.keys().map(|name| name.len() + size_of::<String>()).sum(),
        _ => 0,
    };
    size_of::<Value>() + text
}

impl Value {
    /// Bytes of memory of the value with its content (estimated).
    pub fn bytes(&self) -> usize {
        let inside: usize = match self {
            Value::List(items) => items.iter().map(Value::bytes).sum(),
            Value::Record(fields) => fields.values().map(Value::bytes).sum(),
            _ => 0,
        };
        own_bytes(self) + inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_bounded_in_size_and_depth() {
        let check = |value: &Value| Room::new().take_whole(value).is_ok();
        let nested = |depth: usize| (0..depth).fold(Value::Nothing, |value, _| Value::List(vec![value]));
        assert!(check(&nested(MAX_DEPTH)));
        assert!(!check(&nested(MAX_DEPTH + 1)));
        assert!(check(&Value::Text("x".repeat(1 << 20))));
        assert!(!check(&Value::List(vec![Value::Text("x".repeat(8 << 20)); 33])));
        assert!(Value::Text("x".repeat(1000)).bytes() >= 1000);
    }
}
