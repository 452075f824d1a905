//! Attention scores with scale and an optional causal mask: `scores[query, key] = scale · q[query]·k[key]`, or
//! `masked_value`.
//!
//! q and k are read in place from qkv (B, T, (H + 2·Hkv)·D), rows of queries, keys and values; scores are (B, H, T, T). H
//! / Hkv query heads share a KV head. Training uses [`flash_attention`](super::flash_attention) instead; this kernel is
//! for inspecting the weights.

use bytemuck::{Pod, Zeroable};

use super::{CAUSAL_MASK, KV_HEAD, Real, TILE, cpu, tile_workgroups};
use crate::gpu::kernel::Access::{Read, ReadWrite};
use crate::gpu::kernel::Kernel;
use crate::gpu::recording::{Recording, Slice};

/// Masked scores in the forward pass. WGSL may assume that there are no infinities, so this value stands for −∞: its
/// exponential is exactly 0.
pub const MASKED: f32 = -1e30;

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
    /// Factor of the scores: 1/√D.
    pub scale: f32,
    /// Value of masked scores: [`MASKED`] in the forward pass.
    pub masked_value: f32,
}

/// qkv (B, T, (H + 2·Hkv)·D) → scores (B, H, T, T)
pub static ATTENTION_SCORES: Kernel = Kernel {
    name: "attention_scores",
    wgsl: &[TILE, CAUSAL_MASK, KV_HEAD, wgsl!("../../shaders/attention_scores.wgsl")],
    access: &[Read, ReadWrite],
    params_bytes: size_of::<Params>(),
    loops: |params| bytemuck::pod_read_unaligned::<Params>(params).d_head.into(),
    cpu: |call| {
        let params: Params = call.params();
        cpu::pairs::attention_scores(&call.f32(1), &mut call.f32_mut(2), &params);
    },
};

/// Appends the scores of `batch_size` sequences.
pub fn attention_scores(recording: &mut Recording, [qkv, scores]: [Slice; 2], batch_size: usize, params: Params) {
    let n = params.context_length as usize;
    let workgroups = tile_workgroups(n, n, batch_size * params.n_heads as usize);
    recording.dispatch(&ATTENTION_SCORES, params, &[qkv, scores], workgroups);
}

/// scores[query, key] = scale · Σ_d q[query, d] · k[key, d], or `masked_value` where causal and key > query
pub fn reference<T: Real>(qkv: &[T], scores: &mut [T], params: &Params) {
    let (n, n_heads, d_head) = (params.context_length as usize, params.n_heads as usize, params.d_head as usize);
    let n_kv_heads = params.n_kv_heads as usize;
    let width = (n_heads + 2 * n_kv_heads) * d_head;
    let row =
        |batch: usize, position: usize, head: usize| &qkv[(batch * n + position) * width + head * d_head..][..d_head];
    for (batch_head, scores) in scores.chunks_exact_mut(n * n).enumerate() {
        let (batch, head) = (batch_head / n_heads, batch_head % n_heads);
        let kv_head = head / (n_heads / n_kv_heads);
        for query in 0..n {
            let q = row(batch, query, head);
            for key in 0..n {
                let k = row(batch, key, n_heads + kv_head);
                scores[query * n + key] = if params.causal == 1 && key > query {
                    T::of(f64::from(params.masked_value))
                } else {
                    T::of(f64::from(params.scale)) * q.iter().zip(k).map(|(&q, &k)| q * k).sum::<T>()
                };
            }
        }
    }
}
