//! Pixels and samples of media on request: finds the decoder of a medium, and keeps a small cache.
//!
//! The cache, the awaited frames and the buffers of a few decoders bound the memory for any length of video.

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
    /// Maximum size of the cached pictures, in bytes.
    pub cache_bytes: usize,
    /// Maximum number of cached pictures.
    pub cache_pictures: usize,
    /// Maximum number of media with a decoder. The one that is idle longest is stopped first.
    pub decoders: usize,
}

impl Default for MediaLimits {
    /// 64 MiB (ten frames of 1920×1080), at most 96 pictures, and three media. Steps that look at the same frames drift
    /// at most 96 frames apart while each has 32 in progress.
    fn default() -> MediaLimits {
        MediaLimits { cache_bytes: 64 << 20, cache_pictures: 96, decoders: 3 }
    }
}

/// Returns the pixels and samples of media.
///
/// Frames of one medium that are requested together are decoded in one pass, in order of time, for any order of
/// requests. The decoder keeps its position and continues from there. Dropping the store stops its decoders.
#[derive(Debug)]
pub struct MediaStore {
    limits: MediaLimits,
    /// The folder of downloaded media.
    fetched: Option<PathBuf>,
    /// The folder for decoded sound that does not fit in memory.
    sounds: Option<PathBuf>,
    cache: Mutex<PictureCache>,
    decoders: Mutex<IndexMap<String, Arc<MediumDecoder>>>,
}

impl MediaStore {
    /// An empty store.
    pub fn new(limits: MediaLimits) -> MediaStore {
        MediaStore {
            limits,
            fetched: None,
            sounds: None,
            cache: Mutex::new(PictureCache::new(limits.cache_bytes, limits.cache_pictures)),
            decoders: Mutex::default(),
        }
    }

    /// The same store, reading downloaded media from this folder ([`super::Access::fetched`]).
    pub fn with_fetched(self, folder: PathBuf) -> MediaStore {
        MediaStore { fetched: Some(folder), ..self }
    }

    /// The same store, which keeps decoded sound that does not fit in memory in files of this folder. They have no name and go
    /// with the process. Without a folder, a long sound is decoded again for each reader.
    pub fn with_sounds(self, folder: PathBuf) -> MediaStore {
        MediaStore { sounds: Some(folder), ..self }
    }

