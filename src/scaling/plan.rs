//! Plans of IsoFLOP sweeps: budgets, sizes, and the time they take.

use serde::{Deserialize, Serialize};

use super::error::ScalingError;
pub use super::request::Request;
use super::shape::{Shape, around, nearest};
use super::spec::{Purpose, RunSettings, SweepRun, reserved};
use super::table::FLOPS_PER_PARAM_AND_TOKEN;
use super::variable::Variable;
use super::vary;
use crate::config::Schedule;

/// Tokens per parameter around which sizes are placed: the optimum of Hoffmann et al. (2022), and within a factor of 2 of what
/// models of 10 thousand to 100 thousand parameters need.
const TOKENS_PER_PARAM: f64 = 20.0;

/// Minimum number of steps of a run.
const MIN_STEPS: u64 = 20;

/// A sweep: its budgets and runs, before anything has been trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What it was made from.
    pub request: Request,
    /// Settings of all runs.
    pub settings: RunSettings,
    /// Nominal budgets in FLOPs, in ascending order.
    pub budgets: Vec<f64>,
    /// The runs, in the order in which they are to be executed.
    pub runs: Vec<SweepRun>,
    /// Expected time of the check run, in seconds.
    pub check_s: f64,
    /// Allowed time for everything, in seconds; `None` if budgets were given in FLOPs.
    pub allowed_s: Option<f64>,
}

impl Plan {
    /// The plan for budgets in FLOPs, of which the largest is `largest`.
    ///
    /// # Errors
    /// If there are no shapes for them.
    pub fn for_flops(request: &Request, settings: &RunSettings, largest: f64) -> Result<Self, ScalingError> {
        request.check()?;
        let ladder = Shape::ladder(request.task);
        let budget = |i: usize| two_digits(largest / request.budget_ratio.powi((request.n_budgets - 1 - i) as i32));
        let budgets: Vec<f64> = (0..request.n_budgets).map(budget).collect();
        let sizes: Vec<Vec<Shape>> = budgets.iter().map(|&budget| request.sizes(&ladder, budget)).collect();
        let mut runs = match (request.variable, settings.train.schedule) {
            (Variable::Size, Schedule::Wsd) => shared(request, settings, &budgets, &sizes),
            (Variable::Size, _) => separate(request, settings, &budgets, &sizes),
            (variable, _) => {
                let of_budget = |&c: &f64| vary::runs(variable, request, settings, &ladder, (c, center(c)));
                budgets.iter().flat_map(of_budget).collect()
            }
        };
        if let Some(short) = runs.iter().find(|run| run.horizons[0].steps < MIN_STEPS) {
            return Err(ScalingError::Plan {
                problem: format!(
                    "{} FLOPs are only {} steps for {} parameters",
                    super::limits::short(short.horizons[0].budget),
                    short.horizons[0].steps,
                    short.n_params
                ),
                advice: "choose larger budgets, a smaller batch, or fewer budgets".into(),
            });
        }
        runs.sort_by(|a, b| a.expected_s.total_cmp(&b.expected_s));
        let check = check_run(request, settings, &ladder, request.check_factor * largest)?;
        let check_s = check.expected_s;
        Ok(Self { request: request.clone(), settings: settings.clone(), budgets, runs, check_s, allowed_s: None })
    }

    /// The plan with the largest budgets whose runs, with the check run, reserve at most `allowed_s` seconds.
    ///
    /// # Errors
    /// If even the smallest budgets take longer.
    pub fn for_seconds(request: &Request, settings: &RunSettings, allowed_s: f64) -> Result<Self, ScalingError> {
        let fits = |log: f64| {
            let plan = Self::for_flops(request, settings, log.exp()).ok()?;
            (plan.reserved_s() <= allowed_s).then_some(plan)
        };
        // Time grows with the budget but for jumps where a shape changes, so the search need not find the very largest.
        let (mut low, mut high) = (1e6f64.ln(), 1e26f64.ln());
        let mut best = None;
        let first = (0..100).map(|i| low + (high - low) * f64::from(i) / 100.0).find(|&log| fits(log).is_some());
        if let Some(start) = first {
            low = start;
            while high - low > 0.01 {
                let middle = 0.5 * (low + high);
                match fits(middle) {
                    Some(plan) => (low, best) = (middle, Some(plan)),
                    None => high = middle,
                }
            }
        }
        let plan = best.ok_or_else(|| ScalingError::Plan {
            problem: format!("{allowed_s:.0} s are not enough for the smallest sweep on this device"),
            advice: "allow more time, or choose fewer sizes, budgets or seeds".into(),
        })?;
        Ok(Self { allowed_s: Some(allowed_s), ..plan })
    }

