//! Sentences that say what a fit does not support.

use super::bootstrap::Interval;
use super::report::{BudgetReport, LawFit, SizeFit};
use super::table::{Budget, Run};

/// With this correlation between ln N and ln D, sizes and tokens cannot be told apart.
const MAX_CORRELATION: f64 = 0.98;

/// An exponent whose interval is wider than this fraction of its value is not determined.
const MAX_WIDTH: f64 = 0.5;

/// Below this share of usable resamples, the minima depend on single runs.
const MIN_USABLE: f64 = 0.9;

/// A number in the form of the JSON output, shortened.
pub fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || (0.001..100_000.0).contains(&size) {
        let decimals = (3 - size.max(1e-9).log10().floor() as i32).clamp(0, 6) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.2e}")
    }
}

fn range(interval: Interval) -> String {
    format!("{} and {}", short(interval.low), short(interval.high))
}

/// Why budgets do not count, as the end of an error message.
pub(super) fn reasons(budgets: &[BudgetReport]) -> String {
    let sentences: Vec<String> = budgets.iter().filter_map(unusable).take(5).collect();
    if sentences.is_empty() { String::new() } else { format!(". {}", sentences.join(". ")) }
}

fn unusable(budget: &BudgetReport) -> Option<String> {
    budget.unusable.map(|reason| format!("The budget of {} FLOPs {}", short(budget.c), reason.sentence()))
}

/// What a fit of the minima does not support.
pub(super) fn of_sizes(fit: &SizeFit) -> Vec<String> {
    let mut limits: Vec<String> =
        fit.budgets.iter().filter_map(unusable).map(|sentence| format!("{sentence}; it is left out.")).collect();
    let used: Vec<f64> = fit.budgets.iter().filter_map(|budget| budget.optimum.map(|optimum| optimum.c)).collect();
    if used.len() < 4 {
        limits.push(format!(
            "{} budgets leave {} for checking that the minima follow a power law at all.",
            used.len(),
            if used.len() == 2 { "nothing".into() } else { format!("{} degree of freedom", used.len() - 2) }
        ));
    }
    if fit.usable_resamples < MIN_USABLE {
        limits.push(format!(
            "In {:.0} % of the resamples fewer than two budgets are bracketed: the minima depend on single runs. Add sizes or \
             seeds.",
            100.0 * (1.0 - fit.usable_resamples)
        ));
    }
    match fit.intervals {
        Some(intervals) if intervals.b.high - intervals.b.low > MAX_WIDTH * fit.b.abs() => limits
            .push(format!("The exponent is between {}: these runs do not determine it better.", range(intervals.b))),
        Some(_) => {}
        None => limits.push("There are no intervals: no resample has two bracketed budgets.".into()),
    }
    limits.push(extrapolation(used.first().copied(), used.last().copied()));
    limits
}

/// What the parametric law does not support.
pub(super) fn of_law(fit: &LawFit, runs: &[Run]) -> Vec<String> {
    let mut limits = Vec::new();
    if !fit.outliers.is_empty() {
        let ratios = fit.outliers.iter().map(|run| run.d / run.n);
        let (low, high) = ratios.fold((f64::INFINITY, 0.0), |(low, high), ratio| (ratio.min(low), ratio.max(high)));
        limits.push(format!(
            "{} runs, with {} to {} tokens per parameter, do not follow the law and are left out.",
            fit.outliers.len(),
            short(low),
            short(high)
        ));
    }
    if correlation(runs).abs() > MAX_CORRELATION {
        limits.push(
            "Sizes and tokens vary together in these runs, so α and β are not separable: add runs with equal size and other \
             numbers of tokens."
                .into(),
        );
    }
    if let Some(intervals) = fit.intervals {
        for (name, value, interval) in [("α", fit.law.alpha, intervals.alpha), ("β", fit.law.beta, intervals.beta)] {
            if interval.high - interval.low > MAX_WIDTH * value.abs() {
                limits.push(format!("{name} is between {}: these runs do not determine it better.", range(interval)));
            }
        }
        if intervals.e.low < 0.1 * fit.law.e.max(1e-3) {
            limits.push(format!("E is between {}: it cannot be told from 0.", range(intervals.e)));
        }
    }
    if fit.optimal_size.is_none() {
        limits.push("An exponent is not positive, so the law has no compute-optimal size.".into());
    }
    if runs.len() < 20 {
        limits.push(format!("{} runs for five parameters: a run more or less can change all of them.", runs.len()));
    }
    let groups = Budget::group(runs);
    limits.push(extrapolation(groups.first().map(|group| group.flops), groups.last().map(|group| group.flops)));
    limits
}

fn extrapolation(first: Option<f64>, last: Option<f64>) -> String {
    let [first, last] = [first, last].map(|c| c.map_or("none".into(), short));
    format!("The runs cover {first} to {last} FLOPs; beyond that, the fit is an extrapolation.")
}

/// The correlation of ln N and ln D.
fn correlation(runs: &[Run]) -> f64 {
    let n = runs.len() as f64;
    let mean = |of: fn(&Run) -> f64| runs.iter().map(|run| of(run).ln()).sum::<f64>() / n;
    let (mean_n, mean_d) = (mean(|run| run.n), mean(|run| run.d));
    let (mut nn, mut nd, mut dd) = (0.0, 0.0, 0.0);
    for run in runs {
        let (x, y) = (run.n.ln() - mean_n, run.d.ln() - mean_d);
        (nn, nd, dd) = (nn + x * x, nd + x * y, dd + y * y);
    }
    // A constant column is as inseparable as a proportional one.
    if nn * dd <= 1e-18 { 1.0 } else { nd / (nn * dd).sqrt() }
}
