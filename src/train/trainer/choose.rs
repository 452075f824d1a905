//! Choice of the kernel variants for training a model on a device.

use super::{TrainError, Trainer};
use crate::config::RunConfig;
use crate::gpu::compare::{Difference, SideBySide};
use crate::gpu::context::{Budget, Context};
use crate::gpu::recording::{Recording, Storage};
use crate::model::memory::MemoryPlan;
use crate::model::params::ParamTable;
use crate::model::transformer::Transformer;
use crate::ops::cost::costs;
use crate::ops::rope::cos_sin_table;
use crate::ops::{quantize, tuning};
use crate::rng::Rng;

impl Trainer {
    /// Chooses the variants of the kernels in a training step of this model, before the model is created; returns a message for
    /// each variant that is not used because the device computes it incorrectly.
    ///
    /// # Errors
    /// If the configuration is invalid or the device was lost.
    pub async fn choose_kernels(config: &RunConfig, context: Option<&Context>) -> Result<Vec<String>, TrainError> {
        config.validate()?;
        let Some(context) = context else { return Ok(Vec::new()) };
        check_storage(config, context)?;
        let recordings = with_transformer(config, context, |of| [of.gradients(), of.update(), of.next_token()]);
        let mut sentences = Vec::new();
        for recording in recordings {
            sentences.extend(tuning::tune(context, &recording).await?);
        }
        sentences.extend(self_test(config, context).await?);
        Ok(sentences)
    }

    /// Starts compiling the kernels for training and showing this model, before the model is created. A browser compiles them
    /// in parallel with this program.
    ///
    /// # Errors
    /// If the configuration is invalid.
    pub fn compile_ahead(config: &RunConfig, context: &Context) -> Result<(), TrainError> {
        config.validate()?;
        check_storage(config, context)?;
        with_transformer(config, context, |transformer| {
            // The first step's kernels first.
            let recordings =
                [transformer.training_step(), transformer.evaluation(), transformer.probe(&transformer.plan.probe)];
            recordings.iter().for_each(|recording| tuning::compile(context, &transformer.plan.buffers, recording));
        });
        Ok(())
    }
}

