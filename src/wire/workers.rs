//! Messages for sharing the batches of a run between several workers on the CPU backend: between the page and the worker that
//! owns the run, and between that worker and its helpers.

use serde::{Deserialize, Serialize};

use crate::config::RunConfig;

/// Commands about workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "workers", rename_all = "snake_case")]
pub enum WorkersCommand {
    /// From the page: share every batch between `n` workers from the next step on, and in later runs. CPU backend only.
    Share {
        /// Number of workers, including the one that owns the run.
        n: usize,
    },
    /// From the page: share every batch between as many workers as a short measurement finds useful, unless the run uses a GPU.
    /// The measurement is deferred until a run on the CPU starts.
    Measure {
        /// Number of cores reported by the browser: the maximum number of workers.
        reported: usize,
    },
    /// To a helper: compute during a time window, in milliseconds since 1970, concurrently with the other workers.
    Spin {
        /// Request id, repeated in the reply.
        order: u32,
        /// Start of the window.
        from_ms: f64,
        /// End of the window.
        to_ms: f64,
    },
    /// To a helper: prepare for shards of `config.train.batch_size` sequences.
    Prepare {
        /// The run's model and the training settings of a shard.
        config: Box<RunConfig>,
    },
    /// To a helper: compute the gradients of a shard. Attached: the parameters (f32, in the order of the parameter table), then
    /// the shard's windows of T + 1 tokens (u32).
    Gradients {
        /// Request id, repeated in the reply.
        order: u32,
    },
}

/// Events about workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "workers", rename_all = "snake_case")]
pub enum WorkersEvent {
    /// To the page: the number of workers in use.
    Computing {
        /// Number of workers, including the one that owns the run.
        n: usize,
    },
    /// To the page: the number of workers chosen by the measurement.
    Measured {
        /// Number of workers, including the one that owns the run.
        n: usize,
    },
    /// From a helper: the number of completed rounds.
    Spun {
        /// Id of the request.
        order: u32,
        /// Number of rounds.
        rounds: u64,
    },
    /// From a helper: the gradients of the shard (f32, in the order of the parameter table), then its mean loss, are attached.
    Gradients {
        /// Id of the request.
        order: u32,
    },
}
