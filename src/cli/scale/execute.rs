//! Executes a run of a sweep. A run that is killed continues from its last checkpoint.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::{sentence, tune};
use super::folder::{read_json, write_atomically};
use crate::data::{TokenFile, Tokenizer};
use crate::gpu::context::Context;
use crate::scaling::spec::{Outcome, Point, RunResult, SweepRun};
use crate::train::checkpoint;
use crate::train::checkpoint::rotation;
use crate::train::trainer::{TrainError, Trainer, TrainingState};

/// Number of steps per submission.
const CHUNK: u64 = 10;

/// The default time between checkpoints; shorter runs have none and start again.
pub(super) const SAVE_EVERY: Duration = Duration::from_secs(5);

/// File of a run's state that is not in its checkpoint.
const PROGRESS: &str = "progress.json";

/// The text and the device of a sweep.
pub(super) struct Runner {
    pub context: Option<Context>,
    pub tokenizer: Tokenizer,
    pub tokens: TokenFile,
    /// Number of training tokens.
    pub n_train: usize,
    /// Time between checkpoints.
    pub save_every: Duration,
}

/// What a run has reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// Points of the horizons that were reached.
    points: Vec<Point>,
    /// Seconds so far.
    seconds: f64,
}

/// A run under way.
struct Execution<'a> {
    spec: &'a SweepRun,
    runner: &'a Runner,
    trainer: Trainer,
    progress: Progress,
    /// Where checkpoints are stored; `None` for a run that is not resumed.
    state: Option<&'a Path>,
    /// Seconds after which the run is stopped.
    max_s: f64,
    begin: Instant,
    before_s: f64,
    saved: Instant,
}

impl Runner {
    /// A trainer for a run.
    ///
    /// # Errors
    /// If the model does not fit, or the device fails.
    pub async fn trainer(&self, spec: &SweepRun) -> Result<Trainer, String> {
        tune(&spec.config, self.context.as_ref()).await?;
        let (config, context) = (spec.config.clone(), self.context.as_ref());
        Trainer::on_file(config, context, self.tokens.clone(), self.n_train).await.map_err(sentence)
    }

    /// Executes a run, from its last checkpoint in `state` if there is one, for at most `max_s` seconds.
    ///
    /// # Errors
    /// If the device fails. Divergence is a result.
    pub async fn execute(&self, spec: &SweepRun, state: Option<&Path>, max_s: f64) -> Result<RunResult, String> {
        let begin = Instant::now();
        let mut trainer = self.trainer(spec).await?;
        let mut progress = Progress::default();
        if let Some(folder) = state {
            if let Ok(read) = read_json::<Progress>(&folder.join(PROGRESS)) {
                progress = read;
            }
            // A checkpoint that another configuration wrote, or none at all: the run starts again.
            match rotation::load(folder) {
                Ok(loaded) if loaded.checkpoint.config.model == spec.config.model => {
                    trainer.restore(&loaded.checkpoint.state);
                }
                _ => progress.points.clear(),
            }
        }
        progress.points.truncate(spec.horizons.len());
        let before_s = progress.seconds;
        let mut execution =
            Execution { spec, runner: self, trainer, progress, state, max_s, begin, before_s, saved: Instant::now() };
        let outcome = execution.all_horizons().await?;
        let Progress { points, seconds } = execution.progress;
        Ok(RunResult { id: spec.id.clone(), outcome, points, seconds })
    }
}

impl Execution<'_> {
    async fn all_horizons(&mut self) -> Result<Outcome, String> {
        while let Some(horizon) = self.spec.horizons.get(self.progress.points.len()).copied() {
            let mut train = self.spec.config.train.clone();
            train.schedule_steps = horizon.steps;
            self.trainer.tune(&train).map_err(sentence)?;
            let branch = self.spec.branch(horizon.steps);
            if let Some(outcome) = self.train_until(branch, true).await? {
                return Ok(outcome);
            }
            let trunk = if branch < horizon.steps { Some(self.trainer.state().await.map_err(sentence)?) } else { None };
            if let Some(outcome) = self.train_until(horizon.steps, false).await? {
                return Ok(outcome);
            }
            let loss = f64::from(self.trainer.evaluate().await.map_err(sentence)?);
            self.count_time();
            // A model that is worse than a uniform guess has learned nothing that fits a law.
            if !loss.is_finite() || loss > (self.spec.config.model.vocab_size as f64).ln() {
                return Ok(Outcome::Diverged);
            }
            let tokens = self.spec.tokens(horizon.steps);
            self.progress.points.push(Point { budget: horizon.budget, tokens, loss });
            if let Some(trunk) = trunk {
                self.trainer.restore(&trunk);
                self.save(Some(trunk)).await?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Trains up to step `end`; returns the outcome if the run ends before that. Only the constant phase can be resumed.
    async fn train_until(&mut self, end: u64, resumable: bool) -> Result<Option<Outcome>, String> {
        while self.trainer.step() < end || self.trainer.in_flight() > 0 {
            let left = end - self.trainer.step().min(end);
            let save_now = resumable && self.state.is_some() && self.saved.elapsed() >= self.runner.save_every;
            if left > 0 && !save_now {
                self.trainer.submit(left.min(CHUNK) as usize);
            }
            if self.trainer.in_flight() > 1 || left == 0 || save_now {
                match self.trainer.collect().await {
                    Err(TrainError::Diverged { .. }) => {
                        self.count_time();
                        return Ok(Some(Outcome::Diverged));
                    }
                    collected => collected.map_err(sentence)?,
                };
            }
            self.count_time();
            if save_now && self.trainer.in_flight() == 0 {
                self.save(None).await?;
            }
            if self.progress.seconds > self.max_s {
                return Ok(Some(Outcome::Overtime));
            }
        }
        Ok(None)
    }

    fn count_time(&mut self) {
        self.progress.seconds = self.before_s + self.begin.elapsed().as_secs_f64();
    }

    /// Stores the state and the points. The points come second: with an older state, a horizon is at most computed again.
    async fn save(&mut self, state: Option<TrainingState>) -> Result<(), String> {
        let Some(folder) = self.state else { return Ok(()) };
        let state = match state {
            Some(state) => state,
            None => self.trainer.state().await.map_err(sentence)?,
        };
        let bytes = checkpoint::to_bytes(self.trainer.config(), &self.runner.tokenizer, &state, None);
        rotation::save(folder, &bytes.map_err(sentence)?).map_err(sentence)?;
        let progress = serde_json::to_vec(&self.progress).map_err(sentence)?;
        fs::create_dir_all(folder).map_err(sentence)?;
        write_atomically(&folder.join(PROGRESS), &progress)?;
        self.saved = Instant::now();
        Ok(())
    }
}
