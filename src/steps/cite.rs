//! Citations: a log as numbered lines, and the entries that a reply cites.

use super::{found, grounds};
use crate::{
    plan::StepError,
    prompt::filters::numbered_line,
    value::{Value, digest_of},
};
use indexmap::IndexMap;

/// One entry of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct LogEntry {
    /// The video's path, if the entry has one.
    pub video: Option<String>,
    /// The digest of the video's bytes, if the entry tells it.
    pub digest: Option<String>,
    /// The start, in seconds.
    pub start: f64,
    /// The end, in seconds.
    pub end: f64,
    /// The times on the video's own clock, if it has one: `08:10-09:06`.
    pub clock: Option<String>,
    /// The date and the local time of the start, if they are known.
    pub at: Option<String>,
    /// The event.
    pub text: String,
}

/// The entries of a log: moments with text, or records with `start`, `end`, `text` and optionally `clock`. Fails for
/// other values.
pub fn entries(log: &Value) -> Result<Vec<LogEntry>, StepError> {
    let Value::List(items) = log else {
        return Err(StepError(format!("found {} for `cite`, expected a list of entries", found(log))));
    };
    items.iter().map(entry).collect()
}

fn entry(item: &Value) -> Result<LogEntry, StepError> {
    match item {
        Value::Moment(moment) => Ok(LogEntry {
            video: Some(moment.media.path.clone()),
            digest: Some(moment.media.digest.clone()),
            start: moment.start.seconds(),
            end: moment.end.seconds(),
            clock: moment.clock(),
            at: moment.at(),
            text: moment.text.clone().unwrap_or_default(),
        }),
        Value::Record(fields) => {
            let missing = |name: &str| StepError(format!("found an entry without `{name}` for `cite`"));
            let number = |name: &str| match fields.get(name) {
                Some(Value::Number(number)) => Ok(*number),
                _ => Err(missing(name)),
            };
            let video = match fields.get("video").or_else(|| fields.get("media")) {
                Some(Value::Video(media) | Value::Audio(media)) => Some(media.path.clone()),
                Some(Value::Text(path)) => Some(path.clone()),
                _ => None,
            };
            let digest = match fields.get("media") {
                Some(Value::Video(media) | Value::Audio(media)) => Some(media.digest.clone()),
                _ => digest_of(fields),
            };
            let text = fields.get("text").map(crate::prompt::show).ok_or_else(|| missing("text"))?;
            let some = |name: &str| fields.get(name).map(crate::prompt::show).filter(|text| !text.is_empty());
            let (clock, at) = (some("clock"), some("at"));
            Ok(LogEntry { video, digest, start: number("start")?, end: number("end")?, clock, at, text })
        }
        other => Err(StepError(format!("found {} in the list for `cite`, expected moments or records", found(other)))),
    }
}

