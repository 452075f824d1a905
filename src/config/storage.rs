//! How numbers are stored.

use half::f16;
use serde::{Deserialize, Serialize};

/// Storage format of a buffer's elements. Kernels' CPU functions, reads and writes use 32 bits in either format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// 32 bits: f32, or integers.
    #[default]
    F32,
    /// 16 bits: IEEE 754 binary16, to which values are rounded when they are written.
    F16,
}

impl Storage {
    /// Size of `len` elements in bytes, rounded up to a multiple of four as bindings and copies require.
    pub fn size_bytes(self, len: usize) -> u64 {
        (self.offset_bytes(len)).next_multiple_of(4)
    }

    /// Offset of element `start` in bytes.
    pub fn offset_bytes(self, start: usize) -> u64 {
        start as u64 * self.element_bytes()
    }

    /// Size of an element in bytes.
    pub fn element_bytes(self) -> u64 {
        if self == Self::F16 { 2 } else { 4 }
    }

    /// Packs elements into the words of a buffer.
    pub fn pack(self, elements: &[u32]) -> Vec<u32> {
        let half = |bits: u32| u32::from(f16::from_f32(f32::from_bits(bits)).to_bits());
        match self {
            Self::F32 => elements.to_vec(),
            Self::F16 => elements
                .chunks(2)
                .map(|pair| half(pair[0]) | pair.get(1).map_or(0, |&second| half(second) << 16))
                .collect(),
        }
    }

    /// Unpacks the first `len` elements from the words of a buffer.
    pub fn unpack(self, words: &[u32], len: usize) -> Vec<u32> {
        let single = |bits: u32| f16::from_bits(bits as u16).to_f32().to_bits();
        match self {
            Self::F32 => words[..len].to_vec(),
            Self::F16 => words.iter().flat_map(|&word| [single(word), single(word >> 16)]).take(len).collect(),
        }
    }
}
