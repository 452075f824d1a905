//! Steps whose batches are shared with a worker pool: computes the gradients of the shards, their sum in the order of the
//! shards, and one update.
//!
//! For a fixed number of shards results are bitwise reproducible, independent of which worker computes them.

use super::{Chunk, TrainError, Trainer};
use crate::gpu::backend::{Backend, Program};
use crate::model::memory::RING;
use crate::model::transformer::Transformer;
use crate::parallel::pool::{PoolError, SharedPool};
use crate::parallel::shard::{Shard, ShardGradients, shard_config, shard_sizes};
use crate::rng::Rng;
use crate::types::StepPoint;

/// The state of data parallelism.
pub(super) struct Sharing {
    pool: SharedPool,
    /// Number of sequences in each shard; the first shard is computed by this worker.
    sizes: Vec<usize>,
    own: Shard,
    update: Program,
    /// Whether the workers have received the model.
    prepared: bool,
}

impl Trainer {
    /// Shares the batches of all further steps between this trainer and up to `n − 1` helpers, at least one sequence each.
    /// Without a worker pool, with one worker, or on a GPU batches are not shared.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn share(&mut self, pool: Option<SharedPool>, n: usize) -> Result<(), TrainError> {
        self.sharing = None;
        let sizes = shard_sizes(self.config.train.batch_size, n);
        let Some(pool) = pool.filter(|_| sizes.len() > 1 && self.is_on_cpu()) else {
            return Ok(());
        };
        let own = Shard::new(&shard_config(&self.config, sizes[0]))?;
        let update = match self.update {
            Some(update) => update,
            None => {
                let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
                self.backend.prepare(transformer.update())
            }
        };
        self.update = Some(update);
        pool.borrow_mut().call(sizes.len() - 1);
        self.sharing = Some(Sharing { pool, sizes, own, update, prepared: false });
        Ok(())
    }

    /// Whether the model is computed by the CPU backend.
    pub fn is_on_cpu(&self) -> bool {
        matches!(self.backend, Backend::Cpu(..))
    }

    /// Number of workers that share the batches.
    pub fn n_workers(&self) -> usize {
        self.sharing.as_ref().map_or(1, |sharing| sharing.sizes.len())
    }

    /// Returns and clears the reason why the worker pool has failed.
    pub fn deserted(&mut self) -> Option<String> {
        self.deserted.take()
    }

    /// Whether further steps have to be planned instead of submitted: they are shared, or earlier ones are still planned.
    pub(super) fn plans_ahead(&self) -> bool {
        self.sharing.is_some() || self.in_flight.iter().any(|chunk| matches!(chunk, Chunk::Planned { .. }))
    }

    /// Trains the planned steps, so that the weights include all steps so far.
    pub(super) async fn catch_up(&mut self) -> Result<(), TrainError> {
        for at in 0..self.in_flight.len() {
            if let Some(Chunk::Planned { first_step, starts, batches }) = self.in_flight.get(at) {
                let (first_step, starts, batches) = (*first_step, starts.clone(), batches.clone());
                match self.train_planned(first_step, &starts, &batches).await {
                    Ok(points) => self.in_flight[at] = Chunk::Done(points),
                    Err(error) => {
                        self.in_flight.truncate(at);
                        return Err(error);
                    }
                }
            }
        }
        Ok(())
    }

    /// Trains planned steps, each on the sequences that start at its positions, drawn by `batches`.
    pub(super) async fn train_planned(
        &mut self,
        first_step: u64,
        planned: &[Vec<u32>],
        batches: &Rng,
    ) -> Result<Vec<StepPoint>, TrainError> {
        let mut points = Vec::with_capacity(planned.len());
        for (step, starts) in (first_step..).zip(planned) {
            let [lr, loss, grad_norm] = match self.sharing.take() {
                Some(sharing) => self.shared_step(sharing, step, starts).await?,
                None => {
                    let lr = self.run_steps(step, std::slice::from_ref(starts))[0];
                    let rings = self.backend.start_read(&[self.plan.loss_ring, self.plan.norm_ring]);
                    let words = self.backend.finish_read(rings).await?;
                    let slot = (step % RING as u64) as usize;
                    [lr, f32::from_bits(words[slot]), f32::from_bits(words[RING + slot])]
                }
            };
            if !loss.is_finite() || !grad_norm.is_finite() {
                self.stand_before(step, first_step, planned.to_vec(), batches.clone());
                return Err(TrainError::Diverged { step, loss, grad_norm });
            }
            points.push(StepPoint { step, loss, lr, grad_norm, seconds: 0.0 });
        }
        Ok(points)
    }

    /// Runs one shared step; returns its learning rate, loss and gradient norm.
    async fn shared_step(&mut self, mut sharing: Sharing, step: u64, starts: &[u32]) -> Result<[f32; 3], TrainError> {
        self.cached.clear();
        let params = self.backend.read_f32(self.plan.params).await?;
        let (mut grads, mut loss) = (vec![0.0; params.len()], 0.0);
        let mut lost = None;
        for batch in starts.chunks(self.config.train.batch_size) {
            let shards = self.windows(batch, &sharing.sizes).await?;
            let answers = round(&self.config, &mut sharing, &params, &shards, &mut lost).await?;
            for (size, answer) in sharing.sizes.iter().zip(answers) {
                let weight = *size as f32 / starts.len() as f32;
                grads.iter_mut().zip(&answer.grads).for_each(|(sum, grad)| *sum += weight * grad);
                loss += weight * answer.loss;
            }
        }
        let values = self.step_values(step);
        self.backend.write(self.plan.step, bytemuck::cast_slice(&[values]));
        self.backend.write_f32(self.plan.step_grads, &grads);
        // A non-finite loss prevents the update.
        self.backend.write_f32(self.plan.loss_ring.part(values.slot as usize, 1), &[loss]);
        self.backend.run(sharing.update);
        let norm = self.backend.read_f32(self.plan.norm_ring.part(values.slot as usize, 1)).await?[0];
        match lost {
            Some(reason) => self.deserted = Some(reason.to_string()),
            None => self.sharing = Some(sharing),
        }
        Ok([values.lr, loss, norm])
    }

    /// The windows of T + 1 tokens that start at `starts`, split into shards.
    async fn windows(&mut self, starts: &[u32], sizes: &[usize]) -> Result<Vec<Vec<u32>>, TrainError> {
        let (window, mut starts) = (self.config.model.context_length + 1, starts.iter());
        let mut shards = Vec::with_capacity(sizes.len());
        for &size in sizes {
            let mut shard = Vec::with_capacity(size * window);
            for &start in starts.by_ref().take(size) {
                let start = start as usize;
                match self.source.read(start..start + window) {
                    Some(ids) => shard.extend(ids?),
                    None => shard.extend(self.backend.read(self.plan.train_tokens.part(start, window)).await?),
                }
            }
            shards.push(shard);
        }
        Ok(shards)
    }
}

