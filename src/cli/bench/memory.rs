//! `glasshead bench memory`: the memory of a training step, and what activation checkpointing makes of memory and time.

use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::{Machine, StepModel, cpu_seconds, median};
use crate::cli::{BackendArg, sentence};
use crate::config::RunConfig;
use crate::systems::memory::Group;

/// Options of the memory benchmark.
#[derive(Args)]
pub(in crate::cli) struct MemoryArgs {
    #[command(flatten)]
    model: StepModel,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// Blocks between two checkpoints, measured in turn; 0 stores everything. By default 0, 1, the whole part of √L, and L/2.
    #[arg(long, value_delimiter = ',')]
    every: Vec<usize>,
    /// The number of rounds, in each of which every setting trains a step; the fastest step is reported.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

const MIB: f64 = (1 << 20) as f64;

pub(in crate::cli) async fn memory(args: MemoryArgs) -> Result<(), String> {
    if args.runs == 0 {
        return Err("--runs has to be at least 1".into());
    }
    let machine = Machine::open(args.backend).await?;
    let config = args.model.config()?;
    let mut every = args.every.clone();
    if every.is_empty() {
        every = vec![0, 1, config.usual_checkpoints(), config.model.n_layers / 2];
        every.sort_unstable();
        every.dedup();
    }
    let mut rows = Vec::new();
    let mut first: Option<Vec<u32>> = None;
    for &blocks in &every {
        let mut config: RunConfig = config.clone();
        config.train.checkpoint_every = blocks;
        let mut trainer = args.model.trainer(&machine, &config).await?;
        let mut bits = Vec::new();
        let mut seconds = Vec::new();
        let mut busy = None;
        for run in 0..=args.runs {
            if run == 1 {
                busy = cpu_seconds();
            }
            let began = Instant::now();
            trainer.submit(1);
            let points = trainer.collect().await.map_err(sentence)?;
            seconds.push(began.elapsed().as_secs_f64());
            bits.extend(points.iter().flat_map(|point| [point.loss.to_bits(), point.grad_norm.to_bits()]));
        }
        let busy_s = busy.and_then(|before| Some(cpu_seconds()? - before));
        let memory = trainer.memory_timeline();
        let peak = memory.peak().ok_or("the step has no dispatches")?;
        let activations = Group::ALL.iter().zip(peak.groups).find(|(group, _)| **group == Group::Activations);
        // The first step compiles and allocates.
        let timed = &seconds[1..];
        rows.push(json!({
            "every": blocks,
            "activations_mib": activations.map_or(0.0, |(_, bytes)| bytes as f64 / MIB),
            "peak_mib": peak.bytes as f64 / MIB,
            "planned_mib": memory.planned_bytes() as f64 / MIB,
            "allocated_mib": memory.allocated_bytes as f64 / MIB,
            "first_step_ms": seconds[0] * 1e3,
            "step_ms": timed.iter().copied().fold(f64::INFINITY, f64::min) * 1e3,
            "median_ms": median(timed) * 1e3,
            "cpu_ms": busy_s.map(|busy| busy * 1e3 / args.runs as f64),
            "same_bits": first.get_or_insert_with(|| bits.clone()) == &bits,
        }));
    }
    if args.json {
        let mut line = machine.describe();
        line["memory"] = rows.into();
        say!("{line}");
        return Ok(());
    }
    print(&machine.to_string(), &config, &rows);
    Ok(())
}

fn print(machine: &str, config: &RunConfig, rows: &[Value]) {
    let (l, b, t) = (config.model.n_layers, config.train.batch_size, config.model.context_length);
    say!("{machine}: {l} layers, width {}, {b} sequences of {t}; 0 stores all activations", config.model.d_model);
    let columns =
        ["every", "activations", "peak in use", "planned", "allocated", "first step", "step", "CPU time", "same bits"];
    say!("{}", columns.map(|column| format!("{column:>13}")).concat());
    for row in rows {
        let number = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        let mib = ["activations_mib", "peak_mib", "planned_mib", "allocated_mib"]
            .map(|key| format!("{:>9.2} MiB", number(key)))
            .concat();
        let ms = ["first_step_ms", "step_ms", "cpu_ms"].map(|key| format!("{:>10.1} ms", number(key))).concat();
        say!("{:>13}{mib}{ms}{:>13}", row["every"].to_string(), if row["same_bits"] == true { "yes" } else { "no" });
    }
}
