//! A 64-bit hash of bytes that is equal on every platform and in every version, because it is stored in files: FNV-1a with
//! the final mixing of MurmurHash3.

use std::hash::Hasher as _;

use fnv::FnvHasher;

/// The hash of some bytes.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = FnvHasher::default();
    hasher.write(bytes);
    mix(hasher.finish())
}

/// Spreads every bit of a number over all bits.
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}