    /// The frame shown at `moment.start`. For a sampled moment it is the frame with exactly that presentation time.
    /// Fails if the medium lacks it.
    pub async fn frame(&self, moment: &Moment) -> Result<Arc<RgbImage>, MediaError> {
        if moment.media.withholds(moment.start) {
            let what = format!("is excluded at {}", moment.start);
            return Err(MediaError::new(MediaFault::NotInIt, &moment.media.path, what));
        }
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

    /// The maximum memory of the cached frames of a video, in bytes. Fails if the medium cannot be read.
    pub async fn cache_bytes(&self, media: &Arc<Media>, frames: u64) -> Result<u64, MediaError> {
        let decoder = self.decoder(media);
        let picture = decoder.picture().await?;
        let each = u64::from(picture.width) * u64::from(picture.height) * 3;
        let count = frames.min(self.limits.cache_pictures as u64);
        Ok((each * count).min(self.limits.cache_bytes as u64))
    }

    /// The pixels of a still image, equal to Pillow's `Image.open(…).convert("RGB")`.
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

    /// Mono samples of `start..end` (presentation time) at `rate_hz`, -1..1; gaps are silence. The first sample is the
    /// one whose position on the grid `i / rate_hz` is nearest to `start`.
    ///
    /// Returns the whole stretch in memory, so callers with long media request one window after another.
    pub async fn samples(
        &self,
        media: &Arc<Media>,
        start: Time,
        end: Time,
        rate_hz: u32,
    ) -> Result<Vec<f32>, MediaError> {
        let from = start.on_grid(rate_hz);
        self.heard(media, from, end.on_grid(rate_hz).max(from), rate_hz).await
    }

    /// Like [`MediaStore::samples`], with a range counted in samples from the one nearest to `start`. Adjacent windows
    /// neither overlap nor omit a sample, for any start of the medium.
    pub async fn window(
        &self,
        media: &Arc<Media>,
        start: Time,
        samples: Range<usize>,
        rate_hz: u32,
    ) -> Result<Vec<f32>, MediaError> {
        let at = |sample: usize| start.on_grid(rate_hz).saturating_add(i64::try_from(sample).unwrap_or(i64::MAX));
        self.heard(media, at(samples.start), at(samples.end), rate_hz).await
    }

    /// Samples by their positions on the grid. What the user withholds is silence.
    async fn heard(&self, media: &Arc<Media>, from: i64, to: i64, rate_hz: u32) -> Result<Vec<f32>, MediaError> {
        let mut samples = self.decoder(media).samples(from, to, rate_hz).await?;
        let count = samples.len();
        for (start, end) in &media.withheld {
            let place = |time: Time| (time.on_grid(rate_hz).saturating_sub(from).max(0) as usize).min(count);
            let silent = place(*start)..place(*end);
            samples[silent].fill(0.0);
        }
        Ok(samples)
    }

    /// Like [`super::sample()`], and expects requests for the selected frames: the decoder then skips all others. With
    /// `distinct`, a frame that differs less than this from the last kept one is skipped, and the kept moment lasts on.
    pub async fn sample(
        &self,
        media: &Arc<Media>,
        sampling: &Sampling,
        distinct: Option<f64>,
    ) -> Result<Vec<Moment>, MediaError> {
        let decoder = self.decoder(media);
        let (moments, found) = survey(&decoder, sampling, distinct).await?;
        let moments = shown(moments, media);
        let times = match media.withheld.is_empty() {
            true => found.chosen,
            false => moments.iter().map(|moment| moment.start.ticks).collect(),
        };
        decoder.expect(DecodePlan::new(times, found.key_gap));
        Ok(moments)
    }

    /// Announces frames that will be requested but were sampled earlier, for instance by a run that is resumed. Only
    /// the speed depends on it.
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

    /// The number of decoders started for `media`.
    #[cfg(test)]
    pub(crate) fn started(&self, media: &Arc<Media>) -> usize {
        self.decoder(media).started()
    }

    /// True if the frames of `media` that will be requested are known.
    #[cfg(test)]
    pub(crate) fn expects(&self, media: &Arc<Media>) -> bool {
        self.decoder(media).expects()
    }

    /// The decoder of `media`. Stops an idle decoder of another medium if there are too many.
    fn decoder(&self, media: &Arc<Media>) -> Arc<MediumDecoder> {
        let mut decoders = lock(&self.decoders);
        let decoder = match decoders.shift_remove(&media.digest) {
            Some(decoder) => decoder,
            None => {
                let decoder = MediumDecoder::new(media.clone(), self.fetched.as_deref());
                Arc::new(decoder.with_sounds(self.sounds.as_deref()))
            }
        };
        decoders.insert(media.digest.clone(), decoder.clone());
        while decoders.len() > self.limits.decoders.max(1) {
            let Some(idle) = decoders.values().position(|decoder| Arc::strong_count(decoder) == 1) else { break };
            decoders.shift_remove_index(idle);
        }
        decoder
    }
}

/// The moments outside of what the user withholds. One that reaches into it ends there.
fn shown(moments: Vec<Moment>, media: &Media) -> Vec<Moment> {
    let ends = |moment: Moment| {
        let next = media.withheld.iter().map(|(from, _)| *from).filter(|from| *from > moment.start).min();
        Moment { end: next.map_or(moment.end, |from| from.min(moment.end)), ..moment }
    };
    moments.into_iter().filter(|moment| !media.withholds(moment.start)).map(ends).collect()
}
