//! Replies that are written together. Requests join and leave between two steps (continuous batching; Yu et al. 2022,
//! "Orca"). A step reads one piece of the new prompts and adds one token to each reply whose prompt was read, so that a long
//! prompt does not stop the replies beside it for longer than a piece takes.
//!
//! A reply is the same alone and beside others. Prompts are cut into the same pieces as alone, and no call mixes few
//! positions of a row with many: products round differently there ([`FEW`]). Within a call of few positions, each one's result is
//! the same bits as alone, so that drafts do not change a reply either.

use super::{
    cost::Phase,
    decode::{CacheRow, Decoder, PIECE_TOKENS, TextGenerator},
    draft::Drafts,
    failed,
    job::{Job, StepWriter},
    prefix::{MIN_SHARED, Prefix, PromptPosition, alike},
    prompts::Prompt,
    quantised::FEW,
    restrict::Restricted,
    sampling::{Sampler, finite},
};
use crate::{
    error::Fault,
    exchange::{Decoding, Reply, Request, TokenLogprob},
};
use std::cmp::Reverse;

/// A reply that is being written.
pub(super) struct Writing<C> {
    pub(super) job: Job,
    pub(super) cache: C,
    /// The number of positions of `read` that the cache holds; none until it is known whose prefix it shares.
    pub(super) held: Option<usize>,
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
    /// The steps since a piece of its prompt was read.
    pub(super) waits: usize,
    pub(super) drafts: Drafts,
    /// The tokens that were read in the last call after the last one: they may be right.
    pub(super) draft: Vec<u32>,
}

impl<C> Writing<C> {
    /// True while a part of its prompt was not read.
    fn is_reading(&self) -> bool {
        self.held.is_some_and(|held| held < self.prompt)
    }

    fn has_begun(&self) -> bool {
        self.held.is_some()
    }

    /// The draft of its next tokens, up to `spare`, if its tokens are the likeliest ones: drafts of tokens that are drawn are seldom right.
    fn next_draft(&self, spare: usize) -> Vec<u32>
    where
        C: Prefix,
    {
        let left = self.max_tokens - (self.tokens.len() - self.prompt);
        let most = spare.min(left.saturating_sub(1));
        if self.settings.temperature.unwrap_or(0.0) > 0.0 || !self.cache.is_steady(most + 1) {
            return Vec::new();
        }
        self.drafts.next(&self.tokens, most)
    }

    /// The number of positions that are read next.
    fn next_piece(&self) -> usize {
        self.held.map_or(0, |held| (self.prompt - held).min(PIECE_TOKENS))
    }
}

/// A new prompt waits for another one that is being read, if it can then reuse at least this many more positions.
const WORTH_WAITING: usize = 64;

impl<D: Decoder> StepWriter for TextGenerator<D> {
    fn writes(&self, job: &Job) -> bool {
        !matches!(&job.request, Request::Say(say) if !say.choices.is_empty())
    }

    fn join(&mut self, jobs: Vec<Job>) {
        self.rest();
        for job in jobs {
            let row = self.row(job);
            self.rows.extend(row);
        }
    }

    fn step(&mut self) -> usize {
        // after a panic, the rows are gone
        let mut rows = std::mem::take(&mut self.rows);
        for n in (0..rows.len()).rev().filter(|n| rows[*n].job.gone()).collect::<Vec<_>>() {
            let row = rows.remove(n);
            self.keep(row);
        }
        let written: Vec<usize> =
            (0..rows.len()).filter(|n| rows[*n].held.is_some_and(|h| h >= rows[*n].prompt)).collect();
        let mut logits: Vec<_> = rows.iter().map(|_| None).collect();
        self.begin_rows(&mut rows, &mut logits);
        self.read_prompts(&mut rows, &mut logits);
        for part in written.chunks(FEW) {
            self.read_last(&mut rows, part, &mut logits);
        }
        self.rows = self.advance(rows, logits);
        self.rows.len()
    }
}

/// The logits of each row, where they are known: after its last position, and after each position of its draft.
type Logits = [Option<Result<Vec<Vec<f32>>, Fault>>];

impl<D: Decoder> TextGenerator<D> {
    /// Forgets pictures that no open prompt contains.
    pub(super) fn rest(&mut self) {
        let prompts: Vec<&[PromptPosition]> = self.rows.iter().map(|row| row.read.as_slice()).collect();
        self.decoder.rest(&prompts);
    }

