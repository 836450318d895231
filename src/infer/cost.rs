//! The work and the memory of a model, estimated from its configuration alone.
//!
//! A family gives one [`CostModel`]: the floating-point operations (FLOPs), the activations and the cache of one unit of
//! each [`Phase`]. A multiplication with an addition counts as two FLOPs. Norms, activations and biases are left out:
//! they take below 2 % of the work of the shipped models.

use super::config::{Config, within};
use crate::error::Fault;

/// A kind of work with a speed of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Reads weights; a unit is a byte in memory.
    Load,
    /// A language model reads its prompt; a unit is a token.
    Prompt,
    /// A decoder writes its reply; a unit is a token.
    Reply,
    /// Several replies are written together; a unit is a token of one of them.
    Batch,
    /// An encoder reads a picture; a unit is a picture.
    Picture,
    /// An encoder reads a text; a unit is a token.
    Text,
    /// An encoder hears a window of sound; a unit is a window.
    Sound,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Phase; 7] =
        [Phase::Load, Phase::Prompt, Phase::Reply, Phase::Batch, Phase::Picture, Phase::Text, Phase::Sound];

    /// The word for this phase in output and in the store of timings.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Load => "load",
            Phase::Prompt => "prompt",
            Phase::Reply => "reply",
            Phase::Batch => "batch",
            Phase::Picture => "picture",
            Phase::Text => "text",
            Phase::Sound => "sound",
        }
    }
}

/// The cost of one unit of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Pass {
    /// FLOPs of a unit.
    pub flops: f64,
    /// FLOPs for each unit that a unit attends to, itself included.
    pub pair_flops: f64,
    /// Bytes of activations of a unit while it is computed, in f32.
    pub bytes: f64,
    /// Bytes of activations for each unit that a unit attends to.
    pub pair_bytes: f64,
    /// Bytes that stay in the cache of keys and values for a unit.
    pub cache_bytes: f64,
}

impl Pass {
    /// FLOPs of `units` that follow `before` others in one sequence, each attending to all before it.
    pub fn causal(&self, units: f64, before: f64) -> f64 {
        units * self.flops + self.pair_flops * units * (before + (units + 1.0) / 2.0)
    }

    /// FLOPs of a sequence in which every unit attends to every unit.
    pub fn mutual(&self, units: f64) -> f64 {
        units * (self.flops + self.pair_flops * units)
    }

    /// The cost of a whole sequence as that of one unit: a picture of `units` patches.
    pub fn whole(&self, units: f64) -> Pass {
        let bytes = units * (self.bytes + self.pair_bytes * units);
        Pass { flops: self.mutual(units), bytes, ..Pass::default() }
    }

    /// The same cost with further FLOPs.
    #[must_use]
    pub fn with(self, flops: f64) -> Pass {
        Pass { flops: self.flops + flops, ..self }
    }
}

/// The costs of a model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CostModel {
    /// A token of a prompt.
    pub prompt: Pass,
    /// A token of a reply.
    pub reply: Pass,
    /// A picture.
    pub picture: Pass,
    /// The vectors of a picture in a prompt.
    pub picture_tokens: f64,
    /// A token of a text.
    pub text: Pass,
    /// A window of sound.
    pub sound: Pass,
    /// True if each picture is computed alone.
    pub alone: bool,
    /// The maximum tokens of a text; a longer one is cut.
    pub text_tokens: usize,
    /// True if a shorter text is padded to the maximum, and the padding is computed.
    pub padded: bool,
    /// The length of a window of sound, in seconds.
    pub window_s: f64,
}

impl CostModel {
    /// The costs of an image classifier, which computes each picture alone.
    pub fn classifier(picture: Pass) -> CostModel {
        CostModel { picture, alone: true, ..CostModel::default() }
    }

    /// Bytes of activations of pictures of which up to `batch` are answered together.
    pub fn picture_bytes(&self, batch: f64) -> f64 {
        if self.alone { self.picture.bytes } else { batch * self.picture.bytes }
    }

    /// The cost of a unit of a phase.
    pub fn pass(&self, phase: Phase) -> Pass {
        match phase {
            Phase::Load => Pass::default(),
            Phase::Prompt => self.prompt,
            Phase::Reply | Phase::Batch => self.reply,
            Phase::Picture => self.picture,
            Phase::Text => self.text,
            Phase::Sound => self.sound,
        }
    }
}

/// Estimates the costs of a model from its `config.json`. Fails if a setting is missing or out of range.
pub type Cost = fn(&Config) -> Result<CostModel, Fault>;

/// A transformer without its embeddings and its last map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transformer {
    /// The width of its states.
    pub width: usize,
    /// The width inside its feed-forward layers.
    pub inner: usize,
    /// The number of layers.
    pub layers: usize,
    /// The number of attention heads.
    pub heads: usize,
    /// The width of all queries together.
    pub queries: usize,
    /// The width of all keys together.
    pub keys: usize,
    /// True if the feed-forward layer has three maps instead of two.
    pub gated: bool,
}

