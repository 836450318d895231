//! Time expressions with their prepositions: "between 10 and 11 yesterday", "in the last minute", "at the end".

use super::clocks::{Words, clock, duration_s, unit_s, whole};
use super::days::{day, day_of_month, part};
use super::tokens::Gap;
use super::when::{Mark, Point, TimeRelation, When};

/// Names of the medium itself: "at the end of the video".
const MEDIUM: [&str; 8] = ["video", "recording", "film", "clip", "footage", "day", "tape", "log"];

/// A time expression that begins at a place, with the number of its tokens.
pub(super) fn time(words: Words, place: usize) -> Option<(When, usize)> {
    let ahead = |offset| words.ahead(place, offset);
    let with = |relation, point, length| Some((When { relation, point, to: None }, length));
    if let Some(found) = in_medium(words, place) {
        return Some(found);
    }
    let word = words.at(place);
    match word {
        // "a little after nine"
        "a" if matches!(ahead(1), "little" | "bit") && matches!(ahead(2), "after" | "before") => {
            let (found, length) = time(words, place + 2)?;
            with(TimeRelation::Around, found.point, length + 2)
        }
        // "up to 10:30"
        "up" if ahead(1) == "to" => {
            let (found, length) = point(words, place + 2, true, true).filter(|_| !ahead(2).is_empty())?;
            with(TimeRelation::Until, found, length + 2)
        }
        // "shortly after four"
        "right" | "just" | "straight" | "immediately" | "directly" | "shortly" | "soon"
            if matches!(ahead(1), "after" | "before") =>
        {
            let (found, length) = time(words, place + 1)?;
            with(TimeRelation::Around, found.point, length + 1)
        }
        "between" => {
            let (from, first) = point(words, place + 1, true, true).filter(|_| !ahead(1).is_empty())?;
            let and = 1 + first;
            (ahead(and) == "and").then_some(())?;
            let (to, second) = point(words, place + and + 1, true, true).filter(|_| !ahead(and + 1).is_empty())?;
            Some((between(from, to), and + 1 + second))
        }
        "from" => {
            let (from, first) = point(words, place + 1, true, true).filter(|_| !ahead(1).is_empty())?;
            // "from 13:33 up until 48:11"
            let to_at = 1 + first;
            let to_at =
                to_at + usize::from(ahead(to_at) == "up" && matches!(ahead(to_at + 1), "to" | "until" | "till"));
            if !matches!(ahead(to_at), "to" | "until" | "till" | "through") {
                // "from 11:00 on", "From 11:00, how often"; but "the words from 08:30"
                let on = usize::from(matches!(ahead(to_at), "on" | "onwards" | "onward"));
                let opens = words.tokens[place].gap > Gap::Space || place > 0 && words.at(place - 1) == "starting";
                let since = from.time.is_some() && (on == 1 || opens);
                return with(
                    if since { TimeRelation::Since } else { TimeRelation::At },
                    from,
                    to_at + on * usize::from(since),
                );
            }
            let (to, second) = point(words, place + to_at + 1, true, true)
                .filter(|_| !ahead(to_at + 1).is_empty())
                .or_else(|| the_end(words, place + to_at + 1))?;
            Some((between(from, to), to_at + 1 + second))
        }
        "before" | "after" | "since" | "until" | "till" | "by" | "past" | "around" | "about" | "near" | "at" | "on"
        | "in" | "during" | "within" | "over" | "of" | "towards" => {
            let relation = match word {
                "before" => TimeRelation::Before,
                "after" | "past" => TimeRelation::After,
                "since" => TimeRelation::Since,
                "until" | "till" | "by" => TimeRelation::Until,
                "around" | "about" | "near" | "towards" => TimeRelation::Around,
                _ => TimeRelation::At,
            };
            // "at around nine", "at about 8", "at exactly 8"
            let around = word == "at" && matches!(ahead(1), "around" | "about" | "roughly");
            let skip = 1 + usize::from(around || word == "at" && matches!(ahead(1), "exactly" | "precisely"));
            if ahead(skip).is_empty() {
                return None;
            }
            let hour =
                matches!(word, "before" | "after" | "since" | "until" | "till" | "by" | "around" | "at" | "towards")
                    || around;
            let Some((found, length)) = point(words, place + skip, hour, word != "of") else {
                let (day, length) =
                    day_of_month(words, place + 1).filter(|(_, length)| word == "on" && !is_noun(ahead(1 + length)))?;
                return with(TimeRelation::At, Point { day: Some(day), ..Point::default() }, 1 + length);
            };
            let relation = match relation {
                _ if around => TimeRelation::Around,
                // "about my morning"
                TimeRelation::Around if found.time.is_none() => TimeRelation::At,
                relation => relation,
            };
            // "at nine", but not "before nine people", "around two houses"
            let sharp = usize::from(found.time.is_some() && matches!(ahead(skip + length), "sharp" | "exactly"));
            let length = length + sharp;
            let number_alone = length == 1
                && hour
                && clock(words, place + skip, false).is_none()
                && found.day.is_none()
                && found.part.is_none();
            if number_alone && is_noun(ahead(skip + length)) {
                return None;
            }
            // "at 10-11"
            if ahead(skip + length) == "to"
                && found.time.is_some()
                && let Some((to, more)) = point(words, place + skip + length + 1, true, true)
            {
                return Some((between(found, to), skip + length + 1 + more));
            }
            with(relation, found, skip + length)
        }
        _ => {
            let (found, length) = point(words, place, false, false)?;
            if ahead(length) == "to"
                && found.time.is_some()
                && let Some((to, more)) = point(words, place + length + 1, true, true)
            {
                return Some((between(found, to), length + 1 + more));
            }
            with(TimeRelation::At, found, length)
        }
    }
}

