//! Completes a reply that has begun: a parser over single bytes, and a search for a short continuation that ends it.

use super::{Restriction, byte_parsers, track::Track};
use llguidance::{Matcher, toktrie::SimpleVob};
use std::collections::HashSet;

/// The maximum bytes of a completion.
const MAX_BYTES: usize = 4096;
/// The maximum states at one distance that the search keeps.
const BEAM: usize = 24;
/// The maximum steps of one search.
const STEPS: usize = 2_000;
/// More allowed bytes than this are searched by representatives.
const MANY: usize = 64;

/// A text that is being written under a restriction, byte by byte.
#[derive(Clone)]
pub struct Closer {
    matcher: Matcher,
    /// What is known of a JSON text besides its grammar.
    track: Option<Track>,
}

impl std::fmt::Debug for Closer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Closer").field("track", &self.track).finish_non_exhaustive()
    }
}

impl Closer {
    /// An empty text. Fails if the restriction cannot be used.
    pub fn new(restriction: Restriction<'_>) -> Result<Closer, String> {
        let matcher = Matcher::new(Ok(restriction.parser(byte_parsers()?)?));
        let track = match restriction {
            Restriction::Schema(schema) => Some(Track::new(schema)),
            Restriction::Regex(_) => None,
        };
        Ok(Closer { matcher, track })
    }

    /// Appends bytes. Gives false if the restriction forbids them.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let tokens: Vec<u32> = bytes.iter().map(|byte| u32::from(*byte)).collect();
        self.track.as_mut().is_none_or(|track| bytes.iter().all(|byte| track.push(*byte)))
            && self.matcher.try_consume_tokens(&tokens).is_ok_and(|taken| taken == bytes.len())
    }

    /// True if the text can end here.
    pub fn is_complete(&mut self) -> bool {
        self.matcher.is_accepting().unwrap_or(false)
    }

    /// True if the next byte of a JSON text is outside of a string.
    pub fn is_outside(&self) -> bool {
        self.track.as_ref().is_some_and(Track::is_outside)
    }

    /// True after a digit outside of a string.
    pub fn is_in_number(&self) -> bool {
        self.track.as_ref().is_some_and(Track::is_in_number)
    }

    /// The number of quotes after which a name of an object may repeat; `None` if none can.
    pub fn quotes_until_name(&self) -> Option<usize> {
        self.track.as_ref().and_then(Track::quotes_until_name)
    }

    /// False if a name repeats or a number becomes too long with `bytes`. The grammar is not asked.
    pub fn tracks(&self, bytes: &[u8]) -> bool {
        let track = self.track.clone();
        track.is_none_or(|mut track| bytes.iter().all(|byte| track.push(*byte)))
    }

    /// True if `text` fits as a whole.
    pub fn accepts(&self, text: &str) -> bool {
        let mut copy = self.clone();
        copy.push(text.as_bytes()) && copy.is_complete()
    }

    /// True if the text is complete after `rest`.
    pub fn completes_with(&self, rest: &[u8]) -> bool {
        let mut copy = self.clone();
        copy.push(rest) && copy.is_complete()
    }

    /// A short continuation that completes the text; `None` if the search finds none.
    pub fn completion(&self) -> Option<Vec<u8>> {
        self.straight().or_else(|| self.searched(MAX_BYTES))
    }

    /// A continuation that is shorter than `length` bytes, if the search finds one.
    pub fn shorter(&self, length: usize) -> Option<Vec<u8>> {
        self.searched(length.checked_sub(1)?)
    }

    /// The continuation that always closes what is open first.
    fn straight(&self) -> Option<Vec<u8>> {
        let (mut copy, mut path) = (self.clone(), Vec::new());
        while !copy.is_complete() {
            if path.len() >= MAX_BYTES {
                return None;
            }
            let byte = copy.closing_byte()?;
            if !copy.push(&[byte]) {
                return None;
            }
            path.push(byte);
        }
        Some(path)
    }

    /// The bytes that may follow.
    fn allowed(&mut self) -> Option<SimpleVob> {
        if self.matcher.is_stopped() {
            return None;
        }
        let mut allowed = self.matcher.compute_mask().ok()?;
        for byte in [b'"'].into_iter().chain(b'0'..=b'9') {
            if allowed.is_allowed(u32::from(byte)) && !self.tracks(&[byte]) {
                allowed.disallow_token(u32::from(byte));
            }
        }
        Some(allowed)
    }

    /// The byte that leads to the end most directly, as far as one step shows.
    fn closing_byte(&mut self) -> Option<u8> {
        let order: &[u8] = match self.track.as_ref().map(Track::is_outside) {
            Some(true) => b"}],:\"0123456789.ntfe-[{",
            Some(false) => b"\"0a",
            None => b"",
        };
        let allowed = self.allowed()?;
        let open = |byte: &u8| allowed.is_allowed(u32::from(*byte));
        order.iter().copied().find(open).or_else(|| (0x20..=0xff).chain(0..0x20).find(open))
    }

    /// The shortest continuation of at most `most` bytes that a search of limited width and work finds.
    fn searched(&self, most: usize) -> Option<Vec<u8>> {
        let mut steps = 0;
        let mut edge = vec![(self.clone(), Vec::new())];
        if edge[0].0.is_complete() {
            return Some(Vec::new());
        }
        for _ in 0..most {
            let (mut next, mut seen) = (Vec::new(), HashSet::new());
            for (state, path) in &mut edge {
                let Some(allowed) = state.allowed() else { continue };
                for byte in candidates(&allowed) {
                    steps += 1;
                    if steps > STEPS {
                        return None;
                    }
                    let mut child = state.clone();
                    if !child.push(&[byte]) {
                        continue;
                    }
                    let path = [path.as_slice(), &[byte]].concat();
                    if child.is_complete() {
                        return Some(path);
                    }
                    // states that allow the same bytes are taken for equal
                    let Some(allowed) = child.allowed() else { continue };
                    if seen.insert((child.track.as_ref().map(Track::place), allowed.as_slice().to_vec()))
                        && next.len() < BEAM
                    {
                        next.push((child, path));
                    }
                }
            }
            edge = next;
            if edge.is_empty() {
                return None;
            }
        }
        None
    }
}

