//! An ffmpeg process that decodes forward: frames with exact presentation times.
//!
//! stdout carries the pixels, and ffmpeg's `showinfo` filter writes each frame's time to stderr.

use super::{MediaError, MediaFault, ffmpeg, pipes::Pipes, probe::VideoStream};
use image::RgbImage;
use std::{collections::VecDeque, ffi::OsString, path::Path};

/// Maximum number of frames in one filter expression. It keeps the command line short and the search for each frame
/// fast.
const MAX_NAMED: usize = 256;

/// The frames that are decoded to pixels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FrameSelection {
    /// Exactly these times, ascending. Other frames are neither converted nor copied.
    These(VecDeque<i64>),
    /// All frames from this time on.
    From(i64),
}

impl FrameSelection {
    /// The first of `times` (ascending, not empty) and the following ones that are best reached by decoding on: each at
    /// most `reach` ticks after the one before.
    pub(super) fn run(times: impl IntoIterator<Item = i64>, reach: i64) -> FrameSelection {
        let mut run: VecDeque<i64> = VecDeque::new();
        for pts in times.into_iter().take(MAX_NAMED) {
            if run.back().is_some_and(|last| pts - last > reach) {
                break;
            }
            run.push_back(pts);
        }
        FrameSelection::These(run)
    }

    /// The `select` expression for ffmpeg. ffmpeg holds a frame back until it has the next one. The expression
    /// therefore also selects the frames after the last wanted one; else that one would arrive only after the rest of
    /// the video is decoded.
    fn expression(&self) -> String {
        match self {
            FrameSelection::From(pts) => format!("gte(pts,{pts})"),
            FrameSelection::These(all) => search(&all.iter().copied().collect::<Vec<_>>(), "gte"),
        }
    }

    /// The first selected time.
    fn first(&self) -> Option<i64> {
        match self {
            FrameSelection::From(pts) => Some(*pts),
            FrameSelection::These(all) => all.front().copied(),
        }
    }
}

/// A binary search as an expression. ffmpeg evaluates eight comparisons for each frame instead of 256, and its parser
/// refuses deep sums.
fn search(times: &[i64], leaf: &str) -> String {
    match times {
        [] => "0".to_owned(),
        [pts] => format!("{leaf}(pts,{pts})"),
        _ => {
            let (low, high) = times.split_at(times.len() / 2);
            format!("if(lt(pts,{}),{},{})", high[0], search(low, "eq"), search(high, leaf))
        }
    }
}

/// A running ffmpeg. Dropping it ends the child.
#[derive(Debug)]
pub(crate) struct FrameDecoder {
    pipes: Pipes,
    size: (u32, u32),
    /// The received part of the next frame.
    pixels: Vec<u8>,
    /// Times of frames whose pixels have not arrived yet.
    times: VecDeque<i64>,
    /// The frames that have not arrived yet.
    wanted: FrameSelection,
}

impl FrameDecoder {
    /// Starts decoding at the keyframe `margin_s` before the first wanted frame, or (`None`) at the start. With `size`, each
    /// frame is reduced to it by the mean of areas.
    pub(super) async fn start(
        path: &Path,
        shown: &str,
        picture: &VideoStream,
        wanted: FrameSelection,
        margin_s: Option<f64>,
        size: Option<(u32, u32)>,
    ) -> Result<FrameDecoder, MediaError> {
        let tools = ffmpeg::tools().await?;
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let mut arguments = words("-hide_banner -nostdin -nostats -v info -copyts -threads");
        arguments.push(ffmpeg::threads().to_string().into());
        let seconds = |pts: i64| crate::value::Time { ticks: pts, base: picture.base }.seconds();
        if let (Some(margin), Some(first)) = (margin_s, wanted.first()) {
            arguments.extend(words("-seek_timestamp 1 -noaccurate_seek -ss"));
            arguments.push(format!("{:.6}", seconds(first) - margin).into());
        }
        arguments.extend(ffmpeg::input(path));
        let (width, height) = size.unwrap_or((picture.width, picture.height));
        let how = if size.is_some() { ":flags=area" } else { "" };
        let chain = format!("select='{}',scale={width}:{height}{how},format=rgb24,showinfo", wanted.expression());
        arguments.extend(["-map".into(), format!("0:{}", picture.index).into(), "-vf".into(), chain.into()]);
        arguments.extend(tools.passthrough().map(OsString::from));
        arguments.extend(words("-filter_threads 1 -f rawvideo -pix_fmt rgb24 pipe:1"));
        Ok(FrameDecoder {
            pipes: Pipes::start(arguments, shown)?,
            size: (width, height),
            pixels: Vec::new(),
            times: VecDeque::new(),
            wanted,
        })
    }

