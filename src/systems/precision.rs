//! Rounding to 16 bits: what a sum loses, what a tensor loses, and the rule of loss scaling.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};

/// A format for numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// 8 bits of exponent, 23 of mantissa.
    F32,
    /// 5 bits of exponent, 10 of mantissa.
    F16,
    /// 8 bits of exponent, 7 of mantissa.
    Bf16,
}

impl Format {
    /// The 16-bit formats.
    pub const HALVES: [Self; 2] = [Self::F16, Self::Bf16];

    /// The format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// The nearest value of the format, ties to even.
    pub fn round(self, value: f32) -> f32 {
        match self {
            Self::F32 => value,
            Self::F16 => f16::from_f32(value).to_f32(),
            Self::Bf16 => bf16::from_f32(value).to_f32(),
        }
    }

    /// The smallest positive normal value; smaller ones have fewer digits.
    pub fn min_normal(self) -> f32 {
        match self {
            Self::F32 | Self::Bf16 => f32::MIN_POSITIVE,
            Self::F16 => f16::MIN_POSITIVE.to_f32(),
        }
    }

    /// The largest finite value.
    pub fn max(self) -> f32 {
        match self {
            Self::F32 => f32::MAX,
            Self::F16 => f16::MAX.to_f32(),
            Self::Bf16 => bf16::MAX.to_f32(),
        }
    }
}

/// A repeated sum: the formats of term and accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Format of the term.
    pub term: Format,
    /// Format of the accumulator.
    pub accumulator: Format,
    /// Whether the term is converted to the accumulator's format before the addition, instead of by it. The result is the same.
    pub cast_first: bool,
}

/// The four sums of CS336's second assignment.
pub const FOUR_SUMS: [Sum; 4] = [
    Sum { term: Format::F32, accumulator: Format::F32, cast_first: false },
    Sum { term: Format::F16, accumulator: Format::F16, cast_first: false },
    Sum { term: Format::F16, accumulator: Format::F32, cast_first: false },
    Sum { term: Format::F16, accumulator: Format::F32, cast_first: true },
];

impl Sum {
    /// The accumulator after each of `n` additions of `value`.
    pub fn run(self, value: f32, n: usize) -> Vec<f32> {
        let mut sum = 0.0f32;
        let cast = |term: f32| if self.cast_first { self.accumulator.round(term) } else { term };
        let mut add = || {
            sum = self.accumulator.round(sum + cast(self.term.round(value)));
            sum
        };
        (0..n).map(|_| add()).collect()
    }

    /// What is added to what.
    pub fn title(self) -> String {
        let [term, accumulator] = [self.term, self.accumulator].map(Format::name);
        let cast = if self.cast_first { ", cast first" } else { "" };
        format!("{term} into {accumulator}{cast}")
    }
}

/// Powers of two that a histogram distinguishes: below, exactly 2^k ≤ |x| < 2^(k+1), above.
pub const MIN_POWER: i32 = -45;
/// The last power.
pub const MAX_POWER: i32 = 20;
/// Number of bins.
pub const N_BINS: usize = (MAX_POWER - MIN_POWER + 1) as usize;

/// What rounding a tensor to a format changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rounding {
    /// The format.
    pub format: Format,
    /// Non-zero values that become zero.
    pub underflow: u64,
    /// Values that remain, with fewer digits: smaller than the format's smallest normal value.
    pub subnormal: u64,
    /// Finite values that become infinite.
    pub overflow: u64,
    /// Root mean square of the error, relative to that of the values; values that overflow are left out.
    pub relative_error: f64,
}

/// The magnitudes of a tensor, and what 16-bit formats make of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Number of values.
    pub n: u64,
    /// Values that are zero.
    pub zeros: u64,
    /// Values that are infinite or not numbers.
    pub non_finite: u64,
    /// Number of values by power of two, from [`MIN_POWER`] to [`MAX_POWER`]; smaller and larger ones count in the first and
    /// last bin.
    pub bins: Vec<u64>,
    /// The rounding to each of [`Format::HALVES`].
    pub roundings: Vec<Rounding>,
}

impl Histogram {
    /// Measures values, multiplied by `scale` first, as loss scaling does with gradients.
    pub fn new(values: &[f32], scale: f32) -> Self {
        let (mut zeros, mut non_finite, mut bins) = (0, 0, vec![0; N_BINS]);
        for value in values.iter().map(|value| value * scale) {
            match value {
                _ if value == 0.0 => zeros += 1,
                _ if !value.is_finite() => non_finite += 1,
                _ => {
                    let power = value.abs().log2().floor().clamp(MIN_POWER as f32, MAX_POWER as f32) as i32;
                    bins[(power - MIN_POWER) as usize] += 1;
                }
            }
        }
        let roundings = Format::HALVES.map(|format| rounding(format, values, scale)).into();
        Self { n: values.len() as u64, zeros, non_finite, bins, roundings }
    }
}

fn rounding(format: Format, values: &[f32], scale: f32) -> Rounding {
    let (mut underflow, mut subnormal, mut overflow, mut error, mut square) = (0, 0, 0, 0.0f64, 0.0f64);
    for value in values.iter().map(|value| value * scale).filter(|value| value.is_finite() && *value != 0.0) {
        let rounded = format.round(value);
        match rounded {
            _ if rounded == 0.0 => underflow += 1,
            _ if rounded.is_infinite() => overflow += 1,
            _ if rounded.abs() < format.min_normal() => subnormal += 1,
            _ => (),
        }
        if rounded.is_finite() {
            error += f64::from(rounded - value).powi(2);
            square += f64::from(value).powi(2);
        }
    }
    let relative_error = if square > 0.0 { (error / square).sqrt() } else { 0.0 };
    Rounding { format, underflow, subnormal, overflow, relative_error }
}

/// The rule of dynamic loss scaling: a step whose gradients overflow is skipped and the scale halved; after a number of good
/// steps it is doubled.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    /// The factor of the loss.
    pub scale: f32,
    /// Good steps after which the scale is doubled.
    pub interval: u32,
    /// Good steps since the last change.
    pub good: u32,
}

impl LossScale {
    /// As PyTorch begins: 65,536, doubled after 2,000 good steps.
    pub const DEFAULT: Self = Self { scale: 65_536.0, interval: 2_000, good: 0 };

    /// Takes the result of a step; whether its update is applied.
    pub fn step(&mut self, overflow: bool) -> bool {
        if overflow {
            (self.scale, self.good) = ((self.scale / 2.0).max(1.0), 0);
            return false;
        }
        self.good += 1;
        if self.good >= self.interval {
            (self.scale, self.good) = ((self.scale * 2.0).min(2f32.powi(24)), 0);
        }
        true
    }
}
