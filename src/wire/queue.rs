//! Messages about queued runs: the page keeps the queue and sends one run after the other; the worker trains it next to the run
//! that the page shows.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;
use crate::types::queue::{Progress, QueueEnd, QueuedRun};
use crate::types::{BackendChoice, StepPoint, Token, ValidationPoint};

/// Commands about queued runs, sent within [`Command::Queue`](super::Command::Queue).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueCommand {
    /// Store the attached text under a name, for [`QueueText::Stored`](crate::types::queue::QueueText::Stored).
    Text {
        /// The name.
        name: String,
    },
    /// Train a run, from the attached checkpoint if there is one. Ends with [`QueueEvent::Stopped`] or [`QueueEvent::Ended`].
    Run {
        /// The run.
        run: Box<QueuedRun>,
        /// What an earlier session has reached.
        progress: Progress,
    },
    /// Save and stop the run that is being trained. Also ends a measurement.
    Stop,
    /// Measure the tokens per second of these models. Replies with one [`QueueEvent::Measured`] each.
    Measure {
        /// The models.
        configs: Vec<RunConfig>,
        /// The backend.
        backend: BackendChoice,
    },
    /// Compute the attention maps of the model in the attached checkpoint. Replies with [`QueueEvent::Maps`].
    Maps {
        /// The run's id.
        id: String,
        /// The sentence.
        sentence: String,
    },
}

/// Events about queued runs, emitted within [`Event::Queue`](super::Event::Queue).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueEvent {
    /// A run begins or continues.
    Began {
        /// The run's id.
        id: String,
        /// The step of the checkpoint from which it continues; 0 for a new run.
        step: u64,
        /// Name of the device.
        device: String,
    },
    /// Steps were done.
    Steps {
        /// The run's id.
        id: String,
        /// The steps since the last event, in order.
        points: Vec<StepPoint>,
        /// Held-out losses since the last event.
        validation: Vec<ValidationPoint>,
        /// Seconds of all sessions.
        seconds: f64,
    },
    /// The losses of steps after `step` are void: another decay starts from there.
    WentBack {
        /// The run's id.
        id: String,
        /// The last step that counts.
        step: u64,
    },
    /// A checkpoint, which is attached.
    Saved {
        /// The run's id.
        id: String,
        /// Steps done.
        step: u64,
        /// What has been reached.
        progress: Progress,
    },
    /// The run was stopped; its checkpoint was reported before.
    Stopped {
        /// The run's id.
        id: String,
        /// What has been reached.
        progress: Progress,
    },
    /// The run has ended.
    Ended {
        /// The run's id.
        id: String,
        /// How.
        end: QueueEnd,
        /// What was reached.
        progress: Progress,
    },
    /// The speed of a model.
    Measured {
        /// The model.
        config: Box<RunConfig>,
        /// Tokens per second; `None` if it cannot be trained.
        tokens_per_s: Option<f64>,
        /// Why it cannot be trained.
        problem: Option<String>,
    },
    /// Attention maps of a run's model, as in [`Event::Attention`](super::Event::Attention); the weights are attached.
    Maps {
        /// The run's id.
        id: String,
        /// The tokens of the sentence.
        tokens: Vec<Token>,
        /// L.
        n_layers: usize,
        /// H.
        n_heads: usize,
        /// What went wrong, if nothing is attached.
        problem: Option<String>,
    },
}
