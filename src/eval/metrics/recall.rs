//! Retrieval: R@k, the median rank and the mean reciprocal rank of the best right candidate.

use super::{Graded, Measure, Part, mean, truth};

/// The share of rankings that have a right candidate among the first `k`, 0 to 1.
#[derive(Debug, Clone, Copy)]
pub struct Recall {
    /// The number of first candidates that count.
    pub k: usize,
}

/// The median place of the best right candidate, from 1. A candidate that is not ranked counts as the last of all.
#[derive(Debug, Clone, Copy)]
pub struct MedianRank;

/// The mean of one divided by the place of the best right candidate, 0 to 1. A candidate that is not ranked counts 0.
#[derive(Debug, Clone, Copy)]
pub struct ReciprocalRank;

/// The place of the best right candidate, and the number of candidates, of each answer that is a ranking.
fn places(graded: &[Graded<'_>]) -> impl Iterator<Item = Option<(Option<usize>, usize)>> {
    graded.iter().map(|graded| graded.answered.ranking.as_ref().map(|ranking| (ranking.place, ranking.of)))
}

impl Measure for Recall {
    fn name(&self) -> String {
        format!("r@{}", self.k)
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let hit = |place: Option<usize>| vec![truth(place.is_some_and(|place| place <= self.k))];
        places(graded).map(|found| found.map(|(place, _)| hit(place))).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}

impl Measure for MedianRank {
    fn name(&self) -> String {
        "median_rank".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        true
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        places(graded).map(|found| found.map(|(place, of)| vec![place.unwrap_or(of) as f64])).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        let mut places: Vec<f64> = parts.iter().map(|part| part[0]).collect();
        places.sort_unstable_by(f64::total_cmp);
        let middle = places.len() / 2;
        match places.len() {
            0 => None,
            n if n % 2 == 1 => Some(places[middle]),
            _ => Some((places[middle - 1] + places[middle]) / 2.0),
        }
    }
}

impl Measure for ReciprocalRank {
    fn name(&self) -> String {
        "mrr".to_owned()
    }

    fn lower_is_better(&self) -> bool {
        false
    }

    fn parts(&self, graded: &[Graded<'_>]) -> Vec<Option<Part>> {
        let one = |place: Option<usize>| vec![place.map_or(0.0, |place| 1.0 / place as f64)];
        places(graded).map(|found| found.map(|(place, _)| one(place))).collect()
    }

    fn total(&self, parts: &[&Part]) -> Option<f64> {
        mean(parts)
    }
}
