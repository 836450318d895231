//! Choosing the next token from logits: greedy, or sampled with temperature, top-k, nucleus (top-p) and min-p, from a
//! seed.

use super::config::{Config, within};
use crate::{error::Fault, exchange::Decoding};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The settings of a checkpoint's `generation_config.json` for choosing tokens. Temperature, top-k, top-p and min-p
/// count only if `do_sample` is true.
pub fn defaults(generation: Option<&Config>) -> Result<Decoding, Fault> {
    let Some(config) = generation else { return Ok(Decoding::default()) };
    let drawn = config.truth("do_sample")?.unwrap_or(false);
    let temperature = config.number("temperature", 0.0..=1e3)?.unwrap_or(1.0) as f32;
    let top_p = config.number("top_p", 0.0..=1.0)?.map(|p| p as f32);
    let top_k = config.count("top_k", within::TOKENS)?;
    let min_p = config.number("min_p", 0.0..=1.0)?.map(|p| p as f32);
    Ok(Decoding {
        temperature: drawn.then_some(temperature),
        min_p: min_p.filter(|_| drawn),
        repetition_penalty: config.number("repetition_penalty", 1e-3..=1e3)?.map(|p| p as f32),
        top_p: top_p.filter(|_| drawn),
        top_k: top_k.filter(|_| drawn),
        max_tokens: config.count("max_new_tokens", within::TOKENS)?,
        ..Decoding::default()
    })
}

/// Chooses tokens for one reply.
#[derive(Debug)]
pub struct Sampler {
    settings: Decoding,
    random: ChaCha8Rng,
}

impl Sampler {
    /// A sampler: the same settings, seed and logits give the same tokens. Without a temperature it is greedy.
    pub fn new(settings: Decoding, seed: u64) -> Sampler {
        Sampler { settings, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// Changes the temperature of the next tokens; 0 is greedy.
    pub fn heat(&mut self, temperature: f32) {
        self.settings.temperature = Some(temperature);
    }

    /// The id of the next token. `logits` is (vocabulary); −∞ marks tokens that must not be chosen.
    pub fn choose(&mut self, logits: &[f32]) -> u32 {
        if self.settings.temperature.unwrap_or(0.0) <= 0.0 {
            return likeliest(logits);
        }
        let kept = distribution(logits, &self.settings);
        let Some((last, _)) = kept.last() else { return likeliest(logits) };
        let mut at = self.random.random::<f64>() * kept.iter().map(|(_, power)| power).sum::<f64>();
        let drawn = kept.iter().find(|(_, power)| {
            at -= power;
            at < 0.0
        });
        drawn.map_or(*last, |(id, _)| *id)
    }
}

/// The tokens that can be drawn, most likely first, with weights that are proportional to their probabilities. The
/// steps and their order are those of transformers: temperature, top-k, top-p, min-p.
fn distribution(logits: &[f32], settings: &Decoding) -> Vec<(u32, f64)> {
    let logit = |id: &u32| logits[*id as usize];
    let by_logit = |a: &u32, b: &u32| logit(b).total_cmp(&logit(a));
    let mut order: Vec<u32> = (0..logits.len() as u32).filter(|id| logit(id) > f32::NEG_INFINITY).collect();
    let top_k = settings.top_k.unwrap_or(0);
    if top_k > 0 && top_k < order.len() {
        let least = logit(order.select_nth_unstable_by(top_k - 1, by_logit).1);
        // as in transformers, tokens that equal the last of the k are kept too
        order.retain(|id| logit(id) >= least);
    }
    // Equal tokens are sorted by id, so that the order is the same on every machine.
    order.sort_unstable_by(|a, b| by_logit(a, b).then(a.cmp(b)));
    let Some(first) = order.first() else { return Vec::new() };
    let (most, heat) = (f64::from(logit(first)), f64::from(settings.temperature.unwrap_or(1.0)));
    let mut kept: Vec<(u32, f64)> =
        order.iter().map(|id| (*id, ((f64::from(logit(id)) - most) / heat).exp())).collect();
    if let Some(top_p) = settings.top_p.filter(|p| *p < 1.0) {
        let mass = f64::from(top_p) * kept.iter().map(|(_, power)| power).sum::<f64>();
        let mut before = 0.0;
        // A token is kept if the tokens before it have not reached the mass; the most likely one is always kept.
        let reach = |(_, power): &&(u32, f64)| {
            let stays = before < mass;
            before += power;
            stays
        };
        let keep = kept.iter().take_while(reach).count().max(1);
        kept.truncate(keep);
    }
    if let Some(min_p) = settings.min_p {
        // the power of the most likely token is 1
        kept.retain(|(_, power)| *power >= f64::from(min_p));
    }
    kept
}

/// The token with the largest logit; of equal ones, the one with the lowest id.
pub fn likeliest(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = id;
        }
    }
    best as u32
}

