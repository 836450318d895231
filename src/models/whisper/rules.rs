//! The rules for the next token: suppressed tokens and the order of timestamps, as `generate` of transformers applies
//! them.

use crate::{
    error::Fault,
    infer::{
        checkpoint::Checkpoint,
        config::{Config, within},
        text::TextTokenizer,
    },
    value::language::{LANGUAGES, language_code},
};

/// The special tokens of a Whisper checkpoint, and its rules of decoding.
#[derive(Debug)]
pub(super) struct Rules {
    /// `<|startoftranscript|>`
    pub start: u32,
    /// `<|endoftext|>`
    pub end: u32,
    /// `<|notimestamps|>`, if the model was trained on timestamps. The next id is the first timestamp.
    pub no_timestamps: Option<u32>,
    /// The checkpoint's `generation_config.json` names `<|notimestamps|>`. If only the vocabulary has it, transformers
    /// neither requests text without timestamps nor searches for timestamps in it.
    pub states_timestamps: bool,
    /// The default language, if the checkpoint states one.
    pub language: Option<String>,
    /// The tokens of languages (`<|en|>`) with their ids; empty for English-only models.
    pub languages: Vec<(String, u32)>,
    /// `<|transcribe|>`
    transcribe: Option<u32>,
    /// The token of the task that the checkpoint states.
    task: Option<u32>,
    /// `<|startofprev|>`
    before: Option<u32>,
    forced: Vec<Option<u32>>,
    suppressed: Vec<u32>,
    suppressed_first: Vec<u32>,
    last_first_timestamp: Option<usize>,
    /// The maximum tokens of a window beyond its prompt, if the checkpoint states it.
    pub max_length: Option<usize>,
    /// A window is skipped if silence is more probable than this and its mean log-probability is below
    /// `min_log_probability`.
    pub no_speech: f64,
    /// The minimum mean log-probability of a window's tokens; text below it is decoded again.
    pub min_log_probability: f64,
    /// The maximum compression ratio of a window's tokens; text above it repeats itself and is decoded again.
    pub max_compression: f64,
}

/// The thresholds of openai/whisper (`transcribe`), for checkpoints that state none.
const NO_SPEECH: f64 = 0.6;
const MIN_LOG_PROBABILITY: f64 = -1.0;
const MAX_COMPRESSION: f64 = 2.4;

impl Rules {
    /// Reads `generation_config.json`, else `config.json`, else the tokenizer's vocabulary. Fails if a required token
    /// is missing or if an id is not below `vocabulary`, the size of the model's vocabulary.
    pub(super) fn read(
        checkpoint: &Checkpoint,
        generation: Option<&Config>,
        text: &TextTokenizer,
        vocabulary: usize,
    ) -> Result<Rules, Fault> {
        let config = &checkpoint.config;
        let none = Config::empty("generation_config.json");
        let own = generation.unwrap_or(&none);
        let token = |key: &str| Ok::<_, Fault>(own.token(key, vocabulary)?.or(config.token(key, vocabulary)?));
        let number = |key: &str, min: f64, max: f64| {
            Ok::<_, Fault>(own.number(key, min..=max)?.or(config.number(key, min..=max)?))
        };
        let tokens = |key: &str| if own.get(key).is_some() { own } else { config }.tokens(key, vocabulary);
        let known = |name: &str| match text.id(name) {
            Some(id) if id as usize >= vocabulary => Err(Fault::model(format!(
                "the tokenizer's {name} has the id {id}, but the model's vocabulary has only {vocabulary} tokens"
            ))),
            found => Ok(found),
        };
        let need = |found: Option<u32>, name: &str| match found {
            Some(id) => Ok(id),
            None => known(name)?.ok_or_else(|| Fault::model(format!("the tokenizer lacks {name}"))),
        };
        let languages = languages(generation, &known, vocabulary)?;
        let tasks = own.token_map("task_to_id", vocabulary)?;
        let task_of = |name: &str| tasks.iter().find(|(k, _)| k == name).map(|(_, id)| *id);
        let asked = own.string("task")?.filter(|_| !languages.is_empty());
        let transcribe = task_of("transcribe").or(known("<|transcribe|>")?);
        let no_timestamps = own.token("no_timestamps_token_id", vocabulary)?;
        let suppressed = tokens("suppress_tokens")?;
        let second_last = suppressed.len().checked_sub(2).map(|n| suppressed[n]);
        Ok(Rules {
            // as in transformers, which needs the list of suppressed tokens for older checkpoints
            before: own.token("prev_sot_token_id", vocabulary)?.or(second_last),
            start: need(token("decoder_start_token_id")?, "<|startoftranscript|>")?,
            end: need(tokens("eos_token_id")?.first().copied(), "<|endoftext|>")?,
            no_timestamps: no_timestamps.or(known("<|notimestamps|>")?),
            states_timestamps: no_timestamps.is_some(),
            language: own.string("language")?.map(str::to_owned),
            task: asked.and_then(task_of),
            transcribe: transcribe.filter(|_| !languages.is_empty()),
            languages,
            forced: forced(if own.get(FORCED).is_some() { own } else { config }, vocabulary)?,
            suppressed,
            suppressed_first: tokens("begin_suppress_tokens")?,
            last_first_timestamp: own.count("max_initial_timestamp_index", within::TOKENS)?,
            max_length: generation.unwrap_or(config).count("max_length", within::TOKENS)?,
            no_speech: number("no_speech_threshold", 0.0, 1.0)?.unwrap_or(NO_SPEECH),
            min_log_probability: number("logprob_threshold", -1e3, 0.0)?.unwrap_or(MIN_LOG_PROBABILITY),
            max_compression: number("compression_ratio_threshold", 0.0, 1e6)?.unwrap_or(MAX_COMPRESSION),
        })
    }

