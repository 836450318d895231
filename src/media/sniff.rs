//! Reads a file's first bytes and outer structure before ffmpeg does. This gives better messages for refused files, and
//! detects truncated ones.

use super::MediaFault;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

/// Number of bytes read at the start of a file.
pub(crate) const HEAD: usize = 4096;

/// Why a file that begins with `head` is not opened as a medium; `None` if it may be opened.
pub(crate) fn refuse(head: &[u8]) -> Option<(MediaFault, String)> {
    let refers = |what: &str| {
        let message = format!("is {what}, which only refers to other files; give the video itself");
        Some((MediaFault::Elsewhere, message))
    };
    let locked = |what: &str| Some((MediaFault::Locked, format!("is {what}; decrypt it first")));
    let other = |what: &str| Some((MediaFault::NotMedia, format!("is {what}, not a video or sound")));
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let starts = |magic: &[u8]| head.starts_with(magic);
    match () {
        () if text.starts_with("#EXTM3U") => refers("a playlist (m3u8)"),
        () if text.starts_with("ffconcat") => refers("a list for ffmpeg's concat"),
        () if text.contains("<MPD") => refers("a DASH manifest"),
        () if text.contains("<SmoothStreamingMedia") => refers("a streaming manifest"),
        () if text.starts_with("v=0\n") || text.starts_with("v=0\r\n") => refers("a session description (sdp)"),
        () if starts(b"PK\x03\x04") && head.get(6).is_some_and(|flags| flags & 1 == 1) => {
            locked("a password-protected zip archive")
        }
        () if starts(b"PK\x03\x04") => other("a zip archive (or office document)"),
        () if starts(b"7z\xbc\xaf\x27\x1c") => other("a 7z archive"),
        () if starts(b"Rar!\x1a\x07") => other("a rar archive"),
        () if starts(b"\x1f\x8b") => other("a gzip archive"),
        () if starts(b"Salted__") => locked("encrypted (OpenSSL)"),
        () if text.starts_with("-----BEGIN PGP MESSAGE") => locked("encrypted (PGP)"),
        () if text.starts_with("age-encryption.org/") => locked("encrypted (age)"),
        () if starts(b"LUKS\xba\xbe") => locked("an encrypted disk image"),
        () if head.get(4..12) == Some(b"ftypaax ") => locked("an encrypted audio book"),
        () if starts(b"%PDF") => other("a PDF document"),
        () => match still_image(head) {
            Some(what) => Some((MediaFault::NotMedia, format!("is a still image ({what}), not a video"))),
            None if head.starts_with(b"YUV4MPEG2") => None,
            None if is_text(head) => other("a text file"),
            None => None,
        },
    }
}

/// The still image format of a file that begins with `head`.
pub(crate) fn still_image(head: &[u8]) -> Option<&'static str> {
    let brand = head.get(4..8).filter(|b| b == b"ftyp").and(head.get(8..12));
    match head {
        [0x89, b'P', b'N', b'G', ..] => Some("PNG").filter(|_| !head.windows(4).any(|w| w == b"acTL")),
        [0xff, 0xd8, 0xff, ..] => Some("JPEG"),
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some("BMP"),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some("TIFF"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("WebP"),
        _ if matches!(brand, Some(b"heic" | b"heix" | b"mif1")) => Some("HEIC"),
        _ if brand == Some(b"avif") => Some("AVIF"),
        _ => None,
    }
}

/// The format of a picture, still or not.
pub(crate) fn picture(head: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(head);
    match head {
        [b'G', b'I', b'F', b'8', ..] => Some("GIF"),
        _ if is_text(head) && text.contains("<svg") => Some("SVG"),
        _ => still_image(head),
    }
}

/// True for the common containers of video and sound.
pub(crate) fn is_video(head: &[u8]) -> bool {
    let riff = head.starts_with(b"RIFF") && matches!(head.get(8..12), Some(b"AVI " | b"WAVE"));
    let boxes = head.get(4..8) == Some(b"ftyp") && still_image(head).is_none();
    riff || boxes || [&b"\x1a\x45\xdf\xa3"[..], b"fLaC", b"OggS", b"ID3"].iter().any(|magic| head.starts_with(magic))
}

/// True for UTF-8 without control characters. The end may cut a character.
fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or_default(),
        Err(_) => return false,
    };
    !text.is_empty() && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}'))
}

/// True if the container's own sizes state a longer file. Reads a few bytes of each outer box. A container without
/// stated sizes (streams, live recordings) never counts as truncated.
pub(crate) fn truncated(file: &mut File) -> io::Result<bool> {
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    file.by_ref().take(64).read_to_end(&mut head)?;
    if head.starts_with(b"\x1a\x45\xdf\xa3") {
        return Ok(matroska_end(&head).is_some_and(|end| end > len));
    }
    if head.starts_with(b"RIFF") && head.len() >= 8 {
        let size = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        // streamed files contain a placeholder
        return Ok(size != 0 && size < 0x7fff_f000 && size + 8 > len + 1);
    }
    match head.get(4..8) {
        Some(b"ftyp" | b"moov" | b"mdat" | b"free" | b"skip" | b"wide" | b"styp" | b"pnot") => {
            mp4_ends_early(file, len)
        }
        _ => Ok(false),
    }
}

