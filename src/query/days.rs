//! Days and parts of the day: "yesterday evening", "on March 3rd 2026", "the week before last".

use super::clocks::{Words, whole};
use super::when::{Day, Month, PartOfDay, Weekday};

/// A day or several, with the number of its tokens. `bound`: a preposition stands before it, so that a word such as
/// "march" can be a month.
pub(super) fn day(words: Words, place: usize, bound: bool) -> Option<(Day, usize)> {
    let ahead = |offset| words.ahead(place, offset);
    let are = |list: &[&str]| words.are(place, list);
    let found = match words.at(place) {
        "today" | "today's" => (Day::Today, 1),
        "yesterday" | "yesterday's" => (Day::DaysAgo(1), 1),
        "tomorrow" | "tomorrow's" => (Day::Tomorrow, 1),
        "the" if are(&["the", "day", "before", "yesterday"]) => (Day::DaysAgo(2), 4),
        "the" if are(&["the", "day", "after", "tomorrow"]) => return None,
        "the" if are(&["the", "week", "before", "last"]) => (Day::WeeksAgo(2), 4),
        "the" if are(&["the", "month", "before", "last"]) => (Day::MonthsAgo(2), 4),
        "the" if ahead(1) == "weekend" && bound => (Day::Weekend { last: false }, 2),
        "the" if matches!(ahead(1), "last" | "past" | "previous") => {
            let (days, length) = last_days(words, place + 1, 2)?;
            (days, length + 1)
        }
        "the" => {
            let (found, length) = date(words, place + 1)?;
            (found, length + 1)
        }
        "this" | "last" | "past" | "previous" => return this_or_last(words, place),
        _ => match date(words, place).or_else(|| ago(words, place)) {
            Some(found) => found,
            None => weekday_or_month(words, place, bound)?,
        },
    };
    Some(found)
}

fn weekday(word: &str) -> Option<Weekday> {
    let word = word.strip_suffix("'s").unwrap_or(word);
    match word {
        "tues" => Some(Weekday::Tuesday),
        "weds" => Some(Weekday::Wednesday),
        "thur" | "thurs" => Some(Weekday::Thursday),
        _ => Weekday::of(word).filter(|_| word.len() > 4),
    }
}

fn weekday_or_month(words: Words, place: usize, bound: bool) -> Option<(Day, usize)> {
    if let Some(weekday) = weekday(words.at(place)) {
        return Some((Day::Weekday { weekday, last: false }, 1));
    }
    if bound && let Some(year) = year(words.at(place)) {
        return Some((Day::InYear(year), 1));
    }
    let word = words.at(place);
    let month = Month::of(word).filter(|_| bound && word.len() > 2)?;
    Some(match year(words.ahead(place, 1)) {
        Some(year) => (Day::InMonth { month, year: Some(year) }, 2),
        None => (Day::InMonth { month, year: None }, 1),
    })
}

/// "this week", "last Tuesday", "last month", "last three days".
fn this_or_last(words: Words, place: usize) -> Option<(Day, usize)> {
    let last = words.at(place) != "this";
    let unit = words.ahead(place, 1);
    let ago = u32::from(last);
    let found = match unit {
        "week" | "week's" => Day::WeeksAgo(ago),
        "month" => Day::MonthsAgo(ago),
        "year" => Day::YearsAgo(ago),
        "weekend" => Day::Weekend { last },
        _ => match (weekday(unit), Month::of(unit)) {
            (Some(weekday), _) => Day::Weekday { weekday, last },
            (None, Some(month)) if unit.len() > 2 && last => Day::InMonth { month, year: None },
            _ => return last.then(|| last_days(words, place, 1)).flatten(),
        },
    };
    Some((found, 2))
}

/// "last three days", from the word `last`. `least`: how many days there must be.
fn last_days(words: Words, place: usize, least: u32) -> Option<(Day, usize)> {
    if words.ahead(place, 1) == "week" {
        return Some((Day::LastDays(7), 2));
    }
    let (number, length) = (!words.ahead(place, 1).is_empty()).then(|| whole(words, place + 1)).flatten()?;
    let days = match words.ahead(place, 1 + length) {
        "days" | "day" => number,
        "weeks" => number.checked_mul(7)?,
        _ => return None,
    };
    (days >= least && days < 100_000).then_some((Day::LastDays(days), length + 2))
}

