//! The JSON files of a checkpoint, read key by key. Every value has a type and a range. A value of another type or
//! outside of its range is an error with the file, the key and the value. An absent key, or `null`, has the default
//! that its reader states.

use crate::error::Fault;
use serde_json::Value as Json;
use std::{fmt::Display, ops::RangeInclusive};

type Result<T> = std::result::Result<T, Fault>;

/// Ranges that several files and families share. They are far above every published model, and their products fit in
/// memory and in 64 bits: a number beyond them is a damaged or hostile file.
pub mod within {
    use std::ops::RangeInclusive;

    /// Width of a layer.
    pub const WIDTH: RangeInclusive<usize> = 1..=1 << 20;
    /// Number of layers.
    pub const LAYERS: RangeInclusive<usize> = 1..=1 << 12;
    /// Number of attention heads, and the width of one.
    pub const HEADS: RangeInclusive<usize> = 1..=1 << 16;
    /// Number of tokens of a vocabulary.
    pub const VOCABULARY: RangeInclusive<usize> = 1..=1 << 24;
    /// Number of classes of a classifier. The largest published ones have some 200,000.
    pub const CLASSES: RangeInclusive<usize> = 1..=1 << 18;
    /// Number of positions.
    pub const POSITIONS: RangeInclusive<usize> = 1..=1 << 24;
    /// Number of tokens of a text; 0 turns the setting off.
    pub const TOKENS: RangeInclusive<usize> = 0..=1 << 24;
    /// Pixels of a picture's side, and of a patch's.
    pub const SIDE: RangeInclusive<usize> = 1..=1 << 14;
    /// The addend of a norm that prevents division by zero.
    pub const EPSILON: RangeInclusive<f64> = 0.0..=1.0;
}

/// A JSON object of a checkpoint.
#[derive(Debug, Clone)]
pub struct Config {
    name: String,
    json: Json,
    /// The file's own name of a key, where it differs.
    alias: Alias,
}

/// Names of keys in a file that has other names than `config.json`.
#[derive(Debug, Clone)]
pub struct Alias {
    /// The beginning of each name that `name` gives with a leading dot.
    pub prefix: String,
    /// The file's name of a key of `config.json`, if it differs.
    pub name: fn(&str) -> Option<&'static str>,
}

impl Alias {
    fn none() -> Alias {
        Alias { prefix: String::new(), name: |_| None }
    }

    /// The file's name of `key` as an error shows it, or an empty text.
    fn shown(&self, key: &str) -> String {
        match (self.name)(key) {
            Some(name) if name.starts_with('.') => format!(" (`{}{name}`)", self.prefix),
            Some(name) => format!(" (`{name}`)"),
            None => String::new(),
        }
    }
}

impl Config {
    /// A configuration from `json`; errors show `name`.
    pub fn new(name: &str, json: Json) -> Config {
        Config { name: name.to_owned(), json, alias: Alias::none() }
    }

    /// The same configuration, of a file with other names of keys: errors show both names.
    #[must_use]
    pub fn with_alias(self, alias: Alias) -> Config {
        Config { alias, ..self }
    }

    /// An empty object, so that all defaults apply.
    pub fn empty(name: &str) -> Config {
        Config::new(name, Json::Object(Default::default()))
    }

    /// The name that errors show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if the object has no key.
    pub fn is_empty(&self) -> bool {
        self.json.as_object().is_none_or(serde_json::Map::is_empty)
    }

