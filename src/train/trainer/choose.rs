//! Which kernels a model trains with on a device.

use super::{TrainError, Trainer};
use crate::config::RunConfig;
use crate::gpu::compare::SideBySide;
use crate::gpu::context::Context;
use crate::gpu::recording::Storage;
use crate::model::memory::MemoryPlan;
use crate::model::params::ParamTable;
use crate::model::transformer::Transformer;
use crate::ops::rope::cos_sin_table;
use crate::ops::tuning;
use crate::rng::Rng;

impl Trainer {
    /// Chooses the variants of the kernels that a training step of this model uses, before the model is made; returns a
    /// sentence for each that the device computes wrongly, and which is therefore not used.
    ///
    /// # Errors
    /// When the configuration is wrong or the device was lost.
    pub async fn choose_kernels(config: &RunConfig, context: Option<&Context>) -> Result<Vec<String>, TrainError> {
        config.validate()?;
        let Some(context) = context else { return Ok(Vec::new()) };
        check_storage(config, context)?;
        let recordings = with_transformer(config, |of| [of.gradients(), of.update(), of.next_token()]);
        let mut sentences = Vec::new();
        for recording in recordings {
            sentences.extend(tuning::tune(context, &recording).await?);
        }
        if config.train.activation_storage == Storage::F16 {
            compare_halves(config, context).await?;
        }
        Ok(sentences)
    }

    /// Has a device compile what this model is shown and trained with, before the model is made. A browser does so beside
    /// this program.
    ///
    /// # Errors
    /// When the configuration is wrong.
    pub fn compile_ahead(config: &RunConfig, context: &Context) -> Result<(), TrainError> {
        config.validate()?;
        check_storage(config, context)?;
        with_transformer(config, |transformer| {
            let recordings = [
                transformer.probe(&transformer.plan.probe),
                transformer.evaluation(),
                transformer.gradients(),
                transformer.update(),
            ];
            recordings.iter().for_each(|recording| tuning::compile(context, &transformer.plan.buffers, recording));
        });
        Ok(())
    }
}

/// Refuses numbers of 16 bits where the device has none. The CPU backend rounds as a device that has them would.
pub(super) fn check_storage(config: &RunConfig, context: &Context) -> Result<(), TrainError> {
    match config.train.activation_storage {
        Storage::F16 if !context.f16 => Err(TrainError::NoHalves { adapter: context.adapter.name.clone() }),
        _ => Ok(()),
    }
}

/// Both sides round to 11 bits, not always to the same side, and a step's dispatches add some such differences up.
const HALVES_TOLERANCE: f32 = 4e-3;

/// Compares the device's gradients with the CPU's for a small model of the same kind whose activations have 16 bits.
async fn compare_halves(config: &RunConfig, context: &Context) -> Result<(), TrainError> {
    let config = small(config);
    let table = ParamTable::new(&config.model);
    let n_tokens = 3 * config.model.context_length;
    let plan = MemoryPlan::new(&config, &table, n_tokens, n_tokens);
    let recording = Transformer { config: &config, table: &table, plan: &plan }.batch_gradients();
    let mut sides = SideBySide::new(context, &plan.buffers).await?;
    sides.write(plan.params, bytemuck::cast_slice(&table.initial_values(config.train.seed)));
    let model = &config.model;
    let rope_table = cos_sin_table(model.context_length, model.d_head(), model.rope_theta);
    sides.write(plan.cos_sin, bytemuck::cast_slice(&rope_table));
    let mut rng = Rng::new(config.train.seed);
    let tokens: Vec<u32> = (0..n_tokens).map(|_| rng.below(model.vocab_size as u32)).collect();
    sides.write(plan.train_tokens, &tokens);
    sides.write(plan.starts, &[0, model.context_length as u32]);
    match sides.first_difference(&recording, HALVES_TOLERANCE).await? {
        None => Ok(()),
        Some(difference) => {
            Err(TrainError::WrongHalves { adapter: context.adapter.name.clone(), difference: difference.to_string() })
        }
    }
}

/// A model with the same switches and heads, for two short sequences.
fn small(config: &RunConfig) -> RunConfig {
    let mut config = config.clone();
    let model = &mut config.model;
    let d_head = model.d_head();
    (model.vocab_size, model.context_length, model.n_layers, model.d_ff) = (64, 24, 1, 24);
    model.n_kv_heads = if model.n_kv_heads == model.n_heads { 2 } else { 1 };
    (model.n_heads, model.d_model) = (2, 2 * d_head);
    (config.train.batch_size, config.train.accumulation_steps) = (2, 1);
    config
}

/// What `record` makes of a model of this configuration without text.
fn with_transformer<T>(config: &RunConfig, record: impl FnOnce(&Transformer<'_>) -> T) -> T {
    let table = ParamTable::new(&config.model);
    let least = config.model.context_length + 1;
    let plan = MemoryPlan::new(config, &table, least, least);
    record(&Transformer { config, table: &table, plan: &plan })
}
