//! Why training on ranks failed.

use thiserror::Error;

use super::super::replica::ReplicaError;
use super::super::transport::TransportError;

/// Why training on ranks failed.
#[derive(Debug, Error)]
pub enum RankError {
    /// The batch cannot be divided.
    #[error(
        "a batch of {batch_size} sequences cannot be shared by {ranks} ranks; choose a batch_size that {ranks} divides"
    )]
    Uneven {
        /// B
        batch_size: usize,
        /// N
        ranks: usize,
    },
    /// The run has a setting that ranks do not support.
    #[error("training on ranks supports {what}; change {field}")]
    Unsupported {
        /// The supported values.
        what: &'static str,
        /// The field.
        field: &'static str,
    },
    /// The model does not fit.
    #[error(transparent)]
    Replica(#[from] ReplicaError),
    /// A link failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A rank's thread panicked.
    #[error("a rank has ended unexpectedly")]
    Ended,
}
