//! Choosing the most likely of given replies, by their log-likelihood after the prompt.

use super::{
    cost::Phase,
    decode::{CacheRow, Decoder, TextGenerator},
    job::Job,
    prefix::{Prefix, PromptPosition},
    prompts::Prompt,
    sampling::{finite, log_probability},
};
use crate::{
    error::Fault,
    exchange::{ChoiceScore, Finish, Reply, SayReply, SayRequest},
};

/// The maximum rows of one call, each with its own copy of the prompt's keys and values.
const ROWS: usize = 32;
/// The maximum positions of all copies of one call.
const COPIED_POSITIONS: usize = 32 * 1024;
/// The maximum tokens of one call. Each gives a row of logits, (vocabulary).
pub const CALL_TOKENS: usize = 128;

/// The copies of the keys and values of a prompt of `prompt` tokens that `choices` choices take together.
pub fn copies(choices: usize, prompt: usize) -> usize {
    let rows = choices.min(ROWS).min(COPIED_POSITIONS / prompt.max(1));
    if rows > 1 { rows } else { 0 }
}

impl<D: Decoder> TextGenerator<D> {
    /// Scores each choice by the sum of its tokens' log-probabilities after the prompt, or by their mean
    /// (`normalise`), and gives the best. If one choice is the beginning of another, the end token counts too;
    /// otherwise the shorter one would always win. Choices are read together, as rows of few calls.
    pub(super) fn choose(&mut self, job: &Job, say: &SayRequest) -> Result<Reply, Fault> {
        let Prompt { read, tokens: ids, left_out, .. } = self.prompt(job)?;
        let options = say.choices.iter().map(|c| self.text.encode(c, false)).collect::<Result<Vec<_>, _>>()?;
        let longest = options.iter().map(Vec::len).max().unwrap_or(0);
        if ids.len() + longest > self.context_tokens {
            return Err(Fault::failed(format!(
                "the prompt has {} tokens and the longest choice {longest}; the model reads at most {} together",
                ids.len(),
                self.context_tokens
            )));
        }
        let nested = options
            .iter()
            .enumerate()
            .any(|(n, a)| options.iter().skip(n + 1).any(|b| a.starts_with(b) || b.starts_with(a)));
        let (mut cache, from) = self.begin(&read, true)?;
        let first = self.prefill(&mut cache, &read, from)?;
        // The logits after the last token count only for the end token.
        let inputs: Vec<Vec<PromptPosition>> = options
            .iter()
            .map(|option| PromptPosition::tokens(&option[..option.len().saturating_sub(usize::from(!nested))]))
            .collect();
        let mut sums = Vec::with_capacity(options.len());
        for range in calls(&inputs, read.len()) {
            if job.gone() {
                return Err(Fault::cancelled());
            }
            let mut logits = self.read_rows(&mut cache, read.len(), &inputs[range.clone()])?.into_iter();
            for n in range {
                let after: Vec<Vec<f32>> = logits.by_ref().take(inputs[n].len()).collect();
                let all: Vec<&[f32]> = std::iter::once(&first).chain(&after).map(Vec::as_slice).collect();
                sums.push(self.log_likelihood(&options[n], &all, nested));
            }
        }
        self.prefixes.keep(read, cache);
        let scored = say.choices.iter().zip(&sums).map(|(text, (sum, tokens))| {
            let score = if say.normalise { sum / (*tokens).max(1) as f64 } else { *sum };
            ChoiceScore { text: text.clone(), logprob: score as f32 }
        });
        let scores: Vec<ChoiceScore> = scored.collect();
        // of equal ones, the first
        let best = (0..scores.len()).rev().max_by(|a, b| scores[*a].logprob.total_cmp(&scores[*b].logprob));
        let n = best.ok_or_else(|| Fault::failed("the list of choices is empty".to_owned()))?;
        let tokens = options[n].clone();
        Ok(Reply::Say(SayReply { tokens, scores, left_out, ..SayReply::new(&say.choices[n], Finish::Stop) }))
    }

    /// The logits after each position of each row of `inputs`, which all continue the first `length` positions of
    /// `cache`.
    fn read_rows(
        &self,
        cache: &mut D::Cache,
        length: usize,
        inputs: &[Vec<PromptPosition>],
    ) -> Result<Vec<Vec<f32>>, Fault> {
        let busy: Vec<&[PromptPosition]> = inputs.iter().map(Vec::as_slice).filter(|input| !input.is_empty()).collect();
        let logits = match busy.as_slice() {
            [] => Ok(Vec::new()),
            [only] => {
                let logits = self.logits_of(Phase::Prompt, only.len(), &mut [(&mut *cache, *only)], true);
                cache.truncate(length);
                logits
            }
            _ => {
                let copies = busy.iter().map(|_| cache.copy(length)).collect::<candle_core::Result<Vec<_>>>();
                let mut copies = copies.map_err(super::failed)?;
                let mut rows: Vec<CacheRow<'_, D::Cache>> = copies.iter_mut().zip(busy).collect();
                let units = rows.iter().map(|(_, read)| read.len()).sum();
                self.logits_of(Phase::Prompt, units, &mut rows, true)
            }
        }?;
        logits.iter().try_for_each(|row| finite(row))?;
        Ok(logits)
    }

    /// The sum of the tokens' log-probabilities and their number. `logits` come before each token and after the last
    /// one.
    fn log_likelihood(&self, tokens: &[u32], logits: &[&[f32]], with_end: bool) -> (f64, usize) {
        let mut sum: f64 = tokens.iter().zip(logits).map(|(id, logits)| log_probability(logits, *id)).sum();
        if with_end && let Some(last) = logits.get(tokens.len()) {
            let ends = self.ends.iter().map(|id| log_probability(last, *id));
            sum += ends.fold(f64::NEG_INFINITY, f64::max).max(-1e9);
        }
        (sum, tokens.len() + usize::from(with_end))
    }
}

/// The ranges of `inputs` that are read in one call each. Each continues its own copy of a prompt of `length` positions.
fn calls(inputs: &[Vec<PromptPosition>], length: usize) -> Vec<std::ops::Range<usize>> {
    let (mut ranges, mut start) = (Vec::new(), 0);
    let (mut rows, mut tokens) = (0, 0);
    for (n, input) in inputs.iter().enumerate() {
        let row = usize::from(!input.is_empty());
        let full = rows + row > ROWS || (rows + row) * length > COPIED_POSITIONS || tokens + input.len() > CALL_TOKENS;
        if rows > 0 && full {
            ranges.push(start..n);
            (start, rows, tokens) = (n, 0, 0);
        }
        (rows, tokens) = (rows + row, tokens + input.len());
    }
    ranges.push(start..inputs.len());
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_limited_rows_tokens_and_copies() {
        let check = |lengths: &[usize], prompt: usize, expected: &[(usize, usize)]| {
            let inputs: Vec<_> = lengths.iter().map(|n| PromptPosition::tokens(&vec![0; *n])).collect();
            let found: Vec<(usize, usize)> = calls(&inputs, prompt).iter().map(|rows| (rows.start, rows.end)).collect();
            assert_eq!(found, expected, "{lengths:?}");
        };
        check(&[1, 0, 2], 100, &[(0, 3)]);
        check(&[1; 40], 100, &[(0, 32), (32, 40)]);
        check(&[0; 40], 100, &[(0, 40)]);
        check(&[100, 100], 100, &[(0, 1), (1, 2)]);
        check(&[1, 1, 1], 12_000, &[(0, 2), (2, 3)]);
        check(&[1, 1], 1_000_000, &[(0, 1), (1, 2)]);
    }
}
