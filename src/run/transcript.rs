//! The transcript: every exchange of a run as JSONL, enough to replay it without a model or medium.
//!
//! Its lines are one header, then exchanges and steps in plan order, then the outcome. Everything that may differ between
//! two runs with the same seed on the same device is under the key `timing`. During a run, lines are appended as exchanges
//! finish, so that a killed run leaves a transcript that can be read. At the end, a file in plan order replaces the first
//! one atomically.

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

/// The version of the format of the lines.
pub const FORMAT: u32 = 1;
/// The longest line that is read, in bytes.
const LONGEST_LINE: u64 = 64_000_000;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the format: [`FORMAT`].
    pub format: u32,
    /// The version of elenchus.
    pub engine: String,
    /// The dialogue's name.
    pub dialogue: String,
    /// The run's seed.
    pub seed: u64,
    /// The inputs of the run, with defaults filled in.
    pub inputs: IndexMap<String, Value>,
    /// The agent of each role.
    pub cast: IndexMap<String, RoleRecord>,
    /// Every text that the plan was compiled from.
    pub sources: IndexMap<String, String>,
    /// The part that differs from run to run.
    pub timing: Started,
}

/// The agent of a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRecord {
    /// The agent's name.
    pub agent: String,
    /// The agent's identity, which is a part of the memo keys.
    pub identity: String,
    /// The kinds of request that it answers.
    #[serde(default)]
    pub answers: Vec<Answers>,
}

/// The start of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Started {
    /// Milliseconds since 1970, UTC.
    pub started_ms: u64,
    /// The name of the run, also in the memo.
    pub run: String,
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExchangeLine {
    /// Its path: unique in the run.
    #[serde(rename = "exchange")]
    pub path: String,
    /// The role that answered.
    pub role: String,
    /// The request.
    pub request: Request,
    /// The reply; none if the exchange failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// The reason of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
    /// The seed of the sampling.
    pub seed: u64,
    /// The memo key in hex.
    pub key: String,
    /// The part that differs from run to run.
    pub timing: Timing,
}

/// The part of an exchange that differs from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// True if no agent was asked: the reply came from the memo or from an equal open exchange.
    pub memo_hit: bool,
    /// The time from the request to the reply, with all attempts, in ms.
    pub elapsed_ms: u64,
    /// The number of attempts; 0 if no agent was asked.
    pub attempts: u32,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// The sort of end: `answered`, `failed`, `media`, `model`, `deadline` or `cancelled`.
    pub outcome: String,
    /// The answer's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
    /// The reason why the answer is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The part that differs from run to run.
    pub timing: Spent,
}

/// The cost of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spent {
    /// The number of answered exchanges.
    pub exchanges: u64,
    /// The number of memo hits among them.
    pub memo_hits: u64,
    /// The time of the whole run, in ms.
    pub elapsed_ms: u64,
}

/// A transcript that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The first line.
    pub header: Header,
    /// The exchanges, in the order of the file.
    pub exchanges: Vec<ExchangeLine>,
    /// The steps, in the order of the file.
    pub steps: Vec<StepLine>,
    /// The last line; none if the run was killed.
    pub end: Option<End>,
}

/// The reason why a transcript cannot be read, as a message for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TranscriptError(pub String);

impl Transcript {
    /// Reads a transcript. An incomplete last line (of a killed run) is ignored. Fails if another line is invalid.
    pub fn read(path: &Path) -> Result<Transcript, TranscriptError> {
        let wrong = |what: String| TranscriptError(format!("{}: {what}", path.display()));
        let file = files::open_given(path).map_err(|error| wrong(error.to_string()))?;
        let mut lines = bounded_lines(BufReader::new(file)).enumerate().peekable();
        let (_, first) = lines.next().ok_or_else(|| wrong("found an empty file, expected a transcript".into()))?;
        let first = first.map_err(|error| wrong(error.to_string()))?;
        let header: Header = serde_json::from_slice(&first)
            .map_err(|_| wrong("this is no transcript; `elenchus run` and `ask` write one with --record".into()))?;
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
        /// The keys that identify the sort of line.
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

/// The lines of a file. A line that is too long is an error, and the last.
fn bounded_lines(mut file: impl BufRead) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        let mut line = Vec::new();
        match (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                Some(Ok(line))
            }
            Ok(length) if length as u64 == LONGEST_LINE => {
                is_over = true;
                Some(Err(io::Error::other("a line is too long for a transcript")))
            }
            // the last line of a run that was killed
            Ok(_) => Some(Ok(line)),
            Err(error) => {
                is_over = true;
                Some(Err(error))
            }
        }
    })
}

/// The destination of a run's lines.
#[derive(Debug, Default)]
pub struct Recorder {
    to: To,
    /// The place in plan order, offset and length of each line, except the first and last.
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
    /// A recorder that keeps nothing.
    pub fn none() -> Recorder {
        Recorder::default()
    }
    /// A recorder that keeps the lines in memory; [`Recorder::finish`] gives them.
    pub fn memory() -> Recorder {
        Recorder { to: To::Memory(Vec::new()), ..Recorder::default() }
    }
    /// A recorder that writes to a file, which is emptied when the header is written. Fails if the file exists and is
    /// not a transcript, because `--record day.mp4` is a mistake. Fails also if the path is not a plain file, because
    /// the finished transcript replaces the file.
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
        // the target of a link, so that the finished transcript replaces the target and not the link
        let path = fs::canonicalize(path)?;
        // create the temporary file once, so that an error is reported now and not after the run
        let part = sibling(&path);
        File::create(&part).and_then(|_| fs::remove_file(&part))?;
        Ok(Recorder { to: To::File(path, file), ..Recorder::default() })
    }
    /// True if the recorder keeps lines.
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
            // one write for each line, so that a killed process leaves whole lines
            To::File(_, file) => file.write_all(&json)?,
        }
        let offset = self.written;
        self.written += json.len() as u64;
        Ok((offset, json.len()))
    }

    /// Writes the last line and sorts the others into plan order. Gives the lines if they were kept in memory.
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

/// True if the file begins like a transcript.
fn is_transcript(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    files::open(path)?.take(10).read_to_end(&mut head)?;
    Ok(head == br#"{"format":"#)
}

/// A temporary name beside the file.
fn sibling(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}
