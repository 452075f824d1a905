//! Percentile bootstrap intervals (Efron & Tibshirani 1993), with the levels widened for small samples as in Hesterberg 2015
//! ("What Teachers Should Know About the Bootstrap", section 5.3): plain percentiles of few runs are too narrow.

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// Coverage of all intervals.
pub const CONFIDENCE: f64 = 0.95;

/// The default number of resamples.
pub const RESAMPLES: usize = 1000;

/// An interval, from low to high.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl From<[f64; 2]> for Interval {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

impl Interval {
    /// The interval of `draws` for an estimate of `n_params` parameters from `n_runs` runs. `None` without draws.
    pub fn of(mut draws: Vec<f64>, n_runs: usize, n_params: usize) -> Option<Self> {
        draws.retain(|draw| !draw.is_nan());
        draws.sort_by(f64::total_cmp);
        let tail = tail(n_runs, n_params);
        Some(Self { low: quantile(&draws, tail)?, high: quantile(&draws, 1.0 - tail)? })
    }

    /// Whether `value` is inside.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The smallest interval that contains both.
    pub fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// The share of draws below the interval: the normal tail beyond t·√(n / dof), where t is Student's quantile.
fn tail(n_runs: usize, n_params: usize) -> f64 {
    let dof = n_runs.saturating_sub(n_params).max(2) as f64;
    let t = student_quantile(dof);
    normal_tail(t * (n_runs.max(2) as f64 / dof).sqrt().min(2.0))
}

/// The 97.5 % quantile of Student's distribution: Cornish-Fisher expansion around the normal one (Abramowitz & Stegun
/// 26.7.5), within 1 % from 4 degrees of freedom on.
fn student_quantile(dof: f64) -> f64 {
    let z: f64 = 1.959_963_985;
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
    ];
    z + terms[0] / dof + terms[1] / dof.powi(2) + terms[2] / dof.powi(3)
}

/// P(Z > x) of the standard normal distribution for x ≥ 0 (Abramowitz & Stegun 26.2.17, error below 1e-7).
fn normal_tail(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let series = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let polynomial = series.iter().rev().fold(0.0, |sum, coefficient| (sum + coefficient) * t);
    polynomial * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// The quantile of sorted values, with linear interpolation between them.
fn quantile(sorted: &[f64], level: f64) -> Option<f64> {
    let at = level.clamp(0.0, 1.0) * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    // Equal ends may both be infinite.
    Some(if below == above { below } else { below + at.fract() * (above - below) })
}

/// How often each of `n` runs is drawn in a resample of the same size.
pub fn resample(rng: &mut Rng, n: usize) -> Vec<f64> {
    let mut counts = vec![0.0; n];
    for _ in 0..n {
        counts[rng.below(n as u32) as usize] += 1.0;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_match_the_tables() {
        for (dof, expected) in [(4.0, 2.776), (10.0, 2.228), (30.0, 2.042)] {
            assert!((student_quantile(dof) / expected - 1.0).abs() < 0.01, "{dof}: {}", student_quantile(dof));
        }
        for (x, expected) in [(0.0, 0.5), (1.0, 0.158_655), (1.959_964, 0.025), (3.0, 0.001_350)] {
            assert!((normal_tail(x) - expected).abs() < 1e-6, "{x}: {}", normal_tail(x));
        }
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    /// The mean of ten normal numbers: the interval of a small sample has to cover it about as often as promised.
    #[test]
    fn intervals_of_small_samples_cover() {
        let mut rng = Rng::new(1);
        let covered = (0..400).filter(|_| {
            let sample: Vec<f64> = (0..10).map(|_| rng.truncated_normal(9.0)).collect();
            let draws = (0..300).map(|_| {
                let counts = resample(&mut rng, 10);
                sample.iter().zip(counts).map(|(value, count)| value * count).sum::<f64>() / 10.0
            });
            Interval::of(draws.collect(), 10, 1).is_some_and(|interval| interval.contains(0.0))
        });
        let share = covered.count() as f64 / 400.0;
        assert!((0.92..=0.98).contains(&share), "{share}");
    }
}
