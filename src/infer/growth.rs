//! The growth of a text in a tokenizer. A `tokenizer.json` may replace each letter with a hundred letters, eight times
//! in a row. Growth is therefore bounded: by the worst case of each part, and for normalizers by their effect on the
//! given text.

use serde::Deserialize;
use serde_json::Value as Json;
use tokenizers::{
    DecoderWrapper, ModelWrapper, NormalizedString, Normalizer as _, NormalizerWrapper, PostProcessorWrapper,
    PreTokenizerWrapper, Tokenizer,
};

/// Longest text that is tokenized, in bytes. A byte that becomes a token takes some 200 bytes of memory.
pub const MAX_TEXT_BYTES: usize = 4 << 20;
/// The maximum bytes of a text after the normalizer and the pre-tokenizer.
const MAX_BYTES: f64 = 4.0 * MAX_TEXT_BYTES as f64;
/// The maximum bytes after one step of a normalizer, where a byte takes some 50 bytes of memory.
const MAX_STEP_BYTES: f64 = (16 << 20) as f64;
/// The largest factor by which a pre-tokenizer or a decoder may lengthen a text; published ones stay below 10.
const MAX_FACTOR: f64 = 64.0;
/// Longest token of a vocabulary, in bytes.
const MAX_TOKEN_BYTES: usize = 16 << 10;
/// Longest piece of a unigram model, in bytes: its work grows with the product of a text's and a piece's length.
/// Published ones stay below 100.
pub(super) const MAX_PIECE_BYTES: usize = 1 << 10;
/// Longest word of WordPiece, in characters: its work grows with the third power of a word's length.
const MAX_WORD_CHARS: usize = 1000;
/// The maximum number of copies of a text that a post-processor may make.
const MAX_COPIES: usize = 4;
/// The maximum number of special tokens that a post-processor may add.
const MAX_SPECIALS: usize = 1 << 10;

/// The factors by which a tokenizer lengthens a text in the worst case.
#[derive(Debug)]
pub struct Growth {
    normalizer: f64,
    pre_tokenizer: f64,
}

/// Checks that each SentencePiece table of a `tokenizer.json` is as long as it states: the tokenizer library reserves
/// memory for the stated length.
pub fn check_file(text: &str) -> Result<(), String> {
    #[derive(Deserialize)]
    struct File {
        normalizer: Option<Json>,
    }
    let file: File = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mut open: Vec<&Json> = file.normalizer.iter().collect();
    while let Some(value) = open.pop() {
        if let Some(table) = value.get("precompiled_charsmap").and_then(Json::as_str) {
            longest_replacement(table)?;
        }
        open.extend(value.get("normalizers").and_then(Json::as_array).into_iter().flatten());
    }
    Ok(())
}

impl Growth {
    /// Computes the factors from a tokenizer's parts. Fails if a part exceeds its limit for every text.
    pub fn of(tokenizer: &Tokenizer) -> Result<Growth, String> {
        let mut normalizer = 1.0;
        for step in steps(tokenizer) {
            normalizer *= factor(step)?;
        }
        let pre_tokenizer = tokenizer.get_pre_tokenizer().map_or(Ok(1.0), cutting)?;
        let decoder = tokenizer.get_decoder().map_or(Ok(1.0), decoding)?;
        for (part, factor) in [("pre-tokenizer", pre_tokenizer), ("decoder", decoder)] {
            if factor > MAX_FACTOR {
                return Err(format!(
                    "its {part} can make a text {factor:.0} times longer; the maximum is {MAX_FACTOR}"
                ));
            }
        }
        if let Some(post) = tokenizer.get_post_processor() {
            let (copies, specials) = around(post)?;
            if copies > MAX_COPIES || specials > MAX_SPECIALS {
                return Err(format!(
                    "its post-processor repeats a text {copies} times and adds {specials} tokens; the maxima are {MAX_COPIES} and {MAX_SPECIALS}"
                ));
            }
        }
        check_words(tokenizer)?;
        Ok(Growth { normalizer, pre_tokenizer })
    }

    /// Fails if the tokenizer would make `text` too long.
    pub fn check(&self, tokenizer: &Tokenizer, text: &str) -> Result<(), String> {
        if text.len() as f64 * self.normalizer * self.pre_tokenizer <= MAX_BYTES {
            return Ok(());
        }
        let mut normalized = NormalizedString::from(text);
        for step in steps(tokenizer) {
            within(text, normalized.get().len() as f64 * factor(step)?, MAX_STEP_BYTES)?;
            step.normalize(&mut normalized).map_err(|e| format!("the text cannot be normalized: {e}"))?;
        }
        within(text, normalized.get().len() as f64 * self.pre_tokenizer, MAX_BYTES)
    }
}

