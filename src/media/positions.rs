//! Positions of decoded samples on the grid, from ffmpeg's `ashowinfo` lines about its input and its output.
//!
//! ffmpeg fills gaps in the time stamps with silence in memory, so a gap of hours would take gigabytes. [`filter`]
//! shortens long gaps by whole seconds, which every sample rate divides. [`SamplePositions`] computes the same shifts
//! from the same numbers.

use std::collections::VecDeque;

/// Gaps longer than this are shortened, in seconds.
const LONG_GAP_S: i64 = 30;
/// Maximum step in the time stamps that counts as jitter and not as a gap, in seconds. Matroska rounds time stamps to 1
/// ms, and some recorders vary by a few. A lost packet is ten or more in nearly all codecs.
const JITTER_S: f64 = 0.005;

/// The filters that convert a stream to mono samples of 16 bits at `rate_hz`, without gaps, and report their positions.
///
/// Gaps are filled before the rate changes, in whole samples of the stream. The result does not depend on the start
/// time of the stream.
pub(crate) fn filter(rate_hz: u32) -> String {
    // variable 0: the time removed so far; variable 1: the end of the last frame
    let hole = format!("if(gt(PTS-ld(1),{LONG_GAP_S}*SR),floor((PTS-ld(1))/SR-1)*SR,0)");
    let shorten = format!("if(N,st(0,ld(0)+{hole}),st(0,0));st(1,PTS+NB_SAMPLES);PTS-ld(0)");
    format!(
        "asettb=1/sr,ashowinfo@in,asetpts='{shorten}',\
         aresample=async=1:min_hard_comp={JITTER_S},aresample={rate_hz},aformat=sample_fmts=s16:channel_layouts=mono,ashowinfo@out"
    )
}

/// Follows the lines that the two `ashowinfo` filters print.
#[derive(Debug)]
pub(crate) struct SamplePositions {
    rate_hz: u32,
    /// The end of the last input frame, in samples of the stream.
    end: Option<i64>,
    /// Whole seconds removed from the input so far.
    taken_s: i64,
    /// The shortened gaps: the output position in the middle of the rest of each, and the total seconds removed up to
    /// there.
    holes: VecDeque<(i64, i64)>,
    /// Seconds removed before the next output sample.
    passed_s: i64,
    /// Runs of output samples that have not arrived yet: the position of the first, and their number.
    runs: VecDeque<(i64, usize)>,
}

/// A frame in an `ashowinfo` line.
struct Frame {
    out: bool,
    number: i64,
    pts: Option<i64>,
    rate_hz: i64,
    samples: i64,
}

impl SamplePositions {
    /// Positions for output at `rate_hz`.
    pub(super) fn new(rate_hz: u32) -> SamplePositions {
        SamplePositions { rate_hz, end: None, taken_s: 0, holes: VecDeque::new(), passed_s: 0, runs: VecDeque::new() }
    }

    /// Processes a line; false if it does not describe a frame.
    pub(super) fn hear(&mut self, line: &str) -> bool {
        match read(line) {
            Some(frame) if frame.out => self.put_out(&frame),
            Some(frame) => self.put_in(&frame),
            None => return false,
        }
        true
    }

    fn put_in(&mut self, frame: &Frame) {
        if frame.number == 0 {
            // the first frame, or ffmpeg rebuilt the filters because the stream changed its format
            (self.end, self.taken_s, self.passed_s) = (None, 0, 0);
            self.holes.clear();
        }
        let jump = frame.pts.zip(self.end).map_or(0, |(pts, end)| pts.saturating_sub(end));
        if let Some(end) = self.end.filter(|_| jump > LONG_GAP_S.saturating_mul(frame.rate_hz)) {
            // at least one second of the gap remains
            let left = i128::from(end) * 2 - i128::from(self.taken_s) * 2 * i128::from(frame.rate_hz);
            let middle =
                (left + i128::from(frame.rate_hz)) * i128::from(self.rate_hz) / (i128::from(frame.rate_hz) * 2);
            self.taken_s = self.taken_s.saturating_add(jump / frame.rate_hz - 1);
            self.holes.push_back((middle as i64, self.taken_s));
        }
        self.end = frame.pts.map(|pts| pts.saturating_add(frame.samples));
    }

    fn put_out(&mut self, frame: &Frame) {
        let mut at =
            frame.pts.unwrap_or_else(|| self.runs.back().map_or(0, |(at, count)| at.saturating_add(*count as i64)));
        let end = at.saturating_add(frame.samples);
        while at < end {
            while let Some((_, passed_s)) = self.holes.pop_front_if(|(middle, _)| *middle <= at) {
                self.passed_s = passed_s;
            }
            let next = self.holes.front().map_or(end, |(middle, _)| end.min(*middle));
            let place = at.saturating_add(self.passed_s.saturating_mul(i64::from(self.rate_hz)));
            self.runs.push_back((place, (next - at) as usize));
            at = next;
        }
    }

