//! The program refuses a file that is not a video with one line and exit code 3, and without waiting.
//! (`src/media/tests.rs` checks the messages; this file checks that they reach the user.)

use assert_cmd::Command;
use std::{ffi::OsStr, fs, path::Path, time::Duration};

/// Asks about `path` in `folder`: exit code 3, nothing on stdout, and one `error:` line that contains `expected`.
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
    // of a folder, the first file that is no video is named
    check(folder.path(), ".", "empty.mp4: is empty");
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
fn pipes_and_devices_do_not_block() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe.mp4")).status();
    assert!(made.expect("mkfifo runs").success());
    check(folder.path(), "pipe.mp4", "not a file");
    check(folder.path(), "/dev/zero", "not a file");
}

/// Runs the program in `folder`. Returns its exit code, stdout and stderr.
fn run(folder: &Path, args: &[&OsStr]) -> (Option<i32>, String, String) {
    let mut command = Command::cargo_bin("elenchus").expect("the program is built");
    command
        .current_dir(folder)
        .env("ELENCHUS_CACHE", folder.join("cache"))
        .env("ELENCHUS_DATA", folder.join("cache"))
        .timeout(Duration::from_secs(120));
    let output = command.args(args).output().expect("it ends by itself");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[cfg(unix)]
#[test]
fn file_names_that_are_not_utf_8_work() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let name = |bytes: &'static [u8]| OsStr::from_bytes(bytes);
    let made = std::process::Command::new("ffmpeg")
        .args(
            "-v error -f lavfi -i sine=d=1 -f lavfi -i color=red:s=64x48:d=1:r=5 -c:v mpeg4 a.mkv -frames:v 1 a.png"
                .split(' '),
        )
        .current_dir(folder.path())
        .status();
    assert!(made.expect("the tests of media need ffmpeg").success());
    fs::rename(folder.path().join("a.mkv"), folder.path().join(name(b"bad\xff.mkv"))).expect("renamed");
    fs::rename(folder.path().join("a.png"), folder.path().join(name(b"\xe9t\xe9.png"))).expect("renamed");
    fs::write(folder.path().join(name(b"q\xff.txt")), "Where?").expect("written");
    let dialogue = "version: 1\ndialogue: d\ninputs: { video: video, question: { type: text, default: '' } }\nsteps:\n  moments: { frames: { video: \"{{ video }}\", every: 1s } }\n\
        answer: \"{{ video.path }} {{ moments | length }} {{ question }}\"\n";
    fs::write(folder.path().join("d.yaml"), dialogue).expect("written");
    let args = |input: &'static [u8]| ["run".as_ref(), "d.yaml".as_ref(), "-i".as_ref(), name(input)];

    let (code, out, err) = run(folder.path(), &args(b"video=bad\xff.mkv"));
    assert_eq!((code, out.as_str()), (Some(0), "bad\\xff.mkv 1\n"), "{err}");
    // the printed name finds the file again
    let (code, out, err) = run(folder.path(), &[&args(b"video=bad\\xff.mkv")[..], &["--json".as_ref()]].concat());
    let json: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, &json["answer"], &json["memo_hits"]), (Some(0), &"bad\\xff.mkv 1".into(), &1.into()), "{err}");
    let more = [&args(b"video=bad\xff.mkv")[..], &["-i".as_ref(), name(b"question=@q\xff.txt")]].concat();
    assert_eq!(run(folder.path(), &more).1, "bad\\xff.mkv 1 Where?\n");
    let (code, _, err) =
        run(folder.path(), &[&args(b"video=bad\xff.mkv")[..], &["-i".as_ref(), name(b"question=a\xff")]].concat());
    assert!(code == Some(2) && err.contains("is neither UTF-8 text nor the name of a file"), "{err}");
    let purged = run(folder.path(), &["memo".as_ref(), "purge".as_ref(), "--video".as_ref(), name(b"bad\xff.mkv")]);
    assert_eq!((purged.0, purged.1.as_str()), (Some(0), "1 exchange removed\n"), "{}", purged.2);

    let (code, _, err) = run(folder.path(), &["ask".as_ref(), name(b"none\xff.mkv"), "Where?".as_ref()]);
    assert!(code == Some(3) && err.contains("error: none\\xff.mkv: no such file"), "{err}");
    let ranked = ["try", "starter-clip", "--among", "kitchen,cafe", "--image"].map(OsStr::new);
    let (code, out, err) = run(folder.path(), &[&ranked[..], &[name(b"\xe9t\xe9.png")]].concat());
    assert!(code == Some(0) && out.contains("kitchen"), "{err}");
}

