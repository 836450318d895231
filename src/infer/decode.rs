//! The one decode loop of all language models: what waits is prefilled and decoded together, each row with a key-value
//! cache of its own.

use super::{
    chat::{Chat, Prompt},
    checkpoint::Config,
    failed,
    job::{Job, Model, Work},
    manners::Manners,
    sampling::{Sampler, Settings, log_probability},
    text::Text,
};
use crate::{
    error::Fault,
    exchange::{Decoding, Finish, Reply, SayReply},
};
use candle_core::Tensor;

/// A decoder-only network. Rows of a call have lengths of their own: their tokens are laid end to end, without padding,
/// and attention looks at one row's cache at a time, so that a row's result does not depend on its neighbours.
pub trait Decoder {
    /// The keys and values of one row.
    type Cache: Prefix;
    /// An empty cache.
    fn cache(&self) -> Self::Cache;
    /// Appends each row's tokens to its cache. Gives the logits (f32) after the last token of each row, (rows, vocabulary),
    /// or, with `all`, after every token of every row, laid end to end.
    fn forward(&self, rows: &mut [(&mut Self::Cache, &[u32])], all: bool) -> candle_core::Result<Tensor>;
}

/// A cache that can be cut back to a prefix and copied.
pub trait Prefix {
    /// Forgets everything after the first `tokens`.
    fn truncate(&mut self, tokens: usize);
    /// A copy of the first `tokens` with storage of its own.
    fn copy(&self, tokens: usize) -> candle_core::Result<Self>
    where
        Self: Sized;
}

/// Prompts are prefilled in pieces of this many tokens, which bounds the attention mask of a long prompt.
const PIECE_TOKENS: usize = 512;
/// A shared beginning shorter than this is not worth copying.
const PREFIX_TOKENS: usize = 16;
/// Most tokens of a reply when nobody said how many.
const MAX_TOKENS: usize = 512;

/// A language model that answers `say`.
pub struct Speaker<D: Decoder> {
    decoder: D,
    text: Text,
    chat: Chat,
    ends: Vec<u32>,
    manners: Manners,
    generation: Option<Config>,
    decode: Decoding,
    context_tokens: usize,
    /// The tokens and cache of the prompt answered last: the next often begins alike (the same log, another question).
    last: Option<(Vec<u32>, D::Cache)>,
}

/// What a speaker is made of, besides its network.
pub struct Parts {
    /// Its tokenizer.
    pub text: Text,
    /// Its chat template.
    pub chat: Chat,
    /// Tokens that end a reply.
    pub ends: Vec<u32>,
    /// `generation_config.json`
    pub generation: Option<Config>,
    /// The agent's own decoding defaults.
    pub decode: Decoding,
    /// Most tokens of prompt and reply together.
    pub context_tokens: usize,
}

/// One reply on its way.
struct Row<C> {
    job: Job,
    cache: C,
    /// Prompt and reply.
    tokens: Vec<u32>,
    prompt: usize,
    sampler: Sampler,
    settings: Settings,
    most: usize,
    said: String,
    streamed: usize,
}

impl<D: Decoder> Speaker<D> {
    /// Puts a speaker together.
    pub fn new(decoder: D, parts: Parts) -> Speaker<D> {
        let Parts { text, chat, ends, generation, decode, context_tokens } = parts;
        let manners = Manners::read(generation.as_ref(), &ends);
        Speaker { decoder, text, chat, ends, manners, generation, decode, context_tokens, last: None }
    }

    /// The ids of a job's prompt, refused if there is no room for a reply.
    fn prompt(&self, job: &Job) -> Result<(Vec<u32>, Settings), Fault> {
        let Work::Say { messages, raw, decoding, .. } = &job.work else {
            return Err(Fault::failed("a language model only answers `say`".to_owned()));
        };
        if messages.iter().any(|m| !m.images.is_empty()) {
            return Err(Fault::failed("this language model does not see images".to_owned()));
        }
        let Prompt { text, special } = self.chat.prompt(messages, *raw)?;
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
        Ok((ids, Settings::new(decoding, &self.decode, self.generation.as_ref())))
    }

