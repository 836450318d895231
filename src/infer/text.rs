//! Tokenizers: read from `tokenizer.json`, or built from the older vocabulary files.

use super::{
    checkpoint::Checkpoint,
    config::Config,
    growth::{Growth, MAX_TEXT_BYTES, check_file},
    guard::guarded,
};
use crate::error::Fault;
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicBool, Ordering};
use tokenizers::{Encoding, PostProcessor as _, Tokenizer, TruncationDirection};

/// A checkpoint's tokenizer. Truncation and padding that its file may request are off, because each family does its
/// own.
#[derive(Debug)]
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    growth: Growth,
    /// `model_max_length` of `tokenizer_config.json`, in tokens. transformers writes a huge number for no limit.
    longest: Option<usize>,
    /// The maximum tokens of [`TextTokenizer::encoded`]; none unless it was set.
    cut: Option<usize>,
    /// True once a text was cut, which is said once.
    has_cut: AtomicBool,
}

impl TextTokenizer {
    /// Reads the tokenizer of a checkpoint. If only vocabulary files exist, a tokenizer is built from them by `style`.
    /// Fails if the files are missing, damaged, or exceed a limit of [`Growth`].
    pub fn open(checkpoint: &Checkpoint, style: VocabStyle) -> Result<TextTokenizer, Fault> {
        let file = match checkpoint.text("tokenizer.json")? {
            Some(text) => text,
            None => built(checkpoint, style)?.to_string(),
        };
        TextTokenizer::from_json(checkpoint, file)
    }

    /// The same, with a step before its normalizer that lowers the case of all text but special tokens.
    pub fn open_lower(checkpoint: &Checkpoint, style: VocabStyle) -> Result<TextTokenizer, Fault> {
        let file = match checkpoint.text("tokenizer.json")? {
            Some(text) => serde_json::from_str(&text).map_err(|e| Fault::model(format!("tokenizer.json: {e}")))?,
            None => built(checkpoint, style)?,
        };
        TextTokenizer::from_json(checkpoint, lowered(file).to_string())
    }

    /// Reads a tokenizer in the form of `tokenizer.json`. Fails if it is damaged or exceeds a limit of [`Growth`].
    pub fn from_json(checkpoint: &Checkpoint, file: String) -> Result<TextTokenizer, Fault> {
        let broken =
            |why: String| Fault::model(format!("{}: the tokenizer cannot be read: {why}", checkpoint.folder.display()));
        check_file(&file).map_err(broken)?;
        let read = guarded(|| Tokenizer::from_bytes(file)).map_err(broken)?;
        let mut tokenizer = read.map_err(|e| broken(e.to_string()))?;
        tokenizer.with_truncation(None).map_err(|e| broken(e.to_string()))?;
        tokenizer.with_padding(None);
        let growth = Growth::of(&tokenizer).map_err(broken)?;
        Ok(TextTokenizer {
            tokenizer,
            growth,
            longest: TextTokenizer::limit(checkpoint)?,
            cut: None,
            has_cut: AtomicBool::new(false),
        })
    }

    /// `model_max_length` of `tokenizer_config.json`, in tokens. Fails if the file is damaged.
    pub fn limit(checkpoint: &Checkpoint) -> Result<Option<usize>, Fault> {
        let settings = checkpoint.json("tokenizer_config.json")?;
        let longest = settings.map(|s| s.number("model_max_length", 1.0..=1e300)).transpose()?.flatten();
        Ok(longest.map(|n| n as usize))
    }

    /// The maximum tokens of a text: the model's `positions`, or fewer if the tokenizer states fewer.
    pub fn max_tokens(&self, positions: usize) -> usize {
        self.longest.unwrap_or(positions).min(positions)
    }

