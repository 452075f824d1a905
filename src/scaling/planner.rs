//! Makes a plan step by step: which sizes to measure first, the plan for a time or a number of FLOPs, and the learning rate.

use serde::{Deserialize, Serialize};

use super::error::ScalingError;
use super::pilot::Pilot;
use super::plan::{Plan, Request};
use super::shape::Shape;
use super::spec::{LrRule, RunSettings, Speed, SweepRun, TrainSettings};
use crate::config::Schedule;

/// Widths that are measured before the first plan.
const FIRST_WIDTHS: [usize; 3] = [8, 24, 64];

/// Measured speeds change the plan, and with it the sizes; this many plans are made before the rest is interpolated.
const MAX_ROUNDS: usize = 5;

/// A learning rate that suits a size of [`USUAL_SIZE`] on stories: the middle of the pilot.
const USUAL_LR: f64 = 0.02;
const USUAL_SIZE: f64 = 41_632.0;

/// What limits a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// Seconds for all runs and the check run.
    Seconds(f64),
    /// FLOPs of the largest budget.
    Flops(f64),
}

/// A plan in the making.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planner {
    /// What is planned.
    pub request: Request,
    /// What limits it.
    pub target: Target,
    /// Settings of the runs, with the measured speeds.
    pub settings: RunSettings,
    rounds: usize,
}

impl Planner {
    /// A planner without measurements. `lr` is the rate of the smallest size; without it, the usual one is assumed until a pilot
    /// has found a better one.
    pub fn new(
        request: Request,
        target: Target,
        batch_size: usize,
        schedule: Schedule,
        lr: (Option<f64>, f64),
    ) -> Self {
        let (lr, exponent) = lr;
        let smallest = Shape::of_width(FIRST_WIDTHS[0], request.task).n_params as f64;
        let usual = LrRule { n_params: USUAL_SIZE, lr: USUAL_LR, exponent };
        let lr = LrRule { n_params: smallest, lr: lr.unwrap_or(usual.at(smallest)), exponent };
        let settings = RunSettings { train: TrainSettings { batch_size, schedule, lr }, speed: Speed::default() };
        Self { request, target, settings, rounds: 0 }
    }

    /// The shapes to measure next; empty once the plan can be made.
    ///
    /// # Errors
    /// If no plan fits what has been measured.
    pub fn to_measure(&mut self) -> Result<Vec<Shape>, ScalingError> {
        let task = self.request.task;
        let mut shapes: Vec<Shape> = FIRST_WIDTHS.iter().map(|&width| Shape::of_width(width, task)).collect();
        shapes.retain(|shape| !self.is_measured(shape));
        if !shapes.is_empty() || self.rounds >= MAX_ROUNDS {
            return Ok(shapes);
        }
        self.rounds += 1;
        let plan = self.plan()?;
        let planned = plan.runs.iter();
        let mut shapes: Vec<Shape> =
            planned.map(|run| Shape { model: run.config.model.clone(), n_params: run.n_params }).collect();
        shapes.retain(|shape| !self.is_measured(shape));
        shapes.sort_by_key(|shape| shape.n_params);
        shapes.dedup();
        Ok(shapes)
    }

    fn is_measured(&self, shape: &Shape) -> bool {
        self.settings.speed.measured().iter().any(|&(size, _)| size == shape.n_params as f64)
    }

    /// The plan with the measured speeds.
    ///
    /// # Errors
    /// If nothing fits.
    pub fn plan(&self) -> Result<Plan, ScalingError> {
        match self.target {
            Target::Seconds(seconds) => Plan::for_seconds(&self.request, &self.settings, seconds),
            Target::Flops(flops) => Plan::for_flops(&self.request, &self.settings, flops),
        }
    }

    /// Sets the rate of the smallest planned size, if the pilot has found one.
    ///
    /// # Errors
    /// If nothing fits.
    pub fn plan_with(&mut self, pilot: &Pilot) -> Result<Plan, ScalingError> {
        let smallest = self.plan()?.runs.iter().map(|run| run.n_params).min().unwrap_or(1) as f64;
        let rule = &mut self.settings.train.lr;
        rule.lr = pilot.best().unwrap_or(rule.lr);
        rule.n_params = smallest;
        self.plan()
    }
}

/// The middle of the pilot's rates for a size.
pub fn usual_lr(n_params: u64, exponent: f64) -> f64 {
    LrRule { n_params: USUAL_SIZE, lr: USUAL_LR, exponent }.at(n_params as f64)
}

/// The run that a pilot repeats at several rates: the smallest of a plan, for its smallest budget.
pub fn pilot_run(plan: &Plan) -> Option<&SweepRun> {
    let smaller =
        |a: &&SweepRun, b: &&SweepRun| a.n_params.cmp(&b.n_params).then(a.total_steps().cmp(&b.total_steps()));
    plan.runs.iter().min_by(smaller)
}

/// The run at one rate of the pilot.
pub fn trial(run: &SweepRun, lr: f64) -> SweepRun {
    let mut run = run.clone();
    run.id = format!("lr{lr:.1e}-{}", run.id);
    run.horizons.truncate(1);
    (run.config.train.max_lr, run.config.train.min_lr) = (lr, 0.1 * lr);
    run.config.train.schedule_steps = run.horizons.first().map_or(1, |horizon| horizon.steps);
    run
}
