//! `elenchus journal stat|show|export|correct|forget|path`

use super::{
    Exit,
    common::{self, medium, span, stated},
    cut::{self, CutKind},
    forget,
    names::Names,
    out::Out,
    session::{block_on, unless},
    settings::Settings,
};
use crate::{
    error::Fault,
    exchange::{LineFilter, TimeSpan},
    session::{Engine, forgetting::known_digests},
    store::journal::{
        Correction, Denied, Journal, JournalStat, MAX_LINES, StoredLine,
        export::{ExportFormat, to_json},
    },
    value::{JournalLine, Sense, StatedTime},
};
use clap::Subcommand;
use std::path::PathBuf;

/// The arguments of `journal`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  elenchus journal stat
  elenchus journal show --of day.mp4 --sense heard
  elenchus journal export --format srt --of day.mp4 > day.srt
  elenchus journal export --clips out --of day.mp4 --sense done
  elenchus journal correct 42 \"kitchen. Seen: screwdriver\"
  elenchus journal correct 42 --remove
  elenchus journal correct 42 --restore                  # what the models said
  elenchus journal forget day.mp4 --span 10:00-10:30     # the video's own time
  elenchus journal forget --word Rumpelstiltskin")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

const DENY_HELP: &str = "\
Examples:
  elenchus journal deny --place bathroom --name Anna
  elenchus journal deny --name Anna --remove
  elenchus journal deny                              # prints the list

The replies about a video of which something was left out are removed from the memo too. Lines that were written before stay; `journal forget` \
removes them. A journal cannot know a place that its models do not name.";

const FORGET_HELP: &str = "\
Examples:
  elenchus journal forget day.mp4
  elenchus journal forget day.mp4 --span 10:00-10:30     # the video's own time
  elenchus journal forget --word Rumpelstiltskin         # every line with the name, in every video

A receipt lists what was removed. The videos themselves stay: `elenchus index` would read them again, unless `journal deny` keeps the name out.";

#[derive(Debug, Subcommand)]
enum What {
    /// List the videos in the journal
    Stat {
        /// Only what was recorded up to this time (2026-11-23T21:00)
        #[arg(long, value_name = "TIME", value_parser = stated)]
        as_of: Option<StatedTime>,
    },
    /// Print lines, in order of time
    Show {
        #[command(flatten)]
        lines: LineArgs,
        /// Print superseded lines too: those that were corrected, or seen again by other models
        #[arg(long)]
        all: bool,
    },
    /// Write lines in the format of another program
    Export {
        #[command(flatten)]
        lines: LineArgs,
        /// The format: jsonl, csv, srt, vtt, otio or ics
        #[arg(long, value_name = "FORMAT", value_parser = format, required_unless_present_any = ["clips", "thumbnails"])]
        format: Option<ExportFormat>,
        /// Write to this file instead of stdout
        #[arg(long, value_name = "FILE", requires = "format", conflicts_with_all = ["clips", "thumbnails"])]
        out: Option<PathBuf>,
        /// Write a clip of each line into this folder. It is not encoded again, so it begins at the keyframe before
        #[arg(long, value_name = "FOLDER", conflicts_with = "format")]
        clips: Option<PathBuf>,
        /// Write a picture of each line into this folder
        #[arg(long, value_name = "FOLDER", conflicts_with = "format")]
        thumbnails: Option<PathBuf>,
    },
    /// Say what a line should be. The correction is kept beside the line, and wins also if the video is indexed again
    Correct {
        /// The number of the line, as `journal show` prints it
        line: i64,
        /// The right text
        #[arg(required_unless_present_any = ["remove", "restore", "sense"])]
        text: Option<String>,
        /// The right sense: seen, done, heard, sound, read, detected, caption or summary
        #[arg(long, value_name = "SENSE", value_parser = sense)]
        sense: Option<Sense>,
        /// Nothing of the kind happened: no search finds the line any more
        #[arg(long, conflicts_with_all = ["text", "sense"])]
        remove: bool,
        /// The line was right: take its corrections and its removal back
        #[arg(long, conflicts_with_all = ["text", "sense", "remove"])]
        restore: bool,
    },
    /// Remove a video, a part of it, or a word for good: from the journal, the memo, the vectors, transcripts, clips and pictures
    #[command(group(clap::ArgGroup::new("which").required(true)), after_help = FORGET_HELP)]
    Forget {
        /// The video: its path (the file may be gone), or its digest as `journal stat` shows it. The file itself stays
        #[arg(group = "which", value_name = "VIDEO|DIGEST", value_parser = medium())]
        video: Option<String>,
        /// Only the lines that touch this part of the video (10:00-10:30). The memo forgets the whole video
        #[arg(long, value_name = "FROM-TO", value_parser = span, requires = "video")]
        span: Option<(f64, f64)>,
        /// Remove every line with this word or name, in any inflection; and of the videos of these lines, the exchanges in the memo and the
        /// transcripts that hold it
        #[arg(long, group = "which", value_name = "WORD")]
        word: Option<String>,
    },
    /// Keep places and names out of the journal: of lines that are written from now on
    #[command(after_help = DENY_HELP)]
    Deny {
        /// Write nothing down about the time in this place, as the models name it (bathroom); repeat it for several
        #[arg(long, value_name = "PLACE")]
        place: Vec<String>,
        /// Write no line with this name or word; repeat it for several
        #[arg(long, value_name = "NAME")]
        name: Vec<String>,
        /// Take these entries off the list
        #[arg(long)]
        remove: bool,
    },
    /// Print the folder of the journal
    Path,
}

