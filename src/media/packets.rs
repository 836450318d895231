//! Selects the presentation times that become moments: sorts packets by presentation time, and passes each time to a
//! chooser once.
//!
//! Demultiplexes and does not decode. Keeps one packet at a time, and a few dozen while it sorts.

use super::{
    MediaError,
    ffmpeg::{self, ChildError},
};
use crate::value::{Time, TimeBase};
use std::{cmp::Reverse, collections::BinaryHeap, ffi::OsString, ops::ControlFlow, path::Path};

/// A packet (or decoded frame) of one stream, as ffprobe lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Presentation time in ticks of the stream.
    pub pts: Option<i64>,
    /// Decoding time: no later packet is presented before it.
    pub dts: Option<i64>,
    /// Duration in ticks; 0 if not stated.
    pub duration: i64,
    /// True if it decodes without other packets.
    pub key: bool,
    /// False if an edit list hides it or the file cuts it short.
    pub shown: bool,
}

/// Lists the packets of stream `index` in the order of the file: all of them, or those of a stretch (in seconds).
pub(crate) async fn packets(
    path: &Path,
    shown: &str,
    index: u32,
    stretch: Option<(f64, f64)>,
    mut see: impl FnMut(Packet) -> ControlFlow<()>,
) -> Result<(), MediaError> {
    // A packet that a truncated file cuts short gives no frame, and ffprobe before 6.1 does not mark it.
    let mut arguments: Vec<OsString> =
        "-v error -fflags +discardcorrupt -of compact=p=0 -show_entries packet=pts,dts,duration,flags -select_streams"
            .split(' ')
            .map(OsString::from)
            .collect();
    arguments.push(index.to_string().into());
    if let Some((from, to)) = stretch {
        arguments.extend(["-read_intervals".into(), format!("{from:.6}%{to:.6}").into()]);
    }
    arguments.extend(ffmpeg::input(path));
    let listed = ffmpeg::lines("ffprobe", arguments, |line| see(read_packet(line))).await;
    tolerate(listed, shown)
}

/// Decodes stream `index` and lists its frames as packets, in order of presentation. For streams whose packets are not
/// frames.
pub(crate) async fn frames(
    path: &Path,
    shown: &str,
    index: u32,
    mut see: impl FnMut(Packet) -> ControlFlow<()>,
) -> Result<(), MediaError> {
    let mut arguments: Vec<OsString> =
        "-v error -of compact=p=0 -show_frames -show_entries frame=best_effort_timestamp,key_frame -select_streams"
            .split(' ')
            .map(OsString::from)
            .collect();
    arguments.extend([index.to_string().into(), "-threads".into(), ffmpeg::threads().to_string().into()]);
    arguments.extend(ffmpeg::input(path));
    let listed = ffmpeg::lines("ffprobe", arguments, |line| {
        let mut frame = read_packet(line);
        frame.dts = frame.pts;
        see(frame)
    });
    tolerate(listed.await, shown)
}

/// Passes each frame's time and ffmpeg's scene score to `see`. The score (0..1) is the difference from the frame
/// before.
pub(crate) async fn scene_scores(
    path: &Path,
    shown: &str,
    index: u32,
    mut see: impl FnMut(i64, f64),
) -> Result<(), MediaError> {
    let tools = ffmpeg::tools().await?;
    let mut arguments: Vec<OsString> =
        "-hide_banner -nostdin -nostats -v error -copyts -threads".split(' ').map(OsString::from).collect();
    arguments.push(ffmpeg::threads().to_string().into());
    arguments.extend(ffmpeg::input(path));
    arguments.extend(["-map".into(), format!("0:{index}").into()]);
    arguments.extend(["-vf", "select='gte(scene,0)',metadata=mode=print:file=-"].map(OsString::from));
    arguments.extend(tools.passthrough().map(OsString::from));
    arguments.extend(["-f", "null", "-"].map(OsString::from));
    let mut pts = None;
    let listed = ffmpeg::lines("ffmpeg", arguments, |line| {
        if line.starts_with("frame:") {
            pts = line.split_once(" pts:").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        } else if let Some(score) = line.strip_prefix("lavfi.scene_score=")
            && let (Some(pts), Ok(score)) = (pts.take(), score.parse())
        {
            see(pts, score);
        }
        ControlFlow::Continue(())
    });
    tolerate(listed.await, shown)
}

/// Accepts a failure of ffprobe: it lists the readable part before it fails at a damaged end.
fn tolerate(listed: Result<(), ChildError>, shown: &str) -> Result<(), MediaError> {
    match listed {
        Err(ChildError::Failed(why)) => {
            tracing::warn!(medium = shown, why, "part of the file cannot be read");
            Ok(())
        }
        other => other.map_err(|trouble| trouble.about(shown)),
    }
}

