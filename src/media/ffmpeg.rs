//! ffmpeg and ffprobe as child processes: the options every call has, output caps, time limits.
//!
//! Children get no stdin, their own process group (Ctrl-C ends the run in order, it does not shoot decoders in mid-frame)
//! and die with the future or decoder that owns them.

use super::{MediaError, MediaFault};
use std::{ffi::OsString, io, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader},
    process::{Child, Command},
    sync::OnceCell,
    time::timeout,
};

/// The containers that are opened. Everything else (playlists, manifests, device grabbers, text art, image sequences)
/// is refused by ffmpeg itself before it looks at what a file refers to.
const CONTAINERS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,live_flv,mpegts,mpeg,mpegvideo,mxf,asf,asf_o,\
    ogg,rm,gif,apng,h264,hevc,m4v,obu,ivf,nut,dv,yuv4mpegpipe,wtv,wav,w64,flac,mp3,aac,ac3,eac3,aiff,\
    au,caf,amr,amrnb,amrwb,wv,ape,tta,tak,dts,truehd,gsm,loas,oma,voc";

/// Playlist-free reading of local files only: a file that names hosts or other protocols gets nothing from us.
const PROTOCOLS: &str = "file,pipe";

/// Longest time for ffprobe to look at a file.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(30);
/// Longest time without output of a running child: long enough to skip through a long group of pictures of 8K video on a
/// busy machine, short enough that nothing hangs.
pub(crate) const STALL_LIMIT: Duration = Duration::from_secs(60);
/// Most bytes kept of what a child prints.
const CAPTURE_LIMIT: usize = 4 << 20;
/// Longest line looked at.
const LINE_LIMIT: u64 = 64 << 10;

/// Which ffmpeg is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// As ffmpeg states it (`5.1.9-0+deb12u1`, `N-118000-g…`).
    pub version: String,
    /// Major and minor, if the version is a release.
    release: Option<(u32, u32)>,
}

impl Tools {
    /// Frames come out as they are, none doubled or dropped to make a constant rate.
    pub(crate) fn passthrough(&self) -> [&'static str; 2] {
        match self.release {
            Some(release) if release < (5, 1) => ["-vsync", "passthrough"],
            _ => ["-fps_mode", "passthrough"],
        }
    }
}

/// Looks ffmpeg up, once; the error says how to install it.
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

/// `ffmpeg version 5.1.9-0+deb12u1 Copyright …`
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

/// The threads that one ffmpeg may use: half the cores, so that inference and decoding share them.
pub(crate) fn threads() -> usize {
    (std::thread::available_parallelism().map_or(1, usize::from) / 2).clamp(1, 4)
}

/// The arguments that open `path` for reading, and nothing else: a local file of a known container.
pub(crate) fn input(path: &Path) -> Vec<OsString> {
    let mut file = OsString::from("file:");
    file.push(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    ["-protocol_whitelist", PROTOCOLS, "-format_whitelist", CONTAINERS, "-i"]
        .map(OsString::from)
        .into_iter()
        .chain([file])
        .collect()
}

/// A child process that reads no stdin and dies with its owner.
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
    /// It ended with a failure, saying this.
    Failed(String),
    /// No output within the limit.
    Stuck(Duration),
    /// More output than anything honest gives.
    TooMuch,
}

impl ChildError {
    /// As an error about `path`.
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
                MediaError::new(MediaFault::Damaged, path, "it describes more streams than any video has")
            }
        }
    }
}

/// The way to get ffmpeg on this platform.
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
    /// All of it, capped.
    pub stdout: Vec<u8>,
}

/// Runs a child to its end within `limit` and keeps what it prints.
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

/// Reads to the end; `None` if there is more than `cap` (and then lets go, so that the child sees a broken pipe).
async fn read_capped(from: impl AsyncRead + Unpin, cap: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let _ = from.take(cap as u64 + 1).read_to_end(&mut bytes).await;
    (bytes.len() <= cap).then_some(bytes)
}

/// Runs a child and gives each line of its stdout to `see`, until that says stop or the child ends.
/// Keeps one line at a time, whatever the length of the output.
pub(crate) async fn lines(
    program: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
    mut see: impl FnMut(&str) -> std::ops::ControlFlow<()>,
) -> Result<(), ChildError> {
    let mut child = command(program, arguments).spawn().map_err(|e| ChildError::Start(program, e))?;
    let err = child.stderr.take().expect("stderr is piped: this is a bug");
    // Someone must drain stderr, or the child would block on it.
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

/// Waits for a child whose output has ended.
async fn finish(mut child: Child, tail: tokio::task::JoinHandle<Vec<u8>>) -> Result<(), ChildError> {
    match timeout(STALL_LIMIT, child.wait()).await {
        Err(_) => Err(ChildError::Stuck(STALL_LIMIT)),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(_) => Err(ChildError::Failed(last_words(&tail.await.unwrap_or_default()))),
    }
}

/// Reads to the end and keeps the last few kilobytes.
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
