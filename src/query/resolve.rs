//! Resolves a time expression to intervals: of wall-clock time, and of the presentation time of each medium.

use super::spans::Calendar;
use super::wall::{Stretch, wall};
use super::when::{Day, Mark, TimeRelation, When};
use crate::value::DayClock;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

/// How far from a time of day ("at 08:30") an answer may lie, in milliseconds of wall-clock time.
pub const AT_TOLERANCE_MS: i64 = 2 * 60_000;
/// The same for "around 08:30".
pub const AROUND_TOLERANCE_MS: i64 = 15 * 60_000;
/// How far from a time in the medium ("at 00:26", "after one minute") an answer may lie, in seconds.
pub const AT_TOLERANCE_S: f64 = 2.0;
/// The same for "around 00:26".
pub const AROUND_TOLERANCE_S: f64 = 10.0;
/// The beginning and the end of a medium: this part of its length, at most [`EDGE_MOST_S`].
pub const EDGE_PART: f64 = 0.1;
/// The longest beginning or end of a medium, in seconds.
pub const EDGE_MOST_S: f64 = 300.0;
/// From this length on, "in the last hour" counts back from now, if it is known when the media were recorded. "In the last
/// minute" is the end of the medium, if there is one medium only.
const FROM_NOW_S: f64 = 3600.0;

/// What a time expression is resolved against.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// The current time, in milliseconds since 1970 (UTC).
    pub now_ms: i64,
    /// The IANA name of the time zone, such as `Europe/Berlin`.
    pub zone: String,
    /// The media that the question is about.
    pub media: Vec<MediaSpan>,
}

/// The time that a medium covers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MediaSpan {
    /// The presentation time of its beginning, in seconds.
    pub start_s: f64,
    /// The presentation time of its end, in seconds.
    pub end_s: f64,
    /// When it was recorded: the wall-clock time of its beginning, in milliseconds since 1970 (UTC). For a medium with a
    /// clock: the clock's time of that day.
    pub wall_start_ms: Option<i64>,
    /// The clock of a medium that represents another length of time than its own.
    pub clock: Option<DayClock>,
}

/// The intervals of a time expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// In wall-clock time, in order; empty if the expression names no such time or a date that does not exist, and if it is
    /// not known when the media were recorded.
    pub wall: Vec<WallWindow>,
    /// In the presentation time of the media, by medium and in order. Nothing lies outside of the medium.
    pub media: Vec<MediaWindow>,
    /// Whether the media cover it.
    pub coverage: Coverage,
}

/// An interval of wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WallWindow {
    /// Milliseconds since 1970 (UTC), inclusive; [`i64::MIN`] if it has no beginning.
    pub from_ms: i64,
    /// Milliseconds since 1970 (UTC), exclusive.
    pub to_ms: i64,
    /// The exact time, if the question names a point in time. The interval then contains the tolerance.
    pub at_ms: Option<i64>,
}

/// An interval of a medium.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MediaWindow {
    /// The medium's place in [`Context::media`].
    pub medium: usize,
    /// Presentation time in seconds, inclusive.
    pub from_s: f64,
    /// Presentation time in seconds, exclusive.
    pub to_s: f64,
    /// The exact time, if the question names a point in time: the line that holds it is the answer. The interval contains
    /// the tolerance, for a question about a moment between two lines.
    pub at_s: Option<f64>,
}

/// Whether the media cover a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// At least a part of it.
    Recorded,
    /// Nothing was recorded then.
    Nothing,
    /// It lies after now.
    Future,
    /// It is not known when the media were recorded, or the time does not exist.
    Unknown,
}

/// No time zone has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone `{0}`, expected an IANA name such as `Europe/Berlin`")]
pub struct UnknownZone(pub String);