    /// Token ids of `text`; with `special`, also the special tokens that the tokenizer's post-processor adds. Fails if
    /// the text is too long or cannot be tokenized.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, Fault> {
        if text.len() > MAX_TEXT_BYTES {
            let length = text.len();
            return Err(Fault::failed(format!("the text has {length} bytes; the maximum is {MAX_TEXT_BYTES}")));
        }
        let encode = || {
            self.growth.check(&self.tokenizer, text)?;
            self.tokenizer.encode_fast(text, special).map_err(|e| e.to_string())
        };
        let encoding = guarded(encode).flatten();
        Ok(encoding.map_err(|e| Fault::model(format!("the text cannot be tokenized: {e}")))?.get_ids().to_vec())
    }

    /// Token ids of `text` with special tokens, at most `max_tokens`. A longer text is cut at its end; special tokens
    /// stay.
    pub fn encode_within(&self, text: &str, max_tokens: usize) -> Result<Vec<u32>, Fault> {
        let ids = self.encode(text, true)?;
        if ids.len() <= max_tokens {
            return Ok(ids);
        }
        let added = self.encode("", true)?.len();
        let bare = self.encode(text, false)?;
        // Special tokens come before and after the text. The position of the bare text shows how many come before.
        let begins = |n: &usize| ids.get(*n..).is_some_and(|rest| rest.starts_with(&bare));
        let before = (0..=added).find(begins).unwrap_or(0);
        let after = (added - before).min(ids.len());
        let mut cut = ids[..max_tokens.saturating_sub(after)].to_vec();
        cut.extend_from_slice(&ids[ids.len() - after..]);
        Ok(cut)
    }

    /// The same tokenizer, whose [`TextTokenizer::encoded`] cuts texts to `max_tokens`, special tokens included. Fails
    /// unless the special tokens around two texts leave room for the texts.
    pub fn truncated(mut self, max_tokens: usize) -> Result<TextTokenizer, Fault> {
        let special = self.special_tokens(true);
        if max_tokens <= special {
            let why = format!("a text may have {max_tokens} tokens, but {special} special ones belong to it");
            return Err(Fault::model(format!("the tokenizer does not fit the model: {why}")));
        }
        self.cut = Some(max_tokens);
        Ok(self)
    }

    /// The number of special tokens around one text, or around two.
    fn special_tokens(&self, is_pair: bool) -> usize {
        self.tokenizer.get_post_processor().map_or(0, |post| post.added_tokens(is_pair))
    }

    /// A text with special tokens, or two texts as one input. Fails if a text is too long or cannot be tokenized.
    pub fn encoded(&self, text: &str, second: Option<&str>) -> Result<Encoded, Fault> {
        for text in [Some(text), second].into_iter().flatten() {
            if text.len() > MAX_TEXT_BYTES {
                let length = text.len();
                return Err(Fault::failed(format!("the text has {length} bytes; the maximum is {MAX_TEXT_BYTES}")));
            }
        }
        let encoding = guarded(|| self.pair(text, second)).flatten();
        let encoding = encoding.map_err(|e| Fault::model(format!("the text cannot be tokenized: {e}")))?;
        if encoding.get_ids().is_empty() {
            return Err(Fault::model("the tokenizer gives no tokens for the text"));
        }
        Ok(Encoded { ids: encoding.get_ids().to_vec(), types: encoding.get_type_ids().to_vec() })
    }

    fn pair(&self, text: &str, second: Option<&str>) -> Result<Encoding, String> {
        let bare = |text: &str| {
            self.growth.check(&self.tokenizer, text)?;
            self.tokenizer.encode_fast(text, false).map_err(|e| e.to_string())
        };
        let (mut first, mut second) = (bare(text)?, second.map(bare).transpose()?);
        let lengths = (first.len(), second.as_ref().map_or(0, Encoding::len));
        let room = self.cut.map_or(usize::MAX, |cut| cut.saturating_sub(self.special_tokens(second.is_some())));
        let (one, two) = longest_first(lengths, room);
        if one + two < lengths.0 + lengths.1 && !self.has_cut.swap(true, Ordering::Relaxed) {
            let (all, kept) = (lengths.0 + lengths.1, one + two);
            tracing::warn!("a text of {all} tokens was cut to {kept}: the model reads no more (said once)");
        }
        first.truncate(one, 0, TruncationDirection::Right);
        if let Some(second) = &mut second {
            second.truncate(two, 0, TruncationDirection::Right);
            second.set_type_ids(vec![1; two]);
        }
        self.tokenizer.post_process(first, second, true).map_err(|e| e.to_string())
    }

    /// The text of `ids`, without special tokens.
    pub fn decode(&self, ids: &[u32]) -> Result<String, Fault> {
        let decoded = guarded(|| self.tokenizer.decode(ids, true).map_err(|e| e.to_string())).flatten();
        decoded.map_err(|e| Fault::model(format!("the tokens cannot be decoded: {e}")))
    }

    /// The text that each of `ids` adds, without special tokens; none for a token without text or with a part of a character.
    pub fn pieces(&self, ids: &[u32]) -> Result<Vec<Option<String>>, Fault> {
        let all = guarded(|| {
            let mut stream = self.tokenizer.decode_stream(true);
            ids.iter().map(|id| stream.step(*id).map_err(|e| e.to_string())).collect::<Result<Vec<_>, String>>()
        });
        all.flatten().map_err(|e| Fault::model(format!("the tokens cannot be decoded: {e}")))
    }

    /// The tokenizer itself.
    pub(super) fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The id of the token with this text.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }
}

