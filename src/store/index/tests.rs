//! Tests of indexes: what is found, by both ways of searching, what is removed for good, and what heals.

use super::{stretches::StretchFilter, *};
use crate::value::Time;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, fs, path::Path};

const WIDTH: usize = 24;

fn key(sense: VectorSense) -> IndexKey {
    IndexKey { model: ModelDigest::of("a model"), sense }
}

/// Vectors around a few directions, as those of frames are.
fn vectors(count: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut one = |around: Option<&Vec<f32>>| -> Vec<f32> {
        let noise: Vec<f32> = (0..WIDTH).map(|_| random.random_range(-1.0..1.0)).collect();
        around.map_or(noise.clone(), |around| around.iter().zip(&noise).map(|(a, b)| a + 0.3 * b).collect())
    };
    let directions: Vec<Vec<f32>> = (0..40).map(|_| one(None)).collect();
    (0..count).map(|n| one(Some(&directions[n * 7 % 40]))).collect()
}

fn lines(from: i64, vectors: &[Vec<f32>]) -> Vec<NewVector> {
    let new =
        |(n, vector): (usize, &Vec<f32>)| NewVector { id: Some(from + n as i64), at: None, vector: vector.clone() };
    vectors.iter().enumerate().map(new).collect()
}

/// The nearest among plain vectors.
fn plain(all: &BTreeMap<i64, Vec<f32>>, query: &[f32], top: usize) -> Vec<i64> {
    let length = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let cosine = |v: &[f32]| v.iter().zip(query).map(|(a, b)| a * b).sum::<f32>() / length(v) / length(query);
    let mut scored: Vec<(i64, f32)> = all.iter().map(|(id, vector)| (*id, cosine(vector))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scored.into_iter().take(top).map(|(id, _)| id).collect()
}

fn found(index: &VectorIndex, query: &[f32], top: usize) -> Vec<i64> {
    let wanted = Wanted { top, born: i64::MAX, among: None };
    index.nearest(query, &wanted).expect("neighbours").into_iter().map(|near| near.id).collect()
}

fn shared(a: &[i64], b: &[i64]) -> usize {
    a.iter().filter(|id| b.contains(id)).count()
}

/// The files below a folder that hold these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> usize {
    let files = fs::read_dir(folder).expect("listed").flatten();
    files.filter(|file| fs::read(file.path()).expect("read").windows(bytes.len()).any(|part| part == bytes)).count()
}

/// A vector as the file holds it.
fn stored(vector: &[f32]) -> Vec<u8> {
    products::narrow(vector).expect("a vector").iter().flat_map(|bits| bits.to_le_bytes()).collect()
}

fn settled(index: &mut VectorIndex) {
    while index.settle().expect("settled") {}
}

#[test]
fn the_nearest_are_found_in_the_right_state_and_among_those_that_pass() {
    let mut index = VectorIndex::in_memory(key(VectorSense::Lines), "words").expect("an index");
    let all = vectors(3000, 1);
    assert_eq!(index.add(1, &lines(1, &all[..2000])).expect("added"), 2000);
    assert_eq!(index.add(2, &lines(1, &all)).expect("added"), 1000, "those that are there are left out");
    let known: BTreeMap<i64, Vec<f32>> = (1..).zip(all.clone()).collect();
    for query in vectors(20, 2) {
        // half precision may swap two that are almost equally near
        assert!(shared(&found(&index, &query, 10), &plain(&known, &query, 10)) >= 9);
        let old = Wanted { top: 50, born: 1, among: None };
        assert!(index.nearest(&query, &old).expect("found").iter().all(|near| near.id <= 2000));
        let among = (1..=3000).filter(|id| id % 500 == 0).collect();
        let few = Wanted { top: 50, born: 2, among: Some(&among) };
        assert_eq!(index.nearest(&query, &few).expect("found").len(), 6);
    }
    assert!(found(&index, &[1.0, 2.0], 3).is_empty(), "another width");
    assert!(found(&index, &[0.0; WIDTH], 3).is_empty(), "no direction");
    assert!(index.add(3, &lines(9000, &[vec![1.0; WIDTH + 1]])).is_err());
    assert_eq!(index.add(3, &lines(9000, &[vec![f32::NAN; WIDTH], vec![0.0; WIDTH]])).expect("left out"), 0);
    assert_eq!(index.missing(&[1, 3000, 3001, 9000]).expect("known"), [3001, 9000]);
}

