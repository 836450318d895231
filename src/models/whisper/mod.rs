//! Whisper: speech to timed text, window by window, as in `generate` of transformers for sound of any length.
//!
//! A sound that fits one window is padded with silence. In a longer sound, the next window starts at the last timestamp
//! that the model wrote. Features are scaled by the loudest frame of the whole sound, so a sound is read twice, window
//! by window: once for the scale, once for the words. If the last timestamp of a window is its own start, the whole
//! window is skipped, so every sound ends.
//!
//! The text of a window counts only if the mean log-probability of its tokens is at least -1.0 and if zlib compresses the tokens
//! at most 2.4 times. Other windows are decoded again, at temperatures from 0.2 to 1.0. A window below the first threshold is
//! skipped whole if silence (`<|nospeech|>`) is more probable than 0.6. The thresholds are those of openai/whisper, and the
//! computation is that of `generate_with_fallback` of transformers. A checkpoint may state its own thresholds
//! (`logprob_threshold`, `compression_ratio_threshold`, `no_speech_threshold` in `generation_config.json`), and an agent file
//! its own temperatures. The references keep the last attempt. We drop its text, because an invented sentence is worse
//! than a missing one. Text that passes the thresholds at temperature 0 equals that of transformers. A request with a
//! temperature of its own is decoded once, at that temperature.

mod align;
mod net;
mod rules;
mod segments;
mod source;
mod windows;
mod words;

use super::{Family, ModelOptions};
use crate::{
    error::Fault,
    exchange::{Answers, Decoding, HearRequest, HearingSettings, Kind, Modality, Reply, Request, Speech, SpokenWord},
    infer::{
        audio::LogMel,
        checkpoint::Checkpoint,
        config::within,
        dense::Packing,
        job::{Input, Job, Model, SoundSource},
        meter::Meter,
        processors::LogitsProcessors,
        sampling,
        text::{TextTokenizer, VocabStyle},
        voice::Voiced,
    },
    value::Time,
};
use align::Alignment;
use candle_core::{DType, Device};
use net::{Net, mel_bins};
use rules::Rules;
use source::SoundFrames;
use windows::HeardSound;

/// The row of [`super::FAMILIES`].
pub const FAMILY: Family = Family {
    name: "whisper",
    about: "turns speech into timed text",
    answers: &[Answers::new(Kind::Hear, &[Modality::Sound])],
    own_labels: false,
    recognises: |config| config.is_type(&["whisper"], &["WhisperForConditionalGeneration"]),
    floors: false,
    packing: Packing::Int8,
    cost: net::cost,
    load: |checkpoint, loading| Ok(Box::new(Whisper::load(checkpoint, loading)?)),
};

/// A loaded Whisper model.
pub struct Whisper {
    net: Net,
    mel: LogMel,
    rules: Rules,
    alignment: Alignment,
    vocabulary: usize,
    processors: LogitsProcessors,
    text: TextTokenizer,
    defaults: Decoding,
    decode: Decoding,
    hearing: HearingSettings,
    device: Device,
    dtype: DType,
    meter: Meter,
}

/// The settings of a request, with the checkpoint's defaults filled in.
struct Task {
    timestamps: bool,
    words: bool,
    language: Option<u32>,
    detected: bool,
    settings: Decoding,
    /// The temperatures of the attempts at a window.
    temperatures: Vec<f32>,
}

impl Whisper {
    /// Loads the network, the tokenizer and the rules of decoding. Fails if a file of the checkpoint is missing,
    /// damaged or unsupported.
    pub fn load(checkpoint: &Checkpoint, loading: &ModelOptions) -> Result<Whisper, Fault> {
        let generation = checkpoint.json("generation_config.json")?;
        let settings = checkpoint.processor("feature_extractor")?;
        let text = TextTokenizer::open(checkpoint, VocabStyle::Bytes)?;
        let vocabulary = checkpoint.config.size("vocab_size", within::VOCABULARY)?;
        let rules = Rules::read(checkpoint, generation.as_ref(), &text, vocabulary)?;
        let net =
            Net::load(&checkpoint.config, &checkpoint.weights(loading.dtype, &loading.device)?, loading.precision)?;
        let sizes = (net.target_positions, net.source_positions);
        Ok(Whisper {
            alignment: Alignment::read(generation.as_ref(), &checkpoint.config, net.decoder_heads, sizes)?,
            mel: LogMel::new(&settings, mel_bins(&checkpoint.config)?)?,
            processors: LogitsProcessors::read(generation.as_ref(), &[rules.end])?.without_suppressed(),
            defaults: sampling::defaults(generation.as_ref())?,
            net,
            rules,
            vocabulary,
            text,
            decode: loading.decode.clone(),
            hearing: loading.hearing.clone(),
            device: loading.device.clone(),
            dtype: loading.dtype,
            meter: loading.meter.clone(),
        })
    }

