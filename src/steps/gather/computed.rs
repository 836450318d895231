//! Answers that follow from lines alone: counts, durations, times, lists, and the one activity, thing or name of them.

use super::{
    LogLine, MAX_LINES, asks_for_all, parts, speech,
    superlative::superlative,
    topic::{Index, Topic},
};
use crate::{
    prompt::english::{FUNCTION, listed, words},
    query::{Asks, Order, Query, SMALL_NUMBERS},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::collections::HashSet;

/// A question with the lines that were chosen for it.
#[derive(Clone, Copy)]
struct AskedOf<'a> {
    question: &'a str,
    query: &'a Query,
    chosen: &'a [usize],
    topic: &'a Topic,
    index: &'a Index,
    log: &'a [LogLine],
}

/// The answer, if the chosen lines decide it without a language model.
pub(super) fn computed(
    question: &str,
    query: &Query,
    chosen: &[usize],
    topic: &Topic,
    index: &Index,
    log: &[LogLine],
    zone: &str,
) -> Option<String> {
    if let Some(most) = superlative(question, query, chosen, log) {
        return Some(most);
    }
    // a log names no colours
    if !query.parsed
        || words(question).iter().any(|word| listed("colour colours color colors", word)) && !topic.is_speech
    {
        return None;
    }
    let asked_of = AskedOf { question, query, chosen, topic, index, log };
    if let Some(said) = said(asked_of) {
        return Some(said);
    }
    let asks_name =
        matches!(query.asks, Asks::Who | Asks::List | Asks::What | Asks::Which | Asks::Other) && topic.is_meeting;
    if asks_name && !topic.is_reason {
        let names: Vec<&str> = chosen.iter().filter_map(|place| name_in(parts(&log[*place].text).heard)).collect();
        // "from 10:00 to 20:00" asks for all
        let is_one = query.order.is_none() && query.asks != Asks::List && !is_span(query);
        let fits = if is_one { names.len() == 1 } else { !names.is_empty() };
        return fits.then(|| sentence(&joined(&names)));
    }
    if topic.is_reason
        && let Some(errand) = errand(chosen, topic, log)
    {
        return Some(errand);
    }
    if topic.is_pledge
        && matches!(query.asks, Asks::What | Asks::Which | Asks::Other)
        && let Some(pledge) = pledge(chosen, log)
    {
        return Some(pledge);
    }
    match query.asks {
        Asks::HowMany => Some(times(events(chosen, topic, index))),
        Asks::YesNo if is_decided(question) && !topic.is_open() && index.knows(topic) => Some("Yes.".to_owned()),
        Asks::HowLong => {
            let seconds: f64 = chosen.iter().map(|place| log[*place].end - log[*place].start).sum();
            (log[*chosen.first()?].clock.is_none()).then(|| duration(seconds))
        }
        Asks::When => told_when(question, query, chosen, log, zone),
        Asks::HowManyDays => days(chosen, log, zone),
        Asks::HowManyOf => people(query, chosen, topic, log),
        Asks::List | Asks::Which | Asks::What | Asks::Where | Asks::Other => {
            let all = query.order == Order::Every || query.asks == Asks::List || asks_for_all(question);

            match all {
                true => listed_parts(question, chosen, topic, index, log),
                false if query.asks == Asks::Where => None,
                false => one_part(asked_of),
            }
        }
        _ => None,
    }
}

/// True if the question names the beginning and the end of a time.
fn is_span(query: &Query) -> bool {
    query.when.as_ref().is_some_and(|when| when.to.is_some())
}

/// True if lines with all words decide a yes-or-no question: it is about what the wearer did or saw. "Was the clock a present?" is not.
fn is_decided(question: &str) -> bool {
    words(question).iter().any(|word| listed("i there see saw seen with around", word))
}

/// What somebody sends the wearer to a place for: "go to the gym and fetch the trophy". None if two sentences send him there.
fn errand(chosen: &[usize], topic: &Topic, log: &[LogLine]) -> Option<String> {
    let purpose = |sentence: &str| {
        let (_, journey) = sentence.split_once("go to ")?;
        let (place, purpose) = journey.split_once(" and ")?;
        topic.is_in_text(place).then(|| purpose.to_owned())
    };
    only(sentences(chosen, log).filter_map(purpose))
}

