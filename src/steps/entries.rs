//! Entries: lines of the journal put together again, as a log has them.
//!
//! A line of the journal has one sense. An entry is a stretch of a medium with the place, the activity, the people, the things and the speech in
//! it as one text: `kitchen, cooking soup. Seen: mug. Heard: we need milk.` Questions are asked of entries.

use crate::value::{JournalLine, Moment, Sense};
use indexmap::IndexMap;
use std::cmp::Ordering;

/// What a log says of a moment whose place is not known; `video_log` writes it too.
pub(super) const UNKNOWN_PLACE: &str = "unknown place";

/// So many stretches before the end of an activity are tried as its own; stretches of one medium hardly overlap.
const NEAR: usize = 32;

/// The entries of lines, in order of time: those with a known wall clock first. Summaries have no entry, because they repeat lines.
pub(super) fn entries(lines: &[JournalLine]) -> Vec<Moment> {
    let mut media: IndexMap<&str, Vec<&JournalLine>> = IndexMap::new();
    for line in lines.iter().filter(|line| line.sense != Sense::Summary) {
        media.entry(&line.moment.media.digest).or_default().push(line);
    }
    let mut found: Vec<Moment> = media.values().flat_map(|own| of_medium(own)).collect();
    // stable: media without a date keep the order of the journal
    found.sort_by(|a, b| match (wall(a), wall(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    found
}

fn wall(moment: &Moment) -> Option<i64> {
    moment.media.wall_ms(moment.start)
}

/// The entries of one medium.
fn of_medium(lines: &[&JournalLine]) -> Vec<Moment> {
    let of = |sense: Sense| lines.iter().copied().filter(move |line| line.sense == sense);
    let by_time = |a: &Stretch<'_>, b: &Stretch<'_>| {
        let (a, b) = (&a.line.moment, &b.line.moment);
        a.start.cmp(&b.start).then(a.end.cmp(&b.end))
    };
    let mut stretches: Vec<Stretch<'_>> = of(Sense::Seen).map(Stretch::of).collect();
    stretches.sort_by(by_time);
    let mut alone = Vec::new();
    for done in of(Sense::Done) {
        let shared = |stretch: &Stretch<'_>| overlap(&stretch.line.moment, &done.moment);
        let later = stretches.partition_point(|stretch| stretch.line.moment.start < done.moment.end);
        let near = stretches[later.saturating_sub(NEAR)..later].iter_mut();
        let best = near.filter(|stretch| stretch.done.is_none() && shared(stretch) > 0.0);
        match best.max_by(|a, b| shared(a).total_cmp(&shared(b))) {
            Some(stretch) => stretch.done = Some(&done.text),
            None => alone.push(Stretch { done: Some(&done.text), ..Stretch::of(done) }),
        }
    }
    stretches.extend(alone);
    stretches.sort_by(by_time);
    let looked = stretches.len();
    for heard in of(Sense::Heard) {
        // speech belongs to the stretch in which it ends, because models find its end better than its start
        let later = stretches[..looked].partition_point(|stretch| stretch.line.moment.start < heard.moment.end);
        match later.checked_sub(1) {
            Some(place) => stretches[place].heard.push(&heard.text),
            None => stretches.push(Stretch { heard: vec![&heard.text], ..Stretch::of(heard) }),
        }
    }
    // what other models tell of a stretch is part of its entry, so that it is counted once
    let mut others = Vec::new();
    for line in [Sense::Detected, Sense::Sound, Sense::Read].into_iter().flat_map(of) {
        let shared = |stretch: &Stretch<'_>| overlap(&stretch.line.moment, &line.moment);
        let later = stretches[..looked].partition_point(|stretch| stretch.line.moment.start < line.moment.end);
        let near = stretches[later.saturating_sub(NEAR)..later].iter_mut().filter(|stretch| shared(stretch) > 0.0);
        match near.max_by(|a, b| shared(a).total_cmp(&shared(b))) {
            Some(stretch) => stretch.told.push(line),
            None => others.push(Stretch::of(line)),
        }
    }
    // a caption tells again what was seen or done, and a question would count both
    let is_told = |caption: &&JournalLine| {
        stretches[..looked].iter().any(|stretch| overlap(&stretch.line.moment, &caption.moment) > 0.0)
    };
    let captions: Vec<&JournalLine> = of(Sense::Caption).filter(|caption| !is_told(caption)).collect();
    stretches.extend(others.into_iter().chain(captions.into_iter().map(Stretch::of)));
    stretches.sort_by(by_time);
    stretches.iter().map(Stretch::entry).collect()
}

/// The seconds that two moments share.
fn overlap(a: &Moment, b: &Moment) -> f64 {
    a.end.seconds().min(b.end.seconds()) - a.start.seconds().max(b.start.seconds())
}

/// A stretch of a medium.
struct Stretch<'a> {
    /// The line that it has its time from.
    line: &'a JournalLine,
    done: Option<&'a str>,
    heard: Vec<&'a str>,
    /// Lines of other senses that tell of it.
    told: Vec<&'a JournalLine>,
}

/// The words that begin the parts of an entry.
const MARKS: [&str; 7] = ["Heard", "Seen", "With", "Detected", "Sound", "Text", "Caption"];

/// A text in which nothing looks like another part: a sign may read "Heard: gold".
fn plain(text: &str) -> String {
    MARKS.iter().fold(text.to_owned(), |text, mark| text.replace(&format!("{mark}: "), &format!("{mark} ")))
}

/// The word before what a sense tells, and what separates its parts.
fn mark(sense: Sense) -> (&'static str, &'static str) {
    match sense {
        Sense::Detected => ("Detected", ", "),
        Sense::Read => ("Text", " / "),
        Sense::Caption => ("Caption", " "),
        _ => ("Sound", ", "),
    }
}

impl<'a> Stretch<'a> {
    fn of(line: &'a JournalLine) -> Stretch<'a> {
        Stretch { line, done: None, heard: Vec::new(), told: Vec::new() }
    }

    /// The moment with its text, in the log's form.
    fn entry(&self) -> Moment {
        let line = self.line;
        let text = match line.sense {
            Sense::Seen => {
                let (place, scene) = line.text.split_once('.').unwrap_or((&line.text, ""));
                let done = self.done.map(|done| format!(", {done}")).unwrap_or_default();
                let scene = scene.trim();
                format!("{place}{done}.{}{scene}", if scene.is_empty() { "" } else { " " })
            }
            Sense::Done => format!("{UNKNOWN_PLACE}, {}.", line.text),
            Sense::Heard => String::new(),
            Sense::Read | Sense::Sound | Sense::Detected | Sense::Caption => {
                format!("{}: {}", mark(line.sense).0, plain(&line.text))
            }
            Sense::Summary => line.text.clone(),
        };
        let heard = self.heard.join(" ");
        let stop = if heard.ends_with(['.', '?', '!']) || heard.is_empty() { "" } else { "." };
        let heard = if heard.is_empty() { heard } else { format!("Heard: {heard}{stop}") };
        let told = [Sense::Detected, Sense::Sound, Sense::Read].map(|sense| self.told_by(sense));
        let all = std::iter::once(text).chain(told).chain([heard]).filter(|part| !part.is_empty());
        Moment { text: Some(all.collect::<Vec<_>>().join(" ")), ..line.moment.clone() }
    }

    /// What lines of a sense tell of the stretch, each part once.
    fn told_by(&self, sense: Sense) -> String {
        let (word, between) = mark(sense);
        let mut parts: Vec<&str> = Vec::new();
        for part in self.told.iter().filter(|line| line.sense == sense).flat_map(|line| line.text.split(between)) {
            if !parts.contains(&part.trim()) {
                parts.push(part.trim());
            }
        }
        if parts.is_empty() { String::new() } else { format!("{word}: {}.", plain(&parts.join(between))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Media, Time};
    use std::sync::Arc;

    fn line(media: &Arc<Media>, from: f64, to: f64, sense: Sense, text: &str) -> JournalLine {
        let (start, end) = (Time::from_seconds(from), Time::from_seconds(to));
        JournalLine {
            moment: Moment { media: media.clone(), start, end, text: None },
            sense,
            text: text.to_owned(),
            labels: Vec::new(),
        }
    }

    #[track_caller]
    fn check(lines: &[JournalLine], expected: &[(f64, f64, &str)]) {
        let found = entries(lines);
        let found: Vec<(f64, f64, &str)> = found
            .iter()
            .map(|entry| (entry.start.seconds(), entry.end.seconds(), entry.text.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lines_of_a_stretch_are_one_entry() {
        let day = Arc::new(Media::new("day.mp4", "day", Time::from_seconds(0.0), Time::from_seconds(60.0)));
        let seen = line(&day, 0.0, 8.0, Sense::Seen, "kitchen. With: one person. Seen: mug.");
        let done = line(&day, 0.0, 8.0, Sense::Done, "cooking soup");
        let early = line(&day, 1.0, 3.0, Sense::Heard, "we need milk");
        let across = line(&day, 7.0, 9.0, Sense::Heard, "it is late.");
        let next = line(&day, 8.0, 20.0, Sense::Seen, "street.");
        let late = line(&day, 21.0, 22.0, Sense::Heard, "bye!");
        let summary = line(&day, 0.0, 20.0, Sense::Summary, "A quiet day.");
        check(
            &[summary, late, seen, done, early, across, next],
            &[
                (0.0, 8.0, "kitchen, cooking soup. With: one person. Seen: mug. Heard: we need milk."),
                (8.0, 20.0, "street. Heard: bye! it is late."),
            ],
        );
    }

    #[test]
    fn lines_without_a_stretch_have_entries_of_their_own() {
        let day = Arc::new(Media::new("day.mp4", "day", Time::from_seconds(0.0), Time::from_seconds(60.0)));
        let done = line(&day, 4.0, 8.0, Sense::Done, "cooking soup");
        let heard = line(&day, 0.0, 2.0, Sense::Heard, "we need milk");
        let (sign, late) =
            (line(&day, 5.0, 6.0, Sense::Read, "EXIT"), line(&day, 9.5, 12.0, Sense::Read, "Platform 3"));
        let found = line(&day, 3.0, 6.0, Sense::Detected, "cup, pan");
        let sly = line(&day, 5.0, 7.0, Sense::Read, "Heard: gold");
        let again = line(&day, 6.0, 9.0, Sense::Detected, "pan, spoon");
        let (told, alone) =
            (line(&day, 5.0, 9.0, Sense::Caption, "I cook."), line(&day, 8.0, 9.0, Sense::Caption, "I rest."));
        check(
            &[heard, done, sign, sly, late, found, again, told, alone],
            &[
                (0.0, 2.0, "Heard: we need milk."),
                (4.0, 8.0, "unknown place, cooking soup. Detected: cup, pan, spoon. Text: EXIT / Heard gold."),
                (8.0, 9.0, "Caption: I rest."),
                (9.5, 12.0, "Text: Platform 3"),
            ],
        );
    }

    #[test]
    fn media_without_a_date_keep_their_order() {
        let (one, two) = (
            Arc::new(Media::new("one.mp4", "one", Time::from_seconds(0.0), Time::from_seconds(60.0))),
            Arc::new(Media::new("two.mp4", "two", Time::from_seconds(0.0), Time::from_seconds(60.0))),
        );
        let lines = [line(&two, 5.0, 8.0, Sense::Seen, "street."), line(&one, 0.0, 8.0, Sense::Seen, "kitchen.")];
        check(&lines, &[(5.0, 8.0, "street."), (0.0, 8.0, "kitchen.")]);
        assert!(entries(&[]).is_empty());
    }
}
