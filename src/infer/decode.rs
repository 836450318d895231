//! The decode loop of all language models: waiting jobs are prefilled and decoded together, each row with its own
//! key-value cache.

use super::{
    chat::Chat,
    cost::Phase,
    failed,
    job::{Job, Model},
    meter::Meter,
    prefix::{LastPrompt, Prefix, PromptPosition},
    processors::LogitsProcessors,
    prompts::Prompt,
    restrict::{Alphabet, Restricted},
    sampling::{Sampler, finite},
    seen::SeenPicture,
    text::TextTokenizer,
};
use crate::{
    error::Fault,
    exchange::{Decoding, Request, TokenLogprob},
};
use ::image::RgbImage;
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
    /// The token that marks the place of one picture vector in a prompt, and its text. A chat template writes the text once for each
    /// picture. A network without vision has no such token.
    fn picture_mark(&self) -> Option<(u32, &str)> {
        None
    }
    /// Looks at pictures, so that prompts may contain them.
    fn see(&mut self, _pictures: &[&RgbImage]) -> Result<Vec<SeenPicture>, Fault> {
        Err(Fault::failed("this language model does not see images".to_owned()))
    }
    /// The same mark for a video. A network that reads no videos has none.
    fn video_mark(&self) -> Option<(u32, &str)> {
        None
    }
    /// Looks at the frames of a video, each with its time in seconds. Gives the pieces of the video.
    fn watch(&mut self, _frames: &[(f64, &RgbImage)]) -> Result<Vec<SeenPicture>, Fault> {
        Err(Fault::failed("this language model does not see videos".to_owned()))
    }
    /// Forgets pictures that no prompt contains, if there are many.
    fn rest(&mut self) {}
}

/// The cache of one row and the positions that it reads next.
pub type CacheRow<'a, C> = (&'a mut C, &'a [PromptPosition]);

/// Prompts are prefilled in pieces of this many tokens, to bound the attention mask of a long prompt.
const PIECE_TOKENS: usize = 512;
/// The maximum tokens of a reply if neither the request, the agent nor the checkpoint sets a limit.
pub(super) const MAX_TOKENS: usize = 512;

