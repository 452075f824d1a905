//! Attention's weighted sum of values, and the sum over queries that the backward pass needs.
//!
//! H / Hkv heads of queries share a head of keys and values, so the second one also sums over those heads.
//!
//! | kernel | computes | in training |
//! |---|---|---|
//! | `weighted_sum` | `out[query] = scale · Σ_key weights[query, key] · v[key]` | out; q_grad from score_grads and k |
//! | `weighted_sum_transposed` | `out[key] = scale · Σ_query weights[query, key] · v[query]` | v_grad from weights and out_grad; k_grad from score_grads and q |

use bytemuck::{Pod, Zeroable};

use super::{CAUSAL_MASK, KV_HEAD, Real, TILE, cpu, tile_workgroups};
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
    /// Hkv, a divisor of H.
    pub n_kv_heads: u32,
    /// D
    pub d_head: u32,
    /// Factor of every sum.
    pub scale: f32,
}

const fn kernel(name: &'static str, cpu: fn(&CpuCall<'_>)) -> Kernel {
    Kernel {
        name,
        wgsl: &[TILE, CAUSAL_MASK, KV_HEAD, include_str!("../../shaders/weighted_sum.wgsl")],
        access: &[Read, Read, ReadWrite],
        params_bytes: size_of::<Params>(),
        cpu,
    }
}

/// weights (B, H, T, T), v (B, T, Hkv, D) → out (B, T, H, D)
pub static WEIGHTED_SUM: Kernel = kernel("weighted_sum", |call| {
    let params: Params = call.params();
    cpu::pairs::weighted_sum(&call.f32(1), &call.f32(2), &mut call.f32_mut(3), &params);
});

/// weights (B, H, T, T), v (B, T, H, D) by query → out (B, T, Hkv, D) by key
pub static WEIGHTED_SUM_TRANSPOSED: Kernel = kernel("weighted_sum_transposed", |call| {
    let params: Params = call.params();
    cpu::pairs::weighted_sum_transposed(&call.f32(1), &call.f32(2), &mut call.f32_mut(3), &params);
});

/// Appends one of the two kernels for `batch_size` sequences.
pub fn weighted_sum(
    recording: &mut Recording,
    kernel: &'static Kernel,
    [weights, v, out]: [Slice; 3],
    batch_size: usize,
    params: Params,
) {
    let by_key = std::ptr::eq(kernel, &WEIGHTED_SUM_TRANSPOSED);
    let n_heads = if by_key { params.n_kv_heads } else { params.n_heads };
    let (n, layers) = (params.context_length as usize, batch_size * n_heads as usize);
    let workgroups = tile_workgroups(n, params.d_head as usize, layers);
    recording.dispatch(kernel, params, &[weights, v, out], workgroups);
}

/// out[query, head, d] = scale · Σ_{key ≤ query} weights[head, query, key] · v[key, kv head, d]
pub fn reference<T: Real>(weights: &[T], v: &[T], out: &mut [T], params: &Params) {
    let (from, to) = (params.n_kv_heads as usize, params.n_heads as usize);
    let pair = |query, key, head, kv_head| ((key, kv_head), (query, head));
    sum_visible(weights, (v, from), (out, to), params, pair);
}

/// out[key, kv head, d] = scale · Σ_{head of its group} Σ_{query ≥ key} weights[head, query, key] · v[query, head, d]
pub fn reference_transposed<T: Real>(weights: &[T], v: &[T], out: &mut [T], params: &Params) {
    let (from, to) = (params.n_heads as usize, params.n_kv_heads as usize);
    let pair = |query, key, head, kv_head| ((query, head), (key, kv_head));
    sum_visible(weights, (v, from), (out, to), params, pair);
}

/// A position and a head.
type Place = (usize, usize);

/// For every visible pair, `ends(query, key, head, kv_head)` tells which place of v goes to which place of out; v and
/// out come with their numbers of heads.
fn sum_visible<T: Real>(
    weights: &[T],
    (v, v_heads): (&[T], usize),
    (out, out_heads): (&mut [T], usize),
    params: &Params,
    ends: impl Fn(usize, usize, usize, usize) -> (Place, Place),
) {
    let (n, n_heads, d_head) = (params.context_length as usize, params.n_heads as usize, params.d_head as usize);
    let group = n_heads / params.n_kv_heads as usize;
    out.fill(T::zero());
    for (batch_head, weights) in weights.chunks_exact(n * n).enumerate() {
        let (batch, head) = (batch_head / n_heads, batch_head % n_heads);
        for query in 0..n {
            for key in 0..=query {
                let weight = T::of(f64::from(params.scale)) * weights[query * n + key];
                let (from, to) = ends(query, key, head, head / group);
                let v = &v[((batch * n + from.0) * v_heads + from.1) * d_head..][..d_head];
                let out = &mut out[((batch * n + to.0) * out_heads + to.1) * d_head..][..d_head];
                for (out, &v) in out.iter_mut().zip(v) {
                    *out += weight * v;
                }
            }
        }
    }
}
