//! The metadata of a GGUF file, read with a type.

use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;

/// The metadata of a file; all keys get a prefix. A value of another type than requested is an error.
pub(super) struct Meta<'a> {
    pub(super) values: &'a HashMap<String, Value>,
    pub(super) prefix: String,
}

impl<'a> Meta<'a> {
    fn typed<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let key = format!("{}{key}", self.prefix);
        let Some(value) = self.values.get(&key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| format!("states `{key}` as {}; it must be {expected}", shown(value)))
    }
    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, String> {
        self.typed(key, "text", |v| v.to_string().ok().map(String::as_str))
    }
    pub(super) fn truth(&self, key: &str) -> Result<Option<bool>, String> {
        self.typed(key, "true or false", |v| v.to_bool().ok())
    }
    pub(super) fn count(&self, key: &str) -> Result<Option<u64>, String> {
        self.typed(key, "a whole number", whole)
    }
    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, String> {
        self.typed(key, "a number", |v| number(v).filter(|n| n.is_finite()))
    }
    pub(super) fn list<T>(
        &self,
        key: &str,
        of: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, String> {
        self.typed(key, &format!("a list of {of}"), |v| v.to_vec().ok()?.iter().map(read).collect())
    }
    pub(super) fn texts(&self, key: &str) -> Result<Option<Vec<&'a str>>, String> {
        self.list(key, "texts", |v| v.to_string().ok().map(String::as_str))
    }
}

/// A value as an error shows it.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::String(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
        Value::Bool(truth) => truth.to_string(),
        other => number(other).map_or_else(|| format!("{other:?}"), |n| n.to_string()),
    }
}

/// A whole number of any width that is not negative.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::I8(n) => u64::try_from(*n).ok(),
        Value::I16(n) => u64::try_from(*n).ok(),
        Value::I32(n) => u64::try_from(*n).ok(),
        Value::I64(n) => u64::try_from(*n).ok(),
        Value::Bool(_) => None,
        other => other.to_u64().ok(),
    }
}

/// Any number.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::F32(n) => Some(f64::from(*n)),
        Value::F64(n) => Some(*n),
        Value::I8(n) => Some(f64::from(*n)),
        Value::I16(n) => Some(f64::from(*n)),
        Value::I32(n) => Some(f64::from(*n)),
        Value::I64(n) => Some(*n as f64),
        other => whole(other).map(|n| n as f64),
    }
}