/// Parses `pts=0|dts=-512|duration=512|flags=K_`, or `key_frame=1|best_effort_timestamp=0`.
fn read_packet(line: &str) -> Packet {
    let mut packet = Packet { pts: None, dts: None, duration: 0, key: false, shown: true };
    for (name, value) in line.split('|').filter_map(|field| field.split_once('=')) {
        match name {
            "pts" | "best_effort_timestamp" => packet.pts = value.parse().ok(),
            "dts" => packet.dts = value.parse().ok(),
            "duration" => packet.duration = value.parse().unwrap_or(0).max(0),
            "key_frame" => packet.key = value == "1",
            "flags" => {
                packet.key = value.contains('K');
                packet.shown = !value.contains(['D', 'C']);
            }
            _ => {}
        }
    }
    packet
}

/// Sorts packets by presentation time. No later packet is presented before a packet's dts, so only a few packets are
/// held and never the whole stream.
#[derive(Debug, Default)]
pub(crate) struct Reorder {
    held: BinaryHeap<Reverse<(i64, bool, i64)>>,
}

impl Reorder {
    /// Maximum number of held packets. No codec reorders further, even without dts.
    const MAX_HELD: usize = 128;

    /// Adds a packet. Passes the packets that none can precede any more to `out`, in order, as `(pts, key, duration)`.
    pub(super) fn push(
        &mut self,
        packet: Packet,
        mut out: impl FnMut(i64, bool, i64) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Some(pts) = packet.pts.filter(|_| packet.shown) {
            self.held.push(Reverse((pts, packet.key, packet.duration)));
        }
        while let Some(Reverse((pts, key, duration))) = self.held.peek().copied() {
            let safe = packet.dts.is_some_and(|dts| pts <= dts) || self.held.len() > Self::MAX_HELD;
            if !safe {
                break;
            }
            self.held.pop();
            out(pts, key, duration)?;
        }
        ControlFlow::Continue(())
    }

    /// Passes the remaining packets to `out`, in order.
    pub(super) fn finish(mut self, mut out: impl FnMut(i64, bool, i64) -> ControlFlow<()>) -> ControlFlow<()> {
        while let Some(Reverse((pts, key, duration))) = self.held.pop() {
            out(pts, key, duration)?;
        }
        ControlFlow::Continue(())
    }
}

/// The selection rule. It sees each frame's time once, in order of presentation.
#[derive(Debug)]
pub(crate) enum Chooser {
    /// The first frame at or after `first + n · step_us`, for each n.
    Every {
        /// The step, in microseconds.
        step_us: i128,
        /// The time of the first frame.
        first: Option<i64>,
        /// The next n.
        next: i128,
    },
    /// Every keyframe.
    Keyframes,
    /// The last frame at or before each of these times (microseconds, ascending).
    Times {
        /// The times still wanted, latest first.
        wanted_us: Vec<i128>,
        /// The time of the frame before.
        before: Option<i64>,
    },
}

/// Half a millisecond, because people give times rounded to milliseconds. Such a time must find the frame that it was
/// rounded from.
const ROUNDING_US: i128 = 500;

impl Chooser {
    /// Selects by times in seconds, in any order.
    pub(super) fn times(wanted: &[f64]) -> Chooser {
        let mut wanted_us: Vec<i128> = wanted.iter().map(|s| i128::from(Time::from_seconds(*s).ticks)).collect();
        wanted_us.sort_unstable();
        wanted_us.reverse();
        Chooser::Times { wanted_us, before: None }
    }