#[test]
fn a_clustered_index_finds_what_the_scan_finds_and_really_forgets() {
    let folder = tempfile::tempdir().expect("temp");
    let mut index = VectorIndex::open(folder.path(), key(VectorSense::Lines), "words").expect("an index");
    let all = vectors(6000, 3);
    index.add(1, &lines(1, &all)).expect("added");
    // queries lie elsewhere than vectors, as texts and pictures do
    index.set_background(&vectors(100, 11)).expect("kept");
    let queries = vectors(60, 4);
    let exact: Vec<Vec<i64>> = queries.iter().map(|query| found(&index, query, 10)).collect();
    let mut index = index.clustered_from(5000).expect("clustered");
    assert_eq!(found(&index, &queries[0], 10), exact[0], "before the centres are placed, all are read");
    settled(&mut index);
    let about = index.about().expect("about");
    assert!(about.centres >= 100 && about.probes < about.centres && about.recall >= 0.95, "{about:?}");
    let recall = |index: &VectorIndex, exact: &[Vec<i64>]| {
        let hits: usize = queries.iter().zip(exact).map(|(query, exact)| shared(&found(index, query, 10), exact)).sum();
        hits as f64 / (10 * exact.len()) as f64
    };
    assert!(recall(&index, &exact) >= 0.95, "{}", recall(&index, &exact));
    // new ones are found before they are put into groups, and after
    let more = vectors(900, 5);
    index.add(2, &lines(10_000, &more)).expect("added");
    assert_eq!(found(&index, &more[7], 1), [10_007]);
    settled(&mut index);
    assert_eq!(found(&index, &more[7], 1), [10_007]);
    // removed ones leave no bytes, and the others stay
    assert!(holding(folder.path(), &stored(&all[99])) > 0);
    let gone: Vec<i64> = (1..=6000).filter(|id| id % 3 == 1).collect();
    assert_eq!(index.remove(&gone).expect("removed"), 2000);
    assert_eq!(holding(folder.path(), &stored(&all[99])), 0);
    assert!(holding(folder.path(), &stored(&all[100])) > 0);
    assert!(!found(&index, &all[99], 20).contains(&100));
    assert_eq!(found(&index, &all[100], 1), [101]);
    let left: BTreeMap<i64, Vec<f32>> =
        (1..).zip(all).chain((10_000..).zip(more)).filter(|(id, _)| !gone.contains(id)).collect();
    let exact: Vec<Vec<i64>> = queries.iter().map(|query| plain(&left, query, 10)).collect();
    assert!(recall(&index, &exact) >= 0.93, "{}", recall(&index, &exact));
    // another process finds it as it was left
    drop(index);
    let again = VectorIndex::existing(folder.path(), key(VectorSense::Lines)).expect("there");
    assert_eq!(again.about().expect("about").count, 4900);
    assert!(recall(&again, &exact) >= 0.93);
}

#[test]
fn frames_are_found_and_forgotten_by_medium_and_time() {
    let folder = tempfile::tempdir().expect("temp");
    let mut index = VectorIndex::open(folder.path(), key(VectorSense::Frames), "eye").expect("an index");
    let all = vectors(40, 6);
    let frame = |(n, vector): (usize, &Vec<f32>)| {
        let (start, end) = (Time::from_seconds((n / 2) as f64), Time::from_seconds((n / 2 + 1) as f64));
        let medium = if n % 2 == 0 { "aa" } else { "bb" }.to_owned();
        NewVector { id: None, at: Some(VectorStretch { medium, start, end }), vector: vector.clone() }
    };
    let frames: Vec<NewVector> = all.iter().enumerate().map(frame).collect();
    assert_eq!(index.add(1, &frames).expect("added"), 40);
    assert_eq!(index.add(1, &frames).expect("added"), 0, "each time of a medium once");
    assert_eq!(index.starts("aa").expect("starts").len(), 20);
    index.set_whole("aa", "all").expect("noted");
    assert_eq!((index.whole("aa").expect("note"), index.whole("bb").expect("note")), ("all".into(), String::new()));
    let near = found(&index, &all[8], 1);
    let at = &index.stretches(&near).expect("stretches")[&near[0]];
    assert_eq!((at.medium.as_str(), at.start.seconds(), at.end.seconds()), ("aa", 4.0, 5.0));
    let filter = |media: &[&str], within: Option<Vec<(Option<String>, f64, f64)>>| StretchFilter {
        media: media.iter().map(|digest| (*digest).to_owned()).collect(),
        within,
    };
    let count = |index: &VectorIndex, filter: &StretchFilter| index.passing(filter).expect("passing").len();
    assert_eq!(count(&index, &filter(&["bb"], None)), 20);
    assert_eq!(count(&index, &filter(&[], Some(vec![(None, 3.5, 5.0)]))), 4);
    assert_eq!(count(&index, &filter(&[], Some(vec![(Some("aa".into()), 3.5, 5.0)]))), 2);
    assert_eq!(count(&index, &filter(&[], Some(Vec::new()))), 0);
    let bytes = stored(&all[8]);
    assert!(holding(folder.path(), &bytes) > 0 && holding(folder.path(), b"aa") > 0);
    assert_eq!(index.remove_passing(&filter(&["aa"], Some(vec![(None, 4.0, 5.0)]))).expect("removed"), 1);
    assert_eq!((holding(folder.path(), &bytes), index.starts("aa").expect("starts").len()), (0, 19));
    assert_eq!(index.remove_passing(&filter(&["aa"], None)).expect("removed"), 19);
    assert_eq!(index.whole("aa").expect("note"), "");
    assert_eq!(index.about().expect("about").count, 20);
}

