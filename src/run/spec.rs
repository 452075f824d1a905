//! The description of a whole run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::policy::SNAPSHOT_SECONDS;
use crate::config::rules::Rules;
use crate::config::{ConfigError, RunConfig};
use crate::data::Task;
use crate::types::{BackendChoice, CorpusChoice};

/// Where the training text comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextSource {
    /// Stories from the built-in seeded generator.
    #[default]
    BuiltIn,
    /// Examples of a synthetic task, by its name.
    Task(Task),
    /// Text files.
    Files {
        /// Their paths.
        paths: Vec<PathBuf>,
        /// The text field of `.jsonl` files, or the column of `.parquet` files.
        field: String,
    },
}

impl TextSource {
    /// The same choice in a run's record.
    pub fn choice(&self) -> CorpusChoice {
        match self {
            Self::BuiltIn => CorpusChoice::BuiltIn,
            Self::Task(task) => CorpusChoice::Task(Task::ALL.iter().position(|other| other == task).unwrap_or(0)),
            Self::Files { .. } => CorpusChoice::File,
        }
    }
}

/// A whole run: what is trained on what, until when, and how often it is saved. Two runs of the same specification on the same
/// backend give the same losses to the bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Display name.
    #[serde(default)]
    pub name: String,
    /// Model and training. `vocab_size` is an upper bound: a short text has too few pairs to merge.
    pub config: RunConfig,
    /// The training text.
    #[serde(default)]
    pub text: TextSource,
    /// The backend.
    #[serde(default = "default_backend")]
    pub backend: BackendChoice,
    /// When the run ends, and how often it is evaluated. Without a rule it ends with the schedule.
    #[serde(default)]
    pub rules: Rules,
    /// Seconds between two saves.
    #[serde(default = "default_snapshot_seconds")]
    pub snapshot_seconds: f64,
    /// Whether samples are generated with every fifth evaluation.
    #[serde(default)]
    pub samples: bool,
}

fn default_backend() -> BackendChoice {
    BackendChoice::Auto
}

fn default_snapshot_seconds() -> f64 {
    SNAPSHOT_SECONDS
}

impl RunSpec {
    /// A run of this configuration on built-in stories that ends with its schedule, evaluated ten times.
    pub fn new(name: impl Into<String>, config: RunConfig) -> Self {
        let n_steps = config.train.schedule_steps;
        let rules =
            Rules { stop_steps: Some(n_steps), evaluate_every: Some(n_steps.div_ceil(10).max(1)), ..Rules::default() };
        Self {
            name: name.into(),
            config,
            text: TextSource::BuiltIn,
            backend: default_backend(),
            rules,
            snapshot_seconds: SNAPSHOT_SECONDS,
            samples: false,
        }
    }

    /// This run with `n` different seeds, starting with its own.
    pub fn seeds(&self, n: usize) -> Vec<Self> {
        let first = self.config.train.seed;
        let with_seed = |seed: u64| {
            let mut spec = self.clone();
            spec.config.train.seed = seed;
            spec
        };
        (first..).take(n).map(with_seed).collect()
    }

    /// Checks the configuration and the rules.
    ///
    /// # Errors
    /// The first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.config.validate()?;
        self.rules.validate()?;
        match self.snapshot_seconds >= 0.0 {
            true => Ok(()),
            false => Err(ConfigError::Domain {
                field: "snapshot_seconds",
                value: self.snapshot_seconds,
                domain: "at least 0",
            }),
        }
    }
}
