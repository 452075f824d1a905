//! What is said about several workers that share the batches of one run on the CPU backend: between the page and the
//! worker that owns the run, and between that one and its helpers.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;

/// More workers than this cost more in messages than they bring.
pub const MAX_WORKERS: usize = 16;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "workers", rename_all = "snake_case")]
pub enum WorkersCommand {
    /// From the page: share every batch between `n` workers from the next step on, and in later runs. Only the CPU
    /// backend does.
    Share {
        /// All workers, the one that owns the run among them.
        n: usize,
    },
    /// From the page: share every batch between as many workers as a short measurement finds useful, unless the run
    /// computes on a GPU. Until a run on the CPU begins, nothing is measured.
    Measure {
        /// The cores that the browser reports: the most workers there can be.
        reported: usize,
    },
    /// To a helper: compute in a window of time, in milliseconds since 1970, at the same time as the others.
    Spin {
        /// Distinguishes its answer from those to earlier orders.
        order: u32,
        /// When the window begins.
        from_ms: f64,
        /// When it ends.
        to_ms: f64,
    },
    /// To a helper: get ready for shards of `config.train.batch_size` sequences.
    Prepare {
        /// The run's model, and the training of a shard.
        config: Box<RunConfig>,
    },
    /// To a helper: the gradients of a shard. Parameters (f32, laid out by the table) and then the shard's windows of
    /// T + 1 tokens (u32) ride along.
    Gradients {
        /// Tells its answer from those to older orders.
        order: u32,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "workers", rename_all = "snake_case")]
pub enum WorkersEvent {
    /// To the page: so many workers compute now.
    Computing {
        /// All of them.
        n: usize,
    },
    /// To the page: how many workers the measurement chose, of those reported.
    Measured {
        /// All of them.
        n: usize,
    },
    /// From a helper: the rounds that it did.
    Spun {
        /// Of the command.
        order: u32,
        /// Their number.
        rounds: u64,
    },
    /// From a helper: the gradients of the shard (f32, laid out by the table) and then its mean loss ride along.
    Gradients {
        /// Of the command.
        order: u32,
    },
}
