//! Fits with intervals, their error on a left-out budget, and what they do not support.

use super::bootstrap::{CONFIDENCE, Interval, resample};
use super::error::ScalingError;
use super::isoflop::{Minimum, Optimum, size_law};
use super::law::{Law, Objective};
use super::limits;
use super::linear::PowerLaw;
pub use super::report::{BudgetReport, LawFit, LawIntervals, LeftOut, SizeFit, SizeIntervals};
use super::table::{Budget, Run};
use crate::rng::Rng;

/// Minimum number of runs for the parametric law, which has five parameters.
const MIN_RUNS: usize = 6;

/// A run whose loss is further from the law than this many robust standard deviations of ln L follows another law, such as
/// that of a run stopped far too early. Normal noise stays within 5; Hoffmann et al.'s runs with less than half a token per
/// parameter are beyond 12.
const OUTLIER: f64 = 11.0;

/// Maximum share of runs that can be outliers.
const MAX_OUTLIERS: f64 = 0.1;

/// The smallest standard deviation of ln L that is assumed.
const MIN_DEVIATION: f64 = 1e-3;

/// Maximum number of groups that are left out, one after the other.
const MAX_FOLDS: usize = 12;

/// How a fit is made.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Number of bootstrap resamples.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
}

/// Fits N = a·C^b.
///
/// # Errors
/// With fewer than two usable budgets.
pub fn fit_size(runs: &[Run], minimum: Minimum, settings: Settings) -> Result<SizeFit, ScalingError> {
    let method = if minimum == Minimum::Lowest { "lowest" } else { "parabola" };
    let groups = Budget::group(runs);
    let report = |budget: &Budget| {
        let (optimum, unusable) = match budget.minimum(minimum) {
            Ok(optimum) => (Some(optimum), None),
            Err(reason) => (None, Some(reason)),
        };
        BudgetReport { c: budget.flops, n_runs: budget.runs.len(), optimum, unusable }
    };
    let budgets: Vec<BudgetReport> = groups.iter().map(report).collect();
    let usable: Vec<Optimum> = budgets.iter().filter_map(|budget| budget.optimum).collect();
    let law = size_law(&usable).ok_or_else(|| ScalingError::TooFew {
        method,
        needed: "2 budgets whose minimum is bracketed".into(),
        found: usable.len(),
        advice: limits::reasons(&budgets),
    })?;
    let draws = size_draws(&groups, minimum, settings);
    let interval = |of: fn(&PowerLaw) -> f64| {
        let values = draws.iter().map(of).collect();
        Interval::of(values, runs.len(), 3 * groups.len())
    };
    let intervals = interval(|law| law.coefficient).zip(interval(|law| law.exponent));
    let mut fit = SizeFit {
        method,
        a: law.coefficient,
        b: law.exponent,
        intervals: intervals.map(|(a, b)| SizeIntervals { a, b }),
        confidence: CONFIDENCE,
        usable_resamples: draws.len() as f64 / settings.resamples.max(1) as f64,
        n_runs: runs.len(),
        leave_one_budget_out: left_out_sizes(&usable),
        budgets,
        limits: Vec::new(),
        draws,
    };
    fit.limits = limits::of_sizes(&fit);
    Ok(fit)
}

/// The size laws of resampled runs: each budget keeps its number of runs.
fn size_draws(groups: &[Budget], minimum: Minimum, settings: Settings) -> Vec<PowerLaw> {
    let mut rng = Rng::new(settings.seed);
    let draw = |_| {
        let minima = groups.iter().filter_map(|budget| resampled(budget, &mut rng).minimum(minimum).ok());
        size_law(&minima.collect::<Vec<_>>())
    };
    (0..settings.resamples).filter_map(draw).collect()
}

/// The budget with runs drawn with replacement.
fn resampled(budget: &Budget, rng: &mut Rng) -> Budget {
    let counts = resample(rng, budget.runs.len());
    let copies = budget.runs.iter().zip(counts).flat_map(|(run, count)| std::iter::repeat_n(*run, count as usize));
    Budget { flops: budget.flops, runs: copies.collect() }
}

fn left_out_sizes(usable: &[Optimum]) -> Option<LeftOut> {
    if usable.len() < 3 {
        return None;
    }
    let error = |left_out: usize| {
        let others: Vec<Optimum> =
            usable.iter().enumerate().filter(|&(i, _)| i != left_out).map(|(_, optimum)| *optimum).collect();
        Some((size_law(&others)?.at(usable[left_out].c) / usable[left_out].n - 1.0).abs())
    };
    summary("n", (0..usable.len()).filter_map(error).collect())
}

fn summary(quantity: &'static str, errors: Vec<f64>) -> Option<LeftOut> {
    let folds = errors.len();
    let max_error = errors.iter().copied().fold(0.0, f64::max);
    (folds > 0).then(|| LeftOut { quantity, mean_error: errors.iter().sum::<f64>() / folds as f64, max_error, folds })
}

