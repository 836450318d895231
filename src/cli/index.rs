//! `elenchus index PATH…`

use super::{
    Exit,
    common::{self, RunArgs, stated, zone},
    levels::{self, LevelPass},
    out::Out,
    session::block_on,
    settings::Settings,
};
use crate::{
    error::{Fault, FaultKind},
    media::{self, Access},
    run::RunError,
    session::{Indexed, media_below},
    value::{Level, Media, StatedTime, Time},
};
use indexmap::IndexMap;
use serde_json::json;
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::Arc,
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
  elenchus index videos/ --levels speech,ranking,captions
  elenchus index --watch videos/

A video that is in the journal already is skipped. A run that was stopped goes on where it stopped, because the memo has its
exchanges. `elenchus search` and `elenchus journal show` read the journal.

Levels, cheapest first: speech (heard), ranking (seen, done), captions (sentences about pictures), sounds, detection, text (read
in pictures). Each is done for all videos before the next one begins, and only what a video lacks is computed. A level needs roles
of the cast: the ear; the eye and the mind; a `captioner` or both for captions; a `listener` for sounds; a `detector`; a `viewer` for text.

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
    /// What to do with each video: speech, ranking, captions, sounds, detection, text
    #[arg(long, value_name = "LEVEL,…", value_delimiter = ',', value_parser = levels::level, default_value = "speech,ranking")]
    levels: Vec<Level>,
    /// Go on looking for new videos until the program is stopped, or its --deadline passes
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    run: RunArgs,
}

/// What became of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Known,
    Added,
    Failed,
}

/// What became of the videos.
#[derive(Debug, Default)]
struct Tally {
    fates: IndexMap<String, Fate>,
    /// The digests of those that could be opened.
    digests: HashMap<String, String>,
    vectors: u64,
}

impl Tally {
    /// Notes what became of a video at one pass. The worst counts.
    fn note(&mut self, file: &str, fate: Fate) {
        let known = self.fates.entry(file.to_owned()).or_insert(fate);
        *known = (*known).max(fate);
    }

    fn count(&self, fate: Fate) -> usize {
        self.fates.values().filter(|known| **known == fate).count()
    }
}

/// The passes over the videos, and what all of them share.
struct Passes {
    passes: Vec<LevelPass>,
    access: Access,
    /// The end of the time for all work, with its length.
    end: Option<(Instant, Duration)>,
}

impl Passes {
    /// The arguments of a run that ends in time. Fails if no time is left.
    fn in_time(&self, args: &RunArgs) -> Result<RunArgs, Fault> {
        let deadline = match self.end {
            None => None,
            Some((end, limit)) => match end.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return Err(RunError::deadline(limit).into()),
                left => Some(left),
            },
        };
        Ok(RunArgs { deadline, ..args.clone() })
    }
}

