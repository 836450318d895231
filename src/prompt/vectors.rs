//! The filters about vectors: their mean, and their cosine.

use super::{
    convert,
    work::{brief, items, spend, wrong},
};
use crate::value::Value;
use minijinja::{Environment, Error, State, value::Value as Shown};

pub(super) fn add_to(engine: &mut Environment<'static>) {
    engine.add_filter("mean", mean);
    engine.add_filter("cosine", cosine);
}

/// The numbers of a vector, or of a list of numbers.
fn numbers(state: &mut State, value: &Shown) -> Result<Vec<f64>, Error> {
    let number = |item: Shown| {
        let number = f64::try_from(item.clone()).ok().filter(|number| number.is_finite());
        number.ok_or_else(|| wrong(format!("found {} in a vector, expected a number", brief(&item))))
    };
    items(state, value)?.into_iter().map(number).collect()
}

/// The mean of unit vectors, scaled to length 1 again. Fails for an empty list, for vectors of different lengths, and if they cancel out.
fn mean(state: &mut State, vectors: &Shown) -> Result<Shown, Error> {
    let mut sum: Vec<f64> = Vec::new();
    for (n, vector) in items(state, vectors)?.iter().enumerate() {
        let vector = numbers(state, vector)?;
        if n == 0 {
            sum = vec![0.0; vector.len()];
        }
        same_length(&sum, &vector)?;
        sum.iter_mut().zip(&vector).for_each(|(sum, number)| *sum += number);
    }
    if sum.is_empty() {
        return Err(wrong("found no vectors, expected one or more"));
    }
    let length = length(&sum);
    if length <= f64::EPSILON {
        return Err(wrong("found vectors that cancel out, so that they have no mean direction"));
    }
    let unit = sum.iter().map(|number| (number / length) as f32).collect();
    Ok(convert::shown(&Value::Vector(unit)))
}

/// The cosine of the angle between two vectors, -1 to 1; 0 if one of them is zero.
fn cosine(state: &mut State, one: &Shown, other: &Shown) -> Result<f64, Error> {
    let (one, other) = (numbers(state, one)?, numbers(state, other)?);
    same_length(&one, &other)?;
    spend(state, one.len())?;
    let lengths = length(&one) * length(&other);
    let dot: f64 = one.iter().zip(&other).map(|(a, b)| a * b).sum();
    Ok(if lengths > 0.0 { (dot / lengths).clamp(-1.0, 1.0) } else { 0.0 })
}

fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|number| number * number).sum::<f64>().sqrt()
}

fn same_length(one: &[f64], other: &[f64]) -> Result<(), Error> {
    if one.len() == other.len() {
        return Ok(());
    }
    Err(wrong(format!("found vectors of {} and {} numbers, expected those of one model", one.len(), other.len())))
}
