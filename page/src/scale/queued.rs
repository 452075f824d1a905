//! Runs of a sweep as runs of the queue.

use super::state::SweepState;
use crate::state::queue::Queue;
use glasshead::config::{Preset, RunConfig};
use glasshead::scaling::shape::Shape;
use glasshead::scaling::spec::{Outcome, Purpose, SweepRun};
use glasshead::types::queue::{QueueText, QueuedRun};
use glasshead::types::{BackendChoice, CorpusChoice};

/// Number of evaluations while a run trains; its curve is drawn from them.
const EVALUATIONS: u64 = 6;

/// A run is stopped after this many times the seconds that it reserves; on a busy device runs take longer than planned.
const OVERTIME: f64 = 4.0;

/// Bytes of text per training token, so that no run repeats its text.
const BYTES_PER_TOKEN: f64 = 1.3;

impl SweepState {
    /// The specification of a run of the queue; none for the pilot's.
    pub fn spec_of(&self, queue_id: &str) -> Option<&SweepRun> {
        self.runs.specs.get(queue_id.strip_prefix(&self.list())?.strip_prefix('.')?)
    }

    /// A run of the sweep for the queue.
    pub(super) fn queued(&self, run: &SweepRun) -> QueuedRun {
        let ends: Vec<u64> = run.horizons.iter().map(|horizon| horizon.steps).collect();
        let choice = self.corpus.unwrap_or(CorpusChoice::BuiltIn);
        QueuedRun {
            id: self.queue_id(&run.id),
            list: self.list(),
            name: run.id.clone(),
            config: run.config.clone(),
            text: QueueText::Corpus { choice, asked: Box::new(self.text_config()) },
            backend: self.backend.unwrap_or(BackendChoice::Auto),
            evaluate_every: ends.first().map(|first| (first / EVALUATIONS).max(1)),
            ends,
            max_seconds: Some(OVERTIME * run.reserved_s()),
            unique_tokens: run.unique_tokens.map(|unique| unique as usize),
        }
    }

    /// The configuration whose built-in text is long enough for all runs.
    fn text_config(&self) -> RunConfig {
        let mut config = Preset::Nano.config();
        let Some(plan) = &self.plan else { return config };
        let task = plan.request.task;
        config.train.seed = plan.request.seeds[0];
        let tokens = plan.runs.iter().map(|run| run.tokens(run.horizons.last().map_or(0, |last| last.steps))).max();
        let bytes = BYTES_PER_TOKEN * plan.request.check_factor.sqrt() * tokens.unwrap_or(0) as f64;
        // The built-in text has 2 MiB, and 8 bytes for each parameter.
        let ladder = Shape::ladder(task);
        let n_params = ((bytes - f64::from(2 << 20)) / 8.0).max(0.0) as u64;
        let shape = ladder.iter().find(|shape| shape.n_params >= n_params).or(ladder.last());
        if let Some(shape) = shape {
            config.model = shape.model.clone();
        }
        config
    }

    /// Ids in the queue of the smallest and the largest model with a stored state, of the largest budget that has two.
    pub fn extremes(&self, queue: &Queue) -> Vec<String> {
        let Some(plan) = &self.plan else { return Vec::new() };
        for &budget in plan.budgets.iter().rev() {
            let of_budget = self.runs.finished().filter(|(spec, result)| {
                let there = queue.find(&self.queue_id(&spec.id)).is_some_and(|item| item.saved.is_some());
                let ends = spec.horizons.last().is_some_and(|last| last.budget == budget);
                there && ends && result.outcome == Outcome::Done && spec.purpose != Purpose::Check
            });
            let mut models: Vec<(u64, &String)> = of_budget.map(|(spec, _)| (spec.n_params, &spec.id)).collect();
            models.sort_unstable();
            if let [first, .., last] = &models[..] {
                return [first, last].map(|(_, id)| self.queue_id(id)).to_vec();
            }
        }
        Vec::new()
    }
}
