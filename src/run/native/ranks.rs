//! Training of a run on ranks: its steps on threads that exchange gradients in a ring, then evaluation and saving as in every
//! other run.

use std::path::Path;

use super::{Outcome, RunData, RunError, SavedRun, Store, run};
use crate::config::{RunConfig, learning_rate};
use crate::parallel::ranks::{Beginning, Plan, RankResult, StepReport, train};
use crate::run::{Observer, RunSpec};
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::{TrainError, Trainer, TrainingState};
use crate::types::runs::RunRecord;
use crate::types::{BackendChoice, History, StepPoint};

/// Steps whose batches are in memory at a time, and after which the ranks hand over their state.
const ROUND: u64 = 100;

/// Trains the steps of `spec` on the ranks of `plan`, on the CPU; `report` receives each step. The run is saved in `folder` and
/// can be resumed like any other.
///
/// # Errors
/// As [`run`], or if a rank fails.
pub async fn run_on_ranks<O: Observer>(
    spec: &RunSpec,
    folder: &Path,
    saved: Option<SavedRun>,
    plan: Plan,
    (report, observer): (&(dyn Fn(u64, StepReport) + Sync), &mut O),
) -> Result<(Outcome, Option<RankResult>), RunError> {
    spec.validate()?;
    let mut config = spec.config.clone();
    // Tokens of files are written to the folder before the run is saved there.
    Store::new(folder)?;
    let data = RunData::new(spec, folder, &mut config, saved.as_ref())?;
    plan.check(&config)?;
    let (mut trainer, _) = data.trainer(config.clone(), None).await?;
    let mut history = History::default();
    if let Some(saved) = saved {
        trainer.restore(&saved.checkpoint.state);
        history = saved.record.map(|record| record.history).unwrap_or_default();
    }
    let last = spec.rules.stop_steps.unwrap_or(config.train.schedule_steps);
    let mut result = None;
    while trainer.step() < last {
        let n_steps = ROUND.min(last - trainer.step());
        let first = trainer.step();
        let ranks =
            round(&mut trainer, &config, plan, n_steps, &|step, of_step| report(first + step as u64 + 1, of_step))
                .await?;
        for (step, of_step) in (first + 1..).zip(&ranks.steps) {
            let StepReport { loss, grad_norm, .. } = *of_step;
            if !loss.is_finite() || !grad_norm.is_finite() {
                return Err(TrainError::Diverged { step, loss, grad_norm }.into());
            }
            let lr = learning_rate(step, &config.train) as f32;
            history.extend(&[StepPoint { step, loss, lr, grad_norm, seconds: 0.0 }], &[]);
        }
        result = Some(ranks);
    }
    let record = RunRecord { name: spec.name.clone(), corpus: data.record.clone(), history };
    let checkpoint =
        Checkpoint { config: config.clone(), tokenizer: data.tokenizer.clone(), state: trainer.state().await? };
    drop(trainer);
    let saved = SavedRun { checkpoint, record: Some(record), notice: None };
    let spec = RunSpec { backend: BackendChoice::Cpu, config, ..spec.clone() };
    Ok((run(&spec, folder, Some(saved), observer).await?, result))
}

/// Some steps on the ranks; the trainer is then in the state after them. Returns the first rank's result.
async fn round(
    trainer: &mut Trainer,
    config: &RunConfig,
    plan: Plan,
    n_steps: u64,
    report: &(dyn Fn(usize, StepReport) + Sync),
) -> Result<RankResult, RunError> {
    let before = trainer.state().await?;
    let windows = trainer.next_windows(n_steps as usize).await?;
    let batches = trainer.state().await?.batches;
    let beginning = Beginning { step: before.step, params: before.params, moments: [before.adam_m, before.adam_v] };
    let results = train(config, plan, &beginning, (windows.len(), &|step| windows[step].clone()), report)?;
    let ranks = results.into_iter().next().unwrap_or_default();
    let [adam_m, adam_v] = ranks.moments.clone();
    let params = ranks.params.clone();
    trainer.restore(&TrainingState { step: before.step + n_steps, batches, params, adam_m, adam_v });
    Ok(ranks)
}
