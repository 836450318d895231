//! Rotary position embeddings: the angles that rotate queries and keys, and their scaling for contexts longer than the
//! trained one. The types and their arithmetic are those of `modeling_rope_utils.py` of transformers 5.23.

use super::config::{Config, within};
use crate::error::Fault;
use std::{f64::consts::TAU, ops::RangeInclusive};

/// The angle of each pair of dimensions at position 1, and a factor for all sines and cosines.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Radians for each position, one for each pair of dimensions: (head / 2). A sequence longer than the trained context
    /// may have others: [`Rope::frequencies`].
    pub trained: Vec<f32>,
    /// The factor of sines and cosines: 1 except for `yarn` and `longrope`.
    pub scale: f64,
    /// The maximum positions that the scaling is made for, if that differs from `max_position_embeddings`.
    pub positions: Option<usize>,
    beyond: Beyond,
}

/// The change of the frequencies when a sequence becomes longer than the trained context.
#[derive(Debug, Clone, PartialEq)]
enum Beyond {
    /// None: keys that were rotated once stay valid.
    Same,
    /// `longrope`: a sequence of more than `trained` positions has other frequencies.
    Longer { trained: usize, frequencies: Vec<f32> },
    /// `dynamic`: a sequence of more than `trained` positions stretches `theta` by its length.
    Dynamic { trained: usize, theta: f32, factor: f32 },
}

/// The types of layers that may have rotary parameters of their own.
const LAYER_TYPES: [&str; 2] = ["full_attention", "sliding_attention"];

