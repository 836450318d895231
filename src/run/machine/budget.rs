//! The limits of a run's work and memory. They are far above the needs of a day of video, and stop hostile dialogues
//! with nested repetitions.

use crate::value::Value;

/// The maximum number of items, rounds and steps of a run together.
const MAX_TASKS: usize = 1_000_000;
/// The maximum memory of all values of a run together, in bytes (estimated).
const MAX_BYTES: usize = 2 << 30;

/// The work and the memory of a run so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    tasks: usize,
    bytes: usize,
}

impl Budget {
    /// Counts one task. Fails if a limit is exceeded.
    pub(super) fn task(&mut self) -> Result<(), String> {
        self.tasks += 1;
        if self.tasks > MAX_TASKS {
            return Err(format!("the run has more than {MAX_TASKS} items, rounds and steps"));
        }
        self.room()
    }

    /// Counts the memory of one value. Fails if the limit is exceeded.
    pub(super) fn keep(&mut self, value: &Value) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(value.bytes());
        self.room()
    }

    /// Fails if the values take too much memory. Such a run starts nothing more, because it could not keep further
    /// values.
    fn room(&self) -> Result<(), String> {
        if self.bytes > MAX_BYTES {
            return Err(format!("the values of the run take more than {} MiB", MAX_BYTES >> 20));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_beyond_its_limits_starts_nothing_more() {
        let mut budget = Budget::default();
        let value = Value::Text("x".repeat(64 << 20));
        let kept = (0..100).take_while(|_| budget.keep(&value).is_ok()).count();
        assert_eq!(kept, (MAX_BYTES >> 20) / 64 - 1, "each value takes a little more than its text");
        assert!(budget.task().is_err());

        let mut budget = Budget::default();
        assert_eq!((0..2 * MAX_TASKS).take_while(|_| budget.task().is_ok()).count(), MAX_TASKS);
    }
}
