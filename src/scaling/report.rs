//! The results of fits.

use serde::Serialize;

use super::bootstrap::Interval;
use super::isoflop::{Optimum, Unusable};
use super::law::Law;
use super::linear::PowerLaw;
use super::table::Run;

/// What happened to one budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetReport {
    /// C, in FLOPs.
    pub c: f64,
    /// Number of runs.
    pub n_runs: usize,
    /// The minimum, if it counts.
    pub optimum: Option<Optimum>,
    /// Why it does not count.
    pub unusable: Option<Unusable>,
}

/// Errors of fits that did not see a budget, on that budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeftOut {
    /// What is compared: `n` for compute-optimal sizes, `loss` for losses.
    pub quantity: &'static str,
    /// Mean of |predicted / measured − 1|.
    pub mean_error: f64,
    /// Maximum of it.
    pub max_error: f64,
    /// Number of budgets or groups that were left out.
    pub folds: usize,
}

/// Intervals of a and b.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SizeIntervals {
    /// Of the coefficient.
    pub a: Interval,
    /// Of the exponent.
    pub b: Interval,
}

/// N = a·C^b through the minima of the budgets.
#[derive(Clone, Debug, Serialize)]
pub struct SizeFit {
    /// `lowest` or `parabola`.
    pub method: &'static str,
    /// Coefficient.
    pub a: f64,
    /// Exponent.
    pub b: f64,
    /// Bootstrap intervals. `None` if too few resamples have two usable budgets.
    pub intervals: Option<SizeIntervals>,
    /// Coverage of the intervals.
    pub confidence: f64,
    /// Share of the resamples in which at least two budgets are usable.
    pub usable_resamples: f64,
    /// Number of runs.
    pub n_runs: usize,
    /// Every budget, in ascending order.
    pub budgets: Vec<BudgetReport>,
    /// `None` with fewer than three usable budgets.
    pub leave_one_budget_out: Option<LeftOut>,
    /// What the fit does not support.
    pub limits: Vec<String>,
    /// The laws of the resamples.
    #[serde(skip)]
    pub draws: Vec<PowerLaw>,
}

/// Intervals of the five parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LawIntervals {
    /// Of the irreducible loss.
    #[serde(rename = "E")]
    pub e: Interval,
    /// Of the size's coefficient.
    #[serde(rename = "A")]
    pub a: Interval,
    /// Of the tokens' coefficient.
    #[serde(rename = "B")]
    pub b: Interval,
    /// Of the size's exponent.
    pub alpha: Interval,
    /// Of the tokens' exponent.
    pub beta: Interval,
}

/// The parametric law.
#[derive(Clone, Debug, Serialize)]
pub struct LawFit {
    /// `parametric`.
    pub method: &'static str,
    /// The law.
    #[serde(flatten)]
    pub law: Law,
    /// Bootstrap intervals.
    pub intervals: Option<LawIntervals>,
    /// Coverage of the intervals.
    pub confidence: f64,
    /// N = a·C^b that follows from the law.
    pub optimal_size: Option<PowerLaw>,
    /// Interval of its exponent.
    pub optimal_exponent: Option<Interval>,
    /// Number of runs.
    pub n_runs: usize,
    /// Runs that do not follow the law and did not count.
    pub outliers: Vec<Run>,
    /// Mean of |law / measured − 1| over the runs that count.
    pub mean_error: f64,
    /// `None` with too few groups of runs.
    pub leave_one_budget_out: Option<LeftOut>,
    /// What the fit does not support.
    pub limits: Vec<String>,
    /// The laws of the resamples.
    #[serde(skip)]
    pub draws: Vec<Law>,
}
