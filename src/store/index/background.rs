//! The background of an index: how well queries about other things fit what it holds. A score is a rank among them, as the floor of a
//! label is a rank among pictures that show nothing in particular (`infer/background`).

use super::{
    IndexError, VectorIndex,
    adding::sum_of,
    blocks::ListChoice,
    file::unit,
    products::{all_products, narrow, products, widen_all},
};
use rusqlite::{Connection, params};

/// Queries about things that hardly a library of first-person video holds. A library that does hold some of them only gives lower scores.
pub const OTHER_THINGS: &[&str] = &[
    "a volcano erupts",
    "the treaty of Westphalia",
    "an astronaut repairs a satellite",
    "a whale under the ice",
    "the parliament votes on the budget",
    "a medieval knight in armour",
    "photosynthesis in algae",
    "the moons of Jupiter",
    "a submarine dives",
    "the price of crude oil",
    "a penguin colony",
    "quantum mechanics",
    "an avalanche",
    "the Roman senate",
    "a circus elephant",
    "a nuclear reactor",
    "sumo wrestlers",
    "a herd of zebras",
    "the stock market crashes",
    "a pirate ship at sea",
    "the Great Wall of China",
    "a glacier melts",
    "a bullfight in an arena",
    "the fall of an empire",
    "an erupting geyser",
    "a space shuttle launch",
    "the coronation of a queen",
    "a camel caravan in the desert",
    "earthquake damage",
    "an opera singer on stage",
    "a coral reef with sharks",
    "the theory of evolution",
    "a tank battle",
    "gold miners in a river",
    "the northern lights",
    "a dinosaur skeleton",
    "a helicopter rescue at night",
    "a witch trial",
    "the inflation rate",
    "a steam locomotive",
    "a shipwreck",
    "ballet dancers",
    "a wolf pack in the snow",
    "the constitution",
    "a hurricane warning",
    "a monastery in the mountains",
    "gladiators",
    "a robot on Mars",
    "a coal mine",
    "an archaeological dig",
    "a rodeo",
    "the ozone layer",
    "a lighthouse in a storm",
    "a hot air balloon",
    "a crocodile",
    "the industrial revolution",
    "a trapeze artist",
    "a supernova",
    "a samurai sword",
    "the border between two kingdoms",
    "a torpedo",
    "a swarm of locusts",
    "a windmill in Holland",
    "the speed of light",
    "an oil tanker",
    "a ski jump",
    "a vampire",
    "the Olympic torch",
    "an ancient pyramid",
    "a horse race",
    "a jungle expedition",
    "a court martial",
    "the boiling point of mercury",
    "a dragon",
    "a bishop in a cathedral",
    "a drought in the savanna",
    "a kangaroo",
    "a chess grandmaster",
    "a pharaoh",
    "a tornado",
    "a harbour crane",
    "the discovery of penicillin",
    "a polar bear",
    "a marching orchestra",
    "a spy and a diplomat",
    "an iceberg",
    "a fencing duel",
    "a vineyard in autumn",
    "the election of a president",
    "a gorilla",
    "a comet",
    "a logging camp",
    "a meteorite crater",
    "the abolition of slavery",
    "a waterfall in Iceland",
    "a fighter jet",
];

impl VectorIndex {
    /// True if the index knows the vectors of [`OTHER_THINGS`]. Blocks.
    pub fn has_background(&self) -> Result<bool, IndexError> {
        let count: i64 = self.blocks.base.query_row("SELECT count(*) FROM background", [], |row| row.get(0))?;
        Ok(count > 0)
    }

