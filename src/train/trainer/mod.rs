//! The training loop: steps are submitted in advance and their losses are read later, without waiting in between.
//!
//! `source` transfers tokens to the device, `evaluate` computes held-out losses, `probe` computes attention maps, `next` the
//! next-token logits of several texts, `attention_weights` attention weights in full precision, `inspect` inspects heads
//! and layers and evaluates the model with changes, `rows` trains on prompts with responses, `share` shares batches with
//! other workers, `state` saves and restores weights and moments, `diverge` locates the origin of a divergence.

mod attention_weights;
mod choose;
mod costs;
mod diverge;
mod error;
mod evaluate;
pub mod inspect;
mod next;
mod probe;
mod rows;
mod share;
mod source;
mod state;
mod submissions;
mod tensors;

use std::collections::{HashMap, VecDeque};

pub use self::costs::StepTimes;
pub use self::diverge::Origin;
use self::diverge::Poisoned;
pub use self::error::TrainError;
pub use self::evaluate::WeightsVersion;
use self::next::NextPass;
pub use self::probe::AttentionMaps;
use self::probe::ProbePass;
use self::rows::RowPass;
pub use self::rows::{Row, TokenScores};
use self::share::Sharing;
pub use self::source::BatchSource;
use self::source::{DeviceTokens, FileTokens};
pub use self::state::TrainingState;
use crate::config::{ConfigError, RunConfig, TrainConfig, learning_rate};
use crate::data::{TokenFile, batch_starts};
use crate::gpu::backend::{Backend, PendingRead, Program, Writes};
use crate::gpu::context::{Budget, Context, DeviceLimits};
use crate::model::memory::{MemoryPlan, RING};
use crate::model::params::ParamTable;
use crate::model::transformer::Transformer;
use crate::ops::rope::cos_sin_table;
use crate::ops::step::Step;
use crate::rng::Rng;
use crate::train::objective::{NextToken, Objective};
use crate::types::StepPoint;

/// Maximum number of steps per submission: concurrent reads of the rings never overlap.
pub const MAX_STEPS_AT_ONCE: usize = RING / 4;

/// The random stream for batches; lower ones are used for the parameters.
const BATCH_STREAM: u64 = 1 << 32;

/// A model in training on one backend.
pub struct Trainer {
    config: RunConfig,
    table: ParamTable,
    plan: MemoryPlan,
    backend: Backend,
    step_programs: StepPrograms,
    evaluation: Program,
    /// Inspection programs by window size, created when first needed; training does not use them.
    probe_programs: HashMap<(ProbePass, usize), Program>,
    /// The programs of [`Trainer::next_logits_of`] by number of texts, prepared when first used.
    next_programs: HashMap<(usize, NextPass), Program>,
    /// [`Trainer::evaluation`] with some heads disabled, created when first needed.
    scaled_evaluation: Option<Program>,
    rope_table: Vec<f32>,
    source: Box<dyn BatchSource>,
    /// The programs for batches of rows, by their number, their length and pass, prepared when first used.
    row_programs: HashMap<(usize, usize, RowPass), Program>,
    /// Why tokens could not be read or memory could not be allocated; returned when the steps are collected.
    unreadable: Option<TrainError>,
    /// The texts whose keys and values are in the cache; cleared when a weight changes.
    cached: Vec<Vec<u32>>,
    limits: DeviceLimits,
    batches: Rng,
    steps_submitted: u64,
    steps_per_submit: usize,
    /// Number of submissions per step, or per batch with gradient accumulation.
    submissions: usize,
    /// By how much submissions are shortened after lost devices.
    caution: f64,
    in_flight: VecDeque<Chunk>,
    /// The worker pool that shares the batches, if any.
    sharing: Option<Sharing>,
    /// The optimizer update alone, created when first needed.
    update: Option<Program>,
    /// Why batches are no longer shared, until it is reported.
    deserted: Option<String>,
    poisoned: Poisoned,
    /// Number of weight changes other than steps.
    edits: u64,
}