/// The intervals of a time expression.
///
/// A time without a day ("at 08:30", "in the morning") holds on every day on which a medium was recorded. A medium with a
/// clock and without a date represents one day, which is also "today". The zone's rules are part of the program.
///
/// # Errors
///
/// [`UnknownZone`] if the context's zone has no entry in the time zone database.
pub fn resolve(when: &When, context: &Context) -> Result<Resolved, UnknownZone> {
    let zone = TimeZoneDatabase::bundled().get(&context.zone).map_err(|_| UnknownZone(context.zone.clone()))?;
    let calendar = Calendar::new(zone, context.now_ms);
    let dated: Vec<(i64, i64)> = context.media.iter().filter_map(MediaSpan::wall).collect();
    let from_now = counts_from_now(when, context, !dated.is_empty() || context.media.is_empty());
    let on_wall = !is_of_medium(when) || from_now;
    let stretches = if on_wall { wall(when, &calendar, &dated) } else { Vec::new() };
    let mut media = Vec::new();
    for (place, medium) in context.media.iter().enumerate() {
        let mut found = match medium.wall_start_ms {
            Some(_) if on_wall => medium.clipped(place, &stretches),
            None if medium.clock.is_some() && on_wall => medium.of_its_day(place, when),
            _ => Vec::new(),
        };
        let exact =
            found.iter().any(|window| window.at_s.is_none_or(|at_s| at_s >= window.from_s && at_s < window.to_s));
        if !exact && !from_now && medium.may_be_on(when, &calendar) {
            let own = medium.presentation(place, when);
            found = if own.is_empty() { found } else { own };
        }
        media.extend(found);
    }
    let mut wall: Vec<WallWindow> = stretches.iter().map(Stretch::window).collect();
    let is_future =
        !wall.is_empty() && wall.iter().all(|window| window.at_ms.unwrap_or(window.from_ms) > calendar.now_ms);
    let undated = dated.is_empty() && !context.media.is_empty();
    let of_a_day = context.media.iter().all(|medium| medium.clock.is_some()) && !names_day(when);
    if undated {
        // the day of such media is unknown
        wall.clear();
    }
    let coverage = if !media.is_empty() {
        Coverage::Recorded
    } else if undated && of_a_day || is_of_medium(when) {
        Coverage::Nothing
    } else if is_future {
        Coverage::Future
    } else if undated || wall.is_empty() {
        Coverage::Unknown
    } else {
        Coverage::Nothing
    };
    Ok(Resolved { wall, media, coverage })
}

/// True if the expression is a time in the medium only.
fn is_of_medium(when: &When) -> bool {
    when.point.time.is_some_and(|mark| !matches!(mark, Mark::Clock { .. }))
}

fn names_day(when: &When) -> bool {
    [Some(&when.point), when.to.as_ref()]
        .into_iter()
        .flatten()
        .any(|point| point.day.is_some_and(|day| day != Day::Today))
}

fn counts_from_now(when: &When, context: &Context, knows_dates: bool) -> bool {
    knows_dates
        && match when.point.time {
            Some(Mark::Ago(_)) => true,
            Some(Mark::Closing(seconds)) => seconds >= FROM_NOW_S || context.media.len() != 1,
            _ => false,
        }
}

impl MediaSpan {
    /// Seconds of wall-clock time in a second of the medium.
    fn pace(&self) -> f64 {
        self.clock.map_or(1.0, |clock| clock.pace)
    }

    /// Its first and last wall-clock time, in milliseconds.
    fn wall(&self) -> Option<(i64, i64)> {
        let from = self.wall_start_ms?;
        let length_ms = (self.end_s - self.start_s).max(0.0) * self.pace() * 1000.0;
        Some((from, from.saturating_add(length_ms as i64)))
    }

    /// The parts of some wall-clock intervals that lie in this medium.
    fn clipped(&self, place: usize, stretches: &[Stretch]) -> Vec<MediaWindow> {
        let Some((first, last)) = self.wall() else { return Vec::new() };
        let seconds = |ms: i64| self.start_s + (ms.saturating_sub(first)) as f64 / 1000.0 / self.pace();
        let overlaps = stretches.iter().filter(|stretch| stretch.from_ms < last && stretch.to_ms > first);
        overlaps
            .map(|stretch| MediaWindow {
                medium: place,
                from_s: seconds(stretch.from_ms.max(first)),
                to_s: seconds(stretch.to_ms.min(last)).min(self.end_s),
                at_s: stretch.at_ms.map(seconds),
            })
            .collect()
    }

