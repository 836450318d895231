//! The behaviour of the filters that dialogues add to minijinja's.

use super::{
    convert::{self, MomentShown},
    english::{asks_about_speech, asks_yes_or_no, keywords, words},
    language::language,
    work::{brief, items, spend, text_of, walk, wrong},
};
use crate::value::{Moment, Value};
use minijinja::{
    Environment, Error, State,
    value::{Rest, Value as Shown},
};

pub(super) fn add_to(engine: &mut Environment<'static>) {
    add_of_text(engine, "lines", lines);
    add_of_text(engine, "words", words);
    add_of_text(engine, "keywords", keywords);
    add_of_text(engine, "asks_yes_or_no", asks_yes_or_no);
    add_of_text(engine, "asks_about_speech", asks_about_speech);
    add_of_text(engine, "language", language);
    engine.add_test("none", convert::is_nothing);
    super::vectors::add_to(engine);
    engine.add_filter("runs", runs);
    engine.add_filter("absorb", absorb);
    engine.add_filter("smooth", smooth);
    engine.add_filter("flatten", flatten);
    engine.add_filter("tally", tally);
    engine.add_filter("clock", clock_filter);
    engine.add_filter("span", span);
    engine.add_filter("numbered", numbered_filter);
    engine.add_filter("overlapping", |state: &mut State, list: &Shown, start: f64, end: f64| {
        // an item without duration overlaps if it lies inside
        timed(state, list, |a, b| (a < end && b > start) || (a == b && a >= start && a < end))
    });
    engine.add_filter("within", |state: &mut State, list: &Shown, start: f64, end: f64| {
        timed(state, list, |a, b| (start..end).contains(&((a + b) / 2.0)))
    });
}

/// Adds a filter of a text alone.
fn add_of_text<T: Into<Shown> + 'static>(engine: &mut Environment<'static>, name: &'static str, filter: fn(&str) -> T) {
    engine.add_filter(name, move |state: &mut State, text: &Shown| {
        Ok::<Shown, Error>(filter(&text_of(state, text)?).into())
    });
}

/// The lines of a text without numbering, bullets and empty lines.
pub fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| unmarked(line).to_owned()).filter(|line| !line.is_empty()).collect()
}

/// A line without its bullet or number (`1.`, `2)`, `(3)`).
fn unmarked(line: &str) -> &str {
    let line = line.trim();
    if let Some(rest) = ["- ", "* ", "• ", "– "].iter().find_map(|bullet| line.strip_prefix(bullet)) {
        return rest.trim();
    }
    let open = line.strip_prefix('(').unwrap_or(line);
    let digits = open.len() - open.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if digits == 0 || digits > 3 {
        return line;
    }
    let rest = &open[digits..];
    match rest.strip_prefix(['.', ')', ':']) {
        // the start of "2.5 litres" is not a number of a list
        Some(after) if after.is_empty() || after.starts_with(char::is_whitespace) => after.trim(),
        _ => line,
    }
}

fn runs(state: &mut State, list: &Shown, fields: Rest<Shown>) -> Result<Shown, Error> {
    let mut names = Vec::new();
    for field in fields.iter() {
        match field.as_str() {
            Some(name) => names.push(name.to_owned()),
            None => {
                for name in items(state, field)? {
                    names.push(text_of(state, &name)?);
                }
            }
        }
    }
    let key = |item: &Shown| -> Result<Vec<Shown>, Error> {
        if names.is_empty() {
            return Ok(vec![item.clone()]);
        }
        names.iter().map(|name| item.get_attr(name)).collect()
    };
    let mut groups: Vec<(Vec<Shown>, Vec<Shown>)> = Vec::new();
    for item in items(state, list)? {
        let key = key(&item)?;
        // a comparison walks keys to their ends
        key.iter().try_for_each(|part| walk(state, part))?;
        match groups.last_mut() {
            Some((last, group)) if *last == key => group.push(item),
            _ => groups.push((key, vec![item])),
        }
    }
    Ok(groups.into_iter().map(|(_, group)| Shown::from(group)).collect::<Vec<_>>().into())
}

fn absorb(state: &mut State, list: &Shown, least: usize) -> Result<Shown, Error> {
    let mut groups: Vec<Vec<Shown>> = Vec::new();
    for group in items(state, list)? {
        let group = items(state, &group)?;
        match groups.last_mut() {
            // a short first group takes the following one
            Some(last) if group.len() < least || (last.len() < least) => last.extend(group),
            _ => groups.push(group),
        }
    }
    Ok(groups.into_iter().map(Shown::from).collect::<Vec<_>>().into())
}

fn smooth(state: &mut State, list: &Shown, width: usize) -> Result<Shown, Error> {
    let texts = items(state, list)?;
    let reach = (width / 2).min(texts.len());
    // every text is compared with every other text around it
    spend(state, texts.len().saturating_mul(2 * reach + 1).saturating_mul(2 * reach + 1))?;
    let smoothed = (0..texts.len()).map(|i| {
        let around = &texts[i.saturating_sub(reach)..(i + reach + 1).min(texts.len())];
        let votes = |text: &Shown| around.iter().filter(|other| *other == text).count();
        let max_votes = around.iter().map(votes).max().unwrap_or(0);
        let winner =
            if votes(&texts[i]) == max_votes { Some(&texts[i]) } else { around.iter().find(|t| votes(t) == max_votes) };
        winner.unwrap_or(&texts[i]).clone()
    });
    Ok(smoothed.collect::<Vec<_>>().into())
}

