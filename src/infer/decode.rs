//! The decode loop of all language models: waiting jobs are prefilled and decoded together, each row with its own
//! key-value cache.

use super::{
    chat::{Chat, RenderedPrompt},
    cost::Phase,
    failed,
    job::{Job, Model},
    meter::Meter,
    prefix::{LastPrompt, Prefix, PromptPosition},
    processors::LogitsProcessors,
    sampling::{Sampler, SamplingSettings, finite, log_probability},
    text::TextTokenizer,
};
use crate::{
    error::Fault,
    exchange::{Decoding, Finish, Reply, Request, SayReply, SayRequest},
};
use candle_core::Tensor;

/// A decoder-only network. The rows of a call may differ in length. Their tokens are concatenated without padding, and
/// attention reads the cache of one row at a time, so that a row's result does not depend on the other rows.
pub trait Decoder {
    /// The keys and values of one row.
    type Cache: Prefix;
    /// An empty cache.
    fn cache(&self) -> Self::Cache;
    /// Appends the new positions of each row to its cache. Gives the logits (f32) after the last position of each row:
    /// (rows, vocabulary). With `all`: after every position of every row, (positions of all rows, vocabulary).
    fn forward(&self, rows: &mut [CacheRow<'_, Self::Cache>], all: bool) -> candle_core::Result<Tensor>;
}

/// The cache of one row and the positions that it reads next.
pub type CacheRow<'a, C> = (&'a mut C, &'a [PromptPosition]);

/// Prompts are prefilled in pieces of this many tokens, to bound the attention mask of a long prompt.
const PIECE_TOKENS: usize = 512;
/// The maximum tokens of a reply if neither the request, the agent nor the checkpoint sets a limit.
const MAX_TOKENS: usize = 512;

/// A language model that answers `say`.
pub struct TextGenerator<D: Decoder> {
    decoder: D,
    text: TextTokenizer,
    chat: Chat,
    ends: Vec<u32>,
    processors: LogitsProcessors,
    defaults: Decoding,
    decode: Decoding,
    context_tokens: usize,
    last: LastPrompt<D::Cache>,
    meter: Meter,
}

/// The parts of a [`TextGenerator`], besides its network.
pub struct GeneratorParts {
    /// The tokenizer.
    pub text: TextTokenizer,
    /// The chat template.
    pub chat: Chat,
    /// The ids of the tokens that end a reply.
    pub ends: Vec<u32>,
    /// The rules of `generation_config.json` for the logits of every reply.
    pub processors: LogitsProcessors,
    /// The settings of `generation_config.json` for choosing tokens.
    pub defaults: Decoding,
    /// The agent's own decoding defaults.
    pub decode: Decoding,
    /// The maximum tokens of prompt and reply together.
    pub context_tokens: usize,
    /// Measures the speed.
    pub meter: Meter,
}

/// A reply that is being generated.
struct Writing<C> {
    job: Job,
    cache: C,
    /// Prompt and reply, as the network reads them.
    read: Vec<PromptPosition>,
    /// Prompt and reply as token ids.
    tokens: Vec<u32>,
    /// The number of tokens of the prompt.
    prompt: usize,
    sampler: Sampler,
    settings: SamplingSettings,
    /// The maximum tokens of the reply.
    max_tokens: usize,
    /// The text of the reply so far.
    said: String,
    /// The bytes of `said` that the caller has already received.
    streamed: usize,
}

impl<D: Decoder> TextGenerator<D> {
    /// A generator from its network and its other parts.
    pub fn new(decoder: D, parts: GeneratorParts) -> TextGenerator<D> {
        let GeneratorParts { text, chat, ends, processors, defaults, decode, context_tokens, meter } = parts;
        TextGenerator {
            decoder,
            text,
            chat,
            ends,
            processors,
            defaults,
            decode,
            context_tokens,
            last: LastPrompt::none(),
            meter,
        }
    }

    /// The token ids of a job's prompt. Fails if they leave no room for a reply.
    fn prompt(&self, job: &Job) -> Result<(Vec<u32>, SamplingSettings), Fault> {
        let Request::Say(SayRequest { messages, raw, decoding, .. }) = &job.request else {
            return Err(Fault::failed("a language model only answers `say`".to_owned()));
        };
        if messages.iter().any(|m| !m.images.is_empty()) {
            return Err(Fault::failed("this language model does not see images".to_owned()));
        }
        let RenderedPrompt { text, special } = self.chat.prompt(messages, *raw)?;
        let ids = self.text.encode(&text, special)?;
        if ids.is_empty() {
            return Err(Fault::failed("the prompt is empty".to_owned()));
        }
        if ids.len() >= self.context_tokens {
            return Err(Fault::failed(format!(
                "the prompt has {} tokens; the model reads at most {} together with its reply: shorten the prompt or use a model that reads more",
                ids.len(),
                self.context_tokens
            )));
        }
        Ok((ids, SamplingSettings::new(decoding, &self.decode, &self.defaults)))
    }

    /// A cache with the prefix of `read` that the last prompt shares, and the length of the prefix.
    fn begin(&mut self, read: &[PromptPosition], alone: bool) -> Result<(D::Cache, usize), Fault> {
        let TextGenerator { decoder, last, .. } = self;
        last.begin(read, alone, || decoder.cache()).map_err(failed)
    }

    /// The logits of one call of the network. Fails if one is not finite.
    fn logits_of(&self, rows: &mut [CacheRow<'_, D::Cache>], all: bool) -> Result<Vec<Vec<f32>>, Fault> {
        let tokens = rows.iter().map(|(_, read)| read.len()).sum();
        let phase = match (rows.len(), tokens) {
            (1, 1) => Phase::Reply,
            (rows, tokens) if rows == tokens => Phase::Batch,
            _ => Phase::Prompt,
        };
        let forward = || self.decoder.forward(rows, all).and_then(|l| l.to_vec2::<f32>());
        let logits = self.meter.time(phase, tokens, forward).map_err(failed)?;
        logits.iter().try_for_each(|row| finite(row))?;
        Ok(logits)
    }

    /// Reads `read[from..]` piece by piece into the cache. Gives the logits after the last position.
    fn prefill(&self, cache: &mut D::Cache, read: &[PromptPosition], from: usize) -> Result<Vec<f32>, Fault> {
        let mut logits = Vec::new();
        for piece in read[from..].chunks(PIECE_TOKENS) {
            logits = self.logits_of(&mut [(&mut *cache, piece)], false)?;
        }
        logits.pop().ok_or_else(|| Fault::failed("the prompt is empty".to_owned()))
    }

    /// Generates the replies of `jobs` together, and answers each.
    fn generate(&mut self, jobs: Vec<Job>) {
        let alone = jobs.len() == 1;
        let mut rows = Vec::new();
        for job in jobs {
            let begun = self.prompt(&job).and_then(|(tokens, settings)| {
                let read = PromptPosition::tokens(&tokens);
                Ok((self.begin(&read, alone)?, read, tokens, settings))
            });
            match begun {
                Ok(((cache, from), read, tokens, settings)) => {
                    let room = self.context_tokens - tokens.len();
                    let max_tokens = settings.max_tokens.unwrap_or(MAX_TOKENS).min(room);
                    let sampler = Sampler::new(settings.clone(), job.seed);
                    let prompt = tokens.len();
                    let said = String::new();
                    let row =
                        Writing { job, cache, read, tokens, prompt, sampler, settings, max_tokens, said, streamed: 0 };
                    rows.push((row, from));
                }
                Err(error) => job.answer(Err(error)),
            }
        }
        let mut rows = match self.begin_rows(rows) {
            Ok(rows) => rows,
            Err(()) => return,
        };
        while !rows.is_empty() {
            let mut inputs: Vec<CacheRow<'_, D::Cache>> = Vec::new();
            for row in &mut rows {
                inputs.push((&mut row.cache, &row.read[row.read.len() - 1..]));
            }
            match self.logits_of(&mut inputs, false) {
                Ok(logits) => rows = self.advance(rows, logits),
                Err(error) => return rows.into_iter().for_each(|row| row.job.answer(Err(error.clone()))),
            }
        }
    }

    /// Prefills all rows together, piece by piece, and chooses their first tokens. If the network fails, all rows are
    /// answered with its error.
    fn begin_rows(&mut self, rows: Vec<(Writing<D::Cache>, usize)>) -> Result<Vec<Writing<D::Cache>>, ()> {
        let (mut rows, mut at): (Vec<_>, Vec<usize>) = rows.into_iter().unzip();
        let mut logits: Vec<Vec<f32>> = vec![Vec::new(); rows.len()];
        loop {
            let pending: Vec<usize> = (0..rows.len()).filter(|n| at[*n] < rows[*n].read.len()).collect();
            if pending.is_empty() {
                break;
            }
            // The rows share one piece of tokens; each reads at least one token.
            let share = (PIECE_TOKENS / pending.len()).max(1);
            let mut inputs: Vec<CacheRow<'_, D::Cache>> = Vec::new();
            for (n, row) in rows.iter_mut().enumerate() {
                if at[n] < row.read.len() {
                    let to = (at[n] + share).min(row.read.len());
                    inputs.push((&mut row.cache, &row.read[at[n]..to]));
                    at[n] = to;
                }
            }
            match self.logits_of(&mut inputs, false) {
                Ok(found) => pending.into_iter().zip(found).for_each(|(n, l)| logits[n] = l),
                Err(error) => {
                    rows.into_iter().for_each(|row| row.job.answer(Err(error.clone())));
                    return Err(());
                }
            }
        }
        Ok(self.advance(rows, logits))
    }

    /// Chooses the next token of each row. Answers the rows that end, and drops those whose caller no longer waits.
    fn advance(&mut self, rows: Vec<Writing<D::Cache>>, logits: Vec<Vec<f32>>) -> Vec<Writing<D::Cache>> {
        let mut going = Vec::new();
        for (mut row, mut logits) in rows.into_iter().zip(logits) {
            if row.job.gone() {
                self.keep(row.read, row.cache);
                continue;
            }
            match self.step(&mut row, &mut logits) {
                Ok(None) => going.push(row),
                Ok(Some(reply)) => {
                    let Writing { job, read, cache, said, streamed, .. } = row;
                    job.piece(&said[streamed.min(said.len())..]);
                    job.answer(Ok(reply));
                    self.keep(read, cache);
                }
                Err(error) => row.job.answer(Err(error)),
            }
        }
        going
    }

    /// Chooses one more token. Gives the reply if the row ends with it.
    fn step(&self, row: &mut Writing<D::Cache>, logits: &mut [f32]) -> Result<Option<Reply>, Fault> {
        if row.max_tokens == 0 {
            return Ok(Some(Reply::Say(SayReply { text: String::new(), tokens: Vec::new(), finish: Finish::Length })));
        }
        self.processors.apply(logits, &row.tokens, row.prompt, row.max_tokens);
        let next = row.sampler.choose(logits);
        if self.ends.contains(&next) {
            return self.finished(row, Finish::Stop).map(Some);
        }
        row.tokens.push(next);
        row.read.push(PromptPosition::Token(next));
        let full = row.tokens.len() - row.prompt >= row.max_tokens;
        if row.settings.stop.is_empty() && !row.job.streams() {
            return if full { self.finished(row, Finish::Length).map(Some) } else { Ok(None) };
        }
        row.said = self.text.decode(&row.tokens[row.prompt..])?;
        if let Some(cut) = row.settings.stop.iter().filter_map(|stop| row.said.find(stop)).min() {
            row.said.truncate(cut);
            // Only the tokens that wrote the text before the stop belong to the reply.
            let mut keep = row.prompt;
            while keep < row.tokens.len() && self.text.decode(&row.tokens[row.prompt..keep])?.len() < cut {
                keep += 1;
            }
            let tokens = row.tokens[row.prompt..keep].to_vec();
            return Ok(Some(Reply::Say(SayReply { text: row.said.clone(), tokens, finish: Finish::Stop })));
        }
        if full {
            return self.finished(row, Finish::Length).map(Some);
        }
        let ready = settled(&row.said, &row.settings.stop);
        if ready > row.streamed {
            row.job.piece(&row.said[row.streamed..ready]);
            row.streamed = ready;
        }
        Ok(None)
    }

    fn finished(&self, row: &mut Writing<D::Cache>, finish: Finish) -> Result<Reply, Fault> {
        let tokens = row.tokens[row.prompt..].to_vec();
        row.said = self.text.decode(&tokens)?;
        Ok(Reply::Say(SayReply { text: row.said.clone(), tokens, finish }))
    }

    /// Remembers the cache of a prompt for the next one. The last token is left out: it was chosen, but the network did
    /// not read it.
    fn keep(&mut self, mut read: Vec<PromptPosition>, cache: D::Cache) {
        read.pop();
        self.last.keep(read, cache);
    }

    /// The most likely of the given replies, by the sum of their tokens' log-probabilities after the prompt. If one is
    /// the beginning of another, the end token counts too; otherwise the shorter one would always win.
    fn choose(&mut self, job: &Job, choices: &[String]) -> Result<Reply, Fault> {
        let (ids, _) = self.prompt(job)?;
        let options = choices.iter().map(|c| self.text.encode(c, false)).collect::<Result<Vec<_>, _>>()?;
        let nested = options
            .iter()
            .enumerate()
            .any(|(n, a)| options.iter().skip(n + 1).any(|b| a.starts_with(b) || b.starts_with(a)));
        let read = PromptPosition::tokens(&ids);
        let (mut cache, from) = self.begin(&read, true)?;
        let first = self.prefill(&mut cache, &read, from)?;
        let mut best: Option<(f64, usize)> = None;
        for (n, option) in options.iter().enumerate() {
            if job.gone() {
                return Err(Fault::cancelled());
            }
            let mut logits = vec![first.clone()];
            if !option.is_empty() {
                cache.truncate(read.len());
                logits.extend(self.logits_of(&mut [(&mut cache, PromptPosition::tokens(option).as_slice())], true)?);
            }
            let mut sum: f64 = option.iter().zip(&logits).map(|(id, logits)| log_probability(logits, *id)).sum();
            if nested && let Some(last) = logits.last() {
                let ends = self.ends.iter().map(|id| log_probability(last, *id));
                sum += ends.fold(f64::NEG_INFINITY, f64::max).max(-1e9);
            }
            if best.is_none_or(|(most, _)| sum > most) {
                best = Some((sum, n));
            }
        }
        self.last.keep(read, cache);
        let (_, n) = best.ok_or_else(|| Fault::failed("the list of choices is empty".to_owned()))?;
        Ok(Reply::Say(SayReply { text: choices[n].clone(), tokens: options[n].clone(), finish: Finish::Stop }))
    }

    /// Logits after each token of a prompt without a chat template, (tokens, vocabulary): for parity tests.
    pub fn logits(&self, ids: &[u32]) -> candle_core::Result<Vec<Vec<f32>>> {
        self.decoder
            .forward(&mut [(&mut self.decoder.cache(), PromptPosition::tokens(ids).as_slice())], true)?
            .to_vec2()
    }
}

impl<D: Decoder> Model for TextGenerator<D> {
    fn answer(&mut self, jobs: Vec<Job>) {
        let chooses = |job: &Job| matches!(&job.request, Request::Say(say) if !say.choices.is_empty());
        let (choose, generate): (Vec<_>, Vec<_>) = jobs.into_iter().partition(chooses);
        for job in choose {
            let Request::Say(say) = &job.request else { continue };
            let reply = self.choose(&job, &say.choices);
            job.answer(reply);
        }
        if !generate.is_empty() {
            self.generate(generate);
        }
    }
}

/// The number of bytes that can be streamed now: not an incomplete character, and not the beginning of a stop text.
fn settled(said: &str, stops: &[String]) -> usize {
    let whole = said.trim_end_matches('\u{fffd}');
    let held =
        stops.iter().flat_map(|stop| (1..stop.len()).filter(|n| stop.is_char_boundary(*n)).map(move |n| &stop[..n]));
    let longest = held.filter(|begin| whole.ends_with(begin)).map(str::len).max().unwrap_or(0);
    whole.len() - longest
}

#[cfg(test)]
mod tests {
    use super::settled;

    #[test]
    fn the_beginning_of_a_stop_text_is_not_streamed() {
        let check = |said: &str, stop: &str| said[..settled(said, &[stop.to_owned()])].to_owned();
        assert_eq!(check("on the ta", "\nQ:"), "on the ta");
        assert_eq!(check("on the table\n", "\nQ:"), "on the table");
        assert_eq!(check("caf\u{fffd}", "x"), "caf");
    }
}
