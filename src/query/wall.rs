//! Time expressions as intervals of wall-clock time.

use super::resolve::{AROUND_TOLERANCE_MS, AT_TOLERANCE_MS, WallWindow};
use super::spans::{Calendar, DAY_MIN, hours_min, plus_days};
use super::when::{Mark, PartOfDay, Point, TimeRelation, When};
use jiff::civil::Date;

/// The most days that a time without a day is looked for on.
const MOST_DAYS: usize = 4000;
/// The length of the minute, and of the second, that a time of day names.
const MINUTE_MS: i64 = 60_000;
const SECOND_MS: i64 = 1000;

/// An interval of wall-clock time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    /// The exact time of a point; the interval contains its tolerance.
    pub(super) at_ms: Option<i64>,
}

impl Stretch {
    pub(super) fn window(&self) -> WallWindow {
        WallWindow { from_ms: self.from_ms, to_ms: self.to_ms, at_ms: self.at_ms }
    }

    fn exact_ms(&self) -> i64 {
        self.at_ms.unwrap_or(self.from_ms)
    }
}

/// The intervals of an expression, in order. `dated`: the wall-clock intervals of the media; a time without a day is looked
/// for on their days, or today if there are none.
pub(super) fn wall(when: &When, calendar: &Calendar, dated: &[(i64, i64)]) -> Vec<Stretch> {
    let now_ms = calendar.now_ms;
    match when.point.time {
        Some(Mark::Ago(seconds)) => {
            let at_ms = now_ms.saturating_sub((seconds * 1000.0) as i64);
            let tolerance_ms = ((seconds * 125.0) as i64).max(MINUTE_MS);
            return related(
                when,
                calendar,
                vec![(
                    None,
                    Stretch { from_ms: at_ms - tolerance_ms, to_ms: at_ms + tolerance_ms, at_ms: Some(at_ms) },
                )],
            );
        }
        Some(Mark::Closing(seconds)) => {
            return vec![Stretch {
                from_ms: now_ms.saturating_sub((seconds * 1000.0) as i64),
                to_ms: now_ms,
                at_ms: None,
            }];
        }
        _ => {}
    }
    if when.relation == TimeRelation::Between {
        return between(when, calendar, dated);
    }
    let mut found: Vec<(Option<Date>, Stretch)> = Vec::new();
    for (first, last) in days(&when.point, calendar, dated) {
        found.extend(
            on_days(&when.point, calendar, first, last, dated, when.relation)
                .into_iter()
                .map(|stretch| (Some(first), stretch)),
        );
    }
    related(when, calendar, found)
}

/// The first and last dates that a point may lie on.
fn days(point: &Point, calendar: &Calendar, dated: &[(i64, i64)]) -> Vec<(Date, Date)> {
    if let Some(day) = point.day {
        let Some((first, last)) = calendar.dates(day) else { return Vec::new() };
        if point.part.is_none() && point.time.is_none() {
            return vec![(first, last)];
        }
        // "in the mornings of last week": each day
        return each_day(first, last).map(|date| (date, date)).collect();
    }
    let mut dates: Vec<Date> = Vec::new();
    for (from_ms, to_ms) in dated {
        if let (Some(first), Some(last)) = (calendar.date_of(*from_ms), calendar.date_of(*to_ms)) {
            // a night may begin on the day before
            let first = if point.part.is_some_and(|part| hours_min(part).1 > DAY_MIN) {
                plus_days(first, -1).unwrap_or(first)
            } else {
                first
            };
            dates.extend(each_day(first, last));
        }
        if dates.len() > MOST_DAYS {
            break;
        }
    }
    if dates.is_empty() {
        dates.extend(calendar.dates(super::Day::Today).map(|(today, _)| today));
    }
    dates.sort_unstable();
    dates.dedup();
    dates.into_iter().map(|date| (date, date)).collect()
}

fn each_day(first: Date, last: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |date| plus_days(*date, 1)).take_while(move |date| *date <= last).take(MOST_DAYS)
}

