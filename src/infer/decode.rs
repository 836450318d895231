//! The one decode loop of all language models: what waits is prefilled and decoded together, each row with a key-value
//! cache of its own.

use super::{
    chat::{Chat, RenderedPrompt},
    failed,
    job::{Job, Model},
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

/// A decoder-only network. Rows of a call have lengths of their own: their tokens are laid end to end, without padding,
/// and attention looks at one row's cache at a time, so that a row's result does not depend on its neighbours.
pub trait Decoder {
    /// The keys and values of one row.
    type Cache: Prefix;
    /// An empty cache.
    fn cache(&self) -> Self::Cache;
    /// Appends what each row reads to its cache. Gives the logits (f32) after the last position of each row, (rows, vocabulary),
    /// or, with `all`, after every position of every row, laid end to end.
    fn forward(&self, rows: &mut [CacheRow<'_, Self::Cache>], all: bool) -> candle_core::Result<Tensor>;
}

/// The cache of one row and what it reads next.
pub type CacheRow<'a, C> = (&'a mut C, &'a [PromptPosition]);

/// Prompts are prefilled in pieces of this many tokens, which bounds the attention mask of a long prompt.
const PIECE_TOKENS: usize = 512;
/// Most tokens of a reply unless a limit was set.
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
}

/// The parts of a speaker, besides its network.
pub struct GeneratorParts {
    /// Its tokenizer.
    pub text: TextTokenizer,
    /// Its chat template.
    pub chat: Chat,
    /// Tokens that end a reply.
    pub ends: Vec<u32>,
    /// What `generation_config.json` asks of every reply.
    pub processors: LogitsProcessors,
    /// What `generation_config.json` says of choosing tokens.
    pub defaults: Decoding,
    /// The agent's own decoding defaults.
    pub decode: Decoding,
    /// Most tokens of prompt and reply together.
    pub context_tokens: usize,
}

/// One reply on its way.
struct Writing<C> {
    job: Job,
    cache: C,
    /// Prompt and reply, as the network reads them.
    read: Vec<PromptPosition>,
    /// The same as token ids.
    tokens: Vec<u32>,
    prompt: usize,
    sampler: Sampler,
    settings: SamplingSettings,
    most: usize,
    said: String,
    streamed: usize,
}

impl<D: Decoder> TextGenerator<D> {
    /// Puts a speaker together.
    pub fn new(decoder: D, parts: GeneratorParts) -> TextGenerator<D> {
        let GeneratorParts { text, chat, ends, processors, defaults, decode, context_tokens } = parts;
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
        }
    }

    /// The ids of a job's prompt, refused if they leave too little room for a reply.
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

    /// A cache with the part of `read` that the last prompt shares.
    fn begin(&mut self, read: &[PromptPosition], alone: bool) -> Result<(D::Cache, usize), Fault> {
        let TextGenerator { decoder, last, .. } = self;
        last.begin(read, alone, || decoder.cache()).map_err(failed)
    }

    /// The logits of a call of the network, one row for each; they must be finite.
    fn logits_of(&self, rows: &mut [CacheRow<'_, D::Cache>], all: bool) -> Result<Vec<Vec<f32>>, Fault> {
        let logits = self.decoder.forward(rows, all).and_then(|l| l.to_vec2::<f32>()).map_err(failed)?;
        logits.iter().try_for_each(|row| finite(row))?;
        Ok(logits)
    }

    /// Feeds `read[from..]` piece by piece; gives the logits after the last position.
    fn prefill(&self, cache: &mut D::Cache, read: &[PromptPosition], from: usize) -> Result<Vec<f32>, Fault> {
        let mut logits = Vec::new();
        for piece in read[from..].chunks(PIECE_TOKENS) {
            logits = self.logits_of(&mut [(&mut *cache, piece)], false)?;
        }
        logits.pop().ok_or_else(|| Fault::failed("the prompt is empty".to_owned()))
    }

    /// Answers jobs that are to be generated, together.
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
                    let most = settings.max_tokens.unwrap_or(MAX_TOKENS).min(room);
                    let sampler = Sampler::new(settings.clone(), job.seed);
                    let prompt = tokens.len();
                    let said = String::new();
                    let row = Writing { job, cache, read, tokens, prompt, sampler, settings, most, said, streamed: 0 };
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

    /// Prefills every row, the pieces of all rows together, and chooses their first tokens.
    fn begin_rows(&mut self, rows: Vec<(Writing<D::Cache>, usize)>) -> Result<Vec<Writing<D::Cache>>, ()> {
        let (mut rows, mut at): (Vec<_>, Vec<usize>) = rows.into_iter().unzip();
        let mut logits: Vec<Vec<f32>> = vec![Vec::new(); rows.len()];
        loop {
            let pending: Vec<usize> = (0..rows.len()).filter(|n| at[*n] < rows[*n].read.len()).collect();
            if pending.is_empty() {
                break;
            }
            // All rows of a piece together stay within one piece's size, except that each brings at least one token.
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

    /// Chooses the next token of each row; answers the rows that end, drops those whose caller has gone.
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

    /// One token further. The row's reply, if it ends here.
    fn step(&self, row: &mut Writing<D::Cache>, logits: &mut [f32]) -> Result<Option<Reply>, Fault> {
        if row.most == 0 {
            return Ok(Some(Reply::Say(SayReply { text: String::new(), tokens: Vec::new(), finish: Finish::Length })));
        }
        self.processors.apply(logits, &row.tokens, row.prompt, row.most);
        let next = row.sampler.choose(logits);
        if self.ends.contains(&next) {
            return self.finished(row, Finish::Stop).map(Some);
        }
        row.tokens.push(next);
        row.read.push(PromptPosition::Token(next));
        let full = row.tokens.len() - row.prompt >= row.most;
        if row.settings.stop.is_empty() && !row.job.streams() {
            return if full { self.finished(row, Finish::Length).map(Some) } else { Ok(None) };
        }
        row.said = self.text.decode(&row.tokens[row.prompt..])?;
        if let Some(cut) = row.settings.stop.iter().filter_map(|stop| row.said.find(stop)).min() {
            row.said.truncate(cut);
            // The tokens that wrote the text before the stop, and no more.
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

    /// Remembers a prompt's cache for the next. The last token of a reply was chosen but never fed.
    fn keep(&mut self, mut read: Vec<PromptPosition>, cache: D::Cache) {
        read.pop();
        self.last.keep(read, cache);
    }

    /// The most likely of the given replies, by the sum of their tokens' log-probabilities after the prompt. If one is the
    /// beginning of another, the end of the reply counts too; otherwise the shorter one would always win.
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

    /// Logits after each token of a bare prompt, (tokens, vocabulary): for parity tests.
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

/// The number of bytes that can be shown already: not half a character, and not the beginning of a stop text.
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
    fn what_may_become_a_stop_is_held_back() {
        let check = |said: &str, stop: &str| said[..settled(said, &[stop.to_owned()])].to_owned();
        assert_eq!(check("on the ta", "\nQ:"), "on the ta");
        assert_eq!(check("on the table\n", "\nQ:"), "on the table");
        assert_eq!(check("caf\u{fffd}", "x"), "caf");
    }
}
