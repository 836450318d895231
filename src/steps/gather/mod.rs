//! Chooses the few lines of a log that a question is about, and answers what can be computed from them: counts, durations, times and lists.
//!
//! The question is a typed query (`query`). Lines are chosen by time, by the event beside which the answer lies, by the words of the topic, and by
//! order. Words count in any inflection. Everything here is pure and reads no model.

mod alternatives;
mod asking;
mod computed;
mod lists;
mod parts;
mod plainer;
mod scope;
mod spelling;
mod spoken;
mod superlative;
mod topic;

use alternatives::alternatives;
use asking::{company, in_small_letters, reason};
use computed::computed;
pub(super) use parts::whereabouts;
use parts::{parts, speech};
use plainer::plainer;
use scope::scope;
use superlative::asks_for_most;
use topic::Index;

use super::entries::UNKNOWN_PLACE;
use crate::{
    prompt::english::{FUNCTION, content, listed, stems, words},
    query::{Asks, Beside, EventRelation, Order, Query, When, parse, without_day},
};

/// The most lines that a language model is given.
pub(super) const MAX_LINES: usize = 16;

/// So few chosen lines get their neighbours as well, unless the question names a time: then a neighbour would be wrong.
const FEW: usize = 2;

/// A line of a log, with its parts as the log's language writes them: `place, activity. With: … Seen: … Detected: … Heard: …`
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct LogLine {
    /// The medium's name; empty if the log is about one.
    pub medium: String,
    /// The start in seconds.
    pub start: f64,
    /// The end in seconds.
    pub end: f64,
    /// The times of the medium's own clock: `08:10-09:06`.
    pub clock: Option<String>,
    /// The wall-clock start and end in ms, if they are known.
    pub wall_ms: Option<(i64, i64)>,
    /// The whole text.
    pub text: String,
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Gathered {
    /// The places of the chosen lines, in order of time.
    pub lines: Vec<usize>,
    /// The places of the lines that fit, without neighbours.
    pub fitting: Vec<usize>,
    /// The answer, if it can be computed. It rests on the chosen lines.
    pub answer: Option<String>,
    /// The question for the mind: a plainer one, if a single line was chosen and its place is asked for.
    pub ask: Option<String>,
    /// The place that answers, as the log names it. An answer adds its preposition.
    pub place: Option<String>,
    /// What kind of answer the question expects.
    pub asks: Asks,
    /// The query in words, for people.
    pub searched: String,
    /// True if nothing can answer: the log has none of the words, or nothing was recorded then.
    pub is_missing: bool,
    /// True if every word of time, order and quantity of the question has its place.
    pub is_parsed: bool,
    /// True if the lines tell what the camera saw of the topic, and not only what somebody said.
    pub is_shown: bool,
}

impl Gathered {
    /// An answer that rests on these lines.
    fn answered(lines: Vec<usize>, answer: String) -> Gathered {
        Gathered { fitting: lines.clone(), lines, answer: Some(answer), ..Gathered::default() }
    }
}

/// Chooses lines for a question. `now_ms` and `zone` are those of the person who asks. A model's understanding takes the place of the grammar's.
pub(super) fn gather(question: &str, understood: Option<Query>, log: &[LogLine], now_ms: i64, zone: &str) -> Gathered {
    let mut index = Index::of(log);
    let written = question;
    let mut question = plainer(question, &index);
    if let Some((rest, other)) = excepted(&question) {
        index.leave_out(&other);
        question = rest;
    }
    let question = &question;
    let mut query = understood.unwrap_or_else(|| parse(question));
    // "What was the last place I was at?"
    let asked = words(question);
    let of_room = asked.windows(2).any(|pair| listed("which what last first", &pair[0]) && pair[1] == "room");
    let of_place = of_room || asked.iter().any(|word| listed("place spot location", word));
    if of_place && matches!(query.asks, Asks::What | Asks::Which | Asks::Other) && query.order != Order::Every {
        query.asks = Asks::Where;
    }
    let found = find(question, &query, &index, log, now_ms, zone);
    let ask = found.ask.or_else(|| (question != written).then(|| question.clone()));
    Gathered { is_parsed: query.parsed, ask, ..found }
}

fn find(question: &str, query: &Query, index: &Index, log: &[LogLine], now_ms: i64, zone: &str) -> Gathered {
    let chosen = choose(question, query, index, log, now_ms, zone);
    // a log of what the camera saw has no names
    let is_reported = spoken::is_reported(question) || query.asks == Asks::Who;
    if !is_reported && (chosen.answer.is_some() || chosen.is_shown) {
        return chosen;
    }
    // words of time may be somebody's ("call anna on tuesday"), or the time of the speech
    let all: Vec<usize> = (0..log.len()).collect();
    let is_clock = |when: &When| when.point.time.is_some();
    let in_words = || spoken::spoken(question, question, query, &all, log);
    let in_words = (!query.when.as_ref().is_some_and(is_clock)).then(in_words).flatten();
    let in_time = || {
        let scope = query.when.as_ref().and_then(|_| scope(query, log, now_ms, zone))?;
        spoken::spoken(question, &query.topic, query, &scope, log)
    };
    match in_words.or_else(in_time) {
        Some((lines, answer)) => {
            Gathered { fitting: lines.clone(), lines, answer: Some(answer), is_missing: false, ..chosen }
        }
        None => chosen,
    }
}

/// A question without what it leaves out, and that: "Apart from the garden, where else did I pick apples?"
fn excepted(question: &str) -> Option<(String, String)> {
    let lower = question.to_lowercase();
    let begins = ["apart from ", "besides ", "other than ", "except for ", "not counting "];
    let (begin, from) = begins.iter().find_map(|begin| Some((begin, lower.find(begin)?)))?;
    let rest = lower.get(from + begin.len()..)?;
    let length = rest.find([',', '?', '.', ';']).unwrap_or(rest.len());
    let kept = format!("{}{}", lower.get(..from)?, rest[length..].trim_start_matches([',', '.', ';']));
    Some((kept.replace(" else ", " ").trim().to_owned(), rest[..length].to_owned()))
}

/// What a question quotes, in small letters, if it is more than a word.
fn quoted(question: &str) -> Option<String> {
    let plain = question.replace(['\u{201c}', '\u{201d}'], "\"");
    let (_, rest) = plain.split_once('"')?;
    let (words, _) = rest.split_once('"')?;
    let words = words.trim().trim_end_matches(['.', '?', '!', ',']);
    words.contains(' ').then(|| words.to_lowercase())
}

/// The lines by time, event, words and order, and what follows from them.
fn choose(question: &str, query: &Query, index: &Index, log: &[LogLine], now_ms: i64, zone: &str) -> Gathered {
    let (asks, searched) = (query.asks, query.to_string());
    let missing = || Gathered { asks, searched: searched.clone(), is_missing: true, ..Gathered::default() };
    let Some(scope) = scope(query, log, now_ms, zone) else { return missing() };
    let event = query.beside.as_ref().and_then(|beside| event_of(&beside.event, beside.order, index, &scope));
    let scope = match (&query.beside, event) {
        (Some(beside), Some(event)) => beside_event(beside, event, query, &scope, index, log),
        (Some(_), None) => Vec::new(),
        (None, _) => scope,
    };
    if scope.is_empty() {
        return missing();
    }
    if let Some(found) = alternatives(question, query, &scope, index, log) {
        return Gathered { asks, searched, ..found };
    }
    // "Did I drop the keys?" asks for the dropping
    let mut topic = match query.asks {
        Asks::YesNo => index.whole_topic(&query.topic),
        _ => index.topic(&query.topic),
    };
    let ends_with_for = question.trim_end_matches(|c: char| !c.is_alphanumeric()).to_lowercase().ends_with(" for");
    topic.is_reason = query.asks == Asks::Why
        || ends_with_for && query.asks != Asks::HowLong
        || query.topic.to_lowercase().contains("reason");
    topic.is_speech |= topic.is_reason;
    // people say their first names only, and no names of animals
    let lower = question.to_lowercase();
    let owner = lower.split_once("'s name").and_then(|(before, _)| before.split(' ').next_back());
    let owner = owner.map(|owner| index.topic(owner)).filter(|owner| !owner.is_open());
    let is_pet = owner.is_some_and(|owner| index.shows(&owner, &scope));
    if is_pet || ["my name", "last name", "surname", "full name"].iter().any(|other| lower.contains(other)) {
        return Gathered { is_shown: is_pet, ..missing() };
    }
    topic.is_about =
        words(question).windows(2).any(|pair| listed("said say says told hear heard", &pair[0]) && pair[1] == "about");
    // "Where is the clip?" names nothing that the log could have, and no time either
    let is_free = query.when.is_none() && query.beside.is_none() && query.order.is_none() && !topic.is_speech;
    if topic.is_emptied && is_free && !matches!(query.asks, Asks::List | Asks::HowManyOf) {
        return missing();
    }
    let mut scope = scope;
    if let Some(words) = quoted(question) {
        scope.retain(|place| speech(&log[*place].text).to_lowercase().contains(&words));
        // what else the question says chooses nothing
        topic.terms.clear();
        (topic.is_speech, topic.is_meeting) = (true, false);
    }
    let found = index.matching(&topic, &scope);
    if let Some(answer) = company(question, query, &found, log) {
        let lines: Vec<usize> = found.into_iter().take(MAX_LINES).collect();
        return Gathered { asks, searched, is_shown: true, ..Gathered::answered(lines, answer) };
    }
    // a log shows what the wearer did not do, but not what the weather was not, and only if the camera saw a place or an activity
    let is_watched = || {
        let mut all = scope.iter().map(|place| parts(&log[*place].text));
        all.any(|parts| !parts.activity.is_empty() || !parts.place.is_empty() && parts.place != UNKNOWN_PLACE)
    };
    let yes_no = query.asks == Asks::YesNo && is_about_doing(question) && is_watched();
    if found.is_empty() && yes_no && query.parsed && !topic.is_open() {
        return Gathered { answer: Some("No.".into()), asks, searched, ..Gathered::default() };
    }
    // somebody only mentioned it
    if yes_no && query.parsed && !topic.is_open() && !topic.is_speech && !index.shows(&topic, &found) {
        return Gathered { answer: Some("No.".into()), asks, searched, is_shown: true, ..Gathered::default() };
    }
    if found.is_empty() {
        // what was said at a place is not what names the place
        let is_place = topic.is_speech && !topic.is_about && index.has_place(&topic);
        return Gathered { is_shown: is_place, ..missing() };
    }
    let chosen = ordered(question, query, found);
    let is_shown = topic.is_meeting || topic.is_reason || !topic.is_about && index.shows(&topic, &chosen);
    // what somebody only mentioned has no time, no length and no place of the wearer's
    let own = words(question).iter().any(|word| word == "i");
    let needs_sight =
        matches!(query.asks, Asks::When | Asks::HowLong | Asks::HowMany) || query.asks == Asks::Where && own;
    if needs_sight && !is_shown && !topic.is_speech && !topic.is_open() {
        return missing();
    }
    // what somebody only mentioned was neither done nor seen
    let may_follow = is_shown || topic.is_speech || query.asks == Asks::YesNo;
    let answer = may_follow.then(|| computed(question, query, &chosen, &topic, index, log, zone)).flatten();
    // "What did I write in my letter?" is not answered by "Writing a letter."
    let repeats = |answer: &String| {
        let (asked, said) = (stems(&[question]), words(answer));
        content(&said, &[FUNCTION]).iter().all(|(stem, _)| asked.contains(stem))
    };
    if matches!(query.asks, Asks::What | Asks::Which) && answer.as_ref().is_some_and(repeats) {
        return missing();
    }
    let is_where = query.asks == Asks::Where && (is_shown || query.when.is_some() && topic.is_open());
    let place = chosen.first().filter(|_| is_where && chosen.len() == 1).map(|only| parts(&log[*only].text).place);
    let place = place.filter(|place| !place.is_empty()).map(str::to_owned);
    let stay = place.as_ref().and(chosen.first()).map(|only| parts(&log[*only].text).activity);
    let stay =
        stay.filter(|activity| !activity.is_empty()).map(|activity| format!("Where was I when I was {activity}?"));
    let ask =
        stay.or_else(|| reason(&topic, log)).or_else(|| without_day(question)).or_else(|| in_small_letters(question));
    let mut lines: Vec<usize> = chosen.into_iter().take(MAX_LINES).collect();
    let mut fitting = lines.clone();
    fitting.sort_unstable();
    if answer.is_none() {
        // the mind needs the event to see what lies beside it, and reads a few lines better than one
        lines.extend(event);
        let alone = lines.clone();
        if alone.len() <= FEW && query.when.is_none() && place.is_none() {
            let beside = |place: &usize| [place.saturating_sub(1), place + 1].into_iter();
            let same_medium =
                |(place, near): &(usize, usize)| log.get(*near).is_some_and(|line| line.medium == log[*place].medium);
            let near = alone.iter().flat_map(|place| beside(place).map(|near| (*place, near)));
            lines.extend(near.filter(same_medium).map(|(_, near)| near));
        }
    }
    lines.sort_unstable();
    lines.dedup();
    lines.truncate(MAX_LINES);
    Gathered { lines, fitting, answer, place, ask, asks, searched, is_shown, ..Gathered::default() }
}

/// The line of an event that is described in words.
fn event_of(words: &str, order: Order, index: &Index, scope: &[usize]) -> Option<usize> {
    let found = index.matching(&index.topic(words), scope);
    match order {
        Order::First => found.first().copied(),
        Order::Nth(number) => found.get(usize::from(number).saturating_sub(1)).copied(),
        _ => found.last().copied(),
    }
}

/// The lines on the asked side of an event.
fn beside_event(
    beside: &Beside,
    event: usize,
    query: &Query,
    scope: &[usize],
    index: &Index,
    log: &[LogLine],
) -> Vec<usize> {
    let same_medium = |place: &usize| log[*place].medium == log[event].medium;
    let next = |place: usize| (place + 1..log.len()).take(1).filter(same_medium).collect::<Vec<_>>();
    let is_near = beside.near || index.topic(&query.topic).is_open() || query.order == Order::Next;
    match beside.relation {
        EventRelation::After | EventRelation::Since if is_near => next(event),
        EventRelation::After | EventRelation::Since => {
            scope.iter().copied().filter(|place| *place > event).filter(same_medium).collect()
        }
        EventRelation::Before | EventRelation::Until if is_near => {
            event.checked_sub(1).into_iter().filter(same_medium).collect()
        }
        EventRelation::Before | EventRelation::Until => {
            scope.iter().copied().filter(|place| *place < event).filter(same_medium).collect()
        }
        EventRelation::While => index.matching(&index.topic(&beside.event), scope),
        EventRelation::Between => {
            match beside.other.as_deref().and_then(|other| event_of(other, beside.order, index, scope)) {
                Some(other) => {
                    let (from, to) = (event.min(other), event.max(other));
                    scope.iter().copied().filter(|place| from < *place && *place < to).collect()
                }
                None => Vec::new(),
            }
        }
    }
}

/// True if the question is about what the person who asks did, or was: "did I …", "have I …", "was I …ing", "was I in …".
fn is_about_doing(question: &str) -> bool {
    let words = words(question);
    let pairs = words.windows(2).any(|pair| pair[1] == "i" && listed("did have had", &pair[0]));
    let was = words.windows(2).position(|pair| pair[1] == "i" && pair[0] == "was");
    let chooses = words.iter().any(|word| word == "or");
    let is_doing = |place: usize| words[place + 2..].iter().take(3).any(|word| word.ends_with("ing"));
    let is_there = |place: usize| words.get(place + 2).is_some_and(|word| listed("in at on inside near", word));
    !chooses && (pairs || was.is_some_and(|place| is_doing(place) || is_there(place)))
}

/// True if the question is about several places or activities.
fn asks_for_all(question: &str) -> bool {
    words(question).iter().any(|word| listed("places rooms locations activities things objects items", word))
}

/// The lines that the order of the query chooses. Counts, durations and lists need all of them.
fn ordered(question: &str, query: &Query, found: Vec<usize>) -> Vec<usize> {
    let takes_all = matches!(query.asks, Asks::HowMany | Asks::HowManyDays | Asks::List) || asks_for_most(question);
    match query.order {
        _ if takes_all => found,
        Order::First => found.into_iter().take(1).collect(),
        Order::Last => found.into_iter().last().into_iter().collect(),
        Order::Nth(number) => found.into_iter().nth(usize::from(number).saturating_sub(1)).into_iter().collect(),
        // the last place of a thing is where it is
        Order::None if query.asks == Asks::Where && !asks_for_all(question) => {
            found.into_iter().last().into_iter().collect()
        }
        Order::None | Order::Next | Order::Again | Order::Every => found,
    }
}

#[cfg(test)]
mod tests;