/// Fits L = E + A/N^α + B/D^β.
///
/// # Errors
/// With fewer than six runs, or if no start leads to finite parameters.
pub fn fit_law(runs: &[Run], settings: Settings) -> Result<LawFit, ScalingError> {
    if runs.len() < MIN_RUNS {
        let (needed, advice) = (format!("{MIN_RUNS} runs"), String::new());
        return Err(ScalingError::TooFew { method: "parametric", needed, found: runs.len(), advice });
    }
    let (law, runs, outliers) = robust_law(runs)?;
    let objective = Objective::new(&runs);
    let mut rng = Rng::new(settings.seed);
    let draw = |_| objective.refit(&resample(&mut rng, runs.len()), &law);
    let draws: Vec<Law> = (0..settings.resamples).filter_map(draw).collect();
    let errors = runs.iter().map(|run| (law.loss(run.n, run.d) / run.loss - 1.0).abs());
    let optimal = |law: &Law| law.optimal_size().map_or(f64::NAN, |size| size.exponent);
    let mut fit = LawFit {
        method: "parametric",
        law,
        intervals: law_intervals(&draws, runs.len()),
        confidence: CONFIDENCE,
        optimal_size: law.optimal_size(),
        optimal_exponent: Interval::of(draws.iter().map(optimal).collect(), runs.len(), 5),
        n_runs: runs.len(),
        outliers,
        mean_error: errors.sum::<f64>() / runs.len() as f64,
        leave_one_budget_out: left_out_losses(&runs, &law),
        limits: Vec::new(),
        draws,
    };
    fit.limits = limits::of_law(&fit, &runs);
    Ok(fit)
}

/// The law, the runs that follow it, and the outliers.
fn robust_law(runs: &[Run]) -> Result<(Law, Vec<Run>, Vec<Run>), ScalingError> {
    let fit = |runs: &[Run]| Objective::new(runs).fit(&vec![1.0; runs.len()]).ok_or(ScalingError::NoFit);
    let first = fit(runs)?;
    let (mut law, mut kept) = (first, runs.to_vec());
    for _ in 0..10 {
        let residual = |run: &Run| (law.loss(run.n, run.d) / run.loss).ln().abs();
        let mut sizes: Vec<f64> = runs.iter().map(residual).collect();
        sizes.sort_by(f64::total_cmp);
        // 1.4826 · median of |residual| is the standard deviation of normal noise.
        let max = OUTLIER * (1.4826 * sizes[sizes.len() / 2]).max(MIN_DEVIATION);
        let (follow, others): (Vec<Run>, Vec<Run>) = runs.iter().partition(|run| residual(run) <= max);
        if others.len() as f64 > MAX_OUTLIERS * runs.len() as f64 || follow.len() < MIN_RUNS {
            return Ok((first, runs.to_vec(), Vec::new()));
        }
        if follow == kept {
            return Ok((law, kept, others));
        }
        (law, kept) = (fit(&follow)?, follow);
    }
    Ok((first, runs.to_vec(), Vec::new()))
}

fn law_intervals(draws: &[Law], n_runs: usize) -> Option<LawIntervals> {
    let of = |index: usize| Interval::of(draws.iter().map(|law| law.values()[index]).collect(), n_runs, 5);
    Some(LawIntervals { e: of(0)?, a: of(1)?, b: of(2)?, alpha: of(3)?, beta: of(4)? })
}

/// Leaves out one budget after the other; published runs without clear budgets are divided into groups of similar FLOPs.
fn left_out_losses(runs: &[Run], law: &Law) -> Option<LeftOut> {
    let mut groups = Budget::group(runs);
    if groups.len() > MAX_FOLDS {
        let per_fold = groups.len().div_ceil(MAX_FOLDS);
        let merged = groups.chunks(per_fold).map(|chunk| {
            let runs = chunk.iter().flat_map(|budget| budget.runs.clone()).collect();
            Budget { flops: chunk[0].flops, runs }
        });
        groups = merged.collect();
    }
    let fold_error = |left_out: usize| {
        let others: Vec<Run> = groups
            .iter()
            .enumerate()
            .filter(|&(i, _)| i != left_out)
            .flat_map(|(_, group)| group.runs.clone())
            .collect();
        if others.len() < MIN_RUNS {
            return None;
        }
        let seen = Objective::new(&others).refit(&vec![1.0; others.len()], law)?;
        let errors = groups[left_out].runs.iter().map(|run| (seen.loss(run.n, run.d) / run.loss - 1.0).abs());
        Some(errors.sum::<f64>() / groups[left_out].runs.len() as f64)
    };
    summary("loss", (0..groups.len()).filter_map(fold_error).collect())
}