    /// The id of a language given as `de`, `<|de|>` or `german`. Fails if the model does not support it.
    pub(super) fn language(&self, asked: &str) -> Result<u32, Fault> {
        let asked = asked.trim().to_lowercase();
        let bare = language_code(&asked).unwrap_or(asked.as_str()).trim_start_matches("<|").trim_end_matches("|>");
        let found = self.languages.iter().find(|(token, _)| token[2..token.len() - 2] == *bare);
        found.map(|(_, id)| *id).ok_or_else(|| {
            let known: Vec<&str> = self.languages.iter().map(|(token, _)| &token[2..token.len() - 2]).collect();
            Fault::failed(format!(
                "this model does not support the language `{asked}`; it supports {}",
                known.join(", ")
            ))
        })
    }

    /// True if the model must detect the language that a request does not name: it supports several, and the checkpoint
    /// forces none.
    pub(super) fn detects(&self) -> bool {
        !self.languages.is_empty() && (self.task.is_some() || self.forced.first().is_none_or(Option::is_none))
    }

    /// The code of the heard language, whose token is `language` if the request named it or the model detected it.
    pub(super) fn heard(&self, language: Option<u32>) -> Option<&str> {
        let language = language.or(self.forced.first().copied().flatten());
        let found = self.languages.iter().find(|(_, id)| Some(*id) == language);
        let code = found.map(|(token, _)| &token[2..token.len() - 2]);
        code.or(self.languages.is_empty().then_some("en"))
    }

    /// The beginning of a prompt that continues earlier windows: at most `most` of their tokens, after `<|startofprev|>`.
    pub(super) fn previous(&self, said: &[u32], most: usize) -> Vec<u32> {
        let last = &said[said.len().saturating_sub(most)..];
        if last.is_empty() { Vec::new() } else { self.before.iter().chain(last).copied().collect() }
    }

    /// The prompt of a window. `language` is none for English-only models, and if the checkpoint forces one. As in
    /// transformers, a `detected` language comes without a task token, unless the checkpoint states or forces a task.
    pub(super) fn prompt(&self, language: Option<u32>, detected: bool, timestamps: bool) -> Vec<u32> {
        let mut prompt = vec![self.start];
        match (language, detected) {
            (Some(language), false) => {
                prompt.push(language);
                prompt.extend(self.task.or(self.transcribe));
            }
            (Some(language), true) if self.task.is_some() => {
                prompt.push(language);
                prompt.extend(self.task);
            }
            (Some(language), true) => {
                prompt.push(language);
                prompt.extend(self.forced.iter().skip(1).flatten());
            }
            (None, _) => prompt.extend(self.forced.iter().flatten()),
        }
        let last = prompt.last().copied();
        match self.no_timestamps {
            Some(none) if !timestamps && self.states_timestamps && last != Some(none) => prompt.push(none),
            Some(none) if timestamps && last == Some(none) => drop(prompt.pop()),
            _ => {}
        }
        prompt
    }

