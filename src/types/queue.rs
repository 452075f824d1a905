//! Runs of a queue: what one of them is, and how it ends.

use serde::{Deserialize, Serialize};

use super::{BackendChoice, CorpusChoice};
use crate::config::{MAX_STEPS, RunConfig, Schedule};

/// Maximum number of ends of one run.
pub const MAX_ENDS: usize = 100;

/// The training text of a queued run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueText {
    /// The text that a run with this choice and configuration would be trained on. Runs that are compared share `asked`, so that
    /// they share the text.
    Corpus {
        /// The choice.
        choice: CorpusChoice,
        /// Its seed and its size depend on this configuration.
        asked: Box<RunConfig>,
    },
    /// A text that the page has sent before, by its name.
    Stored {
        /// The name.
        name: String,
        /// The stored text that is held out instead of the end of the training text.
        held_out: Option<String>,
    },
}

/// A run of a queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedRun {
    /// Unique in the queue; letters, digits and `+-._`.
    pub id: String,
    /// The list that it belongs to, such as a sweep. Runs of a list that differ only in their seeds are one series.
    pub list: String,
    /// Display name.
    pub name: String,
    /// Model and training.
    pub config: RunConfig,
    /// The training text.
    pub text: QueueText,
    /// The backend.
    pub backend: BackendChoice,
    /// Numbers of steps at which a schedule ends, in ascending order. There are several only with the WSD schedule: each decay
    /// starts from the same constant phase.
    pub ends: Vec<u64>,
    /// Steps between evaluations of the held-out loss; `None` evaluates at the beginning and at each end.
    pub evaluate_every: Option<u64>,
    /// Seconds of training and evaluation, of all sessions, after which the run is stopped.
    pub max_seconds: Option<f64>,
    /// Training tokens that are different; they are repeated. `None` does not limit them.
    pub unique_tokens: Option<usize>,
}

impl QueuedRun {
    /// Steps of the constant phase and of all decays.
    pub fn total_steps(&self) -> u64 {
        let decays = self.ends.iter().map(|&end| end - branch(&self.config, &self.ends, end));
        decays.sum::<u64>() + self.ends.last().map_or(0, |&end| branch(&self.config, &self.ends, end))
    }

    /// Why the run cannot be trained. Queues are stored, and other programs may have changed them.
    pub fn problem(&self) -> Option<String> {
        let named = (1..=120).contains(&self.id.len()) && !self.id.starts_with(['-', '.']);
        if !named || !self.id.chars().all(|c| c.is_ascii_alphanumeric() || "+-._".contains(c)) {
            return Some("its id is not a name of up to 120 letters, digits, +, -, . and _".into());
        }
        let ascending = self.ends.windows(2).all(|pair| pair[0] < pair[1]);
        let in_range = self.ends.iter().all(|end| (1..=MAX_STEPS).contains(end));
        if !ascending || !in_range || !(1..=MAX_ENDS).contains(&self.ends.len()) {
            return Some("its numbers of steps are not in ascending order".into());
        }
        if self.ends.len() > 1 && self.config.train.schedule != Schedule::Wsd {
            return Some("only the WSD schedule can end several times".into());
        }
        self.config.validate().err().map(|error| error.to_string())
    }

    /// Whether two runs differ only in seed, name and id.
    pub fn same_but_seed(&self, other: &Self) -> bool {
        let plain = |run: &Self| {
            let mut run = run.clone();
            (run.id, run.name, run.config.train.seed) = (String::new(), String::new(), 0);
            if let QueueText::Corpus { asked, .. } = &mut run.text {
                asked.train.seed = 0;
            }
            run
        };
        plain(self) == plain(other)
    }
}

/// The step at which the schedule that ends at `end` leaves the constant phase; `end` if no other schedule continues from it.
pub fn branch(config: &RunConfig, ends: &[u64], end: u64) -> u64 {
    if ends.len() > 1 { config.train.constant_until(end) } else { end }
}

/// The loss at an end of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reached {
    /// Steps of the schedule.
    pub step: u64,
    /// Held-out loss, in nats per token.
    pub loss: f64,
}

/// How far a run is. It is stored with the run's checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The ends that were reached.
    pub reached: Vec<Reached>,
    /// Seconds of training and evaluation, of all sessions.
    pub seconds: f64,
    /// Mean length of a held-out token in bytes, once known: losses of different vocabularies are compared per byte.
    #[serde(default)]
    pub bytes_per_token: Option<f64>,
}

/// How a queued run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueEnd {
    /// All ends were reached.
    Done,
    /// The loss became non-finite, or ended above that of a uniform guess.
    Diverged,
    /// Stopped, because it took longer than allowed.
    Overtime,
    /// It could not begin or continue.
    Failed {
        /// What happened.
        message: String,
    },
}
