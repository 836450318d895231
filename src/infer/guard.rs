//! The last resort against a checkpoint that makes a model or the tokenizer library panic: the panic becomes an error.

use std::{
    any::Any,
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`. If it panics, the error is the panic's message.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    done.map_err(|why| message(&*why))
}

/// True inside [`guarded`]. A panic hook must not print such a panic, because it is reported as an error.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

fn message(why: &(dyn Any + Send)) -> String {
    let text = why.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| why.downcast_ref::<String>().cloned()).unwrap_or_else(|| "for an unknown reason".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 1 + 1), Ok(2));
        assert_eq!(guarded(|| -> () { panic!("plain") }), Err("plain".to_owned()));
        assert_eq!(guarded(|| -> () { panic!("with {}", 1) }), Err("with 1".to_owned()));
    }

    #[test]
    fn is_guarded_is_true_only_inside_guarded() {
        assert!(!is_guarded());
        assert_eq!(guarded(|| (is_guarded(), guarded(is_guarded).is_ok(), is_guarded())), Ok((true, true, true)));
        assert!(guarded(|| -> () { panic!("ends") }).is_err());
        assert!(!is_guarded());
    }
}
