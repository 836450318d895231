//! The settings of a Parakeet checkpoint, and the work that follows from them.

use crate::{
    error::Fault,
    infer::{
        config::{Config, within},
        cost::{CostModel, Pass, Transformer},
        ops::Activation,
    },
};

/// The most output frames of the encoder in one pass: five minutes of sound in published models. A longer sound is encoded in
/// windows of this length.
pub(super) const WINDOW_FRAMES: usize = 3750;
/// The output frames on each side of a window that are encoded with it and dropped.
pub(super) const CONTEXT_FRAMES: usize = 250;
/// The most attention scores in memory at once: 32 MB in f32.
pub(super) const SCORES_AT_ONCE: usize = 1 << 23;

/// The settings of the encoder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EncoderShape {
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    pub inner: usize,
    pub activation: Activation,
    pub attention_bias: bool,
    pub convolution_bias: bool,
    /// The frames that a convolution of a block sees, odd.
    pub kernel: usize,
    /// The convolutions that halve the number of frames.
    pub halvings: usize,
    pub channels: usize,
    /// The frames that a halving convolution sees, odd.
    pub halving_kernel: usize,
    pub bins: usize,
    /// The states are multiplied by the square root of the width.
    pub is_scaled: bool,
}

/// The settings of the decoder.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TransducerShape {
    pub width: usize,
    pub layers: usize,
    pub activation: Activation,
    pub vocabulary: usize,
    pub blank: u32,
    /// The durations that can be predicted: 0, 1, … frames.
    pub durations: usize,
    /// The most tokens, as a multiple of the frames.
    pub symbols: usize,
}

/// Fails unless a count is odd.
fn odd(config: &Config, key: &str, most: usize, default: usize) -> Result<usize, Fault> {
    let found = config.count(key, 1..=most)?.unwrap_or(default);
    if found % 2 == 1 { Ok(found) } else { Err(config.wrong(key, "an odd number", &serde_json::json!(found))) }
}

impl EncoderShape {
    /// Reads `encoder_config`. Fails if a value is out of range, or if the model is one that this code does not compute.
    pub(super) fn read(config: &Config) -> Result<EncoderShape, Fault> {
        let part = config.part("encoder_config")?;
        if let Some(kind) = part.string("model_type")?.filter(|kind| *kind != "parakeet_encoder") {
            return Err(Fault::model(format!(
                "an encoder of the type `{kind}` is not supported, only parakeet_encoder"
            )));
        }
        let width = part.count("hidden_size", within::WIDTH)?.unwrap_or(1024);
        let heads = part.heads("num_attention_heads", 8, width)?;
        for (key, only) in [("head_dim", width / heads), ("num_key_value_heads", heads), ("subsampling_conv_stride", 2)]
        {
            if part.count(key, within::WIDTH)?.is_some_and(|found| found != only) {
                return Err(part.unsupported(key));
            }
        }
        if width % 2 == 1 {
            return Err(part.wrong("hidden_size", "an even number", &serde_json::json!(width)));
        }
        let factor = part.count("subsampling_factor", 2..=64)?.unwrap_or(8);
        if !factor.is_power_of_two() {
            return Err(part.wrong("subsampling_factor", "a power of two", &serde_json::json!(factor)));
        }
        let bins = part.count("num_mel_bins", 1..=512)?.unwrap_or(80);
        if !bins.is_multiple_of(factor) {
            let expected = format!("a multiple of `subsampling_factor` {factor}");
            return Err(part.wrong("num_mel_bins", expected, &serde_json::json!(bins)));
        }
        Ok(EncoderShape {
            width,
            layers: part.count("num_hidden_layers", within::LAYERS)?.unwrap_or(24),
            heads,
            inner: part.count("intermediate_size", within::WIDTH)?.unwrap_or(4096),
            activation: part.activation("hidden_act", "silu")?,
            attention_bias: part.truth("attention_bias")?.unwrap_or(true),
            convolution_bias: part.truth("convolution_bias")?.unwrap_or(true),
            kernel: odd(&part, "conv_kernel_size", 255, 9)?,
            halvings: factor.ilog2() as usize,
            channels: part.count("subsampling_conv_channels", 1..=4096)?.unwrap_or(256),
            halving_kernel: odd(&part, "subsampling_conv_kernel_size", 15, 3)?,
            bins,
            is_scaled: part.truth("scale_input")?.unwrap_or(true),
        })
    }