    /// Passes the next frame to the chooser, and selected times to `out`. Breaks when no time is wanted any more.
    pub(super) fn see(&mut self, pts: i64, key: bool, base: TimeBase, mut out: impl FnMut(i64)) -> ControlFlow<()> {
        match self {
            Chooser::Keyframes => {
                if key {
                    out(pts);
                }
            }
            Chooser::Every { step_us, first, next } => {
                let first = *first.get_or_insert(pts);
                // since / step = ticks · num / den · 10^6 / step_us, in whole numbers
                let since = (i128::from(pts) - i128::from(first)) * i128::from(base.num) * 1_000_000;
                let steps = since.div_euclid(i128::from(base.den) * *step_us);
                if steps >= *next {
                    out(pts);
                    *next = steps + 1;
                }
            }
            Chooser::Times { wanted_us, before } => {
                let at = |us: i128| (us + ROUNDING_US) * i128::from(base.den);
                let now = i128::from(pts) * i128::from(base.num) * 1_000_000;
                while let Some(wanted) = wanted_us.last().copied()
                    && at(wanted) < now
                {
                    out(before.unwrap_or(pts));
                    wanted_us.pop();
                }
                *before = Some(pts);
                if wanted_us.is_empty() {
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Selects for the times still wanted after the last frame, which lasts until `end`. Fails with the first wanted
    /// time after `end`, in seconds.
    pub(super) fn finish(self, end: Time, mut out: impl FnMut(i64)) -> Result<(), f64> {
        let Chooser::Times { wanted_us, before } = self else { return Ok(()) };
        for us in wanted_us.into_iter().rev() {
            let wanted = Time { ticks: us as i64, base: TimeBase { num: 1, den: 1_000_000 } };
            match before {
                Some(pts) if wanted < end => out(pts),
                _ => return Err(wanted.seconds()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: TimeBase = TimeBase { num: 1, den: 1000 };

    fn choose(mut chooser: Chooser, frames: &[i64], base: TimeBase) -> Vec<i64> {
        let mut chosen: Vec<i64> = Vec::new();
        for pts in frames {
            if chooser.see(*pts, false, base, |pts| chosen.push(pts)).is_break() {
                return chosen;
            }
        }
        let end = Time { ticks: frames.last().unwrap() + 40, base };
        chooser.finish(end, |pts| chosen.push(pts)).unwrap();
        chosen
    }

    #[test]
    fn packets_are_read() {
        let check = |line: &str, pts, key, shown| {
            let packet = read_packet(line);
            assert_eq!((packet.pts, packet.key, packet.shown), (pts, key, shown), "{line}");
        };
        check("pts=1024|dts=-512|duration=512|flags=K_", Some(1024), true, true);
        check("pts=1024|dts=-512|duration=512|flags=K__", Some(1024), true, true);
        check("pts=-1024|dts=N/A|duration=N/A|flags=KD", Some(-1024), true, false);
        check("pts=N/A|dts=0|duration=512|flags=__", None, false, true);
        check("key_frame=1|best_effort_timestamp=77", Some(77), true, true);
    }

    #[test]
    fn every_takes_the_first_frame_at_or_after_each_multiple() {
        let every = |s: f64| Chooser::Every { step_us: (s * 1e6) as i128, first: None, next: 0 };
        assert_eq!(choose(every(0.1), &[0, 40, 80, 120, 160, 200, 240, 280, 320], MS), [0, 120, 200, 320]);
        // a start offset counts from the first frame
        assert_eq!(choose(every(0.1), &[-40, 0, 40, 59, 60, 61, 400], MS), [-40, 60, 400]);
        // a gap without frames selects no frame twice
        assert_eq!(choose(every(0.1), &[0, 1000, 1040, 1100], MS), [0, 1000, 1100]);
        // thirds of a second are exact
        assert_eq!(choose(every(1.0), &[0, 1, 2, 3, 4, 5, 6], TimeBase { num: 1, den: 3 }), [0, 3, 6]);
    }

    #[test]
    fn times_select_the_frame_shown_then() {
        let times = |wanted: &[f64]| choose(Chooser::times(wanted), &[33, 67, 100, 133, 500], MS);
        assert_eq!(times(&[0.1]), [100]);
        assert_eq!(times(&[0.132, 0.0999, 0.4]), [100, 100, 133]);
        assert_eq!(times(&[0.0]), [33]);
        assert_eq!(times(&[0.52]), [500]);
    }

    #[test]
    fn times_past_the_end_are_refused() {
        let mut chooser = Chooser::times(&[0.0, 9.0]);
        let _ = chooser.see(0, true, MS, |_| {});
        assert_eq!(chooser.finish(Time { ticks: 5000, base: MS }, |_| {}), Err(9.0));
    }

    proptest! {
        #[test]
        fn reordering_gives_presentation_order(gaps in proptest::collection::vec(1i64..50, 1..300), depth in 1usize..5) {
            let mut at = 0;
            let times: Vec<i64> = gaps.iter().map(|gap| { at += gap; at }).collect();
            // decode order: the last frame of each group comes first
            let mut coded: Vec<i64> = Vec::new();
            for group in times.chunks(depth) {
                coded.push(*group.last().unwrap());
                coded.extend(&group[..group.len() - 1]);
            }
            let mut reorder = Reorder::default();
            let mut seen = Vec::new();
            for (n, pts) in coded.iter().enumerate() {
                let dts = coded[n..].iter().min().copied();
                let packet = Packet { pts: Some(*pts), dts, duration: 1, key: false, shown: true };
                let _ = reorder.push(packet, |pts, _, _| { seen.push(pts); ControlFlow::Continue(()) });
            }
            let _ = reorder.finish(|pts, _, _| { seen.push(pts); ControlFlow::Continue(()) });
            prop_assert_eq!(seen, times);
        }

        #[test]
        fn times_of_any_base_are_ordered(a in any::<i64>(), b in any::<i64>(), an in 1u32.., ad in 1u32.., bn in 1u32.., bd in 1u32..) {
            let (x, y) = (Time { ticks: a, base: TimeBase { num: an, den: ad } }, Time { ticks: b, base: TimeBase { num: bn, den: bd } });
            prop_assert_eq!(x.cmp(&y), y.cmp(&x).reverse());
            prop_assert_eq!(x == y, i128::from(a) * i128::from(an) * i128::from(bd) == i128::from(b) * i128::from(bn) * i128::from(ad));
        }
    }
}