/// A language model that answers `say`.
pub struct TextGenerator<D: Decoder> {
    pub(super) decoder: D,
    pub(super) text: TextTokenizer,
    pub(super) chat: Chat,
    pub(super) ends: Vec<u32>,
    pub(super) processors: LogitsProcessors,
    pub(super) defaults: Decoding,
    pub(super) decode: Decoding,
    pub(super) context_tokens: usize,
    pub(super) last: LastPrompt<D::Cache>,
    /// The tokens with their bytes, once a restricted reply was asked for.
    pub(super) alphabet: Option<Alphabet>,
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
pub(super) struct Writing<C> {
    pub(super) job: Job,
    pub(super) cache: C,
    /// Prompt and reply, as the network reads them.
    pub(super) read: Vec<PromptPosition>,
    /// Prompt and reply as token ids.
    pub(super) tokens: Vec<u32>,
    /// The number of tokens of the prompt.
    pub(super) prompt: usize,
    pub(super) sampler: Sampler,
    pub(super) settings: Decoding,
    /// The maximum tokens of the reply.
    pub(super) max_tokens: usize,
    /// The text of the reply so far.
    pub(super) said: String,
    /// The bytes of `said` that the caller has already received.
    pub(super) streamed: usize,
    /// The log-probability of each token of the reply, if they were asked for.
    pub(super) logprobs: Vec<TokenLogprob>,
    /// The state of a reply with a restriction.
    pub(super) restricted: Option<Restricted>,
    /// The number of lines that were left out of the prompt.
    pub(super) left_out: usize,
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
            alphabet: None,
            meter,
        }
    }

    /// A cache with the prefix of `read` that the last prompt shares, and the length of the prefix.
    pub(super) fn begin(&mut self, read: &[PromptPosition], alone: bool) -> Result<(D::Cache, usize), Fault> {
        let TextGenerator { decoder, last, .. } = self;
        last.begin(read, alone, || decoder.cache()).map_err(failed)
    }

    /// The logits of one call of the network. Fails if one is not finite.
    pub(super) fn logits_of(&self, rows: &mut [CacheRow<'_, D::Cache>], all: bool) -> Result<Vec<Vec<f32>>, Fault> {
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
    pub(super) fn prefill(
        &self,
        cache: &mut D::Cache,
        read: &[PromptPosition],
        from: usize,
    ) -> Result<Vec<f32>, Fault> {
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
            let begun = self.prompt(&job).and_then(|Prompt { read, tokens, mut settings, left_out }| {
                let restricted = self.restricted(&job, &mut settings, tokens.len())?;
                // a row with the same prompt as an earlier one copies its cache later
                let begun = match rows.iter().any(|row: &(Writing<D::Cache>, _)| row.0.read == read) {
                    true => (self.decoder.cache(), None),
                    false => self.begin(&read, alone).map(|(cache, from)| (cache, Some(from)))?,
                };
                Ok((begun, read, tokens, settings, restricted, left_out))
            });
            match begun {
                Ok((begun, read, tokens, settings, restricted, left_out)) => {
                    let (mut row, from) = self.row(job, begun, read, tokens, settings);
                    (row.restricted, row.left_out) = (restricted, left_out);
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

    /// The maximum tokens of a reply to a prompt of `prompt` tokens.
    fn room(&self, settings: &Decoding, prompt: usize) -> usize {
        settings.max_tokens.unwrap_or(MAX_TOKENS).min(self.context_tokens - prompt)
    }

    /// The state of a reply with a restriction. The agent's own stop texts do not apply, because they would cut the
    /// value. Fails if no reply can fit.
    fn restricted(&mut self, job: &Job, settings: &mut Decoding, prompt: usize) -> Result<Option<Restricted>, Fault> {
        let Request::Say(say) = &job.request else { return Ok(None) };
        let Some(restriction) = say.restriction() else { return Ok(None) };
        if !say.decoding.stop.is_empty() {
            let noun = restriction.noun();
            return Err(Fault::failed(format!("`stop` cannot be combined with `{noun}`: it would cut the value")));
        }
        settings.stop.clear();
        let most = self.room(settings, prompt);
        let alphabet = match &mut self.alphabet {
            Some(alphabet) => alphabet,
            none => none.insert(Alphabet::new(&self.text)?),
        };
        Restricted::new(alphabet, restriction, most).map(Some)
    }

    /// A row that begins with its prompt.
    fn row(
        &self,
        job: Job,
        (cache, from): (D::Cache, Option<usize>),
        read: Vec<PromptPosition>,
        tokens: Vec<u32>,
        settings: Decoding,
    ) -> (Writing<D::Cache>, Option<usize>) {
        let prompt = tokens.len();
        let max_tokens = self.room(&settings, prompt);
        let sampler = Sampler::new(settings.clone(), job.seed);
        let (said, streamed, logprobs, restricted) = (String::new(), 0, Vec::new(), None);
        let row = Writing {
            job,
            cache,
            read,
            tokens,
            prompt,
            sampler,
            settings,
            max_tokens,
            said,
            streamed,
            logprobs,
            restricted,
            left_out: 0,
        };
        (row, from)
    }

    /// Prefills all rows together, piece by piece, and chooses their first tokens. A row without a start shares the
    /// prompt of an earlier row, and copies its cache. If the network fails, all rows are answered with its error.
    fn begin_rows(&mut self, rows: Vec<(Writing<D::Cache>, Option<usize>)>) -> Result<Vec<Writing<D::Cache>>, ()> {
        let (mut rows, starts): (Vec<_>, Vec<Option<usize>>) = rows.into_iter().unzip();
        let prefilled = self.prefill_rows(&mut rows, &starts);
        match prefilled.and_then(|logits| copy_shared(&mut rows, &starts, logits)) {
            Ok(logits) => Ok(self.advance(rows, logits)),
            Err(error) => {
                rows.into_iter().for_each(|row| row.job.answer(Err(error.clone())));
                Err(())
            }
        }
    }

    /// The logits after the prompts of the rows that have a start; empty for the others.
    fn prefill_rows(&self, rows: &mut [Writing<D::Cache>], starts: &[Option<usize>]) -> Result<Vec<Vec<f32>>, Fault> {
        let mut at: Vec<usize> =
            starts.iter().zip(&*rows).map(|(start, row)| start.unwrap_or(row.read.len())).collect();
        let mut logits: Vec<Vec<f32>> = vec![Vec::new(); rows.len()];
        loop {
            let pending: Vec<usize> = (0..rows.len()).filter(|n| at[*n] < rows[*n].read.len()).collect();
            if pending.is_empty() {
                return Ok(logits);
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
            let found = self.logits_of(&mut inputs, false)?;
            pending.into_iter().zip(found).for_each(|(n, l)| logits[n] = l);
        }
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

    /// Remembers the cache of a prompt for the next one. The last token is left out: it was chosen, but the network did
    /// not read it.
    fn keep(&mut self, mut read: Vec<PromptPosition>, cache: D::Cache) {
        read.pop();
        self.last.keep(read, cache);
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
        self.decoder.rest();
        let chooses = |job: &Job| matches!(&job.request, Request::Say(say) if !say.choices.is_empty());
        let (choose, generate): (Vec<_>, Vec<_>) = jobs.into_iter().partition(chooses);
        for job in choose {
            let Request::Say(say) = &job.request else { continue };
            let reply = self.choose(&job, &say.clone());
            job.answer(reply);
        }
        if !generate.is_empty() {
            self.generate(generate);
        }
    }
}

/// Gives the rows without a start a copy of the cache and the logits of the earlier row with the same prompt.
fn copy_shared<C: Prefix>(
    rows: &mut [Writing<C>],
    starts: &[Option<usize>],
    mut logits: Vec<Vec<f32>>,
) -> Result<Vec<Vec<f32>>, Fault> {
    for n in 0..rows.len() {
        let first = (0..n).find(|first| starts[n].is_none() && rows[*first].read == rows[n].read);
        if let Some(first) = first {
            rows[n].cache = rows[first].cache.copy(rows[first].read.len()).map_err(failed)?;
            logits[n] = logits[first].clone();
        }
    }
    Ok(logits)
}
