//! Evaluates exact match on a synthetic task from time to time during training.

use crate::data::{Task, Tokenizer};
use crate::train::exact_match::{SCORED_EXAMPLES, Score, answer};
use crate::train::trainer::{TrainError, Trainer};
use crate::types::RunId;
use crate::types::tasks::TaskAnswer;
use crate::wire::Event;
use crate::wire::data::DataEvent;

/// Number of answers shown on the page.
const SHOWN: usize = 6;

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
    examples: Vec<(String, String)>,
    /// Number of examples per batch.
    batch: usize,
    /// Steps done when the round started, and its answers so far.
    round: Option<(u64, Score)>,
    not_before: f64,
    /// Whether a round has finished, so that the page shows a score.
    shown: bool,
    /// Whether the shown score belongs to different weights at the same step.
    owed: bool,
}

impl TaskEvaluation {
    /// Evaluates held-out examples of `task`.
    pub fn new(task: Task, seed: u64) -> Self {
        let examples = task.examples(seed, SCORED_EXAMPLES);
        Self { examples, batch: FIRST_BATCH, round: None, not_before: 0.0, shown: false, owed: false }
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
        run: RunId,
        trainer: &mut Trainer,
        tokenizer: &Tokenizer,
        clock: &dyn Fn() -> f64,
    ) -> Result<Option<Event>, TrainError> {
        let began = clock();
        let (step, mut score) = self.round.take().unwrap_or_else(|| (trainer.step(), Score::default()));
        while score.answers.len() < self.examples.len() {
            let (rest, batch_began) = (&self.examples[score.answers.len()..], clock());
            let batch = &rest[..rest.len().min(trainer.max_texts(self.batch))];
            answer(trainer, tokenizer, batch).await?.into_iter().for_each(|answer| score.add(answer));
            let now = clock();
            if now - batch_began < PIECE_SECONDS / 2.0 {
                self.batch = (2 * self.batch).min(self.examples.len());
            }
            if now - began >= PIECE_SECONDS {
                break;
            }
        }
        let pause = PAUSE_FACTOR * (clock() - began);
        if score.answers.len() < self.examples.len() {
            (self.round, self.not_before) = (Some((step, score)), clock() + pause);
            return Ok(None);
        }
        self.not_before = clock() + pause.max(APART_SECONDS);
        (self.shown, self.owed) = (true, false);
        let (right, of) = (score.right, score.answers.len());
        let shown = score.answers.into_iter().take(SHOWN);
        let shown = shown.map(|a| TaskAnswer { prompt: a.prompt, expected: a.expected, written: a.written });
        Ok(Some(Event::Data(DataEvent::Score { run, step, right, of, shown: shown.collect() })))
    }
}
