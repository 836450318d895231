//! Measured speeds of models, kept between processes: how much of something was done in how much time.
//!
//! A row is a named ratio of one model on one machine, such as 1,200 prompt tokens in 3 seconds. Each addition halves
//! the earlier sums, so that old runs fade. The store never fails: it is a cache. A damaged file is begun again, and a
//! folder that cannot be written keeps nothing new. Only the user can read it. Several processes can share it.

use super::sqlite::{self, format_of};
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The format of the table, stored in SQLite's `user_version`.
const FORMAT: i64 = 1;
/// Maximum wait for another process.
const BUSY: Duration = Duration::from_secs(2);
/// The share of the earlier sums that an addition keeps.
const KEPT: f64 = 0.5;
/// The maximum number of rows. The ones that were written first are removed.
const MAX_ROWS: i64 = 20_000;
/// The names of SQLite's files.
const FILES: [&str; 3] = ["timings.sqlite", "timings.sqlite-wal", "timings.sqlite-shm"];

const TABLE: &str = "
    CREATE TABLE IF NOT EXISTS timings (
        model TEXT NOT NULL,
        name TEXT NOT NULL,
        amount REAL NOT NULL,
        per REAL NOT NULL,
        UNIQUE (model, name)
    );";

/// An amount of work, and the time or the number of events that it took.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Ratio {
    /// The amount.
    pub amount: f64,
    /// The seconds or the number of events.
    pub per: f64,
}

impl Ratio {
    /// The amount for one second or one event, if anything was measured.
    pub fn rate(self) -> Option<f64> {
        let rate = self.amount / self.per;
        (self.amount > 0.0 && self.per > 0.0 && rate.is_finite()).then_some(rate)
    }

    /// Adds another ratio.
    pub fn add(&mut self, other: Ratio) {
        self.amount += other.amount;
        self.per += other.per;
    }
}

/// The ratios of one model, by name.
pub type Ratios = BTreeMap<String, Ratio>;

/// A store of timings in a folder. Clones share it. The default store keeps nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimingStore {
    folder: Option<Arc<PathBuf>>,
}

impl TimingStore {
    /// The store in `folder`. The first addition creates it.
    pub fn at(folder: &Path) -> TimingStore {
        TimingStore { folder: Some(Arc::new(folder.to_owned())) }
    }

    /// The ratios of a model; empty if there are none. Blocks.
    pub fn get(&self, model: &str) -> Ratios {
        let Some(folder) = self.folder.as_deref().filter(|folder| folder.join(FILES[0]).is_file()) else {
            return Ratios::new();
        };
        let known = |base: &Connection| format_of(base).is_ok_and(|found| found == FORMAT);
        let base = sqlite::readable(&folder.join(FILES[0]), BUSY).find(known);
        base.and_then(|base| read(&base, model).ok()).unwrap_or_default()
    }

    /// Adds ratios to those of a model. Blocks.
    pub fn add(&self, model: &str, ratios: &Ratios) {
        let Some(folder) = self.folder.as_deref() else { return };
        let ratios = ratios.iter().filter(|(_, ratio)| ratio.amount.is_finite() && ratio.per.is_finite());
        let ratios: Vec<(&String, Ratio)> = ratios.map(|(name, ratio)| (name, *ratio)).collect();
        if ratios.is_empty() {
            return;
        }
        let mut written = write(folder, model, &ratios);
        if written.as_ref().is_err_and(is_damage) {
            FILES.iter().for_each(|name| drop(fs::remove_file(folder.join(name))));
            written = write(folder, model, &ratios);
        }
        if let Err(error) = written {
            tracing::debug!(%error, "the timings cannot be kept");
        }
    }
}

fn read(base: &Connection, model: &str) -> rusqlite::Result<Ratios> {
    let mut find = base.prepare("SELECT name, amount, per FROM timings WHERE model = ?1")?;
    let rows = find.query_map(params![model], |row| {
        Ok((row.get::<_, String>(0)?, Ratio { amount: row.get(1)?, per: row.get(2)? }))
    })?;
    // a row with a value of another type is damaged; the others still count
    Ok(rows.filter_map(Result::ok).filter(|(_, ratio)| ratio.amount >= 0.0 && ratio.per >= 0.0).collect())
}

fn write(folder: &Path, model: &str, ratios: &[(&String, Ratio)]) -> rusqlite::Result<()> {
    let mut base = open(folder)?;
    let change = base.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut put = change.prepare(
            "INSERT INTO timings (model, name, amount, per) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (model, name)
             DO UPDATE SET amount = ?5 * amount + excluded.amount, per = ?5 * per + excluded.per",
        )?;
        for (name, ratio) in ratios {
            put.execute(params![model, name, ratio.amount, ratio.per, KEPT])?;
        }
    }
    change.execute("DELETE FROM timings WHERE rowid <= (SELECT max(rowid) FROM timings) - ?1", params![MAX_ROWS])?;
    change.commit()
}

fn open(folder: &Path) -> rusqlite::Result<Connection> {
    sqlite::tables(folder, &FILES, (FORMAT, TABLE), BUSY)
}

/// True for an error of a file that is not a database, or lacks the table.
fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(store: &TimingStore, model: &str, expected: &[(&str, f64, f64)]) {
        let found = store.get(model);
        let found: Vec<(&str, f64, f64)> = found.iter().map(|(name, r)| (name.as_str(), r.amount, r.per)).collect();
        assert_eq!(found, expected);
    }

    fn one(name: &str, amount: f64, per: f64) -> Ratios {
        Ratios::from([(name.to_owned(), Ratio { amount, per })])
    }

    #[test]
    fn old_sums_fade_and_models_are_apart() {
        let folder = tempfile::tempdir().expect("temp");
        let store = TimingStore::at(&folder.path().join("timings"));
        check(&store, "a", &[]);
        store.add("a", &one("prompt", 100.0, 2.0));
        store.add("b", &one("prompt", 1.0, 1.0));
        check(&store, "a", &[("prompt", 100.0, 2.0)]);
        store.add("a", &one("prompt", 30.0, 1.0));
        check(&store, "a", &[("prompt", 80.0, 2.0)]);
        store.add("a", &one("prompt", f64::NAN, 1.0));
        check(&store, "a", &[("prompt", 80.0, 2.0)]);
        check(&TimingStore::default(), "a", &[]);
    }

    #[test]
    fn a_damaged_file_only_loses_the_timings() {
        let folder = tempfile::tempdir().expect("temp");
        fs::write(folder.path().join(FILES[0]), b"not a database".repeat(100)).expect("written");
        let store = TimingStore::at(folder.path());
        check(&store, "a", &[]);
        store.add("a", &one("load", 5.0, 1.0));
        check(&store, "a", &[("load", 5.0, 1.0)]);
    }

    #[test]
    fn processes_add_at_the_same_time() {
        let folder = tempfile::tempdir().expect("temp");
        let add = |n: usize| {
            let store = TimingStore::at(folder.path());
            store.add(&format!("m{n}"), &one("text", 1.0, 1.0));
        };
        std::thread::scope(|scope| (0..8).for_each(|n| drop(scope.spawn(move || add(n)))));
        (0..8).for_each(|n| check(&TimingStore::at(folder.path()), &format!("m{n}"), &[("text", 1.0, 1.0)]));
    }

    #[test]
    fn a_ratio_without_measurements_has_no_rate() {
        assert_eq!(Ratio::default().rate(), None);
        assert_eq!(Ratio { amount: 3.0, per: 2.0 }.rate(), Some(1.5));
    }
}
