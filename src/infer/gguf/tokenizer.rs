//! Converts a GGUF file's vocabulary to a `tokenizer.json`: byte-level BPE (`gpt2`), where a name identifies the rule
//! that splits text before merging, and SentencePiece's BPE (`llama`), whose merges follow from the scores.

use super::{Meta, number, whole};
use crate::infer::text::added_token;
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

/// The names of special tokens in `tokenizer_config.json` and in GGUF.
const ROLES: [(&str, &str); 4] =
    [("bos_token", "bos"), ("eos_token", "eos"), ("unk_token", "unknown"), ("pad_token", "padding")];

/// The maximum number of tokens. The largest published vocabularies have a million.
const MAX_TOKENS: usize = 1 << 20;

/// The `tokenizer.json` for the vocabulary of a file. The error names the missing or unsupported part, as a message
/// that follows the file's name.
pub(super) fn tokenizer(meta: &Meta<'_>) -> Result<Json, String> {
    let hint = "put the model's tokenizer.json beside it";
    let lacks = |key: &str| format!("lacks `{key}`, so it cannot read text; {hint}");
    let model = meta.text("tokenizer.ggml.model")?.ok_or_else(|| lacks("tokenizer.ggml.model"))?;
    let tokens = meta.texts("tokenizer.ggml.tokens")?.ok_or_else(|| lacks("tokenizer.ggml.tokens"))?;
    if tokens.len() > MAX_TOKENS {
        return Err(format!("has a vocabulary of {} tokens, expected at most {MAX_TOKENS}", tokens.len()));
    }
    let ids: HashMap<&str, u32> = tokens.iter().zip(0..).map(|(token, id)| (*token, id)).collect();
    let vocab: Map<String, Json> = tokens.iter().zip(0..).map(|(t, id)| ((*t).to_owned(), json!(id as u32))).collect();
    let (own, by_default) = match model {
        "gpt2" => {
            let pairs = meta.texts("tokenizer.ggml.merges")?.ok_or_else(|| lacks("tokenizer.ggml.merges"))?;
            let pairs = pairs.into_iter().filter_map(|pair| pair.split_once(' '));
            let merges: Vec<_> = pairs.filter(|(a, b)| ids.contains_key(format!("{a}{b}").as_str())).collect();
            let name = meta.text("tokenizer.ggml.pre")?.unwrap_or("default");
            let split = Split::named(name)
                .ok_or_else(|| format!("splits text by the pre-tokenizer `{name}`, which is not supported; {hint}"))?;
            (bytes(vocab, merges, split), split.takes_whole_words())
        }
        "llama" => {
            let scores = meta.list("tokenizer.ggml.scores", "numbers", |v| number(v).filter(|n| !n.is_nan()))?;
            let scores = scores.ok_or_else(|| lacks("tokenizer.ggml.scores"))?;
            let unknown = role(meta, "unknown")?.and_then(|id| tokens.get(id));
            let space = meta.truth("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
            (pieces(vocab, merges(&tokens, &ids, &scores)?, unknown, space), true)
        }
        other => return Err(format!("has a tokenizer of type `{other}`, which is not supported; {hint}")),
    };
    let mut json = json!({"version": "1.0", "added_tokens": added(meta, &tokens)?});
    let Json::Object(all) = &mut json else { return Err("has no tokenizer: this is a bug".to_owned()) };
    all.insert("post_processor".to_owned(), around(meta, &tokens, by_default)?);
    all.extend(own);
    Ok(json)
}

/// The `tokenizer_config.json`: the chat template and the special tokens that it may name.
pub(super) fn settings(meta: &Meta<'_>) -> Result<Json, String> {
    let tokens = meta.texts("tokenizer.ggml.tokens")?.unwrap_or_default();
    let mut json = Map::new();
    for (key, name) in ROLES {
        if let Some(token) = role(meta, name)?.and_then(|id| tokens.get(id)) {
            json.insert(key.to_owned(), json!(token));
        }
    }
    if let Some(template) = meta.text("tokenizer.chat_template")? {
        json.insert("chat_template".to_owned(), json!(template));
    }
    Ok(Json::Object(json))
}

/// The id of a special token by its name in GGUF: `bos`, `eos`, `unknown`, …
fn role(meta: &Meta<'_>, name: &str) -> Result<Option<usize>, String> {
    Ok(meta.count(&format!("tokenizer.ggml.{name}_token_id"))?.and_then(|id| usize::try_from(id).ok()))
}

/// Tokens that are matched whole in a text: control tokens, which replies do not contain, and user-defined ones
/// (`<think>`).
fn added(meta: &Meta<'_>, tokens: &[&str]) -> Result<Vec<Json>, String> {
    const CONTROL: u64 = 3;
    const USER_DEFINED: u64 = 4;
    let types = meta.list("tokenizer.ggml.token_type", "whole numbers", whole)?.unwrap_or_default();
    let mut named = Vec::new();
    for name in ["bos", "eos", "eot", "eom", "unknown", "padding"] {
        named.extend(role(meta, name)?);
    }
    let one = |(id, token): (usize, &&str)| {
        let kind = types.get(id).copied();
        let is_special = kind == Some(CONTROL) || named.contains(&id);
        let is_added = is_special || kind == Some(USER_DEFINED);
        (is_added && !token.is_empty()).then(|| added_token(token, id as u64, is_special))
    };
    Ok(tokens.iter().enumerate().filter_map(one).collect())
}

/// The post-processor, which adds special tokens before and after a text.
fn around(meta: &Meta<'_>, tokens: &[&str], begins_by_default: bool) -> Result<Json, String> {
    let token = |name: &str, adds: bool| -> Result<Option<(&str, usize)>, String> {
        let Some(id) = role(meta, name)?.filter(|_| adds) else { return Ok(None) };
        Ok(tokens.get(id).map(|token| (*token, id)))
    };
    let begin = token("bos", meta.truth("tokenizer.ggml.add_bos_token")?.unwrap_or(begins_by_default))?;
    let end = token("eos", meta.truth("tokenizer.ggml.add_eos_token")?.unwrap_or(false))?;
    if begin.is_none() && end.is_none() {
        return Ok(Json::Null);
    }
    let special = |(token, _): (&str, usize)| json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    let single: Vec<Json> = begin.map(special).into_iter().chain([text("A")]).chain(end.map(special)).collect();
    let pair: Vec<Json> = single.iter().cloned().chain([text("B")]).collect();
    let known = begin
        .into_iter()
        .chain(end)
        .map(|(token, id)| (token.to_owned(), json!({"id": token, "ids": [id], "tokens": [token]})));
    Ok(json!({"type": "TemplateProcessing", "single": single, "pair": pair,
        "special_tokens": known.collect::<Map<_, _>>()}))
}

/// The rule by which a byte-level tokenizer cuts a text before it merges bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Split {
    /// GPT-2: words, numbers and runs of punctuation.
    Gpt2,
    /// As GPT-2, with every digit alone.
    Digits,
    /// Llama 3: numbers of up to three digits. With `whole`, a word that is a token is used without merging.
    Llama3 { whole: bool },
    /// Qwen 2: as Llama 3, with every digit alone, on composed characters (NFC).
    Qwen2,
    /// Mistral's Tekken: also splits before capital letters.
    Tekken,
}