    /// The position of the next samples and their number, at most `limit`.
    pub(super) fn next(&mut self, limit: usize) -> Option<(i64, usize)> {
        let (at, count) = self.runs.front_mut()?;
        let run = (*at, limit.min(*count));
        (*at, *count) = (at.saturating_add(run.1 as i64), *count - run.1);
        if *count == 0 {
            self.runs.pop_front();
        }
        (run.1 > 0).then_some(run)
    }
}

/// Parses `[ashowinfo@in @ 0x…] n:0 pts:0 pts_time:0 … rate:48000 nb_samples:1024 …`.
fn read(line: &str) -> Option<Frame> {
    // a progress line may precede it
    let (_, line) = line.split_once("[ashowinfo@")?;
    let (who, line) = line.split_once("] n:")?;
    let field = |name: &str| line.split_once(name)?.1.split_whitespace().next();
    let number = |text: Option<&str>| text?.parse::<i64>().ok();
    let (rate_hz, samples) = (number(field(" rate:"))?, number(field(" nb_samples:"))?);
    let frame = Frame {
        out: who.starts_with("out "),
        number: number(line.split_whitespace().next())?,
        pts: number(field(" pts:")),
        rate_hz,
        samples,
    };
    (rate_hz > 0 && samples >= 0).then_some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(lines: &[&str]) -> Vec<(i64, usize)> {
        let mut places = SamplePositions::new(16000);
        for line in lines {
            assert!(places.hear(line), "{line}");
        }
        std::iter::from_fn(|| places.next(usize::MAX)).collect()
    }

    fn line(who: &str, n: i64, pts: i64, rate: i64, samples: i64) -> String {
        format!(
            "[ashowinfo@{who} @ 0x55edacc08080] n:{n} pts:{pts} pts_time:0 pos:325 fmt:fltp channels:1 chlayout:mono \
             rate:{rate} nb_samples:{samples} checksum:3B252 plane_checksums: [ 3B252 ]"
        )
    }

    #[test]
    fn lines_are_read() {
        let check =
            |line: &str, expected| assert_eq!(read(line).map(|f| (f.out, f.number, f.pts, f.samples)), expected);
        check(&line("out", 0, 7659, 16000, 325), Some((true, 0, Some(7659), 325)));
        check(
            &format!("size= 1kB time=00:00:00.02 {}", line("in", 12, -7, 48000, 20)),
            Some((false, 12, Some(-7), 20)),
        );
        check(&line("in", 3, 0, 8000, 9).replace("pts:0", "pts:NOPTS"), Some((false, 3, None, 9)));
        check("[ashowinfo@in @ 0x1] n:0 pts:0 rate:0 nb_samples:3", None);
        check("  Stream #0:0 -> #0:0 (aac (native) -> pcm_s16le (native))", None);
    }

    #[test]
    fn samples_have_the_positions_of_their_frames() {
        let lines =
            [line("in", 0, 24000, 48000, 1024), line("out", 0, 8000, 16000, 325), line("out", 1, 8325, 16000, 16)];
        assert_eq!(places(&lines.each_ref().map(String::as_str)), [(8000, 325), (8325, 16)]);
        let mut places = SamplePositions::new(16000);
        places.hear(&lines[1]);
        assert_eq!([places.next(300), places.next(300), places.next(300)], [Some((8000, 300)), Some((8300, 25)), None]);
    }

    #[test]
    fn a_long_gap_is_restored_in_its_middle() {
        // a gap of 10000.5 s after the first second; ffmpeg gets 1.5 s of it, because 9999 s are removed
        let lines = [
            line("in", 0, 0, 48000, 48000),
            line("out", 0, 0, 16000, 15990),
            line("in", 1, 48000 + 480_024_000, 48000, 48000),
            line("out", 1, 15990, 16000, 16000), // silence from 16000 on
            line("in", 2, 48000 + 480_072_000, 48000, 480),
            line("out", 2, 31990, 16000, 24000),
        ];
        let shift = 9999 * 16000;
        let expected = [(0, 15990), (15990, 8010), (24000 + shift, 7990), (31990 + shift, 24000)];
        assert_eq!(places(&lines.each_ref().map(String::as_str)), expected);
        // rebuilt filters begin with true times
        let again = [line("in", 0, 480_600_000, 48000, 9), line("out", 0, 160_200_000, 16000, 3)];
        let all: Vec<&str> = lines.iter().chain(&again).map(String::as_str).collect();
        assert_eq!(places(&all).last(), Some(&(160_200_000, 3)));
    }

    #[test]
    fn absurd_numbers_are_harmless() {
        let lines = [
            line("in", 0, i64::MIN, 1, i64::MAX),
            line("in", 1, i64::MAX, 1, i64::MAX),
            line("out", 0, i64::MAX - 1, 16000, 5),
            line("out", 1, i64::MIN, 16000, 5),
        ];
        assert!(places(&lines.each_ref().map(String::as_str)).len() >= 2);
    }
}