/// The lengths of two texts after cutting them to `room` tokens together, as the library `tokenizers` does it for whole
/// texts: the longer one loses tokens first, and keeps one more of an odd room. (`encode_fast` of the library stops
/// early if it is to cut, and then no longer knows the longer text.)
fn longest_first((one, two): (usize, usize), room: usize) -> (usize, usize) {
    if one + two <= room {
        return (one, two);
    }
    let (short, half) = (one.min(two), room / 2);
    let (short, long) = if short <= half { (short, room - short) } else { (half, half + room % 2) };
    if one > two { (long, short) } else { (short, long) }
}

/// One or two texts as an encoder reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The token ids.
    pub ids: Vec<u32>,
    /// The type of each token: 1 for those of a second text, in models that tell them apart.
    pub types: Vec<u32>,
}

/// A `tokenizer.json` that lowers the case first.
fn lowered(mut file: Json) -> Json {
    let old = file["normalizer"].take();
    let steps: Vec<Json> = [json!({"type": "Lowercase"}), old].into_iter().filter(|step| !step.is_null()).collect();
    file["normalizer"] = json!({"type": "Sequence", "normalizers": steps});
    file
}

/// Calls `forward` with texts of equal `length` in tokens and gives the results in the order of `texts`; `most` states
/// for each length how many texts share a call. Without padding, a result does not depend on its batch.
pub fn by_length<I, T>(
    texts: &[I],
    length: impl Fn(&I) -> usize,
    most: impl Fn(usize) -> usize,
    mut forward: impl FnMut(&[&I]) -> Result<Vec<T>, Fault>,
) -> Result<Vec<T>, Fault> {
    let length = |n: usize| length(&texts[n]);
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|n| length(*n));
    let mut results: Vec<(usize, T)> = Vec::with_capacity(texts.len());
    for group in order.chunk_by(|a, b| length(*a) == length(*b)) {
        for part in group.chunks(most(length(group[0]))) {
            let together: Vec<&I> = part.iter().map(|n| &texts[*n]).collect();
            results.extend(part.iter().copied().zip(forward(&together)?));
        }
    }
    results.sort_by_key(|(n, _)| *n);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// The rules that turn vocabulary files into a tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VocabStyle {
    /// CLIP's: `vocab.json` and `merges.txt`, lower-case words that end in `</w>`.
    Clip,
    /// GPT-2's byte-level BPE: `vocab.json` and `merges.txt`.
    Bytes,
    /// RoBERTa's: GPT-2's between the tokens `<s>` and `</s>`.
    Roberta,
    /// BERT's WordPiece: `vocab.txt`.
    WordPiece,
}

/// A `tokenizer.json` built from the vocabulary files of a checkpoint.
fn built(checkpoint: &Checkpoint, style: VocabStyle) -> Result<Json, Fault> {
    let missing = |what: &str| {
        let folder = checkpoint.folder.display();
        let names = ["tokenizer.model", "sentencepiece.bpe.model", "spiece.model"];
        let found = names.into_iter().find(|name| checkpoint.folder.join(name).exists());
        let spm = found.map_or_else(String::new, |name| {
            format!("; {name} (SentencePiece) cannot be read, so save the tokenizer as tokenizer.json")
        });
        Fault::model(format!("{folder} lacks both tokenizer.json and {what}{spm}"))
    };
    let settings = checkpoint.json("tokenizer_config.json")?.unwrap_or_else(|| Config::empty("tokenizer_config.json"));
    if style == VocabStyle::WordPiece {
        let vocab = checkpoint.text("vocab.txt")?.ok_or_else(|| missing("vocab.txt"))?;
        return word_piece(&vocab, &settings);
    }
    let vocab = checkpoint.text("vocab.json")?.ok_or_else(|| missing("vocab.json"))?;
    let merges = checkpoint.text("merges.txt")?.ok_or_else(|| missing("merges.txt"))?;
    let vocab: Json = serde_json::from_str(&vocab).map_err(|e| Fault::model(format!("vocab.json: {e}")))?;
    let merges: Vec<&str> = merges.lines().filter(|l| !l.starts_with("#version") && !l.trim().is_empty()).collect();
    let mut added = added_tokens(checkpoint, &settings)?;
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    if style == VocabStyle::Bytes {
        return Ok(json!({"version": "1.0", "added_tokens": added, "pre_tokenizer": bytes, "decoder": bytes,
            "model": {"type": "BPE", "vocab": vocab, "merges": merges}}));
    }
    let (start, end) = match style {
        VocabStyle::Roberta => ("<s>", "</s>"),
        _ => ("<|startoftext|>", "<|endoftext|>"),
    };
    let further: &[&str] = if style == VocabStyle::Roberta { &["<pad>", "<unk>", "<mask>"] } else { &[] };
    for token in [start, end].iter().chain(further).copied() {
        if let Some(id) =
            vocab.get(token).and_then(Json::as_u64).filter(|_| !added.iter().any(|a| a["content"] == token))
        {
            added.push(added_token(token, id, true));
        }
    }
    if style == VocabStyle::Roberta {
        return Ok(json!({"version": "1.0", "added_tokens": added, "pre_tokenizer": bytes, "decoder": bytes,
            "post_processor": {"type": "RobertaProcessing", "sep": [end, vocab[end]], "cls": [start, vocab[start]],
                "trim_offsets": true, "add_prefix_space": false},
            "model": {"type": "BPE", "vocab": vocab, "merges": merges}}));
    }
    let words = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    Ok(json!({"version": "1.0", "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": true}, bytes]},
        "post_processor": {"type": "RobertaProcessing", "sep": [end, vocab[end]], "cls": [start, vocab[start]],
            "trim_offsets": false, "add_prefix_space": false},
        "decoder": bytes,
        "model": {"type": "BPE", "unk_token": end, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
            "vocab": vocab, "merges": merges}}))
}

