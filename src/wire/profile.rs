//! Profile of a training step: its kernels, its timeline, its memory, and the rounding of its tensors.

use serde::{Deserialize, Serialize};

use crate::systems::memory::MemoryTimeline;
use crate::systems::precision::Histogram;
use crate::systems::trace::Trace;
use crate::types::profile::Profile;

/// Profiling commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "snake_case")]
pub enum ProfileCommand {
    /// Time one step of the run, without changing it. Replies with [`ProfileEvent::Timeline`] and [`ProfileEvent::Measured`], or
    /// with [`ProfileEvent::Unavailable`].
    Measure,
    /// Round a tensor to 16 bits. Replies with [`ProfileEvent::Rounded`], or with nothing for an unknown tensor.
    Round {
        /// Name of the tensor, one of [`ProfileEvent::Timeline`]'s.
        tensor: String,
        /// Factor of its values, as loss scaling applies it.
        scale: f32,
    },
}

/// Profiling events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "profile", rename_all = "snake_case")]
pub enum ProfileEvent {
    /// The step's timeline and memory.
    Timeline {
        /// Host and device over time.
        trace: Box<Trace>,
        /// Memory over the dispatches.
        memory: Box<MemoryTimeline>,
        /// Tensors that can be rounded.
        tensors: Vec<String>,
    },
    /// The step was timed.
    Measured(Box<Profile>),
    /// A tensor was rounded.
    Rounded {
        /// Name of the tensor.
        tensor: String,
        /// The factor of its values.
        scale: f32,
        /// Its magnitudes, and what 16 bits make of them.
        histogram: Box<Histogram>,
    },
    /// The step cannot be timed.
    Unavailable {
        /// The reason.
        reason: String,
    },
}
