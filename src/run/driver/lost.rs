//! What remains of a run whose device is lost, and how it continues on another one.

use super::snapshots::Past;
use super::{Driver, Mode};
use crate::run::observer::Observer;
use crate::run::recovery::LostRun;
use crate::train::trainer::Trainer;

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
