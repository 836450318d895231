//! SentencePiece files (`spiece.model`) as `tokenizer.json`: a protocol buffer with the pieces, their scores and the
//! table of the normalizer. Only unigram models are read (Kudo 2018, arXiv 1804.10959).
//!
//! The fields are those of `sentencepiece_model.proto`. A reader of five fields is smaller than a library for protocol
//! buffers, and a damaged file costs no more than its own length.

use super::growth::MAX_PIECE_BYTES;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

/// Types of a piece, as the file numbers them.
const UNKNOWN: u64 = 2;
const CONTROL: u64 = 3;
const UNUSED: u64 = 5;
const BYTE: u64 = 6;

/// The maximum number of pieces; Gemma's vocabulary has 262,144.
const MAX_PIECES: usize = 1 << 19;

/// The value of a field.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// A 32-bit number.
    Fixed(u32),
}

/// The fields of a message, with their numbers. The error is a message that follows the file's name.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<(u64, Field<'_>), String>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field.ok_or_else(|| "is not a SentencePiece model, or is truncated".to_owned()))
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = number(rest)?;
    let value = match tag & 7 {
        0 => Field::Number(number(rest)?),
        1 => {
            *rest = rest.get(8..)?;
            Field::Number(0)
        }
        2 => {
            let length = usize::try_from(number(rest)?).ok()?;
            let bytes = rest.get(..length)?;
            *rest = &rest[length..];
            Field::Bytes(bytes)
        }
        5 => {
            let (bytes, after) = rest.split_first_chunk::<4>()?;
            *rest = after;
            Field::Fixed(u32::from_le_bytes(*bytes))
        }
        _ => return None,
    };
    Some((tag >> 3, value))
}

/// A number of variable length: seven bits in each byte, lowest first.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The pieces of a file and its table of characters.
#[derive(Debug, Default, PartialEq)]
pub struct Pieces {
    /// Text, score and type, by id.
    pieces: Vec<(String, f32, u64)>,
    /// The table that replaces characters; empty if there is none.
    charsmap: Vec<u8>,
}

impl Pieces {
    /// Reads a file. The error is a message that follows the file's name.
    pub fn read(bytes: &[u8]) -> Result<Pieces, String> {
        let mut all = Pieces::default();
        for found in fields(bytes) {
            match found? {
                (1, Field::Bytes(_)) if all.pieces.len() == MAX_PIECES => {
                    return Err(format!("holds more than {MAX_PIECES} pieces"));
                }
                (1, Field::Bytes(piece)) => all.pieces.push(read_piece(piece)?),
                (2, Field::Bytes(trainer)) => check_kind(trainer)?,
                (3, Field::Bytes(normalizer)) => {
                    for found in fields(normalizer) {
                        if let (2, Field::Bytes(table)) = found? {
                            all.charsmap = table.to_vec();
                        }
                    }
                }
                _ => {}
            }
        }
        if all.pieces.is_empty() { Err("holds no pieces".to_owned()) } else { Ok(all) }
    }

    /// The id of a piece.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.pieces.iter().position(|(text, ..)| text == piece).and_then(|n| u32::try_from(n).ok())
    }

    /// The tokenizer of a text without a space added before it. Runs of spaces become one, and spaces at the end go, as
    /// in SentencePiece. Its parts are those of the library `tokenizers`.
    pub fn tokenizer(&self) -> Json {
        let spaces = |pattern: Json, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
        let mut steps = vec![
            spaces(json!({"Regex": " {2,}"}), " "),
            json!({"type": "Strip", "strip_left": false, "strip_right": true}),
            spaces(json!({"String": " "}), "\u{2581}"),
        ];
        if !self.charsmap.is_empty() {
            let table = STANDARD.encode(&self.charsmap);
            steps.insert(0, json!({"type": "Precompiled", "precompiled_charsmap": table}));
        }
        let unknown = self.pieces.iter().position(|(.., kind)| *kind == UNKNOWN);
        let bytes = self.pieces.iter().any(|(.., kind)| *kind == BYTE);
        let vocab: Vec<Json> = self.pieces.iter().enumerate().map(|(id, piece)| vocab_entry(id, piece)).collect();
        json!({"version": "1.0", "added_tokens": [],
            "normalizer": {"type": "Sequence", "normalizers": steps},
            "model": {"type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": bytes}})
    }
}