    /// The number of feature frames in a window; the encoder's second convolution halves it.
    fn window(&self) -> usize {
        2 * self.net.source_positions
    }

    fn hear(&self, job: &Job) -> Result<Reply, Fault> {
        let (Request::Hear(request), [Input::Sound(sound)]) = (&job.request, job.inputs.as_slice()) else {
            return Err(Fault::failed("this model only answers `hear`".to_owned()));
        };
        let HearRequest { language, timestamps, words, decoding, .. } = request;
        if *timestamps && self.rules.no_timestamps.is_none() {
            return Err(Fault::failed("this model was not trained on timestamps; set `timestamps: false`".to_owned()));
        }
        if *words {
            // refused before the work
            self.alignment.focus(0)?;
        }
        let source = SoundFrames::new(sound, &self.mel, self.window())?;
        let language = language.as_ref().or(self.rules.language.as_ref().filter(|_| !self.rules.languages.is_empty()));
        let settings = decoding.or(&self.decode).or(&self.defaults);
        let mut task = Task {
            timestamps: *timestamps,
            words: *words,
            language: None,
            detected: language.is_none(),
            temperatures: settings.temperature.map_or_else(|| self.hearing.temperatures.clone(), |only| vec![only]),
            settings,
        };
        match language {
            Some(asked) if !self.rules.languages.is_empty() => task.language = Some(self.rules.language(asked)?),
            Some(asked) if !matches!(asked.to_lowercase().as_str(), "en" | "english" | "<|en|>") => {
                return Err(Fault::failed(format!("this model transcribes only English, not `{asked}`")));
            }
            _ => {}
        }
        let voiced = self.hearing.voice.then(|| Voiced::of(sound, || job.gone())).transpose()?;
        let heard = self.transcribe(job, &source, task, voiced.as_ref())?;
        self.heard(sound.start, heard, self.begin(*timestamps)).map(Reply::Hear)
    }

    /// Segments in the medium's own presentation time.
    fn heard(&self, start: Time, heard: HeardSound, begin: u32) -> Result<Vec<Speech>, Fault> {
        let at = |seconds: f64| Time::from_seconds(start.seconds() + seconds.max(0.0));
        let language = self.rules.heard(heard.language);
        let mut words = self.timed_words(&heard.tokens, begin, language)?;
        let mut speech = Vec::with_capacity(heard.segments.len());
        for (place, (segment, text)) in heard.segments.into_iter().enumerate() {
            let later = words.iter().position(|word| word.segment > place).unwrap_or(words.len());
            let own = words.drain(..later);
            let words = own.map(|word| SpokenWord { start: at(word.start_s), end: at(word.end_s), text: word.text });
            let language = language.map(str::to_owned);
            let (start, end, words) = (at(segment.start_s), at(segment.end_s), words.collect());
            speech.push(Speech { start, end, text, language, words });
        }
        Ok(speech)
    }

    /// The features of a sound that fits one window, (bins, frames): for parity tests.
    pub fn features(&self, sound: &SoundSource) -> Result<Vec<f32>, Fault> {
        SoundFrames::new(sound, &self.mel, self.window())?.features(0, self.window())
    }
}

impl Model for Whisper {
    fn answer(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            if matches!(job.request, Request::Hear(_)) {
                let reply = self.hear(&job);
                job.answer(reply);
            } else {
                job.refuse();
            }
        }
    }
}
