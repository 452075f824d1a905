//! A kernel that only multiplies and adds, to measure a device's peak throughput.

use bytemuck::{Pod, Zeroable};

use super::cost::{Cost, Peaks, costs};
use super::matmul::{Layout, Shape, matmul};
use super::{FLAT, residual};
use crate::gpu::backend::{Backend, ExecuteError};
use crate::gpu::context::Context;
use crate::gpu::kernel::Access::ReadWrite;
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::{Buffers, Recording, Slice, flat_workgroups};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// Number of elements of the output.
    pub len: u32,
    /// Number of rounds of each chain.
    pub rounds: u32,
    /// Factor of each round, x ← factor · x + term. A run-time parameter, so that a compiler cannot fold the computation.
    pub factor: f32,
    /// Term of each round.
    pub term: f32,
}

/// Number of chains per invocation: eight vectors of four.
const CHAINS: usize = 32;

/// → out: the sum of all chains of each invocation
pub static PEAK: Kernel = Kernel {
    name: "peak",
    wgsl: &[FLAT, wgsl!("../../shaders/peak.wgsl")],
    access: &[ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| bytemuck::pod_read_unaligned::<Params>(params).rounds.into(),
    cpu: run,
};

/// Appends `rounds` rounds for every element of `out`; returns its operations.
pub fn peak(recording: &mut Recording, out: Slice, rounds: u32) -> f64 {
    let params = Params { len: out.len as u32, rounds, factor: 0.5, term: 0.25 };
    recording.dispatch(&PEAK, params, &[out], flat_workgroups(out.len));
    2.0 * CHAINS as f64 * f64::from(rounds) * out.len as f64
}

/// Measures the peak performance of a device, or of the CPU without one: operations with [`PEAK`], on the CPU with a
/// matmul, whose instructions fuse multiplication and addition; bytes with the sum of two long lists.
///
/// # Errors
/// When a GPU has no timestamp queries, was lost, or rejected a command.
pub async fn measure(context: Option<&Context>) -> Result<Peaks, ExecuteError> {
    let software = context.is_none_or(|context| context.adapter.software);
    let flops_per_s = match context {
        Some(_) => chains_per_s(context).await?,
        None => {
            let mut buffers = Buffers::default();
            let slices = ["a", "b", "y"].map(|name| buffers.add(name, CPU_PRODUCT * CPU_PRODUCT));
            let mut recording = Recording::new("peak");
            let shape = Shape { m: CPU_PRODUCT, n: CPU_PRODUCT, k: CPU_PRODUCT };
            matmul(&mut recording, Layout::Nn, slices, shape, None);
            let cost = costs(&recording)[0];
            cost.flops / fastest(context, &buffers, recording).await?
        }
    };
    let mut buffers = Buffers::default();
    let len = if software { 1 << 22 } else { 1 << 25 };
    let slices = ["x", "branch", "out"].map(|name| buffers.add(name, len));
    let mut recording = Recording::new("peak");
    residual::residual(&mut recording, slices);
    let Cost { bytes, .. } = costs(&recording)[0];
    Ok(Peaks { flops_per_s, bytes_per_s: bytes / fastest(context, &buffers, recording).await? })
}

/// Rows and columns of the matmul that measures the CPU.
const CPU_PRODUCT: usize = 512;

/// Operations per second of [`PEAK`], with enough rounds to run for some milliseconds.
async fn chains_per_s(context: Option<&Context>) -> Result<f64, ExecuteError> {
    let (least_seconds, most_rounds) = (5e-3, 1 << 14);
    let mut buffers = Buffers::default();
    let out = buffers.add("out", 1 << 18);
    let mut rounds = 64;
    loop {
        let mut recording = Recording::new("peak");
        let flops = peak(&mut recording, out, rounds);
        let seconds = fastest(context, &buffers, recording).await?;
        if seconds > least_seconds || rounds >= most_rounds {
            return Ok(flops / seconds);
        }
        rounds *= 4;
    }
}

/// Seconds of a recording of one dispatch: the best of several runs, of which the first loads code and data.
async fn fastest(context: Option<&Context>, buffers: &Buffers, recording: Recording) -> Result<f64, ExecuteError> {
    let mut backend = match context {
        Some(context) => Backend::gpu(context, buffers).await?,
        None => Backend::cpu(buffers),
    };
    let program = backend.prepare(recording);
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        best = backend.profile(program).await?.iter().fold(best, |best, timing| best.min(timing.ns));
    }
    Ok(best.max(1.0) / 1e9)
}

fn run(call: &CpuCall<'_>) {
    let Params { rounds, factor, term, .. } = call.params();
    for (i, out) in call.f32_mut(1).iter_mut().enumerate() {
        let mut chains: [f32; CHAINS] = std::array::from_fn(|chain| (i % 8 * CHAINS + chain) as f32 / 256.0);
        for _ in 0..rounds {
            chains.iter_mut().for_each(|x| *x = factor * *x + term);
        }
        *out = chains.iter().sum();
    }
}
