//! The token ids of a text for SigLIP: always as many as the model has positions, because it reads the state of the
//! last position, padding included, without an attention mask.
//!
//! Two tokenizers occur. SigLIP has `SiglipTokenizer`, which is Python code around SentencePiece: it lowers the case,
//! drops ASCII punctuation and joins white space. SigLIP 2 has Gemma's, which `tokenizer.json` describes in full.

use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        config::Config,
        sentencepiece::Pieces,
        text::{TextTokenizer, VocabStyle},
    },
};

const SETTINGS: &str = "tokenizer_config.json";
const SPIECE: &str = "spiece.model";
/// `model_max_length` of `SiglipTokenizer` if its file states none.
const MAX_TOKENS: usize = 64;

/// The maximum number of special tokens. `SiglipTokenizer` has three.
const MAX_SPECIAL: usize = 1024;

/// A tokenizer that pads.
pub(super) struct Tokens {
    reader: Reader,
    max_tokens: usize,
    pad: u32,
    /// Padding comes before the text.
    left: bool,
}

enum Reader {
    /// `tokenizer.json`, special tokens included.
    Whole(Box<TextTokenizer>),
    /// The parts of `SiglipTokenizer`.
    Pieces(Box<Canonical>),
}

/// `SiglipTokenizer` of transformers.
struct Canonical {
    pieces: TextTokenizer,
    lower: bool,
    end: u32,
    /// Tokens that split a text before anything else, longest first.
    special: Vec<(String, u32)>,
}

impl Tokens {
    /// Reads the tokenizer of a checkpoint whose text tower has so many positions and tokens. Fails if a file is missing or damaged, or
    /// if the padding token is unknown.
    pub(super) fn open(
        checkpoint: &Checkpoint,
        words: &Config,
        (positions, vocab): (usize, usize),
    ) -> Result<Tokens, Fault> {
        let settings = checkpoint.json(SETTINGS)?.unwrap_or_else(|| Config::empty(SETTINGS));
        let class = settings.string("tokenizer_class")?.unwrap_or_default().trim_end_matches("Fast").to_owned();
        let has_file = checkpoint.folder.join("tokenizer.json").exists();
        let spiece = match !has_file || class == "SiglipTokenizer" {
            true => checkpoint.vocabulary(SPIECE)?,
            false => None,
        };
        let stated = settings.string("padding_side")?;
        // Gemma's class pads on the left if its file states nothing.
        let left =
            stated.unwrap_or(if class.starts_with("Gemma") || class == "Siglip2Tokenizer" { "left" } else { "" });
        let pad = pad_token(checkpoint, &settings)?;
        let (reader, max_tokens, pad) = match spiece {
            Some(bytes) => {
                let canonical = Canonical::new(checkpoint, &settings, &bytes)?;
                let id = canonical.id(pad.as_deref().unwrap_or("</s>"));
                let longest = settings.number("model_max_length", 1.0..=1e300)?.map_or(MAX_TOKENS, |n| n as usize);
                (Reader::Pieces(Box::new(canonical)), longest.min(positions), id)
            }
            None => {
                let tokenizer = TextTokenizer::open(checkpoint, VocabStyle::Clip)?;
                let id = tokenizer.id(pad.as_deref().unwrap_or("<pad>"));
                let longest = tokenizer.max_tokens(positions);
                (Reader::Whole(Box::new(tokenizer)), longest, id)
            }
        };
        let pad = match pad {
            Some(pad) => Some(pad),
            None => words.token("pad_token_id", vocab)?,
        };
        let pad = pad.ok_or_else(|| Fault::model(format!("{SETTINGS} names no `pad_token` of the vocabulary")))?;
        Ok(Tokens { reader, max_tokens, pad, left: left == "left" })
    }

    /// The ids of a text: cut or padded to the maximum.
    pub(super) fn encode(&self, text: &str) -> Result<Vec<u32>, Fault> {
        let mut ids = match &self.reader {
            Reader::Whole(tokenizer) => tokenizer.encode_within(text, self.max_tokens)?,
            Reader::Pieces(canonical) => canonical.encode(text, self.max_tokens)?,
        };
        let missing = self.max_tokens.saturating_sub(ids.len());
        if self.left {
            ids.splice(0..0, std::iter::repeat_n(self.pad, missing));
        } else {
            ids.extend(std::iter::repeat_n(self.pad, missing));
        }
        Ok(ids)
    }
}

