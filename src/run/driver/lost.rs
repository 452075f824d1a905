//! What remains of a run whose device is lost, and how it continues on another one.

use std::rc::Rc;

use super::observer::Observer;
use super::snapshots::Past;
use super::{Driver, Mode};
use crate::config::RunConfig;
use crate::config::rules::Rules;
use crate::data::Tokenizer;
use crate::run::clock::SharedClock;
use crate::run::policy::Policy;
use crate::run::record::{self, RunFile};
use crate::run::task_evaluation::TaskEvaluation;
use crate::train::checkpoint::CheckpointError;
use crate::train::trainer::Trainer;
use crate::types::History;
use crate::types::runs::{CheckpointInfo, CorpusRecord};

/// Everything of a run that was not on its device.
pub struct LostRun {
    /// The run's configuration.
    pub config: RunConfig,
    /// The tokenizer of the run's tokens.
    pub tokenizer: Rc<Tokenizer>,
    /// The training text; `None` for a run that cannot be saved.
    pub corpus: Option<CorpusRecord>,
    past: Past,
    history: History,
    seconds: f64,
    training: bool,
    name: String,
    rules: Rules,
    task: Option<TaskEvaluation>,
    policy: Policy,
    clock: SharedClock,
    resumed_at: Option<u64>,
}

impl LostRun {
    /// Steps done in the latest snapshot.
    pub fn step(&self) -> u64 {
        self.past.state.step
    }

    /// The latest snapshot as one file; `None` without a record of the training text.
    ///
    /// # Errors
    /// If serialization fails.
    pub fn file(&self) -> Result<Option<(CheckpointInfo, Vec<u8>)>, CheckpointError> {
        let Self { config, tokenizer, past, name, history, .. } = self;
        let Some(corpus) = &self.corpus else { return Ok(None) };
        let file = RunFile { config, tokenizer, state: &past.state, name, corpus, history };
        Ok(Some((file.info(), record::to_bytes(&file)?)))
    }
}

impl Driver {
    /// Everything that was not on the device, with the state of the latest snapshot.
    pub fn into_lost(mut self) -> LostRun {
        let config = self.config();
        let past = match &self.search {
            Some(search) => Past { state: search.before().clone(), evaluated_at: self.evaluated_at },
            None => self.past(),
        };
        let mut history = self.history;
        history.cut_after(past.state.step);
        LostRun {
            config,
            tokenizer: self.tokenizer,
            corpus: self.corpus,
            past,
            history,
            seconds: self.seconds,
            training: self.mode == Mode::Training,
            name: self.name,
            rules: self.rules,
            task: self.task,
            policy: self.snapshots.policy(self.policy),
            clock: self.clock,
            resumed_at: self.resumed_at,
        }
    }

    /// Continues a lost run from its latest snapshot on a new trainer.
    pub(in crate::run) fn continue_lost<O: Observer>(run: LostRun, trainer: Trainer, observer: &mut O) -> Self {
        let mut driver = Self::new(trainer, run.tokenizer, run.policy, run.clock);
        let evaluated_at = run.past.evaluated_at;
        driver.evaluated_at = evaluated_at;
        driver.resume(run.past.state, run.history, run.seconds);
        (driver.name, driver.corpus, driver.rules, driver.task) = (run.name, run.corpus, run.rules, run.task);
        (driver.evaluated_at, driver.resumed_at) = (evaluated_at, run.resumed_at);
        observer.went_back(driver.steps_done, &driver.trainer.config().train);
        if run.training {
            driver.train(observer);
        }
        driver
    }
}
