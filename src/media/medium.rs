//! One medium: its facts, its decoders, and the tasks that wait for its frames.
//!
//! The waiting tasks take turns with the decoder, and each decodes for all. Frames that are requested together
//! therefore come from one pass, in order of time. The decoder keeps its position for the next task.

use super::{
    MediaError, MediaFault,
    cache::PictureCache,
    frames::{FrameDecoder, FrameSelection},
    packets::{Chooser, Packet, packets},
    probe::{Probe, VideoStream, probe},
    remote,
    sound::SoundDecoder,
    spool::Spool,
};
use crate::{
    files,
    value::{Media, Time},
};
use image::RgbImage;
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::sync::OnceCell;

/// Maximum number of pixels of a frame. Larger frames are refused, because they would fill the memory.
const MAX_PIXELS: u64 = 16384 * 8192;
/// Assumed distance of keyframes while it is unknown: x264's default at 30 frames a second.
const UNKNOWN_GAP_S: f64 = 8.0;
/// Pixels of H.264 that are decoded in the time of starting an ffmpeg (0.12 s of one core).
const START_PIXELS: f64 = 5e7;
/// Frames in a second, for the comparison of the two costs.
const USUAL_FPS: f64 = 30.0;
/// How far before the frame a seek aims, in order of the tries. Containers seek by decoding time, and some land too
/// late.
const MARGINS_S: [Option<f64>; 3] = [Some(0.5), Some(10.0), None];

/// Maximum number of rates at which the sound of one medium is decoded at the same time. Speech models hear 16 kHz and sound
/// models 48 kHz. Each rate has a decoding of its own, because its samples must be those of ffmpeg's resampler.
const MAX_RATES: usize = 2;

/// The path of the bytes of `media`. The folder `fetched` contains downloaded media.
fn locate(media: &Media, fetched: Option<&Path>) -> PathBuf {
    fetched.and_then(|folder| remote::kept_at(media, folder)).unwrap_or_else(|| files::path(&media.path))
}

/// Locks a mutex even after a panic elsewhere: every guarded value here is consistent between any two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The frames that will be requested.
#[derive(Debug)]
pub(crate) struct DecodePlan {
    /// Presentation times, ascending.
    times: Vec<i64>,
    /// Mean distance of keyframes, in seconds.
    key_gap_s: f64,
}

impl DecodePlan {
    /// The plan for `times` (ascending); keyframes are `key_gap` seconds apart, if that is known.
    pub(super) fn new(times: Vec<i64>, key_gap: Option<f64>) -> DecodePlan {
        DecodePlan { times, key_gap_s: key_gap.unwrap_or(UNKNOWN_GAP_S) }
    }

    /// True if the frame at `pts` is in the plan.
    fn has(&self, pts: i64) -> bool {
        self.times.binary_search(&pts).is_ok()
    }
}

/// A medium in use, with its decoders.
#[derive(Debug)]
pub(crate) struct MediumDecoder {
    media: Arc<Media>,
    /// The path of its bytes.
    pub path: PathBuf,
    probe: OnceCell<Probe>,
    plan: Mutex<Option<Arc<DecodePlan>>>,
    waiting: Mutex<BTreeMap<i64, Waiting>>,
    decoder: tokio::sync::Mutex<Option<FrameDecoder>>,
    /// The decoders of sound, one for each rate in use; the most recently used last.
    sound: tokio::sync::Mutex<Vec<SoundDecoder>>,
    /// The folder for decoded sound that does not fit in memory.
    sounds: Option<PathBuf>,
    /// The size of the decoded frames; that of the video if absent.
    size: Option<(u32, u32)>,
    /// Decoders started so far, for the log and the tests.
    started: AtomicUsize,
}

/// A frame that tasks wait for.
#[derive(Debug, Default)]
struct Waiting {
    /// The number of waiting tasks.
    askers: usize,
    /// The frame or an error, set by the task that decodes.
    found: Option<Result<Arc<RgbImage>, MediaError>>,
}

/// Counts one waiting task as long as its future lives.
struct Ticket<'a> {
    medium: &'a MediumDecoder,
    pts: i64,
}
impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.medium.waiting);
        if let Some(entry) = waiting.get_mut(&self.pts) {
            entry.askers -= 1;
            if entry.askers == 0 {
                waiting.remove(&self.pts);
            }
        }
    }
}

impl MediumDecoder {
    /// Starts and reads nothing yet. `fetched` is the folder of downloaded media.
    pub(super) fn new(media: Arc<Media>, fetched: Option<&Path>) -> MediumDecoder {
        MediumDecoder {
            path: locate(&media, fetched),
            media,
            probe: OnceCell::new(),
            plan: Mutex::default(),
            waiting: Mutex::default(),
            decoder: tokio::sync::Mutex::default(),
            sound: tokio::sync::Mutex::default(),
            sounds: None,
            size: None,
            started: AtomicUsize::new(0),
        }
    }

