//! The loop of `glasshead align`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::sentence;
use super::record::{FIELD, Record};
use super::{AlignArgs, Report};
use crate::config::RunConfig;
use crate::train::align::{AlignRun, RunError};
use crate::train::checkpoint::{self, rotation};
use crate::train::trainer::Trainer;

/// The smallest number of prompts of the last evaluation.
const LAST_PROMPTS: usize = 500;

pub(super) struct Session<'a> {
    args: &'a AlignArgs,
    run: AlignRun,
    /// The configuration to save: the model's, without the batch size that only the rows of an update need.
    config: RunConfig,
    record: Record,
    report: Report,
    folder: PathBuf,
    every: Duration,
    saved: Option<(u64, Instant)>,
}

impl<'a> Session<'a> {
    /// # Errors
    /// When the folder is not writable, or the interval between saves is invalid.
    pub fn new(
        args: &'a AlignArgs,
        run: AlignRun,
        config: RunConfig,
        record: Record,
        report: Report,
    ) -> Result<Self, String> {
        rotation::check_folder(&args.out).map_err(sentence)?;
        let every = Duration::try_from_secs_f64(args.save_every)
            .map_err(|_| format!("--save-every is {}; expected a number of seconds, such as 30", args.save_every))?;
        Ok(Self { args, run, config, record, report, folder: args.out.clone(), every, saved: None })
    }

    /// Trains until the last update, or until enough prompts are answered.
    pub async fn train(mut self, mut trainer: Trainer, resumed_at: Option<u64>) -> Result<(), String> {
        self.saved = Some((trainer.step(), Instant::now()));
        let (began, first) = (Instant::now(), trainer.step());
        let mut evaluating = 0.0;
        let mut reached = match resumed_at {
            None => self.evaluate(&mut trainer, &mut evaluating).await?,
            Some(_) => false,
        };
        while !reached && trainer.step() < self.args.steps {
            let report = match self.run.step(&mut trainer).await {
                Ok(report) => report,
                Err(error) => return Err(self.failed(&error)),
            };
            let seconds = began.elapsed().as_secs_f64() - evaluating;
            self.report.step(&report, seconds, (trainer.step() - first) as f64 / seconds.max(1e-9))?;
            if trainer.step().is_multiple_of(self.args.eval_every) || trainer.step() == self.args.steps {
                reached = self.evaluate(&mut trainer, &mut evaluating).await?;
            }
            let due = self.saved.is_none_or(|(_, at)| at.elapsed() >= self.every);
            if due && self.run.at_boundary() {
                self.save(&mut trainer).await?;
            }
        }
        // The rest of a batch of samples is used up, so that the saved run can be continued.
        while !self.run.at_boundary() {
            let report = self.run.step(&mut trainer).await.map_err(|error| self.failed(&error))?;
            self.report.step(&report, began.elapsed().as_secs_f64() - evaluating, 0.0)?;
        }
        self.save(&mut trainer).await?;
        let why = match reached {
            true => format!("{} of the held-out prompts are right", self.args.stop_exact.unwrap_or(0.0)),
            false => format!("{} updates are done", trainer.step()),
        };
        self.report.end(&why, &self.folder);
        Ok(())
    }

    /// Evaluates, adds the time to `seconds`, and returns whether enough prompts are answered.
    async fn evaluate(&mut self, trainer: &mut Trainer, seconds: &mut f64) -> Result<bool, String> {
        let (began, step) = (Instant::now(), trainer.step());
        let prompts = self.args.eval_prompts as usize;
        let last = step >= self.args.steps;
        let n = if last { prompts.max(LAST_PROMPTS) } else { prompts };
        let evaluation = self.run.evaluate(trainer, n).await.map_err(sentence)?;
        self.report.evaluation(step, &evaluation)?;
        *seconds += began.elapsed().as_secs_f64();
        Ok(self.args.stop_exact.is_some_and(|share| evaluation.sampled >= share))
    }

    async fn save(&mut self, trainer: &mut Trainer) -> Result<(), String> {
        let state = trainer.state().await.map_err(sentence)?;
        let extra = Some((FIELD, self.record.to_json()));
        let bytes = checkpoint::to_bytes(&self.config, self.run.tokenizer(), &state, extra).map_err(sentence)?;
        rotation::save(&self.folder, &bytes)
            .map_err(|error| format!("step {} is not saved: {error}; make room and use --resume", state.step))?;
        self.saved = Some((state.step, Instant::now()));
        Ok(())
    }

    /// The message for a run that cannot go on.
    fn failed(&self, error: &RunError) -> String {
        match self.saved {
            Some((step, _)) if step > 0 => {
                format!("{error}. Step {step} is saved in {}; use --resume to continue from it.", self.folder.display())
            }
            _ => error.to_string(),
        }
    }
}
