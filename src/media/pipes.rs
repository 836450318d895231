//! The two pipes of a running ffmpeg: decoded bytes on stdout, and lines with their times on stderr.
//!
//! Both are read at the same time, so that neither pipe fills up while the other one is awaited.

use super::{
    MediaError,
    ffmpeg::{self, ChildError, STALL_LIMIT},
};
use std::ffi::OsString;
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, ChildStdout},
    time::timeout,
};

/// Maximum kept length of a line of stderr, in bytes.
const LINE_LIMIT: usize = 64 << 10;
/// Maximum length of a line in the log, in characters.
const SAID_LIMIT: usize = 200;

/// A running ffmpeg. Dropping it ends the child.
#[derive(Debug)]
pub(super) struct Pipes {
    child: Child,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// The medium's name, for messages.
    pub(super) shown: String,
    /// The received part of the next line of stderr.
    line: Vec<u8>,
    /// The last line without a time: ffmpeg's reason if it fails.
    said: String,
}

impl Pipes {
    /// Starts ffmpeg with `arguments` to decode a medium, which messages name `shown`.
    pub(super) fn start(arguments: Vec<OsString>, shown: &str) -> Result<Pipes, MediaError> {
        let mut child =
            ffmpeg::command("ffmpeg", arguments).spawn().map_err(|e| ChildError::Start("ffmpeg", e).about(shown))?;
        Ok(Pipes {
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            shown: shown.to_owned(),
            line: Vec::new(),
            said: String::new(),
        })
    }

    /// Appends stdout to `bytes` up to the length `full`, and passes each complete line of stderr to `hear`, which
    /// returns true for a line with a time. False at the end of the output. Cancel-safe.
    pub(super) async fn read(
        &mut self,
        bytes: &mut Vec<u8>,
        full: usize,
        hear: impl FnMut(&str) -> bool,
    ) -> Result<bool, MediaError> {
        match timeout(STALL_LIMIT, self.read_either(bytes, full, hear)).await {
            Err(_) => Err(ChildError::Stuck(STALL_LIMIT).about(&self.shown)),
            Ok(more) => {
                if !more {
                    tracing::debug!(medium = self.shown, said = self.said, "ffmpeg ended");
                }
                Ok(more)
            }
        }
    }

    async fn read_either(&mut self, bytes: &mut Vec<u8>, full: usize, hear: impl FnMut(&str) -> bool) -> bool {
        let room = full.saturating_sub(bytes.len());
        bytes.reserve_exact(room);
        let mut said = [0; 4096];
        tokio::select! {
            read = async { self.stdout.as_mut().expect("guarded").take(room as u64).read_buf(bytes).await },
                if self.stdout.is_some() && room > 0 => {
                if !matches!(read, Ok(1..)) {
                    self.stdout = None;
                }
            }
            read = async { self.stderr.as_mut().expect("guarded").read(&mut said).await }, if self.stderr.is_some() => match read {
                Ok(n @ 1..) => self.split(&said[..n], hear),
                _ => self.stderr = None,
            },
            else => return false,
        }
        true
    }

    /// Splits a piece of stderr into lines.
    fn split(&mut self, piece: &[u8], mut hear: impl FnMut(&str) -> bool) {
        for byte in piece {
            if !matches!(byte, b'\n' | b'\r') {
                self.line.push(*byte);
                continue;
            }
            let line = String::from_utf8_lossy(&self.line).into_owned();
            self.line.clear();
            if !hear(&line) && !line.trim().is_empty() {
                self.said = line.chars().take(SAID_LIMIT).collect();
            }
        }
        self.line.truncate(LINE_LIMIT);
    }

    /// Ends ffmpeg, which would else decode the rest of the medium.
    pub(super) fn kill(&mut self) {
        let _ = self.child.start_kill();
    }
}