/// The lines that a command is about.
#[derive(Debug, clap::Args)]
struct LineArgs {
    /// Only lines about this video: its path, or its digest; repeat it for several
    #[arg(long, value_name = "VIDEO", value_parser = medium())]
    of: Vec<String>,
    /// Only lines of this sense: seen, done, heard, sound, read, detected, caption or summary; repeat it for several
    #[arg(long, value_name = "SENSE", value_parser = sense)]
    sense: Vec<Sense>,
    /// Only lines that touch this part of the videos (10:00-10:30)
    #[arg(long, value_name = "FROM-TO", value_parser = span)]
    span: Option<(f64, f64)>,
    /// Nothing later than this time (2026-11-23T21:00): a line that ends later is left out, one without a known time counts as earlier
    #[arg(long, value_name = "TIME", value_parser = stated)]
    as_of: Option<StatedTime>,
}

impl LineArgs {
    /// The filter. Fails for a video that the journal does not have.
    fn filter(&self, journal: &Journal, settings: &Settings) -> Result<LineFilter, Fault> {
        let mut media = Vec::new();
        for name in &self.of {
            media.extend(known(name, journal, settings)?);
        }
        let within = self.span.map(|(from, to)| TimeSpan::Played(from, to)).into_iter().collect();
        let as_of_ms = instant(self.as_of, settings)?;
        Ok(LineFilter { media, senses: self.sense.clone(), within, as_of_ms })
    }
}

/// The instant of a stated time, in ms since 1970 (UTC).
fn instant(stated: Option<StatedTime>, settings: &Settings) -> Result<Option<i64>, Fault> {
    stated.map(|stated| common::instant_ms(stated, &settings.folders.zone)).transpose()
}

/// The digests that a name means in the journal: its path, its digest, or a file with the same content.
pub(super) fn known(name: &str, journal: &Journal, settings: &Settings) -> Result<Vec<String>, Fault> {
    let access = settings.access(false);
    block_on(|cancel| async move { unless(&cancel, known_digests(name, journal, &access)).await })
}

pub(super) fn sense(word: &str) -> Result<Sense, String> {
    let words = || Sense::ALL.iter().map(|sense| sense.word()).collect::<Vec<_>>().join(", ");
    Sense::of(word).ok_or_else(|| format!("expected one of {}", words()))
}

fn format(word: &str) -> Result<ExportFormat, String> {
    let found = ExportFormat::ALL.iter().find(|(name, _)| *name == word).map(|(_, format)| *format);
    let names = || ExportFormat::ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("expected one of {}", names()))
}

impl Args {
    pub(super) fn run(self, out: &Out, settings: &Settings) -> Result<Exit, Fault> {
        let open = || Ok::<_, Fault>(Journal::open(&settings.journal)?);
        match self.what {
            What::Path if out.json => out.value(&serde_json::json!({ "path": settings.journal }))?,
            What::Path => out.text(settings.journal.display())?,
            What::Stat { as_of } => stat(&open()?.stat(instant(as_of, settings)?)?, out)?,
            What::Show { lines, all } => {
                let journal = open()?;
                let found = journal.lines(&lines.filter(&journal, settings)?, all, MAX_LINES)?;
                if out.json {
                    out.value(&found.iter().map(to_json).collect::<Vec<_>>())?;
                } else {
                    let names = Names::of(found.iter().map(|stored| stored.line.moment.media.as_ref()));
                    found.iter().try_for_each(|line| out.text(shown(line, &names)))?;
                    out.note(format_args!("({} lines)", found.len()));
                }
            }
            What::Export { lines, format, out: file, clips, thumbnails } => {
                let journal = open()?;
                let found = journal.lines(&lines.filter(&journal, settings)?, false, MAX_LINES)?;
                if let Some(format) = format {
                    export(&found, format, file, out)?;
                }
                for (folder, kind) in [(clips, CutKind::Clip), (thumbnails, CutKind::Thumbnail)] {
                    if let Some(folder) = folder {
                        cut::write(&found, kind, &folder, &journal, settings, out)?;
                    }
                }
            }
            What::Correct { line, text, sense, remove, restore } => {
                if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                    return Err(Fault::refused("the text is empty").hint("--remove removes a line"));
                }
                let text = if remove { Some(String::new()) } else { text };
                let new = match restore {
                    true => open()?.restore(line)?,
                    false => open()?.correct(line, &Correction { text, sense })?,
                };
                match out.json {
                    true => out.value(&to_json(&new))?,
                    false if remove => out.text(format_args!(
                        "line {line} is removed (`journal correct {line} --restore` brings it back)"
                    ))?,
                    false => out.text(shown(&new, &Names::default()))?,
                }
            }
            What::Deny { place, name, remove } => {
                let journal = open()?;
                for (kind, words) in [(Denied::Place, place), (Denied::Name, name)] {
                    for word in words {
                        if !word.chars().any(char::is_alphanumeric) {
                            return Err(Fault::refused(format!("`{word}` contains no word")));
                        }
                        if !journal.deny(kind, &word, !remove)? {
                            out.note(format_args!(
                                "`{word}` {}",
                                if remove { "was not on the list" } else { "is on the list already" }
                            ));
                        }
                    }
                }
                let list = journal.denylist()?;
                if out.json {
                    out.value(&list)?;
                } else {
                    list.places.iter().try_for_each(|place| out.text(format_args!("place: {place}")))?;
                    list.names.iter().try_for_each(|name| out.text(format_args!("name: {name}")))?;
                }
            }
            What::Forget { video, span, word } => {
                let engine = Engine::new(settings.clone());
                let receipt = match (video, word) {
                    (Some(video), _) => {
                        let forgetting = engine.forget_video(&video, span);
                        block_on(|cancel| async move { unless(&cancel, forgetting).await })?
                    }
                    (None, word) => engine.forget_word(&word.unwrap_or_default())?,
                };
                forget::print(&receipt, out)?;
            }
        }
        Ok(Exit::Answered)
    }
}