    /// The value at `key`, unless it is absent or null.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.json.get(key).filter(|v| !v.is_null())
    }

    /// True if the file has `key`, even as null. Some families read null and an absent key differently.
    pub fn states(&self, key: &str) -> bool {
        self.json.get(key).is_some()
    }

    /// The keys of the object.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.json.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str))
    }

    /// The error for a value that differs from `expected`.
    pub fn wrong(&self, key: &str, expected: impl Display, found: &Json) -> Fault {
        const SHOWN_CHARS: usize = 60;
        let found = found.to_string();
        let cut: String = found.chars().take(SHOWN_CHARS).collect();
        let more = if cut.len() < found.len() { "…" } else { "" };
        let alias = self.alias.shown(key);
        Fault::model(format!("{}: `{key}`{alias} must be {expected}, found {cut}{more}", self.name))
    }

    /// The error for a value that changes the computation in a way that is not supported.
    pub fn unsupported(&self, key: &str) -> Fault {
        let value = self.get(key).map(ToString::to_string).unwrap_or_default();
        let cut: String = value.chars().take(60).collect();
        Fault::model(format!("{}: `{key}`{} {cut} is not supported", self.name, self.alias.shown(key)))
    }

    /// The error for a key that must be there.
    fn lacking(&self, key: &str) -> Fault {
        let alias = self.alias.shown(key);
        Fault::model(format!("{} lacks `{key}`{alias}", self.name))
    }

    /// The value at `key`, converted by `read`. If `read` gives none, the error names `expected`.
    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: impl Display,
        read: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.wrong(key, expected, value))
    }

    /// The object at `key`, or an empty one.
    pub fn part(&self, key: &str) -> Result<Config> {
        let json = self.typed(key, "an object", |v| v.is_object().then(|| v.clone()))?;
        let name = format!("{}: {key}", self.name);
        Ok(Config { name, json: json.unwrap_or_else(|| Json::Object(Default::default())), alias: self.alias.clone() })
    }

    /// A whole number within a range.
    pub fn count(&self, key: &str, range: RangeInclusive<usize>) -> Result<Option<usize>> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.typed(key, expected, |v| whole(v).and_then(|n| usize::try_from(n).ok()).filter(|n| range.contains(n)))
    }

    /// A required whole number within a range.
    pub fn size(&self, key: &str, range: RangeInclusive<usize>) -> Result<usize> {
        self.count(key, range)?.ok_or_else(|| self.lacking(key))
    }

    /// A number of attention heads, which must divide `width`.
    pub fn heads(&self, key: &str, default: usize, width: usize) -> Result<usize> {
        let heads = self.count(key, within::HEADS)?.unwrap_or(default);
        if width.is_multiple_of(heads) {
            return Ok(heads);
        }
        Err(Fault::model(format!("{}: the width {width} is not divisible by `{key}` {heads}", self.name)))
    }

    /// A number within a range.
    pub fn number(&self, key: &str, range: RangeInclusive<f64>) -> Result<Option<f64>> {
        let expected = format!("a number from {} to {}", plain(*range.start()), plain(*range.end()));
        self.typed(key, expected, |v| v.as_f64().filter(|n| range.contains(n)))
    }

    /// Text.
    pub fn string(&self, key: &str) -> Result<Option<&str>> {
        self.typed(key, "text", Json::as_str)
    }

    /// True or false.
    pub fn truth(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", Json::as_bool)
    }

    /// A list.
    pub fn list(&self, key: &str) -> Result<&[Json]> {
        let list = self.typed(key, "a list", |v| v.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    /// A required list of `length` numbers within a range.
    pub fn numbers(&self, key: &str, range: RangeInclusive<f64>, length: usize) -> Result<Vec<f32>> {
        let expected = format!("a list of {length} numbers from {} to {}", plain(*range.start()), plain(*range.end()));
        let number = |v: &Json| v.as_f64().filter(|n| range.contains(n)).map(|n| n as f32);
        let read =
            |v: &Json| v.as_array()?.iter().map(number).collect::<Option<Vec<f32>>>().filter(|l| l.len() == length);
        self.typed(key, &expected, read)?.ok_or_else(|| self.wrong(key, &expected, &Json::Null))
    }

    /// A token id below `vocabulary`. Many files write -1 for none.
    pub fn token(&self, key: &str, vocabulary: usize) -> Result<Option<u32>> {
        if self.get(key).and_then(Json::as_i64) == Some(-1) {
            return Ok(None);
        }
        self.typed(key, format!("a token id below {vocabulary}"), |v| token(v, vocabulary))
    }

    /// Token ids below `vocabulary`: a single id or a list.
    pub fn tokens(&self, key: &str, vocabulary: usize) -> Result<Vec<u32>> {
        let Some(Json::Array(ids)) = self.get(key) else {
            return Ok(self.token(key, vocabulary)?.into_iter().collect());
        };
        let ids = ids.iter().filter(|id| id.as_i64() != Some(-1));
        ids.map(|id| {
            token(id, vocabulary).ok_or_else(|| self.wrong(key, format!("a list of token ids below {vocabulary}"), id))
        })
        .collect()
    }

    /// An object of names and token ids below `vocabulary`.
    pub fn token_map(&self, key: &str, vocabulary: usize) -> Result<Vec<(String, u32)>> {
        let map = self.typed(key, "an object of token ids", Json::as_object)?;
        let one = |(name, id): (&String, &Json)| {
            let expected = || format!("an object of token ids below {vocabulary}");
            Ok((name.clone(), token(id, vocabulary).ok_or_else(|| self.wrong(key, expected(), id))?))
        };
        map.into_iter().flatten().map(one).collect()
    }

    /// Three numbers within a range, or one number for all three.
    pub fn triple(&self, key: &str, range: RangeInclusive<f64>) -> Result<Option<[f32; 3]>> {
        let number = |v: &Json| v.as_f64().filter(|n| range.contains(n)).map(|n| n as f32);
        let expected = format!("three numbers from {} to {}", range.start(), range.end());
        self.typed(key, expected, |v| match v.as_array() {
            Some(list) => list.iter().map(number).collect::<Option<Vec<f32>>>()?.try_into().ok(),
            None => number(v).map(|one| [one; 3]),
        })
    }

    /// A special token's text: a string, or an object with `content`.
    pub fn special(&self, key: &str) -> Result<Option<String>> {
        let read = |v: &Json| v.as_str().or_else(|| v.get("content").and_then(Json::as_str)).map(str::to_owned);
        // Some files write `false` for none.
        if self.get(key) == Some(&Json::Bool(false)) {
            return Ok(None);
        }
        self.typed(key, "a token's text", read)
    }

    /// The activation function at `key`.
    pub fn activation(&self, key: &str, default: &str) -> Result<super::ops::Activation> {
        let named = super::ops::Activation::named(self.string(key)?.unwrap_or(default));
        named.map_err(|why| Fault::model(format!("{}: `{key}`: {why}", self.name)))
    }

    /// True if `model_type` is one of `types`. Without a `model_type`, a name in `architectures` must start with one of `prefixes`.
    pub fn is_type(&self, types: &[&str], prefixes: &[&str]) -> bool {
        if let Some(stated) = self.get("model_type") {
            return stated.as_str().is_some_and(|stated| types.contains(&stated));
        }
        let names = self.get("architectures").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        names.into_iter().any(|n| prefixes.iter().any(|p| n.starts_with(p)))
    }
}

/// A whole number that is not negative. Some files write it with a decimal point (`512.0`).
fn whole(value: &Json) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: floats hold every whole number up to it
    let written = value.as_f64().filter(|n| n.fract() == 0.0 && (0.0..EXACT).contains(n));
    value.as_u64().or_else(|| written.map(|n| n as u64))
}