/// Fails if a logit is not finite, because no token can be chosen from such logits.
pub fn finite(logits: &[f32]) -> Result<(), Fault> {
    match logits.iter().find(|logit| !logit.is_finite()) {
        Some(odd) => Err(super::not_finite("the logits", *odd)),
        None => Ok(()),
    }
}

/// `log softmax(logits)[id]`
pub fn log_probability(logits: &[f32], id: u32) -> f64 {
    let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|l| (f64::from(*l) - most).exp()).sum();
    f64::from(logits[id as usize]) - most - sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(decoding: Decoding, seed: u64) -> Vec<u32> {
        let mut sampler = Sampler::new(decoding, seed);
        (0..200).map(|_| sampler.choose(&[1.0, 3.0, 2.0, f32::NEG_INFINITY, 0.0])).collect()
    }

    #[test]
    fn a_seed_determines_the_tokens_and_limits_hold() {
        let hot = Decoding { temperature: Some(1.0), ..Decoding::default() };
        assert_eq!(drawn(hot.clone(), 7), drawn(hot.clone(), 7));
        assert_ne!(drawn(hot.clone(), 7), drawn(hot.clone(), 8));
        let kinds = |decoding: Decoding| {
            let mut kinds = drawn(decoding, 1);
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        };
        assert_eq!(kinds(hot.clone()), [0, 1, 2, 4]);
        assert_eq!(kinds(Decoding { top_k: Some(2), ..hot.clone() }), [1, 2]);
        assert_eq!(kinds(Decoding { top_p: Some(0.5), ..hot }), [1]);
        assert_eq!(kinds(Decoding::default()), [1]);
    }

    /// Checks the probabilities of all tokens against those of transformers 5.23 (`tests/parity/make_sampling.py`).
    fn check(settings: Decoding, expected: &[f64]) {
        let logits = [1.0, 3.0, 2.0, f32::NEG_INFINITY, 0.0, 2.0, -1.5, 2.5];
        let kept = distribution(&logits, &settings);
        let sum: f64 = kept.iter().map(|(_, power)| power).sum();
        let mut found = [0.0; 8];
        kept.iter().for_each(|(id, power)| found[*id as usize] = power / sum);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{settings:?}: {found} is not {expected}");
        }
    }

    #[test]
    fn distributions_are_those_of_transformers() {
        let hot = |temperature| Decoding { temperature: Some(temperature), ..Decoding::default() };
        check(hot(1.0), &[0.0533127, 0.3939302, 0.1449188, 0.0000000, 0.0196126, 0.1449188, 0.0043762, 0.2389307]);
        check(hot(0.5), &[0.0110371, 0.6026028, 0.0815534, 0.0000000, 0.0014937, 0.0815534, 0.0000744, 0.2216852]);
        check(
            Decoding { top_k: Some(3), ..hot(1.0) },
            &[0.0000000, 0.4269327, 0.1570598, 0.0000000, 0.0000000, 0.1570598, 0.0000000, 0.2589478],
        );
        check(
            Decoding { top_p: Some(0.8), ..hot(1.0) },
            &[0.0000000, 0.4269327, 0.1570598, 0.0000000, 0.0000000, 0.1570598, 0.0000000, 0.2589478],
        );
        check(
            Decoding { top_p: Some(0.45), ..hot(2.0) },
            &[0.0000000, 0.5621765, 0.0000000, 0.0000000, 0.0000000, 0.0000000, 0.0000000, 0.4378235],
        );
        check(
            Decoding { min_p: Some(0.3), ..hot(1.0) },
            &[0.0000000, 0.4269327, 0.1570598, 0.0000000, 0.0000000, 0.1570598, 0.0000000, 0.2589478],
        );
        check(
            Decoding { top_k: Some(5), top_p: Some(0.9), min_p: Some(0.25), ..hot(0.7) },
            &[0.0000000, 0.6713474, 0.0000000, 0.0000000, 0.0000000, 0.0000000, 0.0000000, 0.3286525],
        );
        check(
            Decoding { top_k: Some(2), min_p: Some(0.7), ..hot(1.5) },
            &[0.0000000, 0.5825702, 0.0000000, 0.0000000, 0.0000000, 0.0000000, 0.0000000, 0.4174298],
        );
    }
}
