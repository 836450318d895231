//! Intervals of figures by the bootstrap (Efron 1979): cases are drawn again and again, with replacement.

use super::metrics::{Measure, Part};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The probability that an interval covers, in percent.
pub const PERCENT: u32 = 95;

/// The bounds of the middle 95 % of the figures of `samples` resamples (percentiles, interpolated between neighbours).
/// The same seed gives the same bounds. Nothing for fewer than two parts.
pub fn interval(metric: &dyn Measure, parts: &[&Part], samples: usize, seed: u64) -> Option<[f64; 2]> {
    if parts.len() < 2 || samples == 0 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut drawn = Vec::with_capacity(parts.len());
    let mut figures = Vec::with_capacity(samples);
    for _ in 0..samples {
        drawn.clear();
        drawn.extend((0..parts.len()).map(|_| parts[rng.random_range(0..parts.len())]));
        figures.extend(metric.total(&drawn));
    }
    figures.sort_unstable_by(f64::total_cmp);
    let beyond = f64::from(100 - PERCENT) / 200.0;
    Some([percentile(&figures, beyond)?, percentile(&figures, 1.0 - beyond)?])
}

/// The value below which this share of sorted figures lies, interpolated as numpy's default does.
fn percentile(figures: &[f64], share: f64) -> Option<f64> {
    let at = share * figures.len().checked_sub(1)? as f64;
    let (low, high) = (figures[at.floor() as usize], figures[at.ceil() as usize]);
    Some(low + (high - low) * at.fract())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::metrics::Match;

    #[test]
    fn intervals_are_those_of_the_binomial() {
        // 60 of 100: the normal approximation gives 0.6 ± 1.96 · sqrt(0.6 · 0.4 / 100)
        let parts: Vec<Part> = (0..100).map(|at| vec![if at < 60 { 1.0 } else { 0.0 }]).collect();
        let all: Vec<&Part> = parts.iter().collect();
        let [low, high] = interval(&Match::Exact, &all, 2000, 1).expect("bounds");
        assert!((low - 0.504).abs() < 0.015 && (high - 0.696).abs() < 0.015, "{low} {high}");
        assert_eq!(interval(&Match::Exact, &all, 2000, 1), Some([low, high]), "the same seed gives the same bounds");
        assert_ne!(interval(&Match::Exact, &all[..99], 2000, 2), Some([low, high]));
        assert_eq!(interval(&Match::Exact, &all[..1], 2000, 1), None);
        assert_eq!(interval(&Match::Exact, &all, 0, 1), None);
    }
}