/// A bound as an error shows it.
fn plain(number: f64) -> String {
    if number.abs() < 1e16 { number.to_string() } else { format!("{number:e}") }
}

/// A token id below `vocabulary`.
pub(super) fn token(value: &Json, vocabulary: usize) -> Option<u32> {
    whole(value).and_then(|n| u32::try_from(n).ok()).filter(|n| (*n as usize) < vocabulary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(json: Json) -> Config {
        Config::new("config.json", json)
    }

    #[test]
    fn a_number_outside_its_range_is_refused_with_its_key() {
        let check = |json: Json| config(json).count("n_fft", 16..=4096).map_err(|e| e.to_string());
        assert_eq!(check(json!({})), Ok(None));
        assert_eq!(check(json!({"n_fft": null})), Ok(None));
        assert_eq!(check(json!({"n_fft": 400})), Ok(Some(400)));
        assert_eq!(check(json!({"n_fft": 400.0})), Ok(Some(400)));
        for bad in
            [json!("x"), json!(-1), json!(0), json!(400.5), json!(1e30), json!(u64::MAX), json!([400]), json!(true)]
        {
            let expected = format!("config.json: `n_fft` must be a whole number from 16 to 4096, found {bad}");
            assert_eq!(check(json!({"n_fft": bad})), Err(expected));
        }
        let long = config(json!({"n_fft": "x".repeat(9999)})).count("n_fft", 1..=2).expect_err("refused").to_string();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_refused() {
        let text = json!({"x": "y", "o": {"de": -3}, "l": ["a"]});
        let check = |read: fn(&Config) -> Result<()>, expected: &str| {
            assert_eq!(
                read(&config(text.clone())).expect_err("refused").to_string(),
                format!("config.json: {expected}")
            );
        };
        check(|c| c.number("x", 0.0..=1.0).map(drop), "`x` must be a number from 0 to 1, found \"y\"");
        check(|c| c.truth("x").map(drop), "`x` must be true or false, found \"y\"");
        check(|c| c.string("o").map(drop), "`o` must be text, found {\"de\":-3}");
        check(|c| c.part("x").map(drop), "`x` must be an object, found \"y\"");
        check(|c| c.list("x").map(drop), "`x` must be a list, found \"y\"");
        check(|c| c.token("x", 9).map(drop), "`x` must be a token id below 9, found \"y\"");
        check(|c| c.tokens("l", 9).map(drop), "`l` must be a list of token ids below 9, found \"a\"");
        check(|c| c.token_map("o", 9).map(drop), "`o` must be an object of token ids below 9, found -3");
        check(|c| c.triple("l", 0.0..=1.0).map(drop), "`l` must be three numbers from 0 to 1, found [\"a\"]");
        check(|c| c.special("l").map(drop), "`l` must be a token's text, found [\"a\"]");
    }

    #[test]
    fn minus_one_means_no_token() {
        let config = config(json!({"a": -1, "b": [-1, 3], "c": [9]}));
        assert_eq!(config.token("a", 9).expect("read"), None);
        assert_eq!(config.tokens("b", 9).expect("read"), [3]);
        assert!(config.tokens("c", 9).is_err());
    }
}
