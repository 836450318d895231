//! The calendar of one time zone: days as dates, times of day as instants, daylight saving included.

use super::when::{Day, Month, PartOfDay, Weekday};
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

/// Minutes of a day.
pub(super) const DAY_MIN: i64 = 1440;

/// A time zone and the current time in it.
pub(super) struct Calendar {
    pub(super) zone: TimeZone,
    pub(super) now_ms: i64,
    pub(super) today: Date,
}

impl Calendar {
    /// `now_ms` outside of the years -9999 to 9999 counts as their edge.
    pub(super) fn new(zone: TimeZone, now_ms: i64) -> Calendar {
        let (least, most) = (Timestamp::MIN.as_millisecond(), Timestamp::MAX.as_millisecond());
        let now_ms = now_ms.clamp(least, most);
        let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let today = zone.to_datetime(now).date();
        Calendar { zone, now_ms, today }
    }

    /// The date of an instant.
    pub(super) fn date_of(&self, ms: i64) -> Option<Date> {
        Some(self.zone.to_datetime(Timestamp::from_millisecond(ms).ok()?).date())
    }

    /// The instant of a time of day in minutes (1440 and more: on the next day) and seconds. Where the clock is put back, a
    /// time happens twice: `second_time` takes the later one. Where it is put forward, a time that does not exist is as
    /// much later as the clock jumps.
    pub(super) fn instant_ms(&self, date: Date, minutes: i64, seconds: i8, second_time: bool) -> Option<i64> {
        let date = plus_days(date, minutes.div_euclid(DAY_MIN))?;
        let of_day = minutes.rem_euclid(DAY_MIN);
        let (hour, minute) = (i8::try_from(of_day / 60).ok()?, i8::try_from(of_day % 60).ok()?);
        let found = self.zone.to_ambiguous_timestamp(date.at(hour, minute, seconds, 0));
        let is_fold = matches!(found.offset(), AmbiguousOffset::Fold { .. });
        let instant = if second_time && is_fold { found.later() } else { found.compatible() };
        Some(instant.ok()?.as_millisecond())
    }

    /// The first and the last date of a day or of several.
    pub(super) fn dates(&self, day: Day) -> Option<(Date, Date)> {
        let today = self.today;
        let one = |date: Date| Some((date, date));
        let back = |days: u32| plus_days(today, -i64::from(days));
        match day {
            Day::Today => one(today),
            Day::Tomorrow => one(plus_days(today, 1)?),
            Day::DaysAgo(days) => one(back(days)?),
            Day::Weekday { weekday, last } => one(latest_weekday(today, weekday, last)?),
            Day::Date { year, month, day } => one(self.date(year, month, day)?),
            Day::WeeksAgo(weeks) => {
                let monday = plus_days(latest_weekday(today, Weekday::Monday, false)?, -7 * i64::from(weeks))?;
                Some((monday, plus_days(monday, 6)?))
            }
            Day::Weekend { last } => {
                let saturday = latest_weekday(today, Weekday::Saturday, false)?;
                // on a weekend, the last one that is over is a week earlier
                let running = last && plus_days(saturday, 1)? >= today;
                let saturday = plus_days(saturday, if running { -7 } else { 0 })?;
                Some((saturday, plus_days(saturday, 1)?))
            }
            Day::MonthsAgo(months) => {
                let index = i64::from(today.year()) * 12 + i64::from(today.month()) - 1 - i64::from(months);
                whole_month(i16::try_from(index.div_euclid(12)).ok()?, i8::try_from(index.rem_euclid(12)).ok()? + 1)
            }
            Day::InMonth { month, year } => {
                let this_year = today.year() - i16::from(month.number() > today.month());
                whole_month(year.unwrap_or(this_year), month.number())
            }
            Day::YearsAgo(years) => whole_year(today.year().checked_sub(i16::try_from(years).ok()?)?),
            Day::InYear(year) => whole_year(year),
            Day::LastDays(days) => Some((back(days.saturating_sub(1))?, today)),
        }
    }

    /// A date; what is not given is the latest that exists and is not after today (29 February: of a leap year).
    fn date(&self, year: Option<i16>, month: Option<Month>, day: u8) -> Option<Date> {
        let day = i8::try_from(day).ok()?;
        match (year, month) {
            (Some(year), Some(month)) => Date::new(year, month.number(), day).ok(),
            (None, Some(month)) => (0..=8)
                .filter_map(|back| Date::new(self.today.year() - back, month.number(), day).ok())
                .find(|date| *date <= self.today),
            (year, None) => {
                let this = i64::from(year.unwrap_or(self.today.year())) * 12 + i64::from(self.today.month()) - 1;
                (0..=12)
                    .filter_map(|back| {
                        let index = this - back;
                        let month = i8::try_from(index.rem_euclid(12)).ok()? + 1;
                        Date::new(i16::try_from(index.div_euclid(12)).ok()?, month, day).ok()
                    })
                    .find(|date| *date <= self.today)
            }
        }
    }
}

/// A date so many days later; none outside of the calendar.
pub(super) fn plus_days(date: Date, days: i64) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

/// The latest such weekday that is not after `today`, or that is before it.
fn latest_weekday(today: Date, weekday: Weekday, before: bool) -> Option<Date> {
    let days = (today.weekday().to_monday_one_offset() - weekday.number()).rem_euclid(7);
    plus_days(today, -i64::from(if before && days == 0 { 7 } else { days }))
}

fn whole_month(year: i16, month: i8) -> Option<(Date, Date)> {
    let first = Date::new(year, month, 1).ok()?;
    Some((first, first.last_of_month()))
}

fn whole_year(year: i16) -> Option<(Date, Date)> {
    Some((Date::new(year, 1, 1).ok()?, Date::new(year, 12, 31).ok()?))
}

/// The beginning and the end of a part of the day, in minutes after midnight; more than 1440 is on the next day.
pub(super) fn hours_min(part: PartOfDay) -> (i64, i64) {
    match part {
        PartOfDay::Morning => (5 * 60, 12 * 60),
        PartOfDay::Midday => (11 * 60 + 30, 14 * 60),
        PartOfDay::Afternoon => (12 * 60, 18 * 60),
        PartOfDay::Evening => (17 * 60, 23 * 60),
        PartOfDay::Night => (21 * 60, 29 * 60),
        PartOfDay::EveningOrNight => (18 * 60, 29 * 60),
    }
}
