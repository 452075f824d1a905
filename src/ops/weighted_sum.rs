//! Attention's weighted sum of values, and the sum over queries that the backward pass needs.
//!
//! | kernel | computes | in training |
//! |---|---|---|
//! | `weighted_sum` | `out[query] = scale · Σ_key weights[query, key] · v[key]` | out; q_grad from score_grads and k |
//! | `weighted_sum_transposed` | `out[key] = scale · Σ_query weights[query, key] · v[query]` | v_grad from weights and out_grad; k_grad from score_grads and q |

use bytemuck::{Pod, Zeroable};

use super::{CAUSAL_MASK, Real, TILE, tile_workgroups};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::{CpuCall, Kernel};
use crate::gpu::recording::{Recording, Slice};

/// The uniform of both kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// T
    pub context_length: u32,
    /// H
    pub n_heads: u32,
    /// D
    pub d_head: u32,
    /// Factor of every sum.
    pub scale: f32,
}

const fn kernel(name: &'static str, cpu: fn(&CpuCall<'_>)) -> Kernel {
    Kernel {
        name,
        wgsl: &[TILE, CAUSAL_MASK, include_str!("../../shaders/weighted_sum.wgsl")],
        access: &[Read, Read, ReadWrite],
        params_bytes: size_of::<Params>(),
        cpu,
    }
}

/// weights (B, H, T, T), v (B, T, H, D) → out (B, T, H, D)
pub static WEIGHTED_SUM: Kernel = kernel("weighted_sum", |call| {
    let params: Params = call.params();
    reference(&call.f32(1), &call.f32(2), &mut call.f32_mut(3), &params);
});

/// weights (B, H, T, T), v (B, T, H, D) by query → out (B, T, H, D) by key
pub static WEIGHTED_SUM_TRANSPOSED: Kernel = kernel("weighted_sum_transposed", |call| {
    let params: Params = call.params();
    reference_transposed(&call.f32(1), &call.f32(2), &mut call.f32_mut(3), &params);
});

/// Appends one of the two kernels for `batch_size` sequences.
pub fn weighted_sum(
    recording: &mut Recording,
    kernel: &'static Kernel,
    [weights, v, out]: [Slice; 3],
    batch_size: usize,
    params: Params,
) {
    let (n, n_heads) = (params.context_length as usize, params.n_heads as usize);
    let workgroups = tile_workgroups(n, params.d_head as usize, batch_size * n_heads);
    recording.dispatch(kernel, params, &[weights, v, out], workgroups);
}

/// out[query, d] = scale · Σ_{key ≤ query} weights[query, key] · v[key, d]
pub fn reference<T: Real>(weights: &[T], v: &[T], out: &mut [T], params: &Params) {
    sum_visible(weights, v, out, params, |query, key| (query, key));
}

/// out[key, d] = scale · Σ_{query ≥ key} weights[query, key] · v[query, d]
pub fn reference_transposed<T: Real>(weights: &[T], v: &[T], out: &mut [T], params: &Params) {
    sum_visible(weights, v, out, params, |query, key| (key, query));
}

/// For every visible pair, `ends(query, key)` tells which position's out gets which position's v.
fn sum_visible<T: Real>(
    weights: &[T],
    v: &[T],
    out: &mut [T],
    params: &Params,
    ends: impl Fn(usize, usize) -> (usize, usize),
) {
    let (n, n_heads, d_head) = (params.context_length as usize, params.n_heads as usize, params.d_head as usize);
    let at = |batch: usize, position: usize, head: usize| ((batch * n + position) * n_heads + head) * d_head;
    out.fill(T::zero());
    for (batch_head, weights) in weights.chunks_exact(n * n).enumerate() {
        let (batch, head) = (batch_head / n_heads, batch_head % n_heads);
        for query in 0..n {
            for key in 0..=query {
                let weight = T::of(f64::from(params.scale)) * weights[query * n + key];
                let (to, from) = ends(query, key);
                let v = &v[at(batch, from, head)..][..d_head];
                for (out, &v) in out[at(batch, to, head)..][..d_head].iter_mut().zip(v) {
                    *out += weight * v;
                }
            }
        }
    }
}