fn word_piece(vocab: &str, settings: &Config) -> Result<Json, Fault> {
    let words: serde_json::Map<String, Json> =
        vocab.lines().enumerate().map(|(id, word)| (word.trim_end().to_owned(), json!(id))).collect();
    let id = |token: &str| words.get(token).and_then(Json::as_u64).unwrap_or(0);
    let specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].into_iter().filter(|t| words.contains_key(*t));
    let added: Vec<Json> = specials.map(|t| added_token(t, id(t), true)).collect();
    let lower = settings.truth("do_lower_case")?.unwrap_or(true);
    Ok(json!({"version": "1.0", "added_tokens": added,
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": settings.truth("strip_accents")?, "lowercase": lower},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", id("[SEP]")], "cls": ["[CLS]", id("[CLS]")]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": words}}))
}

/// An entry of `added_tokens` in `tokenizer.json`.
pub(super) fn added_token(content: &str, id: u64, special: bool) -> Json {
    json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": special})
}

/// Tokens outside the vocabulary files: `added_tokens_decoder` of the tokenizer's settings, else `added_tokens.json`.
fn added_tokens(checkpoint: &Checkpoint, settings: &Config) -> Result<Vec<Json>, Fault> {
    let mut tokens: Vec<(u64, Json)> = Vec::new();
    if let Some(decoder) = settings.get("added_tokens_decoder").and_then(Json::as_object) {
        for (id, token) in decoder {
            if let (Ok(id), Some(content)) = (id.parse(), token["content"].as_str()) {
                tokens.push((id, added_token(content, id, token["special"].as_bool().unwrap_or(false))));
            }
        }
    } else if let Some(Json::Object(added)) =
        checkpoint.text("added_tokens.json")?.and_then(|t| serde_json::from_str(&t).ok())
    {
        for (content, id) in &added {
            if let Some(id) = id.as_u64() {
                // Whisper's timestamps are the added tokens that are not special.
                tokens.push((id, added_token(content, id, !content.ends_with(char::is_numeric) && !is_time(content))));
            }
        }
    }
    tokens.sort_by_key(|(id, _)| *id);
    Ok(tokens.into_iter().map(|(_, token)| token).collect())
}

fn is_time(token: &str) -> bool {
    token.strip_prefix("<|").and_then(|t| t.strip_suffix("|>")).is_some_and(|t| t.parse::<f32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::longest_first;

    #[test]
    fn the_longer_text_is_cut_first() {
        let check = |lengths, room, expected| assert_eq!(longest_first(lengths, room), expected, "{lengths:?} {room}");
        check((3, 4), 7, (3, 4));
        check((3, 9), 7, (3, 4));
        check((9, 2), 7, (5, 2));
        check((9, 8), 7, (4, 3));
        check((8, 9), 7, (3, 4));
        check((8, 8), 7, (3, 4));
        check((0, 9), 7, (0, 7));
        check((9, 9), 0, (0, 0));
    }
}
