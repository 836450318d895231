//! Searches among vectors (`store/index`): a day of frames by the exact scan, and millions by the clustered index.
//! `cargo bench --bench vectors -- COUNTxWIDTH…`; without arguments, a day and a million. Ten million vectors of 512 numbers need
//! 25 GB of disk in BENCH_FOLDER (the folder for temporary files).
//!
//! The vectors are made up as frames are: places, scenes in them, and the frames of a scene, which differ a little. A query lies between
//! a scene and noise. The limit is the memory's bandwidth: the time to read all vectors once.

use elenchus::store::{
    index::{CLUSTERED_FROM, IndexKey, NewVector, VectorIndex, VectorSense, Wanted},
    vectors::ModelDigest,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::{path::PathBuf, time::Instant};

/// Numbers that decide a vector; the rest is a projection of them, as in vectors of models.
const LATENT: usize = 48;
const PLACES: usize = 300;
const FRAMES_OF_SCENE: usize = 40;
const BATCH: usize = 1 << 16;
const QUERIES: usize = 200;
const OTHERS: usize = 96;
/// Queries whose hits are compared with those of the exact scan.
const COMPARED: usize = 50;

struct World {
    random: ChaCha8Rng,
    projection: Vec<f32>,
    places: Vec<Vec<f32>>,
    scene: Vec<f32>,
    frame: usize,
    width: usize,
}

impl World {
    fn new(width: usize, seed: u64) -> World {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let projection = noise(&mut random, LATENT * width);
        let places = (0..PLACES).map(|_| noise(&mut random, LATENT)).collect();
        World { random: ChaCha8Rng::seed_from_u64(seed), projection, places, scene: Vec::new(), frame: 0, width }
    }

    /// A vector whose latent numbers are `around` and noise.
    fn vector(&mut self, around: &[f32], spread: f32) -> Vec<f32> {
        let latent: Vec<f32> = around.iter().map(|x| x + spread * self.random.random_range(-1.7f32..1.7)).collect();
        let mut vector: Vec<f32> = (0..self.width).map(|_| 0.2 * self.random.random_range(-1.7f32..1.7)).collect();
        for (x, row) in latent.iter().zip(self.projection.chunks_exact(self.width)) {
            vector.iter_mut().zip(row).for_each(|(sum, y)| *sum += x * y / (LATENT as f32).sqrt());
        }
        vector
    }

    fn frame(&mut self) -> Vec<f32> {
        if self.frame.is_multiple_of(FRAMES_OF_SCENE) {
            self.scene = self.latent_scene();
        }
        self.frame += 1;
        let scene = self.scene.clone();
        self.vector(&scene, 0.25)
    }

    fn latent_scene(&mut self) -> Vec<f32> {
        let place = self.random.random_range(0..PLACES);
        self.places[place].iter().map(|x| x + 0.7 * self.random.random_range(-1.7f32..1.7)).collect()
    }

    /// A query about nothing in the world.
    fn other(&mut self) -> Vec<f32> {
        let latent = noise(&mut self.random, LATENT);
        self.vector(&latent, 0.4)
    }

    fn query(&mut self) -> Vec<f32> {
        let scene = self.latent_scene();
        self.vector(&scene, 0.4)
    }
}

fn noise(random: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| random.random_range(-1.7f32..1.7)).collect()
}

fn main() {
    let given: Vec<String> = std::env::args().skip(1).filter(|arg| arg.contains('x')).collect();
    let sizes = if given.is_empty() { vec!["86400x512".to_owned(), "1000001x512".to_owned()] } else { given };
    println!(
        "| vectors | index | built, s | on disk, GB | first search, ms | p50, ms | p95, ms | computed, ms | limit, ms | recall@10 | groups read |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for size in sizes {
        let (count, width) = size.split_once('x').expect("COUNTxWIDTH");
        measure(count.parse().expect("a count"), width.parse().expect("a width"));
    }
}