/// The bytes that a search tries: all, or of many the first of each group that usually behaves alike.
fn candidates(allowed: &SimpleVob) -> Vec<u8> {
    let open: Vec<u8> = (0..=255).filter(|byte| allowed.is_allowed(u32::from(*byte))).collect();
    if open.len() <= MANY {
        return open;
    }
    let group = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        0x80..=0xbf => 3,
        0xc0..=0xff => 4,
        0..=0x1f | 0x7f => 5,
        // each mark may end something
        mark => u16::from(mark) + 8,
    };
    let mut groups = HashSet::new();
    open.into_iter().filter(|byte| groups.insert(group(*byte))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    /// Checks that the completion of `begun` gives a whole text, and its length.
    fn check(restriction: Restriction<'_>, begun: &str, expected: &str) {
        let mut closer = Closer::new(restriction).expect("a restriction");
        assert!(closer.push(begun.as_bytes()), "{begun}");
        let rest = closer.completion().map(|rest| String::from_utf8(rest).expect("text"));
        let rest = rest.unwrap_or_else(|| panic!("{restriction:?} after {begun}: no completion"));
        assert!(Closer::new(restriction).expect("again").accepts(&format!("{begun}{rest}")), "{begun}{rest}");
        assert_eq!(rest, expected, "{restriction:?} after {begun}");
    }

    #[test]
    fn what_is_open_is_closed() {
        let person: Json = json!({"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"},
            "tags": {"type": "array", "items": {"type": "string"}}}, "required": ["name", "age"]});
        let schema = Restriction::Schema(&person);
        check(schema, "", r#"{"name":"","age":0}"#);
        check(schema, r#"{"name":"A"#, r#"","age":0}"#);
        check(schema, r#"{"name":"A\"#, r#""","age":0}"#);
        check(schema, r#"{"name":"","age":0,"tags":["a"#, r#""]}"#);
        check(schema, r#"{"name":"","age":-"#, "0}");
        let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
            "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["left"]}}});
        check(Restriction::Schema(&tree), r#"{"left":{"left":"#, "null}}");
        let text = json!({"type": "string", "minLength": 3, "pattern": "^[},]*x"});
        check(Restriction::Schema(&text), "\"}", ",x\"");
        let open = json!({"type": "object", "additionalProperties": {"type": "integer"}});
        check(Restriction::Schema(&open), r#"{"a":1,"a"#, r#"0":0}"#);
        let three = json!({"type": "object", "patternProperties": {"^[a-c]$": {"type": "integer"}},
            "additionalProperties": false, "minProperties": 3});
        for begun in ["", r#"{"c":"#, r#"{"b":1,""#] {
            let mut closer = Closer::new(Restriction::Schema(&three)).expect("a schema");
            assert!(closer.push(begun.as_bytes()), "{begun}");
            let rest = String::from_utf8(closer.completion().expect("a completion")).expect("text");
            let whole: Json = serde_json::from_str(&format!("{begun}{rest}")).expect("JSON");
            assert_eq!(whole.as_object().map(serde_json::Map::len), Some(3), "{begun}{rest}");
        }
    }

    #[test]
    fn regular_expressions_are_completed() {
        check(Restriction::Regex("[0-9]*abc"), "12", "abc");
        check(Restriction::Regex(r"[0-9]{2}:[0-9]{2}"), "1", "0:00");
        check(Restriction::Regex("(yes|no)"), "", "no");
        check(Restriction::Regex("a+"), "aa", "");
    }
}
