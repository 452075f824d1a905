//! Attention of one new position per sequence over cached keys and values, for generation token by token: scores, softmax
//! and weighted sum in one kernel.

use bytemuck::{Pod, Zeroable};
use glasshead_cpu::threads;

use super::{CAUSAL_MASK, KV_HEAD, REDUCE, Real};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::{Recording, Slice};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// T: rows of each sequence's cache.
    pub context_length: u32,
    /// H: number of query heads.
    pub n_heads: u32,
    /// Hkv: number of KV heads, a divisor of H.
    pub n_kv_heads: u32,
    /// D: size of a head.
    pub d_head: u32,
    /// Distance between the queries of two sequences in elements, at least H·D.
    pub q_stride: u32,
    /// Factor of the scores: 1/√D.
    pub scale: f32,
}

/// Maximum batch size: WebGPU allows this many workgroups in y.
pub const MAX_SEQUENCES: usize = 65_535;

/// position (B), q (B, q_stride), k and v caches (B, T, Hkv, D) → scratch for the weights (B, H, T), out (B, H, D)
pub static CACHED_ATTENTION: Kernel = Kernel {
    name: "cached_attention",
    wgsl: &[REDUCE, CAUSAL_MASK, KV_HEAD, wgsl!("../../shaders/cached_attention.wgsl")],
    access: &[Read, Read, Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| {
        let Params { context_length, d_head, .. } = bytemuck::pod_read_unaligned(params);
        let [positions, d] = [context_length, d_head].map(u64::from);
        positions.div_ceil(64) * (2 + d) + d.div_ceil(64) * (1 + positions) + 16
    },
    cpu: run,
};

/// Runs [`reference`] on all threads: every head of every sequence writes separate rows.
fn run(call: &CpuCall<'_>) {
    let (params, position): (Params, _) = (call.params(), call.u32(1));
    let (q, k, v) = (call.f32(2), call.f32(3), call.f32(4));
    let (n_heads, position, inputs) = (params.n_heads as usize, &*position, [&*q, &*k, &*v]);
    let (mut weights, mut out) = (call.f32_mut(5), call.f32_mut(6));
    let rows = weights.chunks_mut(params.context_length as usize).zip(out.chunks_mut(params.d_head as usize));
    threads::each(rows.enumerate().collect(), |(row, (weights, out))| {
        attend([row / n_heads, row % n_heads], position, inputs, [weights, out], &params);
    });
}

/// Appends the attention of one position of each of B sequences, B ≤ [`MAX_SEQUENCES`]:
/// [position, q, k cache, v cache, weights, out].
pub fn cached_attention(recording: &mut Recording, bindings: [Slice; 6], params: Params) {
    let sequences = bindings[0].len as u32;
    recording.dispatch(&CACHED_ATTENTION, params, &bindings, [params.n_heads, sequences, 1]);
}

/// `out[b, h] = Σ_{key ≤ position[b]} softmax(scale · q[b, h]·k[b, key])[key] · v[b, key]`. `weights` holds the values
/// before the division by their sum.
pub fn reference<T: Real>(position: &[u32], [q, k, v]: [&[T]; 3], weights: &mut [T], out: &mut [T], params: &Params) {
    let n_heads = params.n_heads as usize;
    let rows = weights.chunks_mut(params.context_length as usize).zip(out.chunks_mut(params.d_head as usize));
    for (row, (weights, out)) in rows.enumerate() {
        attend([row / n_heads, row % n_heads], position, [q, k, v], [weights, out], params);
    }
}

/// One head of one sequence: weights (T), out (D).
fn attend<T: Real>(
    [sequence, head]: [usize; 2],
    position: &[u32],
    [q, k, v]: [&[T]; 3],
    [weights, out]: [&mut [T]; 2],
    params: &Params,
) {
    let (t, d_head) = (params.context_length as usize, params.d_head as usize);
    let (n_kv_heads, group) = (params.n_kv_heads as usize, (params.n_heads / params.n_kv_heads) as usize);
    let kv = |key: usize| ((sequence * t + key) * n_kv_heads + head / group) * d_head;
    let q = &q[sequence * params.q_stride as usize + head * d_head..][..d_head];
    let weights = &mut weights[..position[sequence] as usize + 1];
    for (key, score) in weights.iter_mut().enumerate() {
        let dot: T = q.iter().zip(&k[kv(key)..]).map(|(&q, &k)| q * k).sum();
        *score = T::of(f64::from(params.scale)) * dot;
    }
    let largest = weights.iter().copied().fold(T::neg_infinity(), T::max);
    weights.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let total: T = weights.iter().copied().sum();
    out.fill(T::zero());
    for (key, &weight) in weights.iter().enumerate() {
        out.iter_mut().zip(&v[kv(key)..]).for_each(|(out, &v)| *out += weight * v);
    }
    out.iter_mut().for_each(|out| *out = *out / total);
}
