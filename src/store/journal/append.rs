//! Adds lines. The same request adds nothing a second time, and newer lines of the same writer take the place of older ones.

use super::{Database, fault::JournalError, marks::unmark, open::next_revision};
use crate::{
    files,
    store::{absolute, memo::MemoKey, now_ms},
    value::{JournalLine, Level, Media, Sense},
};
use rusqlite::{Connection, OptionalExtension, params};

/// Where lines come from: the cast, and the exchanges about their medium that had finished before.
#[derive(Debug, Clone, Default)]
pub struct LineOrigin {
    /// The cast's name; empty without a cast.
    pub cast: String,
    /// The exchanges about the medium: their keys, start and end in seconds of presentation time, and true for those about its sound.
    pub exchanges: Vec<(MemoKey, f64, f64, bool)>,
}

impl Database {
    /// Adds the lines of a request with this key.
    pub(super) fn append(
        &mut self,
        key: &[u8; 32],
        writer: &str,
        medium: &Media,
        senses: &[Sense],
        lines: &[JournalLine],
        origin: &LineOrigin,
    ) -> Result<(), JournalError> {
        let folder = self.folder.clone();
        let wrong = |error: rusqlite::Error| JournalError::of(&folder, &error);
        let denied = self.denylist().map_err(wrong)?;
        // the same request under another denylist writes other lines
        let key = &denied.key(key);
        let kept = denied.kept(lines);
        if kept.len() < lines.len() {
            *self.left_out.entry(medium.digest.clone()).or_default() += (lines.len() - kept.len()) as u64;
        }
        let change = self.change()?;
        let medium_id = put_medium(&change, medium).map_err(wrong)?;
        let levels = Level::of_senses(senses);
        let senses = serde_json::to_string(senses).expect("senses serialise: this is a bug");
        let earlier = "SELECT id FROM appends WHERE key = ?1";
        let known: Option<i64> = change.query_row(earlier, params![key], |row| row.get(0)).optional().map_err(wrong)?;
        // the lines of this request are the current ones unless a later request of the writer took their place
        let replaced = "SELECT EXISTS (SELECT 1 FROM appends WHERE medium = ?2 AND writer = ?3 AND id > ?1 AND EXISTS
             (SELECT 1 FROM json_each(appends.senses) a JOIN json_each(?4) b ON a.value = b.value))";
        let is_current = match known {
            Some(id) => !change
                .query_row(replaced, params![id, medium_id, writer, senses], |row| row.get::<_, bool>(0))
                .map_err(wrong)?,
            None => false,
        };
        if is_current {
            return change.commit().map_err(wrong);
        }
        if let Some(id) = known {
            // its lines stay, and it takes its place at the end
            change.execute("UPDATE appends SET key = randomblob(32) WHERE id = ?1", params![id]).map_err(wrong)?;
        }
        let born = next_revision(&change).map_err(wrong)?;
        let supersede = "UPDATE lines SET died = ?1 WHERE died IS NULL AND medium = ?2
             AND append IN (SELECT id FROM appends WHERE medium = ?2 AND writer = ?3)
             AND sense IN (SELECT value FROM json_each(?4))";
        change.execute(supersede, params![born, medium_id, writer, senses]).map_err(wrong)?;
        // a plan that finished with these levels before would no longer read its own lines
        let wrote = "SELECT EXISTS (SELECT 1 FROM appends WHERE medium = ?1 AND writer = ?2)";
        if change.query_row(wrote, params![medium_id, writer], |row| row.get::<_, bool>(0)).map_err(wrong)? {
            levels.iter().try_for_each(|level| unmark(&change, medium_id, *level)).map_err(wrong)?;
        }
        let put =
            "INSERT INTO appends (key, medium, writer, cast_name, senses, written_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        change.execute(put, params![key, medium_id, writer, origin.cast, senses, now_ms()]).map_err(wrong)?;
        let append = change.last_insert_rowid();
        let corrected = corrections(&change, medium_id).map_err(wrong)?;
        for line in kept {
            let id = put_line(&change, Some(append), medium_id, line, born, None, origin).map_err(wrong)?;
            let (start, end) = (line.moment.start.seconds(), line.moment.end.seconds());
            let middle = (start + end) / 2.0;
            let wins =
                |(sense, from, to): &(String, f64, f64)| sense == line.sense.word() && (*from..*to).contains(&middle);
            if corrected.iter().any(wins) {
                change.execute("UPDATE lines SET died = ?1 WHERE id = ?2", params![born, id]).map_err(wrong)?;
            }
        }
        change.commit().map_err(wrong)
    }
}