fn measure(count: usize, width: usize) {
    let folder: PathBuf = std::env::var_os("BENCH_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).expect("a folder");
    let key = IndexKey { model: ModelDigest::of("made up"), sense: VectorSense::Frames };
    let mut index =
        VectorIndex::open(folder.path(), key, "made up").expect("an index").clustered_from(u64::MAX).expect("exact");
    // queries about other things, which `elenchus index` always gives an index
    let mut others = World::new(width, 4);
    let others: Vec<Vec<f32>> = (0..OTHERS).map(|_| others.other()).collect();
    index.set_background(&others).expect("a background");
    let (mut world, begun) = (World::new(width, 2), Instant::now());
    let mut making = 0.0;
    for from in (0..count).step_by(BATCH) {
        let start = Instant::now();
        let new: Vec<NewVector> = (from..count.min(from + BATCH))
            .map(|n| NewVector { id: Some(n as i64 + 1), at: None, vector: world.frame() })
            .collect();
        making += start.elapsed().as_secs_f64();
        index.add(1, &new).expect("added");
    }
    let built = begun.elapsed().as_secs_f64() - making;
    let mut world = World::new(width, 3);
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|_| world.query()).collect();
    let bytes = (count * width * 2) as f64;
    let limit = bytes / bandwidth() * 1e3;
    let disk = || {
        let files = std::fs::read_dir(folder.path()).expect("listed").flatten();
        files.filter_map(|file| file.metadata().ok()).map(|meta| meta.len() as f64).sum::<f64>() / 1e9
    };
    drop(index);
    let open = || VectorIndex::open(folder.path(), key, "made up").expect("an index");
    let index = open().clustered_from(u64::MAX).expect("exact");
    let asked = if count > 3_000_000 { COMPARED } else { QUERIES };
    let (exact, times, computed) = search(&index, &queries[..asked]);
    row(count, width, "exact", built, disk(), &times, computed, &format!("{limit:.1}"), "1", "all");
    if (count as u64) <= CLUSTERED_FROM {
        return;
    }
    drop(index);
    let (mut index, begun) = (open(), Instant::now());
    while index.settle().expect("settled") {}
    let built = built + begun.elapsed().as_secs_f64();
    drop(index);
    let index = open();
    let about = index.about().expect("about");
    let (hits, times, computed) = search(&index, &queries);
    let same = |(a, b): (&Vec<i64>, &Vec<i64>)| a.iter().filter(|id| b.contains(id)).count();
    let recall = exact.iter().zip(&hits).map(same).sum::<usize>() as f64 / (10 * exact.len()) as f64;
    let groups = format!("{} of {}", about.probes, about.centres);
    row(count, width, "clustered", built, disk(), &times, computed, "–", &format!("{recall:.3}"), &groups);
}

/// The hits of each query, the milliseconds of each, and the mean of their processor time in ms, which other work does not lengthen.
fn search(index: &VectorIndex, queries: &[Vec<f32>]) -> (Vec<Vec<i64>>, Vec<f64>, f64) {
    let wanted = Wanted { top: 10, born: i64::MAX, among: None };
    let before = computed_ms();
    let one = |query: &Vec<f32>| {
        let begun = Instant::now();
        let found = index.nearest(query, &wanted).expect("found");
        (found.iter().map(|near| near.id).collect(), begun.elapsed().as_secs_f64() * 1e3)
    };
    let (found, times) = queries.iter().map(one).unzip();
    (found, times, (computed_ms() - before) / queries.len() as f64)
}

/// The processor time of this process so far, in ms.
fn computed_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    // user and system time, in hundredths of a second
    after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() * 10.0
}

#[expect(clippy::too_many_arguments, reason = "the columns of a table")]
fn row(
    count: usize,
    width: usize,
    kind: &str,
    built: f64,
    disk: f64,
    times: &[f64],
    computed: f64,
    limit: &str,
    recall: &str,
    groups: &str,
) {
    let mut later = times[1..].to_vec();
    later.sort_by(f64::total_cmp);
    let at = |share: f64| later[((later.len() - 1) as f64 * share) as usize];
    println!(
        "| {count} × {width} | {kind} | {built:.0} | {disk:.2} | {:.1} | {:.1} | {:.1} | {computed:.1} | {limit} | {recall} | {groups} |",
        times[0],
        at(0.5),
        at(0.95)
    );
}

/// Bytes a second that all cores read from memory together: the best of some sums over 256 MB.
fn bandwidth() -> f64 {
    let numbers = vec![1u64; 32 << 20];
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut best = f64::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        let sum: u64 = std::thread::scope(|scope| {
            let parts = numbers.chunks(numbers.len().div_ceil(threads));
            let workers: Vec<_> = parts.map(|part| scope.spawn(|| part.iter().sum::<u64>())).collect();
            workers.into_iter().map(|worker| worker.join().expect("a sum")).sum()
        });
        std::hint::black_box(sum);
        best = best.min(begun.elapsed().as_secs_f64());
    }
    (numbers.len() * 8) as f64 / best
}