/// Writes lines to a file or to stdout. Subtitles belong to one video.
fn export(lines: &[StoredLine], format: ExportFormat, file: Option<PathBuf>, out: &Out) -> Result<(), Fault> {
    let digests = |line: &StoredLine| line.line.moment.media.digest.clone();
    if format.is_of_one_medium() && lines.iter().any(|line| digests(line) != digests(&lines[0])) {
        let fault = Fault::refused("subtitles belong to one video, but the lines are about several");
        return Err(fault.hint("name one with --of VIDEO"));
    }
    let timeless = lines.iter().filter(|line| line.wall_ms.is_none()).count();
    if lines.is_empty() {
        out.note("no line fits, so nothing is exported; `elenchus journal stat` lists the videos");
    } else if format == ExportFormat::Ics && timeless > 0 {
        out.note(format_args!(
            "{timeless} of {} lines have no known time and are left out; `elenchus index --starts-at` states it",
            lines.len()
        ));
    }
    let text = format.write(lines);
    match file {
        None => out.piece(&text),
        Some(file) => {
            let written = std::fs::write(&file, text);
            written.map_err(|error| Fault::refused(format!("{} cannot be written: {error}", file.display())))?;
            out.note(format_args!("({} lines in {})", lines.len(), file.display()));
            Ok(())
        }
    }
}

fn stat(stat: &JournalStat, out: &Out) -> Result<(), Fault> {
    if out.json {
        return out.value(stat);
    }
    if stat.media.is_empty() {
        out.note("the journal is empty; `elenchus index VIDEO…` fills it");
    }
    for medium in &stat.media {
        let at = medium.wall_ms.zip(medium.zone.clone()).map(|(at_ms, zone)| {
            let wall = crate::value::WallClock { at_ms, zone };
            format!("  {}", wall.shown(at_ms))
        });
        let senses = medium.senses.iter().map(|sense| sense.word()).collect::<Vec<_>>().join(", ");
        let (digest, at) = (medium.digest.get(..16).unwrap_or(&medium.digest), at.unwrap_or_default());
        let (lines, seconds) = (medium.lines, medium.seconds);
        out.text(format_args!("{digest} {lines:>6} lines {seconds:>8.1} s{at}  {}  ({senses})", medium.path))?;
    }
    for index in &stat.vectors {
        let (count, sense, agent) = (index.count, index.sense.word(), &index.agent);
        let how = match index.centres {
            0 => "a search compares all".to_owned(),
            centres => {
                format!("a search reads {} of {centres} groups and finds {:.1} %", index.probes, 100.0 * index.recall)
            }
        };
        out.text(format_args!("{count} vectors of {sense} by {agent} ({how})"))?;
    }
    Ok(())
}

/// A line as people read it, with names of the media.
pub(super) fn shown(stored: &StoredLine, names: &Names) -> String {
    let number = format!("{:>6}", stored.id);
    let mark = if stored.is_superseded { " (superseded)" } else { "" };
    let name = names.name(&stored.line.moment.media);
    format!("{number}  {}{mark}", line(&stored.line, stored.wall_ms.map(|wall| wall.0), &name))
}

/// Time, medium, sense and text of a line.
pub(super) fn line(line: &JournalLine, at_ms: Option<i64>, name: &str) -> String {
    let moment = &line.moment;
    let at = match (&moment.media.wall, at_ms) {
        (Some(wall), Some(at)) => wall.shown(at),
        _ => moment.clock().unwrap_or_else(|| format!("{}-{}", moment.start, moment.end)),
    };
    format!("{at}  {name}  {:<8} {}", line.sense.word(), line.text)
}
