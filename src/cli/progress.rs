//! The progress of a run: a bar for each step on a terminal, plain lines elsewhere.

use super::{downloads::Downloads, out::Out, print};
use crate::{
    hub::download,
    run::{Event, Progress},
};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Draws bars or prints lines; with `-q` it shows nothing.
pub(crate) struct Bars {
    quiet: bool,
    drawn: bool,
    all: MultiProgress,
    steps: Mutex<HashMap<String, Step>>,
    downloads: Mutex<Downloads>,
    /// The reasons of retries that were shown.
    retried: Mutex<HashSet<String>>,
    /// True while a question to a person is open.
    is_paused: AtomicBool,
}

/// Shows the bars again when it is dropped.
pub(crate) struct PausedBars(Arc<Bars>);

impl Drop for PausedBars {
    fn drop(&mut self) {
        self.0.is_paused.store(false, Ordering::Relaxed);
        if self.0.drawn {
            self.0.all.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

/// A number of exchanges: `1 exchange`, `2 exchanges`.
pub(crate) fn count(exchanges: u64) -> String {
    format!("{exchanges} exchange{}", if exchanges == 1 { "" } else { "s" })
}

/// A number of memo hits: `1 memo hit`, `2 memo hits`.
pub(crate) fn hits(hits: u64) -> String {
    format!("{hits} memo hit{}", if hits == 1 { "" } else { "s" })
}

/// Writes the exchanges in a second, after the first exchange.
fn rate(state: &ProgressState, to: &mut dyn Write) {
    if state.pos() > 0 {
        let _ = write!(to, "{:.1}/s", state.per_sec());
    }
}

/// Writes the estimated time left, after the first exchange.
fn left(state: &ProgressState, to: &mut dyn Write) {
    if state.pos() > 0 {
        let _ = write!(to, "{:#} left", HumanDuration(state.eta()));
    }
}

/// One of the dialogue's own steps.
struct Step {
    verb: String,
    bar: ProgressBar,
    done: u64,
    hits: u64,
    failed: u64,
}

impl Bars {
    /// The progress display for these global options.
    pub(super) fn new(out: &Out) -> Bars {
        let drawn = out.bars();
        let target = if drawn { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Bars {
            quiet: out.quiet,
            drawn,
            all: MultiProgress::with_draw_target(target),
            steps: Mutex::default(),
            downloads: Mutex::default(),
            retried: Mutex::default(),
            is_paused: AtomicBool::new(false),
        }
    }

    /// Hides the bars while a person types.
    pub(super) fn pause(self: &Arc<Bars>) -> PausedBars {
        self.clear();
        self.is_paused.store(true, Ordering::Relaxed);
        self.all.set_draw_target(ProgressDrawTarget::hidden());
        PausedBars(self.clone())
    }

    /// True if bars are drawn now.
    fn draws(&self) -> bool {
        self.drawn && !self.is_paused.load(Ordering::Relaxed)
    }

    /// True for the first retry with this reason.
    fn is_new(&self, why: &str) -> bool {
        self.retried.lock().unwrap_or_else(PoisonError::into_inner).insert(why.to_owned())
    }

    /// Removes the bars, so that only the answer remains.
    pub(super) fn clear(&self) {
        // If the terminal is closed, there is nothing to clear.
        let _ = self.all.clear();
    }

    /// Prints a line, even with `-q`.
    pub(super) fn notice(&self, text: impl std::fmt::Display) {
        if self.draws() {
            let _ = self.all.println(print::foreign(&text.to_string()));
        } else {
            print::to_stderr(&text.to_string());
        }
    }

    fn line(&self, text: impl std::fmt::Display) {
        if self.draws() {
            let _ = self.all.println(print::foreign(&text.to_string()));
        } else if !self.quiet {
            print::to_stderr(&text.to_string());
        }
    }

    fn started(&self, path: &str, verb: &str, items: Option<usize>) {
        let template = "{prefix:>14} {bar:24} {pos:>5}/{len:<5} {rate:>8} {left:>9}  {msg}";
        let style = ProgressStyle::with_template(template).expect("the bar's template is right: this is a bug");
        let style = style.with_key("rate", rate).with_key("left", left);
        let bar = ProgressBar::new(items.map_or(1, |n| n as u64))
            .with_style(style)
            .with_prefix(print::escape(path).into_owned());
        let bar = self.all.add(bar);
        bar.enable_steady_tick(Duration::from_millis(200));
        self.lock().insert(path.to_owned(), Step { verb: verb.to_owned(), bar, done: 0, hits: 0, failed: 0 });
    }

    fn finished(&self, path: &str, skipped: bool, error: Option<&str>) {
        let Some(step) = self.lock().remove(path) else { return };
        let seconds = step.bar.elapsed().as_secs_f64();
        step.bar.finish_and_clear();
        self.all.remove(&step.bar);
        if skipped {
            self.line(format_args!("{path:>14}  skipped"));
        } else if let Some(error) = error {
            self.line(format_args!("{path:>14}  failed: {error}"));
        } else if step.done > 0 {
            let verb = &step.verb;
            let hits = if step.hits > 0 { format!(", {}", hits(step.hits)) } else { String::new() };
            let failed = if step.failed > 0 { format!(", {} failed", step.failed) } else { String::new() };
            let count = count(step.done);
            self.line(format_args!("{path:>14}  {verb}: {count} in {seconds:.1} s{hits}{failed}"));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Step>> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the progress of a download.
    pub(super) fn download(&self, progress: &download::DownloadProgress) {
        if self.quiet {
            return;
        }
        let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = downloads.show(progress, &self.all, self.drawn) {
            print::to_stderr(&line);
        }
    }
}

impl Progress for Bars {
    fn event(&self, event: Event) {
        match event {
            Event::StepStarted { path, verb, items, depth: 0 } => self.started(&path, &verb, items),
            Event::StepDone { path, depth: 0, skipped, error } => self.finished(&path, skipped, error.as_deref()),
            Event::ExchangeDone { step, hit, error, .. } => {
                if let Some(step) = self.lock().get_mut(&step) {
                    step.done += 1;
                    step.hits += u64::from(hit);
                    step.failed += u64::from(error.is_some());
                    if step.bar.length().is_some_and(|length| step.done > length) {
                        step.bar.set_length(step.done);
                    }
                    step.bar.set_position(step.done);
                    if step.hits > 0 {
                        step.bar.set_message(hits(step.hits));
                    }
                }
            }
            // a server that is down fails all exchanges for one reason, so it is shown once
            Event::Retrying { why, .. } if !self.is_new(&why) => {}
            Event::Retrying { path, attempt, wait, why } => {
                self.line(format_args!(
                    "{path:>14}  attempt {attempt} failed ({why}); again in {:.1} s",
                    wait.as_secs_f64()
                ));
            }
            Event::MemoFailed { why } => self.line(format_args!("warning: {why}; new replies are not kept")),
            Event::StepStarted { .. } | Event::StepDone { .. } | Event::Stopped { .. } => {}
        }
    }
}
