//! Alignment runs: supervised fine-tuning on responses, expert iteration, policy gradients and preference optimization.
//!
//! [`Settings`] say what a run does, [`Examples`] serve its prompts, [`rollouts`] samples and grades responses, and
//! [`AlignRun`] makes one update after the other. Everything that an update draws depends only on the seed and the number of
//! updates, so a run that is resumed where [`AlignRun::at_boundary`] holds repeats to the bit on the CPU.

mod examples;
mod find_pairs;
pub mod inspect;
mod metrics;
mod pairs;
pub mod rollouts;
mod run;
mod settings;
mod source;
pub mod update;

pub use examples::{Example, Examples, Pair};
pub use metrics::{Evaluation, Metrics, StepReport};
pub use run::AlignRun;
pub use settings::{AggregationKind, SettingError, Settings, Stage};

use thiserror::Error;

use super::trainer::TrainError;
use crate::align::AlignError;

/// Why an alignment run cannot continue.
#[derive(Debug, Error, PartialEq)]
pub enum RunError {
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Rows or settings are invalid.
    #[error(transparent)]
    Align(#[from] AlignError),
    /// A setting does not fit the model or the data.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A round of expert iteration found no right response.
    #[error(
        "None of {samples} sampled responses was right, so there is nothing to learn from. Begin with a model that answers some \
         prompts, for example after align sft, or sample more with group_size."
    )]
    NoneRight {
        /// Number of sampled responses.
        samples: usize,
    },
    /// No pair of a right and a wrong response was found.
    #[error(
        "None of {prompts} prompts had both a right and a wrong response, so there are no pairs to learn from. Choose a model \
         that answers some of the prompts."
    )]
    NoPairs {
        /// Number of prompts.
        prompts: usize,
    },
}
