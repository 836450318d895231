//! Corrections by the user. A correction is a line of its own. It wins over the line that it corrects, and over lines about the same time and
//! sense that a later run adds. Both are kept.

use super::{
    Database, Journal, LineOrigin,
    append::put_line,
    fault::JournalError,
    open::next_revision,
    read::{COLUMNS, StoredLine},
};
use crate::value::{JournalLine, Sense};
use rusqlite::{ToSql, params};

/// What the user says instead.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Correction {
    /// The new text; an empty one removes the line.
    pub text: Option<String>,
    /// The new sense.
    pub sense: Option<Sense>,
}

impl Journal {
    /// Corrects the line with this number, and returns the new line. A line that was removed can be corrected too. Blocks. Fails if there is
    /// no such line, or if another one has taken its place.
    pub fn correct(&self, id: i64, correction: &Correction) -> Result<StoredLine, JournalError> {
        self.lock().correct(id, correction)
    }

    /// Takes the corrections of a line back: a new line says again what the line with this number said. Blocks. Fails if there is no such line, or
    /// if no correction took its place.
    pub fn restore(&self, id: i64) -> Result<StoredLine, JournalError> {
        self.lock().restore(id)
    }
}

const SHOWS_BOTH: &str = "`elenchus journal show --all` shows both";

impl Database {
    fn correct(&mut self, id: i64, correction: &Correction) -> Result<StoredLine, JournalError> {
        let old = self.known_line(id)?;
        let current = match old.is_superseded {
            false => id,
            true => match self.correction_of(id)?.filter(|current| current.line.text.is_empty()) {
                Some(removal) => removal.id,
                None => {
                    let message =
                        format!("line {id} was corrected or replaced before; correct the line that took its place");
                    return Err(JournalError::new(message, Some(SHOWS_BOTH)));
                }
            },
        };
        let text = correction.text.clone().unwrap_or_else(|| old.line.text.clone());
        // the labels belong to the models' words
        let labels = if text == old.line.text { old.line.labels.clone() } else { Vec::new() };
        let line = JournalLine { sense: correction.sense.unwrap_or(old.line.sense), text, labels, ..old.line };
        self.put_correction(current, &line)
    }

    fn restore(&mut self, id: i64) -> Result<StoredLine, JournalError> {
        let old = self.known_line(id)?;
        if !old.is_superseded {
            return Err(JournalError::new(
                format!("line {id} was not corrected, so there is nothing to restore"),
                None,
            ));
        }
        let current = self.correction_of(id)?.ok_or_else(|| {
            let message = format!("line {id} was replaced by a later run, not by a correction");
            JournalError::new(message, Some(SHOWS_BOTH))
        })?;
        let new = self.put_correction(current.id, &old.line)?;
        // it is the models' line again: with their cast and exchanges, and a later run takes its place
        let again =
            "UPDATE lines SET (append, exchanges) = (SELECT append, exchanges FROM lines WHERE id = ?2) WHERE id = ?1";
        let wrong = |error: rusqlite::Error| JournalError::of(&self.folder, &error);
        self.base.execute(again, params![new.id, id]).map_err(wrong)?;
        self.line(new.id)?.ok_or_else(|| JournalError::new(format!("line {id} was not restored"), None))
    }

    /// The line with this number. Fails if there is none.
    fn known_line(&self, id: i64) -> Result<StoredLine, JournalError> {
        self.line(id)?.ok_or_else(|| {
            let hint = "`elenchus journal show` lists the lines with their numbers";
            JournalError::new(format!("the journal has no line {id}"), Some(hint))
        })
    }

    /// The correction that counts in place of a line.
    fn correction_of(&self, id: i64) -> Result<Option<StoredLine>, JournalError> {
        let query = format!(
            "WITH RECURSIVE later (id) AS
                 (VALUES (?) UNION SELECT lines.id FROM lines JOIN later ON lines.corrects = later.id)
             SELECT {COLUMNS} FROM lines l JOIN later ON later.id = l.id WHERE l.died IS NULL ORDER BY l.id"
        );
        Ok(self.lines(&query, vec![Box::new(id)])?.pop())
    }

    /// Puts a correction in the place of the line with this number.
    fn put_correction(&mut self, id: i64, line: &JournalLine) -> Result<StoredLine, JournalError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
        let change = self.change()?;
        let medium: i64 =
            change.query_row("SELECT medium FROM lines WHERE id = ?1", params![id], |row| row.get(0)).map_err(wrong)?;
        let born = next_revision(&change).map_err(wrong)?;
        change.execute("UPDATE lines SET died = ?1 WHERE id = ?2", params![born, id]).map_err(wrong)?;
        let new = put_line(&change, None, medium, line, born, Some(id), &LineOrigin::default()).map_err(wrong)?;
        change.commit().map_err(wrong)?;
        self.line(new)?.ok_or_else(|| JournalError::new(format!("the correction of line {id} was not kept"), None))
    }

    /// Corrects the line that has this moment, sense and text. If it was corrected to `text` before, nothing changes. Fails if the journal has
    /// neither.
    pub(super) fn correct_line(&mut self, line: &JournalLine, text: &str) -> Result<StoredLine, JournalError> {
        let query = format!(
            "SELECT {COLUMNS} FROM lines l WHERE l.died IS NULL AND l.sense = ? AND l.start_s = ? AND l.end_s = ? AND l.text = ?
                 AND l.medium IN (SELECT id FROM media WHERE digest = ?) ORDER BY l.id DESC LIMIT 1"
        );
        let find = |text: &str| -> Vec<Box<dyn ToSql>> {
            let (sense, digest) = (line.sense.word().to_owned(), line.moment.media.digest.clone());
            let (start, end) = (line.moment.start.seconds(), line.moment.end.seconds());
            vec![Box::new(sense), Box::new(start), Box::new(end), Box::new(text.to_owned()), Box::new(digest)]
        };
        if let Some(old) = self.lines(&query, find(&line.text))?.pop() {
            return self.correct(old.id, &Correction { text: Some(text.to_owned()), sense: None });
        }
        let corrected = self.lines(&query, find(text))?.pop().filter(|found| found.corrects.is_some());
        corrected.ok_or_else(|| {
            let message = format!("the journal has no line `{}` at {}", line.text, line.moment.start);
            JournalError::new(message, Some("read its lines again: another line may have taken its place"))
        })
    }

    /// The line with this number.
    pub(super) fn line(&self, id: i64) -> Result<Option<StoredLine>, JournalError> {
        let query = format!("SELECT {COLUMNS} FROM lines l WHERE l.id = ?");
        Ok(self.lines(&query, vec![Box::new(id)])?.pop())
    }
}
