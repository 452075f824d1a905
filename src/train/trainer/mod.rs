//! The training loop: steps are submitted in advance and their losses are read later, without waiting in between.
//!
//! `source` transfers tokens to the device, `evaluate` computes held-out losses, `probe` computes attention maps, `next` the
//! next-token logits of several texts, `attention_weights` attention weights in full precision, `inspect` inspects heads
//! and layers and evaluates the model with changes, `rows` trains on prompts with responses, `share` shares batches with
//! other workers, `steps` submits and collects steps, `state` saves and restores weights and moments, `diverge` locates the origin of a divergence.

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
mod steps;
mod submissions;
mod tensors;

use std::collections::{HashMap, VecDeque};

pub use self::costs::StepTimes;
pub use self::diverge::Origin;
use self::diverge::Poisoned;
pub use self::error::{TrainError, WeightError};
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
pub use self::steps::MAX_STEPS_AT_ONCE;
use crate::config::{ConfigError, RunConfig, TrainConfig};
use crate::data::TokenFile;
use crate::gpu::backend::{Backend, PendingRead, Program};
use crate::gpu::context::{Budget, Context, DeviceLimits};
use crate::model::memory::MemoryPlan;
use crate::model::params::ParamTable;
use crate::model::transformer::Transformer;
use crate::ops::rope::cos_sin_table;
use crate::rng::Rng;
use crate::train::objective::{NextToken, Objective};
use crate::types::StepPoint;

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
        let plan = plan(&config, &table, context, &*source, objective);
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
            StepPrograms::Whole(backend.prepare(backend.fused(transformer.training_step())))
        } else {
            let batch = backend.prepare(backend.fused(transformer.accumulated_batch()));
            StepPrograms::Accumulated { batch, update: backend.prepare(transformer.update()) }
        };
        let evaluation = backend.prepare(transformer.evaluation());
        backend.ready().await?;
        let rope_table = write_constants(&mut backend, &plan, &table, &config);
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
            1 => self.backend.fused(transformer.training_step()).dispatches.len(),
            n => {
                let batch = self.backend.fused(transformer.accumulated_batch());
                n * batch.dispatches.len() + transformer.update().dispatches.len()
            }
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
}

/// The buffers of a run, in pieces that fit its device.
fn plan(
    config: &RunConfig,
    table: &ParamTable,
    context: Option<&Context>,
    source: &dyn BatchSource,
    objective: &dyn Objective,
) -> MemoryPlan {
    let window = config.train.batch_size * (config.model.context_length + 1);
    let budget = context.map_or_else(Budget::default, |context| choose::budget(config, context));
    let [n_train, n_val] = source.on_device(window);
    let plan = MemoryPlan::within(budget, config, table, n_train, n_val);
    if objective.loss().weighs_tokens() { plan.with_per_token(&config.model) } else { plan }
}

/// Writes the initial weights, RoPE's table, which is returned, and the positions.
fn write_constants(backend: &mut Backend, plan: &MemoryPlan, table: &ParamTable, config: &RunConfig) -> Vec<f32> {
    for (start, values) in table.initial_values_of_each(config.train.seed) {
        backend.write_f32(plan.params.part(start, values.len()), &values);
    }
    let model = &config.model;
    let rope_table = cos_sin_table(model.context_length, model.d_head(), model.rope_theta);
    backend.write_f32(plan.cos_sin, &rope_table);
    let positions: Vec<u32> = (0..plan.position_ids.len).map(|row| (row % model.context_length) as u32).collect();
    backend.write(plan.position_ids, &positions);
    rope_table
}