fn flatten(state: &mut State, list: &Shown) -> Result<Shown, Error> {
    let mut flat = Vec::new();
    for group in items(state, list)? {
        flat.extend(items(state, &group)?);
    }
    Ok(flat.into())
}

fn tally(state: &mut State, list: &Shown) -> Result<Shown, Error> {
    let mut counts: indexmap::IndexMap<String, usize> = indexmap::IndexMap::new();
    for item in items(state, list)? {
        *counts.entry(text_of(state, &item)?).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let all: usize = counts.iter().map(|(_, count)| count).sum();
    let record = |(text, count): (String, usize)| {
        let share = count as f64 / all as f64;
        let fields = [("text", Shown::from(text)), ("count", Shown::from(count)), ("share", Shown::from(share))];
        Shown::from_pairs(fields.map(|(name, value)| (name.to_owned(), value)))
    };
    Ok(counts.into_iter().map(record).collect::<Vec<_>>().into())
}

/// `MM:SS`, or `HH:MM:SS` from one hour on. Fractions of a second are cut off.
pub fn clock(seconds: f64) -> String {
    // a small margin, so that 8 s in ticks of 1/30 000 do not display as 7 s
    let whole = (seconds + 1e-6).floor();
    let (sign, whole) = if whole < 0.0 { ("-", -whole as u64) } else { ("", whole as u64) };
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{sign}{hours:02}:{minutes:02}:{seconds:02}")
    } else {
        format!("{sign}{minutes:02}:{seconds:02}")
    }
}

fn seconds(item: &Shown, name: &str) -> Result<f64, Error> {
    let value = item.get_attr(name)?;
    f64::try_from(value)
        .map_err(|_| wrong(format!("found no number `{name}` in {}, expected a time in seconds", brief(item))))
}

fn clock_filter(time: &Shown) -> Result<String, Error> {
    if time.is_number() {
        return Ok(clock(f64::try_from(time.clone())?));
    }
    let shown = time.downcast_object_ref::<MomentShown>();
    let own = shown.and_then(|MomentShown(moment)| moment.media.clock_at(moment.start.seconds()));
    own.map_or_else(|| Ok(clock(seconds(time, "start")?)), Ok)
}

fn span(state: &mut State, list: &Shown, text: Option<&Shown>) -> Result<Shown, Error> {
    let moments = items(state, list)?;
    let moment = |item: Option<&Shown>| {
        let item = item.ok_or_else(|| wrong("found an empty list, expected moments"))?;
        let moment = item.downcast_object_ref::<MomentShown>().map(|shown| shown.0.clone());
        moment.ok_or_else(|| wrong(format!("found {}, expected a moment", brief(item))))
    };
    let (first, last) = (moment(moments.first())?, moment(moments.last())?);
    let spanned = Moment { end: last.end, text: text.map(|text| text_of(state, text)).transpose()?, ..first };
    Ok(convert::shown(&Value::Moment(spanned)))
}

fn timed(state: &mut State, list: &Shown, keep: impl Fn(f64, f64) -> bool) -> Result<Shown, Error> {
    let mut kept = Vec::new();
    for item in items(state, list)? {
        if keep(seconds(&item, "start")?, seconds(&item, "end")?) {
            kept.push(item);
        }
    }
    Ok(kept.into())
}

/// One line of a log as a prompt shows it; `number` counts from 1. Times of the video's own clock (`08:10-09:06`), if
/// any, replace seconds. The text is data: it cannot look like another line, or like a turn of a chat.
pub fn numbered_line(number: usize, start: f64, end: f64, own: Option<&str>, text: &str) -> String {
    let text = as_data(text);
    match own {
        Some(own) => format!("[{number}] {own} {text}"),
        None => format!("[{number}] {}-{} {text}", clock(start), clock(end)),
    }
}

/// The words of a line that a speaker or a picture can put into it.
const MARKERS: [&str; 7] = ["heard:", "seen:", "with:", "text:", "question:", "answer:", "log:"];

/// A line's text on one line. Brackets become round ones, because `[3]` numbers lines and `<|` begins a turn of a chat. What was heard or read
/// loses the colon of words that have a meaning in prompts.
fn as_data(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(['[', '<'], "(").replace([']', '>'], ")");
    let parts = ["Heard: ", "Text: "].iter().filter_map(|marker| flat.split_once(marker).map(|parts| (marker, parts)));
    let Some((marker, (ours, theirs))) = parts.min_by_key(|(_, (ours, _))| ours.len()) else { return flat };
    let plain = |word: &str| match MARKERS.contains(&word.to_lowercase().as_str()) {
        true => word.trim_end_matches(':').to_lowercase(),
        false => word.to_owned(),
    };
    let plain = |text: &str| text.split(' ').map(plain).collect::<Vec<_>>().join(" ");
    // speech follows what was read; an entry's text has its own mark for it only once
    match theirs.rsplit_once(" Heard: ").filter(|_| *marker == "Text: ") {
        Some((read, heard)) => format!("{ours}{marker}{} Heard: {}", plain(read), plain(heard)),
        None => format!("{ours}{marker}{}", plain(theirs)),
    }
}

fn numbered_filter(state: &mut State, log: &Shown) -> Result<String, Error> {
    let mut lines = Vec::new();
    for (i, entry) in items(state, log)?.iter().enumerate() {
        let text = text_of(state, &entry.get_attr("text")?)?;
        let own = entry.get_attr("clock")?;
        let own = own.as_str().filter(|own| !own.is_empty());
        lines.push(numbered_line(i + 1, seconds(entry, "start")?, seconds(entry, "end")?, own, &text));
    }
    Ok(lines.join("\n"))
}