/// What somebody promises: "I promise to call Tom." None if two sentences promise.
fn pledge(chosen: &[usize], log: &[LogLine]) -> Option<String> {
    let promised = |sentence: &str| {
        let (before, promised) = sentence.split_once(" promise to ")?;
        before.to_lowercase().ends_with('i').then(|| promised.to_owned())
    };
    only(sentences(chosen, log).filter_map(promised))
}

/// The sentences that are heard in lines.
fn sentences<'a>(chosen: &'a [usize], log: &'a [LogLine]) -> impl Iterator<Item = &'a str> {
    chosen.iter().flat_map(|place| speech(&log[*place].text).split_inclusive(['.', '?', '!'])).map(str::trim)
}

/// The only one of some purposes, as an answer: "To call Tom."
fn only(purposes: impl Iterator<Item = String>) -> Option<String> {
    let mut found: Vec<String> =
        purposes.map(|purpose| purpose.trim().trim_end_matches(['.', '?', '!']).to_owned()).collect();
    found.dedup();
    let [only] = &found[..] else { return None };
    Some(format!("To {only}."))
}

/// The start of a line as the log shows it.
fn start_of(line: &LogLine) -> String {
    match line.clock.as_deref().and_then(|clock| clock.split('-').next()) {
        Some(clock) => clock.to_owned(),
        None => crate::prompt::filters::clock(line.start),
    }
}

/// The time of the chosen line, and its day where the question or the log is about several.
fn told_when(question: &str, query: &Query, chosen: &[usize], log: &[LogLine], zone: &str) -> Option<String> {
    let asked = words(question);
    let has = |list: &str| asked.iter().any(|word| listed(list, word));
    let zone = crate::value::wall::zone(zone)?;
    let day = |line: &LogLine| Some(local_day(line, &zone)?.strftime("%A").to_string());
    if query.order == Order::Every {
        let mut days: Vec<String> = chosen.iter().map(|place| day(&log[*place])).collect::<Option<_>>()?;
        days.dedup();
        return Some(format!("On {}.", joined(&days.iter().map(String::as_str).collect::<Vec<_>>())));
    }
    let place = if matches!(query.order, Order::Last | Order::None) { chosen.last() } else { chosen.first() };
    let line = &log[*place?];
    let at = start_of(line);
    let is_of_days =
        has("day days date") || (query.when.is_none() && log.iter().any(|other| other.medium != line.medium));
    match day(line).filter(|_| is_of_days) {
        Some(day) if has("day days date") && !has("time hour clock") => Some(format!("On {day}.")),
        Some(day) => Some(format!("On {day} at {at}.")),
        // the day is not known
        None if has("day days date") && !has("time hour clock") => None,
        None => Some(format!("At {at}.")),
    }
}

/// The local day on which a line begins; `None` if its time is unknown.
fn local_day(line: &LogLine, zone: &TimeZone) -> Option<Date> {
    let at = Timestamp::from_millisecond(line.wall_ms?.0).ok()?;
    Some(at.to_zoned_datetime(zone.clone()).date())
}

/// The number of days of the chosen lines.
fn days(chosen: &[usize], log: &[LogLine], zone: &str) -> Option<String> {
    let zone = crate::value::wall::zone(zone)?;
    let mut days: Vec<Date> = chosen.iter().map(|place| local_day(&log[*place], &zone)).collect::<Option<_>>()?;
    days.sort_unstable();
    days.dedup();
    Some(match days.len() {
        1 => "One day.".to_owned(),
        2 => "Two days.".to_owned(),
        more => times(more).replace("times", "days"),
    })
}