/// Loss and gradients of all shards, in order. Shards that a helper fails to return are computed here, and `lost` receives the
/// reason.
async fn round(
    config: &crate::config::RunConfig,
    sharing: &mut Sharing,
    params: &[f32],
    shards: &[Vec<u32>],
    lost: &mut Option<PoolError>,
) -> Result<Vec<ShardGradients>, TrainError> {
    if !sharing.prepared && lost.is_none() {
        *lost = sharing.pool.borrow_mut().prepare(config, &sharing.sizes[1..]).err();
        sharing.prepared = true;
    }
    let shared = lost.is_none();
    if shared {
        let mut pool = sharing.pool.borrow_mut();
        shards[1..].iter().enumerate().for_each(|(helper, windows)| pool.send(helper, params, windows));
    }
    let mut answers = vec![sharing.own.gradients(params, &shards[0])?];
    for (helper, windows) in shards[1..].iter().enumerate() {
        let answer = if shared {
            sharing.pool.borrow_mut().receive(helper)
        } else {
            Box::pin(async { Err(PoolError::Missing) })
        };
        let answer = answer.await.and_then(|answer| match answer.grads.len() == params.len() {
            true => Ok(answer),
            false => Err(PoolError::Length { got: answer.grads.len(), expected: params.len() }),
        });
        answers.push(match answer {
            Ok(answer) => answer,
            Err(reason) => {
                lost.get_or_insert(reason);
                let mut shard = Shard::new(&shard_config(config, sharing.sizes[helper + 1]))?;
                shard.gradients(params, windows)?
            }
        });
    }
    Ok(answers)
}
