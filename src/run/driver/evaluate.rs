//! Evaluations, the task's examples, and samples.

use super::observer::{Evaluation, Observer, TaskScore, Work};
use super::{CHUNK_SECONDS, Driver};
use crate::run::task_evaluation::TaskEvaluation;
use crate::train::generate::writer::Writer;
use crate::train::trainer::TrainError;
use crate::types::{Sampling, ValidationPoint};

/// Number of evaluations between two saves and two samples of an unattended run.
const EVALUATIONS_PER_SAVE: u64 = 5;

/// Lengths of samples, in tokens, of an interactive run and of an unattended one.
const SAMPLE_TOKENS: [usize; 2] = [60, 80];

impl Driver {
    /// Whether an unattended run evaluates now: at its beginning, at the intervals of the rules, and when a rule ends it.
    pub(super) fn evaluation_is_due(&self) -> bool {
        let due = self.rules.evaluation_due(self.steps_done) || self.rules.reached(&self.standing()).is_some();
        self.val_loss_is_missing() || self.evaluated_at != Some(self.steps_done) && due || self.is_over()
    }

    fn val_loss_is_missing(&self) -> bool {
        self.evaluated_at.is_none()
    }

    /// Whether a run that has been evaluated has reached a stop rule.
    fn is_over(&self) -> bool {
        self.evaluated_at == Some(self.steps_done) && self.rules.reached(&self.standing()).is_some()
    }

    /// Evaluates an unattended run; periodically and at the end, it also saves and generates a sample. At the beginning it only
    /// evaluates. No steps may be in flight.
    pub(super) async fn evaluate_and_save<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        let step = self.steps_done;
        if self.is_over() {
            // The device was lost after the last evaluation.
            self.stop_by_rule(observer);
            return Ok(());
        }
        let begins = self.val_loss_is_missing();
        observer.before(Work::Evaluate, step);
        let loss = self.trainer.evaluate().await?;
        self.evaluated = Some((self.trainer.weights_version(), loss));
        let standing = crate::config::rules::Standing { val_loss: Some(loss), ..self.standing() };
        let last = self.rules.reached(&standing).is_some();
        if let Some(task) = self.task.as_ref().filter(|_| !begins) {
            observer.before(Work::Score, step);
            let result = task.whole(&mut self.trainer, &self.tokenizer, last).await?;
            observer.task_evaluated(TaskScore::new(step, &result));
        }
        let point = ValidationPoint { step, loss };
        let scheduled = last || !begins || self.resumed_at.is_none() || self.rules.evaluation_due(step);
        if scheduled {
            self.history.extend(&[], &[point]);
        }
        observer.evaluated(Evaluation { point, seconds: self.seconds, last, scheduled });
        self.evaluated_at = Some(step);
        let every = self.rules.evaluate_every.unwrap_or(1).max(1);
        // Saved even if the run was already finished when resumed, because its folder may be a new one.
        if last || !begins && (step / every).is_multiple_of(EVALUATIONS_PER_SAVE) {
            self.save_now(observer).await?;
            if self.policy.samples {
                self.write_whole_sample(observer).await?;
            }
        }
        if last {
            self.stop_by_rule(observer);
        }
        Ok(())
    }

    async fn write_whole_sample<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        observer.before(Work::Sample, self.steps_done);
        let mut writer = self.sample_of(SAMPLE_TOKENS[1]);
        while !writer.done() {
            writer.write(&mut self.trainer).await?;
        }
        observer.sample(self.steps_done, &writer.text(&self.tokenizer));
        Ok(())
    }

    fn sample_of(&self, max_tokens: usize) -> Writer {
        let sampling = Sampling { max_tokens, seed: self.trainer.step(), ..Sampling::default() };
        Writer::new(&self.tokenizer, "", sampling)
    }

    /// What an interactive run does between its chunks of steps.
    pub(super) async fn show_regularly<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        if observer.inspects_now(true) {
            self.settle(observer).await?;
            observer.at_rest(self).await?;
        }
        let by_clock = self.rules.evaluate_every.is_none() && self.now() >= self.evaluation.not_before;
        if by_clock || self.rules.evaluation_due(self.trainer.step()) && self.known_loss().is_none() {
            self.settle(observer).await?;
            let began = self.now();
            self.evaluate(observer).await?;
            self.evaluation.done(began, self.now());
        }
        if self.task.as_ref().is_some_and(|task| task.is_due(self.now())) {
            self.settle(observer).await?;
            self.evaluate_task(observer).await?;
        }
        if self.policy.samples && self.now() >= self.sample.not_before {
            self.write_sample(observer).await?;
        }
        Ok(())
    }

    async fn evaluate_task<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        let Some(task) = &mut self.task else { return Ok(()) };
        if let Some((step, result)) = task.work(&mut self.trainer, &self.tokenizer, &*self.clock).await? {
            observer.task_evaluated(TaskScore::new(step, &result));
        }
        Ok(())
    }

    /// After a weight was edited in a paused run: updates its held-out loss, its exact-match score, and its snapshot.
    pub(super) async fn evaluate_edited<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        if std::mem::take(&mut self.edited) {
            self.settle(observer).await?;
            self.evaluate(observer).await?;
            self.save_at_pause(observer).await?;
        }
        if self.task.as_ref().is_some_and(TaskEvaluation::is_owed) {
            self.evaluate_task(observer).await?;
        }
        Ok(())
    }

    /// Records that a weight was edited.
    pub(crate) fn weight_edited(&mut self) {
        self.edited = true;
        self.task.iter_mut().for_each(TaskEvaluation::restart);
    }

    /// The held-out loss of the current weights, if it has been computed.
    pub(crate) fn known_loss(&self) -> Option<f32> {
        let version = self.trainer.weights_version();
        self.evaluated.filter(|(of, _)| *of == version).map(|(_, loss)| loss)
    }

    /// Evaluates the model, unless these weights have been evaluated already. No steps may be in flight.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn evaluate<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        if self.known_loss().is_none() {
            let loss = self.trainer.evaluate().await?;
            let point = ValidationPoint { step: self.trainer.step(), loss };
            self.evaluated = Some((self.trainer.weights_version(), loss));
            self.evaluated_at = Some(point.step);
            self.history.extend(&[], &[point]);
            observer.evaluated(Evaluation { point, seconds: self.seconds, last: false, scheduled: true });
        }
        Ok(())
    }

    /// Generates a few tokens of the sample; the rest follows between later chunks.
    async fn write_sample<O: Observer>(&mut self, observer: &mut O) -> Result<(), TrainError> {
        let sample = self.sample_writer.take();
        let (step, mut writer) = sample.unwrap_or_else(|| (self.trainer.step(), self.sample_of(SAMPLE_TOKENS[0])));
        self.settle(observer).await?;
        let began = self.now();
        while !writer.done() && self.now() - began < CHUNK_SECONDS {
            writer.write(&mut self.trainer).await?;
        }
        observer.sample_tokens(step, &writer.written(&self.tokenizer));
        if writer.done() {
            observer.sample(step, &writer.text(&self.tokenizer));
            self.sample.done(began, self.now());
        } else {
            // The pause is three times as long as generating these tokens took.
            self.sample.not_before = self.now() + 3.0 * (self.now() - began);
            self.sample_writer = Some((step, writer));
        }
        Ok(())
    }
}
