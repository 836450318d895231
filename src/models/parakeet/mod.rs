//! Parakeet TDT (`nvidia/parakeet-tdt-0.6b-v3`): speech to text with the times of words, without windows of 30 s and without
//! repeated text.
//!
//! A sound of up to five minutes is encoded in one pass, as in transformers. A longer one is encoded in windows of that length with
//! 20 s of sound around them, so that memory is bounded; the decoder goes on from one window to the next. The features
//! are scaled by the whole sound in both cases, so a sound is read twice.
//!
//! The model finds the language by itself and does not tell it: a request's `language` changes nothing. Decoding is greedy.

mod encoder;
mod features;
mod shape;
mod transducer;
mod words;

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, Decoding, HearRequest, Kind, Modality, Reply, Request, Speech, SpokenWord},
    infer::{
        checkpoint::Checkpoint,
        config::Config,
        cost::Phase,
        dense::Packing,
        failed,
        job::{Input, Job, Model, SoundSource},
        meter::Meter,
        ops::{self, Linear},
        text::{TextTokenizer, VocabStyle},
    },
    value::Time,
};
use candle_core::{DType, Tensor};
use candle_nn::Module;
use encoder::{FastConformer, numbers};
use features::{MelFrames, SoundMel};
use shape::{CONTEXT_FRAMES, EncoderShape, TransducerShape, WINDOW_FRAMES};
use transducer::{Emission, Transducer};
use words::SpokenPart;

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "parakeet_tdt",
    about: "turns speech into text with the times of words",
    answers: &[Answers::new(Kind::Hear, &[Modality::Sound])],
    own_labels: false,
    recognises: |config| config.is_type(&["parakeet_tdt"], &["ParakeetForTDT"]),
    floors: false,
    packing: Packing::F32,
    cost: shape::cost,
    load: |checkpoint, loading| Ok(Box::new(Parakeet::load(checkpoint, loading)?)),
};

/// A loaded Parakeet.
pub struct Parakeet {
    mel: MelFrames,
    encoder: FastConformer,
    project: Linear,
    transducer: Transducer,
    text: TextTokenizer,
    /// The tokens that end a text; published models have none.
    ends: Vec<u32>,
    decode: Decoding,
    dtype: DType,
    meter: Meter,
    window: usize,
    context: usize,
}

impl Parakeet {
    /// Loads the network and the tokenizer. Fails if a file of the checkpoint is missing, damaged or unsupported.
    pub fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> Result<Parakeet, Fault> {
        let (hearing, speaking) = (EncoderShape::read(&checkpoint.config)?, TransducerShape::read(&checkpoint.config)?);
        let mel = MelFrames::read(&checkpoint.processor("feature_extractor")?, hearing.bins)?;
        let text = TextTokenizer::open(checkpoint, VocabStyle::Bytes)?;
        let generation = checkpoint.json("generation_config.json")?;
        let own = generation.unwrap_or_else(|| Config::empty("generation_config.json"));
        let token = |key: &str| {
            let stated = own.token(key, speaking.vocabulary)?;
            Ok::<_, Fault>(stated.or(checkpoint.config.token(key, speaking.vocabulary)?))
        };
        let start = match token("decoder_start_token_id")? {
            Some(start) => start,
            None => token("bos_token_id")?.unwrap_or(speaking.blank),
        };
        let vb = checkpoint.weights(loading.dtype, &loading.device)?;
        let project = ops::linear_with_bias(hearing.width, speaking.width, vb.pp("encoder_projector"));
        Ok(Parakeet {
            mel,
            encoder: FastConformer::load(hearing, &vb.pp("encoder")).map_err(failed)?,
            project: project.map_err(failed)?,
            ends: own.tokens("eos_token_id", speaking.vocabulary)?,
            transducer: Transducer::load(speaking, start, &vb).map_err(failed)?,
            text,
            decode: loading.decode.clone(),
            dtype: loading.dtype,
            meter: loading.meter.clone(),
            window: WINDOW_FRAMES,
            context: CONTEXT_FRAMES,
        })
    }

    /// The same model with windows of other lengths, in output frames: for tests.
    #[must_use]
    pub fn with_windows(self, window: usize, context: usize) -> Parakeet {
        Parakeet { window: window.max(1), context, ..self }
    }

    /// The output frames `from..to` of the encoder before its blocks, (to - from, width).
    fn halved(&self, mel: &SoundMel<'_>, (from, to): (usize, usize)) -> Result<Tensor, Fault> {
        let (factor, reach) = (self.encoder.shape.factor(), self.encoder.shape.reach());
        let step = self.encoder.piece() / factor;
        let piece = |first: usize| {
            let last = to.min(first + step);
            let (low, high) = (first.saturating_sub(reach), (last + reach) * factor);
            let frames = (low * factor, high.min(mel.frames));
            let features = mel.features(frames.0, frames.1)?;
            let halved = self.encoder.halve(features, frames.1 - frames.0).map_err(failed)?;
            halved.narrow(0, first - low, last - first).map_err(failed)
        };
        let pieces = (from..to).step_by(step).map(piece).collect::<Result<Vec<_>, Fault>>()?;
        Tensor::cat(&pieces, 0).map_err(failed)
    }

