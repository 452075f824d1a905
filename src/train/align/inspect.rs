//! Answers to single prompts, for inspection between updates.

use super::rollouts::Rollout;
use super::run::{AlignRun, EVALUATION};
use super::{Example, RunError, Stage};
use crate::align::TokenRow;
use crate::train::objective::PolicyScores;
use crate::train::trainer::Trainer;

/// Added to the step in the random numbers of inspected samples, with that of evaluations.
const INSPECTION: u64 = 1 << 60;

/// A group of answers with what an update would do to them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// The answers.
    pub rollouts: Vec<Rollout>,
    /// The advantage of each.
    pub advantages: Vec<f64>,
    /// The coefficients of their targets.
    pub coefficients: Vec<Vec<f32>>,
}

impl AlignRun {
    /// Responses per prompt.
    pub fn group_size(&self) -> usize {
        self.settings.group_size
    }

    /// Whether updates sample responses.
    pub fn samples(&self) -> bool {
        matches!(self.stage, Stage::Rft | Stage::Grpo)
    }

    /// Up to `n` held-out prompts.
    pub fn held_out(&self, n: usize) -> Vec<Example> {
        self.source.held_out(n)
    }

    /// `group_size` answers to each prompt under the weights in the trainer. Equal weights give equal answers.
    ///
    /// # Errors
    /// If a prompt is too long, or the device failed.
    pub async fn answers(
        &self,
        trainer: &mut Trainer,
        prompts: &[Example],
        group_size: usize,
    ) -> Result<Vec<Rollout>, RunError> {
        self.sampler(self.settings.temperature).sample(trainer, prompts, group_size, EVALUATION | INSPECTION).await
    }

    /// Advantages and coefficients of a group of answers, as if an update were made on it alone.
    ///
    /// # Errors
    /// If the settings are invalid.
    pub fn judged(&self, rollouts: Vec<Rollout>) -> Result<Judged, RunError> {
        let rewards: Vec<f64> = rollouts.iter().map(|rollout| rollout.verdict.reward).collect();
        let mut objective = self.policy_gradient(rollouts.len());
        objective.objective.loss.kl = 0.0;
        objective.off_policy = false;
        let advantages = objective.objective.advantages.compute(&rewards, rollouts.len().max(1))?;
        let rows: Vec<TokenRow> = rollouts.iter().map(|rollout| rollout.row.clone()).collect();
        let sampled: Vec<Vec<f32>> = rollouts.iter().map(Rollout::target_log_probs).collect();
        let scores = PolicyScores { policy: &sampled, old: None, reference: None };
        let coefficients = match rows.is_empty() {
            true => Vec::new(),
            false => objective.weigh(&rows, &advantages, scores)?.weighted.coefficients,
        };
        Ok(Judged { rollouts, advantages, coefficients })
    }

    /// The ids of a prompt with a response.
    ///
    /// # Errors
    /// If the template's end does not exist in the vocabulary.
    pub fn row(&self, prompt: &str, response: &str) -> Result<TokenRow, RunError> {
        Ok(self.source.row(prompt, response)?)
    }
}
