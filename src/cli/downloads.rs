//! The progress of downloads: a bar for each file on a terminal, plain lines elsewhere, with rate and time left.

use super::print;
use crate::{
    files::size_text,
    hub::download::{DownloadProgress, FileWork},
};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The time between two lines about one file, where no bar is drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A smaller file has no lines: a model has a dozen of them.
const MIN_BYTES: u64 = 1_000_000;

/// The files that are being downloaded or checked.
#[derive(Default)]
pub(super) struct Downloads {
    files: HashMap<(String, FileWork), OneFile>,
}

struct OneFile {
    bar: ProgressBar,
    begun: Instant,
    /// Bytes that were here at the beginning.
    from: u64,
    shown: Instant,
    is_done: bool,
}

impl Downloads {
    /// Shows the progress of a file. Gives the line to print, if no bar is drawn.
    pub(super) fn show(&mut self, progress: &DownloadProgress, all: &MultiProgress, drawn: bool) -> Option<String> {
        if !drawn && progress.total.is_some_and(|total| total < MIN_BYTES) {
            return None;
        }
        let name = format!("{} {}", progress.repo, progress.file);
        let total = progress.total.unwrap_or(progress.done);
        let is_done = progress.total.is_some_and(|total| progress.done >= total);
        let now = Instant::now();
        let key = (name.clone(), progress.doing);
        let Some(file) = self.files.get_mut(&key) else {
            let bar = all.add(bar(&name, total));
            bar.set_position(progress.done);
            // the rate begins with the bytes that arrive now
            bar.reset_eta();
            let one = OneFile { bar, begun: now, from: progress.done, shown: now, is_done: false };
            self.files.insert(key, one);
            let size = progress.total.map_or(String::new(), |total| format!(", {}", size_text(total)));
            let here = match progress.done {
                0 => String::new(),
                done => format!("; continues after {}", size_text(done)),
            };
            let verb = if progress.doing == FileWork::Check { "checking" } else { "downloading" };
            return (!drawn).then(|| format!("{verb} {name}{size}{here}"));
        };
        file.bar.set_position(progress.done);
        let rate = (progress.done.saturating_sub(file.from)) as f64 / (now - file.begun).as_secs_f64().max(1e-3);
        if is_done && !file.is_done {
            file.is_done = true;
            file.bar.finish_and_clear();
            all.remove(&file.bar);
            let took = (now - file.begun).as_secs_f64();
            let is_download = progress.doing == FileWork::Download;
            return (!drawn && is_download).then(|| {
                format!(
                    "{name}: {} in {took:.1} s, {}/s",
                    size_text(total - file.from.min(total)),
                    size_text(rate as u64)
                )
            });
        }
        if drawn || is_done || now - file.shown < LINE_EVERY {
            return None;
        }
        file.shown = now;
        let share = 100.0 * progress.done as f64 / total.max(1) as f64;
        let left = (total.saturating_sub(progress.done)) as f64 / rate.max(1.0);
        let left = HumanDuration(Duration::try_from_secs_f64(left).unwrap_or_default());
        Some(format!("{name}: {share:.0} %, {}/s, {left:#} left", size_text(rate as u64)))
    }
}

fn bar(name: &str, total: u64) -> ProgressBar {
    let template = "{prefix:>14} {bar:24} {bytes:>10}/{total_bytes:<10} {binary_bytes_per_sec:>12} {eta:>4} left";
    let style = ProgressStyle::with_template(template).expect("the bar's template is right: this is a bug");
    ProgressBar::new(total).with_style(style).with_prefix(print::escape(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::ProgressDrawTarget;

    #[test]
    fn lines_tell_of_the_beginning_and_the_end() {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let mut downloads = Downloads::default();
        let mut show = |done, doing| {
            let (repo, file) = ("o/n".to_owned(), "a.gguf".to_owned());
            downloads.show(&DownloadProgress { repo, file, done, total: Some(3_000_000), doing }, &all, false)
        };
        assert_eq!(
            show(1_000_000, FileWork::Download).as_deref(),
            Some("downloading o/n a.gguf, 3.0 MB; continues after 1.0 MB")
        );
        assert_eq!(show(2_000_000, FileWork::Download), None, "a line each ten seconds");
        assert!(show(3_000_000, FileWork::Download).is_some_and(|line| line.starts_with("o/n a.gguf: 2.0 MB in ")));
        assert_eq!(show(3_000_000, FileWork::Download), None);
        assert_eq!(show(0, FileWork::Check).as_deref(), Some("checking o/n a.gguf, 3.0 MB"));
        assert_eq!(show(3_000_000, FileWork::Check), None);
    }
}