/// The end that a Matroska segment states, in bytes; `None` if it is unknown.
fn matroska_end(head: &[u8]) -> Option<u64> {
    let (size, width) = vint(head.get(4..)?)?;
    let segment = 4 + width + usize::try_from(size).ok()?;
    let body = head.get(segment..)?.strip_prefix(b"\x18\x53\x80\x67")?;
    let (size, width) = vint(body)?;
    let unknown = (1u64 << (7 * width)) - 1;
    (size != unknown).then(|| (segment + 4 + width) as u64 + size)
}

/// Reads an EBML variable-length size: its value, and its width in bytes.
fn vint(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let width = first.leading_zeros() as usize + 1;
    let rest = bytes.get(1..width).filter(|_| width <= 8)?;
    let value = if width == 8 { 0 } else { u64::from(first) & ((1 << (8 - width)) - 1) };
    Some((rest.iter().fold(value, |value, byte| value << 8 | u64::from(*byte)), width))
}

/// True if the outer boxes of an MP4 or QuickTime file state an end after `len`.
fn mp4_ends_early(file: &mut File, len: u64) -> io::Result<bool> {
    const MAX_BOXES: usize = 100_000; // an hour of fragments of 40 ms
    let mut at = 0;
    for _ in 0..MAX_BOXES {
        if at + 8 > len {
            return Ok(at != len && len - at >= 4); // up to 3 bytes of padding occur in practice
        }
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 16];
        let read = file.take(16).read(&mut head)?;
        let size = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            0 => return Ok(false), // the box extends to the end of the file
            1 if read == 16 => u64::from_be_bytes(head[8..16].try_into().expect("8 bytes: this is a bug")),
            size => u64::from(size),
        };
        if size < 8 {
            return Ok(false); // trailing bytes that are not a box; ffmpeg ignores them
        }
        at = match at.checked_add(size) {
            Some(end) if end <= len => end,
            _ => return Ok(true),
        };
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_first_bytes_decide() {
        let check = |head: &[u8], expected: Option<MediaFault>| {
            assert_eq!(refuse(head).map(|(fault, _)| fault), expected, "{head:?}")
        };
        check(b"#EXTM3U\n#EXT-X-VERSION:3\n", Some(MediaFault::Elsewhere));
        check(b"\xef\xbb\xbf#EXTM3U\n", Some(MediaFault::Elsewhere));
        check(b"ffconcat version 1.0\nfile a.mp4\n", Some(MediaFault::Elsewhere));
        check(b"<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash\">", Some(MediaFault::Elsewhere));
        check(b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", Some(MediaFault::Elsewhere));
        check(b"PK\x03\x04\x14\x00\x01\x00\x08\x00", Some(MediaFault::Locked));
        check(b"PK\x03\x04\x14\x00\x00\x00\x08\x00", Some(MediaFault::NotMedia));
        check(b"Salted__abcdefgh", Some(MediaFault::Locked));
        check(b"\x89PNG\r\n\x1a\n", Some(MediaFault::NotMedia));
        check(b"\xff\xd8\xff\xe0\0\x10JFIF", Some(MediaFault::NotMedia));
        check("Grüße, Welt\n".as_bytes(), Some(MediaFault::NotMedia));
        check(b"\0\0\0\x20ftypisom\0\0\x02\0", None);
        check(b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81", None);
        check(b"RIFF\x24\0\0\0WAVEfmt ", None);
        check(b"GIF89a\x01\0", None);
    }

    #[test]
    fn pictures_and_videos_are_told_apart() {
        let check = |head: &[u8], expected: Option<&str>, video: bool| {
            assert_eq!((picture(head), is_video(head)), (expected, video), "{head:?}");
        };
        check(b"GIF89a\x01\0", Some("GIF"), false);
        check(b"<?xml version=\"1.0\"?>\n<svg width=\"1\"/>", Some("SVG"), false);
        check(b"RIFF\x24\0\0\0WEBPVP8 ", Some("WebP"), false);
        check(b"\0\0\0\x20ftypavif", Some("AVIF"), false);
        check(b"\0\0\0\x20ftypisom\0\0\x02\0", None, true);
        check(b"RIFF\x24\0\0\0WAVEfmt ", None, true);
        check(b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81", None, true);
        check(b"fLaC\0\0\0\x22", None, true);
        check(b"hello", None, false);
    }

    #[test]
    fn stated_sizes_reveal_truncation() {
        let check = |bytes: &[u8], expected: bool| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(bytes).unwrap();
            assert_eq!(truncated(&mut file).unwrap(), expected, "{bytes:?}");
        };
        check(b"\0\0\0\x10ftypisom\0\0\x02\0\0\0\0\x0cmdatabcd", false);
        check(b"\0\0\0\x10ftypisom\0\0\x02\0\0\0\0\x20mdatabcd", true);
        check(b"\0\0\0\x10ftypisom\0\0\x02\0\0\0\0\0mdatabcd", false);
        check(b"\0\0\0\x10ftypisom\0\0\x02\0\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xffabcd", true);
        check(b"\x1a\x45\xdf\xa3\x81\x00\x18\x53\x80\x67\x84abcd", false);
        check(b"\x1a\x45\xdf\xa3\x81\x00\x18\x53\x80\x67\x88abcd", true);
        check(b"\x1a\x45\xdf\xa3\x81\x00\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xffabcd", false);
        check(b"RIFF\x04\0\0\0WAVE", false);
        check(b"RIFF\xff\0\0\0WAVE", true);
        check(b"RIFF\xff\xff\xff\xffWAVE", false);
        check(b"ID3", false);
    }
}