#[cfg(target_os = "linux")]
#[test]
fn thin_pictures_need_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let save = |name: &str, width: u32, height: u32| {
        image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 128]))
            .save(folder.path().join(name))
            .expect("saved");
    };
    save("tall.png", 1, 3_000_000);
    save("wide.png", 3_000_000, 1);
    save("tall.jpg", 1, 65_000);
    save("wide.jpg", 65_000, 1);
    let program = assert_cmd::cargo::cargo_bin("elenchus");
    for picture in ["tall.png", "wide.png", "tall.jpg", "wide.jpg"] {
        for ask in ["--among kitchen,cafe", "--embed"] {
            // 2 GiB of address space suffice for the program, its threads and the model; the picture alone would become
            // 100 GB
            let line =
                format!("ulimit -v 2097152; exec '{}' try starter-clip --image {picture} {ask}", program.display());
            let mut shell = Command::new("sh");
            shell
                .current_dir(folder.path())
                .env("ELENCHUS_CACHE", folder.path().join("cache"))
                .env("ELENCHUS_DATA", folder.path().join("cache"));
            let output =
                shell.args(["-c", &line]).timeout(Duration::from_secs(120)).output().expect("it ends by itself");
            assert!(output.status.success(), "{picture} {ask}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_in_a_project_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    for part in ["agents", "prompts", "vocab", "casts", "examples"] {
        fs::create_dir(folder.path().join(part)).expect("made");
    }
    let dialogue = "version: 1\ndialogue: d\ninputs: { x: text }\ncast: { m: starter-lm }\nsteps:\n  a: { say: { agent: m, prompt: plain, with: { x: \"{{ x }}\" } } }\nanswer: \"{{ a }}\"\n";
    let write = |name: &str, from: &str, to: &str| {
        assert!(dialogue.contains(from));
        fs::write(folder.path().join(name), dialogue.replace(from, to)).expect("written");
    };
    write("d.yaml", "", "");
    write("agent.yaml", "starter-lm", "pipe");
    write("prompt.yaml", "prompt: plain", "prompt: pipe");
    fs::write(folder.path().join("prompts/plain.md"), "{{ x }}").expect("written");
    let pipes = [
        "agents/pipe.yaml",
        "prompts/pipe.md",
        "vocab/pipe.txt",
        "casts/pipe.yaml",
        "examples/pipe.yaml",
        "pipe.yaml",
        "pipe.json",
        "pipe.txt",
    ];
    for pipe in pipes {
        assert!(std::process::Command::new("mkfifo").arg(folder.path().join(pipe)).status().expect("mkfifo").success());
    }
    let lines: [(&[&str], &str); 14] = [
        (&["check", "agent.yaml"], "agents/pipe.yaml"),
        (&["check", "prompt.yaml"], "prompts/pipe.md"),
        (&["check", "pipe.yaml"], "pipe.yaml"),
        (&["check", "pipe"], "examples/pipe.yaml"),
        (&["test", "pipe.yaml"], "pipe.yaml"),
        (&["graph", "agent.yaml"], "agents/pipe.yaml"),
        (&["check", "d.yaml", "--cast", "pipe"], "casts/pipe.yaml"),
        (&["run", "d.yaml", "-i", "x=@pipe.txt"], "pipe.txt"),
        (&["run", "d.yaml", "-i", "x=y", "--record", "pipe.json"], "pipe.json"),
        (&["eval", "d.yaml", "--data", "pipe.json"], "pipe.json"),
        (&["replay", "pipe.json"], "pipe.json"),
        (&["memo", "explain", "pipe.json", "a"], "pipe.json"),
        (&["try", "starter-clip", "--image", "pipe.txt", "--embed"], "pipe.txt"),
        (&["try", "starter-clip", "--text", "x", "--among", "pipe.txt"], "pipe.txt"),
    ];
    for (args, named) in lines {
        let args: Vec<&OsStr> = args.iter().map(OsStr::new).collect();
        let (code, out, err) = run(folder.path(), &args);
        assert!(matches!(code, Some(1..=4)), "{args:?}: {code:?} {out} {err}");
        assert!(err.contains(named), "{args:?}: {err}");
    }
    // the list names the broken agent and continues
    let (code, out, err) = run(folder.path(), &["models".as_ref(), "list".as_ref()]);
    assert!(code.is_some() && (out + &err).contains("starter-clip"));
}

#[cfg(unix)]
#[test]
fn standard_input_is_read_only_if_it_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let dialogue = "version: 1\ndialogue: d\ninputs: { x: text }\nsteps:\n  a: { compute: \"{{ x | upper }}\" }\nanswer: \"{{ a }}\"\n";
    fs::write(folder.path().join("d.yaml"), dialogue).expect("written");
    let check = |args: &[&str], input: &str, expected: &str| {
        let mut command = Command::cargo_bin("elenchus").expect("the program is built");
        command
            .current_dir(folder.path())
            .env("ELENCHUS_CACHE", folder.path().join("cache"))
            .env("ELENCHUS_DATA", folder.path().join("cache"));
        let output = command.args(args).write_stdin(input).output().expect("it ends");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    check(&["run", "-", "-i", "x=hi"], dialogue, "HI\n");
    check(&["run", "/dev/stdin", "-i", "x=hi"], dialogue, "HI\n");
    check(&["run", "d.yaml", "-i", "x=@/dev/stdin"], "from a pipe", "FROM A PIPE\n");
    check(&["run", "d.yaml", "-i", "x=@/dev/fd/0"], "from a pipe", "FROM A PIPE\n");
}
