//! JPEG files, decoded to the same pixels as in libjpeg-turbo and therefore in Pillow.
//!
//! The standard leaves rounding and the upsampling of colour to the decoder, so decoders differ by one step of 255 in
//! places. Such a step changes a model's vectors by about 1e-3. This decoder therefore uses libjpeg's arithmetic: its
//! integer transform, its triangle filter for colour, its colour tables. It leaves rare features (arithmetic coding,
//! four colours, more than eight bits) and damaged files to another decoder.

mod block;
mod colour;
mod scan;

use image::RgbImage;
use scan::{Huffman, Scan};

/// Maximum number of pixels. Another decoder, with its own limits, handles larger pictures.
const MAX_PIXELS: usize = 1 << 27;

/// One colour component of a picture.
#[derive(Debug)]
struct Component {
    id: u8,
    /// Sampling factors: blocks of this component in a minimum coded unit, across and down.
    h: usize,
    v: usize,
    quant: u8,
    /// The quantisation table at the component's first scan.
    table: Option<[u16; 64]>,
    /// Size in samples, without padding.
    width: usize,
    height: usize,
    /// Stored blocks in a row. They fill whole units.
    across: usize,
    /// 64 coefficients for each block, in natural order.
    coefficients: Vec<i16>,
}

/// The content of the frame header.
#[derive(Debug)]
struct Frame {
    progressive: bool,
    width: usize,
    height: usize,
    /// Number of minimum coded units, across and down.
    units: (usize, usize),
    components: Vec<Component>,
}

/// The tables that segments before a scan define.
#[derive(Debug, Default)]
struct Tables {
    quant: [Option<[u16; 64]>; 4],
    dc: [Option<Huffman>; 4],
    ac: [Option<Huffman>; 4],
    restart: usize,
}

/// The place of each coefficient in a block, in the order of the file.
#[rustfmt::skip]
const ZIGZAG: [usize; 64] = [
     0,  1,  8, 16,  9,  2,  3, 10, 17, 24, 32, 25, 18, 11,  4,  5,
    12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13,  6,  7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
    58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// True if the marker that ends a picture follows its last scan. The pictures of a file without it are incomplete.
pub(super) fn has_end(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xff, marker]);
    matches!((last(0xda), last(0xd9)), (Some(scan), Some(end)) if scan < end)
}

/// The pixels of a JPEG file. `None` if it is damaged or uses a feature that this decoder lacks.
pub(super) fn decode(bytes: &[u8]) -> Option<RgbImage> {
    let (mut tables, mut frame, mut jfif, mut adobe) = (Tables::default(), None, false, None);
    let mut at = 2;
    if !bytes.starts_with(&[0xff, 0xd8]) {
        return None;
    }
    loop {
        while *bytes.get(at)? != 0xff {
            at += 1;
        }
        while *bytes.get(at)? == 0xff {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        match marker {
            0xd9 => break,
            0x00 | 0x01 | 0xd0..=0xd7 => continue,
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let body = bytes.get(at + 2..at + length)?;
        at += length;
        match marker {
            0xdb => quant_tables(body, &mut tables)?,
            0xc4 => huffman_tables(body, &mut tables)?,
            0xdd => tables.restart = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?])),
            0xe0 => jfif |= body.starts_with(b"JFIF\0"),
            0xee if body.starts_with(b"Adobe") => adobe = body.get(11).copied(),
            0xc0..=0xc2 if frame.is_none() => frame = Some(header(body, marker == 0xc2)?),
            0xc0..=0xc3 | 0xc5..=0xcf => return None,
            0xda => at += Scan::read(body, frame.as_mut()?, &tables)?.decode(bytes.get(at..)?)?,
            _ => {}
        }
    }
    let frame = frame?;
    let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
    // libjpeg's rule: JFIF means luma and chroma; else Adobe's marker decides; else the components' names
    let plain = !jfif && adobe.map_or(ids == *b"RGB", |transform| transform == 0);
    let planes: Option<Vec<Vec<u8>>> = frame.components.iter().map(|one| colour::plane(one, &frame)).collect();
    let pixels = colour::join(&planes?, plain);
    RgbImage::from_raw(u32::try_from(frame.width).ok()?, u32::try_from(frame.height).ok()?, pixels)
}

fn quant_tables(mut body: &[u8], tables: &mut Tables) -> Option<()> {
    while let Some((head, rest)) = body.split_first() {
        let wide = head >> 4 != 0;
        let values = rest.get(..if wide { 128 } else { 64 })?;
        let mut table = [0; 64];
        for (n, place) in ZIGZAG.iter().enumerate() {
            table[*place] =
                if wide { u16::from_be_bytes([values[2 * n], values[2 * n + 1]]) } else { u16::from(values[n]) };
        }
        *tables.quant.get_mut(usize::from(head & 15))? = Some(table);
        body = &rest[values.len()..];
    }
    Some(())
}

fn huffman_tables(mut body: &[u8], tables: &mut Tables) -> Option<()> {
    while let Some((head, rest)) = body.split_first() {
        let counts = rest.get(..16)?;
        let total = counts.iter().map(|n| usize::from(*n)).sum::<usize>();
        let symbols = rest.get(16..16 + total)?;
        let kind = if head >> 4 == 0 { &mut tables.dc } else { &mut tables.ac };
        *kind.get_mut(usize::from(head & 15))? = Some(Huffman::new(counts, symbols)?);
        body = &rest[16 + total..];
    }
    Some(())
}

fn header(body: &[u8], progressive: bool) -> Option<Frame> {
    let &[8, h1, h0, w1, w0, count @ (1 | 3)] = body.first_chunk()? else { return None };
    let (width, height) = (usize::from(u16::from_be_bytes([w1, w0])), usize::from(u16::from_be_bytes([h1, h0])));
    if width == 0 || height == 0 || width * height > MAX_PIXELS {
        return None;
    }
    let parts: Vec<&[u8]> = body.get(6..6 + 3 * usize::from(count))?.chunks_exact(3).collect();
    let factor = |part: &[u8]| (usize::from(part[1] >> 4), usize::from(part[1] & 15));
    if parts.iter().any(|part| !(1..=4).contains(&factor(part).0) || !(1..=4).contains(&factor(part).1)) {
        return None;
    }
    let (h_max, v_max) = parts.iter().map(|part| factor(part)).fold((1, 1), |max, (h, v)| (max.0.max(h), max.1.max(v)));
    let units = (width.div_ceil(8 * h_max), height.div_ceil(8 * v_max));
    let component = |part: &&[u8]| {
        let (h, v) = factor(part);
        Component {
            id: part[0],
            h,
            v,
            quant: part[2],
            table: None,
            width: (width * h).div_ceil(h_max),
            height: (height * v).div_ceil(v_max),
            across: units.0 * h,
            coefficients: vec![0; 64 * units.0 * h * units.1 * v],
        }
    };
    Some(Frame { progressive, width, height, units, components: parts.iter().map(component).collect() })
}
