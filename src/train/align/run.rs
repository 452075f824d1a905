//! The loop of an alignment run, one update at a time.

use std::collections::VecDeque;

use super::metrics::{Evaluation, Metrics, StepReport};
use super::pairs::Pairs;
use super::rollouts::{Rollout, Sampler};
use super::settings::{Settings, Stage};
use super::source::ExampleRows;
use super::{Example, Examples, RunError, update};
use crate::align::{PairLogProbs, PromptTemplate, Rewards, TokenRow, groups_without_signal, implicit_reward_accuracy};
use crate::data::Tokenizer;
use crate::rng::Rng;
use crate::train::objective::{Objective, PolicyGradient, Preference, Sft};
use crate::train::trainer::{BatchSource as _, Trainer};

/// The random streams of an update's order; its number is added.
const ORDER_STREAM: u64 = 7 << 32;

/// Added to the step in the random numbers of samples that are not part of an update.
pub(super) const EVALUATION: u64 = 1 << 63;

/// An alignment run without its model.
pub struct AlignRun {
    pub(super) stage: Stage,
    pub(super) settings: Settings,
    pub(super) source: ExampleRows,
    rewards: Rewards,
    max_tokens: usize,
    /// The weights that the run began with, where its objective needs them.
    pub(super) reference: Option<Vec<f32>>,
    /// Updates that are left of the latest batch of samples.
    queue: VecDeque<Part>,
    /// Preference pairs, once they are known: those to train on and those held out.
    pub(super) pairs: Option<[Pairs; 2]>,
}

/// The rows of one update.
struct Part {
    rollouts: Vec<Rollout>,
    advantages: Vec<f64>,
}

impl AlignRun {
    /// A run on `examples`. `reference` are the weights that it begins with; they are kept only if the objective needs them.
    ///
    /// # Errors
    /// If there is nothing to train on, or the settings do not fit together.
    pub fn new(
        stage: Stage,
        settings: Settings,
        examples: Examples,
        (tokenizer, template, rewards): (Tokenizer, PromptTemplate, Rewards),
        seed: u64,
        reference: Vec<f32>,
    ) -> Result<Self, RunError> {
        settings.validate()?;
        if examples.is_empty() {
            return Err(crate::align::AlignError::NoRows { fields: "training prompts" }.into());
        }
        let mut run = Self {
            stage,
            settings,
            source: ExampleRows { examples, tokenizer, template, seed },
            rewards,
            max_tokens: 0,
            reference: None,
            queue: VecDeque::new(),
            pairs: None,
        };
        run.max_tokens = match run.settings.max_tokens {
            0 => run.source.longest_answer() + 1,
            most => most,
        };
        run.reference = run.objective().inputs().reference_log_probs.then_some(reference);
        Ok(run)
    }

    /// The objective of this run's updates.
    pub fn objective(&self) -> Box<dyn Objective> {
        match self.stage {
            Stage::Sft | Stage::Rft => Box::new(self.fine_tuning()),
            Stage::Grpo => Box::new(self.policy_gradient(1)),
            Stage::Dpo => Box::new(Preference { dpo: self.settings.dpo() }),
        }
    }

    /// Maximum number of rows of an update.
    pub fn rows_per_update(&self) -> usize {
        match self.stage {
            Stage::Sft | Stage::Rft => self.settings.rows,
            Stage::Grpo => self.settings.prompts.div_ceil(self.settings.updates) * self.settings.group_size,
            Stage::Dpo => 2 * self.settings.rows,
        }
    }

    /// Maximum number of tokens of a response.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Whether everything that further updates depend on is in the training state, so that a run can be saved here.
    pub fn at_boundary(&self) -> bool {
        self.queue.is_empty()
    }

    /// Drops what is left of a batch of samples, before an earlier state is restored.
    pub fn forget_samples(&mut self) {
        self.queue.clear();
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.source.tokenizer
    }

    /// Makes one update.
    ///
    /// # Errors
    /// If the device failed, the update diverged, or there is nothing to learn from.
    pub async fn step(&mut self, trainer: &mut Trainer) -> Result<StepReport, RunError> {
        match self.stage {
            Stage::Sft => self.sft_step(trainer).await,
            Stage::Rft => self.rft_step(trainer).await,
            Stage::Grpo => self.policy_step(trainer).await,
            Stage::Dpo => self.dpo_step(trainer).await,
        }
    }