/// A piece with its score. A piece that no text may match gets a name of private characters.
fn vocab_entry(id: usize, (text, score, kind): &(String, f32, u64)) -> Json {
    match *kind {
        UNKNOWN | CONTROL | UNUSED => json!([format!("\u{f8ff}\u{f8fe}{id}\u{f8ff}"), score]),
        _ => json!([text, score]),
    }
}

fn read_piece(bytes: &[u8]) -> Result<(String, f32, u64), String> {
    let (mut text, mut score, mut kind) = (String::new(), 0.0, 1);
    for found in fields(bytes) {
        match found? {
            (1, Field::Bytes(bytes)) => {
                text = String::from_utf8(bytes.to_vec()).map_err(|_| "holds a piece that is not UTF-8".to_owned())?;
            }
            (2, Field::Fixed(bits)) => score = f32::from_bits(bits),
            (3, Field::Number(number)) => kind = number,
            _ => {}
        }
    }
    if text.len() > MAX_PIECE_BYTES {
        return Err(format!("holds a piece of {} bytes, expected at most {MAX_PIECE_BYTES}", text.len()));
    }
    match score.is_finite() {
        true => Ok((text, score, kind)),
        false => Err(format!("holds the score {score} for the piece `{}`", text.chars().take(40).collect::<String>())),
    }
}

/// Fails unless the model is a unigram model (1, also if the file states none).
fn check_kind(trainer: &[u8]) -> Result<(), String> {
    for found in fields(trainer) {
        if let (3, Field::Number(kind)) = found?
            && kind != 1
        {
            return Err(format!("is a SentencePiece model of type {kind}; only unigram models (1) are read"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message field of bytes.
    fn bytes(field: u8, value: &[u8]) -> Vec<u8> {
        [&[field << 3 | 2, value.len() as u8], value].concat()
    }

    fn piece(text: &str, score: f32, kind: u8) -> Vec<u8> {
        let inner = [&bytes(1, text.as_bytes())[..], &[2 << 3 | 5], &score.to_le_bytes(), &[3 << 3, kind]].concat();
        bytes(1, &inner)
    }

    #[test]
    fn pieces_are_read_with_their_scores_and_types() {
        let file = [piece("<unk>", 0.0, 2), piece("\u{2581}a", -1.5, 1), piece("b", -2.0, 1)].concat();
        let file = [file, bytes(2, &[3 << 3, 1]), bytes(3, &bytes(2, b"table"))].concat();
        let pieces = Pieces::read(&file).expect("read");
        assert_eq!(pieces.id("b"), Some(2));
        assert_eq!(pieces.charsmap, b"table");
        let json = pieces.tokenizer();
        assert_eq!(json["model"]["unk_id"], 0);
        assert_eq!(json["model"]["vocab"][1], json!(["\u{2581}a", -1.5]));
        assert_ne!(json["model"]["vocab"][0][0], "<unk>", "no text matches it");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let check = |file: &[u8]| Pieces::read(file).expect_err("refused");
        let whole = piece("a", 0.0, 1);
        assert_eq!(check(&[]), "holds no pieces");
        for cut in 1..whole.len() {
            assert!(check(&whole[..cut]).contains("truncated"), "{cut}");
        }
        assert_eq!(check(&[0xff; 30]), "is not a SentencePiece model, or is truncated");
        assert_eq!(check(&piece("a", f32::NAN, 1)), "holds the score NaN for the piece `a`");
        assert_eq!(check(&bytes(1, &bytes(1, &[0xff]))), "holds a piece that is not UTF-8");
        let many = whole.repeat(MAX_PIECES + 1);
        assert_eq!(check(&many), "holds more than 524288 pieces");
        let bpe = [whole, bytes(2, &[3 << 3, 2])].concat();
        assert_eq!(check(&bpe), "is a SentencePiece model of type 2; only unigram models (1) are read");
    }
}