    /// The same medium, which may keep decoded sound in this folder.
    pub(super) fn with_sounds(self, folder: Option<&Path>) -> MediumDecoder {
        MediumDecoder { sounds: folder.map(Path::to_owned), ..self }
    }

    /// A second decoder of the same medium, whose frames are reduced to `size`.
    pub(super) fn reduced(&self, size: (u32, u32)) -> MediumDecoder {
        MediumDecoder {
            path: self.path.clone(),
            probe: OnceCell::new_with(self.probe.get().cloned()),
            size: Some(size),
            ..MediumDecoder::new(self.media.clone(), None)
        }
    }

    /// The medium.
    pub(super) fn media(&self) -> &Arc<Media> {
        &self.media
    }

    /// ffprobe's description, read once.
    pub(super) async fn probe(&self) -> Result<&Probe, MediaError> {
        self.probe.get_or_try_init(|| async { probe(&self.path, &self.media.path).await }).await
    }

    /// The video stream. Fails if there is none or its frames are too large.
    pub(super) async fn picture(&self) -> Result<&VideoStream, MediaError> {
        let none = || MediaError::new(MediaFault::NotInIt, &self.media.path, "has no video stream");
        let picture = self.probe().await?.picture.as_ref().ok_or_else(none)?;
        if u64::from(picture.width) * u64::from(picture.height) > MAX_PIXELS {
            let what =
                format!("has frames of {}×{} pixels; at most {MAX_PIXELS} are decoded", picture.width, picture.height);
            return Err(MediaError::new(MediaFault::NotInIt, &self.media.path, what));
        }
        Ok(picture)
    }

    /// Adds frames that will be requested. Only the speed depends on it.
    pub(super) fn expect(&self, mut plan: DecodePlan) {
        let mut known = lock(&self.plan);
        if let Some(known) = known.as_ref() {
            plan.times.extend(&known.times);
            plan.times.sort_unstable();
            plan.times.dedup();
            plan.key_gap_s = plan.key_gap_s.max(known.key_gap_s);
        }
        *known = Some(Arc::new(plan));
    }

    /// True if a plan of requested frames exists.
    pub(super) fn expects(&self) -> bool {
        lock(&self.plan).is_some()
    }

