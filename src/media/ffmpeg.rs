//! ffmpeg and ffprobe as child processes: common options, output limits, time limits.
//!
//! Children get no stdin. They run in their own process group, so that Ctrl-C ends the run in order instead of killing
//! decoders in the middle of a frame. They end with the future or decoder that owns them.

use super::{MediaError, MediaFault};
use std::{ffi::OsString, io, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::OnceCell,
    time::timeout,
};

/// The permitted containers. ffmpeg itself refuses all others (playlists, manifests, device grabbers, text art, image
/// sequences) before it follows a reference to another file.
const CONTAINERS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpeg,mpegvideo,mxf,asf,asf_o,\
    ogg,rm,gif,apng,h264,hevc,m4v,obu,ivf,nut,dv,yuv4mpegpipe,wtv,wav,w64,flac,mp3,aac,ac3,eac3,aiff,\
    au,caf,amr,amrnb,amrwb,wv,ape,tta,tak,dts,truehd,gsm,loas,oma,voc";

/// The permitted protocols: local files only, so that a file cannot name hosts or other protocols.
const PROTOCOLS: &str = "file,pipe";

/// Maximum time of ffprobe for one file.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(30);
/// Maximum time without output of a running child. It allows skipping a long group of pictures of 8K video on a busy
/// machine, and still ends a child that hangs.
pub(crate) const STALL_LIMIT: Duration = Duration::from_secs(60);
/// Maximum output kept of a child, in bytes.
const CAPTURE_LIMIT: usize = 4 << 20;
/// Maximum length of a line, in bytes.
const LINE_LIMIT: u64 = 64 << 10;

/// The installed ffmpeg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// The version that ffmpeg states (`5.1.9-0+deb12u1`, `N-118000-g…`).
    pub version: String,
    /// Major and minor version of a release; `None` for other builds.
    release: Option<(u32, u32)>,
}

impl Tools {
    /// The options that keep every frame as it is: none doubled or dropped for a constant rate.
    pub(crate) fn passthrough(&self) -> [&'static str; 2] {
        match self.release {
            Some(release) if release < (5, 1) => ["-vsync", "passthrough"],
            _ => ["-fps_mode", "passthrough"],
        }
    }
}

/// Finds ffmpeg and ffprobe, once. An error says how to install them.
pub async fn tools() -> Result<&'static Tools, MediaError> {
    static TOOLS: OnceCell<Tools> = OnceCell::const_new();
    TOOLS
        .get_or_try_init(|| async {
            run("ffprobe", ["-version".into()], PROBE_LIMIT).await.map_err(|e| e.about("ffprobe"))?;
            let said = run("ffmpeg", ["-version".into()], PROBE_LIMIT).await.map_err(|e| e.about("ffmpeg"))?;
            Ok(read_version(&String::from_utf8_lossy(&said.stdout)))
        })
        .await
}

/// Parses `ffmpeg version 5.1.9-0+deb12u1 Copyright …`.
fn read_version(said: &str) -> Tools {
    let version = said.strip_prefix("ffmpeg version ").and_then(|rest| rest.split(' ').next()).unwrap_or("unknown");
    let mut numbers = version.trim_start_matches('n').split(['.', '-', '+']).map(|part| part.parse::<u32>());
    let release = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        (Some(Ok(major)), _) => Some((major, 0)),
        _ => None,
    };
    Tools { version: version.to_owned(), release }
}

/// The number of threads of one ffmpeg: half the cores, because inference needs the others.
pub(crate) fn threads() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).clamp(1, 4)
}