    /// The row of a job. A job without a prompt is answered with the error.
    fn row(&mut self, job: Job) -> Option<Writing<D::Cache>> {
        let prepared = self.prompt(&job).and_then(|mut prompt| {
            let restricted = self.restricted(&job, &mut prompt.settings, prompt.tokens.len())?;
            match prompt.tokens.is_empty() {
                true => Err(Fault::failed("the prompt is empty".to_owned())),
                false => Ok((prompt, restricted)),
            }
        });
        let (Prompt { read, tokens, settings, left_out }, restricted) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                job.answer(Err(error));
                return None;
            }
        };
        Some(Writing {
            cache: self.decoder.cache(),
            held: None,
            read,
            prompt: tokens.len(),
            max_tokens: self.room(&settings, tokens.len()),
            tokens,
            sampler: Sampler::new(settings.clone(), job.seed),
            settings,
            said: String::new(),
            streamed: 0,
            logprobs: Vec::new(),
            restricted,
            left_out,
            waits: 0,
            drafts: Drafts::default(),
            draft: Vec::new(),
            job,
        })
    }

    /// Gives each row that has not begun the longest prefix that is known: of a former prompt, or of a row beside it. A row
    /// waits while the prompt of another one is read that it can reuse.
    fn begin_rows(&mut self, rows: &mut [Writing<D::Cache>], logits: &mut Logits) {
        for n in 0..rows.len() {
            if rows[n].has_begun() {
                continue;
            }
            let (read, most) = (&rows[n].read, rows[n].read.len() - 1);
            let beside = rows.iter().enumerate().filter(|(_, row)| row.has_begun());
            // what each row has now, and what it will have when its prompt was read
            let sources = beside.map(|(m, row)| {
                let shared = alike(&row.read, read).min(most);
                let now = row.cache.usable(shared.min(row.held.unwrap_or(0)), read.len());
                let later = if row.is_reading() { shared.min(row.prompt) } else { now };
                (m, now, later)
            });
            let sources: Vec<(usize, usize, usize)> = sources.collect();
            let known = self.prefixes.shared(read);
            let (from, now) = sources.iter().map(|(m, now, _)| (Some(*m), *now)).fold((None, known), longer);
            let later = sources.iter().map(|(_, _, later)| *later).max().unwrap_or(0);
            if later >= now + WORTH_WAITING {
                continue;
            }
            let begun = match from {
                Some(m) => rows[m].cache.copy(now).map(|cache| (cache, now)),
                None => self.prefixes.begin(read, rows.len() == 1, || self.decoder.cache()),
            };
            match begun {
                Ok((mut cache, held)) => {
                    cache.announce(rows[n].read.len());
                    (rows[n].cache, rows[n].held) = (cache, Some(held));
                }
                Err(error) => {
                    rows[n].held = Some(0);
                    logits[n] = Some(Err(failed(error)));
                }
            }
        }
    }

    /// Reads the next piece of some prompts: first of the one that waits for the longest time, else of the shortest one.
    fn read_prompts(&mut self, rows: &mut [Writing<D::Cache>], logits: &mut Logits) {
        let mut order: Vec<usize> = (0..rows.len()).filter(|n| rows[*n].is_reading() && logits[*n].is_none()).collect();
        order.sort_by_key(|n| (Reverse(rows[*n].waits), rows[*n].prompt - rows[*n].held.unwrap_or(0)));
        let mut pieces: Vec<usize> = Vec::new();
        let (mut sum, mut most) = (0, 0);
        for n in order {
            let t = rows[n].next_piece();
            let limit = if t <= FEW { FEW } else { PIECE_TOKENS };
            if pieces.is_empty() {
                most = limit;
            }
            if limit == most && sum + t <= most {
                pieces.push(n);
                sum += t;
            }
            rows[n].waits = if pieces.last() == Some(&n) { 0 } else { rows[n].waits + 1 };
        }
        pieces.sort_unstable();
        if pieces.is_empty() {
            return;
        }
        let mut inputs: Vec<CacheRow<'_, D::Cache>> = Vec::new();
        for (_, row) in rows.iter_mut().enumerate().filter(|(n, _)| pieces.contains(n)) {
            let (from, t) = (row.held.unwrap_or(0), row.next_piece());
            inputs.push((&mut row.cache, &row.read[from..from + t]));
        }
        let found = by_row(self.logits_of(Phase::Prompt, sum, &mut inputs, false), &vec![1; pieces.len()]);
        for (n, found) in pieces.into_iter().zip(found) {
            let row = &mut rows[n];
            let failed = found.is_err();
            row.held = Some(row.held.unwrap_or(0) + row.next_piece());
            if failed || !row.is_reading() {
                logits[n] = Some(found);
            }
        }
        self.share_ends(rows, logits);
    }

    /// Gives a copy of cache and logits to each row that waits for a prompt that equals its own and was just read.
    fn share_ends(&self, rows: &mut [Writing<D::Cache>], logits: &mut Logits) {
        for n in 0..rows.len() {
            if rows[n].has_begun() {
                continue;
            }
            let read = |m: &usize| matches!(logits[*m], Some(Ok(_))) && rows[*m].read == rows[n].read;
            let Some(m) = (0..rows.len()).find(read) else { continue };
            match rows[m].cache.copy(rows[m].prompt) {
                Ok(cache) => {
                    (rows[n].cache, rows[n].held) = (cache, Some(rows[n].prompt));
                    let end = logits[m].clone();
                    logits[n] = end;
                }
                // it shares the prefix in the next step
                Err(error) => tracing::debug!(%error, "a cache was not copied"),
            }
        }
    }

    /// Reads the last token of the rows `part`, which are written, and their drafts.
    fn read_last(&mut self, rows: &mut [Writing<D::Cache>], part: &[usize], logits: &mut Logits) {
        let phase = if part.len() == 1 { Phase::Reply } else { Phase::Batch };
        let spare = if self.drafts { FEW / part.len() - 1 } else { 0 };
        let mut reads: Vec<Vec<PromptPosition>> = Vec::new();
        for n in part {
            let row = &mut rows[*n];
            row.draft = row.next_draft(spare);
            reads.push(PromptPosition::tokens(&[&row.tokens[row.tokens.len() - 1..], &row.draft].concat()));
        }
        let mut inputs: Vec<CacheRow<'_, D::Cache>> = Vec::new();
        let caches = rows.iter_mut().enumerate().filter(|(n, _)| part.contains(n)).map(|(_, row)| &mut row.cache);
        inputs.extend(caches.zip(&reads).map(|(cache, read)| (cache, read.as_slice())));
        let drafted = reads.iter().any(|read| read.len() > 1);
        let lengths: Vec<usize> = reads.iter().map(Vec::len).collect();
        let found = by_row(self.logits_of(phase, part.len(), &mut inputs, drafted), &lengths);
        for (n, found) in part.iter().zip(found) {
            logits[*n] = Some(found);
        }
    }

    /// Chooses the next tokens of each row with logits, and answers the rows that end.
    fn advance(
        &mut self,
        rows: Vec<Writing<D::Cache>>,
        logits: Vec<Option<Result<Vec<Vec<f32>>, Fault>>>,
    ) -> Vec<Writing<D::Cache>> {
        let mut going = Vec::new();
        for (mut row, logits) in rows.into_iter().zip(logits) {
            let Some(logits) = logits else {
                going.push(row);
                continue;
            };
            match logits.and_then(|logits| self.grow(&mut row, logits)) {
                Ok(None) => going.push(row),
                Ok(Some(reply)) => {
                    row.job.piece(&row.said[row.streamed.min(row.said.len())..]);
                    let job = self.keep(row);
                    job.answer(Ok(reply));
                }
                Err(error) => row.job.answer(Err(error)),
            }
        }
        going
    }

    /// Chooses the next token of a row, and further ones while its draft is right. Gives the reply if the row ends.
    fn grow(&self, row: &mut Writing<D::Cache>, logits: Vec<Vec<f32>>) -> Result<Option<Reply>, Fault> {
        let (draft, from) = (std::mem::take(&mut row.draft), row.read.len());
        let (mut right, mut reply) = (0, None);
        for (n, mut logits) in logits.into_iter().enumerate() {
            finite(&logits)?;
            row.held = Some(from + n);
            reply = self.choose_token(row, &mut logits)?;
            if reply.is_some() || draft.get(n) != row.tokens.last() {
                break;
            }
            right += 1;
        }
        row.drafts.note(draft.len(), right, right + 1);
        row.cache.truncate(row.held.unwrap_or(0));
        Ok(reply)
    }

    /// Remembers the cache of a row for later prompts. Gives its job.
    fn keep(&mut self, row: Writing<D::Cache>) -> Job {
        let Writing { job, mut read, cache, held, .. } = row;
        if let Some(held) = held {
            read.truncate(held);
            self.prefixes.keep(read, cache);
        }
        job
    }
}

/// The longer of two prefixes; of equal ones, the first.
fn longer(best: (Option<usize>, usize), next: (Option<usize>, usize)) -> (Option<usize>, usize) {
    if next.1 >= MIN_SHARED && next.1 > best.1 { next } else { best }
}

/// The logits of rows with `lengths` positions.
fn by_row(logits: Result<Vec<Vec<f32>>, Fault>, lengths: &[usize]) -> Vec<Result<Vec<Vec<f32>>, Fault>> {
    match logits {
        Ok(all) => {
            let mut all = all.into_iter();
            lengths.iter().map(|length| Ok(all.by_ref().take(*length).collect())).collect()
        }
        Err(error) => vec![Err(error); lengths.len()],
    }
}