/// The text of the padding token, if a file names it.
fn pad_token(checkpoint: &Checkpoint, settings: &Config) -> Result<Option<String>, Fault> {
    if let Some(pad) = settings.special("pad_token")? {
        return Ok(Some(pad));
    }
    match checkpoint.json("special_tokens_map.json")? {
        Some(map) => map.special("pad_token"),
        None => Ok(None),
    }
}

impl Canonical {
    fn new(checkpoint: &Checkpoint, settings: &Config, spiece: &[u8]) -> Result<Canonical, Fault> {
        let wrong = |why: String| Fault::model(format!("{} {why}", checkpoint.folder.join(SPIECE).display()));
        let pieces = Pieces::read(spiece).map_err(wrong)?;
        let mut names = Vec::new();
        for (key, default) in [("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "</s>")] {
            names.push(settings.special(key)?.unwrap_or_else(|| default.to_owned()));
        }
        let end = pieces.id(&names[0]).ok_or_else(|| wrong(format!("lacks the token `{}`", names[0])))?;
        let mut special: Vec<(String, u32)> =
            names.into_iter().filter_map(|name| Some((name.clone(), pieces.id(&name)?))).collect();
        for (id, token) in settings.get("added_tokens_decoder").and_then(|d| d.as_object()).into_iter().flatten() {
            if let (Ok(id), Some(content)) = (id.parse(), token["content"].as_str().filter(|text| !text.is_empty())) {
                special.push((content.to_owned(), id));
            }
        }
        if special.len() > MAX_SPECIAL {
            let count = special.len();
            let why = format!("`added_tokens_decoder` names {count} tokens, expected at most {MAX_SPECIAL}");
            return Err(Fault::model(format!("{SETTINGS}: {why}")));
        }
        special.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        special.dedup();
        let lower = settings.truth("do_lower_case")?.unwrap_or(true);
        let pieces = TextTokenizer::from_json(checkpoint, pieces.tokenizer().to_string())?;
        Ok(Canonical { pieces, lower, end, special })
    }

    /// The id of a special token.
    fn id(&self, name: &str) -> Option<u32> {
        self.special.iter().find(|(token, _)| token == name).map(|(_, id)| *id)
    }

    /// The ids of a text, at most `max_tokens`, the end token among them.
    fn encode(&self, text: &str, max_tokens: usize) -> Result<Vec<u32>, Fault> {
        // The mark of a space, so that the first word is encoded like any other.
        let text = format!("\u{2581}{}", text.replace('\u{2581}', " "));
        // the next place of each special token, so that each is looked for once
        let mut next: Vec<Option<usize>> = self.special.iter().map(|(name, _)| text.find(name.as_str())).collect();
        let (mut ids, mut from) = (Vec::new(), 0);
        while ids.len() < max_tokens {
            for ((name, _), at) in self.special.iter().zip(&mut next) {
                if at.is_some_and(|at| at < from) {
                    *at = text[from..].find(name.as_str()).map(|at| from + at);
                }
            }
            // the longest, if several begin at one place
            let first = self.special.iter().zip(&next).filter_map(|(token, at)| Some((token, (*at)?)));
            let Some(((name, id), at)) = first.min_by_key(|(_, at)| *at) else {
                ids.extend(self.words(&text[from..])?);
                break;
            };
            ids.extend(self.words(&text[from..at])?);
            ids.push(*id);
            from = at + name.len();
        }
        ids.truncate(max_tokens.saturating_sub(1));
        if ids.last() != Some(&self.end) {
            ids.push(self.end);
        }
        Ok(ids)
    }

    fn words(&self, text: &str) -> Result<Vec<u32>, Fault> {
        self.pieces.encode(&canonical(text, self.lower), false)
    }
}

/// The text in lower case if `lower`, without ASCII punctuation, with single spaces and none around it.
fn canonical(text: &str, lower: bool) -> String {
    let text = if lower { text.to_lowercase() } else { text.to_owned() };
    // Python counts these separators as white space, Rust does not.
    let is_space = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let bare: String = text.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    bare.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn case_punctuation_and_spaces_go() {
        let check = |text: &str, expected: &str| assert_eq!(canonical(text, true), expected);
        check("A photo -- of a CAT!", "a photo of a cat");
        check("  don't\t\u{1f}stop \u{3000}now\u{a0}", "dont stop now");
        check("ΣΑΣ Ünï", "σας ünï");
        check("!?.", "");
        assert_eq!(canonical("A B.", false), "A B");
    }
}
