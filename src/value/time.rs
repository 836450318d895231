//! Exact presentation times: integer ticks of the container's time base.

use serde::{Deserialize, Serialize};
use std::{cmp::Ordering, fmt};

/// A rational number of seconds for one tick, as the container states it (1/90000, 1/15360, …).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeBase {
    /// Numerator, in seconds.
    pub num: u32,
    /// Denominator, never zero.
    pub den: u32,
}

/// An exact presentation time in integer ticks of a [`TimeBase`]. It equals ffprobe's `pts`: the container's start
/// offset is kept, not subtracted.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Time {
    /// Presentation time stamp.
    pub ticks: i64,
    /// Seconds in one tick.
    pub base: TimeBase,
}

impl Time {
    /// The time in seconds, for people and for scores; never for arithmetic on frames.
    pub fn seconds(self) -> f64 {
        self.ticks as f64 * f64::from(self.base.num) / f64::from(self.base.den)
    }
    /// The number of the nearest sample on the grid `i / rate_hz`. Exact: a time one second later gives a number
    /// greater by `rate_hz`.
    pub fn on_grid(self, rate_hz: u32) -> i64 {
        let den = i128::from(self.base.den);
        let doubled = (i128::from(self.ticks) * i128::from(self.base.num)).saturating_mul(i128::from(rate_hz) * 2);
        doubled.saturating_add(den).div_euclid(den * 2).clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }
    /// `seconds` as a time, rounded to whole microseconds.
    pub fn from_seconds(seconds: f64) -> Time {
        Time { ticks: (seconds * 1e6).round() as i64, base: TimeBase { num: 1, den: 1_000_000 } }
    }
}
impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Time {}
impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        let side = |a: &Time, b: &Time| i128::from(a.ticks) * i128::from(a.base.num) * i128::from(b.base.den);
        side(self, other).cmp(&side(other, self))
    }
}
/// `HH:MM:SS.mmm`
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = (self.seconds() * 1000.0).round() as i64;
        let (sign, ms) = if ms < 0 { ("-", -ms) } else { ("", ms) };
        write!(f, "{sign}{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
    }
}
