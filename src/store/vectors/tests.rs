//! Tests of the store of vectors: what it keeps, what it removes, and what it survives.

use super::{ModelDigest, VectorStat, VectorStore, database::VectorDatabase};
use rusqlite::Connection;
use std::{path::Path, time::Duration};

const TEXTS: [&str; 3] = ["a kitchen", "a street", ""];

fn model() -> ModelDigest {
    ModelDigest::of("model")
}

/// A folder whose store has a vector for each of [`TEXTS`].
fn filled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: Vec<(&str, &[f32])> = TEXTS.iter().map(|text| (*text, &[0.6f32, -0.8, 1e-30][..])).collect();
    VectorStore::at(folder.path()).put_many(model(), &rows);
    folder
}

/// The number of [`TEXTS`] that a new process finds in a folder.
fn found(folder: &Path) -> usize {
    VectorStore::at(folder).get_many(model(), &TEXTS).into_iter().flatten().count()
}

fn base(folder: &Path) -> Connection {
    Connection::open(folder.join("vectors.sqlite")).expect("a database")
}

#[test]
fn vectors_are_found_by_model_and_text() {
    let folder = filled();
    let store = VectorStore::at(folder.path());
    let kept = Some(vec![0.6, -0.8, 1e-30]);
    assert_eq!(store.get_many(model(), &["a street", "A street", ""]), [kept.clone(), None, kept]);
    assert_eq!(store.get_many(ModelDigest::of("other"), &TEXTS), [None, None, None]);
    store.put_many(model(), &[("a street", &[1.0]), ("odd", &[f32::NAN]), ("none", &[])]);
    assert_eq!(store.get_many(model(), &["a street", "odd", "none"]), [Some(vec![1.0]), None, None]);
    let stat = store.stat();
    assert_eq!((stat.count, stat.models), (3, 1));
    assert!(stat.disk_bytes > 0);
}

#[test]
fn a_store_that_is_off_keeps_nothing() {
    let store = VectorStore::default();
    store.put_many(model(), &[("a", &[1.0])]);
    assert_eq!(store.get_many(model(), &["a"]), [None]);
    let folder = tempfile::tempdir().expect("a folder");
    let absent = VectorStore::at(&folder.path().join("absent"));
    assert_eq!((absent.stat(), absent.purge(None).expect("purged")), (VectorStat::default(), 0));
    assert!(!folder.path().join("absent").exists(), "statistics create nothing");
}

#[test]
fn a_damaged_vector_does_not_count_and_is_replaced() {
    let check = |damage: &str| {
        let folder = filled();
        base(folder.path()).execute_batch(damage).expect("damaged");
        assert_eq!(found(folder.path()), 0, "{damage}");
        VectorStore::at(folder.path()).put_many(model(), &[(TEXTS[0], &[1.0])]);
        assert_eq!(found(folder.path()), 1, "{damage}");
    };
    check("UPDATE vectors SET vector = zeroblob(12)");
    check("UPDATE vectors SET digest = 'text'");
    check("UPDATE vectors SET model = zeroblob(32)");
    check("UPDATE vectors SET vector = 7");
}

#[test]
fn a_damaged_file_begins_again() {
    let check = |damage: fn(&Path)| {
        let folder = filled();
        damage(folder.path());
        let store = VectorStore::at(folder.path());
        assert_eq!(store.get_many(model(), &TEXTS), [None, None, None]);
        store.put_many(model(), &[(TEXTS[0], &[1.0])]);
        assert_eq!(found(folder.path()), 1);
    };
    check(|folder| std::fs::write(folder.join("vectors.sqlite"), [0x5a; 9000]).expect("written"));
    check(|folder| base(folder).execute_batch("DROP TABLE vectors").expect("dropped"));
    check(|folder| {
        let file = folder.join("vectors.sqlite");
        let mut bytes = std::fs::read(&file).expect("read");
        bytes[4096..].fill(0x5a);
        std::fs::write(&file, bytes).expect("written");
    });
}

#[test]
fn the_file_of_a_newer_program_is_left_alone() {
    let folder = filled();
    base(folder.path()).pragma_update(None, "user_version", 77).expect("set");
    let store = VectorStore::at(folder.path());
    store.put_many(model(), &[("new", &[1.0])]);
    assert_eq!(store.get_many(model(), &["new"]), [None]);
    let count: i64 =
        base(folder.path()).query_row("SELECT count(*) FROM vectors", [], |row| row.get(0)).expect("counted");
    assert_eq!(count, 3);
}

#[test]
fn a_file_that_cannot_be_written_is_read() {
    let folder = filled();
    // Another process is writing.
    let lock = base(folder.path());
    lock.execute_batch("BEGIN IMMEDIATE").expect("locked");
    assert_eq!(found(folder.path()), 3);
    drop(lock);
    // A folder in place of the file can be neither written nor read.
    let blocked = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(blocked.path().join("vectors.sqlite")).expect("made");
    let store = VectorStore::at(blocked.path());
    store.put_many(model(), &[("a", &[1.0])]);
    assert_eq!(store.get_many(model(), &["a"]), [None]);
    assert!(store.purge(None).is_err());
}

#[test]
fn the_longest_unused_vectors_make_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = VectorStore::bounded(folder.path(), 200_000);
    let (vector, names) = ([0.5f32; 512], (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
    for (n, name) in names.iter().enumerate() {
        store.put_many(model(), &[(name, &vector)]);
        // Ages, oldest first; a use renews the first vector.
        let age = "UPDATE vectors SET used_s = ?1 WHERE used_s > 1000000";
        base(folder.path()).execute(age, [n as i64]).expect("aged");
        assert!(store.get_many(model(), &[&names[0]])[0].is_some(), "the vector in use stays ({n})");
    }
    let stat = store.stat();
    assert!((20..95).contains(&stat.count), "{stat:?}");
    assert_eq!(store.get_many(model(), &[&names[1], &names[199]]), [None, Some(vector.to_vec())]);
}

#[test]
fn processes_write_at_the_same_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let store = VectorStore::at(folder.path());
            std::thread::spawn(move || {
                for n in 0..25 {
                    store.put_many(model(), &[(&format!("{writer} {n}"), &[1.0, n as f32])]);
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
    assert_eq!(VectorStore::at(folder.path()).stat().count, 100);
}

#[test]
fn old_vectors_and_all_vectors_are_purged() {
    let folder = filled();
    base(folder.path()).execute("UPDATE vectors SET used_s = used_s - 7200 WHERE id = 1", []).expect("two hours ago");
    let store = VectorStore::at(folder.path());
    let hours = |n: u64| store.purge(Some(Duration::from_secs(n * 3600))).expect("purged");
    assert_eq!((hours(3), hours(1), hours(1)), (0, 1, 0));
    assert_eq!((store.purge(None).expect("purged"), found(folder.path())), (2, 0));
    // A file that is no database is removed.
    drop(store);
    base(folder.path()).pragma_update(None, "user_version", 77).expect("set");
    VectorStore::at(folder.path()).purge(None).expect("purged");
    assert!(!folder.path().join("vectors.sqlite").exists());
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let _base = VectorDatabase::open(&folder.path().join("v"), 1 << 20).expect("opened");
    let mode = |path: &Path| path.metadata().expect("there").permissions().mode() & 0o077;
    assert_eq!(mode(&folder.path().join("v")), 0);
    let files: Vec<_> = std::fs::read_dir(folder.path().join("v")).expect("listed").flatten().collect();
    assert!(!files.is_empty() && files.iter().all(|file| mode(&file.path()) == 0));
}