impl Split {
    /// The rule with this name in `tokenizer.ggml.pre`.
    fn named(name: &str) -> Option<Split> {
        Some(match name {
            "default" | "gpt-2" | "gpt2" | "phi-2" | "olmo" | "mpt" => Split::Gpt2,
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" => Split::Digits,
            "llama-bpe" | "llama3" | "llama-v3" | "falcon3" => Split::Llama3 { whole: true },
            "smaug-bpe" | "dbrx" => Split::Llama3 { whole: false },
            "qwen2" | "deepseek-r1-qwen" => Split::Qwen2,
            "tekken" => Split::Tekken,
            _ => return None,
        })
    }

    /// True if a word that is a token is used without merging. A text then begins with the begin token, unless the file
    /// states otherwise.
    fn takes_whole_words(self) -> bool {
        matches!(self, Split::Llama3 { whole: true } | Split::Tekken)
    }

    fn pattern(self) -> Option<String> {
        let rest = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
        let words = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+";
        match self {
            Split::Gpt2 | Split::Digits => None,
            Split::Llama3 { .. } => Some(format!(r"{words}|\p{{N}}{{1,3}}{rest}")),
            Split::Qwen2 => Some(format!(r"{words}|\p{{N}}{rest}")),
            Split::Tekken => {
                let (upper, lower) = (r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]");
                let before = r"[^\r\n\p{L}\p{N}]?";
                let rest = rest.replace(r"[\r\n]*", r"[\r\n/]*");
                Some(format!(r"{before}{upper}*{lower}+|{before}{upper}+{lower}*|\p{{N}}{rest}"))
            }
        }
    }
}