    /// The feature frames of an output frame.
    pub(super) fn factor(&self) -> usize {
        1 << self.halvings
    }

    /// The output frames of so many feature frames.
    pub(super) fn outputs(&self, frames: usize) -> usize {
        (0..self.halvings).fold(frames, |frames, _| frames.div_ceil(2))
    }

    /// The output frames on each side that see a part of what an output frame sees.
    pub(super) fn reach(&self) -> usize {
        // each convolution sees `kernel / 2` inputs on a side, and those of the later ones are further apart
        (self.halving_kernel / 2 * (self.factor() - 1)).div_ceil(self.factor())
    }
}

impl TransducerShape {
    /// Reads the decoder's keys of `config.json`.
    pub(super) fn read(config: &Config) -> Result<TransducerShape, Fault> {
        let vocabulary = config.size("vocab_size", within::VOCABULARY)?;
        let durations = match config.get("durations") {
            Some(_) => config.list("durations")?,
            None => &[0, 1, 2, 3, 4].map(serde_json::Value::from),
        };
        // transformers moves on by the place of a duration in the list, NeMo by the duration itself
        let is_usual = durations.iter().enumerate().all(|(n, duration)| duration.as_u64() == Some(n as u64));
        if !is_usual || durations.is_empty() || durations.len() > 64 {
            return Err(config.unsupported("durations"));
        }
        Ok(TransducerShape {
            width: config.count("decoder_hidden_size", 1..=1 << 14)?.unwrap_or(640),
            layers: config.count("num_decoder_layers", 1..=16)?.unwrap_or(2),
            activation: config.activation("hidden_act", "relu")?,
            vocabulary,
            blank: config.token("blank_token_id", vocabulary)?.unwrap_or(vocabulary as u32 - 1),
            durations: durations.len(),
            symbols: config.count("max_symbols_per_step", 1..=100)?.unwrap_or(10),
        })
    }
}

/// The work of a window of sound, and of a token.
pub(super) fn cost(config: &Config) -> Result<CostModel, Fault> {
    let (encoder, decoder) = (EncoderShape::read(config)?, TransducerShape::read(config)?);
    let frames = (WINDOW_FRAMES + 2 * CONTEXT_FRAMES) as f64;
    let (width, inner, layers) = (encoder.width as f64, encoder.inner as f64, encoder.layers as f64);
    let plain = Transformer::plain(encoder.width, encoder.inner, encoder.layers, encoder.heads).token();
    // a second feed-forward part, the map of relative positions (of twice the frames), and a convolution with its two maps
    let further = layers * (4.0 * width * inner + 4.0 * width * width + 6.0 * width * width);
    // the halvings: the maps of channels after the first
    let (channels, bins) = (encoder.channels as f64, encoder.bins as f64);
    let halved = |n: i32| channels * channels * 2.0 * frames * bins * 4f64.powi(n) / encoder.factor() as f64;
    let halvings: f64 = (0..encoder.halvings.saturating_sub(1)).map(|n| halved(n as i32)).sum();
    let bytes = frames * 4.0 * (4.0 * width + inner.max(6.0 * width)) + 12.0 * SCORES_AT_ONCE as f64;
    let flops = frames * (plain.flops + further + 2.0 * frames * plain.pair_flops) + halvings;
    let state = decoder.width as f64;
    let step = 2.0 * (decoder.layers as f64 * 8.0 * state * state + state * state + state * decoder.vocabulary as f64);
    let reply = Pass { flops: step, bytes: 8.0 * (decoder.vocabulary as f64 + 8.0 * state), ..Pass::default() };
    // a feature frame is 10 ms of sound in every published model
    let window_s = 0.01 * (WINDOW_FRAMES * encoder.factor()) as f64;
    Ok(CostModel { sound: Pass { flops, bytes, ..Pass::default() }, reply, window_s, ..CostModel::default() })
}