impl Rope {
    /// Reads `rope_scaling` and `rope_theta`, or `rope_parameters` (transformers 5), for heads of `head` dimensions and a
    /// context of `positions`. `layers` is the type of the layers: `rope_parameters` may differ by it. Fails if the type is
    /// unknown, a key asks for a rotation that is not supported, or an angle is not finite.
    pub fn read(config: &Config, head: usize, positions: usize, layers: &str) -> Result<Rope, Fault> {
        let (key, rope) = parameters(config, layers)?;
        refuse_partial(config)?;
        refuse_partial(&rope)?;
        let theta = |config: &Config| config.number("rope_theta", 2.0..=1e15);
        let theta = theta(&rope)?.or(theta(config)?).unwrap_or(10_000.0) as f32;
        let stated_factor = rope.number("factor", FACTOR)?;
        let factor = stated_factor.unwrap_or(1.0) as f32;
        let original = |config: &Config| config.count("original_max_position_embeddings", within::POSITIONS);
        let trained = original(config)?.or(original(&rope)?).unwrap_or(positions);
        let plain = || plain(theta, head);
        let stretched = |by: usize| Some((by as f64 * f64::from(factor)) as usize);
        let same = |trained: Vec<f32>| Rope { trained, scale: 1.0, positions: None, beyond: Beyond::Same };
        let found = match rope.string("rope_type")?.or(rope.string("type")?).unwrap_or("default") {
            "default" => same(plain().collect()),
            "linear" => Rope { positions: stretched(positions), ..same(plain().map(|f| f / factor).collect()) },
            "dynamic" => Rope {
                positions: stretched(positions),
                beyond: Beyond::Dynamic { trained: positions, theta, factor },
                ..same(plain().collect())
            },
            "llama3" => {
                let low = rope.number("low_freq_factor", FACTOR)?.unwrap_or(1.0) as f32;
                let high = rope.number("high_freq_factor", FACTOR)?.unwrap_or(4.0) as f32;
                let stretch = |f: f32| {
                    let wavelength = std::f32::consts::TAU / f;
                    let smooth = ((trained as f32 / wavelength - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - smooth) * f / factor + smooth * f
                };
                same(plain().map(stretch).collect())
            }
            "yarn" => {
                let factor = stated_factor.unwrap_or(positions as f64 / trained as f64);
                let frequencies = yarn(&rope, f64::from(theta), head, factor, trained as f64)?;
                let positions = Some((trained as f64 * factor) as usize);
                Rope { scale: yarn_scale(&rope, factor)?, positions, ..same(frequencies) }
            }
            "longrope" => {
                let factors = |key: &str| -> Result<Vec<f32>, Fault> {
                    let factors = rope.numbers(key, FACTOR, head / 2)?;
                    Ok(plain_powers(theta, head).zip(factors).map(|(power, factor)| 1.0 / (factor * power)).collect())
                };
                let factor = stated_factor.unwrap_or(positions as f64 / trained as f64);
                let grown = if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / (trained as f64).ln()).sqrt() };
                Rope {
                    scale: rope.number("attention_factor", 1e-3..=1e3)?.unwrap_or(grown),
                    beyond: Beyond::Longer { trained, frequencies: factors("long_factor")? },
                    ..same(factors("short_factor")?)
                }
            }
            other => {
                return Err(Fault::model(format!(
                    "{}: {key}: the rope type `{other}` is not supported; the types are default, linear, dynamic, yarn, llama3 \
                     and longrope",
                    config.name()
                )));
            }
        };
        let longer = match &found.beyond {
            Beyond::Longer { frequencies, .. } => frequencies.as_slice(),
            _ => &[],
        };
        if !found.scale.is_finite() || found.trained.iter().chain(longer).any(|f| !f.is_finite()) {
            return Err(Fault::model(format!("{}: {key} gives angles that are not finite", config.name())));
        }
        Ok(found)
    }

    /// A number that is equal for two lengths of a sequence if both have the same frequencies.
    pub fn regime(&self, length: usize) -> usize {
        match &self.beyond {
            Beyond::Longer { trained, .. } if length > *trained => 1,
            Beyond::Dynamic { trained, .. } if length > *trained => length,
            _ => 0,
        }
    }

    /// The frequencies for a sequence of `length` positions: (head / 2).
    pub fn frequencies(&self, length: usize) -> Vec<f32> {
        match &self.beyond {
            Beyond::Longer { trained, frequencies } if length > *trained => frequencies.clone(),
            Beyond::Dynamic { trained, theta, factor } if length > *trained => {
                let head = 2 * self.trained.len();
                let grown = factor * length as f32 / *trained as f32 - (factor - 1.0);
                plain(theta * grown.powf(head as f32 / (head as f32 - 2.0)), head).collect()
            }
            _ => self.trained.clone(),
        }
    }

    /// Divides each frequency. GGUF files store the scaling of Llama 3 so. Fails if a result is not finite.
    pub fn divide(&mut self, divisors: &[f32]) -> candle_core::Result<()> {
        self.trained.iter_mut().zip(divisors).for_each(|(f, divisor)| *f /= divisor);
        if self.trained.iter().any(|f| !f.is_finite()) {
            candle_core::bail!("rope_freqs.weight gives angles that are not finite");
        }
        Ok(())
    }
}

/// The range of factors that stretch positions and wavelengths.
const FACTOR: RangeInclusive<f64> = 1e-3..=1e6;

/// θ^(2i / head) for each pair of dimensions i.
fn plain_powers(theta: f32, head: usize) -> impl Iterator<Item = f32> {
    (0..head / 2).map(move |i| theta.powf(2.0 * i as f32 / head as f32))
}

/// The frequencies without scaling.
fn plain(theta: f32, head: usize) -> impl Iterator<Item = f32> {
    plain_powers(theta, head).map(|power| 1.0 / power)
}

/// The rotary parameters of layers of one type, and their key. As in transformers, `rope_scaling` comes before
/// `rope_parameters`, which may hold one object for each type of layer.
fn parameters<'a>(config: &Config, layers: &'a str) -> Result<(&'a str, Config), Fault> {
    let scaling = config.part("rope_scaling")?;
    if !scaling.is_empty() {
        return Ok(("rope_scaling", scaling));
    }
    let parameters = config.part("rope_parameters")?;
    if !LAYER_TYPES.iter().any(|kind| parameters.get(kind).is_some_and(serde_json::Value::is_object)) {
        return Ok(("rope_parameters", parameters));
    }
    match parameters.get(layers) {
        Some(_) => Ok(("rope_parameters", parameters.part(layers)?)),
        None => Err(Fault::model(format!("{} lacks `{layers}`", parameters.name()))),
    }
}