#[test]
fn a_score_is_a_rank_among_queries_about_other_things() {
    let mut index = VectorIndex::in_memory(key(VectorSense::Lines), "words").expect("an index");
    assert_eq!(index.shares(&[1.0; WIDTH], &[0.5]).expect("none"), None);
    let (all, others) = (vectors(500, 7), vectors(100, 999));
    // what all vectors have in common says nothing
    let shift = |vectors: &[Vec<f32>]| -> Vec<Vec<f32>> {
        vectors.iter().map(|vector| vector.iter().map(|x| x + 1.0).collect()).collect()
    };
    index.set_background(&shift(&others)).expect("kept");
    index.add(1, &lines(1, &shift(&all))).expect("added");
    let best = |query: &[f32]| {
        let wanted = Wanted { top: 1, born: 1, among: None };
        let near = index.nearest(query, &wanted).expect("found")[0];
        index.shares(query, &[near.cosine, near.cosine - 0.5]).expect("a background").expect("shares")
    };
    let known = best(&shift(&all)[3]);
    assert!(known[0] > 0.95 && known[0] < 1.0 && known[1] < 0.3, "{known:?}");
    let unknown = vectors(40, 12345);
    let mean = shift(&unknown).iter().map(|query| best(query)[0]).sum::<f64>() / 40.0;
    assert!((0.3..0.7).contains(&mean), "queries like the background have any rank: {mean}");
    // the background follows what is added and removed
    let before = best(&shift(&unknown)[0])[0];
    index.add(2, &lines(5000, &shift(&others))).expect("added");
    let with =
        |index: &VectorIndex| index.shares(&shift(&unknown)[0], &[0.9]).expect("shares").expect("a background")[0];
    assert!(with(&index) < before.max(0.2));
    index.remove(&(5000..5100).collect::<Vec<_>>()).expect("removed");
    let wanted = Wanted { top: 1, born: 2, among: None };
    let near = index.nearest(&shift(&unknown)[0], &wanted).expect("found")[0];
    let after = index.shares(&shift(&unknown)[0], &[near.cosine]).expect("shares").expect("a background")[0];
    assert!((after - before).abs() < 0.03, "{after} {before}");
}

#[test]
fn models_never_mix_and_only_the_user_reads_the_file() {
    let folder = tempfile::tempdir().expect("temp");
    let place = folder.path().join("vectors");
    let other = IndexKey { model: ModelDigest::of("another model"), sense: VectorSense::Lines };
    let mut one = VectorIndex::open(&place, key(VectorSense::Lines), "words").expect("an index");
    one.add(1, &lines(1, &vectors(5, 8))).expect("added");
    let two = VectorIndex::open(&place, other, "other words").expect("an index");
    assert_eq!((one.about().expect("about").count, two.about().expect("about").count), (5, 0));
    let mut agents: Vec<String> = VectorIndex::keys(&place).into_iter().map(|(_, agent)| agent).collect();
    agents.sort();
    assert_eq!(agents, ["other words", "words"]);
    assert!(VectorIndex::existing(&place, key(VectorSense::Frames)).is_none());
    #[cfg(unix)]
    for entry in fs::read_dir(&place).expect("listed").flatten() {
        use std::os::unix::fs::PermissionsExt;
        let mode = entry.metadata().expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
    }
    let base =
        rusqlite::Connection::open(place.join(format!("lines-{}.sqlite", &other.model.hex()[..16]))).expect("open");
    assert_eq!(base.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0)), Ok(32 << 10));
    drop(base);
    // a file under the name of another model's
    drop((one, two));
    let file = |key: IndexKey| place.join(format!("lines-{}.sqlite", &key.model.hex()[..16]));
    fs::copy(file(key(VectorSense::Lines)), file(other)).expect("copied");
    assert!(VectorIndex::existing(&place, other).is_none());
    let healed = VectorIndex::open(&place, other, "other words").expect("begun again");
    assert_eq!(healed.about().expect("about").count, 0);
}

