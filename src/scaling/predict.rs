//! The best size and the loss at a larger budget, extrapolated from the minima of the budgets.

use serde::{Deserialize, Serialize};

use super::bootstrap::{Interval, resample};
use super::error::ScalingError;
use super::fit::{Settings, fit_size};
use super::isoflop::{Minimum, Optimum, size_law};
use super::linear::{Parabola, PowerLaw};
use super::table::{Budget, Run};
use crate::rng::Rng;

/// Floors that are tried, as fractions of the lowest minimum.
const FLOORS: usize = 100;

/// The largest floor, as a fraction of the lowest minimum.
const MAX_FLOOR: f64 = 0.95;

/// Deviation of ln loss that is assumed for a single run when nothing was repeated and parabolas leave no residuals.
const MIN_DEVIATION: f64 = 0.005;

/// Minima, from the smallest budget on, as (C, loss).
type Minima = Vec<(f64, f64)>;

/// L = floor + k·C^−g: the loss of the best size.
#[derive(Clone, Copy, Debug, PartialEq)]
struct FloorLaw {
    floor: f64,
    power: PowerLaw,
}

impl FloorLaw {
    /// The power law without a floor.
    fn without_floor(minima: &Minima) -> Option<Self> {
        Some(Self { floor: 0.0, power: PowerLaw::fit(minima)? })
    }

    /// The floor with the smallest squared error of the logarithms above it; needs three budgets.
    fn with_floor(minima: &Minima) -> Option<Self> {
        if minima.len() < 3 {
            return None;
        }
        let lowest = minima.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
        let candidates = (0..FLOORS).filter_map(|i| {
            let floor = MAX_FLOOR * lowest * i as f64 / (FLOORS - 1) as f64;
            let above: Minima = minima.iter().map(|&(c, loss)| (c, loss - floor)).collect();
            let law = Self { floor, power: PowerLaw::fit(&above)? };
            let error: f64 = minima.iter().map(|&(c, loss)| (law.at(c) / loss).ln().powi(2)).sum();
            Some((error, law))
        });
        candidates.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, law)| law)
    }

    fn at(&self, c: f64) -> f64 {
        self.floor + self.power.at(c)
    }
}

/// A prediction for one budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Extrapolation {
    /// C, in FLOPs.
    pub c: f64,
    /// The best size.
    pub n: f64,
    /// Its 95 % interval.
    pub n_interval: Interval,
    /// The loss at the best size.
    pub loss: f64,
    /// Its 95 % interval for a single run.
    pub interval: Interval,
    /// Number of budgets whose minimum is bracketed.
    pub n_budgets: usize,
    /// How the loss was extrapolated.
    pub method: String,
}

/// Extrapolates to `c` FLOPs. `seed_deviation` is the standard deviation of ln loss between seeds, if runs were repeated.
///
/// The loss follows a power law of the minima with a floor. Three budgets determine its three numbers exactly and say nothing
/// about their error, so the interval also contains the power law without a floor, and the noise of a single run.
///
/// # Errors
/// With fewer than two budgets whose minimum is bracketed.
pub fn predict(
    runs: &[Run],
    c: f64,
    seed_deviation: Option<f64>,
    settings: Settings,
) -> Result<Extrapolation, ScalingError> {
    let minimum = Minimum::Parabola(None);
    let fit = fit_size(runs, minimum, settings)?;
    let groups = Budget::group(runs);
    let optima: Vec<Optimum> = fit.budgets.iter().filter_map(|budget| budget.optimum).collect();
    let minima = losses(&optima);
    let law = FloorLaw::with_floor(&minima).or_else(|| FloorLaw::without_floor(&minima)).ok_or(ScalingError::NoFit)?;
    let deviation = seed_deviation.unwrap_or_else(|| residual_deviation(&groups)).max(MIN_DEVIATION);
    let mut rng = Rng::with_stream(settings.seed, 1);
    let (mut sizes, mut drawn) = (Vec::new(), Vec::new());
    for _ in 0..settings.resamples {
        let optima: Vec<Optimum> = groups.iter().filter_map(|budget| noisy(budget, deviation, &mut rng)).collect();
        let Some(size) = size_law(&optima) else { continue };
        sizes.push(size.at(c));
        let minima = losses(&optima);
        let laws = [FloorLaw::with_floor(&minima), FloorLaw::without_floor(&minima)];
        let noise = (deviation * rng.truncated_normal(6.0)).exp();
        drawn.extend(laws.into_iter().flatten().map(|law| law.at(c) * noise));
    }
    let n = PowerLaw { coefficient: fit.a, exponent: fit.b }.at(c);
    let interval = |draws: Vec<f64>, value: f64| {
        let own = Interval { low: value, high: value };
        Interval::of(draws, runs.len(), minima.len()).map_or(own, |interval| interval.union(own))
    };
    let loss = law.at(c);
    Ok(Extrapolation {
        c,
        n,
        n_interval: interval(sizes, n),
        loss,
        interval: interval(drawn, loss),
        n_budgets: minima.len(),
        method: method(&law, minima.len()),
    })
}

fn method(law: &FloorLaw, n_budgets: usize) -> String {
    let PowerLaw { exponent, .. } = law.power;
    match law.floor {
        0.0 => format!("power law of {n_budgets} minima, exponent {exponent:.3}"),
        floor => format!("power law of {n_budgets} minima with floor {floor:.3}, exponent {exponent:.3}"),
    }
}

fn losses(optima: &[Optimum]) -> Minima {
    optima.iter().map(|optimum| (optimum.c, optimum.loss)).collect()
}

/// The minimum of a budget whose runs are drawn with replacement; where too few sizes are left, all runs with new noise.
fn noisy(budget: &Budget, deviation: f64, rng: &mut Rng) -> Option<Optimum> {
    let counts = resample(rng, budget.runs.len());
    let copies = budget.runs.iter().zip(counts).flat_map(|(run, count)| std::iter::repeat_n(*run, count as usize));
    let drawn = Budget { flops: budget.flops, runs: copies.collect() };
    drawn.minimum(Minimum::Parabola(None)).ok().or_else(|| {
        let jitter = |run: &Run| Run { loss: run.loss * (deviation * rng.truncated_normal(6.0)).exp(), ..*run };
        let runs = budget.runs.iter().map(jitter).collect();
        Budget { flops: budget.flops, runs }.minimum(Minimum::Parabola(None)).ok()
    })
}

/// Standard deviation of ln loss around the parabolas of the budgets.
fn residual_deviation(groups: &[Budget]) -> f64 {
    let (mut squares, mut dof) = (0.0, 0.0);
    for group in groups.iter().filter(|group| group.runs.len() > 3) {
        let points: Vec<(f64, f64)> = group.runs.iter().map(|run| (run.n.ln(), run.loss.ln())).collect();
        let Some(Parabola { center, coefficients: [c0, c1, c2] }) = Parabola::fit(&points) else { continue };
        let residual = |(x, y): &(f64, f64)| y - c0 - c1 * (x - center) - c2 * (x - center).powi(2);
        squares += points.iter().map(|point| residual(point).powi(2)).sum::<f64>();
        dof += points.len() as f64 - 3.0;
    }
    if dof > 0.0 { (squares / dof).sqrt() } else { 0.0 }
}