/// The programs of a training step.
#[derive(Clone, Copy)]
enum StepPrograms {
    /// One batch with its update.
    Whole(Program),
    /// Several batches, then the update.
    Accumulated { batch: Program, update: Program },
}

/// Steps whose losses have not been collected.
enum Chunk {
    /// In flight: the start positions of each step's sequences, and the generator's state before it drew them.
    Submitted { first_step: u64, starts: Vec<Vec<u32>>, batches: Rng, lrs: Vec<f32>, rings: PendingRead },
    /// Trained by the worker pool when they are collected.
    Planned { first_step: u64, starts: Vec<Vec<u32>>, batches: Rng },
    /// Already trained.
    Done(Vec<StepPoint>),
}

impl Trainer {
    /// Creates a model with initial weights, on the GPU of `context` or on the CPU without one.
    ///
    /// # Errors
    /// If the configuration is invalid or the device cannot hold it. Both are checked before anything is allocated.
    pub async fn new(
        config: RunConfig,
        context: Option<&Context>,
        train_tokens: &[u32],
        val_tokens: &[u32],
    ) -> Result<Self, TrainError> {
        let (n_train, n_val) = (train_tokens.len(), val_tokens.len());
        let trainer = Self::build(config, context, Box::new(DeviceTokens { n_train, n_val }), &NextToken).await?;
        trainer.backend.write(trainer.plan.train_tokens, train_tokens);
        trainer.backend.write(trainer.plan.val_tokens, val_tokens);
        Ok(trainer)
    }

