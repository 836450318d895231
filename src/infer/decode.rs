//! Language models: their network, and what else they need to answer. `together` writes their replies.

use super::{
    chat::Chat,
    cost::Phase,
    failed,
    job::{Job, Model, StepWriter},
    meter::Meter,
    prefix::{Prefix, Prefixes, PromptPosition},
    processors::LogitsProcessors,
    restrict::{Alphabet, Restricted},
    sampling::finite,
    seen::SeenPicture,
    text::TextTokenizer,
    together::Writing,
};
use crate::{
    error::Fault,
    exchange::{Decoding, Request},
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
    /// Forgets pictures that none of `prompts` contains, if there are many.
    fn rest(&mut self, _prompts: &[&[PromptPosition]]) {}
}

/// The cache of one row and the positions that it reads next.
pub type CacheRow<'a, C> = (&'a mut C, &'a [PromptPosition]);

/// Prompts are prefilled in pieces of this many tokens, to bound the attention mask of a long prompt.
pub(super) const PIECE_TOKENS: usize = 512;
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
    /// The caches of former prompts.
    pub(super) prefixes: Prefixes<D::Cache>,
    /// The tokens with their bytes, once a restricted reply was asked for.
    pub(super) alphabet: Option<Alphabet>,
    /// The replies that are being written, in order of arrival.
    pub(super) rows: Vec<Writing<D::Cache>>,
    /// Replies are drafted from their prompts.
    pub(super) drafts: bool,
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
    /// The bytes of keys and values of former prompts that are kept ([`kept_bytes`](super::prefix::kept_bytes)).
    pub kept_bytes: usize,
    /// Measures the speed.
    pub meter: Meter,
}

impl<D: Decoder> TextGenerator<D> {
    /// A generator from its network and its other parts.
    pub fn new(decoder: D, parts: GeneratorParts) -> TextGenerator<D> {
        let GeneratorParts { text, chat, ends, processors, defaults, decode, context_tokens, kept_bytes, meter } =
            parts;
        TextGenerator {
            decoder,
            text,
            chat,
            ends,
            processors,
            defaults,
            decode,
            context_tokens,
            prefixes: Prefixes::new(kept_bytes),
            alphabet: None,
            rows: Vec::new(),
            drafts: true,
            meter,
        }
    }

    /// The same model without drafts: it writes one token of each reply in a step.
    #[must_use]
    pub fn without_drafts(self) -> TextGenerator<D> {
        TextGenerator { drafts: false, ..self }
    }

    /// A cache with the longest prefix of `read` that a former prompt shares, and the length of the prefix.
    pub(super) fn begin(&mut self, read: &[PromptPosition], alone: bool) -> Result<(D::Cache, usize), Fault> {
        let TextGenerator { decoder, prefixes, .. } = self;
        prefixes.begin(read, alone, || decoder.cache()).map_err(failed)
    }

    /// The logits of one call of the network, which does `units` of work.
    pub(super) fn logits_of(
        &self,
        phase: Phase,
        units: usize,
        rows: &mut [CacheRow<'_, D::Cache>],
        all: bool,
    ) -> Result<Vec<Vec<f32>>, Fault> {
        let forward = || self.decoder.forward(rows, all).and_then(|l| l.to_vec2::<f32>());
        self.meter.time(phase, units, forward).map_err(failed)
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
            logits = self.logits_of(Phase::Prompt, piece.len(), &mut [(&mut *cache, piece)], false)?;
        }
        let logits = logits.pop().ok_or_else(|| Fault::failed("the prompt is empty".to_owned()))?;
        finite(&logits)?;
        Ok(logits)
    }

    /// The maximum tokens of a reply to a prompt of `prompt` tokens.
    pub(super) fn room(&self, settings: &Decoding, prompt: usize) -> usize {
        settings.max_tokens.unwrap_or(MAX_TOKENS).min(self.context_tokens - prompt)
    }

    /// The state of a reply with a restriction. The agent's own stop texts do not apply, because they would cut the
    /// value. Fails if no reply can fit.
    pub(super) fn restricted(
        &mut self,
        job: &Job,
        settings: &mut Decoding,
        prompt: usize,
    ) -> Result<Option<Restricted>, Fault> {
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

    /// Logits after each token of a prompt without a chat template, (tokens, vocabulary): for parity tests.
    pub fn logits(&self, ids: &[u32]) -> candle_core::Result<Vec<Vec<f32>>> {
        self.decoder
            .forward(&mut [(&mut self.decoder.cache(), PromptPosition::tokens(ids).as_slice())], true)?
            .to_vec2()
    }
}

impl<D: Decoder> Model for TextGenerator<D> {
    fn answer(&mut self, jobs: Vec<Job>) {
        self.rest();
        let (write, choose): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| self.writes(job));
        for job in choose {
            let Request::Say(say) = &job.request else { continue };
            let reply = self.choose(&job, &say.clone());
            job.answer(reply);
        }
        if !write.is_empty() {
            self.join(write);
            while self.step() > 0 {}
        }
    }

    fn writer(&mut self) -> Option<&mut dyn StepWriter> {
        Some(self)
    }
}
