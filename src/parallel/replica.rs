//! A rank's model on the CPU: gradients dispatch by dispatch, and the update of any part of the parameters.

use std::cell::RefCell;
use std::ops::Range;

use thiserror::Error;

use super::layout::{self, Ranges, Vector};
use super::shard::{ShardError, shard_config};
use crate::config::{RunConfig, learning_rate};
use crate::gpu::context::DeviceLimits;
use crate::gpu::interpret::CpuBackend;
use crate::gpu::kernel::{CpuBuffer, CpuCall};
use crate::gpu::recording::{Recording, Role};
use crate::model::memory::MemoryPlan;
use crate::model::params::ParamTable;
use crate::model::transformer::Transformer;
use crate::ops::adamw::{ADAMW, Params};
use crate::ops::rope::cos_sin_table;
use crate::ops::step::Step;
use crate::systems::ring::{chunk, owned_chunk};

/// Why a rank cannot be prepared.
#[derive(Debug, Error)]
pub enum ReplicaError {
    /// The configuration is invalid or too large.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The state to begin with belongs to another model.
    #[error("the saved state has {found} values, and this model has {expected} parameters")]
    State {
        /// Values of the state.
        found: usize,
        /// Values of the model.
        expected: usize,
    },
}

/// Where a run begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beginning {
    /// Steps done before.
    pub step: u64,
    /// Parameters.
    pub params: Vec<f32>,
    /// First and second moments; empty for zeros.
    pub moments: [Vec<f32>; 2],
}

/// A dispatch that is about to run, or has just run.
pub struct Event<'e> {
    /// Units whose parameters it reads.
    pub needed: &'e [usize],
    /// Units that the next dispatch with other ones reads.
    pub next: &'e [usize],
    /// Units whose gradients were complete after the dispatch before it.
    pub completed: &'e [usize],
}

/// A rank's model.
pub struct Replica<'a> {
    /// The parameter table.
    pub table: ParamTable,
    config: &'a RunConfig,
    plan: MemoryPlan,
    backend: CpuBackend,
    gradients: Recording,
    needed: Vec<Vec<usize>>,
    next: Vec<Vec<usize>>,
    completed: Vec<Vec<usize>>,
    moments: [CpuBuffer; 2],
    /// The rank's own chunks of the parameters; other elements are NaN.
    shard: Vec<f32>,
    peak_gathered: usize,
}

impl<'a> Replica<'a> {
    /// A model for one of `n` ranks.
    ///
    /// # Errors
    /// If the configuration is invalid or too large, or if the state belongs to another model.
    pub fn new(config: &'a RunConfig, n: usize, beginning: &Beginning) -> Result<Self, ReplicaError> {
        let own = shard_config(config, config.train.batch_size / n);
        own.validate().map_err(ShardError::from)?;
        let (table, model) = (ParamTable::new(&own.model), &own.model);
        let plan = MemoryPlan::new(&own, &table, 1, 1);
        plan.check(&own, DeviceLimits::CPU).map_err(ShardError::from)?;
        let expected = table.buffer_len();
        let sizes = [&beginning.params, &beginning.moments[0], &beginning.moments[1]].map(Vec::len);
        if let Some(&found) = sizes.iter().find(|&&len| len != expected && len != 0) {
            return Err(ReplicaError::State { found, expected });
        }
        let backend = CpuBackend::new(&plan.buffers);
        let rope = cos_sin_table(model.context_length, model.d_head(), model.rope_theta);
        backend.write(plan.cos_sin, bytemuck::cast_slice(&rope));
        let positions: Vec<u32> = (0..plan.position_ids.len).map(|row| (row % model.context_length) as u32).collect();
        backend.write(plan.position_ids, &positions);
        // The loss always goes to the first slot of the ring.
        let step = Step { weight: 1.0, first: 1, ..bytemuck::Zeroable::zeroed() };
        backend.write(plan.step, bytemuck::cast_slice(&[step]));
        backend.write(plan.params, bytemuck::cast_slice(&beginning.params));
        let gradients = Transformer { config: &own, table: &table, plan: &plan }.gradients();
        let (needed, completed) = layout::uses(&gradients, &plan.buffers, &table);
        let moments = [0, 1].map(|of| {
            let given = &beginning.moments[of];
            let values = if given.is_empty() { vec![0; expected] } else { bytemuck::cast_slice(given).to_vec() };
            RefCell::new(values)
        });
        let next = following(&needed);
        Ok(Self {
            table,
            config,
            plan,
            backend,
            gradients,
            needed,
            next,
            completed,
            moments,
            shard: Vec::new(),
            peak_gathered: 0,
        })
    }