    /// Checks a plan that was read from a file.
    ///
    /// # Errors
    /// If it is not one that this program makes.
    pub fn check(&self) -> Result<(), ScalingError> {
        self.request.check()?;
        let wrong = |problem: String| Err(ScalingError::Plan { problem, advice: "plan again".into() });
        if let Err(error) = self.request.task.smallest(self.settings.train.batch_size).validate() {
            return wrong(error.to_string());
        }
        let positive = |value: &f64| value.is_finite() && *value > 0.0;
        if self.budgets.is_empty() || !self.budgets.iter().all(positive) || !positive(&self.request.check_factor) {
            return wrong("a budget is not a number of FLOPs".into());
        }
        match self.runs.iter().find_map(|run| Some((run, run.problem()?))) {
            Some((run, problem)) => wrong(format!("run {}: {problem}", run.id.chars().take(100).collect::<String>())),
            None => Ok(()),
        }
    }

    /// Time that all runs and the check run reserve.
    pub fn reserved_s(&self) -> f64 {
        self.runs.iter().map(SweepRun::reserved_s).sum::<f64>() + reserved(self.check_s)
    }

    /// Expected time of all runs and the check run.
    pub fn expected_s(&self) -> f64 {
        self.runs.iter().map(|run| run.expected_s).sum::<f64>() + self.check_s
    }

    /// The run that checks a prediction: the shape nearest to `n` at budget `c`.
    ///
    /// # Errors
    /// If there are no shapes.
    pub fn check_run(&self, c: f64, n: f64, seed: u64) -> Result<SweepRun, ScalingError> {
        let ladder = Shape::ladder(self.request.task);
        let shape = nearest(&ladder, n).ok_or_else(no_shapes)?;
        let mut run = SweepRun::new(shape, &[c], &self.settings, seed);
        run.purpose = Purpose::Check;
        run.id = format!("check-{}", run.id);
        Ok(run)
    }
}

impl Request {
    /// The sizes of a budget.
    fn sizes(&self, ladder: &[Shape], budget: f64) -> Vec<Shape> {
        around(ladder, center(budget), self.n_sizes, self.size_ratio)
    }
}

/// The size that trains on [`TOKENS_PER_PARAM`] tokens per parameter.
fn center(budget: f64) -> f64 {
    (budget / (FLOPS_PER_PARAM_AND_TOKEN * TOKENS_PER_PARAM)).sqrt()
}

fn no_shapes() -> ScalingError {
    ScalingError::Plan { problem: "there are no shapes".into(), advice: "choose a smaller vocabulary".into() }
}

fn check_run(request: &Request, settings: &RunSettings, ladder: &[Shape], c: f64) -> Result<SweepRun, ScalingError> {
    let shape = nearest(ladder, center(c)).ok_or_else(no_shapes)?;
    Ok(SweepRun::new(shape, &[c], settings, request.seeds[0]))
}

/// One run for each budget, size and seed.
fn separate(request: &Request, settings: &RunSettings, budgets: &[f64], sizes: &[Vec<Shape>]) -> Vec<SweepRun> {
    let pairs = budgets.iter().zip(sizes).flat_map(|(&budget, sizes)| sizes.iter().map(move |shape| (budget, shape)));
    pairs
        .flat_map(|(budget, shape)| {
            request.seeds.iter().map(move |&seed| SweepRun::new(shape, &[budget], settings, seed))
        })
        .collect()
}

/// One run for each size and seed that serves all budgets with this size.
fn shared(request: &Request, settings: &RunSettings, budgets: &[f64], sizes: &[Vec<Shape>]) -> Vec<SweepRun> {
    let mut all: Vec<Shape> = sizes.concat();
    all.sort_by_key(|shape| shape.n_params);
    all.dedup();
    let of = |shape: &Shape| -> Vec<f64> {
        let served = budgets.iter().zip(sizes).filter(|(_, sizes)| sizes.contains(shape));
        served.map(|(&budget, _)| budget).collect()
    };
    let runs = all
        .iter()
        .flat_map(|shape| request.seeds.iter().map(move |&seed| SweepRun::new(shape, &of(shape), settings, seed)));
    runs.collect()
}

/// Rounds down to two digits, so that budgets are readable.
fn two_digits(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor() - 1.0);
    format!("{:.1e}", (value / unit + 1e-9).floor() * unit).parse().unwrap_or(value)
}