    /// Keeps the vectors of queries about other things by the same model. Blocks.
    pub fn set_background(&mut self, vectors: &[Vec<f32>]) -> Result<(), IndexError> {
        let change = self.blocks.change()?;
        change.execute("DELETE FROM background", [])?;
        for (n, vector) in vectors.iter().enumerate() {
            let Some(row) = narrow(vector) else { continue };
            let bytes: Vec<u8> = row.iter().flat_map(|bits| bits.to_le_bytes()).collect();
            change.execute("INSERT INTO background VALUES (?1, ?2, -1.0)", params![n as i64, bytes])?;
        }
        change.commit()?;
        self.lower()
    }

    /// Measures again how well the queries fit, because vectors went.
    pub(super) fn lower(&mut self) -> Result<(), IndexError> {
        let width = self.blocks.width;
        let fitting = read(&self.blocks.base)?.into_iter().filter(|(_, vector, _)| vector.len() == width);
        let (numbers, queries): (Vec<i64>, Vec<Vec<f32>>) =
            fitting.map(|(n, vector, _)| (n, widen_all(&vector))).unzip();
        let (queries, mut best) = (queries.concat(), vec![-1.0f32; numbers.len()]);
        self.blocks.visit(&ListChoice::All, |block| {
            all_products(&widen_all(&block.rows), &queries, width, |_, query, cosine| {
                best[query] = best[query].max(cosine);
            });
            Ok(())
        })?;
        let change = self.blocks.change()?;
        for (n, best) in numbers.into_iter().zip(best) {
            change.execute("UPDATE background SET best = ?2 WHERE n = ?1", params![n, f64::from(best)])?;
        }
        Ok(change.commit()?)
    }

    /// The share of queries about other things whose best fit is worse than each of these cosines with `query`, 0 to 1. The fit is the
    /// cosine without what the query has in common with all vectors. `None` without a background. Blocks.
    pub fn shares(&self, query: &[f32], cosines: &[f32]) -> Result<Option<Vec<f64>>, IndexError> {
        let background = read(&self.blocks.base)?;
        let (width, count) = (self.blocks.width, self.blocks.count()?);
        let Some(query) = unit(query).filter(|query| query.len() == width && count > 0 && !background.is_empty())
        else {
            return Ok(None);
        };
        let mean: Vec<f32> = sum_of(&self.blocks.base, width)?.iter().map(|sum| (sum / count as f64) as f32).collect();
        let common = |vector: &[f32]| vector.iter().zip(&mean).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let fits: Vec<f64> = background
            .iter()
            .filter(|(_, vector, _)| vector.len() == width)
            .map(|(_, vector, best)| best - common(&widen_all(vector)))
            .collect();
        let own = common(&query);
        // one more than there are, because the query itself might be about nothing
        let share = |cosine: &f32| {
            let as_good = fits.iter().filter(|fit| **fit >= f64::from(*cosine) - own).count();
            1.0 - (as_good + 1) as f64 / (fits.len() + 1) as f64
        };
        Ok(Some(cosines.iter().map(share).collect()))
    }
}

/// The best fit of each query grows with new rows.
pub(super) fn raise(change: &Connection, rows: &[u16], width: usize) -> Result<(), IndexError> {
    let mut scores = Vec::new();
    for (n, vector, best) in read(change)? {
        if vector.len() != width {
            continue;
        }
        products(rows, &widen_all(&vector), &mut scores);
        let new = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if f64::from(new) > best {
            let mut set = change.prepare_cached("UPDATE background SET best = ?2 WHERE n = ?1")?;
            set.execute(params![n, f64::from(new)])?;
        }
    }
    Ok(())
}

/// The number, the vector and the best fit of each query.
pub(super) fn read(base: &Connection) -> Result<Vec<(i64, Vec<u16>, f64)>, IndexError> {
    let mut find = base.prepare_cached("SELECT n, vector, best FROM background ORDER BY n")?;
    let rows = find.query_map([], |row| {
        let bytes: Vec<u8> = row.get(1)?;
        let vector = bytes.as_chunks::<2>().0.iter().map(|bits| u16::from_le_bytes(*bits)).collect();
        Ok((row.get(0)?, vector, row.get(2)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
