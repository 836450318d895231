//! Choosing the next token from logits: greedy, or sampled with temperature, top-k and nucleus (top-p), from a seed.

use super::config::{Config, within};
use crate::{error::Fault, exchange::Decoding};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The settings for choosing tokens, with all defaults applied.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplingSettings {
    /// 0 is greedy.
    pub temperature: f32,
    /// Nucleus mass; 1 keeps all.
    pub top_p: f32,
    /// Keep the k most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// The maximum tokens of a reply, if a limit is set.
    pub max_tokens: Option<usize>,
    /// Texts that end a reply; the reply does not contain them.
    pub stop: Vec<String>,
}

/// The settings of a checkpoint's `generation_config.json` for choosing tokens. Temperature, top-k and top-p count only
/// if `do_sample` is true.
pub fn defaults(generation: Option<&Config>) -> Result<Decoding, Fault> {
    let Some(config) = generation else { return Ok(Decoding::default()) };
    let drawn = config.truth("do_sample")?.unwrap_or(false);
    let temperature = config.number("temperature", 0.0..=1e3)?.unwrap_or(1.0) as f32;
    let top_p = config.number("top_p", 0.0..=1.0)?.map(|p| p as f32);
    let top_k = config.count("top_k", within::TOKENS)?;
    Ok(Decoding {
        temperature: drawn.then_some(temperature),
        top_p: top_p.filter(|_| drawn),
        top_k: top_k.filter(|_| drawn),
        max_tokens: config.count("max_new_tokens", within::TOKENS)?,
        ..Decoding::default()
    })
}

impl SamplingSettings {
    /// Each setting comes from the request, else the agent, else the checkpoint ([`defaults`]). The last default is
    /// greedy.
    pub fn new(request: &Decoding, agent: &Decoding, checkpoint: &Decoding) -> SamplingSettings {
        let all = [request, agent, checkpoint];
        SamplingSettings {
            temperature: all.iter().find_map(|d| d.temperature).unwrap_or(0.0),
            top_p: all.iter().find_map(|d| d.top_p).unwrap_or(1.0),
            top_k: all.iter().find_map(|d| d.top_k).unwrap_or(0),
            max_tokens: all.iter().find_map(|d| d.max_tokens),
            stop: if request.stop.is_empty() { agent.stop.clone() } else { request.stop.clone() },
        }
    }
}

/// Chooses tokens for one reply.
#[derive(Debug)]
pub struct Sampler {
    settings: SamplingSettings,
    random: ChaCha8Rng,
}

impl Sampler {
    /// A sampler: the same settings, seed and logits give the same tokens.
    pub fn new(settings: SamplingSettings, seed: u64) -> Sampler {
        Sampler { settings, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// The id of the next token. `logits` is (vocabulary); −∞ marks tokens that must not be chosen.
    pub fn choose(&mut self, logits: &[f32]) -> u32 {
        if self.settings.temperature <= 0.0 { likeliest(logits) } else { self.draw(logits) }
    }

    fn draw(&mut self, logits: &[f32]) -> u32 {
        let mut order: Vec<u32> =
            (0..logits.len() as u32).filter(|id| logits[*id as usize] > f32::NEG_INFINITY).collect();
        // The most likely token first. Equal tokens are sorted by id, so that the order is the same on every machine.
        order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b)));
        if self.settings.top_k > 0 {
            order.truncate(self.settings.top_k);
        }
        let Some(first) = order.first().copied() else { return likeliest(logits) };
        let most = f64::from(logits[first as usize]);
        let heat = f64::from(self.settings.temperature);
        let mut powers: Vec<f64> =
            order.iter().map(|id| ((f64::from(logits[*id as usize]) - most) / heat).exp()).collect();
        let mut sum: f64 = powers.iter().sum();
        if self.settings.top_p < 1.0 {
            let mut before = 0.0;
            let mass = f64::from(self.settings.top_p) * sum;
            // A token is kept if the tokens before it have not reached the mass; the most likely one is always kept.
            let keep = powers
                .iter()
                .take_while(|p| {
                    let stays = before < mass;
                    before += **p;
                    stays
                })
                .count()
                .max(1);
            powers.truncate(keep);
            sum = powers.iter().sum();
        }
        let mut at = self.random.random::<f64>() * sum;
        for (id, power) in order.iter().zip(&powers) {
            at -= power;
            if at < 0.0 {
                return *id;
            }
        }
        order[powers.len() - 1]
    }
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
        let mut sampler =
            Sampler::new(SamplingSettings::new(&decoding, &Decoding::default(), &Decoding::default()), seed);
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

    #[test]
    fn the_request_comes_before_the_agent_and_the_checkpoint() {
        let checkpoint = Config::new(
            "generation_config.json",
            serde_json::json!({"do_sample": true, "temperature": 0.6, "top_p": 0.9}),
        );
        let agent = Decoding { temperature: Some(0.3), ..Decoding::default() };
        let request = Decoding { max_tokens: Some(5), ..Decoding::default() };
        let settings = SamplingSettings::new(&request, &agent, &defaults(Some(&checkpoint)).unwrap());
        assert_eq!((settings.temperature, settings.top_p, settings.max_tokens), (0.3, 0.9, Some(5)));
    }
}
