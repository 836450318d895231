//! The entries of a digest: lines as the list has them, and summaries with the times of what they rest on.

use super::tree::{Part, Piece, Shown, Tree};
use crate::{
    plan::StepError,
    prompt::{filters::numbered_line, show},
    steps::found,
    value::{Moment, Value, digest_of, wall},
};
use indexmap::IndexMap;
use std::{collections::BTreeSet, time::Duration};

/// The most lines that a summary tells of (`carry: lines`).
pub(super) const TOLD: usize = 3;

/// A line or a summary.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct DigestEntry {
    pub text: String,
    /// The video's path, if the entry belongs to one.
    video: Option<String>,
    /// The digest of the video's bytes, if it is known.
    digest: Option<String>,
    /// Start and end in it, in seconds.
    times: Option<(f64, f64)>,
    /// Start and end on the video's own clock.
    clock: Option<String>,
    /// The exact moment, if the line has one.
    moment: Option<Moment>,
}

/// The lines of a list. Fails for a value that is none.
pub(super) fn read(list: &Value) -> Result<Vec<DigestEntry>, StepError> {
    let Value::List(items) = list else {
        return Err(StepError(format!("found {} for `of`, expected a list of lines", found(list))));
    };
    items.iter().map(entry).collect()
}

fn entry(item: &Value) -> Result<DigestEntry, StepError> {
    match item {
        Value::Text(text) => Ok(DigestEntry { text: text.clone(), ..DigestEntry::default() }),
        Value::Moment(moment) => Ok(DigestEntry {
            text: moment.text.clone().unwrap_or_default(),
            video: Some(moment.media.path.clone()),
            digest: Some(moment.media.digest.clone()),
            times: Some((moment.start.seconds(), moment.end.seconds())),
            clock: moment.clock(),
            moment: Some(moment.clone()),
        }),
        Value::Record(fields) => {
            let number = |name: &str| match fields.get(name) {
                Some(Value::Number(number)) if number.is_finite() => Some(*number),
                _ => None,
            };
            let words = |name: &str| fields.get(name).map(show).filter(|text| !text.is_empty());
            let moment = match fields.get("moment") {
                Some(Value::Moment(moment)) => Some(moment.clone()),
                _ => None,
            };
            let own = moment.as_ref().map(|moment| (moment.start.seconds(), moment.end.seconds()));
            let text = fields.get("text").map(show);
            Ok(DigestEntry {
                text: text.ok_or_else(|| StepError("found a line without `text` in `of`".into()))?,
                video: words("video").or_else(|| moment.as_ref().map(|moment| moment.media.path.clone())),
                digest: digest_of(fields),
                times: number("start").zip(number("end")).or(own),
                clock: words("clock").or_else(|| moment.as_ref().and_then(Moment::clock)),
                moment,
            })
        }
        other => Err(StepError(format!("found {} in `of`, expected moments, records or texts", found(other)))),
    }
}

impl DigestEntry {
    /// The entry with a piece of its text (bytes of the text on one line), or with all of it.
    pub(super) fn piece(&self, cut: Option<(usize, usize)>) -> DigestEntry {
        let text = flat(&self.text);
        let text = cut.and_then(|(from, to)| text.get(from..to)).map_or(text.clone(), |piece| piece.trim().to_owned());
        DigestEntry { text, ..self.clone() }
    }

    fn fields(&self) -> IndexMap<String, Value> {
        let text = |text: &Option<String>| text.clone().map_or(Value::Nothing, Value::Text);
        let second = |seconds: Option<f64>| seconds.map_or(Value::Nothing, Value::Number);
        [
            ("video", text(&self.video)),
            ("start", second(self.times.map(|times| times.0))),
            ("end", second(self.times.map(|times| times.1))),
            ("clock", text(&self.clock)),
            ("text", Value::Text(self.text.clone())),
        ]
        .into_iter()
        .chain(self.digest.iter().map(|digest| ("digest", Value::Text(digest.clone()))))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }
}

