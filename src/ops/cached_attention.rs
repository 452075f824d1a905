//! Attention of one new position over cached keys and values, for writing token by token: scores, softmax and weighted
//! sum in one kernel.

use bytemuck::{Pod, Zeroable};

use super::{CAUSAL_MASK, KV_HEAD, REDUCE, Real};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice};

/// The uniform.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// T: rows of the caches.
    pub context_length: u32,
    /// H
    pub n_heads: u32,
    /// Hkv, a divisor of H.
    pub n_kv_heads: u32,
    /// D
    pub d_head: u32,
    /// 1/√D
    pub scale: f32,
}

/// position (1), q (H, D), k and v caches (T, Hkv, D) → room for weights (H, T), out (H, D)
pub static CACHED_ATTENTION: Kernel = Kernel {
    name: "cached_attention",
    wgsl: &[REDUCE, CAUSAL_MASK, KV_HEAD, include_str!("../../shaders/cached_attention.wgsl")],
    access: &[Read, Read, Read, Read, ReadWrite, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| {
        let Params { context_length, d_head, .. } = bytemuck::pod_read_unaligned(params);
        let [positions, d] = [context_length, d_head].map(u64::from);
        positions.div_ceil(64) * (2 + d) + d.div_ceil(64) * (1 + positions) + 16
    },
    cpu: |call| {
        let (params, position): (Params, u32) = (call.params(), call.u32(1)[0]);
        let (weights, out) = (&mut call.f32_mut(5), &mut call.f32_mut(6));
        reference(position as usize, [&call.f32(2), &call.f32(3), &call.f32(4)], weights, out, &params);
    },
};

/// Appends the attention of one position: [position, q, k cache, v cache, weights, out].
pub fn cached_attention(recording: &mut Recording, bindings: [Slice; 6], params: Params) {
    recording.dispatch(&CACHED_ATTENTION, params, &bindings, [params.n_heads, 1, 1]);
}

/// `out[head] = Σ_{key ≤ position} softmax(scale · q·k)[key] · v[key]`. The weights are left as they are before the
/// division by their sum.
pub fn reference<T: Real>(position: usize, [q, k, v]: [&[T]; 3], weights: &mut [T], out: &mut [T], params: &Params) {
    let (t, d_head) = (params.context_length as usize, params.d_head as usize);
    let (n_heads, n_kv_heads) = (params.n_heads as usize, params.n_kv_heads as usize);
    for head in 0..n_heads {
        let kv = |key: usize| (key * n_kv_heads + head / (n_heads / n_kv_heads)) * d_head;
        let q = &q[head * d_head..][..d_head];
        let row = &mut weights[head * t..][..position + 1];
        for (key, score) in row.iter_mut().enumerate() {
            let dot: T = q.iter().zip(&k[kv(key)..]).map(|(&q, &k)| q * k).sum();
            *score = T::of(f64::from(params.scale)) * dot;
        }
        let largest = row.iter().copied().fold(T::neg_infinity(), T::max);
        row.iter_mut().for_each(|score| *score = (*score - largest).exp());
        let total: T = row.iter().copied().sum();
        for d in 0..d_head {
            let sum: T = row.iter().enumerate().map(|(key, &weight)| weight * v[kv(key) + d]).sum();
            out[head * d_head + d] = sum / total;
        }
    }
}
