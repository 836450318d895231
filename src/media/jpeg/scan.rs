//! The entropy-coded part of a JPEG file: from Huffman codes to coefficients, sequential and progressive (ITU-T T.81,
//! annexes F and G).

use super::{Component, Frame, Tables, ZIGZAG};

/// A Huffman code as a table over the next 16 bits: length and symbol. Length 0 marks an invalid code.
#[derive(Debug, Clone)]
pub(super) struct Huffman(Vec<(u8, u8)>);

impl Huffman {
    /// Builds the table from the number of codes of each length and their symbols in order. `None` if the codes do not
    /// fit.
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Option<Huffman> {
        let mut table = Vec::with_capacity(1 << 16);
        let mut symbols = symbols.iter();
        for (length, count) in (1u8..).zip(counts) {
            for _ in 0..*count {
                let symbol = *symbols.next()?;
                table.resize(table.len() + (1 << (16 - length)), (length, symbol));
            }
        }
        if table.len() > 1 << 16 {
            return None;
        }
        table.resize(1 << 16, (0, 0));
        Some(Huffman(table))
    }
}

/// The bits of a scan. Zeros follow its end, and `beyond` counts them.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    count: u32,
    beyond: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while self.count <= 48 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (None | Some(0xff), _) => {
                    self.beyond += 8;
                    0
                }
                (Some(byte), _) => {
                    self.at += 1;
                    *byte
                }
            };
            self.held = self.held << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    fn peek(&mut self, n: u32) -> u32 {
        if self.count < n {
            self.fill();
        }
        (self.held >> (self.count - n)) as u32 & ((1 << n) - 1)
    }

    fn take(&mut self, n: u32) -> u32 {
        let bits = self.peek(n);
        self.count -= n;
        bits
    }

    fn symbol(&mut self, code: &Huffman) -> Option<u8> {
        let (length, symbol) = code.0[self.peek(16) as usize];
        self.count -= u32::from(length);
        (length > 0).then_some(symbol)
    }

    /// A signed number of `n` bits. Its first bit states the sign.
    fn number(&mut self, n: u8) -> Option<i32> {
        match n {
            0 => Some(0),
            1..=15 => {
                let bits = self.take(u32::from(n)) as i32;
                Some(if bits < 1 << (n - 1) { bits - (1 << n) + 1 } else { bits })
            }
            _ => None,
        }
    }

    /// True if more bits were read than the scan contains.
    fn overrun(&self) -> bool {
        self.beyond > self.count
    }

    /// Skips the restart marker that must come here.
    fn restart(&mut self) -> Option<()> {
        (!self.overrun()).then_some(())?;
        let marker = self.bytes.get(self.at + 1)?;
        (self.bytes.get(self.at) == Some(&0xff) && (0xd0..=0xd7).contains(marker)).then_some(())?;
        (self.at, self.held, self.count, self.beyond) = (self.at + 2, 0, 0, 0);
        Some(())
    }
}

/// One scan: some coefficients of some components.
pub(super) struct Scan<'a> {
    frame: &'a mut Frame,
    /// The components (by index) with their DC and AC codes.
    parts: Vec<(usize, Option<&'a Huffman>, Option<&'a Huffman>)>,
    /// The first and last coefficient.
    band: (usize, usize),
    /// True if the scan adds bits to the coefficients of an earlier scan.
    refines: bool,
    /// The position of the lowest bit of this scan.
    low: u32,
    restart: usize,
}

