//! Forward passes and updates on rows.

use super::RunError;
use crate::align::{PairLogProbs, TokenRow};
use crate::train::objective::{PolicyGradient, PolicyScores, PolicyUpdate, Preference};
use crate::train::trainer::{Row, TokenScores, Trainer};
use crate::types::StepPoint;

fn as_rows(rows: &[TokenRow]) -> Vec<Row<'_>> {
    rows.iter().map(|row| Row::of(&row.ids)).collect()
}

/// The log-probabilities of the targets of every row under the current weights.
pub async fn log_probs(trainer: &mut Trainer, rows: &[TokenRow]) -> Result<Vec<Vec<f32>>, RunError> {
    let scores = trainer.score_rows(&as_rows(rows)).await?;
    Ok(scores.into_iter().map(|scores| scores.log_probs).collect())
}

/// [`log_probs`] under other weights. The current ones are restored.
pub async fn log_probs_under(
    trainer: &mut Trainer,
    params: &[f32],
    rows: &[TokenRow],
) -> Result<Vec<Vec<f32>>, RunError> {
    let current = trainer.params().await?;
    trainer.set_params(params);
    let scores = log_probs(trainer, rows).await;
    trainer.set_params(&current);
    scores
}

/// A step on rows with these coefficients; returns the scores before it.
pub async fn step(
    trainer: &mut Trainer,
    rows: &[TokenRow],
    coefficients: &[Vec<f32>],
) -> Result<(StepPoint, Vec<TokenScores>), RunError> {
    Ok(trainer.step_on_rows(&as_rows(rows), coefficients).await?)
}

/// One policy-gradient update on sampled rows with these advantages. `sampled` are the log-probabilities of their targets when
/// they were sampled.
pub async fn policy(
    trainer: &mut Trainer,
    objective: &PolicyGradient,
    rows: &[TokenRow],
    advantages: &[f64],
    sampled: &[Vec<f32>],
    reference: Option<&[f32]>,
) -> Result<(StepPoint, Vec<TokenScores>, PolicyUpdate), RunError> {
    let current = match objective.off_policy {
        true => Some(log_probs(trainer, rows).await?),
        false => None,
    };
    let reference = match reference {
        Some(params) => Some(log_probs_under(trainer, params, rows).await?),
        None => None,
    };
    let scores = PolicyScores {
        policy: current.as_deref().unwrap_or(sampled),
        old: objective.off_policy.then_some(sampled),
        reference: reference.as_deref(),
    };
    let update = objective.weigh(rows, advantages, scores)?;
    let (point, scores) = step(trainer, rows, &update.weighted.coefficients).await?;
    Ok((StepPoint { loss: update.weighted.loss as f32, ..point }, scores, update))
}

/// One update of preference optimization on the rows of N pairs: N chosen ones, then N rejected ones. `reference` are the
/// log-probabilities of their targets under the reference weights.
pub async fn preference(
    trainer: &mut Trainer,
    objective: &Preference,
    rows: &[TokenRow],
    reference: &[Vec<f32>],
) -> Result<(StepPoint, Vec<PairLogProbs>), RunError> {
    let current = log_probs(trainer, rows).await?;
    let pairs = Preference::pairs(rows, &current, reference)?;
    let weighted = objective.weigh(rows, &pairs)?;
    let (point, _) = step(trainer, rows, &weighted.coefficients).await?;
    Ok((StepPoint { loss: weighted.loss as f32, ..point }, pairs))
}