/// The parts of a `tokenizer.json` for byte-level BPE.
fn bytes(vocab: Map<String, Json>, merges: Vec<(&str, &str)>, split: Split) -> Map<String, Json> {
    let bytes =
        |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex});
    let sequence = |parts: [Json; 2]| json!({"type": "Sequence", "pretokenizers": parts});
    let before = match (split, split.pattern()) {
        (_, Some(pattern)) => {
            let cut = json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
            sequence([cut, bytes(false)])
        }
        (Split::Digits, None) => sequence([json!({"type": "Digits", "individual_digits": true}), bytes(true)]),
        (_, None) => bytes(true),
    };
    let normalizer = if split == Split::Qwen2 { json!({"type": "NFC"}) } else { Json::Null };
    object([
        ("normalizer", normalizer),
        ("pre_tokenizer", before),
        ("decoder", bytes(true)),
        ("model", json!({"type": "BPE", "ignore_merges": split.takes_whole_words(), "vocab": vocab, "merges": merges})),
    ])
}

/// The parts of a `tokenizer.json` for SentencePiece's BPE. Spaces are `▁`, one comes before the text unless the file
/// forbids it, and unknown pieces fall back to bytes.
fn pieces(
    vocab: Map<String, Json>,
    merges: Vec<(&str, &str)>,
    unknown: Option<&&str>,
    space: bool,
) -> Map<String, Json> {
    let scheme = if space { "first" } else { "never" };
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if space {
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    object([
        ("normalizer", Json::Null),
        ("pre_tokenizer", json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false})),
        ("decoder", json!({"type": "Sequence", "decoders": decoders})),
        (
            "model",
            json!({"type": "BPE", "unk_token": unknown, "fuse_unk": true, "byte_fallback": true, "vocab": vocab, "merges": merges}),
        ),
    ])
}

