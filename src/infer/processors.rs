//! Changes to logits before a token is chosen: the rules of a checkpoint's `generation_config.json`, as the logits
//! processors of transformers apply them, and the penalties of a request. The repetition penalty is that of transformers
//! (over prompt and reply); presence and frequency penalties are those of OpenAI's protocol, over the reply.

use super::config::{self, Config, within};
use crate::{error::Fault, exchange::Decoding};
use serde_json::Value as Json;

/// Changes to the logits before the next token is chosen. The default changes nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogitsProcessors {
    /// Tokens that end a reply.
    ends: Vec<u32>,
    /// Sequences and biases: the bias is added to the logit of the last token if the rest of the sequence was just
    /// written.
    biases: Vec<(Vec<u32>, f32)>,
    /// No sequence of this many tokens may occur twice; 0 allows all.
    no_repeat_ngram: usize,
    /// Sequences that must not be written.
    banned: Vec<Vec<u32>>,
    /// Tokens that must not be written.
    suppressed: Vec<u32>,
    /// Tokens that must not be written first.
    suppressed_first: Vec<u32>,
    /// The minimum tokens of prompt and reply together before an end token.
    min_length: usize,
    /// The minimum tokens of the reply before an end token.
    min_new_tokens: usize,
    /// The token after a prompt of one token.
    forced_first: Option<u32>,
    /// The token that ends a reply of maximum length.
    forced_last: Option<u32>,
    /// A number of tokens and a factor: each further token of the reply multiplies the likelihood of the end by the
    /// factor.
    decay: Option<(usize, f32)>,
}

impl LogitsProcessors {
    /// Reads `generation_config.json`; `ends` are the tokens that end a reply. Fails if a value has the wrong type or
    /// range.
    pub fn read(generation: Option<&Config>, ends: &[u32]) -> Result<LogitsProcessors, Fault> {
        // Ids beyond the vocabulary are ignored, as in transformers.
        const ANY: usize = 1 << 32;
        let Some(config) = generation else {
            return Ok(LogitsProcessors { ends: ends.to_vec(), ..LogitsProcessors::default() });
        };
        let sequences = |key: &str, read: fn(&Json) -> Option<Biased>, expected: &str| {
            let list = config.list(key)?.iter();
            list.map(|item| read(item).ok_or_else(|| config.wrong(key, expected, item))).collect::<Result<Vec<_>, _>>()
        };
        let banned = sequences("bad_words_ids", |ids| Some((tokens(ids)?, 0.0)), "a list of lists of token ids")?;
        let banned = banned.into_iter().map(|(ids, _)| ids);
        Ok(LogitsProcessors {
            biases: sequences("sequence_bias", bias, "a list of pairs of token ids and a number")?,
            no_repeat_ngram: config.count("no_repeat_ngram_size", within::TOKENS)?.unwrap_or(0),
            banned: banned.filter(|b| !ends.iter().any(|end| b.as_slice() == [*end])).collect(),
            suppressed: config.tokens("suppress_tokens", ANY)?,
            suppressed_first: config.tokens("begin_suppress_tokens", ANY)?,
            min_length: config.count("min_length", within::TOKENS)?.unwrap_or(0),
            min_new_tokens: config.count("min_new_tokens", within::TOKENS)?.unwrap_or(0),
            forced_first: config.token("forced_bos_token_id", ANY)?,
            forced_last: config.tokens("forced_eos_token_id", ANY)?.first().copied(),
            decay: decay(config)?,
            ends: ends.to_vec(),
        })
    }

    /// The same rules without suppressed tokens, for a family that suppresses tokens itself.
    #[must_use]
    pub fn without_suppressed(self) -> LogitsProcessors {
        LogitsProcessors { suppressed: Vec::new(), suppressed_first: Vec::new(), ..self }
    }

