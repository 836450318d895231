//! The transcript: every exchange of a run as JSONL, enough to replay it with no model and no medium.
//!
//! Lines: one header, then exchanges and steps in plan order, then the outcome. All that may differ between two runs
//! with the same seed on the same device is under the one key `timing`. While a run is under way its lines are
//! appended as they come, so that a run that is killed leaves all that it had; at its end the file is replaced, whole,
//! by the one in plan order.

use super::machine::{PlanOrder, StepLine};
use crate::{
    error::Fault,
    exchange::{Answers, Reply, Request},
    files,
    value::Value,
};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Counts changes to the lines.
pub const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`]
    pub format: u32,
    /// The version of elenchus.
    pub engine: String,
    /// The dialogue's name.
    pub dialogue: String,
    /// The run's seed.
    pub seed: u64,
    /// The inputs of the run (defaults filled in).
    pub inputs: IndexMap<String, Value>,
    /// Role to agent.
    pub cast: IndexMap<String, RoleRecord>,
    /// Every text that the plan was compiled from.
    pub sources: IndexMap<String, String>,
    /// The part that differs from run to run.
    pub timing: Started,
}

/// The agent of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRecord {
    /// `agents/NAME.yaml`
    pub agent: String,
    /// Part of the memo keys.
    pub identity: String,
    /// The requests that it takes.
    #[serde(default)]
    pub answers: Vec<Answers>,
}

/// The start of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Started {
    /// Milliseconds since 1970, UTC.
    pub started_ms: u64,
    /// Names the run, in the memo too.
    pub run: String,
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExchangeLine {
    /// Its path: unique in the run.
    #[serde(rename = "exchange")]
    pub path: String,
    /// The agent.
    pub role: String,
    /// The request.
    pub request: Request,
    /// The reply, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// Why the reply is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    /// Seed of the sampling.
    pub seed: u64,
    /// The memo key, hex.
    pub key: String,
    /// The part that differs from run to run.
    pub timing: Timing,
}

/// The part that differs from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// True if no agent was asked: the memo had it, or an equal exchange was under way.
    pub memo_hit: bool,
    /// From asking to reply, with all tries.
    pub elapsed_ms: u64,
    /// The number of tries; 0 if no agent was asked.
    pub attempts: u32,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// `answered`, `failed`, `media`, `model`, `deadline`, `cancelled`.
    pub outcome: String,
    /// The answer's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// Why it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The part that differs from run to run.
    pub timing: Spent,
}

/// The cost of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// Exchanges that were answered.
    pub exchanges: u64,
    /// The number that came from the memo.
    pub memo_hits: u64,
    /// The whole run.
    pub elapsed_ms: u64,
}

/// A transcript that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The first line.
    pub header: Header,
    /// In the order of the file.
    pub exchanges: Vec<ExchangeLine>,
    /// In the order of the file.
    pub steps: Vec<StepLine>,
    /// Absent if the run was killed.
    pub end: Option<End>,
}

/// Why a transcript cannot be read, in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TranscriptError(pub String);

impl Transcript {
    /// Reads a transcript. A last line that was cut off (the run was killed) is left out.
    pub fn read(path: &Path) -> Result<Transcript, TranscriptError> {
        let wrong = |what: String| TranscriptError(format!("{}: {what}", path.display()));
        let file = files::open_given(path).map_err(|error| wrong(error.to_string()))?;
        let mut lines = BufReader::new(file).split(b'\n').enumerate().peekable();
        let (_, first) = lines.next().ok_or_else(|| wrong("found an empty file, expected a transcript".into()))?;
        let first = first.map_err(|error| wrong(error.to_string()))?;
        let header: Header = serde_json::from_slice(&first)
            .map_err(|error| wrong(format!("line 1: found no transcript header: {error}")))?;
        if header.format != FORMAT {
            return Err(wrong(format!("found a transcript of format {}, expected {FORMAT}", header.format)));
        }
        let mut transcript = Transcript { header, exchanges: Vec::new(), steps: Vec::new(), end: None };
        while let Some((number, line)) = lines.next() {
            let line = line.map_err(|error| wrong(error.to_string()))?;
            if line.is_empty() {
                continue;
            }
            if let Err(error) = transcript.add(&line) {
                if lines.peek().is_none() && transcript.end.is_none() {
                    break;
                }
                return Err(wrong(format!("line {}: {error}", number + 1)));
            }
        }
        Ok(transcript)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), serde_json::Error> {
        /// Which kind of line it is, by its first key.
        #[derive(Deserialize)]
        struct Probe {
            exchange: Option<serde::de::IgnoredAny>,
            step: Option<serde::de::IgnoredAny>,
        }
        let probe: Probe = serde_json::from_slice(line)?;
        match (probe.exchange, probe.step) {
            (Some(_), _) => self.exchanges.push(serde_json::from_slice(line)?),
            (None, Some(_)) => self.steps.push(serde_json::from_slice(line)?),
            (None, None) => self.end = Some(serde_json::from_slice(line)?),
        }
        Ok(())
    }
}

/// The destination of a run's lines.
#[derive(Debug, Default)]
pub struct Recorder {
    to: To,
    /// Place in plan order, offset and length of each line but the first and last.
    lines: Vec<(PlanOrder, u64, usize)>,
    written: u64,
}

#[derive(Debug, Default)]
enum To {
    #[default]
    Nowhere,
    Memory(Vec<u8>),
    File(PathBuf, File),
}

impl Recorder {
    /// Keeps nothing.
    pub fn none() -> Recorder {
        Recorder::default()
    }
    /// Keeps the lines in memory, for [`Recorder::finish`] to hand out.
    pub fn memory() -> Recorder {
        Recorder { to: To::Memory(Vec::new()), ..Recorder::default() }
    }
    /// Writes to a file, which is emptied when the header is written. Only an earlier transcript is overwritten: `--record day.mp4` is a mistake. A path
    /// that is not a plain file is refused, because the finished transcript replaces the file.
    pub fn file(path: &Path) -> io::Result<Recorder> {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => return Err(io::Error::other("it is a folder")),
            Ok(meta) if !meta.is_file() => return Err(io::Error::other("it is not a plain file")),
            Ok(meta) if meta.len() > 0 && !is_transcript(path)? => {
                return Err(io::Error::other("it exists and is not a transcript"));
            }
            _ => {}
        }
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        // through a link, so that the file it names is replaced and not the link
        let path = fs::canonicalize(path)?;
        // the place of the finished transcript: errors are reported now, not after the run
        let part = sibling(&path);
        File::create(&part).and_then(|_| fs::remove_file(&part))?;
        Ok(Recorder { to: To::File(path, file), ..Recorder::default() })
    }
    /// True if lines are kept at all.
    pub fn wanted(&self) -> bool {
        !matches!(self.to, To::Nowhere)
    }

    /// Writes the first line.
    pub fn header(&mut self, header: &Header) -> io::Result<()> {
        if let To::File(_, file) = &self.to {
            file.set_len(0)?;
        }
        self.append(header).map(drop)
    }
    /// Writes an exchange.
    pub fn exchange(&mut self, order: PlanOrder, line: &ExchangeLine) -> io::Result<()> {
        self.line(order, line)
    }
    /// Writes a settled step.
    pub fn step(&mut self, line: &StepLine) -> io::Result<()> {
        self.line(line.order.clone(), line)
    }

    fn line(&mut self, order: PlanOrder, line: &impl Serialize) -> io::Result<()> {
        if self.wanted() {
            let (offset, length) = self.append(line)?;
            self.lines.push((order, offset, length));
        }
        Ok(())
    }

    fn append(&mut self, line: &impl Serialize) -> io::Result<(u64, usize)> {
        if !self.wanted() {
            return Ok((0, 0));
        }
        let mut json = serde_json::to_vec(line).map_err(io::Error::other)?;
        json.push(b'\n');
        match &mut self.to {
            To::Nowhere => {}
            To::Memory(bytes) => bytes.extend_from_slice(&json),
            // one write for a line: a killed process leaves whole lines
            To::File(_, file) => file.write_all(&json)?,
        }
        let offset = self.written;
        self.written += json.len() as u64;
        Ok((offset, json.len()))
    }

    /// Writes the last line and puts the others into plan order. Hands out the lines that were kept in memory.
    pub fn finish(mut self, end: &End) -> io::Result<Vec<u8>> {
        let after = self.lines.iter().map(|(_, offset, _)| *offset).min().unwrap_or(self.written);
        self.lines.sort_by(|a, b| a.0.cmp(&b.0));
        let mut last = serde_json::to_vec(end).map_err(io::Error::other)?;
        last.push(b'\n');
        match self.to {
            To::Nowhere => Ok(Vec::new()),
            To::Memory(bytes) => {
                let mut sorted = bytes[..after as usize].to_vec();
                for (_, offset, length) in &self.lines {
                    sorted.extend_from_slice(&bytes[*offset as usize..*offset as usize + length]);
                }
                sorted.extend_from_slice(&last);
                Ok(sorted)
            }
            To::File(path, mut file) => {
                let part = sibling(&path);
                let mut out = io::BufWriter::new(File::create(&part)?);
                let mut copy = |offset: u64, length: usize| -> io::Result<()> {
                    let mut line = vec![0; length];
                    file.seek(SeekFrom::Start(offset))?;
                    file.read_exact(&mut line)?;
                    out.write_all(&line)
                };
                copy(0, after as usize)?;
                self.lines.iter().try_for_each(|(_, offset, length)| copy(*offset, *length))?;
                out.write_all(&last)?;
                out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
                fs::rename(&part, &path)?;
                Ok(Vec::new())
            }
        }
    }
}

/// True for a file that begins as transcripts do.
fn is_transcript(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    files::open(path)?.take(10).read_to_end(&mut head)?;
    Ok(head == br#"{"format":"#)
}

/// A name beside the file, for writing it whole.
fn sibling(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}