impl Trainer {
    /// Compares every dispatch of a training step, of an inspected window and of token-by-token generation with the CPU, each from
    /// the CPU's inputs, for a small model with the settings of `config`; returns the first difference.
    ///
    /// # Errors
    /// If the configuration is invalid, or the device was lost or cannot run one of the kernels.
    pub async fn first_wrong_dispatch(config: &RunConfig, context: &Context) -> Result<Option<Difference>, TrainError> {
        config.validate()?;
        check_storage(config, context)?;
        let config = small_enough_for(config, context);
        let recordings: [fn(&Transformer<'_>) -> Recording; 4] =
            [|of| of.training_step(), of_probe, |of| of.fill_cache(), |of| of.next_token()];
        for record in recordings {
            let wrong = first_wrong(&config, context, record).await?;
            if wrong.is_some() {
                return Ok(wrong);
            }
        }
        Ok(None)
    }
}

/// The probe without its bytes, whose words are no numbers to compare.
fn of_probe(transformer: &Transformer<'_>) -> Recording {
    let mut probe = transformer.probe(&transformer.plan.probe);
    probe.dispatches.retain(|dispatch| dispatch.kernel.name != quantize::QUANTIZE.name);
    probe
}

/// Rejects f16 activations if the device does not support f16. The CPU backend rounds in the same way as a device with f16.
pub(super) fn check_storage(config: &RunConfig, context: &Context) -> Result<(), TrainError> {
    match config.train.activation_storage {
        Storage::F16 if !context.f16 => Err(TrainError::NoHalves { adapter: context.adapter.name.clone() }),
        _ => Ok(()),
    }
}

/// Maximum difference between device and CPU in one dispatch, relative to the tensor's largest magnitude: far more than
/// rounding errors, far less than the effect of f16 arithmetic or of an incorrect kernel. With f16 activations both sides round
/// to 11 bits, not always in the same direction.
const TOLERANCE: f32 = 2e-4;
const HALVES_TOLERANCE: f32 = 2e-3;

/// Compares a whole training step of a small model of the same kind with the CPU, dispatch by dispatch, once per device and
/// version of the shaders. Variants with incorrect results are disabled and reported.
///
/// # Errors
/// If a kernel without variants computes incorrect results, or the device was lost.
async fn self_test(config: &RunConfig, context: &Context) -> Result<Vec<String>, TrainError> {
    let key = format!("self_test.{}", kind(&small(config)));
    // Overrides may select variants that have not been compared this way.
    if context.known.borrow().get(&key) == Some("passed") && context.told.borrow().is_empty() {
        return Ok(Vec::new());
    }
    let mut sentences = Vec::new();
    // Fewer fusions need fewer sequences.
    while let Some(difference) =
        first_wrong(&small_enough_for(config, context), context, |of| of.training_step()).await?
    {
        let of = difference.kernel;
        let variants = context.forget_variants(of);
        if variants.is_empty() {
            let (adapter, difference) = (context.adapter.name.clone(), difference.to_string());
            return Err(match config.train.activation_storage {
                Storage::F16 => TrainError::WrongHalves { adapter, difference },
                Storage::F32 => TrainError::WrongKernel { adapter, difference },
            });
        }
        let instead = match variants.contains(&of) {
            true => "its dispatches stay separate".into(),
            false => format!("{of} is used instead"),
        };
        sentences.push(format!("this device computes {} wrongly ({difference}); {instead}", variants.join(", ")));
    }
    context.known.borrow_mut().set(&key, "passed");
    Ok(sentences)
}

/// The settings that determine which kernels a model uses.
fn kind(config: &RunConfig) -> String {
    let (model, train) = (&config.model, &config.train);
    let parts = [
        format!("{:?}", model.norm),
        format!("{:?}", model.norm_placement),
        format!("{:?}", model.positions),
        format!("{:?}", model.feed_forward),
        format!("{:?}", train.optimizer),
        format!("{:?}", train.activation_storage),
        format!("d{}", model.d_head()),
        [(model.bias, "bias"), (model.tied_embeddings, "tied"), (!model.causal, "open")]
            .iter()
            .map(|(on, name)| if *on { name } else { "" })
            .collect(),
    ];
    parts.join("-").to_lowercase()
}

/// The first dispatch of a recording with an incorrect result.
async fn first_wrong(
    config: &RunConfig,
    context: &Context,
    record: fn(&Transformer<'_>) -> Recording,
) -> Result<Option<Difference>, TrainError> {
    let table = ParamTable::new(&config.model);
    let n_tokens = 3 * config.model.context_length;
    let plan = MemoryPlan::new(config, &table, n_tokens, n_tokens);
    let recording = context.fused(record(&Transformer { config, table: &table, plan: &plan }));
    let mut sides = SideBySide::new(context, &plan.buffers).await?;
    sides.write(plan.params, bytemuck::cast_slice(&table.initial_values(config.train.seed)));
    let model = &config.model;
    let rope_table = cos_sin_table(model.context_length, model.d_head(), model.rope_theta);
    sides.write(plan.cos_sin, bytemuck::cast_slice(&rope_table));
    let mut rng = Rng::new(config.train.seed);
    let tokens: Vec<u32> = (0..n_tokens).map(|_| rng.below(model.vocab_size as u32)).collect();
    sides.write(plan.train_tokens, &tokens);
    let starts: Vec<u32> = (0..plan.starts.len as u32).map(|i| i % 2 * model.context_length as u32 + i / 2).collect();
    sides.write(plan.starts, &starts);
    let positions: Vec<u32> = (0..plan.position_ids.len).map(|row| (row % model.context_length) as u32).collect();
    sides.write(plan.position_ids, &positions);
    sides.write(plan.step, bytemuck::cast_slice(&[super::steps::step_values(&config.train, 1)]));
    let tolerance = match config.train.activation_storage {
        Storage::F16 => HALVES_TOLERANCE,
        Storage::F32 => TOLERANCE,
    };
    Ok(sides.first_wrong(&recording, tolerance).await?)
}

/// A [`small`] model; with as many sequences as fill the tiles of the fusions in use.
fn small_enough_for(config: &RunConfig, context: &Context) -> RunConfig {
    let mut config = small(config);
    if context.has_fusions() {
        config.train.batch_size = 8; // 192 rows
    }
    config
}

/// A model with the same settings and heads, for two short sequences.
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

/// The limits of one dispatch of this model. After a lost device they are a fraction of the model's largest dispatch, so that the
/// next device does not receive the one that may have taken too long.
pub(super) fn budget(config: &RunConfig, context: &Context) -> Budget {
    let (budget, caution) = (context.budget(), context.caution());
    if caution == 1.0 {
        return budget;
    }
    let table = ParamTable::new(&config.model);
    let least = config.model.context_length + 1;
    let plan = MemoryPlan::within(Budget::of(context.adapter.limits), config, &table, least, least);
    let step = Transformer { config, table: &table, plan: &plan }.gradients();
    let largest = costs(&step).iter().map(|cost| cost.flops).fold(1.0, f64::max);
    Budget { dispatch_flops: budget.dispatch_flops.min(largest / caution), ..budget }
}

/// Calls `record` with a model of this configuration that has no text.
fn with_transformer<T>(config: &RunConfig, context: &Context, record: impl FnOnce(&Transformer<'_>) -> T) -> T {
    let table = ParamTable::new(&config.model);
    let least = config.model.context_length + 1;
    let plan = MemoryPlan::within(budget(config, context), config, &table, least, least);
    record(&Transformer { config, table: &table, plan: &plan })
}