    /// The same for a medium with a clock that was recorded on an unknown day: its day is "today".
    fn of_its_day(&self, place: usize, when: &When) -> Vec<MediaWindow> {
        let Some(clock) = self.clock.filter(|_| !names_day(when)) else { return Vec::new() };
        // any day without a change of the clock
        let dated = MediaSpan { wall_start_ms: Some(i64::from(clock.start_min) * 60_000), ..*self };
        let span = dated.wall().unwrap_or_default();
        let calendar = Calendar::new(TimeZone::UTC, span.0);
        let calendar = Calendar { now_ms: span.1, ..calendar };
        dated.clipped(place, &wall(when, &calendar, &[span]))
    }

    /// True if the medium may be meant by a time of the medium: a day that the expression names must be its day.
    fn may_be_on(&self, when: &When, calendar: &Calendar) -> bool {
        let Some(day) = when.point.day else { return when.point.part.is_none() };
        let Some((first, last)) = self.wall() else { return day == Day::Today && when.point.part.is_none() };
        let whole =
            When { point: super::Point { day: Some(day), ..Default::default() }, relation: TimeRelation::At, to: None };
        wall(&whole, calendar, &[]).iter().any(|stretch| stretch.from_ms < last && stretch.to_ms > first)
    }

    /// An expression as presentation time: "at 00:26", "in the first minute", "between 01:00 and 01:30".
    fn presentation(&self, place: usize, when: &When) -> Vec<MediaWindow> {
        let length_s = (self.end_s - self.start_s).max(0.0);
        let edge_s = (length_s * EDGE_PART).min(EDGE_MOST_S);
        let (start, end) = (self.start_s, self.end_s);
        // a point with its tolerance, or a span
        let span = |mark: Mark, tolerance_s: f64| -> Option<(f64, f64, Option<f64>)> {
            let point = |at: f64| Some((at - tolerance_s, at + 1.0 + tolerance_s, Some(at)));
            match mark {
                Mark::Clock { or_media: false, .. } => None,
                Mark::Clock { hour, minute, second: None, .. } => {
                    point(start + f64::from(hour) * 60.0 + f64::from(minute))
                }
                Mark::Clock { hour, minute, second: Some(second), .. } => {
                    point(start + f64::from(hour) * 3600.0 + f64::from(minute) * 60.0 + f64::from(second))
                }
                Mark::Into(seconds) => point(start + seconds),
                Mark::Opening(seconds) => Some((start, start + seconds, None)),
                Mark::Closing(seconds) => Some((end - seconds, end, None)),
                Mark::Start => Some((start, start + edge_s, None)),
                Mark::Middle => Some(((start + end - edge_s) / 2.0, (start + end + edge_s) / 2.0, None)),
                Mark::End => Some((end - edge_s, end, None)),
                Mark::Ago(seconds) => point(end - seconds),
            }
        };
        let Some(mark) = when.point.time else { return Vec::new() };
        let tolerance_s = if when.relation == TimeRelation::Around { AROUND_TOLERANCE_S } else { AT_TOLERANCE_S };
        let Some(first) = span(mark, tolerance_s) else { return Vec::new() };
        let exact = first.2.unwrap_or(first.0);
        let (from_s, to_s, at_s) = match when.relation {
            TimeRelation::At | TimeRelation::Around => first,
            TimeRelation::Before | TimeRelation::Until => (start, exact, None),
            TimeRelation::After | TimeRelation::Since => (first.2.unwrap_or(first.1), end, None),
            TimeRelation::Between => {
                let second = when.to.as_ref().and_then(|to| to.time).and_then(|mark| span(mark, 0.0));
                let Some(second) = second else { return Vec::new() };
                (exact, second.2.unwrap_or(second.1), None)
            }
        };
        // a point outside of the medium is no time of the medium
        let inside = at_s.is_none_or(|at_s| at_s >= start && at_s <= end);
        let (from_s, to_s) = (from_s.max(start), to_s.min(end));
        if inside && from_s < to_s { vec![MediaWindow { medium: place, from_s, to_s, at_s }] } else { Vec::new() }
    }
}