    /// The states of output frames `from..to`, (to - from, width), with the sound around them.
    fn states(&self, mel: &SoundMel<'_>, (from, to): (usize, usize)) -> Result<Tensor, Fault> {
        let all = self.encoder.shape.outputs(mel.frames);
        let (low, high) = (from.saturating_sub(self.context), (to + self.context).min(all));
        let halved = self.halved(mel, (low, high))?;
        let states = || self.encoder.states(&halved)?.narrow(0, from - low, to - from);
        self.meter.time(Phase::Sound, 1, states).map_err(failed)
    }

    /// The tokens of a sound.
    fn emissions(&self, job: &Job, mel: &SoundMel<'_>, most: Option<usize>) -> Result<Vec<Emission>, Fault> {
        let shape = &self.encoder.shape;
        let all = shape.outputs(mel.frames);
        let mut position = self.transducer.begin(shape.outputs(mel.frames + 1), self.dtype)?;
        position.steps = position.steps.min(most.unwrap_or(usize::MAX));
        for from in (0..all).step_by(self.window) {
            if job.gone() {
                return Err(Fault::cancelled());
            }
            let to = all.min(from + self.window);
            let states = self.states(mel, (from, to))?;
            let frames = self.project.forward(&states).map_err(failed)?;
            let decode = || self.transducer.decode(&mut position, &frames, (from, to), || job.gone());
            self.meter.time_counted(Phase::Reply, decode)?;
        }
        let end = position.emitted.iter().position(|token| self.ends.contains(&token.id));
        position.emitted.truncate(end.unwrap_or(usize::MAX));
        Ok(position.emitted)
    }

    fn hear(&self, job: &Job) -> Result<Reply, Fault> {
        let (Request::Hear(request), [Input::Sound(sound)]) = (&job.request, job.inputs.as_slice()) else {
            return Err(Fault::failed("this model only answers `hear`".to_owned()));
        };
        let settings = request.decoding.or(&self.decode);
        if let Some(heat) = settings.temperature.filter(|heat| *heat > 0.0) {
            let why = format!("this model decodes greedily, so a temperature of {heat} has no meaning");
            return Err(Fault::failed(why).hint("leave `temperature` out, or set it to 0"));
        }
        let mel = SoundMel::new(sound, &self.mel)?;
        if mel.frames < 2 {
            // less than a deviation needs
            return Ok(Reply::Hear(Vec::new()));
        }
        let emitted = self.emissions(job, &mel, settings.max_tokens)?;
        let ids: Vec<u32> = emitted.iter().map(|token| token.id).collect();
        let words = words::words(words::parts(&emitted, self.text.pieces(&ids)?));
        Ok(Reply::Hear(self.speech(sound.start, words, request)))
    }

    /// Sentences in the medium's own presentation time.
    fn speech(&self, start: Time, words: Vec<SpokenPart>, request: &HearRequest) -> Vec<Speech> {
        const PAUSE_S: f64 = 2.0;
        let frame_s = self.mel.hop as f64 / f64::from(self.mel.rate_hz) * self.encoder.shape.factor() as f64;
        let at = |frame: usize| Time::from_seconds(start.seconds() + frame as f64 * frame_s);
        let sentences = match request.timestamps {
            true => words::sentences(words, (PAUSE_S / frame_s).round() as usize),
            false => vec![words],
        };
        let word = |part: &SpokenPart| SpokenWord {
            start: at(part.start),
            end: at(part.end),
            text: part.text.trim().to_owned(),
        };
        let one = |all: Vec<SpokenPart>| {
            let (first, last) = (all.first()?, all.last()?);
            let speech = Speech::new(at(first.start), at(last.end), words::text(&all));
            Some(Speech { words: if request.words { all.iter().map(word).collect() } else { Vec::new() }, ..speech })
        };
        sentences.into_iter().filter_map(one).collect()
    }

    /// The features of a sound, (frames, bins), and the states of its output frames, (frames / factor, width): for parity tests.
    pub fn perceived(&self, sound: &SoundSource) -> Result<(Vec<f32>, Vec<f32>), Fault> {
        let mel = SoundMel::new(sound, &self.mel)?;
        let all = self.encoder.shape.outputs(mel.frames);
        let states = self.states(&mel, (0, all))?;
        let flat = states.flatten_all().and_then(|states| numbers(&states)).map_err(failed)?;
        Ok((mel.features(0, mel.frames)?, flat))
    }
}

impl Model for Parakeet {
    fn answer(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            if matches!(job.request, Request::Hear(_)) {
                let reply = self.hear(&job);
                if let Ok(Reply::Hear(speech)) = &reply {
                    speech.iter().for_each(|one| job.piece(&format!("{} ", one.text)));
                }
                job.answer(reply);
            } else {
                job.refuse();
            }
        }
    }
}