fn object<const N: usize>(pairs: [(&str, Json); N]) -> Map<String, Json> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The merges that follow from SentencePiece's scores. SentencePiece joins the two neighbours whose joined piece has
/// the best score. The list holds every cut of every piece into two pieces, sorted by the piece's score. Ties are
/// sorted as in transformers: longer parts first, then smaller ids.
///
/// Each cut of a token compares the token's bytes, so the work grows with the square of a token's length. Fails if it
/// exceeds a limit.
fn merges<'a>(tokens: &[&'a str], ids: &HashMap<&str, u32>, scores: &[f64]) -> Result<Vec<(&'a str, &'a str)>, String> {
    const MAX_WORK: usize = 1 << 28;
    let work = tokens.iter().map(|token| token.len().saturating_mul(token.len())).fold(0, usize::saturating_add);
    if work > MAX_WORK {
        return Err("has a vocabulary whose tokens are too long".to_owned());
    }
    struct Cut<'a> {
        parts: (&'a str, &'a str),
        score: f64,
        lengths: (usize, usize),
        order: (usize, u32, u32),
    }
    let mut cuts = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        let length = token.chars().count();
        for (left_length, (at, _)) in token.char_indices().enumerate().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(a), Some(b)) = (ids.get(left), ids.get(right)) {
                let score = scores.get(n).copied().unwrap_or(0.0);
                let lengths = (left_length, length - left_length);
                cuts.push(Cut { parts: (left, right), score, lengths, order: (n, *a, *b) });
            }
        }
    }
    cuts.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.lengths.cmp(&a.lengths)).then(a.order.cmp(&b.order)));
    Ok(cuts.into_iter().map(|cut| cut.parts).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::quantized::gguf_file::Value;
    use tokenizers::Tokenizer;

    fn texts(list: &[&str]) -> Value {
        Value::Array(list.iter().map(|t| Value::String((*t).to_owned())).collect())
    }

    /// Checks the pieces of `text` before merging.
    fn check_split(pre: &str, text: &str, expected: &[&str]) {
        let split = Split::named(pre).unwrap();
        let json = json!({"version": "1.0", "added_tokens": []});
        let mut json = json.as_object().unwrap().clone();
        json.extend(bytes(Map::new(), vec![], split));
        let tokenizer = Tokenizer::from_bytes(Json::Object(json).to_string()).unwrap();
        let mut cut = tokenizers::PreTokenizedString::from(text);
        let pre = tokenizers::PreTokenizer::pre_tokenize;
        pre(tokenizer.get_pre_tokenizer().unwrap(), &mut cut).unwrap();
        let kinds = (tokenizers::OffsetReferential::Original, tokenizers::OffsetType::Byte);
        let found: Vec<&str> =
            cut.get_splits(kinds.0, kinds.1).into_iter().map(|(_, at, _)| &text[at.0..at.1]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_name_determines_the_splitting() {
        let text = "I've 1234 HelloWorld\n\n  x!!\n";
        check_split("gpt-2", text, &["I", "'ve", " 1234", " HelloWorld", "\n\n ", " x", "!!", "\n"]);
        check_split("smollm", text, &["I", "'ve", " ", "1", "2", "3", "4", " HelloWorld", "\n\n ", " x", "!!", "\n"]);
        check_split("llama-bpe", text, &["I", "'ve", " ", "123", "4", " HelloWorld", "\n\n", " ", " x", "!!\n"]);
        check_split("qwen2", text, &["I", "'ve", " ", "1", "2", "3", "4", " HelloWorld", "\n\n", " ", " x", "!!\n"]);
        check_split(
            "tekken",
            text,
            &["I", "'ve", " ", "1", "2", "3", "4", " Hello", "World", "\n\n", " ", " x", "!!\n"],
        );
    }

    #[test]
    fn an_error_names_the_missing_or_unsupported_part() {
        let check = |pairs: &[(&str, Value)]| {
            let values = pairs.iter().map(|(k, v)| (format!("tokenizer.ggml.{k}"), v.clone())).collect();
            tokenizer(&Meta { values: &values, prefix: String::new() }).unwrap_err()
        };
        let word = |text: &str| Value::String(text.to_owned());
        insta::assert_snapshot!(check(&[]), @"lacks `tokenizer.ggml.model`, so it cannot read text; put the model's tokenizer.json beside it");
        insta::assert_snapshot!(check(&[("model", word("gpt2")), ("tokens", texts(&["a"]))]), @"lacks `tokenizer.ggml.merges`, so it cannot read text; put the model's tokenizer.json beside it");
        let many = Value::Array(vec![word("a"); MAX_TOKENS + 1]);
        insta::assert_snapshot!(check(&[("model", word("gpt2")), ("tokens", many)]), @"has a vocabulary of 1048577 tokens, expected at most 1048576");
        insta::assert_snapshot!(check(&[("model", word("bert")), ("tokens", texts(&["a"]))]), @"has a tokenizer of type `bert`, which is not supported; put the model's tokenizer.json beside it");
        insta::assert_snapshot!(check(&[("model", word("gpt2")), ("tokens", texts(&["a"])), ("merges", texts(&[])), ("pre", word("chameleon"))]), @"splits text by the pre-tokenizer `chameleon`, which is not supported; put the model's tokenizer.json beside it");
    }

    #[test]
    fn merges_follow_the_scores() {
        let tokens = ["a", "b", "c", "ab", "bc", "abc"];
        let ids = tokens.iter().zip(0..).map(|(t, id)| (*t, id)).collect();
        let found = merges(&tokens, &ids, &[0.0, 0.0, 0.0, -2.0, -1.0, -3.0]);
        assert_eq!(found, Ok(vec![("b", "c"), ("a", "b"), ("ab", "c"), ("a", "bc")]));
        let long = "a".repeat(1 << 15);
        assert!(merges(&[&long], &HashMap::new(), &[0.0]).is_err());
    }
}
