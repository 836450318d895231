//! What is not a video is refused by the program in one line, with exit code 3, and without waiting.
//! (`src/media/tests.rs` checks the words; here it is the way from there to the user.)

use assert_cmd::Command;
use std::{fs, path::Path, time::Duration};

/// Asks about `path`, inside `folder`: exit code 3, nothing on stdout, one `error:` line that says `expected`.
fn check(folder: &Path, path: &str, expected: &str) {
    let mut ask = Command::cargo_bin("elenchus").expect("the program is built");
    let asked =
        ask.current_dir(folder).args(["ask", path, "What do you see?"]).timeout(Duration::from_secs(60)).output();
    let asked = asked.expect("it ends by itself");
    let (out, err) = (String::from_utf8_lossy(&asked.stdout), String::from_utf8_lossy(&asked.stderr));
    assert_eq!(asked.status.code(), Some(3), "{path}: {err}");
    assert_eq!(out, "", "{path}");
    let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error:")).collect();
    assert!(matches!(errors[..], [line] if line.contains(expected)), "{path}: {err}");
}

#[test]
fn bad_media_end_with_one_line_and_code_3() {
    let folder = tempfile::tempdir().expect("a folder");
    let files: &[(&str, &[u8], &str)] = &[
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"not a video at all\n", "is a text file"),
        ("noise.mp4", &[0x93; 4000], "is not a video"),
        ("truncated.mp4", b"\0\0\0\x10ftypisom\0\0\x02\0\0\0\x10\0mdatabcd", "is truncated"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n", "is a playlist"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile /etc/passwd\n", "a list for ffmpeg's concat"),
        ("stream.sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n", "a session description"),
        ("secret.zip", b"PK\x03\x04\x14\0\x01\0\x08\0aaaaaaaaaaaaaaaaaaaa", "password-protected"),
        ("photo.mp4", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a still image"),
    ];
    for (name, bytes, expected) in files {
        fs::write(folder.path().join(name), bytes).expect("written");
        check(folder.path(), name, expected);
    }
    check(folder.path(), "none.mp4", "no such file");
    check(folder.path(), ".", "is a folder");
    for address in [
        "http://127.0.0.1:9/a.mp4",
        "rtsp://127.0.0.1:9/a",
        "concat:a.mp4|b.mp4",
        "pipe:0",
        "data:video/mp4;base64,AAAA",
    ] {
        check(folder.path(), address, "only");
    }
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.mp4")).status();
    assert!(made.expect("mkfifo runs").success());
    check(folder.path(), "pipe.mp4", "not a file");
    check(folder.path(), "/dev/zero", "not a file");
}
