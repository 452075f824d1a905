//! Measurements and results of an alignment run.

use super::Example;
use super::rollouts::Rollout;
use crate::align::{PairLogProbs, TokenRow, implicit_reward_accuracy};
use crate::train::trainer::TokenScores;
use crate::types::StepPoint;

/// Measurements of an update; those that do not apply are `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// Mean reward of the sampled responses.
    pub reward: Option<f64>,
    /// Share of exact answers among them.
    pub exact: Option<f64>,
    /// Share of responses in the right format.
    pub format: Option<f64>,
    /// Mean number of tokens of a response.
    pub length: Option<f64>,
    /// Mean entropy per response token before the update, in nats.
    pub entropy: Option<f64>,
    /// Share of groups whose rewards are equal, so that they teach nothing.
    pub without_signal: Option<f64>,
    /// Share of response tokens that the clip range affects.
    pub clip_fraction: Option<f64>,
    /// KL divergence from the reference, in nats per token.
    pub kl: Option<f64>,
    /// Share of pairs whose chosen response has the larger implicit reward.
    pub accuracy: Option<f64>,
    /// Change of the log-probability of chosen responses since the reference, mean over pairs.
    pub chosen: Option<f64>,
    /// Change of the log-probability of rejected responses.
    pub rejected: Option<f64>,
}

impl Metrics {
    /// Names and values of all measurements that apply.
    pub fn named(&self) -> Vec<(&'static str, f64)> {
        let all = [
            ("reward", self.reward),
            ("exact", self.exact),
            ("format", self.format),
            ("length", self.length),
            ("entropy", self.entropy),
            ("groups_without_signal", self.without_signal),
            ("clip_fraction", self.clip_fraction),
            ("kl", self.kl),
            ("preference_accuracy", self.accuracy),
            ("chosen_log_prob_change", self.chosen),
            ("rejected_log_prob_change", self.rejected),
        ];
        all.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect()
    }

    pub(super) fn of_rollouts(rollouts: &[Rollout]) -> Self {
        let mean = |of: &dyn Fn(&Rollout) -> f64| Some(rollouts.iter().map(of).sum::<f64>() / rollouts.len() as f64);
        Self {
            reward: mean(&|rollout| rollout.verdict.reward),
            exact: mean(&|rollout| rollout.verdict.exact),
            format: mean(&|rollout| rollout.verdict.format),
            length: mean(&|rollout| rollout.row.response().len() as f64),
            ..Self::default()
        }
    }

    pub(super) fn of_pairs(pairs: &[PairLogProbs]) -> Self {
        let mean = |of: &dyn Fn(&PairLogProbs) -> f64| Some(pairs.iter().map(of).sum::<f64>() / pairs.len() as f64);
        Self {
            accuracy: Some(implicit_reward_accuracy(pairs)),
            chosen: mean(&|pair| pair.policy_chosen - pair.ref_chosen),
            rejected: mean(&|pair| pair.policy_rejected - pair.ref_rejected),
            ..Self::default()
        }
    }

    pub(super) fn with_entropy(self, rows: &[TokenRow], scores: &[TokenScores]) -> Self {
        let entropies =
            || rows.iter().zip(scores).flat_map(|(row, scores)| &scores.entropies[row.prompt_len.saturating_sub(1)..]);
        let sum: f64 = entropies().map(|&entropy| f64::from(entropy)).sum();
        Self { entropy: Some(sum / entropies().count().max(1) as f64), ..self }
    }
}

/// What an update did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StepReport {
    /// Step, loss, learning rate and gradient norm.
    pub point: StepPoint,
    /// Measurements.
    pub metrics: Metrics,
    /// The prompts of a new batch of samples; empty where an update uses an earlier batch.
    pub prompts: Vec<Example>,
    /// Its responses, with their advantages.
    pub rollouts: Vec<(Rollout, f64)>,
    /// Coefficients of the targets of this update's rows, which are the first of `rollouts` if there are any; empty for
    /// fine-tuning and preferences.
    pub coefficients: Vec<Vec<f32>>,
    /// The margin of each pair of preference optimization before the update: how much more the log-probability of the chosen
    /// response has grown since the reference than that of the rejected one.
    pub margins: Vec<f64>,
}

/// Results on held-out prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Number of prompts.
    pub prompts: usize,
    /// Share of exact answers when sampling at the run's temperature.
    pub sampled: f64,
    /// Share of exact answers when always taking the most likely token.
    pub greedy: f64,
    /// Mean reward of the sampled responses.
    pub reward: f64,
    /// Number of held-out pairs.
    pub pairs: usize,
    /// Share of them whose chosen response has the larger implicit reward.
    pub accuracy: Option<f64>,
}
