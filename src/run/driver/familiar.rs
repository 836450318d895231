//! Whether the footage of a run is of the kind that its models know: counted from the replies to `rank` with `floor: true`,
//! which speak of pixels alone.

use crate::exchange::{Item, Reply, Request};
use indexmap::IndexMap;

/// Footage is familiar if at least this share of its moments is recognised, and at least [`FEWEST`]. Measured with the starter eye
/// over place, thing and activity: 0.48 to 0.9 of the moments of unseen sample days pass all three, and at most 0.01 of real clips.
/// `video_log` and `known` in `examples/` use the same share.
const LEAST: f64 = 0.3;
/// One recognised moment of a short video may be chance.
const FEWEST: usize = 2;

/// The moments that a run asked about with floors.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    /// By role, video and time in ticks: did the likeliest candidate of every question exceed its floor?
    moments: IndexMap<(String, String, i64), bool>,
    /// A video's path by its digest.
    paths: IndexMap<String, String>,
}

impl Familiar {
    /// Counts a reply, if it is one that counts.
    pub(super) fn count(&mut self, role: &str, request: &Request, reply: &Reply) {
        let (Request::Rank(asked), Reply::Rank(scored)) = (request, reply) else { return };
        let (true, Item::Frame(moment)) = (asked.floor, &asked.what) else { return };
        let best = scored.iter().max_by(|a, b| a.score.total_cmp(&b.score));
        let Some(best) = best.filter(|best| best.floor.is_some()) else { return };
        self.paths.entry(moment.media.digest.clone()).or_insert_with(|| moment.media.path.clone());
        let key = (role.to_owned(), moment.media.digest.clone(), moment.start.ticks);
        *self.moments.entry(key).or_insert(true) &= best.is_above_floor();
    }

    /// One line for each role and video whose footage is not familiar; `agent` names who plays a role.
    pub(super) fn warnings(&self, agent: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
        let mut counts: IndexMap<(&str, &str), (usize, usize)> = IndexMap::new();
        for ((role, digest, _), recognised) in &self.moments {
            let (passed, all) = counts.entry((role, digest)).or_default();
            *passed += usize::from(*recognised);
            *all += 1;
        }
        let strange = counts
            .into_iter()
            .filter(|(_, (passed, all))| *passed < FEWEST.min(*all) || (*passed as f64) < LEAST * *all as f64);
        let line = |((role, digest), (passed, all)): ((&str, &str), (usize, usize))| {
            let (name, path) = (agent(role).unwrap_or_else(|| role.to_owned()), self.paths.get(digest));
            format!(
                "{name} recognises {passed} of {all} moments of {}: its model does not know this kind of footage, so the log leaves \
                 it out (the starter models know only the sample world; for real footage run other models with --cast, see \
                 README, `Other models`)",
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
        exchange::RankRequest,
        value::{Media, Moment, Scored, Time, TimeBase},
    };
    use std::sync::Arc;

    /// Asks twice about each of `moments`, which says how the second question went; counts the warnings.
    fn check(moments: &[bool], floor: bool, expected: usize) {
        let time = |ticks| Time { ticks, base: TimeBase { num: 1, den: 1 } };
        let media = Arc::new(Media {
            path: "day.mp4".into(),
            digest: "0".into(),
            start: time(0),
            end: time(100),
            has_video: true,
            has_audio: false,
            clock: None,
        });
        let mut familiar = Familiar::default();
        for (second, recognised) in moments.iter().enumerate() {
            let start = time(second as i64);
            let moment = Moment { media: media.clone(), start, end: start, text: None };
            for above in [true, *recognised] {
                let (what, among) = (Item::Frame(moment.clone()), vec!["a".to_owned()]);
                let request = Request::Rank(RankRequest { what, texts: among.clone(), among, floor });
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
    fn footage_is_strange_when_few_moments_pass_every_question() {
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
