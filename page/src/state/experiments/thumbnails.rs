//! Attention maps and curves of real runs, for the pictures of the cards. The file is written by the ignored test
//! `experiments::every_experiment_reaches_its_check`.

/// The file: all maps, then all curves.
static FILE: &[u8] = include_bytes!("../../../assets/thumbnails.bin");

/// The number of maps.
pub const MAPS: usize = 0;
/// Rows and columns of a map.
pub const MAP_SIDE: usize = 24;
/// The number of curves.
pub const CURVES: usize = 12;
/// The number of points of a curve, from left to right.
pub const CURVE_POINTS: usize = 64;

/// The size of the file in bytes.
pub const BYTES: usize = MAPS * MAP_SIDE * MAP_SIDE + CURVES * CURVE_POINTS;

/// A map (24, 24) of weights in 1/255; empty if there is none.
pub fn map(number: usize) -> &'static [u8] {
    let size = MAP_SIDE * MAP_SIDE;
    FILE[..MAPS * size].chunks_exact(size).nth(number).unwrap_or_default()
}

/// The heights of a curve's points, from 0 at the bottom to 255 at the top; empty if there is none.
pub fn curve(number: usize) -> &'static [u8] {
    FILE[MAPS * MAP_SIDE * MAP_SIDE..].chunks_exact(CURVE_POINTS).nth(number).unwrap_or_default()
}