impl Transformer {
    /// A plain transformer: queries, keys and values are as wide as the states.
    pub fn plain(width: usize, inner: usize, layers: usize, heads: usize) -> Transformer {
        Transformer { width, inner, layers, heads, queries: width, keys: width, gated: false }
    }

    /// Reads a plain transformer with the usual keys; `defaults` are width, layers and heads.
    pub fn read(config: &Config, (width, layers, heads): (usize, usize, usize)) -> Result<Transformer, Fault> {
        let width = config.count("hidden_size", within::WIDTH)?.unwrap_or(width);
        let inner = config.count("intermediate_size", within::WIDTH)?.unwrap_or(4 * width);
        let layers = config.count("num_hidden_layers", within::LAYERS)?.unwrap_or(layers);
        let heads = config.count("num_attention_heads", within::HEADS)?.unwrap_or(heads);
        Ok(Transformer::plain(width, inner, layers, heads))
    }

    /// The cost of a token. Activations are those of one layer, because a layer's are freed before the next.
    pub fn token(&self) -> Pass {
        let [w, inner, layers, heads, q, k] =
            [self.width, self.inner, self.layers, self.heads, self.queries, self.keys].map(|n| n as f64);
        let maps = if self.gated { 3.0 } else { 2.0 };
        let attention = 2.0 * w + 3.0 * q + 4.0 * k;
        Pass {
            flops: 2.0 * layers * (2.0 * w * q + 2.0 * w * k + maps * w * inner),
            pair_flops: 4.0 * layers * q,
            bytes: 4.0 * attention.max(2.0 * w + maps * inner),
            // scores before and after the softmax
            pair_bytes: 8.0 * heads,
            cache_bytes: 8.0 * layers * k,
        }
    }
}

/// The cost of a two-dimensional convolution as part of a picture: FLOPs, and bytes of its output and its unfolded
/// input in f32. `side` is that of the output.
pub fn convolution(input: usize, output: usize, kernel: usize, side: usize, groups: usize) -> Pass {
    let pixels = (side * side) as f64;
    let taps = (input / groups.max(1) * kernel * kernel) as f64;
    let unfolded = if kernel > 1 && groups == 1 { taps } else { input as f64 };
    Pass {
        flops: 2.0 * pixels * taps * output as f64,
        bytes: 4.0 * pixels * (unfolded + 2.0 * output as f64),
        ..Pass::default()
    }
}

/// The sum of convolutions that run one after another: activations are those of the largest.
pub fn sequence(parts: impl IntoIterator<Item = Pass>) -> Pass {
    parts.into_iter().fold(Pass::default(), |all, part| Pass {
        flops: all.flops + part.flops,
        bytes: all.bytes.max(part.bytes),
        ..all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_costs_two_flops_for_each_weight() {
        // 2 layers of 4·8·8 + 2·8·32 weights
        let pass = Transformer::plain(8, 32, 2, 2).token();
        assert_eq!((pass.flops, pass.pair_flops), (2.0 * 2.0 * 768.0, 64.0));
        assert_eq!(pass.causal(3.0, 0.0), 3.0 * 3072.0 + 64.0 * 6.0);
        assert_eq!(pass.causal(1.0, 9.0), 3072.0 + 64.0 * 10.0);
        assert_eq!(pass.mutual(3.0), 3.0 * 3072.0 + 64.0 * 9.0);
        assert_eq!(pass.whole(3.0).flops, pass.mutual(3.0));
        let grouped = Transformer { keys: 2, gated: true, ..Transformer::plain(8, 32, 2, 4) }.token();
        assert_eq!((grouped.flops, grouped.cache_bytes), (4.0 * (2.0 * 64.0 + 2.0 * 16.0 + 3.0 * 256.0), 32.0));
    }

    #[test]
    fn a_classifier_holds_one_picture_at_a_time() {
        let picture = convolution(3, 8, 3, 4, 1);
        let classifier = CostModel::classifier(picture);
        assert_eq!(classifier.picture_bytes(16.0), picture.bytes);
        assert_eq!(CostModel { alone: false, ..classifier }.picture_bytes(16.0), 16.0 * picture.bytes);
    }

    #[test]
    fn a_convolution_costs_two_flops_for_each_tap_of_each_pixel() {
        assert_eq!(convolution(3, 8, 3, 4, 1).flops, 2.0 * 16.0 * 27.0 * 8.0);
        assert_eq!(convolution(8, 8, 3, 4, 8).flops, 2.0 * 16.0 * 9.0 * 8.0);
        let both = sequence([convolution(3, 8, 3, 4, 1), convolution(8, 8, 3, 4, 8)]);
        assert_eq!(both.flops, 2.0 * 16.0 * (216.0 + 72.0));
    }
}
