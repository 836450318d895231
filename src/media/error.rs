//! Errors of media, in the user's words.

use crate::error::Fault;

/// The kind of a media error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaFault {
    /// The file does not exist.
    Missing,
    /// A URL, or a playlist that names other files; only local files are read.
    Elsewhere,
    /// A folder, FIFO, socket or device.
    NotAFile,
    /// A file of zero bytes.
    Empty,
    /// The system denies access.
    Unreadable,
    /// Not a video or sound that ffmpeg can read.
    NotMedia,
    /// Truncated or broken beyond use.
    Damaged,
    /// Encrypted or protected by a password.
    Locked,
    /// The medium is fine, but it lacks the requested part (frames of a sound file, a time after its end).
    NotInIt,
    /// ffmpeg or ffprobe is missing or cannot be started.
    NoTool,
    /// ffmpeg made no progress within its time limit.
    Stuck,
}

/// A medium, or a part of it, that cannot be read. `message` is one line that names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MediaError {
    /// The kind of error.
    pub kind: MediaFault,
    /// One line that names the file and the reason.
    pub message: String,
}

impl MediaError {
    /// The error `path: what`, on one line.
    pub(crate) fn new(kind: MediaFault, path: &str, what: impl AsRef<str>) -> MediaError {
        MediaError { kind, message: one_line(&format!("{path}: {}", what.as_ref())) }
    }
}

impl From<MediaError> for Fault {
    fn from(error: MediaError) -> Fault {
        Fault::media(error.message)
    }
}

/// Replaces control characters by spaces, so that a file name or ffmpeg's output cannot break a line or colour a
/// terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        let error = MediaError::new(MediaFault::Missing, "a\nb\u{1b}[31m.mp4", "no such file");
        insta::assert_snapshot!(error, @"a b [31m.mp4: no such file");
    }
}