/// The places or the activities of the chosen lines, in order, if the question asks for all of them.
fn listed_parts(question: &str, chosen: &[usize], topic: &Topic, index: &Index, log: &[LogLine]) -> Option<String> {
    if topic.is_speech {
        return None;
    }
    let words = words(question);
    let has = |list: &str| words.iter().any(|word| listed(list, word));
    if has("thing things object objects item items") && has("see saw seen spot there") {
        return in_order(chosen.iter().flat_map(|place| parts(&log[*place].text).things()), true);
    }
    let of_place = has("place places room rooms location locations where");
    let part = |place: &usize| {
        let parts = parts(&log[*place].text);
        if of_place { parts.place } else { parts.activity }
    };
    // a narrowed list of places would name the place that the question names
    if of_place && index.has_place(topic) {
        return None;
    }
    let is_long = chosen.len() > MAX_LINES && !has("order");
    in_order(chosen.iter().map(part).filter(|name| !name.is_empty()), is_long)
}

/// Names as a sentence, in order. `once`: each name once; else only neighbours that repeat are left out.
fn in_order<'a>(names: impl Iterator<Item = &'a str>, once: bool) -> Option<String> {
    let mut named: Vec<&str> = Vec::new();
    for name in names {
        let repeats = if once { named.contains(&name) } else { named.last() == Some(&name) };
        if !repeats {
            named.push(name);
        }
    }
    (!named.is_empty()).then(|| sentence(&joined(&named)))
}

/// What was said in the chosen lines, if the question asks for the words.
fn said(asked_of: AskedOf) -> Option<String> {
    let AskedOf { question, query, chosen, topic, index, log } = asked_of;
    const SAYING: &str = "say said says saying heard hear words spoken speak spoke told tell talk talked ask asked";
    /// More sentences than these are read by the mind.
    const MOST: usize = 4;
    let asks = matches!(query.asks, Asks::What | Asks::Which | Asks::List | Asks::Other);
    let asked = words(question);
    let is_plain = topic.is_speech && !topic.is_meeting && !topic.is_reason && !topic.is_pledge;
    if !(asks && is_plain && asked.iter().any(|word| listed(SAYING, word))) {
        return None;
    }
    let sentences = chosen.iter().flat_map(|place| {
        let heard = speech(&log[*place].text);
        // "about the medal": only the sentences with the word
        let is_about = !topic.is_open() && (topic.is_about || !index.shows(topic, &[*place]));
        heard.split_inclusive(['.', '?', '!']).map(str::trim).filter(move |said| !is_about || topic.is_in_text(said))
    });
    let mut found: Vec<String> = sentences.filter(|said| !said.is_empty()).map(capitalised).collect();
    found.dedup();
    (1..=MOST).contains(&found.len()).then(|| found.join(" "))
}

/// The name that somebody says: the word after an introduction.
fn name_in(heard: &str) -> Option<&str> {
    const BEFORE: [&str; 4] = ["my name is ", "i am ", "i'm ", "call me "];
    let lower = heard.to_ascii_lowercase();
    let start = BEFORE.iter().find_map(|phrase| Some(lower.find(phrase)? + phrase.len()))?;
    let name = heard[start..].split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty())?;
    // "i am very tired" says no name
    (!listed(FUNCTION, &name.to_lowercase())).then_some(name)
}

/// The people of the chosen lines, if all have the same number of them.
fn people(query: &Query, chosen: &[usize], topic: &Topic, log: &[LogLine]) -> Option<String> {
    let asked = words(&query.topic);
    // "How many different places was I in?"
    if asked.iter().any(|word| listed("places rooms", word)) && topic.is_open() {
        let places: HashSet<&str> = chosen.iter().map(|place| parts(&log[*place].text).place).collect();
        return Some(counted(places.len(), "place"));
    }
    if topic.is_meeting {
        let names: HashSet<&str> = chosen.iter().filter_map(|place| name_in(parts(&log[*place].text).heard)).collect();
        return (!names.is_empty()).then(|| counted(names.len(), "person").replace("persons", "people"));
    }
    if !asked.iter().any(|word| listed("people persons person", word)) {
        return None;
    }
    let mut seen = chosen.iter().map(|place| parts(&log[*place].text).people);
    let first = seen.next()?;
    seen.all(|other| other == first).then(|| if first.is_empty() { "Nobody.".to_owned() } else { sentence(first) })
}

