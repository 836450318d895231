//! The denylist: places where nothing is written down, and names that no line may hold.

use super::{Database, Journal, fault::JournalError};
use crate::value::{JournalLine, Sense};
use rusqlite::params;
use serde::Serialize;

/// What is never written to a journal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Denylist {
    /// Places: no line about a stretch of time in such a place is written.
    pub places: Vec<String>,
    /// Names and other words: no line that holds one is written.
    pub names: Vec<String>,
}

/// A kind of entry of the denylist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// A place.
    Place,
    /// A name.
    Name,
}

impl Denied {
    const fn word(self) -> &'static str {
        match self {
            Denied::Place => "place",
            Denied::Name => "name",
        }
    }
}

impl Journal {
    /// The denylist. Blocks.
    pub fn denylist(&self) -> Result<Denylist, JournalError> {
        let database = self.lock();
        database.denylist().map_err(|error| database.wrong(&error))
    }

    /// Adds an entry to the denylist, or removes it. False if nothing changed. It counts for lines that are written from now on. Blocks.
    pub fn deny(&self, kind: Denied, word: &str, on: bool) -> Result<bool, JournalError> {
        let database = self.lock();
        let change = match on {
            true => "INSERT OR IGNORE INTO denied (kind, word) VALUES (?1, ?2)",
            false => "DELETE FROM denied WHERE kind = ?1 AND word = ?2",
        };
        let changed = database.base.execute(change, params![kind.word(), folded(word)]);
        Ok(changed.map_err(|error| database.wrong(&error))? > 0)
    }

    /// The stretches of a medium that its lines say were seen, in seconds: only they may be looked at again if places are denied. `None` if
    /// none is. Blocks.
    pub fn allowed_spans(&self, digest: &str) -> Result<Option<Vec<(f64, f64)>>, JournalError> {
        let database = self.lock();
        let read = || {
            if database.denylist()?.places.is_empty() {
                return Ok(None);
            }
            let query = "SELECT l.start_s, l.end_s FROM lines l JOIN media m ON l.medium = m.id
                         WHERE m.digest = ?1 AND l.died IS NULL AND l.sense = 'seen'";
            let mut find = database.base.prepare(query)?;
            let rows = find.query_map(params![digest], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<(f64, f64)>>>().map(Some)
        };
        read().map_err(|error| database.wrong(&error))
    }

    /// The number of lines about a medium that this process left out because of the denylist since the last call.
    pub fn take_denied(&self, digest: &str) -> u64 {
        self.lock().left_out.remove(digest).unwrap_or(0)
    }
}

impl Database {
    pub(super) fn denylist(&self) -> rusqlite::Result<Denylist> {
        let mut find = self.base.prepare("SELECT kind, word FROM denied ORDER BY kind, word")?;
        let rows = find.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut list = Denylist::default();
        for row in rows {
            let (kind, word) = row?;
            if kind == Denied::Place.word() { list.places.push(word) } else { list.names.push(word) }
        }
        Ok(list)
    }
}

impl Denylist {
    /// The key of a request's lines under this list.
    pub(super) fn key(&self, request: &[u8; 32]) -> [u8; 32] {
        if *self == Denylist::default() {
            return *request;
        }
        let list = serde_json::to_vec(self).expect("texts serialise: this is a bug");
        *blake3::Hasher::new().update(request).update(&list).finalize().as_bytes()
    }

    /// The lines that may be written. A line about a denied place takes all lines with it that touch its time.
    pub(super) fn kept<'l>(&self, lines: &'l [JournalLine]) -> Vec<&'l JournalLine> {
        if self.places.is_empty() && self.names.is_empty() {
            return lines.iter().collect();
        }
        let is_place = |text: &str| self.places.contains(&folded(text));
        let there = |line: &&JournalLine| {
            let place = line.text.split(['.', ',']).next().unwrap_or_default();
            line.sense == Sense::Seen && (is_place(place) || line.labels.iter().any(|label| is_place(&label.text)))
        };
        let stretch = |line: &JournalLine| (line.moment.start.seconds(), line.moment.end.seconds());
        let denied: Vec<(f64, f64)> = lines.iter().filter(there).map(stretch).collect();
        let is_free = |line: &&JournalLine| {
            let (start, end) = stretch(line);
            !denied.iter().any(|(from, to)| *from < end && *to > start)
                && !self.names.iter().any(|name| holds(&line.text, name))
        };
        lines.iter().filter(is_free).collect()
    }
}

/// True if the text holds the words of a name, one after the other.
fn holds(text: &str, name: &str) -> bool {
    format!(" {} ", folded(text)).contains(&format!(" {name} "))
}

/// The words of a text in lower case, with single spaces.
fn folded(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Media, Moment, Time};
    use std::sync::Arc;

    fn line(from: f64, to: f64, sense: Sense, text: &str) -> JournalLine {
        let (start, end) = (Time::from_seconds(from), Time::from_seconds(to));
        let media = Arc::new(Media::new("day.mp4", "day", Time::from_seconds(0.0), Time::from_seconds(60.0)));
        JournalLine {
            moment: Moment { media, start, end, text: None },
            sense,
            text: text.to_owned(),
            labels: Vec::new(),
        }
    }

    #[test]
    fn denied_places_and_names_leave_no_line() {
        let lines = [
            line(0.0, 8.0, Sense::Seen, "kitchen. Seen: mug."),
            line(0.0, 8.0, Sense::Done, "cooking soup"),
            line(8.0, 20.0, Sense::Seen, "Bathroom. Seen: towel."),
            line(8.0, 20.0, Sense::Done, "brushing my teeth"),
            line(19.0, 21.0, Sense::Heard, "who is there?"),
            line(22.0, 24.0, Sense::Heard, "Hello, I am Anna-Maria."),
            line(25.0, 26.0, Sense::Heard, "An annal is a book."),
        ];
        let texts = |places: &[&str], names: &[&str]| {
            let all = |words: &[&str]| words.iter().map(|word| folded(word)).collect();
            let list = Denylist { places: all(places), names: all(names) };
            list.kept(&lines).into_iter().map(|line| line.text.clone()).collect::<Vec<_>>()
        };
        assert_eq!(texts(&[], &[]).len(), 7);
        let rest = ["kitchen. Seen: mug.", "cooking soup", "Hello, I am Anna-Maria.", "An annal is a book."];
        assert_eq!(texts(&["bathroom"], &[]), rest);
        assert_eq!(texts(&["bath"], &[]).len(), 7);
        assert!(!texts(&[], &["anna"]).contains(&"Hello, I am Anna-Maria.".to_owned()));
        assert!(texts(&[], &["anna"]).contains(&"An annal is a book.".to_owned()));
        assert_eq!(texts(&[], &["Anna Maria"]).len(), 6);
    }
}