    /// The number of started decoders.
    #[cfg(test)]
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    /// The presentation time of the frame shown at `time`.
    pub(super) async fn shown_at(&self, time: Time) -> Result<i64, MediaError> {
        let picture = self.picture().await?;
        let seconds = time.seconds();
        // A seek should land on a keyframe at or before the time. If it lands late, the second try reads from the
        // start.
        for from in [seconds - UNKNOWN_GAP_S, f64::MIN] {
            let stretch = (from > self.media.start.seconds()).then_some((from, seconds + 2.0));
            let (mut chooser, mut found, mut first) = (Chooser::times(&[seconds]), None, None::<i64>);
            let mut times = Vec::new(); // those of a few seconds, or all before `time`
            let see = |packet: Packet| {
                if let Some(pts) = packet.pts.filter(|_| packet.shown) {
                    first = Some(first.map_or(pts, |first| first.min(pts)));
                    times.push(pts);
                }
                let past = |dts: i64| Time { ticks: dts, base: picture.base }.seconds() > seconds + 1.0;
                if packet.dts.is_some_and(past) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            packets(&self.path, &self.media.path, picture.index, stretch, see).await?;
            let early = first.is_some_and(|pts| Time { ticks: pts, base: picture.base } <= time);
            if stretch.is_some() && !early {
                continue;
            }
            times.sort_unstable();
            for pts in times {
                if chooser.see(pts, false, picture.base, |pts| found = Some(pts)).is_break() {
                    break;
                }
            }
            chooser.finish(self.media.end, |pts| found = Some(pts)).ok();
            if let Some(pts) = found {
                return Ok(pts);
            }
        }
        Err(self.no_frame(time))
    }

    fn no_frame(&self, time: Time) -> MediaError {
        MediaError::new(MediaFault::NotInIt, &self.media.path, format!("has no frame at {time}"))
    }

    /// The frame with presentation time `pts`.
    pub(super) async fn frame(&self, pts: i64, cache: &Mutex<PictureCache>) -> Result<Arc<RgbImage>, MediaError> {
        let key = (self.media.digest.clone(), pts);
        if let Some(image) = lock(cache).get(&key) {
            return Ok(image);
        }
        lock(&self.waiting).entry(pts).or_default().askers += 1;
        let _ticket = Ticket { medium: self, pts };
        let mut slot = self.decoder.lock().await;
        loop {
            if let Some(found) = lock(&self.waiting).get(&pts).and_then(|entry| entry.found.clone()) {
                return found;
            }
            if let Some(image) = lock(cache).get(&key) {
                return Ok(image);
            }
            self.step(&mut slot, pts, cache).await?;
        }
    }

    /// Decodes until one more awaited frame arrives: one that the running decoder will reach, or else the earliest by a
    /// new decoder. Cancel-safe.
    async fn step(
        &self,
        slot: &mut Option<FrameDecoder>,
        mine: i64,
        cache: &Mutex<PictureCache>,
    ) -> Result<(), MediaError> {
        let picture = self.picture().await?;
        let plan = lock(&self.plan).clone();
        // Up to this distance decoding on costs less than a jump: a jump also decodes half a group of pictures on
        // average.
        let start_s = START_PIXELS / (f64::from(picture.width) * f64::from(picture.height) * USUAL_FPS);
        let reach_s = plan.as_ref().map_or(UNKNOWN_GAP_S, |plan| plan.key_gap_s) / 2.0 + start_s;
        let reach = (reach_s * f64::from(picture.base.den) / f64::from(picture.base.num)) as i64;
        let open: Vec<i64> =
            lock(&self.waiting).iter().filter(|(_, entry)| entry.found.is_none()).map(|(pts, _)| *pts).collect();
        let ahead = slot.as_ref().and_then(|decoder| open.iter().copied().find(|pts| decoder.will_give(*pts, reach)));
        if let Some(goal) = ahead {
            if self.decode_to(slot, goal, cache).await? {
                return Ok(());
            }
            *slot = None; // it ended or passed the frame: try again from a safer distance
        }
        let goal = ahead.or(open.first().copied()).unwrap_or(mine);
        let planned = plan.as_ref().filter(|plan| plan.has(goal));
        for margin in MARGINS_S {
            let from = |m: &f64| Time { ticks: goal, base: picture.base }.seconds() - m > self.media.start.seconds();
            let wanted = match planned {
                Some(plan) => {
                    let first = plan.times.partition_point(|pts| *pts < goal);
                    FrameSelection::run(plan.times[first..].iter().copied(), reach)
                }
                None => FrameSelection::From(goal),
            };
            let margin = margin.filter(from);
            let path = self.path.clone();
            let started = self.started.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::debug!(
                medium = self.media.path,
                started,
                planned = planned.is_some(),
                ?margin,
                "a frame decoder starts"
            );
            *slot = Some(FrameDecoder::start(&path, &self.media.path, picture, wanted, margin, self.size).await?);
            if self.decode_to(slot, goal, cache).await? {
                return Ok(());
            }
            *slot = None;
            if margin.is_none() {
                break;
            }
        }
        let missing = self.no_frame(Time { ticks: goal, base: picture.base });
        if let Some(entry) = lock(&self.waiting).get_mut(&goal) {
            entry.found = Some(Err(missing));
        }
        Ok(())
    }

    /// Decodes up to `goal` and delivers every awaited frame on the way; false if `goal` does not come.
    async fn decode_to(
        &self,
        slot: &mut Option<FrameDecoder>,
        goal: i64,
        cache: &Mutex<PictureCache>,
    ) -> Result<bool, MediaError> {
        let Some(decoder) = slot else { return Ok(false) };
        loop {
            let next = match decoder.next().await {
                Ok(next) => next,
                Err(error) => {
                    *slot = None;
                    return Err(error);
                }
            };
            let Some((pts, image)) = next else { return Ok(false) };
            let waited_for = lock(&self.waiting).contains_key(&pts);
            let planned = lock(&self.plan).as_ref().is_some_and(|plan| plan.has(pts));
            if waited_for || planned {
                let image = Arc::new(image);
                lock(cache).put((self.media.digest.clone(), pts), image.clone());
                if let Some(entry) = lock(&self.waiting).get_mut(&pts) {
                    entry.found = Some(Ok(image));
                }
            }
            if pts >= goal {
                return Ok(pts == goal);
            }
        }
    }

    /// Mono samples `from..to` of the grid; see `MediaStore::samples`.
    pub(super) async fn samples(&self, from: i64, to: i64, rate_hz: u32) -> Result<Vec<f32>, MediaError> {
        let none = || MediaError::new(MediaFault::NotInIt, &self.media.path, "has no sound");
        let sound = self.probe().await?.sound.as_ref().ok_or_else(none)?;
        let mut decoders = self.sound.lock().await;
        let place = decoders.iter().position(|decoder| decoder.rate_hz == rate_hz);
        let known = place.map(|place| decoders.remove(place)).filter(|decoder| decoder.will_give(from));
        let decoder = match known {
            Some(decoder) => decoder,
            None => {
                let started = self.started.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::debug!(medium = self.media.path, started, rate_hz, "a sound decoder starts");
                let spool = Spool::Empty(self.sounds.clone());
                SoundDecoder::start(&self.path, &self.media.path, sound, rate_hz, spool)?
            }
        };
        if decoders.len() >= MAX_RATES {
            decoders.remove(0);
        }
        decoders.push(decoder);
        decoders.last_mut().expect("it was just added: this is a bug").read(from, to).await
    }
}