/// "the end", "the very end of the video"
fn the_end(words: Words, place: usize) -> Option<(Point, usize)> {
    let the = usize::from(words.at(place) == "the");
    let very = the + usize::from(words.ahead(place, the) == "very");
    let ends = if very == 0 { words.at(place) } else { words.ahead(place, very) } == "end";
    let end = Point { time: Some(Mark::End), ..Point::default() };
    ends.then(|| (end, very + 1 + medium_behind(words, place, very + 1)))
}

/// The number of words that name the medium: "of the video".
fn medium_behind(words: Words, place: usize, length: usize) -> usize {
    let ahead = |offset| words.ahead(place, offset);
    let of = usize::from(matches!(ahead(length), "of" | "in" | "into" | "through"));
    let the = of + usize::from(matches!(ahead(length + of), "the" | "this" | "my" | "that"));
    if of == 1 && MEDIUM.contains(&ahead(length + the)) { the + 1 } else { 0 }
}

/// True for a word that the number before it counts.
fn is_noun(word: &str) -> bool {
    !word.is_empty() && super::lexicon::is_content(word)
}

/// A day that only one of the two points names holds for both.
fn between(mut from: Point, mut to: Point) -> When {
    let time_only = |point: &Point| point.day.is_none() && point.time.is_some();
    if time_only(&from) && to.time.is_some() {
        from.day = to.day;
    } else if time_only(&to) && from.time.is_some() {
        to.day = from.day;
    }
    // "between 8 and 9 pm"
    if let (
        Some(Mark::Clock { either_half: first, hour: from_hour, .. }),
        Some(Mark::Clock { either_half: false, hour, .. }),
    ) = (&mut from.time, &to.time)
        && *first
        && *hour > 12
        && *from_hour + 12 < *hour
    {
        (*first, *from_hour) = (false, *from_hour + 12);
    }
    When { relation: TimeRelation::Between, point: from, to: Some(to) }
}

/// A day, a part of a day and a time of day in any order. `hour`: a number alone is an hour. `bound`: a preposition stands
/// before it.
fn point(words: Words, place: usize, hour: bool, bound: bool) -> Option<(Point, usize)> {
    let mut found = Point::default();
    let (mut length, mut hour, mut bound) = (0, hour, bound);
    for _ in 0..4 {
        let mut from = length;
        if length > 0 {
            let joint = words.ahead(place, length);
            if joint.is_empty() {
                break;
            }
            if matches!(joint, "at" | "on" | "in" | "around" | "about" | "during") {
                (hour, bound, from) = (matches!(joint, "at" | "around" | "about"), true, length + 1);
                if words.ahead(place, from).is_empty() {
                    break;
                }
            } else {
                (hour, bound) = (false, found.day.is_some());
            }
        }
        let at = place + from;
        if found.part.is_none()
            && let Some((implied, part, more)) = part(words, at, bound)
            && (implied.is_none() || found.day.is_none())
        {
            found.part = Some(part);
            found.day = found.day.or(implied);
            length = from + more;
        } else if found.day.is_none()
            && let Some((day, more)) = day(words, at, bound)
        {
            found.day = Some(day);
            length = from + more;
        } else if found.time.is_none()
            && let Some((time, more)) = clock(words, at, hour)
        {
            found.time = Some(time);
            length = from + more;
        } else {
            break;
        }
    }
    (length > 0).then_some((found, length))
}

