//! Attention's weighted sum of values: `out[query] = Σ_key weights[query, key] · v[key]`.
//!
//! v is read in place from qkv (B, T, (H + 2·Hkv)·D), rows of queries, keys and values. H / Hkv query heads share a KV
//! head. Training uses [`flash_attention`](super::flash_attention) instead; this kernel is for inspecting the weights.

use bytemuck::{Pod, Zeroable};

use super::{CAUSAL_MASK, KV_HEAD, Real, TILE, cpu, tile_workgroups};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice};

/// Uniform parameters of the kernel.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Params {
    /// T: positions of a sequence.
    pub context_length: u32,
    /// H: number of query heads.
    pub n_heads: u32,
    /// Hkv: number of KV heads, a divisor of H.
    pub n_kv_heads: u32,
    /// D: size of a head.
    pub d_head: u32,
    /// 1: a query attends only to itself and earlier positions.
    pub causal: u32,
}

/// weights (B, H, T, T), qkv (B, T, (H + 2·Hkv)·D) → out (B, T, H, D)
pub static WEIGHTED_SUM: Kernel = Kernel {
    name: "weighted_sum",
    wgsl: &[TILE, CAUSAL_MASK, KV_HEAD, wgsl!("../../shaders/weighted_sum.wgsl")],
    access: &[Read, Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| bytemuck::pod_read_unaligned::<Params>(params).context_length.into(),
    cpu: |call| cpu::pairs::weighted_sum(&call.f32(1), &call.f32(2), &mut call.f32_mut(3), &call.params()),
};

/// Appends the sums of `batch_size` sequences: [weights, qkv, out].
pub fn weighted_sum(recording: &mut Recording, bindings: [Slice; 3], batch_size: usize, params: Params) {
    let (n, layers) = (params.context_length as usize, batch_size * params.n_heads as usize);
    let workgroups = tile_workgroups(n, params.d_head as usize, layers);
    recording.dispatch(&WEIGHTED_SUM, params, &bindings, workgroups);
}

/// `out[query, head, d] = Σ_key weights[head, query, key] · v[key, kv head, d]`, over keys ≤ query where causal
pub fn reference<T: Real>(weights: &[T], qkv: &[T], out: &mut [T], params: &Params) {
    let (n, n_heads, d_head) = (params.context_length as usize, params.n_heads as usize, params.d_head as usize);
    let n_kv_heads = params.n_kv_heads as usize;
    let width = (n_heads + 2 * n_kv_heads) * d_head;
    out.fill(T::zero());
    for (batch_head, weights) in weights.chunks_exact(n * n).enumerate() {
        let (batch, head) = (batch_head / n_heads, batch_head % n_heads);
        let values = (n_heads + n_kv_heads + head / (n_heads / n_kv_heads)) * d_head;
        for query in 0..n {
            let out = &mut out[((batch * n + query) * n_heads + head) * d_head..][..d_head];
            for key in 0..if params.causal == 1 { query + 1 } else { n } {
                let v = &qkv[(batch * n + key) * width + values..][..d_head];
                out.iter_mut().zip(v).for_each(|(out, &v)| *out += weights[query * n + key] * v);
            }
        }
    }
}
