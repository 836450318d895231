//! Which token may follow: suppressed tokens and the grammar of timestamps, as `generate` of transformers applies them.

use crate::{
    error::Fault,
    infer::checkpoint::{Checkpoint, Config},
    infer::text::Text,
};

/// The special tokens of a Whisper checkpoint and the rules it decodes by.
#[derive(Debug)]
pub struct Rules {
    /// `<|startoftranscript|>`
    pub start: u32,
    /// `<|endoftext|>`
    pub end: u32,
    /// `<|notimestamps|>`, if the model was taught timestamps; the first timestamp follows it.
    pub no_timestamps: Option<u32>,
    /// The checkpoint's `generation_config.json` names that token. If only the vocabulary has it, transformers does not ask for
    /// text without timestamps, nor looks for any in it.
    pub states_timestamps: bool,
    /// The language to hear when nobody names one, if the checkpoint says so.
    pub language: Option<String>,
    /// Languages by their tokens (`<|en|>`); empty for English-only models.
    pub languages: Vec<(String, u32)>,
    /// `<|transcribe|>`
    transcribe: Option<u32>,
    /// The token of the task that the checkpoint asks for.
    task: Option<u32>,
    forced: Vec<Option<u32>>,
    suppressed: Vec<u32>,
    suppressed_first: Vec<u32>,
    last_first_timestamp: Option<usize>,
    /// Most tokens of a window beyond its prompt, if the checkpoint says so.
    pub max_length: Option<usize>,
    /// Silence: skip a window if the model finds no speech in it more probable than this, and its text less likely than
    /// `least_log_probability`.
    pub no_speech: Option<f64>,
    /// See `no_speech`.
    pub least_log_probability: Option<f64>,
}

impl Rules {
    /// Reads `generation_config.json`, else `config.json`, else the tokenizer's vocabulary.
    pub fn read(checkpoint: &Checkpoint, generation: Option<&Config>, text: &Text) -> Result<Rules, Fault> {
        let config = &checkpoint.config;
        let token = |key: &str| generation.and_then(|g| g.token(key)).or_else(|| config.token(key));
        let tokens = |key: &str| match generation.filter(|g| g.get(key).is_some()) {
            Some(generation) => generation.tokens(key),
            None => config.tokens(key),
        };
        let need =
            |found: Option<u32>, what: &str| found.ok_or_else(|| Fault::model(format!("the tokenizer has no {what}")));
        let multilingual = generation.and_then(|g| g.truth("is_multilingual"));
        let mut languages = generation.map(|g| g.token_map("lang_to_id")).unwrap_or_default();
        if languages.is_empty() && generation.is_none() && text.id("<|de|>").is_some() {
            languages = LANGUAGES
                .split(' ')
                .filter_map(|code| Some((format!("<|{code}|>"), text.id(&format!("<|{code}|>"))?)))
                .collect();
        }
        if multilingual == Some(false) {
            languages.clear();
        }
        let forced = generation.and_then(|g| g.get("forced_decoder_ids")).or_else(|| config.get("forced_decoder_ids"));
        let forced = forced.and_then(|f| f.as_array()).into_iter().flatten();
        let task_of = |name: &str| {
            let tasks = generation.map(|g| g.token_map("task_to_id")).unwrap_or_default();
            tasks.into_iter().find(|(k, _)| k == name).map(|(_, id)| id)
        };
        let asked = generation.and_then(|g| g.string("task")).filter(|_| !languages.is_empty());
        Ok(Rules {
            start: need(
                token("decoder_start_token_id").or_else(|| text.id("<|startoftranscript|>")),
                "<|startoftranscript|>",
            )?,
            end: need(tokens("eos_token_id").first().copied().or_else(|| text.id("<|endoftext|>")), "<|endoftext|>")?,
            no_timestamps: generation
                .and_then(|g| g.token("no_timestamps_token_id"))
                .or_else(|| text.id("<|notimestamps|>")),
            states_timestamps: generation.is_some_and(|g| g.token("no_timestamps_token_id").is_some()),
            language: generation.and_then(|g| g.string("language")).map(str::to_owned),
            task: asked.and_then(task_of),
            transcribe: task_of("transcribe").or_else(|| text.id("<|transcribe|>")).filter(|_| !languages.is_empty()),
            languages,
            forced: forced.map(|pair| pair[1].as_u64().map(|id| id as u32)).collect(),
            suppressed: tokens("suppress_tokens"),
            suppressed_first: tokens("begin_suppress_tokens"),
            last_first_timestamp: generation.and_then(|g| g.count("max_initial_timestamp_index")),
            max_length: generation.unwrap_or(config).count("max_length"),
            no_speech: generation.and_then(|g| g.number("no_speech_threshold")),
            least_log_probability: generation.and_then(|g| g.number("logprob_threshold")),
        })
    }

    /// The token of a language given as `de`, `<|de|>` or `german`.
    pub fn language(&self, asked: &str) -> Result<u32, Fault> {
        let asked = asked.trim().to_lowercase();
        let code = NAMES.iter().find(|(name, _)| *name == asked).map_or(asked.as_str(), |(_, code)| *code);
        let bare = code.trim_start_matches("<|").trim_end_matches("|>");
        let found = self.languages.iter().find(|(token, _)| token[2..token.len() - 2] == *bare);
        found.map(|(_, id)| *id).ok_or_else(|| {
            let known: Vec<&str> = self.languages.iter().map(|(token, _)| &token[2..token.len() - 2]).collect();
            Fault::failed(format!("this model does not know the language `{asked}`; it knows {}", known.join(", ")))
        })
    }

    /// True if the language is to be found out when nobody names it: the model knows several and the checkpoint forces none.
    pub fn detects(&self) -> bool {
        !self.languages.is_empty() && (self.task.is_some() || self.forced.first().is_none_or(Option::is_none))
    }

    /// The tokens that a window's text is to follow. `language` is none for English-only models and where the checkpoint forces one. A language that was
    /// `detected` comes without a task token, as in transformers, unless the checkpoint forces one.
    pub fn prompt(&self, language: Option<u32>, detected: bool, timestamps: bool) -> Vec<u32> {
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

    /// Makes impossible what must not follow `said` (the tokens after the prompt).
    pub fn apply(&self, logits: &mut [f32], said: &[u32], timestamps: bool) {
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

    /// Timestamps come in pairs, do not go back, begin the text, and win when together they outweigh every other token.
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
            let least = *time as usize + usize::from(!last || before);
            let to = least.min(logits.len());
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

/// The language codes of Whisper's vocabulary, for checkpoints without a `lang_to_id`.
const LANGUAGES: &str = "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy \
                         sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi \
                         lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue";

/// English names of the languages that people are likely to write out.
const NAMES: &[(&str, &str)] = &[
    ("english", "en"),
    ("chinese", "zh"),
    ("german", "de"),
    ("spanish", "es"),
    ("russian", "ru"),
    ("korean", "ko"),
    ("french", "fr"),
    ("japanese", "ja"),
    ("portuguese", "pt"),
    ("turkish", "tr"),
    ("polish", "pl"),
    ("dutch", "nl"),
    ("arabic", "ar"),
    ("swedish", "sv"),
    ("italian", "it"),
    ("indonesian", "id"),
    ("hindi", "hi"),
    ("finnish", "fi"),
    ("vietnamese", "vi"),
    ("hebrew", "he"),
    ("ukrainian", "uk"),
    ("greek", "el"),
    ("czech", "cs"),
    ("romanian", "ro"),
    ("danish", "da"),
    ("hungarian", "hu"),
    ("norwegian", "no"),
];