/// "two days ago", "a week ago".
fn ago(words: Words, place: usize) -> Option<(Day, usize)> {
    let (number, length) = match words.at(place) {
        "a" if words.are(place, &["a", "couple", "of"]) => (2, 3),
        "a" | "an" => (1, 1),
        _ => whole(words, place)?,
    };
    if words.ahead(place, length + 1) != "ago" || number > 100_000 {
        return None;
    }
    let day = match words.ahead(place, length) {
        "day" | "days" => Day::DaysAgo(number),
        "week" | "weeks" => Day::WeeksAgo(number),
        "fortnight" => Day::WeeksAgo(number.checked_mul(2)?),
        "month" | "months" => Day::MonthsAgo(number),
        "year" | "years" => Day::YearsAgo(number),
        _ => return None,
    };
    Some((day, length + 2))
}

/// "2026-03-03", "3 March", "the 3rd of March 2026", "March 3rd".
fn date(words: Words, place: usize) -> Option<(Day, usize)> {
    let ahead = |offset| words.ahead(place, offset);
    let word = words.at(place);
    if let [year, month, day] = word.split('-').collect::<Vec<_>>()[..]
        && let (Ok(year), Ok(month), Ok(day)) = (year.parse::<i16>(), month.parse::<usize>(), day.parse::<u8>())
    {
        let month = *Month::ALL.get(month.checked_sub(1)?)?;
        return (1..=31).contains(&day).then_some((Day::Date { year: Some(year), month: Some(month), day }, 1));
    }
    let (month, day, length) = if let Some(day) = day_number(word) {
        let of = usize::from(ahead(1) == "of");
        (Month::of(ahead(1 + of))?, day, 2 + of)
    } else {
        let month = Month::of(word)?;
        let the = usize::from(ahead(1) == "the");
        (month, day_number(ahead(1 + the))?, 2 + the)
    };
    // a year may follow a comma
    let next = words.at(place + length);
    Some(match year(next).filter(|_| length > 0) {
        Some(year) => (Day::Date { year: Some(year), month: Some(month), day }, length + 1),
        None => (Day::Date { year: None, month: Some(month), day }, length),
    })
}

/// "the 3rd": a day of a month that is not named. The caller has read "on".
pub(super) fn day_of_month(words: Words, place: usize) -> Option<(Day, usize)> {
    let word = words.ahead(place, 1);
    let ordinal = word.len() > 2 && !word.bytes().all(|byte| byte.is_ascii_digit());
    let day = day_number(word).filter(|_| ordinal && words.at(place) == "the")?;
    Some((Day::Date { year: None, month: None, day }, 2))
}

/// 1 to 31, with or without an ordinal's ending.
fn day_number(word: &str) -> Option<u8> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending)).unwrap_or(word);
    let number =
        digits.parse().ok().filter(|_| digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    (1..=31).contains(&number).then_some(number)
}

fn year(word: &str) -> Option<i16> {
    word.parse().ok().filter(|year| word.len() == 4 && (1900..=2199).contains(year))
}

/// A part of a day with the day that it implies ("this morning", "last night"), and the number of tokens. `bound`: a day
/// or a preposition stands before it.
pub(super) fn part(words: Words, place: usize, bound: bool) -> Option<(Option<Day>, PartOfDay, usize)> {
    let named = |word: &str| {
        Some(match word {
            "morning" | "mornings" | "morning's" => PartOfDay::Morning,
            "lunchtime" => PartOfDay::Midday,
            "afternoon" | "afternoons" => PartOfDay::Afternoon,
            "evening" | "evenings" => PartOfDay::Evening,
            "night" | "nights" => PartOfDay::Night,
            _ => return None,
        })
    };
    let ahead = |offset| words.ahead(place, offset);
    match words.at(place) {
        "tonight" => Some((Some(Day::Today), PartOfDay::EveningOrNight, 1)),
        "last" if ahead(1) == "night" => Some((Some(Day::DaysAgo(1)), PartOfDay::EveningOrNight, 2)),
        "last" if ahead(1) == "evening" => Some((Some(Day::DaysAgo(1)), PartOfDay::Evening, 2)),
        "every" | "each" => named(ahead(1)).map(|part| (None, part, 2)),
        "my" => named(ahead(1)).map(|part| (None, part, 2)),
        "this" => named(ahead(1)).map(|part| (Some(Day::Today), part, 2)),
        "the" if words.are(place, &["the", "night", "before", "last"]) => {
            Some((Some(Day::DaysAgo(2)), PartOfDay::EveningOrNight, 4))
        }
        "the" if bound => {
            let skip = 1 + usize::from(matches!(ahead(1), "early" | "late"));
            named(ahead(skip)).map(|part| (None, part, skip + 1))
        }
        word if bound => named(word).map(|part| (None, part, 1)),
        _ => None,
    }
}
