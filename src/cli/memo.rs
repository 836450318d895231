//! `elenchus memo stat|explain|purge|path`

use super::{Exit, out::Out, session::{block_on, unless}};
use crate::{
    error::Fault,
    media,
    run::{
        Memo, Transcript,
        memo::{Purge, explain},
    },
};
use clap::Subcommand;
use std::path::PathBuf;

/// What `memo` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus memo stat
  elenchus memo explain run.jsonl answer      # why is each of this step's exchanges there, or not?
  elenchus memo purge --video day.mp4         # forget all that came from this video
  elenchus memo purge --all")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Count what is kept
    Stat,
    /// Say of each exchange of a step whether it is kept, and if not, what changed
    Explain {
        /// A transcript (`--record`)
        run: PathBuf,
        /// A step of it
        step: String,
    },
    /// Remove what came from a video, or everything
    #[command(group(clap::ArgGroup::new("which").required(true)))]
    Purge {
        /// Remove what came from this video, sound or image (the file itself stays, and must still be there: its bytes are what
        /// the memo knows it by)
        #[arg(long, value_name = "FILE", group = "which", value_parser = super::common::medium())]
        video: Option<String>,
        /// Remove everything
        #[arg(long, group = "which")]
        all: bool,
    },
    /// Print where the memo is: in `ELENCHUS_CACHE`, else `XDG_CACHE_HOME/elenchus`, else `~/.cache/elenchus`
    Path,
}

impl Args {
    pub fn run(self, out: &Out) -> Result<Exit, Fault> {
        let folder = Memo::default_folder();
        match self.what {
            What::Path if out.json => out.value(&serde_json::json!({ "path": folder }))?,
            What::Path => out.text(folder.display())?,
            What::Stat => {
                let stat = Memo::open(&folder)?.stat()?;
                if out.json {
                    out.value(&stat)?;
                } else {
                    out.text(format!(
                        "{}\n{} exchanges of {} runs about {} media, {:.1} MB on disk; asking it all again would take {:.1} s",
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
                }
            }
            What::Explain { run, step } => {
                let transcript = Transcript::read(&run).map_err(Fault::refused)?;
                let explained = explain(&Memo::open(&folder)?, &transcript, &step)?;
                if explained.is_empty() {
                    return Err(Fault::refused(format!("{} has no exchange of a step `{step}`", run.display())));
                }
                if out.json {
                    out.value(&explained)?;
                } else {
                    for one in &explained {
                        let word = if one.kept { "kept" } else { "not kept" };
                        out.text(format_args!("{}: {word}\n    {}", one.path, one.why.join("\n    ")))?;
                    }
                }
            }
            What::Purge { video, .. } => {
                let what = match &video {
                    // its bytes alone count: a file that is no video any more can be forgotten, too
                    Some(video) => Purge::Media(block_on(|cancel| async move {
                        unless(&cancel, async { Ok(media::digest_of(video).await?) }).await
                    })?),
                    None => Purge::All,
                };
                let removed = match Memo::open(&folder) {
                    Ok(memo) => memo.purge(&what)?,
                    // everything is to go, so what cannot be opened goes too
                    Err(_) if what == Purge::All => {
                        Memo::erase(&folder)?;
                        0
                    }
                    Err(error) => return Err(error.into()),
                };
                match (&video, &what) {
                    (Some(video), Purge::Media(digest)) => media::forget(video, digest)?,
                    _ => media::forget_all()?,
                }
                if out.json {
                    out.value(&serde_json::json!({ "removed": removed }))?;
                } else {
                    out.text(format_args!("{removed} exchanges removed"))?;
                }
            }
        }
        Ok(Exit::Answered)
    }
}
