//! Signals that stop the program: the first one ends a run in order, a second one ends the process at once.
//!
//! SIGINT, SIGTERM and SIGHUP differ only in the exit code: 128 plus the number of the signal.

use super::Exit;
use crate::run::Cancel;
use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

/// A second signal within this time counts as the first one: `timeout` signals the process and then its group.
const SAME: Duration = Duration::from_millis(250);

/// The first signal and its time. It is global because signals belong to the whole process.
static FIRST: OnceLock<(Exit, Instant)> = OnceLock::new();

/// The exit code of a process whose run was stopped.
pub(crate) fn exit() -> Exit {
    FIRST.get().map_or(Exit::Interrupted, |(exit, _)| *exit)
}

/// Installs the handlers, and gives the handle that the first signal cancels. Call it inside of a runtime, before other
/// work.
#[cfg(unix)]
pub(crate) fn install() -> Cancel {
    use tokio::signal::unix::{SignalKind, signal};
    let cancel = Cancel::default();
    let kinds = [
        (SignalKind::interrupt(), Exit::Interrupted),
        (SignalKind::terminate(), Exit::Terminated),
        (SignalKind::hangup(), Exit::HungUp),
    ];
    for (kind, exit) in kinds {
        if exit == Exit::HungUp && !hang_up_counts() {
            continue;
        }
        let Ok(mut stream) = signal(kind) else { continue };
        let cancel = cancel.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                came(exit, &cancel);
            }
        });
    }
    cancel
}

/// Installs the handler of Ctrl-C, and gives the handle that it cancels.
#[cfg(not(unix))]
pub(crate) fn install() -> Cancel {
    let cancel = Cancel::default();
    let first = cancel.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            came(Exit::Interrupted, &first);
        }
    });
    cancel
}

fn came(exit: Exit, cancel: &Cancel) {
    let now = Instant::now();
    let (_, first) = FIRST.get_or_init(|| (exit, now));
    cancel.cancel();
    if now.duration_since(*first) > SAME {
        #[allow(clippy::disallowed_methods, reason = "a second signal ends the process at once")]
        std::process::exit(exit as i32);
    }
}

/// False if the program was started with SIGHUP ignored (`nohup`), or if this is unknown. The signal then keeps its
/// former effect.
#[cfg(unix)]
fn hang_up_counts() -> bool {
    const HANG_UP: u64 = 1; // the lowest bit is signal 1
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANG_UP == 0)
}
