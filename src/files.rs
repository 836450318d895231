//! Opens files that may come from a stranger: regular files only, without waiting, and within a size limit.
//!
//! Also converts file names to text: [`name`] writes a byte that is not UTF-8 as `\xff`, and [`path`] finds the file
//! again.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File, Metadata},
    io::{self, Error, ErrorKind, Read},
    path::{Path, PathBuf},
};

/// Maximum size of a label list, prompt or other text beside a dialogue, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// Maximum size of a file that a user gives as an input or as cases, in bytes.
pub const MAX_INPUT_BYTES: usize = 256 << 20;

/// Opens a regular file for reading. Fails for a folder, pipe, socket or device.
///
/// Opening a FIFO would wait for a writer, and reading a device may never end. The path is checked before it is opened,
/// so that no device is touched. The file may be replaced in between. Opening therefore does not wait, and the open
/// file is checked again.
pub fn open(path: &Path) -> io::Result<File> {
    refuse(&fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    refuse(&file.metadata()?)?;
    Ok(file)
}

/// Like [`open`], for a path from the command line: `/dev/stdin` and `/dev/fd/N` are streams that the user's shell
/// opened.
pub fn open_given(path: &Path) -> io::Result<File> {
    let stream = path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd");
    if stream { File::open(path) } else { open(path) }
}

/// A path as text, for messages and JSON. A UTF-8 path stays unchanged. In any other path, each byte that is not UTF-8
/// becomes `\xff` and each backslash `\x5c`.
pub fn name(path: &OsStr) -> String {
    if let Some(text) = path.to_str() {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in path.as_encoded_bytes().utf8_chunks() {
        text += &chunk.valid().replace('\\', "\\x5c");
        chunk.invalid().iter().for_each(|byte| text += &format!("\\x{byte:02x}"));
    }
    text
}

/// The path whose text [`name`] gave. A file with a literal `\xff` in its name takes precedence.
pub fn path(name: &str) -> PathBuf {
    let written = PathBuf::from(name);
    if !name.contains("\\x") || fs::symlink_metadata(&written).is_ok() {
        return written;
    }
    let bytes = PathBuf::from(unescaped(name));
    if fs::symlink_metadata(&bytes).is_ok() { bytes } else { written }
}

/// Decodes `\x80` to `\xff`, and `\x5c`, to bytes.
#[cfg(unix)]
fn unescaped(name: &str) -> OsString {
    let (mut bytes, mut rest) = (Vec::new(), name);
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok())
            .filter(|byte| *byte >= 0x80 || *byte == b'\\');
        match byte {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(b"\\x"),
        }
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

/// On other systems a name stays unchanged.
#[cfg(not(unix))]
fn unescaped(name: &str) -> OsString {
    name.into()
}

/// A path from the command line as text. Refused if another existing file has the same text.
pub fn given(path: &OsStr) -> Result<String, String> {
    let text = name(path);
    if path.to_str().is_none() && fs::symlink_metadata(&text).is_ok() {
        return Err(format!(
            "`{text}` is the name of two files, one of them with bytes that are not UTF-8; rename one"
        ));
    }
    Ok(text)
}

/// A number of bytes as text, such as `1.2 GB`, in powers of 1000.
pub fn size_text(bytes: u64) -> String {
    let (unit, name) = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")]
        .into_iter()
        .find(|(unit, _)| bytes as f64 >= *unit)
        .unwrap_or((1.0, "bytes"));
    let number = bytes as f64 / unit;
    if number < 10.0 && unit > 1.0 { format!("{number:.1} {name}") } else { format!("{number:.0} {name}") }
}

/// Fails for anything but a regular file.
fn refuse(meta: &Metadata) -> io::Result<()> {
    if meta.is_file() {
        Ok(())
    } else if meta.is_dir() {
        Err(Error::new(ErrorKind::IsADirectory, "it is a folder, not a file"))
    } else {
        Err(Error::new(ErrorKind::InvalidInput, "it is a pipe, socket or device, not a file"))
    }
}

/// The bytes of a regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    bounded(open(path)?, limit)?
        .ok_or_else(|| Error::new(ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")))
}

/// The text of a regular file of at most `limit` bytes. A message about its content starts with `LINE:COLUMN: `.
pub fn read_text(path: &Path, limit: usize) -> io::Result<String> {
    read_from(open(path)?, limit)
}

/// Like [`read_text`], for a path from the command line (see [`open_given`]).
pub fn read_given(path: &Path, limit: usize) -> io::Result<String> {
    read_from(open_given(path)?, limit)
}

/// The text of a stream of at most `limit` bytes. A message about its content starts with `LINE:COLUMN: `.
pub fn read_from(stream: impl Read, limit: usize) -> io::Result<String> {
    let Some(bytes) = bounded(stream, limit)? else {
        return Err(Error::new(ErrorKind::InvalidData, format!("1:1: found more than {limit} bytes")));
    };
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let good = std::str::from_utf8(good).unwrap_or_default();
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let byte = error.as_bytes()[good.len()];
        let message = format!("{line}:{column}: found the byte 0x{byte:02x}, which is not UTF-8 text");
        Error::new(ErrorKind::InvalidData, message)
    })
}

/// All bytes of a stream, or `None` if it has more than `limit`.
fn bounded(stream: impl Read, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    stream.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_bad_bytes_are_found() {
        let check = |bytes: &[u8]| read_from(bytes, 10).map_err(|error| error.to_string());
        assert_eq!(check(b"a\nb"), Ok("a\nb".into()));
        assert_eq!(check("é".as_bytes()), Ok("é".into()));
        assert_eq!(check(b"a\n\xc3\xa9\xe9"), Err("2:2: found the byte 0xe9, which is not UTF-8 text".into()));
        assert_eq!(check(&[b'x'; 11]), Err("1:1: found more than 10 bytes".into()));
        assert_eq!(read_from(io::repeat(b'x'), 10).ok(), None);
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_find_their_files() {
        use std::os::unix::ffi::OsStrExt;
        let folder = tempfile::tempdir().expect("a folder");
        let bytes: &[&[u8]] =
            &[b"bad\xff.mp4", b"\xc3\x28 a\xe9", b"plain", "\u{e9}t\u{e9}".as_bytes(), b"half\\x.mp4", b"tr\xe8s\\xff"];
        for bytes in bytes {
            let file = folder.path().join(OsStr::from_bytes(bytes));
            assert_eq!(path(&name(file.as_os_str())), PathBuf::from(name(file.as_os_str())), "nothing is there yet");
            fs::write(&file, bytes).expect("written");
            let text = given(file.as_os_str()).expect("one file");
            assert_eq!(fs::read(path(&text)).expect("found"), *bytes, "{text}");
        }
        assert_eq!(name(OsStr::from_bytes(b"bad\xff.mp4")), "bad\\xff.mp4");
        // with both names present, the literal one is found and the other one is refused
        let bad = folder.path().join(OsStr::from_bytes(b"bad\xff.mp4"));
        fs::write(folder.path().join("bad\\xff.mp4"), "written so").expect("written");
        assert_eq!(fs::read(path(&name(bad.as_os_str()))).expect("found"), b"written so");
        assert!(given(bad.as_os_str()).expect_err("two").contains("is the name of two files"));
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let check = |path: &Path| read(path, 4).map_err(|error| error.to_string());
        let made = std::process::Command::new("mkfifo").arg(at("fifo")).status();
        assert!(made.expect("mkfifo").success());
        std::os::unix::fs::symlink(at("fifo"), at("link")).expect("linked");
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).expect("bound");
        fs::write(at("four"), "four").expect("written");
        fs::write(at("fives"), "fives").expect("written");
        assert_eq!(check(&at("four")), Ok(b"four".to_vec()));
        assert_eq!(check(&at("fives")), Err("it has more than 4 bytes".into()));
        assert_eq!(check(folder.path()), Err("it is a folder, not a file".into()));
        for path in [at("fifo"), at("link"), at("socket"), "/dev/zero".into(), "/dev/stdin".into()] {
            // the standard input of a test may be a file
            if !fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
                assert_eq!(check(&path), Err("it is a pipe, socket or device, not a file".into()), "{path:?}");
            }
        }
        assert_eq!(read(&at("none"), 4).expect_err("missing").kind(), ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_replaced_by_a_pipe_does_not_block() {
        // the second half of `open`: a FIFO without a writer opens at once, and is then refused
        use std::os::unix::fs::OpenOptionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
        let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).expect("opened");
        assert!(refuse(&opened.metadata().expect("looked at")).is_err());
    }
}
