//! Specifications and results of the runs of a sweep, as they are stored.

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use super::table::{FLOPS_PER_PARAM_AND_TOKEN, Run};
use crate::config::{MAX_STEPS, Preset, RunConfig, Schedule};

/// A run reserves this many times its expected time, and two seconds for its start.
const RESERVED: f64 = 1.5;

/// The learning rate of a repeated run, relative to that of the run that diverged.
pub const SLOWER: f64 = 0.5;

/// Maximum number of horizons.
const MAX_HORIZONS: usize = 100;

/// Share of the steps in which the learning rate rises.
const WARMUP: f64 = 0.02;

/// Lowest learning rate of a schedule, relative to its maximum.
const FINAL_LR: f64 = 0.1;

/// Why a run is part of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Planned from the start.
    Planned,
    /// Extends a budget whose minimum was not bracketed.
    Extension,
    /// Checks a sealed prediction.
    Check,
}

/// A point of a run: the budget it serves, and the step at which the schedule for that budget ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Horizon {
    /// Nominal FLOPs.
    pub budget: f64,
    /// Total number of steps.
    pub steps: u64,
}

/// Everything that is needed to execute a run, besides the text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepRun {
    /// Name, unique in the sweep and usable as a file name.
    pub id: String,
    /// Why it is run.
    pub purpose: Purpose,
    /// 0, or 1 for the repetition of a run that diverged.
    pub attempt: u32,
    /// N: parameters, embeddings included.
    pub n_params: u64,
    /// Model and training; the schedule is that of the last horizon.
    pub config: RunConfig,
    /// One horizon, or with schedule `wsd` several, in ascending order: each ends a decay that starts from the same constant
    /// phase.
    pub horizons: Vec<Horizon>,
    /// Expected time, in seconds.
    pub expected_s: f64,
    /// C and the value of the variable, in sweeps over something else than sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<[f64; 2]>,
    /// Training tokens that are different; they are repeated. `None` does not limit them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_tokens: Option<u64>,
}

impl SweepRun {
    /// A run of `shape` for these budgets.
    pub fn new(shape: &Shape, budgets: &[f64], settings: &RunSettings, seed: u64) -> Self {
        let train = &settings.train;
        let tokens_per_step = (train.batch_size * shape.model.context_length) as f64;
        let steps = |budget: f64| {
            (budget / (FLOPS_PER_PARAM_AND_TOKEN * shape.n_params as f64 * tokens_per_step)).round().max(1.0) as u64
        };
        let horizons: Vec<Horizon> = budgets.iter().map(|&budget| Horizon { budget, steps: steps(budget) }).collect();
        let last = horizons.last().map_or(1, |horizon| horizon.steps);
        let mut config = RunConfig { model: shape.model.clone(), train: Preset::Nano.config().train };
        config.train.batch_size = train.batch_size;
        config.train.schedule = train.schedule;
        config.train.schedule_steps = last;
        let first = horizons.first().map_or(last, |horizon| horizon.steps);
        config.train.warmup_steps = (WARMUP * first as f64).ceil() as u64;
        config.train.max_lr = train.lr.at(shape.n_params as f64);
        config.train.min_lr = FINAL_LR * config.train.max_lr;
        config.train.seed = seed;
        let budget = if let [one] = budgets { format!("c{one:.1e}-") } else { String::new() };
        let mut spec = Self {
            id: format!("{budget}n{}-s{seed}", shape.n_params),
            purpose: Purpose::Planned,
            attempt: 0,
            n_params: shape.n_params,
            config,
            horizons,
            expected_s: 0.0,
            point: None,
            unique_tokens: None,
        };
        spec.expected_s = spec.total_steps() as f64 * tokens_per_step / settings.speed.at(shape.n_params as f64);
        spec
    }

    /// The value of what the sweep varies: the size, unless there is another one.
    pub fn value(&self) -> f64 {
        self.point.map_or(self.n_params as f64, |[_, value]| value)
    }

    /// A measured point for fits: at equal compute, the loss over the sweep's variable.
    pub fn run(&self, tokens: u64, loss: f64) -> Run {
        match self.point {
            None => Run { n: self.n_params as f64, d: tokens as f64, loss },
            Some([c, value]) => Run { n: value, d: c / (FLOPS_PER_PARAM_AND_TOKEN * value), loss },
        }
    }

    /// Tokens of a schedule of this number of steps.
    pub fn tokens(&self, steps: u64) -> u64 {
        steps.saturating_mul(self.config.tokens_per_step() as u64)
    }

    /// Steps of the constant phase and of all decays.
    pub fn total_steps(&self) -> u64 {
        let ends = self.horizons.iter().map(|horizon| horizon.steps);
        let last = self.horizons.last().map_or(0, |horizon| horizon.steps);
        ends.map(|steps| steps - self.branch(steps)).sum::<u64>() + self.branch(last)
    }

    /// The step at which the schedule that ends at `steps` leaves the constant phase; `steps` without such a phase.
    pub fn branch(&self, steps: u64) -> u64 {
        if self.horizons.len() > 1 { self.config.train.constant_until(steps) } else { steps }
    }

