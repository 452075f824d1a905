//! `glasshead bench step`: the speed of training, and the time of each kernel.

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::{Machine, cpu_seconds, median, reference_workload};
use crate::accounting::Account;
use crate::cli::{BackendArg, preset, sentence, tune};
use crate::config::{Preset, ValidConfig};
use crate::rng::Rng;
use crate::train::profile::profile_step;
use crate::train::trainer::Trainer;
use crate::types::profile::KernelTime;

/// Options of the training benchmark.
#[derive(Args)]
pub(in crate::cli) struct StepArgs {
    /// nano, tiny, small or cs336; by default the reference workload: 4 layers, d_model 128, 4 heads, context 128,
    /// batch 8, vocabulary 512, d_ff 344.
    #[arg(long, value_parser = preset)]
    config: Option<Preset>,
    /// Change a field, for example --set batch_size=16.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// The number of runs; the median is reported.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// The number of steps per run.
    #[arg(long, default_value_t = 4)]
    steps: usize,
    /// Also report the time of each kernel: by timestamps on the GPU, by the clock on the CPU.
    #[arg(long)]
    profile: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
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
    let valid = ValidConfig::try_from(config.clone()).map_err(sentence)?;
    let machine = Machine::open(args.backend).await?;
    let mut rng = Rng::new(config.train.seed);
    let n_tokens = 100 * config.model.context_length;
    let tokens: Vec<u32> = (0..n_tokens).map(|_| rng.below(config.model.vocab_size as u32)).collect();
    let (tokens_per_step, flops_per_step) = (config.tokens_per_step(), flops(&valid));
    tune(&config, machine.context.as_ref()).await?;
    let trainer = Trainer::new(config, machine.context.as_ref(), &tokens, &tokens).await;
    let mut trainer = trainer.map_err(sentence)?;
    // The first run compiles pipelines and fills caches.
    let mut losses = run(&mut trainer, args.steps).await?.1;
    let (mut speeds, busy_before) = (Vec::new(), cpu_seconds());
    for _ in 0..args.runs {
        let (seconds, more) = run(&mut trainer, args.steps).await?;
        speeds.push((tokens_per_step * args.steps) as f64 / seconds);
        losses.extend(more);
    }
    let busy = busy_before.and_then(|before| Some(cpu_seconds()? - before)).filter(|&busy| busy > 0.0);
    let tokens_per_s = median(&speeds);
    let mut report = machine.describe();
    report["tokens_per_s"] = tokens_per_s.into();
    report["tokens_per_s_runs"] = json!(speeds);
    let tokens = (args.runs * args.steps * tokens_per_step) as f64;
    report["tokens_per_cpu_s"] = json!(busy.map(|busy| tokens / busy));
    report["dispatches_per_step"] = trainer.dispatches_per_step().into();
    report["submits_per_step"] = trainer.submits_per_step().into();
    report["gflops"] = (tokens_per_s / tokens_per_step as f64 * flops_per_step / 1e9).into();
    report["loss_first"] = json!(losses.first());
    report["loss_last"] = json!(losses.last());
    if args.profile {
        report["profile"] = profile(&machine, &mut trainer).await?;
    }
    if args.json {
        say!("{report}");
        return Ok(());
    }
    say!("{machine}: {tokens_per_s:.0} tokens/s, the median of {speeds:.0?}; {:.2} GFLOP/s", number(&report["gflops"]));
    say!(
        "{} dispatches and {} submissions a step, loss {} to {}",
        report["dispatches_per_step"],
        report["submits_per_step"],
        report["loss_first"],
        report["loss_last"]
    );
    if args.profile {
        print_profile(&report["profile"]);
    }
    Ok(())
}

/// Floating-point operations of a step's matmuls; in attention, only unmasked positions count.
pub(super) fn flops(config: &ValidConfig) -> f64 {
    let account = Account::new(config);
    let model = &config.model;
    let masked = 3 * model.n_layers * 2 * model.context_length * model.d_model * config.tokens_per_step();
    account.total(|part| account.step_flops(part)) as f64 - masked as f64
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

/// The time in seconds and the losses of some steps.
pub(super) async fn run(trainer: &mut Trainer, n_steps: usize) -> Result<(f64, Vec<f32>), String> {
    let began = Instant::now();
    trainer.submit(n_steps);
    let points = trainer.collect().await.map_err(sentence)?;
    Ok((began.elapsed().as_secs_f64(), points.iter().map(|point| point.loss).collect()))
}

/// Time, operations and bytes of every kernel, slowest first, and the device's measured peak rates.
pub(super) async fn profile(machine: &Machine, trainer: &mut Trainer) -> Result<Value, String> {
    let profile = profile_step(trainer, machine.context.as_ref()).await.map_err(sentence)?;
    let total = profile.total();
    let row = |kernel: &KernelTime| {
        json!({
            "kernel": kernel.kernel, "times": kernel.times, "ms": kernel.ns / 1e6, "share": kernel.ns / total.ns,
            "gflop": kernel.flops / 1e9, "mb": kernel.bytes / 1e6, "gflops": kernel.flops / kernel.ns,
            "gb_per_s": kernel.bytes / kernel.ns, "share_of_peak": kernel.share_of_peak(),
        })
    };
    Ok(json!({
        "peak_gflops": profile.peak_flops_per_s / 1e9, "peak_gb_per_s": profile.peak_bytes_per_s / 1e9,
        "kernels": profile.kernels.iter().map(row).collect::<Vec<_>>(), "all": row(&total),
    }))
}

fn print_profile(profile: &Value) {
    let [gflops, gb_per_s] = ["peak_gflops", "peak_gb_per_s"].map(|peak| number(&profile[peak]));
    say!(
        "at most {gflops:.1} GFLOP/s and {gb_per_s:.1} GB/s, measured now; `of peak`: the least time by these / the time"
    );
    let columns = ["times", "ms", "share", "GFLOP", "MB", "GFLOP/s", "GB/s", "of peak"];
    say!("{:<26}{}", "kernel", columns.map(|column| format!("{column:>10}")).concat());
    for row in profile["kernels"].as_array().into_iter().flatten().chain([&profile["all"]]) {
        let [ms, share, gflop, mb, gflops, gb_per_s, of_peak] =
            ["ms", "share", "gflop", "mb", "gflops", "gb_per_s", "share_of_peak"].map(|key| number(&row[key]));
        say!(
            "{:<26}{:>10}{ms:>10.3}{:>9.1}%{gflop:>10.3}{mb:>10.2}{gflops:>10.2}{gb_per_s:>10.2}{:>9.1}%",
            row["kernel"].as_str().unwrap_or_default(),
            row["times"].to_string(),
            100.0 * share,
            100.0 * of_peak
        );
    }
}
