//! The same scores twice: one dot product after the other, and as one matmul. Both run on the same device with the same
//! kernel; only the number of calls differs.

use super::D_IN;
use crate::gpu::backend::{Backend, ExecuteError, Program};
use crate::gpu::clock::now_ns;
use crate::gpu::context::Context;
use crate::gpu::recording::{Buffers, Recording, Slice};
use crate::ops::matmul::{Layout, Shape, matmul};
use crate::types::lesson::{Axis, Made, Matrix, Part, Sheet};

/// Computations that take less time are repeated before the clock is read: browsers round it to tenths of a millisecond.
const MIN_MS: f64 = 5.0;

/// Maximum number of repetitions between two clock readings.
const MAX_REPEATS: usize = 4096;

/// Number of rounds, of which the fastest counts.
const ROUNDS: usize = 3;

/// Times n² dot products one by one and as one matmul.
pub(super) async fn race(x: &[f32], n_tokens: usize, context: Option<&Context>) -> Result<Sheet, ExecuteError> {
    let rows: Vec<&[f32]> = x.chunks_exact(D_IN).cycle().take(n_tokens).collect();
    let mut buffers = Buffers::default();
    let singles: Vec<Slice> = rows.iter().map(|_| buffers.add("row", D_IN)).collect();
    let dots: Vec<Slice> = (0..n_tokens * n_tokens).map(|_| buffers.add("dot product", 1)).collect();
    let (all, scores) = (buffers.add("rows", n_tokens * D_IN), buffers.add("scores", n_tokens * n_tokens));
    let (mut one_by_one, mut at_once) = (Recording::new("loop"), Recording::new("product"));
    for (cell, &dot) in dots.iter().enumerate() {
        let pair = [singles[cell / n_tokens], singles[cell % n_tokens], dot];
        matmul(&mut one_by_one, Layout::Nt, pair, Shape { m: 1, n: 1, k: D_IN }, None);
    }
    matmul(&mut at_once, Layout::Nt, [all, all, scores], Shape { m: n_tokens, n: n_tokens, k: D_IN }, None);
    let kernels = vec![at_once.dispatches[0].kernel.name.to_string()];
    let mut backend = match context {
        Some(context) => Backend::gpu(context, &buffers).await?,
        None => Backend::cpu(&buffers),
    };
    singles.iter().zip(&rows).for_each(|(&slice, row)| backend.write_f32(slice, row));
    backend.write_f32(all, &rows.concat());
    let (one_by_one, at_once) = (backend.prepare(one_by_one), backend.prepare(at_once));
    let last = dots[dots.len() - 1];
    let of_loop = time(&mut backend, one_by_one, last).await?;
    let of_product = time(&mut backend, at_once, scores).await?;
    let together = backend.read_f32(scores).await?;
    let read = backend.start_read(&dots);
    let singly: Vec<f32> = backend.finish_read(read).await?.into_iter().map(f32::from_bits).collect();
    let most = singly.iter().zip(&together).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    Ok(sheet([dots.len(), 1], [of_loop, of_product], most, kernels))
}

/// Microseconds until the result of one run is available, at best.
async fn time(backend: &mut Backend, program: Program, result: Slice) -> Result<f64, ExecuteError> {
    let (mut best, mut repeats, mut rounds) = (f64::INFINITY, 1, 0);
    backend.run(program);
    backend.read(result).await?; // warm-up
    while rounds < ROUNDS {
        let began = now_ns();
        (0..repeats).for_each(|_| backend.run(program));
        backend.read(result).await?;
        let took_ns = now_ns() - began;
        if took_ns < MIN_MS * 1e6 && repeats < MAX_REPEATS {
            repeats *= 4;
            continue;
        }
        best = best.min(took_ns / 1e3 / repeats as f64);
        rounds += 1;
    }
    Ok(best)
}

fn sheet(dispatches: [usize; 2], us: [f64; 2], difference: f32, kernels: Vec<String>) -> Sheet {
    let labels = |words: &[&str]| Axis::Labels(words.iter().map(|&word| word.into()).collect());
    let matrix = |name: &str, values: Vec<f32>, axes: [Axis; 2]| {
        let rows = if matches!(&axes[0], Axis::Labels(labels) if labels.len() == 2) { 2 } else { 1 };
        Matrix { name: name.into(), rows, cols: values.len() / rows, values, axes, made: Made::Measured }
    };
    let values = vec![dispatches[0] as f32, us[0] as f32, dispatches[1] as f32, us[1] as f32];
    let axes = [labels(&["the loop", "the product"]), labels(&["calls", "µs"])];
    let times = matrix("time", values, axes);
    let axes = [labels(&["loop − product"]), labels(&["at most"])];
    let difference = matrix("difference", vec![difference], axes);
    let words = "the same numbers:".to_string();
    let lines = vec![vec![Part::Matrix(0), Part::Sign(words), Part::Matrix(1)]];
    Sheet { matrices: vec![times, difference], lines, kernels }
}