    /// A cache that holds as much of `ids` as the last prompt shares with it (never all: the last token gives logits).
    fn begin(&mut self, ids: &[u32], alone: bool) -> Result<(D::Cache, usize), Fault> {
        let shared = |known: &[u32]| known.iter().zip(ids).take_while(|(a, b)| a == b).count().min(ids.len() - 1);
        match self.last.take() {
            Some((known, mut cache)) if shared(&known) >= PREFIX_TOKENS => {
                let length = shared(&known);
                if alone {
                    cache.truncate(length);
                    return Ok((cache, length));
                }
                let copy = cache.copy(length).map_err(failed)?;
                self.last = Some((known, cache));
                Ok((copy, length))
            }
            last => {
                self.last = last;
                Ok((self.decoder.cache(), 0))
            }
        }
    }

    /// Feeds `ids[from..]` piece by piece; gives the logits after the last token.
    fn prefill(&self, cache: &mut D::Cache, ids: &[u32], from: usize) -> Result<Tensor, Fault> {
        let mut logits = None;
        for piece in ids[from..].chunks(PIECE_TOKENS) {
            logits = Some(self.decoder.forward(&mut [(&mut *cache, piece)], false).map_err(failed)?);
        }
        logits.ok_or_else(|| Fault::failed("the prompt is empty".to_owned()))
    }

    /// Answers jobs that are to be generated, together.
    fn generate(&mut self, jobs: Vec<Job>) {
        let alone = jobs.len() == 1;
        let mut rows = Vec::new();
        for job in jobs {
            match self.prompt(&job).and_then(|(ids, settings)| Ok((self.begin(&ids, alone)?, ids, settings))) {
                Ok(((cache, from), tokens, settings)) => {
                    let room = self.context_tokens - tokens.len();
                    let most = settings.max_tokens.unwrap_or(MAX_TOKENS).min(room);
                    let sampler = Sampler::new(settings.clone(), job.seed);
                    let prompt = tokens.len();
                    rows.push((
                        Row { job, cache, tokens, prompt, sampler, settings, most, said: String::new(), streamed: 0 },
                        from,
                    ));
                }
                Err(error) => job.answer(Err(error)),
            }
        }
        let mut rows = match self.begin_rows(rows) {
            Ok(rows) => rows,
            Err(()) => return,
        };
        while !rows.is_empty() {
            let mut inputs: Vec<(&mut D::Cache, &[u32])> = Vec::new();
            for row in &mut rows {
                inputs.push((&mut row.cache, &row.tokens[row.tokens.len() - 1..]));
            }
            let logits = self.decoder.forward(&mut inputs, false).and_then(|l| l.to_vec2::<f32>());
            match logits {
                Ok(logits) => rows = self.advance(rows, logits),
                Err(error) => return rows.into_iter().for_each(|row| row.job.answer(Err(failed(&error)))),
            }
        }
    }

    /// Prefills every row, the pieces of all rows together, and chooses their first tokens.
    fn begin_rows(&mut self, rows: Vec<(Row<D::Cache>, usize)>) -> Result<Vec<Row<D::Cache>>, ()> {
        let (mut rows, mut at): (Vec<_>, Vec<usize>) = rows.into_iter().unzip();
        let mut logits: Vec<Vec<f32>> = vec![Vec::new(); rows.len()];
        loop {
            let pending: Vec<usize> = (0..rows.len()).filter(|n| at[*n] < rows[*n].tokens.len()).collect();
            if pending.is_empty() {
                break;
            }
            // All rows of a piece together stay within one piece's size, except that each brings at least one token.
            let share = (PIECE_TOKENS / pending.len()).max(1);
            let mut inputs: Vec<(&mut D::Cache, &[u32])> = Vec::new();
            for (n, row) in rows.iter_mut().enumerate() {
                if at[n] < row.tokens.len() {
                    let to = (at[n] + share).min(row.tokens.len());
                    inputs.push((&mut row.cache, &row.tokens[at[n]..to]));
                    at[n] = to;
                }
            }
            match self.decoder.forward(&mut inputs, false).and_then(|l| l.to_vec2::<f32>()) {
                Ok(found) => pending.into_iter().zip(found).for_each(|(n, l)| logits[n] = l),
                Err(error) => {
                    rows.into_iter().for_each(|row| row.job.answer(Err(failed(&error))));
                    return Err(());
                }
            }
        }
        Ok(self.advance(rows, logits))
    }

