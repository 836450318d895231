//! What a model computed for pictures and for windows of sound. The model's thread and its handle share it: a frame that the model
//! has seen need not be decoded again, however many steps ask about it.

use super::image::Fingerprint;
use crate::value::Moment;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The maximum numbers that are kept: 128 MiB, which is nine hours of one frame a second with vectors of 512 numbers. A cache that
/// would exceed it is emptied first.
const MAX_NUMBERS: usize = 1 << 25;

/// The vectors, or the logits, of pictures and of windows of sound by one model. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Perceived(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    known: HashMap<Fingerprint, Arc<Vec<f32>>>,
    numbers: usize,
}

impl Perceived {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known about the input with this fingerprint.
    pub fn get(&self, print: &Fingerprint) -> Option<Arc<Vec<f32>>> {
        self.kept().known.get(print).cloned()
    }

    /// Keeps what was computed for the input with this fingerprint.
    pub fn keep(&self, print: Fingerprint, vector: Arc<Vec<f32>>) {
        let mut kept = self.kept();
        kept.numbers -= kept.known.remove(&print).map_or(0, |old| old.len());
        if kept.numbers + vector.len() > MAX_NUMBERS {
            *kept = Kept::default();
        }
        kept.numbers += vector.len();
        kept.known.insert(print, vector);
    }
}

/// The fingerprint of the frame at the start of a moment: of its medium's digest and its time, so that it needs no pixels. It differs
/// from [`fingerprint`](super::image::fingerprint).
pub fn frame_print(moment: &Moment) -> Fingerprint {
    let (start, mut hasher) = (moment.start, blake3::Hasher::new_derive_key("elenchus frame"));
    hasher
        .update(&start.ticks.to_le_bytes())
        .update(&start.base.num.to_le_bytes())
        .update(&start.base.den.to_le_bytes());
    *hasher.update(moment.media.digest.as_bytes()).finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Media, Time};

    #[test]
    fn a_frame_has_a_print_of_its_own() {
        let moment = |digest: &str, s: f64| {
            let media = Arc::new(Media::new("a.mp4", digest, Time::from_seconds(0.0), Time::from_seconds(9.0)));
            Moment { media, start: Time::from_seconds(s), end: Time::from_seconds(9.0), text: None }
        };
        let print = frame_print(&moment("a", 1.0));
        assert_eq!(print, frame_print(&Moment { end: Time::from_seconds(2.0), ..moment("a", 1.0) }));
        assert!(print != frame_print(&moment("b", 1.0)) && print != frame_print(&moment("a", 2.0)));
    }

    #[test]
    fn clones_share_what_is_kept_and_a_full_cache_is_emptied() {
        let cache = Perceived::default();
        let half = Arc::new(vec![0.0; MAX_NUMBERS / 2]);
        for print in [[1; 32], [2; 32], [2; 32]] {
            cache.clone().keep(print, half.clone());
        }
        assert!(cache.get(&[1; 32]).is_some() && cache.get(&[2; 32]).is_some());
        cache.keep([3; 32], Arc::new(vec![1.0]));
        assert!(cache.get(&[2; 32]).is_none() && cache.get(&[3; 32]).is_some());
    }
}
