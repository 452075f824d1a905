//! `glasshead bench step`: how fast a model trains, and where the time goes.

use std::collections::BTreeMap;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use crate::cli::{BackendArg, open, preset, sentence, tune};
use crate::config::{ModelConfig, Preset, RunConfig};
use crate::rng::Rng;
use crate::threads;
use crate::train::trainer::Trainer;

/// What to measure.
#[derive(Args)]
pub(in crate::cli) struct StepArgs {
    /// nano, tiny, small or cs336; the reference workload unless told: 4 layers, d_model 128, 4 heads, context 128,
    /// batch 8, vocabulary 512, d_ff 344.
    #[arg(long, value_parser = preset)]
    config: Option<Preset>,
    /// Changes a field, for example --set batch_size=16.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// Who computes.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// Runs, of which the median counts.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Steps of a run.
    #[arg(long, default_value_t = 4)]
    steps: usize,
    /// Also how long each kernel takes: by timestamps on the GPU, by the clock on the CPU.
    #[arg(long)]
    profile: bool,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// The workload that is compared with other programs.
fn reference_workload() -> RunConfig {
    let mut config = Preset::Nano.config();
    config.model = ModelConfig::cs336([512, 128], [128, 4, 4, 344]);
    config.train.batch_size = 8;
    config
}

pub(in crate::cli) async fn step(args: StepArgs) -> Result<(), String> {
    if args.runs == 0 || args.steps == 0 {
        return Err("--runs and --steps have to be at least 1".into());
    }
    let mut config = args.config.map_or_else(reference_workload, Preset::config);
    for change in &args.set {
        let (field, value) = change.split_once('=').ok_or(format!("--set {change} is not FIELD=VALUE"))?;
        config.set(field.trim(), value.trim()).map_err(sentence)?;
    }
    config.validate().map_err(sentence)?;
    let context = open(args.backend).await?;
    let adapter = context.as_ref().map_or("CPU".to_string(), |context| context.adapter.name.clone());
    let backend = context.as_ref().map_or("CPU".to_string(), |context| context.adapter.backend.clone());
    let mut rng = Rng::new(config.train.seed);
    let n_tokens = 100 * config.model.context_length;
    let tokens: Vec<u32> = (0..n_tokens).map(|_| rng.below(config.model.vocab_size as u32)).collect();
    let tokens_per_run = config.tokens_per_step() * args.steps;
    tune(&config, context.as_ref()).await?;
    let mut trainer = Trainer::new(config, context.as_ref(), &tokens, &tokens).await.map_err(sentence)?;
    // The first run compiles pipelines and fills caches.
    let mut losses = run(&mut trainer, args.steps).await?.1;
    let mut speeds = Vec::new();
    for _ in 0..args.runs {
        let (seconds, more) = run(&mut trainer, args.steps).await?;
        speeds.push(tokens_per_run as f64 / seconds);
        losses.extend(more);
    }
    let mut sorted = speeds.clone();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let (dispatches, submits) = (trainer.dispatches_per_step(), trainer.submits_per_step());
    let (first, last) = (losses.first().copied(), losses.last().copied());
    if args.json {
        println!(
            "{}",
            json!({ "adapter": adapter, "backend": backend, "threads": threads::count(), "tokens_per_s": median, "tokens_per_s_runs": speeds,
                    "dispatches_per_step": dispatches, "submits_per_step": submits,
                    "loss_first": first, "loss_last": last })
        );
    } else {
        println!("{adapter} ({backend}): {median:.0} tokens/s, the median of {speeds:.0?}");
        println!("{dispatches} dispatches and {submits} submissions a step, loss {first:?} to {last:?}");
    }
    if args.profile {
        profile(&mut trainer).await?;
    }
    Ok(())
}

/// Seconds and losses of some steps.
async fn run(trainer: &mut Trainer, n_steps: usize) -> Result<(f64, Vec<f32>), String> {
    let began = Instant::now();
    trainer.submit(n_steps);
    let points = trainer.collect().await.map_err(sentence)?;
    Ok((began.elapsed().as_secs_f64(), points.iter().map(|point| point.loss).collect()))
}

/// A table of kernels, the most expensive first.
async fn profile(trainer: &mut Trainer) -> Result<(), String> {
    let timings = trainer.profile_step().await.map_err(sentence)?;
    let mut by_kernel: BTreeMap<&str, (usize, f64)> = BTreeMap::new();
    for timing in &timings {
        let (count, ns) = by_kernel.entry(timing.kernel).or_default();
        (*count, *ns) = (*count + 1, *ns + timing.ns);
    }
    let total: f64 = timings.iter().map(|timing| timing.ns).sum();
    let mut rows: Vec<_> = by_kernel.into_iter().collect();
    rows.sort_by(|(_, (_, a)), (_, (_, b))| b.total_cmp(a));
    println!("{:<26} {:>5} {:>10} {:>6}", "kernel", "times", "ms", "share");
    for (kernel, (count, ns)) in rows {
        println!("{kernel:<26} {count:>5} {:>10.3} {:>5.1}%", ns / 1e6, 100.0 * ns / total);
    }
    println!("{:<26} {:>5} {:>10.3}", "all", timings.len(), total / 1e6);
    Ok(())
}
