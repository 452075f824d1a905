//! Shards of a batch: their sizes, their gradients, and the helper that computes them.

use thiserror::Error;

use crate::config::ConfigError;
use crate::config::RunConfig;
use crate::gpu::context::DeviceLimits;
use crate::gpu::interpret::CpuBackend;
use crate::gpu::recording::Recording;
use crate::model::memory::{MemoryError, MemoryPlan};
use crate::model::params::ParamTable;
use crate::model::transformer::Transformer;
use crate::ops::rope::cos_sin_table;
use crate::ops::step::Step;

/// Why a shard cannot be prepared or computed.
#[derive(Debug, Error, PartialEq)]
pub enum ShardError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device cannot hold the model.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The data does not match the shard.
    #[error("a shard of {params} parameters and {tokens} tokens was given {given_params} and {given_tokens}")]
    Lengths {
        /// Number of the shard's parameters.
        params: usize,
        /// Number of its tokens.
        tokens: usize,
        /// Number of parameters received.
        given_params: usize,
        /// Number of tokens received.
        given_tokens: usize,
    },
    /// No model has been prepared.
    #[error("a shard came before its model")]
    NoModel,
    /// The message ends before its parameters do.
    #[error("the message of a shard is cut off")]
    CutOff,
}

/// The result of a shard.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardGradients {
    /// Gradients of the mean loss, in the order of the parameter table.
    pub grads: Vec<f32>,
    /// The mean loss.
    pub loss: f32,
}

impl ShardGradients {
    /// Serializes the gradients, then the loss, in little-endian order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = bytemuck::cast_slice(&self.grads).to_vec();
        bytes.extend_from_slice(bytemuck::bytes_of(&self.loss));
        bytes
    }

    /// Parses the output of [`ShardGradients::to_bytes`]; `None` if it does not contain a loss.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut grads: Vec<f32> = bytemuck::pod_collect_to_vec(bytes.get(..bytes.len() / 4 * 4)?);
        let loss = grads.pop()?;
        Some(Self { grads, loss })
    }
}

/// Splits a batch into shards for at most `n` workers: as evenly as possible, larger shards first, none empty.
pub fn shard_sizes(batch_size: usize, n: usize) -> Vec<usize> {
    let n = n.clamp(1, batch_size.max(1));
    (0..n).map(|shard| batch_size / n + usize::from(shard < batch_size % n)).collect()
}

/// The configuration of a shard of `size` sequences.
pub fn shard_config(config: &RunConfig, size: usize) -> RunConfig {
    let mut config = config.clone();
    (config.train.batch_size, config.train.accumulation_steps) = (size, 1);
    config
}

/// Computes the gradients of shards of one size on the CPU.
pub struct Shard {
    plan: MemoryPlan,
    backend: CpuBackend,
    gradients: Recording,
    /// T + 1
    window: usize,
}

impl Shard {
    /// Creates a shard of `config.train.batch_size` sequences.
    ///
    /// # Errors
    /// If the configuration is invalid or too large.
    pub fn new(config: &RunConfig) -> Result<Self, ShardError> {
        config.validate()?;
        let (table, model) = (ParamTable::new(&config.model), &config.model);
        let plan = MemoryPlan::new(config, &table, 1, 1);
        plan.check(config, DeviceLimits::CPU)?;
        let backend = CpuBackend::new(&plan.buffers);
        let rope = cos_sin_table(model.context_length, model.d_head(), model.rope_theta);
        backend.write(plan.cos_sin, bytemuck::cast_slice(&rope));
        let positions: Vec<u32> = (0..plan.position_ids.len).map(|row| (row % model.context_length) as u32).collect();
        backend.write(plan.position_ids, &positions);
        // The loss is always written to the first slot of the ring, replacing the previous one.
        let step = Step { weight: 1.0, first: 1, ..bytemuck::Zeroable::zeroed() };
        backend.write(plan.step, bytemuck::cast_slice(&[step]));
        let gradients = Transformer { config, table: &table, plan: &plan }.gradients();
        Ok(Self { gradients, backend, window: model.context_length + 1, plan })
    }

    /// Loss and gradients of the model with the given parameters on windows of T + 1 tokens.
    ///
    /// # Errors
    /// If the lengths do not match the shard.
    pub fn gradients(&mut self, params: &[f32], windows: &[u32]) -> Result<ShardGradients, ShardError> {
        let n_tokens = self.plan.targets.len / (self.window - 1) * self.window;
        if params.len() != self.plan.params.len || windows.len() != n_tokens {
            return Err(ShardError::Lengths {
                params: self.plan.params.len,
                tokens: n_tokens,
                given_params: params.len(),
                given_tokens: windows.len(),
            });
        }
        let part = |from: usize| -> Vec<u32> {
            windows.chunks(self.window).flat_map(|window| &window[from..from + self.window - 1]).copied().collect()
        };
        self.backend.write(self.plan.params, bytemuck::cast_slice(params));
        self.backend.write(self.plan.batch.inputs, &part(0));
        self.backend.write(self.plan.targets, &part(1));
        (0..self.gradients.dispatches.len()).for_each(|index| self.backend.run_dispatch(&self.gradients, index));
        let grads = bytemuck::cast_vec(self.backend.read(self.plan.grads));
        let loss = f32::from_bits(self.backend.read(self.plan.loss_ring.part(0, 1))[0]);
        Ok(ShardGradients { grads, loss })
    }
}

/// The helper's side: computes the shard of the latest [`prepare`](ShardServer::prepare).
#[derive(Default)]
pub struct ShardServer {
    shard: Option<Shard>,
}

impl ShardServer {
    /// Prepares a shard.
    ///
    /// # Errors
    /// If the configuration is invalid or too large.
    pub fn prepare(&mut self, config: &RunConfig) -> Result<(), ShardError> {
        self.shard = None; // its memory is needed for the new one
        self.shard = Some(Shard::new(config)?);
        Ok(())
    }

    /// The reply to the parameters and windows of a message.
    ///
    /// # Errors
    /// If they do not match the shard.
    pub fn gradients(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ShardError> {
        let shard = self.shard.as_mut().ok_or(ShardError::NoModel)?;
        let at = shard.plan.params.len * 4;
        let (params, windows) = bytes.split_at_checked(at).ok_or(ShardError::CutOff)?;
        let params: Vec<f32> = bytemuck::pod_collect_to_vec(params);
        let windows: Vec<u32> = bytemuck::pod_collect_to_vec(windows.get(..windows.len() / 4 * 4).unwrap_or_default());
        Ok(shard.gradients(&params, &windows)?.to_bytes())
    }
}
