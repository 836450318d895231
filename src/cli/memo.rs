//! `elenchus memo stat|explain|purge|path`

use super::{
    Exit,
    out::Out,
    session::{block_on, unless},
    settings::Settings,
};
use crate::{
    error::Fault,
    hub::embedded,
    media::{self, Access},
    run::{
        Transcript,
        explain::{explain, steps},
    },
    session::forgetting::with_file,
    store::{
        memo::{self as store, Memo, Purge, Stat},
        vectors::{VectorStat, VectorStore},
    },
};
use clap::Subcommand;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// The maximum number of media in the text output.
const MAX_SHOWN: usize = 20;

/// The arguments of `memo`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus memo stat
  elenchus memo explain run.jsonl answer      # why the memo has each reply, or not
  elenchus memo purge --video day.mp4         # remove everything that came from this video
  elenchus memo purge --older 30d             # remove entries that are at least 30 days old
  elenchus memo purge --all")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Count the exchanges in the memo, and the vectors of labels beside it
    Stat,
    /// Explain for each exchange of a step why the memo has its reply, or not
    Explain {
        /// A transcript (`--record`)
        run: PathBuf,
        /// A step of the dialogue
        step: String,
    },
    /// Remove the entries of a video, old entries, or everything
    #[command(group(clap::ArgGroup::new("which").required(true)))]
    Purge {
        /// Remove everything that came from this video, sound or image. Give its path (the file may be gone), or its
        /// digest as `memo stat` shows it. The file itself stays. All vectors of labels go too, because a label may
        /// describe the video
        #[arg(long, value_name = "FILE|DIGEST", group = "which", value_parser = super::common::medium())]
        video: Option<String>,
        /// Remove entries that are at least this old (12h, 30d)
        #[arg(long, value_name = "TIME", group = "which", value_parser = super::common::age)]
        older: Option<Duration>,
        /// Remove everything
        #[arg(long, group = "which")]
        all: bool,
    },
    /// Print the path of the memo: in `ELENCHUS_CACHE`, else `XDG_CACHE_HOME/elenchus`, else `~/.cache/elenchus`
    Path,
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let folder = settings.folders.memo();
        let access = settings.access(false);
        let vectors = VectorStore::at(&settings.folders.vectors());
        match self.what {
            What::Path if out.json => out.value(&serde_json::json!({ "path": folder }))?,
            What::Path => out.text(folder.display())?,
            What::Stat => {
                let (stat, vectors) = (Memo::open(&folder)?.stat()?, vectors.stat());
                if out.json {
                    out.value(&Whole { stat: &stat, vectors: &vectors })?
                } else {
                    show(&stat, &vectors, out)?
                }
            }
            What::Explain { run, step } => {
                let transcript = Transcript::read(&run).map_err(Fault::refused)?;
                let explained = explain(&Memo::open(&folder)?, &transcript, &step)?;
                if explained.is_empty() {
                    let fault = Fault::refused(format!("{} contains no exchange of a step `{step}`", run.display()));
                    return Err(fault.hint(format!("its steps are {}", steps(&transcript).join(", "))));
                }
                if out.json {
                    out.value(&explained)?;
                } else {
                    for one in &explained {
                        let word = if one.kept { "in the memo" } else { "not in the memo" };
                        out.text(format_args!("{}: {word}\n    {}", one.path, one.why.join("\n    ")))?;
                    }
                }
            }
            What::Purge { video, older, .. } => match (&video, older) {
                (Some(video), _) => {
                    let removed = forget(video, &folder, &access)?;
                    report(removed, vectors.purge(None)?, out)?;
                }
                (None, Some(age)) => {
                    let removed = store::purge(&folder, &Purge::Older(age))?;
                    report(removed, vectors.purge(Some(age))?, out)?;
                }
                (None, None) => {
                    let removed = store::purge(&folder, &Purge::All)?;
                    let vectors = vectors.purge(None)?;
                    media::forget_all(&access)?;
                    embedded::sweep(&settings.folders.starter());
                    report(removed, vectors, out)?;
                }
            },
        }
        Ok(Exit::Answered)
    }
}

/// The statistics in JSON.
#[derive(serde::Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    stat: &'a Stat,
    vectors: &'a VectorStat,
}

/// Removes everything that came from a medium, and returns the number of exchanges. `video` is a path, of which the file's digest counts, a path in an
/// earlier run, or a digest.
fn forget(video: &str, folder: &Path, access: &Access) -> Result<Option<u64>, Fault> {
    let none = Fault::media("the memo has no medium of this name")
        .hint("`elenchus memo stat` lists the media with their digests; --video accepts both");
    let known = Memo::open(folder)?.digests_of(video)?;
    let finding = with_file(video, known, access, none);
    let digests = block_on(|cancel| async move { unless(&cancel, finding).await })?;
    let removed = store::purge(folder, &Purge::Media(digests.clone()))?;
    digests.iter().try_for_each(|digest| media::forget(video, digest, access))?;
    Ok(removed)
}

fn report(removed: Option<u64>, vectors: u64, out: &Out) -> Result<(), Fault> {
    match removed {
        removed if out.json => return out.value(&serde_json::json!({ "removed": removed, "vectors": vectors })),
        Some(1) => out.text("1 exchange removed")?,
        Some(count) => out.text(format_args!("{count} exchanges removed"))?,
        None => out.text("the whole memo was removed; its exchanges could not be counted")?,
    }
    match vectors {
        0 => Ok(()),
        1 => out.text("1 vector of a label removed"),
        count => out.text(format_args!("{count} vectors of labels removed")),
    }
}

fn show(stat: &Stat, vectors: &VectorStat, out: &Out) -> Result<(), Fault> {
    out.text(format!(
        "{}\n{} exchanges of {} runs about {} media, {:.1} MB on disk; asking everything again would take {:.1} s",
        stat.folder.display(),
        stat.exchanges,
        stat.runs,
        stat.media,
        stat.disk_bytes as f64 / 1e6,
        stat.asked_ms as f64 / 1e3,
    ))?;
    for (kind, count) in &stat.kinds {
        out.text(format!("{kind:>8} {count}"))?;
    }
    if vectors.count > 0 {
        let (VectorStat { count, models, .. }, megabytes) = (vectors, vectors.disk_bytes as f64 / 1e6);
        out.text(format!("{count} vectors of labels by {models} models, {megabytes:.1} MB on disk"))?;
    }
    for source in stat.sources.iter().take(MAX_SHOWN) {
        let digest = source.digest.get(..16).unwrap_or(&source.digest);
        out.text(format!("{digest} {:>6}  {}", source.exchanges, source.paths.join(", ")))?;
    }
    match stat.sources.len().saturating_sub(MAX_SHOWN) {
        0 => Ok(()),
        more => out.text(format!("and {more} more media; --json lists them all")),
    }
}
