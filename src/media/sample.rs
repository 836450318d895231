//! Samples a video: selects the frames that become moments.
//!
//! Demultiplexing alone finds all frames except scene changes (1 s of one core for an hour of 640×360 H.264). Only
//! containers and codecs whose packets are not frames need decoding. Later only the selected frames are converted: at
//! one a second this takes 0.1 s for 20 s of video, compared with 0.8 s for every frame. Frames further apart than
//! keyframes are reached by seeking (0.15 s each, at any position).

use super::{
    MediaError, MediaFault, distinct,
    medium::MediumDecoder,
    packets::{Chooser, Packet, Reorder, frames, packets, scene_scores},
    probe::{Probe, VideoStream},
};
use crate::{
    exchange::Sampling,
    value::{Media, Moment, Time},
};
use std::{ops::ControlFlow, path::Path, sync::Arc};

/// The result of sampling, for the decoder of these frames.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Survey {
    /// Presentation times of the selected frames, ascending, in ticks of the video stream.
    pub chosen: Vec<i64>,
    /// Mean distance of keyframes in seconds, if the video has two.
    pub key_gap: Option<f64>,
}

/// The moments of the frames that `sampling` selects, in order of time. Each ends where the next begins; the last ends
/// with the medium. Fails if the medium lacks video or the requested frames.
pub async fn sample(media: &Arc<Media>, sampling: &Sampling) -> Result<Vec<Moment>, MediaError> {
    let decoder = MediumDecoder::new(media.clone(), None);
    survey(&decoder, sampling, None).await.map(|(moments, _)| moments)
}

/// Like [`sample`], with the facts that a decoder needs.
pub(crate) async fn survey(
    decoder: &MediumDecoder,
    sampling: &Sampling,
    distinct: Option<f64>,
) -> Result<(Vec<Moment>, Survey), MediaError> {
    let media = decoder.media();
    if !media.has_video {
        return Err(MediaError::new(MediaFault::NotInIt, &media.path, "has no video stream"));
    }
    let chooser = check(sampling, &media.path)?;
    let probe = decoder.probe().await?;
    let picture = decoder.picture().await?;
    let path = &decoder.path;
    let mut gather = Gather::new(chooser);
    if let Sampling::Scenes(threshold) = sampling {
        scene_scores(path, &media.path, picture.index, |pts, score| {
            gather.last = Some((pts, 0));
            if gather.survey.chosen.is_empty() || score > *threshold {
                gather.take(pts);
            }
        })
        .await?;
    } else if !packets_are_frames(probe, picture) || !gather.packets(path, &media.path, picture).await? {
        gather = Gather::new(check(sampling, &media.path)?);
        gather.frames(path, &media.path, picture).await?;
    }
    let (end, mut survey) = gather.finish(media, picture)?;
    if let Some(least) = distinct {
        survey.chosen = distinct::keep(decoder, survey.chosen, survey.key_gap, least).await?;
    }
    Ok((moments(media, picture, &survey, end), survey))
}

/// Refuses invalid sampling parameters.
fn check(sampling: &Sampling, shown: &str) -> Result<Option<Chooser>, MediaError> {
    let refuse = |what: String| Err(MediaError::new(MediaFault::NotInIt, shown, what));
    match sampling {
        Sampling::Every(s) if !s.is_finite() || *s < 1e-6 => refuse(format!("cannot be sampled every {s} s")),
        Sampling::Every(s) => {
            let step_us = i128::from(Time::from_seconds(*s).ticks).max(1);
            Ok(Some(Chooser::Every { step_us, first: None, next: 0 }))
        }
        Sampling::Keyframes => Ok(Some(Chooser::Keyframes)),
        Sampling::Scenes(t) if !(0.0..=1.0).contains(t) => {
            refuse(format!("found scene threshold {t}, expected 0 to 1"))
        }
        Sampling::Scenes(_) => Ok(None),
        Sampling::Times(times) => match times.iter().find(|t| !t.is_finite()) {
            Some(t) => refuse(format!("has no frame at {t} s")),
            None => Ok(Some(Chooser::times(times))),
        },
    }
}

