//! Messages about the effect of a filter: small models, trained on texts that differ in their filters alone. Each job has a worker
//! of its own.

use serde::{Deserialize, Serialize};

/// Commands to the worker of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum EffectCommand {
    /// Train one model on the CPU. The text is attached; documents are separated by `<|endoftext|>`. Emits
    /// [`EffectEvent::Point`]s, then [`EffectEvent::Done`].
    Train {
        /// The job, repeated in the events.
        job: u32,
        /// The number of training steps.
        steps: u64,
        /// The seed of weights and batches.
        seed: u64,
        /// The length of the training text in bytes; the held-out text follows it, or is made of built-in stories if there is
        /// none.
        train_bytes: usize,
    },
}

/// Events of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum EffectEvent {
    /// The job's latest training loss.
    Point {
        /// The job.
        job: u32,
        /// Steps done.
        step: u64,
        /// Mean cross-entropy of the batch, in nats per byte.
        loss: f32,
    },
    /// The job is complete.
    Done {
        /// The job.
        job: u32,
        /// The mean cross-entropy on the held-out text, in nats per byte.
        held_out: f32,
        /// What the model writes.
        sample: String,
    },
    /// The job cannot be carried out.
    Problem {
        /// The job.
        job: u32,
        /// What happened and what to do.
        message: String,
    },
}