/// Fails if only a part of the dimensions is rotated, or if they are rotated in another order.
fn refuse_partial(config: &Config) -> Result<(), Fault> {
    for key in ["partial_rotary_factor", "rotary_pct"] {
        if config.number(key, 0.0..=1.0)?.is_some_and(|part| part != 1.0) {
            return Err(config.unsupported(key));
        }
    }
    for key in ["rope_interleaved", "rope_interleave", "interleaved", "mrope_interleaved"] {
        if config.truth(key)? == Some(true) {
            return Err(config.unsupported(key));
        }
    }
    if config.get("mrope_section").is_some() { Err(config.unsupported("mrope_section")) } else { Ok(()) }
}

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
            let found = Rope::read(&config, 8, 256, "full_attention").unwrap();
            let close = found.trained.iter().zip(frequencies).all(|(a, b)| (a / b - 1.0).abs() < 1e-5);
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
    }

    fn read(rope: serde_json::Value) -> Result<Rope, String> {
        let config = Config::new("config.json", json!({"rope_parameters": rope, "max_position_embeddings": 256}));
        Rope::read(&config, 8, 256, "full_attention").map_err(|e| e.to_string())
    }

    #[test]
    fn angles_change_where_those_of_transformers_change() {
        let close = |a: &[f32], b: [f32; 4]| a.iter().zip(b).all(|(a, b)| (a / b - 1.0).abs() < 1e-5);
        let longrope = read(json!({"rope_type": "longrope", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64,
            "short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [2.0, 3.0, 4.0, 5.0]})).unwrap();
        assert!(close(&longrope.frequencies(64), [1.0, 0.0909091, 0.00833333, 0.000769231]), "{longrope:?}");
        assert!(close(&longrope.frequencies(65), [0.5, 0.0333333, 0.0025, 0.0002]), "{longrope:?}");
        assert!((longrope.scale - 1.1547005).abs() < 1e-6, "{longrope:?}");
        assert_eq!([0, 64, 65, 99].map(|n| longrope.regime(n)), [0, 0, 1, 1]);
        let dynamic = read(json!({"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 4.0})).unwrap();
        assert!(close(&dynamic.frequencies(256), [1.0, 0.1, 0.01, 0.001]), "{dynamic:?}");
        assert!(
            close(&dynamic.frequencies(300), [1.0, 0.08399474, 0.007055116, 0.0005925926]),
            "{:?}",
            dynamic.frequencies(300)
        );
        assert_eq!([256, 257, 300].map(|n| dynamic.regime(n)), [0, 257, 300]);
        assert_eq!(dynamic.positions, Some(1024));
    }

    #[test]
    fn a_rotation_that_is_not_supported_is_refused() {
        let refused = |rope| read(rope).expect_err("refused");
        insta::assert_snapshot!(refused(json!({"rope_type": "su"})), @"config.json: rope_parameters: the rope type `su` is not supported; the types are default, linear, dynamic, yarn, llama3 and longrope");
        insta::assert_snapshot!(refused(json!({"partial_rotary_factor": 0.5})), @"config.json: rope_parameters: `partial_rotary_factor` 0.5 is not supported");
        insta::assert_snapshot!(refused(json!({"mrope_section": [1, 1, 2]})), @"config.json: rope_parameters: `mrope_section` [1,1,2] is not supported");
        insta::assert_snapshot!(refused(json!({"rope_type": "longrope", "long_factor": [1.0]})), @"config.json: rope_parameters: `long_factor` must be a list of 4 numbers from 0.001 to 1000000, found [1.0]");
        insta::assert_snapshot!(refused(json!({"rope_type": 3})), @"config.json: rope_parameters: `rope_type` must be text, found 3");
        insta::assert_snapshot!(refused(json!({"sliding_attention": {"rope_type": "default"}})), @"config.json: rope_parameters lacks `full_attention`");
        assert!(read(json!({"full_attention": {"rope_type": "linear", "factor": 2.0}})).unwrap().trained[0] == 0.5);
    }
}