/// A point on some days, which are one if it has a time or a part of the day.
fn on_days(
    point: &Point,
    calendar: &Calendar,
    first: Date,
    last: Date,
    dated: &[(i64, i64)],
    relation: TimeRelation,
) -> Vec<Stretch> {
    let span = |date: Date, from_min: i64, end: Date, to_min: i64| {
        let from_ms = calendar.instant_ms(date, from_min, 0, false)?;
        let to_ms = calendar.instant_ms(end, to_min, 0, true)?;
        (from_ms < to_ms).then_some(Stretch { from_ms, to_ms, at_ms: None })
    };
    match (point.time, point.part) {
        (Some(Mark::Clock { minute, second, .. }), part) => {
            let tolerance_ms = if relation == TimeRelation::Around { AROUND_TOLERANCE_MS } else { AT_TOLERANCE_MS };
            let unit_ms = if second.is_some() { SECOND_MS } else { MINUTE_MS };
            let second = second.and_then(|second| i8::try_from(second).ok()).unwrap_or_default();
            let mut found = Vec::new();
            for hour in hours(point, part, calendar, first, dated) {
                let minutes = hour * 60 + i64::from(minute);
                // where the clock is put back, a time happens twice
                let both = [false, true].map(|again| calendar.instant_ms(first, minutes, second, again));
                let mut instants: Vec<i64> = both.into_iter().flatten().collect();
                instants.dedup();
                found.extend(instants.into_iter().map(|at_ms| Stretch {
                    from_ms: at_ms - tolerance_ms,
                    to_ms: at_ms + unit_ms + tolerance_ms,
                    at_ms: Some(at_ms),
                }));
            }
            found
        }
        (_, Some(part)) => {
            let (from_min, to_min) = hours_min(part);
            span(first, from_min, first, to_min).into_iter().collect()
        }
        (_, None) => {
            // the end of a day is the beginning of the next
            let end = plus_days(last, 1);
            let to_ms = end.and_then(|end| calendar.instant_ms(end, 0, 0, false));
            let from_ms = calendar.instant_ms(first, 0, 0, false);
            from_ms.zip(to_ms).map(|(from_ms, to_ms)| Stretch { from_ms, to_ms, at_ms: None }).into_iter().collect()
        }
    }
}

/// The hours that a time of day may mean; 24 and more are on the next day. "At 8" is the half of the day that the part of the
/// day names, else the one that was recorded, else 7 to 11 are in the morning and 12 to 6 in the afternoon.
fn hours(point: &Point, part: Option<PartOfDay>, calendar: &Calendar, date: Date, dated: &[(i64, i64)]) -> Vec<i64> {
    let Some(Mark::Clock { hour, minute, either_half, .. }) = point.time else { return Vec::new() };
    let (hour, minute) = (i64::from(hour), i64::from(minute));
    let mut options = if either_half { vec![hour % 12, hour % 12 + 12] } else { vec![hour] };
    if let Some((from_min, to_min)) = part.map(hours_min) {
        let within = |hour: &i64| (from_min..=to_min).contains(&(hour * 60 + minute));
        // "10:30 at night"
        let options = if hour <= 12 { vec![hour % 12, hour % 12 + 12] } else { options.clone() };
        let next_day: Vec<i64> = options.iter().map(|hour| hour + 24).collect();
        let inside: Vec<i64> = options.iter().chain(&next_day).copied().filter(within).collect();
        if !inside.is_empty() {
            return inside[..1].to_vec();
        }
    }
    if options.len() > 1 {
        let recorded = |hour: &i64| {
            let at_ms = calendar.instant_ms(date, hour * 60 + minute, 0, false);
            at_ms.is_some_and(|at_ms| dated.iter().any(|(from_ms, to_ms)| (from_ms..to_ms).contains(&&at_ms)))
        };
        let known: Vec<i64> = options.iter().copied().filter(recorded).collect();
        let usual = if (7..12).contains(&(hour % 12)) { hour % 12 } else { hour % 12 + 12 };
        options = if known.len() == 1 { known } else { vec![usual] };
    }
    options
}