/// Fails if `bytes`, the length that `text` may get, exceeds `max`.
fn within(text: &str, bytes: f64, max: f64) -> Result<(), String> {
    if bytes <= max {
        return Ok(());
    }
    Err(format!("the tokenizer can turn a text of {} bytes into {bytes:.0} bytes; the maximum is {max}", text.len()))
}

/// The steps of the normalizer, with sequences flattened.
fn steps(tokenizer: &Tokenizer) -> Vec<&NormalizerWrapper> {
    let (mut open, mut steps): (Vec<&NormalizerWrapper>, Vec<_>) =
        (tokenizer.get_normalizer().into_iter().collect(), vec![]);
    while let Some(step) = open.pop() {
        match step {
            NormalizerWrapper::Sequence(sequence) => open.extend(sequence.as_ref().iter().rev()),
            step => steps.push(step),
        }
    }
    steps
}

/// The bytes that a normalizer step makes of one byte in the worst case. The factors of the Unicode forms are those of
/// Unicode's FAQ on normalization; lower case lengthens `Ⱥ` and `İ` from two bytes to three.
fn factor(step: &NormalizerWrapper) -> Result<f64, String> {
    Ok(match step {
        NormalizerWrapper::StripNormalizer(_) | NormalizerWrapper::StripAccents(_) | NormalizerWrapper::Nmt(_) => 1.0,
        NormalizerWrapper::Lowercase(_) => 1.5,
        NormalizerWrapper::ByteLevel(_) => 2.0,
        NormalizerWrapper::NFC(_) | NormalizerWrapper::NFD(_) => 3.0,
        NormalizerWrapper::NFKC(_) | NormalizerWrapper::NFKD(_) => 11.0,
        // Spaces around a Chinese character, canonical decomposition, lower case.
        NormalizerWrapper::BertNormalizer(_) => 8.0,
        // The text is prepended to every piece between two special tokens.
        NormalizerWrapper::Prepend(prepend) => 1.0 + prepend.prepend.len() as f64,
        NormalizerWrapper::Replace(replace) => replacing(&json(replace)?),
        NormalizerWrapper::Precompiled(table) => {
            let json = json(table)?;
            longest_replacement(json["precompiled_charsmap"].as_str().unwrap_or_default())?.max(1) as f64
        }
        NormalizerWrapper::Sequence(_) => 1.0,
    })
}

/// The factor of a `Replace`. A regular expression may match the empty text before every byte.
fn replacing(replace: &Json) -> f64 {
    let content = replace["content"].as_str().map_or(0, str::len) as f64;
    match replace["pattern"]["String"].as_str().map_or(0, str::len) {
        0 => 1.0 + content,
        pattern => (content / pattern as f64).max(1.0),
    }
}

/// The longest replacement of a SentencePiece table, in bytes. The table is a length, a trie of that many bytes, and
/// texts that end with a zero byte.
fn longest_replacement(table: &str) -> Result<usize, String> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let broken = || "its `precompiled_charsmap` is not a table of SentencePiece".to_owned();
    let bytes = STANDARD.decode(table).map_err(|_| broken())?;
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(broken)?;
    let texts = rest.get(u32::from_le_bytes(*length) as usize..).ok_or_else(broken)?;
    Ok(texts.split(|byte| *byte == 0).map(<[u8]>::len).max().unwrap_or(0))
}

/// The bytes that a pre-tokenizer makes of one byte in the worst case.
fn cutting(part: &PreTokenizerWrapper) -> Result<f64, String> {
    Ok(match part {
        PreTokenizerWrapper::Sequence(sequence) => {
            sequence.as_ref().iter().map(cutting).try_fold(1.0, |all, one| Ok::<_, String>(all * one?))?
        }
        PreTokenizerWrapper::FixedLength(fixed) if fixed.length == 0 => {
            return Err("its pre-tokenizer cuts texts into pieces of `length` 0".to_owned());
        }
        // A space before each piece; two bytes for a byte that is not printable.
        PreTokenizerWrapper::ByteLevel(_) => 3.0,
        // A character of up to four bytes for a space, and one before each piece.
        PreTokenizerWrapper::Metaspace(_) => 5.0,
        _ => 1.0,
    })
}