    /// True if this decoder reaches the frame at `pts` within `reach` ticks.
    pub(super) fn will_give(&self, pts: i64, reach: i64) -> bool {
        match &self.wanted {
            FrameSelection::These(times) => times.binary_search(&pts).is_ok(),
            FrameSelection::From(next) => pts >= *next && pts - next <= reach,
        }
    }

    /// The next frame and its time; `None` after the last one. Cancel-safe: the next call finishes a partly read frame.
    pub(super) async fn next(&mut self) -> Result<Option<(i64, RgbImage)>, MediaError> {
        if matches!(&self.wanted, FrameSelection::These(times) if times.is_empty()) {
            return Ok(None);
        }
        let bytes = self.size.0 as usize * self.size.1 as usize * 3;
        while self.pixels.len() < bytes || self.times.is_empty() {
            let times = &mut self.times;
            let hear = |line: &str| frame_time(line).map(|pts| times.push_back(pts)).is_some();
            if !self.pipes.read(&mut self.pixels, bytes, hear).await? {
                return Ok(None);
            }
        }
        let pts = self.times.pop_front().expect("a time came with the pixels: this is a bug");
        match &mut self.wanted {
            FrameSelection::From(next) => *next = pts + 1,
            FrameSelection::These(times) => {
                while times.front().is_some_and(|first| *first <= pts) {
                    times.pop_front();
                }
                if times.is_empty() {
                    self.pipes.kill();
                }
            }
        }
        let image = RgbImage::from_raw(self.size.0, self.size.1, std::mem::take(&mut self.pixels));
        let image = image
            .ok_or_else(|| MediaError::new(MediaFault::Damaged, &self.pipes.shown, "gave a frame of the wrong size"))?;
        Ok(Some((pts, image)))
    }
}

/// Parses `[Parsed_showinfo_3 @ 0x…] n:   0 pts: 153600 pts_time:10 …`.
fn frame_time(line: &str) -> Option<i64> {
    let (before, after) = line.split_once(" pts:")?;
    before.contains("n:").then_some(())?;
    after.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_showinfo() {
        let check = |line: &str, expected| assert_eq!(frame_time(line), expected, "{line}");
        check(
            "[Parsed_showinfo_3 @ 0x55d01d2434c0] n:   0 pts: 153600 pts_time:10      pos:   216727 fmt:rgb24",
            Some(153600),
        );
        check("[Parsed_showinfo_3 @ 0x55d01d2434c0] n:  12 pts:     -7 pts_time:-0.1", Some(-7));
        check("[Parsed_showinfo_3 @ 0x55d01d2434c0] config in time_base: 1/15360, frame_rate: 30/1", None);
        check("  Stream #0:0 -> #0:0 (h264 (native) -> rawvideo (native))", None);
    }

    #[test]
    fn a_run_ends_at_a_gap() {
        let check = |times: &[i64], reach, expected: &[i64]| {
            assert_eq!(
                FrameSelection::run(times.iter().copied(), reach),
                FrameSelection::These(expected.iter().copied().collect())
            );
        };
        check(&[0, 10, 20, 90, 100], 20, &[0, 10, 20]);
        check(&[5], 0, &[5]);
        assert_eq!(
            FrameSelection::run([1, 2, 3], 9).expression(),
            "if(lt(pts,2),eq(pts,1),if(lt(pts,3),eq(pts,2),gte(pts,3)))"
        );
    }
}
