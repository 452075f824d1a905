//! Profile of a training step, by kernel.

use serde::{Deserialize, Serialize};

use crate::types::profile::Profile;

/// Profiling commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "snake_case")]
pub enum ProfileCommand {
    /// Time one step of the run, without changing it. Replies with one [`ProfileEvent`].
    Measure,
}

/// Profiling events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "snake_case")]
pub enum ProfileEvent {
    /// The step was timed.
    Measured(Box<Profile>),
    /// The step cannot be timed.
    Unavailable {
        /// The reason.
        reason: String,
    },
}
