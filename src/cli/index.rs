//! `elenchus index PATH…`

use super::{
    Exit,
    common::{self, RunArgs, stated, zone},
    out::Out,
    session::{CliSession, block_on},
    settings::Settings,
};
use crate::{
    error::{Fault, FaultKind},
    media::{self, Access},
    session::{Indexed, media_below},
    value::StatedTime,
};
use serde_json::json;
use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

/// How often a watched folder is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// The arguments of `index`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus index day.mp4
  elenchus index videos/ --cast real
  elenchus index walk.mp4 --starts-at 2026-11-23T09:15 --tz Europe/Berlin
  elenchus index --watch videos/

A video that is in the journal already is skipped. A run that was stopped goes on where it stopped, because the memo has its
exchanges. `elenchus search` and `elenchus journal show` read the journal.

If the cast has an `embedder`, lines get vectors of their meaning. If a role of the dialogue embeds pictures and texts, so does a frame of
each second. A later run adds those that are missing.")]
pub(crate) struct Args {
    /// Videos, sounds, and folders of them
    #[arg(required = true, value_parser = common::medium())]
    paths: Vec<String>,
    /// The dialogue that writes the journal; it must have the input `video`
    #[arg(long, value_name = "DIALOGUE", default_value = "video_log")]
    dialogue: String,
    /// When the video starts (2026-11-23T09:15, or with an offset); else its container or its file name may say it
    #[arg(long, value_name = "TIME", value_parser = stated)]
    starts_at: Option<StatedTime>,
    /// The time zone of times without one: an IANA name or an offset [default: the system's]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    tz: Option<String>,
    /// Let no model see or hear this part of each video, in the video's own time (10:00-10:30); repeat it for several. Later
    /// commands keep it for this video until one states another part, or `journal forget` removes the video
    #[arg(long, value_name = "FROM-TO", value_parser = common::span)]
    exclude: Vec<(f64, f64)>,
    /// Let no model hear the sound
    #[arg(long)]
    mute: bool,
    /// Go on looking for new videos until the program is stopped
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// The numbers of videos.
#[derive(Debug, Default)]
struct Tally {
    added: u64,
    known: u64,
    failed: u64,
    vectors: u64,
}

/// The vectors that were added, for a note.
fn with(vectors: u64) -> String {
    if vectors == 0 { String::new() } else { format!("; {vectors} vectors added") }
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        block_on(|cancel| async {
            let session = CliSession::open(&self.dialogue, &self.run, out, settings, cancel)?;
            let mut access = session.access().clone();
            access.starts_at = self.starts_at;
            access.exclude = self.exclude.iter().map(|(from, to)| (*from as u32, *to as u32)).collect();
            access.mute = self.mute;
            if let Some(zone) = &self.tz {
                access.zone.clone_from(zone);
            }
            let files = media_below(&self.paths)?;
            if self.starts_at.is_some() && files.len() > 1 {
                let fault =
                    Fault::refused(format!("--starts-at is the start of one video, and {} are named", files.len()));
                return Err(fault.hint("index them one by one"));
            }
            let begun = Instant::now();
            let mut tally = Tally::default();
            let count = files.len();
            for (number, file) in files.iter().enumerate() {
                self.one(file, (number + 1, count), &session, &access, &mut tally, out).await?;
            }
            if self.watch {
                let seen = files.into_iter().map(|file| (file.clone(), stamp(&file))).collect();
                self.watch(seen, &session, &access, &mut tally, out).await?;
            }
            let Tally { added, known, failed, vectors } = tally;
            let seconds = begun.elapsed().as_secs_f64();
            match out.json {
                true => out.value(&json!({ "added": added, "known": known, "failed": failed, "vectors": vectors, "seconds": seconds }))?,
                false => out.text(format_args!("{added} indexed, {known} known, {failed} failed ({seconds:.1} s)"))?,
            }
            Ok(if failed > 0 { Exit::Failed } else { Exit::Answered })
        })
    }

    /// Indexes one file. A medium that cannot be read is reported, and the others follow; any other fault ends the command.
    async fn one(
        &self,
        file: &str,
        (number, count): (usize, usize),
        session: &CliSession,
        access: &Access,
        tally: &mut Tally,
        out: &Out,
    ) -> Result<(), Fault> {
        let place = if count > 1 { format!("[{number}/{count}] ") } else { String::new() };
        let indexing = async {
            let video = media::open(file, access).await?;
            if let Some(other) = session.replaced(&video)? {
                let other = other.get(..16).unwrap_or(&other);
                out.note(format_args!(
                    "{place}{file}: the file was replaced; the lines of its earlier content {other} are kept"
                ));
            }
            session.index(&video, &self.run, true).await
        };
        match session.unless_interrupted(indexing).await {
            Ok(Indexed::Added { exchanges, memo_hits, denied, vectors }) => {
                tally.added += 1;
                tally.vectors += vectors;
                let with = with(vectors);
                let denied =
                    if denied > 0 { format!("; {denied} lines left out by the denylist") } else { String::new() };
                out.note(format_args!(
                    "{place}{file}: indexed ({exchanges} exchanges, {memo_hits} of them known{with}{denied})"
                ));
            }
            Ok(Indexed::Known { vectors }) => {
                tally.known += 1;
                tally.vectors += vectors;
                out.note(format_args!("{place}{file}: known{}", with(vectors)));
            }
            Err(fault) if fault.kind == FaultKind::Media && (count > 1 || self.watch) => {
                tally.failed += 1;
                out.warn(format_args!("{place}error: {fault}"));
            }
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    /// Indexes files that appear or change, as soon as they stop growing.
    async fn watch(
        &self,
        mut done: HashMap<String, Stamp>,
        session: &CliSession,
        access: &Access,
        tally: &mut Tally,
        out: &Out,
    ) -> Result<(), Fault> {
        let mut growing: HashMap<String, Stamp> = HashMap::new();
        out.note("watching for new videos; Ctrl-C ends it");
        loop {
            let waited = session.unless_interrupted(async {
                tokio::time::sleep(LOOK).await;
                Ok(())
            });
            if waited.await.is_err() {
                return Ok(());
            }
            // a folder that is empty now may fill later
            for file in media_below(&self.paths).unwrap_or_default() {
                let now = stamp(&file);
                if done.get(&file) == Some(&now) {
                    continue;
                }
                if growing.insert(file.clone(), now) == Some(now) {
                    growing.remove(&file);
                    self.one(&file, (1, 1), session, access, tally, out).await?;
                    done.insert(file, now);
                }
            }
        }
    }
}

/// The size and the time of a file.
type Stamp = (u64, Option<SystemTime>);

fn stamp(file: &str) -> Stamp {
    let meta = std::fs::metadata(PathBuf::from(file));
    meta.map_or((0, None), |meta| (meta.len(), meta.modified().ok()))
}
