//! The wall clock: when a medium was recorded, in UTC and in the zone in which people read it.
//!
//! A medium's start comes from what the user states, else from its container, else from its file name. jiff's own copy
//! of the time zone database decides, so that every machine computes the same.

use super::{Media, Time};
use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time as DayTime},
    tz::{Offset, TimeZone},
};
use serde::{Deserialize, Serialize};

/// Container times before this are defaults of a camera without a set clock, not dates.
const EARLIEST: Date = Date::constant(1990, 1, 1);

/// The wall-clock time of a medium's first presentation time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WallClock {
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// The time zone in which people read it: an IANA name, or an offset such as `+02:00`.
    pub zone: String,
}

/// A time that was stated, before the zone and the medium's own clock are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatedTime {
    /// An instant, as in `2026-11-23T09:15:00Z`.
    Instant(Timestamp),
    /// A local date and time of day.
    Local(DateTime),
    /// A local date.
    Day(Date),
}

/// The zone with this name: an IANA name (`Europe/Berlin`), `UTC`, or an offset (`+02:00`, `-0330`).
pub fn zone(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    if let Some(signed) = name.strip_prefix(['+', '-']) {
        let digits: String = signed.chars().filter(|c| *c != ':').collect();
        if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (hours, minutes) = (digits[..2].parse::<i32>().ok()?, digits.get(2..).unwrap_or("0"));
        let seconds = hours * 3600 + minutes.parse::<i32>().unwrap_or(0) * 60;
        let seconds = if name.starts_with('-') { -seconds } else { seconds };
        return Offset::from_seconds(seconds).ok().map(TimeZone::fixed);
    }
    TimeZone::get(name).ok()
}

/// Seconds of local time since 1970 at an instant: the start of each local day is a multiple of 86,400. An unknown zone counts as UTC.
pub fn local_s(at_ms: i64, zone_name: &str) -> f64 {
    let offset = |instant: Timestamp| zone(zone_name).map_or(0, |zone| zone.to_offset(instant).seconds());
    at_ms as f64 / 1000.0 + Timestamp::from_millisecond(at_ms).map_or(0.0, |instant| f64::from(offset(instant)))
}

impl StatedTime {
    /// Parses a date (`2026-11-23`), a local time (`2026-11-23T09:15`, seconds optional, a blank for `T`), or an
    /// instant with its offset.
    pub fn parse(text: &str) -> Option<StatedTime> {
        let text = text.trim();
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Some(StatedTime::Instant(instant));
        }
        // jiff reads a date as midnight, so the length tells them apart
        match text.len() {
            0..=10 => text.parse::<Date>().ok().map(StatedTime::Day),
            _ => text.parse::<DateTime>().ok().map(StatedTime::Local),
        }
    }

    /// The time in a file name such as `VID_20261123_091500.mp4`, `2026-11-23 09.15.00.mov` or `PXL_20261123_081500123.mp4`
    /// (which is in UTC), or its date alone.
    pub fn in_file_name(path: &str) -> Option<StatedTime> {
        let name = path.rsplit(['/', '\\']).next()?;
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let groups = digit_groups(stem);
        let at = |start: usize| groups.get(start).copied();
        (0..groups.len()).find_map(|first| {
            let (date, next) = match at(first)? {
                whole if whole.len() == 8 => (date_of(&whole[..4], &whole[4..6], &whole[6..])?, first + 1),
                whole if whole.len() == 14 => {
                    let date = date_of(&whole[..4], &whole[4..6], &whole[6..8])?;
                    return Some(StatedTime::Local(date.to_datetime(time_of(
                        &whole[8..10],
                        &whole[10..12],
                        &whole[12..],
                    )?)));
                }
                year if year.len() == 4 => (date_of(year, at(first + 1)?, at(first + 2)?)?, first + 3),
                _ => return None,
            };
            let time = match at(next) {
                Some(whole) if whole.len() == 6 || whole.len() == 9 => time_of(&whole[..2], &whole[2..4], &whole[4..6]),
                Some(hour) if hour.len() == 2 => time_of(hour, at(next + 1).unwrap_or(""), at(next + 2).unwrap_or("0")),
                _ => None,
            };
            let Some(time) = time else { return Some(StatedTime::Day(date)) };
            let stated = date.to_datetime(time);
            match stem.starts_with("PXL_") {
                true => {
                    stated.to_zoned_datetime(TimeZone::UTC).ok().map(|zoned| StatedTime::Instant(zoned.timestamp()))
                }
                false => Some(StatedTime::Local(stated)),
            }
        })
    }

    /// True if it can be the time of a recording: not the default of a clock that was never set.
    pub fn is_plausible(self) -> bool {
        let date = match self {
            StatedTime::Instant(instant) => instant.to_zoned_datetime(TimeZone::UTC).date(),
            StatedTime::Local(local) => local.date(),
            StatedTime::Day(date) => date,
        };
        date >= EARLIEST
    }

    /// The wall clock of a medium that starts at this time. A medium's own clock sets the time of day. A local time that
    /// daylight saving skips or repeats is read as jiff's compatible rule says: the later one of a gap, the first of a fold.
    /// `None` for an unknown zone.
    pub fn wall(self, zone_name: &str, start_min: Option<u16>) -> Option<WallClock> {
        let zone = zone(zone_name)?;
        let of_day = |date: Date, minutes: u16| {
            let time = DayTime::new((minutes / 60) as i8, (minutes % 60) as i8, 0, 0).ok()?;
            date.to_datetime(time).to_zoned_datetime(zone.clone()).ok().map(|zoned| zoned.timestamp())
        };
        let instant = match (self, start_min) {
            (StatedTime::Instant(instant), None) => instant,
            (StatedTime::Instant(instant), Some(minutes)) => {
                of_day(instant.to_zoned_datetime(zone.clone()).date(), minutes)?
            }
            (StatedTime::Local(local), None) => local.to_zoned_datetime(zone.clone()).ok()?.timestamp(),
            (StatedTime::Local(local), Some(minutes)) => of_day(local.date(), minutes)?,
            (StatedTime::Day(date), minutes) => of_day(date, minutes.unwrap_or(0))?,
        };
        Some(WallClock { at_ms: instant.as_millisecond(), zone: zone_name.trim().to_owned() })
    }
}