    /// Evaluates on up to `n` held-out prompts.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn evaluate(&mut self, trainer: &mut Trainer, n: usize) -> Result<Evaluation, RunError> {
        let examples = self.source.held_out(n);
        let mut evaluation = Evaluation { prompts: examples.len(), ..Evaluation::default() };
        let step = trainer.step() | EVALUATION;
        let mean = |rollouts: &[Rollout], of: &dyn Fn(&Rollout) -> f64| {
            rollouts.iter().map(of).sum::<f64>() / rollouts.len().max(1) as f64
        };
        let sampler = self.sampler(self.settings.temperature);
        let sampled = sampler.sample(trainer, &examples, 1, step).await?;
        let greedy = self.sampler(0.0).sample(trainer, &examples, 1, step).await?;
        evaluation.sampled = mean(&sampled, &|rollout| rollout.verdict.exact);
        evaluation.reward = mean(&sampled, &|rollout| rollout.verdict.reward);
        evaluation.greedy = mean(&greedy, &|rollout| rollout.verdict.exact);
        if self.stage == Stage::Dpo {
            self.prepare_pairs(trainer).await?;
            if let Some([_, held_out]) = &self.pairs
                && !held_out.rows.is_empty()
            {
                let (rows, reference) = held_out.select(&(0..held_out.rows.len()).collect::<Vec<_>>());
                let current = update::log_probs(trainer, &rows).await?;
                let pairs = Preference::pairs(&rows, &current, &reference)?;
                (evaluation.pairs, evaluation.accuracy) = (pairs.len(), Some(implicit_reward_accuracy(&pairs)));
            }
        }
        Ok(evaluation)
    }

    fn fine_tuning(&self) -> Sft {
        Sft { aggregation: self.settings.aggregation(self.settings.rows, self.max_tokens.max(1)) }
    }

    pub(super) fn policy_gradient(&self, n_rows: usize) -> PolicyGradient {
        let objective = self.settings.policy(n_rows, self.max_tokens.max(1));
        PolicyGradient { objective, off_policy: self.settings.updates > 1 }
    }

    pub(super) fn sampler(&self, temperature: f64) -> Sampler<'_> {
        Sampler {
            tokenizer: &self.source.tokenizer,
            template: &self.source.template,
            rewards: &self.rewards,
            max_tokens: self.max_tokens,
            temperature,
            seed: self.source.seed,
        }
    }

    async fn sft_step(&mut self, trainer: &mut Trainer) -> Result<StepReport, RunError> {
        let rows = self.source.rows(trainer.step(), self.settings.rows).unwrap_or_else(|| Ok(Vec::new()))?;
        self.fine_tune(trainer, &rows).await
    }

    async fn fine_tune(&self, trainer: &mut Trainer, rows: &[TokenRow]) -> Result<StepReport, RunError> {
        let coefficients = self.fine_tuning().weigh(rows)?;
        let (point, scores) = update::step(trainer, rows, &coefficients).await?;
        let metrics = Metrics::default().with_entropy(rows, &scores);
        Ok(StepReport { point, metrics, ..StepReport::default() })
    }

    /// Samples a batch of responses with the current weights.
    async fn sample(&self, trainer: &mut Trainer) -> Result<(Vec<Example>, Vec<Rollout>), RunError> {
        let step = trainer.step();
        let prompts = self.source.prompts(step, self.settings.prompts);
        let sampler = self.sampler(self.settings.temperature);
        let rollouts = sampler.sample(trainer, &prompts, self.settings.group_size, step).await?;
        Ok((prompts, rollouts))
    }

    async fn rft_step(&mut self, trainer: &mut Trainer) -> Result<StepReport, RunError> {
        let (mut prompts, mut sampled) = (Vec::new(), Vec::new());
        if self.queue.is_empty() {
            (prompts, sampled) = self.sample(trainer).await?;
            self.queue_right(&sampled, trainer.step())?;
        }
        let rollouts = self.queue.pop_front().map_or_else(Vec::new, |part| part.rollouts);
        let rows: Vec<TokenRow> = rollouts.into_iter().map(|rollout| rollout.row).collect();
        let mut report = self.fine_tune(trainer, &rows).await?;
        if !sampled.is_empty() {
            let entropy = report.metrics.entropy;
            report.metrics = Metrics { entropy, ..Metrics::of_rollouts(&sampled) };
        }
        let kept = |rollout: Rollout| {
            let weight = f64::from(u8::from(self.is_right(&rollout)));
            (rollout, weight)
        };
        report.rollouts = sampled.into_iter().map(kept).collect();
        report.prompts = prompts;
        Ok(report)
    }

    /// Whether a response is worth imitating.
    pub(super) fn is_right(&self, rollout: &Rollout) -> bool {
        if self.rewards.needs_answer() { rollout.verdict.exact > 0.0 } else { rollout.verdict.reward > 0.0 }
    }

    /// Plans the updates of a round of expert iteration: several passes over the right responses, shuffled.
    fn queue_right(&mut self, sampled: &[Rollout], step: u64) -> Result<(), RunError> {
        let right: Vec<&Rollout> = sampled.iter().filter(|rollout| self.is_right(rollout)).collect();
        if right.is_empty() {
            return Err(RunError::NoneRight { samples: sampled.len() });
        }
        let mut rng = Rng::with_stream(self.source.seed, ORDER_STREAM + step);
        for _ in 0..self.settings.epochs {
            let mut order = right.clone();
            shuffle(&mut rng, &mut order);
            for rows in order.chunks(self.settings.rows) {
                let rollouts = rows.iter().map(|&rollout| rollout.clone()).collect();
                self.queue.push_back(Part { rollouts, advantages: Vec::new() });
            }
        }
        Ok(())
    }

    async fn policy_step(&mut self, trainer: &mut Trainer) -> Result<StepReport, RunError> {
        let (mut metrics, mut prompts, mut sampled) = (Metrics::default(), Vec::new(), Vec::new());
        if self.queue.is_empty() {
            let (drawn, rollouts) = self.sample(trainer).await?;
            let group_size = self.settings.group_size;
            let rewards: Vec<f64> = rollouts.iter().map(|rollout| rollout.verdict.reward).collect();
            let advantages = self.policy_gradient(1).objective.advantages.compute(&rewards, group_size)?;
            metrics = Metrics::of_rollouts(&rollouts);
            metrics.without_signal = Some(groups_without_signal(&advantages, group_size));
            let per_update = self.settings.prompts.div_ceil(self.settings.updates) * group_size;
            for (rollouts, advantages) in rollouts.chunks(per_update).zip(advantages.chunks(per_update)) {
                self.queue.push_back(Part { rollouts: rollouts.to_vec(), advantages: advantages.to_vec() });
            }
            (prompts, sampled) = (drawn, rollouts.into_iter().zip(advantages).collect());
        }
        let Some(Part { rollouts, advantages }) = self.queue.pop_front() else {
            return Err(RunError::NoneRight { samples: 0 });
        };
        let objective = self.policy_gradient(rollouts.len());
        let sampled_log_probs: Vec<Vec<f32>> = rollouts.iter().map(Rollout::target_log_probs).collect();
        let rows: Vec<TokenRow> = rollouts.into_iter().map(|rollout| rollout.row).collect();
        let reference = self.reference.as_deref();
        let (point, scores, made) =
            update::policy(trainer, &objective, &rows, &advantages, &sampled_log_probs, reference).await?;
        metrics = Metrics {
            clip_fraction: objective.off_policy.then_some(made.clip_fraction),
            kl: made.kl,
            ..metrics.with_entropy(&rows, &scores)
        };
        let coefficients = made.weighted.coefficients;
        Ok(StepReport { point, metrics, prompts, rollouts: sampled, coefficients, margins: Vec::new() })
    }

    async fn dpo_step(&mut self, trainer: &mut Trainer) -> Result<StepReport, RunError> {
        self.prepare_pairs(trainer).await?;
        let Some([pairs, _]) = &self.pairs else { return Err(RunError::NoPairs { prompts: 0 }) };
        // Every pair is seen once before any is seen again.
        let n = self.settings.rows.min(pairs.rows.len());
        let (per_epoch, step) = (pairs.rows.len() / n, trainer.step());
        let mut order: Vec<usize> = (0..pairs.rows.len()).collect();
        shuffle(&mut Rng::with_stream(self.source.seed, ORDER_STREAM + step / per_epoch as u64), &mut order);
        let first = (step % per_epoch as u64) as usize * n;
        let (rows, reference) = pairs.select(&order[first..first + n]);
        let objective = Preference { dpo: self.settings.dpo() };
        let (point, scored) = update::preference(trainer, &objective, &rows, &reference).await?;
        let metrics = Metrics::of_pairs(&scored);
        let margins = scored.iter().map(PairLogProbs::margin).collect();
        Ok(StepReport { point, metrics, margins, ..StepReport::default() })
    }
}

/// Shuffles in place (Fisher and Yates).
fn shuffle<T>(rng: &mut Rng, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        items.swap(at, rng.below(at as u32 + 1) as usize);
    }
}
