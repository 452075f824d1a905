//! Animated GIF (GIF89a; Graphics Interchange Format, version 89a, 1990): one palette of at most 256 colors for all
//! frames, each compressed with LZW. Used for films if the browser cannot record video. Pure.

use rustc_hash::FxHashMap;

use super::colors::Rgb;
use super::heat::ColorScale;

/// Bits per palette index.
const DEPTH: u8 = 8;

/// Maximum code length in bits.
const MAX_BITS: u8 = 12;

/// Number of shades of the color scale, and of gray, in a film's palette.
const SHADES: usize = 96;
const GREYS: usize = 56;

/// An encoder for an animated GIF; frames are appended.
pub struct Gif {
    bytes: Vec<u8>,
    size: [u16; 2],
    palette: Vec<Rgb>,
    /// Cache of the nearest palette index for each color seen so far.
    known: FxHashMap<Rgb, u8>,
}

impl Gif {
    /// An endlessly looping film of this width and height. Its palette has the colors of the scale, both full and
    /// faded, and grays for everything else.
    pub fn new(size: [u16; 2], scale: &ColorScale) -> Self {
        let part = |i: usize, of: usize| i as f32 / (of - 1) as f32;
        let shades = (0..SHADES).map(|i| scale.at(part(i, SHADES)));
        let faded: Vec<Rgb> = (0..SHADES).map(|i| scale.faded_at(part(i, SHADES))).collect();
        let greys = (0..GREYS).map(|i| [(255.0 * part(i, GREYS)).round() as u8; 3]);
        let palette: Vec<Rgb> = shades.chain(faded).chain(greys).collect();
        let mut bytes = b"GIF89a".to_vec();
        size.iter().for_each(|length| bytes.extend(length.to_le_bytes()));
        // A global palette of 2^8 colors; no background, square pixels.
        bytes.extend([0xf0 | (DEPTH - 1), 0, 0]);
        for i in 0..1 << DEPTH {
            bytes.extend(palette.get(i).copied().unwrap_or_default());
        }
        // Loop forever.
        bytes.extend(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0");
        Self { bytes, size, palette, known: FxHashMap::default() }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u16; 2] {
        self.size
    }

    /// Appends a frame of width × height RGBA pixels, shown for this many hundredths of a second.
    pub fn push(&mut self, pixels: &[u8], hundredths: u16) {
        let indices: Vec<u8> = pixels.chunks_exact(4).map(|pixel| self.index([pixel[0], pixel[1], pixel[2]])).collect();
        self.bytes.extend([0x21, 0xf9, 4, 0]);
        self.bytes.extend(hundredths.to_le_bytes());
        self.bytes.extend([0, 0, 0x2c, 0, 0, 0, 0]);
        self.size.iter().for_each(|length| self.bytes.extend(length.to_le_bytes()));
        self.bytes.extend([0, DEPTH]);
        for block in lzw(&indices).chunks(255) {
            self.bytes.push(block.len() as u8); // at most 255
            self.bytes.extend_from_slice(block);
        }
        self.bytes.push(0);
    }

    /// Finishes the file and returns its bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.push(0x3b);
        self.bytes
    }

    fn index(&mut self, color: Rgb) -> u8 {
        if let Some(&index) = self.known.get(&color) {
            return index;
        }
        let distance =
            |other: &Rgb| -> u32 { other.iter().zip(color).map(|(&a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
        let nearest = self.palette.iter().enumerate().min_by_key(|(_, other)| distance(other));
        // A palette has at most 256 colors.
        let index = nearest.map_or(0, |(index, _)| index as u8);
        self.known.insert(color, index);
        index
    }
}

/// Codes of variable width, low bits first.
struct Bits {
    bytes: Vec<u8>,
    held: u32,
    n_held: u8,
}

impl Bits {
    fn put(&mut self, code: u16, width: u8) {
        self.held |= u32::from(code) << self.n_held;
        self.n_held += width;
        while self.n_held >= 8 {
            self.bytes.push(self.held as u8); // the low eight bits
            self.held >>= 8;
            self.n_held -= 8;
        }
    }
}

/// Palette indices compressed with GIF's LZW variant: codes start one bit longer than an index and grow to `MAX_BITS`;
/// then the table is cleared.
pub fn lzw(indices: &[u8]) -> Vec<u8> {
    const CLEAR: u16 = 1 << DEPTH;
    const FIRST: u16 = CLEAR + 2;
    let mut bits = Bits { bytes: Vec::new(), held: 0, n_held: 0 };
    let mut table: FxHashMap<(u16, u8), u16> = FxHashMap::default();
    let (mut width, mut next) = (DEPTH + 1, FIRST);
    bits.put(CLEAR, width);
    let mut prefix: Option<u16> = None;
    for &index in indices {
        let Some(before) = prefix else {
            prefix = Some(u16::from(index));
            continue;
        };
        if let Some(&longer) = table.get(&(before, index)) {
            prefix = Some(longer);
            continue;
        }
        bits.put(before, width);
        prefix = Some(u16::from(index));
        if next == 1 << MAX_BITS {
            bits.put(CLEAR, width);
            table.clear();
            (width, next) = (DEPTH + 1, FIRST);
            continue;
        }
        table.insert((before, index), next);
        // The decoder is one entry behind.
        width += u8::from(next == 1 << width);
        next += 1;
    }
    if let Some(last) = prefix {
        bits.put(last, width);
        // The decoder has added one more entry by now.
        width += u8::from(next == 1 << width && width < MAX_BITS);
    }
    bits.put(CLEAR + 1, width);
    bits.put(0, 7); // pads the last byte
    bits.bytes
}
