//! Measures how fast a model works, phase by phase, for predictions of later runs.

use super::cost::Phase;
use crate::store::timings::{Ratio, Ratios, TimingStore};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The measurements of one model. Clones share it. The default measures nothing.
#[derive(Debug, Clone, Default)]
pub struct Meter(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    store: TimingStore,
    /// The model and everything else that decides its speed.
    model: String,
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    /// Not yet in the store.
    new: Ratios,
    /// The seconds of all measured work.
    busy_s: f64,
}

impl Meter {
    /// A meter that adds to the store's ratios of `model` when it is flushed or dropped.
    pub fn new(store: TimingStore, model: String) -> Meter {
        Meter(Some(Arc::new(Inner { store, model, sums: Mutex::default() })))
    }

    /// Does some work and measures its time. `units` is the amount of work: tokens, pictures or windows.
    pub fn time<T>(&self, phase: Phase, units: usize, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        self.took(phase, units as f64, begun.elapsed());
        done
    }

    /// Runs work that says how many units it did.
    pub fn time_counted<E>(&self, phase: Phase, work: impl FnOnce() -> Result<usize, E>) -> Result<usize, E> {
        let begun = Instant::now();
        let units = work()?;
        self.took(phase, units as f64, begun.elapsed());
        Ok(units)
    }

    /// Adds finished work.
    pub fn took(&self, phase: Phase, units: f64, time: Duration) {
        let Some(inner) = &self.0 else { return };
        let mut sums = inner.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.busy_s += time.as_secs_f64();
        let ratio = Ratio { amount: units, per: time.as_secs_f64() };
        sums.new.entry(phase.word().to_owned()).or_default().add(ratio);
    }

    /// Adds a ratio that is not a speed, such as the tokens of a reply.
    pub fn count(&self, name: &str, amount: f64, per: f64) {
        let Some(inner) = &self.0 else { return };
        let mut sums = inner.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.new.entry(name.to_owned()).or_default().add(Ratio { amount, per });
    }

    /// The model and everything else that decides its speed; empty for the default.
    pub fn model(&self) -> &str {
        self.0.as_ref().map_or("", |inner| &inner.model)
    }

    /// The seconds of all work that was measured so far.
    pub fn busy_s(&self) -> f64 {
        let sums = |inner: &Arc<Inner>| inner.sums.lock().unwrap_or_else(PoisonError::into_inner).busy_s;
        self.0.as_ref().map_or(0.0, sums)
    }

    /// The ratios in the store. Blocks.
    pub fn known(&self) -> Ratios {
        self.0.as_ref().map(|inner| inner.store.get(&inner.model)).unwrap_or_default()
    }

    /// Adds the new measurements to the store. Blocks.
    pub fn flush(&self) {
        if let Some(inner) = &self.0 {
            inner.flush();
        }
    }
}

impl Inner {
    fn flush(&self) {
        let new = std::mem::take(&mut self.sums.lock().unwrap_or_else(PoisonError::into_inner).new);
        if !new.is_empty() {
            self.store.add(&self.model, &new);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_reach_the_store() {
        let folder = tempfile::tempdir().expect("temp");
        let meter = || Meter::new(TimingStore::at(folder.path()), "m".to_owned());
        let (first, second) = (meter(), meter());
        assert_eq!(first.time(Phase::Text, 3, || 7), 7);
        first.took(Phase::Text, 1.0, Duration::from_secs(2));
        first.count("reply length 64", 10.0, 2.0);
        assert!(first.busy_s() >= 2.0);
        assert_eq!(second.known(), Ratios::new());
        first.flush();
        assert_eq!((second.known()["text"].amount, second.known()["reply length 64"].rate()), (4.0, Some(5.0)));
        drop(first);
        assert_eq!(second.known()["text"].amount, 4.0, "a measurement counts once");
        assert_eq!(Meter::default().time(Phase::Picture, 1, || 1), 1);
    }
}
