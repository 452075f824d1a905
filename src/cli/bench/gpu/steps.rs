//! Training steps by kernel, tuning, and a short training compared with the CPU.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Sizes, open};
use crate::cli::bench::step::{flops, profile, run};
use crate::cli::bench::{Machine, median, reference_workload};
use crate::cli::sentence;
use crate::config::{ModelConfig, Preset, RunConfig, ValidConfig};
use crate::gpu::context::Context;
use crate::ops::tuning;
use crate::rng::Rng;
use crate::train::trainer::Trainer;

/// Duration of the timed runs of one workload.
const TIMED_S: f64 = 3.0;

/// Maximum difference between the mean losses of the last steps on the GPU and on the CPU. Rounding separates two runs by about
/// a hundredth of a nat after some hundred steps.
const MAX_LOSS_DIFFERENCE: f64 = 0.05;

fn tokens(config: &RunConfig) -> Vec<u32> {
    let (mut rng, vocab_size) = (Rng::new(config.train.seed), config.model.vocab_size as u32);
    // Each token follows from the one before in three of four cases, so that there is something to learn.
    let mut token = 0;
    let next = |_| {
        let drawn = rng.below(vocab_size);
        token = if drawn.is_multiple_of(4) { drawn } else { (token * 3 + 1) % vocab_size };
        token
    };
    (0..64 * (config.model.context_length + 1)).map(next).collect()
}

async fn trainer(config: &RunConfig, context: Option<&Context>) -> Result<Trainer, String> {
    let tokens = tokens(config);
    Trainer::new(config.clone(), context, &tokens, &tokens).await.map_err(sentence)
}

/// Uses no variants.
fn use_originals(context: &Context) {
    let mut told = context.told.borrow_mut();
    tuning::names().for_each(|(key, variants)| told.set(key, variants[0]));
}

/// Tokens per second and the profile of training steps, with the original kernels and with those that tuning chooses.
pub(super) async fn steps(sizes: Sizes) -> Result<Value, String> {
    let mut workloads = vec![("reference", reference_workload())];
    if sizes.small {
        workloads[0] = ("nano", Preset::Nano.config());
    } else {
        workloads.extend([("small", Preset::Small.config()), ("cs336", Preset::Cs336.config())]);
    }
    let mut rows = Vec::new();
    for (name, config) in workloads {
        for original in [false, true] {
            let mut row = step(&config, original, sizes).await?;
            row["workload"] = name.into();
            row["kernels"] = if original { "originals" } else { "tuned" }.into();
            rows.push(row);
        }
    }
    Ok(json!({ "rows": rows }))
}

async fn step(config: &RunConfig, original: bool, sizes: Sizes) -> Result<Value, String> {
    let machine = Machine { context: Some(open().await?) };
    let context = machine.context.as_ref();
    if original {
        context.into_iter().for_each(use_originals);
    }
    let problems = Trainer::choose_kernels(config, context).await.map_err(sentence)?;
    let mut trainer = trainer(config, context).await?;
    let (first_s, _) = run(&mut trainer, 1).await?;
    // As many steps per run as take a tenth of a second, so that waiting for the device does not count.
    let (second_s, _) = run(&mut trainer, 1).await?;
    let n_steps = ((0.1 / second_s) as usize).clamp(1, 32);
    let (began, mut speeds, mut loss) = (Instant::now(), Vec::new(), f32::NAN);
    while speeds.is_empty() || began.elapsed().as_secs_f64() < if sizes.small { 0.0 } else { TIMED_S } {
        let (seconds, losses) = run(&mut trainer, n_steps).await?;
        speeds.push((config.tokens_per_step() * n_steps) as f64 / seconds);
        loss = losses.last().copied().unwrap_or(f32::NAN);
    }
    let tokens_per_s = median(&speeds);
    let valid = ValidConfig::try_from(config.clone()).map_err(sentence)?;
    let gflops = tokens_per_s / config.tokens_per_step() as f64 * flops(&valid) / 1e9;
    Ok(json!({
        "tokens_per_s": tokens_per_s, "gflops": gflops, "first_step_s": first_s, "loss": loss,
        "dispatches": trainer.dispatches_per_step(), "problems": problems,
        "profile": profile(&machine, &mut trainer).await?,
    }))
}

