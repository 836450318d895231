//! The faults of a medium, in the user's words.

use crate::error::Fault;

/// The sort of thing that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaFault {
    /// No such file.
    Missing,
    /// A URL, or a playlist that names other files, where only local files are read.
    Elsewhere,
    /// A folder, FIFO, socket or device.
    NotAFile,
    /// Zero bytes.
    Empty,
    /// The system does not let us read it.
    Unreadable,
    /// Not a video or sound that ffmpeg knows.
    NotMedia,
    /// Truncated or broken beyond use.
    Damaged,
    /// Encrypted or behind a password.
    Locked,
    /// The medium is fine; what was asked of it is not in it (frames of a sound file, a time after its end).
    NotInIt,
    /// ffmpeg or ffprobe is missing or cannot be started.
    NoTool,
    /// ffmpeg made no progress within its time limit.
    Stuck,
}

/// A medium, or something asked of it, that cannot be read. `message` is one line that names the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MediaError {
    /// The sort of thing that is wrong.
    pub kind: MediaFault,
    /// One line, in the user's words.
    pub message: String,
}

impl MediaError {
    /// `path: what`, kept to one line.
    pub(crate) fn new(kind: MediaFault, path: &str, what: impl AsRef<str>) -> MediaError {
        MediaError { kind, message: one_line(&format!("{path}: {}", what.as_ref())) }
    }
}

impl From<MediaError> for Fault {
    fn from(error: MediaError) -> Fault {
        Fault::media(error.message)
    }
}

/// Control characters become spaces, so that a file's name or ffmpeg's words cannot break a line or paint a terminal.
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