    /// Changes `logits`, (vocabulary), after the tokens of `so_far`, by these rules and by the penalties of `settings`.
    pub fn apply(&self, logits: &mut [f32], so_far: &SoFar<'_>, settings: &Decoding) {
        let SoFar { tokens: seen, prompt, max_tokens } = *so_far;
        for (sequence, bias) in &self.biases {
            add(logits, seen, sequence, *bias);
        }
        if let Some(penalty) = settings.repetition_penalty.filter(|penalty| *penalty != 1.0) {
            change(logits, &once(seen), |logit| if logit < 0.0 { logit * penalty } else { logit / penalty });
        }
        if let Some(penalty) = settings.presence_penalty {
            change(logits, &once(&seen[prompt..]), |logit| logit - penalty);
        }
        if let Some(penalty) = settings.frequency_penalty {
            change(logits, &seen[prompt..], |logit| logit - penalty);
        }
        if (1..=seen.len() + 1).contains(&self.no_repeat_ngram) {
            let tail = &seen[seen.len() + 1 - self.no_repeat_ngram..];
            let again = seen.windows(self.no_repeat_ngram).filter(|window| window.starts_with(tail));
            let next: Vec<u32> = again.map(|window| window[self.no_repeat_ngram - 1]).collect();
            forbid(logits, &next);
        }
        for sequence in &self.banned {
            add(logits, seen, sequence, f32::NEG_INFINITY);
        }
        let written = seen.len() - prompt;
        if seen.len() < self.min_length || written < self.min_new_tokens {
            forbid(logits, &self.ends);
        }
        if let (Some(first), 1) = (self.forced_first, seen.len()) {
            force(logits, first);
        }
        if let (Some(last), true) = (self.forced_last, written + 1 == max_tokens) {
            force(logits, last);
        }
        if let Some((start, factor)) = self.decay
            && written > start
        {
            let more = f64::from(factor).powi((written - start) as i32) as f32 - 1.0;
            change(logits, &self.ends, |logit| logit + logit.abs() * more);
        }
        forbid(logits, &self.suppressed);
        // After a forced first token, the rule for the first token applies to the second.
        if written == usize::from(self.forced_first.is_some() && prompt == 1) {
            forbid(logits, &self.suppressed_first);
        }
    }
}

/// The tokens so far, and the end of the reply.
#[derive(Debug, Clone, Copy)]
pub struct SoFar<'a> {
    /// The tokens of prompt and reply.
    pub tokens: &'a [u32],
    /// The number of tokens of the prompt.
    pub prompt: usize,
    /// The maximum tokens of the reply.
    pub max_tokens: usize,
}

/// The tokens, each once.
fn once(tokens: &[u32]) -> Vec<u32> {
    let mut once = tokens.to_vec();
    once.sort_unstable();
    once.dedup();
    once
}

/// A sequence of tokens, and the bias of its last token.
type Biased = (Vec<u32>, f32);

fn decay(config: &Config) -> Result<Option<(usize, f32)>, Fault> {
    let key = "exponential_decay_length_penalty";
    let Some(value) = config.get(key) else { return Ok(None) };
    let pair =
        || Some((value.get(0)?.as_u64()?, value.get(1)?.as_f64().filter(|factor| (1e-3..=1e3).contains(factor))?));
    match pair().map(|(start, factor)| (usize::try_from(start).unwrap_or(usize::MAX), factor as f32)) {
        Some(pair) => Ok(Some(pair)),
        None => Err(config.wrong(key, "a number of tokens and a factor from 0.001 to 1000", value)),
    }
}

fn bias(pair: &Json) -> Option<Biased> {
    Some((tokens(pair.get(0)?)?, pair.get(1)?.as_f64()? as f32)).filter(|(_, bias)| bias.is_finite())
}

fn tokens(list: &Json) -> Option<Vec<u32>> {
    list.as_array()?.iter().map(|id| config::token(id, 1 << 32)).collect()
}

fn change(logits: &mut [f32], ids: &[u32], to: impl Fn(f32) -> f32) {
    for id in ids {
        if let Some(logit) = logits.get_mut(*id as usize) {
            *logit = to(*logit);
        }
    }
}

fn forbid(logits: &mut [f32], ids: &[u32]) {
    change(logits, ids, |_| f32::NEG_INFINITY);
}

fn force(logits: &mut [f32], id: u32) {
    logits.fill(f32::NEG_INFINITY);
    change(logits, &[id], |_| 0.0);
}