    /// Writes the windows of T + 1 tokens of this rank's sequences.
    pub fn load(&mut self, windows: &[u32]) {
        let window = self.config.model.context_length + 1;
        let part = |from: usize| -> Vec<u32> {
            windows.chunks_exact(window).flat_map(|window_ids| &window_ids[from..from + window - 1]).copied().collect()
        };
        self.backend.write(self.plan.batch.inputs, &part(0));
        self.backend.write(self.plan.targets, &part(1));
    }

    /// Forward, loss and backward; `each` is called before every dispatch and after the last one.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn run<E>(&mut self, mut each: impl FnMut(&mut Self, &Event<'_>) -> Result<(), E>) -> Result<(), E> {
        let n = self.gradients.dispatches.len();
        for at in 0..=n {
            let take = |of: &[Vec<usize>], at: usize| of.get(at).cloned().unwrap_or_default();
            let (needed, next) = (take(&self.needed, at), take(&self.next, at));
            let completed = at.checked_sub(1).map_or_else(Vec::new, |before| take(&self.completed, before));
            each(self, &Event { needed: &needed, next: &next, completed: &completed })?;
            if at < n {
                self.backend.run_dispatch(&self.gradients, at);
            }
        }
        Ok(())
    }

    /// Gradients of the mean loss of this rank's sequences.
    pub fn grads(&self) -> Vec<f32> {
        bytemuck::cast_vec(self.backend.read(self.plan.grads))
    }

    /// The gradients of some ranges as one vector.
    pub fn grads_of(&self, ranges: &[Range<usize>]) -> Vec<f32> {
        let read = |range: &Range<usize>| self.backend.read(self.plan.grads.part(range.start, range.len()));
        ranges.iter().flat_map(read).map(f32::from_bits).collect()
    }

    /// The mean loss of this rank's sequences.
    pub fn loss(&self) -> f32 {
        f32::from_bits(self.backend.read(self.plan.loss_ring.part(0, 1))[0])
    }

    /// All parameters.
    pub fn params(&self) -> Vec<f32> {
        bytemuck::cast_vec(self.backend.read(self.plan.params))
    }

    /// Replaces all parameters.
    pub fn set_params(&mut self, values: &[f32]) {
        self.backend.write(self.plan.params, bytemuck::cast_slice(values));
    }

    /// First and second moments.
    pub fn moments(&self) -> [Vec<f32>; 2] {
        [0, 1].map(|of| bytemuck::cast_slice(&self.moments[of].borrow()).to_vec())
    }

    /// Bytes of this rank's activations and logits.
    pub fn activation_bytes(&self) -> f64 {
        let of_batch = |role: Role| matches!(role, Role::Activations | Role::Logits);
        let specs = self.plan.buffers.specs.iter().filter(|spec| of_batch(spec.role));
        specs.map(|spec| spec.size_bytes() as f64).sum()
    }

    /// AdamW on some ranges of the parameters, with the kernel that all runs use.
    pub fn update(&mut self, step: u64, grads: &[f32], norm: f32, ranges: &[Range<usize>]) {
        let train = &self.config.train;
        let values = Step {
            lr: learning_rate(step, train) as f32,
            eps: train.adam_eps as f32,
            weight_decay: train.weight_decay as f32,
            max_grad_norm: train.max_grad_norm as f32,
            weight: 1.0,
            first: 1,
            ..bytemuck::Zeroable::zeroed()
        };
        let values = values.with_betas([train.beta1, train.beta2], step as f64);
        let of = |words: Vec<u32>| RefCell::new(words);
        let (step, norm) = (of(bytemuck::cast_slice(&[values]).to_vec()), of(vec![norm.to_bits()]));
        let (grads, params) = (of(bytemuck::cast_slice(grads).to_vec()), of(self.backend.read(self.plan.params)));
        let all = |buffer: &CpuBuffer| 0..buffer.borrow().len();
        for range in ranges {
            let decay_len = self.table.decay_len().clamp(range.start, range.end) - range.start;
            let sizes = Params { len: range.len() as u32, decay_len: decay_len as u32 };
            let bindings = vec![
                (&step, all(&step)),
                (&norm, all(&norm)),
                (&grads, range.clone()),
                (&params, range.clone()),
                (&self.moments[0], range.clone()),
                (&self.moments[1], range.clone()),
            ];
            (ADAMW.cpu)(&CpuCall { params: bytemuck::bytes_of(&sizes), bindings });
        }
        self.backend.write(self.plan.params, &params.borrow());
    }

    /// Reduces the parameters to the rank's own chunks. All others become NaN, so that their use would show.
    pub fn shard_parameters(&mut self, vectors: &[Vector], rank: usize) {
        let n = self.config.train.batch_size / self.plan.batch.batch_size;
        let params = self.params();
        let mut shard = params.clone();
        for vector in vectors {
            vector.ranges.iter().for_each(|range| shard[range.clone()].fill(f32::NAN));
            let own = chunk(layout::len(&vector.ranges), n, owned_chunk(rank, n));
            for range in layout::part(&vector.ranges, &own) {
                shard[range.clone()].copy_from_slice(&params[range]);
            }
        }
        self.set_params(&shard);
        self.shard = shard;
    }

    /// The rank's own chunks.
    pub fn shard(&self) -> &[f32] {
        &self.shard
    }

    /// Puts the rank's own chunks in place again, and nothing else.
    pub fn restore_shard(&mut self) {
        let shard = std::mem::take(&mut self.shard);
        self.set_params(&shard);
        self.shard = shard;
    }

    /// Writes a vector of gathered parameters.
    pub fn place_parameters(&mut self, ranges: &Ranges, values: &[f32]) {
        let mut values = values;
        for range in ranges {
            let (part, rest) = values.split_at(range.len());
            self.backend.write(self.plan.params.part(range.start, range.len()), bytemuck::cast_slice(part));
            values = rest;
        }
    }

    /// Drops gathered parameters: NaN, so that their use would show.
    pub fn drop_parameters(&mut self, ranges: &Ranges) {
        self.place_parameters(ranges, &vec![f32::NAN; layout::len(ranges)]);
    }

    /// Records how many gathered parameters are in memory.
    pub fn note_gathered(&mut self, n_values: usize) {
        self.peak_gathered = self.peak_gathered.max(n_values);
    }

    /// The largest number of gathered parameters in memory at a time.
    pub fn peak_gathered(&self) -> usize {
        self.peak_gathered
    }
}

/// For each dispatch, the units of the next dispatch that reads others.
fn following(needed: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let (mut later, mut current) = (Vec::new(), Vec::new());
    let mut all: Vec<Vec<usize>> = Vec::with_capacity(needed.len());
    for units in needed.iter().rev() {
        if !units.is_empty() && *units != current {
            later = std::mem::replace(&mut current, units.clone());
        }
        all.push(if units.is_empty() { current.clone() } else { later.clone() });
    }
    all.reverse();
    all
}
