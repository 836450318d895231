//! Rotary position embeddings: the angles that rotate queries and keys, and their scaling for contexts longer than the
//! trained one.

use super::config::{Config, within};
use crate::error::Fault;
use std::{f64::consts::TAU, ops::RangeInclusive};

/// The angle of each pair of dimensions at position 1, and a factor for all sines and cosines.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Radians for each position, one for each pair of dimensions: (head / 2).
    pub frequencies: Vec<f32>,
    /// The factor of sines and cosines: 1 except for `yarn`.
    pub scale: f64,
}

impl Rope {
    /// Reads `rope_parameters` (transformers 5), else `rope_theta` and `rope_scaling` (older versions), for heads of
    /// `head` dimensions and a context of `positions`. `llama3` is the wavelength-dependent scaling of Llama 3.1.
    /// `dynamic` changes only positions beyond the context, which are never read. Fails if the type is unknown or an
    /// angle is not finite.
    pub fn read(config: &Config, head: usize, positions: usize) -> Result<Rope, Fault> {
        let key = if config.get("rope_parameters").is_some() { "rope_parameters" } else { "rope_scaling" };
        let rope = config.part(key)?;
        let theta = |config: &Config| config.number("rope_theta", 2.0..=1e15);
        let theta = theta(&rope)?.or(theta(config)?).unwrap_or(10_000.0) as f32;
        let plain = || (0..head / 2).map(|i| 1.0 / theta.powf(2.0 * i as f32 / head as f32));
        let stated_factor = rope.number("factor", FACTOR)?;
        let factor = stated_factor.unwrap_or(1.0) as f32;
        let trained = |config: &Config| config.count("original_max_position_embeddings", within::POSITIONS);
        let trained = trained(config)?.or(trained(&rope)?).unwrap_or(positions) as f64;
        let (frequencies, scale) = match rope.string("rope_type")?.or(rope.string("type")?).unwrap_or("default") {
            "default" | "dynamic" => (plain().collect(), 1.0),
            "linear" => (plain().map(|f| f / factor).collect(), 1.0),
            "llama3" => {
                let low = rope.number("low_freq_factor", FACTOR)?.unwrap_or(1.0) as f32;
                let high = rope.number("high_freq_factor", FACTOR)?.unwrap_or(4.0) as f32;
                let stretch = |f: f32| {
                    let wavelength = std::f32::consts::TAU / f;
                    let smooth = ((trained as f32 / wavelength - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - smooth) * f / factor + smooth * f
                };
                (plain().map(stretch).collect(), 1.0)
            }
            "yarn" => {
                let factor = stated_factor.unwrap_or(positions as f64 / trained);
                (yarn(&rope, f64::from(theta), head, factor, trained)?, yarn_scale(&rope, factor)?)
            }
            other => return Err(Fault::model(format!("{key}: the rope type `{other}` is not supported"))),
        };
        let rope = Rope { frequencies, scale };
        if !rope.scale.is_finite() || rope.frequencies.iter().any(|f| !f.is_finite()) {
            return Err(Fault::model(format!("{}: {key} gives angles that are not finite", config.name())));
        }
        Ok(rope)
    }
}

/// The range of factors that stretch positions and wavelengths.
const FACTOR: RangeInclusive<f64> = 1e-3..=1e6;

/// The frequencies of YaRN (Peng et al. 2023, arXiv 2309.00071). Dimensions of high frequency stay, those of low
/// frequency are divided by `factor`, with a linear ramp between.
fn yarn(rope: &Config, theta: f64, head: usize, factor: f64, trained: f64) -> Result<Vec<f32>, Fault> {
    let size = head as f64;
    // The dimension that makes this number of turns over the trained context.
    let turning = |turns: f64| size * (trained / (turns * TAU)).ln() / (2.0 * theta.ln());
    let turns = |key: &str, default: f64| -> Result<f64, Fault> {
        Ok(rope.number(key, 0.0..=1e6)?.filter(|n| *n != 0.0).unwrap_or(default))
    };
    let (mut low, mut high) = (turning(turns("beta_fast", 32.0)?), turning(turns("beta_slow", 1.0)?));
    if rope.truth("truncate")?.unwrap_or(true) {
        (low, high) = (low.floor(), high.ceil());
    }
    (low, high) = (low.max(0.0), high.min(size - 1.0));
    if low == high {
        high += 0.001;
    }
    let one = |i: usize| {
        let plain = theta.powf(-2.0 * i as f64 / size);
        let stretched = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
        (plain / factor * stretched + plain * (1.0 - stretched)) as f32
    };
    Ok((0..head / 2).map(one).collect())
}

/// The factor of YaRN for sines and cosines, which sharpens the attention over long contexts.
fn yarn_scale(rope: &Config, factor: f64) -> Result<f64, Fault> {
    let sharper = |by: f64| if factor <= 1.0 { 1.0 } else { 0.1 * by * factor.ln() + 1.0 };
    let given = |key: &str| rope.number(key, 0.0..=1e3).map(|n| n.filter(|n| *n != 0.0));
    Ok(match (rope.number("attention_factor", 1e-3..=1e3)?, given("mscale")?, given("mscale_all_dim")?) {
        (Some(scale), _, _) => scale,
        (None, Some(mscale), Some(all)) => sharper(mscale) / sharper(all),
        _ => sharper(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn angles_equal_those_of_transformers() {
        let check = |rope: serde_json::Value, frequencies: [f32; 4], scale: f64| {
            let config = Config::new("config.json", json!({"rope_parameters": rope}));
            let found = Rope::read(&config, 8, 256).unwrap();
            let close = found.frequencies.iter().zip(frequencies).all(|(a, b)| (a / b - 1.0).abs() < 1e-5);
            assert!(close && (found.scale - scale).abs() < 1e-6, "{rope}: {found:?}");
        };
        // transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS[…](LlamaConfig(…, head_dim=8,
        // max_position_embeddings=256))
        check(
            json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}),
            [0.5, 0.105737, 0.0223607, 0.00472871],
            1.0,
        );
        check(
            json!({"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}),
            [1.0, 0.0130423, 0.00125, 0.000125],
            1.0,
        );
        check(
            json!({"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}),
            [1.0, 0.0625, 0.0025, 0.00025],
            1.1386294,
        );
        check(
            json!({"rope_type": "yarn", "rope_theta": 10000.0, "factor": 2.0, "mscale": 0.7, "mscale_all_dim": 1.0, "original_max_position_embeddings": 128, "truncate": false, "beta_fast": 16.0, "beta_slow": 2.0}),
            [1.0, 0.0504429, 0.005, 0.0005],
            0.9805535,
        );
        let longrope = Config::new("config.json", json!({"rope_scaling": {"type": "longrope"}}));
        assert!(Rope::read(&longrope, 8, 256).is_err());
    }
}
