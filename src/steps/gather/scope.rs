//! The lines of the time that a question names.

use super::LogLine;
use crate::{
    query::{Context, Coverage, Day, MediaSpan, Point, Query, When, resolve},
    value::clock::DayClock,
};

/// The places of the lines in the asked time; all without a time. `None` if nothing was recorded then.
pub(super) fn scope(query: &Query, log: &[LogLine], now_ms: i64, zone: &str) -> Option<Vec<usize>> {
    let all = || (0..log.len()).collect::<Vec<_>>();
    let Some(when) = &query.when else { return Some(all()) };
    let media = media(log);
    let context = Context { now_ms, zone: zone.to_owned(), media: media.iter().map(|(_, span)| *span).collect() };
    let resolved = resolve(when, &context).ok()?;
    match resolved.coverage {
        Coverage::Recorded => {}
        // a log without dates is of one day
        Coverage::Unknown if is_today_alone(when) => return Some(all()),
        // a date means nothing to a log without one
        Coverage::Nothing | Coverage::Future | Coverage::Unknown => return None,
    }
    let mut found = Vec::new();
    for window in &resolved.media {
        let (name, _) = media.get(window.medium)?;
        let own = (0..log.len()).filter(|place| log[*place].medium == *name);
        match window.at_s {
            Some(at) => {
                let holds = |place: &usize| log[*place].start <= at && at < log[*place].end;
                let near = |place: &usize| log[*place].start < window.to_s && log[*place].end > window.from_s;
                let exact: Vec<usize> = own.clone().filter(holds).collect();
                found.extend(if exact.is_empty() { own.filter(near).take(1).collect() } else { exact });
            }
            None => found.extend(own.filter(|place| {
                let line = &log[*place];
                // a line that only touches the edge belongs to the other side
                line.start < window.to_s - 0.5 && line.end > window.from_s + 0.5
            })),
        }
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// True for "today" and nothing else.
fn is_today_alone(when: &When) -> bool {
    when.point == Point { day: Some(Day::Today), ..Point::default() } && when.to.is_none()
}

/// The media of a log, with the time that each covers.
fn media(log: &[LogLine]) -> Vec<(String, MediaSpan)> {
    let mut all: Vec<(String, Vec<&LogLine>)> = Vec::new();
    for line in log {
        match all.iter_mut().find(|(name, _)| *name == line.medium) {
            Some((_, lines)) => lines.push(line),
            None => all.push((line.medium.clone(), vec![line])),
        }
    }
    let span = |lines: &[&LogLine]| {
        let (first, last) = (lines.first()?, lines.last()?);
        let length = (last.end - first.start).max(1e-3);
        let minutes = |clock: &str, end: bool| {
            let time = if end { clock.split('-').nth(1) } else { clock.split('-').next() }?;
            let (hour, minute) = time.trim().split_once(':')?;
            Some(hour.parse::<u16>().ok()? * 60 + minute.parse::<u16>().ok()?)
        };
        let clock = first.clock.as_deref().zip(last.clock.as_deref()).and_then(|(start, end)| {
            let (start_min, end_min) = (minutes(start, false)?, minutes(end, true)?);
            let passed = f64::from((i32::from(end_min) - i32::from(start_min)).rem_euclid(1440)) * 60.0;
            Some(DayClock { start_min, pace: passed / length }).filter(|clock| clock.pace > 0.0)
        });
        let wall_start_ms = first.wall_ms.map(|(start, _)| start);
        Some(MediaSpan { start_s: first.start, end_s: last.end, wall_start_ms, clock })
    };
    all.into_iter().filter_map(|(name, lines)| Some((name, span(&lines)?))).collect()
}