/// True if each packet with a time is one shown frame. False for codecs with hidden frames (VP8), and for containers
/// without real times (AVI, elementary streams).
fn packets_are_frames(probe: &Probe, picture: &VideoStream) -> bool {
    let codec = matches!(
        picture.codec.as_str(),
        "h264"
            | "hevc"
            | "vvc"
            | "av1"
            | "vp9"
            | "mpeg2video"
            | "mpeg1video"
            | "mpeg4"
            | "mjpeg"
            | "prores"
            | "dnxhd"
            | "ffv1"
            | "png"
    );
    let container = ["mov", "matroska", "mpegts", "mpeg", "mxf", "nut", "flv"];
    codec && probe.container.split(',').any(|name| container.contains(&name))
}

/// Passes frames to a chooser in order, and keeps the selected ones.
struct Gather {
    chooser: Option<Chooser>,
    survey: Survey,
    /// The last frame and its duration.
    last: Option<(i64, i64)>,
    keys: (u64, Option<(i64, i64)>),
}

impl Gather {
    fn new(chooser: Option<Chooser>) -> Gather {
        Gather { chooser, survey: Survey::default(), last: None, keys: (0, None) }
    }

    /// Keeps `pts` unless it is the last kept one.
    fn take(&mut self, pts: i64) {
        if self.survey.chosen.last() != Some(&pts) {
            self.survey.chosen.push(pts);
        }
    }

    fn see(&mut self, pts: i64, key: bool, duration: i64, picture: &VideoStream) -> ControlFlow<()> {
        if self.last.is_some_and(|(last, _)| pts <= last) {
            return ControlFlow::Continue(()); // skips a time that a damaged stream repeats
        }
        self.last = Some((pts, duration));
        if key {
            self.keys = (self.keys.0 + 1, Some((self.keys.1.map_or(pts, |(first, _)| first), pts)));
        }
        let Some(mut chooser) = self.chooser.take() else { return ControlFlow::Break(()) };
        let flow = chooser.see(pts, key, picture.base, |pts| self.take(pts));
        self.chooser = Some(chooser);
        flow
    }

    /// Selects from packets alone; false if some of them lack a time.
    async fn packets(&mut self, path: &Path, shown: &str, picture: &VideoStream) -> Result<bool, MediaError> {
        let mut reorder = Reorder::default();
        let (mut timed, mut over) = (true, false);
        let see = |packet: Packet| {
            timed &= packet.pts.is_some() || !packet.shown;
            let flow = reorder.push(packet, |pts, key, duration| self.see(pts, key, duration, picture));
            over = flow.is_break();
            if timed { flow } else { ControlFlow::Break(()) }
        };
        packets(path, shown, picture.index, None, see).await?;
        if timed && !over {
            let _ = reorder.finish(|pts, key, duration| self.see(pts, key, duration, picture));
        }
        Ok(timed)
    }

    /// Selects by decoding.
    async fn frames(&mut self, path: &Path, shown: &str, picture: &VideoStream) -> Result<(), MediaError> {
        let see = |frame: Packet| match frame.pts {
            Some(pts) => self.see(pts, frame.key, 0, picture),
            None => ControlFlow::Continue(()),
        };
        frames(path, shown, picture.index, see).await
    }

    /// The survey, and the end of the last frame's presentation.
    fn finish(mut self, media: &Media, picture: &VideoStream) -> Result<(Time, Survey), MediaError> {
        let Some((last, duration)) = self.last else {
            return Err(MediaError::new(MediaFault::Damaged, &media.path, "contains no readable frame"));
        };
        let end = media.end.max(Time { ticks: last.saturating_add(duration.max(1)), base: picture.base });
        if let Some(chooser) = self.chooser.take() {
            chooser.finish(end, |pts| self.take(pts)).map_err(|late| {
                let what = format!("has no frame at {}: it ends at {end}", Time::from_seconds(late));
                MediaError::new(MediaFault::NotInIt, &media.path, what)
            })?;
        }
        if let (count @ 2.., Some((first, last))) = self.keys {
            let span = Time { ticks: last - first, base: picture.base }.seconds();
            self.survey.key_gap = Some(span / (count - 1) as f64);
        }
        Ok((end, self.survey))
    }
}

/// The moments of the selected times.
fn moments(media: &Arc<Media>, picture: &VideoStream, survey: &Survey, end: Time) -> Vec<Moment> {
    let time = |ticks: &i64| Time { ticks: *ticks, base: picture.base };
    let ends = survey.chosen.iter().skip(1).map(time).chain([end]);
    let moment = |(start, end)| Moment { media: media.clone(), start, end, text: None };
    survey.chosen.iter().map(time).zip(ends).map(moment).collect()
}

#[cfg(test)]
mod tests;
