//! Opens SQLite files that other processes use, or that the user cannot write.

use crate::private;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Maximum wait for another process that switches a new file to WAL mode.
const SWITCH: Duration = Duration::from_secs(2);

/// Opens a file for reading and writing in WAL mode. A wait for another process ends after `busy`. A commit passes the
/// data to the operating system, so that a killed process loses nothing.
pub(super) fn writable(file: &Path, busy: Duration) -> rusqlite::Result<Connection> {
    let base = Connection::open(file)?;
    base.busy_timeout(busy)?;
    // SQLite refuses the switch to WAL at once, without that wait, while another process makes it
    let until = Instant::now() + busy.min(SWITCH);
    while let Err(error) = base.pragma_update(None, "journal_mode", "WAL") {
        let is_busy = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
        if !is_busy || Instant::now() > until {
            return Err(error);
        }
        // a transaction waits
        base.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
    }
    base.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(base)
}

/// Creates a folder and the first of `files` in it, and closes all of `files` to other users. Gives the path of the first; an error names the
/// folder or the file that cannot be written.
pub(super) fn private_place(folder: &Path, files: &[&str]) -> Result<PathBuf, (PathBuf, io::Error)> {
    let file = folder.join(files[0]);
    private::private_folder(folder).map_err(|error| (folder.to_owned(), error))?;
    // SQLite gives the files beside the database its mode
    private::private_file(&file).map_err(|error| (file.clone(), error))?;
    files[1..].iter().for_each(|name| private::close_to_others(&folder.join(name)));
    Ok(file)
}

/// Opens the first of `files` in a folder, which only the user may read, as [`writable`]. `table` creates its tables if
/// it has none; `format` is their version. Fails for the file of a newer program, which is left alone.
pub(super) fn tables(
    folder: &Path,
    files: &[&str],
    (format, table): (i64, &str),
    busy: Duration,
) -> rusqlite::Result<Connection> {
    let unwritable = |(_, error): (PathBuf, io::Error)| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    let file = private_place(folder, files).map_err(unwritable)?;
    let mut base = writable(&file, busy)?;
    if format_of(&base)? != format {
        let change = base.transaction_with_behavior(TransactionBehavior::Immediate)?;
        match format_of(&change)? {
            found if found == 0 || found == format => change.execute_batch(table)?,
            found => return Err(rusqlite::Error::IntegralValueOutOfRange(0, found)),
        }
        change.pragma_update(None, "user_version", format)?;
        change.commit()?;
    }
    Ok(base)
}

/// The ways to read an existing file that cannot be written, best first. Without the log's index (`immutable`), SQLite
/// reads the database alone, as of the last write-back.
pub(super) fn readable(file: &Path, busy: Duration) -> impl Iterator<Item = Connection> {
    let path = fs::canonicalize(file).ok().filter(|path| path.is_file());
    let path = path.as_ref().and_then(|path| path.to_str());
    let path = path.map(|path| path.replace('%', "%25").replace('?', "%3f").replace('#', "%23"));
    ["mode=ro", "immutable=1"].into_iter().filter_map(move |way| {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let base = Connection::open_with_flags(format!("file:{}?{way}", path.as_ref()?), flags).ok()?;
        base.busy_timeout(busy).ok()?;
        Some(base)
    })
}

/// The format of a file's tables: its `user_version`.
pub(super) fn format_of(base: &Connection) -> rusqlite::Result<i64> {
    base.query_row("PRAGMA user_version", [], |row| row.get(0))
}