/// Adds a medium, or updates where it is and when it was recorded. Returns its id.
pub(super) fn put_medium(change: &Connection, medium: &Media) -> rusqlite::Result<i64> {
    let known = "SELECT id, media, path FROM media WHERE digest = ?1";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get(2)?));
    let known: Option<(i64, String, String)> = change.query_row(known, params![medium.digest], read).optional()?;
    let path = absolute(&medium.path);
    let json = |medium: &Media| serde_json::to_string(medium).expect("media serialise: this is a bug");
    let Some((id, before, first)) = known else {
        let put = "INSERT INTO media (digest, path, media, added_ms) VALUES (?1, ?2, ?3, ?4)";
        change.execute(put, params![medium.digest, path, json(medium), now_ms()])?;
        return Ok(change.last_insert_rowid());
    };
    let path = if is_still_at(change, id, &first)? { first } else { path };
    let before: Option<Media> = serde_json::from_str(&before).ok();
    // a run without a stated time does not take the known one away
    let wall = medium.wall.clone().or_else(|| before.as_ref().and_then(|before| before.wall.clone()));
    let after = Media { wall, ..medium.clone() };
    change.execute("UPDATE media SET path = ?2, media = ?3 WHERE id = ?1", params![id, path, json(&after)])?;
    if before.is_none_or(|before| before.wall != after.wall || before.clock != after.clock) {
        set_wall(change, id, &after)?;
    }
    Ok(id)
}

/// True if the file of a medium is still at its path, so that another path is that of a copy. A file with another content has a medium of
/// its own at that path.
fn is_still_at(change: &Connection, id: i64, path: &str) -> rusqlite::Result<bool> {
    let taken = "SELECT EXISTS (SELECT 1 FROM media WHERE path = ?1 AND id <> ?2)";
    Ok(files::path(path).is_file() && !change.query_row(taken, params![path, id], |row| row.get::<_, bool>(0))?)
}

/// Computes the wall-clock times of a medium's lines again.
fn set_wall(change: &Connection, id: i64, medium: &Media) -> rusqlite::Result<()> {
    let (start, pace) = (medium.start.seconds(), medium.clock.map_or(1.0, |clock| clock.pace) * 1000.0);
    let at = medium.wall.as_ref().map(|wall| wall.at_ms);
    let set = "UPDATE lines SET wall_ms = ?2 + CAST(round((start_s - ?3) * ?4) AS INTEGER),
         wall_end_ms = ?2 + CAST(round((end_s - ?3) * ?4) AS INTEGER) WHERE medium = ?1";
    change.execute(set, params![id, at, start, pace])?;
    next_revision(change).map(|_| ())
}

/// Adds a line, and returns its id.
pub(super) fn put_line(
    change: &Connection,
    append: Option<i64>,
    medium: i64,
    line: &JournalLine,
    born: i64,
    corrects: Option<i64>,
    origin: &LineOrigin,
) -> rusqlite::Result<i64> {
    let (start, end) = (line.moment.start, line.moment.end);
    let by_ear = matches!(line.sense, Sense::Heard | Sense::Sound);
    let touches = |(_, from, to, is_sound): &&(MemoKey, f64, f64, bool)| {
        *is_sound == by_ear && *from < end.seconds() && *to > start.seconds()
    };
    let exchanges: Vec<u8> = origin.exchanges.iter().filter(touches).flat_map(|(key, ..)| key.0).collect();
    let wall = |time| line.moment.media.wall_ms(time);
    let labels = serde_json::to_string(&line.labels).expect("labels serialise: this is a bug");
    let mut put = change.prepare_cached(
        "INSERT INTO lines (append, medium, born, corrects, start_ticks, start_num, start_den, end_ticks, end_num, end_den,
             start_s, end_s, wall_ms, wall_end_ms, sense, text, labels, exchanges)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
    )?;
    put.execute(params![
        append,
        medium,
        born,
        corrects,
        start.ticks,
        start.base.num,
        start.base.den,
        end.ticks,
        end.base.num,
        end.base.den,
        start.seconds(),
        end.seconds(),
        wall(start),
        wall(end),
        line.sense.word(),
        line.text,
        labels,
        exchanges
    ])?;
    Ok(change.last_insert_rowid())
}

/// The senses and stretches of a medium that the user corrected.
fn corrections(change: &Connection, medium: i64) -> rusqlite::Result<Vec<(String, f64, f64)>> {
    let query = "SELECT sense, start_s, end_s FROM lines WHERE medium = ?1 AND corrects IS NOT NULL AND append IS NULL
         AND died IS NULL";
    let mut find = change.prepare(query)?;
    let rows = find.query_map(params![medium], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}