/// Times in the medium, and spans before now.
fn in_medium(words: Words, place: usize) -> Option<(When, usize)> {
    let ahead = |offset| words.ahead(place, offset);
    let mark = |mark, length| {
        Some((
            When { relation: TimeRelation::At, point: Point { time: Some(mark), ..Point::default() }, to: None },
            length,
        ))
    };
    let medium_behind = |length: usize| medium_behind(words, place, length);
    let word = words.at(place);
    // "in the first two minutes", "during the last hour", "the last 30 seconds"
    let preposition = usize::from(matches!(word, "in" | "within" | "during" | "for" | "over"));
    let the = preposition + usize::from(ahead(preposition) == "the");
    let side = ahead(the);
    if matches!(side, "first" | "opening" | "last" | "final" | "past" | "closing") && the > 0 {
        let found = match unit_s(ahead(the + 1)) {
            Some(unit_s) => Some((unit_s, 1)),
            None => (!ahead(the + 1).is_empty()).then(|| duration_s(words, place + the + 1)).flatten(),
        };
        if let Some((seconds, more)) = found {
            let length = the + 1 + more;
            let made =
                if matches!(side, "first" | "opening") { Mark::Opening(seconds) } else { Mark::Closing(seconds) };
            return mark(made, length + medium_behind(length));
        }
    }
    match word {
        "at" | "in" | "near" | "from" | "by" | "towards" => {
            let the = 1 + usize::from(ahead(1) == "the") + usize::from(ahead(2) == "very");
            let edge = match ahead(the) {
                "beginning" | "start" => Mark::Start,
                "middle" => Mark::Middle,
                "end" if word != "in" => Mark::End,
                "minute" | "second" => {
                    let (number, length) =
                        (!ahead(the + 1).is_empty()).then(|| whole(words, place + the + 1)).flatten()?;
                    return mark(Mark::Into(f64::from(number) * unit_s(ahead(the))?), the + 1 + length);
                }
                _ => {
                    // "at the two minute mark"
                    let (seconds, length) =
                        (!ahead(the).is_empty()).then(|| duration_s(words, place + the)).flatten()?;
                    let mark_at = the + length;
                    let into = matches!(ahead(mark_at), "mark" | "in" | "into");
                    return (word == "at" && into)
                        .then(|| mark(Mark::Into(seconds), mark_at + 1 + medium_behind(mark_at)))
                        .flatten();
                }
            };
            let behind = medium_behind(the + 1);
            // "at the end of the street" is a place, "in the middle of" an activity another matter
            if behind == 0 && ahead(the + 1) == "of" || the == 1 {
                return None;
            }
            mark(edge, the + 1 + behind)
        }
        "halfway" => mark(Mark::Middle, 1 + medium_behind(1)),
        "after" => {
            let (seconds, length) = (!ahead(1).is_empty()).then(|| duration_s(words, place + 1)).flatten()?;
            // "after two minutes of rain" is not a time of the medium
            let length = 1 + length;
            let behind = medium_behind(length);
            (behind > 0 || ahead(length) != "of").then(|| mark(Mark::Into(seconds), length + behind)).flatten()
        }
        _ => {
            let (seconds, length) = duration_s(words, place)?;
            match ahead(length) {
                "ago" => mark(Mark::Ago(seconds), length + 1),
                "in" | "into" => {
                    let behind = medium_behind(length);
                    (behind > 0 || words.ahead(place, length + 1).is_empty())
                        .then(|| mark(Mark::Into(seconds), length + behind.max(1)))
                        .flatten()
                }
                _ => None,
            }
        }
    }
}