/// The vectors that were added, for a note.
fn with(vectors: u64) -> String {
    if vectors == 0 { String::new() } else { format!("; {vectors} vectors added") }
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        block_on(|cancel| async {
            let passes = levels::passes(&self.dialogue, &self.levels, &self.run, out, settings, cancel)?;
            let mut access = passes[0].session.access().clone();
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
            let end = self.run.deadline.map(|limit| (begun + limit, limit));
            let passes = Passes { passes, access, end };
            let mut tally = Tally::default();
            self.all(&files, &passes, &mut tally, out).await?;
            if self.watch {
                let seen = files.into_iter().map(|file| (file.clone(), stamp(&file))).collect();
                self.watch(seen, &passes, &mut tally, out).await?;
            }
            self.told(&tally, begun.elapsed().as_secs_f64(), &passes, out)
        })
    }

    /// Prints what became of the videos.
    fn told(&self, tally: &Tally, seconds: f64, passes: &Passes, out: &Out) -> Result<Exit, Fault> {
        let [added, known, failed] = [Fate::Added, Fate::Known, Fate::Failed].map(|fate| tally.count(fate));
        if out.json {
            let journal = passes.passes[0].session.journal()?;
            let mut videos = Vec::new();
            for file in tally.fates.keys() {
                if let Some(digest) = tally.digests.get(file) {
                    let levels = journal.levels_of(digest)?;
                    videos.push(json!({ "video": file, "digest": digest, "levels": levels }));
                }
            }
            out.value(&json!({
                "added": added, "known": known, "failed": failed, "vectors": tally.vectors, "seconds": seconds,
                "videos": videos,
            }))?;
        } else {
            out.text(format_args!("{added} indexed, {known} known, {failed} failed ({seconds:.1} s)"))?;
        }
        Ok(if failed > 0 { Exit::Failed } else { Exit::Answered })
    }

    /// Indexes files: a level of all of them before the next one.
    async fn all(&self, files: &[String], passes: &Passes, tally: &mut Tally, out: &Out) -> Result<(), Fault> {
        let count = files.len();
        for pass in &passes.passes {
            for (number, file) in files.iter().enumerate() {
                if tally.fates.get(file) == Some(&Fate::Failed) {
                    continue;
                }
                let place = if count > 1 { format!("[{}/{count}] ", number + 1) } else { String::new() };
                match self.one(file, &place, pass, passes, tally, out).await {
                    Err(fault) if fault.kind == FaultKind::Media && (count > 1 || self.watch) => {
                        tally.note(file, Fate::Failed);
                        out.warn(format_args!("{place}error: {fault}"));
                    }
                    done => done?,
                }
            }
        }
        Ok(())
    }

    /// Indexes one file at one pass.
    async fn one(
        &self,
        file: &str,
        place: &str,
        pass: &LevelPass,
        passes: &Passes,
        tally: &mut Tally,
        out: &Out,
    ) -> Result<(), Fault> {
        let (session, run, name) = (&pass.session, passes.in_time(&self.run)?, format!("{place}{file}"));
        let is_first = !tally.fates.contains_key(file);
        let opening = async { Ok(media::open(file, &passes.access).await?) };
        let video: Arc<Media> = session.unless_interrupted(opening).await?;
        match excluded_after_end(&video, &passes.access) {
            Some(line) if place.is_empty() && !self.watch => {
                return Err(Fault::refused(line).hint("the times are those of the video, from its start"));
            }
            Some(line) if is_first => out.warn(format_args!("{place}warning: {line}")),
            _ => {}
        }
        tally.digests.insert(file.to_owned(), video.digest.clone());
        if is_first && let Some(other) = session.replaced(&video)? {
            let other = other.get(..16).unwrap_or(&other);
            out.note(format_args!("{name}: the file was replaced; the lines of its earlier content {other} are kept"));
        }
        // with several passes, a note says which levels it is about
        let several = passes.passes.len() > 1;
        let of = if several { format!(" ({})", levels::listed(&pass.levels)) } else { String::new() };
        match session.unless_interrupted(session.index(&video, &pass.levels, &run, true)).await? {
            Indexed::Added { exchanges, memo_hits, denied, vectors } => {
                tally.note(file, Fate::Added);
                tally.vectors += vectors;
                let with = with(vectors);
                let denied =
                    if denied > 0 { format!("; {denied} lines left out by the denylist") } else { String::new() };
                out.note(format_args!(
                    "{name}: indexed{of} ({exchanges} exchanges, {memo_hits} of them known{with}{denied})"
                ));
            }
            Indexed::Known { vectors } => {
                tally.note(file, Fate::Known);
                tally.vectors += vectors;
                out.note(format_args!("{name}: known{of}{}", with(vectors)));
            }
        }
        Ok(())
    }

    /// Indexes files that appear or change, as soon as they stop growing.
    async fn watch(
        &self,
        mut done: HashMap<String, Stamp>,
        passes: &Passes,
        tally: &mut Tally,
        out: &Out,
    ) -> Result<(), Fault> {
        let mut growing: HashMap<String, Stamp> = HashMap::new();
        out.note("watching for new videos; Ctrl-C ends it");
        loop {
            let left = passes.in_time(&self.run)?.deadline.unwrap_or(LOOK);
            let waited = passes.passes[0].session.unless_interrupted(async {
                tokio::time::sleep(LOOK.min(left)).await;
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
                    tally.fates.swap_remove(&file);
                    self.all(std::slice::from_ref(&file), passes, tally, out).await?;
                    done.insert(file, now);
                }
            }
        }
    }
}

/// A line about an excluded part that begins after the end of the video, if there is one.
fn excluded_after_end(video: &Media, access: &Access) -> Option<String> {
    let seconds = video.end.seconds() - video.start.seconds();
    let (from, to) = access.exclude.iter().find(|(from, _)| f64::from(*from) >= seconds)?;
    let time = |seconds: &u32| format!("{:02}:{:02}", seconds / 60, seconds % 60);
    let (from, to, end) = (time(from), time(to), Time::from_seconds(seconds));
    Some(format!("--exclude {from}-{to} begins after the end of {} at {end}", video.path))
}

/// The size and the time of a file.
type Stamp = (u64, Option<SystemTime>);

fn stamp(file: &str) -> Stamp {
    let meta = std::fs::metadata(PathBuf::from(file));
    meta.map_or((0, None), |meta| (meta.len(), meta.modified().ok()))
}