/// The bytes that a decoder makes of one byte in the worst case.
fn decoding(part: &DecoderWrapper) -> Result<f64, String> {
    Ok(match part {
        DecoderWrapper::Sequence(sequence) => {
            sequence.get_decoders().iter().map(decoding).try_fold(1.0, |all, one| Ok::<_, String>(all * one?))?
        }
        DecoderWrapper::Replace(replace) => replacing(&json(replace)?),
        // A byte that is not text becomes a character of three bytes.
        DecoderWrapper::ByteLevel(_) | DecoderWrapper::ByteFallback(_) => 3.0,
        // A space before each token.
        DecoderWrapper::WordPiece(_) | DecoderWrapper::BPE(_) => 2.0,
        _ => 1.0,
    })
}

/// The number of copies of a text that a post-processor makes, and of special tokens that it adds.
fn around(part: &PostProcessorWrapper) -> Result<(usize, usize), String> {
    Ok(match part {
        PostProcessorWrapper::Sequence(sequence) => {
            let parts = sequence.as_ref().iter().map(around).collect::<Result<Vec<_>, _>>()?;
            let copies = parts.iter().fold(1, |all: usize, (copies, _)| all.saturating_mul((*copies).max(1)));
            (copies, parts.iter().fold(0, |all: usize, (_, specials)| all.saturating_add(*specials)))
        }
        PostProcessorWrapper::Template(template) => {
            let json = json(template)?;
            // Two texts have a template of their own.
            let template = |key: &str| json[key].as_array().map(Vec::as_slice).unwrap_or_default();
            let longer = if template("pair").len() > 2 * template("single").len() + 8 { "pair" } else { "single" };
            let pieces = template(longer);
            let ids = |piece: &Json| {
                let name = piece["SpecialToken"]["id"].as_str().unwrap_or_default();
                json["special_tokens"][name]["ids"].as_array().map_or(0, Vec::len)
            };
            let copies = pieces.iter().filter(|piece| piece.get("Sequence").is_some()).count();
            (copies, pieces.iter().map(ids).fold(0, usize::saturating_add))
        }
        _ => (1, 2),
    })
}

/// Fails if WordPiece accepts too long words, or if the vocabulary has a too long token.
fn check_words(tokenizer: &Tokenizer) -> Result<(), String> {
    if let ModelWrapper::WordPiece(model) = tokenizer.get_model()
        && model.max_input_chars_per_word > MAX_WORD_CHARS
    {
        let found = model.max_input_chars_per_word;
        return Err(format!("its `max_input_chars_per_word` must be at most {MAX_WORD_CHARS}, found {found}"));
    }
    let most = if let ModelWrapper::Unigram(_) = tokenizer.get_model() { MAX_PIECE_BYTES } else { MAX_TOKEN_BYTES };
    match tokenizer.get_vocab(true).into_keys().map(|token| token.len()).max() {
        Some(longest) if longest > most => {
            Err(format!("a token of its vocabulary has {longest} bytes; the maximum is {most}"))
        }
        _ => Ok(()),
    }
}

