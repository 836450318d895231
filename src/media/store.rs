//! Pixels and samples of media, on demand: which lane serves a request, and a small cache.
//!
//! Memory is bounded by the cache's bytes, the frames being waited for and one decoder's buffers for each of a few media,
//! for any length of the video.

use super::{
    MediaError, MediaFault,
    cache::{PictureCache, STILL},
    medium::{DecodePlan, MediumDecoder, lock},
    open::blocking,
    sample::survey,
    still,
};
use crate::{
    exchange::Sampling,
    value::{ImageFile, Media, Moment, Time},
};
use image::RgbImage;
use indexmap::IndexMap;
use std::{
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex},
};

/// The limits of a [`MediaStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaLimits {
    /// Decoded pictures kept, in bytes.
    pub cache_bytes: usize,
    /// Decoded pictures kept.
    pub cache_pictures: usize,
    /// Media with a decoder standing by; the one idle longest is stopped first.
    pub decoders: usize,
}

impl Default for MediaLimits {
    /// 64 MiB: ten frames of 1920×1080, and no more than 96 of any size: as far as steps that look at the same frames drift apart
    /// while each has 32 under way. Three media.
    fn default() -> MediaLimits {
        MediaLimits { cache_bytes: 64 << 20, cache_pictures: 96, decoders: 3 }
    }
}

/// Hands out the pixels and samples of media.
///
/// Frames of one medium that are requested together are decoded in one pass, in order of time, whatever the order of requests; the
/// decoder stays where it is and continues from there. Dropping the store stops its decoders.
#[derive(Debug)]
pub struct MediaStore {
    limits: MediaLimits,
    /// The folder of fetched media.
    fetched: Option<PathBuf>,
    cache: Mutex<PictureCache>,
    decoders: Mutex<IndexMap<String, Arc<MediumDecoder>>>,
}

impl MediaStore {
    /// An empty store.
    pub fn new(limits: MediaLimits) -> MediaStore {
        MediaStore {
            limits,
            fetched: None,
            cache: Mutex::new(PictureCache::new(limits.cache_bytes, limits.cache_pictures)),
            decoders: Mutex::default(),
        }
    }

    /// The same, which reads fetched media from this folder ([`super::Access::fetched`]).
    pub fn with_fetched(self, folder: PathBuf) -> MediaStore {
        MediaStore { fetched: Some(folder), ..self }
    }

    /// The frame shown at `moment.start`: for a sampled moment the very frame with that presentation time.
    pub async fn frame(&self, moment: &Moment) -> Result<Arc<RgbImage>, MediaError> {
        let decoder = self.decoder(&moment.media);
        let base = decoder.picture().await?.base;
        let pts = if moment.start.base == base { moment.start.ticks } else { decoder.shown_at(moment.start).await? };
        match decoder.frame(pts, &self.cache).await {
            Err(error) if error.kind == MediaFault::NotInIt => {
                let before = decoder.shown_at(moment.start).await?;
                if before == pts { Err(error) } else { decoder.frame(before, &self.cache).await }
            }
            other => other,
        }
    }

    /// The pixels of a still image, as `Image.open(…).convert("RGB")` of Pillow gives them.
    pub async fn image(&self, file: &ImageFile) -> Result<Arc<RgbImage>, MediaError> {
        let key = (file.digest.clone(), STILL);
        if let Some(image) = lock(&self.cache).get(&key) {
            return Ok(image);
        }
        let path = file.path.clone();
        let image = Arc::new(blocking(move || still::pixels(&path)).await?);
        lock(&self.cache).put(key, image.clone());
        Ok(image)
    }

    /// Mono samples of `start..end` (presentation time) at `rate_hz`, -1..1; silence where the sound has gaps. The first one is the
    /// sample whose place on the grid `i / rate_hz` is nearest to `start`.
    ///
    /// The whole stretch is returned, so callers with long media ask for one window after the other.
    pub async fn samples(
        &self,
        media: &Arc<Media>,
        start: Time,
        end: Time,
        rate_hz: u32,
    ) -> Result<Vec<f32>, MediaError> {
        let from = start.on_grid(rate_hz);
        self.decoder(media).samples(from, end.on_grid(rate_hz).max(from), rate_hz).await
    }

    /// As [`MediaStore::samples`], counted in samples from the one nearest to `start`: windows that touch neither overlap nor leave a
    /// sample out, wherever the medium starts.
    pub async fn window(
        &self,
        media: &Arc<Media>,
        start: Time,
        samples: Range<usize>,
        rate_hz: u32,
    ) -> Result<Vec<f32>, MediaError> {
        let at = |sample: usize| start.on_grid(rate_hz).saturating_add(i64::try_from(sample).unwrap_or(i64::MAX));
        self.decoder(media).samples(at(samples.start), at(samples.end), rate_hz).await
    }

    /// As [`super::sample()`], and the frames found are expected to be asked for: a decoder then skips all others.
    pub async fn sample(&self, media: &Arc<Media>, sampling: &Sampling) -> Result<Vec<Moment>, MediaError> {
        let decoder = self.decoder(media);
        let (moments, found) = survey(&decoder, sampling).await?;
        decoder.expect(DecodePlan::new(found.chosen, found.key_gap));
        Ok(moments)
    }

    /// Announces the frames that will be requested, when they were sampled earlier (by a run that is resumed, say). Only
    /// speed depends on it.
    pub fn expect(&self, moments: &[Moment]) {
        let Some(first) = moments.first() else { return };
        let same = |m: &&Moment| m.media.digest == first.media.digest && m.start.base == first.start.base;
        let mut times: Vec<i64> = moments.iter().filter(same).map(|m| m.start.ticks).collect();
        times.sort_unstable();
        times.dedup();
        let decoder = self.decoder(&first.media);
        if !decoder.expects() {
            decoder.expect(DecodePlan::new(times, None));
        }
    }

    /// Decoders of frames started for `media` so far.
    #[cfg(test)]
    pub(crate) fn started(&self, media: &Arc<Media>) -> usize {
        self.decoder(media).started()
    }

    /// True if the frames of `media` that will be asked for are known.
    #[cfg(test)]
    pub(crate) fn expects(&self, media: &Arc<Media>) -> bool {
        self.decoder(media).expects()
    }

    /// The lane of `media`; stops the decoder of another if there are too many.
    fn decoder(&self, media: &Arc<Media>) -> Arc<MediumDecoder> {
        let mut decoders = lock(&self.decoders);
        let decoder = match decoders.shift_remove(&media.digest) {
            Some(decoder) => decoder,
            None => Arc::new(MediumDecoder::new(media.clone(), self.fetched.as_deref())),
        };
        decoders.insert(media.digest.clone(), decoder.clone());
        while decoders.len() > self.limits.decoders.max(1) {
            let Some(idle) = decoders.values().position(|decoder| Arc::strong_count(decoder) == 1) else { break };
            decoders.shift_remove_index(idle);
        }
        decoder
    }
}
