//! Training operations: `cross_entropy`, `clip`, `adamw`, `lr`, `get_batch`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};

use super::Server;
use super::answer::Answer;
use super::job::Job;
use super::request::{Floats, OpError, Request, elements, wrong};
use crate::config::{Preset, Schedule, TrainConfig, learning_rate};
use crate::data::batch_starts;
use crate::gpu::recording::Slice;
use crate::ops::step::Step;
use crate::ops::{adamw as update, clip as clipping, cross_entropy as loss, gather_batch, mean_loss};
use crate::rng::Rng;

/// The maximum number of tokens in a batch, so that a short request cannot exhaust the memory.
const MAX_BATCH: usize = 1 << 22;

/// An unpredictably seeded generator. The standard library seeds its hash maps from the system, so the hash of nothing
/// serves as a random number.
pub(super) fn entropy() -> Rng {
    Rng::new(RandomState::new().build_hasher().finish())
}

/// A [`Step`] with neutral values for the fields that an operation does not use.
pub(super) const STEP: Step = Step {
    lr: 0.0,
    beta1: 0.0,
    beta2: 0.0,
    one_minus_beta1: 1.0,
    one_minus_beta2: 1.0,
    eps: 1.0,
    weight_decay: 0.0,
    correction1: 1.0,
    correction2: 1.0,
    max_grad_norm: 1.0,
    slot: 0,
    momentum: 0.0,
    weight: 1.0,
    first: 1,
};

fn step_slice(job: &mut Job, step: Step) -> Slice {
    job.words(bytemuck::cast_slice(&[step]).to_vec())
}

/// The mean cross-entropy of logits (N, V) against targets (N).
pub(super) fn cross_entropy(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let (x, t) = (request.floats("x")?, request.ints("t")?);
    let [n_rows, vocab_size] = x.dims("[N, V]")?;
    t.expect(&[n_rows])?;
    let mut job = Job::new();
    let (logits, targets) = (job.input(&x.values), job.words(t.below(vocab_size)?));
    let (losses, mean, step) = (job.output(n_rows), job.output(1), step_slice(&mut job, STEP));
    let params = loss::Params::new(n_rows, vocab_size);
    loss::cross_entropy(&mut job.recording, [logits, targets, losses], params);
    mean_loss::mean_loss(&mut job.recording, [step, losses, mean]);
    let results = job.run(server, &[mean])?;
    Ok(Answer::floats("out", &[], &results[0]))
}

/// All gradients, scaled so that their joint norm is at most `max`.
pub(super) fn clip(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let max_grad_norm = request.single("max", "a number from 0 on", |max| max >= 0.0)?;
    let names = request.tensors.names();
    if names.is_empty() {
        return wrong("the gradients", "missing", "one or more F32 tensors under any names");
    }
    let gradients = names.into_iter().map(|name| request.floats(name)).collect::<Result<Vec<_>, _>>()?;
    let all: Vec<f32> = gradients.iter().flat_map(|gradient| &gradient.values).copied().collect();
    let mut job = Job::new();
    let grads = job.input(&all);
    let step = step_slice(&mut job, Step { max_grad_norm, ..STEP });
    let norms = [job.output(clipping::PARTIAL_SUMS), job.output(1), job.output(1), job.output(1)];
    clipping::grad_norm(&mut job.recording, step, grads, norms);
    clipping::clip(&mut job.recording, step, grads, norms[1]);
    let results = job.run(server, &[grads])?;
    let mut rest = &results[0][..];
    let mut answer = Answer::default();
    for gradient in &gradients {
        let (values, others) = rest.split_at(gradient.values.len());
        answer = answer.and(&gradient.name, &gradient.shape, values);
        rest = others;
    }
    Ok(answer)
}

