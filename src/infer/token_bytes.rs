//! The bytes of each token, as the tokenizer's decoder writes them.

use super::text::TextTokenizer;
use serde_json::Value as Json;

/// Maximum number of token ids of a model.
const MAX_TOKENS: usize = 1 << 22;

/// The way in which a decoder turns the text of a token into bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Spelling {
    /// GPT-2's: each character encodes one byte.
    ByteLevel,
    /// SentencePiece's: this character is a space, and `<0x0A>` is a byte.
    Pieces(String),
}

impl TextTokenizer {
    /// The bytes of each token. Added tokens (special ones, and those that the tokenizer looks for before it
    /// splits) have none, because a restricted reply must not contain them. Fails for tokenizers whose tokens have no
    /// bytes of their own.
    pub(super) fn token_bytes(&self) -> Result<Vec<Vec<u8>>, String> {
        let tokenizer = self.tokenizer();
        let decoder = tokenizer.get_decoder().map(serde_json::to_value).transpose().map_err(|e| e.to_string())?;
        let decoder = decoder.unwrap_or(Json::Null);
        let spelling = spelling(&decoder).ok_or_else(|| {
            let kind = decoder["type"].as_str().unwrap_or("none");
            format!("the tokenizer's decoder ({kind}) gives tokens no bytes of their own; byte-level BPE and SentencePiece do")
        })?;
        let added = tokenizer.get_added_tokens_decoder();
        let vocabulary = tokenizer.get_vocab(false);
        let last = vocabulary.values().copied().filter(|id| (*id as usize) < MAX_TOKENS).max().unwrap_or(0);
        let mut bytes = vec![Vec::new(); last as usize + 1];
        for (text, id) in vocabulary {
            if let Some(place) = bytes.get_mut(id as usize)
                && !added.contains_key(&id)
            {
                *place = spelling.bytes(&text);
            }
        }
        Ok(bytes)
    }
}

/// The spelling of a decoder from `tokenizer.json`.
fn spelling(decoder: &Json) -> Option<Spelling> {
    let parts = match decoder["type"].as_str()? {
        "Sequence" => decoder["decoders"].as_array()?.iter().collect(),
        _ => vec![decoder],
    };
    let of = |kind: &str| parts.iter().find(|part| part["type"] == kind);
    if of("ByteLevel").is_some() {
        return Some(Spelling::ByteLevel);
    }
    if let Some(metaspace) = of("Metaspace") {
        return Some(Spelling::Pieces(metaspace["replacement"].as_str()?.to_owned()));
    }
    let replaced = of("Replace").filter(|part| part["content"] == " ");
    let space = replaced.and_then(|part| part["pattern"]["String"].as_str());
    (space.is_some() || of("ByteFallback").is_some()).then(|| Spelling::Pieces(space.unwrap_or("\u{2581}").to_owned()))
}

impl Spelling {
    /// The bytes of a token; none if it cannot be spelt.
    fn bytes(&self, token: &str) -> Vec<u8> {
        match self {
            Spelling::ByteLevel => token.chars().map(byte_of).collect::<Option<_>>().unwrap_or_default(),
            Spelling::Pieces(space) => {
                let byte = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
                match byte.filter(|hex| hex.len() == 2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    Some(byte) => vec![byte],
                    None => token.replace(space.as_str(), " ").into_bytes(),
                }
            }
        }
    }
}

/// The byte that a character of GPT-2's alphabet encodes. Printable characters of Latin-1 encode themselves, and
/// the other bytes have the characters from U+0100 on, in order.
fn byte_of(letter: char) -> Option<u8> {
    let is_own = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    match u32::from(letter) {
        code @ 0..=0xff => u8::try_from(code).ok().filter(|byte| is_own(*byte)),
        code => (0..=u8::MAX).filter(|byte| !is_own(*byte)).nth(usize::try_from(code - 0x100).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_become_bytes() {
        let check = |decoder: Json, token: &str, expected: &[u8]| {
            assert_eq!(spelling(&decoder).expect("a spelling").bytes(token), expected, "{decoder} {token}");
        };
        let bytes = json!({"type": "ByteLevel"});
        check(bytes.clone(), "Ġa", b" a");
        check(bytes.clone(), "Ċ", b"\n");
        check(bytes.clone(), "Ã©", "é".as_bytes());
        check(bytes, "▁", b"");
        let pieces = json!({"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"}]});
        check(pieces.clone(), "▁the", b" the");
        check(pieces.clone(), "<0x0A>", b"\n");
        check(pieces, "é", "é".as_bytes());
        check(json!({"type": "Metaspace", "replacement": "_"}), "_a", b" a");
        assert_eq!(spelling(&json!({"type": "WordPiece"})), None);
        let all: Vec<u8> = (0..0x180).filter_map(char::from_u32).filter_map(byte_of).collect();
        assert_eq!(all.len(), 256, "every byte has one character");
    }
}
