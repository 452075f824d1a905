//! From the results of a sweep to a sealed prediction, its check run, and the comparison.

use serde::{Deserialize, Serialize};

use super::error::ScalingError;
use super::fit::Settings;
use super::limits::short;
use super::plan::Plan;
use super::predict::predict;
use super::sealed::{Afterwards, Prediction, Sealed, first_broken};
use super::spec::{Outcome, RunResult, SweepRun};
use super::sweep::Sweep;
use super::variable::Variable;

/// Why a check run gives no loss.
const NO_LOSS: &str = "the check run diverged, or was stopped because its time was over";

/// Why a prediction no longer counts.
pub const CHANGED: &str = "the stored prediction is not the one that was sealed";

/// All predictions of a sweep, with what happened to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The predictions, from the first on.
    pub sealed: Vec<Sealed>,
    /// What happened to some of them.
    pub afterwards: Vec<Afterwards>,
}

impl History {
    /// What happened to a prediction.
    pub fn after(&self, sealed: &Sealed) -> Option<&Afterwards> {
        self.afterwards.iter().find(|after| after.hash() == sealed.hash)
    }

    /// The latest prediction, if it was neither checked nor broken.
    pub fn open(&self) -> Option<&Sealed> {
        self.sealed.last().filter(|sealed| self.after(sealed).is_none())
    }

    /// The prediction that was changed after it was sealed, if there is one.
    pub fn changed(&self) -> Option<&Sealed> {
        first_broken(&self.sealed)
    }

    /// What breaking the seal of a prediction records.
    pub fn broken(sealed: &Sealed, reason: &str, time_unix_s: u64) -> Afterwards {
        Afterwards::Broken { hash: sealed.hash.clone(), reason: reason.into(), time_unix_s }
    }
}

/// Predicts the best size and its loss for `c` FLOPs, or for the plan's check budget, and seals the prediction.
///
/// # Errors
/// If a prediction is open, `c` is not above the largest budget, too few minima are bracketed, or there is no such run.
pub fn seal(
    (plan, sweep, history): (&Plan, &Sweep, &History),
    c: Option<f64>,
    settings: Settings,
    time_unix_s: u64,
) -> Result<Sealed, ScalingError> {
    let wrong = |problem: String, advice: &str| Err(ScalingError::Plan { problem, advice: advice.into() });
    if let Some(open) = history.open() {
        let number = open.prediction.number;
        return wrong(format!("prediction {number} is sealed and not checked yet"), "check it, or break its seal");
    }
    if plan.request.variable != Variable::Size {
        return wrong("predictions are made from sweeps over sizes".into(), "plan such a sweep");
    }
    let largest = plan.budgets.iter().copied().fold(0.0, f64::max);
    let c = c.unwrap_or(plan.request.check_factor * largest);
    if !(c > largest && c.is_finite()) {
        let problem = format!("{} FLOPs are not above the largest budget, {}", short(c), short(largest));
        return wrong(problem, "choose a larger budget");
    }
    let runs = sweep.runs();
    let found = predict(&runs, c, sweep.seed_deviation(), settings)?;
    let check = plan.check_run(c, found.n, plan.request.seeds[0])?;
    if let Some(problem) = check.problem() {
        return wrong(format!("there is no check run for {} parameters: {problem}", short(found.n)), "add runs");
    }
    let prediction = Prediction {
        number: history.sealed.len() as u32 + 1,
        budget: c,
        n_optimal: found.n,
        n_interval: found.n_interval,
        n_params: check.n_params,
        tokens: check.tokens(check.total_steps()),
        loss: found.loss,
        interval: found.interval,
        method: found.method,
        n_runs: runs.len(),
        time_unix_s,
        previous: history.sealed.last().map_or(String::new(), |sealed| sealed.hash.clone()),
    };
    Sealed::new(prediction)
        .map_err(|error| ScalingError::Plan { problem: error.to_string(), advice: "add runs and predict again".into() })
}

/// The check run that a prediction describes.
///
/// # Errors
/// If there are no shapes, or the run is not valid.
pub fn check_run(plan: &Plan, sealed: &Sealed) -> Result<SweepRun, ScalingError> {
    let Prediction { budget, n_optimal, number, .. } = sealed.prediction;
    let mut spec = plan.check_run(budget, n_optimal, plan.request.seeds[0])?;
    spec.id = format!("{}-{number}", spec.id);
    match spec.problem() {
        Some(problem) => Err(ScalingError::Plan { problem, advice: "break the seal and predict again".into() }),
        None => Ok(spec),
    }
}

/// What the result of the check run means for its prediction.
pub fn conclusion(sealed: &Sealed, result: &RunResult, time_unix_s: u64) -> Afterwards {
    let loss = result.points.first().map(|point| point.loss).filter(|_| result.outcome == Outcome::Done);
    match loss {
        Some(loss) => sealed.checked(loss, time_unix_s),
        None => History::broken(sealed, NO_LOSS, time_unix_s),
    }
}