/// Which variants tuning chooses for the reference workload, how long it takes, and how long with a filled cache.
pub(super) async fn tuning(sizes: Sizes) -> Result<Value, String> {
    let config = if sizes.small { Preset::Nano.config() } else { reference_workload() };
    let cold = open().await?;
    let began = Instant::now();
    let problems = Trainer::choose_kernels(&config, Some(&cold)).await.map_err(sentence)?;
    let cold_s = began.elapsed().as_secs_f64();
    let known = cold.known.borrow().clone();
    let warm = open().await?;
    *warm.known.borrow_mut() = known.clone();
    let began = Instant::now();
    Trainer::choose_kernels(&config, Some(&warm)).await.map_err(sentence)?;
    let warm_s = began.elapsed().as_secs_f64();
    Ok(json!({ "cold_s": cold_s, "warm_s": warm_s, "chosen": known.to_string(), "problems": problems }))
}

/// A short training on the GPU and on the CPU from the same weights.
pub(super) async fn training(sizes: Sizes) -> Result<Value, String> {
    let config = Preset::Nano.config();
    let n_steps = if sizes.small { 20 } else { 400 };
    let context = open().await?;
    Trainer::choose_kernels(&config, Some(&context)).await.map_err(sentence)?;
    let mut losses = Vec::new();
    for context in [Some(&context), None] {
        let mut trainer = trainer(&config, context).await?;
        let mut of_steps = Vec::new();
        while of_steps.len() < n_steps {
            of_steps.extend(run(&mut trainer, (n_steps - of_steps.len()).min(32)).await?.1);
        }
        let last = &of_steps[n_steps - n_steps / 4..];
        losses.push(last.iter().map(|&loss| f64::from(loss)).sum::<f64>() / last.len() as f64);
    }
    let difference = (losses[0] - losses[1]).abs();
    let failed = match difference < MAX_LOSS_DIFFERENCE {
        true => Vec::new(),
        false => {
            vec![format!("after {n_steps} steps the loss is {} on the GPU and {} on the CPU", losses[0], losses[1])]
        }
    };
    Ok(json!({ "steps": n_steps, "loss_gpu": losses[0], "loss_cpu": losses[1], "failed": failed }))
}

/// A model of GPT-2's smallest size: three steps, and the longest dispatch.
pub(super) async fn large_model(sizes: Sizes) -> Result<Value, String> {
    let mut config = Preset::Nano.config();
    config.model = match sizes.small {
        false => ModelConfig::cs336([50_257, 1024], [768, 12, 12, 3072]),
        true => ModelConfig::cs336([5_001, 64], [64, 2, 2, 128]),
    };
    config.train.batch_size = 1;
    for (field, value) in [("norm", "layernorm"), ("positions", "learned"), ("feed_forward", "gelu"), ("bias", "true")]
    {
        config.set(field, value).map_err(sentence)?;
    }
    let context = open().await?;
    Trainer::choose_kernels(&config, Some(&context)).await.map_err(sentence)?;
    let mut trainer = trainer(&config, Some(&context)).await?;
    let (first_s, _) = run(&mut trainer, 1).await?;
    let (seconds, losses) = run(&mut trainer, 2).await?;
    let timings = trainer.time_step().await.map_err(sentence)?.run.timings;
    let longest = timings.iter().max_by(|a, b| a.ns.total_cmp(&b.ns));
    Ok(json!({
        "tokens_per_s": (2 * config.tokens_per_step()) as f64 / seconds, "first_step_s": first_s,
        "loss": losses.last(), "dispatches": trainer.dispatches_per_step(),
        "longest_dispatch": longest.map(|timing| timing.kernel), "longest_ms": longest.map(|timing| timing.ns / 1e6),
    }))
}
