//! `glasshead bench gpu`: everything to check and measure on a GPU that is available for a few minutes only. The program
//! needs no network and no other files; each part opens the device itself, so that a lost device ends one part, and the
//! report is written after every part.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::cli::sentence;
use crate::gpu::context::Context;

mod correct;
mod products;
mod report;
mod steps;

/// Options of the GPU benchmark.
#[derive(Args)]
pub(in crate::cli) struct GpuArgs {
    /// Use sizes that a software adapter computes in a few minutes, to rehearse.
    #[arg(long)]
    small: bool,
    /// Run only these parts, for example --only facts,matmul.
    #[arg(long, value_delimiter = ',', value_parser = part)]
    only: Vec<String>,
    /// Start no further part after this many seconds.
    #[arg(long, default_value_t = 460, value_name = "SECONDS")]
    limit: u64,
    /// The JSON report; the tables are written next to it, with the extension .md.
    #[arg(long, default_value = "gpu-bench.json")]
    out: PathBuf,
}

/// Sizes of a run on hardware, or of a rehearsal.
#[derive(Clone, Copy)]
struct Sizes {
    small: bool,
    /// Minimum duration of a timed pass, in nanoseconds.
    min_ns: f64,
}

/// The parts in the order in which they run: the most valuable ones first.
const PARTS: [&str; 9] =
    ["facts", "correctness", "peaks", "steps", "matmul", "attention", "tuning", "training", "large_model"];

fn part(name: &str) -> Result<String, String> {
    match PARTS.contains(&name) {
        true => Ok(name.into()),
        false => Err(format!("there are {}", PARTS.join(", "))),
    }
}

pub(in crate::cli) fn gpu(args: &GpuArgs) -> Result<(), String> {
    let began = Instant::now();
    let sizes = Sizes { small: args.small, min_ns: if args.small { 2e6 } else { 2e7 } };
    let mut report = json!({ "small": args.small, "version": env!("CARGO_PKG_VERSION") });
    let mut failed = Vec::new();
    for name in PARTS.iter().filter(|name| args.only.is_empty() || args.only.iter().any(|only| only == *name)) {
        if began.elapsed() > Duration::from_secs(args.limit) {
            report[name] = json!({ "left_out": format!("the limit of {} s was reached", args.limit) });
            continue;
        }
        eprintln!("{:>4.0} s  {name}", began.elapsed().as_secs_f64());
        let part_began = Instant::now();
        let mut part = pollster::block_on(run(name, sizes)).unwrap_or_else(|error| json!({ "failed": [error] }));
        part["seconds"] = json!(part_began.elapsed().as_secs_f64());
        failed.extend(failures(name, &part));
        report[name] = part;
        write(args, &report)?;
    }
    report["seconds"] = json!(began.elapsed().as_secs_f64());
    write(args, &report)?;
    say!("{}", report::markdown(&report));
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("\n")),
    }
}

async fn run(name: &str, sizes: Sizes) -> Result<Value, String> {
    match name {
        "facts" => facts().await,
        "correctness" => correct::correctness().await,
        "peaks" => products::peaks().await,
        "matmul" => products::matmuls(sizes).await,
        "attention" => products::attention(sizes).await,
        "steps" => steps::steps(sizes).await,
        "tuning" => steps::tuning(sizes).await,
        "training" => steps::training(sizes).await,
        _ => steps::large_model(sizes).await,
    }
}

/// The failures that a part lists.
fn failures(name: &str, part: &Value) -> Vec<String> {
    let failed = part["failed"].as_array().into_iter().flatten();
    failed.map(|failure| format!("{name}: {}", failure.as_str().unwrap_or("failed"))).collect()
}

fn write(args: &GpuArgs, report: &Value) -> Result<(), String> {
    let text = format!("{report:#}\n");
    let files = [(args.out.clone(), text), (args.out.with_extension("md"), report::markdown(report))];
    files.iter().try_for_each(|(path, text)| {
        fs::write(path, text).map_err(|error| format!("{}: {error}; choose another --out", path.display()))
    })
}

/// A device without cached or forced variants.
async fn open() -> Result<Context, String> {
    Context::new().await.map_err(sentence)
}

/// Name, driver, limits and features of the adapter.
async fn facts() -> Result<Value, String> {
    let context = open().await?;
    let adapter = &context.adapter;
    Ok(json!({
        "adapter": adapter.name, "backend": adapter.backend, "driver": adapter.driver, "software": adapter.software,
        "buffer_mib": adapter.limits.buffer_bytes >> 20, "binding_mib": adapter.limits.binding_bytes >> 20,
        "f16": context.f16, "int64": context.int64, "subgroup_size": context.subgroup_size,
        "timestamps": context.device.features().contains(wgpu::Features::TIMESTAMP_QUERY),
        "timestamp_period_ns": context.queue.get_timestamp_period(),
        "system": std::env::consts::OS, "cores": crate::threads::count(),
    }))
}
