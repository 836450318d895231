//! `frames`: samples a video into moments. The media agent, which every run has, answers it.

use super::{Exchange, Item, MediaRef, Modalities, Modality, ScriptReply, script};
use crate::value::{Media, Moment, Time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Asks for a sample of a video. The reply is a list of moments in order of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FramesRequest {
    /// The video.
    #[serde(with = "crate::value::shared")]
    pub video: Arc<Media>,
    /// The frames that become moments.
    pub sampling: Sampling,
    /// The least difference (more than 0, at most 1) of a selected frame from the last kept one; a frame below it is
    /// skipped. All are kept if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinct: Option<f64>,
}

impl FramesRequest {
    /// A request that keeps every selected frame.
    pub fn new(video: Arc<Media>, sampling: Sampling) -> FramesRequest {
        FramesRequest { video, sampling, distinct: None }
    }
}

/// Selects the frames of a video that become moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// The first frame at or after each multiple of this many seconds from the first frame.
    Every(f64),
    /// Every keyframe.
    Keyframes,
    /// The first frame of each scene: ffmpeg's scene score exceeds this threshold (0..1).
    Scenes(f64),
    /// The frame shown at each of these times, in seconds of presentation time.
    Times(Vec<f64>),
}

impl Exchange for FramesRequest {
    type Reply = Vec<Moment>;
    const USUAL: Modalities = Modalities::of(&[Modality::Video]);

    fn media(&mut self) -> Vec<MediaRef<'_>> {
        vec![MediaRef::Whole(&mut self.video)]
    }

    /// Empty, because the media agent reads the file itself.
    fn items(&self) -> Vec<Item> {
        Vec::new()
    }

    fn takes(&self) -> Modalities {
        Modalities::of(&[Modality::Video])
    }

    fn words(&self) -> String {
        self.video.path.clone()
    }

    fn reads_script(written: &ScriptReply) -> bool {
        matches!(written, ScriptReply::Count(_) | ScriptReply::Numbers(_) | ScriptReply::Segments(_))
    }

    /// A count gives moments of equal length, numbers give their starts, and segments give their starts and ends.
    fn scripted(&self, written: &ScriptReply) -> Result<Vec<Moment>, String> {
        let (first, last) = (self.video.start.seconds(), self.video.end.seconds());
        let moment = |start: f64, end: Time| Moment {
            media: self.video.clone(),
            start: Time::from_seconds(start),
            end,
            text: None,
        };
        let from_starts = |starts: &[f64]| {
            let ends = starts.iter().skip(1).map(|end| Time::from_seconds(*end)).chain([self.video.end]);
            starts.iter().zip(ends).map(|(start, end)| moment(*start, end)).collect()
        };
        Ok(match written {
            ScriptReply::Count(count) => {
                let start = |index: usize| first + (last - first) * index as f64 / *count as f64;
                from_starts(&(0..*count).map(start).collect::<Vec<_>>())
            }
            ScriptReply::Numbers(starts) => from_starts(starts),
            ScriptReply::Segments(segments) => {
                segments.iter().map(|segment| moment(segment.start, Time::from_seconds(segment.end))).collect()
            }
            other => return Err(script::misfit(other, "a count, a list of times, or segments")),
        })
    }

    /// The moments refer to this request's file.
    fn in_own_terms(&self, reply: Vec<Moment>) -> Vec<Moment> {
        reply.into_iter().map(|moment| Moment { media: self.video.clone(), ..moment }).collect()
    }
}