/// A part of a tokenizer as JSON, in the form of `tokenizer.json`.
fn json(part: &impl serde::Serialize) -> Result<Json, String> {
    serde_json::to_value(part).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Checks `text` with a tokenizer of these parts.
    fn check(parts: Json, text: &str) -> Result<(), String> {
        let mut file = json!({"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}});
        parts.as_object().unwrap().iter().for_each(|(key, part)| file[key] = part.clone());
        check_file(&file.to_string())?;
        let tokenizer = Tokenizer::from_bytes(file.to_string()).map_err(|e| e.to_string())?;
        Growth::of(&tokenizer)?.check(&tokenizer, text)
    }

    fn replace(pattern: Json, content: &str) -> Json {
        json!({"type": "Replace", "pattern": pattern, "content": content})
    }

    #[test]
    fn normalizers_are_bounded_by_their_effect_on_the_text() {
        let chain = |times: usize| {
            let step = replace(json!({"String": "a"}), &"a".repeat(100));
            json!({"normalizer": {"type": "Sequence", "normalizers": vec![step; times]}})
        };
        assert_eq!(check(chain(2), "aaa"), Ok(()));
        assert_eq!(
            check(chain(8), "a"),
            Err("the tokenizer can turn a text of 1 bytes into 100000000 bytes; the maximum is 16777216".into())
        );
        // The same steps do nothing to another text.
        assert_eq!(check(chain(8), "bbb"), Ok(()));
        let empty = json!({"normalizer": replace(json!({"Regex": "x*"}), &"y".repeat(1 << 20))});
        assert!(check(empty.clone(), &"z".repeat(100)).is_err());
        assert_eq!(check(empty, ""), Ok(()));
        let prepend = json!({"normalizer": {"type": "Prepend", "prepend": "p".repeat(1 << 24)}});
        assert!(check(prepend, "abc").is_err());
        assert!(check(json!({}), &"a".repeat(17 << 20)).is_err());
    }

    #[test]
    fn published_normalizers_accept_long_texts() {
        let llama = json!({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace(json!({"String": " "}), "▁")]}});
        assert_eq!(check(llama, &"word ".repeat(50_000)), Ok(()));
        let albert = json!({"normalizer": {"type": "Sequence", "normalizers": [replace(json!({"String": "``"}), "\""), {"type": "NFKD"}, {"type": "StripAccents"},
            {"type": "Lowercase"}, replace(json!({"Regex": " {2,}"}), " ")]}, "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}});
        assert_eq!(check(albert, &"word ".repeat(50_000)), Ok(()));
    }

    #[test]
    fn every_other_part_is_bounded_when_it_is_read() {
        let refused = |parts: Json| check(parts, "a").expect_err("refused");
        let many = |part: Json, times: usize| vec![part; times];
        let cuts =
            many(json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}), 20);
        insta::assert_snapshot!(refused(json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": cuts}})), @"its pre-tokenizer can make a text 3486784401 times longer; the maximum is 64");
        let decoders = many(replace(json!({"String": "a"}), "aa"), 30);
        insta::assert_snapshot!(refused(json!({"decoder": {"type": "Sequence", "decoders": decoders}})), @"its decoder can make a text 1073741824 times longer; the maximum is 64");
        let template = |single: Vec<Json>, ids: Vec<u32>| {
            let tokens = vec!["a"; ids.len()];
            json!({"post_processor": {"type": "TemplateProcessing", "single": single, "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                "special_tokens": {"s": {"id": "s", "ids": ids, "tokens": tokens}}}})
        };
        let (text, special) =
            (json!({"Sequence": {"id": "A", "type_id": 0}}), json!({"SpecialToken": {"id": "s", "type_id": 0}}));
        assert_eq!(check(template(vec![special.clone(), text.clone()], vec![0]), "a"), Ok(()));
        insta::assert_snapshot!(refused(template(many(text.clone(), 9), vec![0])), @"its post-processor repeats a text 9 times and adds 0 tokens; the maxima are 4 and 1024");
        let mut pairs = template(vec![text.clone()], vec![0]);
        pairs["post_processor"]["pair"] = many(text.clone(), 20).into();
        pairs["post_processor"]["pair"][0] = json!({"Sequence": {"id": "B", "type_id": 0}});
        insta::assert_snapshot!(refused(pairs), @"its post-processor repeats a text 20 times and adds 0 tokens; the maxima are 4 and 1024");
        insta::assert_snapshot!(refused(template(many(special, 30), vec![0; 100])), @"its post-processor repeats a text 0 times and adds 3000 tokens; the maxima are 4 and 1024");
        insta::assert_snapshot!(refused(json!({"model": {"type": "WordLevel", "unk_token": "a", "vocab": {"x".repeat(1 << 15): 0}}})), @"a token of its vocabulary has 32768 bytes; the maximum is 16384");
        let pieces = json!([["a", -1.0], ["x".repeat(1 << 11), -1.0]]);
        insta::assert_snapshot!(refused(json!({"model": {"type": "Unigram", "unk_id": 0, "vocab": pieces}})), @"a token of its vocabulary has 2048 bytes; the maximum is 1024");
        insta::assert_snapshot!(refused(json!({"model": {"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##", "max_input_chars_per_word": 1 << 30, "vocab": {"a": 0}}})), @"its `max_input_chars_per_word` must be at most 1000, found 1073741824");
        insta::assert_snapshot!(refused(json!({"pre_tokenizer": {"type": "FixedLength", "length": 0}})), @"its pre-tokenizer cuts texts into pieces of `length` 0");
        // A trie of four gigabytes in a table of eight bytes.
        insta::assert_snapshot!(refused(json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////wAAAAA="}})), @"its `precompiled_charsmap` is not a table of SentencePiece");
    }
}
