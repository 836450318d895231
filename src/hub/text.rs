//! Reading a text file that a stranger may have written: never more than so many bytes, and a byte that is no text is
//! found where it stands.

use std::{
    fs::File,
    io::{self, Error, ErrorKind, Read},
    path::Path,
};

/// Largest label list, prompt or other text beside a dialogue, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// The text of a file of at most `most` bytes.
pub fn read(path: &Path, most: usize) -> io::Result<String> {
    read_from(File::open(path)?, most)
}

/// The text of a stream of at most `most` bytes; a message about its content starts with `LINE:COLUMN: `.
pub fn read_from(stream: impl Read, most: usize) -> io::Result<String> {
    let mut bytes = Vec::new();
    // devices and pipes may never end
    stream.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(Error::new(ErrorKind::InvalidData, format!("1:1: found more than {most} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let good = std::str::from_utf8(good).unwrap_or_default();
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let byte = error.as_bytes()[good.len()];
        let message = format!("{line}:{column}: found the byte 0x{byte:02x}, which is no UTF-8 text");
        Error::new(ErrorKind::InvalidData, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_bad_bytes_are_found() {
        let check = |bytes: &[u8]| read_from(bytes, 10).map_err(|error| error.to_string());
        assert_eq!(check(b"a\nb"), Ok("a\nb".into()));
        assert_eq!(check("é".as_bytes()), Ok("é".into()));
        assert_eq!(check(b"a\n\xc3\xa9\xe9"), Err("2:2: found the byte 0xe9, which is no UTF-8 text".into()));
        assert_eq!(check(&[b'x'; 11]), Err("1:1: found more than 10 bytes".into()));
        assert_eq!(read_from(io::repeat(b'x'), 10).ok(), None);
    }
}
