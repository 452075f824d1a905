//! Finds the pairs of preference optimization: the user's, or sampled ones of a right and a wrong response.

use super::pairs::Pairs;
use super::rollouts::Rollout;
use super::run::AlignRun;
use super::{Examples, RunError};
use crate::align::TokenRow;
use crate::rng::Rng;
use crate::train::trainer::Trainer;

/// Added to the step in the random numbers of the samples of pairs; those of held-out pairs differ by another bit.
const PAIRS: u64 = 1 << 62;
const HELD_OUT_PAIRS: u64 = 1 << 61;

/// The random stream of the prompts of pairs.
const PAIR_STREAM: u64 = 8 << 32;

/// Prompts per wanted pair after which the search for pairs ends.
const MAX_PROMPTS_PER_PAIR: usize = 8;

impl AlignRun {
    /// Finds the pairs of preference optimization and scores them under the reference, unless that is done.
    pub(super) async fn prepare_pairs(&mut self, trainer: &mut Trainer) -> Result<(), RunError> {
        let Some(reference) = self.reference.as_ref().filter(|_| self.pairs.is_none()) else { return Ok(()) };
        let current = trainer.params().await?;
        trainer.set_params(reference);
        let found = self.reference_pairs(trainer).await;
        trainer.set_params(&current);
        self.pairs = Some(found?);
        Ok(())
    }

    /// Training and held-out pairs, with the reference's weights in the trainer.
    async fn reference_pairs(&self, trainer: &mut Trainer) -> Result<[Pairs; 2], RunError> {
        let [train, held_out] = match &self.source.examples {
            Examples::Pairs { train, held_out } => {
                let mut parts = [Vec::new(), Vec::new()];
                for (part, pairs) in parts.iter_mut().zip([train, held_out]) {
                    for pair in pairs {
                        let row = |response: &str| self.source.row(&pair.prompt, response);
                        part.push([row(&pair.chosen)?, row(&pair.rejected)?]);
                    }
                }
                parts
            }
            _ => {
                let train = self.sample_pairs(trainer, self.settings.pairs, false).await?;
                let held_out = self.sample_pairs(trainer, self.settings.pairs.div_ceil(4), true).await?;
                [train, held_out]
            }
        };
        if train.is_empty() {
            return Err(RunError::NoPairs { prompts: self.settings.pairs * MAX_PROMPTS_PER_PAIR });
        }
        Ok([Pairs::scored(trainer, train).await?, Pairs::scored(trainer, held_out).await?])
    }

    /// Samples responses until `n` prompts have a right and a wrong one: the first right one, and a random wrong one.
    async fn sample_pairs(
        &self,
        trainer: &mut Trainer,
        n: usize,
        held_out: bool,
    ) -> Result<Vec<[TokenRow; 2]>, RunError> {
        let group_size = self.settings.group_size.max(2);
        let mut pairs = Vec::with_capacity(n);
        let known = if held_out { self.source.held_out(n * 4) } else { Vec::new() };
        let salt = PAIRS | if held_out { HELD_OUT_PAIRS } else { 0 };
        let (mut round, mut seen) = (0, 0);
        while pairs.len() < n && seen < n * MAX_PROMPTS_PER_PAIR {
            let mut rng = Rng::with_stream(self.source.seed, PAIR_STREAM + 2 * round + u64::from(held_out));
            let size = self.settings.prompts.max(64);
            let prompts = match held_out {
                false => self.source.examples.draw(&mut rng, size),
                true => known.iter().skip(seen).take(size).cloned().collect(),
            };
            if prompts.is_empty() {
                break;
            }
            let sampler = self.sampler(self.settings.temperature);
            let rollouts = sampler.sample(trainer, &prompts, group_size, salt | round).await?;
            for group in rollouts.chunks(group_size) {
                let (right, wrong): (Vec<&Rollout>, Vec<&Rollout>) =
                    group.iter().partition(|rollout| self.is_right(rollout));
                if let (Some(right), false) = (right.first(), wrong.is_empty()) {
                    pairs.push([right.row.clone(), rng.choose(&wrong).row.clone()]);
                }
            }
            (round, seen) = (round + 1, seen + prompts.len());
        }
        pairs.truncate(n);
        Ok(pairs)
    }
}
