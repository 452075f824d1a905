//! Peaks, matmuls and attention: every variant that the device can run.

use serde_json::{Value, json};

use super::{Sizes, open};
use crate::cli::sentence;
use crate::gpu::backend::{Backend, Program};
use crate::gpu::context::Context;
use crate::gpu::recording::{Buffers, Recording, Slice};
use crate::gpu::variant::Variant;
use crate::ops::cost::{Peaks, costs};
use crate::ops::flash_attention::{Params, flash_attention, flash_attention_grad};
use crate::ops::linear_grad::linear_grad;
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::ops::peak;
use crate::ops::tuning::CANDIDATES;
use crate::rng::Rng;

/// (m, n, k): the reference workload's, cs336's, a head, one row, and the square that cards are compared by.
const SHAPES: [[usize; 3]; 7] = [
    [1024, 128, 1024],
    [1024, 688, 128],
    [8192, 512, 512],
    [8192, 2688, 512],
    [2048, 10_000, 512],
    [1, 512, 128],
    [2048, 2048, 2048],
];
const SMALL_SHAPES: [[usize; 3]; 3] = [[128, 64, 64], [96, 172, 32], [1, 512, 128]];

/// (B, T, H, D)
const ATTENTION: [[usize; 4]; 6] =
    [[8, 128, 4, 32], [8, 256, 16, 16], [32, 256, 16, 32], [1, 1024, 12, 64], [8, 256, 8, 64], [4, 1024, 12, 64]];
const SMALL_ATTENTION: [[usize; 4]; 3] = [[1, 64, 2, 32], [1, 48, 2, 16], [1, 32, 2, 64]];

/// Maximum number of runs in one pass.
const MAX_REPEATS: u32 = 1 << 14;

/// The device's peak rates.
pub(super) async fn peaks() -> Result<Value, String> {
    let Peaks { flops_per_s, bytes_per_s } = peak::measure(Some(&open().await?)).await.map_err(sentence)?;
    Ok(json!({ "gflops": flops_per_s / 1e9, "gb_per_s": bytes_per_s / 1e9 }))
}

/// Products and the gradients of linear layers.
pub(super) async fn matmuls(sizes: Sizes) -> Result<Value, String> {
    let context = open().await?;
    let shapes: &[[usize; 3]] = if sizes.small { &SMALL_SHAPES } else { &SHAPES };
    let mut rows = Vec::new();
    for &[m, n, k] in shapes {
        let shape = format!("{m}x{n}x{k}");
        let mut buffers = Buffers::default();
        let slices = [("a", m * k), ("b", n * k), ("y", m * n)].map(|(name, len)| buffers.add(name, len));
        let product = || {
            let mut recording = Recording::new("product");
            matmul(&mut recording, Layout::Nt, slices, Shape { m, n, k }, None);
            recording
        };
        rows.extend(compare(&context, &buffers, product, sizes, &shape).await?);
        let mut buffers = Buffers::default();
        let slices = [m * n, k * n, m * k, m * n, k * n].map(|len| buffers.add("gradients", len));
        let gradients = || {
            let mut recording = Recording::new("gradients");
            linear_grad(&mut recording, slices, m, false);
            recording
        };
        rows.extend(compare(&context, &buffers, gradients, sizes, &shape).await?);
    }
    Ok(json!({ "rows": rows }))
}

