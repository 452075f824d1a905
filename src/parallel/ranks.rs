//! Training on N ranks, each a thread with its own model, that exchange gradients over a ring; and the same on one rank.
//!
//! Every rank computes the gradients of its part of the batch. Sums are added in the order of the ring, so that a run on N
//! ranks equals, to the bit, one rank that computes the N parts one after the other and adds them in that order ([`alone`]). The
//! batch as a whole in one pass adds in another order, and differs by rounding.

mod error;
mod gathers;

use std::time::Instant;

pub use self::error::RankError;
use self::gathers::Gathers;

use super::layout::{self, Ranges, Vector};
use super::replica::Replica;
pub use super::replica::{Beginning, ReplicaError};
use super::transport::{Kind, Transport, TransportError, ring};
use super::wire::{Wire, carry};
use crate::config::RunConfig;
use crate::systems::link::Link;
use crate::systems::ring::{Collective, chunk, owned_chunk, sum_in_ring_order};
use crate::systems::simulate::{RankMemory, Strategy};

/// How the ranks are connected and share the work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// The strategy; tensor parallelism is in [`super::tensor`].
    pub strategy: Strategy,
    /// N: number of ranks.
    pub ranks: usize,
    /// The links.
    pub kind: Kind,
    /// The link that messages are slowed down to; `None` for none.
    pub link: Option<Link>,
    /// Bytes of a bucket, for [`Strategy::Bucketed`].
    pub bucket_bytes: f64,
}

impl Plan {
    /// Checks that the plan can train a run.
    ///
    /// # Errors
    /// The setting to change.
    pub fn check(&self, config: &RunConfig) -> Result<(), RankError> {
        use crate::config::Optimizer;
        let (batch_size, ranks) = (config.train.batch_size, self.ranks);
        if ranks == 0 || !batch_size.is_multiple_of(ranks) {
            return Err(RankError::Uneven { batch_size, ranks });
        }
        let unsupported = |what, field| Err(RankError::Unsupported { what, field });
        if config.train.optimizer != Optimizer::Adamw {
            return unsupported("AdamW", "optimizer");
        }
        if config.train.accumulation_steps != 1 {
            return unsupported("one batch for each step", "accumulation_steps");
        }
        match self.strategy {
            Strategy::TensorParallel => unsupported("data-parallel and sharded strategies", "the strategy"),
            _ => Ok(()),
        }
    }
}

/// The batches of a run: for each step, the windows of T + 1 tokens of the whole batch.
pub type Batches<'a> = &'a (dyn Fn(usize) -> Vec<u32> + Sync);

/// What a rank reports after each step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepReport {
    /// Mean loss of the whole batch.
    pub loss: f32,
    /// Gradient norm.
    pub grad_norm: f32,
    /// Seconds of the step.
    pub seconds: f64,
    /// Seconds of the step in which this rank waited for its link.
    pub waited_s: f64,
}

/// The result of a rank.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RankResult {
    /// The steps.
    pub steps: Vec<StepReport>,
    /// Parameters at the end, complete on every rank.
    pub params: Vec<f32>,
    /// First and second moments, complete on every rank.
    pub moments: [Vec<f32>; 2],
    /// Bytes that the strategy needs on this rank.
    pub memory: RankMemory,
    /// Bytes sent to the next rank.
    pub sent_bytes: u64,
    /// Messages sent to the next rank.
    pub messages: u64,
}

