//! Evaluates exact match on a synthetic task from time to time during training.

use super::clock::Clock;
use crate::data::{Task, Tokenizer};
use crate::train::exact_match::{EXAMPLES, ExactMatch, answer, exact_match};
use crate::train::trainer::{TrainError, Trainer};

/// Number of examples at the end of a run without a page.
const EXAMPLES_AT_END: usize = 500;

/// Approximate duration of a unit of work, in seconds, so that commands are handled without delay.
const PIECE_SECONDS: f64 = 0.08;

/// Size of the first batch; it doubles as long as a batch takes less than half of [`PIECE_SECONDS`].
const FIRST_BATCH: usize = 2;

/// Seconds of pause per second of evaluation: evaluation takes at most a tenth of the time.
const PAUSE_FACTOR: f64 = 9.0;

/// Minimum interval between the starts of two rounds.
const APART_SECONDS: f64 = 3.0;

/// The examples of a task, and the current round.
pub struct TaskEvaluation {
    task: Task,
    seed: u64,
    examples: Vec<(String, String)>,
    /// Number of examples per batch.
    batch: usize,
    /// Steps done when the round started, and its answers so far.
    round: Option<(u64, ExactMatch)>,
    not_before: f64,
    /// Whether a round has finished, so that the page shows a score.
    shown: bool,
    /// Whether the shown score belongs to different weights at the same step.
    owed: bool,
}

impl TaskEvaluation {
    /// Evaluates held-out examples of `task`.
    pub fn new(task: Task, seed: u64) -> Self {
        let examples = task.examples(seed, EXAMPLES);
        Self { task, seed, examples, batch: FIRST_BATCH, round: None, not_before: 0.0, shown: false, owed: false }
    }

    /// Restarts after a weight was edited, which invalidates the score.
    pub fn restart(&mut self) {
        (self.round, self.not_before, self.owed) = (None, 0.0, self.shown);
    }

    /// Whether the shown score has to be replaced, even while the run is paused.
    pub fn is_owed(&self) -> bool {
        self.owed
    }

    /// Whether work is due.
    pub fn is_due(&self, now: f64) -> bool {
        now >= self.not_before
    }

    /// Evaluates examples for a short time; returns the score at the end of a round. All steps must have been collected.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn work(
        &mut self,
        trainer: &mut Trainer,
        tokenizer: &Tokenizer,
        clock: &dyn Clock,
    ) -> Result<Option<(u64, ExactMatch)>, TrainError> {
        let began = clock.now();
        let (step, mut score) = self.round.take().unwrap_or_else(|| (trainer.step(), ExactMatch::default()));
        while score.answers.len() < self.examples.len() {
            let (rest, batch_began) = (&self.examples[score.answers.len()..], clock.now());
            let batch = &rest[..rest.len().min(trainer.max_texts(self.batch))];
            answer(trainer, tokenizer, batch).await?.into_iter().for_each(|answer| score.add(answer));
            let now = clock.now();
            if now - batch_began < PIECE_SECONDS / 2.0 {
                self.batch = (2 * self.batch).min(self.examples.len());
            }
            if now - began >= PIECE_SECONDS {
                break;
            }
        }
        let pause = PAUSE_FACTOR * (clock.now() - began);
        if score.answers.len() < self.examples.len() {
            (self.round, self.not_before) = (Some((step, score)), clock.now() + pause);
            return Ok(None);
        }
        self.not_before = clock.now() + pause.max(APART_SECONDS);
        (self.shown, self.owed) = (true, false);
        Ok(Some((step, score)))
    }

    /// Evaluates all examples, more of them at the end of a run.
    ///
    /// # Errors
    /// If the device failed.
    pub async fn whole(
        &self,
        trainer: &mut Trainer,
        tokenizer: &Tokenizer,
        last: bool,
    ) -> Result<ExactMatch, TrainError> {
        match last {
            true => exact_match(trainer, tokenizer, &self.task.examples(self.seed, EXAMPLES_AT_END)).await,
            false => exact_match(trainer, tokenizer, &self.examples).await,
        }
    }
}