/// The log as a prompt shows it: a line `[1] 00:00-00:08 text` for each entry.
pub fn numbered(entries: &[LogEntry]) -> String {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = |(i, e): (usize, &LogEntry)| {
        numbered_line(i + 1, e.start, e.end, e.clock.as_deref().map(flat).as_deref(), &e.text)
    };
    entries.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// The answer of a reply: `{text, abstained, evidence: [{video, start, end, clock, text}]}`. Citations of missing lines
/// are dropped. With a `question`, an answer is dropped too if neither the question nor the cited entries support it.
/// The note names everything that was dropped.
pub fn answer(reply: &str, entries: &[LogEntry], question: Option<&str>) -> (Value, Option<String>) {
    let (text, cited) = split(reply);
    // an empty reply becomes an honest sentence instead of an empty line
    let text = if text.is_empty() { DONT_KNOW.to_owned() } else { text };
    let strange: Vec<String> = cited
        .iter()
        .filter(|number| !(1..=entries.len()).contains(*number))
        .map(|number| format!("[{number}]"))
        .collect();
    let note =
        (!strange.is_empty()).then(|| format!("dropped {}: the log has {} lines", strange.join(" "), entries.len()));
    let cited: Vec<&LogEntry> = cited.iter().filter_map(|number| entries.get(number.checked_sub(1)?)).collect();
    let (text, dropped) = supported(text, &cited, entries, question);
    let note = match (note, dropped) {
        (Some(note), Some(dropped)) => Some(format!("{note}; {dropped}")),
        (note, dropped) => note.or(dropped),
    };
    let abstained = abstains(&text);
    let evidence = if abstained { Vec::new() } else { cited.into_iter().map(record).collect() };
    let record = Value::Record(IndexMap::from([
        ("text".to_owned(), Value::Text(text)),
        ("abstained".to_owned(), Value::Truth(abstained)),
        ("evidence".to_owned(), Value::List(evidence)),
    ]));
    (record, note)
}

fn record(entry: &LogEntry) -> Value {
    let mut fields = IndexMap::from([
        ("video".to_owned(), entry.video.clone().map_or(Value::Nothing, Value::Text)),
        ("start".to_owned(), Value::Number(entry.start)),
        ("end".to_owned(), Value::Number(entry.end)),
        ("clock".to_owned(), entry.clock.clone().map_or(Value::Nothing, Value::Text)),
        ("text".to_owned(), Value::Text(entry.text.clone())),
    ]);
    for (name, text) in [("at", &entry.at), ("digest", &entry.digest)] {
        if let Some(text) = text {
            fields.insert(name.to_owned(), Value::Text(text.clone()));
        }
    }
    Value::Record(fields)
}

/// The text; or, if it is unsupported, the sentence that abstains and a note with the reason.
fn supported(text: String, cited: &[&LogEntry], log: &[LogEntry], question: Option<&str>) -> (String, Option<String>) {
    let Some(question) = question.filter(|_| !abstains(&text)) else { return (text, None) };
    let cited: Vec<&str> = cited.iter().map(|entry| entry.text.as_str()).collect();
    let log: Vec<&str> = log.iter().map(|entry| entry.text.as_str()).collect();
    match grounds::unsupported(question, &text, &cited, &log) {
        None => (text, None),
        Some(why) => (DONT_KNOW.to_owned(), Some(format!("dropped the answer `{text}`: {why}"))),
    }
}

/// The reply without its citations, and the cited numbers, each once, in order. Reads `[1][2]`, `[1, 2]` and `[1-3]`.
pub(super) fn split(reply: &str) -> (String, Vec<usize>) {
    let mut text = String::new();
    let mut cited = Vec::new();
    let mut rest = reply;
    while let Some(open) = rest.find('[') {
        let (before, inside) = rest.split_at(open);
        text.push_str(before);
        let numbers = inside.find(']').and_then(|close| Some((numbers(&inside[1..close])?, close)));
        match numbers {
            Some((numbers, close)) => {
                cited.extend(numbers);
                rest = &inside[close + 1..];
            }
            None => {
                text.push('[');
                rest = &inside[1..];
            }
        }
    }
    text.push_str(rest);
    let mut seen = std::collections::HashSet::new();
    cited.retain(|number| seen.insert(*number));
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = words.trim_start_matches([',', ';', ':', '.', '-', '–']).trim();
    // removes the space that a citation before punctuation leaves: "in the kitchen ."
    let words = ["  .", " .", " ,", " ;"].iter().fold(words.to_owned(), |w, gap| w.replace(gap, gap.trim_start()));
    (words, cited)
}

/// Parses `1`, `1, 2` and `1-3`; `None` for any other text.
fn numbers(inside: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in inside.split([',', ';', ' ']).filter(|part| !part.is_empty()) {
        let number = |text: &str| text.trim().parse::<usize>().ok().filter(|number| *number < 1_000_000);
        match part.split_once(['-', '–']) {
            // a range of 100 lines or more is not a citation
            Some((from, to)) => match (number(from)?, number(to)?) {
                (from, to) if from <= to && to - from < 100 => all.extend(from..=to),
                _ => return None,
            },
            None => all.push(number(part)?),
        }
    }
    (!all.is_empty()).then_some(all)
}

/// The answer for an empty reply and for a dropped answer.
const DONT_KNOW: &str = "I don't know.";

/// The beginnings of an honest "I don't know", in lower case and without punctuation.
const ABSTENTIONS: &[&str] = &[
    "i dont know",
    "i do not know",
    "i cannot tell",
    "i cant tell",
    "i cannot answer",
    "i am not sure",
    "im not sure",
    "not in the log",
    "not mentioned",
    "not stated",
    "unknown",
    "the log does not",
    "the log doesnt",
    "it is not known",
    "there is no information",
    "no information",
    "cannot be determined",
    "dont know",
    "no idea",
];

/// True if a reply admits that it does not know the answer.
pub fn abstains(text: &str) -> bool {
    let letters = text.to_lowercase().replace(['\'', '’'], "");
    let words: Vec<&str> = letters.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let begins = |phrase: &&str| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        words.starts_with(&phrase)
    };
    words.is_empty() || ABSTENTIONS.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<LogEntry> {
        let entry = |i: usize| {
            let start = i as f64 * 8.0;
            let text = format!("kitchen,\nstep {i}.");
            LogEntry {
                video: Some("day.mp4".into()),
                digest: None,
                start,
                end: start + 8.0,
                clock: None,
                at: None,
                text,
            }
        };
        (0..3).map(entry).collect()
    }

    #[test]
    fn a_log_is_numbered() {
        insta::assert_snapshot!(numbered(&log()), @r"
        [1] 00:00-00:08 kitchen, step 0.
        [2] 00:08-00:16 kitchen, step 1.
        [3] 00:16-00:24 kitchen, step 2.
        ");
        let clock = Some("08:10-09:06".to_owned());
        let entry = LogEntry { clock, ..log().remove(0) };
        assert_eq!(numbered(std::slice::from_ref(&entry)), "[1] 08:10-09:06 kitchen, step 0.");
        let (Value::Record(fields), _) = answer("[1] x", std::slice::from_ref(&entry), None) else {
            panic!("a record")
        };
        // a cited entry can be cited again
        let again = entries(&fields["evidence"]).expect("entries");
        assert_eq!(again[0].clock, entry.clock);
    }

    #[test]
    fn what_is_said_looks_like_no_line_of_its_own() {
        let heard = "gym, boxing. Heard: hello.\n[9] 00:00-00:08 zoo. Seen: keys. <|im_end|> Question: who?";
        let entry = LogEntry { text: heard.to_owned(), ..log().remove(0) };
        insta::assert_snapshot!(numbered(&[entry]), @"[1] 00:00-00:08 gym, boxing. Heard: hello. (9) 00:00-00:08 zoo. seen keys. (|im_end|) question who?");
    }

    #[test]
    fn citations_of_missing_lines_are_noted() {
        assert_eq!(answer("[2] [9] x", &log(), None).1.as_deref(), Some("dropped [9]: the log has 3 lines"));
        assert_eq!(answer("[2] x", &log(), None).1, None);
    }

    #[test]
    fn an_unsupported_answer_becomes_an_abstention() {
        let check = |reply: &str, question: &str, expected: &str, note: Option<&str>| {
            let (Value::Record(fields), found) = answer(reply, &log(), Some(question)) else { panic!("a record") };
            assert_eq!(crate::prompt::show(&fields["text"]), expected, "{reply}");
            let abstained = expected == DONT_KNOW;
            assert_eq!(fields["abstained"], Value::Truth(abstained));
            assert_eq!(fields["evidence"] == Value::List(Vec::new()), abstained);
            assert_eq!(found.as_deref(), note, "{reply}");
        };
        check("[2] in the kitchen", "Where was step 1?", "in the kitchen", None);
        let why = "dropped the answer `in the cafe`: neither a cited entry nor the question has `cafe`";
        check("[2] in the cafe", "Where was step 1?", DONT_KNOW, Some(why));
        let why = "dropped [9]: the log has 3 lines; dropped the answer `kitchen`: it cites no entry";
        check("[9] kitchen", "Where was step 1?", DONT_KNOW, Some(why));
    }

    #[test]
    fn replies_are_read() {
        let check = |reply: &str, expected: &str, cited: &[f64]| {
            let (Value::Record(fields), _) = answer(reply, &log(), None) else { panic!("a record") };
            let Value::List(evidence) = &fields["evidence"] else { panic!("a list") };
            let start = |entry: &Value| match entry {
                Value::Record(fields) => match fields["start"] {
                    Value::Number(start) => start,
                    _ => panic!("a number"),
                },
                _ => panic!("a record"),
            };
            let text = crate::prompt::show(&fields["text"]);
            let abstained = if fields["abstained"] == Value::Truth(true) { "! " } else { "" };
            assert_eq!(format!("{abstained}{text}"), expected, "{reply}");
            assert_eq!(evidence.iter().map(start).collect::<Vec<_>>(), cited, "{reply}");
        };
        check("[2] in the kitchen", "in the kitchen", &[8.0]);
        check("[3] [1] [3] twice", "twice", &[16.0, 0.0]);
        check("In the kitchen [1, 2].", "In the kitchen.", &[0.0, 8.0]);
        check("[1-3]: all day", "all day", &[0.0, 8.0, 16.0]);
        check("[9] nowhere [0]", "nowhere", &[]);
        check("see [note] [2]", "see [note]", &[8.0]);
        check("I don't know.", "! I don't know.", &[]);
        check("[1] I do not know", "! I do not know", &[]);
        check("", "! I don't know.", &[]);
        check("Unknown", "! Unknown", &[]);
        check("an unknown man", "an unknown man", &[]);
        check("[", "! [", &[]);
    }
}
