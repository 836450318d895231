//! Detects footage that the models of a run do not recognise. It counts the replies to `rank` with `floor: true`, which
//! depend on pixels alone.

use crate::exchange::{Item, Reply, Request};
use indexmap::IndexMap;

/// Footage is familiar if at least this share of its moments is recognised, and at least [`MIN_MOMENTS`]. Measured with
/// the starter eye over place, thing and activity: 0.48 to 0.9 of the moments of unseen sample days pass all three, and
/// at most 0.01 of real clips. `video_log` and `known` in `examples/` use the same share.
const MIN_SHARE: f64 = 0.3;
/// The minimum number of recognised moments, because a single one in a short video may be chance.
const MIN_MOMENTS: usize = 2;

/// The moments that a run ranked with floors.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    /// By role, digest of the video and time in ticks: true if the best label of every request exceeds its floor.
    moments: IndexMap<(String, String, i64), bool>,
    /// The path of a video, by its digest.
    paths: IndexMap<String, String>,
}

impl Familiar {
    /// Counts a reply to a `rank` request for a frame with floors; ignores all others.
    pub(super) fn count(&mut self, role: &str, request: &Request, reply: &Reply) {
        let (Request::Rank(asked), Reply::Rank(scored)) = (request, reply) else { return };
        let (false, Item::Frame(moment)) = (asked.floor.is_unused(), &asked.what) else { return };
        let best = scored.iter().max_by(|a, b| a.score.total_cmp(&b.score));
        let Some(best) = best.filter(|best| best.floor.is_some()) else { return };
        self.paths.entry(moment.media.digest.clone()).or_insert_with(|| moment.media.path.clone());
        let key = (role.to_owned(), moment.media.digest.clone(), moment.start.ticks);
        *self.moments.entry(key).or_insert(true) &= best.is_above_floor();
    }

    /// One line for each role and video whose footage is not familiar. `agent` gives the agent's name for a role.
    pub(super) fn warnings(&self, agent: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        let mut counts: IndexMap<(&str, &str), (usize, usize)> = IndexMap::new();
        for ((role, digest, _), recognised) in &self.moments {
            let (passed, all) = counts.entry((role, digest)).or_default();
            *passed += usize::from(*recognised);
            *all += 1;
        }
        let strange = counts
            .into_iter()
            .filter(|(_, (passed, all))| *passed < MIN_MOMENTS.min(*all) || (*passed as f64) < MIN_SHARE * *all as f64);
        let line = |((role, digest), (passed, all)): ((&str, &str), (usize, usize))| {
            let (name, path) = (agent(role).unwrap_or_else(|| role.to_owned()), self.paths.get(digest));
            format!(
                "{name} recognises {passed} of {all} moments of {}: its model does not know this kind of footage, so the answer uses \
                 nothing that it sees there (the starter models know only the sample world; for real footage choose other models \
                 with --cast, see README, `Real models`)",
                path.map_or("the video", String::as_str)
            )
        };
        strange.map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::{FloorUse, LabelList, RankRequest},
        value::{Media, Moment, Scored, Time, TimeBase},
    };
    use std::sync::Arc;

    /// Ranks each moment twice. `moments` states whether the best label of the second exceeds its floor. Counts the
    /// warnings.
    fn check(moments: &[bool], floor: bool, expected: usize) {
        let time = |ticks| Time { ticks, base: TimeBase { num: 1, den: 1 } };
        let media = Arc::new(Media { has_audio: false, ..Media::new("day.mp4", "0", time(0), time(100)) });
        let mut familiar = Familiar::default();
        for (second, recognised) in moments.iter().enumerate() {
            let start = time(second as i64);
            let moment = Moment { media: media.clone(), start, end: start, text: None };
            for above in [true, *recognised] {
                let (what, among) = (Item::Frame(moment.clone()), LabelList::from(vec!["a".to_owned()]));
                let floor_use = if floor { FloorUse::Required } else { FloorUse::Unused };
                let request = Request::Rank(RankRequest { what, texts: among.clone(), among, floor: floor_use });
                let score = if above { 0.5 } else { 0.1 };
                let scored = Scored { text: "a".into(), score, probability: 1.0, floor: floor.then_some(0.2) };
                familiar.count("eye", &request, &Reply::Rank(vec![scored]));
            }
        }
        let warnings = familiar.warnings(&|_| Some("clip".into()));
        assert_eq!(warnings.len(), expected, "{moments:?} {warnings:?}");
        assert!(warnings.iter().all(|line| line.starts_with("clip recognises ") && line.contains("day.mp4")));
    }

    #[test]
    fn footage_is_unfamiliar_if_few_moments_pass_every_request() {
        check(&[false, false, false], true, 1);
        check(&[true, false, false, false], true, 1);
        check(&[true, false, false], true, 1);
        check(&[true, true, false], true, 0);
        check(&[true], true, 0);
        check(&[true, true], true, 0);
        check(&[false, false], false, 0);
        check(&[], true, 0);
    }
}
