//! Opening files that a stranger may have put there: only regular files, without waiting, and no more than a limit of bytes.

use std::{
    fs::{self, File, Metadata},
    io::{self, Error, ErrorKind, Read},
    path::Path,
};

/// Largest label list, prompt or other text beside a dialogue, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// Largest file that a user gives as an input or as cases, in bytes.
pub const MAX_INPUT_BYTES: usize = 256 << 20;

/// Opens a regular file for reading.
///
/// Opening a FIFO would wait for a writer, and reading a device may never end. The path is looked at before it is opened,
/// so that no device is touched. It may be replaced in between: opening does not wait, and the open file is looked at again.
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

/// As [`open`], for a path from the command line: `/dev/stdin` and `/dev/fd/N` are streams that the user's shell opened.
pub fn open_given(path: &Path) -> io::Result<File> {
    let stream = path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd");
    if stream { File::open(path) } else { open(path) }
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

/// The bytes of a regular file of at most `most` bytes.
pub fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    bounded(open(path)?, most)?
        .ok_or_else(|| Error::new(ErrorKind::FileTooLarge, format!("it has more than {most} bytes")))
}

/// The text of a regular file of at most `most` bytes; a message about its content starts with `LINE:COLUMN: `.
pub fn read_text(path: &Path, most: usize) -> io::Result<String> {
    read_from(open(path)?, most)
}

/// As [`read_text`], for a path from the command line (see [`open_given`]).
pub fn read_given(path: &Path, most: usize) -> io::Result<String> {
    read_from(open_given(path)?, most)
}

/// The text of a stream of at most `most` bytes; a message about its content starts with `LINE:COLUMN: `.
pub fn read_from(stream: impl Read, most: usize) -> io::Result<String> {
    let Some(bytes) = bounded(stream, most)? else {
        return Err(Error::new(ErrorKind::InvalidData, format!("1:1: found more than {most} bytes")));
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

/// All bytes of a stream, or nothing if it has more than `most`.
fn bounded(stream: impl Read, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    stream.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
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
    fn a_file_that_turns_into_a_pipe_does_not_hold_up() {
        // what `open` does after its first look: a FIFO without a writer opens at once, and is then refused
        use std::os::unix::fs::OpenOptionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
        let opened = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&fifo).expect("opened");
        assert!(refuse(&opened.metadata().expect("looked at")).is_err());
    }
}
