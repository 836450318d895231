//! Adds vectors to an index: to the open block of the list of new ones.

use super::{
    IndexError, MAX_WIDTH, NewVector, VectorIndex, background,
    blocks::{self, NEW, VectorBlock, capacity, width_of},
    products::{narrow, widen},
    stretches::medium_id,
};
use crate::store::now_ms;
use rusqlite::{Connection, OptionalExtension, params};

impl VectorIndex {
    /// Adds vectors, which the state `born` of the journal knows first. One that is there already is left out, and so is one that is zero
    /// or not finite. Returns the number of new ones. Blocks. Fails for a vector of another length.
    pub fn add(&mut self, born: i64, new: &[NewVector]) -> Result<usize, IndexError> {
        let Some(width) = new.first().map(|first| first.vector.len()).filter(|width| *width > 0) else {
            return Ok(0);
        };
        let other = || IndexError::new("the vectors of one model have different lengths");
        if new.iter().any(|one| one.vector.len() != width) || width > MAX_WIDTH {
            return Err(other());
        }
        let capacity = capacity(width);
        let change = self.blocks.change()?;
        let known = width_of(&change)?;
        if known != 0 && known != width {
            return Err(other());
        }
        let mut sum = sum_of(&change, width)?;
        let open = "SELECT id FROM blocks WHERE list = ?1 AND count < ?2 LIMIT 1";
        let open: Option<i64> = change.query_row(open, params![NEW, capacity as i64], |row| row.get(0)).optional()?;
        let mut filling = Filling::new(&change, open, width)?;
        let (mut added, mut fresh) = (0, Vec::new());
        for one in new {
            let Some(row) = narrow(&one.vector) else { continue };
            if filling.block.ids.len() >= capacity {
                filling.write(&change)?;
                filling = Filling::new(&change, None, width)?;
            }
            let Some(id) = entry(&change, one, filling.place)? else { continue };
            sum.iter_mut().zip(&row).for_each(|(sum, bits)| *sum += f64::from(widen(*bits)));
            filling.block.push(id, born, &row);
            fresh.extend_from_slice(&row);
            added += 1;
        }
        filling.write(&change)?;
        background::raise(&change, &fresh, width)?;
        let set = "UPDATE about SET width = ?1, sum = ?2, changed_ms = ?3";
        let bytes: Vec<u8> = sum.iter().flat_map(|x| x.to_le_bytes()).collect();
        change.execute(set, params![width as i64, bytes, now_ms()])?;
        change.commit()?;
        self.blocks.width = width;
        if self.blocks.count()? > self.clustered_from {
            self.choose()?;
        }
        Ok(added)
    }

    /// The numbers of `ids` that have no vector here. Blocks.
    pub fn missing(&self, ids: &[i64]) -> Result<Vec<i64>, IndexError> {
        let query = "SELECT value FROM json_each(?1) WHERE value NOT IN (SELECT id FROM entries)";
        let mut find = self.blocks.base.prepare_cached(query)?;
        let rows = find.query_map(params![serde_json::json!(ids).to_string()], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// A block that is being filled.
struct Filling {
    place: i64,
    block: VectorBlock,
}

impl Filling {
    /// The open block of the list of new vectors, or a further one.
    fn new(change: &Connection, open: Option<i64>, width: usize) -> Result<Filling, IndexError> {
        match open {
            Some(place) => Ok(Filling { place, block: blocks::load(change, place, width)? }),
            None => Ok(Filling {
                place: blocks::insert(change, NEW, &VectorBlock::default())?,
                block: VectorBlock::default(),
            }),
        }
    }

    fn write(&self, change: &Connection) -> Result<(), IndexError> {
        blocks::replace(change, self.place, &self.block)
    }
}

/// Adds an entry, and returns its number; `None` if it is there already.
fn entry(change: &Connection, one: &NewVector, block: i64) -> Result<Option<i64>, IndexError> {
    let medium = one.at.as_ref().map(|at| medium_id(change, &at.medium)).transpose()?;
    let (start, end) = (one.at.as_ref().map(|at| at.start), one.at.as_ref().map(|at| at.end));
    let mut put =
        change.prepare_cached("INSERT OR IGNORE INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?;
    let added = put.execute(params![
        one.id,
        block,
        medium,
        start.map(|time| time.ticks),
        start.map(|time| time.base.num),
        start.map(|time| time.base.den),
        end.map(|time| time.ticks),
        end.map(|time| time.base.num),
        end.map(|time| time.base.den),
        start.map(|time| time.seconds()),
        end.map(|time| time.seconds()),
    ])?;
    Ok((added > 0).then(|| change.last_insert_rowid()))
}

/// The sum of all vectors.
pub(super) fn sum_of(base: &Connection, width: usize) -> Result<Vec<f64>, IndexError> {
    let bytes: Vec<u8> = base.query_row("SELECT sum FROM about", [], |row| row.get(0))?;
    let mut sum: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|number| f64::from_le_bytes(*number)).collect();
    sum.resize(width, 0.0);
    Ok(sum)
}
