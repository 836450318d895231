//! The clock of a medium. Two minutes of video can represent a day; its times are then shown as times of that day.

use crate::value::{Media, Moment};
use serde::{Deserialize, Serialize};

/// Seconds in a day. The clock wraps at midnight.
const DAY_S: f64 = 86_400.0;

/// The time of day at the start of a medium, and the speed of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DayClock {
    /// Minutes after midnight at the medium's start.
    pub start_min: u16,
    /// Seconds of the day that pass in one second of the medium.
    pub pace: f64,
}

impl DayClock {
    /// Parses a comment of exactly the form `clock 07:00, 420 seconds a second`. Any other comment gives `None`.
    pub fn parse(comment: &str) -> Option<DayClock> {
        let (time, pace) = comment.strip_prefix("clock ")?.strip_suffix(" seconds a second")?.split_once(", ")?;
        let (hour, minute) = time.split_once(':')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let two = |text: &str| text.parse::<u16>().ok().filter(|_| text.len() == 2 && digits(text));
        let (hour, minute) = (two(hour).filter(|hour| *hour < 24)?, two(minute).filter(|minute| *minute < 60)?);
        let (whole, part) = pace.split_once('.').unwrap_or((pace, "0"));
        // `f64::parse` also accepts `inf` and `1e3`
        let pace = pace.parse::<f64>().ok().filter(|_| digits(whole) && digits(part))?;
        (pace > 0.0 && pace <= DAY_S).then_some(DayClock { start_min: hour * 60 + minute, pace })
    }

    /// The time of day (`HH:MM`) that many seconds after the medium's start.
    fn at(self, seconds: f64) -> String {
        // a small margin: the rounding of ticks (1/30 000 s) must not move a full minute into the minute before
        let of_day = (f64::from(self.start_min) * 60.0 + self.pace * seconds + 1e-3).rem_euclid(DAY_S);
        let minutes = (of_day / 60.0) as u32;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl Media {
    /// The time of day (`HH:MM`) at a presentation time in seconds; `None` for a medium without a clock.
    pub fn clock_at(&self, seconds: f64) -> Option<String> {
        self.clock.map(|clock| clock.at(seconds - self.start.seconds()))
    }
}

impl Moment {
    /// The time of day (`HH:MM-HH:MM`) of the moment; `None` for a medium without a clock.
    pub fn clock(&self) -> Option<String> {
        let at = |time: crate::value::Time| self.media.clock_at(time.seconds());
        Some(format!("{}-{}", at(self.start)?, at(self.end)?))
    }

    /// The date and the local time of the start (`Mon 2026-11-23 09:15:00`), if the time of the recording is known.
    pub fn at(&self) -> Option<String> {
        Some(self.media.wall.as_ref()?.shown(self.media.wall_ms(self.start)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_sets_a_clock() {
        let check = |comment: &str, expected: Option<(u16, f64)>| {
            assert_eq!(DayClock::parse(comment).map(|clock| (clock.start_min, clock.pace)), expected, "{comment}");
        };
        check("clock 07:00, 420 seconds a second", Some((420, 420.0)));
        check("clock 23:59, 0.5 seconds a second", Some((1439, 0.5)));
        for comment in [
            "",
            "clock 7:00, 420 seconds a second",
            "clock 24:00, 420 seconds a second",
            "clock 07:60, 420 seconds a second",
            "clock +7:00, 420 seconds a second",
            "clock 07:00, 0 seconds a second",
            "clock 07:00, -1 seconds a second",
            "clock 07:00, 1e3 seconds a second",
            "clock 07:00, inf seconds a second",
            "clock 07:00, 86401 seconds a second",
            "Clock 07:00, 420 seconds a second",
            "clock 07:00, 420 seconds a second.",
        ] {
            check(comment, None);
        }
    }

    #[test]
    fn the_clock_wraps_at_midnight() {
        let check = |comment: &str, seconds: f64, expected: &str| {
            assert_eq!(DayClock::parse(comment).expect("a clock").at(seconds), expected, "{comment} {seconds}");
        };
        check("clock 07:00, 420 seconds a second", 0.0, "07:00");
        check("clock 07:00, 420 seconds a second", 10.0, "08:10");
        check("clock 07:00, 420 seconds a second", 17.999_999_9, "09:06");
        check("clock 07:00, 420 seconds a second", 120.0, "21:00");
        check("clock 22:30, 60 seconds a second", 90.0, "00:00");
        check("clock 00:00, 60 seconds a second", -1.0, "23:59");
    }
}
