//! The model used for training: `block`, `lm`, `lm_grad`. Its sizes are derived from the tensors; weights are passed by
//! name.

use super::Server;
use super::answer::Answer;
use super::job::Job;
use super::layers::theta;
use super::request::{OpError, Request, elements, wrong};
use super::training::STEP;
use crate::config::{ModelConfig, Preset, RunConfig};
use crate::gpu::context::Budget;
use crate::gpu::recording::Recording;
use crate::model::memory::MemoryPlan;
use crate::model::params::{Param, ParamTable};
use crate::model::transformer::Transformer;
use crate::ops::rope::cos_sin_table;

/// The model that a request describes.
struct Model {
    config: RunConfig,
    table: ParamTable,
    plan: MemoryPlan,
}

impl Model {
    /// Plans the model for B sequences, after checking all large sizes.
    fn new(batch_size: usize, model: ModelConfig) -> Result<Self, OpError> {
        let mut config = RunConfig { model, ..Preset::Nano.config() };
        config.train.batch_size = batch_size;
        config.validate()?;
        let model = &config.model;
        let (t, h) = (model.context_length, model.n_heads);
        elements("the logits", &[batch_size, t, model.vocab_size])?;
        elements("the feed-forward network", &[batch_size, t, model.d_ff])?;
        elements("the attention weights", &[batch_size.max(model.n_layers), h, t, t])?;
        let table = ParamTable::new(model);
        // Answers contain the logits of all positions.
        let plan = MemoryPlan::within(Budget::WHOLE, &config, &table, 1, 1);
        Ok(Self { config, table, plan })
    }

    fn transformer(&self) -> Transformer<'_> {
        Transformer { config: &self.config, table: &self.table, plan: &self.plan }
    }

    /// A job for a recording, with the RoPE table and the request's weights. `name` maps a parameter to its name in the
    /// request, or to `None` if the recording does not need it.
    fn job(
        &self,
        request: &Request<'_>,
        recording: Recording,
        name: impl Fn(&str) -> Option<&str>,
    ) -> Result<Job, OpError> {
        let (model, plan) = (&self.config.model, &self.plan);
        let mut job = Job::over(plan.buffers.clone(), recording);
        let rotations = cos_sin_table(model.context_length, model.d_head(), model.rope_theta);
        job.write(plan.cos_sin, bytemuck::cast_slice(&rotations).to_vec());
        job.write(plan.step, bytemuck::cast_slice(&[STEP]).to_vec());
        for param in self.table.iter() {
            if let Some(name) = name(&param.name) {
                let weight = request.floats(name)?;
                weight.expect(&param.shape)?;
                job.write(param.of(plan.params), bytemuck::cast_slice(&weight.values).to_vec());
            }
        }
        Ok(job)
    }
}

/// F, from the shape of a block's W1.
fn d_ff(request: &Request<'_>, prefix: &str) -> Result<usize, OpError> {
    Ok(request.floats(&format!("{prefix}ffn.w1.weight"))?.dims::<2>("[F, C]")?[0])
}

/// The model's configuration; errors name the request's argument.
fn sizes(
    request: &Request<'_>,
    [vocab_size, context_length]: [usize; 2],
    [d_model, n_layers, d_ff]: [usize; 3],
) -> Result<ModelConfig, OpError> {
    let n_heads = request.size("h")?;
    if !d_model.is_multiple_of(n_heads) || !(d_model / n_heads).is_multiple_of(2) {
        let expected = format!("a number that cuts d_model {d_model} into heads of an even size");
        return wrong("argument h", n_heads.to_string(), expected);
    }
    let model = ModelConfig::cs336([vocab_size, context_length], [d_model, n_layers, n_heads, d_ff]);
    Ok(ModelConfig { rope_theta: theta(request)?, ..model })
}

/// One pre-norm block, computed as a model with a single block.
pub(super) fn block(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let x = request.floats("x")?;
    let (batch_size, [t, c]) = x.last("[…, T, C]")?;
    let model = Model::new(batch_size, sizes(request, [1, t], [c, 1, d_ff(request, "")?])?)?;
    let mut job = model.job(request, model.transformer().first_block(), |name| name.strip_prefix("layers.0."))?;
    let acts = &model.plan.batch;
    job.write(acts.blocks[0].x, bytemuck::cast_slice(&x.values).to_vec());
    let results = job.run(server, &[acts.x_final])?;
    Ok(Answer::floats("out", &x.shape, &results[0]))
}

/// The model and inputs of `lm` and `lm_grad`.
fn language_model(request: &Request<'_>) -> Result<(Model, Vec<u32>), OpError> {
    let ids = request.ints("ids")?;
    let &[batch_size, t] = &ids.shape[..] else {
        return wrong("ids", format!("of shape {:?}", ids.shape), "of shape [B, T]");
    };
    let [vocab_size, c] = request.floats("token_embeddings.weight")?.dims("[V, C]")?;
    let n_layers = request.size("layers")?;
    // Checks that every layer is present before allocating anything of the requested size.
    for layer in 0..n_layers {
        request.floats(&format!("layers.{layer}.ln1.weight"))?;
    }
    let config = sizes(request, [vocab_size, t], [c, n_layers, d_ff(request, "layers.0.")?])?;
    Ok((Model::new(batch_size, config)?, ids.below(vocab_size)?))
}

/// Logits [B, T, V].
pub(super) fn lm(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (model, inputs) = language_model(request)?;
    let acts = &model.plan.batch;
    let mut job = model.job(request, model.transformer().logits(), |name| Some(name))?;
    job.write(acts.inputs, inputs);
    let results = job.run(server, &[acts.logits])?;
    let config = &model.config.model;
    Ok(Answer::floats("out", &[acts.batch_size, config.context_length, config.vocab_size], &results[0]))
}

/// The mean cross-entropy and the gradient of every weight, before clipping.
pub(super) fn lm_grad(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (model, inputs) = language_model(request)?;
    let (plan, config) = (&model.plan, &model.config.model);
    let targets = request.ints("targets")?;
    targets.expect(&[plan.batch.batch_size, config.context_length])?;
    let mut job = model.job(request, model.transformer().gradients(), |name| Some(name))?;
    job.write(plan.batch.inputs, inputs);
    job.write(plan.targets, targets.below(config.vocab_size)?);
    let params: Vec<&Param> = model.table.iter().collect();
    let grads = params.iter().map(|param| param.of(plan.grads));
    let outputs: Vec<_> = [plan.loss_ring.part(0, 1)].into_iter().chain(grads).collect();
    let results = job.run(server, &outputs)?;
    let loss = Answer::floats("loss", &[], &results[0]);
    let add = |answer: Answer, (param, values): (&&Param, &Vec<f32>)| {
        answer.and(format!("grad.{}", param.name), &param.shape, values)
    };
    Ok(params.iter().zip(&results[1..]).fold(loss, add))
}