/// Attention, forward and backward.
pub(super) async fn attention(sizes: Sizes) -> Result<Value, String> {
    let context = open().await?;
    let shapes: &[[usize; 4]] = if sizes.small { &SMALL_ATTENTION } else { &ATTENTION };
    let mut rows = Vec::new();
    for &[b, t, h, d] in shapes {
        let shape = format!("B {b}, T {t}, H {h}, D {d}");
        let mut buffers = Buffers::default();
        let [qkv, qkv_grad] = ["qkv", "qkv_grad"].map(|name| buffers.add(name, b * t * 3 * h * d));
        let [out, out_grad] = ["out", "out_grad"].map(|name| buffers.add(name, b * t * h * d));
        let (lse, cos_sin) = (buffers.add("lse", b * h * t), buffers.add("cos_sin", (t * d).max(4)));
        let params = Params::new(t, h, h, d);
        let forward = || {
            let mut recording = Recording::new("attention");
            flash_attention(&mut recording, [qkv, out, lse], b, params);
            recording
        };
        rows.extend(compare(&context, &buffers, forward, sizes, &shape).await?);
        let backward = || {
            let mut recording = Recording::new("gradient of attention");
            flash_attention_grad(&mut recording, [qkv, out, out_grad, lse, cos_sin, qkv_grad], b, params);
            recording
        };
        rows.extend(compare(&context, &buffers, backward, sizes, &shape).await?);
    }
    Ok(json!({ "rows": rows }))
}

/// Times a recording with its own kernels and with every variant that fits; one row each.
async fn compare(
    context: &Context,
    buffers: &Buffers,
    record: impl Fn() -> Recording,
    sizes: Sizes,
    shape: &str,
) -> Result<Vec<Value>, String> {
    let mut backend = Backend::gpu(context, buffers).await.map_err(sentence)?;
    let mut rng = Rng::new(1);
    for (index, spec) in buffers.specs.iter().enumerate() {
        let numbers: Vec<f32> = (0..spec.len).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect();
        let buffer = crate::gpu::recording::BufferId(index);
        backend.write_f32(Slice { buffer, start: 0, len: spec.len }, &numbers);
    }
    let mut rows = Vec::new();
    for variant in contestants(context, &record()) {
        let mut recording = record();
        variant.into_iter().for_each(|variant| {
            variant.stand_in(&mut recording);
        });
        let cost = costs(&recording).into_iter().fold(crate::ops::cost::Cost::default(), |mut sum, cost| {
            sum += cost;
            sum
        });
        let kernel = recording.dispatches[0].kernel.name;
        let compiling = std::time::Instant::now();
        let program = backend.prepare(recording);
        let ns = match backend.ready().await {
            Ok(()) => sustained(&mut backend, program, sizes.min_ns).await?,
            Err(error) => {
                rows.push(json!({ "shape": shape, "kernel": kernel, "refused": sentence(error) }));
                continue;
            }
        };
        rows.push(json!({
            "shape": shape, "kernel": kernel, "ms": ns / 1e6, "gflops": cost.flops / ns, "gb_per_s": cost.bytes / ns,
            "with_compiling_s": compiling.elapsed().as_secs_f64(),
        }));
    }
    Ok(rows)
}

/// The kernel itself, and the variants that can replace it here.
fn contestants(context: &Context, recording: &Recording) -> Vec<Option<&'static Variant>> {
    let kernel = recording.dispatches[0].kernel.name;
    let of = CANDIDATES.iter().filter(|candidates| candidates.of.name == kernel);
    let fits = |variant: &&'static Variant| {
        let dispatch = &recording.dispatches[0];
        context.can_run(variant) && (variant.workgroups)(recording.params(0), dispatch.workgroups).is_some()
    };
    let variants = of.flat_map(|candidates| candidates.variants).copied().filter(fits);
    std::iter::once(None).chain(variants.map(Some)).collect()
}

/// Nanoseconds of one run, in a pass of at least `min_ns`; by timestamps, or by the clock where there are none.
async fn sustained(backend: &mut Backend, program: Program, min_ns: f64) -> Result<f64, String> {
    let mut repeats = 1;
    backend.time_repeated(program, repeats).await.map_err(sentence)?; // loads code and data
    loop {
        let reading = backend.time_repeated(program, repeats).await.map_err(sentence)?;
        let ns = reading.valid_stamps().unwrap_or(reading.wall_ns);
        if ns >= min_ns || repeats >= MAX_REPEATS {
            return Ok(ns / f64::from(repeats));
        }
        repeats = (f64::from(repeats) * (1.2 * min_ns / ns.max(1.0)).clamp(2.0, 16.0)).ceil() as u32;
    }
}