/// Adds `bias` to the logit of the last token of `sequence` if `seen` ends with the rest of it. As in transformers, a
/// sequence of several tokens must not be longer than `seen`.
fn add(logits: &mut [f32], seen: &[u32], sequence: &[u32], bias: f32) {
    let Some((last, before)) = sequence.split_last() else { return };
    if before.is_empty() || (sequence.len() <= seen.len() && seen.ends_with(before)) {
        change(logits, &[*last], |logit| logit + bias);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Checks which of eight tokens may follow `seen` (two prompt tokens, at most five new ones; 7 is the end).
    fn check(config: Json, seen: &[u32], expected: &[u32]) {
        let processors =
            LogitsProcessors::read(Some(&Config::new("generation_config.json", config.clone())), &[7]).unwrap();
        let mut logits = [1.0; 8];
        processors.apply(&mut logits, &SoFar { tokens: seen, prompt: 2, max_tokens: 5 }, &Decoding::default());
        let open: Vec<u32> = (0..8).filter(|id| logits[*id as usize] > f32::NEG_INFINITY).collect();
        assert_eq!(open, expected, "{config} after {seen:?}");
    }

    #[test]
    fn forbidden_tokens_do_not_follow() {
        let all = [0, 1, 2, 3, 4, 5, 6, 7];
        check(json!({}), &[1, 2], &all);
        check(json!({"no_repeat_ngram_size": 2}), &[1, 2, 3, 1], &[0, 1, 3, 4, 5, 6, 7]);
        check(json!({"no_repeat_ngram_size": 1}), &[1, 2, 3], &[0, 4, 5, 6, 7]);
        check(json!({"bad_words_ids": [[7], [3], [2, 4]]}), &[1, 2], &[0, 1, 2, 5, 6, 7]);
        check(json!({"bad_words_ids": [[2, 4]]}), &[1, 2], &[0, 1, 2, 3, 5, 6, 7]);
        check(json!({"min_new_tokens": 2}), &[1, 2, 3], &all[..7]);
        check(json!({"min_new_tokens": 2}), &[1, 2, 3, 4], &all);
        check(json!({"min_length": 4}), &[1, 2, 3], &all[..7]);
        check(json!({"suppress_tokens": [0, 99], "begin_suppress_tokens": [1]}), &[1, 2], &all[2..]);
        check(json!({"suppress_tokens": [0], "begin_suppress_tokens": [1]}), &[1, 2, 3], &all[1..]);
        check(json!({"forced_eos_token_id": 7}), &[1, 2, 3, 4, 5, 6], &[7]);
    }

    #[test]
    fn biases_and_decay_change_logits() {
        let after = |config: Json, seen: &[u32]| {
            let processors =
                LogitsProcessors::read(Some(&Config::new("generation_config.json", config)), &[7]).unwrap();
            let mut logits = [2.0, -2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0];
            processors.apply(&mut logits, &SoFar { tokens: seen, prompt: 2, max_tokens: 5 }, &Decoding::default());
            logits
        };
        assert_eq!(after(json!({"sequence_bias": [[[3], 1.5], [[1, 4], -1.0]]}), &[0, 1])[3..6], [3.5, 1.0, 2.0]);
        assert_eq!(after(json!({"exponential_decay_length_penalty": [1, 2.0]}), &[0, 1, 2, 3])[7], 4.0);
    }

    #[test]
    fn penalties_count_prompt_and_reply_or_the_reply() {
        let check = |settings: Decoding, expected: [f32; 4]| {
            let mut logits = [2.0, -2.0, 2.0, 2.0];
            // the prompt is 0 1, the reply is 1 2 2
            let so_far = SoFar { tokens: &[0, 1, 1, 2, 2], prompt: 2, max_tokens: 9 };
            LogitsProcessors::default().apply(&mut logits, &so_far, &settings);
            assert_eq!(logits, expected, "{settings:?}");
        };
        let none = Decoding::default;
        check(Decoding { repetition_penalty: Some(2.0), ..none() }, [1.0, -4.0, 1.0, 2.0]);
        check(Decoding { presence_penalty: Some(0.5), ..none() }, [2.0, -2.5, 1.5, 2.0]);
        check(Decoding { frequency_penalty: Some(0.5), ..none() }, [2.0, -2.5, 1.0, 2.0]);
        check(Decoding { presence_penalty: Some(-1.0), frequency_penalty: Some(0.5), ..none() }, [2.0, -1.5, 2.0, 2.0]);
    }
}
