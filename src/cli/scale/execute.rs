//! Executes a run of a sweep with the driver of all runs. A run that is killed continues from its last checkpoint.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use super::super::{sentence, tune};
use super::folder::{read_json, write_atomically};
use crate::data::{TokenFile, Tokenizer};
use crate::gpu::context::Context;
use crate::run::{Driver, Observer, Policy, StagedRun, system_clock};
use crate::scaling::spec::{Outcome, Point, RunResult, SweepRun};
use crate::train::checkpoint::{self, rotation};
use crate::train::trainer::{Trainer, TrainingState};
use crate::types::queue::{Progress, QueueEnd};

/// The default time between checkpoints; shorter runs have none and start again.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(5);

/// File of a run's state that is not in its checkpoint.
const PROGRESS: &str = "progress.json";

/// The text and the device of a sweep.
pub(super) struct Runner {
    pub context: Option<Context>,
    pub tokenizer: Rc<Tokenizer>,
    pub tokens: TokenFile,
    /// Number of training tokens.
    pub n_train: usize,
    /// Time between checkpoints.
    pub save_every: Duration,
}

/// Stores the checkpoints of a run.
struct Saver<'a> {
    /// `None` for a run that is not resumed.
    folder: Option<&'a Path>,
    /// Whether a checkpoint was stored since the progress was.
    saved: bool,
    problem: Option<String>,
}

impl Observer for Saver<'_> {
    fn snapshot(&mut self, driver: &Driver, state: &TrainingState) {
        let Some(folder) = self.folder else { return };
        let bytes = checkpoint::to_bytes(&driver.config(), &driver.tokenizer, state, None);
        match bytes.and_then(|bytes| rotation::save(folder, &bytes)) {
            Ok(()) => self.saved = true,
            Err(error) => self.problem = Some(error.to_string()),
        }
    }
}

impl Runner {
    /// A trainer for a run.
    ///
    /// # Errors
    /// If the model does not fit, or the device fails.
    pub async fn trainer(&self, spec: &SweepRun) -> Result<Trainer, String> {
        tune(&spec.config, self.context.as_ref()).await?;
        let (config, context) = (spec.config.clone(), self.context.as_ref());
        if let Some(unique) = spec.unique_tokens {
            let train = self.tokens.read(0..self.n_train.min(unique as usize)).map_err(sentence)?;
            let val = self.tokens.read(self.n_train..self.tokens.len()).map_err(sentence)?;
            return Trainer::new(config, context, &train, &val).await.map_err(sentence);
        }
        Trainer::on_file(config, context, self.tokens.clone(), self.n_train).await.map_err(sentence)
    }

    /// Executes a run, from its last checkpoint in `state` if there is one. `max_s` returns the number of seconds after which it is
    /// stopped; it is called again before that happens, because other runs may have ended early meanwhile.
    ///
    /// # Errors
    /// If the device fails, or a checkpoint cannot be stored. Divergence is a result.
    pub async fn execute(
        &self,
        spec: &SweepRun,
        state: Option<&Path>,
        max_s: &dyn Fn() -> Result<f64, String>,
    ) -> Result<RunResult, String> {
        let clock = system_clock();
        let mut run = self.staged(spec, state, &clock).await?;
        // The time of the preparation counts, too.
        run.progress.seconds += clock.now();
        let mut saver = Saver { folder: state, saved: false, problem: None };
        let mut allowed = max_s()?;
        let end = loop {
            let end = run.work(&mut saver).await.map_err(sentence)?;
            if let Some(problem) = saver.problem.take() {
                return Err(problem);
            }
            if let Some(folder) = state.filter(|_| std::mem::take(&mut saver.saved)) {
                // The points come second: with an older state, a horizon is at most computed again.
                let progress = serde_json::to_vec(&run.progress).map_err(sentence)?;
                write_atomically(&folder.join(PROGRESS), &progress)?;
            }
            if let Some(end) = end {
                break end;
            }
            if run.progress.seconds > allowed {
                allowed = max_s()?;
                if run.progress.seconds > allowed {
                    break QueueEnd::Overtime;
                }
            }
        };
        let Progress { reached, seconds, .. } = run.progress;
        let points = spec.horizons.iter().zip(&reached).map(|(horizon, reached)| Point {
            budget: horizon.budget,
            tokens: spec.tokens(horizon.steps),
            loss: reached.loss,
        });
        let outcome = match end {
            QueueEnd::Done => Outcome::Done,
            QueueEnd::Diverged => Outcome::Diverged,
            QueueEnd::Overtime => Outcome::Overtime,
            QueueEnd::Failed { message } => return Err(message),
        };
        Ok(RunResult { id: spec.id.clone(), outcome, points: points.collect(), seconds })
    }

    /// The run, at its last checkpoint.
    async fn staged(
        &self,
        spec: &SweepRun,
        state: Option<&Path>,
        clock: &crate::run::SharedClock,
    ) -> Result<StagedRun, String> {
        let trainer = self.trainer(spec).await?;
        let save = Policy::unattended(self.save_every.as_secs_f64());
        let policy = Policy { report_snapshots: state.is_some(), ..save };
        let mut driver = Driver::new(trainer, self.tokenizer.clone(), policy, clock.clone());
        let mut progress = Progress::default();
        if let Some(folder) = state {
            if let Ok(read) = read_json::<Progress>(&folder.join(PROGRESS)) {
                progress = read;
            }
            // A checkpoint that another configuration wrote, or none at all: the run starts again.
            match rotation::load(folder) {
                Ok(loaded) if loaded.checkpoint.config.model == spec.config.model => {
                    driver.resume(loaded.checkpoint.state, crate::types::History::default(), 0.0);
                }
                _ => progress.reached.clear(),
            }
        }
        let ends = spec.horizons.iter().map(|horizon| horizon.steps).collect();
        Ok(StagedRun::new(driver, ends, None, progress))
    }
}