    /// Forbids the tokens that must not follow `said`, the tokens after the prompt. `logits` is (vocabulary).
    pub(super) fn apply(&self, logits: &mut [f32], said: &[u32], timestamps: bool) {
        let forbid = |logits: &mut [f32], id: u32| {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = f32::NEG_INFINITY;
            }
        };
        if said.is_empty() {
            self.suppressed_first.iter().for_each(|id| forbid(logits, *id));
        }
        self.suppressed.iter().for_each(|id| forbid(logits, *id));
        if let (true, Some(none)) = (timestamps, self.no_timestamps) {
            forbid(logits, none);
            self.apply_timestamps(logits, said, none as usize + 1);
        }
    }

    /// Applies the rules of timestamps: they come in pairs, do not go back, and begin the text. If all timestamps
    /// together are more probable than every other token, a timestamp must follow.
    fn apply_timestamps(&self, logits: &mut [f32], said: &[u32], begin: usize) {
        let is_time = |id: &u32| *id as usize >= begin;
        let last = said.last().is_some_and(is_time);
        let before = said.len() < 2 || is_time(&said[said.len() - 2]);
        if last && before {
            logits[begin..].fill(f32::NEG_INFINITY);
        } else if last {
            logits[..self.end as usize].fill(f32::NEG_INFINITY);
        }
        if let Some(time) = said.iter().rev().find(|id| is_time(id)) {
            let earliest = *time as usize + usize::from(!last || before);
            let to = earliest.min(logits.len());
            logits[begin..to.max(begin)].fill(f32::NEG_INFINITY);
        }
        if said.is_empty() {
            logits[..begin].fill(f32::NEG_INFINITY);
            if let Some(most) = self.last_first_timestamp {
                let from = (begin + most + 1).min(logits.len());
                logits[from..].fill(f32::NEG_INFINITY);
            }
        }
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits[begin..].iter().map(|l| f64::from(l - most).exp()).sum();
        let text = logits[..begin].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if sum.ln() > f64::from(text - most) {
            logits[..begin].fill(f32::NEG_INFINITY);
        }
    }
}

const FORCED: &str = "forced_decoder_ids";

/// The tokens that must follow the start token: a list of pairs of a position and a token. A null token allows any
/// token.
fn forced(config: &Config, vocabulary: usize) -> Result<Vec<Option<u32>>, Fault> {
    let read = |pair: &serde_json::Value| {
        let (_, token) = pair.as_array().filter(|pair| pair.len() == 2).map(|pair| (&pair[0], &pair[1]))?;
        let id = token.as_u64().and_then(|id| u32::try_from(id).ok()).filter(|id| (*id as usize) < vocabulary);
        if token.is_null() { Some(None) } else { id.map(Some) }
    };
    let expected = || format!("a list of pairs of a position and a token id below {vocabulary}");
    config.list(FORCED)?.iter().map(|pair| read(pair).ok_or_else(|| config.wrong(FORCED, expected(), pair))).collect()
}

/// The tokens of languages with their ids.
fn languages(
    generation: Option<&Config>,
    known: &dyn Fn(&str) -> Result<Option<u32>, Fault>,
    vocabulary: usize,
) -> Result<Vec<(String, u32)>, Fault> {
    let Some(generation) = generation else {
        if known("<|de|>")?.is_none() {
            return Ok(Vec::new());
        }
        let found = LANGUAGES.iter().map(|(code, _)| {
            let token = format!("<|{code}|>");
            known(&token).map(|id| id.map(|id| (token, id)))
        });
        return found.filter_map(Result::transpose).collect();
    };
    let languages = generation.token_map("lang_to_id", vocabulary)?;
    let is_token = |name: &str| name.strip_prefix("<|").and_then(|name| name.strip_suffix("|>")).is_some();
    if let Some((odd, id)) = languages.iter().find(|(name, _)| !is_token(name)) {
        return Err(generation.wrong(
            "lang_to_id",
            "an object of tokens such as <|en|>",
            &serde_json::json!({odd.as_str(): id}),
        ));
    }
    Ok(if generation.truth("is_multilingual")? == Some(false) { Vec::new() } else { languages })
}
