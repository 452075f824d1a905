//! `glasshead bench matmul`: the speed of every matmul kernel that the device can run.

use clap::Args;
use serde_json::{Value, json};

use super::{Machine, median, timed};
use crate::cli::BackendArg;
use crate::gpu::backend::Backend;
use crate::gpu::recording::{Buffers, Recording};
use crate::gpu::variant::Variant;
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::tuning;

/// Options of the matmul benchmark.
#[derive(Args)]
pub(in crate::cli) struct MatmulArgs {
    /// M x N x K: rows and columns of the result and the length of the sums, for example 2048x2048x2048; several sizes
    /// are measured in turn.
    #[arg(long, value_name = "MxNxK", value_parser = shape, default_values = ["1024x512x512"])]
    size: Vec<Shape>,
    /// The backend.
    #[arg(long, value_enum, default_value = "gpu")]
    backend: BackendArg,
    /// The number of runs; the median is reported.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// The maximum number of elements of a matrix.
const MAX_ELEMENTS: usize = 1 << 28;

fn shape(text: &str) -> Result<Shape, String> {
    let sizes: Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
    let Ok(&[m, n, k]) = sizes.as_deref() else {
        return Err("a size is three numbers, for example 512x512x512".into());
    };
    let too_large = |a: usize, b: usize| a.checked_mul(b).is_none_or(|len| len > MAX_ELEMENTS);
    if [m, n, k].contains(&0) || too_large(m, n) || too_large(m, k) || too_large(n, k) {
        return Err(format!("every matrix needs 1 to {MAX_ELEMENTS} elements"));
    }
    Ok(Shape { m, n, k })
}

/// A kernel for a matmul: a variant, or `None` for the default kernel.
type Way = Option<&'static Variant>;

pub(in crate::cli) async fn matmul_bench(args: MatmulArgs) -> Result<(), String> {
    if args.runs == 0 {
        return Err("--runs has to be at least 1".into());
    }
    // The device is not tuned yet, so that every kernel runs as is.
    let machine = Machine::open(args.backend).await?;
    let mut rows = Vec::new();
    for &shape in &args.size {
        for layout in [Layout::Nt, Layout::Nn, Layout::Tn] {
            rows.extend(measure(&machine, layout, shape, args.runs).await?);
        }
    }
    if let Some(context) = &machine.context {
        for &shape in &args.size {
            machine.tune(&product(Layout::Nt, shape)).await?;
        }
        for row in &mut rows {
            let [m, n, k] = ["m", "n", "k"].map(|size| row[size].as_u64().unwrap_or_default() as usize);
            let runs = context.runs(&product(Layout::Nt, Shape { m, n, k }), 0);
            row["chosen"] = (runs.name == row["kernel"]).into();
        }
    }
    let best = rows.iter().filter_map(|row| row["gflops"].as_f64()).fold(0.0, f64::max);
    if args.json {
        let mut line = machine.describe();
        line["gflops"] = best.into();
        line["products"] = rows.into();
        say!("{line}");
        return Ok(());
    }
    say!("{machine}: at most {best:.2} GFLOP/s");
    for row in rows {
        let [m, n, k] = ["m", "n", "k"].map(|size| row[size].as_u64().unwrap_or_default());
        let chosen = if row["chosen"] == true { ", chosen" } else { "" };
        let kernel = row["kernel"].as_str().unwrap_or_default();
        say!("{m}x{n}x{k}  {kernel:<22} {:>9.2} GFLOP/s{chosen}", row["gflops"].as_f64().unwrap_or_default());
    }
    Ok(())
}

/// Measures every kernel that supports this shape; one row each.
async fn measure(machine: &Machine, layout: Layout, shape: Shape, runs: usize) -> Result<Vec<Value>, String> {
    let Shape { m, n, k } = shape;
    let mut buffers = Buffers::default();
    let slices = [("a", m * k), ("b", n * k), ("y", m * n)].map(|(name, len)| buffers.add(name, len));
    machine.check(&buffers)?;
    let mut backend = machine.backend(&buffers).await?;
    slices[..2].iter().for_each(|&slice| backend.write_f32(slice, &vec![0.5; slice.len]));
    let mut rows = Vec::new();
    for way in ways(machine, layout, shape) {
        let mut recording = Recording::new("bench");
        matmul(&mut recording, layout, slices, shape, None);
        if let Some(variant) = way {
            variant.stand_in(&mut recording);
        }
        let kernel = recording.dispatches[0].kernel.name;
        let seconds = times(&mut backend, recording, runs).await?;
        let gflops: Vec<f64> = seconds.iter().map(|seconds| 2e-9 * (m * n * k) as f64 / seconds).collect();
        rows.push(json!({
            "m": m, "n": n, "k": k, "layout": format!("{layout:?}").to_lowercase(), "kernel": kernel,
            "gflops": median(&gflops), "gflops_runs": gflops,
        }));
    }
    Ok(rows)
}

/// All kernel variants.
fn variants() -> impl Iterator<Item = &'static Variant> {
    tuning::CANDIDATES.iter().flat_map(|candidates| candidates.variants).copied()
}

/// A recording of one matmul with its default kernel.
fn product(layout: Layout, shape: Shape) -> Recording {
    let mut buffers = Buffers::default();
    let slices = [shape.m * shape.k, shape.n * shape.k, shape.m * shape.n].map(|len| buffers.add("named", len));
    let mut recording = Recording::new("named");
    matmul(&mut recording, layout, slices, shape, None);
    recording
}

/// The default kernel, and the variants that can replace it on this device.
fn ways(machine: &Machine, layout: Layout, shape: Shape) -> Vec<Way> {
    let fits = |variant: &&'static Variant| {
        let mut recording = product(layout, shape);
        machine.context.as_ref().is_some_and(|context| context.can_run(variant)) && variant.stand_in(&mut recording) > 0
    };
    std::iter::once(None).chain(variants().filter(fits).map(Some)).collect()
}

/// The times of all runs in seconds, after a warm-up run.
async fn times(backend: &mut Backend, recording: Recording, runs: usize) -> Result<Vec<f64>, String> {
    let program = backend.prepare(recording);
    timed(backend, program).await?;
    let mut seconds = Vec::new();
    for _ in 0..runs {
        seconds.extend(timed(backend, program).await?);
    }
    Ok(seconds)
}
