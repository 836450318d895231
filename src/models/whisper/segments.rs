//! The tokens of a window, cut into segments at their timestamps.

use super::Whisper;

/// A piece of speech in a window, with times in seconds from the start of the sound.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Segment {
    pub start_s: f64,
    pub end_s: f64,
    pub tokens: Vec<u32>,
    /// The place of the first of the tokens in its window.
    pub from: usize,
}

impl Whisper {
    /// Splits the tokens of a window that begins at frame `seek` into segments. Gives also the number of frames to the
    /// next window.
    pub(super) fn cut(&self, tokens: &[u32], seek: usize, frames: usize, begin: u32) -> (Vec<Segment>, usize) {
        let frame_s = self.mel.hop as f64 / f64::from(self.mel.rate_hz);
        let (offset_s, tick_s) = (seek as f64 * frame_s, 2.0 * frame_s);
        let is_time = |id: u32| id >= begin;
        let at = |id: u32| offset_s + (f64::from(id) - f64::from(begin)) * tick_s;
        let mut cuts: Vec<usize> =
            (1..tokens.len()).filter(|n| is_time(tokens[n - 1]) && is_time(tokens[*n])).collect();
        let single_end = tokens.len() >= 2 && !is_time(tokens[tokens.len() - 2]) && is_time(tokens[tokens.len() - 1]);
        if cuts.is_empty() {
            let last = tokens.iter().rev().find(|id| is_time(**id)).filter(|id| **id != begin);
            let end_s = last.map_or(offset_s + (frames / 2) as f64 * tick_s, |id| at(*id));
            return (vec![Segment { start_s: offset_s, end_s, tokens: tokens.to_vec(), from: 0 }], frames);
        }
        if single_end {
            cuts.push(tokens.len());
        } else if let Some(last) = cuts.last_mut() {
            // Both timestamps of the last pair belong to the last segment.
            *last += 1;
        }
        let (mut from, mut segments) = (0, Vec::new());
        for (n, to) in cuts.iter().enumerate() {
            let part = &tokens[from..*to];
            let end = if n + 1 == cuts.len() && !single_end { part.len().saturating_sub(2) } else { part.len() - 1 };
            segments.push(Segment { start_s: at(part[0]), end_s: at(part[end]), tokens: part.to_vec(), from });
            from = *to;
        }
        let moved = if single_end { frames } else { 2 * (tokens[from - 2] - begin) as usize };
        (segments, moved)
    }
}