/// Trains `n_steps` steps on the ranks of a plan; one result for each rank. `report` is called by rank 0 after each step.
///
/// # Errors
/// If the plan does not fit the configuration, or a rank fails.
pub fn train(
    config: &RunConfig,
    plan: Plan,
    beginning: &Beginning,
    (n_steps, batches): (usize, Batches<'_>),
    report: &(dyn Fn(usize, StepReport) + Sync),
) -> Result<Vec<RankResult>, RankError> {
    plan.check(config)?;
    let places = ring(plan.kind, plan.ranks, plan.link)?;
    std::thread::scope(|scope| {
        let spawn = |(rank, place): (usize, Box<dyn Transport>)| {
            scope.spawn(move || Rank::new(config, plan, rank, beginning)?.train(place, n_steps, batches, report))
        };
        let ranks: Vec<_> = places.into_iter().enumerate().map(spawn).collect();
        let results: Vec<Result<RankResult, RankError>> =
            ranks.into_iter().map(|rank| rank.join().unwrap_or(Err(RankError::Ended))).collect();
        // The first rank that failed for a reason of its own; its neighbors only report that it is gone.
        let (own, gone): (Vec<_>, Vec<_>) = results.into_iter().partition(|result| {
            !matches!(result, Err(RankError::Transport(TransportError::Gone | TransportError::Socket(_))))
        });
        own.into_iter().chain(gone).collect()
    })
}

/// The same on one rank: computes the N parts of each batch one after the other and adds them in the order of the ring.
///
/// # Errors
/// As [`train`].
pub fn alone(
    config: &RunConfig,
    plan: Plan,
    beginning: &Beginning,
    (n_steps, batches): (usize, Batches<'_>),
) -> Result<RankResult, RankError> {
    plan.check(config)?;
    let n = plan.ranks;
    let mut replica = Replica::new(config, n, beginning)?;
    let vectors = layout::vectors(plan.strategy, &replica.table, plan.bucket_bytes);
    let norm_parts = layout::norm_parts(plan.strategy, &vectors, n);
    let mut result = RankResult::default();
    for step in 0..n_steps {
        let began = Instant::now();
        let windows = batches(step);
        let mut parts = Vec::with_capacity(n);
        let mut losses = Vec::with_capacity(n);
        for rank in 0..n {
            replica.load(&windows[share(windows.len(), n, rank)]);
            replica.run(|_, _| Ok::<(), RankError>(()))?;
            parts.push(replica.grads());
            losses.push(replica.loss());
        }
        let mut grads = vec![0.0; parts[0].len()];
        for vector in &vectors {
            let gathered: Vec<Vec<f32>> = parts.iter().map(|part| layout::gather(part, &vector.ranges)).collect();
            let slices: Vec<&[f32]> = gathered.iter().map(Vec::as_slice).collect();
            layout::scatter(&mut grads, &vector.ranges, &averaged(sum_in_ring_order(&slices), n));
        }
        let squares: Vec<f64> = norm_parts.iter().map(|ranges| squares(&grads, ranges)).collect();
        let norm = norm(&squares);
        let whole: Ranges = std::iter::once(0..grads.len()).collect();
        replica.update(beginning.step + step as u64 + 1, &grads, norm, &whole);
        let seconds = began.elapsed().as_secs_f64();
        result.steps.push(StepReport { loss: mean(&losses), grad_norm: norm, seconds, waited_s: 0.0 });
    }
    (result.params, result.moments) = (replica.params(), replica.moments());
    Ok(result)
}

/// The sequences of a rank in a batch of windows.
fn share(len: usize, n: usize, rank: usize) -> std::ops::Range<usize> {
    rank * (len / n)..(rank + 1) * (len / n)
}

/// The mean of N gradients from their sum.
fn averaged(mut sum: Vec<f32>, n: usize) -> Vec<f32> {
    let weight = 1.0 / n as f32;
    sum.iter_mut().for_each(|value| *value *= weight);
    sum
}

fn squares(values: &[f32], ranges: &[std::ops::Range<usize>]) -> f64 {
    ranges.iter().flat_map(|range| &values[range.clone()]).map(|value| f64::from(*value).powi(2)).sum()
}

fn norm(squares: &[f64]) -> f32 {
    squares.iter().sum::<f64>().sqrt() as f32
}

fn mean(losses: &[f32]) -> f32 {
    losses.iter().sum::<f32>() / losses.len() as f32
}

/// One rank.
struct Rank<'a> {
    plan: Plan,
    rank: usize,
    replica: Replica<'a>,
    vectors: Vec<Vector>,
    norm_parts: Vec<Ranges>,
    beginning: &'a Beginning,
}

impl<'a> Rank<'a> {
    fn new(config: &'a RunConfig, plan: Plan, rank: usize, beginning: &'a Beginning) -> Result<Self, RankError> {
        let replica = Replica::new(config, plan.ranks, beginning)?;
        let vectors = layout::vectors(plan.strategy, &replica.table, plan.bucket_bytes);
        let norm_parts = layout::norm_parts(plan.strategy, &vectors, plan.ranks);
        Ok(Self { plan, rank, replica, vectors, norm_parts, beginning })
    }

    fn train(
        mut self,
        place: Box<dyn Transport>,
        n_steps: usize,
        batches: Batches<'_>,
        report: &(dyn Fn(usize, StepReport) + Sync),
    ) -> Result<RankResult, RankError> {
        let at = [self.rank, self.plan.ranks];
        // The link is a thread of its own, so that it works while this one computes.
        std::thread::scope(|scope| {
            let (mut wire, jobs, done) = Wire::new();
            let carrier = scope.spawn(move || carry(place, at, &jobs, &done));
            let mut result = RankResult::default();
            let trained = (0..n_steps).try_for_each(|step| {
                let began = Instant::now();
                let waited = wire.waited_s;
                let [loss, grad_norm] = self.step(&mut wire, step, &batches(step))?;
                let (seconds, waited_s) = (began.elapsed().as_secs_f64(), wire.waited_s - waited);
                let of_step = StepReport { loss, grad_norm, seconds, waited_s };
                result.steps.push(of_step);
                if self.rank == 0 {
                    report(step, of_step);
                }
                Ok::<(), RankError>(())
            });
            let finished = trained.and_then(|()| self.complete(&mut wire));
            drop(wire);
            let sent = carrier.join().map_err(|_| RankError::Ended)?;
            // A link that failed explains why the rank could not go on.
            let sent = sent?;
            let moments = finished?;
            (result.params, result.moments) = (self.replica.params(), moments);
            (result.sent_bytes, result.messages) = (sent.bytes, sent.messages);
            result.memory = self.memory();
            Ok(result)
        })
    }

    /// One step; returns loss and gradient norm.
    fn step(&mut self, wire: &mut Wire, step: usize, windows: &[u32]) -> Result<[f32; 2], RankError> {
        let (n, rank, strategy) = (self.plan.ranks, self.rank, self.plan.strategy);
        self.replica.load(&windows[share(windows.len(), n, rank)]);
        let collective = match strategy {
            Strategy::Sharded | Strategy::Fsdp => Collective::ReduceScatter,
            _ => Collective::AllReduce,
        };
        if strategy == Strategy::Fsdp {
            self.replica.shard_parameters(&self.vectors, rank);
        }
        let (vectors, mut posted) = (&self.vectors, Vec::new());
        let mut gathers = Gathers::new(strategy == Strategy::Fsdp, vectors, rank, n);
        self.replica.run(|replica, event| {
            gathers.before(replica, wire, event)?;
            for unit in event.completed {
                // Naive and flat vectors wait for unit 0, which the backward pass completes last.
                for (index, vector) in vectors.iter().enumerate().filter(|(_, vector)| vector.after == *unit) {
                    let values = replica.grads_of(&vector.ranges);
                    posted.push((index, wire.post(collective, values)));
                }
            }
            Ok::<(), RankError>(())
        })?;
        gathers.finish(&mut self.replica, wire)?;
        let mut grads = vec![0.0; self.replica.table.buffer_len()];
        for (index, job) in posted {
            let (vector, values) = (&vectors[index], averaged(wire.wait(job)?, n));
            layout::scatter(&mut grads, &vector.ranges, &values);
        }
        let loss = mean(&self.exchange(wire, &[self.replica.loss()])?);
        let squares = self.squares(wire, &grads)?;
        let norm = norm(&squares);
        let number = self.beginning.step + step as u64 + 1;
        match strategy {
            Strategy::Sharded | Strategy::Fsdp => {
                let own = layout::own(&self.vectors, rank, n);
                self.replica.update(number, &grads, norm, &own);
                if strategy == Strategy::Sharded {
                    self.gather_parameters(wire)?;
                }
            }
            _ => {
                let whole: Ranges = std::iter::once(0..grads.len()).collect();
                self.replica.update(number, &grads, norm, &whole);
            }
        }
        Ok([loss, norm])
    }

    /// The sums of squares of all ranks' parts.
    fn squares(&self, wire: &mut Wire, grads: &[f32]) -> Result<Vec<f64>, RankError> {
        if self.norm_parts.len() == 1 {
            return Ok(vec![squares(grads, &self.norm_parts[0])]);
        }
        let own = squares(grads, &self.norm_parts[self.rank]).to_bits();
        let words = [own as u32, (own >> 32) as u32].map(f32::from_bits);
        let all = self.exchange(wire, &words)?;
        let word = |value: f32| u64::from(value.to_bits());
        Ok(all.chunks_exact(2).map(|pair| f64::from_bits(word(pair[0]) | word(pair[1]) << 32)).collect())
    }

    /// The values of all ranks, in the order of the ranks.
    fn exchange(&self, wire: &mut Wire, own: &[f32]) -> Result<Vec<f32>, RankError> {
        let n = self.plan.ranks;
        let mut all = vec![0.0; n * own.len()];
        all[chunk(n * own.len(), n, owned_chunk(self.rank, n))].copy_from_slice(own);
        let job = wire.post(Collective::AllGather, all);
        let mut all = wire.wait(job)?;
        // Rank r owns chunk r + 1.
        all.rotate_left(own.len() % (n * own.len()).max(1));
        Ok(all)
    }

    /// All-gathers the parameters of which every rank has updated its chunks.
    fn gather_parameters(&mut self, wire: &mut Wire) -> Result<(), RankError> {
        let params = self.replica.params();
        let gathered = self.gathered(wire, &params)?;
        self.replica.set_params(&gathered);
        Ok(())
    }

    /// The vectors' values of all ranks, each of which has its own chunks.
    fn gathered(&self, wire: &mut Wire, values: &[f32]) -> Result<Vec<f32>, RankError> {
        let mut complete = values.to_vec();
        for vector in &self.vectors {
            let job = wire.post(Collective::AllGather, layout::gather(values, &vector.ranges));
            layout::scatter(&mut complete, &vector.ranges, &wire.wait(job)?);
        }
        Ok(complete)
    }

    /// Completes what is sharded at the end of the run; returns the moments.
    fn complete(&mut self, wire: &mut Wire) -> Result<[Vec<f32>; 2], RankError> {
        let [m, v] = self.replica.moments();
        match self.plan.strategy {
            Strategy::Sharded => Ok([self.gathered(wire, &m)?, self.gathered(wire, &v)?]),
            Strategy::Fsdp => {
                self.replica.shard_parameters(&self.vectors, self.rank);
                self.gather_parameters(wire)?;
                Ok([self.gathered(wire, &m)?, self.gathered(wire, &v)?])
            }
            _ => Ok([m, v]),
        }
    }

    /// Bytes that the strategy needs on this rank, from the vectors that it has really communicated.
    fn memory(&self) -> RankMemory {
        let (n, all) = (self.plan.ranks, 4.0 * self.replica.table.buffer_len() as f64);
        let own = 4.0 * layout::len(&layout::own(&self.vectors, self.rank, n)) as f64;
        let largest = self.vectors.iter().map(|vector| 4.0 * layout::len(&vector.ranges) as f64).fold(0.0, f64::max);
        let activations = self.replica.activation_bytes();
        let whole = RankMemory { parameters: all, gradients: all, moments: 2.0 * all, activations, buffers: largest };
        match self.plan.strategy {
            Strategy::Sharded => RankMemory { moments: 2.0 * own, ..whole },
            Strategy::Fsdp => RankMemory {
                parameters: own + 4.0 * self.replica.peak_gathered() as f64,
                gradients: own + largest,
                moments: 2.0 * own,
                buffers: 0.0,
                ..whole
            },
            _ => whole,
        }
    }
}