/// A text on one line, because a line break inside an entry would look like another entry.
pub(super) fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The entries as a prompt shows them: `[1] 00:00-00:08 text`, or `[1] text` without times.
pub(super) fn numbered(entries: &[DigestEntry]) -> String {
    let line = |(place, entry): (usize, &DigestEntry)| {
        let (text, clock) = (flat(&entry.text), entry.clock.as_deref().map(flat));
        match entry.times {
            Some((start, end)) => numbered_line(place + 1, start, end, clock.as_deref(), &text),
            None => format!("[{}] {text}", place + 1),
        }
    };
    entries.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// The lines of each stretch of time, in order of appearance; all lines together without a span. Several videos share a stretch only
/// if their wall-clock time is known.
pub(super) fn groups(lines: &[DigestEntry], span: Option<Duration>) -> Vec<Vec<usize>> {
    let Some(span) = span else { return vec![(0..lines.len()).collect()] };
    let mut groups: IndexMap<(String, i64), Vec<usize>> = IndexMap::new();
    for (place, line) in lines.iter().enumerate() {
        groups.entry(stretch(line, span.as_secs_f64())).or_default().push(place);
    }
    if groups.is_empty() { vec![Vec::new()] } else { groups.into_values().collect() }
}

/// The video, or nothing for wall-clock time, and the number of the stretch in which a line starts.
fn stretch(line: &DigestEntry, span_s: f64) -> (String, i64) {
    let number = |seconds: f64| (seconds / span_s).floor() as i64;
    let video = || line.video.clone().unwrap_or_default();
    let Some(Moment { media, start, .. }) = &line.moment else {
        return (video(), line.times.map_or(0, |times| number(times.0)));
    };
    if let (Some(at_ms), Some(zone)) = (media.wall_ms(*start), media.wall.as_ref().map(|wall| wall.zone.as_str())) {
        return (String::new(), number(wall::local_s(at_ms, zone)));
    }
    let played = start.seconds() - media.start.seconds();
    match media.clock {
        Some(clock) => (video(), number(f64::from(clock.start_min) * 60.0 + clock.pace * played)),
        None => (video(), number(start.seconds())),
    }
}

/// The list of a digest.
#[derive(Debug)]
pub(super) struct List {
    pub lines: Vec<DigestEntry>,
    /// Prompts show the lines that a summary tells of in place of the summary.
    pub carries_lines: bool,
}

impl Shown for List {
    fn line(&self, line: usize) -> String {
        flat(&self.lines[line].text)
    }

    fn height(&self, piece: &Piece, tree: &Tree) -> usize {
        match piece.part {
            Part::Summary(number) if self.carries_lines => self.told(number, tree).len().max(1),
            _ => 1,
        }
    }
}

impl List {
    /// A piece as a prompt shows it: one entry, or the lines that a summary tells of.
    pub(super) fn shown(&self, piece: &Piece, tree: &Tree) -> Vec<DigestEntry> {
        match piece.part {
            Part::Summary(number) if self.carries_lines => {
                self.told(number, tree).into_iter().map(|line| self.lines[line].clone()).collect()
            }
            Part::Summary(number) => vec![self.summary(number, tree).piece(piece.cut)],
            Part::Line(line) => vec![self.lines[line].piece(piece.cut)],
        }
    }

    /// The places of the lines that a summary tells of: for each of its sentences the line that has most words of it, in order. They
    /// are among the lines that it was made from, and of the summaries below those that they tell of.
    fn told(&self, number: usize, tree: &Tree) -> Vec<usize> {
        let own = &tree.summaries[number];
        let mut read: Vec<usize> = own
            .parts
            .iter()
            .flat_map(|part| match part {
                Part::Line(line) => vec![*line],
                Part::Summary(below) => self.told(*below, tree),
            })
            .collect();
        read.sort_unstable();
        read.dedup();
        let words: Vec<BTreeSet<String>> = read.iter().map(|line| words(&self.lines[*line].text)).collect();
        // a word of many lines says little
        let rarity = |word: &String| 1.0 / words.iter().filter(|line| line.contains(word)).count().max(1) as f64;
        let mut told: Vec<usize> = Vec::new();
        for sentence in own.text.split_inclusive(['.', '!', '?', '。', '！', '？']).take(TOLD) {
            let said = self::words(sentence);
            let free = read.iter().zip(&words).filter(|(line, _)| !told.contains(*line));
            let fits = free.map(|(line, words)| (words.intersection(&said).map(rarity).sum::<f64>(), *line));
            let best = fits.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            told.extend(best.filter(|(fit, _)| *fit > 0.0).map(|(_, line)| line));
        }
        if told.is_empty() {
            told.extend(read.first());
        }
        told.sort_unstable();
        told
    }

    /// A summary as an entry, from the start of the first line that it rests on to the end of the last. Lines of several videos have
    /// no time together.
    fn summary(&self, number: usize, tree: &Tree) -> DigestEntry {
        let leaves = leaves(Part::Summary(number), tree);
        let own = leaves.iter().map(|line| &self.lines[*line]);
        let text = tree.summaries[number].text.clone();
        let (Some(first), Some(last)) = (own.clone().next(), own.clone().next_back()) else {
            return DigestEntry { text, ..DigestEntry::default() };
        };
        if own.clone().any(|line| (&line.video, &line.digest) != (&first.video, &first.digest)) {
            return DigestEntry { text, ..DigestEntry::default() };
        }
        let ends = first.clock.as_deref().zip(last.clock.as_deref());
        let ends = ends.and_then(|(from, to)| from.split('-').next().zip(to.rsplit('-').next()));
        let clock = ends.map(|(from, to)| format!("{from}-{to}"));
        let times = first.times.zip(last.times).map(|(first, last)| (first.0, last.1.max(first.1)));
        DigestEntry { text, video: first.video.clone(), digest: first.digest.clone(), times, clock, moment: None }
    }

    fn entry(&self, part: Part, tree: &Tree) -> DigestEntry {
        match part {
            Part::Line(line) => self.lines[line].clone(),
            Part::Summary(number) => self.summary(number, tree),
        }
    }

    /// The digest as a value.
    pub(super) fn value(&self, tree: &Tree) -> Value {
        let text = tree.top.iter().map(|part| self.entry(*part, tree).text).collect::<Vec<_>>().join("\n");
        let told = |part: &Part| match part {
            Part::Summary(number) => self.told(*number, tree).into_iter().map(Part::Line).collect(),
            line => vec![*line],
        };
        let evidence: Vec<Part> = match tree.top.as_slice() {
            several if self.carries_lines => several.iter().flat_map(told).collect(),
            [Part::Summary(only)] => tree.summaries[*only].parts.clone(),
            // each line of the text is a summary
            several => several.to_vec(),
        };
        let evidence = evidence.iter().map(|part| Value::Record(self.entry(*part, tree).fields())).collect();
        Value::Record(
            [
                ("abstained", Value::Truth(text.is_empty())),
                ("text", Value::Text(text)),
                ("evidence", Value::List(evidence)),
                ("summaries", self.summaries(tree)),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        )
    }

    /// The summaries as records, level by level.
    fn summaries(&self, tree: &Tree) -> Value {
        let numbers = |places: &mut dyn Iterator<Item = usize>| {
            Value::List(places.map(|place| Value::Number(place as f64)).collect())
        };
        let record = |number: usize| {
            let own = &tree.summaries[number];
            let mut fields = self.summary(number, tree).fields();
            fields.insert("level".to_owned(), Value::Number(own.level as f64));
            let below = |part: &Part| match part {
                Part::Line(_) => None,
                Part::Summary(summary) => Some(*summary),
            };
            fields.insert("of".to_owned(), numbers(&mut own.parts.iter().filter_map(below)));
            fields.insert("lines".to_owned(), numbers(&mut leaves(Part::Summary(number), tree).into_iter()));
            Value::Record(fields)
        };
        Value::List((0..tree.summaries.len()).map(record).collect())
    }
}

/// The words of a text in lower case, without the shortest.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2);
    words.map(str::to_lowercase).collect()
}

/// The places of the lines that a part rests on, each once, in order.
fn leaves(part: Part, tree: &Tree) -> Vec<usize> {
    let mut found = match part {
        Part::Line(line) => vec![line],
        Part::Summary(summary) => tree.summaries[summary].parts.iter().flat_map(|part| leaves(*part, tree)).collect(),
    };
    found.sort_unstable();
    found.dedup();
    found
}
