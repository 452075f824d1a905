//! The exponential as vector instructions, and functions based on it.

/// 1.5 · 2²³: an f32 of this size has no fraction, so adding it rounds to an integer.
const ROUND: f32 = 12_582_912.0;

/// ln 2 in two parts. The first has so few digits that its multiples are exact.
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// Below this the result would be smaller than the smallest normal f32, and becomes 0.
const LOWEST: f32 = -87.336_54;

/// Above this the result would be larger than the largest f32, and becomes infinite.
const HIGHEST: f32 = 88.722_83;

/// Coefficients of (eʳ − 1 − r) / r² on |r| ≤ ½·ln 2 that minimize the largest error of eʳ.
const Q: [f32; 5] = [0.499_999_93, 0.166_665_21, 0.041_668_39, 0.008_368_717, 0.001_381_458_6];

/// eˣ with a relative error below 1.2·10⁻⁷, that is, one unit in the last place. NaN stays NaN.
///
/// x = n·ln 2 + r with integer n, so eˣ = 2ⁿ · eʳ with eʳ = 1 + r + r²·q(r).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let inside = if x < LOWEST { LOWEST } else { x };
    let inside = if inside > HIGHEST { HIGHEST } else { inside };
    let shifted = inside * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = inside - n * LN2[0] - n * LN2[1];
    let q = (((Q[4] * r + Q[3]) * r + Q[2]) * r + Q[1]) * r + Q[0];
    let power = q * r * r + r + 1.0;
    // The lowest bits of `shifted` are n; shifted to the exponent, they add n to it.
    let scaled = f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23));
    let scaled = if x < LOWEST { 0.0 } else { scaled };
    if x > HIGHEST { f32::INFINITY } else { scaled }
}

/// 1 / (1 + e⁻ˣ)
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}