/// AdamW step number `t`. Gradients may be non-finite, as in PyTorch: the kernel skips the update if the gradient norm
/// is non-finite, so it gets a norm of 0.
pub(super) fn adamw(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let tensors = [request.floats("p")?, request.floats("g")?, request.floats("m")?, request.floats("v")?];
    let [p, others @ ..] = &tensors;
    others.iter().try_for_each(|tensor: &Floats| tensor.expect(&p.shape))?;
    let t = request.size("t")? as f64;
    let betas = betas(request)?;
    let step = Step {
        lr: request.single("lr", "a number", |_| true)?,
        eps: request.single("eps", "a number from 0 on", |eps| eps >= 0.0)?,
        weight_decay: request.single("wd", "a number", |_| true)?,
        ..STEP
    };
    let step = step.with_betas(betas, t);
    let mut job = Job::new();
    let (step, norm) = (step_slice(&mut job, step), job.output(1));
    let [param, grad, m, v] = tensors.each_ref().map(|tensor| job.input(&tensor.values));
    update::adamw(&mut job.recording, step, norm, [grad, param, m, v], param.len);
    let results = job.run(server, &[param, m, v])?;
    let names = ["p", "m", "v"].into_iter().zip(&results);
    Ok(names.fold(Answer::default(), |answer, (name, values)| answer.and(name, &p.shape, values)))
}

fn betas(request: &Request<'_>) -> Result<[f64; 2], OpError> {
    let expected = "a list of two numbers, each at least 0 and less than 1";
    let list = request.list("betas", expected)?;
    let numbers: Vec<f64> = list.iter().filter_map(serde_json::Value::as_f64).collect();
    match numbers[..] {
        [beta1, beta2] if list.len() == 2 && numbers.iter().all(|beta| (0.0..1.0).contains(beta)) => Ok([beta1, beta2]),
        _ => wrong("argument betas", request.arg("betas").to_string(), expected),
    }
}

/// The learning rate of a training step, in f64.
pub(super) fn lr(_: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let schedule = TrainConfig {
        max_lr: request.number("max", "a number", |_| true)?,
        min_lr: request.number("min", "a number", |_| true)?,
        warmup_steps: request.count("warm")?,
        schedule_steps: request.count("cyc")?,
        schedule: Schedule::Cosine,
        ..Preset::Nano.config().train
    };
    Ok(Answer::result(learning_rate(request.count("it")?, &schedule)))
}

/// Windows of `ctx` tokens at random positions, and the same windows shifted by one token. The kernel copies 32-bit
/// words, so wider integers are copied as two halves.
pub(super) fn get_batch(server: &mut Server<'_>, request: &Request<'_>) -> Result<Answer, OpError> {
    let data = request.any_ints("data")?;
    let (b, ctx) = (request.size("b")?, request.size("ctx")?);
    let &[n_tokens] = &data.shape[..] else {
        return wrong("data", format!("of shape {:?}", data.shape), "of shape [N]");
    };
    if n_tokens <= ctx {
        let expected = format!("at least ctx + 1 = {} long", ctx.saturating_add(1));
        return wrong("data", format!("{n_tokens} long"), expected);
    }
    let len = elements("the batch", &[b, ctx])?;
    if len > MAX_BATCH {
        return wrong("argument b", b.to_string(), format!("at most {} for ctx {ctx}", MAX_BATCH / ctx));
    }
    let starts = batch_starts(&mut server.rng, n_tokens, ctx, b);
    let params = gather_batch::Params { batch_size: b as u32, context_length: ctx as u32 };
    let mut job = Job::new();
    let starts = job.words(starts);
    let mut outputs = Vec::new();
    for shift in [0, 32] {
        let tokens = job.words(data.values.iter().map(|&token| (token >> shift) as u32).collect());
        let [inputs, targets] = [job.output(len), job.output(len)];
        gather_batch::gather_batch(&mut job.recording, [tokens, starts, inputs, targets], params);
        outputs.extend([inputs, targets]);
    }
    let results = job.run(server, &outputs)?;
    let [x_low, y_low, x_high, y_high] = &results[..] else { return Ok(Answer::default()) };
    let whole = |low: &[f32], high: &[f32]| -> Vec<i64> {
        let word = |(low, high): (&f32, &f32)| i64::from(high.to_bits()) << 32 | i64::from(low.to_bits());
        low.iter().zip(high).map(word).collect()
    };
    let answer = Answer::default().and_ints("x", &[b, ctx], &whole(x_low, x_high));
    Ok(answer.and_ints("y", &[b, ctx], &whole(y_low, y_high)))
}