impl<'a> Scan<'a> {
    /// Reads the scan's header. `None` if it is invalid.
    pub(super) fn read(body: &[u8], frame: &'a mut Frame, tables: &'a Tables) -> Option<Scan<'a>> {
        let count = usize::from(*body.first()?);
        let mut parts = Vec::new();
        for part in body.get(1..1 + 2 * count)?.chunks_exact(2) {
            let index = frame.components.iter().position(|component| component.id == part[0])?;
            let code = |kind: &'a [Option<Huffman>; 4], n: u8| kind.get(usize::from(n)).and_then(Option::as_ref);
            parts.push((index, code(&tables.dc, part[1] >> 4), code(&tables.ac, part[1] & 15)));
            let component = &mut frame.components[index];
            if component.table.is_none() {
                component.table = Some((*tables.quant.get(usize::from(component.quant))?)?);
            }
        }
        let &[first, last, bits] = body.get(1 + 2 * count..)?.first_chunk()?;
        let band = if frame.progressive { (usize::from(first), usize::from(last)) } else { (0, 63) };
        let (high, low) = if frame.progressive { (bits >> 4, bits & 15) } else { (0, 0) };
        let alone = count == 1;
        if !(1..=3).contains(&count)
            || band.0 > band.1
            || band.1 > 63
            || low > 13
            || (frame.progressive && band.0 > 0 && !alone)
        {
            return None;
        }
        // the scan of the first coefficient of a progressive file contains no other coefficients
        let band = if frame.progressive && band.0 == 0 { (0, 0) } else { band };
        Some(Scan { frame, parts, band, refines: high != 0, low: u32::from(low), restart: tables.restart })
    }

    /// Decodes `bytes`, which start after the header. Returns the number of bytes of the scan; `None` if it is damaged.
    pub(super) fn decode(mut self, bytes: &[u8]) -> Option<usize> {
        let mut bits = Bits { bytes, at: 0, held: 0, count: 0, beyond: 0 };
        let (mut before, mut ends, mut done) = ([0; 4], 0, 0);
        let (across, down) = match self.parts.as_slice() {
            [(one, ..)] => {
                let one = &self.frame.components[*one];
                (one.width.div_ceil(8), one.height.div_ceil(8))
            }
            _ => self.frame.units,
        };
        for unit in 0..across * down {
            if self.restart > 0 && done == self.restart {
                bits.restart()?;
                (before, ends, done) = ([0; 4], 0, 0);
            }
            done += 1;
            let (x, y) = (unit % across, unit / across);
            for (n, before) in before.iter_mut().enumerate().take(self.parts.len()) {
                let (index, ..) = self.parts[n];
                let Component { h, v, .. } = self.frame.components[index];
                let (h, v) = if self.parts.len() == 1 { (1, 1) } else { (h, v) };
                for block in 0..h * v {
                    self.block(&mut bits, n, (x * h + block % h, y * v + block / h), before, &mut ends)?;
                }
            }
            if bits.overrun() {
                return None;
            }
        }
        Some(bits.at)
    }

    /// Decodes the block at (x, y). `before` is the component's previous first coefficient. `ends` counts the following
    /// blocks without further coefficients.
    fn block(
        &mut self,
        bits: &mut Bits<'_>,
        part: usize,
        (x, y): (usize, usize),
        before: &mut i32,
        ends: &mut u32,
    ) -> Option<()> {
        let (index, dc, ac) = self.parts[part];
        let component = &mut self.frame.components[index];
        let from = 64 * (y * component.across + x);
        let block = component.coefficients.get_mut(from..from + 64)?;
        let (mut first, last) = self.band;
        if first == 0 {
            if self.refines {
                block[0] |= (bits.take(1) << self.low) as i16;
            } else {
                let length = bits.symbol(dc?)?;
                *before = before.wrapping_add(bits.number(length)?);
                block[0] = (*before << self.low) as i16;
            }
            first = 1;
        }
        if last == 0 {
            Some(())
        } else if self.refines {
            refine(bits, ac?, block, (first, last), self.low, ends)
        } else {
            fresh(bits, ac?, block, (first, last), self.low, ends)
        }
    }
}

/// Decodes the coefficients of a band in its first scan.
fn fresh(
    bits: &mut Bits<'_>,
    code: &Huffman,
    block: &mut [i16],
    (first, last): (usize, usize),
    low: u32,
    ends: &mut u32,
) -> Option<()> {
    if *ends > 0 {
        *ends -= 1;
        return Some(());
    }
    let mut at = first;
    while at <= last {
        let symbol = bits.symbol(code)?;
        let (zeros, length) = (symbol >> 4, symbol & 15);
        match (zeros, length) {
            (15, 0) => at += 16,
            (run, 0) => {
                *ends = (1 << run) - 1 + if run > 0 { bits.take(u32::from(run)) } else { 0 };
                break;
            }
            _ => {
                at += usize::from(zeros);
                let place = *ZIGZAG.get(at)?;
                block[place] = (bits.number(length)? << low) as i16;
                at += 1;
            }
        }
    }
    Some(())
}

/// Refines a band: adds one bit to its known coefficients, and new coefficients of that bit.
fn refine(
    bits: &mut Bits<'_>,
    code: &Huffman,
    block: &mut [i16],
    (first, last): (usize, usize),
    low: u32,
    ends: &mut u32,
) -> Option<()> {
    let one = 1i16 << low;
    let more = |bits: &mut Bits<'_>, known: &mut i16| {
        if bits.take(1) == 1 && *known & one == 0 {
            *known += if *known >= 0 { one } else { -one };
        }
    };
    let mut at = first;
    if *ends == 0 {
        while at <= last {
            let symbol = bits.symbol(code)?;
            let (mut zeros, length) = (symbol >> 4, symbol & 15);
            let new = match (zeros, length) {
                (15, 0) => 0,
                (run, 0) => {
                    *ends = (1 << run) + if run > 0 { bits.take(u32::from(run)) } else { 0 };
                    break;
                }
                _ => {
                    if bits.take(1) == 1 {
                        one
                    } else {
                        -one
                    }
                }
            };
            while at <= last {
                let known = &mut block[ZIGZAG[at]];
                if *known != 0 {
                    more(bits, known);
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                at += 1;
            }
            if new != 0 {
                block[*ZIGZAG.get(at).filter(|_| at <= last)?] = new;
            }
            at += 1;
        }
    }
    if *ends > 0 {
        for place in &ZIGZAG[at.min(64)..=last] {
            if block[*place] != 0 {
                more(bits, &mut block[*place]);
            }
        }
        *ends -= 1;
    }
    Some(())
}