/// The arguments that open `path` for reading: a local file of a permitted container.
pub(crate) fn input(path: &Path) -> Vec<OsString> {
    let mut file = OsString::from("file:");
    file.push(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    ["-protocol_whitelist", PROTOCOLS, "-format_whitelist", CONTAINERS, "-i"]
        .map(OsString::from)
        .into_iter()
        .chain([file])
        .collect()
}

/// A child process without stdin that ends with its owner.
pub(crate) fn command(program: &str, arguments: impl IntoIterator<Item = OsString>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.env("AV_LOG_FORCE_NOCOLOR", "1").env_remove("FFREPORT");
    #[cfg(unix)]
    command.process_group(0);
    command
}

/// Why a child gave no result.
#[derive(Debug)]
pub(crate) enum ChildError {
    /// It could not be started.
    Start(&'static str, io::Error),
    /// It failed with this message.
    Failed(String),
    /// No output within the limit.
    Stuck(Duration),
    /// More output than any real medium causes.
    TooMuch,
}

impl ChildError {
    /// The error about `path`.
    pub(crate) fn about(self, path: &str) -> MediaError {
        match self {
            ChildError::Start(program, e) if e.kind() == io::ErrorKind::NotFound => MediaError {
                kind: MediaFault::NoTool,
                message: format!("{program} is not installed; {}", install_hint()),
            },
            ChildError::Start(program, e) => {
                MediaError { kind: MediaFault::NoTool, message: format!("{program} cannot be started: {e}") }
            }
            ChildError::Failed(said) => {
                MediaError::new(MediaFault::Damaged, path, format!("ffmpeg cannot read it: {said}"))
            }
            ChildError::Stuck(limit) => {
                MediaError::new(MediaFault::Stuck, path, format!("ffmpeg made no progress for {} s", limit.as_secs()))
            }
            ChildError::TooMuch => {
                MediaError::new(MediaFault::Damaged, path, "the list of its streams is longer than 4 MiB")
            }
        }
    }
}

/// How to install ffmpeg on this platform.
fn install_hint() -> &'static str {
    if cfg!(target_os = "macos") {
        "install it with `brew install ffmpeg`"
    } else if cfg!(windows) {
        "install it with `winget install ffmpeg`"
    } else {
        "install it with your package manager, e.g. `sudo apt install ffmpeg`"
    }
}

/// The output of a child.
pub(crate) struct ChildOutput {
    /// Its stdout, within the limit.
    pub stdout: Vec<u8>,
}

/// Runs a child to its end within `limit` and returns its output.
pub(crate) async fn run(
    program: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
    limit: Duration,
) -> Result<ChildOutput, ChildError> {
    let mut child = command(program, arguments).spawn().map_err(|e| ChildError::Start(program, e))?;
    let out = child.stdout.take().expect("stdout is piped: this is a bug");
    let err = child.stderr.take().expect("stderr is piped: this is a bug");
    let reading = async {
        let (stdout, stderr) = tokio::join!(read_capped(out, CAPTURE_LIMIT), read_capped(err, CAPTURE_LIMIT));
        (stdout, stderr, child.wait().await)
    };
    match timeout(limit, reading).await {
        Err(_) => Err(ChildError::Stuck(limit)),
        Ok((Some(stdout), _, Ok(status))) if status.success() => Ok(ChildOutput { stdout }),
        Ok((None, _, _)) => Err(ChildError::TooMuch),
        Ok((_, stderr, _)) => Err(ChildError::Failed(last_words(&stderr.unwrap_or_default()))),
    }
}

/// Reads to the end. `None` beyond `cap` bytes; the stream is then closed, so that the child gets a broken pipe.
async fn read_capped(from: impl AsyncRead + Unpin, cap: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let _ = from.take(cap as u64 + 1).read_to_end(&mut bytes).await;
    (bytes.len() <= cap).then_some(bytes)
}

/// Runs a child and passes each line of its stdout to `see`, until `see` stops or the child ends. Keeps one line at a
/// time, so that output of any length needs little memory.
pub(crate) async fn lines(
    program: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
    mut see: impl FnMut(&str) -> std::ops::ControlFlow<()>,
) -> Result<(), ChildError> {
    let mut child = command(program, arguments).spawn().map_err(|e| ChildError::Start(program, e))?;
    let err = child.stderr.take().expect("stderr is piped: this is a bug");
    // an undrained stderr would block the child
    let tail = tokio::spawn(read_tail(err));
    let mut out = BufReader::new(child.stdout.take().expect("stdout is piped: this is a bug"));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = timeout(STALL_LIMIT, (&mut out).take(LINE_LIMIT).read_until(b'\n', &mut line)).await;
        match read {
            Err(_) => return Err(ChildError::Stuck(STALL_LIMIT)),
            Ok(Ok(0)) | Ok(Err(_)) => break,
            Ok(Ok(_)) => {
                if see(String::from_utf8_lossy(&line).trim_end()).is_break() {
                    return Ok(());
                }
            }
        }
    }
    finish(child, tail).await
}

/// Waits for the end of a child whose output has ended.
async fn finish(mut child: Child, tail: tokio::task::JoinHandle<Vec<u8>>) -> Result<(), ChildError> {
    match timeout(STALL_LIMIT, child.wait()).await {
        Err(_) => Err(ChildError::Stuck(STALL_LIMIT)),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(_) => Err(ChildError::Failed(last_words(&tail.await.unwrap_or_default()))),
    }
}

/// Reads to the end and returns the last few kilobytes.
async fn read_tail(mut from: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut tail = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut piece).await {
        tail.extend_from_slice(&piece[..n]);
        if tail.len() > 16 << 10 {
            tail.drain(..tail.len() - (8 << 10));
        }
    }
    tail
}

/// The last line with content, without ffmpeg's `[demuxer @ 0x…]` prefix.
pub(crate) fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with("Last message repeated"));
    let line = line.unwrap_or("it gave no reason");
    let line = match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((who, rest)) if who.contains(" @ 0x") => rest,
        _ => line,
    };
    let line = line.rsplit_once(": ").filter(|_| line.starts_with("file:")).map_or(line, |(_, reason)| reason);
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let check = |said: &str, release| assert_eq!(read_version(said).release, release, "{said}");
        check("ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000", Some((5, 1)));
        check("ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright", Some((4, 4)));
        check("ffmpeg version n7.1 Copyright", Some((7, 1)));
        check("ffmpeg version 8.0 Copyright", Some((8, 0)));
        check("ffmpeg version N-118000-gabcdef Copyright", None);
        assert_eq!(read_version("ffmpeg version 4.4.2 x").passthrough()[0], "-vsync");
        assert_eq!(read_version("ffmpeg version N-1 x").passthrough()[0], "-fps_mode");
    }

    #[test]
    fn the_last_words_are_the_reason() {
        let check = |said: &str, expected: &str| assert_eq!(last_words(said.as_bytes()), expected);
        check("[mov,mp4 @ 0x55d4] moov atom not found\n", "moov atom not found");
        check("[x @ 0x1] a\nfile:/a/b.mp4: Invalid data found\n", "Invalid data found");
        check("", "it gave no reason");
    }

    #[test]
    fn a_missing_program_comes_with_a_hint() {
        let error = ChildError::Start("ffprobe", io::ErrorKind::NotFound.into()).about("a.mp4");
        assert_eq!(error.kind, MediaFault::NoTool);
        assert!(error.message.starts_with("ffprobe is not installed; install it with"), "{error}");
    }
}
