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
use rusqlite::params;

/// What the user says instead.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Correction {
    /// The new text; an empty one removes the line.
    pub text: Option<String>,
    /// The new sense.
    pub sense: Option<Sense>,
}

impl Journal {
    /// Corrects the line with this number, and returns the new line. Blocks. Fails if there is no such line, or if another one has taken its place.
    pub fn correct(&self, id: i64, correction: &Correction) -> Result<StoredLine, JournalError> {
        self.lock().correct(id, correction)
    }
}

impl Database {
    fn correct(&mut self, id: i64, correction: &Correction) -> Result<StoredLine, JournalError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
        let old = self.line(id)?;
        let unknown = || {
            let hint = "`elenchus journal show` lists the lines with their numbers";
            JournalError::new(format!("the journal has no line {id}"), Some(hint))
        };
        let old = old.ok_or_else(unknown)?;
        if old.is_superseded {
            let message = format!("line {id} was corrected or replaced before; correct the line that took its place");
            return Err(JournalError::new(message, Some("`elenchus journal show --all` shows both")));
        }
        let text = correction.text.clone().unwrap_or_else(|| old.line.text.clone());
        // the labels belong to the models' words
        let labels = if text == old.line.text { old.line.labels.clone() } else { Vec::new() };
        let line = JournalLine { sense: correction.sense.unwrap_or(old.line.sense), text, labels, ..old.line };
        let change = self.change()?;
        let medium: i64 =
            change.query_row("SELECT medium FROM lines WHERE id = ?1", params![id], |row| row.get(0)).map_err(wrong)?;
        let born = next_revision(&change).map_err(wrong)?;
        change.execute("UPDATE lines SET died = ?1 WHERE id = ?2", params![born, id]).map_err(wrong)?;
        let new = put_line(&change, None, medium, &line, born, Some(id), &LineOrigin::default()).map_err(wrong)?;
        change.commit().map_err(wrong)?;
        self.line(new)?.ok_or_else(|| JournalError::new(format!("the correction of line {id} was not kept"), None))
    }

    /// The line with this number.
    fn line(&self, id: i64) -> Result<Option<StoredLine>, JournalError> {
        let query = format!("SELECT {COLUMNS} FROM lines l WHERE l.id = ?");
        Ok(self.lines(&query, vec![Box::new(id)])?.pop())
    }
}
