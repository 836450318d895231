//! The settings of CLAP's sound tower.

use crate::{
    error::Fault,
    infer::{
        config::{Config, within},
        cost::{Pass, Transformer},
        ops::Activation,
    },
};

/// The maximum attention scores of all blocks together: 128 MB in f32, six times those of the published model.
const MAX_SCORES: usize = 1 << 25;
/// The eps of norms that state none.
pub(super) const EPS: f64 = 1e-5;

/// The settings in `audio_config`.
#[derive(Debug, Clone)]
pub(super) struct HearingShape {
    /// Mel bins.
    pub(super) bins: usize,
    /// The side of the folded spectrogram.
    pub(super) spec: usize,
    pub(super) patch: usize,
    /// The side of a window of attention, in tokens.
    pub(super) window: usize,
    /// The width of the first stage; each stage doubles it.
    pub(super) width: usize,
    /// Blocks and heads of each stage.
    pub(super) stages: Vec<(usize, usize)>,
    ratio: f64,
    pub(super) eps: f64,
    pub(super) activation: Activation,
    pub(super) patch_norm: bool,
}

impl HearingShape {
    /// Fails if a value is out of range, or asks for what this code does not compute.
    pub(super) fn read(config: &Config) -> std::result::Result<HearingShape, Fault> {
        let wrong = |why: String| Err(Fault::model(format!("{}: {why}", config.name())));
        if config.truth("enable_fusion")? == Some(true) {
            return wrong(
                "models with fusion (`enable_fusion`) are not supported; use one such as laion/clap-htsat-unfused"
                    .into(),
            );
        }
        let spec = config.count("spec_size", 8..=2048)?.unwrap_or(256);
        let (patch, stride) = (one_side(config, "patch_size", spec)?, one_side(config, "patch_stride", spec)?);
        if patch != stride || config.truth("flatten_patch_embeds")? == Some(false) {
            return wrong(format!(
                "patches of {patch} with a stride of {stride} are not supported; expected equal ones"
            ));
        }
        let (depths, heads) =
            (counts(config, "depths", &[2, 2, 6, 2])?, counts(config, "num_attention_heads", &[4, 8, 16, 32])?);
        let width = config.count("patch_embeds_hidden_size", within::WIDTH)?.unwrap_or(96);
        let window = config.count("window_size", 1..=256)?.unwrap_or(8);
        let last = 1usize << (depths.len() - 1);
        let grid = spec / patch;
        if depths.len() != heads.len() || !grid.is_multiple_of(last) || grid / last < window {
            return wrong(format!(
                "{} stages with {} numbers of heads and windows of {window} do not fit {grid}×{grid} patches",
                depths.len(),
                heads.len()
            ));
        }
        let stages: Vec<(usize, usize)> = depths.into_iter().zip(heads).collect();
        let mut scores = 0usize;
        for (stage, (depth, heads)) in stages.iter().enumerate() {
            if !(width << stage).is_multiple_of(*heads) {
                return wrong(format!(
                    "stage {stage} cannot have {heads} heads, which do not divide its width {}",
                    width << stage
                ));
            }
            let tokens = (grid >> stage).next_multiple_of(window).pow(2);
            let pairs = [tokens, window * window, *heads, *depth].into_iter().fold(1, usize::saturating_mul);
            scores = scores.saturating_add(pairs);
        }
        if scores > MAX_SCORES {
            return wrong(format!("windows of {window} over {grid}×{grid} patches attend to too much at once"));
        }
        let width_out = width << (stages.len() - 1);
        if let Some(stated) = config.count("hidden_size", within::WIDTH)?.filter(|stated| *stated != width_out) {
            return wrong(format!("`hidden_size` must be {width_out}, the width of the last stage, found {stated}"));
        }
        Ok(HearingShape {
            bins: config.count("num_mel_bins", 1..=4096)?.unwrap_or(64),
            spec,
            patch,
            window,
            width,
            stages,
            ratio: config.number("mlp_ratio", 0.01..=64.0)?.unwrap_or(4.0),
            eps: config.number("layer_norm_eps", within::EPSILON)?.unwrap_or(EPS),
            activation: config.activation("hidden_act", "gelu")?,
            patch_norm: config.truth("enable_patch_layer_norm")? != Some(false),
        })
    }

    /// The width of the last stage.
    pub(super) fn width_out(&self) -> usize {
        self.width << (self.stages.len() - 1)
    }

    /// The work for a window of sound.
    pub(super) fn cost(&self) -> Pass {
        let mut all = Pass::default();
        for (stage, (depth, heads)) in self.stages.iter().enumerate() {
            let width = self.width << stage;
            let tokens = ((self.spec / self.patch) >> stage).pow(2) as f64;
            let token = Transformer::plain(width, self.inner(width), *depth, *heads).token();
            let pairs = (self.window * self.window) as f64;
            all.flops += tokens * (token.flops + token.pair_flops * pairs);
            all.bytes = all.bytes.max(tokens * (token.bytes + token.pair_bytes * pairs));
        }
        all
    }

    /// The width between the two maps of a block.
    pub(super) fn inner(&self, width: usize) -> usize {
        (self.ratio * width as f64) as usize
    }
}

/// A number, or a list of two equal ones; 4 if it is absent.
fn one_side(config: &Config, key: &str, most: usize) -> std::result::Result<usize, Fault> {
    let sides = match config.get(key) {
        Some(found) if found.is_array() => counts(config, key, &[])?,
        _ => return Ok(config.count(key, 1..=most)?.unwrap_or(4)),
    };
    match sides[..] {
        [a, b] if a == b && (1..=most).contains(&a) => Ok(a),
        _ => Err(Fault::model(format!(
            "{}: `{key}` must be two equal numbers from 1 to {most}, found {sides:?}",
            config.name()
        ))),
    }
}

/// A list of 1 to 8 whole numbers from 1 to 1024.
fn counts(config: &Config, key: &str, usual: &[usize]) -> std::result::Result<Vec<usize>, Fault> {
    let list = config.list(key)?;
    if list.is_empty() && !usual.is_empty() {
        return Ok(usual.to_vec());
    }
    let found: Vec<usize> =
        list.iter().filter_map(|n| n.as_u64().filter(|n| (1..=1024).contains(n))).map(|n| n as usize).collect();
    match found.len() == list.len() && (1..=8).contains(&found.len()) {
        true => Ok(found),
        false => Err(Fault::model(format!(
            "{}: `{key}` must be a list of 1 to 8 whole numbers from 1 to 1024",
            config.name()
        ))),
    }
}
