//! Runs a stage to its end, and saves it in a folder.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::super::sentence;
use super::record::{FIELD, Record};
use super::{AlignArgs, Report};
use crate::config::RunConfig;
use crate::run::stage::{StageDriver, WhyEnded};
use crate::train::align::RunError;
use crate::train::checkpoint::{self, rotation};

pub(super) struct Session {
    driver: StageDriver,
    /// The configuration to save: the model's, without the batch size that only the rows of an update need.
    config: RunConfig,
    record: Record,
    report: Report,
    folder: PathBuf,
    every: Duration,
    /// The latest saved step, and when it was saved.
    saved: (u64, Instant),
}

impl Session {
    /// # Errors
    /// When the folder is not writable, or the interval between saves is invalid.
    pub fn new(
        args: &AlignArgs,
        driver: StageDriver,
        config: RunConfig,
        record: Record,
        report: Report,
    ) -> Result<Self, String> {
        rotation::check_folder(&args.out).map_err(sentence)?;
        let every = Duration::try_from_secs_f64(args.save_every)
            .map_err(|_| format!("--save-every is {}; expected a number of seconds, such as 30", args.save_every))?;
        let saved = (driver.step(), Instant::now());
        Ok(Self { driver, config, record, report, folder: args.out.clone(), every, saved })
    }

    /// Trains until the last update, or until enough prompts are answered.
    pub async fn train(mut self) -> Result<(), String> {
        while self.driver.work(&mut self.report).await.map_err(|error| self.failed(&error))? {
            self.report.failure()?;
            let due = self.saved.1.elapsed() >= self.every && self.driver.step() > self.saved.0;
            if due && self.driver.at_boundary() {
                self.save().await?;
            }
        }
        self.report.failure()?;
        self.save().await?;
        let why = match self.driver.ended() {
            Some(WhyEnded::Exact(share)) => format!("{share} of the held-out prompts are right"),
            _ => format!("{} updates are done", self.driver.step()),
        };
        self.report.end(&why, &self.folder);
        Ok(())
    }

    async fn save(&mut self) -> Result<(), String> {
        let state = self.driver.trainer.state().await.map_err(sentence)?;
        let extra = Some((FIELD, self.record.to_json()));
        let tokenizer = self.driver.run.tokenizer();
        let bytes = checkpoint::to_bytes(&self.config, tokenizer, &state, extra).map_err(sentence)?;
        rotation::save(&self.folder, &bytes)
            .map_err(|error| format!("step {} is not saved: {error}; make room and use --resume", state.step))?;
        self.saved = (state.step, Instant::now());
        Ok(())
    }

    /// The message for a run that cannot go on.
    fn failed(&self, error: &RunError) -> String {
        match self.saved.0 {
            0 => error.to_string(),
            step => {
                format!("{error}. Step {step} is saved in {}; use --resume to continue from it.", self.folder.display())
            }
        }
    }
}