impl Media {
    /// The wall-clock time at a presentation time, in ms since 1970 (UTC); `None` if the recording's time is unknown.
    pub fn wall_ms(&self, time: Time) -> Option<i64> {
        let pace = self.clock.map_or(1.0, |clock| clock.pace);
        let seconds = (time.seconds() - self.start.seconds()) * pace;
        Some(self.wall.as_ref()?.at_ms.saturating_add((seconds * 1000.0).round() as i64))
    }
}

impl WallClock {
    /// The local date and time of day (`Mon 2026-11-23 09:15:00`) at an instant, in this clock's zone.
    pub fn shown(&self, at_ms: i64) -> String {
        let zone = zone(&self.zone).unwrap_or(TimeZone::UTC);
        match Timestamp::from_millisecond(at_ms) {
            Ok(instant) => instant.to_zoned_datetime(zone).strftime("%a %Y-%m-%d %H:%M:%S").to_string(),
            Err(_) => "an unknown time".to_owned(),
        }
    }
}

/// The runs of digits in a text.
fn digit_groups(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty()).collect()
}

fn date_of(year: &str, month: &str, day: &str) -> Option<Date> {
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    (1990..2200).contains(&date.year()).then_some(date)
}

fn time_of(hour: &str, minute: &str, second: &str) -> Option<DayTime> {
    DayTime::new(hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?, 0).ok()
}

/// An instant as a question names it: `09:15 on 2026-11-23`, in a zone (UTC if there is no such zone).
pub fn spoken(at_ms: i64, zone_name: &str) -> String {
    let zone = zone(zone_name).unwrap_or(TimeZone::UTC);
    let instant = Timestamp::from_millisecond(at_ms).unwrap_or_default();
    instant.to_zoned_datetime(zone).strftime("%H:%M on %Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str, zone: &str, clock: Option<u16>) -> Option<String> {
        let wall = StatedTime::parse(text)?.wall(zone, clock)?;
        Some(Timestamp::from_millisecond(wall.at_ms).ok()?.to_string())
    }

    #[test]
    fn a_stated_time_is_read_in_its_zone() {
        let check = |text: &str, zone: &str, clock: Option<u16>, expected: Option<&str>| {
            assert_eq!(wall(text, zone, clock).as_deref(), expected, "{text} {zone}");
        };
        check("2026-11-23T09:15", "Europe/Berlin", None, Some("2026-11-23T08:15:00Z"));
        check("2026-11-23 09:15:30", "UTC", None, Some("2026-11-23T09:15:30Z"));
        check("2026-11-23T09:15:00+05:30", "Europe/Berlin", None, Some("2026-11-23T03:45:00Z"));
        check("2026-11-23", "+02:00", None, Some("2026-11-22T22:00:00Z"));
        check("2026-11-23", "+02:00", Some(450), Some("2026-11-23T05:30:00Z"));
        // the clock sets the time of day, in the zone
        check("2026-11-23T23:30:00Z", "Asia/Tokyo", Some(420), Some("2026-11-23T22:00:00Z"));
        // daylight saving: 02:30 is skipped in spring, and occurs twice in autumn
        check("2026-03-29T02:30", "Europe/Berlin", None, Some("2026-03-29T01:30:00Z"));
        check("2026-10-25T02:30", "Europe/Berlin", None, Some("2026-10-25T00:30:00Z"));
        check("2026-11-23T09:15", "Mars/Base", None, None);
        check("2026-11-23T09:15", "+2", None, None);
        check("2026-13-23", "UTC", None, None);
        check("yesterday", "UTC", None, None);
        check("", "UTC", None, None);
    }

    #[test]
    fn cameras_write_the_time_into_file_names() {
        let check = |name: &str, expected: Option<&str>| {
            let found = StatedTime::in_file_name(name).map(|stated| match stated {
                StatedTime::Instant(instant) => instant.to_string(),
                StatedTime::Local(local) => local.to_string(),
                StatedTime::Day(date) => date.to_string(),
            });
            assert_eq!(found.as_deref(), expected, "{name}");
        };
        check("videos/VID_20261123_091500.mp4", Some("2026-11-23T09:15:00"));
        check("PXL_20261123_081500123.mp4", Some("2026-11-23T08:15:00Z"));
        check("2026-11-23 09.15.07.mov", Some("2026-11-23T09:15:07"));
        check("Screen Recording 2026-11-23 at 09.15.07.mov", Some("2026-11-23T09:15:07"));
        check("20261123091507.mkv", Some("2026-11-23T09:15:07"));
        check("walk_2026-11-23.mp4", Some("2026-11-23"));
        check("2026-11-23_99-15-07.mp4", Some("2026-11-23"));
        check("GX010042.MP4", None);
        check("day1.mp4", None);
        check("12345678.mp4", None);
        check("20261323_091500.mp4", None);
    }

    #[test]
    fn the_epoch_of_a_container_is_no_date() {
        for (text, expected) in [("1904-01-01T00:00:00Z", false), ("1970-01-01T00:00:00Z", false), ("2026-01-01", true)]
        {
            assert_eq!(StatedTime::parse(text).expect("a time").is_plausible(), expected, "{text}");
        }
    }
}