    /// Chooses the next token of each row; answers the rows that end, drops those whose asker has gone.
    fn advance(&mut self, rows: Vec<Row<D::Cache>>, logits: Vec<Vec<f32>>) -> Vec<Row<D::Cache>> {
        let mut going = Vec::new();
        for (mut row, mut logits) in rows.into_iter().zip(logits) {
            if row.job.gone() {
                self.keep(row.tokens, row.cache, true);
                continue;
            }
            match self.step(&mut row, &mut logits) {
                Ok(None) => going.push(row),
                Ok(Some(reply)) => {
                    let Row { job, tokens, cache, said, streamed, .. } = row;
                    job.piece(&said[streamed.min(said.len())..]);
                    job.answer(Ok(reply));
                    self.keep(tokens, cache, true);
                }
                Err(error) => row.job.answer(Err(error)),
            }
        }
        going
    }

    /// One token further. The row's reply, if it ends here.
    fn step(&self, row: &mut Row<D::Cache>, logits: &mut [f32]) -> Result<Option<Reply>, Fault> {
        if row.most == 0 {
            return Ok(Some(Reply::Say(SayReply { text: String::new(), tokens: Vec::new(), finish: Finish::Length })));
        }
        self.manners.apply(logits, &row.tokens, row.prompt, row.most);
        let next = row.sampler.choose(logits);
        if self.ends.contains(&next) {
            return self.finished(row, Finish::Stop).map(Some);
        }
        row.tokens.push(next);
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

    fn finished(&self, row: &mut Row<D::Cache>, finish: Finish) -> Result<Reply, Fault> {
        let tokens = row.tokens[row.prompt..].to_vec();
        row.said = self.text.decode(&tokens)?;
        Ok(Reply::Say(SayReply { text: row.said.clone(), tokens, finish }))
    }

    /// Remembers a prompt's cache for the next. The last token of a reply was never fed, hence `unfed`.
    fn keep(&mut self, mut tokens: Vec<u32>, mut cache: D::Cache, unfed: bool) {
        if unfed {
            tokens.pop();
        }
        cache.truncate(tokens.len());
        self.last = Some((tokens, cache));
    }

    /// The likeliest of the given replies, by the sum of their tokens' log-probabilities after the prompt. Where one is the
    /// beginning of another, the end of the reply counts too, since else the shorter one would always win.
    fn choose(&mut self, job: &Job, choices: &[String]) -> Result<Reply, Fault> {
        let (ids, _) = self.prompt(job)?;
        let options = choices.iter().map(|c| self.text.encode(c, false)).collect::<Result<Vec<_>, _>>()?;
        let nested = options
            .iter()
            .enumerate()
            .any(|(n, a)| options.iter().skip(n + 1).any(|b| a.starts_with(b) || b.starts_with(a)));
        let (mut cache, from) = self.begin(&ids, true)?;
        let first = self.prefill(&mut cache, &ids, from)?.to_vec2::<f32>().map_err(failed)?.remove(0);
        let mut best: Option<(f64, usize)> = None;
        for (n, option) in options.iter().enumerate() {
            if job.gone() {
                return Err(Fault::cancelled());
            }
            let mut logits = vec![first.clone()];
            if !option.is_empty() {
                cache.truncate(ids.len());
                let more = self.decoder.forward(&mut [(&mut cache, option.as_slice())], true);
                logits.extend(more.and_then(|l| l.to_vec2::<f32>()).map_err(failed)?);
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
        self.keep(ids, cache, false);
        let (_, n) = best.ok_or_else(|| Fault::failed("there are no choices".to_owned()))?;
        Ok(Reply::Say(SayReply { text: choices[n].clone(), tokens: options[n].clone(), finish: Finish::Stop }))
    }

    /// Logits after each token of a bare prompt, (tokens, vocabulary): for parity tests.
    pub fn logits(&self, ids: &[u32]) -> candle_core::Result<Vec<Vec<f32>>> {
        self.decoder.forward(&mut [(&mut self.decoder.cache(), ids)], true)?.to_vec2()
    }
}

impl<D: Decoder> Model for Speaker<D> {
    fn answer(&mut self, jobs: Vec<Job>) {
        let chooses = |job: &Job| matches!(&job.work, Work::Say { choices, .. } if !choices.is_empty());
        let (choose, generate): (Vec<_>, Vec<_>) = jobs.into_iter().partition(chooses);
        for job in choose {
            let Work::Say { choices, .. } = &job.work else { continue };
            let choices = choices.clone();
            let reply = self.choose(&job, &choices);
            job.answer(reply);
        }
        if !generate.is_empty() {
            self.generate(generate);
        }
    }
}

/// How much of the text can be shown already: not half a character, and not what may become a stop.
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