#[test]
fn a_damaged_file_is_begun_again() {
    let folder = tempfile::tempdir().expect("temp");
    let open = || VectorIndex::open(folder.path(), key(VectorSense::Lines), "words").expect("an index");
    open().add(1, &lines(1, &vectors(300, 9))).expect("added");
    let file = folder.path().join(format!("lines-{}.sqlite", &key(VectorSense::Lines).model.hex()[..16]));
    // a damaged block is an error, not a wrong answer
    let base = rusqlite::Connection::open(&file).expect("open");
    base.execute("UPDATE blocks SET vectors = zeroblob(length(vectors))", []).expect("damaged");
    drop(base);
    let index = open();
    let wanted = Wanted { top: 3, born: 9, among: None };
    assert!(index.nearest(&[1.0; WIDTH], &wanted).expect_err("damaged").is_damage);
    drop(index);
    // a size that no program wrote is not read
    let base = rusqlite::Connection::open(&file).expect("open");
    base.execute("UPDATE blocks SET vectors = zeroblob(100000000)", []).expect("damaged");
    drop(base);
    assert!(open().nearest(&[1.0; WIDTH], &wanted).expect_err("damaged").is_damage);
    fs::write(&file, b"no database".repeat(5000)).expect("written");
    assert_eq!(open().about().expect("about").count, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever was added and removed, the nearest are those of a plain list.
    #[test]
    fn an_index_is_a_list(steps in proptest::collection::vec((any::<bool>(), 0i64..60, 1i64..40), 1..12)) {
        let mut index = VectorIndex::in_memory(key(VectorSense::Lines), "words").expect("an index");
        let (all, mut known) = (vectors(120, 10), BTreeMap::new());
        for (adds, from, count) in steps {
            let ids: Vec<i64> = (from..from + count).collect();
            if adds {
                let new: Vec<NewVector> = ids.iter().map(|id| NewVector { id: Some(*id), at: None, vector: all[*id as usize].clone() }).collect();
                index.add(1, &new).expect("added");
                known.extend(ids.iter().map(|id| (*id, all[*id as usize].clone())));
            } else {
                let there = ids.iter().filter(|id| known.contains_key(id)).count() as u64;
                prop_assert_eq!(index.remove(&ids).expect("removed"), there);
                ids.iter().for_each(|id| drop(known.remove(id)));
            }
            let mut everything = found(&index, &all[0], 1000);
            everything.sort_unstable();
            prop_assert_eq!(everything, known.keys().copied().collect::<Vec<_>>());
            if let Some(id) = known.keys().next() {
                prop_assert_eq!(found(&index, &all[*id as usize], 1), vec![*id]);
            }
        }
    }
}

#[test]
fn processes_add_the_first_vectors_together() {
    let folder = tempfile::tempdir().expect("temp");
    let open = || VectorIndex::open(folder.path(), key(VectorSense::Lines), "words").expect("an index");
    let (mut one, mut two) = (open(), open());
    one.set_background(&vectors(10, 13)).expect("kept");
    one.add(1, &lines(1, &vectors(30, 12))).expect("added");
    two.set_background(&vectors(10, 13)).expect("kept");
    two.add(2, &lines(1, &vectors(50, 12))).expect("added");
    assert_eq!(found(&two, &vectors(50, 12)[40], 1), [41]);
    assert!(two.shares(&vectors(1, 12)[0], &[0.9]).expect("shares").is_some());
    let mut three = open();
    three.remove(&[41]).expect("removed");
    assert_eq!(one.about().expect("about").count, 49);
    assert!(!found(&one, &vectors(50, 12)[40], 49).contains(&41));
}
