//! Limits of one run: its work and its storage. They are far above the needs of a day of video; they bound hostile dialogues
//! whose repetitions are nested.

use crate::value::Value;

/// Most items, rounds and steps of one run together.
const MAX_TASKS: usize = 1_000_000;
/// Most that the values of one run take together, in bytes (estimated).
const MAX_BYTES: usize = 2 << 30;

/// The work and the storage of one run so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    tasks: usize,
    bytes: usize,
}

impl Budget {
    /// One more task.
    pub(super) fn task(&mut self) -> Result<(), String> {
        self.tasks += 1;
        if self.tasks > MAX_TASKS {
            return Err(format!("the run has more than {MAX_TASKS} items, rounds and steps"));
        }
        self.room()
    }

    /// One more value.
    pub(super) fn keep(&mut self, value: &Value) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(value.bytes());
        self.room()
    }

    /// A run that kept too much begins nothing more: what would come could not be kept.
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
    fn a_run_that_did_or_kept_too_much_begins_nothing_more() {
        let mut budget = Budget::default();
        let value = Value::Text("x".repeat(64 << 20));
        let kept = (0..100).take_while(|_| budget.keep(&value).is_ok()).count();
        assert_eq!(kept, (MAX_BYTES >> 20) / 64 - 1, "each value takes a little more than its text");
        assert!(budget.task().is_err());

        let mut budget = Budget::default();
        assert_eq!((0..2 * MAX_TASKS).take_while(|_| budget.task().is_ok()).count(), MAX_TASKS);
    }
}