    /// The repetition at a lower learning rate.
    pub fn slower(&self) -> Self {
        let mut slower = self.clone();
        slower.id = format!("{}-slower", self.id);
        slower.attempt = self.attempt + 1;
        slower.config.train.max_lr *= SLOWER;
        slower.config.train.min_lr *= SLOWER;
        slower
    }

    /// Seconds that the run reserves.
    pub fn reserved_s(&self) -> f64 {
        reserved(self.expected_s)
    }

    /// Whether the name is usable as a file name and the configuration is valid; specifications are files that other programs
    /// may have changed.
    pub fn problem(&self) -> Option<String> {
        let named = self.id.len() <= 100 && !self.id.is_empty() && !self.id.starts_with(['-', '.']);
        if !named || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c)) {
            return Some("its id is not a name of up to 100 letters, digits, +, -, . and _".into());
        }
        let ascending = self.horizons.windows(2).all(|pair| pair[0].steps < pair[1].steps);
        let positive = self.horizons.iter().all(|horizon| {
            (1..=MAX_STEPS).contains(&horizon.steps) && horizon.budget > 0.0 && horizon.budget.is_finite()
        });
        if !(1..=MAX_HORIZONS).contains(&self.horizons.len()) || !ascending || !positive {
            return Some("its horizons are not ascending numbers of steps".into());
        }
        if !(self.expected_s.is_finite() && self.expected_s >= 0.0) {
            return Some("its expected time is not a number of seconds".into());
        }
        let values = self.point.is_none_or(|point| point.iter().all(|value| value.is_finite() && *value > 0.0));
        if !values || self.unique_tokens == Some(0) {
            return Some("its values are not numbers greater than 0".into());
        }
        if let Err(error) = self.config.validate() {
            return Some(error.to_string());
        }
        let n_params = self.config.model.n_params();
        (self.n_params != n_params).then(|| format!("its model has {n_params} parameters, not {}", self.n_params))
    }
}

/// Seconds to reserve for a run of this expected time.
pub fn reserved(expected_s: f64) -> f64 {
    RESERVED * expected_s + 2.0
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All horizons were reached.
    Done,
    /// The loss became non-finite, or ended above that of a model that knows nothing.
    Diverged,
    /// Stopped, because it would have taken the time that other runs have reserved.
    Overtime,
}

/// A measured point.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Nominal FLOPs.
    pub budget: f64,
    /// D: training tokens.
    pub tokens: u64,
    /// Held-out loss, in nats per token.
    pub loss: f64,
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The specification's name.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Points of the horizons that were reached.
    pub points: Vec<Point>,
    /// Seconds of training and evaluation, of all sessions.
    pub seconds: f64,
}

impl RunResult {
    /// The points as runs for fits.
    pub fn runs(&self, spec: &SweepRun) -> Vec<Run> {
        let run = |point: &Point| spec.run(point.tokens, point.loss);
        self.points.iter().map(run).filter(Run::is_valid).collect()
    }
}

/// Settings that all runs of a sweep share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSettings {
    /// Training.
    pub train: TrainSettings,
    /// Tokens per second by size.
    pub speed: Speed,
}

/// Training settings that all runs share.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSettings {
    /// B.
    pub batch_size: usize,
    /// The schedule.
    pub schedule: Schedule,
    /// The learning rate.
    pub lr: LrRule,
}

/// lr = lr₀ · (N/N₀)^−exponent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LrRule {
    /// N₀.
    pub n_params: f64,
    /// lr₀.
    pub lr: f64,
    /// The exponent.
    pub exponent: f64,
}

impl LrRule {
    /// The learning rate for a size, to three digits.
    pub fn at(&self, n_params: f64) -> f64 {
        let lr = self.lr * (n_params / self.n_params).powf(-self.exponent);
        format!("{lr:.2e}").parse().unwrap_or(lr)
    }
}

/// Measured tokens per second by size, interpolated in logarithms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Speed(Vec<(f64, f64)>);

impl Speed {
    /// Adds a measurement.
    pub fn add(&mut self, n_params: u64, tokens_per_s: f64) {
        self.0.retain(|&(n, _)| n != n_params as f64);
        self.0.push((n_params as f64, tokens_per_s.max(1e-3)));
        self.0.sort_by(|a, b| a.0.total_cmp(&b.0));
    }

    /// The measurements: parameters and tokens per second, by size.
    pub fn measured(&self) -> &[(f64, f64)] {
        &self.0
    }

    /// Tokens per second. Beyond the measured sizes, time is proportional to the size above them and constant below.
    pub fn at(&self, n_params: f64) -> f64 {
        let above = self.0.partition_point(|&(n, _)| n < n_params);
        match (above.checked_sub(1).and_then(|below| self.0.get(below)), self.0.get(above)) {
            (Some(&(n0, s0)), Some(&(n1, s1))) => {
                let share = (n_params / n0).ln() / (n1 / n0).ln();
                (s0.ln() + share * (s1.ln() - s0.ln())).exp()
            }
            (Some(&(n, s)), None) => s * n / n_params,
            (None, Some(&(_, s))) => s,
            (None, None) => 1.0,
        }
    }
}
