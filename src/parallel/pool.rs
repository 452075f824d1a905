//! The interface of a pool of workers.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use thiserror::Error;

use super::shard::ShardGradients;
use crate::config::RunConfig;

/// Why a helper does not return gradients.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PoolError {
    /// It did not start.
    #[error("the browser did not start it")]
    NotStarted,
    /// There are fewer helpers.
    #[error("it is not there")]
    Missing,
    /// Its program ended.
    #[error("it stopped unexpectedly")]
    Stopped,
    /// Its reply is overdue.
    #[error("it has not answered for too long")]
    Overdue,
    /// It was stopped by this program.
    #[error("it was sent away")]
    Dismissed,
    /// Its reply contains no gradients.
    #[error("it answered without numbers")]
    Empty,
    /// Its reply has another length than the model.
    #[error("a helper sent {got} gradients for {expected} parameters")]
    Length {
        /// Number of gradients received.
        got: usize,
        /// Number of parameters.
        expected: usize,
    },
    /// It reported an error.
    #[error("{0}")]
    Failed(String),
}

/// The gradients of a shard and its mean loss, or why a helper did not return them.
pub type Answer = Pin<Box<dyn Future<Output = Result<ShardGradients, PoolError>>>>;

/// Number of rounds completed by each worker.
pub type Rounds = Pin<Box<dyn Future<Output = Vec<u64>>>>;

/// A pool of instances of this program that compute shards.
pub trait WorkerPool {
    /// Starts helpers in advance until there are `n`.
    fn call(&mut self, n: usize);

    /// Makes this instance and `n − 1` helpers compute during the same `ms` milliseconds.
    fn spin(&mut self, n: usize, ms: u32) -> Rounds;

    /// Prepares one helper for each of `sizes`, the numbers of sequences per shard.
    ///
    /// # Errors
    /// If there are fewer helpers.
    fn prepare(&mut self, config: &RunConfig, sizes: &[usize]) -> Result<(), PoolError>;

    /// Sends the parameters and the windows of a shard to helper `helper`.
    fn send(&mut self, helper: usize, params: &[f32], windows: &[u32]);

    /// The helper's result. The future always resolves, with an error after a timeout.
    fn receive(&mut self, helper: usize) -> Answer;
}

/// A worker pool that a session shares with its run.
pub type SharedPool = Rc<RefCell<dyn WorkerPool>>;