/// Applies the relation of an expression to the intervals of its point.
fn related(when: &When, calendar: &Calendar, found: Vec<(Option<Date>, Stretch)>) -> Vec<Stretch> {
    let now_ms = calendar.now_ms;
    let within_day = when.point.time.is_some() || when.point.part.is_some();
    let made = |date: Option<Date>, stretch: Stretch| -> Option<Stretch> {
        let edge = |days: i64| {
            let date = date.filter(|_| within_day)?;
            calendar.instant_ms(plus_days(date, days)?, 0, 0, false)
        };
        let end_ms = stretch.at_ms.unwrap_or(stretch.to_ms);
        let (from_ms, to_ms) = match when.relation {
            TimeRelation::At | TimeRelation::Around | TimeRelation::Between => return Some(stretch),
            TimeRelation::Before => (edge(0).unwrap_or(i64::MIN), stretch.exact_ms()),
            TimeRelation::Until => (edge(0).unwrap_or(i64::MIN), end_ms),
            TimeRelation::After => (end_ms, edge(1).unwrap_or(now_ms)),
            TimeRelation::Since if when.point.day.is_none() => (stretch.exact_ms(), edge(1).unwrap_or(now_ms)),
            TimeRelation::Since => (stretch.exact_ms(), now_ms),
        };
        (from_ms < to_ms).then_some(Stretch { from_ms, to_ms, at_ms: None })
    };
    let mut stretches: Vec<Stretch> = found.into_iter().filter_map(|(date, stretch)| made(date, stretch)).collect();
    stretches.sort_by_key(|stretch| stretch.from_ms);
    stretches
}

/// From one point to another: on each day if neither has a day.
fn between(when: &When, calendar: &Calendar, dated: &[(i64, i64)]) -> Vec<Stretch> {
    let Some(to) = &when.to else { return Vec::new() };
    let (first_days, to_days) = (days(&when.point, calendar, dated), days(to, calendar, dated));
    let same_days = when.point.day == to.day;
    let mut found = Vec::new();
    for (place, (first, last)) in first_days.iter().enumerate() {
        let on_point = on_days(&when.point, calendar, *first, *last, dated, TimeRelation::At);
        let ends = if same_days { to_days.get(place..=place) } else { Some(&to_days[..]) };
        let Some(from_ms) = on_point.first().map(Stretch::exact_ms) else { continue };
        for (end_first, end_last) in ends.unwrap_or_default() {
            // "between 23:00 and 01:00" ends on the next day, "between 11 and 1" twelve hours later
            let later =
                [0, 1].into_iter().filter_map(|days| Some((plus_days(*end_first, days)?, plus_days(*end_last, days)?)));
            let end =
                later.flat_map(|(first, last)| end_ms(to, calendar, first, last, dated)).find(|to_ms| *to_ms > from_ms);
            // "from Friday to Monday": the Friday before
            let weeks_before = || calendar.instant_ms(plus_days(*first, -7)?, 0, 0, false);
            match end.filter(|_| same_days || to.time.is_some()) {
                Some(to_ms) => found.push(Stretch { from_ms, to_ms, at_ms: None }),
                None => {
                    let whole = end_ms(to, calendar, *end_first, *end_last, dated).last().copied();
                    let start = if whole.is_some_and(|to_ms| to_ms > from_ms) { Some(from_ms) } else { weeks_before() };
                    found.extend(start.zip(whole).map(|(from_ms, to_ms)| Stretch { from_ms, to_ms, at_ms: None }));
                }
            }
        }
    }
    found.retain(|stretch| stretch.from_ms < stretch.to_ms);
    found.sort_by_key(|stretch| stretch.from_ms);
    found
}

/// The instants at which a point may end, the likeliest first: a time of day ends where it begins. An hour of either half of
/// the day may be in both.
fn end_ms(to: &Point, calendar: &Calendar, first: Date, last: Date, dated: &[(i64, i64)]) -> Vec<i64> {
    let mut found: Vec<i64> = on_days(to, calendar, first, last, dated, TimeRelation::At)
        .iter()
        .rev()
        .map(|stretch| stretch.at_ms.unwrap_or(stretch.to_ms))
        .collect();
    if let Some(Mark::Clock { hour, minute, either_half: true, .. }) = to.time {
        let both = [0, 12].map(|half| (i64::from(hour) % 12 + half) * 60 + i64::from(minute));
        found.extend(both.into_iter().filter_map(|minutes| calendar.instant_ms(first, minutes, 0, true)));
        found.sort_unstable();
    }
    found
}
