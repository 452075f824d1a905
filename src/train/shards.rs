//! Data parallelism: a batch is shared between several instances of this program. Each computes the gradients of its shard, and
//! one of them adds them up and updates the model.
//!
//! A helper keeps no state between steps: it receives parameters and tokens, and returns gradients and a loss. The owner of the
//! run can therefore compute any shard in place of a helper with bitwise identical results, and the rest of the run is
//! independent of the helpers.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::trainer::TrainError;
use crate::config::RunConfig;
use crate::gpu::context::DeviceLimits;
use crate::gpu::interpret::CpuBackend;
use crate::gpu::recording::Recording;
use crate::model::memory::MemoryPlan;
use crate::model::params::ParamTable;
use crate::model::transformer::Transformer;
use crate::ops::rope::cos_sin_table;
use crate::ops::step::Step;

/// The gradients of a shard and its mean loss, or why a helper did not return them.
pub type Answer = Pin<Box<dyn Future<Output = Result<ShardGradients, String>>>>;

/// Number of rounds completed by each worker.
pub type Rounds = Pin<Box<dyn Future<Output = Vec<u64>>>>;

/// A pool of instances of this program that compute shards.
pub trait Crew {
    /// Starts helpers in advance until there are `n`.
    fn call(&mut self, n: usize);

    /// Makes this instance and `n − 1` helpers compute during the same `ms` milliseconds.
    fn spin(&mut self, n: usize, ms: u32) -> Rounds;

    /// Prepares one helper for each of `sizes`, the numbers of sequences per shard.
    ///
    /// # Errors
    /// If there are fewer helpers.
    fn prepare(&mut self, config: &RunConfig, sizes: &[usize]) -> Result<(), String>;

    /// Sends the parameters and the windows of a shard to helper `helper`.
    fn send(&mut self, helper: usize, params: &[f32], windows: &[u32]);

    /// The helper's result. The future always resolves, with an error after a timeout.
    fn receive(&mut self, helper: usize) -> Answer;
}

/// A worker pool that a session shares with its run.
pub type SharedCrew = Rc<RefCell<dyn Crew>>;

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
    pub fn new(config: &RunConfig) -> Result<Self, TrainError> {
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
    pub fn gradients(&mut self, params: &[f32], windows: &[u32]) -> Result<ShardGradients, String> {
        let n_tokens = self.plan.targets.len / (self.window - 1) * self.window;
        if params.len() != self.plan.params.len || windows.len() != n_tokens {
            return Err(format!(
                "a shard of {} parameters and {n_tokens} tokens was given {} and {}",
                self.plan.params.len,
                params.len(),
                windows.len()
            ));
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

/// The helper's side: computes the shard of the latest [`prepare`](Desk::prepare).
#[derive(Default)]
pub struct Desk {
    shard: Option<Shard>,
}

impl Desk {
    /// Prepares a shard.
    ///
    /// # Errors
    /// If the configuration is invalid or too large.
    pub fn prepare(&mut self, config: &RunConfig) -> Result<(), TrainError> {
        self.shard = None; // its memory is needed for the new one
        self.shard = Some(Shard::new(config)?);
        Ok(())
    }

    /// The reply to the parameters and windows of a message.
    ///
    /// # Errors
    /// If they do not match the shard.
    pub fn gradients(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let shard = self.shard.as_mut().ok_or("a shard came before its model")?;
        let at = shard.plan.params.len * 4;
        let [params, windows] =
            bytes.split_at_checked(at).map(|(params, windows)| [params, windows]).ok_or("cut off")?;
        let params: Vec<f32> = bytemuck::pod_collect_to_vec(params);
        let windows: Vec<u32> = bytemuck::pod_collect_to_vec(windows.get(..windows.len() / 4 * 4).unwrap_or_default());
        Ok(shard.gradients(&params, &windows)?.to_bytes())
    }
}