/// The activity, or the thing, of the chosen lines, if the question asks for it and all have the same one.
fn one_part(asked_of: AskedOf) -> Option<String> {
    let AskedOf { question, query, chosen, topic, index, log } = asked_of;
    const DOING: &str = "do doing did busy happened happen activity came next done carry carrying carried";
    const THING: &str = "thing things object objects item items";
    const SEEING: &str = "see saw seen view sight spot spotted visible notice noticed";
    let asked = words(question);
    let has = |list: &str| asked.iter().any(|word| listed(list, word));
    if topic.is_speech || has("place room where") {
        return None;
    }
    let was_there = asked.windows(2).any(|pair| listed("was were is are", &pair[0]) && pair[1] == "there");
    let of_thing = !has("doing") && (has(SEEING) || was_there || has(THING) && !has(DOING));
    let same = |part: fn(&str) -> String| {
        let mut all = chosen.iter().map(|place| part(&log[*place].text));
        let first = all.next().filter(|first| !first.is_empty())?;
        all.all(|other| other == first).then_some(first)
    };
    // "What animal did I see?": the words of the log that the question's word covers
    if let Some(covered) = topic.covered(index, chosen.iter().map(|place| log[*place].text.as_str())) {
        return in_order(covered.iter().map(String::as_str), true);
    }
    if of_thing && (topic.is_open() || index.shows_place(topic, chosen)) {
        return same(|text| parts(text).things().collect::<Vec<_>>().join(", ")).map(|seen| {
            let named: Vec<String> = seen.split(", ").map(|thing| format!("the {thing}")).collect();
            sentence(&joined(&named.iter().map(String::as_str).collect::<Vec<_>>()))
        });
    }
    // "What came next?", "the last activity"
    let of_event = query.beside.is_some() || !query.order.is_none();
    // "What did I do between 10:00 and 10:30?"
    if is_span(query) && has(DOING) && topic.is_open() && chosen.len() <= MAX_LINES {
        let all = chosen.iter().map(|place| parts(&log[*place].text).activity);
        return in_order(all.filter(|activity| !activity.is_empty()), false);
    }
    if has(DOING) || of_event && topic.is_open() {
        same(|text| parts(text).activity.to_owned()).map(|activity| sentence(&activity))
    } else {
        None
    }
}

/// Phrases as a list: `a, b and c`.
pub(super) fn joined(phrases: &[&str]) -> String {
    match phrases.split_last() {
        None => String::new(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// The number of events. A place that is stayed in over several lines is visited once; each line is an activity of its own.
fn events(chosen: &[usize], topic: &Topic, index: &Index) -> usize {
    let of_place = |place: &usize| topic.is_in_place(&index.lines[*place]);
    if topic.is_open() || !chosen.iter().all(of_place) {
        return chosen.len();
    }
    let begins = |(number, place): (usize, &usize)| number == 0 || chosen[number - 1] + 1 != *place;
    chosen.iter().enumerate().filter(|(number, place)| begins((*number, place))).count()
}

/// A number of things in words: "one place", "seven places".
fn counted(count: usize, noun: &str) -> String {
    let number = SMALL_NUMBERS.get(count).map_or_else(|| count.to_string(), |word| (*word).to_owned());
    sentence(&format!("{number} {noun}{}", if count == 1 { "" } else { "s" }))
}

/// A number of times in words.
fn times(count: usize) -> String {
    const WORDS: [&str; 11] =
        ["Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve", "Thirteen"];
    match count {
        0 => "Never.".to_owned(),
        1 => "Once.".to_owned(),
        2 => "Twice.".to_owned(),
        more => match WORDS.get(more - 3) {
            Some(word) => format!("{word} times."),
            None => format!("{more} times."),
        },
    }
}

/// A duration in words.
fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (minutes, rest) = (whole / 60, whole % 60);
    let of = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match (minutes, rest) {
        (0, rest) => format!("{}.", of(rest, "second")),
        (minutes, 0) => format!("{}.", of(minutes, "minute")),
        (minutes, rest) => format!("{} and {}.", of(minutes, "minute"), of(rest, "second")),
    }
}

/// A phrase as a sentence.
pub(super) fn sentence(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{}.", capitalised(text)) }
}

/// A text with a capital.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