    /// The same for tokens in a file: the first `n_train` are for training, the others are held out.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub async fn on_file(
        config: RunConfig,
        context: Option<&Context>,
        tokens: TokenFile,
        n_train: usize,
    ) -> Result<Self, TrainError> {
        Self::build(config, context, Box::new(FileTokens { tokens, n_train }), &NextToken).await
    }

    async fn build(
        config: RunConfig,
        context: Option<&Context>,
        source: Box<dyn BatchSource>,
        objective: &dyn Objective,
    ) -> Result<Self, TrainError> {
        config.validate()?;
        let table = ParamTable::new(&config.model);
        let window = config.train.batch_size * (config.model.context_length + 1);
        let budget = context.map_or_else(Budget::default, |context| choose::budget(&config, context));
        let [n_train, n_val] = source.on_device(window);
        let mut plan = MemoryPlan::within(budget, &config, &table, n_train, n_val);
        if objective.loss().weighs_tokens() {
            plan = plan.with_per_token(&config.model);
        }
        context.map_or(Ok(()), |context| choose::check_storage(&config, context))?;
        let limits = context.map_or(DeviceLimits::CPU, |context| context.adapter.limits);
        plan.check(&config, limits)?;
        let mut backend = match context {
            Some(context) => {
                Backend::gpu(context, &plan.buffers).await.map_err(|e| TrainError::from(e).advised(&config))?
            }
            None => Backend::cpu(&plan.buffers),
        };
        let transformer = Transformer { config: &config, table: &table, plan: &plan };
        let step_programs = if config.train.accumulation_steps == 1 {
            StepPrograms::Whole(backend.prepare(transformer.training_step()))
        } else {
            let batch = backend.prepare(transformer.accumulated_batch());
            StepPrograms::Accumulated { batch, update: backend.prepare(transformer.update()) }
        };
        let evaluation = backend.prepare(transformer.evaluation());
        backend.ready().await?;
        for (start, values) in table.initial_values_of_each(config.train.seed) {
            backend.write_f32(plan.params.part(start, values.len()), &values);
        }
        let model = &config.model;
        let rope_table = cos_sin_table(model.context_length, model.d_head(), model.rope_theta);
        backend.write_f32(plan.cos_sin, &rope_table);
        let positions: Vec<u32> = (0..plan.position_ids.len).map(|row| (row % model.context_length) as u32).collect();
        backend.write(plan.position_ids, &positions);
        let batches = Rng::with_stream(config.train.seed, BATCH_STREAM);
        let mut trainer = Self {
            config,
            table,
            plan,
            backend,
            step_programs,
            evaluation,
            probe_programs: HashMap::new(),
            next_programs: HashMap::new(),
            scaled_evaluation: None,
            rope_table,
            source,
            row_programs: HashMap::new(),
            unreadable: None,
            cached: Vec::new(),
            limits,
            batches,
            steps_submitted: 0,
            steps_per_submit: 1,
            submissions: 1,
            caution: context.map_or(1.0, Context::caution),
            in_flight: VecDeque::new(),
            sharing: None,
            update: None,
            deserted: None,
            poisoned: Poisoned::default(),
            edits: 0,
        };
        trainer.limit_submissions(None);
        Ok(trainer)
    }

    /// The current configuration.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The parameter table.
    pub fn table(&self) -> &ParamTable {
        &self.table
    }

    /// Total size of all buffers, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.plan.buffers.total_bytes()
    }

    /// Number of dispatches per training step.
    pub fn dispatches_per_step(&self) -> usize {
        let transformer = Transformer { config: &self.config, table: &self.table, plan: &self.plan };
        match self.config.train.accumulation_steps {
            1 => transformer.training_step().dispatches.len(),
            n => n * transformer.accumulated_batch().dispatches.len() + transformer.update().dispatches.len(),
        }
    }

    /// Number of steps submitted so far; all of them are done once nothing is in flight.
    pub fn step(&self) -> u64 {
        self.steps_submitted
    }

    /// Number of submissions whose losses have not been collected.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Applies the settings that can change during training; the others are not changed.
    ///
    /// # Errors
    /// If the settings are invalid; nothing changes then.
    pub fn tune(&mut self, train: &TrainConfig) -> Result<(), ConfigError> {
        train.validate()?;
        self.config.train = self.config.train.with_live_of(train);
        Ok(())
    }

    /// Submits `n_steps` training steps (at most [`MAX_STEPS_AT_ONCE`]) and starts reading their losses.
    pub fn submit(&mut self, n_steps: usize) {
        let batches = self.batches.clone();
        let starts = (0..n_steps.min(MAX_STEPS_AT_ONCE)).map(|_| self.draw()).collect();
        self.submit_on(starts, batches);
    }

    /// Draws the start positions of the next step's sequences.
    fn draw(&mut self) -> Vec<u32> {
        let sequences = self.config.train.batch_size * self.config.train.accumulation_steps;
        batch_starts(&mut self.batches, self.source.n_train(), self.config.model.context_length, sequences)
    }

    /// Submits a step for each of `starts`, drawn by `batches`, or plans it if batches are shared.
    fn submit_on(&mut self, starts: Vec<Vec<u32>>, batches: Rng) {
        let first_step = self.steps_submitted + 1;
        let (StepPrograms::Whole(program) | StepPrograms::Accumulated { update: program, .. }) = self.step_programs;
        if let Err(error) = self.make_room(program) {
            self.batches = batches;
            self.unreadable = Some(error);
            return;
        }
        self.steps_submitted += starts.len() as u64;
        let chunk = if self.plans_ahead() {
            Chunk::Planned { first_step, starts, batches }
        } else {
            let mut lrs = Vec::with_capacity(starts.len());
            for steps in starts.chunks(self.steps_per_submit) {
                lrs.extend(self.run_steps(first_step + lrs.len() as u64, steps));
            }
            let rings = self.backend.start_read(&[self.plan.loss_ring, self.plan.norm_ring]);
            Chunk::Submitted { first_step, starts, batches, lrs, rings }
        };
        self.in_flight.push_back(chunk);
    }

    /// Submits steps to the device, each on the sequences that start at its positions in the training tokens, B for each
    /// accumulated batch; returns their learning rates.
    fn run_steps(&mut self, first_step: u64, starts: &[Vec<u32>]) -> Vec<f32> {
        self.cached.clear();
        let weight = 1.0 / self.config.train.accumulation_steps as f32;
        let (mut jobs, mut lrs) = (Vec::new(), Vec::with_capacity(starts.len()));
        for (step, starts) in (first_step..).zip(starts) {
            let step = self.step_values(step);
            for (batch, starts) in starts.chunks(self.config.train.batch_size).enumerate() {
                let step = Step { weight, first: u32::from(batch == 0), ..step };
                let mut writes = self.place(starts, 0, self.plan.train_tokens);
                writes.push((self.plan.step, bytemuck::cast_slice(&[step]).to_vec()));
                let (StepPrograms::Whole(program) | StepPrograms::Accumulated { batch: program, .. }) =
                    self.step_programs;
                jobs.push((program, writes));
            }
            if let StepPrograms::Accumulated { update, .. } = self.step_programs {
                jobs.push((update, Writes::new()));
            }
            lrs.push(step.lr);
        }
        self.backend.run_all(&jobs);
        lrs
    }

    fn step_values(&self, step: u64) -> Step {
        step_values(&self.config.train, step)
    }

    /// Waits for the oldest submission and returns its steps; empty if nothing is in flight.
    ///
    /// # Errors
    /// If the device failed, or a loss or gradient is non-finite. In the latter case neither that step nor any later one was
    /// applied, and the trainer is in the state before it.
    pub async fn collect(&mut self) -> Result<Vec<StepPoint>, TrainError> {
        if let Some(error) = self.unreadable.take() {
            self.in_flight.clear();
            return Err(error);
        }
        match self.in_flight.pop_front() {
            None => Ok(Vec::new()),
            Some(Chunk::Done(points)) => Ok(points),
            Some(Chunk::Planned { first_step, starts, batches }) => {
                let points = self.train_planned(first_step, &starts, &batches).await;
                if points.is_err() {
                    self.in_flight.clear();
                }
                points
            }
            Some(Chunk::Submitted { first_step, starts, batches, lrs, rings }) => {
                let words = self.backend.finish_read(rings).await?;
                let mut points = Vec::with_capacity(lrs.len());
                for (step, lr) in (first_step..).zip(lrs) {
                    let slot = (step % RING as u64) as usize;
                    let (loss, grad_norm) = (f32::from_bits(words[slot]), f32::from_bits(words[RING + slot]));
                    if !loss.is_finite() || !grad_norm.is_finite() {
                        self.in_flight.clear();
                        self.stand_before(step, first_step, starts, batches);
                        return Err(TrainError::Diverged { step, loss, grad_norm });
                    }
                    points.push(StepPoint { step, loss, lr, grad_norm, seconds: 0.0 });
                }
                Ok(points)
            }
        }
    }

    /// Returns the pending error, if tokens could not be read since the last call.
    fn readable(&mut self) -> Result<(), TrainError> {
        self.unreadable.take().map_or(Ok(()), Err)
    }

    /// Trains one step on the given sequences, B for each accumulated batch, for comparisons with other implementations.
    ///
    /// # Errors
    /// As [`Trainer::collect`].
    pub async fn step_on(&mut self, starts: &[u32]) -> Result<StepPoint, TrainError> {
        let first_step = self.steps_submitted + 1;
        self.submit_on(vec![starts.to_vec()], self.batches.clone());
        loop {
            if let Some(point) = self.collect().await?.into_iter().find(|point| point.step == first_step) {
                return Ok(point);
            }
        }
    }
}

/// The step-dependent values that the kernels read.
fn step_values(train: &TrainConfig, step: u64) -> Step {
    let values = Step {
        lr: learning_rate(step, train) as f32,
        eps: train.adam_eps as f32,
        weight_decay: train.weight_decay as f32,
        max_grad_norm: train.max_grad_norm as f32,
        slot: (step % RING as u64) as u32,
        momentum: train.momentum as f32,
        weight: 1.0,
        first: 1,
        ..bytemuck::Zeroable::zeroed()
    };
    values.with_betas([train.beta1, train.beta2], step as f64)
}
